//! The Suricata 7 rule language: text in, checked rules out.
//!
//! In: the text of rule files, variables and classes ([`Environment`]). Out: [`ir::Rule`]s, and for each rule that is
//! refused where and why ([`Refusal`]). No I/O; nothing is compiled or matched here. Text becomes rules in three steps:
//! `source` cuts a file into rules (joining continued lines), `syntax` cuts a rule into header and options, `check`
//! gives each option its meaning and refuses what cannot be meant.
//!
//! Source: <https://docs.suricata.io/en/suricata-7.0.10/rules/index.html>. Where that is silent, the behaviour of
//! Suricata 7.0.10 decides; `tests/verdicts` holds what it accepts and what it refuses.

#![forbid(unsafe_code)]
#![allow(clippy::unnecessary_box_returns, reason = "a fault is an error; boxed, results stay small")]

mod address;
mod check;
mod environment;
mod events;
pub mod ir;
mod number;
mod port;
mod refusal;
mod source;
mod syntax;
mod thresholds;
mod variable;

use std::collections::HashMap;
use std::collections::hash_map::Entry;

pub use environment::{Class, Classes, Environment, EnvironmentError};
pub use refusal::{Refusal, RefusalReason};
pub use thresholds::{ThresholdError, ThresholdSetting, apply_thresholds, parse_thresholds};

/// Where something stands in a rule file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// Which file, in the order in which they were read, from 0.
    pub file: u32,
    /// Line, from 1; of a rule that goes over several lines the first.
    pub line: u32,
    /// Column in bytes, from 1.
    pub column: u32,
}

/// What came out of a rule file.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The rules that are good, in their order.
    pub rules: Vec<ir::Rule>,
    /// Those that are not.
    pub refused: Vec<Refusal>,
    /// Those that are well-formed but say themselves (`requires`) that they are not for this version.
    pub skipped: Vec<Refusal>,
    /// Rules that are commented out.
    pub disabled: u32,
    /// Rules left out because another of the same number stays.
    pub duplicates: Vec<Duplicate>,
}

/// A rule that is left out because another of the same number stays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Duplicate {
    /// Generator number of both.
    pub gid: u32,
    /// Rule number of both.
    pub sid: u32,
    /// The one that stays.
    pub kept: Position,
    /// The one that is left out.
    pub dropped: Position,
}

/// Parses the text of the rule file of number `file`. Every rule of it is either in [`Parsed::rules`] or accounted for
/// in one of the other fields; one bad rule does not touch the others.
pub fn parse_file(text: &[u8], file: u32, environment: &Environment) -> Parsed {
    let mut parsed = Parsed::default();
    let mut sets = variable::Sets::new(environment);
    for entry in source::entries(text) {
        let source = match entry {
            source::Entry::Disabled => {
                parsed.disabled += 1;
                continue;
            }
            source::Entry::Rule(source) => source,
        };
        match parse_rule(&source, file, environment, &mut sets) {
            Ok(rule) => parsed.rules.push(rule),
            Err(refusal) if matches!(refusal.reason, RefusalReason::NotForThisVersion { .. }) => {
                parsed.skipped.push(*refusal);
            }
            Err(refusal) => parsed.refused.push(*refusal),
        }
    }
    parsed.duplicates = drop_duplicates(&mut parsed.rules);
    parsed
}

/// Takes out of `rules`, which may come from several files, every rule whose generator and rule number another has: the
/// highest revision stays, of equal ones the first.
pub fn drop_duplicates(rules: &mut Vec<ir::Rule>) -> Vec<Duplicate> {
    let mut kept: HashMap<(u32, u32), usize> = HashMap::with_capacity(rules.len());
    let mut duplicates = Vec::new();
    let mut drop = vec![false; rules.len()];
    for (index, rule) in rules.iter().enumerate() {
        let (gid, sid) = (rule.meta.gid, rule.meta.sid);
        match kept.entry((gid, sid)) {
            Entry::Vacant(entry) => {
                entry.insert(index);
            }
            Entry::Occupied(mut entry) => {
                let other = *entry.get();
                let newer = rules.get(other).is_some_and(|other| rule.meta.rev > other.meta.rev);
                let (stays, goes) = if newer { (index, other) } else { (other, index) };
                entry.insert(stays);
                if let Some(flag) = drop.get_mut(goes) {
                    *flag = true;
                }
                if let (Some(stays), Some(goes)) = (rules.get(stays), rules.get(goes)) {
                    duplicates.push(Duplicate { gid, sid, kept: stays.position, dropped: goes.position });
                }
            }
        }
    }
    let mut drop = drop.into_iter();
    rules.retain(|_| !drop.next().unwrap_or(false));
    duplicates
}

fn parse_rule(
    source: &source::Source<'_>,
    file: u32,
    environment: &Environment,
    sets: &mut variable::Sets<'_>,
) -> Result<ir::Rule, Box<Refusal>> {
    let start = source.position(0);
    match source.text().and_then(|text| check::check(text, environment, sets)) {
        Ok(mut rule) => {
            rule.position = Position { file, line: start.0, column: start.1 };
            Ok(rule)
        }
        Err(fault) => {
            let (line, column) = source.position(fault.offset);
            Err(Box::new(Refusal {
                position: Position { file, line, column },
                rule_line: start.0,
                sid: source.text().ok().and_then(syntax::find_sid),
                keyword: fault.keyword,
                reason: fault.reason,
            }))
        }
    }
}
