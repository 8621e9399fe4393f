//! EtherNet/IP (ODVA, "The CIP Networks Library", volume 2, chapter 2), over TCP and UDP.
//!
//! In: a stream, or datagrams. Out: a transaction for each command, either way, with the services of the Common Industrial
//! Protocol that it asks for. There are no records of it, as in the reference.

mod cip;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use cip::{SEND_RR_DATA, SEND_UNIT_DATA, little16};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;
use crate::{CipService, Events, Transaction, Transport, View};

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] = &["enip_command"];

/// Command, length, session, status, context, options.
const HEADER_BYTES: usize = 24;

/// Whether bytes are EtherNet/IP: on its port, the header of a command that there is.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if !question.is_on(&question.config.ports.enip) {
        return Probe::NotForUs;
    }
    let mut reader = Reader(question.bytes);
    match little16(&mut reader) {
        Some(0 | 4 | 0x63..=0x66 | 0x6f | 0x70 | 0x72 | 0x73) => {}
        Some(_) => return Probe::NotForUs,
        None => return Probe::Unsure,
    }
    match (question.bytes.len() >= HEADER_BYTES, question.transport) {
        (true, _) => Probe::Certain,
        (false, Transport::Tcp) => Probe::Unsure,
        (false, Transport::Udp) => Probe::NotForUs,
    }
}

/// The parser of one flow.
pub(crate) struct Enip {
    transport: Transport,
    /// What is not whole yet.
    partial: [Vec<u8>; 2],
    transactions: VecDeque<EnipTransaction>,
    next: u64,
}

/// A command.
#[derive(Debug)]
pub(crate) struct EnipTransaction {
    id: u64,
    direction: Direction,
    command: u16,
    services: Vec<CipService>,
}

impl Analyzer for Enip {
    type Tx = EnipTransaction;

    fn new(start: &Start<'_>) -> Self {
        Self {
            transport: start.transport,
            partial: [Vec::new(), Vec::new()],
            transactions: VecDeque::new(),
            next: 0,
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut partial = self.partial.get_mut(direction.index()).map(std::mem::take).unwrap_or_default();
        partial.extend_from_slice(bytes);
        let mut rest = partial.as_slice();
        while let Some(after) = self.command(context, direction, rest) {
            rest = after;
        }
        if self.transport == Transport::Tcp
            && let Some(place) = self.partial.get_mut(direction.index())
        {
            // The length has two bytes, so this stays below the longest command.
            *place = rest.to_vec();
        }
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        // Where the next command begins is not known any more.
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

impl Enip {
    /// Takes the command that a stream begins with; what is behind it, if it is whole.
    fn command<'a>(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        stream: &'a [u8],
    ) -> Option<&'a [u8]> {
        let mut reader = Reader(stream);
        let mut header = Reader(reader.take(HEADER_BYTES)?);
        let command = little16(&mut header)?;
        let len = little16(&mut header)?;
        let data = reader.take(usize::from(len))?;
        let asks = matches!(command, SEND_RR_DATA | SEND_UNIT_DATA);
        let services = if asks { cip::services(data) } else { Vec::new() };
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(EnipTransaction { id: self.next, direction, command, services });
        self.next = self.next.saturating_add(1);
        Some(reader.0)
    }
}

impl Transaction for EnipTransaction {
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
        let wanted = direction == self.direction && field == "enip_command" && index == 0;
        wanted.then(|| u64::from(self.command))
    }

    fn events(&self, _: Direction) -> Events<'_> {
        &[]
    }

    fn services(&self) -> &[CipService] {
        &self.services
    }

    fn context(&self, _: &mut Vec<u8>) {}
}
