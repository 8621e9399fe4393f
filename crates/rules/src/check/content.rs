//! `content` and its modifiers.

use app::{Buffer, Protocol};

use crate::ir::{AppProtocol, Condition, Content, FastPattern, Number};
use crate::number::{decimal, signed};
use crate::refusal::{Outcome, RefusalReason};
use crate::syntax::Span;

use super::builder::{Builder, Last};
use super::keyword::Keyword;

/// Furthest a content may be from the last match, in bytes.
const DISTANCE_MAX: i32 = 1024 * 1024;

pub(super) fn content(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, negated: bool) -> Outcome {
    let pattern = unescape(value)?;
    builder.push(Condition::Content(Content { pattern, negated, ..Content::default() }));
    Ok(())
}

pub(super) fn uricontent(
    builder: &mut Builder<'_>,
    keyword: &Keyword,
    value: Span<'_>,
    negated: bool,
) -> Outcome {
    if builder.sticky.is_some() {
        return Err(builder.conflict(super::buffer::STICKY_STILL_SET));
    }
    content(builder, keyword, value, negated)?;
    builder.move_last_content(Buffer::HttpUri)?;
    builder.require(AppProtocol::Only(Protocol::Http1))
}

/// The bytes that a content writes: `|hex|`, and `\` before `\`, `"`, `;` and `:`.
pub(super) fn unescape(value: Span<'_>) -> Outcome<Vec<u8>> {
    let text = value.text.as_bytes();
    let fault = |at: usize, expected| {
        let rest = value.text.get(at..).unwrap_or(value.text);
        Span { text: rest, offset: value.offset + at }.invalid(expected)
    };
    let mut bytes = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match byte {
            b'|' => {
                let begin = at;
                let mut high = None;
                loop {
                    at += 1;
                    let digit = match text.get(at) {
                        Some(b'|') => break,
                        Some(b' ') => continue,
                        Some(&digit) => char::from(digit).to_digit(16),
                        None => return Err(fault(begin, "a second | that ends the hexadecimal bytes")),
                    };
                    let digit =
                        digit.ok_or_else(|| fault(at, "pairs of hexadecimal digits between | and |"))? as u8;
                    match high.take() {
                        None => high = Some(digit),
                        Some(high) => bytes.push(high << 4 | digit),
                    }
                }
                if high.is_some() {
                    return Err(fault(begin, "two hexadecimal digits for each byte"));
                }
            }
            b'\\' => {
                at += 1;
                match text.get(at) {
                    Some(&escaped @ (b'\\' | b'"' | b';' | b':')) => bytes.push(escaped),
                    _ => {
                        return Err(fault(
                            at - 1,
                            "one of \\ \" ; : behind a backslash; write others as |hex|",
                        ));
                    }
                }
            }
            b'"' => return Err(fault(at, "\\\" for a quote within content")),
            other => bytes.push(other),
        }
        at += 1;
    }
    Ok(bytes)
}

pub(super) fn nocase(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    let (content, _) = builder.content()?;
    if std::mem::replace(&mut content.nocase, true) {
        return Err(builder.fault(RefusalReason::Repeated("nocase")));
    }
    Ok(())
}

/// Where a modifier counts from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum From {
    /// The beginning of the buffer: `depth`, `offset`, `startswith`.
    Beginning,
    /// The last match: `distance`, `within`.
    LastMatch,
}

/// Checks that the last content may be placed like this.
fn check_place(builder: &mut Builder<'_>, from: From) -> Outcome {
    let (content, place) = builder.content()?;
    let placed_from_beginning = content.depth.is_some() || content.offset.is_some() || content.startswith;
    let conflict = match from {
        From::Beginning => content.is_relative(),
        From::LastMatch => placed_from_beginning,
    };
    if conflict {
        return Err(builder.conflict(
            "distance and within count from the last match, depth, offset and startswith from the beginning; use one \
             kind",
        ));
    }
    let is_negated = content.negated;
    match builder.fast_pattern_of(place) {
        Some(fast) if fast.only => {
            Err(builder.conflict("a content with fast_pattern:only has no place; take ':only' out"))
        }
        Some(_) if is_negated => {
            Err(builder.conflict("a negated content with a place cannot be the fast_pattern"))
        }
        _ => Ok(()),
    }
}

/// A number of at most `max`, or a variable.
fn number_or_variable(
    builder: &Builder<'_>,
    value: Span<'_>,
    max: u32,
    what: &'static str,
) -> Outcome<Number<u32>> {
    if value.text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-') {
        let number = decimal(value.text).filter(|&number| number <= max);
        return number.map(Number::Literal).ok_or_else(|| value.invalid(what));
    }
    builder.variable(value).map(Number::Variable)
}

pub(super) fn depth(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let number = number_or_variable(builder, value, 65_535, "a number up to 65535, or a variable set before");
    check_place(builder, From::Beginning)?;
    let (content, _) = builder.content()?;
    if content.depth.is_some() || content.startswith {
        return Err(builder.fault(RefusalReason::Repeated("depth (or startswith, which is a depth)")));
    }
    let number = number?;
    if matches!(number, Number::Literal(depth) if (depth as usize) < content.pattern.len()) {
        return Err(
            builder.conflict("the depth is less than the length of the content, which can never match")
        );
    }
    content.depth = Some(number);
    Ok(())
}

pub(super) fn offset(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let number = number_or_variable(builder, value, 65_535, "a number up to 65535, or a variable set before");
    check_place(builder, From::Beginning)?;
    let (content, _) = builder.content()?;
    if content.offset.is_some() {
        return Err(builder.fault(RefusalReason::Repeated("offset")));
    }
    if content.startswith {
        return Err(builder.conflict("startswith begins at 0 and has no offset"));
    }
    content.offset = Some(number?);
    Ok(())
}

/// A signed number, or a variable.
fn relative_number(builder: &Builder<'_>, value: Span<'_>) -> Outcome<Number<i32>> {
    if value.text.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-') {
        let number = signed(value.text, DISTANCE_MAX);
        return number
            .map(Number::Literal)
            .ok_or_else(|| value.invalid("a number from -1048576 to 1048576, or a variable set before"));
    }
    builder.variable(value).map(Number::Variable)
}

pub(super) fn distance(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let number = relative_number(builder, value);
    check_place(builder, From::LastMatch)?;
    let (content, place) = builder.content()?;
    if content.distance.is_some() {
        return Err(builder.fault(RefusalReason::Repeated("distance")));
    }
    content.distance = Some(number?);
    check_chain(builder, place)
}

pub(super) fn within(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let number = relative_number(builder, value);
    check_place(builder, From::LastMatch)?;
    let (content, place) = builder.content()?;
    if content.within.is_some() {
        return Err(builder.fault(RefusalReason::Repeated("within")));
    }
    let number = number?;
    if matches!(number, Number::Literal(within) if i64::from(within) < content.pattern.len() as i64) {
        return Err(builder.conflict("within is less than the length of the content, which can never match"));
    }
    content.within = Some(number);
    check_chain(builder, place)
}

/// A match that is only made by the fast pattern has no place that the next could count from.
fn check_chain(builder: &Builder<'_>, place: super::builder::Place) -> Outcome {
    let before = place.1.checked_sub(1).and_then(|before| builder.fast_pattern_of((place.0, before)));
    if before.is_some_and(|fast| fast.only) {
        return Err(builder.conflict(
            "the content before has fast_pattern:only, so it has no place to count from; take ':only' out",
        ));
    }
    Ok(())
}

pub(super) fn startswith(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    check_place(builder, From::Beginning)?;
    let (content, _) = builder.content()?;
    if content.startswith || content.depth.is_some() {
        return Err(builder.fault(RefusalReason::Repeated("startswith (or depth, which it sets)")));
    }
    if content.offset.is_some() {
        return Err(builder.conflict("startswith begins at 0 and has no offset"));
    }
    content.startswith = true;
    Ok(())
}

pub(super) fn endswith(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    builder.content()?.0.endswith = true;
    Ok(())
}

/// The payload is never anything but raw, so the keyword changes nothing where it is allowed.
pub(super) fn rawbytes(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    let (_, place) = builder.content()?;
    if builder.rule.groups.get(place.0).is_none_or(|group| group.buffer != Buffer::Payload) {
        return Err(builder.conflict("rawbytes is for the payload and cannot be used in another buffer"));
    }
    if builder.raw.contains(&place) {
        return Err(builder.fault(RefusalReason::Repeated("rawbytes")));
    }
    builder.raw.push(place);
    Ok(())
}

pub(super) fn fast_pattern(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let (content, place) = builder.content()?;
    let placed =
        content.is_relative() || content.depth.is_some() || content.offset.is_some() || content.startswith;
    let (negated, len) = (content.negated, content.pattern.len());
    if builder.fast_patterns.iter().any(|fast| {
        (fast.group, fast.condition) == place
            || builder.rule.groups.get(fast.group).map(|group| group.buffer)
                == builder.rule.groups.get(place.0).map(|group| group.buffer)
    }) {
        return Err(builder.fault(RefusalReason::Repeated("fast_pattern")));
    }
    let mut fast = FastPattern { group: place.0, condition: place.1, only: false, chop: None };
    if value.text == "only" {
        if negated || placed {
            return Err(builder
        .conflict("fast_pattern:only cannot be used with a negated content, or one with depth, offset, distance or within"));
        }
        fast.only = true;
    } else if negated && placed {
        return Err(builder.conflict("a negated content with a place cannot be the fast_pattern"));
    } else if !value.text.is_empty() {
        let expected = "only, or offset,length of a part of the content";
        let parts = value.text.split_once(',').map(|(offset, length)| (offset.trim(), length.trim()));
        let (offset, length) = parts.ok_or_else(|| value.invalid(expected))?;
        let (offset, length): (usize, usize) =
            decimal(offset).zip(decimal(length)).ok_or_else(|| value.invalid(expected))?;
        if offset.checked_add(length).is_none_or(|end| end > len) {
            return Err(value.invalid("a part that lies within the content"));
        }
        if length > 0 {
            fast.chop = Some((offset, length));
        }
    }
    builder.fast_patterns.push(fast);
    Ok(())
}

pub(super) fn prefilter(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    if builder.seen.prefilter {
        return Err(builder.fault(RefusalReason::Repeated("prefilter")));
    }
    match builder.last {
        Last::Nothing => return Err(builder.fault(RefusalReason::NeedsBefore("condition"))),
        Last::Packet(true) => builder.rule.prefilter = builder.rule.packet.len().checked_sub(1),
        // For a content it is another word for `fast_pattern`.
        Last::Content => {
            let (_, place) = builder.content()?;
            if builder.fast_patterns.is_empty() {
                let fast = FastPattern { group: place.0, condition: place.1, only: false, chop: None };
                builder.fast_patterns.push(fast);
            }
        }
        Last::Other(true) => {}
        Last::Packet(false) | Last::Other(false) => {
            return Err(builder.conflict("the condition before cannot select candidates; take prefilter out"));
        }
    }
    builder.seen.prefilter = true;
    Ok(())
}
