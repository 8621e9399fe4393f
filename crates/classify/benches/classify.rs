//! Prints what a classification costs, compiled and linear, at 10, 1,000 and 10,000 rules, and what compiling costs.
//!
//! Times are CPU time of this thread, so other processes disturb them little. With `-- apart` it also measures what the
//! product does not do: a classifier of its own for each tenant, with the rules for all tenants in each.

#![allow(clippy::unwrap_used)]

#[path = "../tests/common/mod.rs"]
mod common;

use std::fs;
use std::process::Command;

use classify::{Classifier, Decision, Limits, LinearClassifier, Query, Rule, Verdict};
use dpdk::{Eal, EalConfig, HugePages};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TENANTS: u16 = 100;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match &arguments[..] {
        [one, count, for_all, apart] if one == "one" => {
            one_case(count.parse().unwrap(), for_all == "all", apart == "apart");
        }
        more => each_case(more.iter().any(|argument| argument == "apart")),
    }
}

/// Runs every case in a process of its own: memory that one has freed would hide what the next takes.
fn each_case(apart: bool) {
    for count in ["10", "1000", "10000"] {
        for rules in ["own", "all"] {
            let mut case = Command::new(std::env::current_exe().unwrap());
            case.args(["one", count, rules, if apart { "apart" } else { "together" }]);
            assert!(case.status().unwrap().success());
        }
    }
}

fn one_case(count: usize, for_all: bool, apart: bool) {
    let config = EalConfig { lcores: 0, memory_mib: 4096, huge_pages: HugePages::Off, pci: false };
    let (eal, _lcores) = Eal::start(&config).unwrap();
    measure(&eal, count, for_all, apart);
}

fn measure(eal: &Eal, count: usize, for_all: bool, apart: bool) {
    let kind = if for_all { "a tenth for all tenants" } else { "own rules only" };
    let mut rng = ChaCha8Rng::seed_from_u64(count as u64);
    let mut rules = common::rules(&mut rng, count, TENANTS);
    if !for_all {
        for rule in &mut rules {
            rule.tenant.get_or_insert_with(|| wire::TenantId(rng.random_range(0..TENANTS)));
        }
    }
    let defaults = common::defaults(TENANTS);
    let (checking_ms, warnings) =
        cpu_ms(|| classify::validate(&rules, defaults.len()).map_or(0, |warnings| warnings.len()));
    if apart {
        println!("{count} rules, {kind}:");
        measure_apart(eal, &rules, &defaults, &from_rules(&mut rng, &rules));
        return;
    }
    let resident_before = resident_mib("VmRSS:");
    let (build_ms, compiled) =
        cpu_ms(|| Classifier::build(eal, &rules, &defaults, &Limits::default()).unwrap());
    println!(
        "{count} rules, {kind}: checked in {checking_ms:.0} ms ({warnings} never decide), built in {build_ms:.0} ms, {} MiB (at most {} MiB)",
        resident_mib("VmRSS:").saturating_sub(resident_before),
        resident_mib("VmHWM:").saturating_sub(resident_before)
    );
    let linear = LinearClassifier::build(&rules, &defaults).unwrap();
    for (flows, queries) in [("from rules", from_rules(&mut rng, &rules)), ("random", random(&mut rng))] {
        let mut decisions = vec![Decision::default(); queries.len()];
        print!("  flows {flows}:");
        for burst in [64, 4, 1] {
            let (ms, ()) = cpu_ms(|| {
                for (queries, decisions) in queries.chunks(burst).zip(decisions.chunks_mut(burst)) {
                    compiled.classify_burst(queries, decisions);
                }
            });
            print!(" bursts of {burst} {:.0} ns,", ms * 1e6 / queries.len() as f64);
        }
        // The kernel counts CPU time in ticks of milliseconds: enough flows for a second of it.
        let some = (100_000_000 / rules.len()).min(queries.len());
        let (ms, differ) = cpu_ms(|| {
            let pairs = queries.iter().zip(&decisions).take(some);
            pairs.filter(|(query, decision)| linear.classify(query) != **decision).count()
        });
        let hits = decisions.iter().filter(|decision| decision.rule.is_some()).count();
        println!(
            " linear {:.0} ns; {hits} of {} matched, {differ} differ",
            ms * 1e6 / some as f64,
            queries.len()
        );
    }
}

/// Builds a classifier per tenant and asks them about bursts of 64 flows, which fall apart into the tenants' flows.
fn measure_apart(eal: &Eal, rules: &[Rule], defaults: &[Verdict], queries: &[Query]) {
    let resident_before = resident_mib("VmRSS:");
    let (build_ms, classifiers) = cpu_ms(|| {
        let of = |tenant: u16| -> Vec<Rule> {
            rules.iter().filter(|rule| rule.tenant.is_none_or(|own| own.0 == tenant)).cloned().collect()
        };
        let build = |tenant| Classifier::build(eal, &of(tenant), defaults, &Limits::default()).unwrap();
        (0..TENANTS).map(build).collect::<Vec<_>>()
    });
    let mut by_tenant = vec![Vec::new(); usize::from(TENANTS)];
    let mut decisions = [Decision::default(); 64];
    let (ms, ()) = cpu_ms(|| {
        for burst in queries.chunks(decisions.len()) {
            for query in burst {
                by_tenant[usize::from(query.tenant.0)].push(*query);
            }
            for (own, classifier) in by_tenant.iter_mut().zip(&classifiers).filter(|(own, _)| !own.is_empty())
            {
                classifier.classify_burst(own, &mut decisions);
                own.clear();
            }
        }
    });
    println!(
        "  apart: built in {build_ms:.0} ms, {} MiB, bursts of 64 {:.0} ns",
        resident_mib("VmRSS:").saturating_sub(resident_before),
        ms * 1e6 / queries.len() as f64
    );
}

fn from_rules(rng: &mut ChaCha8Rng, rules: &[Rule]) -> Vec<Query> {
    (0..1 << 16)
        .map(|_| {
            let index = rng.random_range(0..rules.len());
            common::query_of(rng, &rules[index], TENANTS)
        })
        .collect()
}

fn random(rng: &mut ChaCha8Rng) -> Vec<Query> {
    (0..1 << 16).map(|_| common::query(rng, TENANTS)).collect()
}

fn cpu_ms<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let before = cpu_ns();
    let result = work();
    (cpu_ns().saturating_sub(before) as f64 / 1e6, result)
}

/// Time on a CPU of this thread so far.
fn cpu_ns() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn resident_mib(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}
