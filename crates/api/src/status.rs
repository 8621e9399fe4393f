//! How the daemon is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The daemon at this moment.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// Version of the daemon.
    pub version: String,
    /// When it started, in microseconds since 1970 (UTC).
    pub started_us: u64,
    /// The generation that was made last.
    pub generation: u32,
    /// The generation that every worker runs at least.
    pub generation_in_effect: u32,
    /// Generations in memory: one, and such as a worker has not left yet.
    pub generations_held: u32,
    /// What is not as it should be, and what to do; empty: all is well.
    pub problems: Vec<String>,
    /// Settings that take effect when the daemon starts next.
    pub at_next_start: Vec<String>,
    /// Frames received.
    pub packets: u64,
    /// Bytes of them, without FCS.
    pub bytes: u64,
    /// Flows now.
    pub flows_active: u64,
    /// Events lost, because their queue was full or their file could not be written.
    pub events_lost: u64,
    /// Workers.
    pub workers: Vec<WorkerStatus>,
    /// Ports.
    pub ports: Vec<PortStatus>,
    /// Tenants that the asker may see. `(no tenant)` are frames that nobody owns, `(former)` those of tenants that were
    /// removed.
    pub tenants: Vec<TenantStatus>,
}

/// A worker.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct WorkerStatus {
    /// Its number, from 0.
    pub worker: u32,
    /// The generation that it runs.
    pub generation: u32,
    /// Frames that it received.
    pub packets: u64,
}

/// A port.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct PortStatus {
    /// Its device.
    pub port: String,
    /// Frames received.
    pub packets: u64,
    /// Bytes received.
    pub bytes: u64,
    /// Frames that the port lost because nobody took them in time.
    pub missed: u64,
    /// Frames that it could not receive.
    pub errors: u64,
    /// Frames that it lost for want of a packet buffer.
    pub no_mbuf: u64,
}

/// What became of a tenant's traffic since the daemon started, or since the tenant was added.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct TenantStatus {
    /// Its name.
    pub name: String,
    /// Frames received.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Frames that were inspected.
    pub inspected: u64,
    /// Frames that were not, by reason.
    pub not_inspected: Vec<Reason>,
    /// Frames that wait in an inbox or for the rest of their datagram.
    pub waiting: u64,
    /// Flows begun.
    pub flows: u64,
    /// Alerts.
    pub alerts: u64,
}

/// Frames that were not inspected for one reason.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// The reason's name, as in `docs/architecture.md`.
    pub reason: String,
    /// A policy or a steering rule asked for it; otherwise it is a loss.
    pub wanted: bool,
    /// Frames.
    pub packets: u64,
}
