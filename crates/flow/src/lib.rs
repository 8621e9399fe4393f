//! Flows: who talks to whom, since when, how much, and how it ends.
//!
//! In: parsed packets with their tenant and time. Out: a place for each flow where its verdict and counts are kept, the
//! flows that ended and why, and whole datagrams from IP fragments. One worker owns one [`FlowTable`] and one
//! [`defrag::Defrag`]; nothing here is shared, locked, or grows.

#![forbid(unsafe_code)]

pub mod defrag;
mod flow;
mod index;
mod key;
mod lists;
mod memory;
mod prefetch;
pub mod stream;
mod table;
pub mod tcp;
mod timeouts;
mod timer;

pub use flow::{EndReason, Flow, FlowState, NO_SLOT};
pub use key::{FlowKey, HashSeed, Orientation};
pub use prefetch::{NoPrefetch, Prefetch};
pub use table::{FlowId, FlowTable, InsertError, Observation, TableConfig, TableError, TableStats};
pub use timeouts::{Timeout, Timeouts};
