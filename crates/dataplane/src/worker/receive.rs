//! Steps 1 to 4: a burst from the poll to its dispatch.
//!
//! The burst goes through in passes, so that the memory each packet needs is under way while the others are worked on:
//! parse all and prefetch their index lines; guess all entries and prefetch those; then, in order, find or make each
//! flow and count the packet; classify the new flows together; dispatch all.

use arrayvec::ArrayVec;
use classify::{Query, Verdict};
use dpdk::Mbuf;
use flow::{EndReason, FlowId, FlowKey, InsertError, NO_SLOT, Observation, Orientation};
use wire::{L3, L4, NTuple, Packet, TenantId, Vlans};

use super::decode::Kinds;
use super::{Lane, Path};
use crate::PacketMeta;
use crate::generation::Generation;
use crate::ingress::{Burst, BurstTimes, Tenancy};
use crate::reason::Reason;
use crate::time::PacketTime;

/// One packet of the burst on its way through the passes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slot {
    pub(super) packet: Packet,
    /// The flow's key and which way the packet goes; set for [`Fate::Flow`].
    pub(super) key: FlowKey,
    pub(super) orientation: Orientation,
    pub(super) hash: u64,
    pub(super) guess: Option<FlowId>,
    /// Its flow, once it is found.
    pub(super) flow: Option<FlowId>,
    pub(super) time: PacketTime,
    /// Row of the tenant's counters; beyond the last tenant for frames of none.
    pub(super) tenant: u16,
    pub(super) frame_bytes: u32,
    pub(super) fate: Fate,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Default)]
pub(super) enum Fate {
    /// Its flow is to be found.
    #[default]
    Flow,
    /// It is a fragment.
    Fragment,
    /// It goes no further.
    Uninspected(Reason),
    /// Its flow's verdict.
    Verdict(Verdict),
    /// Its flow's verdict will be in this place of the pending ones.
    Pending(u8),
}

/// A packet that waits for its flow to be classified.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    flow: FlowId,
    /// The first of its flow: it asks for the flow.
    asks: bool,
    /// Set when the flow is classified.
    verdict: Option<Verdict>,
}

/// No tenant: the last row of the counters.
const NO_TENANT: u16 = u16::MAX;
/// In place of a generation's number: the flow's classification is under way.
const CLASSIFYING: u32 = u32::MAX;

/// Packets and bytes of consecutive packets that are counted in the same place.
struct Run<K> {
    place: K,
    packets: u64,
    bytes: u64,
}

impl<K: Copy + PartialEq> Run<K> {
    fn new(place: K) -> Self {
        Self { place, packets: 0, bytes: 0 }
    }

    /// Counts one packet; what was counted elsewhere is handed to `flush` first.
    #[inline(always)]
    fn add(&mut self, place: K, bytes: u32, flush: impl FnOnce(K, u64, u64)) {
        if place != self.place {
            flush(self.place, self.packets, self.bytes);
            *self = Self::new(place);
        }
        self.packets += 1;
        self.bytes += u64::from(bytes);
    }
}

impl Lane {
    /// Takes a burst; every mbuf of it is freed, or waits in an inbox, or was sent to a tool when this returns.
    #[inline]
    pub fn receive(
        &mut self,
        generation: &Generation,
        burst: &mut Burst,
        times: &BurstTimes,
        tenancy: Option<Tenancy>,
    ) {
        let Self { slots, path } = self;
        let slots = &mut slots[..burst.len()];
        path.parse_burst(generation, burst, times, tenancy, slots);
        for slot in slots.iter_mut() {
            if let Fate::Flow = slot.fate {
                slot.guess = path.table.candidate(slot.hash);
            }
        }
        path.pending.clear();
        path.classified = 0;
        for (slot, mbuf) in slots.iter_mut().zip(burst.iter()) {
            match slot.fate {
                Fate::Flow => {
                    let is_icmp = slot.packet.l4 == L4::Icmp;
                    if !(is_icmp && path.icmp_without_flow(generation, slot, mbuf.data())) {
                        path.flow_of(generation, slot);
                    }
                }
                Fate::Fragment => path.fragment(generation, slot, mbuf),
                Fate::Uninspected(_) | Fate::Verdict(_) | Fate::Pending(_) => {}
            }
        }
        path.classify_pending(generation);
        path.dispatch_burst(generation, burst, slots);
        path.expire();
    }
}

impl Path {
    /// Pass 1: headers, tenant, key, hash.
    #[inline]
    fn parse_burst(
        &mut self,
        generation: &Generation,
        burst: &Burst,
        times: &BurstTimes,
        tenancy: Option<Tenancy>,
        slots: &mut [Slot],
    ) {
        let counters = &*self.counters;
        let count = |tenant: u16, packets, bytes| {
            counters.tenant(usize::from(tenant)).received.add(packets, bytes);
        };
        let mut run = Run::new(NO_TENANT);
        let mut kinds = Kinds::default();
        let (mut bytes, mut longest) = (0, 0);
        for ((mbuf, time), slot) in burst.iter().zip(times).zip(slots) {
            let frame_bytes = mbuf.pkt_len();
            bytes += u64::from(frame_bytes);
            longest = longest.max(frame_bytes);
            slot.time = *time;
            slot.flow = None;
            slot.frame_bytes = frame_bytes;
            let tenancy = match tenancy {
                Some(tenancy) => tenancy,
                None => mbuf.private().tenancy,
            };
            let frame = wire::PacketBuf::contiguous(mbuf, &mut self.scratch);
            let parsed = slot.packet.assign_ethernet(frame, &self.parse);
            let (owner, parsed) = match parsed {
                Ok(()) => {
                    let owner = tenancy.resolve(generation, slot.packet.vlans);
                    (owner, counters.decode.count(&mut slot.packet, frame, self.parse, &mut kinds))
                }
                Err(reason) => (tenancy.resolve(generation, Packet::vlan_tags(frame)), Err(reason)),
            };
            let (tenant, vlans) = owner;
            slot.packet.vlans = vlans;
            slot.tenant = tenant.map_or(NO_TENANT, |tenant| tenant.0);
            slot.fate = match parsed {
                _ if tenant.is_none() => Fate::Uninspected(Reason::NoTenant),
                Err(reason) => Fate::Uninspected(Reason::Malformed(reason)),
                Ok(()) => match slot.packet.l3 {
                    L3::Ipv4 | L3::Ipv6 if slot.packet.fragment.is_some() => Fate::Fragment,
                    L3::Ipv4 | L3::Ipv6 => {
                        let vlans = if self.flows_by_vlan { vlans } else { Vlans::default() };
                        (slot.key, slot.orientation) =
                            FlowKey::new(&slot.packet.tuple, &vlans, TenantId(slot.tenant));
                        slot.hash = self.table.hash(&slot.key);
                        self.table.prefetch(slot.hash);
                        Fate::Flow
                    }
                    L3::Arp | L3::Other => Fate::Uninspected(Reason::NonIp),
                },
            };
            run.add(slot.tenant, frame_bytes, count);
        }
        count(run.place, run.packets, run.bytes);
        counters.received.add(burst.len() as u64, bytes);
        counters.decode.add_kinds(&kinds);
        counters.decode.frame_bytes_max.raise(u64::from(longest));
        if let Some(last) = times.last() {
            self.latest_us = last.monotonic_us;
        }
    }

    /// An ICMP error belongs to the flow that it quotes. One that quotes no known flow begins none either: it is steered
    /// on its own, and `true` is returned. `ICMPv6` errors are flows of their own. The reference does it so.
    #[cold]
    fn icmp_without_flow(&mut self, generation: &Generation, slot: &mut Slot, frame: &[u8]) -> bool {
        let Some(error) = slot.packet.icmp_error(frame) else { return false };
        let vlans = if self.flows_by_vlan { slot.packet.vlans } else { Vlans::default() };
        let (key, quoted) = FlowKey::new(&error.quoted, &vlans, TenantId(slot.tenant));
        let hash = self.table.hash(&key);
        if self.table.find(hash, &key, None).is_some() {
            slot.hash = hash;
            slot.guess = None;
            (slot.key, slot.orientation) = (key, quoted.flipped());
            return false;
        }
        let query = query(slot.packet.tuple, slot.packet.vlans, TenantId(slot.tenant));
        slot.fate = Fate::Verdict(generation.classifier.classify(&query).verdict);
        true
    }

    /// Pass 3: finds or makes the packet's flow, and counts the packet there.
    #[inline]
    fn flow_of(&mut self, generation: &Generation, slot: &mut Slot) {
        slot.fate = match self.observe(generation, slot) {
            Err(reason) => Fate::Uninspected(reason),
            Ok(flow) => {
                slot.flow = Some(flow);
                self.fate_of(generation, flow)
            }
        };
    }

    /// The verdict of a flow, or a place in the queue for it.
    #[inline]
    pub(super) fn fate_of(&mut self, generation: &Generation, flow: FlowId) -> Fate {
        let Some(known) = self.table.get(flow) else { return Fate::Uninspected(Reason::FlowTableFull) };
        if known.generation == generation.number
            && let Some(verdict) = Verdict::from_u32(known.verdict)
        {
            return Fate::Verdict(verdict);
        }
        let asks = known.generation != CLASSIFYING;
        if asks {
            self.table.set_verdict(flow, 0, CLASSIFYING);
        }
        let place = self.pending.len() as u8;
        match self.pending.try_push(Pending { flow, asks, verdict: None }) {
            Ok(()) => Fate::Pending(place),
            // There is a place for every packet of a burst.
            Err(_) => Fate::Uninspected(Reason::FlowTableFull),
        }
    }

    /// Finds or makes the flow of a packet, and counts the packet there.
    #[inline]
    pub(super) fn observe(&mut self, generation: &Generation, slot: &Slot) -> Result<FlowId, Reason> {
        let seen = Observation {
            packet: &slot.packet,
            orientation: slot.orientation,
            frame_bytes: u64::from(slot.frame_bytes),
            recorded_us: slot.time.recorded_us,
            now_us: slot.time.monotonic_us,
        };
        let flow = match self.table.find(slot.hash, &slot.key, slot.guess) {
            Some(flow) => match self.table.over(flow, &slot.packet, slot.time.monotonic_us) {
                None => flow,
                Some(reason) => {
                    self.end_flow(generation, flow, reason, slot.time);
                    self.begin_flow(generation, slot, &seen)?
                }
            },
            None => self.begin_flow(generation, slot, &seen)?,
        };
        self.table.observe(flow, &seen);
        Ok(flow)
    }

    #[cold]
    fn end_flow(&mut self, generation: &Generation, flow: FlowId, reason: EndReason, time: PacketTime) {
        // Its record shows its verdict, so that must be known.
        self.classify_pending(generation);
        let records = &mut self.records;
        self.table.end(flow, reason, &mut |flow, reason| {
            records.flow_ended(flow, reason, Some(time.recorded_us));
        });
    }

    #[inline(never)]
    fn begin_flow(
        &mut self,
        generation: &Generation,
        slot: &Slot,
        seen: &Observation<'_>,
    ) -> Result<FlowId, Reason> {
        let key = &slot.key;
        if !self.table.has_room(key.tenant()) {
            // Somebody's flow is about to end; if it waits for its verdict, its record needs that first.
            self.classify_pending(generation);
        }
        let (records, recorded_us) = (&mut self.records, slot.time.recorded_us);
        let ended = &mut |flow: &flow::Flow, reason| records.flow_ended(flow, reason, Some(recorded_us));
        let flow = self.table.insert(slot.hash, key, seen, ended).map_err(|error| match error {
            InsertError::TableFull => Reason::FlowTableFull,
            InsertError::TenantCap => Reason::FlowCap,
        })?;
        self.counters.tenant(usize::from(slot.tenant)).flows.add(1);
        let kind = match key.protocol() {
            6 => 0,
            17 => 1,
            1 => 2,
            58 => 3,
            _ => 4,
        };
        self.counters.flows_by_protocol[kind].add(1);
        Ok(flow)
    }

    /// Classifies the flows that wait for it.
    #[inline]
    pub(super) fn classify_pending(&mut self, generation: &Generation) {
        if self.classified < self.pending.len() {
            self.classify_all_pending(generation);
        }
    }

    #[inline(never)]
    fn classify_all_pending(&mut self, generation: &Generation) {
        let waiting = &mut self.pending[self.classified..];
        self.queries.clear();
        for pending in waiting.iter().filter(|pending| pending.asks) {
            // A flow does not end while it waits; its place in the list of answers is kept in any case.
            let key = self.table.get(pending.flow).map(|flow| (*flow.key(), flow.initiator()));
            let (tuple, vlans, tenant) = key.map_or_else(Default::default, |(key, initiator)| {
                (key.tuple(initiator), key.vlans(), key.tenant())
            });
            self.queries.push(query(tuple, vlans, tenant));
        }
        generation.classifier.classify_burst(&self.queries, &mut self.decisions);
        let asking = waiting.iter().filter(|pending| pending.asks);
        for (pending, decision) in asking.zip(&self.decisions) {
            self.table.set_verdict(pending.flow, decision.verdict.to_u32(), generation.number);
        }
        for pending in waiting {
            pending.verdict = self.table.get(pending.flow).and_then(|flow| Verdict::from_u32(flow.verdict));
        }
        self.classified = self.pending.len();
    }

    /// The verdict that a packet's fate leads to, once everything pending is classified.
    #[inline]
    pub(super) fn verdict(&self, fate: Fate) -> Result<Verdict, Reason> {
        match fate {
            Fate::Verdict(verdict) => Ok(verdict),
            Fate::Pending(place) => self
                .pending
                .get(usize::from(place))
                .and_then(|pending| pending.verdict)
                .ok_or(Reason::FlowTableFull),
            Fate::Uninspected(reason) => Err(reason),
            Fate::Flow | Fate::Fragment => Err(Reason::FlowTableFull),
        }
    }

    /// Pass 5: sends every packet where its verdict says.
    #[inline]
    fn dispatch_burst(&mut self, generation: &Generation, burst: &mut Burst, slots: &[Slot]) {
        let mut run = Run::new((NO_TENANT, Reason::NoTenant));
        let counters = std::sync::Arc::clone(&self.counters);
        let count = |(tenant, reason), packets, bytes| {
            counters.tenant(usize::from(tenant)).count_not_inspected(reason, packets, bytes);
        };
        // Most packets are counted and freed: those stay where they are and go back to their pool together.
        let mut kept = 0;
        for (place, slot) in slots.iter().enumerate() {
            if let Fate::Fragment = slot.fate {
                // Counted when its datagram is complete or given up.
                kept |= 1_u64 << place;
                continue;
            }
            let reason = match self.verdict(slot.fate) {
                Err(reason) => reason,
                Ok(Verdict::Shunt) => Reason::Shunt,
                Ok(Verdict::Drop) => Reason::SteeringDrop,
                Ok(Verdict::Pipeline(pipeline)) if !generation.inspects(pipeline) => Reason::HeadersOnly,
                Ok(Verdict::Pipeline(_) | Verdict::Tool(_)) => continue,
            };
            kept |= 1 << place;
            if let (Reason::Malformed(_), Some(mbuf)) = (reason, burst.get(place)) {
                let fault = (reason, &slot.packet);
                self.inspection.fault(
                    TenantId(slot.tenant),
                    fault,
                    mbuf.data(),
                    slot.time,
                    &mut self.records,
                );
            }
            run.add((slot.tenant, reason), slot.frame_bytes, count);
        }
        count(run.place, run.packets, run.bytes);
        let all = u64::MAX.checked_shr(64 - slots.len() as u32).unwrap_or(0);
        if kept == all {
            return Mbuf::free_burst(burst);
        }
        for ((place, slot), mbuf) in slots.iter().enumerate().zip(burst.drain(..)) {
            if kept & (1 << place) != 0 {
                self.done.push(mbuf);
            } else if let Ok(verdict) = self.verdict(slot.fate) {
                self.dispatch(generation, verdict, slot, (1, slot.frame_bytes), mbuf);
            }
        }
        self.free_done();
    }

    /// Sends one packet where `verdict` says; it came in `frames` frames of `bytes`.
    pub(super) fn dispatch(
        &mut self,
        generation: &Generation,
        verdict: Verdict,
        slot: &Slot,
        size: (u32, u32),
        mut mbuf: Mbuf<PacketMeta>,
    ) {
        match verdict {
            Verdict::Pipeline(pipeline) if generation.inspects(pipeline) => {
                let place = self.place_of(slot, pipeline.0);
                let meta = mbuf.private_mut();
                meta.time = slot.time;
                meta.packet = slot.packet;
                meta.pipeline = pipeline.0;
                meta.slot = place;
                meta.orientation = slot.orientation;
                (meta.frames, meta.frame_bytes) = size;
                self.enqueue(slot.tenant, size, mbuf);
            }
            Verdict::Pipeline(_) => self.refuse(slot.tenant, Reason::HeadersOnly, size, mbuf),
            Verdict::Shunt => self.refuse(slot.tenant, Reason::Shunt, size, mbuf),
            Verdict::Drop => self.refuse(slot.tenant, Reason::SteeringDrop, size, mbuf),
            Verdict::Tool(tool) => self.hand_over(usize::from(tool.0), slot, size, mbuf),
        }
    }

    /// Where inspection keeps the packet's flow; a place is made for the flow's first packet.
    #[inline]
    fn place_of(&mut self, slot: &Slot, pipeline: u16) -> u32 {
        let Some((id, flow)) = slot.flow.and_then(|id| Some((id, self.table.get(id)?))) else {
            return NO_SLOT;
        };
        if flow.slot != NO_SLOT {
            return flow.slot;
        }
        let place = self.inspection.begin(flow, self.records.flow_id(flow), TenantId(slot.tenant), pipeline);
        self.table.set_slot(id, place);
        place
    }

    /// Counts a packet that no pipeline will see, and frees it.
    pub(super) fn refuse(&mut self, tenant: u16, reason: Reason, size: (u32, u32), mbuf: Mbuf<PacketMeta>) {
        self.count_refused(tenant, reason, size);
        self.done.push(mbuf);
        if self.done.is_full() {
            self.free_done();
        }
    }

    pub(super) fn count_refused(&self, tenant: u16, reason: Reason, (frames, bytes): (u32, u32)) {
        self.counters.tenant(usize::from(tenant)).count_not_inspected(
            reason,
            u64::from(frames),
            u64::from(bytes),
        );
    }

    /// Hands a packet to a tool and counts it.
    #[cold]
    fn hand_over(&mut self, tool: usize, slot: &Slot, size: (u32, u32), mbuf: Mbuf<PacketMeta>) {
        let sent = self.send(tool, slot.packet.vlans, mbuf);
        self.count_refused(slot.tenant, if sent { Reason::Tool } else { Reason::ToolPortFull }, size);
    }

    /// Sends a packet out of a tool port, with its VLAN tag put back if the port that received it had taken it off;
    /// `false` if the port does not take it, which is then freed.
    #[cold]
    pub(super) fn send(&mut self, tool: usize, vlans: Vlans, mut mbuf: Mbuf<PacketMeta>) -> bool {
        let on_wire = Packet::vlan_tags(mbuf.data()).count;
        let tagged = vlans.count <= on_wire || mbuf.push_vlan(vlans.vids[0]);
        let mut one = ArrayVec::<_, 1>::from([mbuf]);
        tagged && self.tools.get_mut(tool).is_some_and(|tool| tool.tx_burst(&mut one) == 1)
    }
}

/// What steering is asked about a flow: its n-tuple as the initiator sends it, and its outermost VLAN.
fn query(tuple: NTuple, vlans: Vlans, tenant: TenantId) -> Query {
    Query { tuple, vlan: (vlans.count > 0).then_some(vlans.vids[0]), tenant }
}
