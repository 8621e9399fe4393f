//! Every keyword of the reference, and whether a rule with it is taken: here, and by the reference where it is installed.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value;

use super::place::{Place, datagram, pcap, text};

/// Protocols that the reference's default configuration has turned off.
const TURNED_ON: [&str; 4] = ["modbus", "dnp3", "enip", "pgsql"];

/// The rules and who takes each.
fn table() -> Vec<(&'static str, &'static str)> {
    let lines = include_str!("keywords.rules").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once('\t').unwrap_or_else(|| panic!("two columns: {line}"))).collect()
}

/// The rules, each on the line of its number.
fn numbered(table: &[(&str, &str)]) -> String {
    let mut rules = String::new();
    for ((_, rule), sid) in table.iter().zip(1..) {
        let rule = rule.strip_suffix(')').unwrap();
        let _ = writeln!(rules, "{rule} sid:{sid};)");
    }
    rules
}

/// Rules of which it was found otherwise than the table has it.
fn wrong(table: &[(&str, &str)], refused: &BTreeSet<usize>, taker: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((who, rule), line) in table.iter().zip(1..) {
        let taken = *who == "both" || *who == taker;
        if refused.contains(&line) == taken {
            wrong.push(format!("line {line}, taken: {}: {rule}", !taken));
        }
    }
    wrong
}

#[test]
fn every_keyword_is_taken_or_refused_with_a_reason() {
    let table = table();
    let count = |wanted: &str| table.iter().filter(|(who, _)| *who == wanted).count();
    assert!(count("both") > 280 && count("none") > 60, "{} of {}", count("both"), table.len());
    let place = Place::new();
    place.file("t.rules", numbered(&table));
    let output = place.run(&["rules", "check", "t.rules", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut refused = BTreeSet::new();
    for failure in found["failed"].as_array().unwrap() {
        refused.insert(usize::try_from(failure["line"].as_u64().unwrap()).unwrap());
        assert!(failure["reason"].as_str().unwrap().len() > 10, "{failure}");
    }
    let wrong = wrong(&table, &refused, "forebay");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}

#[test]
fn the_reference_takes_what_the_list_says() {
    let version = Command::new("suricata").arg("-V").output();
    if !version.is_ok_and(|version| text(&version.stdout).contains("version 7.0.10")) {
        eprintln!("SKIPPED: {} rules, for Suricata 7.0.10 is not installed", table().len());
        return;
    }
    let table = table();
    let place = Place::new();
    place.file("t.rules", numbered(&table)).file("t.pcap", pcap(&[datagram(0, 1, false)]));
    let out = place.path("reference");
    fs::create_dir(&out).unwrap();
    let mut command = Command::new("suricata");
    command.current_dir(place.0.path()).args(["-r", "t.pcap", "-k", "none", "--runmode", "single"]);
    for protocol in TURNED_ON {
        command.arg("--set").arg(format!("app-layer.protocols.{protocol}.enabled=yes"));
    }
    let output = command.arg("-l").arg(&out).args(["-S", "t.rules"]).output().unwrap();
    let told = text(&output.stdout) + &text(&output.stderr);
    let refused: BTreeSet<usize> = told
        .lines()
        .filter(|line| line.contains("error parsing signature"))
        .filter_map(|line| line.rsplit_once(" at line ")?.1.trim().parse().ok())
        .collect();
    assert!(refused.len() > 60, "{told}");
    let wrong = wrong(&table, &refused, "reference");
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.len(), wrong.join("\n"));
}
