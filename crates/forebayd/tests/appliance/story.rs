//! A day of an appliance, told by commands while traffic runs: tenants come and go, rules change, headquarters lays its
//! policy over all of them, and what may not be done is refused. At every step packets are conserved, and nothing that
//! happens to one tenant shows in the counters of another.
//!
//! Needs root and network namespaces; without them it says so and passes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use testkit::link::Link;

use crate::daemon::{Daemon, configure, linked_port, wait_for};
use crate::traffic::{ByVlan, Sender, Trace};

/// Tenants that come while traffic runs; their VLANs follow the witness's.
const COME: [&str; 10] = ["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "t9", "t10"];
const FIRST_VLAN: u16 = 101;
/// One VLAN more stays nobody's.
const VLANS: u16 = COME.len() as u16 + 2;

fn vlan_of(tenant: &str) -> u16 {
    FIRST_VLAN + tenant.strip_prefix('t').map_or(0, |number| number.parse::<u16>().unwrap())
}

/// One row of the daemon's status.
#[derive(Clone, Copy, Default)]
struct Row {
    packets: u64,
    alerts: u64,
}

/// What the daemon has counted; each row in itself must be whole.
fn rows(status: &Value, at_rest: bool) -> BTreeMap<String, Row> {
    let number = |value: &Value| value.as_u64().unwrap();
    let rows = status["tenants"].as_array().unwrap().iter().map(|row| {
        let not_inspected = row["not_inspected"].as_array().unwrap().iter().map(|reason| &reason["packets"]);
        let (waiting, packets) = (number(&row["waiting"]), number(&row["packets"]));
        let accounted = number(&row["inspected"]) + not_inspected.map(number).sum::<u64>();
        if at_rest {
            assert_eq!((accounted, waiting), (packets, 0), "{row}");
        }
        (row["name"].as_str().unwrap().to_owned(), Row { packets, alerts: number(&row["alerts"]) })
    });
    rows.collect()
}

/// Waits until all that was sent has been received, and nothing waits.
fn rest(daemon: &Daemon, sent: u64) -> BTreeMap<String, Row> {
    let status = wait_for("every packet is accounted for", || {
        let status = daemon.status();
        let waiting = |row: &Value| row["waiting"].as_u64() == Some(0);
        let rests = status["tenants"].as_array().unwrap().iter().all(waiting);
        (rests && status["packets"].as_u64() >= Some(sent)).then_some(status)
    });
    assert_eq!((&status["packets"], &status["events_lost"]), (&sent.into(), &0.into()), "{status}");
    let rows = rows(&status, true);
    assert_eq!(rows.values().map(|row| row.packets).sum::<u64>(), sent, "{status}");
    rows
}

/// Packets of one row.
fn packets(rows: &BTreeMap<String, Row>, name: &str) -> u64 {
    rows.get(name).copied().unwrap_or_default().packets
}

/// Waits until a rule has spoken for a tenant since the last look, so that every step happens under traffic.
fn wait_for_traffic(daemon: &Daemon, tenant: &str) {
    let before = packets(&rows(&daemon.status(), false), tenant);
    wait_for("packets flow", || {
        (packets(&rows(&daemon.status(), false), tenant) > before + 20).then_some(())
    });
}

/// A refusal: exit code 1, this in its text, and no new generation.
fn refused(daemon: &mut Daemon, token: Option<&str>, arguments: &[&str], says: &str) {
    let before = daemon.status()["generation"].clone();
    let output = match token {
        Some(token) => daemon.run_as(token, arguments),
        None => daemon.run(arguments),
    };
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
    assert!(text.contains(says), "{arguments:?}: {text}");
    assert_eq!(daemon.status()["generation"], before, "{arguments:?}");
}

#[test]
fn a_day_of_an_appliance() {
    let Some(link) = Link::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let trace = Trace::write(folder.path(), VLANS, FIRST_VLAN);
    let token = String::from_utf8(
        std::process::Command::new(testkit::program("forebay"))
            .args(["token", "--json"])
            .output()
            .unwrap()
            .stdout,
    );
    let token: Value = serde_json::from_str(&token.unwrap()).unwrap();
    let operator = format!(
        "\n[[operator]]\nname = \"ann\"\nrole = \"tenant\"\ntenant = \"t3\"\ntoken_sha256 = {}\n",
        token["token_sha256"]
    );
    let ann = token["token"].as_str().unwrap();
    configure(
        folder.path(),
        &("[[tenant]]\nname = \"witness\"\nvlans = [101]\n".to_owned() + &linked_port()),
    );
    let mut daemon = Daemon::start_on(&link, folder.path());

    // Morning: ten tenants come, with rules of their own.
    let sender = Sender::start(&link, folder.path());
    wait_for_traffic(&daemon, "witness");
    for tenant in COME {
        let vlan = vlan_of(tenant).to_string();
        daemon.does(&["tenant", "add", tenant, "--vlan", &vlan]);
        let sid = 1000 + u32::from(vlan_of(tenant) - FIRST_VLAN);
        let rule = format!("alert tcp any any -> any any (msg:\"of {tenant}\"; flags:S; sid:{sid};)\n");
        daemon.file(&format!("{tenant}.rules"), &rule);
        daemon.does(&["rules", "load", &format!("{tenant}.rules"), "--tenant", tenant]);
        wait_for_traffic(&daemon, tenant);
    }
    let sent = sender.stop();
    let morning = rest(&daemon, sent);
    let on_link = trace.first(sent);
    // Each tenant has its VLAN's packets since it came, and what came before is nobody's.
    assert_eq!(packets(&morning, "witness"), on_link[&FIRST_VLAN]);
    let came: u64 = COME.iter().map(|tenant| packets(&morning, tenant)).sum();
    assert_eq!(packets(&morning, "(no tenant)"), sent - on_link[&FIRST_VLAN] - came);
    for tenant in COME {
        assert!(morning[tenant].packets <= on_link[&vlan_of(tenant)], "{tenant}");
        assert!(morning[tenant].alerts > 0, "{tenant}");
    }
    assert_eq!(morning["witness"].alerts, 0);

    // An operator of one tenant gets a token; the file is changed by hand and read again.
    let text = std::fs::read_to_string(folder.path().join("forebay.toml")).unwrap();
    daemon.file("forebay.toml", &(text + &operator));
    daemon.does(&["config", "reload"]);

    // Noon: headquarters, refusals, a way back, and a farewell, all under traffic.
    let sender = Sender::start(&link, folder.path());
    wait_for_traffic(&daemon, "t3");
    daemon
        .file("hq.rules", "alert tcp any any -> any any (msg:\"of headquarters\"; flags:S; sid:9000001;)\n");
    daemon.does(&["policy", "load", "hq.rules"]);
    wait_for_traffic(&daemon, "t3");

    refused(&mut daemon, Some(ann), &["policy", "unload", "hq.rules"], "headquarters");
    refused(&mut daemon, Some(ann), &["policy", "show"], "concerns other tenants");
    refused(&mut daemon, Some(ann), &["rules", "load", "t4.rules", "--tenant", "t4"], "t4");
    refused(&mut daemon, Some("not-a-token"), &["status"], "token");
    // What she may do does not reach headquarters' rule.
    daemon.file("quiet.rules", "pass ip any any -> any any (sid:1;)\n");
    daemon.file("quiet.thresholds", "suppress gen_id 1, sig_id 9000001\n");
    let own = daemon.run_as(ann, &["rules", "load", "quiet.rules", "--tenant", "t3"]);
    assert!(own.status.success(), "{own:?}");
    let own = daemon.run_as(ann, &["tenant", "set", "t3", "--thresholds", "quiet.thresholds"]);
    assert!(own.status.success(), "{own:?}");
    let own = daemon
        .run_as(ann, &["steer", "add", "hide", "shunt", "--tenant", "t3", "--destination", "0.0.0.0/0"]);
    assert!(own.status.success(), "{own:?}");
    let before = rows(&daemon.status(), false)["t3"].alerts;
    wait_for("headquarters' rule speaks on for t3", || {
        (rows(&daemon.status(), false)["t3"].alerts > before).then_some(())
    });

    // She sees the alerts of her tenant and of no other, also when she asks for another's.
    let own = daemon.run_as(ann, &["alerts", "--limit", "200", "--json"]);
    let own: Value = serde_json::from_slice(&own.stdout).unwrap();
    assert!(own["alerts"].as_array().unwrap().iter().all(|alert| alert["tenant"] == "t3"));
    assert_eq!(own["alerts"][0]["alert"]["layer"], "policy");
    refused(&mut daemon, Some(ann), &["alerts", "--tenant", "t4"], "there is no tenant `t4`");

    daemon.file("broken.rules", "alert tcp any any -> any any (msg:\"x\"; contnet:\"a\"; sid:7;)\n");
    refused(
        &mut daemon,
        None,
        &["rules", "load", "broken.rules", "--tenant", "t5"],
        "broken.rules:1:40: sid 7: contnet: unknown keyword",
    );
    refused(
        &mut daemon,
        None,
        &["tenant", "add", "late", "--vlan", "102"],
        "VLAN 102 belongs to t1; release it first",
    );

    let generation = daemon.status()["generation"].to_string();
    daemon.file("other.rules", "alert udp any any -> any any (msg:\"other\"; sid:8;)\n");
    daemon.does(&["rules", "load", "other.rules", "--tenant", "t6"]);
    wait_for_traffic(&daemon, "t6");
    daemon.does(&["config", "rollback", &generation]);
    assert!(daemon.does(&["rules", "list", "--tenant", "t6"]).contains("t6.rules"));

    daemon.does(&["tenant", "remove", "t7"]);
    wait_for_traffic(&daemon, "t8");
    let sent_at_noon = sender.stop();
    let noon = rest(&daemon, sent + sent_at_noon);
    assert_eq!(link.lost(), 0, "the kernel itself lost packets");

    // Nobody but the one who went misses a packet.
    let on_link: ByVlan = trace.first(sent_at_noon);
    let stayed = COME.iter().filter(|tenant| **tenant != "t7").chain(&["witness"]);
    for tenant in stayed {
        let received = packets(&noon, tenant) - packets(&morning, tenant);
        assert_eq!(received, on_link[&vlan_of(tenant)], "{tenant}");
    }
    assert!(!noon.contains_key("t7"));
    let of_t7 = packets(&noon, "(former)") - packets(&morning, "t7");
    let nobodys = packets(&noon, "(no tenant)") - packets(&morning, "(no tenant)");
    let stranger = on_link[&(FIRST_VLAN + VLANS - 1)];
    assert_eq!(of_t7 + nobodys, on_link[&vlan_of("t7")] + stranger);
    assert!(of_t7 > 0 && nobodys > stranger);

    assert_alerts(&daemon.end());
}

/// Each tenant's rules have spoken for it alone, headquarters' for every tenant.
fn assert_alerts(events: &[Value]) {
    let alerts = || events.iter().filter(|event| event["event_type"] == "alert");
    let tenant = |event: &Value| event["tenant"].as_str().unwrap().to_owned();
    for number in 1..=COME.len() {
        let own = alerts().filter(|event| event["alert"]["signature_id"] == 1000 + number);
        assert_eq!(own.map(tenant).collect::<BTreeSet<_>>(), BTreeSet::from([format!("t{number}")]));
    }
    let of_policy = || alerts().filter(|event| event["alert"]["signature_id"] == 9_000_001);
    assert!(of_policy().all(|event| event["alert"]["layer"] == "policy"));
    assert!(alerts().all(|event| event["alert"]["layer"] != "policy" || event["alert"]["gid"] == 1));
    let all = COME.iter().copied().chain(["witness"]).map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(of_policy().map(tenant).collect::<BTreeSet<_>>(), all);
}
