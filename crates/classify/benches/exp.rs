#[path = "../tests/common/mod.rs"]
mod common;
use classify::*;
use rand::SeedableRng;
use std::time::Instant;
use ipnet::IpNet;
use rand::Rng;
fn cpu_ns() -> u64 { std::fs::read_to_string("/proc/thread-self/schedstat").unwrap().split_whitespace().next().unwrap().parse().unwrap() }
fn rss() -> u64 { std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmRSS")).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap() }
fn hwm() -> u64 { std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmHWM")).unwrap().split_whitespace().nth(1).unwrap().parse().unwrap() }
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (kind, n, tenants) = (a[1].as_str(), a[2].parse::<usize>().unwrap(), a[3].parse::<u16>().unwrap());
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let host = |rng: &mut rand_chacha::ChaCha8Rng| Some(IpNet::V4(ipnet::Ipv4Net::new(std::net::Ipv4Addr::from_bits(rng.random()), 32).unwrap()));
    let net = |rng: &mut rand_chacha::ChaCha8Rng| Some(IpNet::V4(ipnet::Ipv4Net::new(std::net::Ipv4Addr::from_bits(rng.random()), rng.random_range(8..=32)).unwrap().trunc()));
    let rules: Vec<Rule> = match kind {
        "mix" => common::rules(&mut rng, n, tenants),
        "own" => common::rules(&mut rng, n, tenants).into_iter().map(|mut r| { r.tenant.get_or_insert(wire::TenantId(rng.random_range(0..tenants))); r }).collect(),
        "srcdst" => (0..n).map(|i| { let h = host(&mut rng); let mut r = Rule::any(format!("{i}"), Verdict::Drop); if i % 2 == 0 { r.source = h } else { r.destination = h } r }).collect(),
        "eitherhosts" => (0..n).map(|i| Rule { source: host(&mut rng), direction: Direction::Either, ..Rule::any(format!("{i}"), Verdict::Drop) }).collect(),
        "eithernets" => (0..n).map(|i| Rule { source: net(&mut rng), direction: Direction::Either, ..Rule::any(format!("{i}"), Verdict::Drop) }).collect(),
        "nets2" => (0..n).map(|i| Rule { source: net(&mut rng), destination: net(&mut rng), ..Rule::any(format!("{i}"), Verdict::Drop) }).collect(),
        "ports" => (0..n).map(|i| { let (a, b): (u16,u16) = (rng.random(), rng.random()); let (c, d): (u16,u16) = (rng.random(), rng.random()); Rule { protocol: Some(6), source_ports: Some(a.min(b)..=a.max(b)), destination_ports: Some(c.min(d)..=c.max(d)), ..Rule::any(format!("{i}"), Verdict::Drop) }}).collect(),
        "dports" => (0..n).map(|i| { let (a, b): (u16,u16) = (rng.random(), rng.random()); Rule { source: net(&mut rng), destination_ports: Some(a.min(b)..=a.max(b)), ..Rule::any(format!("{i}"), Verdict::Drop) }}).collect(),
        "all" => (0..n).map(|i| { let (a, b): (u16,u16) = (rng.random(), rng.random()); Rule { source: rng.random_bool(0.5).then(|| net(&mut rng)).flatten(), destination: rng.random_bool(0.5).then(|| net(&mut rng)).flatten(), vlan: rng.random_bool(0.5).then(|| {let v = rng.random_range(1..4000); v..=v+90}), destination_ports: rng.random_bool(0.5).then_some(a.min(b)..=a.max(b)), ..Rule::any(format!("{i}"), Verdict::Drop) }}).collect(),
        _ => panic!(),
    };
    let (eal, _l) = dpdk::Eal::start(&dpdk::EalConfig { lcores: 0, memory_mib: 2048, huge_pages: dpdk::HugePages::Off, pci: false }).unwrap();
    let t = Instant::now();
    let w = validate(&rules, usize::from(tenants)).unwrap();
    println!("validate {:?}, {} warnings, hwm {} MiB", t.elapsed(), w.len(), hwm() >> 10);
    if a.len() > 4 {
        let rss0 = rss();
        let t = Instant::now();
        let c: Vec<Classifier> = (0..tenants).map(|t| { let own: Vec<Rule> = rules.iter().filter(|r| r.tenant.is_none_or(|x| x.0 == t)).cloned().collect(); Classifier::build(&eal, &own, &common::defaults(tenants), &Limits::default()).unwrap() }).collect();
        println!("{kind} {n} x{tenants} SEPARATE: build {:?} hwm {} MiB rss {} MiB", t.elapsed(), hwm() >> 10, (rss() - rss0) >> 10);
        let qs: Vec<Query> = (0..65536).map(|_| { let i = rng.random_range(0..rules.len()); common::query_of(&mut rng, &rules[i], tenants) }).collect();
        let mut d = vec![Decision::default(); qs.len()];
        let t = cpu_ns();
        for (q, d) in qs.iter().zip(&mut d) { *d = c[usize::from(q.tenant.0)].classify(q); }
        println!("  burst 1: {} ns", (cpu_ns() - t) / 65536);
        // bursts grouped by tenant, 64 flows: mixed tenants
        let t = cpu_ns();
        let mut tmp: Vec<Vec<Query>> = vec![vec![]; usize::from(tenants)];
        for b in qs.chunks(64) { for q in b { tmp[usize::from(q.tenant.0)].push(*q); } for (t, v) in tmp.iter_mut().enumerate() { if !v.is_empty() { c[t].classify_burst(v, &mut d); v.clear(); } } }
        println!("  burst 64 mixed: {} ns", (cpu_ns() - t) / 65536);
        return;
    }
    let rss0 = rss();
    let t = Instant::now();
    let c = match Classifier::build(&eal, &rules, &common::defaults(tenants), &Limits::default()) { Ok(c) => c, Err(e) => { println!("{kind} {n}: FAILED after {:?}: {e} hwm {} MiB", t.elapsed(), hwm() >> 10); return } };
    println!("{kind} {n} x{tenants}: build {:?} hwm {} MiB rss {} MiB", t.elapsed(), hwm() >> 10, (rss() - rss0) >> 10);
    let qs: Vec<Query> = (0..65536).map(|_| { let i = rng.random_range(0..rules.len()); common::query_of(&mut rng, &rules[i], tenants) }).collect();
    let mut d = vec![Decision::default(); qs.len()];
    for burst in [64, 4, 1] {
        let t = cpu_ns();
        for _ in 0..4 { for (q, d) in qs.chunks(burst).zip(d.chunks_mut(burst)) { c.classify_burst(q, d); } }
        println!("  burst {burst}: {:.0} ns", (cpu_ns() - t) as f64 / 4.0 / 65536.0);
    }
    println!("  hits {}", d.iter().filter(|d| d.rule.is_some()).count());
}
