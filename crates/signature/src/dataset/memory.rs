//! The sets of one tenant, which its workers share.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rules::ir::{DatasetKind, DatasetOperation};
use thiserror::Error;

use super::{Definition, Definitions, ITEM_BYTES, Item, item, parse};

/// A set that is kept between runs cannot be read.
#[derive(Debug, Error)]
#[error("dataset {name}: its state {file}: {problem}; correct the file or remove it")]
pub struct StateError {
    /// The set.
    pub name: String,
    /// The file, as the rule names it.
    pub file: String,
    /// What is wrong.
    pub problem: String,
}

/// The sets of one tenant.
#[derive(Debug, Default)]
pub struct Datasets(Vec<Set>);

/// One of them.
#[derive(Debug)]
struct Set {
    kind: DatasetKind,
    /// The file that it is kept in, as the rule names it.
    state: Option<String>,
    memory_bytes_max: u64,
    items: Items,
}

#[derive(Debug)]
enum Items {
    /// No rule changes it.
    Fixed(Arc<HashSet<Item>>),
    /// Its own.
    Own(Mutex<Own>),
}

#[derive(Debug)]
struct Own {
    items: HashSet<Item>,
    memory_bytes: u64,
    /// Items that were not added because there was no room.
    refused: u64,
}

impl Datasets {
    /// The sets that rules define, those that are kept between runs with what `state` has of their files; `None`: there is
    /// no such file yet.
    pub(crate) fn new(
        definitions: &Definitions,
        state: &dyn Fn(&str) -> std::io::Result<Option<Vec<u8>>>,
    ) -> Result<Self, StateError> {
        definitions
            .sets
            .iter()
            .map(|definition| Set::new(definition, state))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// What a rule asks of the set of this number, or does to it.
    pub(crate) fn holds(&self, number: usize, operation: DatasetOperation, bytes: &[u8]) -> bool {
        let Some(set) = self.0.get(number) else { return false };
        let item = item(set.kind, bytes);
        let contains = |item: &Item| match &set.items {
            Items::Fixed(items) => items.contains(item),
            Items::Own(own) => lock(own).items.contains(item),
        };
        match operation {
            DatasetOperation::IsSet => item.as_ref().is_some_and(contains),
            DatasetOperation::IsNotSet => !item.as_ref().is_some_and(contains),
            DatasetOperation::Set => item.is_some_and(|item| set.add(item)),
            DatasetOperation::Unset => item.is_some_and(|item| set.remove(&item)),
        }
    }

    /// Items that were not added because their set had no room.
    pub fn refused(&self) -> u64 {
        let own = |set: &Set| match &set.items {
            Items::Fixed(_) => 0,
            Items::Own(own) => lock(own).refused,
        };
        self.0.iter().map(own).sum()
    }

    /// What is to be kept until the next run: file, as the rule names it, and contents.
    pub fn states(&self) -> impl Iterator<Item = (&str, Vec<u8>)> {
        self.0.iter().filter_map(|set| Some((set.state.as_deref()?, set.text())))
    }
}

fn lock(own: &Mutex<Own>) -> MutexGuard<'_, Own> {
    // A thread that panicked while holding the lock has left a whole set: each change is one call.
    own.lock().unwrap_or_else(PoisonError::into_inner)
}

const fn memory_bytes(item: &Item) -> u64 {
    item.len() as u64 + ITEM_BYTES
}

impl Set {
    fn new(
        definition: &Definition,
        state: &dyn Fn(&str) -> std::io::Result<Option<Vec<u8>>>,
    ) -> Result<Self, StateError> {
        let Definition { name, kind, memory_bytes_max, changes, items, .. } = definition;
        let items = if *changes {
            let mut items = HashSet::clone(items);
            if let Some(file) = definition.state.as_ref().filter(|_| definition.resumes) {
                let fault = |problem| StateError { name: name.clone(), file: file.clone(), problem };
                if let Some(text) = state(file).map_err(|error| fault(error.to_string()))? {
                    items = parse(*kind, &text, *memory_bytes_max).map_err(fault)?;
                }
            }
            let memory_bytes = items.iter().map(memory_bytes).sum();
            Items::Own(Mutex::new(Own { items, memory_bytes, refused: 0 }))
        } else {
            Items::Fixed(Arc::clone(items))
        };
        Ok(Self { kind: *kind, state: definition.state.clone(), memory_bytes_max: *memory_bytes_max, items })
    }

    /// `true` if it was not there before.
    fn add(&self, item: Item) -> bool {
        let Items::Own(own) = &self.items else { return false };
        let mut own = lock(own);
        if own.items.contains(&item) {
            return false;
        }
        let memory_bytes = own.memory_bytes + memory_bytes(&item);
        if memory_bytes > self.memory_bytes_max {
            own.refused += 1;
            return false;
        }
        own.memory_bytes = memory_bytes;
        own.items.insert(item)
    }

    /// `true` if it was there.
    fn remove(&self, item: &Item) -> bool {
        let Items::Own(own) = &self.items else { return false };
        let mut own = lock(own);
        let removed = own.items.remove(item);
        if removed {
            own.memory_bytes = own.memory_bytes.saturating_sub(memory_bytes(item));
        }
        removed
    }

    /// Its items as files have them; in order, so that the same set is the same file.
    fn text(&self) -> Vec<u8> {
        let mut lines: Vec<String> = match &self.items {
            Items::Fixed(items) => items.iter().map(|item| self.line(item)).collect(),
            Items::Own(own) => lock(own).items.iter().map(|item| self.line(item)).collect(),
        };
        lines.sort_unstable();
        lines.iter().flat_map(|line| line.bytes().chain([b'\n'])).collect()
    }

    fn line(&self, item: &[u8]) -> String {
        match self.kind {
            DatasetKind::Text => STANDARD.encode(item),
            DatasetKind::Md5 | DatasetKind::Sha256 => item
                .iter()
                .flat_map(|byte| [byte >> 4, byte & 15])
                .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
                .collect(),
            DatasetKind::Ipv4 => <[u8; 4]>::try_from(item)
                .map(|octets| std::net::Ipv4Addr::from(octets).to_string())
                .unwrap_or_default(),
            DatasetKind::Ip => <[u8; 16]>::try_from(item)
                .map(|octets| std::net::Ipv6Addr::from(octets).to_canonical().to_string())
                .unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn set(kind: DatasetKind, memory_bytes_max: u64) -> Datasets {
        let definition = Definition {
            name: "s".to_owned(),
            kind,
            load: Some("f".to_owned()),
            state: Some("f".to_owned()),
            resumes: true,
            memory_bytes_max,
            changes: true,
            items: Arc::default(),
        };
        let definitions = Definitions { sets: vec![definition], ..Definitions::default() };
        Datasets::new(&definitions, &|_| Ok(None)).unwrap()
    }

    #[test]
    fn what_is_added_is_there_until_it_is_taken_away() {
        use DatasetOperation::{IsNotSet, IsSet, Set, Unset};
        let sets = set(DatasetKind::Ip, 1 << 20);
        let holds = |operation| sets.holds(0, operation, &[10, 0, 0, 1]);
        assert!(!holds(IsSet) && holds(IsNotSet) && !holds(Unset));
        assert!(holds(Set) && !holds(Set) && holds(IsSet) && !holds(IsNotSet));
        assert_eq!(sets.states().next().unwrap(), ("f", b"10.0.0.1\n".to_vec()));
        assert!(holds(Unset) && !holds(IsSet));
        // What cannot be an item is not in the set.
        assert!(sets.holds(0, IsNotSet, b"abc") && !sets.holds(0, Set, b"abc"));
    }

    #[test]
    fn a_full_set_takes_no_more_and_counts() {
        let sets = set(DatasetKind::Text, 2 * (ITEM_BYTES + 1));
        let add = |text: &[u8]| sets.holds(0, DatasetOperation::Set, text);
        assert!(add(b"a") && add(b"b") && !add(b"c"));
        assert_eq!(sets.refused(), 1);
        assert!(sets.holds(0, DatasetOperation::Unset, b"a") && add(b"c"));
        assert_eq!(sets.states().next().unwrap().1, b"Yg==\nYw==\n");
    }
}
