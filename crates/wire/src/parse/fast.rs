//! The straight-line path: Ethernet with at most one VLAN tag, IPv4 without options or IPv6 without extension headers,
//! not a fragment, TCP or UDP, no tunnel, every length right.
//!
//! In: a frame. Out: its packet, or `false` for whatever is not all of that, malformed frames included: the general walk
//! (`link`) then parses it from the start and finds the reason. So nothing is told apart here that need not be. What
//! this says is what the general walk would; the property tests compare.
//!
//! The form is what compiles to the fewest instructions (examples/instructions.rs counts them: 71 for an IPv4 UDP frame
//! in a burst loop, of which 10 are the loop's). Building the packet at the end out of what was read takes 108, since
//! so much does not fit the registers; filling an empty packet field by field and returning it takes 146. So a template
//! with everything constant is copied into place first, and the variable fields are written over it.

use super::{FRAME_LEN_MAX, ethertype};
use crate::packet::{Icmp, L3, L4, Packet, ParseOptions, Tcp, Vlans};
use crate::protocol;
use crate::tuple::{Addr, NTuple};

/// The shortest frame of this shape: Ethernet, IPv4, UDP.
const FRAME_LEN_MIN: usize = 14 + 20 + 8;

/// The first four bytes from the `EtherType` on, as they lie in memory: IPv4 with a header of five words, any type of
/// service.
const IPV4_START: u32 = u32::from_le_bytes([0x08, 0x00, 0x45, 0]);
const IPV4_MASK: u32 = u32::from_le_bytes([0xff, 0xff, 0xff, 0]);
/// The same of IPv6, any traffic class and flow label.
const IPV6_START: u32 = u32::from_le_bytes([0x86, 0xdd, 0x60, 0]);
const IPV6_MASK: u32 = u32::from_le_bytes([0xff, 0xff, 0xf0, 0]);
/// The same of a VLAN tag.
const VLAN_START: u32 = u32::from_le_bytes([0x81, 0x00, 0, 0]);
const VLAN_MASK: u32 = u32::from_le_bytes([0xff, 0xff, 0, 0]);
/// The bits of an IPv4 header's second word that only a fragment has: more fragments, and the offset.
const FRAGMENTED: u32 = u32::from_le_bytes([0, 0, 0x3f, 0xff]);

/// The packet that templates are made from. Its addresses are the mapped form of 0.0.0.0, of which an IPv4 packet keeps
/// the first twelve bytes.
const EMPTY: Packet = Packet {
    tuple: NTuple {
        src: Addr::v4([0; 4]),
        dst: Addr::v4([0; 4]),
        src_port: 0,
        dst_port: 0,
        protocol: 0,
        ip_version: 0,
    },
    vlans: Vlans { vids: [0; 2], count: 0 },
    inner_vlans: Vlans { vids: [0; 2], count: 0 },
    ethertype: 0,
    l3: L3::Other,
    l4: L4::Other,
    ttl: 0,
    depth: 0,
    l3_offset: 0,
    l4_offset: 0,
    payload_offset: 0,
    payload_len: 0,
    tcp: Tcp { seq: 0, ack: 0, window: 0, flags: 0 },
    icmp: Icmp { icmp_type: 0, code: 0 },
    fragment: None,
    encapsulation: None,
};
const ETHERNET_LEN: u16 = 14;
const TAG_LEN: u16 = 4;
const IPV4_LEN: u16 = 20;
const IPV6_LEN: u16 = 40;
const UDP_LEN: u16 = 8;

/// The packet of a shape without what varies from one to the next; TCP overwrites the payload's offset too.
const fn template(tags: u8, ip_version: u8, l4: L4) -> Packet {
    let mut packet = EMPTY;
    let (ethertype, l3, l3_len) = if ip_version == 4 {
        (ethertype::IPV4, L3::Ipv4, IPV4_LEN)
    } else {
        (ethertype::IPV6, L3::Ipv6, IPV6_LEN)
    };
    packet.vlans.count = tags;
    packet.ethertype = ethertype;
    packet.l3 = l3;
    packet.l4 = l4;
    packet.tuple.ip_version = ip_version;
    packet.tuple.protocol = if matches!(l4, L4::Tcp) { protocol::TCP } else { protocol::UDP };
    packet.l3_offset = ETHERNET_LEN + tags as u16 * TAG_LEN;
    packet.l4_offset = packet.l3_offset + l3_len;
    packet.payload_offset = packet.l4_offset + UDP_LEN;
    packet
}

/// Fills `packet` from a frame of the common shape; `false`, and `packet` is of no use, if it is of another.
#[inline(always)]
pub(super) fn ethernet(packet: &mut Packet, frame: &[u8], options: &ParseOptions) -> bool {
    // One comparison for both bounds; everything up to an untagged UDP header is then known to be there.
    if frame.len().wrapping_sub(FRAME_LEN_MIN) > FRAME_LEN_MAX - FRAME_LEN_MIN {
        return false;
    }
    let Some(link) = frame.first_chunk::<20>() else { return false };
    let start = u32::from_le_bytes(part(link, 12));
    if start & IPV4_MASK == IPV4_START {
        return ipv4::<0>(packet, frame, options);
    }
    if start & IPV6_MASK == IPV6_START {
        return ipv6::<0>(packet, frame, options);
    }
    if start & VLAN_MASK != VLAN_START {
        return false;
    }
    let vid = ((start >> 16) as u16).swap_bytes() & 0x0fff;
    let start = u32::from_le_bytes(part(link, 16));
    let is_filled = if start & IPV4_MASK == IPV4_START {
        ipv4::<1>(packet, frame, options)
    } else {
        start & IPV6_MASK == IPV6_START && ipv6::<1>(packet, frame, options)
    };
    packet.vlans.vids = [vid, 0];
    is_filled
}

/// An IPv4 packet behind `TAGS` tags in `frame`, with version 4 and a header of 20 bytes.
#[inline(always)]
fn ipv4<const TAGS: u8>(packet: &mut Packet, frame: &[u8], options: &ParseOptions) -> bool {
    let Some((_, rest)) = frame.split_at_checked(usize::from(ETHERNET_LEN + u16::from(TAGS) * TAG_LEN))
    else {
        return false;
    };
    let Some((header, segment)) = rest.split_first_chunk::<20>() else { return false };
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let Some(segment) = segment.get(..total_len.wrapping_sub(header.len())) else { return false };
    if u32::from_le_bytes(part(header, 4)) & FRAGMENTED != 0 {
        return false;
    }
    match header[9] {
        protocol::UDP => {
            *packet = const { template(TAGS, 4, L4::Udp) };
            if !udp(packet, segment, options) {
                return false;
            }
        }
        protocol::TCP => {
            *packet = const { template(TAGS, 4, L4::Tcp) };
            if !tcp(packet, segment) {
                return false;
            }
        }
        _ => return false,
    }
    packet.ttl = header[8];
    let Some(src) = packet.tuple.src.0.last_chunk_mut::<4>() else { return false };
    *src = part(header, 12);
    let Some(dst) = packet.tuple.dst.0.last_chunk_mut::<4>() else { return false };
    *dst = part(header, 16);
    true
}

/// An IPv6 packet behind `TAGS` tags in `frame`, with version 6.
#[inline(always)]
fn ipv6<const TAGS: u8>(packet: &mut Packet, frame: &[u8], options: &ParseOptions) -> bool {
    let Some((_, rest)) = frame.split_at_checked(usize::from(ETHERNET_LEN + u16::from(TAGS) * TAG_LEN))
    else {
        return false;
    };
    let Some((header, segment)) = rest.split_first_chunk::<40>() else { return false };
    let payload_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let Some(segment) = segment.get(..payload_len) else { return false };
    match header[6] {
        protocol::UDP => {
            *packet = const { template(TAGS, 6, L4::Udp) };
            if !udp(packet, segment, options) {
                return false;
            }
        }
        protocol::TCP => {
            *packet = const { template(TAGS, 6, L4::Tcp) };
            if !tcp(packet, segment) {
                return false;
            }
        }
        _ => return false,
    }
    packet.ttl = header[7];
    packet.tuple.src = Addr(part(header, 8));
    packet.tuple.dst = Addr(part(header, 24));
    true
}

#[inline(always)]
fn tcp(packet: &mut Packet, segment: &[u8]) -> bool {
    let Some(header) = segment.first_chunk::<20>() else { return false };
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < header.len() || header_len > segment.len() {
        return false;
    }
    packet.tuple.src_port = u16::from_be_bytes([header[0], header[1]]);
    packet.tuple.dst_port = u16::from_be_bytes([header[2], header[3]]);
    packet.tcp = Tcp {
        seq: u32::from_be_bytes(part(header, 4)),
        ack: u32::from_be_bytes(part(header, 8)),
        window: u16::from_be_bytes([header[14], header[15]]),
        flags: header[13],
    };
    packet.payload_offset = packet.l4_offset + header_len as u16;
    packet.payload_len = (segment.len() - header_len) as u16;
    true
}

#[inline(always)]
fn udp(packet: &mut Packet, segment: &[u8], options: &ParseOptions) -> bool {
    let Some((header, body)) = segment.split_first_chunk::<8>() else { return false };
    let dst_port = u16::from_be_bytes([header[2], header[3]]);
    // A length shorter than the IP packet's is legal and rare.
    if usize::from(u16::from_be_bytes([header[4], header[5]])) != segment.len()
        || dst_port == options.vxlan_port
        || dst_port == options.geneve_port
    {
        return false;
    }
    packet.tuple.src_port = u16::from_be_bytes([header[0], header[1]]);
    packet.tuple.dst_port = dst_port;
    packet.payload_len = body.len() as u16;
    true
}

/// `N` bytes of a header, from `at` on; the compiler makes one load of it where it knows `at`. Zeros beyond the end.
#[inline(always)]
fn part<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    header.get(at..).and_then(|tail| tail.first_chunk()).copied().unwrap_or([0; N])
}
