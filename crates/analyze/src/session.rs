//! One flow's application layer: finding out the protocol, feeding its parser, keeping what came out.
//!
//! In: stream data in order or datagrams, gaps, and the ends of both directions. Out: the protocol, transactions, EVE
//! records, announcements and events of detection. A session without data costs no allocation; with data it holds its
//! parser, at most [`crate::Limits::detect_bytes_max`] bytes each way while the protocol is unknown, and what the caller
//! has not taken.

mod detecting;
mod run;

use app::{Direction, Protocol};
use run::Run;

use crate::analyzer::{Outcome, Start};
use crate::parser::{Parser, Settled};
use crate::{Config, Events, Expectation, Record, Transaction, anomaly};

/// Names of the events of detection, as `app-layer-event` has them.
pub(crate) mod events {
    pub(crate) const MISMATCH: &str = "applayer_mismatch_protocol_both_directions";
    pub(crate) const WRONG_DIRECTION: &str = "applayer_wrong_direction_first_data";
    pub(crate) const ONE_DIRECTION: &str = "applayer_detect_protocol_only_one_direction";
    pub(crate) const SKIPPED: &str = "applayer_proto_detection_skipped";
    pub(crate) const NO_TLS: &str = "applayer_no_tls_after_starttls";
    pub(crate) const UNEXPECTED: &str = "applayer_unexpected_protocol";
    /// All of them.
    pub(crate) const ALL: &[&str] = &[MISMATCH, WRONG_DIRECTION, ONE_DIRECTION, SKIPPED, NO_TLS, UNEXPECTED];
}

/// What carries a flow's data.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transport {
    /// TCP: a stream each way.
    Tcp,
    /// UDP: datagrams.
    Udp,
}

/// What a call has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// The protocol was found, has changed, or is now known not to be found: rules about it must be asked again.
    /// Numbers of transactions may begin anew.
    pub changed: bool,
    /// Client and server were mistaken for each other. The session has turned around already; the caller must from now
    /// on name directions the other way, beginning with the data just given.
    pub reversed: bool,
}

/// What is known of one direction.
#[derive(Clone, Copy, Default, Debug)]
struct Way {
    /// The protocol that its own data showed.
    found: Option<Protocol>,
    /// Its data is not asked any longer.
    over: bool,
    /// Its data goes to the parser.
    fed: bool,
    /// Nothing more comes.
    closed: bool,
}

/// One flow's application layer.
#[derive(Debug)]
pub struct Session {
    transport: Transport,
    client_port: u16,
    server_port: u16,
    midstream: bool,
    one_sided: bool,
    ways: [Way; 2],
    /// The protocol of the flow.
    protocol: Option<Protocol>,
    /// The protocol before it changed.
    original: Option<Protocol>,
    /// The direction of the first data.
    first: Option<Direction>,
    /// No protocol was found, or its parser could not go on.
    failed: bool,
    /// The parser wants no more.
    done: bool,
    /// What follows is encrypted.
    encrypted: bool,
    live: Option<Box<Live>>,
}

/// What a session holds once there is data.
#[derive(Default)]
struct Live {
    parser: Option<Parser>,
    /// The parser before the protocol changed, until the next data comes.
    previous: Option<Parser>,
    /// Data that came before the protocol was known, and how much of it was not kept.
    pending: [Vec<u8>; 2],
    lost: [u64; 2],
    seen: [u64; 2],
    /// What must follow a change of protocol; `None`: anything may.
    awaited: Option<Protocol>,
    expectation: Option<Box<Expectation>>,
    records: Vec<Record>,
    expectations: Vec<Expectation>,
    events: Vec<&'static str>,
    flush_raw: [bool; 2],
    settled: Settled,
    anomalies: anomaly::Written,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live")
            .field("events", &self.events)
            .field("records", &self.records)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// The session of a flow that has sent nothing.
    pub const fn new(transport: Transport, client_port: u16, server_port: u16) -> Self {
        const WAY: Way = Way { found: None, over: false, fed: false, closed: false };
        Self {
            transport,
            client_port,
            server_port,
            midstream: false,
            one_sided: false,
            ways: [WAY; 2],
            protocol: None,
            original: None,
            first: None,
            failed: false,
            done: false,
            encrypted: false,
            live: None,
        }
    }

    /// The beginning of this TCP connection was not seen: who is client and who is server is a guess that the first
    /// data may correct. Of UDP it always is.
    pub const fn set_midstream(&mut self) {
        self.midstream = true;
    }

    /// Only one side of this TCP connection is seen: the other's data is not waited for.
    pub const fn set_one_sided(&mut self) {
        self.one_sided = true;
    }

    /// This flow was announced: unless its data shows another protocol, it is the announced one.
    pub fn expect(&mut self, expectation: &Expectation) {
        self.live.get_or_insert_default().expectation = Some(Box::new(expectation.clone()));
    }

    /// The flow's protocol.
    pub const fn protocol(&self) -> Option<Protocol> {
        self.protocol
    }

    /// The protocol that the data of one direction shows by itself.
    pub fn protocol_of(&self, direction: Direction) -> Option<Protocol> {
        self.way(direction).found
    }

    /// Whether the data of one direction was asked for its protocol and shows none.
    pub fn failed_of(&self, direction: Direction) -> bool {
        let way = self.way(direction);
        way.over && way.found.is_none()
    }

    /// The flow's protocol before it changed (STARTTLS, CONNECT, Upgrade).
    pub const fn original_protocol(&self) -> Option<Protocol> {
        self.original
    }

    /// Whether no protocol was found or its parser could not go on; nothing more is parsed.
    pub const fn failed(&self) -> bool {
        self.failed
    }

    /// Whether the parser wants no more: the rest is none of its protocol.
    pub const fn done(&self) -> bool {
        self.done
    }

    /// Whether everything that follows, in both directions, is encrypted: looking for patterns in it is of no use.
    pub const fn encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether data of this direction is still of use here.
    pub const fn wants(&self, _direction: Direction) -> bool {
        !self.failed && !self.done
    }

    /// Events of detection that the latest call raised: they belong to its packet.
    pub fn events(&self) -> Events<'_> {
        self.live.as_deref().map_or(&[], |live| &live.events)
    }

    /// The packet is done with: its events of detection are not those of the next.
    pub fn forget_events(&mut self) {
        if let Some(live) = &mut self.live {
            live.events.clear();
        }
    }

    /// Finished EVE records, oldest first, which leave the session.
    pub fn take_records(&mut self) -> impl Iterator<Item = Record> {
        self.live.as_deref_mut().map(|live| live.records.drain(..)).into_iter().flatten()
    }

    /// Announced data connections, which leave the session.
    pub fn take_expectations(&mut self) -> impl Iterator<Item = Expectation> {
        self.live.as_deref_mut().map(|live| live.expectations.drain(..)).into_iter().flatten()
    }

    /// By [`Direction::index`], whether a message was completed since the last question: the raw stream up to here may
    /// be looked into now.
    pub fn take_flush_raw(&mut self) -> [bool; 2] {
        self.live.as_deref_mut().map_or([false; 2], |live| std::mem::take(&mut live.flush_raw))
    }

    /// Shows every open transaction, oldest first.
    pub fn for_each_transaction(&mut self, visit: &mut dyn FnMut(&mut dyn Transaction)) {
        if let Some(live) = self.live.as_deref_mut() {
            for parser in [&mut live.previous, &mut live.parser].into_iter().flatten() {
                parser.for_each(visit);
            }
        }
    }

    /// Rules have looked at every transaction in this direction: those of which they have seen all, both ways, go. To
    /// be called for the direction of the data after each call of [`Session::data`] and [`Session::gap`], and for both
    /// after [`Session::close`], also where there are no rules.
    pub fn retire(&mut self, direction: Direction) {
        if let Some(live) = self.live.as_deref_mut()
            && let Some(parser) = &mut live.parser
        {
            parser.retire(direction, &mut live.settled);
        }
    }

    /// The next bytes of a stream, or one datagram.
    pub fn data(&mut self, config: &Config, time_us: u64, direction: Direction, bytes: &[u8]) -> Status {
        let before = (self.protocol, self.failed);
        let mut status = Status::default();
        if bytes.is_empty() && self.transport == Transport::Tcp {
            return status;
        }
        let mut live = self.begin_call();
        if self.wants(direction) {
            self.first.get_or_insert(direction);
            let mut run = Run { config, time_us, live: &mut live };
            if self.way(direction).fed {
                self.feed(&mut run, direction, bytes);
            } else {
                match self.transport {
                    Transport::Tcp => status.reversed = self.detect_stream(&mut run, direction, bytes),
                    Transport::Udp => status.reversed = self.detect_datagram(&mut run, direction, bytes),
                }
            }
        }
        let direction = if status.reversed { direction.flipped() } else { direction };
        self.end_call(config, direction, live);
        status.changed = before != (self.protocol, self.failed);
        status
    }

    /// `len` bytes of a stream that were never seen.
    pub fn gap(&mut self, config: &Config, time_us: u64, direction: Direction, len: u64) -> Status {
        let before = (self.protocol, self.failed);
        let mut live = self.begin_call();
        if self.wants(direction) {
            let mut run = Run { config, time_us, live: &mut live };
            if self.way(direction).fed {
                let outcome = run.gap(direction, len);
                self.settle(&mut run, direction, outcome, &[]);
            } else if self.protocol.is_some() && run.live.parser.is_some() {
                self.way_mut(direction).over = true;
                *run.lost_mut(direction) += len;
                self.release(&mut run, direction);
            } else {
                // What follows a gap cannot be told from the middle of anything.
                self.give_up(&mut run, direction, len);
            }
        }
        self.end_call(config, direction, live);
        Status { changed: before != (self.protocol, self.failed), reversed: false }
    }

    /// Nothing more will come this way.
    pub fn close(&mut self, config: &Config, time_us: u64, direction: Direction) -> Status {
        let before = (self.protocol, self.failed);
        if self.live.is_none() || self.way(direction).closed {
            return Status::default();
        }
        self.way_mut(direction).closed = true;
        let mut live = self.begin_call();
        let mut run = Run { config, time_us, live: &mut live };
        self.resume(&mut run);
        run.close(direction);
        self.end_call(config, direction, live);
        Status { changed: before != (self.protocol, self.failed), reversed: false }
    }

    fn way(&self, direction: Direction) -> Way {
        let [to_server, to_client] = self.ways;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    fn way_mut(&mut self, direction: Direction) -> &mut Way {
        let [to_server, to_client] = &mut self.ways;
        match direction {
            Direction::ToServer => to_server,
            Direction::ToClient => to_client,
        }
    }

    fn begin_call(&mut self) -> Box<Live> {
        let mut live = self.live.take().unwrap_or_default();
        live.events.clear();
        live.previous = None;
        live
    }

    /// Writes what events have come up and puts the live part back.
    fn end_call(&mut self, config: &Config, direction: Direction, mut live: Box<Live>) {
        // Data of a stream is read when its receiver has acknowledged it: the packet in hand goes the other way.
        let direction = match self.transport {
            Transport::Tcp => direction.flipped(),
            Transport::Udp => direction,
        };
        let Live { parser, previous, records, anomalies, events, .. } = &mut *live;
        if config.anomalies
            && let Some(protocol) = self.protocol.or(self.original)
            && config.log.has(protocol)
        {
            anomaly::detection(protocol, direction, events, records);
            for parser in [previous, parser].into_iter().flatten() {
                parser.for_each(&mut |transaction| {
                    anomalies.transaction(protocol, direction, transaction, records);
                });
            }
        }
        self.live = Some(live);
    }

    fn set_protocol(&mut self, run: &mut Run<'_>, protocol: Protocol) {
        self.protocol = Some(protocol);
        run.live.parser = Parser::new(
            protocol,
            &Start {
                config: run.config,
                transport: self.transport,
                client_port: self.client_port,
                server_port: self.server_port,
                original: self.original,
                expectation: run.live.expectation.as_deref(),
            },
        );
        // A protocol that is only detected has no parser that could want more.
        self.done = run.live.parser.is_none();
    }

    /// Gives a direction's kept data to the parser; from now on it gets what comes.
    fn release(&mut self, run: &mut Run<'_>, direction: Direction) {
        self.way_mut(direction).fed = true;
        let bytes = std::mem::take(run.pending(direction));
        if !bytes.is_empty() {
            self.feed(run, direction, &bytes);
        }
        let lost = std::mem::take(run.lost_mut(direction));
        if lost > 0 && self.wants(direction) {
            let outcome = run.gap(direction, lost);
            self.settle(run, direction, outcome, &[]);
        }
    }

    fn feed(&mut self, run: &mut Run<'_>, direction: Direction, bytes: &[u8]) {
        if !self.wants(direction) {
            return;
        }
        let outcome = run.data(direction, bytes);
        self.settle(run, direction, outcome, bytes);
    }

    /// Does what a parser's outcome says.
    fn settle(&mut self, run: &mut Run<'_>, direction: Direction, outcome: Outcome, bytes: &[u8]) {
        match outcome {
            Outcome::Continue => {}
            Outcome::Done => self.done = true,
            Outcome::Encrypted => {
                self.done = true;
                self.encrypted = true;
            }
            Outcome::Failed => self.fail(run),
            Outcome::Change(protocol, consumed) => {
                self.change(run, direction, Some(protocol), bytes.get(consumed..));
            }
            Outcome::Detect(consumed) => self.change(run, direction, None, bytes.get(consumed..)),
        }
    }

    /// Nothing more is parsed; what is open is finished.
    fn fail(&mut self, run: &mut Run<'_>) {
        self.failed = true;
        run.live.pending = [Vec::new(), Vec::new()];
        for direction in Direction::BOTH {
            run.close(direction);
        }
    }

    /// Another protocol follows: the old parser finishes, and what comes is asked anew.
    fn change(
        &mut self,
        run: &mut Run<'_>,
        direction: Direction,
        awaited: Option<Protocol>,
        rest: Option<&[u8]>,
    ) {
        for direction in Direction::BOTH {
            run.close(direction);
        }
        let live = &mut *run.live;
        live.previous = live.parser.take();
        live.settled = Settled::default();
        live.anomalies.forget();
        live.expectation = None;
        live.awaited = awaited;
        live.seen = [0; 2];
        for way in &mut self.ways {
            *way = Way { closed: way.closed, ..Way::default() };
        }
        self.original = self.protocol;
        self.first = None;
        // The protocol stays the old one's until there is data of the new one.
        if let Some(rest) = rest.filter(|rest| !rest.is_empty()) {
            run.keep(direction, rest);
        }
    }
}

#[cfg(test)]
mod tests;
