//! EVE event records and their JSON encoding.
//!
//! In: records with plain numbers, addresses and names, filled by the dataplane ([`FlowRecord`]) or from its counters
//! ([`Stats`]). Out: one line of JSON per event, in the shape that Suricata 7 gives its EVE log
//! (<https://docs.suricata.io/en/suricata-7.0.10/output/eve/eve-json-format.html>), so that what reads Suricata's log
//! reads ours; Forebay's own fields (`tenant`, `verdict`) are additions, never replacements.
//!
//! Encoding appends to a buffer that the caller reuses, takes no clock and no configuration, and allocates nothing once
//! the buffer has grown: the same record gives the same bytes.

#![forbid(unsafe_code)]

mod common;
pub mod community_id;
mod detail;
pub mod flow;
pub mod json;
pub mod label;
pub mod protocol;
pub mod stats;

pub use community_id::CommunityId;
pub use detail::Detail;
pub use flow::{BYPASSED, FlowEnd, FlowRecord, FlowState, Ports, TcpState, TcpSummary, Verdict, Volume};
pub use label::{Label, LabelTooLong};
pub use stats::Stats;

/// One event.
///
/// Flow records are held in place although they are large: they come by the million, and boxing them would cost an
/// allocation each.
#[derive(Clone, PartialEq, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Event {
    /// A flow ended.
    Flow(FlowRecord),
    /// Something about one packet or transaction.
    Detail(Box<Detail>),
    /// Counters, every few seconds and at the end.
    Stats(Box<Stats>),
}

impl Event {
    /// Appends the event to `to` as one line of JSON, newline included.
    #[inline]
    pub fn encode(&self, to: &mut Vec<u8>) {
        match self {
            Self::Flow(record) => record.encode(to),
            Self::Detail(detail) => detail.encode(to),
            Self::Stats(stats) => stats.encode(to),
        }
    }
}
