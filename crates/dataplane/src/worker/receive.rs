//! Steps 1 to 4: a burst from the poll to its dispatch.
//!
//! The burst goes through in passes, so that the memory each packet needs is under way while the others are worked on:
//! parse all and prefetch their index lines; guess all entries and prefetch those; then, in order, find or make each
//! flow and count the packet; classify the new flows together; dispatch all.

use arrayvec::ArrayVec;
use classify::{Query, Verdict};
use dpdk::{BURST_MAX, Mbuf};
use flow::{EndReason, FlowId, FlowKey, InsertError, Observation, Orientation};
use wire::{Encapsulation, L3, L4, NTuple, Packet, TenantId, Vlans};

use super::Core;
use crate::PacketMeta;
use crate::counters::{Counter, DecodeCounters};
use crate::generation::Generation;
use crate::ingress::{Burst, BurstTimes, Tenancy};
use crate::reason::Reason;
use crate::time::PacketTime;

/// One packet of the burst on its way through the passes.
#[derive(Clone, Copy, Default)]
pub(crate) struct Slot {
    pub(super) packet: Packet,
    pub(super) key: Option<(FlowKey, Orientation)>,
    pub(super) hash: u64,
    pub(super) guess: Option<FlowId>,
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
}

/// A packet that waits for its flow to be classified.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    slot: u8,
    flow: FlowId,
    /// The first of its flow: it asks for the flow.
    asks: bool,
}

/// No tenant: the last row of the counters.
const NO_TENANT: u16 = u16::MAX;
/// In place of a generation's number: the flow's classification is under way.
const CLASSIFYING: u32 = u32::MAX;

/// Frames and bytes of consecutive packets that are counted in the same place.
struct Run {
    tenant: u16,
    packets: u64,
    bytes: u64,
}

impl Core {
    /// Takes a burst; every mbuf of it is freed, or waits in an inbox, or was sent to a tool when this returns.
    #[inline]
    pub(super) fn receive(
        &mut self,
        generation: &Generation,
        burst: &mut Burst,
        times: &BurstTimes,
        tenancy: Option<Tenancy>,
    ) {
        self.parse_burst(generation, burst, times, tenancy);
        for slot in &mut self.slots[..burst.len()] {
            if let Fate::Flow = slot.fate {
                slot.guess = self.table.candidate(slot.hash);
            }
        }
        for place in 0..burst.len() {
            match self.slots[place].fate {
                Fate::Flow => {
                    let slot = self.slots[place];
                    let is_icmp = matches!(slot.packet.l4, L4::Icmp | L4::Icmpv6);
                    if !(is_icmp && self.icmp_without_flow(generation, place, burst[place].data())) {
                        self.flow_of(generation, place);
                    }
                }
                // A fragment may end flows (the table is full): whoever waits for a verdict gets it first.
                Fate::Fragment => {
                    self.classify_pending(generation);
                    self.fragment(generation, place, &burst[place]);
                }
                Fate::Uninspected(_) | Fate::Verdict(_) => {}
            }
        }
        self.classify_pending(generation);
        self.dispatch_burst(generation, burst);
        self.expire();
    }

    /// Pass 1: headers, tenant, key, hash.
    #[inline]
    fn parse_burst(
        &mut self,
        generation: &Generation,
        burst: &Burst,
        times: &BurstTimes,
        tenancy: Option<Tenancy>,
    ) {
        let mut run = Run { tenant: NO_TENANT, packets: 0, bytes: 0 };
        let (mut bytes, mut longest) = (0, 0);
        for ((mbuf, time), place) in burst.iter().zip(times).zip(0..) {
            let slot: &mut Slot = &mut self.slots[place];
            let frame_bytes = mbuf.pkt_len();
            bytes += u64::from(frame_bytes);
            longest = longest.max(frame_bytes);
            slot.time = *time;
            slot.frame_bytes = frame_bytes;
            let tenancy = tenancy.unwrap_or_else(|| mbuf.private().tenancy);
            let frame = wire::PacketBuf::contiguous(mbuf, &mut self.scratch);
            let parsed = Packet::parse_ethernet(frame, &self.parse);
            let vlans = match &parsed {
                Ok(packet) => packet.vlans,
                Err(_) => Packet::vlan_tags(frame),
            };
            let (tenant, vlans) = tenancy.resolve(generation, vlans);
            slot.tenant = tenant.map_or(NO_TENANT, |tenant| tenant.0);
            slot.fate = match parsed.and_then(|packet| self.counters.decode.count(packet, frame, &self.parse)) {
                _ if tenant.is_none() => Fate::Uninspected(Reason::NoTenant),
                Err(reason) => Fate::Uninspected(Reason::Malformed(reason)),
                Ok(packet) => {
                    slot.packet = packet;
                    slot.packet.vlans = vlans;
                    match packet.l3 {
                        L3::Ipv4 | L3::Ipv6 if packet.fragment.is_some() => Fate::Fragment,
                        L3::Ipv4 | L3::Ipv6 => {
                            let key = FlowKey::new(&packet.tuple, &vlans, TenantId(slot.tenant));
                            slot.hash = self.table.hash(&key.0);
                            slot.key = Some(key);
                            self.table.prefetch(slot.hash);
                            Fate::Flow
                        }
                        L3::Arp | L3::Other => Fate::Uninspected(Reason::NonIp),
                    }
                }
            };
            if run.tenant != slot.tenant {
                self.counters.tenant(usize::from(run.tenant)).received.add(run.packets, run.bytes);
                run = Run { tenant: slot.tenant, packets: 0, bytes: 0 };
            }
            run.packets += 1;
            run.bytes += u64::from(frame_bytes);
        }
        self.counters.tenant(usize::from(run.tenant)).received.add(run.packets, run.bytes);
        self.counters.received.add(burst.len() as u64, bytes);
        self.counters.decode.frame_bytes_max.raise(u64::from(longest));
        if let Some(last) = times.last() {
            self.latest_us = last.monotonic_us;
        }
    }

    /// An ICMP error belongs to the flow that it quotes. One that quotes no known flow begins none either (as in the
    /// reference): it is steered on its own, and `true` is returned.
    #[cold]
    fn icmp_without_flow(&mut self, generation: &Generation, place: usize, frame: &[u8]) -> bool {
        let slot = &mut self.slots[place];
        let Some(error) = slot.packet.icmp_error(frame) else { return false };
        let (key, quoted) = FlowKey::new(&error.quoted, &slot.packet.vlans, TenantId(slot.tenant));
        let hash = self.table.hash(&key);
        if self.table.find(hash, &key, None).is_some() {
            slot.hash = hash;
            slot.guess = None;
            slot.key = Some((key, quoted.flipped()));
            return false;
        }
        let query = query(slot.packet.tuple, slot.packet.vlans, TenantId(slot.tenant));
        slot.fate = Fate::Verdict(generation.classifier.classify(&query).verdict);
        true
    }

    /// Pass 3: finds or makes the flow of the packet in `place`, and counts the packet there.
    #[inline]
    fn flow_of(&mut self, generation: &Generation, place: usize) {
        let slot = self.slots[place];
        let seen = (1, u64::from(slot.frame_bytes));
        let fate = match self.observe(generation, &slot, seen) {
            Err(reason) => Fate::Uninspected(reason),
            Ok(flow) => match self.table.get(flow) {
                Some(known) if known.generation == generation.number => {
                    Verdict::from_u32(known.verdict).map_or(Fate::Flow, Fate::Verdict)
                }
                known => {
                    let asks = known.is_some_and(|known| known.generation != CLASSIFYING);
                    if asks {
                        self.table.set_verdict(flow, 0, CLASSIFYING);
                    }
                    // The burst and this list have the same capacity.
                    let _ = self.pending.try_push(Pending { slot: place as u8, flow, asks });
                    Fate::Flow
                }
            },
        };
        self.slots[place].fate = fate;
    }

    /// Finds or makes the flow of a packet, and counts it: `frames` frames with `bytes` bytes in all.
    #[inline]
    pub(super) fn observe(
        &mut self,
        generation: &Generation,
        slot: &Slot,
        (frames, bytes): (u32, u64),
    ) -> Result<FlowId, Reason> {
        let Some((key, orientation)) = slot.key else { return Err(Reason::NonIp) };
        let seen = Observation {
            packet: &slot.packet,
            orientation,
            frames,
            bytes,
            recorded_us: slot.time.recorded_us,
            now_us: slot.time.monotonic_us,
        };
        let flow = match self.table.find(slot.hash, &key, slot.guess) {
            Some(flow) => match self.table.over(flow, &slot.packet, slot.time.monotonic_us) {
                None => flow,
                Some(reason) => {
                    self.end_flow(generation, flow, reason, slot.time);
                    self.begin_flow(generation, slot, &key, &seen)?
                }
            },
            None => self.begin_flow(generation, slot, &key, &seen)?,
        };
        self.table.observe(flow, &seen);
        Ok(flow)
    }

    #[cold]
    fn end_flow(&mut self, generation: &Generation, flow: FlowId, reason: EndReason, time: PacketTime) {
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
        key: &FlowKey,
        seen: &Observation<'_>,
    ) -> Result<FlowId, Reason> {
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

    /// Classifies the flows that wait for it, and gives their packets the verdict.
    #[inline]
    pub(super) fn classify_pending(&mut self, generation: &Generation) {
        if !self.pending.is_empty() {
            self.classify_all_pending(generation);
        }
    }

    #[inline(never)]
    fn classify_all_pending(&mut self, generation: &Generation) {
        self.queries.clear();
        let asking: ArrayVec<FlowId, BURST_MAX> =
            self.pending.iter().filter(|pending| pending.asks).map(|pending| pending.flow).collect();
        for flow in &asking {
            if let Some(flow) = self.table.get(*flow) {
                let key = flow.key();
                self.queries.push(query(key.tuple(flow.initiator()), key.vlans(), key.tenant()));
            }
        }
        generation.classifier.classify_burst(&self.queries, &mut self.decisions[..self.queries.len()]);
        for (flow, decision) in asking.iter().zip(&self.decisions) {
            self.table.set_verdict(*flow, decision.verdict.to_u32(), generation.number);
        }
        for pending in self.pending.drain(..) {
            if let (Some(slot), Some(flow)) =
                (self.slots.get_mut(usize::from(pending.slot)), self.table.get(pending.flow))
            {
                slot.fate = Verdict::from_u32(flow.verdict).map_or(Fate::Flow, Fate::Verdict);
            }
        }
    }

    /// The verdict of one flow that was just observed, outside of a burst.
    pub(super) fn verdict_of(&mut self, generation: &Generation, flow: FlowId, place: usize) -> Option<Verdict> {
        let known = self.table.get(flow)?;
        if known.generation != generation.number {
            let _ = self.pending.try_push(Pending { slot: place as u8, flow, asks: true });
            self.classify_pending(generation);
        }
        self.table.get(flow).and_then(|flow| Verdict::from_u32(flow.verdict))
    }

    /// Pass 5: sends every packet where its verdict says.
    #[inline]
    fn dispatch_burst(&mut self, generation: &Generation, burst: &mut Burst) {
        for (place, mbuf) in burst.drain(..).enumerate() {
            let slot = self.slots[place];
            match slot.fate {
                Fate::Verdict(verdict) => self.dispatch(generation, verdict, &slot, (1, slot.frame_bytes), mbuf),
                Fate::Uninspected(reason) => self.refuse(slot.tenant, reason, (1, slot.frame_bytes), mbuf),
                // Counted when its datagram is complete or given up.
                Fate::Fragment => self.done.push(mbuf),
                // Every flow has a verdict by now; were that ever wrong, the packet would still be counted.
                Fate::Flow => self.refuse(slot.tenant, Reason::FlowTableFull, (1, slot.frame_bytes), mbuf),
            }
            if self.done.is_full() {
                self.free_done();
            }
        }
        self.free_done();
    }

    /// Sends one packet where `verdict` says; it came in `frames` frames of `bytes`.
    #[inline]
    pub(super) fn dispatch(
        &mut self,
        generation: &Generation,
        verdict: Verdict,
        slot: &Slot,
        size: (u32, u32),
        mut mbuf: Mbuf<PacketMeta>,
    ) {
        match verdict {
            Verdict::Pipeline(pipeline) => {
                let inspects = generation
                    .pipelines
                    .get(usize::from(pipeline.0))
                    .is_some_and(|pipeline| !pipeline.inspectors.is_empty());
                if !inspects {
                    return self.refuse(slot.tenant, Reason::HeadersOnly, size, mbuf);
                }
                *mbuf.private_mut() = PacketMeta {
                    time: slot.time,
                    packet: slot.packet,
                    tenancy: Tenancy::Trunk,
                    pipeline: pipeline.0,
                    frames: size.0,
                    frame_bytes: size.1,
                };
                self.enqueue(slot.tenant, size, mbuf);
            }
            Verdict::Shunt => self.refuse(slot.tenant, Reason::Shunt, size, mbuf),
            Verdict::Drop => self.refuse(slot.tenant, Reason::SteeringDrop, size, mbuf),
            Verdict::Tool(tool) => self.hand_over(usize::from(tool.0), slot, size, mbuf),
        }
    }

    /// Counts a packet that no pipeline will see, and frees it.
    #[inline]
    pub(super) fn refuse(&mut self, tenant: u16, reason: Reason, size: (u32, u32), mbuf: Mbuf<PacketMeta>) {
        self.counters.tenant(usize::from(tenant)).count_not_inspected(reason, u64::from(size.0), u64::from(size.1));
        self.done.push(mbuf);
        if self.done.is_full() {
            self.free_done();
        }
    }

    /// Sends a packet out of a tool port, with its VLAN tag put back if the port that received it had taken it off.
    #[cold]
    fn hand_over(&mut self, tool: usize, slot: &Slot, size: (u32, u32), mut mbuf: Mbuf<PacketMeta>) {
        let on_wire = Packet::vlan_tags(mbuf.data()).count;
        let tagged = slot.packet.vlans.count <= on_wire || mbuf.push_vlan(slot.packet.vlans.vids[0]);
        let mut one = ArrayVec::<_, 1>::from([mbuf]);
        let sent = tagged && self.tools.get_mut(tool).is_some_and(|tool| tool.tx_burst(&mut one) == 1);
        let reason = if sent { Reason::Tool } else { Reason::ToolPortFull };
        self.counters.tenant(usize::from(slot.tenant)).count_not_inspected(
            reason,
            u64::from(size.0),
            u64::from(size.1),
        );
    }
}

/// What steering is asked about a flow: its n-tuple as the initiator sends it, and its outermost VLAN.
fn query(tuple: NTuple, vlans: Vlans, tenant: TenantId) -> Query {
    Query { tuple, vlan: (vlans.count > 0).then_some(vlans.vids[0]), tenant }
}

impl DecodeCounters {
    /// Counts a frame's headers, and returns the packet that inspection is about.
    #[inline]
    fn count(
        &self,
        packet: Packet,
        frame: &[u8],
        options: &wire::ParseOptions,
    ) -> Result<Packet, wire::Malformed> {
        self.count_stack(&packet);
        match packet.vlans.count {
            0 => {}
            1 => self.vlan.add(1),
            _ => {
                self.vlan.add(1);
                self.vlan_qinq.add(1);
            }
        }
        if packet.encapsulation.is_none() {
            return Ok(packet);
        }
        self.count_tunnels(packet, frame, options)
    }

    #[cold]
    #[inline(never)]
    fn count_tunnels(
        &self,
        packet: Packet,
        frame: &[u8],
        options: &wire::ParseOptions,
    ) -> Result<Packet, wire::Malformed> {
        let innermost = packet.innermost(frame, options)?;
        let mut stack = packet;
        while stack.depth < innermost.depth
            && let Some(kind) = stack.encapsulation
        {
            self.tunnel(kind).add(1);
            stack = stack.descend(frame, options)?;
            self.count_stack(&stack);
        }
        Ok(innermost)
    }

    fn tunnel(&self, kind: Encapsulation) -> &Counter {
        match kind {
            Encapsulation::Gre => &self.gre,
            Encapsulation::Vxlan => &self.vxlan,
            Encapsulation::Geneve => &self.geneve,
            Encapsulation::IpInIp => &self.ip_in_ip,
        }
    }

    #[inline]
    pub(super) fn count_stack(&self, packet: &Packet) {
        match packet.l3 {
            L3::Ipv4 => self.ipv4.add(1),
            L3::Ipv6 => self.ipv6.add(1),
            L3::Arp => self.arp.add(1),
            L3::Other => self.unknown_ethertype.add(1),
        }
        match packet.l4 {
            L4::Tcp => self.tcp.add(1),
            L4::Udp => self.udp.add(1),
            L4::Sctp => self.sctp.add(1),
            L4::Icmp => self.icmpv4.add(1),
            L4::Icmpv6 => self.icmpv6.add(1),
            L4::Other => {}
        }
    }
}
