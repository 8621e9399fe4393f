//! What the daemon and its clients say to each other: the bodies of the HTTP API's requests and answers, version 1.
//!
//! In and out: JSON, by serde; the `OpenAPI` document is made from the same types. Values that the configuration file
//! writes as text (verdicts, VLAN ranges, prefixes) are the same text here, and are checked where the file is.

#![forbid(unsafe_code)]

mod alert;
mod change;
mod refusal;
mod rules;
mod status;
mod steering;
mod tenant;

pub use alert::Alerts;
pub use change::{Change, Config, ConfigText, Diff, Generation, Generations};
pub use refusal::{Refusal, RefusalKind};
pub use rules::{Layer, LoadRules, RefusedRule, RuleFile, RuleFileText, RuleSet};
pub use status::{PortStatus, Reason, Status, TenantStatus, WorkerStatus};
pub use steering::{SteeringRule, SteeringRules, SteeringStep, SteeringTest, SteeringVerdict};
pub use tenant::{NewTenant, Tenant, TenantChange, Tenants, Variables, Vlan, VlanAssignment, Vlans};

/// Where every path of this version begins.
pub const BASE: &str = "/v1";
