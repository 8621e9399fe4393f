//! RDP (MS-RDPBCGR): the beginning of a connection, before it is encrypted.
//!
//! In: a stream. Out: a transaction and an `rdp` record for each of the messages that negotiate and connect, and one
//! for the server's certificates where TLS was negotiated. What follows is encrypted and not looked at.

mod client;
mod layouts;
mod message;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json::{literal, number_after};
use message::{Message, Packet};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;
use crate::{Events, Record, Transaction, View};

/// Certificates whose serial numbers are told.
const CERTIFICATES_MAX: usize = 16;

/// Whether bytes are RDP: on its port, a TPKT packet with a request or a response to connect.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if !question.is_on(&question.config.ports.rdp) {
        return Probe::NotForUs;
    }
    let code = match question.direction {
        Direction::ToServer => 0xe0,
        Direction::ToClient => 0xd0,
    };
    match *question.bytes {
        [3, _, _, _, _, found, ..] if found == code => Probe::Certain,
        [3] | [3, _] | [3, _, _] | [3, _, _, _] | [3, _, _, _, _] => Probe::Unsure,
        _ => Probe::NotForUs,
    }
}

/// The parser of one flow.
pub(crate) struct Rdp {
    /// What is not whole yet.
    partial: [Vec<u8>; 2],
    transactions: VecDeque<RdpTransaction>,
    /// The number of the latest transaction: the first is 1, as in the reference.
    latest: u64,
}

/// A message.
#[derive(Debug)]
pub(crate) struct RdpTransaction {
    id: u64,
    direction: Direction,
    /// `"rdp":{…}`.
    members: Vec<u8>,
}

/// What a piece of a stream led to.
enum Step {
    /// A packet or record was taken; what is left follows.
    Taken(usize),
    /// More is needed.
    Wait,
    /// That was all.
    End(Outcome),
}

impl Analyzer for Rdp {
    type Tx = RdpTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self { partial: [Vec::new(), Vec::new()], transactions: VecDeque::new(), latest: 0 }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut partial = self.partial.get_mut(direction.index()).map(std::mem::take).unwrap_or_default();
        partial.extend_from_slice(bytes);
        let mut at = 0;
        loop {
            match self.step(context, direction, partial.get(at..).unwrap_or_default()) {
                Step::Taken(left) => at = partial.len().saturating_sub(left),
                Step::Wait => break,
                Step::End(outcome) => return outcome,
            }
        }
        partial.drain(..at);
        if partial.len() > context.limits.message_bytes_max {
            return Outcome::Failed;
        }
        if let Some(place) = self.partial.get_mut(direction.index()) {
            *place = partial;
        }
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        // Where the next packet begins is not known any more.
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

impl Rdp {
    fn step(&mut self, context: &mut Context<'_>, direction: Direction, stream: &[u8]) -> Step {
        // A record of TLS: 20 to 23.
        if let Some(20..=23) = stream.first() {
            return self.record(context, direction, stream);
        }
        let (contents, rest) = match message::packet(stream) {
            Packet::Whole(contents, rest) => (contents, rest),
            Packet::Incomplete => return Step::Wait,
            Packet::No => return Step::End(Outcome::Failed),
        };
        let Some(message) = message::read(contents) else { return Step::End(Outcome::Failed) };
        match (message, direction) {
            (Message::Request(told), Direction::ToServer) => {
                self.push(context, direction, "initial_request", &told);
            }
            (Message::Response(told), Direction::ToClient) => {
                self.push(context, direction, "initial_response", &told);
            }
            (Message::ConnectRequest(told), Direction::ToServer) => {
                self.push(context, direction, "connect_request", &told);
            }
            (Message::ConnectResponse, Direction::ToClient) => {
                self.push(context, direction, "connect_response", &[]);
                return Step::End(Outcome::Done);
            }
            _ => {}
        }
        Step::Taken(rest.len())
    }

    /// A record of TLS: of the server's handshake the certificates are of interest.
    fn record(&mut self, context: &mut Context<'_>, direction: Direction, stream: &[u8]) -> Step {
        let mut reader = Reader(stream);
        let (Some(kind), Some(version)) = (reader.u8(), reader.u16()) else { return Step::Wait };
        if version >> 8 != 3 {
            return Step::End(Outcome::Failed);
        }
        if kind != 22 {
            // The handshake is over, or was broken off.
            return Step::End(Outcome::Encrypted);
        }
        if reader.0.len() < 2 {
            return Step::Wait;
        }
        let Some(mut handshake) = reader.counted16() else { return Step::Wait };
        while let (Some(kind), Some(mut body)) = (handshake.u8(), handshake.counted24()) {
            if kind == 11 && direction == Direction::ToClient {
                let serials = serials(&mut body);
                if !serials.is_empty() {
                    let told = format!(r#","x509_serials":["{}"]"#, serials.join(r#"",""#));
                    self.push(context, direction, "tls_handshake", told.as_bytes());
                }
                return Step::End(Outcome::Encrypted);
            }
        }
        Step::Taken(reader.0.len())
    }

    fn push(&mut self, context: &mut Context<'_>, direction: Direction, event: &str, told: &[u8]) {
        self.latest += 1;
        let mut members = Vec::with_capacity(64 + told.len());
        number_after(&mut members, r#""rdp":{"tx_id":"#, self.latest);
        literal(&mut members, r#","event_type":""#);
        literal(&mut members, event);
        members.push(b'"');
        members.extend_from_slice(told);
        members.push(b'}');
        if context.log {
            // Data of a stream is read when its receiver has acknowledged it: the packet in hand goes the other way.
            let direction = direction.flipped();
            context.records.push(Record {
                event_type: "rdp",
                direction,
                tx_id: None,
                members: members.clone(),
            });
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(RdpTransaction { id: self.latest, direction, members });
    }
}

/// Serial numbers of a list of certificates, in hexadecimal.
fn serials(body: &mut Reader<'_>) -> Vec<String> {
    let Some(mut list) = body.counted24() else { return Vec::new() };
    let mut serials = Vec::new();
    while let Some(der) = list.counted24() {
        if serials.len() >= CERTIFICATES_MAX {
            break;
        }
        if let Ok((_, certificate)) = X509Certificate::from_der(der.0) {
            serials.push(certificate.serial.to_str_radix(16));
        }
    }
    serials
}

impl Transaction for RdpTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn one_way(&self) -> Option<Direction> {
        Some(self.direction)
    }

    fn stage(&self, direction: Direction) -> Stage {
        if direction == self.direction { Stage::Complete } else { Stage::Waiting }
    }

    fn buffer<'a>(&'a self, _: Direction, _: Buffer, _: usize, _: &'a mut Vec<u8>) -> Option<View<'a>> {
        None
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn events(&self, _: Direction) -> Events<'_> {
        &[]
    }

    fn context(&self, members: &mut Vec<u8>) {
        members.extend_from_slice(&self.members);
    }
}
