//! When a flow without packets ends.

use crate::flow::{Flow, FlowState};

/// Seconds without a packet after which a flow ends, by how far it came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeout {
    /// Before both sides have spoken.
    pub new_s: u32,
    /// After both sides have spoken (TCP: after the handshake).
    pub established_s: u32,
    /// After the connection was closed.
    pub closed_s: u32,
}

/// Timeouts by kind of flow. The defaults are the reference's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// TCP.
    pub tcp: Timeout,
    /// UDP.
    pub udp: Timeout,
    /// ICMP and `ICMPv6`.
    pub icmp: Timeout,
    /// Every other IP protocol.
    pub other: Timeout,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            tcp: Timeout { new_s: 60, established_s: 600, closed_s: 60 },
            udp: Timeout { new_s: 30, established_s: 300, closed_s: 0 },
            icmp: Timeout { new_s: 30, established_s: 300, closed_s: 0 },
            other: Timeout { new_s: 30, established_s: 300, closed_s: 0 },
        }
    }
}

impl Timeouts {
    /// Microseconds after its last packet at which `flow`, as it is now, is over.
    pub fn of(&self, flow: &Flow) -> u64 {
        TimeoutTable::new(self).get(flow.key().protocol(), flow.state())
    }
}

/// [`Timeouts`] in microseconds, by protocol family and state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeoutTable([[u64; 3]; 4]);

impl TimeoutTable {
    pub(crate) fn new(timeouts: &Timeouts) -> Self {
        let row = |t: Timeout| [t.new_s, t.established_s, t.closed_s].map(|s| u64::from(s) * 1_000_000);
        Self([row(timeouts.tcp), row(timeouts.udp), row(timeouts.icmp), row(timeouts.other)])
    }

    /// Microseconds after its last packet at which a flow of this protocol and state is over.
    #[inline]
    pub(crate) fn get(&self, protocol: u8, state: FlowState) -> u64 {
        let [tcp, udp, icmp, other] = &self.0;
        let row = match protocol {
            6 => tcp,
            17 => udp,
            1 | 58 => icmp,
            _ => other,
        };
        let [new, established, closed] = *row;
        match state {
            FlowState::New => new,
            FlowState::Established => established,
            FlowState::Closed => closed,
        }
    }
}
