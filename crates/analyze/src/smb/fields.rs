//! Reading little-endian fields at fixed places, and the text that SMB carries.

/// Two bytes at a place.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

/// Four bytes at a place.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

/// Eight bytes at a place.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}

/// `len` bytes at a place.
pub(crate) fn part(bytes: &[u8], at: usize, len: usize) -> Option<&[u8]> {
    bytes.get(at..)?.get(..len)
}

/// UTF-16LE without what is not ASCII, as the reference keeps names: the first byte of each pair.
pub(crate) fn narrow(utf16: &[u8]) -> Vec<u8> {
    utf16.chunks(2).filter_map(|pair| pair.first().copied()).filter(|&byte| byte != 0).collect()
}

/// A text that ends with a zero, and where the next begins.
pub(crate) fn text_at(bytes: &[u8], at: usize, unicode: bool) -> (Vec<u8>, usize) {
    let rest = bytes.get(at..).unwrap_or_default();
    if unicode {
        let len = rest.chunks_exact(2).take_while(|pair| *pair != [0, 0]).count().saturating_mul(2);
        (narrow(rest.get(..len).unwrap_or(rest)), at.saturating_add(len).saturating_add(2))
    } else {
        let len = memchr::memchr(0, rest).unwrap_or(rest.len());
        (rest.get(..len).unwrap_or(rest).to_vec(), at.saturating_add(len).saturating_add(1))
    }
}

/// A FILETIME (100 ns since 1601) as seconds since 1970; 0 before that.
pub(crate) const fn seconds(filetime: u64) -> u64 {
    (filetime / 10_000_000).saturating_sub(11_644_473_600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_read_past_the_end() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        assert_eq!(u16_at(&bytes, 7), Some(0x0908));
        assert_eq!(u16_at(&bytes, 8), None);
        assert_eq!(u32_at(&bytes, 5), Some(0x0908_0706));
        assert_eq!(u32_at(&bytes, 6), None);
        assert_eq!(u64_at(&bytes, 1), Some(0x0908_0706_0504_0302));
        assert_eq!(u64_at(&bytes, usize::MAX), None);
        assert_eq!(part(&bytes, 8, 2), None);
    }

    #[test]
    fn texts_end_at_their_zero() {
        assert_eq!(text_at(b"ab\0cd", 0, false), (b"ab".to_vec(), 3));
        assert_eq!(text_at(b"cd", 0, false), (b"cd".to_vec(), 3));
        assert_eq!(text_at(b"a\0b\0\0\0c\0", 0, true), (b"ab".to_vec(), 6));
        assert_eq!(text_at(b"a", 5, true), (Vec::new(), 7));
    }

    #[test]
    fn times_before_1970_are_none() {
        assert_eq!(seconds(0), 0);
        assert_eq!(seconds(132_253_793_510_000_000), 1_580_905_751);
    }
}
