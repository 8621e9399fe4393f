//! `trafficgen send`: what comes out of the port is what the library says, and refusals are one line.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde_json::Value;
use trafficgen::replay::{Capture, CaptureLimits, Pace, Replay, ReplayOptions, Tags};
use trafficgen::rewrite::VlanRange;
use trafficgen::send::{SendError, SendOptions, send as send_capture};
use trafficgen::trace::{TraceOptions, write_trace};

use crate::common::{read_pcap, write_pcap};

fn trace(dir: &Path) -> u64 {
    let options =
        TraceOptions { tenants: 2, conversations: 40, elephant_bytes: 0, ..TraceOptions::default() };
    write_trace(&options, &dir.join("t.pcap"), None).unwrap().total.packets
}

fn send(dir: &Path, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_trafficgen");
    Command::new(program).arg("send").args(arguments).current_dir(dir).output().unwrap()
}

fn summary(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The frames that a replay by the library consists of.
fn replayed(path: &Path, tags: Tags, options: ReplayOptions) -> Vec<Vec<u8>> {
    let capture = Capture::load(path, tags, CaptureLimits::default()).unwrap();
    let mut replay = Replay::new(&capture, options).unwrap();
    let mut frames = Vec::new();
    while let Some(due) = replay.next_due() {
        let mut frame = vec![0; due.len];
        assert!(replay.write_to(&mut frame));
        frames.push(frame);
    }
    frames
}

fn written(path: &Path) -> Vec<Vec<u8>> {
    read_pcap(path).into_iter().map(|(_, frame)| frame).collect()
}

#[test]
fn a_port_gets_the_frames_of_the_replay() {
    let dir = tempfile::tempdir().unwrap();
    let packets = trace(dir.path());
    let (source, out) = (dir.path().join("t.pcap"), dir.path().join("out.pcap"));
    let device = ["--device", "net_pcap0,tx_pcap=out.pcap"];

    // As it is, as fast as it goes.
    let said = summary(&send(dir.path(), &[&["t.pcap", "--json"], &device[..]].concat()));
    let original = written(&source);
    assert!(written(&out) == original, "the capture itself");
    let bytes: usize = original.iter().map(Vec::len).sum();
    assert_eq!((said["packets"].as_u64(), said["bytes"].as_u64()), (Some(packets), Some(bytes as u64)));
    assert_eq!(
        (&said["ended"], &said["loops"], &said["tx_errors"]),
        (&"complete".into(), &1.into(), &0.into())
    );
    assert_eq!(said["vlans"], serde_json::json!([]));

    // In loops, for three tenants, at a rate.
    let paced =
        ["t.pcap", "--json", "--tenants", "3", "--first-vlan", "500", "--loops", "4", "--rate", "5Gbit/s"];
    let said = summary(&send(dir.path(), &[&paced, &device[..]].concat()));
    let vlans = Some(VlanRange { first: 500, count: 3 });
    let options = ReplayOptions { loops: 4, vlans, pace: Pace::Unlimited };
    let expected = replayed(&source, Tags::One, options);
    let got = written(&out);
    assert_eq!(got.len() as u64, 4 * packets);
    assert!(got == expected, "four loops");
    for (row, loops) in [(0, 2), (1, 1), (2, 1)] {
        let vlan = 500 + row;
        let of_vlan = got.iter().filter(|frame| frame[14..16] == u16::to_be_bytes(vlan));
        let (packets_seen, bytes_seen) = of_vlan.fold((0, 0), |sum, frame| (sum.0 + 1, sum.1 + frame.len()));
        assert_eq!(packets_seen, loops * packets);
        let expected = serde_json::json!({"vlan": vlan, "packets": packets_seen, "bytes": bytes_seen});
        assert_eq!(said["vlans"][usize::from(row)], expected);
    }

    // Without --loops each tenant gets one.
    let output = send(dir.path(), &[&["t.pcap", "--tenants", "2", "--speed", "1000"], &device[..]].concat());
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(written(&out).len() as u64, 2 * packets);
    assert!(text.contains(&format!(": {} packets, ", 2 * packets)), "{text}");
    assert!(text.contains("2 whole loops on 2 VLANs from 101"), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_signal_ends_it_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let packets = trace(dir.path());
    // It would take a quarter of an hour.
    let rate = (packets / 900).max(1).to_string();
    let arguments = ["send", "t.pcap", "--device", "net_pcap0,tx_pcap=out.pcap", "--json", "--rate", &rate];
    let child = Command::new(env!("CARGO_BIN_EXE_trafficgen"))
        .args(arguments)
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The port makes the file, which is after the program listens.
    let started = Instant::now();
    while !dir.path().join("out.pcap").exists() {
        assert!(started.elapsed() < Duration::from_secs(30), "no port after 30 s");
        std::thread::sleep(Duration::from_millis(5));
    }
    let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(signalled.success());
    let said = summary(&child.wait_with_output().unwrap());
    assert_eq!(said["ended"], "interrupted");
    let sent = said["packets"].as_u64().unwrap();
    assert!(sent < packets, "{said}");
    assert_eq!(written(&dir.path().join("out.pcap")), written(&dir.path().join("t.pcap"))[..sent as usize]);
}

#[test]
fn refusals_are_one_line_and_say_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    trace(dir.path());
    for usage in [
        &["t.pcap"][..],
        &["--device", "net_null0"],
        &["t.pcap", "--device", "eth0"],
        &["t.pcap", "--device", "net_null0", "--rate", "fast"],
        &["t.pcap", "--device", "net_null0", "--rate", "1k", "--speed", "2"],
        &["t.pcap", "--device", "net_null0", "--speed", "0"],
        &["t.pcap", "--device", "net_null0", "--loops", "0"],
        &["t.pcap", "--device", "net_null0", "--first-vlan", "7"],
    ] {
        assert_eq!(send(dir.path(), usage).status.code(), Some(2), "{usage:?}");
    }
    for (failing, because) in [
        (&["missing.pcap", "--device", "net_null0"][..], "cannot open missing.pcap"),
        (&["t.pcap", "--device", "net_nonesuch0"], "net_nonesuch0"),
        (
            &["t.pcap", "--device", "net_af_packet0,iface=nonesuch"],
            "no network interface nonesuch; `ip link`",
        ),
        (&["t.pcap", "--device", "net_pcap0,tx_pcap=missing/o.pcap"], "missing/o.pcap"),
        (&["t.pcap", "--device", "net_null0", "--loops", "1000000000000"], "use fewer loops"),
        (&["t.pcap", "--device", "net_null0", "--tenants", "9", "--first-vlan", "4090"], "VLAN 4098"),
        (&["t.pcap", "--device", "net_null0", "--memory-limit", "1"], "raise --memory-limit"),
    ] {
        let output = send(dir.path(), failing);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{failing:?}: {stderr}");
        assert!(stderr.starts_with("trafficgen: ") && stderr.contains(because), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing half-written");
}

#[test]
fn too_little_memory_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    trace(dir.path());
    // 200 MB of addresses: too few for DPDK's own tables.
    let script =
        format!("ulimit -v 200000; exec {} send t.pcap --device net_null0", env!("CARGO_BIN_EXE_trafficgen"));
    let output = Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    // DPDK writes a line of its own before.
    let last = stderr.lines().next_back().unwrap();
    assert!(
        last.starts_with("trafficgen: DPDK did not start with 64 MiB") && last.contains("--dpdk-memory"),
        "{last}"
    );
}

#[test]
fn a_frame_that_no_buffer_holds_is_refused_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jumbo.pcap");
    let mut frame = vec![2; 3000];
    // An EtherType for experiments.
    frame[12..14].copy_from_slice(&[0x88, 0xb5]);
    std::fs::write(&path, write_pcap(0xa1b2_c3d4, false, &[(1, 0, &frame)])).unwrap();
    let limits = CaptureLimits { frame_bytes: 9000, ..CaptureLimits::default() };
    let capture = Capture::load(&path, Tags::Keep, limits).unwrap();
    let replay = ReplayOptions { loops: 1, vlans: None, pace: Pace::Unlimited };
    let options = SendOptions { device: "net_null0".parse().unwrap(), replay, memory_mib: 64 };
    let error = send_capture(&capture, &options, &AtomicBool::new(false)).unwrap_err();
    assert!(matches!(error, SendError::FrameTooLong { bytes: 3000 }), "{error}");
}
