//! DHCP for IPv4 (RFC 2131, RFC 2132).
//!
//! In: datagrams. Out: a transaction for each message, which stands alone; a `dhcp` record for each that grants an
//! address, as the reference logs unless told to log more.

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json::{address, hex, literal, number_after};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;
use crate::{Events, Record, Transaction, View};

const MALFORMED: &str = "dhcp.malformed_options";
const TRUNCATED: &str = "dhcp.truncated_options";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[MALFORMED, TRUNCATED];

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] = &["dhcp.leasetime", "dhcp.rebinding_time", "dhcp.renewal_time"];

/// Bytes up to the options, without the magic cookie.
const HEADER_BYTES: usize = 236;
const MAGIC: [u8; 4] = [99, 130, 83, 99];
const ACK: u8 = 5;

/// Whether a datagram is DHCP: on its ports, with the magic cookie.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    let cookie = question.bytes.get(HEADER_BYTES..HEADER_BYTES + MAGIC.len());
    if question.is_on(&question.config.ports.dhcp) && cookie == Some(&MAGIC) {
        Probe::Certain
    } else {
        Probe::NotForUs
    }
}

/// The parser of one flow.
pub(crate) struct Dhcp {
    transactions: VecDeque<DhcpTransaction>,
    next_id: u64,
}

/// A message.
#[derive(Debug)]
pub(crate) struct DhcpTransaction {
    id: u64,
    direction: Direction,
    message: Message,
    events: Vec<&'static str>,
}

/// What is told of a message.
#[derive(Default, Debug)]
struct Message {
    operation: u8,
    transaction: u32,
    assigned: [u8; 4],
    hardware: [u8; 6],
    kind: Option<u8>,
    lease_s: Option<u32>,
    renewal_s: Option<u32>,
    rebinding_s: Option<u32>,
}

impl Message {
    fn read(bytes: &[u8], events: &mut Vec<&'static str>) -> Option<Self> {
        let mut reader = Reader(bytes);
        let operation = reader.u8()?;
        reader.take(3)?;
        let transaction = reader.u32()?;
        reader.take(8)?;
        let assigned = *reader.take(4)?.first_chunk()?;
        reader.take(8)?;
        let hardware = *reader.take(16)?.first_chunk()?;
        let mut message = Self { operation, transaction, assigned, hardware, ..Self::default() };
        let options = bytes.get(HEADER_BYTES + MAGIC.len()..)?;
        message.options(Reader(options), events);
        Some(message)
    }

    fn options(&mut self, mut reader: Reader<'_>, events: &mut Vec<&'static str>) {
        loop {
            let Some(code) = reader.u8() else { return events.push(TRUNCATED) };
            match code {
                0 => continue,
                255 => return,
                _ => {}
            }
            let Some(mut value) = reader.counted8() else { return events.push(TRUNCATED) };
            let len = value.0.len();
            let well = match code {
                53 => {
                    self.kind = value.u8();
                    len == 1
                }
                51 => {
                    self.lease_s = value.u32();
                    len == 4
                }
                58 => {
                    self.renewal_s = value.u32();
                    len == 4
                }
                59 => {
                    self.rebinding_s = value.u32();
                    len == 4
                }
                _ => true,
            };
            if !well && !events.contains(&MALFORMED) {
                events.push(MALFORMED);
            }
        }
    }

    /// `"dhcp":{…}`.
    fn write(&self, to: &mut Vec<u8>) {
        literal(to, r#""dhcp":{"type":""#);
        literal(
            to,
            match self.operation {
                1 => "request",
                2 => "reply",
                _ => "<unknown>",
            },
        );
        number_after(to, r#"","id":"#, u64::from(self.transaction));
        literal(to, r#","client_mac":""#);
        for (index, &byte) in self.hardware.iter().enumerate() {
            if index > 0 {
                to.push(b':');
            }
            to.extend_from_slice(&hex(byte));
        }
        literal(to, r#"","assigned_ip":""#);
        address(to, self.assigned.into());
        to.push(b'"');
        if let Some(kind) = self.kind {
            literal(to, r#","dhcp_type":""#);
            literal(
                to,
                match kind {
                    1 => "discover",
                    2 => "offer",
                    3 => "request",
                    4 => "decline",
                    ACK => "ack",
                    6 => "nak",
                    7 => "release",
                    8 => "inform",
                    _ => "unknown",
                },
            );
            to.push(b'"');
        }
        to.push(b'}');
    }
}

impl Analyzer for Dhcp {
    type Tx = DhcpTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self { transactions: VecDeque::new(), next_id: 0 }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut events = Vec::new();
        let Some(message) = Message::read(bytes, &mut events) else { return Outcome::Continue };
        if context.log && message.kind == Some(ACK) {
            let mut members = Vec::with_capacity(160);
            message.write(&mut members);
            context.records.push(Record { event_type: "dhcp", direction, tx_id: None, members });
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(DhcpTransaction { id: self.next_id, direction, message, events });
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

impl Transaction for DhcpTransaction {
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

    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        if direction != self.direction || index > 0 {
            return None;
        }
        let seconds = match field {
            "dhcp.leasetime" => self.message.lease_s,
            "dhcp.renewal_time" => self.message.renewal_s,
            "dhcp.rebinding_time" => self.message.rebinding_s,
            _ => None,
        };
        seconds.map(u64::from)
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        if direction == self.direction { &self.events } else { &[] }
    }

    fn context(&self, members: &mut Vec<u8>) {
        self.message.write(members);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Session, Transport};
    use app::Protocol;

    /// A message that grants 10.0.0.9, with `options` behind the cookie.
    fn message(options: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[0] = 2;
        bytes[4..8].copy_from_slice(&[0, 0, 1, 0]);
        bytes[16..20].copy_from_slice(&[10, 0, 0, 9]);
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0xab, 1]);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(options);
        bytes
    }

    fn session(options: &[u8]) -> Session {
        let mut session = Session::new(Transport::Udp, 68, 67);
        session.data(&Config::default(), 1, Direction::ToClient, &message(options));
        assert_eq!(session.protocol(), Some(Protocol::Dhcp));
        session
    }

    #[test]
    fn an_acknowledgement_is_recorded_and_its_times_are_numbers() {
        let mut session = session(&[53, 1, 5, 51, 4, 0, 0, 0x0e, 0x10, 255]);
        let records: Vec<Record> = session.take_records().collect();
        assert_eq!(
            String::from_utf8(records[0].members.clone()).unwrap(),
            r#""dhcp":{"type":"reply","id":256,"client_mac":"02:00:00:00:ab:01","assigned_ip":"10.0.0.9","dhcp_type":"ack"}"#
        );
        let mut seen = 0;
        session.for_each_transaction(&mut |transaction| {
            seen += 1;
            assert_eq!(transaction.number(Direction::ToClient, "dhcp.leasetime", 0), Some(3600));
            assert_eq!(transaction.number(Direction::ToServer, "dhcp.leasetime", 0), None);
            assert!(transaction.events(Direction::ToClient).is_empty());
        });
        assert_eq!(seen, 1);
    }

    #[test]
    fn other_messages_are_not_recorded_and_bad_options_are_events() {
        for (options, event) in
            [(&[53, 1, 1][..], TRUNCATED), (&[53, 2, 1, 1, 255], MALFORMED), (&[51, 9, 1], TRUNCATED)]
        {
            let mut session = session(options);
            assert!(session.take_records().all(|record| record.event_type == "anomaly"));
            session.for_each_transaction(&mut |transaction| {
                assert_eq!(transaction.events(Direction::ToClient), [event]);
            });
        }
    }

    #[test]
    fn without_the_cookie_it_is_something_else() {
        let mut session = Session::new(Transport::Udp, 68, 67);
        session.data(&Config::default(), 1, Direction::ToServer, &[0; 300]);
        assert_eq!(session.protocol(), None);
    }
}
