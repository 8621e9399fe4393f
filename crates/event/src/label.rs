//! Short names that records carry by value.

use std::fmt;
use std::str::FromStr;

/// Longest label in bytes, as long as the longest name a configuration may use.
pub const LABEL_BYTES_MAX: usize = 63;

/// A name of at most [`LABEL_BYTES_MAX`] bytes, held in place.
///
/// Every flow record carries its tenant's name and its verdict's. Held in place they cost a copy; as `Arc<str>` all
/// workers and the event thread would fight over one reference count, millions of times a second.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Label {
    len: u8,
    bytes: [u8; LABEL_BYTES_MAX],
}

/// The name does not fit a [`Label`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a name of {len} bytes is too long for an event: use at most {LABEL_BYTES_MAX}")]
pub struct LabelTooLong {
    /// Length of the refused name in bytes.
    pub len: usize,
}

impl Label {
    /// A label that reads `text`.
    ///
    /// # Errors
    /// [`LabelTooLong`] when `text` has more than [`LABEL_BYTES_MAX`] bytes.
    pub fn new(text: &str) -> Result<Self, LabelTooLong> {
        let too_long = LabelTooLong { len: text.len() };
        let mut bytes = [0; LABEL_BYTES_MAX];
        bytes.get_mut(..text.len()).ok_or(too_long)?.copy_from_slice(text.as_bytes());
        Ok(Self { len: text.len() as u8, bytes })
    }

    /// The label's text.
    #[inline]
    pub fn as_str(&self) -> &str {
        // The bytes were copied from a `str` whole, so both steps always succeed; the check of 63 bytes is cheap.
        let bytes = self.bytes.get(..usize::from(self.len)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl Default for Label {
    /// No name.
    fn default() -> Self {
        Self { len: 0, bytes: [0; LABEL_BYTES_MAX] }
    }
}

impl FromStr for Label {
    type Err = LabelTooLong;

    fn from_str(text: &str) -> Result<Self, LabelTooLong> {
        Self::new(text)
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_every_length_up_to_its_maximum() {
        for len in 0..=LABEL_BYTES_MAX {
            let text: String = ('a'..='z').cycle().take(len).collect();
            assert_eq!(Label::new(&text).unwrap().as_str(), text);
        }
        assert_eq!(Label::new("Zürich").unwrap().to_string(), "Zürich");
    }

    #[test]
    fn refuses_what_is_too_long() {
        assert_eq!(Label::new(&"x".repeat(64)), Err(LabelTooLong { len: 64 }));
        assert_eq!("x".repeat(300).parse::<Label>(), Err(LabelTooLong { len: 300 }));
    }
}
