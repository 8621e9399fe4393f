//! Ports as a rule's header and the port variables write them.

use std::ops::RangeInclusive;

use crate::ir::PortSet;
use crate::refusal::RefusalReason;
use crate::variable::Members;

/// What a list of ports names so far.
#[derive(Default)]
pub(crate) struct Ports {
    included: Vec<RangeInclusive<u16>>,
    excluded: Vec<RangeInclusive<u16>>,
}

impl Members for Ports {
    const KIND: &'static str = "port";

    type Set = PortSet;

    fn add(&mut self, text: &str, negated: bool) -> Result<(), RefusalReason> {
        let range = parse(text).ok_or_else(|| RefusalReason::List {
            problem: "not a port (0 to 65535) or a range of ports (first:last)",
            value: RefusalReason::quoted(text),
        })?;
        if negated {
            self.excluded.push(range);
        } else {
            self.included.push(range);
        }
        Ok(())
    }

    fn finish(mut self) -> Option<PortSet> {
        if self.included.is_empty() {
            if self.excluded.is_empty() {
                return None;
            }
            self.included.push(0..=u16::MAX);
        }
        let left = subtract(merge(self.included), &merge(self.excluded));
        match left.as_slice() {
            [] => None,
            [range] if *range == (0..=u16::MAX) => Some(PortSet(Vec::new())),
            _ => Some(PortSet(left)),
        }
    }
}

fn parse(text: &str) -> Option<RangeInclusive<u16>> {
    let port = |text: &str| -> Option<u16> {
        let text = text.trim();
        // `parse` would take a sign.
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    };
    if text.eq_ignore_ascii_case("any") {
        return Some(0..=u16::MAX);
    }
    let Some((first, last)) = text.split_once(':') else {
        let port = port(text)?;
        return Some(port..=port);
    };
    let first = if first.trim().is_empty() { 0 } else { port(first)? };
    let last = if last.trim().is_empty() { u16::MAX } else { port(last)? };
    (first <= last).then_some(first..=last)
}

/// In order, none touching the next.
fn merge(mut ranges: Vec<RangeInclusive<u16>>) -> Vec<RangeInclusive<u16>> {
    ranges.sort_unstable_by_key(|range| *range.start());
    let mut merged: Vec<RangeInclusive<u16>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if u32::from(*range.start()) <= u32::from(*last.end()) + 1 => {
                *last = *last.start()..=*last.end().max(range.end());
            }
            _ => merged.push(range),
        }
    }
    merged
}

/// What is left of `ranges` without `holes`, both merged.
fn subtract(ranges: Vec<RangeInclusive<u16>>, holes: &[RangeInclusive<u16>]) -> Vec<RangeInclusive<u16>> {
    let mut left = Vec::with_capacity(ranges.len());
    for range in ranges {
        let (mut next, last) = (u32::from(*range.start()), u32::from(*range.end()));
        for hole in holes {
            let (low, high) = (u32::from(*hole.start()), u32::from(*hole.end()));
            if high < next || low > last {
                continue;
            }
            if low > next {
                left.push(next as u16..=(low - 1) as u16);
            }
            next = high + 1;
        }
        if next <= last {
            left.push(next as u16..=last as u16);
        }
    }
    left
}
