//! Modbus over TCP (Modbus Messaging on TCP/IP Implementation Guide V1.0b).
//!
//! In: a stream. Out: a transaction for each request with its response, or a response that nobody asked for; what the
//! keyword `modbus` asks of; events of what is wrong; `modbus` records.

mod eve;
mod message;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, ModbusTable, Stage};
use event::json::{literal, number_after};
use message::{Data, HEADER_BYTES, LENGTHS, Message, flags};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;
use crate::{Events, ModbusCall, ModbusValues, Record, Transaction, View};

const UNSOLICITED_RESPONSE: &str = "modbus.unsolicited_response";
const INVALID_PROTOCOL: &str = "modbus.invalid_protocol_id";
const INVALID_LENGTH: &str = "modbus.invalid_length";
const INVALID_FUNCTION: &str = "modbus.invalid_function_code";
const INVALID_VALUE: &str = "modbus.invalid_value";
const INVALID_EXCEPTION: &str = "modbus.invalid_exception_code";
const VALUE_MISMATCH: &str = "modbus.value_mismatch";
const FLOODED: &str = "modbus.flooded";
/// What rules can name and nothing raises, there as here.
const INVALID_UNIT: &str = "modbus.invalid_unit_identifier";

/// Every event.
pub(crate) const EVENTS: &[&str] = &[
    UNSOLICITED_RESPONSE,
    INVALID_PROTOCOL,
    INVALID_LENGTH,
    INVALID_UNIT,
    INVALID_FUNCTION,
    INVALID_VALUE,
    INVALID_EXCEPTION,
    VALUE_MISMATCH,
    FLOODED,
];

/// Requests without an answer that are a flood.
const UNANSWERED_MAX: u64 = 500;

/// Whether bytes are Modbus: on its port, a whole message of a function that is known.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if !question.is_on(&question.config.ports.modbus) {
        return Probe::NotForUs;
    }
    match piece(question.direction, question.bytes) {
        Piece::Whole(message, _) if matches!(message.function, 1..=24 | 43) => Probe::Certain,
        Piece::Partial => Probe::Unsure,
        Piece::Whole(..) => Probe::NotForUs,
    }
}

/// What a stream begins with.
enum Piece {
    /// A message, and how many bytes it has.
    Whole(Message, usize),
    Partial,
}

fn piece(direction: Direction, stream: &[u8]) -> Piece {
    let mut reader = Reader(stream);
    let (Some(transaction), Some(protocol), Some(len)) = (reader.u16(), reader.u16(), reader.u16()) else {
        return Piece::Partial;
    };
    let whole = HEADER_BYTES + usize::from(len);
    if !LENGTHS.contains(&len) {
        // Where it ends is not known; the next is looked for behind what there is, or behind the length.
        return Piece::Whole(Message::without_body(transaction, protocol), whole.min(stream.len()));
    }
    match reader.take(usize::from(len)) {
        Some(body) => Piece::Whole(Message::read(direction, (transaction, protocol), body), whole),
        None => Piece::Partial,
    }
}

/// The parser of one flow.
#[derive(Default)]
pub(crate) struct Modbus {
    /// What is not whole yet: less than one message.
    partial: [Vec<u8>; 2],
    transactions: VecDeque<ModbusTransaction>,
    next: u64,
    /// Requests that got no answer.
    unanswered: u64,
    closed: [bool; 2],
}

/// A request with its response.
#[derive(Debug)]
pub(crate) struct ModbusTransaction {
    id: u64,
    request: Option<Message>,
    response: Option<Message>,
    events: Vec<&'static str>,
    done: bool,
}

impl ModbusTransaction {
    fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    fn finish(&mut self, context: &mut Context<'_>) {
        if !std::mem::replace(&mut self.done, true) && context.log {
            let mut members = Vec::with_capacity(384);
            self.context(&mut members);
            let direction = Direction::ToServer;
            context.records.push(Record { event_type: "modbus", direction, tx_id: None, members });
        }
    }
}

impl Analyzer for Modbus {
    type Tx = ModbusTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self::default()
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut partial = self.partial.get_mut(direction.index()).map(std::mem::take).unwrap_or_default();
        partial.extend_from_slice(bytes);
        let mut rest = partial.as_slice();
        while let Piece::Whole(message, len) = piece(direction, rest) {
            rest = rest.get(len..).unwrap_or_default();
            match direction {
                Direction::ToServer => self.request(context, message),
                Direction::ToClient => self.response(context, message),
            }
        }
        if let Some(place) = self.partial.get_mut(direction.index()) {
            *place = rest.to_vec();
        }
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        // Where the next message begins is not known any more.
        Outcome::Failed
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        if let Some(closed) = self.closed.get_mut(direction.index()) {
            *closed = true;
        }
        if self.closed == [true; 2] {
            self.transactions.iter_mut().for_each(|transaction| transaction.finish(context));
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

impl Modbus {
    fn push(&mut self, context: &mut Context<'_>, transaction: ModbusTransaction) {
        self.next = self.next.saturating_add(1);
        if self.transactions.len() >= context.limits.transactions_max
            && let Some(mut oldest) = self.transactions.pop_front()
        {
            oldest.finish(context);
        }
        self.transactions.push_back(transaction);
    }

    fn request(&mut self, context: &mut Context<'_>, message: Message) {
        let mut transaction = ModbusTransaction {
            id: self.next,
            request: None,
            response: None,
            events: Vec::new(),
            done: false,
        };
        for (flag, event) in [
            (flags::PROTO_ID, INVALID_PROTOCOL),
            (flags::DATA_LENGTH, INVALID_LENGTH),
            (flags::FUNC_CODE, INVALID_FUNCTION),
            (flags::DATA_VALUE, INVALID_VALUE),
        ] {
            if message.flags & flag != 0 {
                transaction.raise(event);
            }
        }
        self.unanswered = self.unanswered.saturating_add(1);
        if self.unanswered > UNANSWERED_MAX {
            transaction.raise(FLOODED);
        }
        transaction.request = Some(message);
        self.push(context, transaction);
        context.flush_raw[0] = true;
    }

    fn response(&mut self, context: &mut Context<'_>, mut message: Message) {
        let asked = self.transactions.iter_mut().find(|transaction| {
            let request = transaction.request.as_ref();
            !transaction.done && request.is_some_and(|request| message.answers(request))
        });
        let Some(transaction) = asked else {
            let events = vec![UNSOLICITED_RESPONSE];
            let (id, request, done) = (self.next, None, false);
            let mut transaction = ModbusTransaction { id, request, response: Some(message), events, done };
            transaction.finish(context);
            return self.push(context, transaction);
        };
        if let Some(request) = &transaction.request {
            message.compare(request);
        }
        for (flag, event) in [
            (flags::PROTO_ID, INVALID_PROTOCOL),
            (flags::FUNC_CODE, INVALID_FUNCTION),
            (flags::EXC_CODE, INVALID_EXCEPTION),
            (flags::DATA_VALUE | flags::DATA_LENGTH, VALUE_MISMATCH),
        ] {
            if message.flags & flag != 0 {
                transaction.raise(event);
            }
        }
        transaction.response = Some(message);
        transaction.finish(context);
        self.unanswered = self.unanswered.saturating_sub(1);
    }
}

impl Transaction for ModbusTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn stage(&self, direction: Direction) -> Stage {
        match direction {
            Direction::ToServer => Stage::Complete,
            Direction::ToClient if self.done => Stage::Complete,
            Direction::ToClient => Stage::Waiting,
        }
    }

    fn buffer<'a>(&'a self, _: Direction, _: Buffer, _: usize, _: &'a mut Vec<u8>) -> Option<View<'a>> {
        None
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn events(&self, _: Direction) -> Events<'_> {
        &self.events
    }

    fn modbus(&self) -> Option<ModbusCall<'_>> {
        // A response is asked of only if it stands alone.
        let message = self.request.as_ref().or(self.response.as_ref())?;
        let (reads, writes, table) = message::access(message.function);
        let (addresses, values) = match &message.data {
            Data::Read { address, quantity } => (Some((*address, *quantity)), ModbusValues::None),
            Data::Write { address, value } => match message.function {
                5 => (Some((*address, 1)), ModbusValues::One(u16::from(*value != 0))),
                6 => (Some((*address, 1)), ModbusValues::One(*value)),
                // The answer to several tells how many.
                _ => (Some((*address, *value)), ModbusValues::None),
            },
            Data::WriteSeveral { address, quantity, values }
            | Data::ReadAndWrite { address, quantity, values, .. } => {
                let values = match table {
                    Some(ModbusTable::Coils) => ModbusValues::Coils(values),
                    _ => ModbusValues::Registers(values),
                };
                (Some((*address, *quantity)), values)
            }
            Data::Mask { address, .. } => (Some((*address, 1)), ModbusValues::None),
            _ => (None, ModbusValues::None),
        };
        let subfunction = match message.data {
            Data::Diagnostic { subfunction, .. } => Some(subfunction),
            _ => None,
        };
        Some(ModbusCall {
            unit: message.unit,
            function: message.function,
            subfunction,
            categories: message.category,
            reads,
            writes,
            table,
            addresses,
            values,
        })
    }

    fn context(&self, members: &mut Vec<u8>) {
        number_after(members, r#""modbus":{"id":"#, self.id.saturating_add(1));
        for (key, message) in [(r#","request":"#, &self.request), (r#","response":"#, &self.response)] {
            if let Some(message) = message {
                literal(members, key);
                eve::write(message, members);
            }
        }
        members.push(b'}');
    }
}
