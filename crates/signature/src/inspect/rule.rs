//! Asking one rule: its header, its packet, its payload, its state; and what follows when all of it holds.

use analyze::{Session, View};
use app::Scope;
use rules::ir::{Action, AppCondition, BitOperation, Comparison, HeaderProtocol};

use super::flow_state::FlowState;
use super::subject::Subject;
use super::{Alert, Inspector, packet};
use crate::compile::{IntegerOperand, Ready, ReadyState, RuleIndex, Transports};
use crate::verify::{self, Variable};

impl Inspector {
    /// Whether payload and headers hold what the rule looks for; if so, whether it was in the stream.
    pub(super) fn payload_holds(&mut self, rule: &Ready, subject: &Subject<'_>) -> Option<bool> {
        self.scratch.verify.begin_rule();
        if !rule.inspects.payload {
            return self.groups_hold(rule, subject, None).then_some(false);
        }
        if rule.inspects.stream
            && let Some(stream) = subject.stream
            && self.groups_hold(rule, subject, Some(stream.bytes))
        {
            return Some(true);
        }
        let alone = rule.inspects.stream
            && !rule.rule.flow.only_stream
            && !(subject.in_stream && subject.ends.transport == Transports::TCP);
        if (rule.inspects.packet || alone)
            // Of a packet without payload not even an absence holds.
            && !subject.payload.is_empty()
            && self.groups_hold(rule, subject, Some(subject.payload))
        {
            return Some(false);
        }
        None
    }

    fn groups_hold(&mut self, rule: &Ready, subject: &Subject<'_>, payload: Option<&[u8]>) -> bool {
        rule.groups.iter().zip(&rule.rule.groups).all(|(group, written)| {
            let bytes = match group.scope {
                Scope::Payload => payload,
                Scope::Packet => subject.header(written.buffer),
                Scope::Derived => None,
                // Asked for each transaction.
                Scope::Transaction => return true,
            };
            if group.scope == Scope::Derived {
                return self.decoded_holds(group);
            }
            let Some(bytes) = bytes else { return false };
            let transforms = self.set.buffers.get(group.slot).map(|slot| &slot.transforms);
            match transforms.filter(|transforms| !transforms.is_empty()) {
                None => verify::holds(&group.checks, View::whole(bytes), &mut self.scratch.verify),
                Some(transforms) => {
                    let transformed = &mut self.scratch.transformed;
                    transformed.clear();
                    transformed.extend_from_slice(bytes);
                    transforms.apply(transformed);
                    verify::holds(&group.checks, View::whole(transformed), &mut self.scratch.verify)
                }
            }
        })
    }

    /// Conditions on what `base64_decode` of the same rule decoded.
    pub(super) fn decoded_holds(&mut self, group: &crate::compile::ReadyGroup) -> bool {
        let decoded = &mut self.scratch.transformed;
        decoded.clear();
        decoded.extend_from_slice(self.scratch.verify.decoded());
        !decoded.is_empty() && verify::holds(&group.checks, View::whole(decoded), &mut self.scratch.verify)
    }

    /// Whether flowbits and their kin are as the rule wants them.
    pub(super) fn state_allows(&self, rule: &Ready, subject: &Subject<'_>, state: &FlowState) -> bool {
        rule.state.iter().all(|question| match question {
            ReadyState::FlowBit(BitOperation::IsSet, names) => names.iter().any(|&name| state.bit(name)),
            ReadyState::FlowBit(BitOperation::IsNotSet, names) => names.iter().any(|&name| !state.bit(name)),
            ReadyState::FlowIntegerIs(name, comparison) => {
                state.integer(*name).is_some_and(|value| comparison.holds(value))
            }
            ReadyState::FlowIntegerIsAsOther(name, comparison, other) => {
                match (state.integer(*name), state.integer(*other)) {
                    (Some(value), Some(other)) => compare(*comparison, value, other),
                    _ => false,
                }
            }
            ReadyState::FlowIntegerIsSet(name, wanted) => state.integer(*name).is_some() == *wanted,
            ReadyState::HostBit { operation: BitOperation::IsSet, name, track, .. } => {
                self.hosts.bit(*name, *track, &subject.ends, subject.time_us)
            }
            ReadyState::HostBit { operation: BitOperation::IsNotSet, name, track, .. } => {
                !self.hosts.bit(*name, *track, &subject.ends, subject.time_us)
            }
            ReadyState::VariableHolds(variable, bytes) => self
                .captured(*variable, state)
                .is_some_and(|value| value.windows(bytes.len().max(1)).any(|window| window == &**bytes)),
            ReadyState::FlowBit(..) | ReadyState::FlowIntegerChange(..) | ReadyState::HostBit { .. } => true,
        })
    }

    /// What an expression has captured into a variable.
    fn captured<'a>(&'a self, variable: Variable, state: &'a FlowState) -> Option<&'a [u8]> {
        let (name, variables) = match variable {
            Variable::Flow(name) => (name, state.variables()),
            Variable::Packet(name) => (name, self.scratch.packet_variables.as_slice()),
        };
        variables.iter().find(|(other, _)| *other == name).map(|(_, value)| &**value)
    }

    /// Everything held: the rule changes what it changes, and speaks if it may.
    pub(super) fn matched(
        &mut self,
        number: RuleIndex,
        rule: &Ready,
        subject: &Subject<'_>,
        state: &mut FlowState,
        transaction: Option<u64>,
        in_stream: bool,
    ) {
        self.counts.matched += 1;
        for change in rule.state.iter().filter(|operation| !operation.is_question()) {
            if !self.change(change, subject, state) {
                self.counts.names_over += 1;
            }
        }
        if !self.scratch.verify.captures.is_empty() {
            let captures = std::mem::take(&mut self.scratch.verify.captures);
            if transaction.is_some() {
                // Rules about transactions of the same packet do not see them, as in the reference.
                self.scratch.later_captures.extend(captures);
            } else {
                self.keep_captures(captures, state);
            }
        }
        state.bypassed |= rule.rule.bypass;
        if let Some(transaction) = transaction.filter(|_| rule.rule.config.is_some()) {
            state.silence(transaction);
        }
        let name = (rule.rule.meta.gid, rule.rule.meta.sid);
        if let Some(rate) = rule.rule.detection_filter
            && !self.hosts.passes_filter(name, rate, &subject.ends, subject.time_us)
        {
            self.counts.suppressed += 1;
            return;
        }
        if rule.rule.noalert || matches!(rule.rule.action, Action::Pass | Action::Config) {
            return;
        }
        if !rule.rule.suppressions.is_empty() && is_suppressed(rule, subject) {
            self.counts.suppressed += 1;
            return;
        }
        if let Some(threshold) = rule.rule.threshold
            && !self.hosts.passes_threshold(name, threshold, &subject.ends, subject.time_us)
        {
            self.counts.suppressed += 1;
            return;
        }
        let action = rule.rule.rate_filter.and_then(|filter| {
            let too_often = self.hosts.exceeds(name, filter, &subject.ends, subject.time_us);
            too_often.then_some(filter.action)
        });
        if action == Some(Action::Pass) {
            self.scratch.packet_passed = true;
            return;
        }
        self.scratch.alerts.push(Alert { rule: number, transaction, in_stream, action });
    }

    /// What the rule captured becomes variables.
    pub(super) fn keep_captures(&mut self, captures: Vec<(Variable, Box<[u8]>)>, state: &mut FlowState) {
        for (variable, value) in captures {
            match variable {
                Variable::Flow(name) => {
                    self.counts.names_over += u64::from(!state.set_variable(name, value));
                }
                Variable::Packet(name) => {
                    let variables = &mut self.scratch.packet_variables;
                    match variables.iter_mut().find(|(other, _)| *other == name) {
                        Some(entry) => entry.1 = value,
                        None => variables.push((name, value)),
                    }
                }
            }
        }
    }

    /// `false` when the flow has no room for it.
    fn change(&self, change: &ReadyState, subject: &Subject<'_>, state: &mut FlowState) -> bool {
        match change {
            ReadyState::FlowBit(operation, names) => names.iter().all(|&name| {
                let value = match operation {
                    BitOperation::Set => true,
                    BitOperation::Toggle => !state.bit(name),
                    _ => false,
                };
                state.set_bit(name, value)
            }),
            ReadyState::FlowIntegerChange(name, sign, operand) => {
                let operand = match operand {
                    IntegerOperand::Literal(value) => *value,
                    IntegerOperand::Variable(other) => state.integer(*other).unwrap_or(0),
                };
                let value = state.integer(*name).unwrap_or(0);
                let value = match sign {
                    0 => operand,
                    1 => value.wrapping_add(operand),
                    _ => value.saturating_sub(operand),
                };
                state.set_integer(*name, value)
            }
            ReadyState::HostBit { operation, name, track, expire_s } => {
                let set = match operation {
                    BitOperation::Set => true,
                    BitOperation::Toggle => !self.hosts.bit(*name, *track, &subject.ends, subject.time_us),
                    _ => false,
                };
                if set {
                    self.hosts.set_bit(*name, *track, &subject.ends, subject.time_us, *expire_s);
                } else {
                    self.hosts.clear_bit(*name, *track, &subject.ends);
                }
                true
            }
            ReadyState::FlowIntegerIs(..)
            | ReadyState::FlowIntegerIsAsOther(..)
            | ReadyState::FlowIntegerIsSet(..)
            | ReadyState::VariableHolds(..) => true,
        }
    }
}

/// Whether a `threshold.config` says that the rule does not speak of these.
fn is_suppressed(rule: &Ready, subject: &Subject<'_>) -> bool {
    let ends = &subject.ends;
    let [source, destination] =
        [ends.source.0, ends.destination.0].map(|address| address.to_ip(ends.ip_version));
    rule.rule.suppressions.iter().any(|suppression| suppression.covers(source, destination))
}

fn compare(comparison: Comparison<()>, value: u32, other: u32) -> bool {
    match comparison {
        Comparison::Equal(()) => value == other,
        Comparison::NotEqual(()) => value != other,
        Comparison::Less(()) => value < other,
        Comparison::LessOrEqual(()) => value <= other,
        Comparison::Greater(()) => value > other,
        Comparison::GreaterOrEqual(()) => value >= other,
        // Two variables have no range between them; the parser makes none.
        Comparison::Between((), ()) => false,
    }
}

/// Everything but buffers and state: addresses, protocol, flow, headers.
pub(super) fn may_match(rule: &Ready, subject: &Subject<'_>, session: Option<&Session>) -> bool {
    if !headers_hold(rule, subject) {
        return false;
    }
    let protocol = session.and_then(Session::protocol);
    if !rule.protocols.is_any() && !protocol.is_some_and(|protocol| rule.protocols.has(protocol)) {
        return false;
    }
    rule.rule.app.iter().all(|condition| session_holds(condition, session))
}

/// Whether addresses, flow and packet headers are as the rule wants them.
pub(super) fn headers_hold(rule: &Ready, subject: &Subject<'_>) -> bool {
    rule.header.covers(&subject.ends)
        && flow_holds(rule, subject)
        && rule.rule.packet.iter().all(|condition| packet::holds(condition, subject))
        && rule.lookups.iter().all(|lookup| lookup.holds(&subject.ends))
}

fn flow_holds(rule: &Ready, subject: &Subject<'_>) -> bool {
    let wanted = &rule.rule.flow;
    if rule.directions.get(subject.direction.index()).is_none_or(|looks| !looks) {
        return false;
    }
    let established = subject.flow.is_some_and(|flow| flow.established);
    (wanted.direction.is_none() || subject.flow.is_some())
        && wanted.established.is_none_or(|wanted| wanted == established)
        && wanted.fragmented.is_none_or(|wanted| wanted == subject.reassembled)
        // Without a pattern there is nothing that could be found in a stream.
        && (!wanted.only_stream || rule.inspects.payload || rule.inspects.transaction)
        && (rule.rule.header.protocol == HeaderProtocol::PacketHeader
            || subject.ends.transport != Transports::NO_IP)
}

/// Conditions on the protocol of a flow; those on transactions are asked there.
fn session_holds(condition: &AppCondition, session: Option<&Session>) -> bool {
    match condition {
        AppCondition::Protocol { protocol, negated } => {
            let Some(session) = session else { return *negated };
            let holds = match protocol {
                Some(asked) => session.protocol().is_some_and(|protocol| asked.allows(protocol)),
                None => session.failed(),
            };
            // As long as nothing is known it is neither this nor not this.
            (session.protocol().is_some() || session.failed()) && holds != *negated
        }
        AppCondition::Event(name) if !name.contains('.') => {
            session.is_some_and(|session| session.events().contains(&name.as_str()))
        }
        _ => true,
    }
}
