//! The bounded queue between workers and an event thread, and the way back for emptied batches.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use event::Event;

use crate::loss::{LossCounters, LossReason};

/// What a producer does when the queue is full.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// Waits for room, so that nothing is lost: replay.
    Wait,
    /// Counts the events as lost and goes on: live traffic.
    Drop,
}

/// The event thread's end of the queue.
#[derive(Debug)]
pub(crate) struct Consumer {
    pub(crate) full: Receiver<Vec<Event>>,
    empty: Sender<Vec<Event>>,
}

impl Consumer {
    /// Gives an emptied batch back to the producers.
    pub(crate) fn recycle(&self, mut batch: Vec<Event>) {
        batch.clear();
        // There is a place for every batch that can be under way; if not, freeing one is no harm.
        let _ = self.empty.try_send(batch);
    }
}

/// What producers are made from.
#[derive(Debug)]
pub(crate) struct Queue {
    full: Sender<Vec<Event>>,
    empty: Receiver<Vec<Event>>,
    batch_events: usize,
    overflow: Overflow,
    losses: Arc<LossCounters>,
}

/// Makes a queue of `batches_max` batches of `batch_events` events.
pub(crate) fn queue(
    batches_max: usize,
    batch_events: usize,
    overflow: Overflow,
    losses: Arc<LossCounters>,
) -> (Queue, Consumer) {
    let (full_to, full) = bounded(batches_max);
    // Batches that no producer holds: those queued, and the one that the event thread works on.
    let (empty, empty_from) = bounded(batches_max + 1);
    let queue = Queue { full: full_to, empty: empty_from, batch_events, overflow, losses };
    (queue, Consumer { full, empty })
}

impl Queue {
    pub(crate) fn producer(&self) -> Producer {
        Producer {
            batch: Vec::with_capacity(self.batch_events),
            full: self.full.clone(),
            empty: self.empty.clone(),
            batch_events: self.batch_events,
            overflow: self.overflow,
            losses: Arc::clone(&self.losses),
        }
    }
}

/// One worker's way to an event thread. Events arrive in the order in which they were pushed.
///
/// Dropping a producer flushes it. The event thread ends when its last producer is gone.
#[derive(Debug)]
pub struct Producer {
    batch: Vec<Event>,
    full: Sender<Vec<Event>>,
    empty: Receiver<Vec<Event>>,
    batch_events: usize,
    overflow: Overflow,
    losses: Arc<LossCounters>,
}

impl Producer {
    /// Hands over one event; a full batch is sent on its way.
    ///
    /// Costs a copy, and a channel operation per batch. Waits only under [`Overflow::Wait`].
    #[inline]
    pub fn push(&mut self, event: Event) {
        self.batch.push(event);
        if self.batch.len() >= self.batch_events {
            self.flush();
        }
    }

    /// Sends what has gathered, however little. A worker calls it every so often (10-100 ms), so that events of a quiet
    /// time do not wait for a batch to fill.
    pub fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let batch = std::mem::take(&mut self.batch);
        let sent = match self.overflow {
            Overflow::Wait => self.full.send(batch).map_err(|refused| (LossReason::ThreadStopped, refused.0)),
            Overflow::Drop => self.full.try_send(batch).map_err(|refused| match refused {
                TrySendError::Full(batch) => (LossReason::QueueFull, batch),
                TrySendError::Disconnected(batch) => (LossReason::ThreadStopped, batch),
            }),
        };
        self.batch = match sent {
            Ok(()) => self.empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(self.batch_events)),
            Err((reason, mut batch)) => {
                self.losses.add(reason, batch.len() as u64);
                batch.clear();
                batch
            }
        };
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event::Stats;

    fn event(number: u64) -> Event {
        Event::Stats(Box::new(Stats { uptime_s: number, ..Stats::default() }))
    }

    fn numbers(batch: &[Event]) -> Vec<u64> {
        let number = |event: &Event| match event {
            Event::Stats(stats) => stats.uptime_s,
            Event::Flow(_) | Event::Detail(_) => u64::MAX,
        };
        batch.iter().map(number).collect()
    }

    #[test]
    fn emptied_batches_come_back_and_no_new_one_is_made() {
        const BATCHES: usize = 3;
        let (queue, consumer) = queue(BATCHES, 2, Overflow::Wait, Arc::default());
        // Batches of a capacity that a newly made one would not have.
        for _ in 0..=BATCHES {
            consumer.empty.send(Vec::with_capacity(100)).unwrap();
        }
        let mut producer = queue.producer();
        producer.batch = Vec::with_capacity(100);
        for round in 0..1000 {
            for _ in 0..BATCHES {
                producer.push(event(round));
                producer.push(event(round));
                assert!(producer.batch.capacity() >= 100, "round {round}: a new batch was made");
            }
            while let Ok(batch) = consumer.full.try_recv() {
                consumer.recycle(batch);
            }
        }
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_goes_on() {
        let losses = Arc::new(LossCounters::default());
        let (queue, consumer) = queue(1, 2, Overflow::Drop, Arc::clone(&losses));
        let mut producer = queue.producer();
        (0..6).for_each(|number| producer.push(event(number)));
        assert_eq!(losses.read().of(LossReason::QueueFull), 4);
        assert_eq!(numbers(&consumer.full.try_recv().unwrap()), [0, 1]);
        producer.push(event(6));
        drop(producer);
        assert_eq!(numbers(&consumer.full.try_recv().unwrap()), [6]);
        assert_eq!(losses.read().total(), 4);
    }

    #[test]
    fn a_stopped_thread_is_counted_and_nobody_waits_for_it() {
        for overflow in [Overflow::Wait, Overflow::Drop] {
            let losses = Arc::new(LossCounters::default());
            let (queue, consumer) = queue(1, 2, overflow, Arc::clone(&losses));
            let mut producer = queue.producer();
            drop(consumer);
            (0..5).for_each(|number| producer.push(event(number)));
            drop(producer);
            assert_eq!(losses.read().of(LossReason::ThreadStopped), 5);
        }
    }
}
