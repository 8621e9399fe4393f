//! What asking each rule costs, for people who look for the expensive ones.
//!
//! One for each tenant that is profiled, shared by its workers. Where there is none, a rule that is asked costs one look at
//! that more.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::compile::RuleIndex;

/// What asking each rule of a set has cost so far.
#[derive(Debug)]
pub struct Profile(Box<[Counters]>);

#[derive(Debug, Default)]
struct Counters {
    checks: AtomicU64,
    matches: AtomicU64,
    nanoseconds: AtomicU64,
    nanoseconds_max: AtomicU64,
}

/// What asking one rule has cost.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cost {
    /// How often it was asked.
    pub checks: u64,
    /// How often it matched, whether it spoke or not.
    pub matches: u64,
    /// How long that took together.
    pub total: Duration,
    /// The longest time that it took.
    pub max: Duration,
}

impl Profile {
    pub(super) fn new(rules: usize) -> Self {
        Self((0..rules).map(|_| Counters::default()).collect())
    }

    /// A rule was asked from `began` until now.
    pub(super) fn note(&self, rule: RuleIndex, began: Instant, matched: bool) {
        let Some(counters) = self.0.get(rule as usize) else { return };
        let took = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        counters.checks.fetch_add(1, Ordering::Relaxed);
        counters.matches.fetch_add(u64::from(matched), Ordering::Relaxed);
        counters.nanoseconds.fetch_add(took, Ordering::Relaxed);
        counters.nanoseconds_max.fetch_max(took, Ordering::Relaxed);
    }

    /// What asking a rule has cost.
    pub fn cost(&self, rule: RuleIndex) -> Cost {
        let Some(counters) = self.0.get(rule as usize) else { return Cost::default() };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Cost {
            checks: read(&counters.checks),
            matches: read(&counters.matches),
            total: Duration::from_nanos(read(&counters.nanoseconds)),
            max: Duration::from_nanos(read(&counters.nanoseconds_max)),
        }
    }
}
