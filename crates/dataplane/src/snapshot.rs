//! All workers' counters added up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::counters::{Totals, WorkerCounters};
use crate::reason::Reason;

/// One tenant's counters over all workers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TenantSnapshot {
    /// Its name; empty for frames of no tenant.
    pub name: String,
    /// Frames received.
    pub received: Totals,
    /// Frames that a pipeline's inspectors saw.
    pub inspected: Totals,
    /// Flows begun.
    pub flows: u64,
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

/// The counters of a whole engine at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// Frames received.
    pub received: Totals,
    /// Flows begun.
    pub flows: u64,
    /// Flows begun, by protocol: TCP, UDP, ICMP, ICMPv6, other.
    pub flows_by_protocol: [u64; 5],
    /// Flows in the tables now.
    pub flows_active: u64,
    /// Fragments held for reassembly now.
    pub fragments_held: u64,
    /// By tenant, in the order of the configuration.
    pub tenants: Vec<TenantSnapshot>,
    /// Frames that belong to no tenant.
    pub unassigned: TenantSnapshot,
    /// Packets by kind of header; EVE's names.
    pub decode: BTreeMap<&'static str, u64>,
    /// Cycles by stage, over all workers: idle, receive, inspect.
    pub cycles: [u64; 3],
}

impl Snapshot {
    /// Reads every worker's counters. Exact when the workers are idle or have ended.
    pub(crate) fn read(workers: &[Arc<WorkerCounters>], names: &[Arc<str>]) -> Self {
        let mut all = Self { tenants: vec![TenantSnapshot::default(); names.len()], ..Self::default() };
        for (tenant, name) in all.tenants.iter_mut().zip(names) {
            tenant.name = name.to_string();
        }
        for worker in workers {
            all.received += worker.received.total();
            for (sum, counter) in all.flows_by_protocol.iter_mut().zip(&worker.flows_by_protocol) {
                *sum += counter.get();
            }
            all.flows_active += worker.flows_active.load(Ordering::Acquire);
            all.fragments_held += worker.fragments_held.load(Ordering::Acquire);
            for (row, tenant) in all.tenants.iter_mut().enumerate() {
                tenant.add(worker.tenant(row));
            }
            all.unassigned.add(worker.unassigned());
            for (name, value) in worker.decode.named() {
                let sum = all.decode.entry(name).or_default();
                *sum = if name == "max_pkt_size" { value.max(*sum) } else { *sum + value };
            }
            let cycles = &worker.cycles;
            for (sum, counter) in all.cycles.iter_mut().zip([&cycles.idle, &cycles.receive, &cycles.inspect]) {
                *sum += counter.get();
            }
        }
        all.flows = all.flows_by_protocol.iter().sum();
        all
    }

    /// Every tenant, and the frames of none if there are any.
    pub fn rows(&self) -> impl Iterator<Item = &TenantSnapshot> {
        self.tenants.iter().chain((self.unassigned.received.packets > 0).then_some(&self.unassigned))
    }
}

impl TenantSnapshot {
    fn add(&mut self, counters: &crate::counters::TenantCounters) {
        self.received += counters.received.total();
        self.inspected += counters.inspected.total();
        self.flows += counters.flows.get();
        self.checksum_wrong += counters.checksum_wrong.get();
        for reason in Reason::all() {
            let total = counters.not_inspected(reason).map(crate::counters::Traffic::total).unwrap_or_default();
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
