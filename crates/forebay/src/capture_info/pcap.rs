//! The classic format: draft-ietf-opsawg-pcap, both byte orders, microseconds and nanoseconds, and the `modified`
//! variant with longer record headers that libpcap reads too.

use super::source::{End, Source};
use super::{CaptureError, CaptureInfo, ETHERNET, FRAME_BYTES_MAX, before_header};

/// What the magic number says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Format {
    big_endian: bool,
    nanoseconds: bool,
    /// Bytes of a record header after the first 16.
    extra_bytes: u64,
}

impl Format {
    pub(super) fn of(magic: [u8; 4]) -> Option<Self> {
        let plain =
            |big_endian, nanoseconds, extra_bytes| Some(Self { big_endian, nanoseconds, extra_bytes });
        match magic {
            [0xd4, 0xc3, 0xb2, 0xa1] => plain(false, false, 0),
            [0xa1, 0xb2, 0xc3, 0xd4] => plain(true, false, 0),
            [0x4d, 0x3c, 0xb2, 0xa1] => plain(false, true, 0),
            [0xa1, 0xb2, 0x3c, 0x4d] => plain(true, true, 0),
            [0x34, 0xcd, 0xb2, 0xa1] => plain(false, false, 8),
            [0xa1, 0xb2, 0xcd, 0x34] => plain(true, false, 8),
            _ => None,
        }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }
}

/// Scans from after the magic number to the end.
pub(super) fn scan(source: &mut Source<'_>, format: Format) -> Result<CaptureInfo, CaptureError> {
    let header: [u8; 20] = source.array().map_err(|end| before_header(end, source))?;
    let [_, _, _, _, _, _, _, _, _, _, _, _, s0, s1, s2, s3, l0, l1, l2, l3] = header;
    let snap_bytes = match format.u32([s0, s1, s2, s3]) {
        0 => FRAME_BYTES_MAX,
        bytes => bytes.min(FRAME_BYTES_MAX),
    };
    // The upper bits tell of frame check sequences.
    let link_type = format.u32([l0, l1, l2, l3]) & 0x03ff_ffff;
    if link_type != ETHERNET {
        return Err(CaptureError::LinkType { path: source.path().to_owned(), link_type });
    }
    let mut info = CaptureInfo::default();
    while !source.is_at_end() {
        let start = source.offset();
        match record(source, format, snap_bytes, &mut info) {
            Ok(None) => {}
            Ok(Some(what)) => return Ok(info.implausible(start, what)),
            Err(End::File) => return Ok(info.cut(start)),
            Err(End::Error(error)) => {
                return Err(CaptureError::Read { path: source.path().to_owned(), source: error });
            }
        }
    }
    Ok(info)
}

/// Counts one record; returns what is wrong with it, if its header cannot be right.
fn record(
    source: &mut Source<'_>,
    format: Format,
    snap_bytes: u32,
    info: &mut CaptureInfo,
) -> Result<Option<&'static str>, End> {
    let [s0, s1, s2, s3, f0, f1, f2, f3, c0, c1, c2, c3, w0, w1, w2, w3] = source.array()?;
    let seconds = format.u32([s0, s1, s2, s3]);
    let fraction = format.u32([f0, f1, f2, f3]);
    let captured = format.u32([c0, c1, c2, c3]);
    let on_wire = format.u32([w0, w1, w2, w3]);
    if captured > FRAME_BYTES_MAX {
        return Ok(Some("its length is more than any Ethernet frame's"));
    }
    source.skip(format.extra_bytes)?;
    info.data(source, captured)?;
    let scale = if format.nanoseconds { 1 } else { 1000 };
    let time_ns = u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * scale;
    // libpcap hands out no more of a packet than the file's snapshot length.
    info.count(captured.min(snap_bytes), on_wire, time_ns);
    Ok(None)
}
