//! What an operator should know, on standard error.

use std::io::Write;
use std::sync::OnceLock;

/// systemd reads standard error, and takes a priority from the beginning of a line (sd-daemon(3)).
fn has_journal() -> bool {
    static JOURNAL: OnceLock<bool> = OnceLock::new();
    *JOURNAL.get_or_init(|| std::env::var_os("JOURNAL_STREAM").is_some())
}

fn line(priority: u8, word: &str, text: &str) {
    let mut stderr = std::io::stderr().lock();
    for line in text.lines() {
        // Nobody is left to hear of a standard error that is closed.
        let _ = if has_journal() {
            writeln!(stderr, "<{priority}>{line}")
        } else {
            writeln!(stderr, "forebayd: {word}{line}")
        };
    }
}

/// Something that keeps the daemon from doing what it should.
pub(crate) fn error(text: &str) {
    line(3, "", text);
}

/// Something that is done all the same.
pub(crate) fn warn(text: &str) {
    line(4, "warning: ", text);
}

/// Something that has happened.
pub(crate) fn info(text: &str) {
    line(6, "", text);
}
