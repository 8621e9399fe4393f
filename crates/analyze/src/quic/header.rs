//! Packet headers: QUIC (RFC 8999, RFC 9000 17.2, RFC 9369) and Google's QUIC before it.

use crate::reader::Reader;

/// Longest connection identifier (RFC 9000 17.2).
const ID_BYTES_MAX: usize = 20;
/// What is taken for the identifier of a short header, whose length only its receiver knows.
const SHORT_ID_BYTES: usize = 16;

/// What a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Initial,
    /// Google's QUIC with its hello in the clear.
    Plain,
    Retry,
    VersionNegotiation,
    /// 0-RTT and Handshake.
    Protected,
    /// One with a short header or without a version: encrypted, and says nothing.
    Short,
}

/// A packet's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header<'a> {
    pub kind: Kind,
    /// 0 if the packet has none.
    pub version: u32,
    pub destination: &'a [u8],
    /// Place of the packet number (or of what follows the header) in the datagram's bytes given.
    pub number_at: usize,
    /// End of the packet there.
    pub end: usize,
}

pub(super) const Q039: u32 = 0x5130_3339;
pub(super) const Q043: u32 = 0x5130_3433;
pub(super) const Q046: u32 = 0x5130_3436;
pub(super) const Q050: u32 = 0x5130_3530;
pub(super) const V2: u32 = 0x6b33_43cf;

impl<'a> Header<'a> {
    /// Reads the header of the packet that begins `bytes`; `None` if there is none.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let first = reader.u8()?;
        let at = |reader: Reader<'_>| bytes.len() - reader.0.len();
        if first & 0xc0 == 0x40 {
            let destination = reader.take(SHORT_ID_BYTES)?;
            let number_at = at(reader);
            return Some(Self { kind: Kind::Short, version: 0, destination, number_at, end: bytes.len() });
        }
        if first & 0x80 == 0 {
            return Self::public(first, reader, bytes);
        }
        let version = reader.u32()?;
        if version == Q046 {
            // Both lengths share a byte, in a coding where 5 means 8 bytes.
            let lengths = reader.u8()?;
            let len = |nibble: u8| if nibble == 0 { 0 } else { usize::from(nibble) + 3 };
            let destination = reader.take(len(lengths >> 4))?;
            reader.take(len(lengths & 0xf))?;
            reader.take(usize::from(first & 0x3) + 1)?;
            let number_at = at(reader);
            return Some(Self { kind: Kind::Plain, version, destination, number_at, end: bytes.len() });
        }
        let destination = reader.counted8()?.0;
        let source = reader.counted8()?.0;
        if destination.len() > ID_BYTES_MAX || source.len() > ID_BYTES_MAX {
            return None;
        }
        let packet_type =
            if version == V2 { ((first >> 4) & 3).wrapping_sub(1) & 3 } else { (first >> 4) & 3 };
        let mut kind = match (version, packet_type) {
            (0, _) => Kind::VersionNegotiation,
            (_, 0) => Kind::Initial,
            (_, 3) => Kind::Retry,
            _ => Kind::Protected,
        };
        let mut end = bytes.len();
        if matches!(kind, Kind::Initial | Kind::Protected) {
            let mut lengths = reader;
            let len = if kind == Kind::Initial {
                varint(&mut lengths)
                    .and_then(|token| lengths.take(usize::try_from(token).ok()?))
                    .and_then(|_| varint(&mut lengths))
            } else {
                varint(&mut lengths)
            };
            match len.and_then(|len| usize::try_from(len).ok()).and_then(|len| at(lengths).checked_add(len)) {
                Some(stop) if stop <= bytes.len() => {
                    end = stop;
                    reader = lengths;
                }
                // Of a version that is not known the rest may look otherwise.
                _ => kind = Kind::Protected,
            }
        }
        Some(Self { kind, version, destination, number_at: at(reader), end })
    }

    /// A header of Google's QUIC before Q046: flags say what it has.
    fn public(first: u8, mut reader: Reader<'a>, bytes: &'a [u8]) -> Option<Self> {
        let destination = if first & 0x08 == 0 { &[][..] } else { reader.take(8)? };
        if first & 0x0c == 0x04 {
            // A nonce, of packets without the identifier.
            reader.take(32)?;
        }
        let mut kind = Kind::Short;
        let mut version = 0;
        if first & 0x01 != 0 {
            version = reader.u32()?;
            kind = Kind::Plain;
        }
        reader.take(match first >> 4 & 3 {
            0 => 1,
            1 => 2,
            2 => 4,
            _ => 6,
        })?;
        Some(Self { kind, version, destination, number_at: bytes.len() - reader.0.len(), end: bytes.len() })
    }
}

/// A number of variable length (RFC 9000 16).
pub(super) fn varint(reader: &mut Reader<'_>) -> Option<u64> {
    let first = reader.u8()?;
    let mut value = u64::from(first & 0x3f);
    for _ in 1..1_usize << (first >> 6) {
        value = value << 8 | u64::from(reader.u8()?);
    }
    Some(value)
}
