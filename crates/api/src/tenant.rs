//! Tenants and their VLANs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tenant to add.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Its name: 1 to 63 of `a-z`, `0-9` and inner `-`.
    pub name: String,
    /// Its VLANs: `101`, or a range such as `110-119`.
    #[serde(default)]
    pub vlans: Vec<String>,
    /// Share of the workers' time, 1 to 100.
    #[serde(default)]
    pub weight: Option<u64>,
    /// Flows that it may have in each worker's table.
    #[serde(default)]
    pub flows_max: Option<u64>,
    /// What flows get that no steering rule decides, such as `pipeline full`.
    #[serde(default)]
    pub default_verdict: Option<String>,
}

/// What is to be changed of a tenant; what is absent stays.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantChange {
    /// Share of the workers' time, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u64>,
    /// Flows that it may have in each worker's table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows_max: Option<u64>,
    /// What flows get that no steering rule decides, such as `pipeline full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_verdict: Option<String>,
    /// Variables of rules; `null` takes one away.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    /// The text of a `threshold.config`: how often rules may speak; empty takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thresholds: Option<String>,
}

/// Variables of rules, by name without `$`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Variables {
    /// Of addresses, such as `[10.0.0.0/8,!10.1.0.0/16]`.
    pub addresses: BTreeMap<String, Option<String>>,
    /// Of ports, such as `[80,8000:8100]`.
    pub ports: BTreeMap<String, Option<String>>,
}

impl Variables {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.ports.is_empty()
    }
}

/// A tenant as it is configured.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Tenant {
    /// Its name.
    pub name: String,
    /// Its VLANs.
    pub vlans: Vec<String>,
    /// It takes every frame whose VLAN nobody names.
    pub any_vlan: bool,
    /// Ports whose frames are all its.
    pub ports: Vec<String>,
    /// Share of the workers' time.
    pub weight: u64,
    /// Flows that it may have in each worker's table.
    pub flows_max: u64,
    /// What flows get that no steering rule decides.
    pub default_verdict: String,
    /// Its steering rules.
    pub steering_rules: u64,
    /// Rules in use, of its own layer.
    pub rules: u64,
    /// Rules of its own layer that are not used.
    pub rules_refused: u64,
}

/// Tenants, in the file's order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Tenants {
    /// Those that the asker may see.
    pub tenants: Vec<Tenant>,
}

/// VLANs to give to a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VlanAssignment {
    /// The tenant.
    pub tenant: String,
}

/// VLANs of one tenant that stand together.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Vlan {
    /// One VLAN or a range.
    pub vlan: String,
    /// Whose.
    pub tenant: String,
    /// The access port that brings it, if it is one.
    pub port: Option<String>,
}

/// Who has which VLAN.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Vlans {
    /// In the order of their numbers.
    pub vlans: Vec<Vlan>,
    /// The tenant of every VLAN that is not among them, if there is one.
    pub rest: Option<String>,
}
