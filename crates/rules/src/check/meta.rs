//! What people are told of a rule, and how often: `msg`, `sid`, `classtype`, `reference`, `threshold`, `tag` …

use crate::ir::{self, LoggingOff, Rate, Tag, TagMetric, TagScope, Target, Threshold, ThresholdKind, Track};
use crate::number::decimal;
use crate::refusal::{Outcome, RefusalReason};
use crate::syntax::Span;

use super::builder::Builder;
use super::keyword::Keyword;

pub(super) fn sid(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    once(builder, builder.seen.sid, "sid")?;
    builder.seen.sid = true;
    let sid = decimal(value.text).filter(|sid| (1..u32::MAX).contains(sid));
    builder.rule.meta.sid = sid.ok_or_else(|| value.invalid("a number from 1 to 4294967294"))?;
    Ok(())
}

pub(super) fn rev(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    once(builder, builder.seen.rev, "rev")?;
    builder.seen.rev = true;
    let rev = decimal(value.text).filter(|rev| (1..u32::MAX).contains(rev));
    builder.rule.meta.rev = rev.ok_or_else(|| value.invalid("a number from 1 to 4294967294"))?;
    Ok(())
}

pub(super) fn gid(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.rule.meta.gid = decimal(value.text).ok_or_else(|| value.invalid("a number"))?;
    Ok(())
}

fn once(builder: &Builder<'_>, seen: bool, keyword: &'static str) -> Outcome {
    if seen { Err(builder.fault(RefusalReason::Repeated(keyword))) } else { Ok(()) }
}

pub(super) fn msg(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    once(builder, builder.seen.msg, "msg")?;
    builder.seen.msg = true;
    let mut msg = String::with_capacity(value.text.len());
    let mut letters = value.text.chars();
    while let Some(letter) = letters.next() {
        // A backslash is never part of the message, but what follows it is.
        msg.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    builder.rule.meta.msg = msg;
    Ok(())
}

pub(super) fn classtype(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let meta = &mut builder.rule.meta;
    if let Some(class) = builder.environment.classes().get(value.text) {
        meta.category.clone_from(&class.description);
        if !builder.seen.priority {
            meta.priority = class.priority;
        }
    }
    meta.classtype = Some(value.text.to_owned());
    Ok(())
}

pub(super) fn priority(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    builder.rule.meta.priority = decimal(value.text).ok_or_else(|| value.invalid("a number"))?;
    builder.seen.priority = true;
    Ok(())
}

pub(super) fn reference(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let parts = value.text.split_once(',').map(|(kind, text)| (kind.trim(), text.trim()));
    let Some((kind, text)) = parts.filter(|(kind, text)| !kind.is_empty() && !text.is_empty()) else {
        return Err(value.invalid("type,value, such as url,example.org"));
    };
    builder.rule.meta.references.push((kind.to_owned(), text.to_owned()));
    Ok(())
}

pub(super) fn metadata(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    for entry in value.split(',').filter(|entry| !entry.text.is_empty()) {
        let (key, text) = entry.text.split_once(char::is_whitespace).unwrap_or((entry.text, ""));
        builder.rule.meta.metadata.push((key.to_owned(), text.trim().to_owned()));
    }
    Ok(())
}

pub(super) fn target(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let target = match value.text {
        "src_ip" => Target::Source,
        "dest_ip" => Target::Destination,
        _ => return Err(value.invalid("src_ip or dest_ip")),
    };
    if builder.rule.meta.target.is_some_and(|other| other != target) {
        return Err(builder.fault(RefusalReason::Repeated("target")));
    }
    builder.rule.meta.target = Some(target);
    Ok(())
}

/// The version of the rule language, as `requires: version` compares it.
const VERSION: [u32; 3] = [7, 0, 10];

pub(super) fn requires(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    for part in value.split(',') {
        let not_for_this =
            |what: &str| part.fault(RefusalReason::NotForThisVersion { what: RefusalReason::quoted(what) });
        let (word, rest) = part.text.split_once(char::is_whitespace).unwrap_or((part.text, ""));
        match word {
            "version" => {
                // Alternatives of conditions that must all hold.
                let mut any = false;
                for alternative in rest.split('|') {
                    let mut all = true;
                    for condition in version_conditions(alternative).ok_or_else(|| {
                        part.invalid("version, an operator (>=, >, <, <=) and a version such as 7.0.3")
                    })? {
                        all &= condition;
                    }
                    any |= all;
                }
                if !any {
                    return Err(not_for_this(part.text));
                }
            }
            // Features of a build of Suricata are not had here, and as in the reference a requirement that is not known
            // is one that is not met.
            _ => return Err(not_for_this(part.text)),
        }
    }
    builder.last = super::builder::Last::Nothing;
    Ok(())
}

/// Whether each of `>= 7.0.3 < 8` holds.
fn version_conditions(text: &str) -> Option<Vec<bool>> {
    let mut text = text.trim();
    let mut conditions = Vec::new();
    while !text.is_empty() {
        let operator_end = text.find(|letter| !matches!(letter, '<' | '>' | '='))?;
        let (operator, rest) = text.split_at(operator_end);
        let rest = rest.trim_start();
        let version_end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (version, rest) = rest.split_at(version_end);
        let mut wanted = [0; 3];
        let mut parts = version.split('.');
        for slot in &mut wanted {
            let Some(part) = parts.next() else { break };
            *slot = decimal(part)?;
        }
        conditions.push(match operator {
            ">=" => VERSION >= wanted,
            ">" => VERSION > wanted,
            "<=" => VERSION <= wanted,
            "<" => VERSION < wanted,
            _ => return None,
        });
        text = rest.trim_start();
    }
    (!conditions.is_empty()).then_some(conditions)
}

pub(super) fn noalert(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    builder.rule.noalert = true;
    Ok(())
}

pub(super) fn alert(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    builder.rule.noalert = false;
    Ok(())
}

/// The parts of a `threshold` or `detection_filter`.
#[derive(Default)]
struct Parts {
    kind: Option<ThresholdKind>,
    track: Option<Track>,
    count: Option<u32>,
    seconds: Option<u32>,
}

fn parts(value: Span<'_>) -> Outcome<Parts> {
    let mut parts = Parts::default();
    for part in value.split(',') {
        let expected =
            "track by_src or by_dst, count and seconds with a number each, and in threshold a type";
        let (word, rest) = part.text.split_once(char::is_whitespace).ok_or_else(|| part.invalid(expected))?;
        let rest = rest.trim();
        let number = || decimal(rest).ok_or_else(|| part.invalid("a number"));
        let new = match word {
            "type" => parts
                .kind
                .replace(match rest {
                    "limit" => ThresholdKind::Limit,
                    "threshold" => ThresholdKind::Threshold,
                    "both" => ThresholdKind::Both,
                    _ => return Err(part.invalid("type limit, type threshold or type both")),
                })
                .is_none(),
            "track" => parts
                .track
                .replace(match rest {
                    "by_src" => Track::Source,
                    "by_dst" => Track::Destination,
                    "by_both" => Track::Pair,
                    "by_rule" => Track::Rule,
                    _ => return Err(part.invalid("track by_src, by_dst, by_both or by_rule")),
                })
                .is_none(),
            "count" => parts.count.replace(number()?).is_none(),
            "seconds" => parts.seconds.replace(number()?).is_none(),
            _ => return Err(part.invalid(expected)),
        };
        if !new {
            return Err(part.fault(RefusalReason::Repeated("each part")));
        }
    }
    Ok(parts)
}

const ONE_OF_BOTH: &str =
    "a rule has either a threshold or a detection_filter, and only one; keep one of them";

pub(super) fn threshold(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    if builder.rule.threshold.is_some() || builder.rule.detection_filter.is_some() {
        return Err(builder.conflict(ONE_OF_BOTH));
    }
    let Parts { kind: Some(kind), track: Some(track), count: Some(count), seconds: Some(seconds) } =
        parts(value)?
    else {
        return Err(value.invalid("all of type, track, count and seconds"));
    };
    builder.rule.threshold = Some(Threshold { kind, rate: Rate { track, count, seconds } });
    Ok(())
}

pub(super) fn detection_filter(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    if builder.rule.threshold.is_some() || builder.rule.detection_filter.is_some() {
        return Err(builder.conflict(ONE_OF_BOTH));
    }
    let Parts { kind: None, track: Some(track), count: Some(count), seconds: Some(seconds) } = parts(value)?
    else {
        return Err(value.invalid("all of track, count and seconds"));
    };
    if !matches!(track, Track::Source | Track::Destination) || count == 0 || seconds == 0 {
        return Err(value.invalid("track by_src or by_dst, and a count and seconds of 1 or more"));
    }
    builder.rule.detection_filter = Some(Rate { track, count, seconds });
    Ok(())
}

/// Packets that `tag` logs when it does not say how many.
const TAG_PACKETS: u32 = 256;

pub(super) fn tag(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "session or host, then a number and packets, seconds or bytes, and for host src or dst";
    let parts: Vec<_> = value.split(',').map(|part| part.text).collect();
    let (scope, amount, side) = match parts.as_slice() {
        [scope] => (*scope, None, None),
        [scope, count, metric] => (*scope, Some((*count, *metric)), None),
        [scope, count, metric, side] => (*scope, Some((*count, *metric)), Some(*side)),
        _ => return Err(value.invalid(expected)),
    };
    let scope = match (scope, side) {
        ("session", None | Some("src" | "dst")) => TagScope::Session,
        ("host", None | Some("src")) => TagScope::Source,
        ("host", Some("dst")) => TagScope::Destination,
        _ => return Err(value.invalid(expected)),
    };
    let (count, metric) = match amount {
        None => (TAG_PACKETS, TagMetric::Packets),
        Some((count, metric)) => {
            let metric = match metric {
                "packets" => TagMetric::Packets,
                "seconds" => TagMetric::Seconds,
                "bytes" => TagMetric::Bytes,
                _ => return Err(value.invalid(expected)),
            };
            (decimal(count).ok_or_else(|| value.invalid(expected))?, metric)
        }
    };
    builder.rule.tag = Some(Tag { scope, count, metric });
    Ok(())
}

pub(super) fn config(builder: &mut Builder<'_>, _: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let parts: Vec<_> = value.split(',').map(|part| part.text).collect();
    let off = match parts.as_slice() {
        ["logging disable", "type tx", "scope tx"] => LoggingOff::Transaction,
        ["logging disable", "type tx", "scope flow"] => LoggingOff::FlowTransactions,
        ["logging disable", "type flow", "scope flow"] => LoggingOff::Flow,
        _ => return Err(value.invalid("logging disable, type tx or flow, scope tx or flow")),
    };
    builder.rule.config = Some(off);
    Ok(())
}

pub(super) fn bypass(builder: &mut Builder<'_>, _: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    builder.rule.bypass = true;
    Ok(())
}

impl Builder<'_> {
    /// Rules without a number cannot be spoken of.
    pub(super) fn check_meta(&self, end: usize) -> Outcome {
        if !self.seen.sid {
            return Err(crate::refusal::Fault::at(end, RefusalReason::NoSid));
        }
        if self.rule.action == ir::Action::Config && self.rule.config.is_none() {
            return Err(self.conflict("a config rule needs the keyword config, which says what it changes"));
        }
        Ok(())
    }
}
