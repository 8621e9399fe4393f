//! Packets that are logged because of what came before them: the rule language's `tag`.
//!
//! In: the packet that a rule with a tag has spoken of. Out: whether a later packet of its flow, or of its host, is one of
//! those that the tag asks for. Flows keep their own; hosts are kept for each tenant, shared by its workers, and while there
//! are none a packet asks one atomic number.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use rules::ir::{Tag, TagMetric};
use wire::Addr;

/// A tag under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tagged {
    metric: TagMetric,
    /// In packets, bytes or microseconds; 0: no end.
    limit: u64,
    seen: u64,
    since_us: u64,
}

impl Tagged {
    /// Begins with a packet of so many bytes, which counts.
    pub(super) fn new(tag: Tag, bytes: u64, now_us: u64) -> Self {
        let count = u64::from(tag.count);
        let (limit, seen) = match tag.metric {
            TagMetric::Packets => (count, 1),
            TagMetric::Bytes => (count, bytes),
            TagMetric::Seconds => (count * 1_000_000, 0),
        };
        Self { metric: tag.metric, limit, seen, since_us: now_us }
    }

    /// Whether the next packet is still one of its; counts it.
    pub(super) fn covers(&mut self, bytes: u64, now_us: u64) -> bool {
        self.seen = match self.metric {
            TagMetric::Packets => self.seen.saturating_add(1),
            TagMetric::Bytes => self.seen.saturating_add(bytes),
            TagMetric::Seconds => now_us.saturating_sub(self.since_us),
        };
        self.limit == 0 || self.seen <= self.limit
    }
}

/// Hosts whose packets are logged.
#[derive(Debug, Default)]
pub struct TaggedHosts {
    count: AtomicUsize,
    hosts: Mutex<HashMap<Addr, Tagged>>,
}

/// Hosts that may be tagged at once; of more the packets are not logged.
const HOSTS_MAX: usize = 4096;

impl TaggedHosts {
    /// Tags a host; one that is tagged stays as it is.
    pub(super) fn add(&self, host: Addr, tagged: Tagged) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() < HOSTS_MAX {
            hosts.entry(host).or_insert(tagged);
        }
        self.count.store(hosts.len(), Ordering::Release);
    }

    /// Whether a packet between these hosts is to be logged; counts it.
    #[inline]
    pub(super) fn covers(&self, ends: [Addr; 2], bytes: u64, now_us: u64) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut covered = false;
        for end in ends {
            let Some(tagged) = hosts.get_mut(&end) else { continue };
            if tagged.covers(bytes, now_us) {
                covered = true;
            } else {
                hosts.remove(&end);
            }
        }
        self.count.store(hosts.len(), Ordering::Release);
        covered
    }
}

#[cfg(test)]
mod tests {
    use rules::ir::TagScope;

    use super::*;

    fn tag(count: u32, metric: TagMetric) -> Tag {
        Tag { scope: TagScope::Session, count, metric }
    }

    /// As Suricata 7.0.10 logs them: the packet that matched is the first.
    #[test]
    fn a_tag_covers_as_much_as_it_says() {
        let covered = |tag: Tag| {
            let mut tagged = Tagged::new(tag, 66, 0);
            (1..=8_u64).take_while(|packet| tagged.covers(66, packet * 400_000)).count()
        };
        assert_eq!(covered(tag(3, TagMetric::Packets)), 2);
        assert_eq!(covered(tag(100, TagMetric::Bytes)), 0);
        assert_eq!(covered(tag(200, TagMetric::Bytes)), 2);
        assert_eq!(covered(tag(1, TagMetric::Seconds)), 2);
        assert_eq!(covered(tag(0, TagMetric::Packets)), 8);
    }

    #[test]
    fn hosts_are_tagged_until_they_are_done() {
        let (a, b, c) = (Addr([1; 16]), Addr([2; 16]), Addr([3; 16]));
        let hosts = TaggedHosts::default();
        assert!(!hosts.covers([a, b], 60, 0));
        hosts.add(a, Tagged::new(tag(3, TagMetric::Packets), 60, 0));
        hosts.add(a, Tagged::new(tag(300, TagMetric::Packets), 60, 0));
        assert!(hosts.covers([b, a], 60, 1) && !hosts.covers([b, c], 60, 1) && hosts.covers([a, c], 60, 1));
        assert!(!hosts.covers([a, b], 60, 2));
        assert_eq!(hosts.count.load(Ordering::Relaxed), 0);
    }
}
