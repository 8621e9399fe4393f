//! A list of steering rules and the flows that are asked about, 32 bytes each: the tags, the ends, the ports.
#![no_main]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use classify::{Direction, LinearClassifier, PipelineId, Query, Rule, Verdict, Warning};
use ipnet::IpNet;
use wire::{Addr, NTuple, TenantId};

const TENANTS: usize = 3;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let (records, _) = bytes.as_chunks::<32>();
    let count = records.len().min(48);
    let (rules, flows) = records[..count].split_at(count / 2);
    let rules: Vec<Rule> = rules.iter().enumerate().map(|(number, record)| rule(number, record)).collect();
    let defaults = [Verdict::Shunt; TENANTS];
    let Ok(linear) = LinearClassifier::build(&rules, &defaults) else { return };
    for record in flows {
        let query = query(record);
        let decision = linear.classify(&query);
        let explanation = linear.explain(&query);
        assert_eq!(explanation.decision, decision);
        let matching: Vec<_> = explanation.considered.iter().filter(|rule| rule.mismatch.is_none()).collect();
        assert!(matching.len() <= 1 && matching.first().map(|rule| rule.index) == decision.rule);
        let never = |Warning::Unreachable { rule, .. }: &Warning| Some(*rule) == decision.rule;
        assert!(!linear.warnings().iter().any(never), "a rule decided that was called unreachable");
    }
});

/// Addresses are of few values, so that rules and flows meet.
fn address(bytes: &[u8], v4: bool) -> IpAddr {
    let low = u32::from_be_bytes([10, bytes[0] & 3, bytes[1] & 0x83, bytes[2] & 0xc1]);
    if v4 {
        Ipv4Addr::from_bits(low).into()
    } else {
        Ipv6Addr::from_bits(u128::from(low) << 64 | u128::from(low)).into()
    }
}

fn prefix(bytes: &[u8], v4: bool) -> Option<IpNet> {
    let address = address(bytes, v4);
    (bytes[3] & 1 != 0).then(|| IpNet::new(address, bytes[3] >> 1).ok()).flatten()
}

fn number(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0] & 1, bytes[1]])
}

fn range(bytes: &[u8], wanted: bool) -> Option<RangeInclusive<u16>> {
    let (first, last) = (number(bytes), number(&bytes[2..]));
    wanted.then_some(first..=last)
}

fn rule(number: usize, record: &[u8; 32]) -> Rule {
    let flags = record[0];
    Rule {
        priority: u32::from(record[1] & 7),
        tenant: (flags & 1 != 0).then_some(TenantId(u16::from(record[2] & 3))),
        vlan: range(&record[4..], flags & 2 != 0),
        protocol: (flags & 4 != 0).then_some([6, 17, 132, 1][usize::from(record[3] & 3)]),
        source: prefix(&record[8..], flags & 8 != 0),
        destination: prefix(&record[12..], (flags & 8 != 0) ^ (record[2] == 0xff)),
        source_ports: range(&record[16..], flags & 16 != 0),
        destination_ports: range(&record[20..], flags & 32 != 0),
        direction: if flags & 64 != 0 { Direction::Either } else { Direction::Initiator },
        ..Rule::any(number.to_string(), Verdict::Pipeline(PipelineId(number as u16)))
    }
}

fn query(record: &[u8; 32]) -> Query {
    let v4 = record[0] & 8 != 0;
    let tuple = NTuple {
        src: Addr::from(address(&record[8..], v4)),
        dst: Addr::from(address(&record[12..], v4)),
        src_port: number(&record[16..]),
        dst_port: number(&record[20..]),
        protocol: [6, 17, 132, 1][usize::from(record[3] & 3)],
        ip_version: if v4 { 4 } else { 6 },
    };
    let tuple = if record[0] & 128 != 0 { NTuple::default() } else { tuple };
    Query {
        tuple,
        vlan: (record[0] & 2 != 0).then(|| number(&record[4..])),
        tenant: TenantId(u16::from(record[2] & 3)),
    }
}
