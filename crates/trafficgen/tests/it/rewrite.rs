//! The rewriter: new addresses in every loop, one to one, with right checksums, on generated frames, tunnels and real
//! traffic.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{Ipv4Addr, Ipv6Addr};

use etherparse::PacketBuilder;
use proptest::prelude::*;
use trafficgen::pcap::CaptureReader;
use trafficgen::rewrite::{HeaderEdit, Rewriter, Survey};
use wire::checksum::{self, Verdict};
use wire::{Addr, NTuple, Packet, ParseOptions, protocol};

use crate::common::{checksums_right, corpus};

fn survey<'a>(frames: impl IntoIterator<Item = &'a Vec<u8>>) -> Rewriter {
    let mut survey = Survey::default();
    frames.into_iter().for_each(|frame| survey.note(frame));
    survey.finish()
}

fn plan(rewriter: &Rewriter, frame: &[u8]) -> Vec<HeaderEdit> {
    let mut edits = Vec::new();
    assert_eq!(rewriter.plan(frame, &mut edits), edits.len());
    edits
}

fn rewritten(rewriter: &Rewriter, frame: &[u8], number: u64) -> Vec<u8> {
    let mut copy = frame.to_vec();
    rewriter.at_loop(number).unwrap().apply(&plan(rewriter, frame), &mut copy);
    copy
}

fn tuple(frame: &[u8]) -> NTuple {
    Packet::parse_ethernet(frame, &ParseOptions::default()).unwrap().tuple
}

#[derive(Clone, Debug)]
enum Ends {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

#[derive(Clone, Debug)]
struct Made {
    ends: Ends,
    kind: u8,
    ports: (u16, u16),
    payload: Vec<u8>,
    vlan: bool,
}

impl Made {
    fn frame(&self) -> Vec<u8> {
        let ethernet = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let builder = match (&self.ends, self.vlan) {
            (Ends::V4(src, dst), false) => ethernet.ipv4(src.octets(), dst.octets(), 64),
            (Ends::V6(src, dst), false) => ethernet.ipv6(src.octets(), dst.octets(), 64),
            (Ends::V4(src, dst), true) => {
                ethernet.single_vlan(5.try_into().unwrap()).ipv4(src.octets(), dst.octets(), 64)
            }
            (Ends::V6(src, dst), true) => {
                ethernet.single_vlan(5.try_into().unwrap()).ipv6(src.octets(), dst.octets(), 64)
            }
        };
        let mut frame = Vec::new();
        let (src_port, dst_port) = self.ports;
        match (self.kind, &self.ends) {
            (0, _) => builder.tcp(src_port, dst_port, 7, 1024).write(&mut frame, &self.payload),
            (1, _) => builder.udp(src_port, dst_port).write(&mut frame, &self.payload),
            (_, Ends::V4(..)) => builder.icmpv4_echo_request(1, 2).write(&mut frame, &self.payload),
            (_, Ends::V6(..)) => builder.icmpv6_echo_request(1, 2).write(&mut frame, &self.payload),
        }
        .unwrap();
        frame
    }

    fn back(&self) -> Self {
        let ends = match self.ends {
            Ends::V4(src, dst) => Ends::V4(dst, src),
            Ends::V6(src, dst) => Ends::V6(dst, src),
        };
        Self { ends, ports: (self.ports.1, self.ports.0), ..self.clone() }
    }
}

/// Addresses close together, so that a naive shift would collide, and some from anywhere.
fn v4() -> impl Strategy<Value = Ipv4Addr> {
    prop_oneof![
        4 => (0_u32..40).prop_map(|low| Ipv4Addr::from(0x0a00_0000 + low)),
        2 => (0_u32..40).prop_map(|low| Ipv4Addr::from(0xc0a8_ffe0 + low)),
        2 => (0_u32..40).prop_map(|low| Ipv4Addr::from(0x0808_0800 + low)),
        1 => any::<u32>().prop_map(Ipv4Addr::from),
    ]
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    prop_oneof![
        3 => (0_u128..40).prop_map(|low| Ipv6Addr::from(0x2001_0db8 << 96 | low)),
        2 => (0_u128..40).prop_map(|low| Ipv6Addr::from(0xfd00 << 112 | low)),
        1 => (0_u128..40).prop_map(|low| Ipv6Addr::from(0xfe80 << 112 | low)),
        1 => any::<u128>().prop_map(Ipv6Addr::from),
    ]
}

fn made() -> impl Strategy<Value = Made> {
    let ends = prop_oneof![
        2 => (v4(), v4()).prop_map(|(src, dst)| Ends::V4(src, dst)),
        1 => (v6(), v6()).prop_map(|(src, dst)| Ends::V6(src, dst)),
    ];
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    (ends, 0_u8..3, any::<(u16, u16)>(), payload, any::<bool>())
        .prop_map(|(ends, kind, ports, payload, vlan)| Made { ends, kind, ports, payload, vlan })
}

/// What must differ between loops: everything of the 5-tuple, whichever way it goes.
fn flow(tuple: NTuple) -> NTuple {
    let back = tuple.reversed();
    if (tuple.src, tuple.src_port) <= (back.src, back.src_port) { tuple } else { back }
}

proptest! {
    #[test]
    fn loops_share_no_flow_and_keep_directions(
        made in prop::collection::vec(made(), 1..40),
        numbers in prop::collection::hash_set(0_u64..5000, 2..5),
    ) {
        let frames: Vec<Vec<u8>> = made.iter().flat_map(|made| [made.frame(), made.back().frame()]).collect();
        let rewriter = survey(&frames);
        prop_assert!(rewriter.loops_max() >= 5000);
        let mut owner: HashMap<NTuple, u64> = HashMap::new();
        for &number in &numbers {
            let mut forth: BTreeMap<Addr, Addr> = BTreeMap::new();
            for pair in frames.chunks(2) {
                let new: Vec<Vec<u8>> = pair.iter().map(|frame| rewritten(&rewriter, frame, number)).collect();
                prop_assert_eq!(checksums_right(&new[0]), Some(true));
                prop_assert_eq!(checksums_right(&new[1]), Some(true));
                if number == 0 {
                    prop_assert_eq!(&new[..], pair);
                }
                let (there, back) = (tuple(&new[0]), tuple(&new[1]));
                prop_assert_eq!((there.src, there.dst), (back.dst, back.src));
                // Nothing but addresses and checksums changed.
                prop_assert_eq!(new[0].len(), pair[0].len());
                let old = tuple(&pair[0]);
                prop_assert_eq!((there.src_port, there.dst_port, there.protocol), (old.src_port, old.dst_port, old.protocol));
                for (old, new) in [(old.src, there.src), (old.dst, there.dst)] {
                    let before = *forth.entry(old).or_insert(new);
                    prop_assert_eq!(before, new, "an address has one new address in a loop");
                }
                if plan(&rewriter, &pair[0]).iter().any(HeaderEdit::makes_new) {
                    let first = *owner.entry(flow(there)).or_insert(number);
                    prop_assert_eq!(first, number, "a flow of two loops: {:?}", there);
                }
            }
            let images: HashSet<Addr> = forth.values().copied().collect();
            prop_assert_eq!(images.len(), forth.len(), "one to one");
            // Reversible: in the same order as before, within each IP version and class.
            let mut classes: BTreeMap<(bool, bool), Vec<(Addr, Addr)>> = BTreeMap::new();
            for (old, new) in forth {
                let is_v4 = old.0.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
                let is_private = is_v4 && Ipv4Addr::from(old.v4_octets()).is_private();
                if is_private {
                    prop_assert!(Ipv4Addr::from(new.v4_octets()).is_private());
                }
                if old != new {
                    classes.entry((is_v4, is_private)).or_default().push((old, new));
                }
            }
            let privates = classes.remove(&(true, true)).unwrap_or_default();
            prop_assert!(privates.is_sorted_by_key(|&(_, new)| new));
        }
    }
}

fn ipv4_packet(src: [u8; 4], dst: [u8; 4], proto: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 1, 0, 0, 64, proto, 0, 0];
    packet[2..4].copy_from_slice(&((20 + payload.len()) as u16).to_be_bytes());
    packet.extend_from_slice(&src);
    packet.extend_from_slice(&dst);
    let sum = checksum::of(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

fn ipv6_packet(src: Ipv6Addr, dst: Ipv6Addr, proto: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 0, proto, 64];
    packet[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    packet.extend_from_slice(&src.octets());
    packet.extend_from_slice(&dst.octets());
    packet.extend_from_slice(payload);
    packet
}

/// A transport segment with its checksum at `at` filled in.
fn segment(src: Addr, dst: Addr, ip_version: u8, proto: u8, mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    let tuple = NTuple { src, dst, protocol: proto, ip_version, ..NTuple::default() };
    let sum = checksum::transport(&tuple, &bytes);
    bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    bytes
}

fn udp(src: Addr, dst: Addr, ip_version: u8, dst_port: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x30, 0x39];
    bytes.extend_from_slice(&dst_port.to_be_bytes());
    bytes.extend_from_slice(&((8 + payload.len()) as u16).to_be_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(payload);
    segment(src, dst, ip_version, protocol::UDP, bytes, 6)
}

fn ethernet(ethertype: u16, packet: &[u8]) -> Vec<u8> {
    [&[2; 12], &ethertype.to_be_bytes()[..], packet].concat()
}

const A: [u8; 4] = [10, 1, 1, 1];
const B: [u8; 4] = [10, 1, 1, 2];
const C: [u8; 4] = [192, 0, 2, 1];
const D: [u8; 4] = [192, 0, 2, 2];

fn inner_udp() -> Vec<u8> {
    ipv4_packet(A, C, protocol::UDP, &udp(Addr::v4(A), Addr::v4(C), 4, 5000, b"inside"))
}

/// Asserts right checksums on every level of a frame and its rewrite; returns the new innermost n-tuple.
fn descend_checked(frame: &[u8]) -> Vec<NTuple> {
    let options = ParseOptions::default();
    let mut packet = Packet::parse_ethernet(frame, &options).unwrap();
    let mut tuples = Vec::new();
    loop {
        tuples.push(packet.tuple);
        assert_ne!(packet.verify_ipv4_checksum(frame), Verdict::Wrong, "{frame:02x?}");
        assert_ne!(packet.verify_transport_checksum(frame), Verdict::Wrong, "{frame:02x?}");
        if let Some(error) = packet.icmp_error(frame) {
            tuples.push(error.quoted);
        }
        if packet.encapsulation.is_none() {
            return tuples;
        }
        packet = packet.descend(frame, &options).unwrap();
    }
}

/// The frames whose headers stand in each other, by name, with the number of headers.
fn nested() -> Vec<(&'static str, Vec<u8>, usize)> {
    let inner = inner_udp();
    let inner_ethernet = ethernet(0x0800, &inner);
    let [v6_a, v6_b] = ["2001:db8::a", "fd00::b"].map(|text| text.parse::<Ipv6Addr>().unwrap());
    let wide = |ip: Ipv6Addr| Addr(ip.octets());

    let vxlan = [&[8, 0, 0, 0, 0, 0, 7, 0], &inner_ethernet[..]].concat();
    let vxlan = ipv4_packet(B, D, protocol::UDP, &udp(Addr::v4(B), Addr::v4(D), 4, 4789, &vxlan));
    let mut vxlan_without = vxlan.clone();
    vxlan_without[26..28].fill(0);
    let geneve = [&[0, 0, 0x65, 0x58, 0, 0, 7, 0], &inner_ethernet[..]].concat();
    let geneve = ipv6_packet(v6_a, v6_b, protocol::UDP, &udp(wide(v6_a), wide(v6_b), 6, 6081, &geneve));
    let mut gre = [&[0x80, 0, 0x08, 0, 0, 0, 0, 0], &inner[..]].concat();
    let sum = checksum::of(&gre);
    gre[4..6].copy_from_slice(&sum.to_be_bytes());
    let gre = ipv4_packet(B, D, protocol::GRE, &gre);
    let six_in_four = ipv6_packet(v6_a, v6_b, protocol::UDP, &udp(wide(v6_a), wide(v6_b), 6, 53, b"odd"));
    let six_in_four = ipv4_packet(B, D, protocol::IPV6, &six_in_four);

    let mut error = vec![3, 3, 0, 0, 0, 0, 0, 0];
    error.extend_from_slice(&inner);
    let sum = checksum::of(&error);
    error[2..4].copy_from_slice(&sum.to_be_bytes());
    let error = ipv4_packet(C, A, protocol::ICMP, &error);
    let mut short = vec![11, 0, 0, 0, 0, 0, 0, 0];
    short.extend_from_slice(&ipv4_packet(A, C, protocol::TCP, &[0, 80, 1, 2, 0, 0, 0, 1]));
    let sum = checksum::of(&short);
    short[2..4].copy_from_slice(&sum.to_be_bytes());
    let short = ipv4_packet(D, A, protocol::ICMP, &short);
    let quoted = ipv6_packet(v6_a, v6_b, protocol::UDP, &udp(wide(v6_a), wide(v6_b), 6, 9, b"quoted"));
    let wide_error = [&[1, 4, 0, 0, 0, 0, 0, 0], &quoted[..]].concat();
    let wide_error = segment(wide(v6_b), wide(v6_a), 6, protocol::ICMPV6, wide_error, 2);
    let wide_error = ipv6_packet(v6_b, v6_a, protocol::ICMPV6, &wide_error);

    vec![
        ("plain", ethernet(0x0800, &inner), 1),
        ("VXLAN", ethernet(0x0800, &vxlan), 2),
        ("VXLAN without UDP checksum", ethernet(0x0800, &vxlan_without), 2),
        ("Geneve over IPv6", ethernet(0x86dd, &geneve), 2),
        ("GRE with checksum", ethernet(0x0800, &gre), 2),
        ("IPv6 in IPv4", ethernet(0x0800, &six_in_four), 2),
        ("ICMP error", ethernet(0x0800, &error), 2),
        ("ICMP error with a short quote", ethernet(0x0800, &short), 2),
        ("ICMPv6 error", ethernet(0x86dd, &wide_error), 2),
    ]
}

#[test]
fn headers_inside_headers_follow() {
    let frames = nested();
    let rewriter = survey(frames.iter().map(|(_, frame, _)| frame));
    // One new address for each old one, over all frames, in and out of tunnels and quotes.
    for number in 1..300 {
        let mut forth: BTreeMap<Addr, Addr> = BTreeMap::new();
        for (name, frame, headers) in &frames {
            let old = descend_checked(frame);
            assert_eq!((old.len(), plan(&rewriter, frame).len()), (*headers, *headers), "{name}");
            let copy = rewritten(&rewriter, frame, number);
            let new = descend_checked(&copy);
            for (old, new) in old.iter().zip(&new) {
                for (old, new) in [(old.src, new.src), (old.dst, new.dst)] {
                    assert_ne!(old, new, "{name}");
                    assert_eq!(*forth.entry(old).or_insert(new), new, "{name}");
                }
            }
            // The GRE checksum is not one of wire's.
            if *name == "GRE with checksum" {
                assert!(checksum::is_correct(&copy[34..]), "loop {number}");
            }
            if *name == "VXLAN without UDP checksum" {
                assert_eq!(copy[40..42], [0, 0], "none stays none");
            }
            // The quote's own checksum is right too where it is whole.
            if *name == "ICMP error" {
                let quoted = Packet::parse_ip(&copy[42..], &ParseOptions::default()).unwrap();
                assert_eq!(quoted.verify_transport_checksum(&copy[42..]), Verdict::Correct);
                assert_eq!(quoted.verify_ipv4_checksum(&copy[42..]), Verdict::Correct);
            }
        }
    }
}

#[test]
fn a_fragmented_datagram_keeps_its_checksum() {
    let segment = udp(Addr::v4(A), Addr::v4(C), 4, 5000, &[0xab; 1000]);
    let frames: Vec<Vec<u8>> = [(0, 0x2000_u16, 0..504), (504, 63, 504..1008)]
        .into_iter()
        .map(|(_, field, range)| {
            let mut packet = ipv4_packet(A, C, protocol::UDP, &segment[range]);
            packet[6..8].copy_from_slice(&field.to_be_bytes());
            packet[10..12].fill(0);
            let sum = checksum::of(&packet[..20]);
            packet[10..12].copy_from_slice(&sum.to_be_bytes());
            ethernet(0x0800, &packet)
        })
        .collect();
    let rewriter = survey(&frames);
    let new: Vec<_> = frames.iter().map(|frame| rewritten(&rewriter, frame, 77)).collect();
    for frame in &new {
        assert!(checksum::is_correct(&frame[14..34]));
    }
    let whole = [&new[0][34..], &new[1][34..]].concat();
    let tuple = NTuple { protocol: protocol::UDP, ..tuple(&new[0]) };
    assert_ne!(tuple.src, Addr::v4(A));
    let sum = checksum::fold(checksum::pseudo_header(&tuple, whole.len()) + checksum::sum(&whole));
    assert_eq!(sum, 0xffff);
}

/// The longest frame, at whose end an ICMP error quotes a header that says it is longer than what is quoted of it.
#[test]
fn a_quote_cut_in_its_options_at_the_end_of_the_longest_frame() {
    let mut error = vec![3, 1, 0, 0, 0, 0, 0, 0];
    let quote_at = error.len();
    error.extend_from_slice(&ipv4_packet(A, C, protocol::TCP, &[]));
    error[quote_at] = 0x4f;
    // A later fragment: its addresses are known without the ports that are not quoted.
    error[quote_at + 7] = 1;
    let sum = checksum::of(&error);
    error[2..4].copy_from_slice(&sum.to_be_bytes());
    let inner = ipv4_packet(C, A, protocol::ICMP, &error);

    let mut extensions = Vec::new();
    let mut left = usize::from(u16::MAX) - 14 - 40 - inner.len();
    while left >= 8 {
        let len = (left / 8 * 8).min(2048);
        left -= len;
        let next = if left >= 8 { protocol::DESTINATION_OPTIONS } else { protocol::IPV4 };
        extensions.extend_from_slice(&[next, (len / 8 - 1) as u8]);
        extensions.resize(extensions.len() + len - 2, 0);
    }
    let [src, dst] = ["2001:db8::a", "2001:db8::b"].map(|text| text.parse().unwrap());
    let packet = ipv6_packet(src, dst, protocol::DESTINATION_OPTIONS, &[extensions, inner].concat());
    let frame = ethernet(0x86dd, &packet);
    assert!(frame.len() > 65_500, "{}", frame.len());

    let old = descend_checked(&frame);
    let rewriter = survey([&frame]);
    assert_eq!((old.len(), plan(&rewriter, &frame).len()), (3, 3));
    let new = descend_checked(&rewritten(&rewriter, &frame, 1));
    assert_eq!((new[1].src, new[1].dst), (new[2].dst, new[2].src));
    assert!(old.iter().zip(&new).all(|(old, new)| old.src != new.src && old.dst != new.dst));
}

#[test]
fn what_is_not_unicast_stays() {
    let frame = Made {
        ends: Ends::V4(Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST),
        kind: 1,
        ports: (68, 67),
        payload: vec![1, 2, 3],
        vlan: false,
    }
    .frame();
    let rewriter = survey([&frame]);
    assert_eq!(rewritten(&rewriter, &frame, 9), frame);
    assert!(!plan(&rewriter, &frame).iter().any(HeaderEdit::makes_new));
    let mut survey = Survey::default();
    survey.note(&frame);
    survey.note(&[0; 7]);
    assert!(survey.is_empty());
}

#[test]
fn enterprise_traffic_stays_valid_in_every_loop() {
    let Some(path) = corpus("pcap/enterprise.pcap") else { return };
    let each = |call: &mut dyn FnMut(&[u8])| {
        let mut reader = CaptureReader::open(&path).unwrap();
        while let Some(frame) = reader.next_frame().unwrap() {
            call(frame.bytes);
        }
    };
    let mut survey = Survey::default();
    each(&mut |frame| survey.note(frame));
    let addresses = survey.len();
    let rewriter = survey.finish();
    assert!(addresses > 500 && rewriter.loops_max() > 5_000, "{addresses} {}", rewriter.loops_max());

    let numbers = [0, 1, rewriter.loops_max() - 1];
    let loops = numbers.map(|number| rewriter.at_loop(number).unwrap());
    let mut flows: [HashSet<NTuple>; 3] = Default::default();
    let (mut right, mut wrong, mut fixed) = (0, 0, HashSet::new());
    each(&mut |frame| {
        let edits = plan(&rewriter, frame);
        let options = ParseOptions::default();
        let Ok(packet) = Packet::parse_ethernet(frame, &options) else { return };
        let before = (packet.verify_ipv4_checksum(frame), packet.verify_transport_checksum(frame));
        let makes_new = edits.first().is_some_and(HeaderEdit::makes_new);
        for (rewrite, flows) in loops.iter().zip(&mut flows) {
            let mut copy = frame.to_vec();
            rewrite.apply(&edits, &mut copy);
            let after = Packet::parse_ethernet(&copy, &options).unwrap();
            let verdicts = (after.verify_ipv4_checksum(&copy), after.verify_transport_checksum(&copy));
            // What was right stays right; what was wrong (offloaded to a NIC that the capture did not see) stays wrong.
            assert_eq!(verdicts, before, "{frame:02x?}");
            if makes_new {
                flows.insert(flow(after.tuple));
            } else {
                fixed.insert(flow(after.tuple));
            }
        }
        match before.1 {
            Verdict::Correct => {
                assert_ne!(checksums_right(frame), Some(false), "etherparse disagrees: {frame:02x?}");
                right += 1;
            }
            Verdict::Wrong => wrong += 1,
            Verdict::Absent => {}
        }
    });
    // Nearly half of this capture's checksums were wrong when it was made.
    assert!(right > 60_000 && wrong > 10_000, "{right} right, {wrong} wrong");
    assert!(flows[0].len() > 1_000);
    assert!(flows.iter().all(|of_loop| of_loop.len() == flows[0].len()), "as many flows in every loop");
    let all: HashSet<&NTuple> = flows.iter().flatten().collect();
    assert_eq!(all.len(), 3 * flows[0].len(), "no flow in two loops");
    assert!(fixed.len() < flows[0].len() / 20, "{} flows are the same in every loop", fixed.len());
}

proptest! {
    /// Damaged frames are planned as far as they parse, and edited without a panic or a change of length.
    #[test]
    fn damage_is_harmless(which in 0_usize..9, cut in 0_usize..140, flips in prop::collection::vec(any::<(u8, u8)>(), 0..6)) {
        let frames = nested();
        let (_, frame, _) = &frames[which];
        let mut damaged = frame[..cut.min(frame.len())].to_vec();
        for (at, value) in flips {
            if let Some(byte) = damaged.get_mut(usize::from(at)) {
                *byte = value;
            }
        }
        let rewriter = survey([&damaged]);
        prop_assert_eq!(rewritten(&rewriter, &damaged, 1).len(), damaged.len());
        // A plan applied to what it was not made from does no harm either.
        let edits = plan(&rewriter, &damaged);
        let mut short = damaged.clone();
        short.truncate(damaged.len() / 2);
        rewriter.at_loop(1).unwrap().apply(&edits, &mut short);
    }
}
