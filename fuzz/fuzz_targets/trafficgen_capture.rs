//! Any bytes as a capture to replay; what is no capture is one frame to rewrite.
//!
//! Every frame is planned and rewritten for the first loops and the last: only addresses and the checksums over them
//! change, each address of a loop has one new one of its own kind that no frame had before, and what was a right
//! checksum still is. Then the capture is loaded and replayed as `trafficgen send` does it.

#![no_main]

#[path = "common/input_file.rs"]
mod input_file;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use trafficgen::pcap::{CaptureError, CaptureReader};
use trafficgen::replay::{Capture, CaptureLimits, Pace, Replay, ReplayOptions, Tags};
use trafficgen::rewrite::{HeaderEdit, LoopRewrite, Rewriter, Survey, VlanRange};
use wire::{Addr, NTuple, Packet, ParseOptions};

/// Most bytes that one header's edit can change: two IPv6 addresses and the checksum over them; for IPv4 also the
/// header's own.
const HEADER_CHANGE_MAX: usize = 34;

/// The frames of a capture as far as it can be read, and whether that is all of it.
fn read(path: &Path) -> Result<(Vec<Vec<u8>>, bool), CaptureError> {
    let mut reader = CaptureReader::open(path)?;
    let mut frames = Vec::new();
    loop {
        match reader.next_frame() {
            Ok(Some(frame)) => {
                assert!(frame.bytes.len() <= frame.wire_len as usize);
                frames.push(frame.bytes.to_vec());
            }
            Ok(None) => {
                assert!(!frames.is_empty(), "a capture without frames is refused");
                return Ok((frames, true));
            }
            Err(error) => {
                assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
                return Ok((frames, false));
            }
        }
    }
}

/// The packet and those in its tunnels, outermost first.
fn packets(frame: &[u8]) -> Vec<Packet> {
    let options = ParseOptions::default();
    let first = Packet::parse_ethernet(frame, &options).ok();
    std::iter::successors(first, |packet| {
        packet.encapsulation.and_then(|_| packet.descend(frame, &options).ok())
    })
    .collect()
}

/// What a frame is apart from addresses, and its checksums' verdicts.
fn without_addresses(frame: &[u8]) -> Vec<impl PartialEq + std::fmt::Debug + use<>> {
    packets(frame)
        .into_iter()
        .map(|packet| {
            let verdicts = (packet.verify_ipv4_checksum(frame), packet.verify_transport_checksum(frame));
            let tuple = NTuple { src: Addr::default(), dst: Addr::default(), ..packet.tuple };
            (Packet { tuple, ..packet }, verdicts)
        })
        .collect()
}

fn addresses(frame: &[u8]) -> Vec<(u8, Addr)> {
    let each = |packet: Packet| {
        let NTuple { ip_version, src, dst, .. } = packet.tuple;
        [(ip_version, src), (ip_version, dst)]
    };
    packets(frame).into_iter().flat_map(each).filter(|(ip_version, _)| *ip_version != 0).collect()
}

/// Whether an IPv4 address is of a private network: such addresses stay so.
fn is_private((ip_version, address): (u8, Addr)) -> bool {
    ip_version == 4 && std::net::Ipv4Addr::from(address.v4_octets()).is_private()
}

fn check_loop(rewriter: &Rewriter, rewrite: &LoopRewrite, number: u64, frames: &[&[u8]]) {
    let before: BTreeSet<_> = frames.iter().flat_map(|frame| addresses(frame)).collect();
    let mut forth = BTreeMap::new();
    let mut edits = Vec::new();
    for frame in frames {
        edits.clear();
        assert_eq!(rewriter.plan(frame, &mut edits), edits.len());
        let mut copy = frame.to_vec();
        rewrite.apply(&edits, &mut copy);
        let changed = frame.iter().zip(&copy).filter(|(old, new)| old != new).count();
        assert!(changed <= edits.len() * HEADER_CHANGE_MAX);
        if number == 0 || !edits.iter().any(HeaderEdit::makes_new) {
            assert_eq!(changed, 0);
        }
        assert_eq!(without_addresses(&copy), without_addresses(frame));
        for (old, new) in addresses(frame).into_iter().zip(addresses(&copy)) {
            assert_eq!(*forth.entry(old).or_insert(new), new, "an address has one new address in a loop");
            assert!(old == new || number > 0 && !before.contains(&new), "{old:?} became {new:?}");
            assert!(!is_private(old) || is_private(new), "{old:?} became {new:?}");
        }
        // A plan applied to what it was not made from does no harm either.
        copy.truncate(frame.len() / 2);
        rewrite.apply(&edits, &mut copy);
    }
    assert_eq!(forth.values().collect::<BTreeSet<_>>().len(), forth.len(), "two addresses became one");
}

fn check_rewrite(frames: &[&[u8]]) {
    let mut survey = Survey::default();
    frames.iter().for_each(|frame| survey.note(frame));
    let rewriter = survey.finish();
    let loops_max = rewriter.loops_max();
    for number in BTreeSet::from([0, 1, 2, loops_max - 1]).range(..loops_max) {
        let rewrite = rewriter.at_loop(*number).expect("a loop of those there are");
        check_loop(&rewriter, &rewrite, *number, frames);
    }
    assert!(rewriter.at_loop(loops_max).is_err());
}

/// Loads the capture and replays two loops of it, if there are two.
fn check_replay(path: &Path, tags: Tags, frames: Option<usize>) {
    let capture = match Capture::load(path, tags, CaptureLimits::default()) {
        Ok(capture) => capture,
        Err(CaptureError::Empty { .. }) => return,
        Err(error) => {
            assert!(frames.is_none(), "{error}");
            return;
        }
    };
    let frames = frames.expect("what can be loaded can be read");
    assert_eq!(capture.len() as u64 + capture.skipped().total(), frames as u64);
    let loops = capture.rewriter().loops_max().min(2);
    let vlans = (tags == Tags::One).then_some(VlanRange { first: 100, count: 2 });
    let options = ReplayOptions { loops, vlans, pace: Pace::Capture { speed: 2.0 } };
    let mut replay = Replay::new(&capture, options).expect("as many loops as there are");
    let mut sent = 0;
    while let Some(due) = replay.next_due() {
        let number = replay.loop_number();
        let mut frame = vec![0; due.len];
        assert!(replay.write_to(&mut frame));
        let packet = Packet::parse_ethernet(&frame, &ParseOptions::default()).expect("others are skipped");
        if let Some(vlans) = vlans {
            assert_eq!((packet.vlans.vids[0], packet.vlans.count), (vlans.at(number), 1));
        }
        sent += 1;
    }
    assert_eq!(sent, capture.len() as u64 * loops);
}

fuzz_target!(|bytes: &[u8]| {
    let path = input_file::with(bytes);
    match read(path) {
        Err(error) => {
            assert!(error.to_string().contains(&*path.to_string_lossy()), "{error}");
            check_rewrite(&[bytes]);
        }
        Ok((frames, complete)) => {
            check_rewrite(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let tags = [Tags::Keep, Tags::Strip, Tags::One][bytes.len() % 3];
            check_replay(path, tags, complete.then_some(frames.len()));
        }
    }
});
