//! Verification: whether the conditions of one rule on one buffer hold.
//!
//! In: compiled [`Check`]s of a group, and the buffer. Out: yes or no. This is the exact answer; the Hyperscan databases
//! only say for which rules it is worth asking.
//!
//! Conditions are tried in the order of the rule. One that is relative begins at the end of the last match; if a chain
//! of relative conditions fails, the content at its head is tried again at its next occurrence, as the reference does.
//! The number of such steps in one buffer is bounded ([`STEPS_MAX`]).

mod bytes;
mod check;
mod content;

pub(crate) use check::Check;
pub use check::{CompileError, Variable};

use std::sync::Arc;

use analyze::View;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rules::ir::{self, Number, VARIABLES_MAX, VariableId};

use crate::dataset::Datasets;

/// Steps of trying again in one buffer for one rule, like the reference's limit.
pub(crate) const STEPS_MAX: u32 = 3_000;

/// What verifying one rule carries along: variables, the decoded base64 data, the steps left.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    variables: [u64; VARIABLES_MAX],
    steps: u32,
    decoded: Vec<u8>,
    /// Captures of expressions that go to variables if the rule matches.
    pub(crate) captures: Vec<(Variable, Box<[u8]>)>,
    /// The tenant's sets of data.
    datasets: Arc<Datasets>,
    /// Whether the fields of a DCE/RPC PDU are little-endian.
    pub(crate) dce_little_endian: bool,
}

impl Scratch {
    /// Nothing yet, with the sets of data that rules ask and change.
    pub(crate) fn new(datasets: Arc<Datasets>) -> Self {
        Self { datasets, ..Self::default() }
    }

    /// Forgets what the last rule left.
    pub(crate) fn begin_rule(&mut self) {
        self.variables = [0; VARIABLES_MAX];
        self.decoded.clear();
        self.captures.clear();
    }

    /// What `base64_decode` of this rule decoded.
    pub(crate) fn decoded(&self) -> &[u8] {
        &self.decoded
    }

    fn variable(&self, id: VariableId) -> u64 {
        self.variables.get(usize::from(id.0)).copied().unwrap_or(0)
    }

    fn set(&mut self, id: VariableId, value: u64) {
        if let Some(variable) = self.variables.get_mut(usize::from(id.0)) {
            *variable = value;
        }
    }

    fn number<T: Copy + Into<i64>>(&self, number: Number<T>) -> i64 {
        match number {
            Number::Literal(value) => value.into(),
            Number::Variable(id) => i64::try_from(self.variable(id)).unwrap_or(i64::MAX),
        }
    }
}

/// Whether every check holds in `view`.
pub(crate) fn holds(checks: &[Check], view: View<'_>, scratch: &mut Scratch) -> bool {
    scratch.steps = STEPS_MAX;
    matches!(from(checks, view, 0, scratch), Found::Yes)
}

/// What became of the rest of the checks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Yes,
    /// Not from here; perhaps from a later occurrence of what this is relative to.
    NotHere,
    /// Not at all: no other occurrence changes it.
    Never,
}

/// Whether all of `checks` hold; relative ones begin at `cursor`.
fn from(checks: &[Check], view: View<'_>, cursor: usize, scratch: &mut Scratch) -> Found {
    let mut cursor = cursor;
    let mut rest = checks;
    while let Some((check, after)) = rest.split_first() {
        let Some(steps) = scratch.steps.checked_sub(1) else { return Found::Never };
        scratch.steps = steps;
        rest = after;
        match check {
            Check::Content(content) => {
                let Some(range) = content.range(view, cursor, scratch) else {
                    if content.negated() {
                        continue;
                    }
                    return Found::NotHere;
                };
                if content.negated() {
                    if content.find(view, range).is_some() {
                        return Found::NotHere;
                    }
                    continue;
                }
                let (mut start, end) = range;
                loop {
                    let Some(at) = content.find(view, (start, end)) else { return Found::NotHere };
                    if !content.relative_next() {
                        cursor = at + content.len();
                        break;
                    }
                    match from(rest, view, at + content.len(), scratch) {
                        Found::NotHere => start = at + 1,
                        found => return found,
                    }
                }
            }
            Check::Expression(expression) => {
                let begin = if expression.relative { cursor } else { 0 };
                let Some(bytes) = view.bytes.get(begin..) else {
                    if expression.negated {
                        continue;
                    }
                    return Found::NotHere;
                };
                if expression.negated {
                    if expression.find(bytes).is_some() {
                        return Found::NotHere;
                    }
                    continue;
                }
                let mut start = 0;
                loop {
                    let found = bytes.get(start..).and_then(|bytes| expression.find(bytes));
                    let Some((first, end)) = found else { return Found::NotHere };
                    expression.capture(bytes.get(start..).unwrap_or_default(), &mut scratch.captures);
                    let (first, end) = (begin + start + first, begin + start + end);
                    if !expression.relative_next {
                        cursor = end;
                        break;
                    }
                    match from(rest, view, end, scratch) {
                        Found::NotHere => start = first + 1 - begin,
                        found => return found,
                    }
                }
            }
            Check::IsDataAt(check) => {
                let offset = scratch.number(check.offset).max(0) as usize;
                let there = if check.relative {
                    cursor.saturating_add(offset) <= view.bytes.len()
                } else {
                    offset < view.bytes.len()
                };
                if there == check.negated {
                    return Found::NotHere;
                }
            }
            Check::Size(comparison) => {
                let len = view.offset + view.bytes.len() as u64;
                if !view.complete || !comparison.holds(len) {
                    return Found::Never;
                }
            }
            Check::UriLength(comparison) => {
                if !comparison.holds(u16::try_from(view.bytes.len()).unwrap_or(u16::MAX)) {
                    return Found::Never;
                }
            }
            Check::ByteTest(check) => {
                if !bytes::test(check, view.bytes, cursor, scratch) {
                    return Found::NotHere;
                }
            }
            Check::ByteJump(check) => match bytes::jump(check, view.bytes, cursor, scratch) {
                Some(to) => cursor = to,
                None => return Found::NotHere,
            },
            Check::ByteExtract(check) => match bytes::extract(check, view.bytes, cursor, scratch) {
                Some(to) => cursor = to,
                None => return Found::NotHere,
            },
            Check::ByteMath(check) => match bytes::math(check, view.bytes, cursor, scratch) {
                Some(to) => cursor = to,
                None => return Found::NotHere,
            },
            Check::Dataset(number, operation) => {
                if !scratch.datasets.holds(*number, *operation, view.bytes) {
                    return Found::NotHere;
                }
            }
            Check::Reputation(set, comparison) => {
                if !set.value(view.bytes).is_some_and(|value| comparison.holds(value)) {
                    return Found::NotHere;
                }
            }
            Check::Base64Decode(check) => {
                if !decode(check, view.bytes, cursor, scratch) {
                    return Found::NotHere;
                }
            }
        }
    }
    Found::Yes
}

/// Base64 as mail and web servers read it: no padding is needed, and what stands after the last whole character is left
/// (RFC 4648, section 3.3 lets a reader do so).
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes as much as is base64 from the given place on, blanks and line ends passed over; `false` when nothing is.
fn decode(check: &ir::Base64Decode, buffer: &[u8], cursor: usize, scratch: &mut Scratch) -> bool {
    let begin = (if check.relative { cursor } else { 0 }).saturating_add(check.offset as usize);
    let Some(text) = buffer.get(begin..) else { return false };
    let limit = if check.bytes == 0 { text.len() } else { text.len().min(check.bytes as usize) };
    let mut symbols: Vec<u8> = text
        .iter()
        .take(limit)
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .take_while(|&byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
        .collect();
    // A lone last character is six bits: less than a byte.
    if symbols.len() % 4 == 1 {
        symbols.pop();
    }
    scratch.decoded.clear();
    LENIENT.decode_vec(&symbols, &mut scratch.decoded).is_ok() && !scratch.decoded.is_empty()
}
