//! From a hash to candidate entries: buckets of one cache line.
//!
//! A bucket has eight slots, each a 16-bit tag and an entry number. A flow lives in one of two buckets: its first, or,
//! when that was full, its second; the first then counts it as displaced, so that a miss normally reads one cache line.
//! When both are full one occupant that has room in its other bucket moves there (one step of cuckoo hashing, Pagh and
//! Rodler 2004). With at most four flows a bucket on average that suffices up to the last entry.

use std::io;

use bytemuck::{Pod, Zeroable};

use crate::memory::Records;
use crate::prefetch::Prefetch;

const SLOTS: usize = 8;
const LANE: u64 = 0x0001_0001_0001_0001;
const LOW: u64 = 0x7fff_7fff_7fff_7fff;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Bucket {
    /// Two words of four 16-bit tags; tag 0 is an empty slot.
    tags: [u64; 2],
    entries: [u32; SLOTS],
    /// Flows whose first bucket this is and that live in their second.
    displaced: u32,
    spare: [u32; 3],
}

impl Bucket {
    /// Which slots have `tag`, one bit each.
    #[inline]
    fn matches(&self, tag: u16) -> Matches {
        // A lane of `word` is zero where the tag is equal; the sum then leaves its top bit clear, and only then.
        let lanes = |word: u64| {
            let word = word ^ (LANE * u64::from(tag));
            !(((word & LOW) + LOW) | word | LOW)
        };
        Matches([lanes(self.tags[0]), lanes(self.tags[1])])
    }

    fn tag(&self, slot: usize) -> u16 {
        (self.tags[slot / 4] >> (16 * (slot % 4))) as u16
    }

    fn set(&mut self, slot: usize, tag: u16, entry: u32) {
        let shift = 16 * (slot % 4);
        let word = &mut self.tags[slot / 4];
        *word = (*word & !(0xffff << shift)) | u64::from(tag) << shift;
        self.entries[slot] = entry;
    }
}

/// Matching slots, as an iterator of slot numbers.
struct Matches([u64; 2]);

impl Iterator for Matches {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        for (half, word) in self.0.iter_mut().enumerate() {
            if *word != 0 {
                let lane = (word.trailing_zeros() / 16) as usize;
                *word &= *word - 1;
                return Some(half * 4 + lane);
            }
        }
        None
    }
}

/// The index of a table.
pub(crate) struct Index {
    buckets: Records<Bucket>,
    mask: u32,
}

/// Where a hash may live.
#[derive(Clone, Copy)]
struct Places {
    tag: u16,
    first: u32,
    second: u32,
}

impl Index {
    /// Room for `entries` entries.
    pub(crate) fn new(entries: u32) -> io::Result<Self> {
        let buckets = (entries.div_ceil(SLOTS as u32 / 2)).max(2).next_power_of_two();
        Ok(Self { buckets: Records::new(buckets as usize)?, mask: buckets - 1 })
    }

    #[inline]
    fn places(&self, hash: u64) -> Places {
        let tag = (hash as u16).max(1);
        let first = (hash >> 32) as u32 & self.mask;
        // An odd multiplier keeps the step from being 0 in the low bits for any tag but 0; from the second bucket the
        // same step leads back.
        let step = (u32::from(tag).wrapping_mul(0x5bd1_e995) & self.mask).max(1);
        Places { tag, first, second: first ^ step }
    }

    /// Starts loading the first bucket of `hash`.
    #[inline]
    pub(crate) fn prefetch<P: Prefetch>(&self, hash: u64) {
        if let Some(bucket) = self.buckets.get((hash >> 32) as u32 & self.mask) {
            P::read(bucket);
        }
    }

    /// The first entry in the first bucket that may be the flow with this hash.
    #[inline]
    pub(crate) fn candidate(&self, hash: u64) -> Option<u32> {
        let Places { tag, first, .. } = self.places(hash);
        let bucket = self.buckets.get(first)?;
        let slot = bucket.matches(tag).next()?;
        bucket.entries.get(slot).copied()
    }

    /// The entry with this hash that `is_it` accepts.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let Places { tag, first, second } = self.places(hash);
        let bucket = self.buckets.get(first)?;
        if let Some(entry) = Self::find_in(bucket, tag, &is_it) {
            return Some(entry);
        }
        if bucket.displaced == 0 {
            return None;
        }
        Self::find_in(self.buckets.get(second)?, tag, &is_it)
    }

    #[inline]
    fn find_in(bucket: &Bucket, tag: u16, is_it: &impl Fn(u32) -> bool) -> Option<u32> {
        bucket.matches(tag).filter_map(|slot| bucket.entries.get(slot).copied()).find(|entry| is_it(*entry))
    }

    /// Adds an entry; `false` if there is no room for this hash. `hash_of` tells the hash of an entry that is in.
    pub(crate) fn insert(&mut self, hash: u64, entry: u32, hash_of: impl Fn(u32) -> u64) -> bool {
        let places = self.places(hash);
        if self.put(places.first, places.tag, entry) {
            return true;
        }
        if self.put(places.second, places.tag, entry) || self.move_one(places, entry, hash_of) {
            self.displace(places.first, 1);
            return true;
        }
        false
    }

    fn put(&mut self, bucket: u32, tag: u16, entry: u32) -> bool {
        let Some(bucket) = self.buckets.get_mut(bucket) else { return false };
        let Some(slot) = bucket.matches(0).next() else { return false };
        bucket.set(slot, tag, entry);
        true
    }

    /// Both buckets are full: moves an occupant of the second that has room elsewhere, and takes its slot.
    fn move_one(&mut self, places: Places, entry: u32, hash_of: impl Fn(u32) -> u64) -> bool {
        for slot in 0..SLOTS {
            let Some(bucket) = self.buckets.get(places.second) else { return false };
            let (occupant, tag) = (bucket.entries[slot], bucket.tag(slot));
            let home = self.places(hash_of(occupant));
            let (other, displaced) =
                if home.first == places.second { (home.second, 1) } else { (home.first, -1) };
            if other != places.second && self.put(other, tag, occupant) {
                self.displace(home.first, displaced);
                if let Some(bucket) = self.buckets.get_mut(places.second) {
                    bucket.set(slot, places.tag, entry);
                }
                return true;
            }
        }
        false
    }

    fn displace(&mut self, first: u32, change: i32) {
        if let Some(bucket) = self.buckets.get_mut(first) {
            bucket.displaced = bucket.displaced.wrapping_add_signed(change);
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, hash: u64, entry: u32) {
        let Places { tag, first, second } = self.places(hash);
        for place in [first, second] {
            let Some(bucket) = self.buckets.get_mut(place) else { continue };
            let Some(slot) = bucket.matches(tag).find(|slot| bucket.entries[*slot] == entry) else {
                continue;
            };
            bucket.set(slot, 0, 0);
            if place == second {
                self.displace(first, -1);
            }
            return;
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.buckets.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::HashSeed;
    use std::collections::HashMap;

    fn hash(n: u32) -> u64 {
        let key = crate::key::FlowKey::new(
            &wire::NTuple { src: wire::Addr::v4(n.to_be_bytes()), ..Default::default() },
            &wire::Vlans::default(),
            wire::TenantId(0),
        );
        key.0.hash(&HashSeed::new(3))
    }

    #[test]
    fn it_fills_to_the_last_entry_and_empties_again() {
        const ENTRIES: u32 = 1 << 16;
        let mut index = Index::new(ENTRIES).unwrap();
        for entry in 0..ENTRIES {
            assert!(index.insert(hash(entry), entry, hash), "entry {entry}");
        }
        for entry in 0..ENTRIES {
            assert_eq!(index.find(hash(entry), |found| found == entry), Some(entry));
            assert_eq!(index.find(hash(entry + ENTRIES), |found| found == entry + ENTRIES), None);
        }
        for entry in 0..ENTRIES {
            index.remove(hash(entry), entry);
        }
        for bucket in 0..=index.mask {
            let bucket = index.buckets.get(bucket).unwrap();
            assert_eq!((bucket.tags, bucket.displaced), ([0, 0], 0));
        }
    }

    #[test]
    fn equal_hashes_fill_two_buckets_and_then_say_so() {
        let mut index = Index::new(1000).unwrap();
        let accepted = (0..100).filter(|entry| index.insert(77 << 32, *entry, |_| 77 << 32)).count();
        assert_eq!(accepted, 16);
        for entry in 0..16 {
            assert_eq!(index.find(77 << 32, |found| found == entry), Some(entry));
        }
        index.remove(77 << 32, 3);
        assert_eq!(index.find(77 << 32, |found| found == 3), None);
        assert!(index.insert(77 << 32, 99, |_| 77 << 32));
    }

    #[test]
    fn matches_are_exact_in_every_lane() {
        let mut bucket = Bucket::zeroed();
        let tags: HashMap<usize, u16> =
            [(0, 1), (1, 0x8000), (2, 1), (3, 2), (4, 0x8001), (5, 1), (7, 0xffff)].into();
        for (slot, tag) in &tags {
            bucket.set(*slot, *tag, 100 + *slot as u32);
        }
        for wanted in [0, 1, 2, 0x7fff, 0x8000, 0x8001, 0xffff] {
            let got: Vec<usize> = bucket.matches(wanted).collect();
            let expected: Vec<usize> =
                (0..SLOTS).filter(|slot| tags.get(slot).copied().unwrap_or(0) == wanted).collect();
            assert_eq!(got, expected, "{wanted:#x}");
        }
    }
}
