//! Making a trace: what happens, in what order, and the truth about it.
//!
//! In: [`TraceOptions`]. Out: frames in order of time, through a callback or into a capture file, and a [`Truth`].
//! The same options give the same bytes, on any machine. Memory holds only the conversations that are going on.

pub(crate) mod calendar;
mod schedule;
pub(crate) mod truth;
pub(crate) mod world;
mod write;

pub use schedule::generate;
pub use truth::{Count, Protocol, TenantTruth, Transport, Truth};
pub use world::{CONVERSATIONS_MAX, TENANTS_MAX};
pub use write::{TraceError, write_trace};

/// Highest VLAN identifier (IEEE 802.1Q).
pub const VLAN_MAX: u16 = 4094;

/// When every trace begins: 2023-11-14 22:13:20 UTC, in nanoseconds since 1970. Constant, so that a trace depends on
/// its options only.
pub const START_NS: u64 = 1_700_000_000_000_000_000;

/// What a trace is to contain.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceOptions {
    /// Everything that is random follows from it.
    pub seed: u64,
    /// Tenants, 1 to [`TENANTS_MAX`].
    pub tenants: u16,
    /// VLAN of the first tenant; the others follow.
    pub first_vlan: u16,
    /// Over how many seconds conversations begin; the last ones end a little later.
    pub seconds: u32,
    /// Conversations of each tenant, 1 to [`CONVERSATIONS_MAX`]. A scan is one, and makes many flows.
    pub conversations: u32,
    /// Payload bytes of the elephant flow that each tenant has besides; 0 for none.
    pub elephant_bytes: u64,
    /// Whether all tenants use the same addresses, so that only the VLAN tells them apart.
    pub overlapping_addresses: bool,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            tenants: 4,
            first_vlan: 101,
            seconds: 10,
            conversations: 400,
            elephant_bytes: 8 << 20,
            overlapping_addresses: false,
        }
    }
}
