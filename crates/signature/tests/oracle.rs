//! The engine against a matcher that tries everything: every position of every content, for every rule.

#![allow(clippy::unwrap_used)]

use std::cell::Cell;
use std::sync::Arc;

use app::{Buffer, Direction};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rules::ir::{Action, Condition, Content, Group, Header, HeaderProtocol, Meta, Number, Rule};
use signature::{Ends, Hosts, Inspector, Names, Options, RuleSet, Setup, Subject};
use wire::{Addr, L3, L4, Packet};

/// A rule about UDP payload with these contents.
fn rule(sid: u32, contents: Vec<Content>) -> Rule {
    let mut contents = contents;
    for place in 1..contents.len() {
        let relative = contents[place].is_relative();
        contents[place - 1].relative_next = relative;
    }
    Rule {
        position: rules::Position::default(),
        action: Action::Alert,
        header: Header {
            protocol: HeaderProtocol::Udp,
            source: rules::ir::Endpoint::default(),
            destination: rules::ir::Endpoint::default(),
            bidirectional: false,
        },
        app_protocol: None,
        meta: Meta { gid: 1, sid, priority: 3, ..Meta::default() },
        flow: rules::ir::FlowCondition::default(),
        packet: Vec::new(),
        groups: vec![Group {
            buffer: Buffer::Payload,
            transforms: Vec::new(),
            conditions: contents.into_iter().map(Condition::Content).collect(),
        }],
        app: Vec::new(),
        state: Vec::new(),
        threshold: None,
        detection_filter: None,
        rate_filter: None,
        suppressions: Vec::new(),
        noalert: false,
        tag: None,
        config: None,
        bypass: false,
        fast_pattern: None,
        prefilter: None,
    }
}

/// Few letters, so that things happen.
fn bytes(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(b"abAB\0".to_vec()), len)
}

fn content() -> impl Strategy<Value = Content> {
    let place = (prop::option::of(0_u32..12), prop::option::of(0_u32..12));
    let relative = (prop::option::of(-3_i32..6), prop::option::of(0_i32..10));
    let flags =
        (prop::bool::weighted(0.2), any::<bool>(), prop::bool::weighted(0.1), prop::bool::weighted(0.1));
    (bytes(1..4), place, relative, flags, any::<bool>()).prop_map(
        |(
            pattern,
            (offset, depth),
            (distance, within),
            (negated, nocase, startswith, endswith),
            is_relative,
        )| {
            let len = pattern.len() as u32;
            let absolute = !is_relative;
            Content {
                offset: offset.filter(|_| absolute && !startswith).map(Number::Literal),
                depth: depth.filter(|_| absolute && !startswith).map(|depth| Number::Literal(depth + len)),
                distance: distance.filter(|_| is_relative).map(Number::Literal),
                within: within.filter(|_| is_relative).map(|within| Number::Literal(within + len as i32)),
                startswith: startswith && absolute,
                endswith,
                negated,
                nocase,
                relative_next: false,
                from_distance: false,
                pattern,
            }
        },
    )
}

fn literal<T: Copy + Into<i64>>(number: Number<T>) -> i64 {
    match number {
        Number::Literal(value) => value.into(),
        Number::Variable(_) => unreachable!("the rules of this test have no variables"),
    }
}

/// Whether `content` stands at `at`, with the last match ending at `cursor`.
fn stands(content: &Content, payload: &[u8], at: usize, cursor: usize) -> bool {
    let (len, at_i) = (content.pattern.len(), at as i64);
    let Some(bytes) = payload.get(at..at + len) else { return false };
    let same =
        if content.nocase { bytes.eq_ignore_ascii_case(&content.pattern) } else { bytes == content.pattern };
    let end = at_i + len as i64;
    let offset = content.offset.map_or(0, literal);
    let distance = content.distance.map_or(0, literal);
    let relative = !content.is_relative()
        || (at_i >= cursor as i64 + distance
            && content.within.is_none_or(|within| end <= cursor as i64 + distance + literal(within)));
    same && relative
        && at_i >= offset
        && content.depth.is_none_or(|depth| end <= offset + literal(depth))
        && (!content.startswith || at == 0)
        && (!content.endswith || at + len == payload.len())
}

/// Whether there is any way to place the contents.
fn matches(contents: &[Content], payload: &[u8], cursor: usize) -> bool {
    let Some((content, rest)) = contents.split_first() else { return true };
    let mut places = (0..payload.len()).filter(|&at| stands(content, payload, at, cursor));
    if content.negated {
        return places.next().is_none() && matches(rest, payload, cursor);
    }
    // What nothing is directly relative to is where it is first, and no second place is tried for it.
    let tries = if content.relative_next { usize::MAX } else { 1 };
    places.take(tries).any(|at| matches(rest, payload, at + content.pattern.len()))
}

fn packet() -> Packet {
    let mut packet = Packet { l3: L3::Ipv4, l4: L4::Udp, ..Packet::default() };
    packet.tuple.src = Addr::v4([10, 0, 0, 1]);
    packet.tuple.dst = Addr::v4([10, 0, 0, 2]);
    packet.tuple.ip_version = 4;
    packet.tuple.protocol = 17;
    packet
}

fn alerts(inspector: &mut Inspector, payload: &[u8]) -> Vec<u32> {
    let packet = packet();
    let subject = Subject {
        time_us: 0,
        direction: Direction::ToServer,
        ends: Ends::of(&packet),
        packet: Some((&packet, payload)),
        payload,
        in_stream: false,
        stream: None,
        flow: None,
        reassembled: false,
        decode_events: &[],
        stream_events: &[],
    };
    let set = Arc::clone(inspector.set());
    let found = inspector.inspect(&subject, None, None);
    let mut sids: Vec<u32> = found.iter().map(|alert| set.rule(alert.rule).unwrap().rule.meta.sid).collect();
    sids.sort_unstable();
    sids
}

#[test]
fn the_engine_finds_what_trying_everything_finds() {
    let hits = Cell::new(0_u32);
    let misses = Cell::new(0_u32);
    let mut runner = TestRunner::new(Config { cases: 300, ..Config::default() });
    let strategy = (
        prop::collection::vec(prop::collection::vec(content(), 1..5), 1..12),
        prop::collection::vec(bytes(0..24), 1..20),
    );
    runner
        .run(&strategy, |(rules, payloads)| {
            // A relative content needs one before it to be relative to; the language takes the beginning, and so do both.
            let rules: Vec<Rule> =
                rules.into_iter().zip(1..).map(|(contents, sid)| rule(sid, contents)).collect();
            let set = RuleSet::compile(rules.clone(), &Setup::new(&Names::default())).unwrap();
            prop_assert!(set.refused.is_empty());
            let options = Options { alerts_max: usize::MAX, ..Options::default() };
            let mut inspector = Inspector::new(Arc::new(set.set), Arc::new(Hosts::new(16)), options).unwrap();
            for payload in payloads {
                let expected: Vec<u32> = rules
                    .iter()
                    .filter(|rule| {
                        let contents: Vec<Content> = rule.groups[0]
                            .conditions
                            .iter()
                            .map(|condition| match condition {
                                Condition::Content(content) => content.clone(),
                                _ => unreachable!("the rules of this test have contents only"),
                            })
                            .collect();
                        !payload.is_empty() && matches(&contents, &payload, 0)
                    })
                    .map(|rule| rule.meta.sid)
                    .collect();
                hits.set(hits.get() + expected.len() as u32);
                misses.set(misses.get() + (rules.len() - expected.len()) as u32);
                prop_assert_eq!(alerts(&mut inspector, &payload), expected);
            }
            Ok(())
        })
        .unwrap();
    assert!(hits.get() > 1_000, "only {} hits", hits.get());
    assert!(misses.get() > 1_000, "only {} misses", misses.get());
}
