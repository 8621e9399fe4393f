//! Rules of a tenant are loaded again and again while traffic runs: no packet is lost to that, nothing is left behind.
//!
//! `FOREBAY_TEST_RELOADS` is how often; `FOREBAY_TEST_RULES` a rule file to load in place of a small one.

use std::time::Instant;

use testkit::link::Link;

use crate::daemon::{Daemon, configure, linked_port, scale, wait_for};
use crate::traffic::{Sender, Trace};

/// A rule set of middling size.
pub(super) fn some_rules() -> String {
    if let Some(file) = std::env::var_os("FOREBAY_TEST_RULES") {
        return std::fs::read_to_string(file).unwrap();
    }
    let rule = |number: u32| {
        format!(
            "alert tcp any any -> any any (msg:\"{number}\"; content:\"never {number} seen\"; sid:{number};)\n"
        )
    };
    (1..=300).map(rule).collect()
}

#[test]
fn reloads_lose_no_packet_and_leave_nothing_behind() {
    let Some(link) = Link::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let trace = Trace::write(folder.path(), 2, 101);
    let tenants = [("witness", 101), ("changing", 102)].map(|(name, vlan)| {
        format!("[[tenant]]\nname = \"{name}\"\nvlans = [{vlan}]\ndefault_verdict = \"pipeline full\"\n")
    });
    let tables = ["rules = [\"one.rules\"]\n", &tenants.concat(), &linked_port()].concat();
    configure(folder.path(), &tables);
    let rules = some_rules();
    std::fs::write(folder.path().join("one.rules"), &rules).unwrap();
    let daemon = Daemon::start_on(&link, folder.path());
    daemon.file("other.rules", &(rules + "alert udp any any -> any any (msg:\"other\"; sid:2000000001;)\n"));

    let sender = Sender::start(&link, folder.path());
    let reloads = scale("FOREBAY_TEST_RELOADS", 30);
    let (mut times, mut memory) = (Vec::with_capacity(reloads), 0);
    for reload in 0..reloads {
        let file = ["one.rules", "other.rules"][reload % 2];
        let begun = Instant::now();
        daemon.does(&["rules", "load", file, "--tenant", "changing", "--partial"]);
        times.push(begun.elapsed());
        if reload == reloads / 4 {
            memory = daemon.resident_bytes();
        }
    }
    let sent = sender.stop();
    let status = wait_for("every packet is accounted for", || {
        let status = daemon.status();
        (status["packets"].as_u64() >= Some(sent) && status["generations_held"] == 1).then_some(status)
    });
    assert_eq!((link.lost(), status["packets"].as_u64()), (0, Some(sent)), "{status}");
    assert_eq!(status["generation_in_effect"], status["generation"]);
    let on_link = trace.first(sent);
    for (row, vlan) in status["tenants"].as_array().unwrap().iter().zip([101, 102]) {
        assert_eq!(row["packets"].as_u64(), Some(on_link[&vlan]), "{row}");
        // ARP is all that no pipeline takes.
        let reasons = row["not_inspected"].as_array().unwrap().iter();
        assert_eq!(reasons.map(|reason| &reason["reason"]).collect::<Vec<_>>(), ["non_ip"], "{row}");
    }
    let grown = daemon.resident_bytes().saturating_sub(memory);
    assert!(grown < memory / 10 + (16 << 20), "from {memory} bytes by {grown}");
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100];
    println!(
        "{reloads} reloads, {sent} packets; from command to effect: median {:.1?}, p95 {:.1?}, longest {:.1?}; {} MiB, grown by {} MiB",
        at(50),
        at(95),
        at(100),
        memory >> 20,
        grown >> 20
    );
    daemon.end();
}
