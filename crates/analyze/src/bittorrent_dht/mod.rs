//! `BitTorrent`'s distributed hash table (BEP 5).
//!
//! In: datagrams. Out: a transaction and a `bittorrent_dht` record for each message, which stands alone.

mod bencode;
mod message;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json::{address, hex, literal, number_after, string};
use message::{Message, Node, Peer};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::{Events, Record, Transaction, View};

const MALFORMED: &str = "bittorrent-dht.malformed_packet";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[MALFORMED];

/// How a query begins, and how answers and failures do.
const QUERY: &[u8] = b"d1:ad2:id20:";
const ANSWERS: [&[u8]; 3] = [b"d1:rd2:id20:", b"d2:ip", b"d1:el"];

/// How messages of a flow begin that is known to be of the table.
const MESSAGES: [&[u8]; 4] = [b"d1:ad", b"d1:rd", b"d2:ip", b"d1:el"];

fn begins_as(bytes: &[u8], starts: &[&[u8]]) -> bool {
    starts.iter().any(|start| bytes.starts_with(start))
}

/// Whether a datagram is of the table: a query, or, from who is asked, an answer.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    let answer = question.direction == Direction::ToClient && begins_as(question.bytes, &ANSWERS);
    if answer || question.bytes.starts_with(QUERY) { Probe::Certain } else { Probe::NotForUs }
}

/// The parser of one flow.
pub(crate) struct BittorrentDht {
    transactions: VecDeque<DhtTransaction>,
    next_id: u64,
}

/// A message.
#[derive(Debug)]
pub(crate) struct DhtTransaction {
    id: u64,
    direction: Direction,
    message: Message,
}

impl Analyzer for BittorrentDht {
    type Tx = DhtTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self { transactions: VecDeque::new(), next_id: 0 }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        // Both ends ask and answer. What begins otherwise is another protocol on the same port.
        if !begins_as(bytes, &MESSAGES) {
            return Outcome::Continue;
        }
        let transaction = DhtTransaction { id: self.next_id, direction, message: Message::read(bytes) };
        self.next_id += 1;
        if context.log {
            let mut members = Vec::with_capacity(256);
            transaction.context(&mut members);
            context.records.push(Record { event_type: "bittorrent_dht", direction, tx_id: None, members });
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(transaction);
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

/// A member whose value is bytes in hexadecimal digits.
fn digits(to: &mut Vec<u8>, key: &str, bytes: &[u8]) {
    literal(to, key);
    to.push(b'"');
    for &byte in bytes {
        to.extend_from_slice(&hex(byte));
    }
    to.push(b'"');
}

fn some_digits(to: &mut Vec<u8>, key: &str, bytes: Option<&Vec<u8>>) {
    if let Some(bytes) = bytes {
        digits(to, key, bytes);
    }
}

/// Appends `"ip":…,"port":…}`.
fn write_peer(to: &mut Vec<u8>, peer: Peer) {
    literal(to, "\"ip\":\"");
    address(to, peer.ip);
    number_after(to, "\",\"port\":", u64::from(peer.port));
    to.push(b'}');
}

fn write_nodes(to: &mut Vec<u8>, key: &str, nodes: &[Node]) {
    let mut separator = key;
    for node in nodes {
        literal(to, separator);
        digits(to, "{\"id\":", &node.id);
        to.push(b',');
        write_peer(to, node.peer);
        separator = ",";
    }
    if !nodes.is_empty() {
        to.push(b']');
    }
}

impl Transaction for DhtTransaction {
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

    fn events(&self, direction: Direction) -> Events<'_> {
        if direction == self.direction && self.message.malformed { EVENTS } else { &[] }
    }

    fn context(&self, to: &mut Vec<u8>) {
        let message = &self.message;
        digits(to, "\"bittorrent_dht\":{\"transaction_id\":", &message.transaction);
        some_digits(to, ",\"client_version\":", message.version.as_ref());
        if let Some(query) = &message.query {
            literal(to, ",\"request_type\":");
            string(to, query);
        }
        if let Some(failure) = &message.failure {
            number_after(to, ",\"error\":{\"num\":", u64::from(failure.number));
            literal(to, ",\"msg\":");
            string(to, &failure.text);
            to.push(b'}');
        }
        if let Some(request) = &message.request {
            digits(to, ",\"request\":{\"id\":", &request.id);
            some_digits(to, ",\"target\":", request.target.as_ref());
            some_digits(to, ",\"info_hash\":", request.info_hash.as_ref());
            some_digits(to, ",\"token\":", request.token.as_ref());
            if let Some(implied) = request.implied_port {
                number_after(to, ",\"implied_port\":", u64::from(implied));
            }
            if let Some(port) = request.port {
                number_after(to, ",\"port\":", u64::from(port));
            }
            to.push(b'}');
        }
        if let Some(response) = &message.response {
            digits(to, ",\"response\":{\"id\":", &response.id);
            write_nodes(to, ",\"nodes\":[", &response.nodes);
            write_nodes(to, ",\"nodes6\":[", &response.nodes6);
            let mut separator = ",\"values\":[{";
            for &peer in &response.values {
                literal(to, separator);
                write_peer(to, peer);
                separator = ",{";
            }
            if !response.values.is_empty() {
                to.push(b']');
            }
            some_digits(to, ",\"token\":", response.token.as_ref());
            to.push(b'}');
        }
        to.push(b'}');
    }
}
