//! The running heart: frames in, flows classified by n-tuple, packets dispatched to per-tenant pipelines.
//!
//! In: ports (any DPDK device) and a [`Generation`] (who owns which VLAN, steering rules, pipelines). Out: events,
//! frames on tool ports, and counters that add up.
//!
//! ```text
//! ports ──▶ worker ─┬▶ parse ▶ tenant ▶ flow ▶ classify (once a flow) ▶ dispatch ─┬▶ count and free
//!   │               │                                                            ├▶ tool port
//!   └▶ distributor ─┘ (ports without RSS, several workers)                       └▶ inbox ▶ scheduler ▶ inspectors
//! ```
//!
//! Each worker owns its table, inboxes, scheduler and counters; what it shares with others is one atomic number (the
//! generation) and bounded queues. The conservation law that the tests hold it to: **received = inspected + the sum of
//! named reasons for not inspecting + what is still held**.

#![forbid(unsafe_code)]

mod counters;
mod distributor;
mod engine;
mod generation;
mod ingress;
mod inspection;
mod pipeline;
mod reason;
mod records;
mod scheduler;
mod snapshot;
mod time;
mod worker;

pub use counters::{Counter, Totals, Traffic, WorkerCounters};
pub use dpdk::PortStats;
pub use engine::{Capture, Engine, EngineConfig, EngineError, Mode, Outcome, PortSpec};
pub use generation::{Generation, Publisher, Tenant, VlanMap};
pub use ingress::{Burst, BurstTimes, Ingress, Stamp, Tenancy};
pub use inspection::{
    AlertOptions, Announced, Encrypted, ExceptionPolicy, Forwarded, HOSTS_MAX, OwnHeader, RuleLayer,
    STREAM_BYTES_MAX, TaggedHosts, TenantInspection,
};
pub use pipeline::{Inspector, Pipeline, Then};
pub use reason::Reason;
pub use records::Records;
pub use snapshot::{FORMER, Snapshot, TenantSnapshot, WorkerView};
pub use time::PacketTime;
pub use worker::{DpdkPrefetch, Lane, LaneParts};

/// What travels with a packet from where it is received to where it is inspected, in its mbuf's private area.
#[derive(Clone, Copy, Debug, Default)]
pub struct PacketMeta {
    /// When it was received.
    pub time: PacketTime,
    /// Its headers.
    pub packet: wire::Packet,
    /// How its tenant is found; set by a distributor.
    pub tenancy: Tenancy,
    /// The pipeline that inspects it, by `PipelineId`.
    pub pipeline: u16,
    /// Where inspection keeps its flow; `NO_SLOT` if it has none.
    pub slot: u32,
    /// Which way it goes, by its flow's key.
    pub orientation: flow::Orientation,
    /// Frames it came in; more than 1 for a reassembled datagram.
    pub frames: u32,
    /// Bytes of those frames.
    pub frame_bytes: u32,
}
