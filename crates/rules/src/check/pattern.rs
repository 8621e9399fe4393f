//! `pcre`: flags, buffers and captures. Whether the expression itself is good is found when it is compiled.

use app::{Buffer, Protocol};

use crate::ir::{AppProtocol, CaptureScope, Condition, Pcre, PcreCapture};
use crate::refusal::{Outcome, RefusalReason};
use crate::syntax::Span;

use super::buffer::STICKY_STILL_SET;
use super::builder::{Builder, Last};
use super::keyword::Keyword;

/// The text of an expression in ASCII: other bytes become `\xHH`, because expressions match bytes, not letters.
pub(super) fn ascii(value: Span<'_>) -> Outcome<String> {
    use std::fmt::Write as _;
    if value.text.is_ascii() {
        return Ok(value.text.to_owned());
    }
    if value.text.contains("\\Q") {
        return Err(value.invalid("only ASCII in an expression with \\Q"));
    }
    let mut text = String::with_capacity(value.text.len() * 2);
    for byte in value.text.bytes() {
        if byte.is_ascii() {
            text.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    Ok(text)
}

/// Name of each capture of an expression, in their order; empty for those without.
fn capture_names(pattern: &str) -> Vec<&str> {
    let bytes = pattern.as_bytes();
    let mut names = Vec::new();
    let mut in_class = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            // A bracket right at the beginning of a class belongs to it.
            b'[' if !in_class => {
                in_class = true;
                at += usize::from(bytes.get(at + 1) == Some(&b'^'));
                at += usize::from(bytes.get(at + 1) == Some(&b']'));
            }
            b']' => in_class = false,
            b'(' if !in_class => {
                let rest = pattern.get(at + 1..).unwrap_or_default();
                let named = rest.strip_prefix("?P<").or_else(|| rest.strip_prefix("?<"));
                match named.filter(|name| !name.starts_with(['=', '!'])) {
                    Some(name) => names.push(name.split('>').next().unwrap_or_default()),
                    None if !rest.starts_with(['?', '*']) => names.push(""),
                    None => {}
                }
            }
            _ => {}
        }
        at += 1;
    }
    names
}

/// How many captures an expression has.
pub(super) fn captures(pattern: &str) -> usize {
    capture_names(pattern).len()
}

/// The buffer that a flag chooses.
fn buffer_of(flag: char) -> Option<Buffer> {
    Some(match flag {
        'U' => Buffer::HttpUri,
        'I' => Buffer::HttpUriRaw,
        'P' => Buffer::HttpRequestBody,
        'Q' => Buffer::HttpResponseBody,
        'H' => Buffer::HttpHeader,
        'D' => Buffer::HttpHeaderRaw,
        'M' => Buffer::HttpMethod,
        'C' => Buffer::HttpCookie,
        'S' => Buffer::HttpStatCode,
        'Y' => Buffer::HttpStatMsg,
        'V' => Buffer::HttpUserAgent,
        'W' => Buffer::HttpHost,
        'Z' => Buffer::HttpHostRaw,
        _ => return None,
    })
}

pub(super) fn pcre(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, negated: bool) -> Outcome {
    let expected = "/expression/flags";
    let value = value.trim();
    let body = value.strip_prefix("m/").or_else(|| value.strip_prefix("/"));
    let body = body.ok_or_else(|| value.invalid(expected))?;
    let (pattern, rest) = body.text.rsplit_once('/').ok_or_else(|| value.invalid(expected))?;
    let rest = Span { text: rest, offset: body.offset + pattern.len() + 1 };
    let pattern = ascii(Span { text: pattern, offset: body.offset })?;
    let flags_end = rest.text.find(',').unwrap_or(rest.text.len());
    let (flags, names) = rest.text.split_at(flags_end);

    let mut pcre = Pcre { negated, ..Pcre::default() };
    let mut buffer = None;
    for flag in flags.chars() {
        match flag {
            'i' => pcre.caseless = true,
            's' => pcre.dotall = true,
            'm' => pcre.multiline = true,
            'x' => pcre.extended = true,
            'A' => pcre.anchored = true,
            'E' => pcre.dollar_endonly = true,
            'G' => pcre.ungreedy = true,
            'O' => pcre.no_match_limit = true,
            'R' => pcre.relative = true,
            // The payload is raw anyhow.
            'B' => {}
            other => match buffer_of(other) {
                Some(chosen) if buffer.is_none_or(|before| before == chosen) => buffer = Some(chosen),
                Some(_) => {
                    return Err(
                        rest.fault(RefusalReason::conflict("an expression can look into one buffer only"))
                    );
                }
                None => {
                    return Err(
                        rest.invalid("flags out of i s m x A E G O R B and one of U I P Q H D M C S Y V W Z")
                    );
                }
            },
        }
    }
    if buffer == Some(Buffer::HttpHost) && !pcre.caseless && has_upper_case(&pattern) {
        return Err(value.fault(RefusalReason::conflict(
            "the host is matched in lower case, so an upper-case letter never matches; write it in lower case",
        )));
    }
    pcre.captures = capture_variables(&pattern, names, rest)?;
    pcre.pattern = pattern;
    let relative = pcre.relative;

    let group = match buffer {
        None => builder.group(),
        Some(buffer) => {
            if let Some(sticky) = builder.sticky {
                let set = builder.rule.groups.get(sticky).map(|group| group.buffer);
                let same = set == Some(buffer)
                    || (set, buffer) == (Some(Buffer::FileData), Buffer::HttpResponseBody);
                if !same {
                    return Err(builder.conflict(STICKY_STILL_SET));
                }
                builder.group()
            } else {
                builder.require(AppProtocol::Only(Protocol::Http1))?;
                builder.note_buffer(buffer)?;
                builder.open(buffer, Vec::new())
            }
        }
    };
    // In a sticky buffer an expression may also begin where nothing was found yet: at the beginning.
    if relative && builder.sticky.is_none() {
        check_chain(builder, group)?;
    }
    builder.push_to(group, Condition::Pcre(pcre));
    builder.last = Last::Other(false);
    Ok(())
}

/// A relative expression needs a match to begin at.
fn check_chain(builder: &Builder<'_>, group: usize) -> Outcome {
    let conditions =
        builder.rule.groups.get(group).map(|group| group.conditions.as_slice()).unwrap_or_default();
    let before = conditions
        .iter()
        .rposition(|condition| matches!(condition, Condition::Content(_) | Condition::Pcre(_)));
    let Some(before) = before else {
        return Err(builder.conflict("the flag R needs a match before it in the same buffer"));
    };
    if builder.fast_pattern_of((group, before)).is_some_and(|fast| fast.only) {
        return Err(builder.conflict(
            "the content before has fast_pattern:only, so it has no place to count from; take ':only' out",
        ));
    }
    Ok(())
}

/// Whether an upper-case letter stands in the expression that is not part of an escape.
fn has_upper_case(pattern: &str) -> bool {
    let mut escaped = false;
    pattern.bytes().any(|byte| {
        let meant = !escaped && byte.is_ascii_uppercase();
        escaped = !escaped && byte == b'\\';
        meant
    })
}

/// Where captures go: by a list after the flags, or by their own names.
fn capture_variables(pattern: &str, names: &str, place: Span<'_>) -> Outcome<Vec<PcreCapture>> {
    let own = capture_names(pattern);
    let mut variables = Vec::new();
    for name in names.split(',').skip(1) {
        let expected = "flow:name or pkt:name for each capture";
        let capture = variables.len() + 1;
        let (scope, name) = match name.trim().split_once(':') {
            Some(("flow", name)) => (CaptureScope::Flow, name),
            Some(("pkt", name)) => (CaptureScope::Packet, name),
            _ => return Err(place.invalid(expected)),
        };
        if name.is_empty() || capture > own.len() {
            return Err(place.invalid(expected));
        }
        variables.push(PcreCapture { capture, scope, name: name.to_owned() });
    }
    for (name, capture) in own.into_iter().zip(1..) {
        let scoped = name
            .strip_prefix("flow_")
            .map(|name| (CaptureScope::Flow, name))
            .or_else(|| name.strip_prefix("pkt_").map(|name| (CaptureScope::Packet, name)));
        if let Some((scope, name)) = scoped {
            variables.push(PcreCapture { capture, scope, name: name.to_owned() });
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_counted_as_pcre_counts_them() {
        for (pattern, count) in [
            ("a(b)(?:c)(d)", 2),
            (r"\(a[(](b)", 1),
            ("[]()](a)", 1),
            ("[^]()](a)", 1),
            ("(?P<x>a)(?<y>b)(?<=c)(?<!d)(?=e)(?!f)(?i)(?>g)", 2),
            ("", 0),
            ("(*UTF8)(a)", 1),
        ] {
            assert_eq!(captures(pattern), count, "{pattern}");
        }
    }

    #[test]
    fn letters_beyond_ascii_become_bytes() {
        let span = |text| Span { text, offset: 0 };
        assert_eq!(ascii(span("aé+")).unwrap(), r"a\xc3\xa9+");
        assert!(ascii(span(r"\Qé\E")).is_err());
    }
}
