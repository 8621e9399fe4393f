//! Why events were lost, and how many.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why an event did not reach its sink.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum LossReason {
    /// The queue to the event thread was full, and the producer does not wait.
    QueueFull,
    /// The event thread was gone.
    ThreadStopped,
    /// The disk, or the quota on it, was full.
    DiskFull,
    /// The sink failed in any other way.
    WriteFailed,
}

impl LossReason {
    /// Every reason, in the order of [`index`](Self::index).
    pub const ALL: [Self; 4] = [Self::QueueFull, Self::ThreadStopped, Self::DiskFull, Self::WriteFailed];

    /// The reason's name in summaries and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "event_queue_full",
            Self::ThreadStopped => "event_thread_stopped",
            Self::DiskFull => "event_disk_full",
            Self::WriteFailed => "event_write_failed",
        }
    }

    /// The reason's place in an array of counters.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Lost events by reason, counted by producers and the event thread, readable by anyone while they run.
#[derive(Debug, Default)]
pub struct LossCounters([AtomicU64; LossReason::ALL.len()]);

impl LossCounters {
    /// Counts `events` lost.
    pub(crate) fn add(&self, reason: LossReason, events: u64) {
        if let Some(counter) = self.0.get(reason.index()) {
            counter.fetch_add(events, Ordering::Relaxed);
        }
    }

    /// The counts now.
    pub fn read(&self) -> Losses {
        Losses(self.0.each_ref().map(|counter| counter.load(Ordering::Relaxed)))
    }
}

/// Lost events by reason, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Losses([u64; LossReason::ALL.len()]);

impl Losses {
    /// Events lost for one reason.
    pub fn of(&self, reason: LossReason) -> u64 {
        self.0.get(reason.index()).copied().unwrap_or_default()
    }

    /// Events lost in all.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every reason's name and count, zeros included.
    pub fn by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> {
        LossReason::ALL.into_iter().map(|reason| (reason.as_str(), self.of(reason)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter() {
        let counters = LossCounters::default();
        for (place, reason) in LossReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), place);
            counters.add(reason, 1 << place);
        }
        let losses = counters.read();
        assert_eq!(losses.total(), 0b1111);
        assert_eq!(losses.of(LossReason::DiskFull), 0b100);
        assert_eq!(losses.by_reason().next(), Some(("event_queue_full", 1)));
    }
}
