//! What holds of every packet, whatever the bytes: shared by the tests and the fuzz targets.

#![allow(clippy::expect_used, clippy::trivially_copy_pass_by_ref, reason = "a check fails by panicking")]

use wire::{Encapsulation, Icmp, L3, L4, Malformed, Packet, ParseOptions, Tcp, Vlans};

/// Tunnels are also followed from these ports, so that a fuzzer that has not hit upon the usual ones gets inside.
const OTHER_OPTIONS: ParseOptions = ParseOptions { vxlan_port: 0, geneve_port: 53, tunnel_depth_max: 2 };

const FRAME_LEN_MAX: usize = 65_535;

/// Parses `frame` as Ethernet in every way there is.
pub fn check_ethernet(frame: &[u8]) {
    for options in [ParseOptions::default(), OTHER_OPTIONS] {
        let parsed = Packet::parse_ethernet(frame, &options);
        let mut dirty = dirty_packet();
        let assigned = dirty.assign_ethernet(frame, &options);
        assert_eq!(parsed, assigned.map(|()| dirty), "parsing in place says something else");
        assert_same_inside_gre(frame, parsed, &options);
        // Also of a malformed frame, whose tenant must be known to count it.
        let tags = Packet::vlan_tags(frame);
        if let Ok(packet) = parsed {
            assert_eq!(packet.depth, 0);
            assert_eq!(packet.vlans, tags);
            check_stack(packet, frame, &options);
        }
    }
}

/// Parses `bytes` as an IP packet in every way there is.
pub fn check_ip(bytes: &[u8]) {
    let options = ParseOptions::default();
    let parsed = Packet::parse_ip(bytes, &options);
    if let Ok(packet) = parsed {
        check_stack(packet, bytes, &options);
    }
    let ethertype = match bytes.first().map(|first| first >> 4) {
        Some(4) => [0x08, 0x00],
        Some(6) => [0x86, 0xdd],
        _ => {
            assert!(parsed.is_err());
            return;
        }
    };
    if bytes.len() + 14 <= FRAME_LEN_MAX {
        let frame = [&[0; 12][..], &ethertype, bytes].concat();
        let in_frame = Packet::parse_ethernet(&frame, &options);
        assert_eq!(in_frame, parsed.map(|packet| moved(packet, 14)), "in a frame it is another packet");
    }
}

/// A packet that has something in every field.
fn dirty_packet() -> Packet {
    let frame = [
        &[0; 12][..],
        &[0x81, 0, 0x01, 0x23, 0x08, 0],
        &[0x45, 0, 0, 40, 0, 0, 0, 0, 9, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0x11; 12],
        &[0x50; 8],
    ]
    .concat();
    let mut packet = Packet::parse_ethernet(&frame, &ParseOptions::default()).expect("it is well-formed");
    packet.inner_vlans = packet.vlans;
    packet.icmp = Icmp { icmp_type: 1, code: 1 };
    packet.fragment = Some(wire::Fragment { id: 1, offset: 8, more: true });
    packet.encapsulation = Some(Encapsulation::IpInIp);
    packet.depth = 3;
    packet
}

/// The packet as it is when the slice has `by` bytes more in front.
fn moved(packet: Packet, by: u16) -> Packet {
    Packet {
        l3_offset: packet.l3_offset + by,
        l4_offset: packet.l4_offset + by,
        payload_offset: packet.payload_offset + by,
        ..packet
    }
}

/// The same frame inside a GRE tunnel goes through the general walk only, which must say what the straight line said.
fn assert_same_inside_gre(frame: &[u8], parsed: Result<Packet, Malformed>, options: &ParseOptions) {
    const OUTER_LEN: usize = 14 + 20 + 4;
    let total_len = frame.len() + OUTER_LEN - 14;
    if frame.len() + OUTER_LEN > FRAME_LEN_MAX {
        return;
    }
    let [high, low] = (total_len as u16).to_be_bytes();
    let tunnel = [
        &[0; 12][..],
        &[0x08, 0x00],
        &[0x45, 0, high, low, 0, 0, 0, 0, 9, 47, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8],
        &[0, 0, 0x65, 0x58],
        frame,
    ]
    .concat();
    let outer = Packet::parse_ethernet(&tunnel, options).expect("the outer headers are well-formed");
    assert_eq!(outer.encapsulation, Some(Encapsulation::Gre));
    let inside = outer.descend(&tunnel, options).map(|packet| {
        // An Ethernet header inside the frame itself (pseudowire, NSH) replaces the inner tags in both.
        if let Ok(direct) = parsed {
            let tags = if direct.inner_vlans == Vlans::default() { direct.vlans } else { direct.inner_vlans };
            assert!(packet.inner_vlans == tags || packet.inner_vlans == direct.inner_vlans);
            Packet { depth: 0, vlans: direct.vlans, inner_vlans: direct.inner_vlans, ..packet }
        } else {
            packet
        }
    });
    assert_eq!(inside, parsed.map(|packet| moved(packet, OUTER_LEN as u16)), "inside GRE it is another");
}

/// Checks a packet, its tunnels, and everything that can be asked of each.
fn check_stack(packet: Packet, frame: &[u8], options: &ParseOptions) {
    check_packet(&packet, frame);
    let mut deepest = packet;
    let mut descents = 0;
    while deepest.encapsulation.is_some() {
        let Ok(inside) = deepest.descend(frame, options) else { break };
        descents += 1;
        assert_eq!(inside.depth, packet.depth + descents);
        assert!(inside.depth <= options.tunnel_depth_max);
        assert_eq!(inside.vlans, packet.vlans, "a tunnel must not change whose frame it is");
        assert!(inside.l3_offset >= deepest.payload_offset, "the inside is inside");
        check_packet(&inside, frame);
        deepest = inside;
    }
    if let Ok(innermost) = packet.innermost(frame, options) {
        check_packet(&innermost, frame);
        assert!(innermost.depth <= deepest.depth);
        assert_eq!(innermost.vlans, packet.vlans);
        assert!(innermost == packet || matches!(innermost.l3, L3::Ipv4 | L3::Ipv6));
    }
}

fn check_packet(packet: &Packet, frame: &[u8]) {
    assert!(packet.l3_offset <= packet.l4_offset && packet.l4_offset <= packet.payload_offset);
    let end = usize::from(packet.payload_offset) + usize::from(packet.payload_len);
    assert!(end <= frame.len(), "the payload ends at {end} of {}", frame.len());
    assert_eq!(packet.payload(frame).len(), usize::from(packet.payload_len));
    let header_len = usize::from(packet.payload_offset - packet.l4_offset);
    assert_eq!(packet.transport_header(frame).len(), header_len);

    let ip_version = match packet.l3 {
        L3::Ipv4 => 4,
        L3::Ipv6 => 6,
        L3::Arp | L3::Other => 0,
    };
    assert_eq!(packet.tuple.ip_version, ip_version);
    let ip_end = packet.ip_packet(frame).map(|ip| usize::from(packet.l3_offset) + ip.len());
    assert_eq!(ip_end.is_some(), ip_version != 0);
    assert!(ip_end.is_none_or(|ip_end| end <= ip_end), "the payload ends with the IP packet");
    if packet.l4 != L4::Udp {
        assert!(ip_end.is_none_or(|ip_end| end == ip_end), "all of the IP packet is payload");
    }

    let (protocol, transport_header_len) = match packet.l4 {
        L4::Tcp => (6, 20..=60),
        L4::Udp => (17, 8..=8),
        L4::Sctp => (132, 12..=12),
        L4::Icmp => (1, 8..=8),
        L4::Icmpv6 => (58, 8..=8),
        L4::Other => (packet.tuple.protocol, 0..=0),
    };
    assert_eq!(packet.tuple.protocol, protocol);
    assert!(transport_header_len.contains(&header_len), "{:?} header of {header_len}", packet.l4);
    assert!(packet.l4 == L4::Tcp || packet.tcp == Tcp::default());
    let is_icmp = matches!(packet.l4, L4::Icmp | L4::Icmpv6);
    assert!(is_icmp || packet.icmp == Icmp::default());
    if packet.l4 == L4::Other {
        assert_eq!((packet.tuple.src_port, packet.tuple.dst_port), (0, 0));
    }
    if packet.fragment.is_some() {
        assert_eq!((packet.l4, packet.encapsulation), (L4::Other, None));
    }
    assert!(packet.vlans.count <= 2 && packet.inner_vlans.count <= 2);
    assert!(packet.vlans.vids.iter().chain(&packet.inner_vlans.vids).all(|vid| *vid < 4096));
    assert_eq!(packet.tuple.reversed().reversed(), packet.tuple);

    if let Some(error) = packet.icmp_error(frame) {
        assert!(is_icmp);
        assert_eq!(error.quoted.ip_version, ip_version);
    }
    // Whatever they find, they must find it without reading past the end.
    let _ = (packet.verify_ipv4_checksum(frame), packet.verify_transport_checksum(frame));
}
