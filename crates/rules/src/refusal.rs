//! Why a rule is refused, and where.

use std::borrow::Cow;

use crate::Position;

/// A rule that was not taken.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}{}{reason}", self.sid.map(|sid| format!("rule {sid}: ")).unwrap_or_default(), self.keyword.as_ref().map(|keyword| format!("{keyword}: ")).unwrap_or_default())]
pub struct Refusal {
    /// The place of the fault.
    pub position: Position,
    /// The line on which the rule begins.
    pub rule_line: u32,
    /// The rule's number, as far as it can be made out.
    pub sid: Option<u32>,
    /// The keyword at fault, if it is one.
    pub keyword: Option<String>,
    /// What is wrong.
    pub reason: RefusalReason,
}

/// What is wrong with a rule.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RefusalReason {
    /// Longer than any rule is.
    #[error("the rule is longer than {max} bytes; split it")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// Not UTF-8.
    #[error("the rule is not valid UTF-8 from here on; write such bytes as |hex| in content")]
    NotUtf8,
    /// The text ends before the header does.
    #[error(
        "the rule ends before its {missing}; it begins with: action protocol addresses ports -> addresses ports (options)"
    )]
    Incomplete {
        /// What is missing.
        missing: &'static str,
    },
    /// No such action.
    #[error(
        "unknown action '{0}'; use alert, pass, drop, reject, rejectsrc, rejectdst, rejectboth or config"
    )]
    UnknownAction(String),
    /// No such protocol.
    #[error(
        "protocol '{0}' cannot be used in a rule; use ip, tcp, udp, icmp … or an application protocol that is analysed"
    )]
    UnknownProtocol(String),
    /// No such direction.
    #[error("'{0}' is not a direction; use -> or <>")]
    UnknownDirection(String),
    /// No parentheses.
    #[error("the options must stand in parentheses: (msg:\"…\"; sid:1;)")]
    NoOptions,
    /// An option does not end.
    #[error("no ';' ends this option; every option ends with one, and one that is meant is written \\;")]
    NotTerminated,
    /// Too many options.
    #[error("the rule has more than {max} options")]
    TooManyOptions {
        /// The limit.
        max: usize,
    },
    /// No such keyword.
    #[error("unknown keyword")]
    UnknownKeyword,
    /// A keyword of Suricata that is not supported here.
    #[error("this keyword is not supported by this version{because}; take it out or disable the rule")]
    Unsupported {
        /// Why, after a colon, or empty.
        because: &'static str,
    },
    /// The keyword wants a value.
    #[error("a value is missing after the ':'")]
    ValueMissing,
    /// The keyword wants none.
    #[error("this keyword takes no value")]
    ValueUnexpected,
    /// Quotes are missing.
    #[error("the value must stand in double quotes")]
    QuotesMissing,
    /// Quotes are too many.
    #[error("the value must not stand in quotes")]
    QuotesUnexpected,
    /// A value that cannot be.
    #[error("'{value}' is not valid here; expected {expected}")]
    Invalid {
        /// What stands there.
        value: String,
        /// What may stand there.
        expected: &'static str,
    },
    /// A keyword too often.
    #[error("{0} may be given only once")]
    Repeated(&'static str),
    /// A keyword that needs another before it.
    #[error("needs a {0} before it")]
    NeedsBefore(&'static str),
    /// Keywords that cannot go together, or a rule that can never match.
    #[error("{0}")]
    Conflict(Cow<'static, str>),
    /// An address or port list.
    #[error("{problem}: '{value}'")]
    List {
        /// What is wrong with it.
        problem: &'static str,
        /// The part that is meant.
        value: String,
    },
    /// A variable that is not defined.
    #[error("variable ${0} is not defined; define it among the {1} variables")]
    UnknownVariable(String, &'static str),
    /// A variable that contains itself.
    #[error("variable ${0} is nested too deeply, or contains itself")]
    VariableLoop(String),
    /// No rule number.
    #[error("the rule has no sid; give it a number of its own")]
    NoSid,
    /// `requires` says that the rule is for another version.
    #[error("the rule requires {what}, which this version does not have")]
    NotForThisVersion {
        /// What it requires.
        what: String,
    },
}

/// A fault in the text of one rule, before it is known in which file it stands.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    /// Offset into the rule's text, in bytes.
    pub(crate) offset: usize,
    /// The keyword at fault.
    pub(crate) keyword: Option<String>,
    /// What is wrong.
    pub(crate) reason: RefusalReason,
}

impl Fault {
    pub(crate) fn at(offset: usize, reason: RefusalReason) -> Box<Self> {
        Box::new(Self { offset, keyword: None, reason })
    }
}

/// What checking one option comes to.
pub(crate) type Outcome<T = ()> = Result<T, Box<Fault>>;

impl RefusalReason {
    /// Longest part of a rule that is quoted back.
    const QUOTED_MAX: usize = 80;

    /// [`RefusalReason::Invalid`], with a value that is cut to a length that can be read.
    pub(crate) fn invalid(value: &str, expected: &'static str) -> Self {
        Self::Invalid { value: Self::quoted(value), expected }
    }

    pub(crate) fn quoted(value: &str) -> String {
        let value = value.trim();
        if value.chars().count() <= Self::QUOTED_MAX {
            return value.to_owned();
        }
        value.chars().take(Self::QUOTED_MAX).chain(['…']).collect()
    }

    pub(crate) fn conflict(text: impl Into<Cow<'static, str>>) -> Self {
        Self::Conflict(text.into())
    }
}
