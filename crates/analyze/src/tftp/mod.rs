//! TFTP requests (RFC 1350); the transfer itself uses another port, and is another flow.
//!
//! In: datagrams. Out: a transaction and a `tftp` record for each request to read or write.

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json::{bytes, literal};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;
use crate::{Events, Record, Transaction, View};

/// Longest name or mode that is kept, in bytes.
const TEXT_BYTES_MAX: usize = 1024;

/// Whether a datagram is TFTP: on its port, with an operation that there is.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    match question.bytes {
        [0, 1..=5, _, _, ..] if question.is_on(&question.config.ports.tftp) => Probe::Certain,
        _ => Probe::NotForUs,
    }
}

/// The parser of one flow.
pub(crate) struct Tftp {
    transactions: VecDeque<TftpTransaction>,
    next_id: u64,
}

/// A request.
#[derive(Debug)]
pub(crate) struct TftpTransaction {
    id: u64,
    direction: Direction,
    is_write: bool,
    file: Vec<u8>,
    mode: Vec<u8>,
}

/// Bytes up to the next zero, which is taken too.
fn text(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let end = memchr::memchr(0, reader.0)?;
    let text = reader.take(end)?;
    reader.u8();
    Some(text.get(..TEXT_BYTES_MAX).unwrap_or(text).to_vec())
}

impl TftpTransaction {
    fn read(id: u64, direction: Direction, bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let operation = reader.u16()?;
        if !matches!(operation, 1 | 2) {
            return None;
        }
        let file = text(&mut reader)?;
        let mode = text(&mut reader)?;
        Some(Self { id, direction, is_write: operation == 2, file, mode })
    }
}

impl Analyzer for Tftp {
    type Tx = TftpTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self { transactions: VecDeque::new(), next_id: 0 }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let Some(transaction) = TftpTransaction::read(self.next_id, direction, bytes) else {
            return Outcome::Continue;
        };
        self.next_id += 1;
        if context.log {
            let mut members = Vec::with_capacity(96);
            transaction.context(&mut members);
            context.records.push(Record { event_type: "tftp", direction, tx_id: None, members });
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

impl Transaction for TftpTransaction {
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
        literal(members, r#""tftp":{"packet":""#);
        literal(members, if self.is_write { "write" } else { "read" });
        literal(members, r#"","file":"#);
        bytes(members, &self.file);
        literal(members, r#","mode":"#);
        bytes(members, &self.mode);
        members.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Session, Transport};

    fn records(datagram: &[u8]) -> Vec<String> {
        let mut session = Session::new(Transport::Udp, 5000, 69);
        session.data(&Config::default(), 1, Direction::ToServer, datagram);
        session.take_records().map(|record| String::from_utf8(record.members).unwrap()).collect()
    }

    #[test]
    fn requests_are_recorded() {
        assert_eq!(
            records(b"\0\x01a.txt\0octet\0"),
            [r#""tftp":{"packet":"read","file":"a.txt","mode":"octet"}"#]
        );
        assert_eq!(
            records(b"\0\x02b\0netascii\0"),
            [r#""tftp":{"packet":"write","file":"b","mode":"netascii"}"#]
        );
    }

    #[test]
    fn what_is_no_request_or_not_whole_is_not() {
        for datagram in [&b"\0\x03\0\x01data"[..], b"\0\x01a.txt", b"\0\x01a.txt\0octet", b"\0\x09xx\0yy\0"] {
            assert!(records(datagram).is_empty(), "{datagram:?}");
        }
    }
}
