//! The daemon is killed at random moments while it is changed, and starts again: with everything that was acknowledged,
//! and with what was under way either wholly or not at all.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::daemon::{Daemon, configure, scale, silent_port};

/// VLANs and number of rules, by tenant.
type Tenants = BTreeMap<String, (Vec<String>, u64)>;

/// What the daemon says that it has.
fn tenants(daemon: &Daemon) -> Tenants {
    let tenants: Value = serde_json::from_str(&daemon.does(&["tenant", "list", "--json"])).unwrap();
    let tenants = tenants["tenants"].as_array().unwrap().iter().map(|tenant| {
        let vlans = tenant["vlans"].as_array().unwrap().iter().map(|vlan| vlan.as_str().unwrap().to_owned());
        assert_eq!(tenant["rules_refused"], 0, "{tenant}");
        let name = tenant["name"].as_str().unwrap().to_owned();
        (name, (vlans.collect(), tenant["rules"].as_u64().unwrap()))
    });
    tenants.collect()
}

/// What is done in one round, a command after the other, each with what is so then.
fn changes(round: usize, known: &Tenants) -> Vec<(String, Tenants)> {
    let (name, vlan) = (format!("t{round}"), (round + 2).to_string());
    let mut then = known.clone();
    let mut changes = Vec::new();
    for rules in 0..3 {
        let command = match rules {
            0 => format!("tenant add {name} --vlan {vlan}"),
            1 => format!("rules load one.rules --tenant {name}"),
            _ => format!("rules load one.rules two.rules --tenant {name}"),
        };
        then.insert(name.clone(), (vec![vlan.clone()], [0, 1, 3][rules]));
        changes.push((command, then.clone()));
    }
    if let Some(former) = known.keys().next() {
        then.remove(former);
        changes.push((format!("tenant remove {former}"), then));
    }
    changes
}

#[test]
fn a_killed_daemon_has_the_old_state_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &silent_port());
    let mut daemon = Daemon::start(folder.path());
    daemon.file("one.rules", "alert tcp any any -> any 80 (msg:\"1\"; sid:1;)\n");
    daemon.file("two.rules", "alert tcp any any -> any 81 (sid:2;)\nalert tcp any any -> any 82 (sid:3;)\n");
    let mut known = tenants(&daemon);
    let mut number = daemon.status()["generation"].as_u64().unwrap();
    let (mut whole, mut none, mut between) = (0, 0, 0);
    for round in 0..scale("FOREBAY_TEST_KILLS", 8) {
        // The moment moves through the time that the changes take.
        let moment = Duration::from_micros(round as u64 * 7919 % 100_000);
        let under_way = std::thread::scope(|scope| {
            let changing = scope.spawn(|| {
                for (command, then) in changes(round, &known) {
                    let output = daemon.run(&command.split(' ').collect::<Vec<_>>());
                    if !output.status.success() {
                        // It is not refused; there is nobody to do it.
                        let said = String::from_utf8(output.stderr).unwrap();
                        let known = ["forebay.sock", "the daemon was lost"];
                        assert!(known.iter().any(|known| said.contains(known)), "{command}: {said}");
                        return Some(then);
                    }
                    (known, number) = (then, number + 1);
                }
                None
            });
            std::thread::sleep(moment);
            daemon.kill();
            changing.join().unwrap()
        });
        daemon.wait();
        daemon = Daemon::start(folder.path());
        let (now, status) = (tenants(&daemon), daemon.status());
        assert_eq!(status["problems"], serde_json::json!([]), "round {round}: {}", daemon.log());
        let generation = status["generation"].as_u64().unwrap();
        if generation == number {
            assert_eq!(now, known, "round {round}");
            *(if under_way.is_some() { &mut none } else { &mut between }) += 1;
        } else {
            assert_eq!((generation, Some(&now)), (number + 1, under_way.as_ref()), "round {round}");
            (known, number) = (now, generation);
            whole += 1;
        }
    }
    println!(
        "of changes under way {whole} are there as a whole and {none} not at all; {between} kills met none"
    );
}
