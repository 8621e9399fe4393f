//! The objects of an application message (IEEE 1815, clause 4.2.2.7): their headers and points, as records tell them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use event::json::{bytes, literal, number, number_after};

use super::layouts::{self, Field, Kind, Layout};
use crate::reader::Reader;

/// Points of one message that are told; what is behind is read and not told.
const POINTS_MAX: usize = 4096;
/// Object headers of one message that are told and asked of.
const OBJECTS_MAX: usize = 1024;

/// What the objects of a message come to.
#[derive(Debug, Default)]
pub(super) struct Objects {
    /// Group and variation of each: the group in the upper octet.
    pub(super) kinds: Vec<u16>,
    /// They as JSON, with commas between.
    pub(super) told: Vec<u8>,
    /// All of them could be read.
    pub(super) complete: bool,
    /// One is of a kind that is not known, or not as its kind is.
    pub(super) unknown: bool,
    points: usize,
}

/// A number of so many octets, least significant first.
fn little(reader: &mut Reader<'_>, octets: usize) -> Option<u64> {
    reader.take(octets).map(|taken| taken.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// Which points an object has.
#[derive(Clone, Copy, Debug, Default)]
struct Range {
    start: u32,
    stop: u32,
    count: u32,
}

impl Range {
    fn read(reader: &mut Reader<'_>, code: u8) -> Option<Self> {
        let octets = match code {
            0 | 3 | 7 | 11 => 1,
            1 | 4 | 8 => 2,
            2 | 5 | 9 => 4,
            6 => return Some(Self::default()),
            _ => return None,
        };
        let mut next = || little(reader, octets).and_then(|number| u32::try_from(number).ok());
        let first = next()?;
        if code > 6 {
            return Some(Self { count: first, ..Self::default() });
        }
        let stop = next()?;
        // A range that is turned round has more points than anything can carry.
        Some(Self { start: first, stop, count: stop.wrapping_sub(first).wrapping_add(1) })
    }
}

/// What stands before a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Prefix {
    None,
    /// Its index, in so many octets.
    Index(usize),
    /// Its size, in so many octets.
    Size(usize),
}

impl Objects {
    /// Reads the objects of a message.
    pub(super) fn read(message: &[u8]) -> Self {
        let mut objects = Self::default();
        let mut reader = Reader(message);
        objects.complete = loop {
            if reader.is_empty() {
                break true;
            }
            if objects.kinds.len() >= OBJECTS_MAX || objects.object(&mut reader).is_none() {
                break false;
            }
        };
        objects
    }

    /// Reads one object; `None` if those behind it cannot be found.
    fn object(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let (group, variation, qualifier) = (reader.u8()?, reader.u8()?, reader.u8()?);
        let (prefix_code, range_code) = (qualifier >> 4 & 7, qualifier & 0x0f);
        let range = Range::read(reader, range_code);
        let told = range.unwrap_or_default();
        let before = if self.told.is_empty() { "{" } else { ",{" };
        literal(&mut self.told, before);
        for (key, value) in [
            (r#""group":"#, u32::from(group)),
            (r#","variation":"#, u32::from(variation)),
            (r#","qualifier":"#, u32::from(qualifier)),
            (r#","prefix_code":"#, u32::from(prefix_code)),
            (r#","range_code":"#, u32::from(range_code)),
            (r#","start":"#, told.start),
            (r#","stop":"#, told.stop),
            (r#","count":"#, told.count),
        ] {
            number_after(&mut self.told, key, u64::from(value));
        }
        self.kinds.push(u16::from_be_bytes([group, variation]));
        let mut points = Vec::new();
        let read = match (range, variation) {
            (None, _) => None,
            // All points of a group, or none.
            (Some(_), 0) | (Some(Range { count: 0, .. }), _) => Some(()),
            (Some(range), _) => {
                let prefix = match prefix_code {
                    0 => Prefix::None,
                    code @ 1..=3 => Prefix::Index(1 << (code - 1)),
                    code => Prefix::Size(1 << (code.min(6) - 4)),
                };
                let layout = layouts::of(group, variation);
                let read = layout.and_then(|layout| self.points(reader, layout, prefix, range, &mut points));
                self.unknown |= read.is_none();
                read
            }
        };
        if !points.is_empty() {
            literal(&mut self.told, r#","points":["#);
            self.told.extend_from_slice(&points);
            self.told.push(b']');
        }
        self.told.push(b'}');
        read
    }

    /// Reads the points of an object.
    fn points(
        &mut self,
        reader: &mut Reader<'_>,
        layout: Layout,
        prefix: Prefix,
        range: Range,
        to: &mut Vec<u8>,
    ) -> Option<()> {
        // More than there are bits cannot be.
        if usize::try_from(range.count).ok()? / 8 > reader.0.len() {
            return None;
        }
        let mut bits = Bits::default();
        for place in 0..range.count {
            let before = match prefix {
                Prefix::None => 0,
                Prefix::Index(octets) | Prefix::Size(octets) => little(reader, octets)?,
            };
            let index = match prefix {
                Prefix::Index(_) => before,
                _ => u64::from(range.start.wrapping_add(place)),
            };
            let mut point = Vec::new();
            number_after(&mut point, r#"{"prefix":"#, before);
            number_after(&mut point, r#","index":"#, index);
            if let Prefix::Size(_) = prefix {
                number_after(&mut point, r#","size":"#, before);
            }
            match layout {
                Layout::Fields(parts) => {
                    let mut bits = Bits::default();
                    for field in parts.iter().copied().flatten() {
                        value(&mut point, *field, reader, &mut bits)?;
                    }
                }
                Layout::Packed(name, width) => {
                    if prefix != Prefix::None {
                        bits = Bits::default();
                    }
                    value(&mut point, (name, Kind::Bits(width)), reader, &mut bits)?;
                }
                Layout::Sized(_) | Layout::Opaque if !matches!(prefix, Prefix::Size(_)) => return None,
                Layout::Sized(fields) => {
                    let mut own = Reader(reader.take(usize::try_from(before).ok()?)?);
                    for field in fields {
                        value(&mut point, *field, &mut own, &mut Bits::default())?;
                    }
                }
                Layout::Opaque => {
                    reader.take(usize::try_from(before).ok()?)?;
                }
            }
            point.push(b'}');
            if self.points < POINTS_MAX {
                self.points += 1;
                if !to.is_empty() {
                    to.push(b',');
                }
                to.append(&mut point);
            }
        }
        Some(())
    }
}

/// What is left of an octet of which bits are read.
#[derive(Clone, Copy, Debug, Default)]
struct Bits {
    octet: u8,
    left: u8,
}

impl Bits {
    fn take(&mut self, reader: &mut Reader<'_>, width: u8) -> Option<u8> {
        if self.left < width {
            *self = Self { octet: reader.u8()?, left: 8 };
        }
        let value = self.octet & !u8::MAX.checked_shl(u32::from(width)).unwrap_or(0);
        self.octet = self.octet.checked_shr(u32::from(width)).unwrap_or(0);
        self.left = self.left.saturating_sub(width);
        Some(value)
    }
}

/// Reads a field and tells it.
fn value(to: &mut Vec<u8>, (name, kind): Field, reader: &mut Reader<'_>, bits: &mut Bits) -> Option<()> {
    literal(to, ",\"");
    literal(to, name);
    literal(to, "\":");
    match kind {
        Kind::Bits(width) => number(to, u64::from(bits.take(reader, width)?)),
        Kind::Unsigned(octets) => number(to, little(reader, octets)?),
        Kind::Signed(octets) => {
            // The reference writes negative numbers as unsigned ones of 64 bits.
            let unsigned = little(reader, octets)?;
            let shift = 64_u32.saturating_sub(8 * u32::try_from(octets).unwrap_or(8));
            number(to, ((unsigned << shift).cast_signed() >> shift).cast_unsigned());
        }
        Kind::Float => float(to, f64::from(f32::from_bits(u32::try_from(little(reader, 4)?).ok()?))),
        Kind::Double => float(to, f64::from_bits(little(reader, 8)?)),
        Kind::Text => {
            bytes(to, reader.0);
            *reader = Reader(&[]);
        }
        Kind::Base64 => {
            to.push(b'"');
            literal(to, &STANDARD.encode(reader.0));
            to.push(b'"');
            *reader = Reader(&[]);
        }
    }
    Some(())
}

/// A number, or `null` where JSON has none.
fn float(to: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        literal(to, &format!("{value:?}"));
    } else {
        literal(to, "null");
    }
}
