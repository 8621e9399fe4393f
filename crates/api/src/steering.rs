//! Steering rules, and the question which of them decides.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Layer;

/// A steering rule. A condition that is absent matches everything.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SteeringRule {
    /// Its name: 1 to 63 of `a-z`, `0-9` and inner `-`.
    pub name: String,
    /// Of the rules of one layer that match, the one with the lowest number decides. 0 to 65,535; 1000 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u64>,
    /// Flows of this tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Flows with this outer VLAN, or one of this range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<String>,
    /// `tcp`, `udp`, `sctp`, `icmp`, `icmpv6` or an IP protocol number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Source address or prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Destination address or prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// Source port or range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ports: Option<String>,
    /// Destination port or range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_ports: Option<String>,
    /// Which end of the flow is the source: `initiator` or `either`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<String>,
    /// What the flow gets: `pipeline NAME`, `shunt`, `drop` or `tool NAME`.
    pub verdict: String,
}

/// Steering rules, in the order in which they decide.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SteeringRules {
    /// Those of the policy.
    pub policy: Vec<SteeringRule>,
    /// Those that are asked after them.
    pub rules: Vec<SteeringRule>,
}

/// A flow about which the rules are asked.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SteeringTest {
    /// Whose flow.
    pub tenant: String,
    /// `tcp`, `udp`, `sctp`, `icmp`, `icmpv6` or an IP protocol number; `tcp` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// Who sends the first packet: `10.0.0.5:1234`, `[2001:db8::1]:53`, or an address without a port.
    pub source: String,
    /// To whom.
    pub destination: String,
    /// The outer VLAN; the tenant's first if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<u64>,
}

/// Which rule decides about a flow, and why.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct SteeringVerdict {
    /// What the flow gets.
    pub verdict: String,
    /// The rule that decides; `null`: none does, and the tenant's default verdict holds.
    pub rule: Option<String>,
    /// The policy's rules look at the flow whatever its tenant's verdict.
    pub policy_inspects: bool,
    /// The rules that were looked at, in order; the last is the one that decides, if one does.
    pub steps: Vec<SteeringStep>,
}

/// A rule that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SteeringStep {
    /// Its name.
    pub rule: String,
    /// Whose it is.
    pub layer: Layer,
    /// The condition that does not hold; `null`: all hold.
    pub mismatch: Option<String>,
}
