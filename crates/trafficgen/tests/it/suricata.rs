//! Suricata as the judge of a trace, where it is installed.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use trafficgen::mix::{MixOptions, mix};
use trafficgen::trace::{Protocol, TraceOptions, write_trace};

/// The events of a run with checksum validation, or `None` when Suricata is not there.
fn events(capture: &Path, out: &Path) -> Option<Vec<Value>> {
    std::fs::create_dir(out).unwrap();
    let rules = out.join("none.rules");
    std::fs::write(&rules, "").unwrap();
    let run = Command::new("suricata")
        .arg("-r")
        .arg(capture)
        .args(["-k", "all", "--runmode", "single", "-l"])
        .arg(out)
        .arg("-S")
        .arg(rules)
        .output();
    let Ok(run) = run else {
        eprintln!("SKIPPED: suricata is not installed");
        return None;
    };
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let eve = std::fs::read_to_string(out.join("eve.json")).unwrap();
    Some(eve.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Asserts that nothing was wrong with the packets; returns the number of events of each type.
fn judge(events: &[Value], packets: u64) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event["event_type"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let stats = &events.iter().rfind(|event| event["event_type"] == "stats").unwrap()["stats"];
    let number = |pointer: &str| stats.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    assert_eq!(number("/decoder/pkts"), packets);
    for wrong in [
        "/decoder/invalid",
        "/tcp/invalid_checksum",
        "/tcp/reassembly_gap",
        "/tcp/pkt_on_wrong_thread",
        "/defrag/max_frag_hits",
        "/decoder/event/ipv4/trunc_pkt",
    ] {
        assert_eq!(number(wrong), 0, "{wrong}");
    }
    let malformed: Vec<_> = events
        .iter()
        .filter(|event| event["event_type"] == "anomaly" && event["anomaly"]["type"] != "applayer")
        .collect();
    assert!(malformed.is_empty(), "{malformed:?}");
    counts
}

#[test]
fn sees_protocols_and_no_faults() {
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("trace.pcap");
    let options =
        TraceOptions { seed: 7, conversations: 200, elephant_bytes: 1 << 20, ..TraceOptions::default() };
    let truth = write_trace(&options, &capture, None).unwrap();
    let Some(events) = events(&capture, &dir.path().join("out")) else { return };
    let counts = judge(&events, truth.total.packets);
    assert_eq!(counts["flow"], truth.total.flows);

    // Of every flow that carries a protocol Suricata knows it by that name.
    let flows_of = |name: &str| {
        events.iter().filter(|event| event["event_type"] == "flow" && event["app_proto"] == name).count()
            as u64
    };
    let made = |protocol| truth.tenants.iter().map(|tenant| tenant.protocols[&protocol].flows).sum::<u64>();
    for (name, protocol) in
        [("http", Protocol::Http), ("dns", Protocol::Dns), ("tls", Protocol::Tls), ("smtp", Protocol::Smtp)]
    {
        assert_eq!(flows_of(name), made(protocol), "{name}");
        assert!(counts[name] >= made(protocol), "{name} events");
    }
    let with = |kind: &str, pointer: &str, wanted: &str| {
        let matching = |event: &&Value| {
            event["event_type"] == kind && event.pointer(pointer) == Some(&Value::from(wanted))
        };
        events.iter().filter(matching).count()
    };
    assert!(with("tls", "/tls/version", "TLS 1.2") > 20 && with("tls", "/tls/version", "TLS 1.3") > 20);
    assert!(with("tls", "/tls/sni", "www.example.com") > 0);
    let subjects: Vec<_> = events.iter().filter_map(|event| event.pointer("/tls/subject")).collect();
    assert!(subjects.contains(&&Value::from("C=NL, O=Example, CN=www.example.com")), "{subjects:?}");
    assert!(with("dns", "/dns/rcode", "NXDOMAIN") > 5);
    assert!(with("http", "/http/http_method", "POST") > 5);
    for status in [200, 201, 302, 304, 404] {
        let found = events.iter().filter(|event| event.pointer("/http/status") == Some(&Value::from(status)));
        assert!(found.count() > 0, "status {status}");
    }
    let with_attachment =
        |event: &&Value| event["event_type"] == "smtp" && event.pointer("/email/attachment/0").is_some();
    let attachments = events.iter().filter(with_attachment).count();
    assert_eq!(attachments as u64, made(Protocol::Smtp), "mails with an attachment");
    // Readable to the parsers: no protocol error in what is not opaque.
    let faults: Vec<_> = events
        .iter()
        .filter(|event| event["event_type"] == "anomaly" && event["anomaly"]["layer"] == "proto_parser")
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn sees_a_mix_as_whole_replicas() {
    let dir = tempfile::tempdir().unwrap();
    let (capture, mixed) = (dir.path().join("trace.pcap"), dir.path().join("mix.pcap"));
    let options =
        TraceOptions { tenants: 1, conversations: 120, elephant_bytes: 0, ..TraceOptions::default() };
    write_trace(&options, &capture, None).unwrap();
    let options =
        MixOptions { replicas: 3, vlans: 2, seed: 7, seconds: 10, flow_seconds: 60, memory_bytes: 1 << 28 };
    let summary = mix(&capture, &mixed, &options).unwrap();
    let Some(once) = events(&capture, &dir.path().join("once")) else { return };
    let Some(thrice) = events(&mixed, &dir.path().join("thrice")) else { return };
    let counts = judge(&thrice, summary.packets);
    let packets =
        once.iter().rfind(|event| event["event_type"] == "stats").unwrap()["stats"]["decoder"]["pkts"]
            .as_u64()
            .unwrap();
    let once = judge(&once, packets);
    for kind in ["flow", "http", "tls", "smtp", "dns"] {
        assert_eq!(counts[kind], 3 * once[kind], "{kind}");
    }
}
