//! The progress bar on standard error: only on a terminal, and only when there is time to look at it.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::number::{count, packet_rate};

/// Work that takes less than this is done before a person has read a bar.
const QUIET: Duration = Duration::from_secs(1);

/// A bar that appears when the work takes long enough.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    total: u64,
    template: &'static str,
}

impl Progress {
    /// For a replay of `total` packets.
    pub(crate) fn packets(total: u64) -> Self {
        Self::new(total, "{bar:30} {percent:>3} %  {msg}  {eta} left")
    }

    /// For reading `total` bytes of captures.
    pub(crate) fn bytes(total: u64) -> Self {
        Self::new(total, "{bar:30} {percent:>3} %  {msg}")
    }

    fn new(total: u64, template: &'static str) -> Self {
        Self { bar: None, started: Instant::now(), total, template }
    }

    /// Shows how many packets are done.
    pub(crate) fn packets_done(&mut self, done: u64) {
        let rate = done as f64 / self.started.elapsed().as_secs_f64().max(1e-6);
        self.show(done, || format!("{} packets, {}", count(done), packet_rate(rate)));
    }

    /// Shows how many bytes are done of the work that `what` names.
    pub(crate) fn bytes_done(&mut self, done: u64, what: &str) {
        self.show(done, || what.to_owned());
    }

    fn show(&mut self, done: u64, message: impl FnOnce() -> String) {
        if self.bar.is_none() {
            if self.started.elapsed() < QUIET || !std::io::stderr().is_terminal() {
                return;
            }
            let bar = ProgressBar::with_draw_target(Some(self.total), ProgressDrawTarget::stderr());
            // The templates are constants; a mistake in one would show the plain style.
            if let Ok(style) = ProgressStyle::with_template(self.template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            self.bar = Some(bar.with_elapsed(self.started.elapsed()));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(done.min(self.total));
            bar.set_message(message());
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
