//! The part of a body or file that rules look into, and when.

use super::Hashes;
use crate::View;

/// How a body or file is looked into; all in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WindowLimits {
    /// How much of it, from its beginning; 0: all.
    pub content: u64,
    /// It is not looked into before this much has come, unless it is whole before that.
    pub inspect_min: u64,
    /// How much is looked into at a time after that, at least: some of what was seen before is seen again, so that a
    /// pattern that lies across is found.
    pub inspect_window: u64,
    /// Which hashes of a file are computed.
    pub hashes: Hashes,
}

impl Default for WindowLimits {
    /// The reference's for files.
    fn default() -> Self {
        Self { content: 100_000, inspect_min: 32_768, inspect_window: 4_096, hashes: Hashes::default() }
    }
}

/// Most that is held for a body without a content limit which nobody looks into.
const HELD_LIMIT: usize = 4 << 20;

/// The contents of one body or file, as far as they are looked into.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    limits: WindowLimits,
    /// What is held; its first byte lies at `start`.
    held: Vec<u8>,
    start: u64,
    /// How much was never seen; it does not count against the content limit.
    missing: u64,
    /// Everything before this position was looked into.
    seen: u64,
    closed: bool,
    /// It was looked into after it had closed.
    done: bool,
}

impl Window {
    pub(crate) const fn new(limits: WindowLimits) -> Self {
        Self { limits, held: Vec::new(), start: 0, missing: 0, seen: 0, closed: false, done: false }
    }

    /// Which hashes of what it holds are wanted.
    pub(crate) const fn hashes(&self) -> Hashes {
        self.limits.hashes
    }

    /// Position behind the last byte that came.
    pub(crate) fn end(&self) -> u64 {
        self.start + self.held.len() as u64
    }

    /// What came behind `position`, as far as it is held.
    pub(crate) fn since(&self, position: u64) -> &[u8] {
        let from = position.saturating_sub(self.start) as usize;
        self.held.get(from..).unwrap_or_default()
    }

    /// How many bytes more are looked into.
    pub(crate) fn room(&self) -> u64 {
        if self.limits.content == 0 {
            u64::MAX
        } else {
            self.limits.content.saturating_sub(self.end() - self.missing)
        }
    }

    /// The next bytes. What lies beyond the content limit is let go.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if self.closed {
            return;
        }
        let taken = usize::try_from(self.room()).unwrap_or(usize::MAX).min(bytes.len());
        if self.held.len() + taken > HELD_LIMIT {
            self.forget_before(self.end().saturating_sub(self.limits.inspect_window));
        }
        self.held.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.room() == 0 {
            self.closed = true;
        }
    }

    /// `len` bytes that were never seen: what comes behind them is looked into apart from what came before, if that was
    /// looked into already, and else joined to it, as the reference does.
    pub(crate) fn gap(&mut self, len: u64) {
        if self.closed || self.end() > self.seen {
            return;
        }
        let len = len.min(u64::MAX / 4 - self.end().min(u64::MAX / 4));
        self.missing += len;
        self.start = self.end() + len;
        self.seen = self.start;
        self.held.clear();
    }

    /// It is whole.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// What is to be looked into now.
    pub(crate) fn view(&self) -> Option<View<'_>> {
        let end = self.end();
        if self.done || end == 0 || (!self.closed && (end == self.seen || end < self.limits.inspect_min)) {
            return None;
        }
        let offset = self.offset();
        let bytes = self.held.get((offset - self.start) as usize..)?;
        Some(View { bytes, offset, complete: self.closed })
    }

    /// Where the next look begins: at the beginning while little was seen; later so that the look is as long as the
    /// window, with a quarter of it seen before.
    fn offset(&self) -> u64 {
        let window = self.limits.inspect_window;
        if self.seen <= self.limits.inspect_min {
            return self.start;
        }
        let fresh = self.end() - self.seen;
        let again = if fresh < window { (window - fresh).max(window / 4) } else { window / 4 };
        self.seen.saturating_sub(again).max(self.start)
    }

    /// Rules have seen [`Window::view`].
    pub(crate) fn inspected(&mut self) {
        if self.view().is_none() {
            return;
        }
        self.seen = self.end();
        if self.closed {
            self.done = true;
            self.held = Vec::new();
            self.start = self.seen;
        } else if self.seen > self.limits.inspect_min {
            self.forget_before(self.seen.saturating_sub(self.limits.inspect_window));
        }
    }

    fn forget_before(&mut self, position: u64) {
        if let Some(len) = position.checked_sub(self.start) {
            let len = (len as usize).min(self.held.len());
            self.held.drain(..len);
            self.start += len as u64;
        }
    }

    /// Bytes of memory that it holds.
    #[cfg(test)]
    pub(crate) fn held(&self) -> usize {
        self.held.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: WindowLimits = WindowLimits {
        content: 1000,
        inspect_min: 100,
        inspect_window: 40,
        hashes: Hashes { md5: false, sha1: false, sha256: false },
    };

    #[test]
    fn every_byte_up_to_the_limit_is_seen_and_patterns_across_looks_too() {
        let data: Vec<u8> = (0..1500_u32).map(|value| (value % 251) as u8).collect();
        for step in [1, 7, 39, 40, 41, 99, 100, 333, 1500] {
            let mut window = Window::new(LIMITS);
            let mut reached = 0;
            for piece in data.chunks(step) {
                window.append(piece);
                if let Some(view) = window.view() {
                    let from = view.offset as usize;
                    assert_eq!(view.bytes, &data[from..from + view.bytes.len()]);
                    assert!(from == 0 || from + 10 <= reached, "10 bytes across are seen: {from} {reached}");
                    reached = from + view.bytes.len();
                    window.inspected();
                    assert_eq!(window.view(), None);
                }
            }
            window.close();
            if let Some(view) = window.view() {
                reached = view.offset as usize + view.bytes.len();
            }
            assert_eq!(reached, 1000, "step {step}");
        }
    }

    #[test]
    fn nothing_is_seen_before_the_minimum() {
        let mut window = Window::new(LIMITS);
        window.append(&[1; 99]);
        assert_eq!(window.view(), None);
        window.append(&[1]);
        assert_eq!(window.view().unwrap().bytes.len(), 100);
    }

    #[test]
    fn an_unlimited_body_that_nobody_looks_into_is_bounded() {
        let mut window = Window::new(WindowLimits {
            content: 0,
            inspect_min: u64::MAX,
            inspect_window: 100,
            ..WindowLimits::default()
        });
        for _ in 0..4000 {
            window.append(&[7; 10_000]);
        }
        assert!(window.held() <= 2 * HELD_LIMIT, "{}", window.held());
    }

    #[test]
    fn an_empty_body_is_not_seen() {
        let mut window = Window::new(LIMITS);
        window.close();
        assert_eq!(window.view(), None);
    }
}
