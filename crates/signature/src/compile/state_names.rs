//! What flowbits, flowints and captured variables are called, for events.

use rules::ir::{Condition, IntegerOperation, IntegerValue, StateOperation};

use super::ready::Ready;
use crate::names::Names;
use crate::verify::Variable;

/// Names of the flowbits, flowints and variables of a set by their numbers; in order.
#[derive(Debug, Default)]
pub struct StateNames {
    bits: Vec<(u32, String)>,
    integers: Vec<(u32, String)>,
    variables: Vec<(u32, String)>,
}

impl StateNames {
    pub(super) fn new(rules: &[Ready], names: &Names) -> Self {
        let (mut bits, mut integers) = (Vec::new(), Vec::new());
        let mut integer =
            |name: &String| integers.push((names.number(&format!("flowint {name}")), name.clone()));
        for operation in rules.iter().flat_map(|rule| &rule.rule.state) {
            match operation {
                StateOperation::FlowBit { names: written, .. } => {
                    bits.extend(
                        written.iter().map(|name| (names.number(&format!("flowbit {name}")), name.clone())),
                    );
                }
                StateOperation::FlowInteger { name, operation } => {
                    integer(name);
                    match operation {
                        IntegerOperation::Assign(IntegerValue::Variable(other))
                        | IntegerOperation::Add(IntegerValue::Variable(other))
                        | IntegerOperation::Subtract(IntegerValue::Variable(other))
                        | IntegerOperation::CompareVariable(_, other) => integer(other),
                        _ => {}
                    }
                }
                StateOperation::HostBit { .. }
                | StateOperation::CrossBit { .. }
                | StateOperation::Variable { .. } => {}
            }
        }
        let mut variables = Vec::new();
        for condition in rules.iter().flat_map(|rule| &rule.rule.groups).flat_map(|group| &group.conditions) {
            let Condition::Pcre(pcre) = condition else { continue };
            for capture in &pcre.captures {
                let (Variable::Flow(number) | Variable::Packet(number)) =
                    Variable::new(capture.scope, &capture.name, names);
                variables.push((number, capture.name.clone()));
            }
        }
        for list in [&mut bits, &mut integers, &mut variables] {
            list.sort_unstable();
            list.dedup();
        }
        Self { bits, integers, variables }
    }

    /// The name of a flowbit that a rule of the set speaks of.
    pub fn bit(&self, number: u32) -> Option<&str> {
        name_of(&self.bits, number)
    }

    /// The name of a flowint that a rule of the set speaks of.
    pub fn integer(&self, number: u32) -> Option<&str> {
        name_of(&self.integers, number)
    }

    /// The name of a variable of flows or packets that a rule of the set captures.
    pub fn variable(&self, number: u32) -> Option<&str> {
        name_of(&self.variables, number)
    }
}

fn name_of(names: &[(u32, String)], number: u32) -> Option<&str> {
    let at = names.binary_search_by_key(&number, |&(number, _)| number).ok()?;
    names.get(at).map(|(_, name)| name.as_str())
}
