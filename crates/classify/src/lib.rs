//! N-tuple steering: which pipeline a flow goes through, decided once, on its first packet.
//!
//! In: an ordered list of [`Rule`]s and a default [`Verdict`] per tenant. Out: for every [`Query`] the [`Decision`] of
//! the first rule that matches. Two matchers give the same answers: [`Classifier`], compiled to `rte_acl`, for workers;
//! and [`LinearClassifier`], which needs no EAL, explains itself, and is the oracle of the tests.
//!
//! What exactly a rule matches is said at [`Rule`]; what lists are refused, at [`BuildError`].

#![forbid(unsafe_code)]

mod classifier;
mod compile;
mod linear;
mod rule;
mod shadow;
mod table;
mod validate;
mod verdict;

pub use classifier::{Classifier, Limits};
pub use linear::{Considered, Explanation, LinearClassifier};
pub use rule::{
    Decision, Direction, Field, PORT_PROTOCOLS, Query, Rule, RuleIndex, UNKNOWN_TENANT, has_ports,
};
pub use validate::{BuildError, RULES_MAX, RuleProblem, Warning, validate};
pub use verdict::{PipelineId, ToolId, Verdict};
