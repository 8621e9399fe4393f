//! Captures through the whole dataplane: what goes in comes out, or is counted by name.

#![allow(clippy::unwrap_used)]

mod common;

use std::process::Command;

use common::{CHECKSUM, HEADERS, assert_conserved, config, enterprise, frames, replay, scan, sorted_lines};

#[test]
fn a_real_trace_is_counted_exactly_and_inspected_whole() {
    let Some(trace) = enterprise() else { return };
    let (outcome, eve) = replay(&config(1, 1), CHECKSUM, &[], &trace);
    let frames = frames(&trace);
    let bytes: usize = frames.iter().map(|(_, frame)| frame.len()).sum();
    let received = outcome.snapshot.received;
    assert_eq!((received.packets, received.bytes), (frames.len() as u64, bytes as u64));
    assert_conserved(&outcome);
    assert_eq!(sorted_lines(&eve).len() as u64, outcome.snapshot.flows);
    assert!(outcome.snapshot.tenants[0].inspected.packets > 137_000);
}

/// Two replays of one binary, each in a process of its own (an EAL starts once): this test runs itself again.
fn replay_in_own_process(workers: usize) -> Vec<u8> {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_replays_for_its_parent", "--nocapture"])
        .env("FOREBAY_TEST_WORKERS", workers.to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let out = String::from_utf8(output.stdout).unwrap();
    out.lines()
        .filter(|line| line.starts_with('{'))
        .flat_map(|line| [line, "\n"])
        .collect::<String>()
        .into_bytes()
}

#[test]
fn child_replays_for_its_parent() {
    let Some(workers) = std::env::var("FOREBAY_TEST_WORKERS").ok().and_then(|text| text.parse().ok()) else {
        return;
    };
    let Some(trace) = enterprise() else { return };
    let (outcome, eve) = replay(&config(workers, 1), HEADERS, &[], &trace);
    assert_conserved(&outcome);
    println!("{}", String::from_utf8(eve).unwrap());
}

#[test]
fn the_same_input_gives_the_same_bytes_and_two_workers_the_same_set() {
    if enterprise().is_none() {
        return;
    }
    let (first, second, two) = (replay_in_own_process(1), replay_in_own_process(1), replay_in_own_process(2));
    assert!(first.len() > 500_000);
    assert!(first == second, "two replays with one worker differ");
    let (one, two) = (sorted_lines(&first), sorted_lines(&two));
    let only_one: Vec<&String> = one.iter().filter(|line| two.binary_search(line).is_err()).take(3).collect();
    assert_eq!(one.len(), two.len(), "{only_one:#?}");
    assert!(one == two, "{only_one:#?}");
}

#[test]
fn ten_tenants_on_ten_vlans_each_get_exactly_their_own() {
    let Some(trace) = enterprise() else { return };
    let dir = tempfile::tempdir().unwrap();
    // A tenth of the trace for each of ten tenants, tagged.
    let mut all = Vec::new();
    let mut expected = [(0u64, 0u64); 10];
    for (place, (time_us, mut frame)) in frames(&trace).into_iter().take(60_000).enumerate() {
        let tenant = place % 10;
        frame.splice(12..12, [0x81, 0, 0, 100 + tenant as u8]);
        expected[tenant].0 += 1;
        expected[tenant].1 += frame.len() as u64;
        all.push((time_us, frame));
    }
    let path = dir.path().join("ten, with a comma.pcap");
    common::write(&path, &all);
    assert_eq!(scan(&path).0, 60_000);
    let (outcome, _) = replay(&config(1, 10), CHECKSUM, &[], &path);
    assert_conserved(&outcome);
    for (tenant, expected) in outcome.snapshot.tenants.iter().zip(expected) {
        assert_eq!((tenant.received.packets, tenant.received.bytes), expected, "{}", tenant.name);
    }
}
