//! Made-up reports in every form, compared with golden files. `FOREBAY_BLESS=1` writes those anew.

use std::path::{Path, PathBuf};

use super::number::{bit_rate, bytes, count, duration, packet_rate, share};
use super::{Look, NotInspected, Report, TenantReport, json, summary};

fn lost(reason: &'static str, packets: u64) -> NotInspected {
    NotInspected { reason, is_policy: false, packets }
}

fn asked(reason: &'static str, packets: u64) -> NotInspected {
    NotInspected { reason, is_policy: true, packets }
}

fn tenant(name: &str, packets: u64, flows: u64, inspected: u64, rest: Vec<NotInspected>) -> TenantReport {
    TenantReport {
        name: name.into(),
        packets,
        bytes: packets * 801,
        flows,
        alerts: 0,
        inspected,
        checksum_wrong: inspected / 1_000_000,
        not_inspected: rest,
    }
}

fn one_tenant() -> Report {
    Report {
        source: "enterprise.pcap".into(),
        loops: 1,
        workers: 1,
        packets_offered: 137_567,
        packets: 137_567,
        bytes: 137_567 * 801,
        seconds: 0.214_159,
        rules_load_seconds: 0.0,
        rules_loaded: 0,
        rules_failed: 0,
        flows_by_protocol: vec![("TCP", 1000), ("UDP", 450), ("ICMP", 0), ("ICMPv6", 2), ("other", 0)],
        tenants: vec![tenant("default", 137_567, 1452, 0, vec![asked("headers_only", 137_567)])],
        unassigned: tenant("(no tenant)", 0, 0, 0, vec![]),
        eve: PathBuf::from("forebay-out/eve.json"),
        events: 1453,
    }
}

fn many_tenants() -> Report {
    let mut report = one_tenant();
    report.source = "3 captures".into();
    report.loops = 10;
    report.workers = 2;
    report.packets_offered = 12_345_678;
    report.packets = 12_345_678;
    report.bytes = report.packets * 801;
    report.seconds = 83.5;
    report.tenants = vec![
        tenant(
            "bank-east",
            6_000_000,
            120_000,
            5_000_000,
            vec![asked("shunt", 900_000), asked("steering_drop", 60_000), lost("inbox_full", 40_000)],
        ),
        tenant(
            "bank-west-with-a-rather-long-name",
            6_345_670,
            98_765,
            6_345_000,
            vec![asked("shunt", 600), lost("ipv4_header_length", 69), lost("flow_cap", 1)],
        ),
        tenant("silent", 0, 0, 0, vec![]),
    ];
    report.unassigned = tenant("(no tenant)", 8, 0, 0, vec![lost("no_tenant", 8)]);
    report
}

fn keys(value: &serde_json::Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ui").join(name);
    if std::env::var_os("FOREBAY_BLESS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(text, expected, "{name}");
}

#[test]
fn summaries_look_as_they_should() {
    let wide = Look { width_columns: None };
    golden("one-tenant.txt", &plain(&summary(&one_tenant(), wide)));
    golden("many-tenants.txt", &plain(&summary(&many_tenants(), wide)));
    golden("many-tenants-80.txt", &plain(&summary(&many_tenants(), Look { width_columns: Some(80) })));
    golden("styled.txt", &summary(&one_tenant(), wide));
    let mut broken = one_tenant();
    broken.packets_offered += 3;
    golden("unaccounted.txt", &plain(&summary(&broken, wide)));
    let mut rules = many_tenants();
    (rules.rules_loaded, rules.rules_failed, rules.rules_load_seconds) = (15_425, 1, 0.271_828);
    rules.tenants[0].alerts = 1234;
    golden("with-rules.txt", &plain(&summary(&rules, wide)));
    golden("with-rules-80.txt", &plain(&summary(&rules, Look { width_columns: Some(80) })));
    let mut empty = one_tenant();
    (empty.packets, empty.packets_offered, empty.bytes, empty.seconds, empty.events) = (0, 0, 0, 0.0, 0);
    empty.flows_by_protocol.clear();
    empty.tenants = vec![tenant("default", 0, 0, 0, vec![])];
    golden("empty.txt", &plain(&summary(&empty, wide)));
}

#[test]
fn the_tenants_fit_the_terminal() {
    for columns in [40, 60, 80, 100, 120, 200] {
        let text = plain(&summary(&many_tenants(), Look { width_columns: Some(columns) }));
        let table =
            text.lines().skip_while(|line| !line.contains("tenant")).take_while(|line| !line.is_empty());
        for line in table {
            assert!(line.chars().count() <= usize::from(columns), "{columns}: {line}");
        }
    }
}

#[test]
fn the_json_has_the_fields_of_the_contract() {
    golden("one-tenant.json", &(json(&one_tenant()).unwrap() + "\n"));
    golden("many-tenants.json", &(json(&many_tenants()).unwrap() + "\n"));
    let value: serde_json::Value = serde_json::from_str(&json(&many_tenants()).unwrap()).unwrap();
    assert_eq!(
        keys(&value),
        [
            "alerts",
            "bytes",
            "flows",
            "gbps",
            "mpps",
            "packets",
            "rules",
            "rules_load_seconds",
            "seconds",
            "tenants"
        ]
    );
    assert_eq!(keys(&value["rules"]), ["failed", "loaded"]);
    assert_eq!(keys(&value["tenants"][0]), ["alerts", "bytes", "flows", "name", "not_inspected", "packets"]);
    assert_eq!(value["tenants"][1]["not_inspected"]["ipv4_header_length"], 69);
    let gbps = 12_345_678.0 * 801.0 * 8.0 / 83.5 / 1e9;
    assert!((value["gbps"].as_f64().unwrap() - gbps).abs() < 1e-6);
}

#[test]
fn unaccounted_is_what_is_missing() {
    assert_eq!(one_tenant().unaccounted(), 0);
    assert_eq!(many_tenants().unaccounted(), 0);
    let mut report = many_tenants();
    report.tenants[0].inspected += 5;
    assert_eq!(report.unaccounted(), -5);
}

#[test]
fn numbers_read_well() {
    assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
    assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
    assert_eq!(
        [0, 999, 1000, 1_049_999, 110_100_000, 999_999_999].map(bytes),
        ["0 B", "999 B", "1.00 kB", "1.05 MB", "110 MB", "1.00 GB"]
    );
    assert_eq!([0.0, 4.12e9, 39.96e9].map(bit_rate), ["0 bit/s", "4.12 Gbit/s", "40.0 Gbit/s"]);
    assert_eq!(packet_rate(3.2e6), "3.20 Mpps");
    assert_eq!(
        [0.0, 0.214_159, 12.34, 59.96, 125.0, 3600.0, 12_000.0, 90_000.0].map(duration),
        ["0.000 s", "0.214 s", "12.3 s", "1 min 0 s", "2 min 5 s", "1 h 0 min", "3 h 20 min", "1 d 1 h"]
    );
    assert_eq!(
        [(0, 0), (0, 5), (1, 10_000), (1, 3)].map(|(a, b)| share(a, b)),
        ["-", "0.0 %", "< 0.1 %", "33.3 %"]
    );
}
