//! NTP: versions 3 (RFC 1305) and 4 (RFC 5905).
//!
//! In: datagrams. Out: a transaction for each packet, which stands alone, so that rules can ask for the protocol and
//! for what is malformed. There is no record, as there is none in the reference.

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;
use crate::{Events, Transaction, View};

const MALFORMED: &str = "ntp.malformed_data";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[MALFORMED];

const HEADER_BYTES: usize = 48;
/// A key's number and its digest behind a packet (RFC 5905, section 7.3).
const AUTHENTICATOR_BYTES: usize = 20;
/// Shortest extension field (RFC 7822, section 3).
const EXTENSION_BYTES_MIN: usize = 16;

/// Whether bytes are a packet: a header, extension fields, and an authenticator or none.
fn is_packet(bytes: &[u8]) -> bool {
    let mut reader = Reader(bytes);
    let Some(&[first, ..]) = reader.take(HEADER_BYTES) else { return false };
    if !matches!(first >> 3 & 7, 3 | 4) {
        return false;
    }
    while !matches!(reader.0.len(), 0 | AUTHENTICATOR_BYTES) {
        let (Some(_), Some(len)) = (reader.u16(), reader.u16()) else { return false };
        // The length is the whole field's.
        let len = usize::from(len);
        if len < EXTENSION_BYTES_MIN || reader.take(len.saturating_sub(4)).is_none() {
            return false;
        }
    }
    true
}

/// Whether a datagram is NTP: on its port, a packet.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    let found = question.is_on(&question.config.ports.ntp) && is_packet(question.bytes);
    if found { Probe::Certain } else { Probe::NotForUs }
}

/// The parser of one flow.
pub(crate) struct Ntp {
    transactions: VecDeque<NtpTransaction>,
    next_id: u64,
}

/// A packet.
#[derive(Debug)]
pub(crate) struct NtpTransaction {
    id: u64,
    direction: Direction,
    events: Vec<&'static str>,
}

impl Analyzer for Ntp {
    type Tx = NtpTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self { transactions: VecDeque::new(), next_id: 0 }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        if !is_packet(bytes) {
            // It belongs to no packet of its own: the one before it has the event, as in the reference.
            if let Some(last) = self.transactions.back_mut()
                && last.events.is_empty()
            {
                last.events.push(MALFORMED);
            }
            return Outcome::Continue;
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(NtpTransaction { id: self.next_id, direction, events: Vec::new() });
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

impl Transaction for NtpTransaction {
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
        if direction == self.direction { &self.events } else { &[] }
    }

    fn context(&self, _: &mut Vec<u8>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Session, Transport};
    use app::Protocol;

    fn packet(version: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; HEADER_BYTES];
        packet[0] = version << 3 | 3;
        packet.extend_from_slice(rest);
        packet
    }

    // As Suricata 7.0.10 tells them apart.
    #[test]
    fn packets_are_known_by_version_and_what_follows_the_header() {
        for version in 0..8 {
            assert_eq!(is_packet(&packet(version, &[])), matches!(version, 3 | 4), "{version}");
        }
        for len in [1, 4, 12, 19, 21, 24, 52] {
            assert!(!is_packet(&packet(4, &vec![b'x'; len])), "{len}");
        }
        assert!(is_packet(&packet(4, &[b'x'; AUTHENTICATOR_BYTES])));
        let mut extension = vec![0, 9, 0, 24];
        extension.resize(24, 7);
        assert!(is_packet(&packet(4, &extension)));
        assert!(is_packet(&packet(4, &[&extension[..], &[0; AUTHENTICATOR_BYTES]].concat())));
        assert!(!is_packet(&packet(4, &extension[..23])));
        assert!(!is_packet(&packet(4, &[0, 9, 0, 8, 1, 2, 3, 4])));
    }

    #[test]
    fn a_malformed_packet_is_an_event_of_the_one_before() {
        let config = Config::default();
        let mut session = Session::new(Transport::Udp, 40_000, 123);
        session.data(&config, 0, Direction::ToServer, &packet(4, &[]));
        assert_eq!(session.protocol(), Some(Protocol::Ntp));
        session.data(&config, 0, Direction::ToServer, b"short");
        session.data(&config, 0, Direction::ToClient, &packet(3, &[]));
        let mut seen = Vec::new();
        session.for_each_transaction(&mut |transaction| {
            let way = transaction.one_way().unwrap();
            seen.push((transaction.id(), way, transaction.events(way).to_vec()));
        });
        let (to_server, to_client) = (Direction::ToServer, Direction::ToClient);
        assert_eq!(seen, [(0, to_server, vec![MALFORMED]), (1, to_client, vec![])]);
    }

    #[test]
    fn on_other_ports_it_is_not_looked_for() {
        let mut session = Session::new(Transport::Udp, 40_000, 124);
        session.data(&Config::default(), 0, Direction::ToServer, &packet(4, &[]));
        assert_eq!(session.protocol(), None);
    }
}
