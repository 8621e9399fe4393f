//! Link headers of captures that are not of Ethernet.
//!
//! In: a packet of such a capture. Out: the same with an Ethernet header in front, whose addresses are the header that
//! was there, so that the dataplane reads Ethernet only and events still show what was captured.

/// Bytes of Ethernet's two addresses, and of the whole header.
const ADDRESSES_BYTES: usize = 12;
const HEADER_BYTES: usize = 14;

/// A link header in the place of Ethernet addresses: its length in one byte, then itself.
#[derive(Clone, Copy, Debug)]
pub struct OwnHeader;

impl OwnHeader {
    /// Ethernet addresses that hide a header of at most 11 bytes; of a longer one the first 11.
    pub fn hide(header: &[u8]) -> [u8; ADDRESSES_BYTES] {
        let mut addresses = [0; ADDRESSES_BYTES];
        let len = header.len().min(ADDRESSES_BYTES - 1);
        for (to, from) in addresses.iter_mut().zip([len as u8].iter().chain(header)) {
            *to = *from;
        }
        addresses
    }

    /// The packet that was hidden in a frame; `None` if there is none in it.
    pub(super) fn restore(frame: &[u8]) -> Option<Vec<u8>> {
        let (&len, header) = frame.split_first()?;
        let header = header.get(..usize::from(len)).filter(|header| header.len() < ADDRESSES_BYTES)?;
        Some([header, frame.get(HEADER_BYTES..)?].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_header_comes_back() {
        for header in [&b""[..], &[0x21], &[0xff, 3, 0, 0x21], &[7; 11]] {
            let frame = [&OwnHeader::hide(header)[..], &[8, 0], b"E..."].concat();
            assert_eq!(OwnHeader::restore(&frame), Some([header, b"E..."].concat()));
        }
        assert_eq!(OwnHeader::restore(&[12; 60]), None);
        assert_eq!(OwnHeader::restore(&[0; 13]), None);
    }
}
