//! Rules made ready: from checked rules to a [`RuleSet`] that every worker and tenant with the same rules shares.
//!
//! In: rules in any order. Out: the rules in the order in which they are asked, a database for each place that fast
//! patterns are looked for in, and lists of the rules that have none. What cannot be made ready is handed back with the
//! reason, and nothing of it stays behind.

mod address_index;
mod anchors;
mod databases;
mod fast_pattern;
mod file;
mod header;
mod order;
mod payload;
mod place;
mod ready;
mod setup;
mod state_names;

use std::sync::Arc;

pub use crate::lookup::Lookup;
pub use crate::verify::Variable;
pub use address_index::AddressIndex;
pub use anchors::Anchors;
use app::Direction;
pub use databases::{BufferSlot, Database};
pub use fast_pattern::Chosen;
pub(crate) use file::hexadecimal;
pub use file::{FileCheck, HashList};
pub use header::{DistinctHeaders, Ends, Protocols, Ranges, ReadyHeader, Transports};
pub use payload::{Needed, PayloadDatabase, PayloadDatabases, PayloadSlot};
pub use place::Place;
pub use ready::{IntegerOperand, Ready, ReadyGroup, ReadyState};
use rules::ir::Rule;
pub use setup::{ReadFile, Setup};
pub use state_names::StateNames;
use thiserror::Error;
use wire::L4;

use crate::dataset::Definitions;
use crate::literal::EngineError;
use crate::verify::CompileError;

/// A rule's place in the order in which rules are asked.
pub type RuleIndex = u32;

/// A rule that could not be made ready.
#[derive(Debug)]
pub struct Refused {
    /// The rule.
    pub rule: Rule,
    /// Why.
    pub reason: CompileError,
}

/// The rules cannot be compiled at all.
#[derive(Debug, Error)]
pub enum BuildError {
    /// Hyperscan refused a database.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// Compiled rules. Immutable, and shared by all that have the same.
#[derive(Debug)]
pub struct RuleSet {
    pub(crate) rules: Vec<Ready>,
    /// What its flowbits and flowints are called.
    pub(crate) state_names: StateNames,
    /// Databases of payload, by [`PayloadSlot`] and direction.
    pub(crate) payload: [[PayloadDatabases; 2]; PayloadSlot::COUNT],
    /// Every buffer with transforms that a rule looks into.
    pub(crate) buffers: Vec<BufferSlot>,
    /// Databases of transaction buffers by direction, in the order of the stages at which they are there.
    pub(crate) transaction: [Vec<(usize, Database)>; 2],
    /// Rules without a fast pattern that look at packets and payload, by direction.
    pub(crate) packet_unfiltered: [AddressIndex; 2],
    /// Sets of data that rules ask and change.
    pub(crate) datasets: Definitions,
    /// Rules about what is wrong with a packet (`decode-event`).
    pub(crate) decode: Vec<RuleIndex>,
    /// Rules about addresses alone, asked once for each direction of a flow.
    pub(crate) address_only: [AddressIndex; 2],
    /// Rules without a fast pattern that look at transactions, by direction.
    pub(crate) transaction_unfiltered: [Vec<RuleIndex>; 2],
}

/// What compiling gives: the set, and what is not in it.
#[derive(Debug)]
pub struct Compiled {
    /// The set.
    pub set: RuleSet,
    /// What was refused.
    pub refused: Vec<Refused>,
}

impl RuleSet {
    /// Compiles `rules`. Databases are taken from the cache where it has them, and put there where it has not.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when the whole cannot be compiled; a rule that is at fault is in [`Compiled::refused`] instead.
    pub fn compile(mut rules: Vec<Rule>, setup: &Setup<'_>) -> Result<Compiled, BuildError> {
        order::sort(&mut rules);
        let mut shared = ready::Shared::default();
        let (mut ready, mut refused) = (Vec::with_capacity(rules.len()), Vec::new());
        for rule in rules {
            match Ready::new(rule, setup, &mut shared) {
                Ok(rule) => ready.push(rule),
                Err((rule, reason)) => refused.push(Refused { rule: *rule, reason }),
            }
        }
        let buffers = shared.buffers.into_slots();
        let databases = databases::build(&ready, &buffers, setup.cache)?;
        let unfiltered = |direction: usize, wanted: fn(&Ready) -> bool| {
            let numbers =
                ready.iter().zip(0..).filter(move |(rule, _)| rule.directions[direction] && wanted(rule));
            numbers.map(|(rule, number)| (&rule.header, number))
        };
        let address_only = [0, 1].map(|way| AddressIndex::new(unfiltered(way, Ready::is_address_only)));
        let packet_unfiltered =
            [0, 1].map(|way| AddressIndex::new(unfiltered(way, Ready::is_packet_unfiltered)));
        let transaction_unfiltered = [0, 1].map(|way| {
            unfiltered(way, |rule| rule.inspects.transaction && rule.chosen.is_none())
                .map(|(_, number)| number)
                .collect()
        });
        let decode =
            ready.iter().zip(0..).filter(|(rule, _)| rule.is_about_faults()).map(|(_, number)| number);
        let set = Self {
            decode: decode.collect(),
            payload: databases.payload,
            transaction: databases.transaction,
            buffers,
            datasets: shared.datasets,
            address_only,
            packet_unfiltered,
            transaction_unfiltered,
            state_names: StateNames::new(&ready, setup.names),
            rules: ready,
        };
        Ok(Compiled { set, refused })
    }

    /// The rules, in the order in which they are asked.
    pub fn rules(&self) -> &[Ready] {
        &self.rules
    }

    /// One of them.
    pub fn rule(&self, number: RuleIndex) -> Option<&Ready> {
        self.rules.get(number as usize)
    }

    /// What its flowbits and flowints are called.
    pub const fn state_names(&self) -> &StateNames {
        &self.state_names
    }

    /// The databases that payload of a transport (TCP: its stream) going `direction` is looked into with.
    pub fn payload(&self, transport: L4, direction: Direction) -> Option<&PayloadDatabases> {
        let slot = match transport {
            L4::Tcp => PayloadSlot::TcpStream,
            L4::Udp => PayloadSlot::Udp,
            _ => PayloadSlot::Other,
        };
        self.payload.get(slot as usize)?.get(direction.index())
    }

    /// Every database.
    pub fn databases(&self) -> impl Iterator<Item = &Database> {
        let payload = self.payload.iter().flatten().flat_map(PayloadDatabases::iter);
        payload
            .map(|payload| &payload.database)
            .chain(self.transaction.iter().flatten().map(|(_, database)| database))
    }

    /// Memory of the databases in bytes; what is shared between them counted once.
    pub fn database_bytes(&self) -> usize {
        let mut seen = Vec::new();
        let mut bytes = 0;
        for database in self.databases() {
            let at = Arc::as_ptr(&database.literals);
            if !seen.contains(&at) {
                seen.push(at);
                bytes += database.literals.bytes();
            }
        }
        bytes
    }
}
