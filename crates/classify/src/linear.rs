//! The slow classifier: looks at one rule after the other, as the rules' documentation says. It is the oracle that the
//! fast one is tested against, and it can say why.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use wire::{Addr, NTuple, TenantId};

use crate::rule::{Decision, Defaults, Direction, Field, Query, Rule, RuleIndex, has_ports};
use crate::validate::{BuildError, Warning, deciding_order, validate};
use crate::verdict::Verdict;

/// Decides as [`Classifier`](crate::Classifier) does, in time proportional to the number of rules; needs no EAL.
#[derive(Clone, Debug)]
pub struct LinearClassifier {
    /// With their places in the list, in the order in which they decide.
    rules: Vec<(RuleIndex, Rule)>,
    defaults: Defaults,
    warnings: Vec<Warning>,
}

/// A rule that was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Considered<'a> {
    /// Its place in the list.
    pub index: RuleIndex,
    /// The rule.
    pub rule: &'a Rule,
    /// The first condition that does not hold; `None`: it matches, and decides.
    pub mismatch: Option<Field>,
}

/// How a decision came about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation<'a> {
    /// What was decided.
    pub decision: Decision,
    /// The rules looked at, in order; the last is the one that decided, if one did.
    pub considered: Vec<Considered<'a>>,
}

impl LinearClassifier {
    /// Checks the rules and orders them. `default_verdicts` is by [`TenantId`].
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(rules: &[Rule], default_verdicts: &[Verdict]) -> Result<Self, BuildError> {
        let warnings = validate(rules, default_verdicts.len())?;
        let rules = deciding_order(rules)
            .into_iter()
            .filter_map(|index| rules.get(index.0 as usize).map(|rule| (index, rule.clone())))
            .collect();
        Ok(Self { rules, defaults: Defaults(default_verdicts.to_vec()), warnings })
    }

    /// What the rules' author should know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Decides one flow.
    pub fn classify(&self, query: &Query) -> Decision {
        self.rules
            .iter()
            .find(|(_, rule)| mismatch(rule, query).is_none())
            .map_or_else(|| self.defaults.decide(query.tenant), |(index, rule)| decided(*index, rule))
    }

    /// Decides one flow and says which rules were looked at and why each did not match.
    pub fn explain(&self, query: &Query) -> Explanation<'_> {
        let mut considered = Vec::new();
        for (index, rule) in &self.rules {
            let mismatch = mismatch(rule, query);
            considered.push(Considered { index: *index, rule, mismatch });
            if mismatch.is_none() {
                return Explanation { decision: decided(*index, rule), considered };
            }
        }
        Explanation { decision: self.defaults.decide(query.tenant), considered }
    }
}

fn decided(index: RuleIndex, rule: &Rule) -> Decision {
    Decision { rule: Some(index), verdict: rule.verdict }
}

/// The first condition of `rule` that `query` does not meet.
fn mismatch(rule: &Rule, query: &Query) -> Option<Field> {
    if let Some(field) = tag_mismatch(rule, query.tenant, query.vlan) {
        return Some(field);
    }
    let field = tuple_mismatch(rule, &query.tuple)?;
    match (tuple_mismatch(rule, &query.tuple.reversed()), rule.direction) {
        (None, Direction::Either) => None,
        (None, Direction::Initiator) => Some(Field::Direction),
        // Of an either-way rule, the orientation that came nearer to a match tells more.
        (Some(other), Direction::Either) => Some(field.max(other)),
        (Some(_), Direction::Initiator) => Some(field),
    }
}

fn tag_mismatch(rule: &Rule, tenant: TenantId, vlan: Option<u16>) -> Option<Field> {
    if rule.tenant.is_some_and(|wanted| wanted != tenant) {
        return Some(Field::Tenant);
    }
    let vlan_matches = match (&rule.vlan, vlan) {
        (None, _) => true,
        (Some(range), Some(vlan)) => range.contains(&vlan),
        (Some(_), None) => false,
    };
    if vlan_matches { None } else { Some(Field::Vlan) }
}

fn tuple_mismatch(rule: &Rule, tuple: &NTuple) -> Option<Field> {
    let is_ip = matches!(tuple.ip_version, 4 | 6);
    if rule.protocol.is_some_and(|wanted| !is_ip || wanted != tuple.protocol) {
        return Some(Field::Protocol);
    }
    let address = |prefix: Option<IpNet>, address: Addr| {
        prefix.is_none_or(|prefix| is_ip && within(prefix, address.to_ip(tuple.ip_version)))
    };
    let ports = |range: &Option<RangeInclusive<u16>>, port: u16| {
        range.as_ref().is_none_or(|range| is_ip && has_ports(tuple.protocol) && range.contains(&port))
    };
    if !address(rule.source, tuple.src) {
        Some(Field::Source)
    } else if !address(rule.destination, tuple.dst) {
        Some(Field::Destination)
    } else if !ports(&rule.source_ports, tuple.src_port) {
        Some(Field::SourcePorts)
    } else if !ports(&rule.destination_ports, tuple.dst_port) {
        Some(Field::DestinationPorts)
    } else {
        None
    }
}

fn within(prefix: IpNet, address: IpAddr) -> bool {
    // Of different versions, `contains` is false.
    prefix.contains(&address)
}
