//! What a rule matches, case by case, said by both classifiers.

#![allow(clippy::unwrap_used)]

use std::net::IpAddr;

use classify::{
    Classifier, Decision, Direction, Field, Limits, LinearClassifier, PipelineId, Query, Rule, RuleIndex,
    ToolId, UNKNOWN_TENANT, Verdict,
};
use dpdk::Eal;
use ipnet::IpNet;
use wire::{Addr, NTuple, TenantId};

const TCP: u8 = 6;
const UDP: u8 = 17;
const ICMP: u8 = 1;
const SCTP: u8 = 132;

/// Verdicts by default of tenants 0 and 1.
const DEFAULTS: [Verdict; 2] = [Verdict::Pipeline(PipelineId(0)), Verdict::Shunt];

fn any() -> Rule {
    Rule::any("rule", Verdict::Drop)
}

fn net(text: &str) -> Option<IpNet> {
    text.parse().ok()
}

fn flow(src: &str, src_port: u16, dst: &str, dst_port: u16, protocol: u8) -> Query {
    let (src, dst): (IpAddr, IpAddr) = (src.parse().unwrap(), dst.parse().unwrap());
    let ip_version = if src.is_ipv4() { 4 } else { 6 };
    let tuple =
        NTuple { src: Addr::from(src), dst: Addr::from(dst), src_port, dst_port, protocol, ip_version };
    Query { tuple, vlan: None, tenant: TenantId(0) }
}

fn v4(protocol: u8) -> Query {
    flow("10.0.0.5", 40_000, "192.0.2.7", 443, protocol)
}

fn v6(protocol: u8) -> Query {
    flow("2001:db8::5", 40_000, "2001:db8:1::7", 443, protocol)
}

/// A frame that is not IP, such as ARP.
fn non_ip() -> Query {
    Query { tuple: NTuple::default(), vlan: None, tenant: TenantId(0) }
}

/// What both classifiers say; they must agree.
fn decide(eal: &Eal, rules: &[Rule], query: &Query) -> Decision {
    let linear = LinearClassifier::build(rules, &DEFAULTS).unwrap();
    let compiled = Classifier::build(eal, rules, &DEFAULTS, &Limits::default()).unwrap();
    let decision = linear.classify(query);
    assert_eq!(compiled.classify(query), decision, "{rules:?} {query:?}");
    let explanation = linear.explain(query);
    assert_eq!(explanation.decision, decision);
    decision
}

#[test]
fn conditions_hold_at_their_edges_and_not_beyond() {
    let (eal, _lcores) = testkit::eal(0);
    let vlan = |vlan| Query { vlan: Some(vlan), ..v4(TCP) };
    let on_vlans = Rule { vlan: Some(100..=199), ..any() };
    let all_vlans = Rule { vlan: Some(1..=4094), ..any() };
    let to_high_ports = Rule { destination_ports: Some(1024..=u16::MAX), ..any() };
    let to_port_0 = Rule { destination_ports: Some(0..=0), ..any() };
    let all_ports = Rule { source_ports: Some(0..=u16::MAX), ..any() };
    let from_10 = Rule { source: net("10.0.0.0/8"), ..any() };
    let from_host = Rule { source: net("10.0.0.5/32"), ..any() };
    let host_bits = Rule { source: net("10.200.200.200/8"), ..any() };
    let all_v4 = Rule { destination: net("0.0.0.0/0"), ..any() };
    let all_v6 = Rule { destination: net("::/0"), ..any() };
    let from_site = Rule { source: net("2001:db8::/33"), ..any() };
    let to_host_6 = Rule { destination: net("2001:db8:1::7/128"), ..any() };
    let mapped = Rule { source: net("::ffff:0:0/96"), ..any() };
    let of_tenant_1 = Rule { tenant: Some(TenantId(1)), ..any() };
    let tcp = Rule { protocol: Some(TCP), ..any() };
    let hopopt = Rule { protocol: Some(0), ..any() };
    let port = |dst_port| Query { tuple: NTuple { dst_port, ..v4(UDP).tuple }, ..v4(UDP) };
    let mapped_flow = {
        let tuple = NTuple { ip_version: 6, ..v4(TCP).tuple };
        Query { tuple, ..v4(TCP) }
    };

    let cases: &[(&Rule, Query, bool)] = &[
        (&any(), v4(TCP), true),
        (&any(), v6(47), true),
        (&any(), non_ip(), true),
        // VLAN: an untagged or priority-tagged frame is on none.
        (&on_vlans, vlan(99), false),
        (&on_vlans, vlan(100), true),
        (&on_vlans, vlan(199), true),
        (&on_vlans, vlan(200), false),
        (&on_vlans, v4(TCP), false),
        (&on_vlans, Query { vlan: Some(150), ..non_ip() }, true),
        (&all_vlans, vlan(1), true),
        (&all_vlans, vlan(4094), true),
        (&all_vlans, vlan(0), false),
        (&all_vlans, vlan(4095), false),
        (&all_vlans, v4(TCP), false),
        // Ports exist in TCP, UDP and SCTP; an ICMP type is not one.
        (&to_high_ports, port(1023), false),
        (&to_high_ports, port(1024), true),
        (&to_high_ports, port(u16::MAX), true),
        (&to_high_ports, Query { tuple: NTuple { protocol: SCTP, ..port(2000).tuple }, ..v4(SCTP) }, true),
        (&to_port_0, port(0), true),
        (&to_port_0, flow("10.0.0.5", 8, "192.0.2.7", 0, ICMP), false),
        (&all_ports, flow("10.0.0.5", 8, "192.0.2.7", 0, ICMP), false),
        (&all_ports, v6(58), false),
        (&all_ports, v4(47), false),
        (&all_ports, v6(TCP), true),
        (&all_ports, non_ip(), false),
        // Prefixes, of one IP version each.
        (&from_10, v4(TCP), true),
        (&from_10, flow("11.0.0.0", 1, "10.0.0.1", 2, TCP), false),
        (&from_10, flow("9.255.255.255", 1, "10.0.0.1", 2, TCP), false),
        (&from_host, v4(TCP), true),
        (&from_host, flow("10.0.0.4", 1, "10.0.0.1", 2, TCP), false),
        (&host_bits, v4(TCP), true),
        (&all_v4, v4(ICMP), true),
        (&all_v4, v6(ICMP), false),
        (&all_v4, non_ip(), false),
        (&all_v6, v6(TCP), true),
        (&all_v6, v4(TCP), false),
        (&all_v6, non_ip(), false),
        (&from_site, flow("2001:db8:7fff::", 1, "::1", 2, TCP), true),
        (&from_site, flow("2001:db8:8000::", 1, "::1", 2, TCP), false),
        (&to_host_6, v6(UDP), true),
        (&to_host_6, flow("2001:db8::5", 1, "2001:db8:1::6", 2, UDP), false),
        // A mapped address in an IPv6 packet is an IPv6 address.
        (&mapped, mapped_flow, true),
        (&mapped, v4(TCP), false),
        (&from_10, mapped_flow, false),
        // Tenant and protocol.
        (&of_tenant_1, v4(TCP), false),
        (&of_tenant_1, Query { tenant: TenantId(1), ..v6(TCP) }, true),
        (&of_tenant_1, Query { tenant: TenantId(1), ..non_ip() }, true),
        (&of_tenant_1, Query { tenant: TenantId(257), ..v4(TCP) }, false),
        (&tcp, v4(TCP), true),
        (&tcp, v6(UDP), false),
        (&hopopt, v4(0), true),
        (&hopopt, non_ip(), false),
    ];
    for (number, (rule, query, matches)) in cases.iter().enumerate() {
        let decision = decide(&eal, std::slice::from_ref(*rule), query);
        assert_eq!(decision.rule, matches.then_some(RuleIndex(0)), "case {number}: {rule:?} {query:?}");
    }
}

#[test]
fn direction_says_who_opened_the_flow() {
    let (eal, _lcores) = testkit::eal(0);
    let out =
        Rule { protocol: Some(TCP), source: net("10.0.0.0/8"), destination_ports: Some(443..=443), ..any() };
    let either = Rule { direction: Direction::Either, ..out.clone() };
    let query = v4(TCP);
    let reverse = Query { tuple: query.tuple.reversed(), ..query };
    // The answer's source port is right, but its source address is not.
    let mixed = flow("192.0.2.7", 40_000, "10.0.0.5", 443, TCP);
    for (rule, query, matches) in [
        (&out, query, true),
        (&out, reverse, false),
        (&either, query, true),
        (&either, reverse, true),
        (&either, mixed, false),
    ] {
        let decision = decide(&eal, std::slice::from_ref(rule), &query);
        assert_eq!(decision.rule.is_some(), matches, "{rule:?} {query:?}");
    }
}

#[test]
fn the_lowest_priority_number_decides_and_then_the_order() {
    let (eal, _lcores) = testkit::eal(0);
    let rule = |name: &str, priority, verdict| Rule { priority, ..Rule::any(name, verdict) };
    let tool = Verdict::Tool(ToolId(3));
    let rules = [
        rule("late", u32::MAX, Verdict::Drop),
        Rule { protocol: Some(UDP), ..rule("udp", 0, Verdict::Shunt) },
        rule("first of two", 7, tool),
        rule("second of two", 7, Verdict::Drop),
    ];
    assert_eq!(decide(&eal, &rules, &v4(TCP)), Decision { rule: Some(RuleIndex(2)), verdict: tool });
    assert_eq!(
        decide(&eal, &rules, &v6(UDP)),
        Decision { rule: Some(RuleIndex(1)), verdict: Verdict::Shunt }
    );
    assert_eq!(decide(&eal, &rules, &non_ip()), Decision { rule: Some(RuleIndex(2)), verdict: tool });
}

#[test]
fn without_a_rule_the_tenants_default_decides() {
    let (eal, _lcores) = testkit::eal(0);
    let rules = [Rule { protocol: Some(UDP), ..any() }];
    for rules in [&rules[..], &[]] {
        for query in [v4(TCP), v6(TCP), non_ip()] {
            for (tenant, verdict) in
                [(0, DEFAULTS[0]), (1, DEFAULTS[1]), (2, UNKNOWN_TENANT), (999, UNKNOWN_TENANT)]
            {
                let query = Query { tenant: TenantId(tenant), ..query };
                assert_eq!(decide(&eal, rules, &query), Decision { rule: None, verdict });
            }
        }
    }
}

#[test]
fn bursts_of_any_length_are_decided_in_place() {
    let (eal, _lcores) = testkit::eal(0);
    let rules = [
        Rule { protocol: Some(TCP), ..Rule::any("tcp", Verdict::Drop) },
        Rule { protocol: Some(UDP), ..Rule::any("udp", Verdict::Shunt) },
    ];
    let compiled = Classifier::build(&eal, &rules, &DEFAULTS, &Limits::default()).unwrap();
    let kinds = [v4(TCP), v6(UDP), non_ip(), v6(TCP), v4(UDP), v4(ICMP)];
    let wanted = [Some(0), Some(1), None, Some(0), Some(1), None].map(|rule| rule.map(RuleIndex));
    for length in [0, 1, 2, 63, 64, 65, 128, 200] {
        let queries: Vec<Query> = kinds.iter().copied().cycle().take(length).collect();
        let untouched = Decision { rule: Some(RuleIndex(77)), verdict: Verdict::Shunt };
        let mut decisions = vec![untouched; length + 1];
        compiled.classify_burst(&queries, &mut decisions);
        for (decision, wanted) in decisions.iter().zip(wanted.iter().cycle()).take(length) {
            assert_eq!(decision.rule, *wanted);
        }
        assert_eq!(decisions[length], untouched, "wrote behind the queries");
        // More queries than room for decisions.
        compiled.classify_burst(&queries, &mut decisions[..length / 2]);
    }
}

#[test]
fn workers_share_a_classifier() {
    let (eal, _lcores) = testkit::eal(0);
    let rules: Vec<Rule> = (0..500)
        .map(|port| Rule {
            destination_ports: Some(port..=port),
            ..Rule::any(format!("port-{port}"), Verdict::Tool(ToolId(port)))
        })
        .collect();
    let compiled = Classifier::build(&eal, &rules, &DEFAULTS, &Limits::default()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for port in (0..500).cycle().take(20_000) {
                    let decision = compiled.classify(&flow("10.0.0.1", 9, "10.0.0.2", port, UDP));
                    assert_eq!(decision.verdict, Verdict::Tool(ToolId(port)));
                }
            });
        }
    });
}

#[test]
fn an_explanation_names_the_first_condition_that_fails() {
    use Field::{
        Destination, DestinationPorts, Direction as Way, Protocol, Source, SourcePorts, Tenant, Vlan,
    };

    let full = Rule {
        tenant: Some(TenantId(0)),
        vlan: Some(100..=199),
        protocol: Some(TCP),
        source: net("10.0.0.0/8"),
        destination: net("192.0.2.0/24"),
        source_ports: Some(1024..=u16::MAX),
        destination_ports: Some(443..=443),
        ..Rule::any("full", Verdict::Drop)
    };
    let rules = [
        Rule { tenant: Some(TenantId(1)), ..full.clone() },
        Rule { vlan: Some(7..=7), ..full.clone() },
        Rule { protocol: Some(UDP), ..full.clone() },
        Rule { source: net("10.0.1.0/24"), ..full.clone() },
        Rule { destination: net("192.0.2.8/32"), ..full.clone() },
        Rule { source_ports: Some(1..=2), ..full.clone() },
        Rule { destination_ports: Some(80..=80), ..full.clone() },
        Rule {
            source: full.destination,
            destination: full.source,
            source_ports: full.destination_ports.clone(),
            destination_ports: full.source_ports.clone(),
            ..full.clone()
        },
        // Straight, the source fails; turned, everything holds but the destination port.
        Rule {
            source: net("192.0.2.0/24"),
            destination: net("10.0.0.0/8"),
            source_ports: Some(443..=443),
            destination_ports: Some(1..=1),
            direction: Direction::Either,
            ..full.clone()
        },
        full.clone(),
        Rule::any("never reached", Verdict::Shunt),
    ];
    let rules: Vec<Rule> =
        rules.into_iter().enumerate().map(|(n, rule)| Rule { name: format!("{n}"), ..rule }).collect();
    let linear = LinearClassifier::build(&rules, &DEFAULTS).unwrap();
    let explanation = linear.explain(&Query { vlan: Some(100), ..v4(TCP) });
    let mismatches: Vec<Option<Field>> = explanation.considered.iter().map(|rule| rule.mismatch).collect();
    let wanted =
        [Tenant, Vlan, Protocol, Source, Destination, SourcePorts, DestinationPorts, Way, DestinationPorts];
    assert_eq!(mismatches, wanted.into_iter().map(Some).chain([None]).collect::<Vec<_>>());
    assert_eq!(explanation.decision, Decision { rule: Some(RuleIndex(9)), verdict: Verdict::Drop });
    assert!(explanation.considered.iter().zip(&rules).all(|(considered, rule)| considered.rule == rule));
    assert_eq!(Field::SourcePorts.to_string(), "source_ports");

    let nothing = linear.explain(&Query { tenant: TenantId(1), ..non_ip() });
    assert_eq!(nothing.decision.rule, Some(RuleIndex(10)), "the last rule matches everything");
}
