//! What a list of rules must fulfil, and what in it is probably a mistake.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use ipnet::IpNet;

use crate::rule::{Direction, PORT_PROTOCOLS, Rule, RuleIndex, has_ports};

/// The most rules of one list: what the compiled form is tested with.
pub const RULES_MAX: usize = 10_000;

/// Why a list of rules is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BuildError {
    /// More than [`RULES_MAX`] rules.
    #[error("{count} steering rules are more than the limit of {RULES_MAX}; merge prefixes or port ranges")]
    TooManyRules {
        /// Rules in the list.
        count: usize,
    },
    /// Two rules have the same name.
    #[error("steering rules {first} and {second} are both called `{name}`; rename one")]
    DuplicateName {
        /// The name.
        name: String,
        /// The earlier rule's number in the list, from 1.
        first: usize,
        /// The later rule's number in the list, from 1.
        second: usize,
    },
    /// One rule cannot be meant as written.
    #[error("steering rule `{name}`: {problem}")]
    Rule {
        /// The rule's name.
        name: String,
        /// What is wrong.
        problem: RuleProblem,
    },
    /// The rules overlap in too many ways for the compiled form.
    #[error(
        "{rules} steering rules compile to more than the limit of {limit_mib} MiB; use fewer port ranges that overlap, \
         give rules a protocol or a tenant, or raise the limit"
    )]
    TooLarge {
        /// Rules in the list.
        rules: usize,
        /// The limit.
        limit_mib: usize,
    },
    /// The EAL's memory or the matcher's own limits do not suffice.
    #[error("{rules} steering rules could not be compiled: {source}")]
    Compile {
        /// Rules in the list.
        rules: usize,
        /// What the matcher says.
        source: dpdk::AclError,
    },
}

/// What is wrong with one rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleProblem {
    /// The tenant does not exist.
    #[error("there is no tenant number {0}")]
    UnknownTenant(u16),
    /// The VLAN range is empty or leaves 1 to 4094 (IEEE 802.1Q).
    #[error("the VLAN range {0}-{1} must go upwards and stay within 1-4094")]
    VlanRange(u16, u16),
    /// A port range is empty.
    #[error("the port range {0}-{1} must go upwards")]
    PortRange(u16, u16),
    /// Ports are asked of a protocol that has none.
    #[error("protocol {0} has no ports; ask for tcp, udp or sctp, or leave the ports out")]
    PortsWithoutPortProtocol(u8),
    /// Source and destination are of different IP versions.
    #[error("source and destination are of different IP versions, which no packet is")]
    MixedVersions,
}

/// Something in the list that is allowed but probably not meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Warning {
    /// Every flow that `rule` matches is decided by `by` first.
    #[error("rule {} never decides: rule {} comes first and matches everything it matches", rule.0 + 1, by.0 + 1)]
    Unreachable {
        /// The rule that never decides.
        rule: RuleIndex,
        /// The first rule that covers it alone.
        by: RuleIndex,
    },
}

/// Checks `rules` for a configuration of `tenants` tenants. Any priority is valid: only the order matters.
///
/// A rule counts as unreachable when one earlier rule covers it; that several together cover it is not noticed.
///
/// # Errors
///
/// The first problem in the list.
pub fn validate(rules: &[Rule], tenants: usize) -> Result<Vec<Warning>, BuildError> {
    if rules.len() > RULES_MAX {
        return Err(BuildError::TooManyRules { count: rules.len() });
    }
    let mut names: HashMap<&str, usize> = HashMap::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        if let Some(first) = names.insert(&rule.name, index) {
            return Err(BuildError::DuplicateName { name: rule.name.clone(), first: first + 1, second: index + 1 });
        }
        if let Some(problem) = problem(rule, tenants) {
            return Err(BuildError::Rule { name: rule.name.clone(), problem });
        }
    }
    Ok(unreachable_rules(rules))
}

fn problem(rule: &Rule, tenants: usize) -> Option<RuleProblem> {
    if let Some(tenant) = rule.tenant.filter(|tenant| usize::from(tenant.0) >= tenants) {
        return Some(RuleProblem::UnknownTenant(tenant.0));
    }
    if let Some(range) = &rule.vlan {
        let (first, last) = (*range.start(), *range.end());
        if first > last || first < 1 || last > 4094 {
            return Some(RuleProblem::VlanRange(first, last));
        }
    }
    for range in [&rule.source_ports, &rule.destination_ports].into_iter().flatten() {
        if range.is_empty() {
            return Some(RuleProblem::PortRange(*range.start(), *range.end()));
        }
        if let Some(protocol) = rule.protocol.filter(|protocol| !has_ports(*protocol)) {
            return Some(RuleProblem::PortsWithoutPortProtocol(protocol));
        }
    }
    match (rule.source, rule.destination) {
        (Some(source), Some(destination)) if is_v4(source) != is_v4(destination) => Some(RuleProblem::MixedVersions),
        _ => None,
    }
}

/// The places of the rules, in the order in which they decide.
pub(crate) fn deciding_order(rules: &[Rule]) -> Vec<RuleIndex> {
    let mut order: Vec<(u32, RuleIndex)> =
        rules.iter().zip(0..).map(|(rule, index)| (rule.priority, RuleIndex(index))).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, index)| index).collect()
}

fn is_v4(prefix: IpNet) -> bool {
    matches!(prefix, IpNet::V4(_))
}

/// Looks for rules that one earlier rule covers. Quadratic, but almost every pair is told apart by its first comparison,
/// and a rule with a tenant meets only its tenant's rules and those without one.
fn unreachable_rules(rules: &[Rule]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut of_all: Vec<(RuleIndex, &Rule)> = Vec::new();
    let mut of_tenant: HashMap<u16, Vec<(RuleIndex, &Rule)>> = HashMap::new();
    for index in deciding_order(rules) {
        let Some(rule) = rules.get(index.0 as usize) else { continue };
        let own = rule.tenant.and_then(|tenant| of_tenant.get(&tenant.0)).map_or(&[][..], Vec::as_slice);
        let by = [of_all.as_slice(), own]
            .into_iter()
            .filter_map(|earlier| earlier.iter().find(|(_, earlier)| covers(earlier, rule)))
            .map(|(by, _)| *by)
            .min_by_key(|by| (rules.get(by.0 as usize).map(|rule| rule.priority), *by));
        if let Some(by) = by {
            warnings.push(Warning::Unreachable { rule: index, by });
            // What it covers, `by` covers too.
            continue;
        }
        match rule.tenant {
            None => of_all.push((index, rule)),
            Some(tenant) => of_tenant.entry(tenant.0).or_default().push((index, rule)),
        }
    }
    warnings
}

/// Whether `wide` matches every flow that `narrow` matches. Tenants are compared by the caller's choice of pairs, and
/// here once more.
fn covers(wide: &Rule, narrow: &Rule) -> bool {
    if wide.tenant.is_some() && wide.tenant != narrow.tenant
        || !covers_range(wide.vlan.as_ref(), narrow.vlan.as_ref())
        || !covers_protocol(wide, narrow)
    {
        return false;
    }
    let straight = covers_ends(ends(wide), ends(narrow));
    // An either-way rule is covered if both of its ways are, each by one way of the wide rule.
    match (wide.direction, narrow.direction) {
        (Direction::Initiator, Direction::Initiator) => straight,
        (Direction::Initiator, Direction::Either) => straight && covers_ends(ends(wide), swapped(ends(narrow))),
        // Swapping both rules changes nothing, so the narrow rule's second way needs no look of its own.
        (Direction::Either, _) => straight || covers_ends(swapped(ends(wide)), ends(narrow)),
    }
}

/// Source and destination: prefix and ports of each.
type Ends<'a> = [(Option<IpNet>, Option<&'a RangeInclusive<u16>>); 2];

fn ends(rule: &Rule) -> Ends<'_> {
    [(rule.source, rule.source_ports.as_ref()), (rule.destination, rule.destination_ports.as_ref())]
}

fn swapped(ends: Ends<'_>) -> Ends<'_> {
    let [source, destination] = ends;
    [destination, source]
}

fn covers_ends(wide: Ends<'_>, narrow: Ends<'_>) -> bool {
    let version = narrow.iter().find_map(|(prefix, _)| prefix.map(is_v4));
    wide.into_iter().zip(narrow).all(|((wide_prefix, wide_ports), (prefix, ports))| {
        // 0.0.0.0/0 covers "any address" in a rule whose other end says that it is of that version.
        let prefix_covered = wide_prefix.is_none_or(|wide| match prefix {
            Some(narrow) => wide.contains(&narrow),
            None => wide.prefix_len() == 0 && version == Some(is_v4(wide)),
        });
        // That the narrow rule is about a protocol with ports is looked at by `covers_protocol`.
        prefix_covered && wide_ports.is_none_or(|wide| covers_range(Some(wide), Some(ports.unwrap_or(&ALL_PORTS))))
    })
}

static ALL_PORTS: RangeInclusive<u16> = 0..=u16::MAX;

fn covers_range(wide: Option<&RangeInclusive<u16>>, narrow: Option<&RangeInclusive<u16>>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => wide.start() <= narrow.start() && narrow.end() <= wide.end(),
        (Some(_), None) => false,
    }
}

/// Protocols, with "has a port condition" meaning one of [`PORT_PROTOCOLS`].
fn covers_protocol(wide: &Rule, narrow: &Rule) -> bool {
    match (protocols(wide), protocols(narrow)) {
        (None, _) => true,
        (Some(wide), Some(narrow)) => narrow.iter().all(|protocol| wide.contains(protocol)),
        (Some(_), None) => false,
    }
}

/// The protocols that a rule matches; `None` for all.
pub(crate) fn protocols(rule: &Rule) -> Option<&[u8]> {
    match &rule.protocol {
        Some(protocol) => Some(std::slice::from_ref(protocol)),
        None if rule.source_ports.is_some() || rule.destination_ports.is_some() => Some(&PORT_PROTOCOLS),
        None => None,
    }
}
