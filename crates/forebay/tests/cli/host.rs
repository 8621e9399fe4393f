//! `forebay host` on the machine that the tests run on, which is not changed: only what holds on any is asked.

use serde_json::Value;

use super::place::{Place, text};

/// No machine has a card in this PCI domain: Linux counts those of firmware from 0, and its own from 0x10000.
const NOWHERE: &str = "[[tenant]]\nname = \"east\"\nvlans = [101]\n\
    [[port]]\nname = \"p0\"\ndevice = \"fffe:ff:1f.7\"\nmode = \"access\"\ntenant = \"east\"\nvlan = 101\n";

#[test]
fn a_port_that_this_machine_cannot_have_is_refused_with_a_remedy() {
    let place = Place::new();
    place.file("nowhere.toml", NOWHERE);
    for command in ["plan", "check"] {
        let output = place.run(&["host", command, "--config", "nowhere.toml"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(text(&output.stdout), "");
        let said = text(&output.stderr);
        assert!(
            said.contains("this machine has no card with SR-IOV") || said.contains("port p0 is fffe:ff:1f.7"),
            "{said}"
        );

        let output = place.run(&["host", command, "--config", "nowhere.toml", "--json"]);
        assert_eq!(output.status.code(), Some(1));
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["refused"].as_array().unwrap().len(), 1, "{answer}");
    }
}

#[test]
fn a_configuration_without_pci_ports_wants_cores_only() {
    let place = Place::new();
    place.file("plain.toml", "[dataplane]\nhugepages = \"off\"\n");
    let output = place.run(&["host", "plan", "--config", "plain.toml", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    // At most the kernel's command line, for the worker's core; never a card, nor memory.
    let steps = answer["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["reboot"] == true), "{answer}");

    let output = place.run(&["host", "check", "--config", "plain.toml", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["ok"], true);
    let named = |name: &str| answer["findings"].as_array().unwrap().iter().any(|found| found["name"] == name);
    assert!(named("isolated_cores") && named("irqbalance"), "{answer}");
    assert!(!named("iommu") && !named("hugepages"), "{answer}");
}

#[test]
fn a_configuration_that_is_not_there_is_named() {
    let output = Place::new().run(&["host", "plan", "--config", "none.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("none.toml"), "{output:?}");
}
