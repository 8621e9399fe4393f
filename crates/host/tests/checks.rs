//! Findings for the machines of `fixtures/`.

mod common;

use common::{Fixture, function, port, request};
use host::check::{self, Finding, Outcome};
use host::links::LinkState;
use host::wanted::derive;

fn findings(fixture: &Fixture, request: &host::wanted::Request) -> Vec<Finding> {
    let inventory = fixture.inventory();
    derive(request, &inventory).map(|wanted| check::all(&inventory, &wanted)).unwrap_or_default()
}

/// Names and outcomes of what is not good, without what only a running daemon can tell.
fn wrong(findings: &[Finding]) -> Vec<(&'static str, Outcome)> {
    let wrong = findings.iter().filter(|finding| finding.outcome != Outcome::Good);
    wrong
        .filter(|finding| !matches!(finding.name, "promiscuous" | "firmware"))
        .map(|finding| (finding.name, finding.outcome))
        .collect()
}

#[test]
fn a_machine_that_is_set_up_has_nothing_wrong() {
    let fixture = Fixture::new("x710-10g-ready").with_functions("eno1", &[function(0, 101), function(1, 0)]);
    let mut ports = [port("east", "0000:5e:02.0", 101), port("trunk", "0000:5e:02.1", 1)];
    ports[1].access = None;
    let findings = findings(&fixture, &request(2, 512, &ports));
    assert_eq!(wrong(&findings), []);
    let good = findings.iter().filter(|finding| finding.outcome == Outcome::Good);
    // Seven of the machine, three of the card, six of each function.
    assert_eq!(good.count(), 7 + 3 + 2 * 6, "{findings:#?}");
}

#[test]
fn every_trap_is_named_with_a_remedy() {
    let mut unset = function(0, 0);
    unset.trusted = Some(false);
    unset.spoof_check = Some(true);
    unset.link_state = Some(LinkState::Enable);
    let mut foreign = function(1, 7);
    foreign.link_state = Some(LinkState::Disable);
    let fixture = Fixture::new("x710-10g-every-trap").with_functions("ens5f0", &[unset, foreign]);
    let ports = [
        port("east", "0000:86:02.0", 101),
        port("west", "0000:86:02.1", 102),
        port("north", "0000:86:02.2", 103),
    ];
    let findings = findings(&fixture, &request(6, 4096, &ports));
    assert_eq!(
        wrong(&findings),
        [
            ("hugepages", Outcome::Bad),
            ("isolated_cores", Outcome::Slow),
            ("governor", Outcome::Slow),
            ("hyperthreads", Outcome::Slow),
            ("irqbalance", Outcome::Slow),
            ("pcie", Outcome::Slow),
            ("numa", Outcome::Slow),
            ("driver", Outcome::Bad),
            ("iommu_group", Outcome::Bad),
            ("port_vlan", Outcome::Bad),
            ("trust", Outcome::Bad),
            ("spoof_check", Outcome::Bad),
            ("link_state", Outcome::Slow),
            ("driver", Outcome::Bad),
            ("iommu_group", Outcome::Bad),
            ("port_vlan", Outcome::Bad),
            ("link_state", Outcome::Bad),
            ("function", Outcome::Bad),
        ]
    );
    for finding in findings.iter().filter(|finding| finding.outcome != Outcome::Good) {
        assert!(!finding.remedy.is_empty(), "{finding:?}");
    }
    let trust = findings.iter().find(|finding| finding.name == "trust").unwrap();
    assert_eq!(trust.subject, "ens5f0 VF 0 (east)");
    assert!(trust.text.starts_with("not trusted: promiscuous mode is answered with success"), "{trust:?}");
    assert_eq!(trust.remedy, "run `ip link set ens5f0 vf 0 trust on`");
}

#[test]
fn a_machine_without_iommu_vfio_hugepages_or_link_is_told_so() {
    let fixture = Fixture::new("xl710-40g-as-delivered");
    let findings = findings(&fixture, &request(1, 512, &[port("east", "0000:3b:0a.0", 101)]));
    let wrong = wrong(&findings);
    for name in ["iommu", "vfio", "hugepages", "link", "function"] {
        assert!(wrong.contains(&(name, Outcome::Bad)), "{name}: {findings:#?}");
    }
    assert!(wrong.contains(&("pcie", Outcome::Unknown)), "a link that is down has no rate");
}

#[test]
fn a_slot_that_is_too_narrow_and_extended_tags_matter_at_40g() {
    let fixture = Fixture::new("xl710-40g-as-delivered");
    fixture.file("sys/bus/pci/devices/0000:3b:00.0/current_link_width", "4");
    let request = request(1, 512, &[port("east", "0000:3b:02.0", 101)]);
    let found = wrong(&findings(&fixture, &request));
    assert!(found.contains(&("pcie", Outcome::Bad)), "{found:?}");
    assert!(found.contains(&("extended_tags", Outcome::Unknown)), "{found:?}");

    let mut config = vec![0u8; 256];
    config[0x34] = 0xa0;
    config[0xa0] = 0x10;
    fixture.bytes("sys/bus/pci/devices/0000:3b:00.0/config", &config);
    assert!(wrong(&findings(&fixture, &request)).contains(&("extended_tags", Outcome::Slow)));
    config[0xa9] = 1;
    fixture.bytes("sys/bus/pci/devices/0000:3b:00.0/config", &config);
    let found = wrong(&findings(&fixture, &request));
    assert!(found.iter().all(|(name, _)| *name != "extended_tags"), "{found:?}");
}

#[test]
fn one_node_and_no_governor_are_no_fault() {
    let fixture = Fixture::new("igb-lab").with_functions("eth0", &[function(0, 100)]);
    let findings = findings(&fixture, &request(1, 0, &[port("a", "0000:02:10.0", 100)]));
    assert!(findings.iter().all(|finding| !matches!(finding.name, "numa" | "governor" | "hugepages")));
    assert_eq!(
        wrong(&findings),
        [("isolated_cores", Outcome::Slow), ("function", Outcome::Bad)],
        "{findings:#?}"
    );
}
