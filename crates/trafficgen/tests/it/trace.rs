//! Traces: reproducible, valid, and counted exactly.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use trafficgen::trace::{Count, Protocol, TraceOptions, Transport, Truth, generate, write_trace};
use wire::checksum::Verdict;
use wire::{Packet, ParseOptions};

use crate::common::{FlowKey, Seen, checksums_right, look, read_pcap};

fn small() -> TraceOptions {
    TraceOptions {
        seed: 7,
        tenants: 3,
        seconds: 4,
        conversations: 200,
        elephant_bytes: 1 << 20,
        ..TraceOptions::default()
    }
}

fn frames(options: &TraceOptions) -> (Vec<(u64, Vec<u8>)>, Truth) {
    let mut frames = Vec::new();
    let truth = generate(options, |at_ns, frame| {
        frames.push((at_ns, frame.to_vec()));
        Ok(())
    });
    (frames, truth.unwrap())
}

#[test]
fn the_seed_decides_every_byte() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, seed| {
        let path = dir.path().join(name);
        let options = TraceOptions { seed, ..small() };
        write_trace(&options, &path, None).unwrap();
        std::fs::read(path).unwrap()
    };
    let first = write("a.pcap", 7);
    assert!(first.len() > 1_000_000);
    assert!(first == write("b.pcap", 7), "the same seed");
    assert!(first != write("c.pcap", 8), "another seed");
    // The file holds what the generator made.
    let (generated, _) = frames(&small());
    assert!(read_pcap(&dir.path().join("a.pcap")) == generated);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "no .tmp is left");
}

#[test]
fn every_frame_is_valid() {
    let (frames, _) = frames(&small());
    let (mut checked, mut fragments) = (0, 0);
    let mut last_ns = 0;
    for (at_ns, frame) in &frames {
        assert!(*at_ns >= last_ns, "in order of time");
        last_ns = *at_ns;
        assert!((60..=1518).contains(&frame.len()), "{} bytes", frame.len());
        let packet = Packet::parse_ethernet(frame, &ParseOptions::default())
            .unwrap_or_else(|reason| panic!("{reason}: {frame:02x?}"));
        assert_ne!(packet.verify_ipv4_checksum(frame), Verdict::Wrong, "{frame:02x?}");
        match packet.verify_transport_checksum(frame) {
            Verdict::Correct => checked += 1,
            Verdict::Wrong => panic!("wrong checksum: {frame:02x?}"),
            Verdict::Absent => {
                assert!(packet.fragment.is_some() || packet.ethertype == 0x0806, "{frame:02x?}");
                fragments += 1;
            }
        }
        assert_ne!(checksums_right(frame), Some(false), "etherparse disagrees: {frame:02x?}");
    }
    assert!(checked > 5_000 && fragments > 20, "{checked} checked, {fragments} fragments or ARP");
}

#[test]
fn fragments_make_whole_datagrams() {
    type Pieces = BTreeMap<u16, Vec<u8>>;
    let (frames, _) = frames(&small());
    let mut datagrams: HashMap<(Option<u16>, Seen, u32), Pieces> = HashMap::new();
    let mut out_of_order = 0;
    for (_, frame) in &frames {
        let seen = look(frame);
        if !seen.fragmented {
            continue;
        }
        let ipv6 = frame[16] == 0x86;
        let u16_at = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        let (id, offset, payload) = if ipv6 {
            let end = 18 + 40 + usize::from(u16_at(18 + 4));
            (
                u32::from_be_bytes(frame[18 + 44..18 + 48].try_into().unwrap()),
                u16_at(18 + 42) & 0xfff8,
                &frame[18 + 48..end],
            )
        } else {
            let end = 18 + usize::from(u16_at(18 + 2));
            (u32::from(u16_at(18 + 4)), (u16_at(18 + 6) & 0x1fff) * 8, &frame[18 + 20..end])
        };
        let ends = |end: Option<(std::net::IpAddr, u16)>| end.map(|(ip, _)| (ip, 0));
        let key = Seen { src: ends(seen.src), dst: ends(seen.dst), later_fragment: false, ..seen.clone() };
        let pieces = datagrams.entry((seen.vlan, key, id)).or_default();
        out_of_order += usize::from(pieces.keys().any(|&before| before > offset));
        assert!(pieces.insert(offset, payload.to_vec()).is_none(), "no fragment twice");
    }
    assert!(datagrams.len() > 5 && out_of_order > 0, "{} datagrams, {out_of_order}", datagrams.len());
    for ((_, key, _), pieces) in datagrams {
        let mut bytes = Vec::new();
        for (offset, piece) in pieces {
            assert_eq!(usize::from(offset), bytes.len(), "no hole");
            bytes.extend_from_slice(&piece);
        }
        let (header, payload) = etherparse::UdpHeader::from_slice(&bytes).unwrap();
        assert_eq!(usize::from(header.length), bytes.len());
        let sum = match (key.src.unwrap().0, key.dst.unwrap().0) {
            (std::net::IpAddr::V4(src), std::net::IpAddr::V4(dst)) => {
                header.calc_checksum_ipv4_raw(src.octets(), dst.octets(), payload).unwrap()
            }
            (std::net::IpAddr::V6(src), std::net::IpAddr::V6(dst)) => {
                header.calc_checksum_ipv6_raw(src.octets(), dst.octets(), payload).unwrap()
            }
            _ => unreachable!("one IP version on both ends"),
        };
        assert_eq!(header.checksum, sum);
    }
}

/// By the server ports and the scanners' network, as [`Protocol`] documents.
fn protocol_of(seen: &Seen) -> Protocol {
    let is_scanner = |end: Option<(std::net::IpAddr, u16)>| {
        end.is_some_and(|(ip, _)| ip.to_string().starts_with("203.0.113."))
    };
    if is_scanner(seen.src) || is_scanner(seen.dst) {
        return Protocol::Scan;
    }
    let ports: BTreeSet<u16> = [seen.src, seen.dst].into_iter().flatten().map(|(_, port)| port).collect();
    match seen.transport {
        "arp" => Protocol::Arp,
        "icmp" | "icmpv6" => Protocol::Ping,
        _ if seen.fragmented => Protocol::Fragments,
        _ if ports.contains(&80) => Protocol::Http,
        _ if ports.contains(&53) => Protocol::Dns,
        _ if ports.contains(&443) => Protocol::Tls,
        _ if ports.contains(&25) => Protocol::Smtp,
        _ if ports.contains(&5201) => Protocol::Bulk,
        _ => panic!("no known port in {seen:?}"),
    }
}

fn transport_of(seen: &Seen) -> Transport {
    match seen.transport {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        "icmp" => Transport::Icmp,
        "icmpv6" => Transport::Icmpv6,
        _ => Transport::Arp,
    }
}

fn assert_truth(options: &TraceOptions) {
    let (frames, truth) = frames(options);
    let mut total = Count::default();
    let mut by_protocol: BTreeMap<(u16, Protocol), Count> = BTreeMap::new();
    let mut by_transport: BTreeMap<(u16, Transport), Count> = BTreeMap::new();
    let mut flows: BTreeSet<FlowKey> = BTreeSet::new();
    for (_, frame) in &frames {
        let seen = look(frame);
        let vlan = seen.vlan.unwrap();
        let new_flow = seen.flow().is_some_and(|flow| flows.insert(flow));
        let protocol = by_protocol.entry((vlan, protocol_of(&seen))).or_default();
        let transport = by_transport.entry((vlan, transport_of(&seen))).or_default();
        for count in [&mut total, protocol, transport] {
            count.packets += 1;
            count.bytes += frame.len() as u64;
            count.flows += u64::from(new_flow);
        }
    }
    assert_eq!(truth.total, total);
    assert_eq!(truth.first_ns, frames.first().unwrap().0);
    assert_eq!(truth.last_ns, frames.last().unwrap().0);
    assert_eq!(truth.tenants.len(), usize::from(options.tenants));
    for tenant in &truth.tenants {
        for (protocol, count) in &tenant.protocols {
            assert_eq!(by_protocol.remove(&(tenant.vlan, *protocol)), Some(*count), "{protocol:?}");
        }
        for (transport, count) in &tenant.transports {
            assert_eq!(by_transport.remove(&(tenant.vlan, *transport)), Some(*count), "{transport:?}");
        }
        for counts in
            [tenant.protocols.values().collect::<Vec<_>>(), tenant.transports.values().collect::<Vec<_>>()]
        {
            assert_eq!(counts.iter().map(|count| count.packets).sum::<u64>(), tenant.total.packets);
            assert_eq!(counts.iter().map(|count| count.bytes).sum::<u64>(), tenant.total.bytes);
            assert_eq!(counts.iter().map(|count| count.flows).sum::<u64>(), tenant.total.flows);
        }
    }
    assert!(by_protocol.is_empty() && by_transport.is_empty(), "nothing uncounted");
}

#[test]
fn the_truth_is_what_an_independent_count_finds() {
    assert_truth(&small());
}

#[test]
fn the_truth_of_overlapping_tenants() {
    assert_truth(&TraceOptions { overlapping_addresses: true, first_vlan: 3_000, ..small() });
}

#[test]
fn the_truth_when_clients_come_round() {
    // Every client has hundreds of conversations, and no port of it comes twice.
    assert_truth(&TraceOptions { tenants: 1, conversations: 3_000, elephant_bytes: 0, ..small() });
}

#[test]
fn forty_conversations_have_every_kind() {
    let (_, truth) = frames(&TraceOptions { conversations: 40, ..small() });
    for tenant in &truth.tenants {
        assert_eq!(tenant.protocols.len(), 9, "{:?}", tenant.protocols);
        assert!(tenant.protocols.values().all(|count| count.packets > 0));
    }
}

#[test]
fn overlapping_tenants_share_addresses() {
    let shared = |overlapping_addresses| {
        let (frames, _) = frames(&TraceOptions { overlapping_addresses, elephant_bytes: 0, ..small() });
        let mut inside: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
        for (_, frame) in frames {
            let seen = look(&frame);
            for (ip, _) in [seen.src, seen.dst].into_iter().flatten() {
                let ip = ip.to_string();
                if ip.starts_with("10.") {
                    inside.entry(seen.vlan.unwrap()).or_default().insert(ip);
                }
            }
        }
        inside[&101].intersection(&inside[&102]).count()
    };
    assert_eq!(shared(false), 0);
    assert!(shared(true) >= 9);
}

/// What one end of a connection has sent, as the tap saw it.
#[derive(Default)]
struct Sent {
    isn: Option<u32>,
    /// Ranges relative to the initial sequence number, SYN and FIN included.
    ranges: Vec<(u32, u32)>,
    highest: u32,
    retransmitted: u64,
    reordered: u64,
    acked: u32,
}

#[test]
fn connections_are_whole() {
    let (frames, _) = frames(&small());
    let mut ends: BTreeMap<(FlowKey, (std::net::IpAddr, u16)), Sent> = BTreeMap::new();
    let mut finals: BTreeMap<FlowKey, (bool, bool)> = BTreeMap::new();
    let mut sacks = 0;
    for (_, frame) in &frames {
        let seen = look(frame);
        if seen.transport != "tcp" || protocol_of(&seen) == Protocol::Scan {
            continue;
        }
        let flow = seen.flow().unwrap();
        let packet = etherparse::SlicedPacket::from_ethernet(frame).unwrap();
        let Some(etherparse::TransportSlice::Tcp(tcp)) = packet.transport else { panic!("TCP") };
        sacks +=
            u64::from(tcp.options_iterator().any(|option| {
                matches!(option, Ok(etherparse::TcpOptionElement::SelectiveAcknowledgement(..)))
            }));
        let sent = ends.entry((flow.clone(), seen.src.unwrap())).or_default();
        let isn = *sent.isn.get_or_insert(tcp.sequence_number());
        let from = tcp.sequence_number().wrapping_sub(isn);
        let len = tcp.payload().len() as u32 + u32::from(tcp.syn()) + u32::from(tcp.fin());
        if len > 0 {
            if sent.ranges.contains(&(from, from + len)) {
                sent.retransmitted += 1;
            } else if from < sent.highest {
                sent.reordered += 1;
            }
            sent.ranges.push((from, from + len));
            sent.highest = sent.highest.max(from + len);
        }
        if tcp.ack() {
            let peer = ends.get_mut(&(flow.clone(), seen.dst.unwrap())).expect("an ACK follows a SYN");
            let acked = tcp.acknowledgment_number().wrapping_sub(peer.isn.unwrap());
            assert!(acked <= peer.highest, "acknowledges only what was sent: {acked} of {}", peer.highest);
            assert!(acked >= peer.acked, "never takes back an acknowledgement");
            peer.acked = acked;
        }
        let (fin, reset) = finals.entry(flow).or_default();
        *fin |= tcp.fin();
        *reset |= tcp.rst();
    }
    assert!(ends.len() > 100);
    let mut retransmitted = 0;
    let mut reordered = 0;
    for ((flow, end), mut sent) in ends {
        retransmitted += sent.retransmitted;
        reordered += sent.reordered;
        sent.ranges.sort_unstable();
        let mut expected = 0;
        for (from, until) in sent.ranges {
            assert!(from <= expected, "a hole at {expected} in {flow:?} from {end:?}");
            expected = expected.max(until);
        }
        let reset = finals[&flow].1;
        assert!(reset || sent.acked == sent.highest, "all is acknowledged in {flow:?}");
    }
    assert!(retransmitted > 5 && reordered > 5 && sacks > 5, "{retransmitted} {reordered} {sacks}");
    let count = |wanted| finals.values().filter(|&&ended| ended == wanted).count();
    assert!(count((true, false)) > 50 && count((false, true)) > 3 && count((false, false)) > 1);
}
