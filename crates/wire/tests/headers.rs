//! Each header type on its own: what it says must be what the packet says.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::frames::{self, ethernet, ipv4, ipv6, tag, tcp, udp};
use wire::{Addr, Encapsulation, Fragment, Icmp, L3, L4, NTuple, Packet, ParseOptions, Tcp, Vlans};

fn parse(frame: &[u8]) -> Packet {
    Packet::parse_ethernet(frame, &ParseOptions::default()).unwrap()
}

fn innermost(frame: &[u8]) -> Packet {
    parse(frame).innermost(frame, &ParseOptions::default()).unwrap()
}

fn sample(name: &str) -> Vec<u8> {
    frames::samples().into_iter().find(|(known, _)| *known == name).unwrap().1
}

/// The n-tuple of the hand-made IPv4 packets.
fn v4(protocol: u8, src_port: u16, dst_port: u16) -> NTuple {
    let (src, dst) = (Addr::v4(frames::V4_SRC), Addr::v4(frames::V4_DST));
    NTuple { src, dst, src_port, dst_port, protocol, ip_version: 4 }
}

/// The n-tuple of the hand-made IPv6 packets.
fn v6(protocol: u8, src_port: u16, dst_port: u16) -> NTuple {
    let (src, dst) = (Addr(frames::V6_SRC), Addr(frames::V6_DST));
    NTuple { src, dst, src_port, dst_port, protocol, ip_version: 6 }
}

const ONE_TAG: Vlans = Vlans { vids: [77, 0], count: 1 };

#[test]
fn ipv4_and_tcp() {
    let frame = sample("ipv4_tcp");
    assert_eq!(
        parse(&frame),
        Packet {
            tuple: v4(6, 40000, 443),
            ethertype: 0x0800,
            l3: L3::Ipv4,
            l4: L4::Tcp,
            ttl: 63,
            l3_offset: 14,
            l4_offset: 34,
            payload_offset: 58,
            payload_len: 12,
            tcp: Tcp { seq: 0x0102_0304, ack: 0x0506_0708, window: 0x2040, flags: 0x18 },
            ..Packet::default()
        }
    );
    let packet = parse(&frame);
    assert_eq!(packet.payload(&frame), b"some payload");
    assert_eq!(packet.transport_header(&frame)[20..], [2, 4, 5, 0xb4]);
    assert_eq!(packet.ip_packet(&frame), Some(&frame[14..]));
}

#[test]
fn ipv6_and_udp() {
    let frame = sample("ipv6_udp");
    assert_eq!(
        parse(&frame),
        Packet {
            tuple: v6(17, 5353, 53),
            ethertype: 0x86dd,
            l3: L3::Ipv6,
            l4: L4::Udp,
            ttl: 64,
            l3_offset: 14,
            l4_offset: 54,
            payload_offset: 62,
            payload_len: 12,
            ..Packet::default()
        }
    );
}

#[test]
fn padding_is_no_payload() {
    let frame = sample("ipv4_udp_padded");
    assert_eq!(parse(&frame).payload(&frame), b"x");
    let frame = [&ethernet(0x0806, &frames::arp())[..], &[0; 18]].concat();
    assert_eq!(parse(&frame).payload_len, 28);
}

#[test]
fn bytes_behind_the_udp_length_are_no_payload() {
    let mut datagram = udp(1, 2, b"payload and surplus");
    datagram[5] = 8 + 7;
    for frame in [ethernet(0x0800, &ipv4(17, &datagram)), ethernet(0x86dd, &ipv6(17, &datagram))] {
        let packet = parse(&frame);
        assert_eq!(packet.payload(&frame), b"payload");
        assert_eq!(packet.ip_packet(&frame), Some(&frame[14..]));
    }
}

#[test]
fn ipv4_options_are_skipped() {
    let packet = parse(&sample("ipv4_options"));
    assert_eq!((packet.l4_offset, packet.payload_offset), (38, 46));
    assert_eq!(packet.tuple, v4(17, 5353, 53));
}

#[test]
fn fragments() {
    let first = parse(&sample("ipv4_first_fragment"));
    assert_eq!(first.fragment, Some(Fragment { id: 0x1234, offset: 0, more: true }));
    assert_eq!((first.tuple, first.l4), (v4(17, 0, 0), L4::Other));
    assert_eq!((first.l4_offset, first.payload_offset, first.payload_len), (34, 34, 16));
    let last = parse(&sample("ipv4_last_fragment"));
    assert_eq!(last.fragment, Some(Fragment { id: 0x1234, offset: 16, more: false }));
    let v6_fragment = parse(&sample("ipv6_fragment"));
    assert_eq!(v6_fragment.fragment, Some(Fragment { id: 0xcafe_babe, offset: 16, more: true }));
    assert_eq!((v6_fragment.tuple, v6_fragment.payload_len), (v6(17, 0, 0), 24));
    assert_eq!(v6_fragment.payload_offset, 14 + 40 + 8 + 8);
}

#[test]
fn a_tunnel_in_a_fragment_waits_for_reassembly() {
    let inside = frames::gre(0, 0x0800, &ipv4(17, &udp(1, 2, b"x")));
    let frame = ethernet(0x0800, &frames::ipv4_with(47, 0x2000, &[], &inside));
    assert_eq!(parse(&frame).encapsulation, None);
}

#[test]
fn ipv6_extension_headers_are_walked() {
    let packet = parse(&sample("ipv6_extensions"));
    assert_eq!((packet.tuple, packet.l4), (v6(6, 40000, 443), L4::Tcp));
    // Hop-by-hop 8, destination options 16, routing 24, atomic fragment 8, authentication 24, mobility 8.
    assert_eq!(packet.l4_offset, 14 + 40 + 8 + 16 + 24 + 8 + 24 + 8);
    assert_eq!((packet.payload_len, packet.fragment), (12, None));
    for next in [0, 43, 60, 135, 139, 140] {
        let packet = parse(&ethernet(0x86dd, &ipv6(next, &frames::extension(17, 3, &udp(7, 8, b"")))));
        assert_eq!((packet.tuple, packet.l4_offset), (v6(17, 7, 8), 14 + 40 + 32));
    }
}

#[test]
fn ipv6_ends_where_nothing_can_be_read() {
    let esp = parse(&sample("ipv6_esp"));
    assert_eq!((esp.tuple, esp.l4, esp.payload_len), (v6(50, 0, 0), L4::Other, 32));
    let none = parse(&sample("ipv6_none"));
    assert_eq!((none.tuple, none.l4, none.payload_len), (v6(59, 0, 0), L4::Other, 0));
}

#[test]
fn extension_headers_are_counted() {
    let chain = |headers: usize| {
        let bytes = (0..headers)
            .fold((17, udp(1, 2, b"")), |(next, rest), _| (60, frames::extension(next, 0, &rest)));
        ethernet(0x86dd, &ipv6(bytes.0, &bytes.1))
    };
    assert_eq!(parse(&chain(199)).tuple, v6(17, 1, 2));
    let too_many = Packet::parse_ethernet(&chain(200), &ParseOptions::default());
    assert_eq!(too_many, Err(wire::Malformed::Ipv6ExtensionsTooMany));
}

#[test]
fn authentication_header_of_ipv4() {
    let packet = parse(&sample("ipv4_ah"));
    assert_eq!((packet.tuple, packet.l4_offset), (v4(6, 40000, 443), 14 + 20 + 24));
    // An IPv6 extension header number in IPv4 is just a protocol.
    let inside = frames::authentication(60, &frames::extension(17, 0, &udp(1, 2, b"")));
    let packet = parse(&ethernet(0x0800, &ipv4(51, &inside)));
    assert_eq!((packet.tuple, packet.l4), (v4(60, 0, 0), L4::Other));
}

#[test]
fn icmp_stands_for_ports() {
    let echo = parse(&sample("icmp_echo"));
    assert_eq!((echo.tuple, echo.l4, echo.payload_len), (v4(1, 8, 0), L4::Icmp, 12));
    let reply = parse(&ethernet(0x0800, &ipv4(1, &frames::icmp(0, 0, &[]))));
    assert_eq!((reply.tuple.src_port, reply.tuple.dst_port), (0, 8));
    let unreachable = parse(&sample("icmp_unreachable"));
    assert_eq!(unreachable.tuple, v4(1, 3, 3));
    assert_eq!(unreachable.icmp, Icmp { icmp_type: 3, code: 3 });
    let solicitation = parse(&sample("icmpv6_solicitation"));
    assert_eq!((solicitation.tuple, solicitation.l4), (v6(58, 135, 136), L4::Icmpv6));
    // Each of the two only exists over its own IP version.
    let crossed = parse(&ethernet(0x0800, &ipv4(58, &frames::icmp(135, 0, &[]))));
    assert_eq!((crossed.tuple, crossed.l4, crossed.icmp), (v4(58, 0, 0), L4::Other, Icmp::default()));
    let crossed = parse(&ethernet(0x86dd, &ipv6(1, &frames::icmp(8, 0, &[]))));
    assert_eq!((crossed.tuple, crossed.l4), (v6(1, 0, 0), L4::Other));
}

#[test]
fn counterparts_are_mutual() {
    let mut pairs = 0;
    for counterpart in [wire::icmp::counterpart_v4, wire::icmp::counterpart_v6] {
        for icmp_type in 0..=255 {
            if let Some(other) = counterpart(icmp_type) {
                assert_eq!(counterpart(other), Some(icmp_type));
                assert_ne!(other, icmp_type);
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 22);
}

#[test]
fn icmp_errors_name_the_flow() {
    let frame = sample("icmp_unreachable");
    assert_eq!(parse(&frame).icmp_error(&frame).unwrap().quoted, v4(17, 5353, 53));
    let frame = sample("icmpv6_too_big");
    assert_eq!(parse(&frame).icmp_error(&frame).unwrap().quoted, v6(17, 5353, 53));
    let quoted = |quote: &[u8]| {
        let frame = ethernet(0x0800, &ipv4(1, &frames::icmp(11, 0, quote)));
        parse(&frame).icmp_error(&frame).map(|error| error.quoted)
    };
    let whole = frames::ipv4_with(6, 0, &[1, 1, 1, 1], &tcp(9, 10, 2, &[], b""));
    // Four bytes behind the options are enough for the ports; less name no flow.
    for len in 0..whole.len() {
        assert_eq!(quoted(&whole[..len]), (len >= 28).then(|| v4(6, 9, 10)), "quote of {len}");
    }
    assert_eq!(quoted(&ipv4(1, &frames::icmp(8, 0, &[]))), Some(v4(1, 8, 0)));
    assert_eq!(quoted(&frames::ipv4_with(17, 0x0020, &[], b"")), Some(v4(17, 0, 0)));
    assert_eq!(quoted(&ipv4(89, b"")), Some(v4(89, 0, 0)));
    assert_eq!(quoted(&ipv6(17, &udp(1, 2, b""))), None, "IPv6 in an error of IPv4");

    let quoted = |quote: &[u8]| {
        let frame = ethernet(0x86dd, &ipv6(58, &frames::icmp(1, 4, quote)));
        parse(&frame).icmp_error(&frame).map(|error| error.quoted)
    };
    let fragmented = ipv6(0, &frames::extension(44, 0, &frames::fragment(17, 8, false, b"")));
    assert_eq!(quoted(&fragmented), Some(v6(17, 0, 0)));
    let first = ipv6(51, &frames::authentication(44, &frames::fragment(58, 0, true, &[128, 0])));
    assert_eq!(quoted(&first), Some(v6(58, 128, 129)));
    let echo = sample("icmp_echo");
    assert_eq!(parse(&echo).icmp_error(&echo), None, "an echo is no error");
}

#[test]
fn sctp_and_others() {
    let packet = parse(&sample("sctp"));
    assert_eq!((packet.tuple, packet.l4, packet.payload_len), (v4(132, 2905, 2906), L4::Sctp, 12));
    for (name, protocol) in [("udp_lite", 136), ("ipv4_ospf", 89), ("ipv4_esp", 50)] {
        let packet = parse(&sample(name));
        assert_eq!((packet.tuple, packet.l4), (v4(protocol, 0, 0), L4::Other));
        assert_eq!(packet.payload_offset, packet.l4_offset);
    }
}

#[test]
fn not_ip() {
    let arp = parse(&sample("arp"));
    assert_eq!((arp.l3, arp.ethertype, arp.tuple), (L3::Arp, 0x0806, NTuple::default()));
    let llc = parse(&sample("llc"));
    assert_eq!((llc.l3, llc.ethertype, llc.payload_offset, llc.payload_len), (L3::Other, 38, 14, 6));
    assert_eq!(parse(&sample("lldp")).ethertype, 0x88cc);
    let lcp = parse(&sample("pppoe_lcp"));
    assert_eq!((lcp.l3, lcp.tuple), (L3::Other, NTuple::default()));
}

#[test]
fn vlan_tags() {
    let tags = |name: &str| parse(&sample(name)).vlans;
    assert_eq!(tags("vlan_ipv4_tcp"), Vlans { vids: [101, 0], count: 1 });
    assert_eq!(tags("vlan_ipv6_udp"), Vlans { vids: [101, 0], count: 1 });
    assert_eq!(tags("vlan_arp"), Vlans { vids: [101, 0], count: 1 });
    assert_eq!(tags("qinq"), Vlans { vids: [11, 12], count: 2 });
    assert_eq!(tags("three_tags"), Vlans { vids: [11, 12], count: 2 });
    assert_eq!(parse(&sample("three_tags")).tuple, v6(17, 5353, 53));
    for (frame, offset) in [(sample("vlan_ipv4_tcp"), 18), (sample("qinq"), 22)] {
        let packet = parse(&frame);
        assert_eq!((packet.l3_offset, packet.tuple), (offset, v4(6, 40000, 443)));
        assert_eq!(packet.payload(&frame), b"some payload");
        assert_eq!(packet.inner_vlans, Vlans::default());
    }
    let only_priority = ethernet(0x8100, &tag(0, 0x0800, &ipv4(17, &udp(1, 2, b""))));
    assert_eq!(parse(&only_priority).vlans, Vlans { vids: [0, 0], count: 1 });
}

#[test]
fn link_layers_in_front_of_ip() {
    for (name, tuple, l3_offset) in [
        ("mpls_ipv4", v4(6, 40000, 443), 14 + 12),
        ("mpls_ipv6", v6(17, 5353, 53), 14 + 4),
        ("mpls_pseudowire", v4(6, 40000, 443), 14 + 4 + 4 + 18),
        ("pppoe_ipv4", v4(6, 40000, 443), 14 + 8),
        ("pppoe_ipv6", v6(17, 5353, 53), 18 + 8),
        ("nsh_ethernet", v4(6, 40000, 443), 14 + 24 + 18),
    ] {
        let frame = sample(name);
        let packet = parse(&frame);
        assert_eq!((packet.tuple, packet.l3_offset, packet.depth), (tuple, l3_offset, 0), "{name}");
        assert_eq!(packet.payload(&frame), b"some payload", "{name}");
    }
    assert_eq!(parse(&sample("mpls_unknown")).ethertype, 0x8847);
    // The tags of an Ethernet header behind labels are not the frame's own.
    let packet = parse(&sample("mpls_pseudowire"));
    assert_eq!((packet.vlans, packet.inner_vlans), (Vlans::default(), ONE_TAG));
    assert_eq!(parse(&sample("pppoe_ipv6")).vlans, Vlans { vids: [9, 0], count: 1 });
}

#[test]
fn tunnels_are_seen_and_entered() {
    let (tcp_v4, udp_v6) = (v4(6, 40000, 443), v6(17, 5353, 53));
    let (gre, ip) = (Encapsulation::Gre, Encapsulation::IpInIp);
    for (name, encapsulation, tuple, inner_vlans, depth) in [
        ("gre_ipv4", gre, tcp_v4, Vlans::default(), 1),
        ("gre_all_fields_ipv6", gre, udp_v6, Vlans::default(), 1),
        ("gre_ethernet", gre, tcp_v4, ONE_TAG, 1),
        ("gre_nsh", gre, tcp_v4, Vlans::default(), 1),
        ("gre_mpls", gre, udp_v6, Vlans::default(), 1),
        ("pptp", gre, tcp_v4, Vlans::default(), 1),
        ("pptp_compressed", gre, udp_v6, Vlans::default(), 1),
        ("erspan_i", gre, tcp_v4, ONE_TAG, 1),
        ("erspan_ii", gre, tcp_v4, ONE_TAG, 1),
        ("erspan_iii", gre, tcp_v4, ONE_TAG, 1),
        ("erspan_iii_subheader", gre, tcp_v4, ONE_TAG, 1),
        ("gre_over_ipv6", gre, tcp_v4, Vlans::default(), 1),
        ("vxlan", Encapsulation::Vxlan, tcp_v4, ONE_TAG, 1),
        ("vxlan_gpe", Encapsulation::Vxlan, udp_v6, Vlans::default(), 1),
        ("geneve", Encapsulation::Geneve, tcp_v4, ONE_TAG, 1),
        ("geneve_ipv6", Encapsulation::Geneve, udp_v6, Vlans::default(), 1),
        ("ipv4_in_ipv4", ip, tcp_v4, Vlans::default(), 1),
        ("ipv6_in_ipv4", ip, udp_v6, Vlans::default(), 1),
        ("ipv4_in_ipv6", ip, tcp_v4, Vlans::default(), 1),
        ("ipv6_in_ipv6", ip, udp_v6, Vlans::default(), 1),
        ("tunnel_in_tunnel", gre, tcp_v4, Vlans::default(), 3),
    ] {
        let frame = sample(name);
        let outer = parse(&frame);
        assert_eq!((outer.encapsulation, outer.depth), (Some(encapsulation), 0), "{name}");
        let inner = innermost(&frame);
        assert_eq!((inner.tuple, inner.depth, inner.encapsulation), (tuple, depth, None), "{name}");
        assert_eq!(inner.inner_vlans, inner_vlans, "{name}");
        assert_eq!(inner.vlans, outer.vlans, "{name}");
        assert_eq!(inner.payload(&frame), b"some payload", "{name}");
    }
    assert_eq!(innermost(&sample("vxlan")).vlans, Vlans { vids: [5, 0], count: 1 });
}

#[test]
fn what_is_no_tunnel_counts_as_itself() {
    for (name, encapsulation) in [
        ("not_vxlan", Some(Encapsulation::Vxlan)),
        ("not_geneve", Some(Encapsulation::Geneve)),
        ("gre_keepalive", None),
        ("pptp_acknowledgement", None),
        ("gre_arp_in_ethernet", Some(Encapsulation::Gre)),
    ] {
        let frame = sample(name);
        let outer = parse(&frame);
        assert_eq!(outer.encapsulation, encapsulation, "{name}");
        assert_eq!(innermost(&frame), outer, "{name}");
    }
    // A tunnel by port whose inside is cut off is somebody else's datagram, one by protocol number is malformed.
    let inside = &ethernet(0x0800, &ipv4(17, &udp(1, 2, b"x")))[..30];
    let frame = ethernet(0x0800, &ipv4(17, &udp(1, 4789, &frames::vxlan(inside))));
    assert_eq!(innermost(&frame), parse(&frame));
    let frame = ethernet(0x0800, &ipv4(47, &frames::gre(0, 0x6558, inside)));
    let refused = parse(&frame).innermost(&frame, &ParseOptions::default());
    assert_eq!(refused, Err(wire::Malformed::Ipv4HeaderTruncated));
    // The source port says nothing.
    assert_eq!(parse(&ethernet(0x0800, &ipv4(17, &udp(4789, 1, b"")))).encapsulation, None);
}

#[test]
fn tunnel_ports_are_options() {
    let options = ParseOptions { vxlan_port: 8472, geneve_port: 1, ..ParseOptions::default() };
    let inside = frames::vxlan(&ethernet(0x0800, &ipv4(17, &udp(1, 2, b"x"))));
    for (port, encapsulation) in [(8472, Some(Encapsulation::Vxlan)), (4789, None), (6081, None)] {
        let frame = ethernet(0x0800, &ipv4(17, &udp(9, port, &inside)));
        let packet = Packet::parse_ethernet(&frame, &options).unwrap();
        assert_eq!(packet.encapsulation, encapsulation);
        let expected = if encapsulation.is_some() { v4(17, 1, 2) } else { v4(17, 9, port) };
        assert_eq!(packet.innermost(&frame, &options).unwrap().tuple, expected);
    }
}

#[test]
fn raw_ip_has_the_same_packet_without_the_link() {
    for name in ["ipv4_tcp", "ipv6_udp", "ipv6_extensions", "icmp_echo", "ipv4_first_fragment"] {
        let frame = sample(name);
        let in_frame = parse(&frame);
        let raw = Packet::parse_ip(&frame[14..], &ParseOptions::default()).unwrap();
        assert_eq!((raw.tuple, raw.l3, raw.ethertype), (in_frame.tuple, in_frame.l3, in_frame.ethertype));
        assert_eq!((raw.l3_offset, raw.payload_offset), (0, in_frame.payload_offset - 14));
        assert_eq!(raw.payload(&frame[14..]), in_frame.payload(&frame));
    }
}
