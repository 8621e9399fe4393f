//! Fast patterns into databases: one for each place they are looked for in.

use std::collections::HashMap;
use std::sync::Arc;

use app::{Buffer, Direction, Scope};
use rules::ir::{Condition, Group, Transform};

use super::payload::{self, Payload};
use super::{BuildError, Chosen, Ready, RuleIndex};
use crate::cache::Cache;
use crate::literal::{EngineError, Literal, LiteralSet};
use crate::transform::Transforms;
use crate::verify::CompileError;

/// A buffer with the transforms that rules put on it.
#[derive(Debug)]
pub struct BufferSlot {
    /// The buffer.
    pub buffer: Buffer,
    /// What is done to it first.
    pub transforms: Transforms,
}

/// Every buffer with transforms that was asked for so far.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    numbers: HashMap<(Buffer, Vec<Transform>), usize>,
    slots: Vec<BufferSlot>,
}

impl Buffers {
    /// The place of a group's buffer.
    pub(super) fn slot(&mut self, group: &Group) -> Result<usize, CompileError> {
        let key = (group.buffer, group.transforms.clone());
        if let Some(&number) = self.numbers.get(&key) {
            return Ok(number);
        }
        self.slots.push(BufferSlot { buffer: group.buffer, transforms: Transforms::new(&group.transforms)? });
        self.numbers.insert(key, self.slots.len() - 1);
        Ok(self.slots.len() - 1)
    }

    pub(super) fn into_slots(self) -> Vec<BufferSlot> {
        self.slots
    }
}

/// Literals, and which rules each of them speaks for.
#[derive(Debug)]
pub struct Database {
    /// The compiled literals.
    pub literals: Arc<LiteralSet>,
    rules: Vec<RuleIndex>,
    /// Where in `rules` those of each literal begin; one more than there are literals.
    starts: Vec<u32>,
}

impl Database {
    /// The rules that a literal speaks for.
    #[inline]
    pub fn rules_of(&self, literal: u32) -> &[RuleIndex] {
        let bounds = (self.starts.get(literal as usize), self.starts.get(literal as usize + 1));
        let (Some(&from), Some(&to)) = bounds else { return &[] };
        self.rules.get(from as usize..to as usize).unwrap_or_default()
    }
}

pub(super) struct Databases {
    pub(super) payload: Payload,
    pub(super) transaction: [Vec<(usize, Database)>; 2],
}

/// Compiles sets of literals, each once.
pub(super) struct Compiler<'a> {
    cache: Option<&'a Cache>,
    known: HashMap<Vec<Literal>, Arc<LiteralSet>>,
}

impl Compiler<'_> {
    pub(super) fn database(
        &mut self,
        mut pairs: Vec<(Literal, RuleIndex)>,
    ) -> Result<Option<Database>, EngineError> {
        if pairs.is_empty() {
            return Ok(None);
        }
        // In order, so that the same rules make the same database, whatever their order in the file.
        pairs.sort_unstable();
        let mut literals: Vec<Literal> = Vec::new();
        let (mut rules, mut starts) = (Vec::with_capacity(pairs.len()), Vec::new());
        for (literal, rule) in pairs {
            if literals.last() != Some(&literal) {
                literals.push(literal);
                starts.push(rules.len() as u32);
            }
            rules.push(rule);
        }
        starts.push(rules.len() as u32);
        let literals = if let Some(set) = self.known.get(&literals) {
            Arc::clone(set)
        } else {
            let set = Arc::new(match self.cache {
                Some(cache) => cache.compile(&literals)?,
                None => LiteralSet::compile(&literals)?,
            });
            self.known.insert(literals, Arc::clone(&set));
            set
        };
        Ok(Some(Database { literals, rules, starts }))
    }
}

/// The literal of a content by which a rule is found, if it is in a buffer of this scope.
pub(super) fn literal(rule: &Ready, chosen: &Chosen, scope: Scope) -> Option<Literal> {
    let group = rule.rule.groups.get(chosen.group).filter(|group| group.buffer.scope() == scope)?;
    let Condition::Content(content) = group.conditions.get(chosen.condition)? else { return None };
    let (from, len) = chosen.part;
    let mut bytes = content.pattern.get(from..from + len)?.to_vec();
    if content.nocase {
        bytes.make_ascii_lowercase();
    }
    // Without letters there is no case to mind, and the two would be two literals.
    let nocase = content.nocase && bytes.iter().any(u8::is_ascii_alphabetic);
    Some(Literal { bytes, nocase })
}

pub(super) fn build(
    rules: &[Ready],
    buffers: &[BufferSlot],
    cache: Option<&Cache>,
) -> Result<Databases, BuildError> {
    let mut compiler = Compiler { cache, known: HashMap::new() };
    let mut databases =
        Databases { payload: payload::build(rules, &mut compiler)?, transaction: Default::default() };
    for direction in Direction::BOTH {
        let mut by_slot: Vec<Vec<(Literal, RuleIndex)>> = vec![Vec::new(); buffers.len()];
        for (rule, number) in rules.iter().zip(0..) {
            if !rule.directions[direction.index()] {
                continue;
            }
            let Some(chosen) = &rule.chosen else { continue };
            let slot = rule.groups.get(chosen.group).map(|group| group.slot);
            let literal = literal(rule, chosen, Scope::Transaction);
            if let (Some(literal), Some(pairs)) = (literal, slot.and_then(|slot| by_slot.get_mut(slot))) {
                pairs.push((literal, number));
            }
        }
        let found = &mut databases.transaction[direction.index()];
        for (slot, pairs) in by_slot.into_iter().enumerate() {
            if let Some(database) = compiler.database(pairs)? {
                found.push((slot, database));
            }
        }
        found.sort_by_key(|(slot, _)| buffers.get(*slot).map(|slot| slot.buffer.stage()));
    }
    Ok(databases)
}
