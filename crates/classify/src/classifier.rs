//! The fast classifier: rules compiled to `rte_acl`, one table per kind of flow.

use std::marker::PhantomData;

use arrayvec::ArrayVec;
use dpdk::acl::Built;
use dpdk::{AclContext, AclError, AclKey, AclRule, Eal};
use wire::TenantId;

use crate::compile::{Family, NonIp, V4, V4_FIELDS, V4_KEY, V6, V6_FIELDS, V6_KEY, entries};
use crate::rule::{Decision, Defaults, Query, Rule, RuleIndex};
use crate::validate::{BuildError, Warning, deciding_order, validate};
use crate::verdict::Verdict;

/// Flows classified in one pass, so that keys stay in the first-level cache and on the stack.
const BATCH: usize = 64;

/// What compiling may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// MiB of the EAL's memory for one table; a classifier has up to three tables.
    pub table_mib_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { table_mib_max: 64 }
    }
}

/// Decides in time that hardly depends on the number of rules. Immutable; many workers may share it.
#[derive(Debug)]
pub struct Classifier {
    v4: Table<V4, V4_FIELDS, V4_KEY>,
    v6: Table<V6, V6_FIELDS, V6_KEY>,
    non_ip: Table<NonIp, V4_FIELDS, V4_KEY>,
    /// By result of the matcher less one.
    decisions: Vec<Decision>,
    defaults: Defaults,
    warnings: Vec<Warning>,
}

impl Classifier {
    /// Checks and compiles the rules. `default_verdicts` is by [`TenantId`].
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub fn build(
        eal: &Eal,
        rules: &[Rule],
        default_verdicts: &[Verdict],
        limits: &Limits,
    ) -> Result<Self, BuildError> {
        let warnings = validate(rules, default_verdicts.len())?;
        let ordered: Vec<(RuleIndex, &Rule)> = deciding_order(rules)
            .into_iter()
            .filter_map(|index| rules.get(index.0 as usize).map(|rule| (index, rule)))
            .collect();
        Ok(Self {
            v4: Table::build(eal, &ordered, limits)?,
            v6: Table::build(eal, &ordered, limits)?,
            non_ip: Table::build(eal, &ordered, limits)?,
            decisions: ordered
                .iter()
                .map(|(index, rule)| Decision { rule: Some(*index), verdict: rule.verdict })
                .collect(),
            defaults: Defaults(default_verdicts.to_vec()),
            warnings,
        })
    }

    /// What the rules' author should know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Decides a burst of flows; stops at the end of the shorter slice. Does not allocate.
    #[inline]
    pub fn classify_burst(&self, queries: &[Query], decisions: &mut [Decision]) {
        for (queries, decisions) in queries.chunks(BATCH).zip(decisions.chunks_mut(BATCH)) {
            self.v4.decide(self, queries, decisions, |version| version == 4);
            self.v6.decide(self, queries, decisions, |version| version == 6);
            self.non_ip.decide(self, queries, decisions, |version| !matches!(version, 4 | 6));
        }
    }

    /// Decides one flow; a burst costs less a flow.
    pub fn classify(&self, query: &Query) -> Decision {
        let mut decision = [Decision::default()];
        self.classify_burst(std::slice::from_ref(query), &mut decision);
        let [decision] = decision;
        decision
    }

    #[inline]
    fn decision(&self, result: u32, tenant: TenantId) -> Decision {
        // Result 0 is "no rule": 0 - 1 is no index.
        let index = result.wrapping_sub(1) as usize;
        self.decisions.get(index).copied().unwrap_or_else(|| self.defaults.decide(tenant))
    }
}

/// The compiled rules for one kind of flow; `None` if no rule is about that kind.
#[derive(Debug)]
struct Table<F, const N: usize, const K: usize> {
    contexts: Vec<AclContext<N, K, Built>>,
    family: PhantomData<fn() -> F>,
}

impl<F: Family<N, K>, const N: usize, const K: usize> Table<F, N, K> {
    /// Compiles `ordered`, the rules in the order in which they decide.
    fn build(eal: &Eal, ordered: &[(RuleIndex, &Rule)], limits: &Limits) -> Result<Self, BuildError> {
        let compile_error = |source| BuildError::Compile { rules: ordered.len(), source };
        let mut groups: Vec<Vec<AclRule<N>>> = vec![Vec::new(); 64];
        let mask: usize = std::env::var("ACL_GROUP").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
        for (result, (_, rule)) in (1_u32..).zip(ordered) {
            for (g, fields) in entries::<F, N, K>(rule) {
                let priority = AclRule::<N>::PRIORITY_MAX - result;
                groups[g & mask].push(AclRule { priority, result, fields });
            }
        }
        let mut contexts = Vec::new();
        for (g, rules) in groups.iter().enumerate() {
            if rules.is_empty() { continue; }
            let t = std::time::Instant::now();
            let mut context = AclContext::new(eal, F::LAYOUT, rules.len() as u32).map_err(compile_error)?;
            for r in rules { context.add(r).map_err(compile_error)?; }
            let size = match std::env::var("ACL_SIZE").ok().and_then(|s| s.parse().ok()) { Some(0) => None, Some(n) => Some(n << 20), None => Some(limits.table_mib_max << 20) };
            let built = match context.build(size) {
                Ok(context) => context,
                Err((AclError::TooLarge { .. }, _)) => {
                    return Err(BuildError::TooLarge { rules: ordered.len(), limit_mib: limits.table_mib_max });
                }
                Err((source, _)) => return Err(compile_error(source)),
            };
            if t.elapsed().as_millis() > 100 || std::env::var("V").is_ok() { eprintln!("   group {g:06b} {} rules {:?}", rules.len(), t.elapsed()); }
            contexts.push(built);
        }
        Ok(Self { contexts, family: PhantomData })
    }

    /// Decides those of `queries` (at most `BATCH`) that `is_mine` says are of this kind.
    #[inline]
    fn decide(
        &self,
        classifier: &Classifier,
        queries: &[Query],
        decisions: &mut [Decision],
        is_mine: impl Fn(u8) -> bool,
    ) {
        let mut mine: ArrayVec<(&Query, &mut Decision), BATCH> = ArrayVec::new();
        let mut keys: ArrayVec<AclKey<K>, BATCH> = ArrayVec::new();
        for (query, decision) in queries.iter().zip(decisions) {
            if is_mine(query.tuple.ip_version) {
                keys.push(F::key(query));
                mine.push((query, decision));
            }
        }
        if mine.is_empty() {
            return;
        }
        let mut results = [0; BATCH];
        let mut more = [0; BATCH];
        for context in &self.contexts {
            context.classify(&keys, &mut more);
            for (best, other) in results.iter_mut().zip(more).take(mine.len()) {
                if other != 0 && (*best == 0 || other < *best) { *best = other; }
            }
        }
        for ((query, decision), result) in mine.into_iter().zip(results) {
            *decision = classifier.decision(result, query.tenant);
        }
    }
}
