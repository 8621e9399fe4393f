//! Cuts the text of a rule file into rules: joins lines that a backslash continues, skips comments and empty lines, and
//! keeps where every byte of a rule stands in the file.

use std::borrow::Cow;

use crate::refusal::{Fault, Outcome, RefusalReason};

/// Longest rule in bytes. The longest of the public rule sets has 7,000; Suricata stops at 8,192.
pub(crate) const RULE_BYTES_MAX: usize = 65_536;

/// One thing in a rule file.
pub(crate) enum Entry<'a> {
    /// A rule.
    Rule(Source<'a>),
    /// A rule that is commented out.
    Disabled,
}

/// The text of one rule.
pub(crate) struct Source<'a> {
    /// The rule, continued lines joined. Cut at [`RULE_BYTES_MAX`] plus one line if it is too long.
    bytes: Cow<'a, [u8]>,
    /// Where the parts of `bytes` stand: offset in `bytes`, line (from 1) and column (from 1), in their order.
    parts: Vec<(usize, u32, u32)>,
    too_long: bool,
}

impl Source<'_> {
    /// The text, or why it is no rule.
    pub(crate) fn text(&self) -> Outcome<&str> {
        if self.too_long {
            return Err(Fault::at(0, RefusalReason::TooLong { max: RULE_BYTES_MAX }));
        }
        std::str::from_utf8(&self.bytes)
            .map_err(|error| Fault::at(error.valid_up_to(), RefusalReason::NotUtf8))
    }

    /// Line and column of the byte at `offset`.
    pub(crate) fn position(&self, offset: usize) -> (u32, u32) {
        let part = self.parts.iter().rev().find(|part| part.0 <= offset);
        part.map_or((1, 1), |&(start, line, column)| (line, column.saturating_add((offset - start) as u32)))
    }
}

/// What is in the file, in order.
pub(crate) fn entries(text: &[u8]) -> impl Iterator<Item = Entry<'_>> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut lines = text.split(|&byte| byte == b'\n').zip(1..);
    std::iter::from_fn(move || {
        loop {
            let (line, number) = lines.next()?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let begin = line.iter().position(|byte| !byte.is_ascii_whitespace());
            let Some((begin, rule)) = begin.and_then(|begin| Some((begin, line.get(begin..)?))) else {
                continue;
            };
            if rule.first() == Some(&b'#') {
                if is_disabled_rule(rule) {
                    return Some(Entry::Disabled);
                }
                continue;
            }
            let first = (0, number, begin as u32 + 1);
            let Some(mut continued) = rule.strip_suffix(b"\\") else {
                let too_long = rule.len() > RULE_BYTES_MAX;
                return Some(Entry::Rule(Source { bytes: rule.into(), parts: vec![first], too_long }));
            };
            let mut bytes = Vec::new();
            let mut parts = vec![first];
            loop {
                // What exceeds the limit is read over, and no longer kept.
                let too_long = bytes.len() > RULE_BYTES_MAX;
                if !too_long {
                    bytes.extend_from_slice(continued);
                }
                let Some((line, number)) = lines.next() else { break };
                if !too_long {
                    parts.push((bytes.len(), number, 1));
                }
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                if let Some(next) = line.strip_suffix(b"\\") {
                    continued = next;
                    continue;
                }
                if !too_long {
                    bytes.extend_from_slice(line);
                }
                break;
            }
            let too_long = bytes.len() > RULE_BYTES_MAX;
            return Some(Entry::Rule(Source { bytes: bytes.into(), parts, too_long }));
        }
    })
}

/// Whether a comment is a rule: an action, and somewhere a rule number.
fn is_disabled_rule(comment: &[u8]) -> bool {
    let begin = comment.iter().position(|&byte| byte != b'#' && !byte.is_ascii_whitespace());
    let rule = begin.and_then(|begin| comment.get(begin..)).unwrap_or_default();
    let word = rule.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    std::str::from_utf8(word).is_ok_and(crate::syntax::is_action)
        && rule.windows(4).any(|window| window == b"sid:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(text: &[u8]) -> (Vec<String>, usize) {
        let mut rules = Vec::new();
        let mut disabled = 0;
        for entry in entries(text) {
            match entry {
                Entry::Rule(source) => rules.push(source.text().map(str::to_owned).unwrap_or_default()),
                Entry::Disabled => disabled += 1,
            }
        }
        (rules, disabled)
    }

    #[test]
    fn comments_empty_lines_and_line_ends() {
        let text = b"\xef\xbb\xbf# alert is a word\n\nalert a\r\n  \t\r\n#alert b (sid:1;)\n## drop x (sid:2;)\n  pass c";
        assert_eq!(rules(text), (vec!["alert a".to_owned(), "pass c".to_owned()], 2));
    }

    #[test]
    fn continued_lines_are_joined_and_found_again() {
        let text = b"\n  alert a \\\r\n# b \\\nc\nd";
        let Some(Entry::Rule(source)) = entries(text).next() else { panic!("no rule") };
        assert_eq!(source.text().unwrap(), "alert a # b c");
        assert_eq!(source.position(0), (2, 3));
        assert_eq!(source.position(7), (2, 10));
        assert_eq!(source.position(8), (3, 1));
        assert_eq!(source.position(12), (4, 1));
        assert_eq!(entries(text).count(), 2);
    }

    #[test]
    fn a_backslash_at_the_end_of_the_file() {
        assert_eq!(rules(b"alert a \\"), (vec!["alert a ".to_owned()], 0));
        assert_eq!(rules(b"\\\n\\\n\\"), (vec![String::new()], 0));
    }

    #[test]
    fn a_rule_without_end_is_not_kept() {
        let mut text = b"alert \\\n".repeat(RULE_BYTES_MAX / 4);
        text.extend_from_slice(b"x\nalert b");
        let found: Vec<_> = entries(&text).collect();
        let [Entry::Rule(long), Entry::Rule(next)] = &found[..] else { panic!("{}", found.len()) };
        assert!(matches!(long.text().unwrap_err().reason, RefusalReason::TooLong { .. }));
        assert!(long.bytes.len() < RULE_BYTES_MAX + 16);
        assert_eq!(next.text().unwrap(), "alert b");
    }

    #[test]
    fn bytes_that_are_no_text_are_pointed_at() {
        let Some(Entry::Rule(source)) = entries(b"alert \xff").next() else { panic!("no rule") };
        assert_eq!(source.text().unwrap_err().offset, 6);
    }
}
