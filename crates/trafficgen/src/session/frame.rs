//! One frame: Ethernet II, one 802.1Q tag, IPv4 or IPv6 or ARP, and what it carries.
//!
//! Every function clears the buffer it is given and leaves one finished frame in it.

use std::net::IpAddr;

use wire::{Addr, NTuple, checksum, protocol};

pub(crate) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(crate) const ETHERTYPE_ARP: u16 = 0x0806;
pub(crate) const ETHERTYPE_VLAN: u16 = 0x8100;
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;

pub(crate) const ICMP_ECHO_REPLY: u8 = 0;
pub(crate) const ICMP_UNREACHABLE: u8 = 3;
pub(crate) const ICMP_ECHO: u8 = 8;
pub(crate) const ICMPV6_ECHO: u8 = 128;
pub(crate) const ICMPV6_ECHO_REPLY: u8 = 129;

/// Destination of broadcast frames.
pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];

/// Ethernet's smallest frame without FCS (IEEE 802.3), reached by padding.
const FRAME_LEN_MIN: usize = 60;
/// Largest IP packet on Ethernet.
pub(crate) const MTU: usize = 1500;

/// One end: what its frames carry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Host {
    pub(crate) mac: [u8; 6],
    pub(crate) ip: IpAddr,
    /// TTL or hop limit as it passes the tap.
    pub(crate) ttl: u8,
}

/// One direction between two hosts of the same IP version on a VLAN.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Route {
    pub(crate) vlan: u16,
    pub(crate) src: Host,
    pub(crate) dst: Host,
}

impl Route {
    pub(crate) const fn reversed(self) -> Self {
        Self { vlan: self.vlan, src: self.dst, dst: self.src }
    }

    pub(crate) const fn is_ipv6(&self) -> bool {
        self.src.ip.is_ipv6()
    }
}

/// What a TCP header says, apart from its options.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpHeader {
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) window: u16,
}

/// Where a fragment lies in its datagram (RFC 791 3.2, RFC 8200 4.5).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Piece {
    /// Shared by the datagram's fragments.
    pub(crate) id: u32,
    /// Bytes; a multiple of 8.
    pub(crate) offset: u16,
    pub(crate) more: bool,
}

/// The IP options of a packet that differ between its users.
#[derive(Clone, Copy, Debug)]
enum Identity {
    /// Never fragmented: DF in IPv4; the number is the IPv4 identification, or the IPv6 flow label.
    Whole(u16),
    Fragment(Piece),
}

fn put_u16(frame: &mut [u8], at: usize, value: u16) {
    if let Some(slot) = frame.get_mut(at..at + 2) {
        slot.copy_from_slice(&value.to_be_bytes());
    }
}

fn ethernet(frame: &mut Vec<u8>, dst: [u8; 6], src: [u8; 6], vlan: u16, ethertype: u16) {
    frame.clear();
    frame.extend_from_slice(&dst);
    frame.extend_from_slice(&src);
    frame.extend_from_slice(&ETHERTYPE_VLAN.to_be_bytes());
    frame.extend_from_slice(&vlan.to_be_bytes());
    frame.extend_from_slice(&ethertype.to_be_bytes());
}

fn pad(frame: &mut Vec<u8>) {
    if frame.len() < FRAME_LEN_MIN {
        frame.resize(FRAME_LEN_MIN, 0);
    }
}

fn ipv4(
    frame: &mut Vec<u8>,
    src: [u8; 4],
    dst: [u8; 4],
    protocol: u8,
    ttl: u8,
    identity: Identity,
    length: usize,
) {
    let start = frame.len();
    let (id, fragment) = match identity {
        Identity::Whole(id) => (id, 0x4000),
        Identity::Fragment(piece) => {
            (piece.id as u16, (piece.offset / 8) | if piece.more { 0x2000 } else { 0 })
        }
    };
    frame.extend_from_slice(&[0x45, 0]);
    frame.extend_from_slice(&(20 + length as u16).to_be_bytes());
    frame.extend_from_slice(&id.to_be_bytes());
    frame.extend_from_slice(&fragment.to_be_bytes());
    frame.extend_from_slice(&[ttl, protocol, 0, 0]);
    frame.extend_from_slice(&src);
    frame.extend_from_slice(&dst);
    let sum = checksum::of(frame.get(start..).unwrap_or_default());
    put_u16(frame, start + 10, sum);
}

fn ipv6(
    frame: &mut Vec<u8>,
    src: [u8; 16],
    dst: [u8; 16],
    protocol: u8,
    ttl: u8,
    identity: Identity,
    length: usize,
) {
    let (label, next, extension) = match identity {
        Identity::Whole(label) => (u32::from(label), protocol, 0),
        Identity::Fragment(_) => (0, protocol::FRAGMENT, 8),
    };
    frame.extend_from_slice(&(0x6000_0000 | label).to_be_bytes());
    frame.extend_from_slice(&((extension + length) as u16).to_be_bytes());
    frame.extend_from_slice(&[next, ttl]);
    frame.extend_from_slice(&src);
    frame.extend_from_slice(&dst);
    if let Identity::Fragment(piece) = identity {
        frame.extend_from_slice(&[protocol, 0]);
        frame.extend_from_slice(&(piece.offset | u16::from(piece.more)).to_be_bytes());
        frame.extend_from_slice(&piece.id.to_be_bytes());
    }
}

/// Writes everything up to the transport header; returns where that begins.
fn open(frame: &mut Vec<u8>, route: &Route, protocol: u8, identity: Identity, length: usize) -> usize {
    let Route { vlan, src, dst } = route;
    match (src.ip, dst.ip) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            ethernet(frame, dst.mac, src.mac, *vlan, ETHERTYPE_IPV4);
            ipv4(frame, from.octets(), to.octets(), protocol, src.ttl, identity, length);
        }
        (from, to) => {
            ethernet(frame, dst.mac, src.mac, *vlan, ETHERTYPE_IPV6);
            ipv6(frame, octets(from), octets(to), protocol, src.ttl, identity, length);
        }
    }
    frame.len()
}

/// IPv6 bytes of an address; an IPv4 one mapped.
fn octets(ip: IpAddr) -> [u8; 16] {
    Addr::from(ip).0
}

/// The checksum of a transport segment, with the pseudo header where the protocol has one.
fn transport_checksum(route: &Route, protocol: u8, segment: &[u8]) -> u16 {
    let ip_version = if route.is_ipv6() { 6 } else { 4 };
    let (src, dst) = (Addr::from(route.src.ip), Addr::from(route.dst.ip));
    checksum::transport(&NTuple { src, dst, protocol, ip_version, ..NTuple::default() }, segment)
}

/// A TCP segment; `payload` appends its bytes. `options` is a multiple of 4 bytes.
pub(crate) fn tcp(
    frame: &mut Vec<u8>,
    route: &Route,
    ip_id: u16,
    header: &TcpHeader,
    options: &[u8],
    payload_len: usize,
    payload: impl FnOnce(&mut Vec<u8>),
) {
    let header_len = 20 + options.len();
    let start = open(frame, route, protocol::TCP, Identity::Whole(ip_id), header_len + payload_len);
    frame.extend_from_slice(&header.src_port.to_be_bytes());
    frame.extend_from_slice(&header.dst_port.to_be_bytes());
    frame.extend_from_slice(&header.seq.to_be_bytes());
    frame.extend_from_slice(&header.ack.to_be_bytes());
    frame.extend_from_slice(&[(header_len as u8 / 4) << 4, header.flags]);
    frame.extend_from_slice(&header.window.to_be_bytes());
    frame.extend_from_slice(&[0; 4]);
    frame.extend_from_slice(options);
    payload(frame);
    let sum = transport_checksum(route, protocol::TCP, frame.get(start..).unwrap_or_default());
    put_u16(frame, start + 16, sum);
    pad(frame);
}

/// A UDP datagram's header and payload, checksum included, as the bytes that IP carries.
fn udp_bytes(route: &Route, src_port: u16, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + payload.len());
    bytes.extend_from_slice(&src_port.to_be_bytes());
    bytes.extend_from_slice(&dst_port.to_be_bytes());
    bytes.extend_from_slice(&(8 + payload.len() as u16).to_be_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(payload);
    let sum = transport_checksum(route, protocol::UDP, &bytes);
    put_u16(&mut bytes, 6, sum);
    bytes
}

/// A UDP datagram in one packet.
pub(crate) fn udp(
    frame: &mut Vec<u8>,
    route: &Route,
    ip_id: u16,
    src_port: u16,
    dst_port: u16,
    payload: &[u8],
) {
    let bytes = udp_bytes(route, src_port, dst_port, payload);
    open(frame, route, protocol::UDP, Identity::Whole(ip_id), bytes.len());
    frame.extend_from_slice(&bytes);
    pad(frame);
}

/// A UDP datagram larger than the MTU, as the fragments its sender makes of it, in order.
pub(crate) fn udp_fragments(
    route: &Route,
    id: u32,
    src_port: u16,
    dst_port: u16,
    payload: &[u8],
) -> Vec<Vec<u8>> {
    let header_len = if route.is_ipv6() { 48 } else { 20 };
    let room = (MTU - header_len) / 8 * 8;
    let bytes = udp_bytes(route, src_port, dst_port, payload);
    let count = bytes.len().div_ceil(room);
    let pieces = bytes.chunks(room).enumerate().map(|(index, chunk)| {
        let piece = Piece { id, offset: (index * room) as u16, more: index + 1 < count };
        let mut frame = Vec::with_capacity(18 + header_len + chunk.len());
        open(&mut frame, route, protocol::UDP, Identity::Fragment(piece), chunk.len());
        frame.extend_from_slice(chunk);
        pad(&mut frame);
        frame
    });
    pieces.collect()
}

/// An ICMP or `ICMPv6` message, by the route's IP version; `rest` is what follows the checksum.
pub(crate) fn icmp(frame: &mut Vec<u8>, route: &Route, ip_id: u16, kind: u8, code: u8, rest: &[u8]) {
    let protocol = if route.is_ipv6() { protocol::ICMPV6 } else { protocol::ICMP };
    let start = open(frame, route, protocol, Identity::Whole(ip_id), 4 + rest.len());
    frame.extend_from_slice(&[kind, code, 0, 0]);
    frame.extend_from_slice(rest);
    let sum = transport_checksum(route, protocol, frame.get(start..).unwrap_or_default());
    put_u16(frame, start + 2, sum);
    pad(frame);
}

/// An ARP packet for IPv4 over Ethernet (RFC 826); `operation` is 1 to ask, 2 to answer.
pub(crate) fn arp(
    frame: &mut Vec<u8>,
    vlan: u16,
    dst_mac: [u8; 6],
    operation: u16,
    sender: ([u8; 6], [u8; 4]),
    target: ([u8; 6], [u8; 4]),
) {
    ethernet(frame, dst_mac, sender.0, vlan, ETHERTYPE_ARP);
    frame.extend_from_slice(&[0, 1, 8, 0, 6, 4]);
    frame.extend_from_slice(&operation.to_be_bytes());
    for (mac, ip) in [sender, target] {
        frame.extend_from_slice(&mac);
        frame.extend_from_slice(&ip);
    }
    pad(frame);
}
