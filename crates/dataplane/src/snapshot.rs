//! All workers' counters added up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use event::Stats;
use event::stats::{Decoder, Defrag, FlowEndStates, FlowEndTcpStates, Flows, TenantStats};

use crate::counters::{Counter, TenantCounters, Totals, Traffic, WorkerCounters};
use crate::generation::Generation;
use crate::reason::Reason;

/// Name of the row of tenants that are no more; no tenant can have it.
pub const FORMER: &str = "(former)";

/// One tenant's counters over all workers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TenantSnapshot {
    /// Its name; empty for frames of no tenant, [`FORMER`] for tenants that are no more.
    pub name: String,
    /// Frames received.
    pub received: Totals,
    /// Frames that a pipeline's inspectors saw.
    pub inspected: Totals,
    /// Flows begun.
    pub flows: u64,
    /// Alerts.
    pub alerts: u64,
    /// Packets with a wrong checksum.
    pub checksum_wrong: u64,
    /// Frames that were not inspected, by reason; only reasons that occurred.
    pub not_inspected: Vec<(Reason, Totals)>,
}

impl TenantSnapshot {
    /// What became of the frames that are not waiting anywhere: inspected, and not inspected for all reasons.
    pub fn accounted(&self) -> Totals {
        let mut total = self.inspected;
        for (_, traffic) in &self.not_inspected {
            total += *traffic;
        }
        total
    }
}

/// One worker at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WorkerView {
    /// The generation that it runs.
    pub generation: u32,
    /// Frames that it received.
    pub received: Totals,
    /// Cycles (TSC) that it has counted: one that is well counts on, also when nothing comes.
    pub cycles: u64,
}

impl WorkerView {
    pub(crate) fn read(worker: &WorkerCounters) -> Self {
        let cycles = &worker.cycles;
        Self {
            generation: worker.generation.load(Ordering::Acquire) as u32,
            received: worker.received.total(),
            cycles: [&cycles.idle, &cycles.receive, &cycles.inspect].map(Counter::get).iter().sum(),
        }
    }
}

/// The counters of a whole engine at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// Frames received.
    pub received: Totals,
    /// Flows begun.
    pub flows: u64,
    /// Flows begun, by protocol: TCP, UDP, ICMP, `ICMPv6`, other.
    pub flows_by_protocol: [u64; 5],
    /// Flows that ended, by state: new, established, closed.
    pub flows_ended: [u64; 3],
    /// TCP flows that ended, by the connection's state, in the order of `TcpState`.
    pub tcp_ended: [u64; 11],
    /// Flows in the tables now.
    pub flows_active: u64,
    /// Fragments held for reassembly now.
    pub fragments_held: u64,
    /// By tenant of the newest generation, in the order of their rows.
    pub tenants: Vec<TenantSnapshot>,
    /// All tenants that are no more, together.
    pub former: TenantSnapshot,
    /// Frames that belong to no tenant.
    pub unassigned: TenantSnapshot,
    /// Packets by kind of header; EVE's names.
    pub decode: BTreeMap<&'static str, u64>,
    /// Cycles by stage, over all workers: idle, receive, inspect.
    pub cycles: [u64; 3],
}

impl Snapshot {
    /// Reads every worker's counters; `newest` is the generation that was published last. Exact when the workers are
    /// idle or have ended.
    pub(crate) fn read(workers: &[Arc<WorkerCounters>], newest: &Generation) -> Self {
        let mut all = Self::default();
        let mut rows = Vec::with_capacity(newest.tenants.len());
        for tenant in &newest.tenants {
            rows.push(tenant.as_ref().map(|tenant| (all.tenants.len(), tenant.identity)));
            if let Some(tenant) = tenant {
                all.tenants
                    .push(TenantSnapshot { name: tenant.name.to_string(), ..TenantSnapshot::default() });
            }
        }
        FORMER.clone_into(&mut all.former.name);
        for worker in workers {
            all.received += worker.received.total();
            add(&mut all.flows_by_protocol, &worker.flows_by_protocol);
            add(&mut all.flows_ended, &worker.flows_ended);
            add(&mut all.tcp_ended, &worker.tcp_ended);
            all.flows_active += worker.flows_active.load(Ordering::Acquire);
            all.fragments_held += worker.fragments_held.load(Ordering::Acquire);
            for row in 0..worker.tenants() {
                // A worker that has not come to the newest generation still counts for who had the row before.
                let counters = worker.tenant(row);
                let owner =
                    rows.get(row).copied().flatten().filter(|(_, identity)| counters.is_of(*identity));
                let tenant = owner.and_then(|(place, _)| all.tenants.get_mut(place));
                tenant.unwrap_or(&mut all.former).add(counters);
            }
            all.former.add(worker.former());
            all.unassigned.add(worker.unassigned());
            for (name, value) in worker.decode.named() {
                let sum = all.decode.entry(name).or_default();
                *sum = if name == "max_pkt_size" { value.max(*sum) } else { *sum + value };
            }
            let cycles = &worker.cycles;
            for (sum, counter) in all.cycles.iter_mut().zip([&cycles.idle, &cycles.receive, &cycles.inspect])
            {
                *sum += counter.get();
            }
        }
        all.flows = all.flows_by_protocol.iter().sum();
        all
    }

    /// As an EVE `stats` event of the time `timestamp_us`, `uptime_s` seconds after the start.
    pub fn stats(&self, timestamp_us: u64, uptime_s: u64) -> Stats {
        let decoded = |name| self.decode.get(name).copied().unwrap_or_default();
        let malformed = self.malformed();
        let [tcp, udp, icmpv4, icmpv6, _] = self.flows_by_protocol;
        let [new, established, closed] = self.flows_ended;
        let ended = self.tcp_ended;
        Stats {
            timestamp_us,
            uptime_s,
            decoder: Decoder {
                pkts: self.received.packets,
                bytes: self.received.bytes,
                invalid: malformed.values().sum(),
                ipv4: decoded("ipv4"),
                ipv6: decoded("ipv6"),
                ethernet: self.received.packets,
                arp: decoded("arp"),
                unknown_ethertype: decoded("unknown_ethertype"),
                tcp: decoded("tcp"),
                udp: decoded("udp"),
                sctp: decoded("sctp"),
                icmpv4: decoded("icmpv4"),
                icmpv6: decoded("icmpv6"),
                geneve: decoded("geneve"),
                gre: decoded("gre"),
                vlan: decoded("vlan"),
                vlan_qinq: decoded("vlan_qinq"),
                vxlan: decoded("vxlan"),
                ipv4_in_ipv4: decoded("ipv4_in_ipv4"),
                ipv6_in_ipv4: decoded("ipv6_in_ipv4"),
                ipv4_in_ipv6: decoded("ipv4_in_ipv6"),
                ipv6_in_ipv6: decoded("ipv6_in_ipv6"),
                max_pkt_size: decoded("max_pkt_size"),
            },
            malformed,
            flow: Flows { total: self.flows, active: self.flows_active, tcp, udp, icmpv4, icmpv6 },
            flow_end: FlowEndStates { new, established, closed },
            flow_end_tcp: FlowEndTcpStates {
                none: ended[0],
                syn_sent: ended[1],
                syn_recv: ended[2],
                established: ended[3],
                fin_wait1: ended[4],
                fin_wait2: ended[5],
                time_wait: ended[6],
                last_ack: ended[7],
                close_wait: ended[8],
                closing: ended[9],
                closed: ended[10],
            },
            defrag_ipv4: Defrag {
                fragments: decoded("fragments_ipv4"),
                reassembled: decoded("reassembled_ipv4"),
            },
            defrag_ipv6: Defrag {
                fragments: decoded("fragments_ipv6"),
                reassembled: decoded("reassembled_ipv6"),
            },
            tenants: self.owned().map(TenantSnapshot::stats).collect(),
        }
    }

    /// Frames that could not be parsed, by reason.
    fn malformed(&self) -> BTreeMap<&'static str, u64> {
        let mut malformed = BTreeMap::new();
        for (reason, total) in self.rows().flat_map(|tenant| &tenant.not_inspected) {
            if matches!(reason, Reason::Malformed(_)) {
                *malformed.entry(reason.as_str()).or_default() += total.packets;
            }
        }
        malformed
    }

    /// Every tenant, and former ones if they had frames.
    fn owned(&self) -> impl Iterator<Item = &TenantSnapshot> {
        self.tenants.iter().chain((self.former.received.packets > 0).then_some(&self.former))
    }

    /// Every tenant, former ones if they had frames, and the frames of none if there are any.
    pub fn rows(&self) -> impl Iterator<Item = &TenantSnapshot> {
        self.owned().chain((self.unassigned.received.packets > 0).then_some(&self.unassigned))
    }
}

/// Adds counters to sums, one to one.
fn add(sums: &mut [u64], counters: &[Counter]) {
    for (sum, counter) in sums.iter_mut().zip(counters) {
        *sum += counter.get();
    }
}

impl TenantSnapshot {
    fn stats(&self) -> TenantStats {
        TenantStats {
            name: self.name.parse().unwrap_or_default(),
            packets: self.received.packets,
            bytes: self.received.bytes,
            flows: self.flows,
            alerts: self.alerts,
            not_inspected: self
                .not_inspected
                .iter()
                .map(|(reason, total)| (reason.as_str(), total.packets))
                .collect(),
        }
    }

    fn add(&mut self, counters: &TenantCounters) {
        self.received += counters.received.total();
        self.inspected += counters.inspected.total();
        self.flows += counters.flows.get();
        self.alerts += counters.alerts.get();
        self.checksum_wrong += counters.checksum_wrong.get();
        for reason in Reason::all() {
            let total = counters.not_inspected(reason).map(Traffic::total).unwrap_or_default();
            if total.packets == 0 {
                continue;
            }
            match self.not_inspected.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, sum)) => *sum += total,
                None => self.not_inspected.push((reason, total)),
            }
        }
    }
}
