//! Conditions made ready for verification.

use pcre2::bytes::{Regex, RegexBuilder};
use rules::ir::{self, Comparison, Condition};
use thiserror::Error;

use super::content::Content;

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
    /// A file that the rule names.
    #[error("file {path}: {problem}")]
    File {
        /// Its path, as written.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
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
    pub fn new(condition: &Condition) -> Result<Self, CompileError> {
        Ok(match condition {
            Condition::Content(content) => Self::Content(Box::new(Content::new(content))),
            Condition::Pcre(pcre) => Self::Expression(Expression::new(pcre)?),
            Condition::ByteTest(check) => Self::ByteTest(check.clone()),
            Condition::ByteJump(check) => Self::ByteJump(check.clone()),
            Condition::ByteExtract(check) => Self::ByteExtract(check.clone()),
            Condition::ByteMath(check) => Self::ByteMath(check.clone()),
            Condition::IsDataAt(check) => Self::IsDataAt(check.clone()),
            Condition::Size(comparison) => Self::Size(*comparison),
            Condition::UriLength(comparison) => Self::UriLength(*comparison),
            Condition::Base64Decode(check) => Self::Base64Decode(*check),
            Condition::Dataset(_) => return Err(CompileError::Unsupported("dataset")),
            Condition::DataReputation(_) => return Err(CompileError::Unsupported("datarep")),
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
}

/// Steps that matching an expression may take, and how deep: the reference's defaults. What takes more does not match.
const LIMITS: &str = "(*LIMIT_MATCH=3500)(*LIMIT_DEPTH=1500)";

impl Expression {
    fn new(pcre: &ir::Pcre) -> Result<Self, CompileError> {
        if pcre.dollar_endonly {
            return Err(CompileError::Unsupported("pcre flag E"));
        }
        if !pcre.captures.is_empty() {
            return Err(CompileError::Unsupported("pcre with variables for its captures"));
        }
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
        pattern.push_str(&pcre.pattern);
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
        Ok(Self { regex, negated: pcre.negated, relative: pcre.relative, relative_next: pcre.relative_next })
    }

    /// Beginning and end of its first match.
    #[inline]
    pub(super) fn find(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        // An error is a limit that was reached: no match, as in the reference.
        self.regex.find(bytes).ok().flatten().map(|found| (found.start(), found.end()))
    }
}
