//! The distributor: one lcore that spreads the frames of ports without RSS over several workers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Receiver;
use dpdk::{Mbuf, Producer, Tsc};
use wire::{Packet, PacketBuf, ParseOptions};

use crate::counters::WorkerCounters;
use crate::generation::Subscriber;
use crate::ingress::{Burst, BurstTimes, Ingress, IngressClock, shard};
use crate::reason::Reason;
use crate::worker::take_fed;

/// What a distributor is made of.
pub(crate) struct Distributor {
    pub feed: Receiver<Ingress>,
    pub workers: Vec<Producer<crate::PacketMeta>>,
    pub subscriber: Subscriber,
    pub counters: Arc<WorkerCounters>,
    pub parse: ParseOptions,
    pub clock: IngressClock,
    /// Wait for a worker whose ring is full (replay) rather than drop.
    pub lossless: bool,
    pub stop: Arc<AtomicBool>,
    /// Set when the last frame is in a worker's ring.
    pub ended: Arc<AtomicBool>,
}

impl Distributor {
    /// Polls until the input has ended or `stop` is set.
    pub(crate) fn run(mut self) {
        let mut ingresses: Vec<Ingress> = Vec::new();
        let mut outgoing: Vec<Burst> = self.workers.iter().map(|_| Burst::new()).collect();
        let (mut burst, mut times, mut scratch) = (Burst::new(), BurstTimes::new(), Vec::new());
        let (mut next, mut before) = (0, Tsc::now());
        let counters = Arc::clone(&self.counters);
        counters.adopt(self.subscriber.running());
        loop {
            if self.subscriber.is_stale() {
                self.subscriber.advance(|generation| counters.adopt(generation));
            }
            let fed = take_fed(&self.feed, &mut ingresses);
            if self.stop.load(Ordering::Relaxed) || (!fed && ingresses.is_empty()) {
                break;
            }
            if !ingresses.is_empty() {
                next = (next + 1) % ingresses.len();
                let ingress = &mut ingresses[next];
                ingress.rx_burst(&mut self.clock, &mut burst, &mut times);
                for (mut mbuf, time) in burst.drain(..).zip(&times) {
                    let meta = mbuf.private_mut();
                    (meta.time, meta.tenancy) = (*time, ingress.tenancy);
                    let to = self.worker_of(&mbuf, &mut scratch);
                    if let Some(batch) = outgoing.get_mut(to) {
                        batch.push(mbuf);
                    }
                }
                let received: usize = outgoing.iter().map(arrayvec::ArrayVec::len).sum();
                self.send(&mut outgoing);
                if ingress.is_over() {
                    ingresses.remove(next);
                }
                let now = Tsc::now();
                let cycles = &self.counters.cycles;
                if received > 0 { &cycles.receive } else { &cycles.idle }.add(now.since(before));
                before = now;
            }
        }
        self.ended.store(true, Ordering::Release);
    }

    fn worker_of(&self, mbuf: &Mbuf<crate::PacketMeta>, scratch: &mut Vec<u8>) -> usize {
        let frame = mbuf.contiguous(scratch);
        Packet::parse_ethernet(frame, &self.parse)
            .and_then(|packet| packet.innermost(frame, &self.parse))
            .map_or(0, |packet| shard(frame, &packet, self.workers.len()))
    }

    /// Hands over what was collected for each worker. A frame that a live worker's ring has no room for is counted, as
    /// received and as lost, under its tenant.
    fn send(&mut self, outgoing: &mut [Burst]) {
        for (ring, batch) in self.workers.iter_mut().zip(outgoing) {
            ring.enqueue_burst(batch);
            while self.lossless && !batch.is_empty() && !self.stop.load(Ordering::Relaxed) {
                std::thread::yield_now();
                ring.enqueue_burst(batch);
            }
            for mbuf in batch.iter() {
                let (tenant, _) =
                    mbuf.private().tenancy.resolve(self.subscriber.running(), Packet::vlan_tags(mbuf.data()));
                let bytes = u64::from(mbuf.pkt_len());
                let counters =
                    self.counters.tenant(tenant.map_or(usize::MAX, |tenant| usize::from(tenant.0)));
                self.counters.received.add(1, bytes);
                counters.received.add(1, bytes);
                counters.count_not_inspected(Reason::WorkerQueueFull, 1, bytes);
            }
            Mbuf::free_burst(batch);
        }
    }
}
