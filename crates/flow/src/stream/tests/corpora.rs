//! Captures of Suricata's own tests: what their expectations say of the stream, and that memory comes back from all of them.

use std::collections::HashMap;
use std::path::PathBuf;

use app::Direction::ToServer;
use wire::{L4, NTuple, Packet, ParseOptions};

use super::*;

fn corpora() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora");
    let root = std::env::var_os("FOREBAY_CORPORA").map_or_else(|| default.into(), PathBuf::from);
    let verify = root.join("suricata-verify");
    if verify.is_dir() {
        return Some(verify);
    }
    eprintln!("SKIPPED: no corpora at {}; set FOREBAY_CORPORA", root.display());
    None
}

/// The frames of a classic little-endian pcap file, from the Ethernet or the IP header on; of other files none.
fn packets(file: &[u8]) -> Vec<(Vec<u8>, Packet)> {
    let word = |at: usize| file.get(at..at + 4).map(|word| u32::from_le_bytes(word.try_into().unwrap()));
    let (parse, skip): (fn(&[u8], &ParseOptions) -> _, usize) = match (word(0), word(20)) {
        (Some(0xa1b2_c3d4), Some(1)) => (Packet::parse_ethernet, 0),
        (Some(0xa1b2_c3d4), Some(12 | 14 | 101)) => (Packet::parse_ip, 0),
        // BSD loopback and Linux cooked capture.
        (Some(0xa1b2_c3d4), Some(0)) => (Packet::parse_ip, 4),
        (Some(0xa1b2_c3d4), Some(113)) => (Packet::parse_ip, 16),
        _ => return Vec::new(),
    };
    let (mut at, mut out) = (24, Vec::new());
    while let Some(len) = word(at + 8) {
        let Some(frame) = file.get(at + 16 + skip..at + 16 + len as usize) else { break };
        if let Ok(packet) = parse(frame, &ParseOptions::default()) {
            out.push((frame.to_vec(), packet));
        }
        at += 16 + len as usize;
    }
    out
}

/// Plays every TCP connection of a capture, each to a stream of its own.
fn play(file: &[u8], config: StreamConfig) -> Vec<Talk> {
    let mut index: HashMap<NTuple, (usize, Direction)> = HashMap::new();
    let mut talks: Vec<Talk> = Vec::new();
    for (frame, packet) in packets(file).iter().filter(|(_, packet)| packet.l4 == L4::Tcp) {
        let tuple = packet.tuple;
        let back = NTuple {
            src: tuple.dst,
            dst: tuple.src,
            src_port: tuple.dst_port,
            dst_port: tuple.src_port,
            ..tuple
        };
        let (number, direction) = *index.entry(tuple).or_insert((talks.len(), ToServer));
        if number == talks.len() {
            index.insert(back, (number, ToServer.flipped()));
            talks.push(Talk::new(config));
        }
        let talk = &mut talks[number];
        talk.now_us += 1000;
        let (header, payload) = (packet.transport_header(frame), packet.payload(frame));
        let (budget, now_us) = (&mut talk.budget, talk.now_us);
        let last = talk.stream.segment(&config, budget, &packet.tcp, header, direction, payload, now_us);
        let number = talk.segments;
        talk.events.extend(last.events.iter().map(|event| (number, event)));
        talk.collect();
        talk.segments += 1;
    }
    for talk in &mut talks {
        talk.flush();
    }
    talks
}

#[test]
fn expectations_of_the_stream_hold() {
    let Some(root) = corpora() else { return };
    let play = |name: &str, policy| {
        let file = std::fs::read(root.join(name).join("input.pcap")).unwrap();
        let mut talks = play(&file, StreamConfig { policy, ..StreamConfig::default() });
        assert_eq!(talks.len(), 1, "{name}");
        talks.remove(0)
    };
    let overlap = play("eve-overlap-payload-02-policy-oldlinux", OverlapPolicy::OldLinux);
    assert_eq!(overlap.text(ToServer), "EVIL");
    let overlap = play("eve-overlap-payload-02-policy-oldlinux", OverlapPolicy::Bsd);
    assert_eq!(overlap.text(ToServer), "GOOD");
    for system in ["bug-3286-02-linux-evasion", "bug-3286-03-windows-evasion"] {
        let evasion = play(system, OverlapPolicy::Bsd);
        let event = StreamEvent::PacketInvalidTimestamp;
        assert_eq!(evasion.events, [(1, event), (2, event)]);
        assert!(evasion.text(ToServer).starts_with("GET "), "the forged RST and FIN did nothing");
    }
    let injected = play("security-4710-01", OverlapPolicy::Bsd);
    assert_eq!(injected.events, [(4, StreamEvent::SuspectedRstInjection)]);
    let split = play("tcp-split-handshake-02-5whs", OverlapPolicy::Bsd);
    assert!(split.text(ToServer).contains("EVIL"));
}

#[test]
fn every_capture_gives_data_and_takes_no_memory_for_good() {
    let Some(root) = corpora() else { return };
    let (mut connections, mut bytes) = (0, 0);
    for folder in std::fs::read_dir(root).unwrap() {
        let Ok(file) = std::fs::read(folder.unwrap().path().join("input.pcap")) else { continue };
        for config in [
            StreamConfig::default(),
            StreamConfig { inline: true, midstream: true, ..StreamConfig::default() },
        ] {
            for talk in play(&file, config) {
                connections += usize::from(talk.stream.is_established());
                let data = |(_, _, piece): &Piece| piece.as_ref().map_or(0, Vec::len);
                bytes += talk.pieces.iter().flatten().map(data).sum::<usize>();
            }
        }
    }
    assert!(connections > 200 && bytes > 1 << 20, "{connections} connections, {bytes} bytes");
}
