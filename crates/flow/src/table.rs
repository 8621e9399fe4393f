//! The flow table of one worker: fixed capacity, no allocation after it is made, no locks.
//!
//! Cost tiers: a packet of a known flow reads one cache line of the index and two of the flow, all of which
//! [`FlowTable::prefetch`] and [`FlowTable::candidate`] can have under way for a whole burst at once. A new flow adds
//! two list insertions (timer, eviction order). Ending a flow is the same again.
//!
//! Expiry does not depend on when [`FlowTable::advance`] runs: [`FlowTable::over`] asks the flow itself, so one worker
//! and two give the same records.

mod ending;

use std::io;

use wire::{Packet, TenantId};

use crate::flow::{EndReason, Flow, FlowState};
use crate::index::Index;
use crate::key::{FlowKey, HashSeed, Orientation};
use crate::lists::Lists;
use crate::memory::Records;
use crate::prefetch::Prefetch;
use crate::timeouts::{TimeoutTable, Timeouts};
use crate::timer::Wheel;

/// How large a table is, and how it behaves.
#[derive(Clone, Debug)]
pub struct TableConfig {
    /// The most flows at a time, over all tenants.
    pub flows_max: u32,
    /// Tenants that flows may belong to.
    pub tenants: u16,
    /// Timeouts.
    pub timeouts: Timeouts,
    /// The secret of the hash.
    pub seed: HashSeed,
}

/// A flow's place in its table, valid until the flow ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FlowId(u32);

/// Why a flow was not taken into the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InsertError {
    /// The table is full and the tenant has no flow that could make room.
    #[error("the flow table is full")]
    TableFull,
    /// The tenant may have no flows.
    #[error("the tenant has as many flows as it may have")]
    TenantCap,
}

/// Why a table could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Not enough memory.
    #[error("no memory for a table of {flows} flows ({} MiB): {source}; lower flows_max", (*flows as u64 * 176) >> 20)]
    Memory {
        /// Flows asked for.
        flows: u32,
        /// The system's error.
        source: io::Error,
    },
    /// Zero, or more than entry numbers reach.
    #[error("a table of {flows} flows cannot be made; flows_max must be 1 to 1073741824")]
    Size {
        /// Flows asked for.
        flows: u32,
    },
}

/// A packet on its way through the table.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The packet's headers.
    pub packet: &'a Packet,
    /// Which way it goes.
    pub orientation: Orientation,
    /// Length of its frame in bytes; of a reassembled datagram, of the frame that it would have come in whole.
    pub frame_bytes: u64,
    /// The packet's own time, in microseconds since the epoch.
    pub recorded_us: u64,
    /// Packet time that never steps back, in microseconds.
    pub now_us: u64,
}

/// What the table did, by number of flows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TableStats {
    /// Flows begun.
    pub begun: u64,
    /// Ended for want of packets.
    pub timed_out: u64,
    /// Ended when the worker stopped.
    pub shut_down: u64,
    /// Ended by a new connection with the same n-tuple.
    pub reused: u64,
    /// Ended because their tenant was at its cap.
    pub evicted_tenant_cap: u64,
    /// Ended because the table was full.
    pub evicted_table_full: u64,
    /// Ended because their tenant is no more.
    pub tenant_removed: u64,
}

#[derive(Clone, Copy, Debug)]
struct Tenant {
    flows: u32,
    flows_max: u32,
}

/// Eviction order: one list for each tenant and state, oldest change of state first.
const CLASSES: u32 = 3;
/// Flows that one eviction looks at in the class of established flows, for one that was not seen lately.
const SECOND_CHANCES: u32 = 8;
/// Timer steps in one call of [`FlowTable::advance`], so that a burst boundary never stalls.
const STEPS_PER_ADVANCE: u32 = 256;
/// Fired entries whose lines are loaded together.
const FIRED_TOGETHER: usize = 16;

/// The flows of one worker.
pub struct FlowTable<P: Prefetch> {
    flows: Records<Flow>,
    index: Index,
    /// Lists 0.. are the eviction orders; the last holds the free entries.
    order: Lists,
    wheel: Wheel,
    tenants: Vec<Tenant>,
    timeouts: TimeoutTable,
    seed: HashSeed,
    stats: TableStats,
    len: u32,
    prefetch: std::marker::PhantomData<P>,
}

impl<P: Prefetch> FlowTable<P> {
    /// Makes an empty table and touches all of its memory. Every tenant may fill it until
    /// [`set_flows_max`](Self::set_flows_max).
    ///
    /// # Errors
    ///
    /// [`TableError`] when the size is out of range or memory is short.
    pub fn new(config: &TableConfig) -> Result<Self, TableError> {
        let flows = config.flows_max;
        if flows == 0 || flows > 1 << 30 {
            return Err(TableError::Size { flows });
        }
        let memory = |source| TableError::Memory { flows, source };
        let classes = u32::from(config.tenants) * CLASSES;
        let mut order = Lists::new(flows, classes + 1).map_err(memory)?;
        for entry in 0..flows {
            order.push_back(classes, entry);
        }
        Ok(Self {
            flows: Records::new(flows as usize).map_err(memory)?,
            index: Index::new(flows).map_err(memory)?,
            order,
            wheel: Wheel::new(flows).map_err(memory)?,
            tenants: vec![Tenant { flows: 0, flows_max: u32::MAX }; usize::from(config.tenants)],
            timeouts: TimeoutTable::new(&config.timeouts),
            seed: config.seed.clone(),
            stats: TableStats::default(),
            len: 0,
            prefetch: std::marker::PhantomData,
        })
    }

    /// Sets the most flows a tenant may have at a time. Flows that it has beyond that stay until they end.
    pub fn set_flows_max(&mut self, tenant: TenantId, flows_max: u32) {
        if let Some(tenant) = self.tenants.get_mut(usize::from(tenant.0)) {
            tenant.flows_max = flows_max;
        }
    }

    /// The hash by which the table finds a key.
    #[inline]
    pub fn hash(&self, key: &FlowKey) -> u64 {
        key.hash(&self.seed)
    }

    /// First step of a batched lookup: starts loading the index line of `hash`.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        self.index.prefetch::<P>(hash);
    }

    /// Second step: the entry that probably is the flow, whose lines start loading. A guess: [`find`](Self::find)
    /// verifies it when the packet's turn comes, because an earlier packet of the burst may have ended the flow.
    #[inline]
    pub fn candidate(&self, hash: u64) -> Option<FlowId> {
        let entry = self.index.candidate(hash)?;
        let flow = self.flows.get(entry)?;
        P::read(flow);
        P::read(&flow.slot);
        Some(FlowId(entry))
    }

    /// The flow of `key`; `guess` comes from [`candidate`](Self::candidate) and may be wrong or stale.
    #[inline]
    pub fn find(&self, hash: u64, key: &FlowKey, guess: Option<FlowId>) -> Option<FlowId> {
        let is_it =
            |entry: u32| self.flows.get(entry).is_some_and(|flow| flow.in_use() && flow.key.same_as(key));
        if let Some(FlowId(entry)) = guess
            && is_it(entry)
        {
            return guess;
        }
        self.index.find(hash, is_it).map(FlowId)
    }

    /// Whether this packet finds its flow over: timed out by packet time, or closed and begun anew. The caller then
    /// [`end`](Self::end)s it and [`insert`](Self::insert)s a new one.
    #[inline]
    pub fn over(&self, id: FlowId, packet: &Packet, now_us: u64) -> Option<EndReason> {
        let flow = self.flows.get(id.0)?;
        if now_us > self.timeouts.deadline_us(flow) {
            return Some(EndReason::Timeout);
        }
        flow.is_reused_by(packet).then_some(EndReason::TcpReuse)
    }

    /// Whether a new flow of `tenant` can be taken in without another one being given up for it.
    #[inline]
    pub fn has_room(&self, tenant: TenantId) -> bool {
        let below_cap =
            self.tenants.get(usize::from(tenant.0)).is_some_and(|tenant| tenant.flows < tenant.flows_max);
        below_cap && (self.len as usize) < self.flows.len()
    }

    /// Takes in a new flow, which begins with this packet; [`observe`](Self::observe) then counts it.
    ///
    /// A tenant at its cap, or a full table, gives up a flow of the same tenant: a closed one, else the one that has
    /// waited longest for an answer, else an established one that was not seen lately. Nobody's flood evicts another
    /// tenant's flows.
    ///
    /// # Errors
    ///
    /// [`InsertError`] when nothing of this tenant can make room.
    pub fn insert(
        &mut self,
        hash: u64,
        key: &FlowKey,
        seen: &Observation<'_>,
        ended: &mut impl FnMut(&Flow, EndReason),
    ) -> Result<FlowId, InsertError> {
        let tenant = key.tenant();
        let row = usize::from(tenant.0);
        let Some(Tenant { flows, flows_max }) = self.tenants.get(row).copied() else {
            return Err(InsertError::TenantCap);
        };
        if flows >= flows_max && !self.evict(tenant, EndReason::EvictedTenantCap, seen.now_us, ended) {
            return Err(InsertError::TenantCap);
        }
        let free = self.free_list();
        if self.order.front(free).is_none() {
            self.evict(tenant, EndReason::EvictedTableFull, seen.now_us, ended);
        }
        let entry = self.order.front(free).ok_or(InsertError::TableFull)?;
        let (records, seed) = (&self.flows, &self.seed);
        let hash_of = |entry| records.get(entry).map_or(0, |flow: &Flow| flow.key.hash(seed));
        if !self.index.insert(hash, entry, hash_of) {
            return Err(InsertError::TableFull);
        }
        let mut flow = Flow::begin(*key, seen.packet, seen.orientation, seen.recorded_us);
        flow.seen_us = seen.now_us;
        if let Some(place) = self.flows.get_mut(entry) {
            *place = flow;
        }
        self.order.remove(entry);
        self.order.push_back(class_list(tenant, FlowState::New), entry);
        self.wheel.insert(entry, seen.now_us, self.timeouts.deadline_us(&flow));
        if let Some(tenant) = self.tenants.get_mut(row) {
            tenant.flows += 1;
        }
        self.len += 1;
        self.stats.begun += 1;
        self.prefetch_next(tenant);
        Ok(FlowId(entry))
    }

    /// Counts a packet of a flow.
    #[inline]
    pub fn observe(&mut self, id: FlowId, seen: &Observation<'_>) {
        let Some(flow) = self.flows.get_mut(id.0) else { return };
        let before = flow.timeout_place();
        flow.seen_us = flow.seen_us.max(seen.now_us);
        flow.observe(seen.packet, seen.orientation, seen.frame_bytes, seen.recorded_us);
        if before != flow.timeout_place() {
            let (list, deadline_us) =
                (class_list(flow.key.tenant(), flow.state()), self.timeouts.deadline_us(flow));
            let seen_us = flow.seen_us;
            self.change_class(id.0, list, seen_us, deadline_us);
        }
    }

    /// A change of state moves the flow in the eviction order, and its timer, whose time may now be shorter.
    #[cold]
    fn change_class(&mut self, entry: u32, list: u32, seen_us: u64, deadline_us: u64) {
        self.order.remove(entry);
        self.order.push_back(list, entry);
        self.wheel.remove(entry);
        self.wheel.insert(entry, seen_us, deadline_us);
    }

    /// The flow, if the identifier is still valid.
    #[inline]
    pub fn get(&self, id: FlowId) -> Option<&Flow> {
        self.flows.get(id.0).filter(|flow| flow.in_use())
    }

    /// Sets the dataplane's verdict and the generation that gave it.
    #[inline]
    pub fn set_verdict(&mut self, id: FlowId, verdict: u32, generation: u32) {
        if let Some(flow) = self.flows.get_mut(id.0) {
            flow.verdict = verdict;
            flow.generation = generation;
        }
    }

    /// Notes where the flow's inspection state is kept.
    pub fn set_slot(&mut self, id: FlowId, slot: u32) {
        if let Some(flow) = self.flows.get_mut(id.0) {
            flow.slot = slot;
        }
    }

    /// Ends a flow and frees its place.
    pub fn end(&mut self, id: FlowId, reason: EndReason, ended: &mut impl FnMut(&Flow, EndReason)) {
        let entry = id.0;
        let Some(flow) = self.flows.get_mut(entry).filter(|flow| flow.in_use()) else { return };
        let ending = *flow;
        flow.release();
        let flow = ending;
        ended(&flow, reason);
        self.index.remove(flow.key.hash(&self.seed), entry);
        self.wheel.remove(entry);
        self.order.remove(entry);
        // Last in, first out: what was freed last is still in the cache.
        let free = self.free_list();
        self.order.push_front(free, entry);
        if let Some(tenant) = self.tenants.get_mut(usize::from(flow.key.tenant().0)) {
            tenant.flows -= 1;
        }
        self.len -= 1;
        let counter = match reason {
            EndReason::Timeout => &mut self.stats.timed_out,
            EndReason::Shutdown => &mut self.stats.shut_down,
            EndReason::TcpReuse => &mut self.stats.reused,
            EndReason::EvictedTenantCap => &mut self.stats.evicted_tenant_cap,
            EndReason::EvictedTableFull => &mut self.stats.evicted_table_full,
            EndReason::TenantRemoved => &mut self.stats.tenant_removed,
        };
        *counter += 1;
    }

    /// Gives up one flow of `tenant`; `false` if it has none. One whose time is over has ended by itself: whether the
    /// timers came to it before must not show.
    fn evict(
        &mut self,
        tenant: TenantId,
        reason: EndReason,
        now_us: u64,
        ended: &mut impl FnMut(&Flow, EndReason),
    ) -> bool {
        let Some(entry) = self.easy_victim(tenant).or_else(|| self.least_recent(tenant)) else {
            return false;
        };
        let timed_out = self.flows.get(entry).is_some_and(|flow| now_us > self.timeouts.deadline_us(flow));
        self.end(FlowId(entry), if timed_out { EndReason::Timeout } else { reason }, ended);
        true
    }

    /// The flow that was closed first, or else the one that has waited longest for an answer.
    fn easy_victim(&self, tenant: TenantId) -> Option<u32> {
        let front = |state| self.order.front(class_list(tenant, state));
        front(FlowState::Closed).or_else(|| front(FlowState::New))
    }

    /// Starts loading what the next new flow will need: the place it takes, or the flow that is given up for it.
    fn prefetch_next(&self, tenant: TenantId) {
        let next = self.order.front(self.free_list()).or_else(|| self.easy_victim(tenant));
        if let Some(entry) = next {
            self.order.prefetch::<P>(entry);
            self.wheel.prefetch::<P>(entry);
            if let Some(flow) = self.flows.get(entry) {
                P::read(flow);
                P::read(&flow.slot);
            }
        }
    }

    /// Of the oldest established flows the one that was seen longest ago.
    fn least_recent(&self, tenant: TenantId) -> Option<u32> {
        let first = self.order.front(class_list(tenant, FlowState::Established));
        std::iter::successors(first, |entry| self.order.after(*entry))
            .take(SECOND_CHANCES as usize)
            .min_by_key(|entry| self.flows.get(*entry).map(|flow| flow.seen_us))
    }

    /// Ends flows whose time is over by `now_us`, a bounded number in one call.
    #[inline]
    pub fn advance(&mut self, now_us: u64, ended: &mut impl FnMut(&Flow, EndReason)) {
        let mut work = STEPS_PER_ADVANCE;
        while let Some(entry) = self.wheel.fire(now_us, &mut work) {
            self.fire(entry, now_us, &mut work, ended);
        }
    }

    /// Looks at fired entries, some at a time so that their lines load together: ends what is over, puts back the rest.
    #[inline(never)]
    fn fire(&mut self, first: u32, now_us: u64, work: &mut u32, ended: &mut impl FnMut(&Flow, EndReason)) {
        let mut entries = [first; FIRED_TOGETHER];
        let mut count = 1;
        for place in entries.iter_mut().skip(1) {
            let Some(entry) = self.wheel.fire(now_us, work) else { break };
            *place = entry;
            count += 1;
        }
        for entry in &entries[..count] {
            if let Some(flow) = self.flows.get(*entry) {
                P::read(flow);
                self.order.prefetch::<P>(*entry);
            }
        }
        for entry in &entries[..count] {
            let Some(flow) = self.flows.get(*entry) else { continue };
            let deadline_us = self.timeouts.deadline_us(flow);
            if now_us > deadline_us {
                self.end(FlowId(*entry), EndReason::Timeout, ended);
            } else {
                self.wheel.insert(*entry, now_us, deadline_us);
            }
        }
    }

    fn free_list(&self) -> u32 {
        self.tenants.len() as u32 * CLASSES
    }

    /// Flows in the table.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether the table has no flows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Flows of one tenant in the table.
    pub fn tenant_len(&self, tenant: TenantId) -> u32 {
        self.tenants.get(usize::from(tenant.0)).map_or(0, |tenant| tenant.flows)
    }

    /// What the table did so far.
    pub fn stats(&self) -> TableStats {
        self.stats
    }

    /// Memory of the table in bytes, index and timers included.
    pub fn bytes(&self) -> usize {
        self.flows.bytes() + self.index.bytes() + self.order.bytes() + self.wheel.bytes()
    }
}

const fn class_list(tenant: TenantId, state: FlowState) -> u32 {
    tenant.0 as u32 * CLASSES + state as u32
}
