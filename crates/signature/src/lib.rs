//! Signatures.
//!
//! In: checked rules ([`rules::ir`]), and packet by packet what there is to look at ([`Subject`]). Out: which rules match
//! ([`Alert`]), with the answers of the reference.
//!
//! Rooms: `literal` (the Hyperscan edge), `compile` (rules to databases and lists: [`RuleSet`]), `verify` (the exact
//! answer for one rule and one buffer), `inspect` (what a worker does with each packet: [`Inspector`]), `cache` (compiled
//! databases on disk), `dataset` (sets of data that rules ask and change), `lookup` (what is
//! known of addresses beforehand).

#![forbid(unsafe_code)]

mod cache;
pub mod compile;
mod dataset;
mod inspect;
mod literal;
mod lookup;
mod names;
mod transform;
mod verify;

pub use cache::Cache;
pub use compile::{BuildError, Compiled, Ends, ReadFile, Refused, RuleIndex, RuleSet, Setup};
pub use dataset::{Datasets, StateError};
pub use inspect::{
    Alert, Cost, Counts, FlowFacts, FlowState, Hosts, Inspector, NAMES_MAX, Options, Profile, Stream, Subject,
};
pub use literal::{EngineError, Literal, LiteralSet, Workspace};
pub use lookup::{Countries, CountriesError, ReputationError, Reputations};
pub use names::Names;
pub use verify::CompileError;
