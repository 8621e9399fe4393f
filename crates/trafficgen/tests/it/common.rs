//! Oracles: reading captures and packets without the code under test.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use etherparse::{LaxNetSlice, NetSlice, SlicedPacket, TransportSlice};

/// A nanosecond little-endian pcap as (timestamp in ns, frame), read by hand.
pub(crate) fn read_pcap(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let file = std::fs::read(path).unwrap();
    let u32_at = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(u32_at(0), 0xa1b2_3c4d);
    assert_eq!(u32_at(20), 1);
    let (mut at, mut frames) = (24, Vec::new());
    while at < file.len() {
        let len = u32_at(at + 8) as usize;
        assert_eq!(len, u32_at(at + 12) as usize);
        let at_ns = u64::from(u32_at(at)) * 1_000_000_000 + u64::from(u32_at(at + 4));
        frames.push((at_ns, file[at + 16..at + 16 + len].to_vec()));
        at += 16 + len;
    }
    frames
}

/// A pcap with the given magic (host order as written by `order`) around frames of (seconds, fraction, bytes).
pub(crate) fn write_pcap(magic: u32, big_endian: bool, frames: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let word = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
    let version = if big_endian { 2 << 16 | 4 } else { 4 << 16 | 2 };
    let mut file: Vec<u8> = [magic, version, 0, 0, 65_535, 1].into_iter().flat_map(word).collect();
    for (seconds, fraction, bytes) in frames {
        let len = bytes.len() as u32;
        file.extend([*seconds, *fraction, len, len].into_iter().flat_map(word));
        file.extend_from_slice(bytes);
    }
    file
}

/// What etherparse says a frame is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Seen {
    pub(crate) vlan: Option<u16>,
    pub(crate) transport: &'static str,
    pub(crate) src: Option<(IpAddr, u16)>,
    pub(crate) dst: Option<(IpAddr, u16)>,
    /// Fragment, but not the first.
    pub(crate) later_fragment: bool,
    pub(crate) fragmented: bool,
    /// An ICMP message that is not an echo.
    pub(crate) icmp_error: bool,
}

/// VLAN, protocol and both ends, the same in both directions.
pub(crate) type FlowKey = (Option<u16>, &'static str, BTreeSet<(IpAddr, u16)>);

impl Seen {
    /// The flow as the ground truth defines it.
    pub(crate) fn flow(&self) -> Option<FlowKey> {
        if self.later_fragment || self.icmp_error {
            return None;
        }
        Some((self.vlan, self.transport, [self.src?, self.dst?].into()))
    }
}

/// Parses strictly: lengths that do not fit are an error.
pub(crate) fn look(frame: &[u8]) -> Seen {
    let packet = SlicedPacket::from_ethernet(frame).unwrap_or_else(|error| panic!("{error}: {frame:02x?}"));
    let vlan = packet.vlan_ids().first().map(|id| id.value());
    let (addresses, fragment, protocol) = match &packet.net {
        Some(NetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let offset = header.fragments_offset().value();
            let addresses = (IpAddr::from(header.source_addr()), IpAddr::from(header.destination_addr()));
            (Some(addresses), (header.is_fragmenting_payload(), offset > 0), ip.payload().ip_number.0)
        }
        Some(NetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let addresses = (IpAddr::from(header.source_addr()), IpAddr::from(header.destination_addr()));
            // The only extension header that a trace has.
            let offset = if header.next_header().0 == 44 {
                u16::from_be_bytes([frame[18 + 42], frame[18 + 43]]) & 0xfff8
            } else {
                0
            };
            let fragmented = header.next_header().0 == 44;
            (Some(addresses), (fragmented, offset > 0), ip.payload().ip_number.0)
        }
        _ => (None, (false, false), 0),
    };
    let ports = match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => (tcp.source_port(), tcp.destination_port()),
        Some(TransportSlice::Udp(udp)) => (udp.source_port(), udp.destination_port()),
        _ if fragment.0 && !fragment.1 => {
            // etherparse leaves the payload of a fragment alone.
            let start = if frame[16] == 0x86 { 18 + 48 } else { 18 + 20 };
            let port = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
            (port(start), port(start + 2))
        }
        _ => (0, 0),
    };
    let transport = match protocol {
        6 => "tcp",
        17 => "udp",
        1 => "icmp",
        58 => "icmpv6",
        _ => "arp",
    };
    let icmp_error = match &packet.transport {
        Some(TransportSlice::Icmpv4(icmp)) => !matches!(icmp.type_u8(), 0 | 8),
        Some(TransportSlice::Icmpv6(icmp)) => !matches!(icmp.type_u8(), 128 | 129),
        _ => false,
    };
    Seen {
        vlan,
        transport,
        src: addresses.map(|(src, _)| (src, ports.0)),
        dst: addresses.map(|(_, dst)| (dst, ports.1)),
        later_fragment: fragment.1,
        fragmented: fragment.0,
        icmp_error,
    }
}

/// Whether every checksum of an unfragmented packet is what etherparse computes. `None` when there is none.
pub(crate) fn checksums_right(frame: &[u8]) -> Option<bool> {
    let packet = etherparse::LaxSlicedPacket::from_ethernet(frame).ok()?;
    let header_right = match packet.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            header.header_checksum() == header.to_header().calc_header_checksum()
        }
        _ => true,
    };
    let transport_right = match (packet.net.as_ref()?, packet.transport.as_ref()) {
        (LaxNetSlice::Ipv4(ip), Some(TransportSlice::Tcp(tcp))) => {
            let (src, dst) = (ip.header().source(), ip.header().destination());
            tcp.calc_checksum_ipv4(src, dst).ok()? == tcp.checksum()
        }
        (LaxNetSlice::Ipv6(ip), Some(TransportSlice::Tcp(tcp))) => {
            let (src, dst) = (ip.header().source(), ip.header().destination());
            tcp.calc_checksum_ipv6(src, dst).ok()? == tcp.checksum()
        }
        (_, Some(TransportSlice::Udp(udp))) if udp.checksum() == 0 => true,
        (LaxNetSlice::Ipv4(ip), Some(TransportSlice::Udp(udp))) => {
            let (src, dst) = (ip.header().source(), ip.header().destination());
            udp.to_header().calc_checksum_ipv4_raw(src, dst, udp.payload()).ok()? == udp.checksum()
        }
        (LaxNetSlice::Ipv6(ip), Some(TransportSlice::Udp(udp))) => {
            let (src, dst) = (ip.header().source(), ip.header().destination());
            udp.to_header().calc_checksum_ipv6_raw(src, dst, udp.payload()).ok()? == udp.checksum()
        }
        (_, Some(TransportSlice::Icmpv4(icmp))) => {
            icmp.header().icmp_type.calc_checksum(icmp.payload()) == icmp.checksum()
        }
        (LaxNetSlice::Ipv6(ip), Some(TransportSlice::Icmpv6(icmp))) => {
            let (src, dst) = (ip.header().source(), ip.header().destination());
            icmp.header().icmp_type.calc_checksum(src, dst, icmp.payload()).ok()? == icmp.checksum()
        }
        _ => return if header_right { None } else { Some(false) },
    };
    Some(header_right && transport_right)
}

/// A file of the corpora, or `None` after saying that the test is skipped.
pub(crate) fn corpus(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("FOREBAY_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora")),
        PathBuf::from,
    );
    let path = root.join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent; set FOREBAY_CORPORA", path.display());
    None
}
