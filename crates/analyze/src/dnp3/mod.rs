//! DNP3 over TCP (IEEE 1815).
//!
//! In: a stream of frames of the link layer. Out: a transaction for each request and each response that the transport
//! function puts together out of them, with its objects; a `dnp3` record for each; events of what is wrong.

mod layouts;
mod link;
mod object;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json::{literal, number_after};
use link::{Assembly, Fault, Header};
use object::Objects;

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::{Events, Record, Transaction, View};

const FLOODED: &str = "dnp3.flooded";
const LEN_TOO_SMALL: &str = "dnp3.len_too_small";
const BAD_LINK_CRC: &str = "dnp3.bad_link_crc";
const BAD_TRANSPORT_CRC: &str = "dnp3.bad_transport_crc";
const UNKNOWN_OBJECT: &str = "dnp3.unknown_object";

/// Every event.
pub(crate) const EVENTS: &[&str] = &[FLOODED, LEN_TOO_SMALL, BAD_LINK_CRC, BAD_TRANSPORT_CRC, UNKNOWN_OBJECT];

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] = &["dnp3_func", "dnp3_ind", "dnp3_obj"];

/// Requests without an answer that are a flood.
const UNANSWERED_MAX: u64 = 500;

/// The function that only says that a response has come.
const CONFIRM: u8 = 0;
/// A response that nobody asked for.
const UNSOLICITED_RESPONSE: u8 = 130;

/// Names of the internal indications, from the lowest bit of the second octet to the highest of the first.
const INDICATIONS: [&str; 16] = [
    "no_func_code_support",
    "object_unknown",
    "parameter_error",
    "event_buffer_overflow",
    "already_executing",
    "config_corrupt",
    "reserved_2",
    "reserved_1",
    "all_stations",
    "class_1_events",
    "class_2_events",
    "class_3_events",
    "need_time",
    "local_control",
    "device_trouble",
    "device_restart",
];

/// Whether bytes are DNP3: on its port, a frame that goes the right way.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if !question.is_on(&question.config.ports.dnp3) {
        return Probe::NotForUs;
    }
    match Header::read(question.bytes) {
        None => Probe::Unsure,
        Some(Ok(header)) if header.is_of_master() == (question.direction == Direction::ToServer) => {
            Probe::Certain
        }
        Some(_) => Probe::NotForUs,
    }
}

/// The parser of one flow.
#[derive(Default)]
pub(crate) struct Dnp3 {
    /// What is not whole yet: less than one frame.
    partial: [Vec<u8>; 2],
    assemblies: [Assembly; 2],
    transactions: VecDeque<Dnp3Transaction>,
    next: u64,
    /// Requests that got no answer.
    unanswered: u64,
}

/// A request or a response.
#[derive(Debug)]
pub(crate) struct Dnp3Transaction {
    id: u64,
    direction: Direction,
    /// The application message.
    message: Vec<u8>,
    function: u8,
    /// Internal indications of a response: the first octet is the upper.
    indications: u16,
    objects: Vec<u16>,
    /// Members of its object in records.
    members: Vec<u8>,
    events: Vec<&'static str>,
}

impl Analyzer for Dnp3 {
    type Tx = Dnp3Transaction;

    fn new(_: &Start<'_>) -> Self {
        Self::default()
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut partial = self.partial.get_mut(direction.index()).map(std::mem::take).unwrap_or_default();
        partial.extend_from_slice(bytes);
        let mut rest = partial.as_slice();
        while let Some(header) = Header::read(rest).filter(|_| !rest.is_empty()) {
            let header = match header {
                Ok(header) => header,
                Err(fault) => {
                    match fault {
                        Fault::HeaderCrc => self.raise(BAD_LINK_CRC),
                        Fault::Length => self.raise(LEN_TOO_SMALL),
                        Fault::Start => {}
                    }
                    // Where the next frame begins is not known; it is looked for in what comes next.
                    rest = &[];
                    break;
                }
            };
            let Some((frame, after)) = rest.split_at_checked(header.frame_len()) else { break };
            self.frame(context, direction, header, frame);
            rest = after;
        }
        if let Some(place) = self.partial.get_mut(direction.index()) {
            *place = rest.to_vec();
        }
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        // Where the next frame begins is not known any more.
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

impl Dnp3 {
    /// Notes what is wrong at the latest transaction, as far as it is still there.
    fn raise(&mut self, event: &'static str) {
        if let Some(transaction) = self.transactions.back_mut() {
            transaction.raise(event);
        }
    }

    fn frame(&mut self, context: &mut Context<'_>, direction: Direction, header: Header, frame: &[u8]) {
        if !header.is_user_data() {
            return;
        }
        let Some(data) = link::data(frame) else { return self.raise(BAD_TRANSPORT_CRC) };
        let assembly = self.assemblies.get_mut(direction.index());
        let message = assembly.and_then(|assembly| assembly.add(&data, context.limits.message_bytes_max));
        if let Some(message) = message {
            self.message(context, direction, header, message);
        }
    }

    /// A whole message of the application layer.
    fn message(&mut self, context: &mut Context<'_>, direction: Direction, header: Header, message: Vec<u8>) {
        let (control, function, indications, objects) = match (direction, message.as_slice()) {
            (Direction::ToServer, [_, CONFIRM, ..]) => return,
            (Direction::ToServer, [control, function, objects @ ..]) => (*control, *function, 0, objects),
            (Direction::ToClient, [control, function, first, second, objects @ ..]) => {
                (*control, *function, u16::from_be_bytes([*first, *second]), objects)
            }
            _ => return self.raise(LEN_TOO_SMALL),
        };
        let objects = Objects::read(objects);
        let members = tell(direction, header, (control, function, indications), &objects);
        let mut transaction = Dnp3Transaction {
            id: self.next,
            direction,
            function,
            indications,
            objects: objects.kinds,
            members,
            events: Vec::new(),
            message,
        };
        if objects.unknown {
            transaction.raise(UNKNOWN_OBJECT);
        }
        self.unanswered = match direction {
            Direction::ToServer => self.unanswered.saturating_add(1),
            Direction::ToClient => self.unanswered.saturating_sub(1),
        };
        if self.unanswered > UNANSWERED_MAX {
            transaction.raise(FLOODED);
        }
        if context.log {
            let mut members = br#""dnp3":{"#.to_vec();
            members.extend_from_slice(&transaction.members);
            members.push(b'}');
            let direction = Direction::ToServer;
            context.records.push(Record { event_type: "dnp3", direction, tx_id: None, members });
        }
        if let Some(flush) = context.flush_raw.get_mut(direction.index()) {
            *flush = true;
        }
        self.next = self.next.saturating_add(1);
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(transaction);
    }
}

/// What records say of a message.
fn tell(
    direction: Direction,
    header: Header,
    (control, function, indications): (u8, u8, u16),
    objects: &Objects,
) -> Vec<u8> {
    let mut to = Vec::with_capacity(320 + objects.told.len());
    literal(
        &mut to,
        match (direction, function) {
            (Direction::ToServer, _) => r#""type":"request","control":{"#,
            (_, UNSOLICITED_RESPONSE) => r#""type":"unsolicited_response","control":{"#,
            _ => r#""type":"response","control":{"#,
        },
    );
    let flags = |to: &mut Vec<u8>, octet: u8, names: [&str; 4]| {
        for (name, place) in names.into_iter().zip([7_u32, 6, 5, 4]) {
            literal(to, "\"");
            literal(to, name);
            literal(to, if octet >> place & 1 == 1 { "\":true," } else { "\":false," });
        }
    };
    flags(&mut to, header.control, ["dir", "pri", "fcb", "fcv"]);
    number_after(&mut to, r#""function_code":"#, u64::from(header.function()));
    number_after(&mut to, r#"},"src":"#, u64::from(header.source));
    number_after(&mut to, r#","dst":"#, u64::from(header.destination));
    literal(&mut to, r#","application":{"control":{"#);
    flags(&mut to, control, ["fir", "fin", "con", "uns"]);
    number_after(&mut to, r#""sequence":"#, u64::from(control & 0x0f));
    number_after(&mut to, r#"},"function_code":"#, u64::from(function));
    if !objects.told.is_empty() {
        literal(&mut to, r#","objects":["#);
        to.extend_from_slice(&objects.told);
        to.push(b']');
    }
    literal(&mut to, if objects.complete { r#","complete":true}"# } else { r#","complete":false}"# });
    if direction == Direction::ToClient {
        literal(&mut to, r#","iin":{"#);
        // Those of the first octet come first, the highest bit of each before the others.
        let [first, second] = indications.to_be_bytes();
        let set = |octet: u8, from: usize| {
            (0..8)
                .rev()
                .filter(move |bit| octet >> bit & 1 == 1)
                .filter_map(move |bit| INDICATIONS.get(from + bit))
        };
        let mut before = r#""indicators":[""#;
        for name in set(first, 8).chain(set(second, 0)) {
            literal(&mut to, before);
            literal(&mut to, name);
            before = "\",\"";
        }
        literal(&mut to, if indications == 0 { "}" } else { "\"]}" });
    }
    to
}

impl Dnp3Transaction {
    fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }
}

impl Transaction for Dnp3Transaction {
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
        let wanted = buffer == Buffer::Dnp3Data && direction == self.direction && index == 0;
        wanted.then(|| View::whole(&self.message))
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        if direction != self.direction {
            return None;
        }
        match (field, index) {
            ("dnp3_func", 0) => Some(u64::from(self.function)),
            // Each that is set by itself.
            ("dnp3_ind", _) => {
                let set = (0..16).map(|bit| 1_u16 << bit).filter(|bit| self.indications & bit != 0);
                set.map(u64::from).nth(index)
            }
            ("dnp3_obj", _) => self.objects.get(index).copied().map(u64::from),
            _ => None,
        }
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        if direction == self.direction { &self.events } else { &[] }
    }

    fn context(&self, members: &mut Vec<u8>) {
        literal(
            members,
            match self.direction {
                Direction::ToServer => r#""dnp3":{"request":{"#,
                Direction::ToClient => r#""dnp3":{"response":{"#,
            },
        );
        members.extend_from_slice(&self.members);
        literal(members, "}}");
    }
}
