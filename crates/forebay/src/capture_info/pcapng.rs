//! The block format: draft-ietf-opsawg-pcapng, as far as libpcap reads it.

use super::source::{End, Source};
use super::{CaptureError, CaptureInfo, ETHERNET, FRAME_BYTES_MAX, before_header};

/// Block type of a section header; reads the same in both byte orders.
pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const INTERFACE_DESCRIPTION: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// Type, length and the length again.
const BLOCK_BYTES_MIN: u32 = 12;
/// libpcap reads no longer block.
const BLOCK_BYTES_MAX: u32 = 16 << 20;
/// One capture has a handful of interfaces; a file that has more than this is not one.
const INTERFACES_MAX: usize = 65_536;

/// What an interface description says, as far as packets need it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Interface {
    link_type: u16,
    snap_bytes: u32,
    /// Ticks of its clock in a second.
    ticks_per_s: u64,
    /// Added to its timestamps, in seconds.
    offset_s: i64,
}

/// What was read of a block's body.
#[derive(Default)]
struct Body {
    used_bytes: u32,
    /// A packet's captured bytes, bytes on the wire, and time. It counts when its whole block is there.
    packet: Option<(u32, u32, u64)>,
}

/// How reading one block can end.
enum Stop {
    /// The file ends, or cannot be read.
    End(End),
    /// The block cannot be right.
    Implausible(&'static str),
    /// The file is whole and cannot be replayed.
    Refused(CaptureError),
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

struct Scan<'s, 'a> {
    source: &'s mut Source<'a>,
    big_endian: bool,
    interfaces: Vec<Interface>,
    info: CaptureInfo,
}

/// Scans from after the first block type to the end.
pub(super) fn scan(source: &mut Source<'_>) -> Result<CaptureInfo, CaptureError> {
    let mut scan = Scan { source, big_endian: false, interfaces: Vec::new(), info: CaptureInfo::default() };
    let mut start = 0;
    let mut first = true;
    loop {
        let outcome = if first { scan.section_header() } else { scan.block() };
        let path = || scan.source.path().to_owned();
        match outcome {
            Ok(()) => {}
            Err(Stop::Refused(error)) => return Err(error),
            Err(Stop::End(End::Error(source))) => return Err(CaptureError::Read { path: path(), source }),
            Err(Stop::End(end)) if first => return Err(before_header(end, scan.source)),
            Err(Stop::Implausible(_)) if first => {
                return Err(CaptureError::NotACapture { path: path(), hint: super::hint([0; 4]) });
            }
            Err(Stop::End(End::File)) => return Ok(scan.info.cut(start)),
            Err(Stop::Implausible(what)) => return Ok(scan.info.implausible(start, what)),
        }
        first = false;
        start = scan.source.offset();
        if scan.source.is_at_end() {
            return Ok(scan.info);
        }
    }
}

impl Scan<'_, '_> {
    fn u16(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    fn u32(&self, bytes: [u8; 4]) -> u32 {
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    fn next_u32(&mut self) -> Result<u32, End> {
        let bytes = self.source.array()?;
        Ok(self.u32(bytes))
    }

    /// The block's length: what its body has, without type and lengths.
    fn body_bytes(total: u32) -> Result<u32, Stop> {
        if !(BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&total) || !total.is_multiple_of(4) {
            return Err(Stop::Implausible("its block length cannot be right"));
        }
        Ok(total - BLOCK_BYTES_MIN)
    }

    /// Passes over what remains of a block, and its second length.
    fn finish(&mut self, rest: u32, total: u32) -> Result<(), Stop> {
        self.source.skip(u64::from(rest))?;
        if self.next_u32()? != total {
            return Err(Stop::Implausible("its two block lengths differ"));
        }
        Ok(())
    }

    fn block(&mut self) -> Result<(), Stop> {
        let kind: [u8; 4] = self.source.array()?;
        if kind == SECTION_HEADER {
            return self.section_header();
        }
        let total = self.next_u32()?;
        let body = Self::body_bytes(total)?;
        let read = match self.u32(kind) {
            INTERFACE_DESCRIPTION => self.interface_description(body)?,
            ENHANCED_PACKET => self.enhanced_packet(body, false)?,
            PACKET => self.enhanced_packet(body, true)?,
            SIMPLE_PACKET => self.simple_packet(body)?,
            _ => Body::default(),
        };
        self.finish(body - read.used_bytes, total)?;
        if let Some((captured, on_wire, time_ns)) = read.packet {
            self.info.count(captured, on_wire, time_ns);
        }
        Ok(())
    }

    /// Reads a section header from after its type: a new byte order and no interfaces.
    fn section_header(&mut self) -> Result<(), Stop> {
        let [t0, t1, t2, t3, m0, m1, m2, m3]: [u8; 8] = self.source.array()?;
        self.big_endian = match [m0, m1, m2, m3] {
            [0x1a, 0x2b, 0x3c, 0x4d] => true,
            [0x4d, 0x3c, 0x2b, 0x1a] => false,
            _ => return Err(Stop::Implausible("its byte-order mark cannot be right")),
        };
        let total = self.u32([t0, t1, t2, t3]);
        let body = Self::body_bytes(total)?;
        // The mark just read, version and section length.
        if body < 16 {
            return Err(Stop::Implausible("its section header is too short"));
        }
        self.interfaces.clear();
        self.finish(body - 4, total)
    }

    fn interface_description(&mut self, body: u32) -> Result<Body, Stop> {
        if body < 8 {
            return Err(Stop::Implausible("its interface description is too short"));
        }
        let [l0, l1, _, _, s0, s1, s2, s3] = self.source.array()?;
        let snap_bytes = match self.u32([s0, s1, s2, s3]) {
            0 => FRAME_BYTES_MAX,
            bytes => bytes.min(FRAME_BYTES_MAX),
        };
        let mut interface =
            Interface { link_type: self.u16([l0, l1]), snap_bytes, ticks_per_s: 1_000_000, offset_s: 0 };
        let used_bytes = 8 + self.interface_options(body - 8, &mut interface)?;

        let path = || self.source.path().to_owned();
        if u32::from(interface.link_type) != ETHERNET {
            let link_type = u32::from(interface.link_type);
            return Err(Stop::Refused(CaptureError::LinkType { path: path(), link_type }));
        }
        if self.interfaces.first().is_some_and(|first| first.snap_bytes != interface.snap_bytes) {
            return Err(Stop::Refused(CaptureError::MixedInterfaces {
                path: path(),
                what: "snapshot length",
            }));
        }
        if self.interfaces.len() >= INTERFACES_MAX {
            return Err(Stop::Implausible("it describes too many interfaces"));
        }
        self.interfaces.push(interface);
        Ok(Body { used_bytes, packet: None })
    }

    /// Reads options up to the end of the block or of the options; returns the bytes read.
    fn interface_options(&mut self, body: u32, interface: &mut Interface) -> Result<u32, Stop> {
        const END_OF_OPTIONS: u16 = 0;
        const TIMESTAMP_RESOLUTION: u16 = 9;
        const TIMESTAMP_OFFSET: u16 = 14;
        let mut used = 0;
        while body - used >= 4 {
            let [c0, c1, n0, n1] = self.source.array()?;
            used += 4;
            let (code, len) = (self.u16([c0, c1]), u32::from(self.u16([n0, n1])));
            let padded = len.next_multiple_of(4);
            if code == END_OF_OPTIONS {
                break;
            }
            if padded > body - used {
                return Err(Stop::Implausible("an option of its interface is longer than the block"));
            }
            match (code, len) {
                (TIMESTAMP_RESOLUTION, 1) => {
                    let [exponent, _, _, _]: [u8; 4] = self.source.array()?;
                    let base: u64 = if exponent & 0x80 == 0 { 10 } else { 2 };
                    interface.ticks_per_s = base
                        .checked_pow(u32::from(exponent & 0x7f))
                        .ok_or(Stop::Implausible("the clock of its interface is too fine"))?;
                }
                (TIMESTAMP_OFFSET, 8) => {
                    let bytes: [u8; 8] = self.source.array()?;
                    interface.offset_s =
                        if self.big_endian { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) };
                }
                _ => self.source.skip(u64::from(padded))?,
            }
            used += padded;
        }
        Ok(used)
    }

    /// An enhanced packet, or its obsolete forerunner, whose interface number is half as long.
    fn enhanced_packet(&mut self, body: u32, obsolete: bool) -> Result<Body, Stop> {
        const HEADER_BYTES: u32 = 20;
        if body < HEADER_BYTES {
            return Err(Stop::Implausible("its block is too short for a packet"));
        }
        let [i0, i1, i2, i3] = self.source.array()?;
        let number = if obsolete { u32::from(self.u16([i0, i1])) } else { self.u32([i0, i1, i2, i3]) };
        let (high, low) = (self.next_u32()?, self.next_u32()?);
        let (captured, on_wire) = (self.next_u32()?, self.next_u32()?);
        let Some(interface) = self.interfaces.get(number as usize).copied() else {
            return Err(Stop::Implausible("it is of an interface that was not described"));
        };
        if captured > body - HEADER_BYTES {
            return Err(Stop::Implausible("its length is more than its block's"));
        }
        self.data(captured)?;
        let packet = (captured.min(interface.snap_bytes), on_wire, interface.time_ns(high, low));
        Ok(Body { used_bytes: HEADER_BYTES + captured, packet: Some(packet) })
    }

    fn simple_packet(&mut self, body: u32) -> Result<Body, Stop> {
        if body < 4 {
            return Err(Stop::Implausible("its block is too short for a packet"));
        }
        let on_wire = self.next_u32()?;
        let Some(interface) = self.interfaces.first().copied() else {
            return Err(Stop::Implausible("it is of an interface that was not described"));
        };
        let captured = on_wire.min(interface.snap_bytes);
        if captured > body - 4 {
            return Err(Stop::Implausible("its length is more than its block's"));
        }
        self.data(captured)?;
        Ok(Body { used_bytes: 4 + captured, packet: Some((captured, on_wire, 0)) })
    }

    fn data(&mut self, captured: u32) -> Result<(), Stop> {
        if captured > FRAME_BYTES_MAX {
            return Err(Stop::Implausible("its length is more than any Ethernet frame's"));
        }
        Ok(self.info.data(self.source, captured)?)
    }
}

impl Interface {
    fn time_ns(self, high: u32, low: u32) -> u64 {
        let ticks = u128::from(high) << 32 | u128::from(low);
        let ns = ticks * 1_000_000_000 / u128::from(self.ticks_per_s);
        let shifted =
            i128::try_from(ns).unwrap_or(i128::MAX).saturating_add(i128::from(self.offset_s) * 1_000_000_000);
        u64::try_from(shifted.max(0)).unwrap_or(u64::MAX)
    }
}
