//! Real captures, against what Suricata 7.0.10 counts in them (`defrag.*` of its stats event, `-k none`).

use std::path::Path;

use flow::defrag::{Config, Count, Defrag, DropReason, Outcome, Stats};
use wire::{Malformed, Packet, ParseOptions, TenantId};

use crate::build::{balanced, corpora};

const TENANT: TenantId = TenantId(0);

/// What a capture came to.
struct Replay {
    stats: Stats,
    lost: u64,
    /// Datagrams that did not parse as whole packets.
    unparsed: u64,
    overlap_datagrams: u64,
    /// IPv6 fragments that the parser refuses because of their length.
    unaligned: u64,
}

fn own(outcome: Outcome<'_>) -> Option<(Vec<u8>, Count)> {
    if let Outcome::Complete(datagram) = outcome {
        Some((datagram.bytes.to_vec(), datagram.frames))
    } else {
        None
    }
}

/// Reads a classic pcap file and reassembles what is in it.
fn replay(path: &Path) -> Replay {
    let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    let fraction_ns = match word(0) {
        0xa1b2_c3d4 => 1000,
        0xa1b2_3c4d => 1,
        magic => panic!("{}: magic {magic:x}", path.display()),
    };
    let link_type = word(20);
    let options = ParseOptions::default();
    let mut defrag = Defrag::new(Config::default()).unwrap();
    let (mut lost, mut unparsed, mut overlap_datagrams, mut unaligned) = (0, 0, 0, 0);
    let mut overlaps = 0;
    let mut at = 24;
    while at + 16 <= file.len() {
        let now_ns = u64::from(word(at)) * 1_000_000_000 + u64::from(word(at + 4)) * fraction_ns;
        let len = word(at + 8) as usize;
        let frame = &file[at + 16..at + 16 + len];
        at += 16 + len;
        let (frame, packet) = match link_type {
            1 => (frame, Packet::parse_ethernet(frame, &options)),
            228 => (frame, Packet::parse_ip(frame, &options)),
            // PPP (RFC 1661, 1662): perhaps ff 03, then the protocol, in one byte if that is odd.
            9 => {
                let ppp = frame.strip_prefix(&[0xff, 3]).unwrap_or(frame);
                let ip = &ppp[2 - usize::from(ppp[0] & 1)..];
                (ip, Packet::parse_ip(ip, &options))
            }
            other => panic!("{}: link type {other}", path.display()),
        };
        // Suricata counts it as a fragment before it looks at its length.
        unaligned += u64::from(packet == Err(Malformed::Ipv6FragmentLengthInvalid));
        let Ok(packet) = packet else { continue };
        let Ok(packet) = packet.innermost(frame, &options) else { continue };
        let mut completed = own(defrag.push(frame, &packet, TENANT, now_ns));
        while let Some((bytes, frames)) = completed.take() {
            let now = defrag.stats(TENANT).overlaps;
            overlap_datagrams += u64::from(now > overlaps);
            overlaps = now;
            match Packet::parse_ip(&bytes, &options) {
                Ok(whole) if whole.fragment.is_some() => {
                    completed = own(defrag.push_reassembled(&bytes, &whole, frames, TENANT, now_ns));
                }
                Ok(_) => {}
                Err(_) => unparsed += 1,
            }
        }
        defrag.expire(now_ns, |loss| lost += loss.frames.packets);
        balanced(&defrag);
    }
    defrag.drain(|loss| lost += loss.frames.packets);
    Replay { stats: defrag.stats(TENANT), lost, unparsed, overlap_datagrams, unaligned }
}

#[test]
fn enterprise() {
    let Some(corpora) = corpora() else { return };
    let Replay { stats, lost, unparsed, .. } = replay(&corpora.join("pcap/enterprise.pcap"));
    assert_eq!((stats.ipv4.fragments, stats.ipv4.reassembled), (248, 123));
    assert_eq!((stats.ipv6.fragments, stats.ipv6.reassembled), (6, 3));
    assert_eq!((stats.overlaps, unparsed), (1, 0));
    assert_eq!(stats.received.packets, 254);
    assert_eq!(stats.completed.packets + lost, 254);
}

#[test]
fn suricata_verify() {
    let Some(corpora) = corpora() else { return };
    // Name; fragments and datagrams as Suricata counts them; datagrams with an overlap.
    let expected: &[(&str, u64, u64, u64)] = &[
        ("defrag__bug-6887-defrag-eth-vlan-ipv6-tcp", 3, 1, 0),
        ("defrag__bug-6887-defrag-ipv4-tcp-syn", 3, 1, 0),
        ("defrag__bug-6887-defrag-ppp-ipv4-tcp-syn", 3, 1, 0),
        ("defrag__bug-6887-defrag-ppp-ipv6-tcp", 3, 1, 0),
        ("ipv6-evasion__ipv6-malformed-fragments-12", 0, 0, 0),
        ("ipv6-evasion__ipv6-malformed-fragments-15", 54, 0, 0),
        ("ipv6-evasion__ipv6-malformed-fragments-18", 4, 1, 1),
        ("ipv6-evasion__ipv6-malformed-fragments-2", 4, 1, 1),
        ("ipv6-evasion__ipv6-malformed-fragments-23", 3, 0, 0),
        ("ipv6-evasion__ipv6-malformed-fragments-24", 3, 0, 0),
        ("ipv6-evasion__ipv6-malformed-fragments-28", 2, 0, 0),
        ("ipv6-evasion__ipv6-malformed-fragments-30", 48, 0, 0),
        ("ipv6-evasion__ipv6-malformed-fragments-31", 48, 0, 0),
        ("ipv6-evasion__ipv6-malformed-fragments-35", 5, 2, 0),
        ("ipv6-evasion__ipv6-malformed-fragments-6", 3, 1, 1),
        ("ipv6-evasion__ipv6-malformed-fragments-7", 3, 1, 1),
        ("ipv6-evasion__ipv6-dos-with-ext-headers-5", 0, 0, 0),
        ("ipv6-evasion__ipv6-dos-with-ext-headers-6", 39_812, 0, 0),
    ];
    for (name, fragments, datagrams, overlaps) in expected {
        let replay = replay(&corpora.join("suricata-verify").join(name).join("input.pcap"));
        let stats = replay.stats;
        let counts = (
            stats.ipv4.fragments + stats.ipv6.fragments + replay.unaligned,
            stats.ipv4.reassembled + stats.ipv6.reassembled,
            replay.overlap_datagrams,
        );
        println!("{name}: {counts:?} lost {} {:?}", replay.lost, dropped(&stats));
        assert_eq!(counts, (*fragments, *datagrams, *overlaps), "{name}: {:?}", dropped(&stats));
        let refused: u64 = stats.dropped.iter().map(|count| count.packets).sum();
        assert_eq!(stats.received.packets, stats.completed.packets + refused, "{name}");
    }
}

fn dropped(stats: &Stats) -> Vec<(&'static str, u64)> {
    DropReason::ALL
        .iter()
        .map(|reason| (reason.as_str(), stats.dropped[reason.index()].packets))
        .filter(|(_, packets)| *packets > 0)
        .collect()
}
