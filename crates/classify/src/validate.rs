//! What a list of rules must fulfil, and what in it is probably a mistake.

use std::collections::HashMap;

use ipnet::IpNet;

use crate::rule::{PORT_PROTOCOLS, Rule, RuleIndex, has_ports};
use crate::shadow::unreachable_rules;

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
         give rules a protocol or a tenant, or raise steering_table_mib_max in [dataplane]"
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
            return Err(BuildError::DuplicateName {
                name: rule.name.clone(),
                first: first + 1,
                second: index + 1,
            });
        }
        if let Some(problem) = problem(rule, tenants) {
            return Err(BuildError::Rule { name: rule.name.clone(), problem });
        }
    }
    Ok(unreachable_rules(rules, &deciding_order(rules)))
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
        (Some(source), Some(destination)) if is_v4(source) != is_v4(destination) => {
            Some(RuleProblem::MixedVersions)
        }
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

pub(crate) fn is_v4(prefix: IpNet) -> bool {
    matches!(prefix, IpNet::V4(_))
}

/// The protocols that a rule matches; `None` for all.
pub(crate) fn protocols(rule: &Rule) -> Option<&[u8]> {
    match &rule.protocol {
        Some(protocol) => Some(std::slice::from_ref(protocol)),
        None if rule.source_ports.is_some() || rule.destination_ports.is_some() => Some(&PORT_PROTOCOLS),
        None => None,
    }
}
