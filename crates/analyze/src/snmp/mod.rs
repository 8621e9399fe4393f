//! SNMP: versions 1 (RFC 1157), 2c (RFC 1901, RFC 3416) and 3 (RFC 3412, RFC 3414).
//!
//! In: datagrams. Out: a transaction and a `snmp` record for each message, which stands alone.

mod message;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json::{literal, number, number_after, string};
use message::{Content, Message};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::{Events, Record, Transaction, View};

const MALFORMED: &str = "snmp.malformed_data";
const UNKNOWN_MODEL: &str = "snmp.unknown_security_model";
const VERSION_MISMATCH: &str = "snmp.version_mismatch";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[MALFORMED, UNKNOWN_MODEL, VERSION_MISMATCH];

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] = &["snmp.version", "snmp.pdu_type"];

/// Whether a datagram is SNMP: on its ports, a sequence as long as the datagram that begins with a version.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if question.is_on(&question.config.ports.snmp) && message::version(question.bytes).is_some() {
        Probe::Certain
    } else {
        Probe::NotForUs
    }
}

/// The parser of one flow.
pub(crate) struct Snmp {
    /// The version of the flow's first message.
    version: Option<u8>,
    transactions: VecDeque<SnmpTransaction>,
    next_id: u64,
}

/// A message.
#[derive(Debug)]
pub(crate) struct SnmpTransaction {
    id: u64,
    direction: Direction,
    /// The flow's version, 1 to 3.
    version: u8,
    message: Message,
    events: Vec<&'static str>,
}

impl Analyzer for Snmp {
    type Tx = SnmpTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self { version: None, transactions: VecDeque::new(), next_id: 0 }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let Some((own, message)) = Message::read(bytes) else {
            // It belongs to no message of its own: the one before it has the event, as in the reference.
            if let Some(last) = self.transactions.back_mut()
                && !last.events.contains(&MALFORMED)
            {
                last.events.push(MALFORMED);
            }
            // A datagram that cannot be read says nothing about the next.
            return Outcome::Continue;
        };
        let version = *self.version.get_or_insert(own);
        let events = [(version != own, VERSION_MISMATCH), (message.is_unknown_model, UNKNOWN_MODEL)];
        let events = events.into_iter().filter(|(is, _)| *is).map(|(_, event)| event).collect();
        let transaction = SnmpTransaction { id: self.next_id, direction, version, message, events };
        self.next_id += 1;
        if context.log {
            let mut members = Vec::with_capacity(160);
            transaction.context(&mut members);
            context.records.push(Record { event_type: "snmp", direction, tx_id: None, members });
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

/// Names of operations, by their number.
const OPERATIONS: [&str; 9] = [
    "get_request",
    "get_next_request",
    "response",
    "set_request",
    "trap_v1",
    "get_bulk_request",
    "inform_request",
    "trap_v2",
    "report",
];

/// Names of generic traps, by their number (RFC 1157, section 4.1.6).
const TRAPS: [&str; 7] = [
    "coldStart",
    "warmStart",
    "linkDown",
    "linkUp",
    "authenticationFailure",
    "egpNeighborLoss",
    "enterpriseSpecific",
];

/// The name of a number, or the number in parentheses behind what it is.
fn named(to: &mut Vec<u8>, names: &[&str], what: &str, value: u64) {
    if let Some(name) = usize::try_from(value).ok().and_then(|index| names.get(index)) {
        literal(to, name);
    } else {
        number_after(to, what, value);
        to.push(b')');
    }
}

impl Transaction for SnmpTransaction {
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
        if direction != self.direction || index > 0 {
            return None;
        }
        let text = match buffer {
            Buffer::SnmpCommunity => self.message.community.as_ref(),
            Buffer::SnmpUsm => self.message.user.as_ref(),
            _ => None,
        };
        text.map(|text| View::whole(text.as_bytes()))
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        if direction != self.direction || index > 0 {
            return None;
        }
        match (field, &self.message.content) {
            ("snmp.version", _) => Some(u64::from(self.version)),
            ("snmp.pdu_type", Content::Plain { operation, .. }) => Some(u64::from(*operation)),
            _ => None,
        }
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        if direction == self.direction { &self.events } else { &[] }
    }

    fn context(&self, to: &mut Vec<u8>) {
        number_after(to, r#""snmp":{"version":"#, u64::from(self.version));
        literal(to, r#","pdu_type":""#);
        let Content::Plain { operation, error, trap, variables } = &self.message.content else {
            return literal(to, r#"encrypted"}"#);
        };
        literal(to, OPERATIONS.get(usize::from(*operation)).copied().unwrap_or_default());
        to.push(b'"');
        if *error != 0 {
            literal(to, r#","error":""#);
            named(to, &message::ERRORS, "ErrorStatus(", u64::from(*error));
            to.push(b'"');
        }
        if let Some(trap) = trap {
            literal(to, r#","trap_type":""#);
            named(to, &TRAPS, "TrapType(", u64::from(trap.generic));
            literal(to, r#"","trap_oid":""#);
            literal(to, &trap.enterprise);
            literal(to, r#"","trap_address":""#);
            for (index, octet) in trap.agent.octets().into_iter().enumerate() {
                if index > 0 {
                    to.push(b'.');
                }
                number(to, u64::from(octet));
            }
            to.push(b'"');
        }
        for (index, variable) in variables.iter().enumerate() {
            literal(to, if index == 0 { r#","vars":[""# } else { r#"",""# });
            literal(to, variable);
        }
        if !variables.is_empty() {
            literal(to, r#""]"#);
        }
        for (key, text) in [("community", &self.message.community), ("usm", &self.message.user)] {
            if let Some(text) = text {
                literal(to, r#",""#);
                literal(to, key);
                literal(to, r#"":"#);
                string(to, text);
            }
        }
        to.push(b'}');
    }
}
