//! In which order rules are asked: as the reference orders them, because a rule that sets a flowbit must come before one
//! that reads it, and alerts of one packet are written in this order.

use rules::ir::{Action, BitOperation, CaptureScope, Condition, IntegerOperation, Rule, StateOperation};

/// What a rule does to one kind of memory; setters come first, then those that read and set, then readers, then rules
/// that have nothing to do with it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Sets,
    ReadsAndSets,
    Reads,
    Nothing,
}

impl Use {
    fn of(reads: bool, sets: bool) -> Self {
        match (reads, sets) {
            (false, true) => Self::Sets,
            (true, true) => Self::ReadsAndSets,
            (true, false) => Self::Reads,
            (false, false) => Self::Nothing,
        }
    }
}

const fn bit_reads(operation: BitOperation) -> bool {
    matches!(operation, BitOperation::IsSet | BitOperation::IsNotSet)
}

/// How the rule uses the memory that `kind` picks out; `kind` gives whether the operation reads.
fn uses(rule: &Rule, kind: impl Fn(&StateOperation) -> Option<bool>) -> Use {
    let (mut reads, mut sets) = (false, false);
    for read in rule.state.iter().filter_map(kind) {
        if read {
            reads = true;
        } else {
            sets = true;
        }
    }
    Use::of(reads, sets)
}

/// How the rule uses captured variables.
fn variables(rule: &Rule, wanted: CaptureScope) -> Use {
    let reads = rule
        .state
        .iter()
        .any(|operation| matches!(operation, StateOperation::Variable { scope, .. } if *scope == wanted));
    let mut conditions = rule.groups.iter().flat_map(|group| &group.conditions);
    let sets = conditions.any(|condition| match condition {
        Condition::Pcre(pcre) => pcre.captures.iter().any(|capture| capture.scope == wanted),
        _ => false,
    });
    Use::of(reads, sets)
}

/// Puts rules into the order in which they are asked.
pub(super) fn sort(rules: &mut [Rule]) {
    rules.sort_by_cached_key(|rule| {
        let action = match rule.action {
            Action::Pass => 0_u8,
            Action::Drop => 1,
            Action::Reject => 2,
            Action::Alert => 3,
            Action::Config => 4,
        };
        let flowbits = uses(rule, |operation| match operation {
            StateOperation::FlowBit { operation, .. } => Some(bit_reads(*operation)),
            _ => None,
        });
        let flowints = uses(rule, |operation| match operation {
            StateOperation::FlowInteger { operation, .. } => Some(!matches!(
                operation,
                IntegerOperation::Assign(_) | IntegerOperation::Add(_) | IntegerOperation::Subtract(_)
            )),
            _ => None,
        });
        let hostbits = uses(rule, |operation| match operation {
            StateOperation::HostBit { operation, .. } => Some(bit_reads(*operation)),
            _ => None,
        });
        let crossbits = uses(rule, |operation| match operation {
            StateOperation::CrossBit { operation, .. } => Some(bit_reads(*operation)),
            _ => None,
        });
        let flow_variables = variables(rule, CaptureScope::Flow);
        let packet_variables = variables(rule, CaptureScope::Packet);
        let variables = (flow_variables, packet_variables);
        (action, flowbits, flowints, variables, hostbits, crossbits, rule.meta.priority)
    });
}
