//! MQTT 3.1, 3.1.1 and 5.
//!
//! In: a stream. Out: a transaction and an `mqtt` record for each message with those that acknowledge it. A message
//! that is too long to be kept is told of and passed over.

mod eve;
mod message;
mod property;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::VecDeque;

use app::Direction;
use message::{Body, Header, Message, Reading};
use transaction::MqttTransaction;
pub(crate) use transaction::NUMBERS;

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::{Record, Transaction};

const MISSING_CONNECT: &str = "mqtt.missing_connect";
const MISSING_PUBLISH: &str = "mqtt.missing_publish";
const MISSING_SUBSCRIBE: &str = "mqtt.missing_subscribe";
const MISSING_UNSUBSCRIBE: &str = "mqtt.missing_unsubscribe";
const DOUBLE_CONNECT: &str = "mqtt.double_connect";
const UNINTRODUCED: &str = "mqtt.unintroduced_message";
const INVALID_QOS: &str = "mqtt.invalid_qos_level";
const UNASSIGNED: &str = "mqtt.unassigned_msg_type";
const TOO_MANY: &str = "mqtt.too_many_transactions";
const MALFORMED: &str = "mqtt.malformed_traffic";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[
    MISSING_CONNECT,
    MISSING_PUBLISH,
    MISSING_SUBSCRIBE,
    MISSING_UNSUBSCRIBE,
    DOUBLE_CONNECT,
    UNINTRODUCED,
    INVALID_QOS,
    UNASSIGNED,
    TOO_MANY,
    MALFORMED,
];

/// A quality of service that there is not.
const NO_QOS: u8 = 3;

/// Whether bytes are MQTT: on its port, the header of a message of a kind that there is.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if !question.config.ports.mqtt.has(question.server_port) {
        return Probe::NotForUs;
    }
    match (question.bytes.first(), Header::read(question.bytes)) {
        (Some(0..=0x0f), _) | (_, Reading::Malformed) => Probe::NotForUs,
        (Some(first), _) if first >> 1 & 3 == NO_QOS => Probe::NotForUs,
        (_, Reading::Incomplete) => Probe::Unsure,
        (_, Reading::Whole(_)) => Probe::Certain,
    }
}

/// The parser of one flow.
pub(crate) struct Mqtt {
    /// What is not whole yet.
    partial: [Vec<u8>; 2],
    /// What is passed over of a message that is too long.
    skipped: [usize; 2],
    /// What the client has asked for; 0 before it did.
    version: u8,
    /// The server has answered the client's CONNECT.
    connected: bool,
    /// Directions that have ended.
    closed: [bool; 2],
    transactions: VecDeque<MqttTransaction>,
    next_id: u64,
}

impl Analyzer for Mqtt {
    type Tx = MqttTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self {
            partial: [Vec::new(), Vec::new()],
            skipped: [0; 2],
            version: 0,
            connected: false,
            closed: [false; 2],
            transactions: VecDeque::new(),
            next_id: 0,
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let way = direction.index();
        let mut partial = self.partial.get_mut(way).map(std::mem::take).unwrap_or_default();
        partial.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            let rest = partial.get(at..).unwrap_or_default();
            let skipped = self.skipped.get_mut(way).map(std::mem::take).unwrap_or_default();
            let passed = skipped.min(rest.len());
            if let Some(left) = self.skipped.get_mut(way) {
                *left = skipped - passed;
            }
            at += passed;
            let rest = rest.get(passed..).unwrap_or_default();
            let header = match Header::read(rest) {
                Reading::Whole(header) => header,
                Reading::Incomplete => break,
                Reading::Malformed => return self.give_up(context, direction),
            };
            let len = header.len as usize;
            if len > context.limits.mqtt_message_bytes_max {
                at += header.own;
                if let Some(left) = self.skipped.get_mut(way) {
                    *left = len;
                }
                self.truncated(context, direction, header);
                continue;
            }
            let Some(contents) = rest.get(header.own..).and_then(|rest| rest.get(..len)) else { break };
            let Some(message) = Message::read(header, self.version, contents) else {
                return self.give_up(context, direction);
            };
            at += header.own + len;
            self.message(context, direction, message);
        }
        partial.drain(..at);
        if let Some(place) = self.partial.get_mut(way) {
            *place = partial;
        }
        Outcome::Continue
    }

    fn gap(&mut self, context: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        // Where the next message begins is not known any more.
        self.end(context);
        Outcome::Failed
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        if let Some(partial) = self.partial.get_mut(direction.index()) {
            *partial = Vec::new();
        }
        if let Some(closed) = self.closed.get_mut(direction.index()) {
            *closed = true;
        }
        if self.closed == [true; 2] {
            self.end(context);
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

fn record(context: &mut Context<'_>, transaction: &MqttTransaction, direction: Direction) {
    if context.log {
        let mut members = Vec::with_capacity(256);
        transaction.context(&mut members);
        context.records.push(Record { event_type: "mqtt", direction, tx_id: None, members });
    }
}

/// What belongs to a message that another one acknowledges.
enum Place {
    /// One of its own; whether it is complete.
    New { complete: bool },
    /// That of the message that it acknowledges; whether it is complete then.
    Acknowledges { complete: bool, missing: &'static str },
}

fn place(header: Header) -> Place {
    match (header.kind(), header.qos()) {
        (message::CONNECT, _) | (message::PUBLISH | message::SUBSCRIBE | message::UNSUBSCRIBE, 1..) => {
            Place::New { complete: false }
        }
        (message::CONNACK, _) => Place::Acknowledges { complete: true, missing: MISSING_CONNECT },
        (message::PUBREC | message::PUBREL, _) => {
            Place::Acknowledges { complete: false, missing: MISSING_PUBLISH }
        }
        (message::PUBACK | message::PUBCOMP, _) => {
            Place::Acknowledges { complete: true, missing: MISSING_PUBLISH }
        }
        (message::SUBACK, _) => Place::Acknowledges { complete: true, missing: MISSING_SUBSCRIBE },
        (message::UNSUBACK, _) => Place::Acknowledges { complete: true, missing: MISSING_UNSUBSCRIBE },
        _ => Place::New { complete: true },
    }
}

impl Mqtt {
    fn message(&mut self, context: &mut Context<'_>, direction: Direction, message: Message) {
        let header = message.header;
        let mut events = Vec::new();
        let complete = match place(header) {
            Place::New { complete } => complete,
            Place::Acknowledges { complete, missing } => {
                let Some(message) = self.acknowledge(context, message, complete) else { return };
                events.push(missing);
                return self.add(context, direction, vec![message], true, events);
            }
        };
        match header.kind() {
            message::CONNECT => {
                if let Body::Connect(connect) = &message.body {
                    self.version = connect.version;
                }
                if self.connected {
                    events.push(DOUBLE_CONNECT);
                }
            }
            message::PUBLISH | message::SUBSCRIBE | message::UNSUBSCRIBE if header.qos() == NO_QOS => {
                events.push(INVALID_QOS);
            }
            0 => events.push(UNASSIGNED),
            _ => {}
        }
        self.add(context, direction, vec![message], complete, events);
    }

    /// Puts an acknowledgement to the oldest open message that it can be for. It is given back if there is none.
    fn acknowledge(
        &mut self,
        context: &mut Context<'_>,
        message: Message,
        complete: bool,
    ) -> Option<Message> {
        let is_connack = message.header.kind() == message::CONNACK;
        let transaction = self.transactions.iter_mut().find(|transaction| {
            transaction.is_open()
                && transaction.messages.iter().any(|other| {
                    if is_connack {
                        matches!(other.body, Body::Connect(_))
                    } else {
                        other.id() == message.id() && message.header.qos() != NO_QOS
                    }
                })
        });
        let Some(transaction) = transaction else { return Some(message) };
        self.connected |= is_connack;
        transaction.messages.push(message);
        if complete {
            transaction.complete = true;
            record(context, transaction, transaction.direction);
        }
        None
    }

    fn truncated(&mut self, context: &mut Context<'_>, direction: Direction, header: Header) {
        let body = Body::Truncated(u64::from(header.len).saturating_add(header.own as u64));
        let message = Message { header, body };
        // The reference shows these to rules with the packets of the other way.
        self.push(context, direction.flipped(), vec![message], true, Vec::new());
    }

    /// Adds a transaction, with the events that it has for what came before.
    fn add(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        messages: Vec<Message>,
        complete: bool,
        mut events: Vec<&'static str>,
    ) {
        let introduces =
            |message: &Message| matches!(message.header.kind(), message::CONNECT | message::CONNACK);
        if !self.connected && !messages.iter().any(introduces) {
            events.push(UNINTRODUCED);
        }
        self.push(context, direction, messages, complete, events);
    }

    fn push(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        messages: Vec<Message>,
        complete: bool,
        events: Vec<&'static str>,
    ) {
        let max = context.limits.transactions_max;
        if self.transactions.len() >= max
            && let Some(oldest) = self.transactions.iter_mut().find(|transaction| transaction.is_open())
        {
            oldest.raise(TOO_MANY);
            oldest.complete = true;
            record(context, oldest, oldest.direction);
        }
        if self.transactions.len() >= max.saturating_mul(2) {
            self.transactions.pop_front();
        }
        let version = self.version;
        let transaction = MqttTransaction {
            id: self.next_id,
            direction,
            version,
            messages,
            complete,
            over: false,
            events,
            looked_at: false,
        };
        self.next_id += 1;
        if complete {
            record(context, &transaction, direction);
        }
        self.transactions.push_back(transaction);
    }

    /// What comes cannot be read, nor what would follow it.
    fn give_up(&mut self, context: &mut Context<'_>, direction: Direction) -> Outcome {
        self.end(context);
        self.push(context, direction, Vec::new(), true, vec![MALFORMED]);
        Outcome::Failed
    }

    /// Nothing more comes: what is open is written down as it is.
    fn end(&mut self, context: &mut Context<'_>) {
        for transaction in self.transactions.iter_mut().filter(|transaction| transaction.is_open()) {
            transaction.over = true;
            record(context, transaction, transaction.direction);
        }
    }
}
