//! The compiled classifier decides as the linear scan does, over random rules and flows.

#![allow(clippy::unwrap_used)]

mod common;

use std::cell::RefCell;
use std::collections::HashSet;
use std::ops::RangeInclusive;

use classify::{Classifier, Decision, Direction, Limits, LinearClassifier, Query, Rule, RuleIndex, Warning};
use dpdk::Eal;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the flows of a run met, so that a test can demand that all of it was met.
#[derive(Clone, Copy, Default, Debug)]
struct Met {
    hits_v4: u32,
    hits_v6: u32,
    hits_non_ip: u32,
    hits_either: u32,
    hits_port_range: u32,
    hits_vlan: u32,
    hits_all_tenants: u32,
    misses_v4: u32,
    misses_v6: u32,
    misses_non_ip: u32,
    /// Flows made from a rule that an earlier one decides.
    overridden: u32,
    /// Rules that were said never to decide.
    unreachable: u32,
}

impl Met {
    fn note(&mut self, rules: &[Rule], query: &Query, decision: Decision) {
        let Some(index) = decision.rule else {
            *match query.tuple.ip_version {
                4 => &mut self.misses_v4,
                6 => &mut self.misses_v6,
                _ => &mut self.misses_non_ip,
            } += 1;
            return;
        };
        *match query.tuple.ip_version {
            4 => &mut self.hits_v4,
            6 => &mut self.hits_v6,
            _ => &mut self.hits_non_ip,
        } += 1;
        let rule = &rules[index.0 as usize];
        self.hits_either += u32::from(rule.direction == Direction::Either);
        let wide = |range: &Option<RangeInclusive<u16>>| range.as_ref().is_some_and(|r| r.len() > 1);
        self.hits_port_range += u32::from(wide(&rule.source_ports) || wide(&rule.destination_ports));
        self.hits_vlan += u32::from(rule.vlan.is_some());
        self.hits_all_tenants += u32::from(rule.tenant.is_none());
    }
}

/// Compares both classifiers over `flows` flows, a third of each kind: made from a rule, nudged out of one, random.
fn compare(
    eal: &Eal,
    rng: &mut ChaCha8Rng,
    rules: &[Rule],
    tenants: u16,
    flows: usize,
    met: &mut Met,
) -> Result<(), TestCaseError> {
    // One tenant more than there are defaults for.
    let defaults = common::defaults(tenants);
    let linear = LinearClassifier::build(rules, &defaults).unwrap();
    let compiled = Classifier::build(eal, rules, &defaults, &Limits::default()).unwrap();
    prop_assert_eq!(linear.warnings(), compiled.warnings());
    let unreachable: HashSet<RuleIndex> =
        linear.warnings().iter().map(|Warning::Unreachable { rule, .. }| *rule).collect();
    met.unreachable += unreachable.len() as u32;

    let mut made_from = Vec::new();
    let queries: Vec<Query> = (0..flows)
        .map(|flow| {
            let index = rng.random_range(0..rules.len());
            made_from.push((flow % 3 == 0).then_some(index as u32));
            match flow % 3 {
                0 => common::query_of(rng, &rules[index], tenants),
                1 => {
                    let query = common::query_of(rng, &rules[index], tenants);
                    common::nudged(rng, query, tenants + 1)
                }
                _ => common::query(rng, tenants + 1),
            }
        })
        .collect();
    let mut decisions = vec![Decision::default(); flows];
    compiled.classify_burst(&queries, &mut decisions);
    for ((query, decision), made_from) in queries.iter().zip(decisions).zip(made_from) {
        let wanted = linear.classify(query);
        prop_assert_eq!(decision, wanted, "{:?}", query);
        let said_never = decision.rule.is_some_and(|rule| unreachable.contains(&rule));
        prop_assert!(!said_never, "{:?} decided, which was called unreachable", decision.rule);
        met.note(rules, query, decision);
        if let Some(index) = made_from {
            prop_assert!(
                decision.rule.is_some(),
                "a flow made from rule {} matches nothing: {:?}",
                index,
                query
            );
            met.overridden += u32::from(decision.rule.map(|rule| rule.0) != Some(index));
        }
    }
    Ok(())
}

#[test]
fn many_small_lists() {
    let (eal, _lcores) = testkit::eal(0);
    let config = Config { cases: 150, failure_persistence: None, ..Config::default() };
    let lists = (any::<u64>(), 1..80_usize, 1..6_u16);
    let met = RefCell::new(Met::default());
    TestRunner::new(config)
        .run(&lists, |(seed, count, tenants)| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let rules = common::rules(&mut rng, count, tenants);
            compare(&eal, &mut rng, &rules, tenants, 300, &mut met.borrow_mut())
        })
        .unwrap();
    let met = met.into_inner();
    eprintln!("{met:?}");
    assert!(met.hits_v4 >= 12_000 && met.hits_v6 >= 4_000 && met.hits_non_ip >= 200, "{met:?}");
    assert!(met.hits_either >= 3_000 && met.hits_port_range >= 2_000 && met.unreachable >= 20, "{met:?}");
    assert!(met.hits_vlan >= 3_000 && met.hits_all_tenants >= 1_000 && met.overridden >= 100, "{met:?}");
    assert!(met.misses_v4 >= 8_000 && met.misses_v6 >= 3_000 && met.misses_non_ip >= 1_000, "{met:?}");
}

#[test]
fn ten_thousand_rules_for_a_hundred_tenants() {
    let (eal, _lcores) = testkit::eal(0);
    let mut rng = ChaCha8Rng::seed_from_u64(10_000);
    let rules = common::rules(&mut rng, 10_000, 100);
    let mut met = Met::default();
    compare(&eal, &mut rng, &rules, 100, 3_000, &mut met).unwrap();
    eprintln!("{met:?}");
    assert!(met.hits_v4 >= 600 && met.hits_v6 >= 200 && met.hits_either >= 150, "{met:?}");
    assert!(
        met.hits_port_range >= 100
            && met.hits_all_tenants >= 100
            && met.overridden >= 100
            && met.unreachable >= 100,
        "{met:?}"
    );
    assert!(met.misses_v4 >= 300 && met.misses_v6 >= 200 && met.misses_non_ip >= 50, "{met:?}");
}

/// A blocklist matched either way is what multiplies in one context: every source with every destination.
#[test]
fn a_blocklist_of_ten_thousand_networks_either_way() {
    let (eal, _lcores) = testkit::eal(0);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut rules = common::rules(&mut rng, 10_000, 1);
    for rule in &mut rules {
        rule.source = rule.source.or(rule.destination.take());
        (rule.destination, rule.destination_ports, rule.source_ports) = (None, None, None);
        (rule.protocol, rule.vlan, rule.tenant) = (None, None, None);
        rule.direction = Direction::Either;
    }
    rules.retain(|rule| rule.source.is_some());
    assert!(rules.len() > 8_000);
    let mut met = Met::default();
    compare(&eal, &mut rng, &rules, 1, 3_000, &mut met).unwrap();
    eprintln!("{met:?}");
    assert!(met.hits_v4 >= 1_000 && met.hits_v6 >= 300 && met.overridden >= 100, "{met:?}");
    assert!(met.misses_v4 + met.misses_v6 >= 100 && met.misses_non_ip >= 100, "{met:?}");
}
