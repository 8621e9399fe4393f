//! DNS over UDP and TCP (RFC 1035, RFC 7766).
//!
//! In: datagrams, or a stream of messages with two bytes of length before each. Out: a transaction for each message,
//! request or response, which stands alone as it does in the reference; `dns` records; the buffers with the names.

mod log;
mod message;
mod names;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use message::{HEADER_BYTES, Header, Message};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::{Events, Record, Transaction, Transport, View};

const MALFORMED: &str = "dns.malformed_data";
const NOT_REQUEST: &str = "dns.not_request";
const NOT_RESPONSE: &str = "dns.not_response";
const Z_FLAG: &str = "dns.z_flag_set";
const INVALID_OPCODE: &str = "dns.invalid_opcode";
const NAME_TOO_LONG: &str = "dns.name_too_long";
const INFINITE_LOOP: &str = "dns.infinite_loop";
const TOO_MANY_LABELS: &str = "dns.too_many_labels";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[
    MALFORMED,
    NOT_REQUEST,
    NOT_RESPONSE,
    Z_FLAG,
    INVALID_OPCODE,
    NAME_TOO_LONG,
    INFINITE_LOOP,
    TOO_MANY_LABELS,
];

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] = &["dns.opcode", "dns.rcode", "dns.rrtype"];

/// Whether bytes are DNS: a header whose counts can be true, and, if all is there, a message that can be read.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    let ports = &question.config.ports;
    let (bytes, len) = match question.transport {
        Transport::Udp if question.is_on(&ports.dns_udp) => (question.bytes, question.bytes.len()),
        Transport::Tcp if question.is_on(&ports.dns_tcp) => match question.bytes.split_first_chunk::<2>() {
            Some((len, bytes)) => (bytes, usize::from(u16::from_be_bytes(*len))),
            None => return Probe::Unsure,
        },
        _ => return Probe::NotForUs,
    };
    let bytes = bytes.get(..len).unwrap_or(bytes);
    let Some(header) = Header::read(bytes) else {
        let short = question.transport == Transport::Tcp && bytes.len() < len && len >= HEADER_BYTES;
        return if short { Probe::Unsure } else { Probe::NotForUs };
    };
    if !header.fits(len) || bytes.len() == len && Message::read(bytes).is_none() {
        return Probe::NotForUs;
    }
    let direction = if header.is_response() { Direction::ToClient } else { Direction::ToServer };
    if direction == question.direction { Probe::Certain } else { Probe::Reversed }
}

/// The parser of one flow.
pub(crate) struct Dns {
    transport: Transport,
    /// Of TCP: the beginning of a message that is not whole yet, with its length before it.
    partial: [Vec<u8>; 2],
    transactions: VecDeque<DnsTransaction>,
    next_id: u64,
}

/// One message.
#[derive(Debug)]
pub(crate) struct DnsTransaction {
    id: u64,
    direction: Direction,
    message: Message,
    events: Vec<&'static str>,
}

impl Analyzer for Dns {
    type Tx = DnsTransaction;

    fn new(start: &Start<'_>) -> Self {
        Self {
            transport: start.transport,
            partial: [Vec::new(), Vec::new()],
            transactions: VecDeque::new(),
            next_id: 0,
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        match self.transport {
            Transport::Udp => {
                // A datagram that cannot be read says nothing about the next.
                self.message(context, direction, bytes);
                Outcome::Continue
            }
            Transport::Tcp => self.stream(context, direction, bytes),
        }
    }

    fn gap(&mut self, _: &mut Context<'_>, direction: Direction, _: u64) -> Outcome {
        // Reading goes on where a message begins again, which the next data may or may not do.
        if let Some(partial) = self.partial.get_mut(direction.index()) {
            partial.clear();
        }
        Outcome::Continue
    }

    fn close(&mut self, _: &mut Context<'_>, direction: Direction) {
        if let Some(partial) = self.partial.get_mut(direction.index()) {
            *partial = Vec::new();
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

impl Dns {
    fn stream(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut partial = self.partial.get_mut(direction.index()).map(std::mem::take).unwrap_or_default();
        let whole;
        let mut rest = if partial.is_empty() {
            bytes
        } else {
            partial.extend_from_slice(bytes);
            whole = partial;
            &whole
        };
        while let Some((len, after)) = rest.split_first_chunk::<2>() {
            let len = usize::from(u16::from_be_bytes(*len));
            if len > context.limits.dns_message_bytes_max {
                return Outcome::Failed;
            }
            let Some((message, next)) = after.split_at_checked(len) else { break };
            if len > 0 && !self.message(context, direction, message) {
                return Outcome::Failed;
            }
            rest = next;
        }
        if let Some(partial) = self.partial.get_mut(direction.index()) {
            partial.extend_from_slice(rest);
        }
        Outcome::Continue
    }

    /// Reads one message; whether it could be read.
    fn message(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> bool {
        let message = match Header::read(bytes) {
            Some(header) if header.fits(bytes.len()) => Message::read(bytes),
            _ => return false,
        };
        let Some(message) = message else {
            self.raise(MALFORMED);
            return false;
        };
        match (direction, message.header.is_response()) {
            (Direction::ToServer, true) => {
                self.raise(NOT_REQUEST);
                return false;
            }
            (Direction::ToClient, false) => {
                self.raise(NOT_RESPONSE);
                return false;
            }
            _ => {}
        }
        let transaction = DnsTransaction::new(self.next_id, direction, message);
        self.next_id += 1;
        if context.log {
            transaction.log(context.records);
        }
        if let Some(flush) = context.flush_raw.get_mut(direction.index()) {
            *flush = true;
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(transaction);
        true
    }

    /// An event of a message that is no transaction is one of the last before it, as in the reference.
    fn raise(&mut self, event: &'static str) {
        if let Some(transaction) = self.transactions.back_mut()
            && !transaction.events.contains(&event)
        {
            transaction.events.push(event);
        }
    }
}

impl DnsTransaction {
    fn new(id: u64, direction: Direction, message: Message) -> Self {
        let oddities = message.oddities;
        let events = [
            (message.header.z(), Z_FLAG),
            (message.header.opcode() >= 7, INVALID_OPCODE),
            (oddities.truncated, NAME_TOO_LONG),
            (oddities.infinite_loop, INFINITE_LOOP),
            (oddities.too_many_labels, TOO_MANY_LABELS),
        ];
        let events = events.into_iter().filter(|(is, _)| *is).map(|(_, event)| event).collect();
        Self { id, direction, message, events }
    }

    fn log(&self, records: &mut Vec<Record>) {
        let mut push = |members| {
            records.push(Record { event_type: "dns", direction: Direction::ToServer, tx_id: None, members });
        };
        let mut members = Vec::with_capacity(256);
        if self.direction == Direction::ToClient {
            // The reference tells of answers by the type that was asked for: without a question it says nothing.
            if !self.message.questions.is_empty() {
                log::answer_record(&mut members, &self.message);
                push(members);
            }
            return;
        }
        for question in &self.message.questions {
            let mut members = std::mem::take(&mut members);
            log::query_record(&mut members, &self.message, question, self.id);
            push(members);
        }
    }
}

impl Transaction for DnsTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn one_way(&self) -> Option<Direction> {
        Some(self.direction)
    }

    fn stage(&self, direction: Direction) -> Stage {
        if direction == self.direction { Stage::Complete } else { Stage::Waiting }
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        _: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        if direction != self.direction {
            return None;
        }
        let name = match buffer {
            Buffer::DnsQuery if direction == Direction::ToServer => &self.message.questions.get(index)?.name,
            Buffer::DnsQueriesRrname | Buffer::DnsQueryName => &self.message.questions.get(index)?.name,
            Buffer::DnsAnswerName => &self.message.answers.get(index)?.name,
            _ => return None,
        };
        Some(View::whole(name))
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        if direction != self.direction {
            return None;
        }
        let header = &self.message.header;
        match (field, index) {
            ("dns.opcode", 0) => Some(u64::from(header.opcode())),
            ("dns.rcode", 0) if header.is_response() => Some(u64::from(header.rcode())),
            ("dns.rrtype", _) => {
                let questions = self.message.questions.iter().map(|question| question.rrtype);
                let answers = self.message.answers.iter().map(|answer| answer.rrtype);
                questions.chain(answers).nth(index).map(u64::from)
            }
            _ => None,
        }
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        if direction == self.direction { &self.events } else { &[] }
    }

    fn context(&self, members: &mut Vec<u8>) {
        log::context(members, &self.message, self.direction == Direction::ToClient, self.id);
    }
}
