//! Replay of a capture in memory: loops, VLANs, pace.

use std::collections::BTreeSet;

use trafficgen::replay::{Capture, CaptureLimits, Due, Pace, Replay, ReplayOptions, Tags};
use trafficgen::rewrite::{RewriteError, VlanRange};
use trafficgen::trace::{TraceOptions, write_trace};

use crate::capture::block;
use crate::common::{checksums_right, look};

fn capture(tags: Tags) -> Capture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trace.pcap");
    let options =
        TraceOptions { tenants: 1, conversations: 60, elephant_bytes: 0, ..TraceOptions::default() };
    write_trace(&options, &path, None).unwrap();
    Capture::load(&path, tags, CaptureLimits::default()).unwrap()
}

fn play(capture: &Capture, options: ReplayOptions) -> Vec<(Due, Vec<u8>)> {
    let mut replay = Replay::new(capture, options).unwrap();
    let mut out = Vec::new();
    let mut buffer = [0; 2048];
    while let Some(due) = replay.next_due() {
        assert!(!replay.write_to(&mut buffer[..due.len - 1]), "too short a buffer is refused");
        assert!(replay.write_to(&mut buffer));
        out.push((due, buffer[..due.len].to_vec()));
    }
    assert!(!replay.write_to(&mut buffer), "nothing after the end");
    out
}

#[test]
fn every_loop_is_new_flows_on_its_vlan() {
    let capture = capture(Tags::One);
    let vlans = VlanRange { first: 200, count: 2 };
    let options = ReplayOptions { loops: 3, vlans: Some(vlans), pace: Pace::Unlimited };
    let frames = play(&capture, options);
    assert_eq!(frames.len(), 3 * capture.len());
    let mut flows = BTreeSet::new();
    for (number, frames) in frames.chunks(capture.len()).enumerate() {
        let mut of_loop = BTreeSet::new();
        for (due, frame) in frames {
            assert_eq!(due.at_ns, 0);
            let seen = look(frame);
            assert_eq!(seen.vlan, Some(vlans.at(number as u64)));
            assert_ne!(checksums_right(frame), Some(false));
            of_loop.extend(seen.flow().map(|(_, transport, ends)| (transport, ends)));
        }
        for flow in of_loop {
            assert!(flows.insert(flow.clone()), "{flow:?} twice");
        }
    }
}

#[test]
fn as_it_was_captured() {
    let capture = capture(Tags::Keep);
    let options = ReplayOptions { loops: 1, vlans: None, pace: Pace::Capture { speed: 1.0 } };
    let (first_ns, _) = capture.span_ns();
    for (at, (due, frame)) in play(&capture, options).iter().enumerate() {
        let original = capture.frame(at).unwrap();
        assert_eq!((due.at_ns, frame.as_slice()), (original.at_ns - first_ns, original.bytes));
    }
}

/// Timestamps as far apart as a file can say: the second loop would begin after the last nanosecond there is.
#[test]
fn timestamps_far_apart_are_due_late() {
    let mut section = 0x1a2b_3c4d_u32.to_le_bytes().to_vec();
    section.extend_from_slice(&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    // Its clock ticks once a second.
    let interface = [1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 0, 0, 0, 0];
    let packet = |ticks: u32| {
        let words = [0, ticks, ticks, 60, 60].map(u32::to_le_bytes);
        block(6, &[words.as_flattened(), &[0x42; 60]].concat())
    };
    let file = [block(0x0a0d_0d0a, &section), block(1, &interface), packet(0), packet(u32::MAX)].concat();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("far.pcapng");
    std::fs::write(&path, file).unwrap();
    let capture = Capture::load(&path, Tags::Keep, CaptureLimits::default()).unwrap();
    assert_eq!(capture.span_ns(), (0, u64::MAX));
    let options = ReplayOptions { loops: 2, vlans: None, pace: Pace::Capture { speed: 1.0 } };
    let due: Vec<u64> = play(&capture, options).iter().map(|(due, _)| due.at_ns).collect();
    assert_eq!(due, [0, u64::MAX, u64::MAX, u64::MAX]);
}

#[test]
fn paces_keep_their_rate() {
    let capture = capture(Tags::Strip);
    let with = |pace| play(&capture, ReplayOptions { loops: 2, vlans: None, pace });
    let packets = with(Pace::PacketsPerSecond(3_000_000));
    for (at, (due, _)) in packets.iter().enumerate() {
        assert_eq!(due.at_ns, at as u64 * 1000 / 3);
    }
    let mut bits = 0;
    for (due, frame) in with(Pace::BitsPerSecond(10_000_000_000)) {
        assert_eq!(due.at_ns, bits / 10);
        bits += frame.len() as u64 * 8;
    }
    let (first_ns, last_ns) = capture.span_ns();
    let captured = with(Pace::Capture { speed: 2.0 });
    let half = captured[capture.len() - 1].0.at_ns;
    assert_eq!(half, (last_ns - first_ns) / 2);
    // The second loop follows without a pause or an overlap, in the same rhythm.
    let second = captured[capture.len()].0.at_ns;
    assert!(second > half && second < half + 100_000_000, "{second} after {half}");
    assert_eq!(captured[2 * capture.len() - 1].0.at_ns - second, half);
}

#[test]
fn too_many_loops_are_said_before_the_first() {
    let capture = capture(Tags::Keep);
    let loops_max = capture.rewriter().loops_max();
    assert!(loops_max > 100_000, "{loops_max}");
    let options = ReplayOptions { loops: loops_max, vlans: None, pace: Pace::Unlimited };
    assert!(Replay::new(&capture, options).is_ok());
    let error = Replay::new(&capture, ReplayOptions { loops: loops_max + 1, ..options }).unwrap_err();
    assert_eq!(error, RewriteError::LoopsExhausted { number: loops_max, loops_max });
}
