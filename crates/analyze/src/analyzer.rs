//! What every parser offers to the [`crate::Session`] that drives it.

use std::collections::VecDeque;

use app::{Direction, Protocol};

use crate::{Config, Expectation, Limits, Record, Transaction, Transport};

/// What a parser is told when it begins.
#[derive(Clone, Copy, Debug)]
#[allow(dead_code, reason = "every parser is told the same; what is of use to it differs")]
pub(crate) struct Start<'a> {
    /// What is wanted.
    pub config: &'a Config,
    /// What carries the data.
    pub transport: Transport,
    /// The client's port.
    pub client_port: u16,
    /// The server's port.
    pub server_port: u16,
    /// The protocol that the flow had before (STARTTLS, CONNECT, Upgrade).
    pub original: Option<Protocol>,
    /// The announcement of this connection, if there was one.
    pub expectation: Option<&'a Expectation>,
}

/// What a parser makes of the data it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// It wants more.
    Continue,
    /// It wants no more of either direction: the rest is none of its protocol, and rules may still look into it.
    Done,
    /// It wants no more of either direction: the rest is encrypted, and nobody finds anything in it.
    Encrypted,
    /// It is not this protocol, or broken beyond reading on; nothing more is parsed in this flow.
    Failed,
    /// From the byte after what was consumed (`usize` of the slice given) another protocol follows: STARTTLS, CONNECT,
    /// `Upgrade: h2c`.
    Change(Protocol, usize),
    /// From the byte after what was consumed any protocol may follow: it is looked for anew, both ways. CONNECT.
    Detect(usize),
}

/// What a parser may use while it works.
#[allow(dead_code, reason = "every parser is told the same; what is of use to it differs")]
pub(crate) struct Context<'a> {
    /// Packet time in microseconds since the epoch.
    pub time_us: u64,
    /// What is wanted, and what bounds it.
    pub config: &'a Config,
    /// Caps: those of `config`.
    pub limits: &'a Limits,
    /// Whether EVE records of this protocol are wanted.
    pub log: bool,
    /// Finished EVE records.
    pub records: &'a mut Vec<Record>,
    /// Announced data connections.
    pub expectations: &'a mut Vec<Expectation>,
    /// Set, by [`Direction::index`], when a message was completed: the raw stream up to here may be looked into now.
    pub flush_raw: &'a mut [bool; 2],
}

/// One application protocol's parser for one flow.
pub(crate) trait Analyzer {
    /// Its transactions.
    type Tx: Transaction;

    /// A parser that has seen nothing.
    fn new(start: &Start<'_>) -> Self;

    /// The next bytes of a stream, or one datagram.
    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome;

    /// `len` bytes of a stream that were never seen; [`Outcome::Failed`] if it cannot go on behind them.
    fn gap(&mut self, context: &mut Context<'_>, direction: Direction, len: u64) -> Outcome;

    /// Nothing more will come this way: what is open is finished.
    fn close(&mut self, context: &mut Context<'_>, direction: Direction);

    /// Its open transactions, oldest first. The session takes out those that are complete and inspected.
    fn transactions(&mut self) -> &mut VecDeque<Self::Tx>;
}
