//! DCE/RPC over a connection (C706, chapter 12), and what the pipes of SMB share with it.
//!
//! In: units of both directions. Out: a transaction for each bind and each call, with its stub data and the interfaces
//! that were bound; `dcerpc` records. Over datagrams it is not read.

pub(crate) mod pdu;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json;

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::{DceCall, Events, Record, Transaction, View};
use pdu::{Bindings, Call, HEADER_BYTES, Pdu};

/// The parser of one flow.
#[derive(Default)]
pub(crate) struct Dcerpc {
    transactions: VecDeque<DcerpcTransaction>,
    next_id: u64,
    bindings: Bindings,
    /// The beginning of a unit that is not whole.
    partial: [Vec<u8>; 2],
    closed: [bool; 2],
}

/// A call, or a bind.
#[derive(Debug)]
pub(crate) struct DcerpcTransaction {
    id: u64,
    call: Call,
    /// By [`Direction::index`].
    done: [bool; 2],
    logged: bool,
}

impl DcerpcTransaction {
    /// Nothing more belongs to it: its record is written.
    fn finish(&mut self, log: bool, records: &mut Vec<Record>) {
        self.done = [true; 2];
        if !std::mem::replace(&mut self.logged, true) && log {
            let mut members = Vec::with_capacity(256);
            self.context(&mut members);
            records.push(Record {
                event_type: "dcerpc",
                direction: Direction::ToServer,
                tx_id: None,
                members,
            });
        }
    }
}

impl Dcerpc {
    /// One whole unit.
    fn unit(&mut self, context: &mut Context<'_>, direction: Direction, pdu: &Pdu<'_>) {
        let way = direction.index();
        let known = self.transactions.iter().rposition(|transaction| {
            transaction.call.number == pdu.call_id && transaction.done.get(way) == Some(&false)
        });
        let at = known.unwrap_or_else(|| {
            if self.transactions.len() >= context.limits.transactions_max
                && let Some(mut oldest) = self.transactions.pop_front()
            {
                oldest.finish(context.log, context.records);
            }
            self.transactions.push_back(DcerpcTransaction {
                id: self.next_id,
                call: Call::default(),
                // An answer to what was not seen stands alone.
                done: [direction == Direction::ToClient, false],
                logged: false,
            });
            self.next_id += 1;
            self.transactions.len().saturating_sub(1)
        });
        let Some(transaction) = self.transactions.get_mut(at) else { return };
        match direction {
            Direction::ToServer => transaction.call.requested(pdu, &mut self.bindings),
            Direction::ToClient => transaction.call.answered(pdu, &mut self.bindings),
        }
        if pdu.is_last()
            && let Some(done) = transaction.done.get_mut(way)
        {
            *done = true;
        }
        if transaction.done == [true; 2] {
            transaction.finish(context.log, context.records);
        }
    }
}

impl Analyzer for Dcerpc {
    type Tx = DcerpcTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self::default()
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut bytes_left = self.partial.get_mut(direction.index()).map(std::mem::take).unwrap_or_default();
        bytes_left.extend_from_slice(bytes);
        let mut rest = bytes_left.as_slice();
        while rest.len() >= HEADER_BYTES {
            // What is no unit leaves no way to find the next.
            let Some(pdu) = Pdu::read(rest) else { return Outcome::Failed };
            let Some(after) = rest.get(pdu.len..) else { break };
            self.unit(context, direction, &pdu);
            rest = after;
        }
        if let Some(partial) = self.partial.get_mut(direction.index()) {
            *partial = rest.to_vec();
        }
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        Outcome::Failed
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        if let Some(closed) = self.closed.get_mut(direction.index()) {
            *closed = true;
        }
        if self.closed == [true; 2] {
            self.partial = [Vec::new(), Vec::new()];
            for transaction in &mut self.transactions {
                transaction.finish(context.log, context.records);
            }
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

impl Transaction for DcerpcTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn stage(&self, direction: Direction) -> Stage {
        if self.done.get(direction.index()) == Some(&true) { Stage::Complete } else { Stage::Begun }
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        _: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        let wanted = buffer == Buffer::DceStubData && index == 0;
        self.call.stub(direction.index()).filter(|_| wanted).map(View::whole)
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn events(&self, _: Direction) -> Events<'_> {
        &[]
    }

    fn dce(&self) -> Option<DceCall<'_>> {
        Some(self.call.view(true))
    }

    fn context(&self, members: &mut Vec<u8>) {
        json::literal(members, "\"dcerpc\":");
        self.call.write(members, false);
        json::literal(members, ",\"rpc_version\":\"5.0\"}");
    }
}
