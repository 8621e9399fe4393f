//! SIP (RFC 3261) over UDP.
//!
//! In: datagrams. Out: a transaction and a `sip` record for each request and each response. Of a message the first line is
//! kept; its header must be one, and its body is not looked at. SIP over TCP is not looked for, as in the reference.

mod message;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json::{literal, string};
use message::{Fault, Line};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::{Events, Record, Transaction, View};

const INCOMPLETE: &str = "sip.incomplete_data";
const INVALID: &str = "sip.invalid_data";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[INCOMPLETE, INVALID];

/// Whether a datagram is SIP: on the server's port, a whole request to it or a whole response from it.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    let is_there = question.config.ports.sip.has(question.server_port);
    if is_there && read(question.direction, question.bytes).is_ok() {
        Probe::Certain
    } else {
        Probe::NotForUs
    }
}

/// The server is asked and answers: another message is none.
fn read(direction: Direction, bytes: &[u8]) -> Result<Line, Fault> {
    match direction {
        Direction::ToServer => message::request(bytes),
        Direction::ToClient => message::response(bytes),
    }
}

/// The parser of one flow.
pub(crate) struct Sip {
    transactions: VecDeque<SipTransaction>,
    next_id: u64,
}

/// A message.
#[derive(Debug)]
pub(crate) struct SipTransaction {
    id: u64,
    direction: Direction,
    line: Line,
    /// By [`Direction::index`], whether rules have looked at it.
    inspected: [bool; 2],
    events: [Vec<&'static str>; 2],
}

impl Analyzer for Sip {
    type Tx = SipTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self { transactions: VecDeque::new(), next_id: 0 }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        // Nothing is what keeps a mapping of addresses alive.
        if bytes.is_empty() {
            return Outcome::Continue;
        }
        match read(direction, bytes) {
            Ok(line) => self.push(context, direction, line),
            Err(Fault::Incomplete) => self.raise(INCOMPLETE),
            Err(Fault::Invalid) => self.raise(INVALID),
        }
        // A datagram that cannot be read says nothing about the next.
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        Outcome::Continue
    }

    fn close(&mut self, _: &mut Context<'_>, direction: Direction) {
        // What was not looked at when the flow ends is not told any more, as in the reference.
        for transaction in &mut self.transactions {
            if let Some(events) = transaction.events.get_mut(direction.index()) {
                events.clear();
            }
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

impl Sip {
    fn push(&mut self, context: &mut Context<'_>, direction: Direction, line: Line) {
        let transaction = SipTransaction {
            id: self.next_id,
            direction,
            line,
            inspected: [false; 2],
            events: [Vec::new(), Vec::new()],
        };
        self.next_id += 1;
        if context.log {
            let mut members = Vec::with_capacity(256);
            transaction.context(&mut members);
            context.records.push(Record { event_type: "sip", direction, tx_id: None, members });
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(transaction);
    }

    /// An event of a datagram that is no message is one of the last message before it, and told where that was not
    /// looked at yet, as in the reference.
    fn raise(&mut self, event: &'static str) {
        let Some(transaction) = self.transactions.back_mut() else { return };
        for (events, inspected) in transaction.events.iter_mut().zip(transaction.inspected) {
            if !inspected && !events.contains(&event) {
                events.push(event);
            }
        }
    }
}

impl Transaction for SipTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    // A message is whole when it comes, and stays until both ways were looked at: until then it can have events.
    fn stage(&self, _: Direction) -> Stage {
        Stage::Complete
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        _: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        if direction != self.direction || index > 0 {
            return None;
        }
        let text = match (&self.line, buffer) {
            (Line::Request { method, .. }, Buffer::SipMethod) => method,
            (Line::Request { uri, .. }, Buffer::SipUri) => uri,
            (Line::Request { line, .. }, Buffer::SipRequestLine)
            | (Line::Response { line, .. }, Buffer::SipResponseLine) => line,
            (Line::Response { code, .. }, Buffer::SipStatCode) => code,
            (Line::Response { reason, .. }, Buffer::SipStatMsg) => reason,
            (Line::Request { protocol, .. } | Line::Response { protocol, .. }, Buffer::SipProtocol) => {
                protocol
            }
            _ => return None,
        };
        Some(View::whole(text.as_bytes()))
    }

    fn inspected(&mut self, direction: Direction) {
        if let Some(inspected) = self.inspected.get_mut(direction.index()) {
            *inspected = true;
        }
    }

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        self.events.get(direction.index()).map_or(&[], Vec::as_slice)
    }

    fn context(&self, to: &mut Vec<u8>) {
        let members: [(&str, &str); 4] = match &self.line {
            Line::Request { method, uri, protocol, line } => [
                ("method\":", method),
                (",\"uri\":", uri),
                (",\"version\":", protocol),
                (",\"request_line\":", line),
            ],
            Line::Response { protocol, code, reason, line } => [
                ("version\":", protocol),
                (",\"code\":", code),
                (",\"reason\":", reason),
                (",\"response_line\":", line),
            ],
        };
        literal(to, "\"sip\":{\"");
        for (key, value) in members {
            literal(to, key);
            string(to, value);
        }
        to.push(b'}');
    }
}
