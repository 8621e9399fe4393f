//! Changes, and the generations that they make.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::RefusedRule;

/// What a change did, or with `dry_run` would do.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// The generation that it made; the one that runs if nothing changed or if it was tried only.
    pub generation: u32,
    /// What was changed, in one clause.
    pub what: String,
    /// It was tried and not made.
    pub dry_run: bool,
    /// The lines of the configuration that it takes out and puts in, as a unified diff; empty: it changes nothing.
    pub diff: String,
    /// What is allowed and probably not meant.
    pub warnings: Vec<String>,
    /// Rules of files that were loaded with it and are not used, each with its reason.
    pub refused_rules: Vec<RefusedRule>,
    /// Settings that take effect when the daemon starts next.
    pub at_next_start: Vec<String>,
    /// From the command to when every worker ran it, in milliseconds; `null` if it was tried only or changed nothing.
    pub effect_ms: Option<f64>,
}

/// One generation of the configuration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Generation {
    /// Its number, counted up from 1.
    pub number: u32,
    /// When it was made, in microseconds since 1970 (UTC).
    pub at_us: u64,
    /// Who made it: an operator, a user, or `file` for an edit by hand.
    pub who: String,
    /// What was changed, in one clause.
    pub what: String,
    /// It is what runs.
    pub running: bool,
}

/// The generations that are kept, the newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Generations {
    /// Each with who made it, when, and what was changed.
    pub generations: Vec<Generation>,
}

/// The lines in which two generations differ.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    /// The older one.
    pub from: u32,
    /// The newer one.
    pub to: u32,
    /// A unified diff; empty: they say the same.
    pub diff: String,
}

/// The configuration of a generation.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Config {
    /// The generation.
    pub generation: u32,
    /// The file's text.
    pub text: String,
}

/// A whole configuration in place of the one that runs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigText {
    /// The file's text.
    pub text: String,
}
