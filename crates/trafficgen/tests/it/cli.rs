//! The program: exit codes, one-line errors, summaries.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::read_pcap;

fn trafficgen(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_trafficgen")).args(arguments).current_dir(dir).output().unwrap()
}

const SMALL: [&str; 8] = ["--tenants", "2", "--flows", "40", "--seconds", "2", "--elephant-mib", "0"];

#[test]
fn trace_writes_capture_truth_and_summary() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [&["trace", "--out", "t.pcap", "--truth", "t.json", "--json"], &SMALL[..]].concat();
    let output = trafficgen(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let truth: Value = serde_json::from_slice(&std::fs::read(dir.path().join("t.json")).unwrap()).unwrap();
    assert_eq!(said, truth);
    let frames = read_pcap(&dir.path().join("t.pcap"));
    assert_eq!(said["packets"], frames.len());
    assert_eq!(said["bytes"], frames.iter().map(|(_, frame)| frame.len()).sum::<usize>());
    assert_eq!(said["tenants"][1]["vlan"], 102);

    let arguments = ["mix", "t.pcap", "m.pcap", "--replicas", "4", "--vlans", "3", "--json"];
    let output = trafficgen(dir.path(), &arguments);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mixed = read_pcap(&dir.path().join("m.pcap"));
    assert_eq!(said["packets"], mixed.len());
    let skipped = said["skipped"]["not_ip"].as_u64().unwrap() as usize;
    assert!(skipped > 0);
    assert_eq!(mixed.len(), 4 * (frames.len() - skipped));
    let text = trafficgen(dir.path(), &["mix", "t.pcap", "m.pcap", "--vlans", "0"]);
    assert!(String::from_utf8_lossy(&text.stdout).contains("untagged"), "{text:?}");
}

#[test]
fn usage_is_2_and_failure_is_1_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("text.pcap"), "not a capture, whatever it is called\n").unwrap();
    let trace = |rest: &[&'static str]| [&["trace"], rest].concat();
    for usage in [
        vec!["nonsense"],
        trace(&[]),
        trace(&["--out", "x.pcap", "--tenants", "0"]),
        trace(&["--out", "x.pcap", "--flows", "many"]),
        vec!["mix", "text.pcap"],
        vec!["mix", "text.pcap", "x.pcap", "--replicas", "0"],
    ] {
        let output = trafficgen(dir.path(), &usage);
        assert_eq!(output.status.code(), Some(2), "{usage:?}: {output:?}");
    }
    for (failing, because) in [
        (trace(&["--out", "missing/x.pcap"]), "missing/x.pcap.tmp"),
        (trace(&["--out", "x.pcap", "--first-vlan", "4094"]), "--first-vlan"),
        (trace(&["--out", "x.pcap", "--truth", "x.pcap"]), "name two files"),
        (vec!["mix", "missing.pcap", "x.pcap"], "cannot open missing.pcap"),
        (vec!["mix", "text.pcap", "x.pcap"], "neither a pcap nor a pcapng"),
        (vec!["mix", "text.pcap", "x.pcap", "--vlans", "4000"], "VLANs"),
    ] {
        let output = trafficgen(dir.path(), &failing);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{failing:?}: {stderr}");
        assert!(stderr.starts_with("trafficgen: ") && stderr.contains(because), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(output.stdout.is_empty());
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing half-written");
    for help in [&["--help"][..], &["trace", "--help"], &["--version"]] {
        assert_eq!(trafficgen(dir.path(), help).status.code(), Some(0));
    }
}
