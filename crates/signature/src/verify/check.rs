//! Conditions made ready for verification.

use std::sync::Arc;

use pcre2::bytes::{Regex, RegexBuilder};
use rules::Position;
use rules::ir::{self, CaptureScope, Comparison, Condition};
use thiserror::Error;

use super::content::Content;
use crate::compile::Setup;
use crate::dataset::{Definitions, Reputations};
use crate::names::Names;

/// One condition, ready.
#[derive(Debug)]
pub enum Check {
    /// `content`.
    Content(Box<Content>),
    /// `pcre`.
    Expression(Expression),
    /// `isdataat`.
    IsDataAt(ir::IsDataAt),
    /// `bsize`.
    Size(Comparison<u64>),
    /// `urilen`.
    UriLength(Comparison<u16>),
    /// `byte_test`.
    ByteTest(ir::ByteTest),
    /// `byte_jump`.
    ByteJump(ir::ByteJump),
    /// `byte_extract`.
    ByteExtract(ir::ByteExtract),
    /// `byte_math`.
    ByteMath(ir::ByteMath),
    /// `base64_decode`.
    Base64Decode(ir::Base64Decode),
    /// `dataset`: number of the set.
    Dataset(usize, ir::DatasetOperation),
    /// `datarep`.
    Reputation(Arc<Reputations>, Comparison<u16>),
}

/// A condition that cannot be made ready.
#[derive(Debug, Error)]
pub enum CompileError {
    /// The regular expression is wrong.
    #[error("pcre: {0}")]
    Expression(#[from] pcre2::Error),
    /// This version has no such thing.
    #[error("{0} is not supported by this version")]
    Unsupported(&'static str),
    /// The rule is about a protocol that nobody looks for.
    #[error("protocol {0} is not analysed by this version; the rule could never match")]
    NotAnalysed(&'static str),
    /// A file that the rule names.
    #[error("file {path}: {problem}")]
    File {
        /// Its path, as written.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Rules do not agree about a set of data.
    #[error("dataset {name} has {what}")]
    Dataset {
        /// Its name.
        name: String,
        /// In what.
        what: &'static str,
    },
    /// A set is to be kept between runs, and there is no place for it.
    #[error("no folder for kept datasets is configured; set dataset_folder in [inspection.data]")]
    NoStateFolder,
    /// No countries are known.
    #[error("geoip needs a database of countries; set geoip_database in [inspection.data]")]
    NoCountries,
    /// No reputation is known.
    #[error(
        "iprep needs categories and scores; set reputation_categories and reputation_files in [inspection.data]"
    )]
    NoReputations,
    /// No such category.
    #[error("iprep: there is no category {0} in the file of reputation_categories")]
    UnknownCategory(String),
    /// No analyser raises it.
    #[error("app-layer-event {0} is not known")]
    UnknownEvent(String),
}

impl Check {
    /// Makes a condition ready.
    ///
    /// # Errors
    ///
    /// [`CompileError`] when it is wrong or cannot be had.
    pub(crate) fn new(
        condition: &Condition,
        position: Position,
        setup: &Setup<'_>,
        datasets: &mut Definitions,
    ) -> Result<Self, CompileError> {
        Ok(match condition {
            Condition::Content(content) => Self::Content(Box::new(Content::new(content))),
            Condition::Pcre(pcre) => Self::Expression(Expression::new(pcre, setup.names)?),
            Condition::ByteTest(check) => Self::ByteTest(check.clone()),
            Condition::ByteJump(check) => Self::ByteJump(check.clone()),
            Condition::ByteExtract(check) => Self::ByteExtract(check.clone()),
            Condition::ByteMath(check) => Self::ByteMath(check.clone()),
            Condition::IsDataAt(check) => Self::IsDataAt(check.clone()),
            Condition::Size(comparison) => Self::Size(*comparison),
            Condition::UriLength(comparison) => Self::UriLength(*comparison),
            Condition::Base64Decode(check) => Self::Base64Decode(*check),
            Condition::Dataset(rule) => {
                Self::Dataset(datasets.dataset(rule, position, setup)?, rule.operation)
            }
            Condition::DataReputation(rule) => {
                Self::Reputation(datasets.reputation(rule, position, setup)?, rule.value)
            }
        })
    }
}

/// A regular expression, ready.
#[derive(Debug)]
pub struct Expression {
    regex: Regex,
    pub(super) negated: bool,
    pub(super) relative: bool,
    pub(super) relative_next: bool,
    /// Which captures go where.
    captures: Box<[(usize, Variable)]>,
}

/// A variable that a capture goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variable {
    /// Of the flow.
    Flow(u32),
    /// Of the packet.
    Packet(u32),
}

impl Variable {
    /// The variable of this name.
    pub(crate) fn new(scope: CaptureScope, name: &str, names: &Names) -> Self {
        match scope {
            CaptureScope::Flow => Self::Flow(names.number(&format!("flowvar {name}"))),
            CaptureScope::Packet => Self::Packet(names.number(&format!("pktvar {name}"))),
        }
    }
}

/// Steps that matching an expression may take, and how deep: the reference's defaults. What takes more does not match.
const LIMITS: &str = "(*LIMIT_MATCH=3500)(*LIMIT_DEPTH=1500)";

impl Expression {
    fn new(pcre: &ir::Pcre, names: &Names) -> Result<Self, CompileError> {
        let mut pattern = String::with_capacity(pcre.pattern.len() + LIMITS.len() + 8);
        if !pcre.no_match_limit {
            pattern.push_str(LIMITS);
        }
        // The flags that the builder has no method for have letters within the expression.
        for (wanted, prefix) in [(pcre.ungreedy, "(?U)"), (pcre.anchored, "\\G")] {
            if wanted {
                pattern.push_str(prefix);
            }
        }
        if pcre.anchored {
            pattern.push_str("(?:");
        }
        // Of several lines a dollar is the end of each, whatever the flag says.
        if pcre.dollar_endonly && !pcre.multiline {
            pattern.push_str(&dollar_at_end_only(&pcre.pattern)?);
        } else {
            pattern.push_str(&pcre.pattern);
        }
        if pcre.anchored {
            pattern.push(')');
        }
        let regex = RegexBuilder::new()
            .caseless(pcre.caseless)
            .dotall(pcre.dotall)
            .multi_line(pcre.multiline)
            .extended(pcre.extended)
            .jit_if_available(true)
            .build(&pattern)?;
        let captures = pcre
            .captures
            .iter()
            .map(|capture| (capture.capture, Variable::new(capture.scope, &capture.name, names)))
            .collect();
        Ok(Self {
            regex,
            negated: pcre.negated,
            relative: pcre.relative,
            relative_next: pcre.relative_next,
            captures,
        })
    }

    /// Beginning and end of its first match.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        // An error is a limit that was reached: no match, as in the reference.
        self.regex.find(bytes).ok().flatten().map(|found| (found.start(), found.end()))
    }

    /// What the captures of its first match are, if any are kept.
    pub(super) fn capture(&self, bytes: &[u8], to: &mut Vec<(Variable, Box<[u8]>)>) {
        if self.captures.is_empty() {
            return;
        }
        let Ok(Some(found)) = self.regex.captures(bytes) else { return };
        for &(number, variable) in &self.captures {
            if let Some(capture) = found.get(number) {
                to.retain(|(other, _)| *other != variable);
                to.push((variable, capture.as_bytes().into()));
            }
        }
    }
}

/// An expression in which every `$` that means the end means the very end (PCRE's `DOLLAR_ENDONLY`, for which there is no
/// letter within an expression).
fn dollar_at_end_only(pattern: &str) -> Result<String, CompileError> {
    let mut to = String::with_capacity(pattern.len() + 8);
    let mut letters = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                to.push(letter);
                match letters.next() {
                    Some('Q') => return Err(CompileError::Unsupported("pcre flag E with \\Q")),
                    escaped => to.extend(escaped),
                }
                continue;
            }
            '[' if !in_class => {
                in_class = true;
                to.push(letter);
                to.extend(letters.next_if_eq(&'^'));
                // A bracket right at the beginning of a class belongs to it.
                to.extend(letters.next_if_eq(&']'));
                continue;
            }
            ']' => in_class = false,
            '(' if !in_class && letters.peek() == Some(&'?') => {
                let options = letters
                    .clone()
                    .skip(1)
                    .take_while(|&letter| letter.is_ascii_alphabetic() || letter == '-');
                // Only options are letters that a colon or the end of the group follows.
                let options: String = options.collect();
                let after = letters.clone().nth(1 + options.len());
                if options.contains('m') && matches!(after, Some(':' | ')')) {
                    return Err(CompileError::Unsupported("pcre flag E with (?m)"));
                }
            }
            '$' if !in_class => {
                to.push_str("\\z");
                continue;
            }
            _ => {}
        }
        to.push(letter);
    }
    Ok(to)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_dollar_can_mean_the_very_end() {
        for (pattern, expected) in [
            ("a$", "a\\z"),
            (r"a\$[$^$]$", r"a\$[$^$]\z"),
            ("[]$]$", "[]$]\\z"),
            ("(?i:a$)|b$", "(?i:a\\z)|b\\z"),
        ] {
            assert_eq!(dollar_at_end_only(pattern).unwrap(), expected);
        }
        assert!(dollar_at_end_only("(?im)a$").is_err() && dollar_at_end_only(r"\Q$\E").is_err());
        assert!(dollar_at_end_only("(?P<m>a)$").is_ok());
        let holds = |dollar_endonly, bytes: &[u8]| {
            let pcre = ir::Pcre { pattern: "a$".to_owned(), dollar_endonly, ..ir::Pcre::default() };
            Expression::new(&pcre, &Names::default()).unwrap().find(bytes).is_some()
        };
        assert!(holds(false, b"a\n") && !holds(true, b"a\n") && holds(true, b"ba"));
    }
}
