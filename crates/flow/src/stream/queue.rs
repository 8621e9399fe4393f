//! The bytes of one direction: what waits for its acknowledgement, what is released, what is kept for raw inspection.
//!
//! In: payloads with their place in the stream, the receiver's acknowledgements. Out: contiguous slices and gaps. Data lies
//! in runs, one for each stretch without a hole; in the usual flow there is one, a segment is appended to it, and what
//! nobody needs any more is moved out of its front now and then. Every byte is copied once on arrival, and on average at
//! most once more.

use super::chunk::{Chunk, Raw, StreamLoss};
use super::config::{StreamBudget, StreamConfig};
use super::overlap::Extent;

/// A stretch of the stream without a hole.
#[derive(Default)]
struct Run {
    start: u64,
    bytes: Vec<u8>,
}

impl Run {
    #[inline]
    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }

    /// The part from `from` to `to`, clipped to what there is.
    #[inline]
    fn slice(&self, from: u64, to: u64) -> &[u8] {
        let begin = from.saturating_sub(self.start) as usize;
        let end = (to.saturating_sub(self.start) as usize).min(self.bytes.len());
        self.bytes.get(begin..end).unwrap_or_default()
    }
}

/// What a run costs beside its bytes: its record, its allocation, its segment's extent.
const RUN_OVERHEAD: usize = 96;
/// The first allocation of a run that data is appended to in order.
const CAPACITY_MIN: usize = 2048;

/// What became of a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Inserted {
    /// All of it was released before.
    pub(super) stale: bool,
    /// All of it lies before what is still here.
    pub(super) forgotten: bool,
    /// A byte of it differs from the same byte that came earlier.
    pub(super) differs: bool,
    pub(super) lost: Option<StreamLoss>,
}

/// How far data may be released.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Reach {
    /// Data before this position.
    pub(super) data: u64,
    /// Holes before this position are gaps, not waited for.
    pub(super) gaps: u64,
}

#[derive(Default)]
pub(super) struct Queue {
    /// In order, without overlap; those that are neither needed nor last are gone.
    runs: Vec<Run>,
    /// The segments that are not released, by start; the first `retired` of them are.
    extents: Vec<Extent>,
    retired: usize,
    /// The longest segment that was ever queued: how far before a position an extent may start that covers it.
    extent_len_max: u64,
    pub(super) released: u64,
    taken: u64,
    /// Where taking ends for good: behind it is a hole at the connection's end.
    take_end: Option<u64>,
    inspected: u64,
    /// Nobody looks at raw data.
    raw_unwanted: bool,
    charged: usize,
}

impl Queue {
    /// A queue whose data is looked at raw, or not.
    pub(super) fn new(raw_unwanted: bool) -> Self {
        Self { raw_unwanted, ..Self::default() }
    }

    /// Puts a payload at `offset`.
    #[inline]
    pub(super) fn insert(
        &mut self,
        config: &StreamConfig,
        budget: &mut StreamBudget,
        offset: u64,
        payload: &[u8],
    ) -> Inserted {
        // The usual segment goes behind everything that came before it.
        if let [.., last] = &mut *self.runs
            && last.end() == offset
            && last.bytes.capacity() - last.bytes.len() >= payload.len()
            && offset >= self.released
            && self.extents.len() < config.segments_max as usize
        {
            let end = offset + payload.len() as u64;
            if end - self.released <= u64::from(config.bytes_max) {
                last.bytes.extend_from_slice(payload);
                self.extents.push(Extent { start: offset, end });
                self.extent_len_max = self.extent_len_max.max(payload.len() as u64);
                return Inserted::default();
            }
        }
        self.place(config, budget, offset, payload)
    }

    #[inline(never)]
    fn place(
        &mut self,
        config: &StreamConfig,
        budget: &mut StreamBudget,
        offset: u64,
        payload: &[u8],
    ) -> Inserted {
        let mut inserted = Inserted::default();
        let end = offset + payload.len() as u64;
        // What is released is final. It is compared as far as it is still here.
        inserted.differs = self.differs(offset, payload, end.min(self.released));
        if end <= self.released {
            inserted.stale = true;
            inserted.forgotten = self.runs.first().is_none_or(|run| end <= run.start);
            return inserted;
        }
        let start = offset.max(self.released);
        let reach = self.released.saturating_add(u64::from(config.bytes_max));
        let stop = end.min(reach);
        if stop < end {
            inserted.lost = Some(StreamLoss::BytesLimit);
        }
        if start >= stop {
            return inserted;
        }
        self.forget_retired();
        if self.extents.len() >= config.segments_max as usize {
            inserted.lost = Some(StreamLoss::SegmentLimit);
            return inserted;
        }
        let payload = payload.get((start - offset) as usize..(stop - offset) as usize).unwrap_or_default();
        // Where it was sent from decides over it, also when its front is released already.
        let extent = Extent { start: offset, end: stop };
        if self.runs.last().is_none_or(|last| last.end() <= start) {
            if !self.fill(config, budget, self.runs.len(), start, payload) {
                inserted.lost = Some(StreamLoss::MemoryLimit);
                return inserted;
            }
        } else {
            // A segment that repeats another as a whole is decided by the policy, and nothing to speak of.
            inserted.differs |= !self.repeats(extent) && self.differs(start, payload, stop);
            if !self.overlay(config, budget, extent, start, payload) {
                inserted.lost = Some(StreamLoss::MemoryLimit);
            }
        }
        let at = self.extents.partition_point(|other| other.start <= offset);
        self.extents.insert(at, extent);
        self.extent_len_max = self.extent_len_max.max(stop - offset);
        inserted
    }

    /// Whether `payload` at `offset`, as far as `until`, differs from bytes that are here.
    fn differs(&self, offset: u64, payload: &[u8], until: u64) -> bool {
        let payload_end = until.min(offset + payload.len() as u64);
        let first = self.runs.partition_point(|run| run.end() <= offset);
        self.runs.iter().skip(first).take_while(|run| run.start < payload_end).any(|run| {
            let (from, to) = (run.start.max(offset), run.end().min(payload_end));
            let new = payload.get((from - offset) as usize..(to.max(from) - offset) as usize);
            new.unwrap_or_default() != run.slice(from, to)
        })
    }

    /// Whether the same bytes came as one segment before.
    fn repeats(&self, extent: Extent) -> bool {
        let first = self.extents.partition_point(|other| other.start < extent.start);
        self.extents
            .iter()
            .skip(first)
            .take_while(|other| other.start == extent.start)
            .any(|other| *other == extent)
    }

    /// Puts a segment over what is here by the policy; `false` if memory ended before it did.
    fn overlay(
        &mut self,
        config: &StreamConfig,
        budget: &mut StreamBudget,
        new: Extent,
        start: u64,
        payload: &[u8],
    ) -> bool {
        let kept = self.kept(config, new);
        let part = |from: u64, to: u64| {
            payload.get((from - start) as usize..(to - start) as usize).unwrap_or_default()
        };
        let mut at = start;
        while at < new.end {
            let index = self.runs.partition_point(|run| run.end() <= at);
            let hole_end = match self.runs.get_mut(index) {
                Some(run) if run.start <= at => {
                    let to = run.end().min(new.end);
                    // Between the kept parts the new bytes go in.
                    let mut from = at;
                    for keep in kept.iter().filter(|keep| keep.end > at && keep.start < to) {
                        overwrite(run, from, part(from, keep.start.clamp(from, to)));
                        from = keep.end.clamp(from, to);
                    }
                    overwrite(run, from, part(from, to));
                    at = to;
                    continue;
                }
                Some(run) => run.start.min(new.end),
                None => new.end,
            };
            if !self.fill(config, budget, index, at, part(at, hole_end)) {
                return false;
            }
            at = hole_end;
        }
        true
    }

    /// The parts of `new` that earlier segments keep, in order and apart.
    fn kept(&self, config: &StreamConfig, new: Extent) -> Vec<Extent> {
        let reach = new.start.saturating_sub(self.extent_len_max);
        let first = self.extents.partition_point(|old| old.start < reach);
        let mut kept: Vec<Extent> = Vec::new();
        let near = self.extents.iter().skip(first).take_while(|old| old.start < new.end);
        for old in near.filter(|old| old.end > new.start) {
            if !config.inline && config.policy.replaces(new, *old) {
                continue;
            }
            match kept.last_mut() {
                Some(last) if old.start <= last.end => last.end = last.end.max(old.end),
                _ => kept.push(*old),
            }
        }
        kept
    }

    /// Puts bytes where a hole is, `index` being the run behind it; `false` without memory.
    fn fill(
        &mut self,
        config: &StreamConfig,
        budget: &mut StreamBudget,
        index: usize,
        start: u64,
        payload: &[u8],
    ) -> bool {
        let keep_from = self.keep_from(config);
        if let Some(run) = index.checked_sub(1).and_then(|before| self.runs.get_mut(before))
            && run.end() == start
        {
            let (was, need) = (run.bytes.capacity(), run.bytes.len() + payload.len());
            if need > was {
                let dead = (keep_from.saturating_sub(run.start) as usize).min(run.bytes.len());
                if dead * 2 >= was && need - dead <= was {
                    run.bytes.drain(..dead);
                    run.start += dead as u64;
                } else {
                    let roomy = need.max(was * 2);
                    let capacity = if budget.fits(roomy - was) { roomy } else { need };
                    if !budget.fits(capacity - was) {
                        return false;
                    }
                    run.bytes.reserve_exact(capacity - run.bytes.len());
                    let is = self.charged + run.bytes.capacity() - was;
                    budget.recharge(self.charged, is);
                    self.charged = is;
                }
            }
            run.bytes.extend_from_slice(payload);
            return true;
        }
        // The stream's first run will grow; what is ahead of a hole may stay as small as it is.
        let capacity = if self.runs.is_empty() { payload.len().max(CAPACITY_MIN) } else { payload.len() };
        if !budget.fits(capacity + RUN_OVERHEAD) {
            return false;
        }
        let mut bytes = Vec::with_capacity(capacity);
        bytes.extend_from_slice(payload);
        let is = self.charged + bytes.capacity() + RUN_OVERHEAD;
        budget.recharge(self.charged, is);
        self.charged = is;
        self.runs.insert(index.min(self.runs.len()), Run { start, bytes });
        true
    }

    /// Releases as far as `reach` and the data allow; whether there is a new gap.
    #[inline]
    pub(super) fn release(&mut self, config: &StreamConfig, budget: &mut StreamBudget, reach: Reach) -> bool {
        if let [run] = &*self.runs
            && run.start <= self.released
        {
            self.released = self.released.max(run.end().min(reach.data));
            self.retire();
            return false;
        }
        self.release_across(config, budget, reach)
    }

    #[inline(never)]
    fn release_across(&mut self, config: &StreamConfig, budget: &mut StreamBudget, reach: Reach) -> bool {
        let mut gap = false;
        let mut index = self.runs.partition_point(|run| run.end() <= self.released);
        // The run before may end just where the released data does.
        if index > 0 && self.runs.get(index).is_some_and(|run| run.start == self.released) {
            index -= 1;
        }
        while let Some(run) = self.runs.get(index) {
            if run.start > self.released {
                if reach.gaps <= self.released {
                    break;
                }
                self.released = run.start.min(reach.gaps);
                gap = true;
                if self.released < run.start {
                    break;
                }
                continue;
            }
            let end = run.end();
            self.released = self.released.max(end.min(reach.data));
            if reach.data <= end && reach.gaps <= end {
                break;
            }
            if self.runs.get(index + 1).is_some_and(|next| next.start == end) {
                self.merge(config, budget, index);
            } else {
                index += 1;
            }
        }
        self.retire();
        self.prune(config, budget);
        gap
    }

    /// Appends the run behind `index` to it.
    fn merge(&mut self, config: &StreamConfig, budget: &mut StreamBudget, index: usize) {
        let keep_from = self.keep_from(config);
        let next = self.runs.remove(index + 1);
        let Some(run) = self.runs.get_mut(index) else { return };
        let was = run.bytes.capacity() + next.bytes.capacity() + RUN_OVERHEAD;
        let dead = (keep_from.saturating_sub(run.start) as usize).min(run.bytes.len());
        if dead == run.bytes.len() {
            *run = next;
        } else {
            if dead * 2 >= run.bytes.len() {
                run.bytes.drain(..dead);
                run.start += dead as u64;
            }
            run.bytes.extend_from_slice(&next.bytes);
        }
        let is = (self.charged + run.bytes.capacity()).saturating_sub(was);
        budget.recharge(self.charged, is);
        self.charged = is;
    }

    /// Drops runs that nobody needs; the last stays, its buffer is used again.
    fn prune(&mut self, config: &StreamConfig, budget: &mut StreamBudget) {
        let keep_from = self.keep_from(config);
        let gone =
            self.runs.partition_point(|run| run.end() <= keep_from).min(self.runs.len().saturating_sub(1));
        let freed: usize = self.runs.drain(..gone).map(|run| run.bytes.capacity() + RUN_OVERHEAD).sum();
        let is = self.charged.saturating_sub(freed);
        budget.recharge(self.charged, is);
        self.charged = is;
    }

    /// The first position that somebody still needs.
    fn keep_from(&self, config: &StreamConfig) -> u64 {
        if self.raw_unwanted {
            return self.taken;
        }
        // Raw data that nobody asks for does not pile up without end.
        let floor = self.released.saturating_sub(u64::from(config.bytes_max));
        self.taken.min(self.inspected.saturating_sub(u64::from(config.raw_overlap_bytes)).max(floor))
    }

    /// Marks released segments.
    #[inline]
    fn retire(&mut self) {
        while self.extents.get(self.retired).is_some_and(|extent| extent.end <= self.released) {
            self.retired += 1;
        }
        if self.retired == self.extents.len() {
            self.extents.clear();
            self.retired = 0;
        }
    }

    fn forget_retired(&mut self) {
        self.extents.drain(..self.retired);
        self.retired = 0;
    }

    /// Whether something was queued that is not released.
    pub(super) fn waits(&self) -> bool {
        self.runs.last().is_some_and(|run| run.end() > self.released)
    }

    /// Taking ends at the first hole from now on.
    pub(super) fn end_at_hole(&mut self) {
        let mut end = self.released;
        let released = end;
        for run in self.runs.iter().skip_while(|run| run.end() <= released) {
            if run.start > end {
                break;
            }
            end = run.end();
        }
        self.take_end.get_or_insert(end);
    }

    /// The next released bytes or gap.
    #[inline]
    pub(super) fn take(&mut self) -> Option<Chunk<'_>> {
        let limit = self.take_end.map_or(self.released, |end| end.min(self.released));
        let offset = self.taken;
        if offset >= limit {
            return None;
        }
        let index = self.runs.partition_point(|run| run.end() <= offset);
        match self.runs.get(index) {
            Some(run) if run.start <= offset => {
                self.taken = run.end().min(limit);
                Some(Chunk::Data { offset, bytes: run.slice(offset, self.taken) })
            }
            next => {
                self.taken = next.map_or(limit, |run| run.start.min(limit));
                Some(Chunk::Gap { offset, len: self.taken - offset })
            }
        }
    }

    /// What raw inspection has not seen, if it is as much as `at_least` or cannot grow.
    pub(super) fn raw(&self, config: &StreamConfig, at_least: u64) -> Option<Raw<'_>> {
        if self.raw_unwanted {
            return None;
        }
        let index = self.runs.partition_point(|run| run.end() <= self.inspected);
        let run = self.runs.get(index)?;
        let from = self.inspected.max(run.start);
        let end = run.end().min(self.released);
        if from >= end || (end - from < at_least && end == self.released) {
            return None;
        }
        // Nothing before a gap is part of the same window.
        let offset = from.saturating_sub(u64::from(config.raw_overlap_bytes)).max(run.start);
        Some(Raw { bytes: run.slice(offset, end), offset, fresh: (from - offset) as usize })
    }

    /// What is here of the released data if there are holes in it, up to `bytes_max`, with a note where bytes are missing.
    pub(super) fn with_gaps(&self, config: &StreamConfig, bytes_max: usize) -> Option<Vec<u8>> {
        let released = || self.runs.iter().filter(|run| run.start < self.released);
        // Unless something was let go on purpose, a hole may be in front, too.
        let first = released().next().map_or(0, |run| run.start);
        let mut at = if self.keep_from(config) == 0 { 0 } else { first };
        if first == at && released().count() < 2 {
            return None;
        }
        let mut shown = Vec::new();
        for run in released() {
            if shown.len() >= bytes_max {
                break;
            }
            if run.start > at {
                shown.extend_from_slice(format!("[{} bytes missing]", run.start - at).as_bytes());
            }
            at = run.end().min(self.released);
            shown.extend_from_slice(run.slice(run.start, at));
        }
        shown.truncate(bytes_max);
        Some(shown)
    }

    /// What [`raw`](Self::raw) showed was inspected.
    pub(super) fn raw_inspected(&mut self) {
        let index = self.runs.partition_point(|run| run.end() <= self.inspected);
        if let Some(run) = self.runs.get(index) {
            self.inspected = self.inspected.max(run.end().min(self.released));
        }
    }

    /// Whether there is released data that raw inspection has not seen.
    pub(super) fn has_raw(&self) -> bool {
        !self.raw_unwanted && self.inspected < self.released
    }

    pub(super) fn stop_raw(&mut self) {
        self.raw_unwanted = true;
    }

    /// Somebody looks at raw data again, from what is released next on.
    pub(super) fn resume_raw(&mut self) {
        self.raw_unwanted = false;
        self.inspected = self.released;
    }

    pub(super) fn is_drained(&self) -> bool {
        !self.waits()
            && (self.taken >= self.released || self.take_end.is_some_and(|end| self.taken >= end))
            && !self.has_raw()
    }

    /// Gives the memory back; the queue is empty afterwards.
    pub(super) fn free(&mut self, budget: &mut StreamBudget) {
        self.runs = Vec::new();
        self.extents = Vec::new();
        self.retired = 0;
        budget.recharge(self.charged, 0);
        self.charged = 0;
    }
}

/// Replaces bytes of a run.
fn overwrite(run: &mut Run, at: u64, bytes: &[u8]) {
    let begin = (at - run.start) as usize;
    if let Some(place) = run.bytes.get_mut(begin..begin + bytes.len()) {
        place.copy_from_slice(bytes);
    }
}
