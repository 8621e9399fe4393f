//! The cold path: IP fragments, and the datagrams that come out of them.

use std::sync::atomic::Ordering;

use dpdk::Mbuf;
use flow::FlowKey;
use flow::defrag::{Count, Lost, Outcome};
use wire::{L3, Packet, PacketBuf, TenantId, Vlans};

use super::Path;
use super::receive::Slot;
use crate::PacketMeta;
use crate::counters::WorkerCounters;
use crate::generation::Generation;
use crate::pipeline::Plan;
use crate::reason::Reason;

impl Path {
    /// Puts a fragment into its datagram, and sends a datagram that is now complete on its way.
    #[cold]
    pub(super) fn fragment(&mut self, generation: &Generation, slot: &Slot, mbuf: &Mbuf<PacketMeta>) {
        let tenant = TenantId(slot.tenant);
        let decode = &self.counters.decode;
        if slot.packet.l3 == L3::Ipv4 { &decode.fragments_ipv4 } else { &decode.fragments_ipv6 }.add(1);
        let mut frame = Vec::new();
        let frame = mbuf.contiguous(&mut frame);
        let (packet, time) = (&slot.packet, slot.time);
        self.inspection.odd_headers(tenant, Plan::EVERY_RULE, (packet, frame), time, &mut self.records);
        let now_ns = slot.time.monotonic_us.saturating_mul(1000);
        let mut outcome = self.defrag.push(frame, packet, tenant, now_ns);
        // The frames that stand behind the outcome, besides this one, have been counted as held.
        let mut frames = Count { packets: 1, bytes: u64::from(slot.frame_bytes) };
        loop {
            let (whole, packet) = match outcome {
                Outcome::Complete(datagram) => {
                    frames = datagram.frames;
                    let whole = ethernet_frame(frame, &slot.packet, datagram.bytes);
                    if self.defrag.overlapped() {
                        self.inspection.overlap(tenant, packet, frame, time, &mut self.records);
                    }
                    let parsed = Packet::parse_ethernet(&whole, &self.parse)
                        .and_then(|p| p.innermost(&whole, &self.parse));
                    match parsed {
                        Ok(packet) => (whole, packet),
                        Err(reason) => {
                            self.release(frames);
                            return self.lose(slot.tenant, Reason::Malformed(reason), frames);
                        }
                    }
                }
                Outcome::Held => {
                    self.fragments_held += 1;
                    if self.defrag.overlapped() {
                        self.inspection.overlap(tenant, packet, frame, time, &mut self.records);
                    }
                    return self.publish_held();
                }
                Outcome::Dropped(reason) => {
                    let reason = Reason::Fragment(reason);
                    self.inspection.fault(tenant, (reason, packet), frame, time, &mut self.records);
                    self.release(frames);
                    return self.lose(slot.tenant, reason, frames);
                }
                // The parser says that it is a fragment, so reassembly always takes it; counted all the same.
                Outcome::NotFragment => return self.lose(slot.tenant, Reason::NonIp, frames),
            };
            if packet.fragment.is_none() {
                self.release(frames);
                return self.datagram(generation, slot, &whole, packet, frames);
            }
            // A fragment within a reassembled datagram: only forged traffic has it, and every round is shorter.
            outcome = self.defrag.push_reassembled(&whole, &packet, frames, tenant, now_ns);
        }
    }

    /// Frames that were held of a datagram are held no longer; the last of them never was.
    fn release(&mut self, frames: Count) {
        self.fragments_held = self.fragments_held.saturating_sub(frames.packets.saturating_sub(1));
        self.publish_held();
    }

    /// A reassembled datagram, as a frame of its own that stands for `frames`.
    fn datagram(
        &mut self,
        generation: &Generation,
        held: &Slot,
        whole: &[u8],
        packet: Packet,
        frames: Count,
    ) {
        let decode = &self.counters.decode;
        if packet.l3 == L3::Ipv4 { &decode.reassembled_ipv4 } else { &decode.reassembled_ipv6 }.add(1);
        decode.count_stack(&packet);
        let packet = Packet { vlans: held.packet.vlans, inner_vlans: held.packet.inner_vlans, ..packet };
        let vlans = if self.flows_by_vlan { packet.vlans } else { Vlans::default() };
        let (key, orientation) = FlowKey::new(&packet.tuple, &vlans, TenantId(held.tenant));
        // The frame that it would have come in whole: the flow counts what was said, the tenant what was received.
        let tags = u32::from(held.packet.l3_offset).saturating_sub(u32::from(packet.l3_offset));
        let slot = Slot {
            packet,
            key,
            orientation,
            hash: self.table.hash(&key),
            guess: None,
            frame_bytes: whole.len() as u32 + tags,
            ..*held
        };
        let found = self.observe(generation, &slot);
        let slot = Slot { flow: found.ok(), ..slot };
        let fate = found.map(|flow| self.fate_of(generation, flow));
        self.classify_pending(generation);
        match fate.and_then(|fate| self.verdict(fate)) {
            Err(reason) => self.lose(held.tenant, reason, frames),
            Ok(verdict) => match self.pool.copy_of(&[whole]) {
                None => self.lose(held.tenant, Reason::NoMbuf, frames),
                Some(mbuf) => {
                    let size = (frames.packets as u32, frames.bytes as u32);
                    self.dispatch(generation, verdict, &slot, size, mbuf);
                }
            },
        }
    }

    /// Gives up datagrams that are overdue.
    #[cold]
    pub(super) fn expire_fragments(&mut self) {
        let (counters, held) = (&self.counters, &mut self.fragments_held);
        self.defrag.expire(self.latest_us.saturating_mul(1000), |lost| count_lost(counters, held, lost));
        self.publish_held();
    }

    /// Gives up the datagrams of a tenant that is no more.
    pub(super) fn give_up_fragments(&mut self, tenant: TenantId) {
        let (counters, held) = (&self.counters, &mut self.fragments_held);
        self.defrag.remove_tenant(tenant, |lost| count_lost(counters, held, lost));
        self.publish_held();
    }

    /// Gives up every datagram that is not complete.
    pub(super) fn drain_fragments(&mut self) {
        let (counters, held) = (&self.counters, &mut self.fragments_held);
        self.defrag.drain(|lost| count_lost(counters, held, lost));
        self.publish_held();
    }

    fn publish_held(&self) {
        self.counters.fragments_held.store(self.fragments_held, Ordering::Relaxed);
    }

    fn lose(&self, tenant: u16, reason: Reason, frames: Count) {
        self.counters.tenant(usize::from(tenant)).count_not_inspected(reason, frames.packets, frames.bytes);
    }
}

fn count_lost(counters: &WorkerCounters, held: &mut u64, lost: Lost) {
    *held = held.saturating_sub(lost.frames.packets);
    let reason = Reason::Fragment(lost.reason);
    counters.tenant(usize::from(lost.tenant.0)).count_not_inspected(
        reason,
        lost.frames.packets,
        lost.frames.bytes,
    );
}

/// The datagram behind the link header of `frame`, one of its fragments; of a fragment in a tunnel without the tunnel,
/// and without the tags outside it.
fn ethernet_frame(frame: &[u8], fragment: &Packet, datagram: &[u8]) -> Vec<u8> {
    const ADDRESSES: usize = 12;
    let ethertype: [u8; 2] =
        if datagram.first().is_some_and(|first| first >> 4 == 6) { [0x86, 0xdd] } else { [8, 0] };
    let outside =
        if fragment.depth == 0 { usize::from(fragment.l3_offset).saturating_sub(2) } else { ADDRESSES };
    [frame.get(..outside).unwrap_or(&[0; ADDRESSES]), &ethertype, datagram].concat()
}
