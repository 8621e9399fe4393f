//! What flowbits and flowints are called, for events.

use rules::ir::{IntegerOperation, IntegerValue, StateOperation};

use super::ready::Ready;
use crate::names::Names;

/// Names of the flowbits and flowints of a set by their numbers; in order.
#[derive(Debug, Default)]
pub struct StateNames {
    bits: Vec<(u32, String)>,
    integers: Vec<(u32, String)>,
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
                StateOperation::HostBit { .. } | StateOperation::CrossBit { .. } => {}
            }
        }
        for list in [&mut bits, &mut integers] {
            list.sort_unstable();
            list.dedup();
        }
        Self { bits, integers }
    }

    /// The name of a flowbit that a rule of the set speaks of.
    pub fn bit(&self, number: u32) -> Option<&str> {
        name_of(&self.bits, number)
    }

    /// The name of a flowint that a rule of the set speaks of.
    pub fn integer(&self, number: u32) -> Option<&str> {
        name_of(&self.integers, number)
    }
}

fn name_of(names: &[(u32, String)], number: u32) -> Option<&str> {
    let at = names.binary_search_by_key(&number, |&(number, _)| number).ok()?;
    names.get(at).map(|(_, name)| name.as_str())
}
