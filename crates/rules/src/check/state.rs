//! The flow, and what rules remember: `flow`, `flowbits`, `flowint`, `hostbits`, `xbits`, `flowvar`, `stream_size`.

use app::Direction;

use crate::ir::{
    BitOperation, CaptureScope, Comparison, FlowCount, HeaderCondition, HostTrack, IntegerOperation,
    IntegerValue, StateOperation, StreamSide,
};
use crate::number::{comparison_of, decimal};
use crate::refusal::{Outcome, RefusalReason};
use crate::syntax::Span;

use super::builder::{Builder, Last};
use super::keyword::Keyword;

pub(super) fn flow(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    if std::mem::replace(&mut builder.seen.flow, true) {
        return Err(builder.fault(RefusalReason::Repeated("flow")));
    }
    let flow = &mut builder.rule.flow;
    for part in value.split(',') {
        let contradicts = || {
            part.fault(RefusalReason::conflict(format!(
                "'{}' repeats or contradicts what stands before it",
                RefusalReason::quoted(part.text)
            )))
        };
        let word = part.text.to_ascii_lowercase();
        let new = match word.as_str() {
            "to_server" | "from_client" => flow.direction.replace(Direction::ToServer).is_none(),
            "to_client" | "from_server" => flow.direction.replace(Direction::ToClient).is_none(),
            "established" => flow.established.replace(true).is_none() && !flow.stateless,
            "not_established" => flow.established.replace(false).is_none(),
            "stateless" => !std::mem::replace(&mut flow.stateless, true) && flow.established != Some(true),
            "only_stream" => !std::mem::replace(&mut flow.only_stream, true) && !flow.no_stream,
            "no_stream" => !std::mem::replace(&mut flow.no_stream, true) && !flow.only_stream,
            "only_frag" => flow.fragmented.replace(true).is_none(),
            "no_frag" => flow.fragmented.replace(false).is_none(),
            _ => {
                return Err(part.invalid(
                    "to_server, from_client, to_client, from_server, established, not_established, stateless, \
                     only_stream, no_stream, only_frag or no_frag",
                ));
            }
        };
        if !new {
            return Err(contradicts());
        }
    }
    builder.last = Last::Other(true);
    Ok(())
}

fn bit_operation(word: Span<'_>) -> Outcome<BitOperation> {
    Ok(match word.text {
        "set" => BitOperation::Set,
        "unset" => BitOperation::Unset,
        "toggle" => BitOperation::Toggle,
        "isset" => BitOperation::IsSet,
        "isnotset" => BitOperation::IsNotSet,
        _ => return Err(word.invalid("set, unset, toggle, isset or isnotset")),
    })
}

/// The name of a bit.
fn bit_name(name: Span<'_>) -> Outcome<String> {
    if name.text.is_empty() || name.text.contains(char::is_whitespace) {
        return Err(name.invalid("a name without spaces"));
    }
    Ok(name.text.to_owned())
}

pub(super) fn flowbits(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    if value.text == "noalert" {
        builder.rule.noalert = true;
        return Ok(());
    }
    let mut parts = value.split(',');
    let operation = bit_operation(parts.next().unwrap_or(value))?;
    let names = parts.next().ok_or_else(|| value.invalid("a name behind a comma"))?;
    if let Some(more) = parts.next() {
        return Err(more.invalid("one name, or several with | between them"));
    }
    let names: Vec<String> = if matches!(operation, BitOperation::IsSet | BitOperation::IsNotSet) {
        // An empty alternative, as in `a|`, is none.
        names.split('|').filter(|name| !name.text.is_empty()).map(bit_name).collect::<Result<_, _>>()?
    } else {
        vec![bit_name(names)?]
    };
    if names.is_empty() {
        return Err(value.invalid("a name behind a comma"));
    }
    builder.rule.state.push(StateOperation::FlowBit { operation, names });
    builder.last = Last::Other(false);
    Ok(())
}

pub(super) fn flowint(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut parts = value.split(',');
    let (Some(name), Some(operator)) = (parts.next(), parts.next()) else {
        return Err(value.invalid("name, operator, and what it needs"));
    };
    let is_name = |name: &str| {
        name.len() > 1
            && name.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'/'))
    };
    if !is_name(name.text) {
        return Err(name.invalid("a name of two letters, digits, dots or underscores and more"));
    }
    let operand = |operand: Option<Span<'_>>| {
        let operand = operand.ok_or_else(|| value.invalid("a number or a name behind the operator"))?;
        if is_name(operand.text) {
            return Ok(IntegerValue::Variable(operand.text.to_owned()));
        }
        decimal(operand.text)
            .map(IntegerValue::Literal)
            .ok_or_else(|| operand.invalid("a number up to 4294967295, or a name"))
    };
    let compare = |comparison: fn(u32) -> Comparison<u32>, operand: IntegerValue| match operand {
        IntegerValue::Literal(number) => IntegerOperation::Compare(comparison(number)),
        IntegerValue::Variable(name) => IntegerOperation::CompareVariable(comparison(0).map(|_| ()), name),
    };
    let next = parts.next();
    let operation = match operator.text {
        "=" => IntegerOperation::Assign(operand(next)?),
        "+" => IntegerOperation::Add(operand(next)?),
        "-" => IntegerOperation::Subtract(operand(next)?),
        "==" => compare(Comparison::Equal, operand(next)?),
        "!=" => compare(Comparison::NotEqual, operand(next)?),
        "<" => compare(Comparison::Less, operand(next)?),
        "<=" => compare(Comparison::LessOrEqual, operand(next)?),
        ">" => compare(Comparison::Greater, operand(next)?),
        ">=" => compare(Comparison::GreaterOrEqual, operand(next)?),
        "isset" => IntegerOperation::IsSet,
        "notset" | "isnotset" => IntegerOperation::IsNotSet,
        _ => return Err(operator.invalid("one of = + - == != < <= > >= isset isnotset")),
    };
    builder.rule.state.push(StateOperation::FlowInteger { name: name.text.to_owned(), operation });
    builder.last = Last::Other(false);
    Ok(())
}

pub(super) fn hostbits(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    if value.text == "noalert" {
        builder.rule.noalert = true;
        return Ok(());
    }
    let mut parts = value.split(',');
    let operation = bit_operation(parts.next().unwrap_or(value))?;
    let name = bit_name(parts.next().ok_or_else(|| value.invalid("a name behind a comma"))?)?;
    let track = match parts.next().map(|part| part.text) {
        None | Some("src") => HostTrack::Source,
        Some("dst") => HostTrack::Destination,
        Some(_) => return Err(value.invalid("src or dst behind the name")),
    };
    if let Some(more) = parts.next() {
        return Err(more.invalid("nothing more"));
    }
    builder.rule.state.push(StateOperation::HostBit { operation, name, track });
    builder.last = Last::Other(false);
    Ok(())
}

/// `flowvar` and `pktvar`: a name, and what the variable must hold, with or without quotes.
pub(super) fn variable(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "the name of a variable that pcre captures, a comma, and what it holds";
    let mut parts = value.text.splitn(2, ',');
    let (Some(name), Some(bytes)) = (parts.next(), parts.next()) else {
        return Err(value.invalid(expected));
    };
    let bytes = Span { text: bytes, offset: value.offset + name.len() + 1 }.trim();
    let quoted = bytes.text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let bytes = quoted.map_or(bytes, |text| Span { text, offset: bytes.offset + 1 });
    let name = name.trim();
    if name.is_empty() || bytes.text.is_empty() || bytes.text.starts_with('!') {
        return Err(value.invalid(expected));
    }
    let scope = if keyword.name == "flowvar" { CaptureScope::Flow } else { CaptureScope::Packet };
    let bytes = super::content::unescape(bytes)?;
    builder.rule.state.push(StateOperation::Variable { scope, name: name.to_owned(), bytes });
    builder.last = Last::Other(false);
    Ok(())
}

/// For how long an xbit is kept if the rule does not say, in seconds.
const EXPIRE_S: u32 = 30;

pub(super) fn xbits(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "operation, name, track ip_src, ip_dst or ip_pair, and perhaps expire seconds";
    let mut parts = value.split(',');
    let operation = bit_operation(parts.next().unwrap_or(value))?;
    let name = bit_name(parts.next().ok_or_else(|| value.invalid(expected))?)?;
    let track = match parts.next().and_then(|part| part.text.strip_prefix("track")).map(str::trim) {
        Some("ip_src") => HostTrack::Source,
        Some("ip_dst") => HostTrack::Destination,
        Some("ip_pair") => HostTrack::Pair,
        _ => return Err(value.invalid(expected)),
    };
    let expire_s = match parts.next() {
        None => EXPIRE_S,
        Some(part) => {
            let seconds = part.text.strip_prefix("expire").and_then(|seconds| decimal(seconds.trim()));
            seconds
                .filter(|&seconds| seconds > 0)
                .ok_or_else(|| part.invalid("expire and a number of seconds"))?
        }
    };
    if let Some(more) = parts.next() {
        return Err(more.invalid("nothing more"));
    }
    builder.rule.state.push(StateOperation::CrossBit { operation, name, track, expire_s });
    builder.last = Last::Other(false);
    Ok(())
}

pub(super) fn stream_size(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "server, client, both or either, one of < > = != <= >=, and a number of bytes";
    let mut parts = value.split(',');
    let (Some(side), Some(operator), Some(number), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(value.invalid(expected));
    };
    let side = match side.text {
        "server" => StreamSide::Server,
        "client" => StreamSide::Client,
        "both" => StreamSide::Both,
        "either" => StreamSide::Either,
        _ => return Err(side.invalid(expected)),
    };
    let size: u32 = decimal(number.text).ok_or_else(|| number.invalid("a number up to 4294967295"))?;
    let size = match operator.text {
        "<" => Comparison::Less(size),
        "<=" => Comparison::LessOrEqual(size),
        ">" => Comparison::Greater(size),
        ">=" => Comparison::GreaterOrEqual(size),
        "=" => Comparison::Equal(size),
        "!=" | "!" => Comparison::NotEqual(size),
        _ => return Err(operator.invalid("one of < > = != <= >=")),
    };
    builder.loose_packet(HeaderCondition::StreamSize { side, size }, true);
    Ok(())
}

pub(super) fn flow_age(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.packet(HeaderCondition::FlowAge(comparison_of(value, u32::MAX)?), true)
}

pub(super) fn flow_count(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let direction =
        if keyword.name.ends_with("toserver") { Direction::ToServer } else { Direction::ToClient };
    let what = if keyword.name.starts_with("flow.pkts") {
        FlowCount::Packets(direction)
    } else {
        FlowCount::Bytes(direction)
    };
    builder.packet(HeaderCondition::FlowCount { what, count: comparison_of(value, u64::MAX)? }, true)
}
