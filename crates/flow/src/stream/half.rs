//! One direction's data: the queue, and whether anybody wants it.

use super::StreamEvents;
use super::chunk::{Chunk, Raw, StreamLoss};
use super::config::{StreamBudget, StreamConfig};
use super::event::StreamEvent;
use super::queue::{Queue, Reach};

/// Nobody wants more payload.
const STOPPED: u8 = 0x01;
/// The configured depth is reached.
const DEPTH_REACHED: u8 = 0x02;
/// Nobody looks at raw data.
const RAW_STOPPED: u8 = 0x04;
/// Raw data is to be inspected however little it is, at the next segment of this direction.
const RAW_TRIGGERED: u8 = 0x08;
/// The segment in hand ends the direction: raw data is inspected however little it is.
const RAW_ENDING: u8 = 0x10;
/// Data was lost on its way here.
const GAPPED: u8 = 0x20;
/// The configured depth does not matter.
const WITHOUT_DEPTH: u8 = 0x40;

/// What became of a payload.
#[derive(Clone, Copy, Default)]
pub(super) struct Queued {
    /// It is part of the stream's data.
    pub(super) added: bool,
    pub(super) lost: Option<StreamLoss>,
}

#[derive(Default)]
pub(super) struct Half {
    queue: Option<Box<Queue>>,
    /// What the receiver acknowledged.
    acked: u64,
    flags: u8,
}

impl Half {
    const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The stream position that is nearest to where things happen: what sequence numbers are counted from.
    #[inline]
    pub(super) fn reference(&self) -> u64 {
        self.queue.as_ref().map_or(0, |queue| queue.released)
    }

    pub(super) const fn is_stopped(&self) -> bool {
        self.has(STOPPED)
    }

    pub(super) const fn depth_reached(&self) -> bool {
        self.has(DEPTH_REACHED)
    }

    pub(super) const fn has_gap(&self) -> bool {
        self.has(GAPPED)
    }

    /// Puts a payload where it belongs.
    #[inline]
    pub(super) fn insert(
        &mut self,
        config: &StreamConfig,
        budget: &mut StreamBudget,
        events: &mut StreamEvents,
        offset: i64,
        mut payload: &[u8],
    ) -> Queued {
        if self.flags & (STOPPED | DEPTH_REACHED) != 0 {
            return Queued::default();
        }
        let mut start = match u64::try_from(offset) {
            Ok(start) => start,
            // The SYN's own number may be filled with a byte that nobody gets.
            Err(_) if offset == -1 => {
                payload = payload.get(1..).unwrap_or_default();
                0
            }
            // What begins before the SYN is none of the stream's, also if it reaches in, as the reference has it.
            Err(_) => return Queued::default(),
        };
        if payload.is_empty() {
            return Queued::default();
        }
        if config.depth_bytes != 0
            && !self.has(WITHOUT_DEPTH)
            && start + payload.len() as u64 >= config.depth_bytes
        {
            self.flags |= DEPTH_REACHED;
            events.add(StreamEvent::ReassemblyDepthReached);
            start = start.min(config.depth_bytes);
            payload = payload.get(..(config.depth_bytes - start) as usize).unwrap_or(payload);
            if payload.is_empty() {
                return Queued::default();
            }
        }
        let raw_unwanted = self.has(RAW_STOPPED);
        let queue = self.queue.get_or_insert_with(|| Box::new(Queue::new(raw_unwanted)));
        let inserted = queue.insert(config, budget, start, payload);
        if inserted.differs {
            events.add(StreamEvent::ReassemblyOverlapDifferentData);
        }
        if inserted.forgotten {
            events.add(StreamEvent::ReassemblySegmentBeforeBase);
        }
        if let Some(lost) = inserted.lost {
            events.add(match lost {
                StreamLoss::MemoryLimit => StreamEvent::ReassemblyInsertMemcap,
                StreamLoss::SegmentLimit | StreamLoss::BytesLimit => StreamEvent::ReassemblyInsertLimit,
            });
        }
        Queued { added: inserted.lost.is_none() && !inserted.stale, lost: inserted.lost }
    }

    /// Its receiver has acknowledged what comes before `position`.
    #[inline]
    pub(super) fn acknowledge(
        &mut self,
        config: &StreamConfig,
        budget: &mut StreamBudget,
        events: &mut StreamEvents,
        position: u64,
    ) {
        self.acked = self.acked.max(position);
        let Some(queue) = &mut self.queue else { return };
        let reach = Reach { data: if config.inline { u64::MAX } else { self.acked }, gaps: self.acked };
        if queue.release(config, budget, reach) {
            self.flags |= GAPPED;
            events.add(StreamEvent::ReassemblyGap);
        }
    }

    /// What came in order is released whether or not it is acknowledged.
    pub(super) fn release_arrived(
        &mut self,
        config: &StreamConfig,
        budget: &mut StreamBudget,
        events: &mut StreamEvents,
    ) {
        let Some(queue) = &mut self.queue else { return };
        let reach = Reach { data: u64::MAX, gaps: self.acked };
        if queue.release(config, budget, reach) {
            self.flags |= GAPPED;
            events.add(StreamEvent::ReassemblyGap);
        }
    }

    /// Nothing more will come: everything is released. What lies behind a hole that somebody could have acknowledged
    /// (`answered`) and nobody did is only for raw inspection.
    pub(super) fn flush(&mut self, config: &StreamConfig, budget: &mut StreamBudget, answered: bool) {
        self.flags |= RAW_TRIGGERED;
        let Some(queue) = &mut self.queue else { return };
        if answered {
            queue.end_at_hole();
        }
        queue.release(config, budget, Reach { data: u64::MAX, gaps: u64::MAX });
    }

    pub(super) fn take(&mut self) -> Option<Chunk<'_>> {
        self.queue.as_mut()?.take()
    }

    pub(super) fn raw(&self, config: &StreamConfig) -> Option<Raw<'_>> {
        let now = self.flags & (RAW_TRIGGERED | RAW_ENDING | DEPTH_REACHED) != 0;
        self.queue.as_ref()?.raw(config, if now { 1 } else { u64::from(config.raw_chunk_bytes) })
    }

    pub(super) fn with_gaps(&self, config: &StreamConfig, bytes_max: usize) -> Option<Vec<u8>> {
        self.queue.as_ref()?.with_gaps(config, bytes_max)
    }

    pub(super) fn raw_inspected(&mut self) {
        let Some(queue) = &mut self.queue else { return };
        queue.raw_inspected();
        if !queue.has_raw() {
            self.flags &= !RAW_TRIGGERED;
        }
    }

    pub(super) const fn lift_depth(&mut self) {
        self.flags |= WITHOUT_DEPTH;
    }

    pub(super) const fn trigger_raw(&mut self) {
        self.flags |= RAW_TRIGGERED;
    }

    /// Says whether the segment in hand ends the direction.
    #[inline]
    pub(super) const fn set_ending(&mut self, ending: bool) {
        self.flags = self.flags & !RAW_ENDING | if ending { RAW_ENDING } else { 0 };
    }

    pub(super) fn stop(&mut self, budget: &mut StreamBudget) {
        self.flags |= STOPPED;
        self.free(budget);
    }

    pub(super) fn stop_raw(&mut self, budget: &mut StreamBudget) {
        self.flags |= RAW_STOPPED;
        if let Some(queue) = &mut self.queue {
            queue.stop_raw();
        }
        self.free_if_done(budget);
    }

    #[inline]
    pub(super) fn resume_raw(&mut self) {
        if self.has(RAW_STOPPED) {
            self.flags &= !RAW_STOPPED;
            if let Some(queue) = &mut self.queue {
                queue.resume_raw();
            }
        }
    }

    /// Gives the memory back when the depth is reached and everybody has seen everything.
    pub(super) fn free_if_done(&mut self, budget: &mut StreamBudget) {
        if self.has(DEPTH_REACHED) && self.queue.as_ref().is_some_and(|queue| queue.is_drained()) {
            self.stop(budget);
        }
    }

    pub(super) fn free(&mut self, budget: &mut StreamBudget) {
        if let Some(mut queue) = self.queue.take() {
            queue.free(budget);
        }
    }
}
