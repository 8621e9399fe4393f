//! Lines, of any length, held up to a length.

/// Bytes of a line that are kept (the reference's `app-layer.protocols.ftp.max-line-length`).
pub(super) const LINE_MAX: usize = 4096;

/// The line in hand.
#[derive(Default, Debug)]
pub(super) struct Line {
    bytes: Vec<u8>,
    too_long: bool,
    whole: bool,
    /// It began before a gap, and what is here is not its beginning.
    lost: bool,
}

impl Line {
    /// Takes bytes up to the line's end; how many.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> usize {
        let end = memchr::memchr(b'\n', bytes);
        let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        let room = LINE_MAX.saturating_sub(self.bytes.len());
        self.too_long |= part.len() > room;
        self.bytes.extend_from_slice(part.get(..room).unwrap_or(part));
        self.whole = end.is_some();
        end.map_or(bytes.len(), |end| end + 1)
    }

    /// The line without its end, if it is whole, and whether it was longer.
    pub(super) fn take(&mut self) -> Option<(Vec<u8>, bool)> {
        if !self.whole {
            return None;
        }
        let Self { mut bytes, too_long, lost, .. } = std::mem::take(self);
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        (!lost).then_some((bytes, too_long))
    }

    /// Some of it was never seen.
    pub(super) fn lose(&mut self) {
        *self = Self { lost: true, ..Self::default() };
    }
}
