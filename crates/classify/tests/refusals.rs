//! Lists of rules that are refused, and what is said about them.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::ops::RangeInclusive;

use classify::{BuildError, Classifier, Limits, RULES_MAX, Rule, RuleProblem, Verdict, Warning, validate};
use ipnet::IpNet;
use wire::TenantId;

fn any(name: &str) -> Rule {
    Rule::any(name, Verdict::Drop)
}

fn net(text: &str) -> Option<IpNet> {
    text.parse().ok()
}

#[test]
fn a_rule_that_cannot_be_meant_is_refused_by_name() {
    use RuleProblem::{MixedVersions, PortRange, PortsWithoutPortProtocol, UnknownTenant, VlanRange};
    // Ranges are read from what people write, so backward ones occur.
    let backward = |first: u16, last: u16| Some(RangeInclusive::new(first, last));
    let cases = [
        (Rule { tenant: Some(TenantId(2)), ..any("r") }, UnknownTenant(2)),
        (Rule { vlan: Some(0..=5), ..any("r") }, VlanRange(0, 5)),
        (Rule { vlan: Some(5..=4095), ..any("r") }, VlanRange(5, 4095)),
        (Rule { vlan: backward(6, 5), ..any("r") }, VlanRange(6, 5)),
        (Rule { source_ports: backward(2, 1), ..any("r") }, PortRange(2, 1)),
        (Rule { destination_ports: backward(2, 1), protocol: Some(6), ..any("r") }, PortRange(2, 1)),
        (Rule { destination_ports: Some(8..=8), protocol: Some(1), ..any("r") }, PortsWithoutPortProtocol(1)),
        (
            Rule { source_ports: Some(0..=65535), protocol: Some(47), ..any("r") },
            PortsWithoutPortProtocol(47),
        ),
        (Rule { source: net("10.0.0.0/8"), destination: net("::/0"), ..any("r") }, MixedVersions),
        (Rule { source: net("::1/128"), destination: net("0.0.0.0/0"), ..any("r") }, MixedVersions),
    ];
    for (rule, problem) in cases {
        let refused = validate(&[any("good"), rule], 2).unwrap_err();
        assert_eq!(refused, BuildError::Rule { name: "r".into(), problem });
        assert!(refused.to_string().starts_with("steering rule `r`: "), "{refused}");
    }
}

#[test]
fn a_name_is_used_once() {
    let refused = validate(&[any("a"), any("b"), any("a")], 1).unwrap_err();
    assert_eq!(refused, BuildError::DuplicateName { name: "a".into(), first: 1, second: 3 });
    assert_eq!(refused.to_string(), "steering rules 1 and 3 are both called `a`; rename one");
}

#[test]
fn the_list_has_a_limit() {
    let rules: Vec<Rule> = (0..=RULES_MAX).map(|number| any(&number.to_string())).collect();
    assert_eq!(validate(&rules, 1), Err(BuildError::TooManyRules { count: RULES_MAX + 1 }));
    assert!(validate(&rules[1..], 1).is_ok());
}

#[test]
fn an_unreachable_rule_is_a_warning() {
    let rules = [Rule { priority: 5, protocol: Some(6), ..any("late") }, any("all")];
    let warnings = validate(&rules, 1).unwrap();
    let text: Vec<String> = warnings.iter().map(Warning::to_string).collect();
    assert_eq!(text, ["rule 1 never decides: rule 2 comes first and matches everything it matches"]);
}

/// Rules for single hosts that have little in common.
fn hosts(count: u32) -> Vec<Rule> {
    let host = |n: u32| IpNet::from(IpAddr::from(n.wrapping_mul(0x9e37_79b1).to_be_bytes()));
    (0..count).map(|n| Rule { source: Some(host(n)), ..any(&n.to_string()) }).collect()
}

#[test]
fn rules_that_compile_to_too_much_are_refused_with_the_limit() {
    let (eal, _lcores) = testkit::eal(0);
    let hosts = hosts(10_000);
    let limits = |table_mib_max| Limits { table_mib_max };
    let refused = Classifier::build(&eal, &hosts, &[Verdict::Shunt], &limits(1)).unwrap_err();
    assert_eq!(refused, BuildError::TooLarge { rules: hosts.len(), limit_mib: 1 });
    assert!(refused.to_string().contains("limit of 1 MiB"), "{refused}");
    assert!(Classifier::build(&eal, &hosts, &[Verdict::Shunt], &limits(64)).is_ok());
}

#[test]
fn rules_that_do_not_fit_the_memory_are_refused() {
    let config = dpdk::EalConfig { lcores: 0, memory_mib: 8, huge_pages: dpdk::HugePages::Off, pci: false };
    let (eal, _lcores) = dpdk::Eal::start(&config).unwrap();
    let rules = hosts(10_000);
    // Classifiers that are kept fill the 8 MiB. What a failure had taken is free again, or the next round ends sooner.
    let rounds = [(); 3].map(|()| {
        let mut kept = Vec::new();
        let refused = loop {
            match Classifier::build(&eal, &rules, &[Verdict::Shunt], &Limits::default()) {
                Ok(classifier) => kept.push(classifier),
                Err(refused) => break refused,
            }
            assert!(kept.len() < 20, "the memory has no end");
        };
        assert!(matches!(refused, BuildError::Compile { rules: 10_000, .. }), "{refused:?}");
        assert!(refused.to_string().contains("raise memory_mib"), "{refused}");
        kept.len()
    });
    assert!(rounds[0] > 0 && rounds.iter().all(|kept| *kept == rounds[0]), "{rounds:?}");
}
