//! What a person or a script sees of a replay.
//!
//! In: a [`Report`], which is plain numbers. Out: the summary table for people, the JSON object for scripts, and the
//! progress bar on the way there. Nothing here knows the engine, so every form is tested on numbers made up for it.

mod json;
mod number;
mod progress;
mod report;
mod summary;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use json::json;
pub(crate) use number::{bytes, count, moment};
pub(crate) use progress::Progress;
pub(crate) use report::{NotInspected, Report, TenantReport};
pub(crate) use summary::{Look, summary};
pub(crate) use table::table;
