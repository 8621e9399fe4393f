//! How the daemon says no.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was refused. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Refusal {
    /// What kind of no it is.
    pub kind: RefusalKind,
    /// One sentence for each thing that is wrong: what is wrong; what to do.
    pub problems: Vec<String>,
}

/// What kind of no it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The request itself cannot be understood.
    BadRequest,
    /// Nobody knows who asks.
    Unauthenticated,
    /// Who asks may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It contradicts what is there.
    Conflict,
    /// The body is larger than what is taken.
    TooLarge,
    /// It took too long to arrive.
    Timeout,
    /// The daemon could not do it; its log says more.
    Failed,
}

impl Refusal {
    /// A refusal for one reason.
    pub fn new(kind: RefusalKind, problem: impl Into<String>) -> Self {
        Self { kind, problems: vec![problem.into()] }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for Refusal {}
