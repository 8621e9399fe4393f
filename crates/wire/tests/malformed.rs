//! One frame for every reason to refuse one, and the edge on the other side of it where there is one.

mod common;

use common::frames::{self, ethernet, ipv4, ipv6, tag, tcp, udp};
use wire::{Malformed, Packet, ParseOptions};

/// What parsing the frame and then its tunnels says.
fn reason(frame: &[u8]) -> Option<Malformed> {
    let options = ParseOptions::default();
    Packet::parse_ethernet(frame, &options).and_then(|packet| packet.innermost(frame, &options)).err()
}

/// The bytes with some of them replaced.
fn edited(mut bytes: Vec<u8>, edits: &[(usize, u8)]) -> Vec<u8> {
    for (at, value) in edits {
        bytes[*at] = *value;
    }
    bytes
}

fn cases() -> Vec<(Malformed, Vec<u8>)> {
    use Malformed as M;
    let datagram = udp(1, 2, b"payload");
    let v4 = ipv4(17, &datagram);
    let v6 = ipv6(17, &datagram);
    let in_v4 = |protocol, payload: &[u8]| ethernet(0x0800, &ipv4(protocol, payload));
    let in_v6 = |next, payload: &[u8]| ethernet(0x86dd, &ipv6(next, payload));
    let gre = |bytes: &[u8]| in_v4(47, bytes);
    let v4_edited = |edits: &[(usize, u8)]| ethernet(0x0800, &edited(v4.clone(), edits));
    let v4_options = |options: &[u8]| ethernet(0x0800, &frames::ipv4_with(17, 0, options, &datagram));
    let pseudowires = (0..8).fold(ethernet(0x0800, &v4), |frame, _| {
        let inside = [&[0; 4][..], &frame].concat();
        ethernet(0x8847, &frames::mpls(&[3], &inside))
    });
    vec![
        (M::FrameTooLong, vec![0; 65_536]),
        (M::EthernetHeaderTruncated, vec![0; 13]),
        (M::EthernetHeaderTruncated, ethernet(0x8847, &frames::mpls(&[3], &[0; 17]))),
        (M::VlanHeaderTruncated, ethernet(0x8100, &[0, 1, 8])),
        (M::VlanHeaderTruncated, ethernet(0x88a8, &tag(1, 0x8100, &[0, 1, 8]))),
        (
            M::VlanTagsTooMany,
            ethernet(0x8100, &tag(1, 0x8100, &tag(2, 0x8100, &tag(3, 0x8100, &tag(4, 0x0800, &v4))))),
        ),
        (M::LinkHeadersTooMany, pseudowires),
        (M::MplsStackTruncated, ethernet(0x8847, &frames::mpls(&[3], &[]))),
        (M::MplsStackTruncated, ethernet(0x8847, &[0, 1, 0x00, 64, 0, 1])),
        (M::MplsLabelsTooMany, ethernet(0x8847, &frames::mpls(&[3; 17], &v4))),
        (M::PppoeHeaderTruncated, ethernet(0x8864, &[0x11, 0, 0, 1, 0])),
        (M::PppoeHeaderInvalid, ethernet(0x8864, &edited(frames::pppoe(0x21, &v4), &[(0, 0x21)]))),
        (M::PppoeHeaderInvalid, ethernet(0x8864, &edited(frames::pppoe(0x21, &v4), &[(1, 0xa7)]))),
        (M::PppoeLengthInvalid, ethernet(0x8864, &edited(frames::pppoe(0x21, &v4), &[(5, 0xff)]))),
        (M::PppHeaderTruncated, ethernet(0x8864, &[0x11, 0, 0, 1, 0, 1, 0])),
        (M::NshHeaderTruncated, ethernet(0x894f, &frames::nsh(1, &[])[..23])),
        (M::NshHeaderTruncated, ethernet(0x894f, &[0x0f, 0xc6, 1])),
        (M::NshHeaderInvalid, ethernet(0x894f, &edited(frames::nsh(1, &v4), &[(0, 0x4f)]))),
        (M::NshHeaderInvalid, ethernet(0x894f, &edited(frames::nsh(1, &v4), &[(1, 0xc5)]))),
        (M::NshHeaderInvalid, ethernet(0x894f, &edited(frames::nsh(1, &v4), &[(2, 0)]))),
        (M::NshHeaderInvalid, ethernet(0x894f, &edited(frames::nsh(1, &v4), &[(1, 0xc1), (2, 2)]))),
        (M::ArpTruncated, ethernet(0x0806, &frames::arp()[..27])),
        (M::ArpTruncated, ethernet(0x0806, &frames::arp()[..7])),
        (M::Ipv4HeaderTruncated, ethernet(0x0800, &v4[..19])),
        (M::Ipv4VersionInvalid, v4_edited(&[(0, 0x65)])),
        (M::Ipv4VersionInvalid, gre(&frames::gre(0, 0x0800, &v6))),
        (M::Ipv4HeaderLengthInvalid, v4_edited(&[(0, 0x44)])),
        (M::Ipv4OptionsInvalid, v4_options(&[0x83, 1, 4, 0])),
        (M::Ipv4OptionsInvalid, v4_options(&[0x83, 5, 4, 0])),
        (M::Ipv4OptionsInvalid, v4_options(&[1, 1, 1, 0x83])),
        (M::Ipv4TotalLengthInvalid, v4_edited(&[(3, 19)])),
        (M::Ipv4TotalLengthInvalid, v4_edited(&[(0, 0x46), (3, 23)])),
        (M::Ipv4PacketTruncated, v4_edited(&[(3, 36)])),
        (M::Ipv6HeaderTruncated, ethernet(0x86dd, &v6[..39])),
        (M::Ipv6VersionInvalid, ethernet(0x86dd, &v4.repeat(3))),
        (M::Ipv6PacketTruncated, ethernet(0x86dd, &edited(v6.clone(), &[(5, 16)]))),
        (M::Ipv6ExtensionTruncated, in_v6(0, &frames::extension(17, 0, &[])[..7])),
        (M::Ipv6ExtensionTruncated, in_v6(60, &edited(frames::extension(17, 0, &datagram), &[(1, 2)]))),
        (M::Ipv6ExtensionTruncated, in_v6(44, &frames::fragment(17, 0, false, &[])[..7])),
        (M::Ipv6ExtensionTruncated, in_v6(43, &[])),
        (M::Ipv6FragmentLengthInvalid, in_v6(44, &frames::fragment(17, 0, true, &[0; 12]))),
        (M::AuthenticationHeaderInvalid, in_v6(51, &frames::authentication(17, &[])[..23])),
        (M::AuthenticationHeaderInvalid, in_v6(51, &edited(frames::authentication(17, &v4), &[(1, 0)]))),
        (M::AuthenticationHeaderInvalid, in_v4(51, &[17])),
        (M::EspHeaderTruncated, in_v4(50, &[0; 7])),
        (M::EspHeaderTruncated, in_v6(50, &[0; 7])),
        (M::TcpHeaderTruncated, in_v4(6, &tcp(1, 2, 0, &[], b"")[..19])),
        (M::TcpHeaderTruncated, in_v6(6, &tcp(1, 2, 0, &[], b"")[..19])),
        (M::TcpDataOffsetInvalid, in_v4(6, &edited(tcp(1, 2, 0, &[], b"data"), &[(12, 0x40)]))),
        (M::TcpOptionsTruncated, in_v4(6, &edited(tcp(1, 2, 0, &[], b"dat"), &[(12, 0x60)]))),
        (M::UdpHeaderTruncated, in_v4(17, &datagram[..7])),
        (M::UdpLengthInvalid, in_v4(17, &edited(datagram.clone(), &[(5, 7)]))),
        (M::UdpLengthInvalid, in_v6(17, &edited(datagram.clone(), &[(5, 0)]))),
        (M::UdpPacketTruncated, in_v6(17, &edited(datagram.clone(), &[(5, 16)]))),
        (M::SctpHeaderTruncated, in_v4(132, &frames::sctp(1, 2, &[])[..11])),
        (M::IcmpHeaderTruncated, in_v4(1, &frames::icmp(8, 0, &[])[..7])),
        (M::Icmpv6HeaderTruncated, in_v6(58, &frames::icmp(128, 0, &[])[..7])),
        (M::GreHeaderTruncated, gre(&[0, 0, 8])),
        (M::GreHeaderTruncated, gre(&frames::gre(0xb000, 0x0800, &[])[..15])),
        (M::GreHeaderTruncated, gre(&frames::gre(0x3081, 0x880b, &[])[..15])),
        (M::GreHeaderInvalid, gre(&frames::gre(0x0002, 0x0800, &v4))),
        (M::GreHeaderInvalid, gre(&frames::gre(0x4000, 0x0800, &v4))),
        (M::GreHeaderInvalid, gre(&frames::gre(0x2001, 0x0800, &v4))),
        (M::GreHeaderInvalid, gre(&frames::gre(0x0001, 0x880b, &v4))),
        (M::ErspanHeaderTruncated, gre(&frames::gre(0x1000, 0x88be, &[0x10; 7]))),
        (M::ErspanHeaderTruncated, gre(&frames::gre(0x1000, 0x22eb, &[0x20; 11]))),
        (M::ErspanHeaderInvalid, gre(&frames::gre(0x1000, 0x88be, &[0x20; 30]))),
        (M::ErspanHeaderInvalid, gre(&frames::gre(0x1000, 0x22eb, &[0x10; 30]))),
        (M::TunnelsTooDeep, (0..5).fold(v4.clone(), |inside, _| ipv4(4, &inside)).into_frame()),
        (
            M::TunnelsTooDeep,
            (0..5).fold(ethernet(0x0800, &v4), |inside, _| in_v4(17, &udp(1, 4789, &frames::vxlan(&inside)))),
        ),
    ]
}

trait IntoFrame {
    fn into_frame(self) -> Vec<u8>;
}

impl IntoFrame for Vec<u8> {
    fn into_frame(self) -> Vec<u8> {
        ethernet(0x0800, &self)
    }
}

#[test]
fn every_reason_has_its_frame() {
    let options = ParseOptions::default();
    let mut seen: Vec<Malformed> = Vec::new();
    for (number, (expected, frame)) in cases().into_iter().enumerate() {
        assert_eq!(reason(&frame), Some(expected), "case {number}");
        common::invariants::check_ethernet(&frame);
        seen.push(expected);
    }
    // These two are told by `descend`; `innermost` takes them for somebody else's UDP packets.
    for (expected, port) in [(Malformed::VxlanHeaderInvalid, 4789), (Malformed::GeneveHeaderInvalid, 6081)] {
        let frame = ethernet(0x0800, &ipv4(17, &udp(1, port, b"\xffnone of it")));
        let packet = Packet::parse_ethernet(&frame, &options).unwrap();
        assert_eq!(packet.descend(&frame, &options), Err(expected));
        seen.push(expected);
    }
    // And this one by `parse_ip`, which has no EtherType to go by.
    for bytes in [&[0x51; 40][..], &[0x00; 40]] {
        assert_eq!(Packet::parse_ip(bytes, &options), Err(Malformed::IpVersionInvalid));
    }
    assert_eq!(Packet::parse_ip(&[], &options), Err(Malformed::Ipv4HeaderTruncated));
    seen.push(Malformed::IpVersionInvalid);
    // tests/headers.rs has the frame, with the longest chain that is allowed.
    seen.push(Malformed::Ipv6ExtensionsTooMany);
    let missing: Vec<_> = Malformed::ALL.into_iter().filter(|reason| !seen.contains(reason)).collect();
    assert_eq!(missing, [], "reasons without a frame");
}

#[test]
fn limits_are_where_they_are_said_to_be() {
    let v4 = ipv4(17, &udp(1, 2, b"payload"));
    let three_tags = ethernet(0x8100, &tag(1, 0x8100, &tag(2, 0x8100, &tag(3, 0x0800, &v4))));
    assert_eq!(reason(&three_tags), None);
    assert_eq!(reason(&ethernet(0x8847, &frames::mpls(&[3; 16], &v4))), None);
    assert_eq!(reason(&(0..4).fold(v4.clone(), |inside, _| ipv4(4, &inside)).into_frame()), None);
    assert_eq!(reason(&ethernet(0x0800, &ipv4(17, &udp(1, 2, b"")))), None);
    for options in [&[0x94, 4, 0, 0][..], &[1, 0x83, 3, 4], &[0, 0xff, 0xff, 0xff], &[1; 40], &[0x07, 40, 4]]
    {
        let mut whole = options.to_vec();
        whole.resize(options.len().next_multiple_of(if options.len() == 3 { 40 } else { 4 }), 9);
        assert_eq!(reason(&ethernet(0x0800, &frames::ipv4_with(17, 0, &whole, &udp(1, 2, b"")))), None);
    }
    let options = ParseOptions { tunnel_depth_max: 0, ..ParseOptions::default() };
    let frame = ipv4(4, &v4).into_frame();
    let outer = Packet::parse_ethernet(&frame, &options).unwrap();
    assert_eq!(outer.innermost(&frame, &options), Err(Malformed::TunnelsTooDeep));
}
