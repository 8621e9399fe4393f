//! The latest of what was told, by key, in bounded memory.

use std::collections::HashMap;
use std::hash::Hash;

/// Half of how many are remembered at most.
const GENERATION_MAX: usize = 512;

/// What was told lately. When the newer generation is full the older one is forgotten.
#[derive(Debug)]
pub(super) struct Memory<K, V> {
    newer: HashMap<K, V>,
    older: HashMap<K, V>,
}

impl<K, V> Default for Memory<K, V> {
    fn default() -> Self {
        Self { newer: HashMap::new(), older: HashMap::new() }
    }
}

impl<K: Hash + Eq, V> Memory<K, V> {
    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.newer.len() >= GENERATION_MAX {
            self.older = std::mem::take(&mut self.newer);
        }
        self.older.remove(&key);
        self.newer.insert(key, value);
    }

    pub(super) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.newer.get(key).or_else(|| self.older.get(key))
    }

    pub(super) fn take<Q>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.newer.remove(key).or_else(|| self.older.remove(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered() {
        let mut memory = Memory::default();
        for key in 0..5000_u32 {
            memory.insert(key, key * 2);
            assert!(memory.newer.len() + memory.older.len() <= 2 * GENERATION_MAX);
        }
        assert!((4500..5000).all(|key| memory.get(&key) == Some(&(key * 2))));
        assert_eq!(memory.get(&0), None);
        assert_eq!(memory.take(&4999), Some(9998));
        assert_eq!(memory.take(&4999), None);
    }
}
