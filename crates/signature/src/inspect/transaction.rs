//! Asking rules about transactions.
//!
//! A direction of a transaction is looked at when it has come further than last time or has more of a body: the databases
//! of the buffers that are new find candidates; these, rules without a fast pattern, and rules that have matched in part
//! and wait for more, are verified. A rule speaks once for each direction of a transaction.

use std::sync::Arc;
use std::time::Instant;

use analyze::{Session, Transaction};
use app::{Direction, Protocol, Scope, Stage};
use rules::ir::AppCondition;

use super::Inspector;
use super::flow_state::{FlowState, TransactionState, WayState};
use super::rule::headers_hold;
use super::subject::Subject;
use crate::compile::{Ready, RuleSet};
use crate::verify;

/// What became of a rule at a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Match,
    Never,
    /// So many groups hold; the next is not there yet.
    Later(u8),
}

impl Inspector {
    pub(super) fn inspect_transactions(
        &mut self,
        subject: &Subject<'_>,
        state: &mut FlowState,
        session: &mut Session,
    ) {
        let Some(protocol) = session.protocol() else { return };
        let set = Arc::clone(&self.set);
        let mut known = std::mem::take(&mut state.transactions);
        let mut oldest = u64::MAX;
        // Which rules may be about this packet is asked once for all transactions of it.
        session.for_each_transaction(&mut |transaction| {
            oldest = oldest.min(transaction.id());
            if state.passed {
                return;
            }
            let Some(memory) = remembered(&mut known, transaction.id(), self.options.transactions_max) else {
                return;
            };
            let Some(way) = memory.ways.get_mut(subject.direction.index()) else { return };
            self.inspect_transaction(&set, subject, state, protocol, transaction, way);
        });
        // Those that are gone were complete.
        known.retain(|transaction| transaction.id >= oldest);
        state.transactions = known;
        state.forget_before(oldest);
    }

    fn inspect_transaction(
        &mut self,
        set: &RuleSet,
        subject: &Subject<'_>,
        state: &mut FlowState,
        protocol: Protocol,
        transaction: &mut dyn Transaction,
        way: &mut WayState,
    ) {
        let direction = subject.direction;
        let stage = transaction.stage(direction);
        let events = transaction.events(direction).len();
        let in_body = stage >= Stage::Body && way.stage < Stage::Complete;
        if stage <= way.stage && events == way.events && !in_body {
            return;
        }
        let first = way.stage == Stage::Waiting;
        self.scratch.candidates.clear();
        self.scan_buffers(set, direction, transaction, way.stage, stage);
        if first && let Some(rules) = set.transaction_unfiltered.get(direction.index()) {
            for &rule in rules {
                self.scratch.candidates.add(rule);
            }
        }
        way.open.iter().for_each(|&(rule, _)| self.scratch.candidates.add(rule));
        let mut rules = std::mem::take(&mut self.scratch.candidates.rules);
        rules.sort_unstable();
        let open = std::mem::take(&mut way.open);
        for &number in &rules {
            let Some(rule) = set.rules.get(number as usize) else { continue };
            if way.is_closed(number) || !rule.protocols.is_any() && !rule.protocols.has(protocol) {
                continue;
            }
            let held = open
                .binary_search_by_key(&number, |&(rule, _)| rule)
                .ok()
                .and_then(|at| open.get(at))
                .map_or(0, |&(_, held)| held);
            if !rule.header.covers(&subject.ends) {
                way.close(number);
                continue;
            }
            let began = self.profile.is_some().then(Instant::now);
            let answer = self.ask_transaction(rule, subject, state, (protocol, transaction), stage, held);
            if let (Some(began), Some(profile)) = (began, &self.profile) {
                profile.note(number, began, answer == Answer::Match);
            }
            match answer {
                Answer::Later(held) if stage < Stage::Complete => way.open.push((number, held)),
                Answer::Later(_) => {}
                Answer::Never => way.close(number),
                Answer::Match => {
                    way.close(number);
                    state.passed |= rule.rule.action == rules::ir::Action::Pass;
                    self.matched(number, rule, subject, state, Some(transaction.id()), false);
                    if state.passed {
                        // Nor do those speak that come after it in order and were asked before.
                        self.scratch.alerts.retain(|alert| alert.rule < number);
                        break;
                    }
                }
            }
        }
        self.scratch.candidates.rules = rules;
        way.stage = stage;
        way.events = events;
        if !self.options.looks_first {
            transaction.inspected(direction);
        }
    }

    /// Looks for fast patterns in the buffers that are new since `before`.
    fn scan_buffers(
        &mut self,
        set: &RuleSet,
        direction: Direction,
        transaction: &dyn Transaction,
        before: Stage,
        stage: Stage,
    ) {
        let Some(workspace) = &self.workspace else { return };
        let Some(databases) = set.transaction.get(direction.index()) else { return };
        for (slot, database) in databases {
            let Some(slot) = set.buffers.get(*slot) else { continue };
            let needs = slot.buffer.stage();
            if needs > stage {
                // They are in the order of their stages.
                break;
            }
            if needs <= before && needs < Stage::Body {
                continue;
            }
            let mut index = 0;
            while let Some(view) = transaction.buffer(direction, slot.buffer, index, &mut self.scratch.buffer)
            {
                let bytes = if slot.transforms.is_empty() {
                    view.bytes
                } else {
                    self.scratch.transformed.clear();
                    self.scratch.transformed.extend_from_slice(view.bytes);
                    slot.transforms.apply(&mut self.scratch.transformed);
                    &self.scratch.transformed
                };
                self.counts.scanned_bytes += bytes.len() as u64;
                database.literals.scan(bytes, workspace, |literal| {
                    database.rules_of(literal).iter().for_each(|&rule| self.scratch.candidates.add(rule));
                });
                index += 1;
                if !slot.buffer.is_multiple() {
                    break;
                }
            }
        }
    }

    fn ask_transaction(
        &mut self,
        rule: &Ready,
        subject: &Subject<'_>,
        state: &FlowState,
        (protocol, transaction): (Protocol, &dyn Transaction),
        stage: Stage,
        held: u8,
    ) -> Answer {
        self.counts.verified += 1;
        if !headers_hold(rule, subject) {
            // Another packet may be as it wants.
            return Answer::Later(held);
        }
        if held == 0 && !self.state_allows(rule, subject, state) {
            // Another packet may set what it waits for.
            return Answer::Later(0);
        }
        self.scratch.verify.begin_rule();
        self.scratch.verify.dce_little_endian = transaction.dce().is_some_and(|call| call.little_endian);
        let mut held = held;
        for (group, written) in rule.groups.iter().zip(&rule.rule.groups).skip(usize::from(held)) {
            let holds = match group.scope {
                Scope::Derived => self.decoded_holds(group),
                Scope::Payload | Scope::Packet => self.payload_holds(rule, subject).is_some(),
                Scope::Transaction => {
                    if group.stage > stage {
                        return Answer::Later(held);
                    }
                    self.buffer_holds(group, written.buffer, subject.direction, transaction)
                }
            };
            if !holds {
                let more_may_come = group.scope != Scope::Transaction || group.stage >= Stage::Body;
                return if more_may_come && stage < Stage::Complete {
                    Answer::Later(held)
                } else {
                    Answer::Never
                };
            }
            held = held.saturating_add(1);
        }
        if !rule.files.is_empty() {
            let holds = |file| rule.files.iter().all(|check| check.holds(&file));
            let mut files = (0..).map_while(|index| transaction.file(subject.direction, index));
            if !files.any(holds) {
                return if stage < Stage::Complete { Answer::Later(held) } else { Answer::Never };
            }
        }
        for condition in rule.rule.app.iter().filter(|condition| !condition.is_about_file()) {
            if !holds_in(condition, protocol, subject.direction, transaction) {
                return if stage < Stage::Complete { Answer::Later(held) } else { Answer::Never };
            }
        }
        Answer::Match
    }

    fn buffer_holds(
        &mut self,
        group: &crate::compile::ReadyGroup,
        buffer: app::Buffer,
        direction: Direction,
        transaction: &dyn Transaction,
    ) -> bool {
        let set = Arc::clone(&self.set);
        let transforms = set.buffers.get(group.slot).map(|slot| &slot.transforms);
        let scratch = &mut self.scratch;
        let mut index = 0;
        while let Some(view) = transaction.buffer(direction, buffer, index, &mut scratch.buffer) {
            let holds = match transforms.filter(|transforms| !transforms.is_empty()) {
                None => verify::holds(&group.checks, view, &mut scratch.verify),
                Some(transforms) => {
                    scratch.transformed.clear();
                    scratch.transformed.extend_from_slice(view.bytes);
                    transforms.apply(&mut scratch.transformed);
                    let view = analyze::View { bytes: &scratch.transformed, ..view };
                    verify::holds(&group.checks, view, &mut scratch.verify)
                }
            };
            if holds {
                return true;
            }
            index += 1;
            if !buffer.is_multiple() {
                break;
            }
        }
        false
    }
}

/// Where the progress of a transaction is kept; `None` when there are too many of them.
fn remembered(known: &mut Vec<TransactionState>, id: u64, max: usize) -> Option<&mut TransactionState> {
    let at = match known.binary_search_by_key(&id, |state| state.id) {
        Ok(at) => at,
        Err(_) if known.len() >= max => return None,
        Err(at) => {
            known.insert(at, TransactionState { id, ..TransactionState::default() });
            at
        }
    };
    known.get_mut(at)
}

fn holds_in(
    condition: &AppCondition,
    protocol: Protocol,
    direction: Direction,
    transaction: &dyn Transaction,
) -> bool {
    let values =
        |field: &'static str| (0..).map_while(move |index| transaction.number(direction, field, index));
    match condition {
        AppCondition::Event(name) => {
            !name.contains('.') || transaction.events(direction).contains(&name.as_str())
        }
        AppCondition::Number { field, value } => values(field).any(|number| value.holds(number)),
        AppCondition::AnyOf { field, values: wanted } => {
            values(field).any(|number| wanted.iter().any(|&(value, negated)| (value == number) != negated))
        }
        AppCondition::Is { field, negated } => values(field).any(|number| number != 0) != *negated,
        AppCondition::Protocol { protocol: wanted, negated } => {
            wanted.is_some_and(|asked| asked.allows(protocol)) != *negated
        }
        AppCondition::DceInterface { uuid, version, any_fragment } => transaction.dce().is_some_and(|call| {
            (*any_fragment || call.first_fragment)
                && call.accepted().any(|interface| {
                    interface.uuid == *uuid
                        && version.as_ref().is_none_or(|version| version.holds(interface.version))
                })
        }),
        AppCondition::Modbus(wanted) => {
            transaction.modbus().is_some_and(|call| super::industrial::modbus(wanted, &call))
        }
        AppCondition::Cip(wanted) => {
            transaction.services().iter().any(|asked| super::industrial::cip(*wanted, asked))
        }
        AppCondition::DceOperation(ranges) => transaction
            .dce()
            .and_then(|call| call.operation)
            .is_some_and(|operation| ranges.iter().any(|&(first, last)| (first..=last).contains(&operation))),
        // Refused when the rule was compiled.
        AppCondition::FileExtension { .. } | AppCondition::FileSize(_) | AppCondition::FileHash { .. } => {
            false
        }
    }
}
