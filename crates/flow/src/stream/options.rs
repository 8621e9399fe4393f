//! The TCP options that a connection's state depends on (RFC 9293 3.1, RFC 7323, RFC 2018, RFC 7413).

/// A TCP timestamp (RFC 7323).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Timestamp {
    pub(super) value: u32,
    pub(super) echo: u32,
}

/// What is read of a segment's options; absent and malformed options are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Options {
    pub(super) timestamp: Option<Timestamp>,
    /// Shift count, at most 14 (RFC 7323, 2.3).
    pub(super) window_scale: Option<u8>,
    /// A request for a Fast Open cookie, or a cookie.
    pub(super) fast_open: bool,
    /// Bytes that selective acknowledgements cover (RFC 2018); 0 without any.
    pub(super) sacked: u32,
    /// A signature (TCP MD5, RFC 2385, or TCP-AO, RFC 5925): a receiver that cannot check it drops the segment.
    pub(super) signed: bool,
}

/// What every option is read behind.
const FIXED_HEADER_LEN: usize = 20;
const WINDOW_SCALE_MAX: u8 = 14;
/// Kinds (IANA, TCP Option Kind Numbers).
const END: u8 = 0;
const NO_OPERATION: u8 = 1;
const WINDOW_SCALE: u8 = 3;
const SACK: u8 = 5;
const TIMESTAMP: u8 = 8;
const MD5: u8 = 19;
const AUTHENTICATION: u8 = 29;
const FAST_OPEN: u8 = 34;
/// Shared experimental kind; Fast Open used it with this magic number before it had its own.
const EXPERIMENT: u8 = 254;
const FAST_OPEN_MAGIC: [u8; 2] = [0xf9, 0x89];

impl Options {
    /// Reads the options of `header`, a TCP header with its fixed part. Reading ends at the first option whose length
    /// makes no sense.
    #[inline]
    pub(super) fn read(header: &[u8]) -> Self {
        match header.get(FIXED_HEADER_LEN..) {
            None | Some([]) => Self::default(),
            // The only options of nearly every segment of a connection that has options at all.
            Some([NO_OPERATION, NO_OPERATION, TIMESTAMP, 10, data @ ..]) if data.len() == 8 => {
                Self { timestamp: timestamp(data), ..Self::default() }
            }
            Some(options) => Self::walk(options),
        }
    }

    #[inline(never)]
    fn walk(mut rest: &[u8]) -> Self {
        let mut found = Self::default();
        while let [kind, after_kind @ ..] = rest {
            match *kind {
                END => break,
                NO_OPERATION => {
                    rest = after_kind;
                    continue;
                }
                _ => {}
            }
            let Some(len) = after_kind.first().map(|len| usize::from(*len)) else { break };
            let Some(data) = rest.get(2..len) else { break };
            match (*kind, data) {
                (WINDOW_SCALE, [shift]) => found.window_scale = Some((*shift).min(WINDOW_SCALE_MAX)),
                (TIMESTAMP, data) if data.len() == 8 => found.timestamp = timestamp(data),
                (SACK, blocks) => found.sacked = sacked(blocks),
                (MD5, data) if data.len() == 16 => found.signed = true,
                (AUTHENTICATION, data) if data.len() >= 2 => found.signed = true,
                (FAST_OPEN, data) if is_cookie(data) => found.fast_open = true,
                (EXPERIMENT, [a, b, cookie @ ..]) if [*a, *b] == FAST_OPEN_MAGIC && is_cookie(cookie) => {
                    found.fast_open = true;
                }
                _ => {}
            }
            rest = rest.get(len..).unwrap_or_default();
        }
        found
    }
}

/// A request is empty; a cookie has 4 to 16 bytes, an even number (RFC 7413, 4.1.1).
fn is_cookie(data: &[u8]) -> bool {
    data.is_empty() || (4..=16).contains(&data.len()) && data.len().is_multiple_of(2)
}

/// The size of all blocks; what is no block between two sequence numbers counts nothing.
fn sacked(blocks: &[u8]) -> u32 {
    let size = |block: &[u8]| {
        let (left, right) = block.first_chunk::<8>()?.split_first_chunk::<4>()?;
        let size = u32::from_be_bytes(*right.first_chunk()?).wrapping_sub(u32::from_be_bytes(*left));
        (size < 1 << 30).then_some(size)
    };
    blocks.chunks_exact(8).filter_map(size).fold(0, u32::saturating_add)
}

fn timestamp(data: &[u8]) -> Option<Timestamp> {
    let (value, echo) = data.first_chunk::<8>()?.split_first_chunk::<4>()?;
    Some(Timestamp { value: u32::from_be_bytes(*value), echo: u32::from_be_bytes(*echo.first_chunk()?) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(options: &[u8]) -> Options {
        Options::read(&[&[0; 20], options].concat())
    }

    #[test]
    fn the_usual_options_are_read() {
        let stamp = Some(Timestamp { value: 0x0102_0304, echo: 5 });
        assert_eq!(read(&[1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 5]).timestamp, stamp);
        let syn = read(&[2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 5, 1, 3, 3, 7]);
        assert_eq!((syn.timestamp, syn.window_scale, syn.fast_open), (stamp, Some(7), false));
        assert_eq!(read(&[3, 3, 200]).window_scale, Some(14));
    }

    #[test]
    fn fast_open_is_known_by_both_kinds() {
        assert!(read(&[34, 2]).fast_open);
        assert!(read(&[34, 10, 1, 2, 3, 4, 5, 6, 7, 8]).fast_open);
        assert!(read(&[254, 4, 0xf9, 0x89]).fast_open);
        assert!(!read(&[254, 4, 0xf9, 0x88]).fast_open);
        assert!(!read(&[34, 3, 1]).fast_open);
        assert!(!read(&[34, 7, 1, 2, 3, 4, 5]).fast_open);
    }

    #[test]
    fn signatures_are_seen() {
        assert!(read(&[&[19, 18][..], &[7; 16], &[1, 1]].concat()).signed);
        assert!(read(&[29, 4, 1, 2]).signed);
        assert!(!read(&[19, 4, 1, 2]).signed);
    }

    #[test]
    fn selective_acknowledgements_are_summed_up() {
        let block = |left: u32, right: u32| [left.to_be_bytes(), right.to_be_bytes()].concat();
        let two = [&[1, 1, 5, 18][..], &block(u32::MAX - 9, 10), &block(100, 150)].concat();
        assert_eq!(read(&two).sacked, 70);
        let wrong = [&[1, 1, 5, 10][..], &block(10, 9)].concat();
        assert_eq!(read(&wrong).sacked, 0);
        assert_eq!(read(&[5, 2, 1, 1]).sacked, 0);
    }

    #[test]
    fn nonsense_ends_the_reading() {
        for bad in
            [&[8][..], &[8, 0], &[8, 1], &[8, 10, 1], &[0, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8], &[3, 4, 1, 1]]
        {
            assert_eq!(read(bad), Options::default(), "{bad:?}");
        }
        assert_eq!(Options::read(&[1, 2, 3]), Options::default());
        assert_eq!(read(&[3, 3, 2, 8, 0]).window_scale, Some(2));
    }
}
