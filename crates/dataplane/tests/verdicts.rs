//! Every way that a packet can go, each counted under its name, and a change of configuration between packets.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use classify::{Direction, Rule, ToolId, Verdict};
use common::{CHECKSUM, HEADERS, assert_conserved, config, frames, generation, replay, wait_for};
use dataplane::{Capture, Engine, Reason, TenantSnapshot};
use dpdk::Device;
use sink::{EventThread, FileSink, OpenMode, Options, Overflow};
use trafficgen::trace::{TraceOptions, write_trace};

/// A trace of `tenants` tenants on VLANs from 100 on.
fn trace(dir: &Path, tenants: u16) -> PathBuf {
    let path = dir.join("trace.pcap");
    let options = TraceOptions {
        tenants,
        first_vlan: 100,
        conversations: 60,
        elephant_bytes: 1 << 20,
        ..TraceOptions::default()
    };
    write_trace(&options, &path, None).unwrap();
    path
}

fn rule(name: &str, protocol: u8, port: u16, verdict: Verdict) -> Rule {
    Rule {
        name: name.into(),
        priority: 10,
        tenant: None,
        vlan: None,
        protocol: Some(protocol),
        source: None,
        destination: None,
        source_ports: None,
        destination_ports: Some(port..=port),
        direction: Direction::Initiator,
        verdict,
    }
}

fn packets(tenant: &TenantSnapshot, wanted: Reason) -> u64 {
    tenant.not_inspected.iter().filter(|(reason, _)| *reason == wanted).map(|(_, total)| total.packets).sum()
}

#[test]
fn each_verdict_takes_its_flows_and_every_frame_is_accounted_for() {
    let dir = tempfile::tempdir().unwrap();
    // Four tenants send, three are known: VLAN 103 is nobody's.
    let mut all = frames(&trace(dir.path(), 4));
    let sent = all.len();
    for place in 0..50 {
        // Cut in the middle of the network header: malformed, but still somebody's by its tag.
        all[place * 7].1.truncate(30);
    }
    let capture = dir.path().join("damaged.pcap");
    common::write(&capture, &all);

    let tool = dir.path().join("tool.pcap");
    let mut engine = config(1, 3);
    engine.tools = vec![Device::vdev("net_pcap_tool", &format!("tx_pcap={}", tool.display()))];
    let rules = [
        rule("dns", 17, 53, Verdict::Shunt),
        rule("web", 6, 80, Verdict::Drop),
        rule("tls", 6, 443, Verdict::Tool(ToolId(0))),
    ];
    let (outcome, _) = replay(&engine, CHECKSUM, &rules, &capture);
    assert_conserved(&outcome);
    let all = &outcome.snapshot;
    assert_eq!(all.received.packets, sent as u64);
    let mut to_tool = 0;
    for tenant in &all.tenants {
        for reason in [Reason::Shunt, Reason::SteeringDrop, Reason::Tool, Reason::NonIp] {
            assert!(packets(tenant, reason) > 0, "{}: no {reason:?}", tenant.name);
        }
        assert!(tenant.inspected.packets > 0, "{}", tenant.name);
        // The trace's checksums are right, reassembled datagrams' too.
        assert_eq!(tenant.checksum_wrong, 0, "{}", tenant.name);
        to_tool += packets(tenant, Reason::Tool);
    }
    let malformed = |tenant: &TenantSnapshot| {
        tenant.not_inspected.iter().filter(|(reason, _)| matches!(reason, Reason::Malformed(_))).count()
    };
    assert!(all.tenants.iter().map(malformed).sum::<usize>() > 0);
    assert!(packets(&all.unassigned, Reason::NoTenant) > 1000);
    assert_eq!(frames(&tool).len() as u64, to_tool);
    assert!(frames(&tool).iter().all(|(_, frame)| frame[12..14] == [0x81, 0]), "a tool gets tagged frames");
}

#[test]
fn a_wrong_checksum_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = frames(&trace(dir.path(), 1));
    let tcp = |frame: &Vec<u8>| frame.len() > 70 && frame[16..18] == [8, 0] && frame[27] == 6;
    let damaged =
        all.iter_mut().filter(|(_, frame)| tcp(frame)).take(10).map(|(_, frame)| frame[60] ^= 0xff).count();
    let capture = dir.path().join("damaged.pcap");
    common::write(&capture, &all);
    let (outcome, _) = replay(&config(1, 1), CHECKSUM, &[], &capture);
    assert_conserved(&outcome);
    assert_eq!((damaged as u64, outcome.snapshot.tenants[0].checksum_wrong), (10, 10));
}

#[test]
fn a_new_generation_steers_the_next_packet_of_every_flow_and_the_old_one_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let capture = trace(dir.path(), 2);
    let count = frames(&capture).len() as u64;
    let file = FileSink::open(dir.path().join("eve.json"), OpenMode::Replace).unwrap();
    let events =
        EventThread::spawn(file, Options::new(Overflow::Wait), |notice| panic!("{notice:?}")).unwrap();
    let mut engine =
        Engine::start(&config(2, 2), |eal| generation(eal, 1, 2, HEADERS, &[]), || events.producer())
            .unwrap();
    let mut received = 0;
    for (number, verdict) in [(1, HEADERS), (2, Verdict::Shunt), (3, Verdict::Drop)] {
        if number > 1 {
            let next = generation(engine.eal(), number, 2, verdict, &[]).unwrap();
            engine.publish(next);
            // Two workers and the distributor.
            let mut left = 0;
            wait_for("worker that moved on", || {
                left += engine.collect_generations();
                left == 3
            });
        }
        engine.replay(&Capture { path: &capture, frames: count, offset_us: 0 }).unwrap();
        received += count;
        wait_for("end of the capture", || engine.snapshot().received.packets == received);
    }
    engine.end_of_input(0);
    let outcome = engine.finish().unwrap();
    assert_conserved(&outcome);
    for reason in [Reason::HeadersOnly, Reason::Shunt, Reason::SteeringDrop] {
        let steered: u64 = outcome.snapshot.tenants.iter().map(|tenant| packets(tenant, reason)).sum();
        // All but ARP and what is left of datagrams that the trace loses.
        assert!(steered > count - 200 && steered <= count, "{reason:?}: {steered} of {count}");
    }
    events.finish().unwrap();
}
