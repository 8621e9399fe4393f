//! The cold path: IP fragments, and the datagrams that come out of them.

use std::sync::atomic::Ordering;

use dpdk::Mbuf;
use flow::FlowKey;
use flow::defrag::{Lost, Outcome};
use wire::{L3, Packet, PacketBuf, TenantId};

use super::Path;
use super::receive::Slot;
use crate::PacketMeta;
use crate::counters::WorkerCounters;
use crate::generation::Generation;
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
        let outcome = self.defrag.push(frame, &slot.packet, tenant, slot.time.monotonic_us.saturating_mul(1000));
        let datagram = match outcome {
            Outcome::Held => {
                self.fragments_held += 1;
                return self.publish_held();
            }
            Outcome::Dropped(reason) => {
                return self.lose(slot.tenant, Reason::Fragment(reason), 1, u64::from(slot.frame_bytes));
            }
            // The parser says that it is one, so reassembly always takes it; counted all the same.
            Outcome::NotFragment => return self.lose(slot.tenant, Reason::NonIp, 1, u64::from(slot.frame_bytes)),
            Outcome::Complete(datagram) => datagram,
        };
        self.fragments_held = self.fragments_held.saturating_sub(datagram.frames.packets.saturating_sub(1));
        let (frames, frame_bytes) = (datagram.frames.packets as u32, datagram.frames.bytes);
        let whole = ethernet_frame(frame, datagram.bytes);
        self.publish_held();
        self.datagram(generation, slot, &whole, (frames, frame_bytes));
    }

    /// A reassembled datagram, as a frame of its own that stands for `frames` frames of `frame_bytes` in all.
    fn datagram(&mut self, generation: &Generation, held: &Slot, whole: &[u8], (frames, frame_bytes): (u32, u64)) {
        let parsed = Packet::parse_ethernet(whole, &self.parse).and_then(|p| p.innermost(whole, &self.parse));
        let packet = match parsed {
            Ok(packet) => packet,
            Err(reason) => return self.lose(held.tenant, Reason::Malformed(reason), u64::from(frames), frame_bytes),
        };
        let decode = &self.counters.decode;
        if packet.l3 == L3::Ipv4 { &decode.reassembled_ipv4 } else { &decode.reassembled_ipv6 }.add(1);
        decode.count_stack(&packet);
        let packet = Packet { vlans: held.packet.vlans, inner_vlans: held.packet.inner_vlans, ..packet };
        let (key, orientation) = FlowKey::new(&packet.tuple, &packet.vlans, TenantId(held.tenant));
        let slot = Slot { packet, key, orientation, hash: self.table.hash(&key), guess: None, ..*held };
        let fate = self.observe(generation, &slot, (frames, frame_bytes)).map(|flow| self.fate_of(generation, flow));
        self.classify_pending(generation);
        match fate.and_then(|fate| self.verdict(fate)) {
            Err(reason) => self.lose(held.tenant, reason, u64::from(frames), frame_bytes),
            Ok(verdict) => match self.pool.copy_of(&[whole]) {
                None => self.lose(held.tenant, Reason::NoMbuf, u64::from(frames), frame_bytes),
                Some(mbuf) => self.dispatch(generation, verdict, &slot, (frames, frame_bytes as u32), mbuf),
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

    /// Gives up every datagram that is not complete.
    pub(super) fn drain_fragments(&mut self) {
        let (counters, held) = (&self.counters, &mut self.fragments_held);
        self.defrag.drain(|lost| count_lost(counters, held, lost));
        self.publish_held();
    }

    fn publish_held(&self) {
        self.counters.fragments_held.store(self.fragments_held, Ordering::Relaxed);
    }

    fn lose(&self, tenant: u16, reason: Reason, packets: u64, bytes: u64) {
        self.counters.tenant(usize::from(tenant)).count_not_inspected(reason, packets, bytes);
    }
}

fn count_lost(counters: &WorkerCounters, held: &mut u64, lost: Lost) {
    *held = held.saturating_sub(lost.frames.packets);
    let reason = Reason::Fragment(lost.reason);
    counters.tenant(usize::from(lost.tenant.0)).count_not_inspected(reason, lost.frames.packets, lost.frames.bytes);
}

/// The datagram behind an Ethernet header with the addresses of `frame`, one of its fragments.
fn ethernet_frame(frame: &[u8], datagram: &[u8]) -> Vec<u8> {
    const ADDRESSES: usize = 12;
    let ethertype: [u8; 2] = if datagram.first().is_some_and(|first| first >> 4 == 6) { [0x86, 0xdd] } else { [8, 0] };
    [frame.get(..ADDRESSES).unwrap_or(&[0; ADDRESSES]), &ethertype, datagram].concat()
}
