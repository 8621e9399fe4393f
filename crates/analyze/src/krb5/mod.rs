//! Kerberos 5 (RFC 4120) over UDP and TCP.
//!
//! In: datagrams, or a stream of messages with four bytes of length before each. Out: a transaction for each request
//! for a ticket, each reply to one and each error, which stands alone as it does in the reference; `krb5` records; the
//! buffers with the names. What else is said (AP-REQ and its like) only tells which request an error answers.

mod message;
mod names;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json::{bytes, literal};
use message::{AP_REP, AP_REQ, AS_REP, AS_REQ, ERROR, Message, Name, TGS_REP, TGS_REQ};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::{Events, Record, Transaction, Transport, View};

const MALFORMED: &str = "krb5.malformed_data";
const WEAK: &str = "krb5.weak_encryption";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[MALFORMED, WEAK];

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] =
    &["krb5_msg_type", "krb5_err_code", "krb5.ticket_encryption", "krb5.ticket_encryption.weak"];

/// Bytes by which a message shows itself.
const PROBE_BYTES: usize = 24;

/// Whether bytes are Kerberos: on its port, the beginning of a message.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if !question.is_on(&question.config.ports.krb5) {
        return Probe::NotForUs;
    }
    let message = match question.transport {
        Transport::Udp => question.bytes,
        Transport::Tcp => match question.bytes.get(4..) {
            Some(message) => message,
            None => return Probe::Unsure,
        },
    };
    if message::is_message(message) {
        Probe::Certain
    } else if question.transport == Transport::Tcp && message.len() < PROBE_BYTES {
        Probe::Unsure
    } else {
        Probe::NotForUs
    }
}

/// The parser of one flow.
pub(crate) struct Krb5 {
    transport: Transport,
    /// Of TCP: the beginning of a message that is not whole yet, with its length before it.
    partial: [Vec<u8>; 2],
    /// The kind of the latest request that was not answered.
    asked: u8,
    transactions: VecDeque<Krb5Transaction>,
    next_id: u64,
}

/// One message.
#[derive(Debug)]
pub(crate) struct Krb5Transaction {
    id: u64,
    direction: Direction,
    message: Message,
    /// Of an error: the kind of the request that failed.
    failed: u8,
    events: Vec<&'static str>,
}

impl Analyzer for Krb5 {
    type Tx = Krb5Transaction;

    fn new(start: &Start<'_>) -> Self {
        Self {
            transport: start.transport,
            partial: [Vec::new(), Vec::new()],
            asked: 0,
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

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        // Where the next message begins is not known any more.
        Outcome::Failed
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

impl Krb5 {
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
        while let Some((len, after)) = rest.split_first_chunk::<4>() {
            // The highest bit is reserved (RFC 4120, section 7.2.2).
            let len = (u32::from_be_bytes(*len) & 0x7fff_ffff) as usize;
            if len > context.limits.message_bytes_max {
                self.raise(MALFORMED);
                return Outcome::Failed;
            }
            let Some((message, next)) = after.split_at_checked(len) else { break };
            if !self.message(context, direction, message) {
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
        let Some((kind, _)) = message::kind(bytes) else {
            self.raise(MALFORMED);
            return false;
        };
        match kind {
            AP_REQ => self.asked = kind,
            AP_REP => self.asked = 0,
            AS_REQ | AS_REP | TGS_REQ | TGS_REP | ERROR => {
                let Some(message) = Message::read(kind, bytes) else {
                    self.raise(MALFORMED);
                    return false;
                };
                self.push(context, direction, message);
            }
            _ => {}
        }
        true
    }

    fn push(&mut self, context: &mut Context<'_>, direction: Direction, message: Message) {
        let is_request = matches!(message.kind, AS_REQ | TGS_REQ);
        let failed = std::mem::replace(&mut self.asked, if is_request { message.kind } else { 0 });
        let weak = message.encryption.is_some_and(names::is_weak);
        let transaction = Krb5Transaction {
            id: self.next_id,
            direction,
            message,
            failed,
            events: if weak { vec![WEAK] } else { Vec::new() },
        };
        self.next_id += 1;
        if context.log {
            // Data of a stream is read when its receiver has acknowledged it: the packet in hand goes the other way.
            let direction = match self.transport {
                Transport::Tcp => direction.flipped(),
                Transport::Udp => direction,
            };
            let members = transaction.members();
            context.records.push(Record { event_type: "krb5", direction, tx_id: None, members });
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(transaction);
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

impl Krb5Transaction {
    /// `"krb5":{…}`.
    fn members(&self) -> Vec<u8> {
        let message = &self.message;
        let mut to = Vec::with_capacity(256);
        literal(&mut to, r#""krb5":{"msg_type":""#);
        literal(&mut to, names::message(message.kind));
        if let Some(code) = message.error {
            literal(&mut to, r#"","failed_request":""#);
            literal(&mut to, names::message(self.failed));
            literal(&mut to, r#"","error_code":""#);
            names::error(&mut to, code);
        }
        literal(&mut to, r#"","cname":"#);
        write_name(&mut to, message.client.as_ref());
        literal(&mut to, r#","realm":"#);
        bytes(&mut to, message.realm.as_deref().unwrap_or(b"<empty>"));
        literal(&mut to, r#","sname":"#);
        write_name(&mut to, message.server.as_ref());
        literal(&mut to, r#","encryption":""#);
        match message.encryption {
            Some(kind) => names::encryption(&mut to, kind),
            None => literal(&mut to, "<none>"),
        }
        literal(&mut to, r#"","weak_encryption":"#);
        literal(&mut to, boolean(message.encryption.is_some_and(names::is_weak)));
        if let Some(kind) = message.ticket_encryption {
            literal(&mut to, r#","ticket_encryption":""#);
            names::encryption(&mut to, kind);
            literal(&mut to, r#"","ticket_weak_encryption":"#);
            literal(&mut to, boolean(names::is_weak(kind)));
        }
        to.push(b'}');
        to
    }
}

const fn boolean(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn write_name(to: &mut Vec<u8>, name: Option<&Name>) {
    match name {
        Some(components) => bytes(to, &components.join(&b'/')),
        None => literal(to, r#""<empty>""#),
    }
}

impl Transaction for Krb5Transaction {
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
            Buffer::Krb5Cname => self.message.client.as_ref(),
            Buffer::Krb5Sname => self.message.server.as_ref(),
            _ => None,
        };
        name?.get(index).map(|component| View::whole(component))
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        if direction != self.direction || index > 0 {
            return None;
        }
        let ticket = self.message.ticket_encryption;
        match field {
            "krb5_msg_type" => Some(u64::from(self.message.kind)),
            "krb5_err_code" => self.message.error.map(i64::cast_unsigned),
            "krb5.ticket_encryption" => ticket.map(i64::cast_unsigned),
            "krb5.ticket_encryption.weak" => ticket.map(|kind| u64::from(names::is_weak(kind))),
            _ => None,
        }
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        if direction == self.direction { &self.events } else { &[] }
    }

    fn context(&self, _: &mut Vec<u8>) {
        // The reference's alerts say nothing of Kerberos.
    }
}
