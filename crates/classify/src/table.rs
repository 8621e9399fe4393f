//! The compiled rules for one kind of flow.

use std::marker::PhantomData;

use arrayvec::ArrayVec;
use dpdk::acl::Built;
use dpdk::{AclContext, AclError, AclKey, AclRule, Eal};

use crate::classifier::Limits;
use crate::compile::{Family, SHAPES, entries};
use crate::rule::{Decision, Query, Rule};
use crate::validate::BuildError;

/// Flows classified in one pass, so that keys stay in the first-level cache and on the stack.
pub(crate) const BATCH: usize = 64;

/// Up to this many entries share one context whatever their shapes: one look-up is faster than four, and so few compile
/// in milliseconds at worst. With 128 it would be 0.2 s and 4 MiB.
const ENTRIES_UNDIVIDED: usize = 32;

/// A context for each shape of entry that occurs; none if no rule is about this kind of flow.
#[derive(Debug)]
pub(crate) struct Table<F, const N: usize, const K: usize> {
    contexts: ArrayVec<AclContext<N, K, Built>, SHAPES>,
    family: PhantomData<fn() -> F>,
}

impl<F: Family<N, K>, const N: usize, const K: usize> Table<F, N, K> {
    /// Compiles the rules, which are in the order in which they decide. The result of a look-up is the rule's place in
    /// that order, from 1.
    pub(crate) fn build(eal: &Eal, in_order: &[&Rule], limits: Limits) -> Result<Self, BuildError> {
        let mut by_shape: [Vec<AclRule<N>>; SHAPES] = Default::default();
        for (result, rule) in (1..).zip(in_order) {
            for entry in entries::<F, N, K>(rule) {
                // In the matcher the highest number wins; here the first rule does.
                let priority = AclRule::<N>::PRIORITY_MAX - result;
                if let Some(entries) = by_shape.get_mut(entry.shape) {
                    entries.push(AclRule { priority, result, fields: entry.fields });
                }
            }
        }
        let all: usize = by_shape.iter().map(Vec::len).sum();
        if all <= ENTRIES_UNDIVIDED {
            by_shape = [by_shape.concat(), Vec::new(), Vec::new(), Vec::new()];
        }
        let contexts = by_shape
            .iter()
            .filter(|entries| !entries.is_empty())
            .map(|entries| compile::<F, N, K>(eal, entries, limits))
            .collect::<Result<_, _>>()
            .map_err(|source| match source {
                AclError::TooLarge { .. } => {
                    BuildError::TooLarge { rules: in_order.len(), limit_mib: limits.table_mib_max }
                }
                source => BuildError::Compile { rules: in_order.len(), source },
            })?;
        Ok(Self { contexts, family: PhantomData })
    }

    /// Decides those of `queries` (at most [`BATCH`]) whose IP version `is_mine` picks: looks up the first rule that
    /// matches, 0 for none, and lets `decide` say what that means.
    #[inline]
    pub(crate) fn decide(
        &self,
        queries: &[Query],
        decisions: &mut [Decision],
        is_mine: impl Fn(u8) -> bool,
        decide: impl Fn(&Query, u32) -> Decision,
    ) {
        let mut mine: ArrayVec<(&Query, &mut Decision), BATCH> = ArrayVec::new();
        let mut keys: ArrayVec<AclKey<K>, BATCH> = ArrayVec::new();
        for (query, decision) in queries.iter().zip(decisions).take(BATCH) {
            if is_mine(query.tuple.ip_version) {
                keys.push(F::key(query));
                mine.push((query, decision));
            }
        }
        if mine.is_empty() {
            return;
        }
        let mut first = [0; BATCH];
        let mut rest = self.contexts.iter();
        if let Some(context) = rest.next() {
            context.classify(&keys, &mut first);
        }
        for context in rest {
            let mut other = [0; BATCH];
            context.classify(&keys, &mut other);
            for (first, other) in first.iter_mut().zip(other).take(mine.len()) {
                // Less one, "no rule" is the last of all.
                if other.wrapping_sub(1) < u32::wrapping_sub(*first, 1) {
                    *first = other;
                }
            }
        }
        for ((query, decision), result) in mine.into_iter().zip(first) {
            *decision = decide(query, result);
        }
    }
}

fn compile<F: Family<N, K>, const N: usize, const K: usize>(
    eal: &Eal,
    entries: &[AclRule<N>],
    limits: Limits,
) -> Result<AclContext<N, K, Built>, AclError> {
    let mut context = AclContext::new(eal, F::LAYOUT, entries.len() as u32)?;
    for entry in entries {
        context.add(entry)?;
    }
    context.build(Some(limits.table_mib_max.saturating_mul(1 << 20).max(1))).map_err(|(error, _)| error)
}
