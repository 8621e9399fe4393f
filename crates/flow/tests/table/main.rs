//! The flow table from outside: against a plain model, at its limits, and over time.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod limits;
mod model;
mod time;

use flow::tcp::{ACK, RST, SYN};
use flow::{
    EndReason, Flow, FlowId, FlowKey, FlowTable, HashSeed, InsertError, NoPrefetch, Observation, Orientation,
    TableConfig, Timeout, Timeouts,
};
use wire::{Addr, L4, NTuple, Packet, Tcp, TenantId, Vlans, protocol};

pub(crate) const SECOND: u64 = 1_000_000;
/// 2023-11-14, in microseconds.
pub(crate) const START: u64 = 1_700_000_000 * SECOND;
/// How late the timers may be, in microseconds: two ticks.
pub(crate) const TIMER_LAG: u64 = 2 << 18;

/// An ended flow, as much of it as the tests look at.
pub(crate) type Ended = (FlowKey, EndReason, [u64; 2], [u64; 2]);

/// A packet with its tenant and times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    pub(crate) packet: Packet,
    pub(crate) key: FlowKey,
    pub(crate) orientation: Orientation,
    pub(crate) now_us: u64,
}

impl Probe {
    /// UDP between host `n` and one server.
    pub(crate) fn udp(tenant: u16, n: u16, answer: bool, now_us: u64) -> Self {
        Self::new(tenant, n, answer, now_us, L4::Udp, Tcp::default())
    }

    /// TCP between host `n` and one server.
    pub(crate) fn tcp(
        tenant: u16,
        n: u16,
        answer: bool,
        now_us: u64,
        (flags, seq, ack): (u8, u32, u32),
    ) -> Self {
        Self::new(tenant, n, answer, now_us, L4::Tcp, Tcp { seq, ack, window: 1000, flags })
    }

    fn new(tenant: u16, n: u16, answer: bool, now_us: u64, l4: L4, tcp: Tcp) -> Self {
        let [high, low] = n.to_be_bytes();
        let tuple = NTuple {
            src: Addr::v4([10, 0, high, low]),
            dst: Addr::v4([10, 9, 9, 9]),
            src_port: 4000,
            dst_port: 53,
            protocol: if l4 == L4::Tcp { protocol::TCP } else { protocol::UDP },
            ip_version: 4,
        };
        let tuple = if answer { tuple.reversed() } else { tuple };
        let (key, orientation) = FlowKey::new(&tuple, &Vlans::default(), TenantId(tenant));
        Self { packet: Packet { tuple, l4, tcp, ..Packet::default() }, key, orientation, now_us }
    }

    pub(crate) fn observation(&self) -> Observation<'_> {
        Observation {
            packet: &self.packet,
            orientation: self.orientation,
            frame_bytes: 100,
            recorded_us: self.now_us,
            now_us: self.now_us,
        }
    }
}

pub(crate) fn table(flows_max: u32, tenants: u16, timeouts: Timeouts) -> FlowTable<NoPrefetch> {
    FlowTable::new(&TableConfig { flows_max, tenants, timeouts, seed: HashSeed::new(5) }).unwrap()
}

/// The same timeouts for every protocol.
pub(crate) fn timeouts(new_s: u32, established_s: u32, closed_s: u32) -> Timeouts {
    let all = Timeout { new_s, established_s, closed_s };
    Timeouts { tcp: all, udp: all, icmp: all, other: all }
}

pub(crate) fn ended(flow: &Flow, reason: EndReason) -> Ended {
    (*flow.key(), reason, flow.packets(), flow.bytes())
}

/// What a packet met in the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Met {
    Known,
    Begun,
    Refused(InsertError),
}

/// One packet, the way a worker does it; what ended on the way is appended to `out`.
pub(crate) fn offer(
    table: &mut FlowTable<NoPrefetch>,
    probe: &Probe,
    guess: Option<FlowId>,
    out: &mut Vec<Ended>,
) -> (Met, Option<FlowId>) {
    let hash = table.hash(&probe.key);
    let mut collect = |flow: &Flow, reason| out.push(ended(flow, reason));
    let mut known = table.find(hash, &probe.key, guess);
    if let Some(id) = known
        && let Some(reason) = table.over(id, &probe.packet, probe.now_us)
    {
        table.end(id, reason, &mut collect);
        assert!(table.get(id).is_none());
        known = None;
    }
    let (met, id) = match known {
        Some(id) => (Met::Known, id),
        None => match table.insert(hash, &probe.key, &probe.observation(), &mut collect) {
            Ok(id) => (Met::Begun, id),
            Err(error) => return (Met::Refused(error), None),
        },
    };
    table.observe(id, &probe.observation());
    (met, Some(id))
}

/// A TCP handshake, then a RST by the client if `reset`.
pub(crate) fn connect(
    table: &mut FlowTable<NoPrefetch>,
    tenant: u16,
    n: u16,
    now_us: u64,
    reset: bool,
) -> Vec<Ended> {
    let mut out = Vec::new();
    let segments =
        [(false, SYN, 100, 0), (true, SYN | ACK, 500, 101), (false, ACK, 101, 501), (false, RST, 101, 0)];
    for (answer, flags, seq, ack) in segments.into_iter().take(if reset { 4 } else { 3 }) {
        offer(table, &Probe::tcp(tenant, n, answer, now_us, (flags, seq, ack)), None, &mut out);
    }
    out
}
