//! Captures of other link types than Ethernet, made into ones that the dataplane can receive.
//!
//! In: a classic pcap of raw IP, PPP, BSD loopback or Linux cooked frames. Out: a temporary pcap of the same packets at
//! the same times, each with an Ethernet header in place of its own, so that its bytes count a few more or less. The
//! header that was there stands in the place of the addresses if it fits ([`dataplane::OwnHeader`]), so that events can
//! show the packet as it was captured.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use dataplane::OwnHeader;
use tempfile::NamedTempFile;

/// Longest record that is believed; longer ones are left to the scan of the result to complain about.
const RECORD_BYTES_MAX: u32 = 262_144;

/// Where packets of a link type carry their protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Link {
    /// IP from its first byte on.
    Raw,
    /// So many bytes of header, then IP.
    Loopback,
    /// PPP in HDLC-like framing (RFC 1662), or without it.
    Ppp,
    /// Linux cooked capture: header bytes, and where in it the EtherType is.
    Cooked { header: usize, ethertype: usize },
}

impl Link {
    /// By `LINKTYPE_` value.
    fn of(link_type: u32) -> Option<Self> {
        match link_type {
            0 | 108 => Some(Self::Loopback),
            9 => Some(Self::Ppp),
            12 | 14 | 101 | 228 | 229 => Some(Self::Raw),
            113 => Some(Self::Cooked { header: 16, ethertype: 14 }),
            276 => Some(Self::Cooked { header: 20, ethertype: 0 }),
            _ => None,
        }
    }

    /// Whether its headers fit into the place of Ethernet addresses.
    const fn keeps_header(self) -> bool {
        !matches!(self, Self::Cooked { .. })
    }

    /// EtherType and payload of a packet. A packet too short for its own header has no payload.
    fn payload(self, packet: &[u8]) -> ([u8; 2], &[u8]) {
        const PPP: [u8; 2] = [0x88, 0x0b];
        let behind = |bytes: usize| packet.get(bytes..).unwrap_or_default();
        match self {
            Self::Raw => (ip_ethertype(packet), packet),
            Self::Loopback => (ip_ethertype(behind(4)), behind(4)),
            Self::Ppp => {
                let framed = packet.starts_with(&[0xff, 0x03]);
                let protocol = behind(if framed { 2 } else { 0 });
                match protocol {
                    [0x00, 0x21, ip @ ..] | [0x21, ip @ ..] => ([0x08, 0x00], ip),
                    [0x00, 0x57, ip @ ..] | [0x57, ip @ ..] => ([0x86, 0xdd], ip),
                    other => (PPP, other),
                }
            }
            Self::Cooked { header, ethertype } => {
                let found = packet.get(ethertype..ethertype + 2).and_then(|bytes| bytes.try_into().ok());
                (found.unwrap_or_default(), behind(header))
            }
        }
    }
}

/// By the version that an IP packet begins with.
fn ip_ethertype(packet: &[u8]) -> [u8; 2] {
    match packet.first().map(|byte| byte >> 4) {
        Some(6) => [0x86, 0xdd],
        _ => [0x08, 0x00],
    }
}

/// The link type, if converted frames keep the header of their own.
pub(super) fn kept(link_type: u32) -> Option<u32> {
    Link::of(link_type).filter(|link| link.keeps_header()).map(|_| link_type)
}

/// Whether captures of this link type can be converted.
pub(super) fn can_convert(link_type: u32) -> bool {
    Link::of(link_type).is_some()
}

/// Writes the capture anew as one of Ethernet frames, into a file that goes away with its handle. `None` when it is no
/// classic pcap of a link type that can be converted.
pub(super) fn to_ethernet(path: &Path, link_type: u32) -> io::Result<Option<NamedTempFile>> {
    let Some(link) = Link::of(link_type) else { return Ok(None) };
    let mut source = BufReader::new(File::open(path)?);
    let mut header = [0; 24];
    source.read_exact(&mut header)?;
    let big_endian = match header {
        [0xd4, 0xc3, 0xb2, 0xa1, ..] | [0x4d, 0x3c, 0xb2, 0xa1, ..] => false,
        [0xa1, 0xb2, 0xc3, 0xd4, ..] | [0xa1, 0xb2, 0x3c, 0x4d, ..] => true,
        _ => return Ok(None),
    };
    let read =
        |bytes: [u8; 4]| if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    let written = |number: u32| if big_endian { number.to_be_bytes() } else { number.to_le_bytes() };
    let [magic @ .., _, _, _, _, _, _, _, _] = header;
    let file = tempfile::Builder::new().prefix("forebay-").suffix(".pcap").tempfile()?;
    let mut target = BufWriter::new(file.as_file());
    target.write_all(&magic)?;
    // Without a limit, because the headers may have become longer; then Ethernet.
    target.write_all(&written(0))?;
    target.write_all(&written(1))?;
    let mut packet = Vec::new();
    loop {
        let mut record = Vec::with_capacity(16);
        source.by_ref().take(16).read_to_end(&mut record)?;
        let &[s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, w0, w1, w2, w3] = record.as_slice() else {
            // The end, or a record that is cut short there.
            target.write_all(&record)?;
            break;
        };
        let (captured, on_wire) = (read([c0, c1, c2, c3]), read([w0, w1, w2, w3]));
        packet.clear();
        let wanted = u64::from(captured.min(RECORD_BYTES_MAX + 1));
        source.by_ref().take(wanted).read_to_end(&mut packet)?;
        if captured > RECORD_BYTES_MAX || (packet.len() as u64) < u64::from(captured) {
            target.write_all(&record)?;
            target.write_all(&packet)?;
            break;
        }
        let (ethertype, payload) = link.payload(&packet);
        let own = packet.get(..packet.len() - payload.len()).filter(|_| link.keeps_header());
        let addresses = OwnHeader::hide(own.unwrap_or_default());
        let now = (addresses.len() + ethertype.len() + payload.len()) as u32;
        let cut = on_wire.saturating_sub(captured);
        for part in [
            &[s0, s1, s2, s3, f0, f1, f2, f3][..],
            &written(now),
            &written(now.saturating_add(cut)),
            &addresses,
            &ethertype,
            payload,
        ] {
            target.write_all(part)?;
        }
    }
    target.flush()?;
    drop(target);
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn capture(link_type: u32, packets: &[&[u8]]) -> NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for word in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, link_type] {
            file.write_all(&u32::to_le_bytes(word)).unwrap();
        }
        for packet in packets {
            for word in [7, 8, packet.len() as u32, packet.len() as u32 + 5] {
                file.write_all(&u32::to_le_bytes(word)).unwrap();
            }
            file.write_all(packet).unwrap();
        }
        file
    }

    fn converted(link_type: u32, packet: &[u8]) -> Vec<u8> {
        let file = to_ethernet(capture(link_type, &[packet]).path(), link_type).unwrap().unwrap();
        let bytes = std::fs::read(file.path()).unwrap();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((word(20), word(24), word(28)), (1, 7, 8));
        assert_eq!(word(36), word(32) + 5, "what the capture cut off is still cut off");
        assert_eq!(word(32) as usize, bytes.len() - 40);
        bytes[40..].to_vec()
    }

    #[test]
    fn each_link_type_gets_the_right_ethertype_and_payload() {
        let (v4, v6) = ([0x45, 1, 2], [0x60, 1, 2]);
        let ethernet = |own: &[u8], ethertype: [u8; 2], payload: &[u8]| {
            [&OwnHeader::hide(own), &ethertype[..], payload].concat()
        };
        for raw in [12, 101, 228] {
            assert_eq!(converted(raw, &v4), ethernet(&[], [8, 0], &v4));
            assert_eq!(converted(raw, &v6), ethernet(&[], [0x86, 0xdd], &v6));
        }
        let behind =
            |link_type: u32, own: &[u8], payload: &[u8]| converted(link_type, &[own, payload].concat());
        let (loopback, framed, short) = (&[2, 0, 0, 0], &[0xff, 3, 0, 0x21], &[0, 0x57]);
        assert_eq!(behind(0, loopback, &v4), ethernet(loopback, [8, 0], &v4));
        assert_eq!(behind(9, framed, &v4), ethernet(framed, [8, 0], &v4));
        assert_eq!(behind(9, short, &v6), ethernet(short, [0x86, 0xdd], &v6));
        assert_eq!(
            behind(9, &[0xff, 3], &[0xc0, 0x21, 9]),
            ethernet(&[0xff, 3], [0x88, 0x0b], &[0xc0, 0x21, 9])
        );
        // Too long to be kept.
        assert_eq!(behind(113, &[&[0; 14][..], &[8, 0]].concat(), &v4), ethernet(&[], [8, 0], &v4));
        assert_eq!(
            behind(276, &[&[0x86, 0xdd][..], &[0; 18]].concat(), &v6),
            ethernet(&[], [0x86, 0xdd], &v6)
        );
        assert_eq!(converted(113, &[1, 2, 3]), ethernet(&[], [0, 0], &[]));
        assert_eq!([101, 9, 0, 113, 1].map(kept), [Some(101), Some(9), Some(0), None, None]);
    }

    #[test]
    fn what_is_cut_short_stays_so_and_other_link_types_are_left_alone() {
        let file = capture(101, &[&[0x45; 30], &[0x45; 30]]);
        file.as_file().set_len(24 + 46 + 20).unwrap();
        let bytes = std::fs::read(to_ethernet(file.path(), 101).unwrap().unwrap().path()).unwrap();
        assert_eq!(bytes.len(), 24 + 16 + 44 + 20);
        assert!(to_ethernet(capture(105, &[]).path(), 105).unwrap().is_none());
        assert!(!can_convert(105) && can_convert(113));
    }
}
