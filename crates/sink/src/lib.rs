//! Event delivery: bounded queues and the threads that write events out.
//!
//! In: [`Event`](event::Event)s from many workers, each through its own [`Producer`], in batches. Out: lines in a
//! [`Sink`], written by one [`EventThread`]; in the end [`Totals`], in which every event that was handed over is either
//! written or lost for a named [`LossReason`].
//!
//! A worker never waits for a disk: when the queue is full its events are counted and dropped ([`Overflow::Drop`]). Only
//! a replay, which has no wire to keep up with, waits instead ([`Overflow::Wait`]). Nothing here allocates per event once
//! buffers have grown: emptied batches go back to the workers.

#![forbid(unsafe_code)]

pub mod file;
pub mod loss;
pub mod queue;
pub mod recent;
pub mod thread;

pub use file::{FileSink, OpenError, OpenMode};
pub use loss::{LossCounters, LossReason, Losses};
pub use queue::{Overflow, Producer};
pub use recent::Recent;
pub use thread::{EventThread, FinishError, Notice, Options, Reopen, SpawnError, Totals};

use std::io;

/// Somewhere that lines go. A closed set, so that delivery costs no virtual call.
#[derive(Debug)]
pub enum Sink {
    /// A file on disk.
    File(FileSink),
}

/// What became of the lines that were given to a sink and not reported on before.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Lines that are out whole.
    pub(crate) lines_written: u64,
    /// Bytes of those lines.
    pub(crate) bytes_written: u64,
    /// Lines that are gone.
    pub(crate) lines_lost: u64,
    /// Why they are gone.
    pub(crate) error: Option<io::Error>,
}

impl Sink {
    /// Writes whole lines, or as many of them as will go.
    fn deliver(&mut self, lines: &[u8]) -> Delivery {
        match self {
            Self::File(file) => file.write_lines(lines),
        }
    }

    /// Starts the output anew under its old name, after something else moved it away.
    fn reopen(&mut self) -> Result<(), OpenError> {
        match self {
            Self::File(file) => file.reopen(),
        }
    }

    /// What the sink is called in messages.
    fn name(&self) -> String {
        match self {
            Self::File(file) => file.path().display().to_string(),
        }
    }
}

impl From<FileSink> for Sink {
    fn from(file: FileSink) -> Self {
        Self::File(file)
    }
}
