//! Conditions on files as wholes: extension, size, hash.
//!
//! All of a rule's must hold of one and the same file.

use std::collections::HashMap;
use std::sync::Arc;

use analyze::{FileFacts, FileState};
use rules::ir::{AppCondition, Comparison, FileHash, Rule};

use super::setup::Setup;
use crate::verify::CompileError;

/// A condition on a file, ready.
#[derive(Debug)]
pub enum FileCheck {
    /// `fileext`, in lower case.
    Extension(Box<[u8]>, bool),
    /// `filesize`.
    Size(Comparison<u64>),
    /// `filemd5` and its kin.
    Hash {
        /// Which.
        kind: FileHash,
        /// Hashes that will do.
        list: Arc<HashList>,
        /// Others will do instead.
        negated: bool,
    },
}

/// Hashes of one length; in order.
#[derive(Debug)]
pub struct HashList {
    len: usize,
    bytes: Box<[u8]>,
}

/// The lists that were read so far: kind, file that names it, and its path.
pub(super) type Lists = HashMap<(FileHash, u32, String), Arc<HashList>>;

impl FileCheck {
    /// Those of a rule.
    pub(super) fn all(
        rule: &Rule,
        setup: &Setup<'_>,
        lists: &mut Lists,
    ) -> Result<Box<[Self]>, CompileError> {
        let mut checks = Vec::new();
        for condition in &rule.app {
            checks.push(match condition {
                AppCondition::FileExtension { extension, negated } => {
                    Self::Extension(extension.to_ascii_lowercase().into_bytes().into(), *negated)
                }
                AppCondition::FileSize(size) => Self::Size(*size),
                AppCondition::FileHash { kind, list, negated } => {
                    let key = (*kind, rule.position.file, list.clone());
                    let list = if let Some(list) = lists.get(&key) {
                        Arc::clone(list)
                    } else {
                        let read = Arc::new(HashList::read(*kind, list, rule, setup)?);
                        lists.insert(key, Arc::clone(&read));
                        read
                    };
                    Self::Hash { kind: *kind, list, negated: *negated }
                }
                _ => continue,
            });
        }
        Ok(checks.into())
    }

    /// Whether it holds of a file.
    pub(crate) fn holds(&self, file: &FileFacts<'_>) -> bool {
        match self {
            Self::Extension(extension, negated) => {
                let Some(dot) = file.name.len().checked_sub(extension.len() + 1) else { return false };
                let (before, end) = file.name.split_at(dot + 1);
                (before.ends_with(b".") && end.eq_ignore_ascii_case(extension)) != *negated
            }
            Self::Size(size) => match file.state {
                FileState::Open => false,
                FileState::Closed => size.holds(file.size),
                // There may have been more of it.
                FileState::Truncated => {
                    matches!(size, Comparison::Greater(_) | Comparison::GreaterOrEqual(_))
                        && size.holds(file.size)
                }
            },
            Self::Hash { kind, list, negated } => {
                let digests = &file.digests;
                let digest = match kind {
                    FileHash::Md5 => digests.md5.as_ref().map(|digest| &digest[..]),
                    FileHash::Sha1 => digests.sha1.as_ref().map(|digest| &digest[..]),
                    FileHash::Sha256 => digests.sha256.as_ref().map(|digest| &digest[..]),
                };
                digest.is_some_and(|digest| list.contains(digest) != *negated)
            }
        }
    }
}

const fn hash_len(kind: FileHash) -> usize {
    match kind {
        FileHash::Md5 => 16,
        FileHash::Sha1 => 20,
        FileHash::Sha256 => 32,
    }
}

impl HashList {
    /// Reads the list that a rule names.
    fn read(kind: FileHash, path: &str, rule: &Rule, setup: &Setup<'_>) -> Result<Self, CompileError> {
        Self::parse(kind, &setup.read(rule.position, path)?).map_err(|line| {
            let digits = hash_len(kind) * 2;
            let problem = format!("line {line} does not begin with {digits} hexadecimal digits");
            CompileError::File { path: path.to_owned(), problem }
        })
    }

    /// Reads a list: one hash at the beginning of each line, in hexadecimal digits; empty lines and those that begin
    /// with `#` are none. The error is the number of a line that is something else.
    fn parse(kind: FileHash, text: &[u8]) -> Result<Self, usize> {
        Ok(match kind {
            FileHash::Md5 => Self::new(hashes::<16>(text)?),
            FileHash::Sha1 => Self::new(hashes::<20>(text)?),
            FileHash::Sha256 => Self::new(hashes::<32>(text)?),
        })
    }

    fn new<const N: usize>(mut hashes: Vec<[u8; N]>) -> Self {
        hashes.sort_unstable();
        hashes.dedup();
        Self { len: N, bytes: hashes.as_flattened().into() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether this is one of them.
    pub fn contains(&self, hash: &[u8]) -> bool {
        let at = |place: usize| self.bytes.get(place * self.len..(place + 1) * self.len);
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = usize::midpoint(from, to);
            match at(middle).map(|other| other.cmp(hash)) {
                Some(std::cmp::Ordering::Less) => from = middle + 1,
                Some(std::cmp::Ordering::Greater) => to = middle,
                Some(std::cmp::Ordering::Equal) => return true,
                None => return false,
            }
        }
        false
    }
}

fn hashes<const N: usize>(text: &[u8]) -> Result<Vec<[u8; N]>, usize> {
    let mut hashes = Vec::new();
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1_usize..) {
        let line = line.trim_ascii();
        if !line.is_empty() && !line.starts_with(b"#") {
            hashes.push(line.get(..2 * N).and_then(hexadecimal).ok_or(number)?);
        }
    }
    Ok(hashes)
}

/// Bytes from pairs of hexadecimal digits, which are as many as it takes.
pub(crate) fn hexadecimal<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for &digit in pair {
            *byte = *byte << 4 | char::from(digit).to_digit(16)? as u8;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use analyze::Digests;

    use super::*;

    fn file(name: &[u8], size: u64, state: FileState) -> FileFacts<'_> {
        FileFacts { name, size, state, digests: Digests { md5: Some([7; 16]), ..Digests::default() } }
    }

    #[test]
    fn an_extension_stands_behind_a_dot() {
        let check = |negated| FileCheck::Extension(b"pdf"[..].into(), negated);
        let holds =
            |name: &[u8]| [false, true].map(|negated| check(negated).holds(&file(name, 1, FileState::Open)));
        assert_eq!(holds(b"a.PDF"), [true, false]);
        assert_eq!(holds(b".pdf"), [true, false]);
        assert_eq!(holds(b"apdf"), [false, true]);
        assert_eq!(holds(b"a.pdf.exe"), [false, true]);
        // Too short to have it, or not to have it.
        assert_eq!(holds(b"pdf"), [false, false]);
    }

    #[test]
    fn a_size_is_known_when_the_file_is_whole() {
        let holds = |size, state| FileCheck::Size(size).holds(&file(b"", 100, state));
        assert!(holds(Comparison::Equal(100), FileState::Closed));
        assert!(!holds(Comparison::Equal(100), FileState::Open));
        assert!(!holds(Comparison::Equal(100), FileState::Truncated));
        assert!(holds(Comparison::Greater(99), FileState::Truncated));
        assert!(!holds(Comparison::Less(101), FileState::Truncated));
    }

    #[test]
    fn lists_have_a_hash_a_line() {
        let text = format!("# comment\n\n{}  a.exe\r\n{}\n", "07".repeat(16), "aB".repeat(16));
        let list = HashList::parse(FileHash::Md5, text.as_bytes()).unwrap();
        assert_eq!(list.len(), 2);
        assert!(list.contains(&[7; 16]) && list.contains(&[0xab; 16]) && !list.contains(&[8; 16]));
        let check = |negated| FileCheck::Hash {
            kind: FileHash::Md5,
            list: Arc::new(HashList::parse(FileHash::Md5, text.as_bytes()).unwrap()),
            negated,
        };
        let whole = file(b"", 1, FileState::Closed);
        assert!(check(false).holds(&whole) && !check(true).holds(&whole));
        let unknown = FileFacts { digests: Digests::default(), ..whole };
        assert!(!check(false).holds(&unknown) && !check(true).holds(&unknown));
        assert_eq!(HashList::parse(FileHash::Sha1, text.as_bytes()).unwrap_err(), 3);
        assert!(HashList::parse(FileHash::Sha256, b"#\n").unwrap().is_empty());
    }
}
