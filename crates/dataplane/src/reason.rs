//! Why a packet was not inspected: one flat list of named reasons, so that counting one is an array index.

use flow::defrag::DropReason;
use wire::Malformed;

/// Why a packet was not inspected. Every packet that no pipeline's inspector saw is counted under exactly one of these.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reason {
    /// A pipeline without inspectors: flow record and counters only.
    HeadersOnly,
    /// A steering rule shunted the flow.
    Shunt,
    /// A steering rule dropped the flow.
    SteeringDrop,
    /// Handed to a tool port, which inspects it outside.
    Tool,
    /// The VLAN belongs to no tenant.
    NoTenant,
    /// Neither IPv4 nor IPv6 (ARP, LLDP, spanning tree …).
    NonIp,
    /// The tenant's inbox was full: it sends more than its share of this worker's time.
    InboxFull,
    /// The distributor's ring to a worker was full.
    WorkerQueueFull,
    /// The tool port took no more frames.
    ToolPortFull,
    /// The flow table had no room, and no flow of the tenant could be evicted.
    FlowTableFull,
    /// The tenant had its maximum of flows, and none could be evicted.
    FlowCap,
    /// No buffer was free for a reassembled datagram.
    NoMbuf,
    /// The frame is malformed.
    Malformed(Malformed),
    /// A fragment of a datagram that was not reassembled.
    Fragment(DropReason),
}

const PLAIN: [Reason; 12] = [
    Reason::HeadersOnly,
    Reason::Shunt,
    Reason::SteeringDrop,
    Reason::Tool,
    Reason::NoTenant,
    Reason::NonIp,
    Reason::InboxFull,
    Reason::WorkerQueueFull,
    Reason::ToolPortFull,
    Reason::FlowTableFull,
    Reason::FlowCap,
    Reason::NoMbuf,
];

impl Reason {
    /// How many reasons there are.
    pub const COUNT: usize = PLAIN.len() + Malformed::COUNT + DropReason::COUNT;

    /// This reason's place in an array of [`COUNT`](Self::COUNT) counters.
    #[inline]
    pub const fn index(self) -> usize {
        match self {
            Self::HeadersOnly => 0,
            Self::Shunt => 1,
            Self::SteeringDrop => 2,
            Self::Tool => 3,
            Self::NoTenant => 4,
            Self::NonIp => 5,
            Self::InboxFull => 6,
            Self::WorkerQueueFull => 7,
            Self::ToolPortFull => 8,
            Self::FlowTableFull => 9,
            Self::FlowCap => 10,
            Self::NoMbuf => 11,
            Self::Malformed(kind) => PLAIN.len() + kind.index(),
            Self::Fragment(kind) => PLAIN.len() + Malformed::COUNT + kind.index(),
        }
    }

    /// Every reason, in the order of [`index`](Self::index).
    pub fn all() -> impl Iterator<Item = Self> {
        let malformed = Malformed::ALL.iter().copied().map(Self::Malformed);
        let fragments = DropReason::ALL.iter().copied().map(Self::Fragment);
        PLAIN.into_iter().chain(malformed).chain(fragments)
    }

    /// Whether a steering verdict or the pipeline's own make-up asked for this: the packet went where it was sent.
    /// Everything else is a loss.
    pub const fn is_policy(self) -> bool {
        matches!(self, Self::HeadersOnly | Self::Shunt | Self::SteeringDrop | Self::Tool)
    }

    /// The reason's name in summaries, events and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeadersOnly => "headers_only",
            Self::Shunt => "shunt",
            Self::SteeringDrop => "steering_drop",
            Self::Tool => "tool",
            Self::NoTenant => "no_tenant",
            Self::NonIp => "non_ip",
            Self::InboxFull => "inbox_full",
            Self::WorkerQueueFull => "worker_queue_full",
            Self::ToolPortFull => "tool_port_full",
            Self::FlowTableFull => "flow_table_full",
            Self::FlowCap => "flow_cap",
            Self::NoMbuf => "no_mbuf",
            Self::Malformed(kind) => kind.as_str(),
            Self::Fragment(kind) => kind.as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_its_own_place_and_name() {
        let all: Vec<Reason> = Reason::all().collect();
        assert_eq!(all.len(), Reason::COUNT);
        for (place, reason) in all.iter().enumerate() {
            assert_eq!(reason.index(), place, "{reason:?}");
        }
        let names: HashSet<&str> = all.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(names.len(), Reason::COUNT);
    }
}
