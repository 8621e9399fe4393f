//! One worker: a pinned lcore that owns everything it touches.
//!
//! Rooms: `receive` (steps 1-4: a burst from poll to dispatch), `fragments` (the cold path through reassembly),
//! `decode` (counting headers, entering tunnels), `inspect` (steps 5-6: whose turn it is, and running the pipeline).

mod decode;
mod fragments;
mod inspect;
mod receive;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrayvec::ArrayVec;
use classify::{Decision, Query};
use crossbeam_channel::{Receiver, TryRecvError};
use dpdk::{BURST_MAX, Consumer, Eal, Mbuf, Mempool, RingError, Tsc, TxQueue};
use flow::defrag::Defrag;
use flow::{FlowTable, Prefetch};
use wire::{ParseOptions, TenantId};

use crate::PacketMeta;
use crate::counters::WorkerCounters;
use crate::generation::{Generation, Subscriber};
use crate::ingress::{Burst, BurstTimes, Ingress, IngressClock, Tenancy};
use crate::inspection::Inspection;
use crate::records::Records;
use crate::scheduler::Scheduler;
use inspect::Inbox;
use receive::Slot;

/// Lets the flow table use DPDK's prefetch.
#[derive(Debug)]
pub struct DpdkPrefetch;

impl Prefetch for DpdkPrefetch {
    #[inline(always)]
    fn read<T>(value: &T) {
        dpdk::prefetch::read(value);
    }
}

/// Where a worker's frames come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// Queues of its own; more may be handed over while it runs, until the sender goes away.
    Ports(Receiver<Ingress>),
    /// A distributor, which has set each packet's time and tenancy; over when its end of the ring is gone and the ring
    /// empty.
    Distributor {
        /// The worker's end.
        ring: Consumer<PacketMeta>,
        /// Whether the distributor has ended.
        ended: Arc<AtomicBool>,
    },
}

/// What a worker is made of.
pub(crate) struct Parts {
    pub subscriber: Subscriber,
    pub source: Source,
    pub lane: Lane,
    pub clock: IngressClock,
    /// Run every inbox to its end after each burst: nothing is lost, whatever it takes (replay).
    pub lossless: bool,
    pub stop: Arc<AtomicBool>,
    /// Time of the input's last packet in microseconds, when it is known; else 0.
    pub end_us: Arc<AtomicU64>,
}

/// A running worker.
pub(crate) struct Worker(Parts);

/// What a lane is made of.
pub struct LaneParts {
    /// The flow table.
    pub table: FlowTable<DpdkPrefetch>,
    /// IP reassembly.
    pub defrag: Defrag,
    /// Where flow records go.
    pub records: Records,
    /// What is counted.
    pub counters: Arc<WorkerCounters>,
    /// One transmit queue for each tool port, by `ToolId`.
    pub tools: Vec<TxQueue>,
    /// Where reassembled datagrams get their buffers.
    pub pool: Mempool<PacketMeta>,
    /// How frames are parsed.
    pub parse: ParseOptions,
    /// Whether packets with different VLANs are of different flows.
    pub flows_by_vlan: bool,
    /// Packets that one tenant may wait with.
    pub inbox_packets: u32,
}

/// The path of a worker's packets, without its thread and ports: everything that handling a burst writes to. The
/// benches drive one directly.
pub struct Lane {
    /// The burst's packets. Apart from the rest, so that a packet can be worked on in place.
    slots: Box<[Slot]>,
    path: Path,
}

/// Everything of a lane but the burst.
pub(crate) struct Path {
    table: FlowTable<DpdkPrefetch>,
    defrag: Defrag,
    records: Records,
    counters: Arc<WorkerCounters>,
    inboxes: Vec<Inbox>,
    scheduler: Scheduler,
    inspection: Inspection,
    tools: Vec<TxQueue>,
    pool: Mempool<PacketMeta>,
    parse: ParseOptions,
    flows_by_vlan: bool,
    pending: ArrayVec<receive::Pending, BURST_MAX>,
    /// How many of the pending are classified.
    classified: usize,
    queries: Vec<Query>,
    decisions: Box<[Decision]>,
    done: Burst,
    scratch: Vec<u8>,
    fragments_held: u64,
    latest_us: u64,
}

/// What one poll found, beside the burst.
#[derive(Clone, Copy, Default)]
struct Polled {
    /// There will be no more frames.
    ended: bool,
    /// Whose frames they are; `None` if each packet says so itself.
    tenancy: Option<Tenancy>,
}

/// Takes over queues that were handed in; `false` when there will be no more. Captures are taken one after the other.
pub(crate) fn take_fed(feed: &Receiver<Ingress>, ingresses: &mut Vec<Ingress>) -> bool {
    if ingresses.iter().any(|ingress| ingress.frames_left.is_some()) {
        return true;
    }
    match feed.try_recv() {
        Ok(ingress) => {
            ingresses.push(ingress);
            true
        }
        Err(TryRecvError::Empty) => true,
        Err(TryRecvError::Disconnected) => false,
    }
}

/// Cycles after which records of a quiet time are handed over although their batch is not full, when live: some 100 ms.
const FLUSH_CYCLES: u64 = 300_000_000;

/// Cycles of inspection between two polls of the ports, when live: some 50 µs.
const INSPECT_CYCLES: u64 = 150_000;

impl Worker {
    /// Puts a worker together.
    pub(crate) fn new(mut parts: Parts) -> Self {
        parts.lane.adopt(parts.subscriber.running());
        Self(parts)
    }

    /// Polls until the input has ended or `stop` is set, then drains everything. Returns when all is counted.
    pub(crate) fn run(mut self) {
        let mut ingresses: Vec<Ingress> = Vec::new();
        let mut next = 0;
        let mut burst = Burst::new();
        let mut times = BurstTimes::new();
        let mut before = Tsc::now();
        let mut flushed = before;
        loop {
            if self.0.subscriber.is_stale() {
                let Parts { subscriber, lane, .. } = &mut self.0;
                subscriber.advance(|generation| lane.adopt(generation));
            }
            let polled = self.poll(&mut ingresses, &mut next, &mut burst, &mut times);
            let received = !burst.is_empty();
            if received {
                self.0.lane.receive(self.0.subscriber.running(), &mut burst, &times, polled.tenancy);
            } else {
                let tick = ingresses.first().map(|ingress| self.0.clock.tick(ingress.stamp));
                self.0.lane.path.pass_time(tick.unwrap_or(0));
            }
            let after_receive = Tsc::now();
            let budget = if self.0.lossless { u64::MAX } else { INSPECT_CYCLES };
            let worked = self.0.lane.inspect(budget);
            let now = Tsc::now();
            let cycles = &self.0.lane.path.counters.cycles;
            if received { &cycles.receive } else { &cycles.idle }.add(after_receive.since(before));
            if worked {
                cycles.inspect.add(now.since(after_receive));
            }
            before = now;
            if !self.0.lossless && now.since(flushed) > FLUSH_CYCLES {
                self.0.lane.path.records.flush();
                flushed = now;
            }
            if polled.ended || self.0.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        drop(ingresses);
        self.drain();
    }

    /// Takes one burst from the next queue in turn.
    fn poll(
        &mut self,
        ingresses: &mut Vec<Ingress>,
        next: &mut usize,
        burst: &mut Burst,
        times: &mut BurstTimes,
    ) -> Polled {
        match &mut self.0.source {
            Source::Ports(feed) => {
                let fed = take_fed(feed, ingresses);
                if ingresses.is_empty() {
                    return Polled { ended: !fed, tenancy: None };
                }
                *next = (*next + 1) % ingresses.len();
                let ingress = &mut ingresses[*next];
                // A port whose one tenant has a full inbox is left alone: its frames wait, and are then lost, in the
                // NIC's queue and not in everybody's time.
                if let Tenancy::Access { tenant, .. } = ingress.tenancy
                    && self.0.lane.path.inbox_is_full(tenant)
                {
                    return Polled::default();
                }
                let tenancy = Some(ingress.tenancy);
                ingress.rx_burst(&mut self.0.clock, burst, times);
                if ingress.is_over() {
                    ingresses.remove(*next);
                }
                Polled { ended: false, tenancy }
            }
            Source::Distributor { ring, ended } => {
                // Looked at before the ring: what the distributor put in before it ended is then seen.
                let over = ended.load(Ordering::Acquire);
                ring.dequeue_burst(burst);
                times.clear();
                times.extend(burst.iter().map(|mbuf| mbuf.private().time));
                Polled { ended: over && burst.is_empty(), tenancy: None }
            }
        }
    }

    /// Ends every flow and datagram, and hands over the last records.
    fn drain(mut self) {
        self.0.lane.inspect(u64::MAX);
        let known = self.0.end_us.load(Ordering::Acquire);
        let end_us = if known == 0 { self.0.lane.path.latest_us } else { known };
        self.0.lane.finish(end_us);
    }
}

impl Lane {
    /// Puts a lane together, with an inbox for every tenant that `counters` has a row for.
    ///
    /// # Errors
    ///
    /// [`RingError`] when there is no memory for the inboxes.
    pub fn new(eal: &Eal, parts: LaneParts) -> Result<Self, RingError> {
        let tenants = parts.counters.tenants();
        let inboxes = (0..tenants).map(|_| Inbox::new(eal, parts.inbox_packets)).collect::<Result<_, _>>()?;
        let path = Path {
            table: parts.table,
            defrag: parts.defrag,
            records: parts.records,
            counters: parts.counters,
            inboxes,
            scheduler: Scheduler::new(tenants),
            inspection: Inspection::new(parts.parse),
            tools: parts.tools,
            pool: parts.pool,
            parse: parts.parse,
            flows_by_vlan: parts.flows_by_vlan,
            pending: ArrayVec::new(),
            classified: 0,
            queries: Vec::with_capacity(BURST_MAX),
            decisions: vec![Decision::default(); BURST_MAX].into(),
            done: Burst::new(),
            scratch: Vec::new(),
            fragments_held: 0,
            latest_us: 0,
        };
        Ok(Self { slots: vec![Slot::default(); BURST_MAX].into(), path })
    }

    /// Takes over a generation. What waits in the inboxes was steered by the one before, and is inspected by it first;
    /// what tenants have that are no more ends.
    pub fn adopt(&mut self, generation: &Generation) {
        self.path.inspect(u64::MAX);
        self.path.adopt(generation);
    }

    /// Runs pipelines in the order of the scheduler until nobody has work or `budget_cycles` are spent. `true` if there
    /// was any work.
    #[inline]
    pub fn inspect(&mut self, budget_cycles: u64) -> bool {
        self.path.inspect(budget_cycles)
    }

    /// Ends every flow and datagram and hands over the last records, of the time `end_us`.
    pub fn finish(&mut self, end_us: u64) {
        self.path.finish(end_us);
    }
}

impl Path {
    /// Takes over a generation; no packet waits in an inbox.
    fn adopt(&mut self, generation: &Generation) {
        for row in self.counters.leaving(generation) {
            self.dismiss(TenantId(row));
        }
        for (row, tenant) in generation.tenants.iter().enumerate() {
            let Some(tenant) = tenant else { continue };
            self.scheduler.set_weight(row, tenant.weight);
            self.table.set_flows_max(TenantId(row as u16), tenant.flows_max);
        }
        self.records.adopt(generation);
        self.inspection.adopt(generation);
        self.counters.adopt(generation);
    }

    /// Ends what a tenant has that is no more: records of its flows and alerts carry its name still, and what is
    /// counted is counted for it.
    #[cold]
    fn dismiss(&mut self, tenant: TenantId) {
        let (records, now_us) = (&mut self.records, self.latest_us);
        self.table.end_tenant(tenant, now_us, &mut |flow, reason| {
            records.flow_ended(flow, reason, Some(now_us));
        });
        self.inspection.settle(records);
        self.inspection.forget(tenant);
        self.give_up_fragments(tenant);
        self.scheduler.forget(usize::from(tenant.0));
        self.counters.flows_active.store(u64::from(self.table.len()), Ordering::Relaxed);
    }

    /// Moves time on when no packet came.
    fn pass_time(&mut self, now_us: u64) {
        self.latest_us = self.latest_us.max(now_us);
        self.expire();
    }

    /// Ends what is over by the latest packet time.
    #[inline]
    fn expire(&mut self) {
        let records = &mut self.records;
        self.table.advance(self.latest_us, &mut |flow, reason| records.flow_ended(flow, reason, None));
        if self.fragments_held > 0 {
            self.expire_fragments();
        }
        self.counters.flows_active.store(u64::from(self.table.len()), Ordering::Relaxed);
    }

    fn finish(&mut self, end_us: u64) {
        self.drain_fragments();
        let records = &mut self.records;
        // What was over by then ended by its timeout, not by the end of the input, however far the timers had come.
        self.table.expire_all(end_us, &mut |flow, reason| records.flow_ended(flow, reason, None));
        self.table.drain(&mut |flow, reason| records.flow_ended(flow, reason, Some(end_us)));
        self.inspection.settle(&mut self.records);
        self.counters.flows_active.store(0, Ordering::Release);
        self.records.flush();
    }

    /// Gives the buffers of packets that are done with back to their pool.
    #[inline]
    fn free_done(&mut self) {
        Mbuf::free_burst(&mut self.done);
    }
}
