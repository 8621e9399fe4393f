//! A file that is read or written in chunks, which may come in any order.
//!
//! In: where each chunk lies, and its bytes as they come. Out: the file's contents in order, in a [`Files`]. Chunks that
//! come too early wait; how many may, and how much of them, is bounded.

use std::collections::BTreeMap;

use super::Files;
use crate::WindowLimits;

/// Chunks that may wait.
const WAITING_MAX: usize = 64;

/// Bytes of them.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// Why a chunk was let go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    Count,
    Size,
}

/// A chunk that waits: what is kept of it, and how long it is.
#[derive(Default, Debug)]
struct Waiting {
    bytes: Vec<u8>,
    len: u64,
}

/// The transfer of one file, one way.
#[derive(Default, Debug)]
pub(crate) struct Transfer {
    pub files: Files,
    /// Bytes that came in order.
    tracked: u64,
    waiting: BTreeMap<u64, Waiting>,
    waiting_bytes: usize,
    /// Where the chunk in hand began, if it waits; `None`: it is in order.
    early: Option<u64>,
    /// Whether what comes of the chunk in hand is let go.
    refused: bool,
}

impl Transfer {
    pub(crate) fn new(name: &[u8], limits: WindowLimits) -> Self {
        Self::starting_at(0, name, limits)
    }

    /// The transfer of a file of which what lies before `offset` was seen already, or is not transferred.
    pub(crate) fn starting_at(offset: u64, name: &[u8], limits: WindowLimits) -> Self {
        let mut transfer = Self { tracked: offset, ..Self::default() };
        transfer.files.open(name, Some(limits));
        transfer
    }

    /// Up to where the file came in order.
    pub(crate) const fn tracked(&self) -> u64 {
        self.tracked
    }

    /// A chunk begins at `offset` of the file. What was there already is let go.
    pub(crate) fn begin(&mut self, offset: u64) -> Result<(), Refused> {
        self.refused = offset < self.tracked;
        self.early = (offset > self.tracked).then_some(offset);
        let Some(offset) = self.early else { return Ok(()) };
        let result = if self.waiting.len() >= WAITING_MAX {
            Err(Refused::Count)
        } else if self.waiting_bytes >= WAITING_BYTES_MAX {
            Err(Refused::Size)
        } else {
            self.waiting.insert(offset, Waiting::default());
            Ok(())
        };
        self.refused = result.is_err();
        result
    }

    /// The next bytes of the chunk in hand.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if self.refused {
            return;
        }
        let Some(offset) = self.early else {
            self.files.append(bytes);
            self.tracked = self.tracked.saturating_add(bytes.len() as u64);
            return;
        };
        let room = WAITING_BYTES_MAX.saturating_sub(self.waiting_bytes).min(bytes.len());
        if let Some(waiting) = self.waiting.get_mut(&offset) {
            // Only a chunk that is whole up to here can be prolonged.
            if waiting.bytes.len() as u64 == waiting.len {
                waiting.bytes.extend_from_slice(bytes.get(..room).unwrap_or_default());
                self.waiting_bytes = self.waiting_bytes.saturating_add(room);
            }
            waiting.len = waiting.len.saturating_add(bytes.len() as u64);
        }
    }

    /// `len` bytes of the chunk in hand were never seen.
    pub(crate) fn gap(&mut self, len: u64) {
        match self.early {
            _ if self.refused => {}
            None => {
                self.files.gap(len);
                self.tracked = self.tracked.saturating_add(len);
            }
            Some(offset) => {
                if let Some(waiting) = self.waiting.get_mut(&offset) {
                    waiting.len = waiting.len.saturating_add(len);
                }
            }
        }
    }

    /// The chunk in hand is whole: those that waited for it follow.
    pub(crate) fn end(&mut self) {
        if self.early.take().is_some() {
            return;
        }
        while let Some(waiting) = self.waiting.remove(&self.tracked) {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(waiting.bytes.len());
            let held = waiting.bytes.len() as u64;
            if waiting.len == 0 {
                continue;
            }
            self.files.append(&waiting.bytes);
            if waiting.len > held {
                self.files.gap(waiting.len - held);
            }
            self.tracked = self.tracked.saturating_add(waiting.len);
        }
    }

    /// What waits will not be waited for any longer: it follows behind gaps.
    pub(crate) fn release(&mut self) {
        self.early = None;
        while let Some(offset) = self.waiting.keys().next().copied() {
            if offset > self.tracked {
                self.files.gap(offset - self.tracked);
                self.tracked = offset;
            } else if offset < self.tracked {
                // Something longer came in its place.
                if let Some(waiting) = self.waiting.remove(&offset) {
                    self.waiting_bytes = self.waiting_bytes.saturating_sub(waiting.bytes.len());
                }
            }
            self.end();
        }
    }

    /// The file was closed.
    pub(crate) fn close(&mut self) {
        self.waiting.clear();
        self.files.close();
    }

    /// No more of it will be seen.
    pub(crate) fn truncate(&mut self) {
        self.waiting.clear();
        self.files.truncate();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(transfer: &mut Transfer, offset: u64, bytes: &[u8]) -> Result<(), Refused> {
        let result = transfer.begin(offset);
        for piece in bytes.chunks(2) {
            transfer.append(piece);
        }
        transfer.end();
        result
    }

    #[test]
    fn chunks_are_put_in_order() {
        let mut transfer = Transfer::new(b"a", WindowLimits::default());
        for (offset, bytes) in [(6, &b"world"[..]), (0, b"hel"), (3, b"lo ")] {
            assert_eq!(chunk(&mut transfer, offset, bytes), Ok(()));
        }
        transfer.close();
        assert_eq!(transfer.files.view(0).map(|view| view.bytes), Some(&b"hello world"[..]));
        assert_eq!(transfer.tracked(), 11);
    }

    #[test]
    fn what_waits_follows_behind_gaps_at_the_end() {
        let mut transfer = Transfer::starting_at(4, b"a", WindowLimits::default());
        for (offset, bytes) in [(4, &b"ab"[..]), (20, b"xyz"), (21, b"yz"), (30, b"!")] {
            assert_eq!(chunk(&mut transfer, offset, bytes), Ok(()));
        }
        transfer.release();
        transfer.close();
        assert_eq!(transfer.tracked(), 31);
        let file = transfer.files.iter().next().unwrap();
        assert!(file.gaps);
        assert_eq!(file.size, 27);
    }

    #[test]
    fn chunks_that_wait_are_bounded() {
        let mut transfer = Transfer::new(b"a", WindowLimits::default());
        for number in 0..64 {
            assert_eq!(chunk(&mut transfer, 10 + number * 10, b"x"), Ok(()));
        }
        assert_eq!(chunk(&mut transfer, 5, b"x"), Err(Refused::Count));
        let mut transfer = Transfer::new(b"a", WindowLimits::default());
        assert_eq!(chunk(&mut transfer, 10, &vec![0; WAITING_BYTES_MAX + 1]), Ok(()));
        assert_eq!(chunk(&mut transfer, 5, b"x"), Err(Refused::Size));
    }

    #[test]
    fn a_gap_in_a_chunk_truncates_the_file() {
        let mut transfer = Transfer::new(b"a", WindowLimits::default());
        assert_eq!(transfer.begin(0), Ok(()));
        transfer.append(b"ab");
        transfer.gap(3);
        transfer.end();
        transfer.close();
        let file = transfer.files.iter().next().unwrap();
        assert!(file.gaps);
        assert_eq!(file.size, 5);
    }
}
