//! The datagrams in assembly: found by key, and in the order they began.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use super::datagram::Assembly;
use super::input::Key;
use super::outcome::Count;

const NONE: u32 = u32::MAX;

/// One datagram in assembly.
pub(super) struct Tracker {
    pub(super) key: Key,
    /// When its first fragment came.
    pub(super) created_ns: u64,
    /// Fragments held.
    pub(super) fragments: u32,
    /// The frames they came in: one each, unless they were reassembled themselves.
    pub(super) frames: Count,
    /// Given up because of an overlap; kept so that its later fragments are given up as well (RFC 5722).
    pub(super) doomed: bool,
    pub(super) assembly: Assembly,
    bucket: u32,
    bucket_next: u32,
    links: [Links; 2],
}

#[derive(Clone, Copy)]
struct Links {
    before: u32,
    after: u32,
}

/// Trackers in the order they began. An empty list has neither end.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    oldest: u32,
    newest: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE }
    }
}

/// A key that has no tracker.
pub(super) struct Vacant {
    key: Key,
    bucket: u32,
}

/// The two lists that a tracker is in.
#[derive(Clone, Copy)]
enum Order {
    OfAll,
    OfTenant,
}

/// Trackers by index. An index that [`insert`](Trackers::insert) or [`find`](Trackers::find) gave is in bounds for as
/// long as the table lives.
pub(super) struct Trackers {
    slots: Vec<Tracker>,
    free: Vec<u32>,
    max: usize,
    buckets: Vec<u32>,
    /// Keyed at random: senders choose the fields of the key. Nothing depends on the order in buckets.
    hasher: RandomState,
    all: List,
}

impl Trackers {
    pub(super) fn new(max: u32) -> Self {
        let max = max as usize;
        Self {
            slots: Vec::with_capacity(max),
            free: Vec::with_capacity(max),
            max,
            buckets: vec![NONE; max.next_power_of_two()],
            hasher: RandomState::new(),
            all: List::default(),
        }
    }

    /// Trackers in use.
    pub(super) fn used(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.used() >= self.max
    }

    pub(super) fn get(&self, index: u32) -> &Tracker {
        &self.slots[index as usize]
    }

    pub(super) fn get_mut(&mut self, index: u32) -> &mut Tracker {
        &mut self.slots[index as usize]
    }

    fn bucket(&self, key: &Key) -> u32 {
        // The number of buckets is a power of two below 2^32.
        self.hasher.hash_one(key) as u32 & (self.buckets.len() - 1) as u32
    }

    /// The tracker of a key, or else where [`insert`](Self::insert) is to put one.
    pub(super) fn find(&self, key: &Key) -> Result<u32, Vacant> {
        let bucket = self.bucket(key);
        let mut at = self.buckets[bucket as usize];
        while at != NONE {
            let tracker = self.get(at);
            if tracker.key == *key {
                return Ok(at);
            }
            at = tracker.bucket_next;
        }
        Err(Vacant { key: *key, bucket })
    }

    /// Adds a tracker for a key that has none, as the newest of all and of its tenant. `None` if the table is full.
    pub(super) fn insert(
        &mut self,
        vacant: &Vacant,
        created_ns: u64,
        assembly: Assembly,
        of_tenant: &mut List,
    ) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        let Vacant { key, bucket } = *vacant;
        let unlinked = Links { before: NONE, after: NONE };
        let tracker = Tracker {
            key,
            created_ns,
            fragments: 0,
            frames: Count::default(),
            doomed: false,
            assembly,
            bucket,
            bucket_next: self.buckets[bucket as usize],
            links: [unlinked; 2],
        };
        let index = if let Some(index) = self.free.pop() {
            *self.get_mut(index) = tracker;
            index
        } else {
            self.slots.push(tracker);
            self.slots.len() as u32 - 1
        };
        self.buckets[bucket as usize] = index;
        let mut all = self.all;
        self.append(Order::OfAll, &mut all, index);
        self.all = all;
        self.append(Order::OfTenant, of_tenant, index);
        Some(index)
    }

    /// Takes a tracker out; its slot, with what is in it, may be read until the next [`insert`](Self::insert).
    pub(super) fn remove(&mut self, index: u32, of_tenant: &mut List) {
        let mut all = self.all;
        self.unlink(Order::OfAll, &mut all, index);
        self.all = all;
        self.unlink(Order::OfTenant, of_tenant, index);
        let Tracker { bucket, bucket_next, .. } = *self.get(index);
        let mut at = self.buckets[bucket as usize];
        if at == index {
            self.buckets[bucket as usize] = bucket_next;
        } else {
            while at != NONE {
                let tracker = self.get_mut(at);
                if tracker.bucket_next == index {
                    tracker.bucket_next = bucket_next;
                    break;
                }
                at = tracker.bucket_next;
            }
        }
        self.free.push(index);
    }

    /// The one that began first.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.all.oldest != NONE).then_some(self.all.oldest)
    }

    /// The one of a tenant that began first, other than `except`.
    pub(super) fn oldest_of(&self, of_tenant: List, except: Option<u32>) -> Option<u32> {
        let mut at = of_tenant.oldest;
        if at != NONE && Some(at) == except {
            at = self.get(at).links[Order::OfTenant as usize].after;
        }
        (at != NONE).then_some(at)
    }

    fn append(&mut self, order: Order, list: &mut List, index: u32) {
        let order = order as usize;
        self.get_mut(index).links[order] = Links { before: list.newest, after: NONE };
        if list.newest == NONE {
            list.oldest = index;
        } else {
            self.get_mut(list.newest).links[order].after = index;
        }
        list.newest = index;
    }

    fn unlink(&mut self, order: Order, list: &mut List, index: u32) {
        let order = order as usize;
        let Links { before, after } = self.get(index).links[order];
        if before == NONE {
            list.oldest = after;
        } else {
            self.get_mut(before).links[order].after = after;
        }
        if after == NONE {
            list.newest = before;
        } else {
            self.get_mut(after).links[order].before = before;
        }
    }
}
