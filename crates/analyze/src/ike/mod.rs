//! IKE: versions 1 (RFC 2408, RFC 2409) and 2 (RFC 7296).
//!
//! In: datagrams. Out: a transaction and an `ike` record for each message, which stands alone; what both sides have
//! offered and chosen is remembered, since the records of later messages tell it again.

mod log;
mod names1;
mod names2;
#[cfg(test)]
mod tests;
mod version1;
mod version2;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use version1::Version1;
use version2::Version2;

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;
use crate::{Events, Record, Transaction, View};

const MALFORMED: &str = "ike.malformed_data";
const MULTIPLE_SERVER_PROPOSAL: &str = "ike.multiple_server_proposal";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[
    MALFORMED,
    MULTIPLE_SERVER_PROPOSAL,
    version2::WEAK_ENCRYPTION,
    version2::WEAK_PSEUDO_RANDOM,
    version2::WEAK_INTEGRITY,
    version2::WEAK_GROUP,
    version2::NO_GROUP,
    version2::NO_INTEGRITY,
    version2::NO_ENCRYPTION,
    version2::INVALID_PROPOSAL,
    version2::UNKNOWN_PROPOSAL,
];

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] = &[
    "ike.exchtype",
    "ike.key_exchange_payload_length",
    "ike.nonce_payload_length",
    "ike.chosen_sa_attribute.alg_enc",
    "ike.chosen_sa_attribute.alg_hash",
    "ike.chosen_sa_attribute.alg_auth",
    "ike.chosen_sa_attribute.alg_dh",
    "ike.chosen_sa_attribute.alg_prf",
    "ike.chosen_sa_attribute.sa_group_type",
    "ike.chosen_sa_attribute.sa_life_type",
    "ike.chosen_sa_attribute.sa_life_duration",
    "ike.chosen_sa_attribute.sa_key_length",
    "ike.chosen_sa_attribute.sa_field_size",
];

/// Bytes of key exchange data or of a nonce that are kept; their length is told all the same.
const DATA_BYTES_MAX: usize = 4096;

/// What stands before the payloads of a message.
#[derive(Clone, Copy, Debug)]
struct Header {
    initiator: [u8; 8],
    responder: [u8; 8],
    next: u8,
    major: u8,
    minor: u8,
    exchange: u8,
    flags: u8,
    message: u32,
    /// Length of the whole message, in bytes.
    len: u32,
}

impl Header {
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let initiator = *reader.take(8)?.first_chunk()?;
        let responder = *reader.take(8)?.first_chunk()?;
        let next = reader.u8()?;
        let version = reader.u8()?;
        let exchange = reader.u8()?;
        let flags = reader.u8()?;
        let message = reader.u32()?;
        let len = reader.u32()?;
        let (major, minor) = (version >> 4, version & 15);
        Some(Self { initiator, responder, next, major, minor, exchange, flags, message, len })
    }
}

/// Whether a datagram is IKE: on its port, with the header of a message that is as long as the datagram.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if !question.config.ports.ike.has(question.server_port) {
        return Probe::NotForUs;
    }
    let Some(header) = Header::read(&mut Reader(question.bytes)) else { return Probe::NotForUs };
    let known = match (header.major, header.minor) {
        (1, _) => true,
        (2, 0) => matches!(header.exchange, 34..=37),
        _ => false,
    };
    if known && header.len as usize == question.bytes.len() { Probe::Certain } else { Probe::NotForUs }
}

/// Data that a rule may look into.
#[derive(Clone, Default, Debug)]
struct Data {
    bytes: Vec<u8>,
    /// Its whole length.
    len: usize,
}

impl Data {
    fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.get(..DATA_BYTES_MAX).unwrap_or(bytes).to_vec(), len: bytes.len() }
    }
}

/// The parser of one flow.
pub(crate) struct Ike {
    version1: Version1,
    version2: Version2,
    transactions: VecDeque<IkeTransaction>,
    next_id: u64,
}

/// What one message says to rules.
#[derive(Default, Debug)]
struct Facts {
    key_exchange: Option<Data>,
    nonce: Option<Data>,
    /// Vendor identifiers in hexadecimal.
    vendors: Vec<Vec<u8>>,
    /// What the responder chose: keyword and value.
    chosen: Vec<(&'static str, u64)>,
    events: Vec<&'static str>,
}

impl Facts {
    fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }
}

/// A message.
#[derive(Debug)]
pub(crate) struct IkeTransaction {
    id: u64,
    direction: Direction,
    exchange: u8,
    /// Identifiers of both sides in hexadecimal.
    initiator: [u8; 16],
    responder: [u8; 16],
    facts: Facts,
    /// `"ike":{…}` of the record; an alert says more at [`log::Members::verbose_at`].
    members: log::Members,
}

impl Analyzer for Ike {
    type Tx = IkeTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self {
            version1: Version1::default(),
            version2: Version2::default(),
            transactions: VecDeque::new(),
            next_id: 0,
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut reader = Reader(bytes);
        let mut facts = Facts::default();
        let read = Header::read(&mut reader).and_then(|header| {
            let members = match header.major {
                1 => self.version1.message(&header, direction, reader, &mut facts)?,
                2 => self.version2.message(&header, bytes.len(), reader, &mut facts),
                _ => return None,
            };
            Some((header, members))
        });
        if facts.events.contains(&MULTIPLE_SERVER_PROPOSAL) {
            // It belongs to the message before, as in the reference.
            facts.events.retain(|event| *event != MULTIPLE_SERVER_PROPOSAL);
            self.raise(MULTIPLE_SERVER_PROPOSAL);
        }
        // A datagram that cannot be read says nothing about the next.
        let Some((header, members)) = read else {
            self.raise(MALFORMED);
            return Outcome::Continue;
        };
        if context.log {
            let members = members.record().to_vec();
            context.records.push(Record { event_type: "ike", direction, tx_id: None, members });
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(IkeTransaction {
            id: self.next_id,
            direction,
            exchange: header.exchange,
            initiator: log::identifier(header.initiator),
            responder: log::identifier(header.responder),
            facts,
            members,
        });
        self.next_id += 1;
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        Outcome::Continue
    }

    fn close(&mut self, _: &mut Context<'_>, _: Direction) {}

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

impl Ike {
    /// An event of a message that is no transaction is one of the last before it, as in the reference.
    fn raise(&mut self, event: &'static str) {
        if let Some(transaction) = self.transactions.back_mut() {
            transaction.facts.raise(event);
        }
    }
}

impl Transaction for IkeTransaction {
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
        let bytes: &[u8] = match (buffer, index) {
            (Buffer::IkeInitSpi, 0) => &self.initiator,
            (Buffer::IkeRespSpi, 0) => &self.responder,
            (Buffer::IkeNoncePayload, 0) => &self.facts.nonce.as_ref()?.bytes,
            (Buffer::IkeKeyExchangePayload, 0) => &self.facts.key_exchange.as_ref()?.bytes,
            (Buffer::IkeVendor, _) => self.facts.vendors.get(index)?,
            _ => return None,
        };
        Some(View::whole(bytes))
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        if direction != self.direction {
            return None;
        }
        let len = |data: &Option<Data>| data.as_ref().map(|data| data.len as u64);
        match (field, index) {
            ("ike.exchtype", 0) => Some(u64::from(self.exchange)),
            ("ike.key_exchange_payload_length", 0) => len(&self.facts.key_exchange),
            ("ike.nonce_payload_length", 0) => len(&self.facts.nonce),
            _ => {
                let name = field.strip_prefix("ike.chosen_sa_attribute.")?;
                let mut values = self.facts.chosen.iter().filter(|(known, _)| *known == name);
                values.nth(index).map(|&(_, value)| value)
            }
        }
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        if direction == self.direction { &self.facts.events } else { &[] }
    }

    fn context(&self, to: &mut Vec<u8>) {
        self.members.alert(to);
    }
}
