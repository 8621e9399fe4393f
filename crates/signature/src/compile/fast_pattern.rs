//! Choosing the content by which a rule is found.

use app::{Buffer, Scope};
use rules::ir::{Condition, Content, Rule};

use super::payload::{NEAR_BYTES, SHORT_BYTES};
use super::place::{Place, place};

/// The content of a rule that the databases look for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// Index into [`Rule::groups`].
    pub group: usize,
    /// Index into the group's conditions.
    pub condition: usize,
    /// The part of the content that is looked for: from, length.
    pub part: (usize, usize),
    /// Where in its buffer the content is.
    pub place: Place,
}

/// The content that the rule names or, if it names none, the most telling one; `None` when no content must be there for
/// the rule to match.
pub(super) fn choose(rule: &Rule) -> Option<Chosen> {
    if let Some(named) = rule.fast_pattern {
        let content = content(rule, named.group, named.condition)?;
        let part = named.chop.unwrap_or((0, content.pattern.len()));
        if usable(rule.groups.get(named.group)?.buffer, content) {
            let place = place(rule, named.group, named.condition);
            return Some(Chosen { group: named.group, condition: named.condition, part, place });
        }
    }
    let mut best: Option<(u64, Chosen)> = None;
    for (group_index, group) in rule.groups.iter().enumerate() {
        for (condition_index, condition) in group.conditions.iter().enumerate() {
            let Condition::Content(content) = condition else { continue };
            if !usable(group.buffer, content) {
                continue;
            }
            // A transaction's buffer is short and rarely there; payload is everywhere.
            let place = if group.buffer.scope() == Scope::Transaction { 1 << 32 } else { 0 };
            let score = place + strength(&content.pattern);
            if best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, whole(rule, group_index, condition_index, content)));
            }
        }
    }
    best.map(|(_, chosen)| chosen)
}

/// The content of payload by which a rule that looks into nothing else is found best in single packets: one with a fixed
/// place, for whether it is there is a comparison and not a search; or else one near the beginning. Of a stream, which
/// comes bit by bit, such a content says too early what is worth looking at.
pub(super) fn anchor(rule: &Rule) -> Option<Chosen> {
    if rule.groups.iter().any(|group| group.buffer.scope() == Scope::Transaction) {
        return None;
    }
    let mut best: Option<((bool, u64), Chosen)> = None;
    for (group_index, group) in rule.groups.iter().enumerate() {
        for (condition_index, condition) in group.conditions.iter().enumerate() {
            let Condition::Content(content) = condition else { continue };
            let len = content.pattern.len();
            if !usable(group.buffer, content) {
                continue;
            }
            let chosen = whole(rule, group_index, condition_index, content);
            let fixed = chosen.place.fixed(len).is_some();
            let near = chosen.place.end.is_some_and(|end| end <= NEAR_BYTES) && len >= SHORT_BYTES;
            let score = (fixed, strength(&content.pattern));
            if (fixed || near) && best.is_none_or(|(highest, _)| score > highest) {
                best = Some((score, chosen));
            }
        }
    }
    best.map(|(_, chosen)| chosen)
}

fn whole(rule: &Rule, group: usize, condition: usize, content: &Content) -> Chosen {
    let place = place(rule, group, condition);
    Chosen { group, condition, part: (0, content.pattern.len()), place }
}

fn content(rule: &Rule, group: usize, condition: usize) -> Option<&Content> {
    match rule.groups.get(group)?.conditions.get(condition)? {
        Condition::Content(content) => Some(content),
        _ => None,
    }
}

fn usable(buffer: Buffer, content: &Content) -> bool {
    !content.negated
        && !content.pattern.is_empty()
        && matches!(buffer.scope(), Scope::Payload | Scope::Transaction)
}

/// How rarely bytes like these turn up by chance: each byte counts, the first of its kind more, letters and digits less
/// than the rest, zeros and blanks least.
fn strength(pattern: &[u8]) -> u64 {
    let mut seen = [false; 256];
    pattern
        .iter()
        .map(|&byte| {
            let seen = seen.get_mut(usize::from(byte)).is_some_and(|seen| std::mem::replace(seen, true));
            match (seen, byte) {
                (true, _) => 1,
                (false, 0 | b' ' | 0xff) => 2,
                (false, byte) if byte.is_ascii_alphabetic() => 3,
                (false, byte) if byte.is_ascii_graphic() => 4,
                (false, _) => 5,
            }
        })
        .sum()
}
