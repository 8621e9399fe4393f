//! The thread that turns events into lines and hands them to a sink.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::RecvTimeoutError;
use event::Event;

use crate::Sink;
use crate::file::{OpenError, loss_reason};
use crate::loss::{LossCounters, Losses};
use crate::queue::{Consumer, Overflow, Producer, Queue, queue};
use crate::recent::Recent;

/// Lines gather up to this many bytes before they are written.
const BUFFER_BYTES: usize = 256 * 1024;

/// How an event thread works. What it may hold is `batches_max * batch_events` events and 256 KiB of lines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// What producers do when the queue is full.
    pub overflow: Overflow,
    /// Events that a producer gathers before it sends them.
    pub batch_events: usize,
    /// Batches that wait at most.
    pub batches_max: usize,
    /// Lines are written at the latest after this time.
    pub flush_interval: Duration,
}

impl Options {
    /// Sensible numbers: batches of 256 events, 256 of them at most (20 MB), a flush every second.
    pub const fn new(overflow: Overflow) -> Self {
        Self { overflow, batch_events: 256, batches_max: 256, flush_interval: Duration::from_secs(1) }
    }
}

/// Something the person who runs Forebay should hear of; its text is one line. Told once when it begins and once when
/// it is over, not for every event.
#[derive(Debug)]
pub enum Notice {
    /// Writing fails, and events are being lost.
    WriteFailed {
        /// The sink's name.
        sink: String,
        /// What the system said.
        error: io::Error,
    },
    /// Writing works again.
    Recovered {
        /// The sink's name.
        sink: String,
        /// Events lost in between.
        events_lost: u64,
    },
    /// The sink could not be opened anew; its old output is used on.
    ReopenFailed {
        /// Why.
        error: OpenError,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WriteFailed { sink, error } => {
                write!(
                    f,
                    "events are being lost: cannot write {sink}: {error}; free space or fix it, no restart is needed"
                )
            }
            Self::Recovered { sink, events_lost } => {
                write!(f, "{sink} can be written again; {events_lost} events were lost")
            }
            Self::ReopenFailed { error } => write!(f, "still writing the old file: {error}"),
        }
    }
}

/// What became of all events.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Events that are out.
    pub events_written: u64,
    /// Bytes of their lines.
    pub bytes_written: u64,
    /// Events that are not, by reason.
    pub events_lost: Losses,
}

/// An event thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the event thread: {0}; raise the limit on tasks (ulimit -u, systemd's TasksMax)")]
pub struct SpawnError(#[source] io::Error);

/// An event thread did not end well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FinishError {
    /// It panicked, which is a defect.
    #[error(
        "the event thread stopped by a defect; its output is incomplete, please report the message above"
    )]
    Panicked,
}

/// A running event thread.
///
/// It ends when this handle and all producers are gone; [`finish`](Self::finish) waits for that.
#[derive(Debug)]
#[must_use = "call `finish`, or the process may end before its events are written"]
pub struct EventThread {
    queue: Queue,
    thread: JoinHandle<Totals>,
    reopen: Arc<AtomicBool>,
    losses: Arc<LossCounters>,
}

/// Asks an event thread to open its output anew. Setting it is safe in a signal handler.
#[derive(Clone, Debug)]
pub struct Reopen(Arc<AtomicBool>);

impl Reopen {
    /// Makes the request; it is met within the flush interval.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl EventThread {
    /// Starts a thread that writes to `sink` and calls `notify` from it.
    ///
    /// The thread inherits the caller's CPU affinity: start it before the caller is pinned to a worker's core.
    ///
    /// # Errors
    /// [`SpawnError`] when the system has no thread to give.
    pub fn spawn(
        sink: impl Into<Sink>,
        options: Options,
        notify: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Self, SpawnError> {
        Self::spawn_noting(sink, options, None, notify)
    }

    /// Likewise a thread that also notes the alerts that it writes.
    ///
    /// # Errors
    /// [`SpawnError`] when the system has no thread to give.
    pub fn spawn_noting(
        sink: impl Into<Sink>,
        options: Options,
        recent: Option<Arc<Recent>>,
        notify: impl FnMut(Notice) + Send + 'static,
    ) -> Result<Self, SpawnError> {
        let losses = Arc::new(LossCounters::default());
        let reopen = Arc::new(AtomicBool::new(false));
        let (queue, consumer) =
            queue(options.batches_max, options.batch_events, options.overflow, Arc::clone(&losses));
        let writer = Writer {
            sink: sink.into(),
            lines: Vec::with_capacity(BUFFER_BYTES * 2),
            flush_interval: options.flush_interval,
            reopen: Arc::clone(&reopen),
            losses: Arc::clone(&losses),
            notify: Box::new(notify),
            totals: Totals::default(),
            lost_in_outage: None,
            recent,
        };
        let thread = std::thread::Builder::new()
            .name("events".to_owned())
            .spawn(move || writer.run(&consumer))
            .map_err(SpawnError)?;
        Ok(Self { queue, thread, reopen, losses })
    }

    /// Another way in: one for each worker.
    pub fn producer(&self) -> Producer {
        self.queue.producer()
    }

    /// A handle for log rotation: rename the file, then request.
    pub fn reopen(&self) -> Reopen {
        Reopen(Arc::clone(&self.reopen))
    }

    /// The counters of lost events, for who reads them while the thread is elsewhere.
    pub fn loss_counters(&self) -> Arc<LossCounters> {
        Arc::clone(&self.losses)
    }

    /// Events lost up to now.
    pub fn losses(&self) -> Losses {
        self.losses.read()
    }

    /// Waits until every producer is dropped and all that they sent is written.
    ///
    /// Nothing is forced to the disk's platter: the page cache survives the process.
    ///
    /// # Errors
    /// [`FinishError`] when the thread panicked.
    pub fn finish(self) -> Result<Totals, FinishError> {
        let Self { queue, thread, losses, .. } = self;
        drop(queue);
        let totals = thread.join().map_err(|_| FinishError::Panicked)?;
        Ok(Totals { events_lost: losses.read(), ..totals })
    }
}

struct Writer {
    sink: Sink,
    lines: Vec<u8>,
    flush_interval: Duration,
    reopen: Arc<AtomicBool>,
    losses: Arc<LossCounters>,
    notify: Box<dyn FnMut(Notice) + Send>,
    totals: Totals,
    /// Events lost since writing began to fail; `None` while it works.
    lost_in_outage: Option<u64>,
    /// Where alerts are noted.
    recent: Option<Arc<Recent>>,
}

impl Writer {
    fn run(mut self, consumer: &Consumer) -> Totals {
        let mut flush_at = Instant::now() + self.flush_interval;
        loop {
            match consumer.full.recv_deadline(flush_at) {
                Ok(batch) => {
                    for event in &batch {
                        let begin = self.lines.len();
                        event.encode(&mut self.lines);
                        if let (Some(recent), Event::Detail(detail)) = (&self.recent, event)
                            && detail.event_type == "alert"
                        {
                            recent.note(detail.tenant, self.lines.get(begin..).unwrap_or_default());
                        }
                        if self.lines.len() >= BUFFER_BYTES {
                            self.deliver();
                        }
                    }
                    consumer.recycle(batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.reopen.swap(false, Ordering::Relaxed) {
                self.deliver();
                if let Err(error) = self.sink.reopen() {
                    (self.notify)(Notice::ReopenFailed { error });
                }
            }
            let now = Instant::now();
            if now >= flush_at {
                self.deliver();
                flush_at = now + self.flush_interval;
            }
        }
        self.deliver();
        self.totals
    }

    /// Writes what has gathered and keeps the books.
    fn deliver(&mut self) {
        if self.lines.is_empty() {
            return;
        }
        let delivery = self.sink.deliver(&self.lines);
        self.lines.clear();
        self.totals.events_written += delivery.lines_written;
        self.totals.bytes_written += delivery.bytes_written;
        match (delivery.error, self.lost_in_outage) {
            (None, None) => {}
            (None, Some(events_lost)) => {
                self.lost_in_outage = None;
                (self.notify)(Notice::Recovered { sink: self.sink.name(), events_lost });
            }
            (Some(error), lost) => {
                self.losses.add(loss_reason(&error), delivery.lines_lost);
                self.lost_in_outage = Some(lost.unwrap_or_default() + delivery.lines_lost);
                if lost.is_none() {
                    (self.notify)(Notice::WriteFailed { sink: self.sink.name(), error });
                }
            }
        }
    }
}
