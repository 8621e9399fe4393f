//! The transmit loop: ask what is due, wait, fill a burst, offer it to the port, keep what it did not take.
//!
//! Generic over port and clock, so that its tests need neither a slow port nor time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dpdk::{BURST_MAX, Burst, Mempool, Tsc, TxQueue};

use super::Ended;
use crate::mix::VlanCount;
use crate::replay::Replay;
use crate::rewrite::VlanRange;

/// A port that takes no frame for so long is given up.
const STALL_NS: u64 = 10_000_000_000;
/// Pauses longer than this are slept through, up to so much before their end: a sleeping thread wakes up late.
const SLEEP_MARGIN_NS: u64 = 2_000_000;
/// The longest sleep, after which the wish to end is looked at again.
const SLEEP_NS_MAX: u64 = 100_000_000;

/// Where frames go.
pub(super) trait Wire {
    /// Takes frames from the front of `burst`, and leaves the rest in it; returns how many.
    fn tx_burst(&mut self, burst: &mut Burst) -> usize;
}

impl Wire for TxQueue {
    fn tx_burst(&mut self, burst: &mut Burst) -> usize {
        TxQueue::tx_burst(self, burst)
    }
}

/// What time it is.
pub(super) trait Clock {
    /// Nanoseconds since the start.
    fn now_ns(&mut self) -> u64;
    /// Lets up to `ns` nanoseconds pass.
    fn pause(&mut self, ns: u64);
}

/// Nanoseconds by the time-stamp counter.
pub(super) struct TscClock {
    start: Tsc,
    hertz: u64,
}

impl TscClock {
    /// Starts now.
    pub(super) fn new(hertz: u64) -> Self {
        Self { start: Tsc::now(), hertz: hertz.max(1) }
    }
}

impl Clock for TscClock {
    fn now_ns(&mut self) -> u64 {
        let cycles = Tsc::now().since(self.start);
        (u128::from(cycles) * 1_000_000_000 / u128::from(self.hertz)) as u64
    }

    fn pause(&mut self, ns: u64) {
        match ns.checked_sub(SLEEP_MARGIN_NS) {
            Some(ns) => std::thread::sleep(Duration::from_nanos(ns.min(SLEEP_NS_MAX))),
            None => std::hint::spin_loop(),
        }
    }
}

/// What the port took.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) ended: Ended,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Times that it took only part of a burst, or nothing.
    pub(super) retries: u64,
    /// When it took the last frame, in nanoseconds after the start.
    pub(super) ns: u64,
    pub(super) vlans: Vec<VlanCount>,
}

/// A frame in the burst.
#[derive(Clone, Copy)]
struct Offered {
    bytes: u64,
    /// Its VLAN's place among the counts.
    row: usize,
}

/// One sending.
pub(super) struct Transmit<'a, W, C> {
    replay: Replay<'a>,
    pool: &'a Mempool,
    wire: W,
    clock: C,
    burst: Burst,
    /// One for each frame in the burst.
    offered: Vec<Offered>,
    scratch: Vec<u8>,
    sent: Sent,
}

impl<'a, W: Wire, C: Clock> Transmit<'a, W, C> {
    /// At the first frame. `vlans` are the replay's.
    pub(super) fn new(
        replay: Replay<'a>,
        vlans: Option<VlanRange>,
        pool: &'a Mempool,
        wire: W,
        clock: C,
    ) -> Self {
        let rows =
            vlans.into_iter().flat_map(|range| (0..range.count).map(move |row| range.at(u64::from(row))));
        let sent = Sent {
            ended: Ended::Complete,
            packets: 0,
            bytes: 0,
            retries: 0,
            ns: 0,
            vlans: rows.map(|vlan| VlanCount { vlan, ..VlanCount::default() }).collect(),
        };
        let offered = Vec::with_capacity(BURST_MAX);
        Self { replay, pool, wire, clock, burst: Burst::new(), offered, scratch: Vec::new(), sent }
    }

    /// Sends until the end, until `stop` is set, or until the port takes nothing any more. Gives the port back: it must
    /// live until its counters are read.
    pub(super) fn run(mut self, stop: &AtomicBool) -> (Sent, W) {
        // When the port last took a frame, or had none to take.
        let mut moved_ns = 0;
        self.sent.ended = loop {
            if stop.load(Ordering::Relaxed) {
                break Ended::Interrupted;
            }
            let now_ns = self.clock.now_ns();
            self.fill(now_ns);
            if self.burst.is_empty() {
                match self.replay.next_due() {
                    None => break Ended::Complete,
                    Some(due) if due.at_ns > now_ns => {
                        self.clock.pause(due.at_ns - now_ns);
                        moved_ns = self.clock.now_ns();
                        continue;
                    }
                    // Due, but the port holds every buffer: as if it had taken nothing.
                    Some(_) => {}
                }
            }
            if self.offer() {
                moved_ns = self.clock.now_ns();
                self.sent.ns = moved_ns;
            } else if now_ns.saturating_sub(moved_ns) >= STALL_NS {
                break Ended::Stalled;
            } else {
                std::hint::spin_loop();
            }
        };
        (self.sent, self.wire)
    }

    /// Puts frames that are due into the burst.
    fn fill(&mut self, now_ns: u64) {
        while self.burst.len() < BURST_MAX
            && let Some(due) = self.replay.next_due()
            && due.at_ns <= now_ns
            && let Some(mut mbuf) = self.pool.alloc()
        {
            let rows = self.sent.vlans.len().max(1) as u64;
            let row = (self.replay.loop_number() % rows) as usize;
            // Grows to the longest frame and stays there.
            if self.scratch.len() < due.len {
                self.scratch.resize(due.len, 0);
            }
            let Some(frame) = self.scratch.get_mut(..due.len) else { break };
            if !self.replay.write_to(frame) || !mbuf.append(frame) {
                break;
            }
            self.burst.push(mbuf);
            self.offered.push(Offered { bytes: due.len as u64, row });
        }
    }

    /// Offers the burst and counts what the port took; false if that was nothing.
    fn offer(&mut self) -> bool {
        let taken = self.wire.tx_burst(&mut self.burst);
        for frame in self.offered.drain(..taken.min(self.offered.len())) {
            self.sent.packets += 1;
            self.sent.bytes += frame.bytes;
            if let Some(count) = self.sent.vlans.get_mut(frame.row) {
                count.packets += 1;
                count.bytes += frame.bytes;
            }
        }
        self.sent.retries += u64::from(taken == 0 || !self.burst.is_empty());
        taken > 0
    }
}

#[cfg(test)]
#[path = "transmit_tests.rs"]
mod tests;
