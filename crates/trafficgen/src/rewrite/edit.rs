//! The IP headers of a frame: finding them once, editing them often.

use wire::checksum::fold;
use wire::{L3, L4, NTuple, Packet, ParseOptions, protocol};

use super::space::{CLASSES, Place};

/// Where an IP header is and which checksum covers its payload, in bytes from the start of the frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    offset: u16,
    /// Start of what the checksum below covers.
    payload_offset: u16,
    /// Of the checksum in the payload.
    checksum_offset: u16,
    checksum: Covers,
    is_ipv6: bool,
}

/// What the checksum in an IP packet's payload covers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Covers {
    /// There is none that an address or an inner packet enters.
    Nothing,
    /// The payload: ICMP, GRE.
    Payload,
    /// Addresses and payload: TCP, `ICMPv6`.
    All,
    /// Addresses and payload, and 0 says that there is none: UDP.
    AllUdp,
}

/// The plan for one IP header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeaderEdit {
    pub(super) src: Option<Place>,
    pub(super) dst: Option<Place>,
    pub(super) header: Header,
}

impl HeaderEdit {
    /// Whether the header has an address that differs in every loop.
    pub const fn makes_new(&self) -> bool {
        self.src.is_some() || self.dst.is_some()
    }
}

/// Calls `each` for every IP header of a frame, outermost first: the packet's own, those inside its tunnels, and the one
/// that an ICMP error quotes. Stops at the first that does not parse.
pub(super) fn each_header(frame: &[u8], mut each: impl FnMut(&NTuple, Header)) {
    let options = ParseOptions::default();
    let Ok(mut packet) = Packet::parse_ethernet(frame, &options) else { return };
    loop {
        if !matches!(packet.l3, L3::Ipv4 | L3::Ipv6) {
            return;
        }
        each(&packet.tuple, header(&packet, frame));
        if let Some(error) = packet.icmp_error(frame) {
            if let Some(quoted) = quoted_header(&packet, &error.quoted, frame) {
                each(&error.quoted, quoted);
            }
            return;
        }
        if packet.encapsulation.is_none() {
            return;
        }
        match packet.descend(frame, &options) {
            Ok(inside) => packet = inside,
            Err(_) => return,
        }
    }
}

fn header(packet: &Packet, frame: &[u8]) -> Header {
    let starts_payload = packet.fragment.is_none_or(|fragment| fragment.offset == 0);
    let end = usize::from(packet.l3_offset) + packet.ip_packet(frame).map_or(0, <[u8]>::len);
    let payload = frame.get(usize::from(packet.l4_offset)..end).unwrap_or_default();
    let (checksum, at) = if starts_payload {
        checksum_of(packet.tuple.protocol, packet.l3 == L3::Ipv6, payload)
    } else {
        (Covers::Nothing, 0)
    };
    Header {
        offset: packet.l3_offset,
        payload_offset: packet.l4_offset,
        checksum_offset: packet.l4_offset + at,
        checksum,
        is_ipv6: packet.l3 == L3::Ipv6,
    }
}

/// What a payload's checksum covers and where in the payload it is. The payload may be cut short.
fn checksum_of(protocol: u8, is_ipv6: bool, payload: &[u8]) -> (Covers, u16) {
    const GRE_CHECKSUM_PRESENT: u8 = 0x80;
    let (covers, at) = match protocol {
        protocol::TCP => (Covers::All, 16),
        protocol::UDP => (Covers::AllUdp, 6),
        protocol::ICMP if !is_ipv6 => (Covers::Payload, 2),
        protocol::ICMPV6 if is_ipv6 => (Covers::All, 2),
        protocol::GRE if payload.first().is_some_and(|flags| flags & GRE_CHECKSUM_PRESENT != 0) => {
            (Covers::Payload, 4)
        }
        _ => (Covers::Nothing, 0),
    };
    if payload.len() >= usize::from(at) + 2 { (covers, at) } else { (Covers::Nothing, 0) }
}

/// The header quoted by the ICMP error `packet`, whose n-tuple is `quoted`.
fn quoted_header(packet: &Packet, quoted: &NTuple, frame: &[u8]) -> Option<Header> {
    let is_ipv6 = packet.l4 == L4::Icmpv6;
    let quote = packet.payload(frame);
    let (header_len, next, later_fragment) = if is_ipv6 {
        (40, *quote.get(6)?, false)
    } else {
        let header = quote.first_chunk::<20>()?;
        let later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
        (u16::from(header[0] & 0x0f) * 4, header[9], later_fragment)
    };
    let payload = quote.get(usize::from(header_len)..).unwrap_or_default();
    // Behind IPv6 extension headers the quoted checksum stays as it was: nobody checks it, and the error's own is right.
    let (checksum, at) = if next == quoted.protocol && !later_fragment {
        checksum_of(next, is_ipv6, payload)
    } else {
        (Covers::Nothing, 0)
    };
    // A quote can end inside its header's options, which then reach past the longest frame.
    let payload_offset = packet.payload_offset.saturating_add(header_len);
    Some(Header {
        offset: packet.payload_offset,
        payload_offset,
        checksum_offset: payload_offset.saturating_add(at),
        checksum,
        is_ipv6,
    })
}

// One's complement sums are kept unfolded in 64 bits: a 32-bit word counts as its two halves, and the complement of
// a word takes the word away (RFC 1071 2.B, 2.C).

/// Writes an IPv4 address; returns by how much that changes the sum of what contains it.
fn replace_v4(frame: &mut [u8], at: usize, new: u32) -> u64 {
    let Some(slot) = frame.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) else { return 0 };
    let old = u32::from_be_bytes(*slot);
    *slot = new.to_be_bytes();
    u64::from(new) + u64::from(!old)
}

/// Writes an IPv6 address; returns by how much that changes the sum of what contains it.
fn replace_v6(frame: &mut [u8], at: usize, new: u128) -> u64 {
    let Some(slot) = frame.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<16>) else { return 0 };
    let old = u128::from_be_bytes(*slot);
    *slot = new.to_be_bytes();
    words(new) + words(!old)
}

/// The sum of the four 32-bit words of a number.
const fn words(number: u128) -> u64 {
    let (high, low) = ((number >> 64) as u64, number as u64);
    (high >> 32) + (high & 0xffff_ffff) + (low >> 32) + (low & 0xffff_ffff)
}

/// Replaces the checksum at `at` after the sum of what it covers changed by `changed` (RFC 1624, equation 3).
///
/// Returns by how much the checksum's own bytes change the sum of what contains them.
fn adjust(frame: &mut [u8], at: u16, changed: u64, zero_is_none: bool) -> u64 {
    let Some(slot) = frame.get_mut(usize::from(at)..).and_then(<[u8]>::first_chunk_mut::<2>) else {
        return 0;
    };
    let old = u16::from_be_bytes(*slot);
    if zero_is_none && old == 0 {
        return 0;
    }
    let mut new = !fold(u64::from(!old) + changed);
    if zero_is_none && new == 0 {
        new = 0xffff;
    }
    *slot = new.to_be_bytes();
    u64::from(new) + u64::from(!old)
}

/// Writes the new addresses of every header and adjusts the checksums over them.
pub(super) fn apply(edits: &[HeaderEdit], bases: &[u128; CLASSES], frame: &mut [u8]) {
    // From the inside out: an inner packet's change is a change of the outer one's payload.
    let (mut inside_change, mut inside_offset) = (0_u64, None);
    for edit in edits.iter().rev() {
        let header = &edit.header;
        // A sum over bytes at odd places is the byte-swapped sum (RFC 1071 2.B).
        if inside_offset.is_some_and(|inside: u16| inside.wrapping_sub(header.payload_offset) & 1 == 1) {
            inside_change = u64::from(fold(inside_change).swap_bytes());
        }
        let offset = usize::from(header.offset);
        let new = |place: Place| {
            bases.get(usize::from(place.class)).map_or(0, |base| base.wrapping_add(u128::from(place.index)))
        };
        let mut address_change = 0;
        if header.is_ipv6 {
            address_change += edit.src.map_or(0, |src| replace_v6(frame, offset + 8, new(src)));
            address_change += edit.dst.map_or(0, |dst| replace_v6(frame, offset + 24, new(dst)));
        } else {
            address_change += edit.src.map_or(0, |src| replace_v4(frame, offset + 12, new(src) as u32));
            address_change += edit.dst.map_or(0, |dst| replace_v4(frame, offset + 16, new(dst) as u32));
        }
        let covered = match header.checksum {
            Covers::Nothing => None,
            Covers::Payload => Some(inside_change),
            Covers::All | Covers::AllUdp => Some(inside_change + address_change),
        };
        if let Some(covered) = covered {
            let zero_is_none = header.checksum == Covers::AllUdp;
            inside_change += adjust(frame, header.checksum_offset, covered, zero_is_none);
        }
        if header.is_ipv6 {
            inside_change += address_change;
        } else {
            // The header's own checksum makes up for its addresses: outside, nothing of them is seen.
            adjust(frame, header.offset + 10, address_change, false);
        }
        inside_offset = Some(header.offset);
    }
}
