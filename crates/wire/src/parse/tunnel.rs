//! Where the inside of a tunnel starts, and what it starts with.

use super::{ethertype, link};
use crate::malformed::Malformed;
use crate::packet::{Encapsulation, Packet};
use crate::protocol;

/// The inside of a tunnel.
pub(super) struct Inside<'a> {
    /// What the first header is.
    pub(super) ethertype: u16,
    /// Where it starts in the slice that the outer packet was parsed from.
    pub(super) offset: usize,
    /// From there to the end of the outer packet's payload.
    pub(super) bytes: &'a [u8],
    /// The VLAN that a mirrored frame was on, as the mirror says; 0: it does not.
    pub(super) vlan: u16,
}

/// The inside of `packet`'s tunnel; `frame` is the slice that `packet` was parsed from.
pub(super) fn inside<'a>(
    packet: &Packet,
    encapsulation: Encapsulation,
    frame: &'a [u8],
) -> Result<Inside<'a>, Malformed> {
    let payload = packet.payload(frame);
    let found = match encapsulation {
        Encapsulation::Gre => gre(payload)?.ok_or(Malformed::GreHeaderInvalid)?,
        Encapsulation::Vxlan => vxlan(payload).ok_or(Malformed::VxlanHeaderInvalid)?,
        Encapsulation::Geneve => geneve(payload).ok_or(Malformed::GeneveHeaderInvalid)?,
        Encapsulation::IpInIp => {
            let ethertype =
                if packet.tuple.protocol == protocol::IPV4 { ethertype::IPV4 } else { ethertype::IPV6 };
            Found { ethertype, header_len: 0, vlan: 0 }
        }
    };
    Ok(Inside {
        ethertype: found.ethertype,
        offset: usize::from(packet.payload_offset) + found.header_len,
        bytes: payload.get(found.header_len..).unwrap_or_default(),
        vlan: found.vlan,
    })
}

/// A tunnel header that was understood. `header_len` is within the bytes it was read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    ethertype: u16,
    header_len: usize,
    /// Of ERSPAN; otherwise 0.
    vlan: u16,
}

const GRE_CHECKSUM: u16 = 0x8000;
const GRE_ROUTING: u16 = 0x4000;
const GRE_KEY: u16 = 0x2000;
const GRE_SEQUENCE: u16 = 0x1000;
/// In version 1 only (RFC 2637): an acknowledgement number follows.
const GRE_ACKNOWLEDGEMENT: u16 = 0x0080;
/// Strict source route and recursion control of RFC 1701, which nobody sends: not zero only in what is not GRE.
const GRE_STRICT_ROUTE: u16 = 0x0800;
const GRE_RECURSION: u16 = 0x0700;
/// Bits that are zero in both versions.
const GRE_RESERVED: u16 = 0x0078;
const GRE_VERSION: u16 = 0x0007;

/// A GRE header. `Ok(None)` for a carried protocol that is not looked into (and keepalives, acknowledgements …).
pub(super) fn gre(bytes: &[u8]) -> Result<Option<Found>, Malformed> {
    let [flags_high, flags_low, protocol_high, protocol_low, ..] = *bytes else {
        return Err(Malformed::GreHeaderTruncated);
    };
    let flags = u16::from_be_bytes([flags_high, flags_low]);
    let carried = u16::from_be_bytes([protocol_high, protocol_low]);
    match flags & GRE_VERSION {
        0 => gre_version_0(bytes, flags, carried),
        1 => gre_version_1(bytes, flags, carried),
        _ => Err(Malformed::GreHeaderInvalid),
    }
}

/// RFC 2784 with the key and sequence number of RFC 2890. Source routing (RFC 1701) is deprecated; a packet with it is
/// refused, as every receiver does.
fn gre_version_0(bytes: &[u8], flags: u16, carried: u16) -> Result<Option<Found>, Malformed> {
    let forbidden = GRE_ROUTING | GRE_STRICT_ROUTE | GRE_RECURSION | GRE_ACKNOWLEDGEMENT | GRE_RESERVED;
    if flags & forbidden != 0 {
        return Err(Malformed::GreHeaderInvalid);
    }
    let optional_fields = (flags & (GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE)).count_ones() as usize;
    let gre_len = 4 + 4 * optional_fields;
    let rest = bytes.get(gre_len..).ok_or(Malformed::GreHeaderTruncated)?;
    let (ethertype, inner_header_len, vlan) = match carried {
        ethertype::IPV4
        | ethertype::IPV6
        | ethertype::ETHERNET
        | ethertype::MPLS
        | ethertype::MPLS_MULTICAST
        | ethertype::NSH => (carried, 0, 0),
        ethertype::ERSPAN => {
            let len = erspan_ii_len(rest, flags & GRE_SEQUENCE != 0)?;
            (ethertype::ETHERNET, len, if len > 0 { erspan_vlan(rest) } else { 0 })
        }
        ethertype::ERSPAN_III => match erspan_iii(rest)? {
            Some((ethertype, len)) => (ethertype, len, erspan_vlan(rest)),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(Found { ethertype, header_len: gre_len + inner_header_len, vlan }))
}

/// The enhanced GRE of PPTP (RFC 2637 4.1). `Ok(None)` for an acknowledgement without payload and for PPP that does not
/// carry IP.
fn gre_version_1(bytes: &[u8], flags: u16, carried: u16) -> Result<Option<Found>, Malformed> {
    let forbidden = GRE_CHECKSUM | GRE_ROUTING | GRE_STRICT_ROUTE | GRE_RECURSION | GRE_RESERVED;
    if flags & forbidden != 0 || flags & GRE_KEY == 0 || carried != ethertype::PPP {
        return Err(Malformed::GreHeaderInvalid);
    }
    let optional_fields = (flags & (GRE_KEY | GRE_SEQUENCE | GRE_ACKNOWLEDGEMENT)).count_ones() as usize;
    let header_len = 4 + 4 * optional_fields;
    let rest = bytes.get(header_len..).ok_or(Malformed::GreHeaderTruncated)?;
    let carries_ip = flags & GRE_SEQUENCE != 0 && link::ppp_carries_ip(rest);
    Ok(carries_ip.then_some(Found { ethertype: ethertype::PPP, header_len, vlan: 0 }))
}

/// The length of what is between GRE and the mirrored frame: nothing in type I, which has no sequence number, 8 bytes
/// in type II (draft-foschiano-erspan), which has one.
fn erspan_ii_len(bytes: &[u8], has_sequence: bool) -> Result<usize, Malformed> {
    if !has_sequence {
        return Ok(0);
    }
    let [version_and_vlan, ..] = *bytes.first_chunk::<8>().ok_or(Malformed::ErspanHeaderTruncated)?;
    if version_and_vlan >> 4 == 1 { Ok(8) } else { Err(Malformed::ErspanHeaderInvalid) }
}

/// The VLAN in the first two bytes of an ERSPAN header, which types II and III have in common.
fn erspan_vlan(bytes: &[u8]) -> u16 {
    const VLAN: u16 = 0x0fff;
    bytes.first_chunk().map_or(0, |&first| u16::from_be_bytes(first) & VLAN)
}

/// ERSPAN type III (draft-foschiano-erspan): 12 bytes, and 8 more if the O bit is set; what is mirrored is an Ethernet
/// frame or an IP packet. `None` for another kind of frame.
fn erspan_iii(bytes: &[u8]) -> Result<Option<(u16, usize)>, Malformed> {
    let header = bytes.first_chunk::<12>().ok_or(Malformed::ErspanHeaderTruncated)?;
    if header[0] >> 4 != 2 {
        return Err(Malformed::ErspanHeaderInvalid);
    }
    let has_subheader = header[11] & 1 == 1;
    let header_len = if has_subheader { 20 } else { 12 };
    let rest = bytes.get(header_len..).ok_or(Malformed::ErspanHeaderTruncated)?;
    let frame_type = (header[10] >> 2) & 0x1f;
    let ethertype = match frame_type {
        0 => ethertype::ETHERNET,
        2 if rest.first().is_some_and(|first| first >> 4 == 6) => ethertype::IPV6,
        2 => ethertype::IPV4,
        _ => return Ok(None),
    };
    Ok(Some((ethertype, header_len)))
}

/// VXLAN (RFC 7348): the flag of a valid network identifier and no other; or, with the generic protocol extension
/// (draft-ietf-nvo3-vxlan-gpe), a next protocol that has an `EtherType`. `None` for what is neither.
fn vxlan(bytes: &[u8]) -> Option<Found> {
    const NETWORK_IDENTIFIER: u8 = 0x08;
    const NEXT_PROTOCOL: u8 = 0x04;
    const BUM_TRAFFIC: u8 = 0x02;
    const OAM: u8 = 0x01;
    let [flags, reserved_high, reserved_low, protocol, _, _, _, reserved_last] = *bytes.first_chunk::<8>()?;
    if flags & NETWORK_IDENTIFIER == 0 || reserved_high != 0 || reserved_low != 0 || reserved_last != 0 {
        return None;
    }
    let ethertype = if flags & NEXT_PROTOCOL != 0 {
        if flags & OAM != 0 || flags & !(NETWORK_IDENTIFIER | NEXT_PROTOCOL | BUM_TRAFFIC) != 0 {
            return None;
        }
        link::service_protocol(protocol)?
    } else {
        if flags != NETWORK_IDENTIFIER || protocol != 0 {
            return None;
        }
        ethertype::ETHERNET
    };
    Some(Found { ethertype, header_len: 8, vlan: 0 })
}

/// Geneve (RFC 8926), options skipped. `None` for another version, control packets and carried protocols that are not
/// looked into.
fn geneve(bytes: &[u8]) -> Option<Found> {
    const CONTROL: u8 = 0x80;
    let [version_and_words, flags, protocol_high, protocol_low, ..] = *bytes.first_chunk::<8>()?;
    if version_and_words >> 6 != 0 || flags & CONTROL != 0 {
        return None;
    }
    let header_len = 8 + usize::from(version_and_words & 0x3f) * 4;
    bytes.get(header_len..)?;
    let ethertype = u16::from_be_bytes([protocol_high, protocol_low]);
    let is_known = matches!(
        ethertype,
        ethertype::IPV4 | ethertype::IPV6 | ethertype::ETHERNET | ethertype::MPLS | ethertype::NSH
    );
    is_known.then_some(Found { ethertype, header_len, vlan: 0 })
}
