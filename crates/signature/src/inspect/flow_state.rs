//! What signatures remember of one flow.

use app::{Direction, Stage};

use crate::compile::{Needed, RuleIndex};

/// What signatures remember of one flow. A few dozen bytes until a rule has something to remember.
#[derive(Debug, Default)]
pub struct FlowState {
    /// Flowbits that are set, by name; in order.
    bits: Vec<u32>,
    /// Flowints that were ever set; in order of names.
    integers: Vec<(u32, u32)>,
    /// Variables that `pcre` captured, in the order in which they were first.
    variables: Vec<(u32, Box<[u8]>)>,
    /// Rules without a fast pattern whose header fits packets of a direction; `None` until its first packet.
    pub(super) headers_fit: [Option<Box<[RuleIndex]>>; 2],
    /// What looking into its packets and its stream needs, by direction, where `headers_fit` is known.
    pub(super) needed: [[Needed; 2]; 2],
    /// The rule set that `headers_fit` and `transactions` speak of.
    pub(super) set_number: u64,
    /// A rule said that the flow may pass.
    pub(super) passed: bool,
    /// A rule said that the flow is only to be counted from now on.
    pub(super) bypassed: bool,
    /// Transactions of which a rule said that they are not to be logged; in order.
    silenced: Vec<u64>,
    /// Transactions that are open, oldest first.
    pub(super) transactions: Vec<TransactionState>,
}

/// Names that a flow can have set at one time; more are not set, and counted.
pub const NAMES_MAX: usize = 256;

/// Transactions that can be silenced at one time; more are logged.
const SILENCED_MAX: usize = 1024;

/// Bytes that the variables of a flow can have together.
const VARIABLE_BYTES_MAX: usize = 65_536;

impl FlowState {
    /// The flow has another application protocol, whose transactions are numbered anew.
    pub fn forget_transactions(&mut self) {
        self.transactions.clear();
        self.silenced.clear();
    }

    /// Whether a rule said that the flow is only to be counted from now on (`bypass`).
    pub fn is_bypassed(&self) -> bool {
        self.bypassed
    }

    /// Whether a rule said that this transaction is not to be logged (`config`).
    pub fn is_silenced(&self, transaction: u64) -> bool {
        self.silenced.binary_search(&transaction).is_ok()
    }

    /// The transaction is not to be logged.
    pub(super) fn silence(&mut self, transaction: u64) {
        if let Err(at) = self.silenced.binary_search(&transaction)
            && self.silenced.len() < SILENCED_MAX
        {
            self.silenced.insert(at, transaction);
        }
    }

    /// No transaction before this one is open any more.
    pub(super) fn forget_before(&mut self, oldest: u64) {
        let gone = self.silenced.partition_point(|&transaction| transaction < oldest);
        self.silenced.drain(..gone);
    }

    /// Whether the flowbit is set.
    pub fn bit(&self, name: u32) -> bool {
        self.bits.binary_search(&name).is_ok()
    }

    /// Sets or clears a flowbit; `false` when the flow has as many as it may have.
    pub fn set_bit(&mut self, name: u32, value: bool) -> bool {
        match (self.bits.binary_search(&name), value) {
            (Err(at), true) => {
                if self.bits.len() >= NAMES_MAX {
                    return false;
                }
                self.bits.insert(at, name);
            }
            (Ok(at), false) => {
                self.bits.remove(at);
            }
            _ => {}
        }
        true
    }

    /// Value of a flowint, if it was ever set.
    pub fn integer(&self, name: u32) -> Option<u32> {
        let at = self.integers.binary_search_by_key(&name, |&(name, _)| name).ok()?;
        self.integers.get(at).map(|&(_, value)| value)
    }

    /// Sets a flowint; `false` when the flow has as many as it may have.
    pub fn set_integer(&mut self, name: u32, value: u32) -> bool {
        match self.integers.binary_search_by_key(&name, |&(name, _)| name) {
            Ok(at) => {
                if let Some(entry) = self.integers.get_mut(at) {
                    entry.1 = value;
                }
            }
            Err(_) if self.integers.len() >= NAMES_MAX => return false,
            Err(at) => self.integers.insert(at, (name, value)),
        }
        true
    }

    /// A rule is not to be asked again about packets that go `way`.
    pub(super) fn asked_for_good(&mut self, way: Direction, rule: RuleIndex) {
        if let Some(Some(rules)) = self.headers_fit.get_mut(way.index()) {
            *rules = rules.iter().copied().filter(|&other| other != rule).collect();
        }
    }

    /// Variables that were captured, name and value.
    pub fn variables(&self) -> &[(u32, Box<[u8]>)] {
        &self.variables
    }

    /// Sets a variable; `false` when the flow has as much in them as it may have.
    pub(super) fn set_variable(&mut self, name: u32, value: Box<[u8]>) -> bool {
        let others = self.variables.iter().filter(|(other, _)| *other != name);
        if others.map(|(_, value)| value.len()).sum::<usize>() + value.len() > VARIABLE_BYTES_MAX {
            return false;
        }
        if let Some(entry) = self.variables.iter_mut().find(|(other, _)| *other == name) {
            entry.1 = value;
            return true;
        }
        let room = self.variables.len() < NAMES_MAX;
        if room {
            self.variables.push((name, value));
        }
        room
    }

    /// Numbers of the flowbits that are set.
    pub fn bits(&self) -> &[u32] {
        &self.bits
    }

    /// Flowints that were set, name and value.
    pub fn integers(&self) -> &[(u32, u32)] {
        &self.integers
    }
}

/// What signatures remember of one transaction.
#[derive(Debug, Default)]
pub(super) struct TransactionState {
    pub(super) id: u64,
    pub(super) ways: [WayState; 2],
}

/// What signatures remember of one direction of a transaction.
#[derive(Debug, Default)]
pub(super) struct WayState {
    /// How far it had come when rules last looked.
    pub(super) stage: Stage,
    /// Events that there were when rules last looked.
    pub(super) events: usize,
    /// Rules that may match yet, and how many of their groups have; in order.
    pub(super) open: Vec<(RuleIndex, u8)>,
    /// Rules that have matched, or cannot any more; in order.
    pub(super) closed: Vec<RuleIndex>,
}

impl WayState {
    pub(super) fn close(&mut self, rule: RuleIndex) {
        if let Err(at) = self.closed.binary_search(&rule) {
            self.closed.insert(at, rule);
        }
    }

    pub(super) fn is_closed(&self, rule: RuleIndex) -> bool {
        self.closed.binary_search(&rule).is_ok()
    }
}
