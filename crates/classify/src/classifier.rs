//! The fast classifier: rules compiled to `rte_acl`, one table per kind of flow.

use std::fmt;

use dpdk::Eal;

use crate::compile::{NonIp, V4, V4_FIELDS, V4_KEY, V6, V6_FIELDS, V6_KEY};
use crate::rule::{Decision, Defaults, Query, Rule};
use crate::table::{BATCH, Table};
use crate::validate::{BuildError, Warning, deciding_order, validate};
use crate::verdict::Verdict;

/// What compiling may cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// MiB of the EAL's memory for one compiled table. A classifier has up to nine: IPv4 and IPv6, each by which ends
    /// have an address, and one for what is not IP.
    pub table_mib_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { table_mib_max: 64 }
    }
}

/// Decides in time that hardly depends on the number of rules. Immutable; many workers may share it.
///
/// All tenants' rules are compiled together. `cargo bench -p forebay-classify` (with `-- apart` for the alternative), 10,000
/// rules for 100 tenants, flows of all tenants in bursts of 64, CPU time on a busy 2-core machine:
///
/// | | built in | keeps | takes while building | a flow |
/// |---|---|---|---|---|
/// | together | 1.4 s | 22 MiB | 79 MiB | 0.8 µs |
/// | together, a tenth of the rules for all tenants | 2.8 s | 59 MiB | 231 MiB | 1.2 µs |
/// | a classifier per tenant | 1.9 s | 33 MiB | | 4.3 µs |
/// | the same, a tenth of the rules for all tenants | 13 s | 213 MiB | | 6.7 µs |
///
/// Apart, a burst falls into a flow or two per tenant, each waiting for its own memory, and every rule for all tenants is
/// compiled a hundred times.
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
    /// Checks and compiles the rules. `default_verdicts` is by [`TenantId`](wire::TenantId).
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
        let ordered: Vec<(Decision, &Rule)> = deciding_order(rules)
            .into_iter()
            .filter_map(|index| rules.get(index.0 as usize).map(|rule| (index, rule)))
            .map(|(index, rule)| (Decision { rule: Some(index), verdict: rule.verdict }, rule))
            .collect();
        let in_order: Vec<&Rule> = ordered.iter().map(|(_, rule)| *rule).collect();
        Ok(Self {
            v4: Table::build(eal, &in_order, *limits)?,
            v6: Table::build(eal, &in_order, *limits)?,
            non_ip: Table::build(eal, &in_order, *limits)?,
            decisions: ordered.into_iter().map(|(decision, _)| decision).collect(),
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
        let decide = |query: &Query, result: u32| {
            // Result 0 is "no rule": 0 - 1 is no index.
            let by_rule = self.decisions.get(result.wrapping_sub(1) as usize).copied();
            by_rule.unwrap_or_else(|| self.defaults.decide(query.tenant))
        };
        for (queries, decisions) in queries.chunks(BATCH).zip(decisions.chunks_mut(BATCH)) {
            self.v4.decide(queries, decisions, |version| version == 4, decide);
            self.v6.decide(queries, decisions, |version| version == 6, decide);
            self.non_ip.decide(queries, decisions, |version| !matches!(version, 4 | 6), decide);
        }
    }

    /// Decides one flow; a burst costs less a flow.
    pub fn classify(&self, query: &Query) -> Decision {
        let mut decision = [Decision::default()];
        self.classify_burst(std::slice::from_ref(query), &mut decision);
        let [decision] = decision;
        decision
    }
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Thousands of decisions and warnings would bury what contains this.
        f.debug_struct("Classifier")
            .field("rules", &self.decisions.len())
            .field("warnings", &self.warnings.len())
            .finish_non_exhaustive()
    }
}
