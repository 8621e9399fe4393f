//! Rules that never decide, because one earlier rule matches everything they match.
//!
//! Comparing every pair of 10,000 rules takes seconds, so earlier rules are kept by tenant, protocol and prefixes: a rule
//! that covers another names the same or nothing in each, and for every combination of prefix lengths that occurs there
//! is one place where such rules can be.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::rule::{Direction, Rule, RuleIndex};
use crate::validate::{Warning, is_v4, protocols};

/// One end of a rule: prefix and ports.
type End<'a> = (Option<IpNet>, Option<&'a RangeInclusive<u16>>);

/// A rule with its ends filled in: where one end says the IP version, "any address" at the other is that version's.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    /// Place in the deciding order.
    place: usize,
    index: RuleIndex,
    rule: &'a Rule,
    ends: [End<'a>; 2],
}

/// Where candidates are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    tenant: Option<u16>,
    protocol: Option<u8>,
    prefixes: [Option<IpNet>; 2],
}

/// What is named in a [`Key`], and how long its prefixes are.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    tenant: bool,
    protocol: bool,
    prefix_lens: [Option<u8>; 2],
}

/// Looks for unreachable rules; `order` is the order in which rules decide. That several rules together cover another is
/// not noticed.
pub(crate) fn unreachable_rules(rules: &[Rule], order: &[RuleIndex]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut shapes: Vec<Shape> = Vec::new();
    let mut earlier: HashMap<Key, Vec<Candidate<'_>>> = HashMap::new();
    for (place, index) in order.iter().enumerate() {
        let Some(rule) = rules.get(index.0 as usize) else { continue };
        let candidate = Candidate { place, index: *index, rule, ends: ends(rule) };
        let by = shapes
            .iter()
            .filter_map(|shape| earlier.get(&key_of_shape(&candidate, *shape)?))
            .filter_map(|wider| wider.iter().find(|wide| covers(wide, &candidate)))
            .min_by_key(|wide| wide.place);
        if let Some(by) = by {
            // What this rule covers, `by` covers too, so it need not be kept.
            warnings.push(Warning::Unreachable { rule: *index, by: by.index });
            continue;
        }
        let mut keep = |candidate: Candidate<'_>| {
            let key = key(&candidate);
            let shape = shape(&key);
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
            key
        };
        let straight = keep(candidate);
        earlier.entry(straight).or_default().push(candidate);
        if rule.direction == Direction::Either {
            let turned = Candidate { ends: turned(candidate.ends), ..candidate };
            let key = keep(turned);
            earlier.entry(key).or_default().push(turned);
        }
    }
    warnings
}

fn key(candidate: &Candidate<'_>) -> Key {
    Key {
        tenant: candidate.rule.tenant.map(|tenant| tenant.0),
        protocol: candidate.rule.protocol,
        prefixes: candidate.ends.map(|(prefix, _)| prefix),
    }
}

fn shape(key: &Key) -> Shape {
    Shape {
        tenant: key.tenant.is_some(),
        protocol: key.protocol.is_some(),
        prefix_lens: key.prefixes.map(|prefix| prefix.map(|prefix| prefix.prefix_len())),
    }
}

/// Where a rule of this shape that covers `narrow` must be; `None` if there can be none.
fn key_of_shape(narrow: &Candidate<'_>, shape: Shape) -> Option<Key> {
    let mut prefixes = [None; 2];
    for ((to, bits), (prefix, _)) in prefixes.iter_mut().zip(shape.prefix_lens).zip(narrow.ends) {
        *to = match bits {
            None => None,
            Some(bits) => Some(cut(prefix?, bits)?),
        };
    }
    let exact = key(narrow);
    Some(Key {
        tenant: if shape.tenant { Some(exact.tenant?) } else { None },
        protocol: if shape.protocol { Some(exact.protocol?) } else { None },
        prefixes,
    })
}

/// The network of `bits` bits around `prefix`, if it is that wide.
fn cut(prefix: IpNet, bits: u8) -> Option<IpNet> {
    (bits <= prefix.prefix_len())
        .then(|| IpNet::new(prefix.addr(), bits).ok())
        .flatten()
        .map(|net| net.trunc())
}

fn ends(rule: &Rule) -> [End<'_>; 2] {
    let version = rule.source.or(rule.destination).map(is_v4);
    let prefix = |prefix: Option<IpNet>| match (prefix, version) {
        (Some(prefix), _) => Some(prefix.trunc()),
        (None, Some(true)) => Some(IpNet::V4(ipnet::Ipv4Net::default())),
        (None, Some(false)) => Some(IpNet::V6(ipnet::Ipv6Net::default())),
        (None, None) => None,
    };
    [
        (prefix(rule.source), rule.source_ports.as_ref()),
        (prefix(rule.destination), rule.destination_ports.as_ref()),
    ]
}

fn turned<T>([source, destination]: [T; 2]) -> [T; 2] {
    [destination, source]
}

/// Whether `wide`, in the orientation of its ends, matches every flow that `narrow` matches.
///
/// An either-way `wide` is kept in both orientations, and turning both rules changes nothing, so one of them covers an
/// either-way `narrow` in both of its ways. A one-way `wide` must cover both ways itself.
fn covers(wide: &Candidate<'_>, narrow: &Candidate<'_>) -> bool {
    let tags = (wide.rule.tenant.is_none() || wide.rule.tenant == narrow.rule.tenant)
        && covers_range(wide.rule.vlan.as_ref(), narrow.rule.vlan.as_ref())
        && covers_protocol(wide.rule, narrow.rule);
    let both_ways = wide.rule.direction == Direction::Initiator && narrow.rule.direction == Direction::Either;
    tags && covers_ends(wide.ends, narrow.ends) && (!both_ways || covers_ends(wide.ends, turned(narrow.ends)))
}

fn covers_ends(wide: [End<'_>; 2], narrow: [End<'_>; 2]) -> bool {
    wide.into_iter().zip(narrow).all(|((wide_prefix, wide_ports), (prefix, ports))| {
        wide_prefix.is_none_or(|wide| prefix.is_some_and(|narrow| wide.contains(&narrow)))
            // Whether the narrow rule is about protocols with ports at all is for `covers_protocol` to say.
            && covers_range(wide_ports, Some(ports.unwrap_or(&(0..=u16::MAX))))
    })
}

fn covers_range(wide: Option<&RangeInclusive<u16>>, narrow: Option<&RangeInclusive<u16>>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => wide.start() <= narrow.start() && narrow.end() <= wide.end(),
        (Some(_), None) => false,
    }
}

fn covers_protocol(wide: &Rule, narrow: &Rule) -> bool {
    match (protocols(wide), protocols(narrow)) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => narrow.iter().all(|protocol| wide.contains(protocol)),
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;
    use wire::TenantId;

    /// Whether `wide`, coming first, makes `narrow` unreachable.
    fn shadows(wide: &Rule, narrow: &Rule) -> bool {
        let rules = [wide.clone(), narrow.clone()];
        let found = unreachable_rules(&rules, &[RuleIndex(0), RuleIndex(1)]);
        assert!(found.len() <= 1);
        found == [Warning::Unreachable { rule: RuleIndex(1), by: RuleIndex(0) }]
    }

    fn any() -> Rule {
        Rule::any("rule", Verdict::Drop)
    }

    fn net(text: &str) -> Option<IpNet> {
        text.parse().ok()
    }

    #[test]
    fn each_condition_alone_decides_whether_a_rule_is_covered() {
        let narrow = Rule {
            tenant: Some(TenantId(3)),
            vlan: Some(100..=110),
            protocol: Some(6),
            source: net("10.1.0.0/16"),
            destination: net("10.2.0.0/16"),
            source_ports: Some(1024..=2048),
            destination_ports: Some(80..=90),
            ..any()
        };
        let wide: [(&str, Rule, Rule); 7] = [
            (
                "tenant",
                Rule { tenant: Some(TenantId(3)), ..any() },
                Rule { tenant: Some(TenantId(4)), ..any() },
            ),
            ("vlan", Rule { vlan: Some(100..=110), ..any() }, Rule { vlan: Some(101..=200), ..any() }),
            ("protocol", Rule { protocol: Some(6), ..any() }, Rule { protocol: Some(17), ..any() }),
            (
                "source",
                Rule { source: net("10.0.0.0/8"), ..any() },
                Rule { source: net("10.1.0.0/17"), ..any() },
            ),
            (
                "destination",
                Rule { destination: net("10.2.0.0/16"), ..any() },
                Rule { destination: net("10.1.0.0/16"), ..any() },
            ),
            (
                "source_ports",
                Rule { source_ports: Some(1024..=2048), ..any() },
                Rule { source_ports: Some(1024..=2047), ..any() },
            ),
            (
                "destination_ports",
                Rule { destination_ports: Some(0..=u16::MAX), ..any() },
                Rule { destination_ports: Some(81..=u16::MAX), ..any() },
            ),
        ];
        assert!(shadows(&any(), &narrow));
        for (field, covering, other) in wide {
            assert!(shadows(&covering, &narrow), "{field}");
            assert!(!shadows(&other, &narrow), "{field}");
            assert!(!shadows(&narrow, &covering), "{field}");
        }
    }

    #[test]
    fn any_address_is_of_a_version_only_if_the_rule_says_so() {
        let all_v4 = Rule { source: net("0.0.0.0/0"), ..any() };
        assert!(!shadows(&all_v4, &any()), "the other rule matches IPv6 too");
        assert!(!shadows(&all_v4, &Rule { protocol: Some(6), ..any() }));
        assert!(shadows(&all_v4, &Rule { destination: net("10.0.0.0/8"), ..any() }));
        assert!(!shadows(&all_v4, &Rule { destination: net("2001:db8::/32"), ..any() }));
    }

    #[test]
    fn a_port_condition_covers_only_protocols_with_ports() {
        let ports = Rule { destination_ports: Some(0..=u16::MAX), ..any() };
        assert!(shadows(&ports, &Rule { protocol: Some(17), ..any() }));
        assert!(shadows(&ports, &Rule { source_ports: Some(53..=53), ..any() }));
        assert!(!shadows(&ports, &Rule { protocol: Some(1), ..any() }));
        assert!(!shadows(&ports, &any()));
        assert!(!shadows(&Rule { protocol: Some(6), ..any() }, &ports), "UDP and SCTP are left");
    }

    #[test]
    fn either_way_rules_are_covered_in_both_ways_or_not_at_all() {
        let one = Rule { source: net("10.0.0.0/8"), ..any() };
        let both = Rule { direction: Direction::Either, ..one.clone() };
        let back = Rule { source: None, destination: net("10.9.0.0/16"), ..any() };
        let within = Rule { destination: net("10.0.0.0/8"), ..one.clone() };
        assert!(shadows(&both, &one));
        assert!(shadows(&both, &back));
        assert!(shadows(&both, &Rule { direction: Direction::Either, ..back.clone() }));
        assert!(!shadows(&one, &both));
        assert!(!shadows(&one, &back));
        assert!(shadows(&one, &Rule { direction: Direction::Either, ..within }));
    }

    #[test]
    fn the_first_rule_that_covers_is_named_and_order_is_what_counts() {
        let wide = Rule { source: net("10.0.0.0/8"), ..any() };
        let narrow = Rule { source: net("10.1.0.0/16"), ..any() };
        let rules = [narrow.clone(), any(), wide, narrow];
        let order = [RuleIndex(2), RuleIndex(1), RuleIndex(0), RuleIndex(3)];
        let by = |rule| Warning::Unreachable { rule: RuleIndex(rule), by: RuleIndex(2) };
        assert_eq!(unreachable_rules(&rules, &order), [by(0), by(3)]);
    }
}
