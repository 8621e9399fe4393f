//! Tenants come and go, rows are given away, and generations follow one another, while traffic runs.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use classify::Verdict;
use common::{FULL, assert_conserved, config, frames, generation, wait_for};
use dataplane::{
    Capture, Engine, FORMER, Generation, HOSTS_MAX, Reason, RuleLayer, Snapshot, TenantInspection, VlanMap,
};
use dpdk::Eal;
use serde_json::Value;
use signature::{Hosts, Names, RuleSet, Setup};
use sink::{EventThread, FileSink, OpenMode, Options, Overflow};
use trafficgen::trace::{TraceOptions, write_trace};
use wire::TenantId;

fn trace(dir: &Path, tenants: u16) -> PathBuf {
    let path = dir.join("trace.pcap");
    let options = TraceOptions {
        tenants,
        first_vlan: 100,
        conversations: 100,
        elephant_bytes: 1 << 20,
        ..TraceOptions::default()
    };
    write_trace(&options, &path, None).unwrap();
    path
}

/// Frames of each VLAN from 100 on.
fn by_vlan(path: &Path, vlans: usize) -> Vec<u64> {
    let mut counts = vec![0; vlans];
    for (_, frame) in frames(path) {
        counts[usize::from(u16::from_be_bytes([frame[14], frame[15]]) & 0xfff) - 100] += 1;
    }
    counts
}

/// Rows with name and identity of who has them; row n has VLAN 100 + n.
fn of_rows(eal: &Eal, number: u32, rows: &[Option<(&str, u64)>], verdict: Verdict) -> Generation {
    let mut generation = generation(eal, number, rows.len() as u16, verdict, &[]).unwrap();
    generation.vlans = VlanMap::default();
    for (row, (wanted, tenant)) in (0..).zip(rows.iter().zip(&mut generation.tenants)) {
        match (wanted, tenant.as_mut()) {
            (Some((name, identity)), Some(tenant)) => {
                (tenant.name, tenant.identity) = (Arc::from(*name), *identity);
                generation.vlans.assign(100 + row, TenantId(row));
            }
            _ => *tenant = None,
        }
    }
    generation
}

/// Every row adds up, and all rows together are what was received.
fn assert_adds_up(all: &Snapshot) {
    let (mut received, mut accounted) = (0, 0);
    for tenant in all.rows() {
        received += tenant.received.packets;
        accounted += tenant.accounted().packets;
    }
    assert_eq!(received, all.received.packets);
    assert_eq!(accounted + all.fragments_held, received);
}

fn received(all: &Snapshot, name: &str) -> u64 {
    all.tenants.iter().filter(|tenant| tenant.name == name).map(|tenant| tenant.received.packets).sum()
}

#[test]
fn tenants_come_and_go_under_traffic_and_every_packet_is_somebodys() {
    let dir = tempfile::tempdir().unwrap();
    let capture = trace(dir.path(), 3);
    let each = by_vlan(&capture, 3);
    let count: u64 = each.iter().sum();
    let eve = dir.path().join("eve.json");
    let file = FileSink::open(&eve, OpenMode::Replace).unwrap();
    let events =
        EventThread::spawn(file, Options::new(Overflow::Wait), |notice| panic!("{notice:?}")).unwrap();
    let names = ["a", "b", "c", "d", "e"];
    let tenants =
        |rows: [Option<usize>; 3]| rows.map(|place| place.map(|place| (names[place], place as u64)));
    let first = |eal: &Eal| Ok(of_rows(eal, 1, &tenants([Some(0), Some(1), Some(2)]), FULL));
    let mut engine = Engine::start(&config(2, 3), first, || events.producer()).unwrap();
    let mut sent = 0;
    // b goes, d gets its row, e takes it over from d at once, and at last the row is vacant again.
    let steps = [Some(1), None, Some(3), Some(4), None];
    for (step, second) in (1..).zip(steps) {
        let rows = tenants([Some(0), second, Some(2)]);
        engine
            .replay(&Capture { path: &capture, frames: count, offset_us: u64::from(step) * 20_000_000 })
            .unwrap();
        if step > 1 {
            let half = sent + count / 2;
            wait_for("half of the capture", || engine.snapshot().received.packets >= half);
            engine.publish(of_rows(engine.eal(), step, &rows, FULL));
            wait_for("effect", || engine.generation_in_effect() == step);
        }
        sent += count;
        wait_for("end of the capture", || {
            let all = engine.snapshot();
            let accounted: u64 = all.rows().map(|row| row.accounted().packets).sum();
            all.received.packets == sent && accounted + all.fragments_held == sent
        });
        let all = engine.snapshot();
        assert_adds_up(&all);
        // The others' counters show no gap.
        assert_eq!(received(&all, "a"), u64::from(step) * each[0]);
        assert_eq!(received(&all, "c"), u64::from(step) * each[2]);
        // What was the row's is now its tenant's, former tenants' or nobody's.
        let row = rows[1].map_or(0, |(name, _)| received(&all, name));
        assert_eq!(
            row + all.former.received.packets + all.unassigned.received.packets,
            u64::from(step) * each[1]
        );
        if rows[1].is_some() && step > 1 {
            assert!(row > 0 && row < each[1], "who comes into a row begins at 0: {row}");
        }
        engine.collect_generations();
        wait_for("generations freed", || {
            engine.collect_generations();
            engine.generations_alive() == 1
        });
    }
    engine.end_of_input(0);
    let outcome = engine.finish().unwrap();
    assert_conserved(&outcome);
    assert_eq!(outcome.snapshot.former.name, FORMER);
    assert!(outcome.snapshot.former.flows > 0 && outcome.snapshot.former.inspected.packets > 0);
    events.finish().unwrap();
    // Every flow has its record, and one that was ended with its tenant names that tenant.
    let mut forced = BTreeMap::<String, u64>::new();
    let mut records = 0;
    for line in std::fs::read_to_string(&eve).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        if event["event_type"] == "flow" {
            records += 1;
            if event["flow"]["reason"] == "forced" {
                *forced.entry(event["tenant"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    assert_eq!(records, outcome.snapshot.flows);
    assert_eq!(forced.keys().map(String::as_str).collect::<Vec<_>>(), ["b", "d", "e"], "{forced:?}");
}

fn rules(names: &Names, text: &str) -> RuleLayer {
    let parsed = rules::parse_file(text.as_bytes(), 0, &rules::Environment::default());
    let rules = Arc::new(RuleSet::compile(parsed.rules, &Setup::new(names)).unwrap().set);
    RuleLayer { rules, hosts: Arc::new(Hosts::new(HOSTS_MAX)) }
}

#[test]
fn three_hundred_generations_under_traffic_lose_nothing_and_leave_nothing_behind() {
    const ROUNDS: u32 = 10;
    const EACH: u32 = 30;
    let dir = tempfile::tempdir().unwrap();
    let capture = trace(dir.path(), 2);
    let each = by_vlan(&capture, 2);
    let count: u64 = each.iter().sum();
    let file = FileSink::open(dir.path().join("eve.json"), OpenMode::Replace).unwrap();
    let events =
        EventThread::spawn(file, Options::new(Overflow::Wait), |notice| panic!("{notice:?}")).unwrap();
    let names = Names::default();
    let own = ["GET", "POST"].map(|method| {
        let text = format!("alert tcp any any -> any any (msg:\"m\"; content:\"{method}\"; sid:1;)\n");
        Arc::new(TenantInspection { own: Some(rules(&names, &text)), ..TenantInspection::default() })
    });
    let of = |eal: &Eal, number: u32| {
        let mut generation = generation(eal, number, 2, FULL, &[]).unwrap();
        if let Some(Some(tenant)) = generation.tenants.first_mut() {
            tenant.inspection = Arc::clone(&own[number as usize % 2]);
        }
        generation
    };
    let mut engine = Engine::start(&config(2, 2), |eal| Ok(of(eal, 1)), || events.producer()).unwrap();
    let mut number = 1;
    for round in 0..ROUNDS {
        let offset_us = u64::from(round) * 20_000_000;
        engine.replay(&Capture { path: &capture, frames: count, offset_us }).unwrap();
        for _ in 0..EACH {
            number += 1;
            engine.publish(of(engine.eal(), number));
            engine.collect_generations();
        }
    }
    wait_for("effect", || engine.generation_in_effect() == number);
    wait_for("generations freed", || {
        engine.collect_generations();
        engine.generations_alive() == 1
    });
    engine.end_of_input(0);
    let outcome = engine.finish().unwrap();
    assert_conserved(&outcome);
    assert_eq!(number, 1 + ROUNDS * EACH);
    let all = &outcome.snapshot;
    for (tenant, each) in all.tenants.iter().zip(&each) {
        assert_eq!(tenant.received.packets, u64::from(ROUNDS) * each);
        for (reason, total) in &tenant.not_inspected {
            let lost = !matches!(reason, Reason::NonIp | Reason::Malformed(_) | Reason::Fragment(_));
            assert!(!lost, "{}: {reason:?} {total:?}", tenant.name);
        }
    }
    assert!(all.tenants[0].alerts > 0);
    events.finish().unwrap();
}
