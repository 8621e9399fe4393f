//! Against another parser of the same headers: packets made and read by the `etherparse` crate.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::cell::Cell;

use common::invariants;
use common::oracle::{Agreement, compare};
use etherparse::{
    EtherType, Icmpv4Type, Icmpv6Type, IpAuthHeader, IpFragOffset, IpHeaders, IpNumber, Ipv4Extensions,
    Ipv4Header, Ipv4Options, Ipv6Extensions, Ipv6FragmentHeader, Ipv6Header, Ipv6RawExtHeader,
    Ipv6RoutingExtensions, PacketBuilder, SingleVlanHeader, TcpHeader, VlanId,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wire::checksum::Verdict;
use wire::{L3, L4, Packet, ParseOptions};

#[derive(Clone, Debug)]
enum Transport {
    Tcp { header: Box<TcpHeader> },
    Udp { ports: (u16, u16) },
    Icmpv4 { icmp_type: u8, code: u8, rest: [u8; 4] },
    Icmpv6 { icmp_type: u8, code: u8, rest: [u8; 4] },
}

#[derive(Clone, Debug)]
struct Recipe {
    vids: Vec<u16>,
    ip: IpHeaders,
    transport: Transport,
    payload: Vec<u8>,
    padding: usize,
}

fn ipv4() -> impl Strategy<Value = IpHeaders> {
    let options = prop_oneof![3 => Just(0_usize), 1 => 1..=10_usize];
    let authentication = prop_oneof![4 => Just(None), 1 => (0..4_usize).prop_map(Some)];
    let addresses = any::<([u8; 4], [u8; 4])>();
    (addresses, any::<u8>(), any::<u16>(), options, authentication).prop_map(
        |((source, destination), time_to_live, identification, words, authentication)| {
            let header = Ipv4Header {
                source,
                destination,
                time_to_live,
                identification,
                options: Ipv4Options::try_from(&vec![1; words * 4][..]).unwrap(),
                ..Ipv4Header::default()
            };
            IpHeaders::Ipv4(header, Ipv4Extensions { auth: authentication.map(authentication_header) })
        },
    )
}

fn authentication_header(words: usize) -> IpAuthHeader {
    IpAuthHeader::new(IpNumber::TCP, 1, 2, &vec![3; words * 4]).unwrap()
}

fn ipv6() -> impl Strategy<Value = IpHeaders> {
    let raw = || {
        prop_oneof![3 => Just(None), 1 => (0..4_usize).prop_map(|words| {
            Some(Ipv6RawExtHeader::new_raw(IpNumber::TCP, &vec![0; 6 + words * 8]).unwrap())
        })]
    };
    let fragment = prop_oneof![3 => Just(None), 1 => any::<u32>().prop_map(|identification| {
        Some(Ipv6FragmentHeader::new(IpNumber::TCP, IpFragOffset::ZERO, false, identification))
    })];
    let authentication = prop_oneof![4 => Just(None), 1 => (0..4_usize).prop_map(Some)];
    let fixed = any::<([u8; 16], [u8; 16], u8)>();
    (fixed, raw(), raw(), raw(), fragment, authentication).prop_map(
        |((source, destination, hop_limit), hop, options, routing, fragment, authentication)| {
            let header = Ipv6Header { source, destination, hop_limit, ..Ipv6Header::default() };
            let extensions = Ipv6Extensions {
                hop_by_hop_options: hop,
                destination_options: options,
                routing: routing
                    .map(|routing| Ipv6RoutingExtensions { routing, final_destination_options: None }),
                fragment,
                auth: authentication.map(authentication_header),
            };
            IpHeaders::Ipv6(header, extensions)
        },
    )
}

fn transport(ip_version: u8) -> impl Strategy<Value = Transport> {
    let tcp = (any::<(u16, u16, u32, u32, u16)>(), any::<[bool; 8]>(), 0..=10_usize).prop_map(
        |((source, destination, sequence, acknowledgment, window), flags, words)| {
            let mut header = TcpHeader::new(source, destination, sequence, window);
            header.acknowledgment_number = acknowledgment;
            [header.cwr, header.ece, header.urg, header.ack] = [flags[0], flags[1], flags[2], flags[3]];
            [header.psh, header.rst, header.syn, header.fin] = [flags[4], flags[5], flags[6], flags[7]];
            header.set_options_raw(&vec![1; words * 4]).unwrap();
            Transport::Tcp { header: Box::new(header) }
        },
    );
    let udp = any::<(u16, u16)>().prop_map(|ports| Transport::Udp { ports });
    // Timestamps have a longer header for the oracle.
    let icmp_type = any::<u8>().prop_filter("no timestamp", |icmp_type| !matches!(icmp_type, 13 | 14));
    let icmp = (icmp_type, any::<(u8, [u8; 4])>()).prop_map(move |(icmp_type, (code, rest))| {
        if ip_version == 4 {
            Transport::Icmpv4 { icmp_type, code, rest }
        } else {
            Transport::Icmpv6 { icmp_type, code, rest }
        }
    });
    prop_oneof![3 => tcp, 3 => udp, 1 => icmp]
}

fn recipe() -> impl Strategy<Value = Recipe> {
    let packet = prop_oneof![(ipv4().boxed(), transport(4).boxed()), (ipv6().boxed(), transport(6).boxed())];
    let vids = prop::collection::vec(0..4096_u16, 0..=3);
    (vids, packet, prop::collection::vec(any::<u8>(), 0..100), 0..40_usize).prop_map(
        |(vids, (ip, transport), payload, padding)| Recipe { vids, ip, transport, payload, padding },
    )
}

/// The frame of a recipe, with correct lengths and checksums.
fn build(recipe: &Recipe) -> Vec<u8> {
    let step = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]).ip(recipe.ip.clone());
    let mut frame = Vec::new();
    match recipe.transport.clone() {
        Transport::Tcp { header } => step.tcp_header(*header).write(&mut frame, &recipe.payload),
        Transport::Udp { ports: (src, dst) } => step.udp(src, dst).write(&mut frame, &recipe.payload),
        Transport::Icmpv4 { icmp_type, code, rest } => step
            .icmpv4(Icmpv4Type::Unknown { type_u8: icmp_type, code_u8: code, bytes5to8: rest })
            .write(&mut frame, &recipe.payload),
        Transport::Icmpv6 { icmp_type, code, rest } => step
            .icmpv6(Icmpv6Type::Unknown { type_u8: icmp_type, code_u8: code, bytes5to8: rest })
            .write(&mut frame, &recipe.payload),
    }
    .unwrap();
    // The builder makes two tags at most: push them in, the innermost first.
    for (index, vid) in recipe.vids.iter().enumerate().rev() {
        let next = EtherType(u16::from_be_bytes([frame[12], frame[13]]));
        let tag = SingleVlanHeader {
            vlan_id: VlanId::try_new(*vid).unwrap(),
            ether_type: next,
            ..SingleVlanHeader::default()
        };
        let outer_type: [u8; 2] = if index + 1 < recipe.vids.len() { [0x88, 0xa8] } else { [0x81, 0x00] };
        frame.splice(12..14, [&outer_type[..], &tag.to_bytes()].concat());
    }
    frame.resize(frame.len() + recipe.padding, 0xee);
    frame
}

/// Runs `check` on generated recipes; a run that fails says how to repeat it.
fn for_recipes(cases: u32, check: impl Fn(Recipe) -> Result<(), TestCaseError>) {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(cases) });
    runner.run(&recipe(), check).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn built_packets_read_the_same() {
    const CASES: u32 = 5000;
    let counts = [const { Cell::new(0_u32) }; 8];
    let [v4, v6, tcp, udp, icmp, tagged, double_tagged, extended] = &counts;
    let count = |cell: &Cell<u32>, hit: bool| cell.set(cell.get() + u32::from(hit));
    for_recipes(CASES, |recipe| {
        let frame = build(&recipe);
        invariants::check_ethernet(&frame);
        let packet = Packet::parse_ethernet(&frame, &ParseOptions::default())
            .map_err(|reason| TestCaseError::fail(format!("refused: {reason}")))?;
        prop_assert_eq!(compare(&frame), Agreement::Same);
        prop_assert_eq!(packet.payload(&frame), &recipe.payload[..]);
        let vids: Vec<_> = recipe.vids.iter().copied().take(2).collect();
        prop_assert_eq!(&packet.vlans.vids[..usize::from(packet.vlans.count)], &vids[..]);
        // The builder's checksums are right, so these must find them so; a changed byte must be noticed.
        let ipv4_checksum = if packet.l3 == L3::Ipv4 { Verdict::Correct } else { Verdict::Absent };
        prop_assert_eq!(packet.verify_ipv4_checksum(&frame), ipv4_checksum);
        prop_assert_eq!(packet.verify_transport_checksum(&frame), Verdict::Correct);
        if !recipe.payload.is_empty() {
            let mut changed = frame.clone();
            changed[usize::from(packet.payload_offset)] ^= 0x10;
            prop_assert_eq!(packet.verify_transport_checksum(&changed), Verdict::Wrong);
        }
        let has_extensions = match &recipe.ip {
            IpHeaders::Ipv4(..) => false,
            IpHeaders::Ipv6(_, extensions) => *extensions != Ipv6Extensions::default(),
        };
        for (cell, hit) in [
            (v4, packet.l3 == L3::Ipv4),
            (v6, packet.l3 == L3::Ipv6),
            (tcp, packet.l4 == L4::Tcp),
            (udp, packet.l4 == L4::Udp),
            (icmp, matches!(packet.l4, L4::Icmp | L4::Icmpv6)),
            (tagged, packet.vlans.count == 1),
            (double_tagged, packet.vlans.count == 2),
            (extended, has_extensions),
        ] {
            count(cell, hit);
        }
        Ok(())
    });
    for (name, cell) in
        ["IPv4", "IPv6", "TCP", "UDP", "ICMP", "one tag", "two tags", "extension headers"].iter().zip(&counts)
    {
        assert!(cell.get() >= CASES / 20, "only {} packets with {name}", cell.get());
    }
}

#[test]
fn damaged_packets_are_refused_or_read_the_same() {
    const CASES: u32 = 5000;
    let (same, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    let damage = (any::<prop::sample::Index>(), any::<u8>(), prop::option::of(any::<prop::sample::Index>()));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(CASES) });
    let result = runner.run(&(recipe(), damage), |(recipe, (at, value, cut))| {
        let mut frame = build(&recipe);
        let headers_len = frame.len() - recipe.payload.len() - recipe.padding;
        // Addresses are not worth damaging: change what is behind them in the Ethernet header.
        frame[12 + at.index(headers_len - 12)] = value;
        if let Some(cut) = cut {
            frame.truncate(cut.index(frame.len()));
        }
        invariants::check_ethernet(&frame);
        match compare(&frame) {
            Agreement::Same => same.set(same.get() + 1),
            Agreement::BothRefuse => refused.set(refused.get() + 1),
            Agreement::OutOfScope => {}
            Agreement::Differ(how) => return Err(TestCaseError::fail(format!("{how}; frame {frame:02x?}"))),
        }
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(same.get() + refused.get() >= CASES * 8 / 10, "too many frames are out of scope");
    assert!(same.get() >= CASES / 5, "only {} read the same", same.get());
    assert!(refused.get() >= CASES / 10, "only {} refused", refused.get());
}
