//! Mixes: every replica whole, on its VLAN, with addresses of its own.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::IpAddr;

use trafficgen::mix::{MixError, MixOptions, VlanCount, mix};
use trafficgen::pcap::CaptureError;
use trafficgen::trace::{TraceOptions, write_trace};

use crate::common::{checksums_right, corpus, look, read_pcap, write_pcap};

const OPTIONS: MixOptions =
    MixOptions { replicas: 5, vlans: 3, seed: 7, seconds: 10, flow_seconds: 2, memory_bytes: 1 << 30 };

fn trace(dir: &std::path::Path) -> std::path::PathBuf {
    let path = dir.join("trace.pcap");
    let options =
        TraceOptions { tenants: 2, conversations: 80, elephant_bytes: 0, ..TraceOptions::default() };
    write_trace(&options, &path, None).unwrap();
    path
}

#[test]
fn replicas_are_whole_and_apart() {
    let dir = tempfile::tempdir().unwrap();
    let source = trace(dir.path());
    let destination = dir.path().join("mix.pcap");
    let summary = mix(&source, &destination, &OPTIONS).unwrap();
    let ip = read_pcap(&source).into_iter().filter(|(_, frame)| look(frame).transport != "arp");
    let source_frames: Vec<_> = ip.map(|(_, frame)| frame).collect();
    let mixed = read_pcap(&destination);
    assert_eq!(mixed.len(), source_frames.len() * 5);

    let mut vlans: BTreeMap<u16, VlanCount> = BTreeMap::new();
    let mut last_ns = 0;
    let mut flows = BTreeSet::new();
    for (at_ns, frame) in &mixed {
        assert!(*at_ns >= last_ns);
        last_ns = *at_ns;
        assert_ne!(checksums_right(frame), Some(false));
        let seen = look(frame);
        let count = vlans.entry(seen.vlan.unwrap()).or_default();
        count.vlan = seen.vlan.unwrap();
        count.packets += 1;
        count.bytes += frame.len() as u64;
        flows.extend(seen.flow().map(|(_, transport, ends)| (transport, ends)));
    }
    assert_eq!(summary.vlans, vlans.into_values().collect::<Vec<_>>());
    assert_eq!(summary.packets, mixed.len() as u64);
    assert_eq!(summary.bytes, mixed.iter().map(|(_, frame)| frame.len() as u64).sum::<u64>());
    assert_eq!(summary.vlans.iter().map(|vlan| vlan.vlan).collect::<Vec<_>>(), [100, 101, 102]);
    assert_eq!(summary.not_rewritten, 0);
    let source_flows: BTreeSet<_> = source_frames
        .iter()
        .filter_map(|frame| look(frame).flow())
        .map(|(_, transport, ends)| (transport, ends))
        .collect();
    assert_eq!(flows.len(), source_flows.len() * 5, "no flow of one replica is another's");

    // The first replica, one of two on VLAN 100, is the source but for the tag.
    let without_vlan = |frame: &[u8]| [&frame[..12], &frame[16..]].concat();
    let on_first: HashSet<Vec<u8>> =
        mixed.iter().filter(|(_, frame)| frame[15] == 100).map(|(_, frame)| without_vlan(frame)).collect();
    assert!(source_frames.iter().all(|frame| on_first.contains(&without_vlan(frame))));
}

#[test]
fn the_seed_decides_and_private_addresses_stay_private() {
    let dir = tempfile::tempdir().unwrap();
    let source = trace(dir.path());
    let make = |name: &str, options: &MixOptions| {
        let path = dir.path().join(name);
        mix(&source, &path, options).unwrap();
        path
    };
    let first = make("a.pcap", &OPTIONS);
    let bytes = |path| std::fs::read(path).unwrap();
    assert!(bytes(first.clone()) == bytes(make("b.pcap", &OPTIONS)));
    assert!(bytes(first.clone()) != bytes(make("c.pcap", &MixOptions { seed: 8, ..OPTIONS })));
    for (_, frame) in read_pcap(&first) {
        let seen = look(&frame);
        let private = |end: Option<(IpAddr, u16)>| match end.unwrap().0 {
            IpAddr::V4(ip) => Some(ip.is_private()),
            IpAddr::V6(_) => None,
        };
        let ends = [private(seen.src), private(seen.dst)];
        assert!(ends.contains(&Some(true)) || ends == [None; 2], "one end is the tenant's: {seen:?}");
    }
    let untagged = make("u.pcap", &MixOptions { vlans: 0, ..OPTIONS });
    assert!(read_pcap(&untagged).iter().all(|(_, frame)| look(frame).vlan.is_none()));
}

#[test]
fn what_is_left_out_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("in.pcap");
    let mut udp = Vec::new();
    etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 0, 0, 1], [8, 8, 8, 8], 64)
        .udp(1, 2)
        .write(&mut udp, &[0; 30])
        .unwrap();
    let mut long = Vec::new();
    etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([10, 0, 0, 1], [8, 8, 8, 8], 64)
        .udp(1, 2)
        .write(&mut long, &[0; 3000])
        .unwrap();
    let mut bad = udp.clone();
    bad[17] = 0xff;
    let mut arp = vec![0xff; 12];
    arp.extend_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp.resize(60, 0);
    let mut bytes = write_pcap(
        0xa1b2_c3d4,
        true,
        &[(1, 0, &udp), (1, 1, &long), (1, 2, &bad), (1, 3, &arp), (1, 4, &[0; 5]), (1, 5, &udp)],
    );
    // The last one was cut: its length on the wire is larger.
    let at = bytes.len() - udp.len() - 4;
    bytes[at..at + 4].copy_from_slice(&9000_u32.to_be_bytes());
    std::fs::write(&source, bytes).unwrap();
    let destination = dir.path().join("out.pcap");
    let summary = mix(&source, &destination, &OPTIONS).unwrap();
    let skipped = summary.skipped;
    assert_eq!([skipped.too_long, skipped.malformed, skipped.not_ip, skipped.truncated], [1, 2, 1, 1]);
    assert_eq!((summary.packets, summary.flows), (5, 1));

    let only_arp = write_pcap(0xa1b2_c3d4, false, &[(1, 0, &arp)]);
    std::fs::write(&source, only_arp).unwrap();
    let error = mix(&source, &destination, &OPTIONS).unwrap_err();
    assert!(matches!(error, MixError::Capture(CaptureError::Empty { .. })), "{error}");
}

#[test]
fn memory_and_addresses_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    let source = trace(dir.path());
    let destination = dir.path().join("out.pcap");
    let error = mix(&source, &destination, &MixOptions { memory_bytes: 1 << 16, ..OPTIONS }).unwrap_err();
    assert!(matches!(error, MixError::Capture(CaptureError::TooLarge { .. })), "{error}");
    let many = MixOptions { replicas: 1_000_000, ..OPTIONS };
    let error = mix(&source, &destination, &many).unwrap_err();
    assert!(matches!(error, MixError::TooMany { .. }), "{error}");
    let error = mix(&source, &destination, &MixOptions { memory_bytes: 1 << 46, ..many }).unwrap_err();
    assert!(matches!(error, MixError::Rewrite { .. }), "{error}");
    assert!(!destination.exists());
}

#[test]
fn enterprise_traffic_keeps_its_counts() {
    let Some(source) = corpus("pcap/enterprise.pcap") else { return };
    let dir = tempfile::tempdir().unwrap();
    let destination = dir.path().join("mix.pcap");
    let options = MixOptions { replicas: 2, vlans: 2, ..OPTIONS };
    let summary = mix(&source, &destination, &options).unwrap();
    let frames = read_pcap(&source);
    let bytes: u64 = frames.iter().map(|(_, frame)| frame.len() as u64).sum();
    assert_eq!(summary.skipped.total(), 0);
    for vlan in &summary.vlans {
        assert_eq!((vlan.packets, vlan.bytes), (frames.len() as u64, bytes + 4 * frames.len() as u64));
    }
}
