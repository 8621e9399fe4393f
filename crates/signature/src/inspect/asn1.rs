//! `asn1`: faults in BER (X.690) that attacks on decoders have used.

use rules::ir::Asn1;

/// Frames that are looked at, and how deep: the reference's limit for both.
const FRAMES_MAX: usize = 256;

/// Whether the data, from the place that the rule says, has one of the faults that it asks for.
pub(super) fn holds(faults: &Asn1, payload: &[u8]) -> bool {
    let from = match (faults.absolute_offset, faults.relative_offset) {
        (Some(offset), _) => offset as usize,
        (None, Some(offset)) => offset.max(0) as usize,
        (None, None) => 0,
    };
    let mut rest = payload.get(from..).unwrap_or_default();
    for _ in 0..FRAMES_MAX {
        let Some(frame) = Frame::read(rest) else { return false };
        if frame.has(faults) {
            return true;
        }
        // What is constructed holds frames of its own; what is primitive is passed over.
        let skip = if frame.constructed { frame.header } else { frame.header.saturating_add(frame.len) };
        rest = rest.get(skip..).unwrap_or_default();
    }
    false
}

struct Frame<'a> {
    tag: u8,
    constructed: bool,
    header: usize,
    len: usize,
    content: &'a [u8],
}

impl<'a> Frame<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&first, _) = bytes.split_first()?;
        let mut header = 1;
        if first & 0x1f == 0x1f {
            while bytes.get(header)? & 0x80 != 0 {
                header += 1;
            }
            header += 1;
        }
        let length = *bytes.get(header)?;
        header += 1;
        let mut len = usize::from(length & 0x7f);
        if length & 0x80 != 0 {
            let count = len;
            let digits = bytes.get(header..header.checked_add(count)?)?;
            header += count;
            len = digits
                .iter()
                .fold(0, |len: usize, &digit| len.saturating_mul(256).saturating_add(usize::from(digit)));
        }
        Some(Self {
            tag: first,
            constructed: first & 0x20 != 0,
            header,
            len,
            content: bytes.get(header..).unwrap_or_default(),
        })
    }

    fn has(&self, faults: &Asn1) -> bool {
        // Universal, primitive: 3 bit string, 9 real.
        let oversize = faults.oversize_length.is_some_and(|max| self.len > max as usize);
        let bits = faults.bitstring_overflow
            && self.tag == 3
            && self
                .content
                .first()
                .is_some_and(|&unused| self.len > 0 && usize::from(unused) > 8 * (self.len - 1));
        let double = faults.double_overflow
            && self.tag == 9
            && self.len > 256
            && self.content.first().is_some_and(|&first| first & 0xc0 == 0);
        oversize || bits || double
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_lengths_that_are_too_large_at_any_depth() {
        let faults = Asn1 { oversize_length: Some(100), ..Asn1::default() };
        assert!(holds(&faults, &[0x30, 0x05, 0x02, 0x81, 0xff, 0, 0]));
        assert!(!holds(&faults, &[0x30, 0x03, 0x02, 0x01, 0x05]));
        assert!(!holds(&faults, &[0x30]));
        assert!(!holds(&faults, &[0xff; 40]));
    }

    #[test]
    fn finds_bit_strings_with_more_unused_bits_than_they_have() {
        let faults = Asn1 { bitstring_overflow: true, ..Asn1::default() };
        assert!(holds(&faults, &[0x03, 0x02, 0x09, 0x00]));
        assert!(!holds(&faults, &[0x03, 0x02, 0x07, 0x00]));
    }
}
