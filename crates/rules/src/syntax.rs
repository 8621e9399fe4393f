//! Cuts the text of one rule into action, protocol, addresses, ports, direction and options, each with its offset.

use crate::refusal::{Fault, Outcome, RefusalReason};

/// Most options of one rule; the longest public rules have 120.
const OPTIONS_MAX: usize = 1024;

/// A piece of a rule's text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Span<'a> {
    /// The text.
    pub(crate) text: &'a str,
    /// Where it begins in the rule, in bytes.
    pub(crate) offset: usize,
}

impl<'a> Span<'a> {
    /// The same without white space at its ends.
    pub(crate) fn trim(self) -> Self {
        let front = self.text.trim_start();
        Self { text: front.trim_end(), offset: self.offset + (self.text.len() - front.len()) }
    }

    /// Its parts between `separator`s, without white space at their ends.
    pub(crate) fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let base = self.text.as_ptr() as usize;
        self.text.split(separator).map(move |text| {
            let offset = self.offset + (text.as_ptr() as usize - base);
            Self { text, offset }.trim()
        })
    }

    /// A fault that points here: what stands here is not what is expected.
    pub(crate) fn invalid(self, expected: &'static str) -> Box<Fault> {
        self.fault(RefusalReason::invalid(self.text, expected))
    }

    /// A fault that points here.
    pub(crate) fn fault(self, reason: RefusalReason) -> Box<Fault> {
        Fault::at(self.offset, reason)
    }

    /// The rest behind `prefix`, if it begins with it.
    pub(crate) fn strip_prefix(self, prefix: &str) -> Option<Span<'a>> {
        let text = self.text.strip_prefix(prefix)?;
        Some(Span { text, offset: self.offset + prefix.len() })
    }
}

/// One option: `name;` or `name:value;`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleOption<'a> {
    /// The keyword as written.
    pub(crate) name: Span<'a>,
    /// What stands between the colon and the semicolon, trimmed; escapes are not resolved.
    pub(crate) value: Option<Span<'a>>,
}

/// One rule, cut into its parts.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) action: Span<'a>,
    pub(crate) protocol: Span<'a>,
    pub(crate) source_addresses: Span<'a>,
    pub(crate) source_ports: Span<'a>,
    pub(crate) direction: Span<'a>,
    pub(crate) destination_addresses: Span<'a>,
    pub(crate) destination_ports: Span<'a>,
    pub(crate) options: Vec<RuleOption<'a>>,
}

/// Words that begin a rule.
const ACTIONS: [&str; 8] =
    ["alert", "pass", "drop", "reject", "rejectsrc", "rejectdst", "rejectboth", "config"];

/// Whether a word begins a rule.
pub(crate) fn is_action(word: &str) -> bool {
    ACTIONS.iter().any(|action| action.eq_ignore_ascii_case(word))
}

impl<'a> Statement<'a> {
    /// Cuts `text` into its parts.
    pub(crate) fn parse(text: &'a str) -> Outcome<Self> {
        let mut rest = Span { text, offset: 0 };
        let action = word(&mut rest, "action")?;
        if !is_action(action.text) {
            return Err(action.fault(RefusalReason::UnknownAction(RefusalReason::quoted(action.text))));
        }
        let protocol = word(&mut rest, "protocol")?;
        let source_addresses = word(&mut rest, "source addresses")?;
        let source_ports = word(&mut rest, "source ports")?;
        let direction = word(&mut rest, "direction")?;
        let destination_addresses = word(&mut rest, "destination addresses")?;
        let destination_ports = word(&mut rest, "destination ports")?;
        let rest = rest.trim();
        let body = rest.strip_prefix("(").ok_or_else(|| rest.fault(RefusalReason::NoOptions))?;
        Ok(Self {
            action,
            protocol,
            source_addresses,
            source_ports,
            direction,
            destination_addresses,
            destination_ports,
            options: options(body)?,
        })
    }
}

/// The next word of a header; white space within brackets does not end it.
fn word<'a>(rest: &mut Span<'a>, missing: &'static str) -> Outcome<Span<'a>> {
    let text = rest.trim();
    let mut depth = 0_u32;
    let end = text.text.char_indices().find(|&(_, letter)| {
        match letter {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        // The options begin here, if a part of the header is missing.
        (letter.is_whitespace() && depth == 0) || letter == '('
    });
    let end = end.map_or(text.text.len(), |(at, _)| at);
    let (text_word, text_rest) = text.text.split_at(end);
    if text_word.is_empty() {
        return Err(text.fault(RefusalReason::Incomplete { missing }));
    }
    *rest = Span { text: text_rest, offset: text.offset + end };
    Ok(Span { text: text_word, offset: text.offset })
}

/// The options of a rule, up to the closing parenthesis.
fn options(body: Span<'_>) -> Outcome<Vec<RuleOption<'_>>> {
    let mut options = Vec::with_capacity(16);
    let mut rest = body.trim();
    loop {
        if rest.text == ")" {
            return Ok(options);
        }
        let end = terminator(rest.text).ok_or_else(|| rest.fault(RefusalReason::NotTerminated))?;
        if options.len() == OPTIONS_MAX {
            return Err(rest.fault(RefusalReason::TooManyOptions { max: OPTIONS_MAX }));
        }
        let (option, after) = rest.text.split_at(end);
        let option = match option.split_once(':') {
            Some((name, value)) => RuleOption {
                name: Span { text: name, offset: rest.offset }.trim(),
                value: Some(Span { text: value, offset: rest.offset + name.len() + 1 }.trim()),
            },
            None => RuleOption { name: Span { text: option, offset: rest.offset }.trim(), value: None },
        };
        options.push(option);
        rest = Span { text: after.get(1..).unwrap_or_default(), offset: rest.offset + end + 1 }.trim();
    }
}

/// Where the first semicolon stands that no backslash precedes.
fn terminator(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|&byte| byte == b';')?;
        if at == 0 || bytes.get(at - 1) != Some(&b'\\') {
            return Some(at);
        }
        from = at + 1;
    }
}

/// The number of a rule that could not be parsed, for a report.
pub(crate) fn find_sid(text: &str) -> Option<u32> {
    let after = text.rsplit_once("sid:")?.1.trim_start();
    let end = after.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(after.len());
    after.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_their_offsets() {
        let text = r#"alert tcp [1.1.1.1, $A] any <> any [80, 81] ( msg : "a\;b:c" ; nocase;sid:5;)"#;
        let statement = Statement::parse(text).unwrap();
        assert_eq!(statement.source_addresses.text, "[1.1.1.1, $A]");
        assert_eq!(statement.direction.text, "<>");
        assert_eq!(statement.destination_ports.text, "[80, 81]");
        let options: Vec<_> = statement
            .options
            .iter()
            .map(|option| (option.name.text, option.value.map(|value| value.text)))
            .collect();
        assert_eq!(options, [("msg", Some(r#""a\;b:c""#)), ("nocase", None), ("sid", Some("5"))]);
        for option in &statement.options {
            assert!(text[option.name.offset..].starts_with(option.name.text));
            if let Some(value) = option.value {
                assert!(text[value.offset..].starts_with(value.text));
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |text| match Statement::parse(text).unwrap_err().reason {
            RefusalReason::Incomplete { missing } => missing,
            other => panic!("{other}"),
        };
        assert_eq!(missing("alert"), "protocol");
        assert_eq!(missing("alert tcp any any -> any (sid:1;)"), "destination ports");
        assert!(matches!(
            Statement::parse("alert tcp any any -> any any sid:1;").unwrap_err().reason,
            RefusalReason::NoOptions
        ));
        let fault = Statement::parse("alert tcp any any -> any any (sid:1; x)").unwrap_err();
        assert!(matches!(fault.reason, RefusalReason::NotTerminated));
        assert_eq!(fault.offset, 37);
    }

    #[test]
    fn a_sid_is_found_in_a_broken_rule() {
        assert_eq!(find_sid("alert tcp (msg:\"x; sid: 77; rev:1"), Some(77));
        assert_eq!(find_sid("alert"), None);
    }
}
