//! IPv4, IPv6 with its extension headers, ARP.

use super::{ethertype, transport};
use crate::malformed::Malformed;
use crate::packet::{Fragment, L3, L4, Packet, ParseOptions};
use crate::protocol;
use crate::tuple::Addr;

/// IPv6 extension headers walked. No sender needs more than a handful, but a receiver accepts any number: more than a
/// packet of 1,500 bytes can hold, so that nobody hides behind the bound, which keeps a crafted jumbo frame from costing
/// thousands of steps.
const EXTENSIONS_MAX: u16 = 200;

/// An IPv4 packet (RFC 791) at the start of `rest`, which is `offset` bytes into the slice being parsed.
#[inline]
pub(super) fn ipv4(
    packet: &mut Packet,
    rest: &[u8],
    offset: usize,
    options: &ParseOptions,
) -> Result<(), Malformed> {
    let Some(header) = rest.first_chunk::<20>() else {
        return Err(Malformed::Ipv4HeaderTruncated);
    };
    let header_len = if header[0] == 0x45 { header.len() } else { ipv4_header_len(rest)? };
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let Some(segment) = rest.get(header_len..total_len) else {
        return Err(ipv4_length_reason(header_len, total_len));
    };
    packet.ethertype = ethertype::IPV4;
    packet.l3 = L3::Ipv4;
    packet.ttl = header[8];
    packet.l3_offset = offset as u16;
    packet.tuple.ip_version = 4;
    packet.tuple.src = Addr::v4([header[12], header[13], header[14], header[15]]);
    packet.tuple.dst = Addr::v4([header[16], header[17], header[18], header[19]]);
    let protocol = header[9];
    let offset = offset + header_len;
    let fragmentation = u16::from_be_bytes([header[6], header[7]]);
    if fragmentation & FRAGMENTED != 0 {
        let fragment = Fragment {
            id: u32::from(u16::from_be_bytes([header[4], header[5]])),
            offset: u32::from(fragmentation & FRAGMENT_OFFSET) * 8,
            more: fragmentation & MORE_FRAGMENTS != 0,
        };
        fragmented(packet, fragment, protocol, segment, offset);
        return Ok(());
    }
    match protocol {
        protocol::TCP => transport::tcp(packet, segment, offset),
        protocol::UDP => transport::udp(packet, segment, offset, options),
        // Transport mode: the one extension header that IPv4 has.
        protocol::AUTHENTICATION => extended(packet, protocol, segment, offset, options),
        _ => transport::other(packet, protocol, segment, offset),
    }
}

const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;
const FRAGMENTED: u16 = MORE_FRAGMENTS | FRAGMENT_OFFSET;

/// The header length of an IPv4 packet whose first byte is not the usual one, and a look at the options.
#[cold]
#[inline(never)]
fn ipv4_header_len(packet: &[u8]) -> Result<usize, Malformed> {
    let first = packet.first().copied().unwrap_or_default();
    let len = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 {
        return Err(Malformed::Ipv4VersionInvalid);
    }
    if len < 20 {
        return Err(Malformed::Ipv4HeaderLengthInvalid);
    }
    // When they are not all there, the caller finds that.
    let mut options = packet.get(20..len).unwrap_or_default();
    loop {
        options = match *options {
            [] | [END_OF_OPTIONS, ..] => return Ok(len),
            [NO_OPERATION, ref rest @ ..] => rest,
            [_, option_len, ..] if option_len >= 2 => {
                options.get(usize::from(option_len)..).ok_or(Malformed::Ipv4OptionsInvalid)?
            }
            _ => return Err(Malformed::Ipv4OptionsInvalid),
        };
    }
}

const END_OF_OPTIONS: u8 = 0;
const NO_OPERATION: u8 = 1;

/// Which of the lengths is wrong when the payload between them is not there.
#[cold]
#[inline(never)]
fn ipv4_length_reason(header_len: usize, total_len: usize) -> Malformed {
    if total_len < header_len { Malformed::Ipv4TotalLengthInvalid } else { Malformed::Ipv4PacketTruncated }
}

/// The end of a walk at a fragment: what it carries is looked at when the datagram is whole.
#[cold]
#[inline(never)]
fn fragmented(packet: &mut Packet, fragment: Fragment, protocol: u8, payload: &[u8], offset: usize) {
    packet.fragment = Some(fragment);
    packet.tuple.protocol = protocol;
    packet.l4 = L4::Other;
    packet.l4_offset = offset as u16;
    packet.payload_offset = offset as u16;
    packet.payload_len = payload.len() as u16;
}

/// An IPv6 packet (RFC 8200) at the start of `rest`, which is `offset` bytes into the slice being parsed.
#[inline]
pub(super) fn ipv6(
    packet: &mut Packet,
    rest: &[u8],
    offset: usize,
    options: &ParseOptions,
) -> Result<(), Malformed> {
    let Some((header, rest)) = rest.split_first_chunk::<40>() else {
        return Err(Malformed::Ipv6HeaderTruncated);
    };
    if header[0] >> 4 != 6 {
        return Err(Malformed::Ipv6VersionInvalid);
    }
    let payload_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let Some(segment) = rest.get(..payload_len) else {
        return Err(Malformed::Ipv6PacketTruncated);
    };
    packet.ethertype = ethertype::IPV6;
    packet.l3 = L3::Ipv6;
    packet.ttl = header[7];
    packet.l3_offset = offset as u16;
    packet.tuple.ip_version = 6;
    packet.tuple.src = address(header, 8);
    packet.tuple.dst = address(header, 24);
    let offset = offset + header.len();
    match header[6] {
        protocol::TCP => transport::tcp(packet, segment, offset),
        protocol::UDP => transport::udp(packet, segment, offset, options),
        next => extended(packet, next, segment, offset, options),
    }
}

/// The 16 bytes of an address at `at` in an IPv6 header.
#[inline(always)]
fn address(header: &[u8; 40], at: usize) -> Addr {
    Addr(header.get(at..).and_then(|tail| tail.first_chunk()).copied().unwrap_or_default())
}

/// Walks extension headers from `next` on, then parses what they end in.
#[cold]
#[inline(never)]
fn extended(
    packet: &mut Packet,
    mut next: u8,
    mut rest: &[u8],
    mut offset: usize,
    options: &ParseOptions,
) -> Result<(), Malformed> {
    for walked in 0..EXTENSIONS_MAX {
        let header_len = match Extension::of(next) {
            None => {
                // What is left is not even the beginning of a header.
                let transport =
                    matches!(next, protocol::TCP | protocol::UDP | protocol::SCTP | protocol::ICMPV6);
                if packet.l3 == L3::Ipv6 && walked > 0 && transport && rest.len() < 2 {
                    return Err(Malformed::Ipv6ExtensionTruncated);
                }
                return match next {
                    protocol::TCP => transport::tcp(packet, rest, offset),
                    protocol::UDP => transport::udp(packet, rest, offset, options),
                    _ => transport::other(packet, next, rest, offset),
                };
            }
            // An IPv4 packet has no extension headers but this one.
            Some(Extension::Authentication) => authentication_len(rest)?,
            Some(_) if packet.l3 == L3::Ipv4 => return transport::other(packet, next, rest, offset),
            Some(Extension::Fragment) => {
                let (header, payload) =
                    rest.split_first_chunk::<8>().ok_or(Malformed::Ipv6ExtensionTruncated)?;
                let fragment = ipv6_fragment(*header);
                // A fragment that is the whole datagram needs no reassembly (RFC 6946).
                if fragment.more || fragment.offset != 0 {
                    if fragment.more && payload.len() % 8 != 0 {
                        return Err(Malformed::Ipv6FragmentLengthInvalid);
                    }
                    fragmented(packet, fragment, header[0], payload, offset + header.len());
                    return Ok(());
                }
                header.len()
            }
            Some(Extension::Option) => {
                let [_, words, ..] = *rest else { return Err(Malformed::Ipv6ExtensionTruncated) };
                8 + usize::from(words) * 8
            }
        };
        let [following, ..] = *rest else { return Err(Malformed::Ipv6ExtensionTruncated) };
        rest = rest.get(header_len..).ok_or(Malformed::Ipv6ExtensionTruncated)?;
        next = following;
        offset += header_len;
    }
    Err(Malformed::Ipv6ExtensionsTooMany)
}

/// How the length of an IPv6 extension header is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extension {
    /// In units of 8 bytes beyond the first 8: hop-by-hop, routing, destination options, mobility, HIP, shim6.
    Option,
    /// Always 8 bytes.
    Fragment,
    /// In units of 4 bytes beyond the first 8.
    Authentication,
}

impl Extension {
    /// The kind of extension header that a next-header number names; `None` for an upper-layer protocol, and for ESP,
    /// behind which everything is encrypted.
    pub(crate) fn of(next_header: u8) -> Option<Self> {
        match next_header {
            protocol::HOP_BY_HOP
            | protocol::ROUTING
            | protocol::DESTINATION_OPTIONS
            | protocol::MOBILITY
            | protocol::HIP
            | protocol::SHIM6 => Some(Self::Option),
            protocol::FRAGMENT => Some(Self::Fragment),
            protocol::AUTHENTICATION => Some(Self::Authentication),
            _ => None,
        }
    }
}

/// The length of an authentication header (RFC 4302 2.2): its fixed part is 12 bytes.
fn authentication_len(header: &[u8]) -> Result<usize, Malformed> {
    let [_, words, ..] = *header else { return Err(Malformed::AuthenticationHeaderInvalid) };
    let len = (usize::from(words) + 2) * 4;
    if len < 12 || len > header.len() { Err(Malformed::AuthenticationHeaderInvalid) } else { Ok(len) }
}

/// The fields of an IPv6 fragment header (RFC 8200 4.5).
pub(crate) fn ipv6_fragment(header: [u8; 8]) -> Fragment {
    let [_, _, offset_high, offset_low, id @ ..] = header;
    let offset_and_more = u16::from_be_bytes([offset_high, offset_low]);
    Fragment {
        id: u32::from_be_bytes(id),
        offset: u32::from(offset_and_more & 0xfff8),
        more: offset_and_more & 1 == 1,
    }
}

/// An ARP packet (RFC 826): the fixed 8 bytes say how long its four addresses are.
pub(super) fn arp(packet: &mut Packet, rest: &[u8], offset: usize) -> Result<(), Malformed> {
    let [_, _, _, _, hardware_len, protocol_len, _, _, ..] = *rest else {
        return Err(Malformed::ArpTruncated);
    };
    let len = 8 + 2 * (usize::from(hardware_len) + usize::from(protocol_len));
    if rest.len() < len {
        return Err(Malformed::ArpTruncated);
    }
    packet.l3 = L3::Arp;
    packet.ethertype = ethertype::ARP;
    packet.l3_offset = offset as u16;
    packet.l4_offset = offset as u16;
    packet.payload_offset = offset as u16;
    packet.payload_len = len as u16;
    Ok(())
}
