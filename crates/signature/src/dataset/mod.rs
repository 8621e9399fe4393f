//! Sets of data that rules ask and change: `dataset` and `datarep`.
//!
//! In: what rules say of their sets, and the files that these come from. Out: for each rule set the definitions
//! ([`Definitions`]), and for each tenant the sets themselves ([`Datasets`]). A set that no rule changes is shared by all
//! tenants and needs no lock; one that a rule changes is each tenant's own, and may be kept in a file between runs.
//!
//! Files have one item a line, as the reference's: base64 for strings, hexadecimal digits for hashes, addresses as text;
//! for `datarep` a comma and a number follow.

mod memory;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rules::Position;
use rules::ir::{DataReputation, Dataset, DatasetKind, DatasetOperation};

use crate::compile::{Setup, hexadecimal};
use crate::verify::CompileError;

pub use memory::{Datasets, StateError};

/// Memory of a set whose rule does not say `memcap`, in bytes; the reference's.
const MEMORY_BYTES_MAX: u64 = 100 << 20;

/// What an item takes beside its bytes, about.
const ITEM_BYTES: u64 = 64;

/// One item, in the form in which items are compared.
type Item = Box<[u8]>;

/// A set as rules define it.
#[derive(Debug)]
pub(crate) struct Definition {
    name: String,
    kind: DatasetKind,
    load: Option<String>,
    /// The file that it is kept in between runs.
    state: Option<String>,
    /// Whether it also begins with what is in that file.
    resumes: bool,
    memory_bytes_max: u64,
    /// A rule adds to it or takes away.
    changes: bool,
    /// What it was loaded with.
    items: Arc<HashSet<Item>>,
}

/// A set of `datarep`: a number for each item.
#[derive(Debug)]
pub struct Reputations {
    kind: DatasetKind,
    load: Option<String>,
    values: HashMap<Item, u16>,
}

/// The sets of a rule set, in the order in which rules name them first.
#[derive(Debug, Default)]
pub(crate) struct Definitions {
    sets: Vec<Definition>,
    reputations: HashMap<(String, u32), Arc<Reputations>>,
}

/// The item that a buffer is, if it can be one of this kind.
fn item(kind: DatasetKind, bytes: &[u8]) -> Option<Item> {
    match (kind, bytes.len()) {
        (DatasetKind::Text, _)
        | (DatasetKind::Md5 | DatasetKind::Ip, 16)
        | (DatasetKind::Sha256, 32)
        | (DatasetKind::Ipv4, 4) => Some(bytes.into()),
        (DatasetKind::Ip, 4) => {
            let octets: [u8; 4] = bytes.try_into().ok()?;
            Some(Ipv4Addr::from(octets).to_ipv6_mapped().octets().into())
        }
        _ => None,
    }
}

/// The item that a line of a file names.
fn written(kind: DatasetKind, text: &[u8]) -> Option<Item> {
    let address = || std::str::from_utf8(text).ok()?.parse::<IpAddr>().ok();
    match kind {
        DatasetKind::Text => STANDARD.decode(text).ok().map(Vec::into_boxed_slice),
        DatasetKind::Md5 => hexadecimal::<16>(text).map(|hash| hash[..].into()),
        DatasetKind::Sha256 => hexadecimal::<32>(text).map(|hash| hash[..].into()),
        DatasetKind::Ipv4 => match address()? {
            IpAddr::V4(address) => Some(address.octets().into()),
            IpAddr::V6(_) => None,
        },
        DatasetKind::Ip => Some(match address()? {
            IpAddr::V4(address) => address.to_ipv6_mapped().octets().into(),
            IpAddr::V6(address) => address.octets().into(),
        }),
    }
}

/// The lines of a file with their numbers, without those that are empty or begin with `#`.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    (1..)
        .zip(text.split(|&byte| byte == b'\n'))
        .map(|(number, line)| (number, line.trim_ascii()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(b"#"))
}

/// Reads items; the error says what is wrong.
fn parse(kind: DatasetKind, text: &[u8], memory_bytes_max: u64) -> Result<HashSet<Item>, String> {
    let mut items = HashSet::new();
    let mut memory_bytes = 0_u64;
    for (number, line) in lines(text) {
        let item = written(kind, line).ok_or_else(|| format!("line {number} is no {}", what(kind)))?;
        memory_bytes += item.len() as u64 + ITEM_BYTES;
        if memory_bytes > memory_bytes_max {
            return Err(format!("it needs more than the {memory_bytes_max} bytes that memcap allows"));
        }
        items.insert(item);
    }
    Ok(items)
}

const fn what(kind: DatasetKind) -> &'static str {
    match kind {
        DatasetKind::Text => "base64",
        DatasetKind::Md5 => "MD5 in 32 hexadecimal digits",
        DatasetKind::Sha256 => "SHA-256 in 64 hexadecimal digits",
        DatasetKind::Ipv4 => "IPv4 address",
        DatasetKind::Ip => "IP address",
    }
}

impl Definitions {
    /// The number of the set that a rule names, which it defines if no rule before has.
    pub(crate) fn dataset(
        &mut self,
        rule: &Dataset,
        position: Position,
        setup: &Setup<'_>,
    ) -> Result<usize, CompileError> {
        let changes = matches!(rule.operation, DatasetOperation::Set | DatasetOperation::Unset);
        let differs = |what| CompileError::Dataset { name: rule.name.clone(), what };
        if let Some((number, set)) = (0..).zip(&mut self.sets).find(|(_, set)| set.name == rule.name) {
            if rule.kind.is_some_and(|kind| kind != set.kind) {
                return Err(differs("another type"));
            }
            let named = rule.load.is_some() || rule.state.is_some();
            if named && (rule.load != set.load || rule.state != set.state) {
                return Err(differs("another file"));
            }
            set.changes |= changes;
            return Ok(number);
        }
        let kind = rule.kind.ok_or_else(|| differs("no type yet; the first rule that names it says its"))?;
        let memory_bytes_max = rule.memory_bytes_max.filter(|&bytes| bytes > 0).unwrap_or(MEMORY_BYTES_MAX);
        if rule.state.is_some() && !setup.states {
            return Err(CompileError::NoStateFolder);
        }
        let resumes = rule.state.is_some() && rule.state == rule.load;
        let items = match rule.load.as_ref().filter(|_| !resumes) {
            None => HashSet::new(),
            Some(path) => {
                let text = setup.read(position, path)?;
                parse(kind, &text, memory_bytes_max)
                    .map_err(|problem| CompileError::File { path: path.clone(), problem })?
            }
        };
        self.sets.push(Definition {
            name: rule.name.clone(),
            kind,
            load: rule.load.clone(),
            state: rule.state.clone(),
            resumes,
            memory_bytes_max,
            changes: changes || resumes,
            items: Arc::new(items),
        });
        Ok(self.sets.len() - 1)
    }

    /// The numbers that a rule's `datarep` asks.
    pub(crate) fn reputation(
        &mut self,
        rule: &DataReputation,
        position: Position,
        setup: &Setup<'_>,
    ) -> Result<Arc<Reputations>, CompileError> {
        let differs = |what| CompileError::Dataset { name: rule.name.clone(), what };
        let key = (rule.name.clone(), position.file);
        if let Some(known) = self.reputations.get(&key) {
            if known.kind != rule.kind {
                return Err(differs("another type"));
            }
            if rule.load.is_some() && rule.load != known.load {
                return Err(differs("another file"));
            }
            return Ok(Arc::clone(known));
        }
        let path = rule.load.as_ref().ok_or_else(|| differs("no file; say load and its name"))?;
        let text = setup.read(position, path)?;
        let fault = |problem| CompileError::File { path: path.clone(), problem };
        let (mut values, mut memory_bytes) = (HashMap::new(), 0_u64);
        for (number, line) in lines(&text) {
            let pair = line.iter().rposition(|&byte| byte == b',').and_then(|comma| {
                let (name, value) = (line.get(..comma)?.trim_ascii(), line.get(comma + 1..)?.trim_ascii());
                Some((written(rule.kind, name)?, std::str::from_utf8(value).ok()?.parse().ok()?))
            });
            let (item, value) = pair.ok_or_else(|| {
                fault(format!("line {number} is no {}, comma, and number up to 65535", what(rule.kind)))
            })?;
            memory_bytes += item.len() as u64 + ITEM_BYTES;
            if memory_bytes > MEMORY_BYTES_MAX {
                return Err(fault(format!("it needs more than {MEMORY_BYTES_MAX} bytes")));
            }
            values.insert(item, value);
        }
        let read = Arc::new(Reputations { kind: rule.kind, load: rule.load.clone(), values });
        self.reputations.insert(key, Arc::clone(&read));
        Ok(read)
    }
}

impl Reputations {
    /// The number of what a buffer holds.
    pub(crate) fn value(&self, bytes: &[u8]) -> Option<u16> {
        self.values.get(&item(self.kind, bytes)?).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_kind_has_its_form_in_files() {
        let parse = |kind, text: &str| parse(kind, text.as_bytes(), 1 << 20);
        assert!(parse(DatasetKind::Text, "# c\n\naGVsbG8=\r\n").unwrap().contains(&b"hello"[..]));
        assert!(parse(DatasetKind::Md5, &"0a".repeat(16)).unwrap().contains(&[10; 16][..]));
        assert_eq!(
            parse(DatasetKind::Sha256, "0a").unwrap_err(),
            "line 1 is no SHA-256 in 64 hexadecimal digits"
        );
        assert!(parse(DatasetKind::Ipv4, "10.0.0.1").unwrap().contains(&[10, 0, 0, 1][..]));
        assert!(parse(DatasetKind::Ipv4, "::1").is_err());
        let both = parse(DatasetKind::Ip, "10.0.0.1\n::ffff:10.0.0.2\n::1").unwrap();
        for address in [&[10, 0, 0, 1][..], &[10, 0, 0, 2]] {
            assert!(both.contains(&item(DatasetKind::Ip, address).unwrap()));
        }
        assert_eq!(both.len(), 3);
    }

    #[test]
    fn what_needs_too_much_memory_is_refused() {
        let text = "aGVsbG8=\naGVsbG9o\n";
        assert!(super::parse(DatasetKind::Text, text.as_bytes(), 200).is_ok());
        assert!(super::parse(DatasetKind::Text, text.as_bytes(), 100).unwrap_err().contains("memcap"));
    }

    #[test]
    fn a_buffer_of_another_length_is_no_item() {
        assert!(item(DatasetKind::Md5, &[0; 15]).is_none() && item(DatasetKind::Ipv4, &[0; 16]).is_none());
        assert!(item(DatasetKind::Text, b"").is_some());
    }
}
