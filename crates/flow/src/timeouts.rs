//! When a flow without packets ends.

use wire::protocol;

use crate::flow::Flow;

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
        TimeoutTable::new(self).0[flow.timeout_place()]
    }
}

/// [`Timeouts`] in microseconds: four families of protocols, four places each, by state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeoutTable([u64; 16]);

/// Which row of a [`TimeoutTable`] a protocol has.
pub(crate) const fn family(protocol: u8) -> u8 {
    match protocol {
        protocol::TCP => 0,
        protocol::UDP => 1,
        protocol::ICMP | protocol::ICMPV6 => 2,
        _ => 3,
    }
}

impl TimeoutTable {
    pub(crate) fn new(timeouts: &Timeouts) -> Self {
        let mut table = [0; 16];
        let rows = [timeouts.tcp, timeouts.udp, timeouts.icmp, timeouts.other];
        for (row, timeout) in table.chunks_exact_mut(4).zip(rows) {
            let seconds = [timeout.new_s, timeout.established_s, timeout.closed_s, timeout.closed_s];
            row.copy_from_slice(&seconds.map(|s| u64::from(s) * 1_000_000));
        }
        Self(table)
    }

    /// The time after which a flow without further packets is over.
    #[inline]
    pub(crate) fn deadline_us(&self, flow: &Flow) -> u64 {
        flow.seen_us.saturating_add(self.0[flow.timeout_place()])
    }
}
