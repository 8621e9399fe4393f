//! Replaying a capture, once or in loops, as the source of a transmit loop.
//!
//! In: a [`Capture`] in memory, how often, on which VLANs and how fast ([`ReplayOptions`]). Out: a [`Replay`], which says when
//! the next frame is due and how long it is, and writes it where the sender wants it. A sender is then a thin loop: ask
//! [`Replay::next_due`], wait, take a buffer of that length, [`Replay::write_to`] it, put it into the burst.

mod capture;
mod pace;

pub use capture::{Capture, CaptureLimits, CapturedFrame, Skipped, Tags};
pub use pace::{Pace, Pacer};

use crate::rewrite::{LoopRewrite, RewriteError, VlanRange, set_vlan};

/// How a capture is replayed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ReplayOptions {
    /// How often, at least 1. Every loop has addresses of its own, so [`crate::rewrite::Rewriter::loops_max`] is the
    /// most.
    pub loops: u64,
    /// The VLAN of each loop; only for a capture loaded with [`Tags::One`].
    pub vlans: Option<VlanRange>,
    /// How fast.
    pub pace: Pace,
}

/// A frame that is to be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// When, in nanoseconds after the start of the replay.
    pub at_ns: u64,
    /// Its length in bytes.
    pub len: usize,
}

/// Walks through the loops of a capture.
#[derive(Debug)]
pub struct Replay<'a> {
    capture: &'a Capture,
    options: ReplayOptions,
    pacer: Pacer,
    number: u64,
    rewrite: LoopRewrite,
    /// Place of the next frame in the capture.
    next: usize,
    due: Option<Due>,
}

impl<'a> Replay<'a> {
    /// At the first frame of the first loop.
    ///
    /// # Errors
    /// [`RewriteError::LoopsExhausted`] when the capture's addresses do not suffice for so many loops: better said
    /// before the first frame is sent.
    pub fn new(capture: &'a Capture, options: ReplayOptions) -> Result<Self, RewriteError> {
        capture.rewriter().at_loop(options.loops.saturating_sub(1))?;
        let rewrite = capture.rewriter().at_loop(0)?;
        let pacer = Pacer::new(options.pace, capture);
        let mut replay = Self { capture, options, pacer, number: 0, rewrite, next: 0, due: None };
        replay.announce();
        Ok(replay)
    }

    /// The frame that comes next; `None` after the last of the last loop.
    pub const fn next_due(&self) -> Option<Due> {
        self.due
    }

    /// Writes the next frame to the start of `into` and goes on to the one after it; false when there is none, or `into`
    /// is shorter than [`Due::len`].
    pub fn write_to(&mut self, into: &mut [u8]) -> bool {
        if self.due.is_none() {
            return false;
        }
        let Some(frame) = self.capture.frame(self.next) else { return false };
        let Some(into) = into.get_mut(..frame.bytes.len()) else { return false };
        into.copy_from_slice(frame.bytes);
        if let Some(vlans) = self.options.vlans {
            set_vlan(into, vlans.at(self.number));
        }
        self.rewrite.apply(frame.edits, into);
        self.next += 1;
        if self.next == self.capture.len() {
            self.next_loop();
        }
        self.announce();
        true
    }

    /// The loop that the next frame belongs to, counted from 0.
    pub const fn loop_number(&self) -> u64 {
        self.number
    }

    fn next_loop(&mut self) {
        self.number += 1;
        self.next = 0;
        if self.number < self.options.loops
            && let Ok(rewrite) = self.capture.rewriter().at_loop(self.number)
        {
            self.rewrite = rewrite;
        }
    }

    fn announce(&mut self) {
        self.due = None;
        if self.number >= self.options.loops {
            return;
        }
        if let Some(frame) = self.capture.frame(self.next) {
            let at_ns = self.pacer.due_ns(frame.bytes.len(), frame.at_ns, self.number);
            self.due = Some(Due { at_ns, len: frame.bytes.len() });
        }
    }
}
