//! What is remembered of hosts: hostbits, xbits, thresholds.
//!
//! One for each tenant, shared by its workers, because a host's flows are spread over them. It is asked only when a rule
//! that uses it has matched in everything else, which is rare; so a lock is no burden. Its size is capped.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rules::ir::{HostTrack, Rate, RateFilter, Threshold, ThresholdKind, Track};
use wire::Addr;

use super::profile::Profile;
use crate::compile::{Ends, RuleSet};
use crate::dataset::{Datasets, StateError};

/// Whose: one address, or two in order.
type Key = (Addr, Addr);

/// What is remembered of the hosts of one tenant.
#[derive(Debug)]
pub struct Hosts {
    inner: Mutex<Inner>,
    entries_max: usize,
    datasets: Arc<Datasets>,
    profile: Option<Arc<Profile>>,
}

#[derive(Debug, Default)]
struct Inner {
    /// When each bit ends, in microseconds; `u64::MAX`: never.
    bits: HashMap<(u32, Key), u64>,
    windows: HashMap<(u64, Key), Window>,
    /// Since when rate filters are active.
    active: HashMap<(u64, Key), u64>,
    /// Entries that were not made because there was no room.
    refused: u64,
}

/// Matches counted since a moment.
#[derive(Clone, Copy, Debug)]
struct Window {
    since_us: u64,
    seconds: u32,
    count: u32,
}

impl Window {
    fn is_over(&self, now_us: u64) -> bool {
        now_us.saturating_sub(self.since_us) >= u64::from(self.seconds) * 1_000_000
    }
}

fn host_key(track: HostTrack, ends: &Ends) -> Key {
    match track {
        HostTrack::Source => (ends.source.0, Addr::default()),
        HostTrack::Destination => (ends.destination.0, Addr::default()),
        HostTrack::Pair => pair(ends),
    }
}

fn pair(ends: &Ends) -> Key {
    (ends.source.0.min(ends.destination.0), ends.source.0.max(ends.destination.0))
}

fn rate_key(track: Track, ends: &Ends) -> Key {
    match track {
        Track::Source => (ends.source.0, Addr::default()),
        Track::Destination => (ends.destination.0, Addr::default()),
        Track::Pair => pair(ends),
        Track::Rule => (Addr::default(), Addr::default()),
    }
}

/// Which counter of a rule.
fn rate_name(gid: u32, sid: u32) -> u64 {
    u64::from(gid) << 32 | u64::from(sid)
}

impl Hosts {
    /// Nothing remembered yet, and never more than `entries_max` bits and as many counters.
    pub fn new(entries_max: usize) -> Self {
        Self { inner: Mutex::default(), entries_max, datasets: Arc::default(), profile: None }
    }

    /// The same, with the sets of data that `rules` ask and change. `state` reads a file in which one is kept between runs;
    /// `None`: there is none yet.
    ///
    /// # Errors
    ///
    /// [`StateError`] when such a file cannot be read or holds something else.
    pub fn with_datasets(
        entries_max: usize,
        rules: &RuleSet,
        state: &dyn Fn(&str) -> std::io::Result<Option<Vec<u8>>>,
    ) -> Result<Self, StateError> {
        Ok(Self { datasets: Arc::new(Datasets::new(&rules.datasets, state)?), ..Self::new(entries_max) })
    }

    /// The same, and what asking each of `rules` costs is noted.
    #[must_use]
    pub fn profiled(mut self, rules: &RuleSet) -> Self {
        self.profile = Some(Arc::new(Profile::new(rules.rules().len())));
        self
    }

    /// What asking each rule has cost, if that is noted.
    pub const fn profile(&self) -> Option<&Arc<Profile>> {
        self.profile.as_ref()
    }

    /// Sets of data that rules ask and change.
    pub const fn datasets(&self) -> &Arc<Datasets> {
        &self.datasets
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked while holding the lock has left whole maps: each change is one call.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Entries that were not made because there was no room.
    pub fn refused(&self) -> u64 {
        self.lock().refused
    }

    /// Whether the bit is set.
    pub fn bit(&self, name: u32, track: HostTrack, ends: &Ends, now_us: u64) -> bool {
        self.lock().bits.get(&(name, host_key(track, ends))).is_some_and(|&end_us| now_us < end_us)
    }

    /// Sets the bit for `expire_s` seconds (0: for ever).
    pub fn set_bit(&self, name: u32, track: HostTrack, ends: &Ends, now_us: u64, expire_s: u32) {
        let mut inner = self.lock();
        if inner.bits.len() >= self.entries_max {
            inner.bits.retain(|_, &mut end_us| now_us < end_us);
        }
        let key = (name, host_key(track, ends));
        if inner.bits.len() >= self.entries_max && !inner.bits.contains_key(&key) {
            inner.refused += 1;
            return;
        }
        let end_us = if expire_s == 0 { u64::MAX } else { now_us + u64::from(expire_s) * 1_000_000 };
        inner.bits.insert(key, end_us);
    }

    /// Clears the bit.
    pub fn clear_bit(&self, name: u32, track: HostTrack, ends: &Ends) {
        self.lock().bits.remove(&(name, host_key(track, ends)));
    }

    /// Counts a match in its window; what the window holds now.
    fn count(&self, name: u64, rate: Rate, ends: &Ends, now_us: u64) -> u32 {
        let mut inner = self.lock();
        if inner.windows.len() >= self.entries_max {
            inner.windows.retain(|_, window| !window.is_over(now_us));
        }
        let key = (name, rate_key(rate.track, ends));
        let full = inner.windows.len() >= self.entries_max;
        match inner.windows.get_mut(&key) {
            Some(window) if !window.is_over(now_us) => {
                window.count = window.count.saturating_add(1);
                window.count
            }
            Some(window) => {
                *window = Window { since_us: now_us, seconds: rate.seconds, count: 1 };
                1
            }
            None if full => {
                inner.refused += 1;
                1
            }
            None => {
                inner.windows.insert(key, Window { since_us: now_us, seconds: rate.seconds, count: 1 });
                1
            }
        }
    }

    fn restart(&self, name: u64, rate: Rate, ends: &Ends) {
        self.lock().windows.remove(&(name, rate_key(rate.track, ends)));
    }

    /// Whether a rule with a `detection_filter` has matched often enough to speak.
    pub fn passes_filter(&self, (gid, sid): (u32, u32), rate: Rate, ends: &Ends, now_us: u64) -> bool {
        // A counter of its own: the same rule can have a threshold too.
        self.count(1 << 63 | rate_name(gid, sid), rate, ends, now_us) > rate.count
    }

    /// Whether a rule with a `rate_filter` has matched too often, or had not long ago.
    pub fn exceeds(&self, (gid, sid): (u32, u32), filter: RateFilter, ends: &Ends, now_us: u64) -> bool {
        // A counter of its own, beside those of a threshold and a detection filter.
        let name = 1 << 62 | rate_name(gid, sid);
        let key = (name, rate_key(filter.rate.track, ends));
        let timeout_us = u64::from(filter.timeout_s) * 1_000_000;
        let over = |since_us: u64| now_us.saturating_sub(since_us) > timeout_us;
        {
            let mut inner = self.lock();
            match inner.active.get(&key) {
                Some(&since_us) if !over(since_us) => return true,
                Some(_) => {
                    inner.active.remove(&key);
                }
                None => {}
            }
        }
        if self.count(name, filter.rate, ends, now_us) <= filter.rate.count {
            return false;
        }
        self.restart(name, filter.rate, ends);
        let mut inner = self.lock();
        if inner.active.len() < self.entries_max {
            inner.active.insert(key, now_us);
        } else {
            inner.refused += 1;
        }
        true
    }

    /// Whether a rule with a `threshold` may speak.
    pub fn passes_threshold(
        &self,
        (gid, sid): (u32, u32),
        threshold: Threshold,
        ends: &Ends,
        now_us: u64,
    ) -> bool {
        let rate = threshold.rate;
        let name = rate_name(gid, sid);
        let count = self.count(name, rate, ends, now_us);
        match threshold.kind {
            ThresholdKind::Limit => count <= rate.count,
            ThresholdKind::Threshold => {
                let reached = count >= rate.count;
                if reached {
                    self.restart(name, rate, ends);
                }
                reached
            }
            ThresholdKind::Both => count == rate.count,
        }
    }
}
