//! The Hyperscan edge: many literals, one pass over the bytes.
//!
//! In: literals, each with or without case. Out: which of them occur in a buffer, each at most once.

use std::fmt;

use hyperscan::{BlockDatabase, Builder, Matching, Pattern, PatternFlags, Patterns, Scratch, Serialized};
use thiserror::Error;

/// One literal to look for.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Literal {
    /// Its bytes; at least one.
    pub bytes: Vec<u8>,
    /// ASCII letters of either case.
    pub nocase: bool,
}

impl Literal {
    /// As a regular expression that matches just these bytes.
    fn expression(&self) -> String {
        use fmt::Write;
        self.bytes.iter().fold(String::with_capacity(self.bytes.len() * 4), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
            text
        })
    }
}

/// Hyperscan refused something. That it runs out of memory is the only cause known for literals.
#[derive(Debug, Error)]
#[error("Hyperscan: {what}: {reason}")]
pub struct EngineError {
    what: &'static str,
    reason: String,
}

impl EngineError {
    fn new(what: &'static str, reason: impl fmt::Display) -> Self {
        Self { what, reason: reason.to_string() }
    }
}

/// A compiled set of literals, numbered from 0 in the order in which they were given.
pub struct LiteralSet {
    database: BlockDatabase,
    len: usize,
    longest: usize,
}

impl fmt::Debug for LiteralSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiteralSet").field("len", &self.len).finish_non_exhaustive()
    }
}

impl LiteralSet {
    /// Compiles `literals`, of which there must be at least one.
    ///
    /// # Errors
    ///
    /// [`EngineError`] when Hyperscan cannot compile them.
    pub fn compile(literals: &[Literal]) -> Result<Self, EngineError> {
        let patterns = literals
            .iter()
            .enumerate()
            .map(|(number, literal)| {
                let mut flags = PatternFlags::SINGLEMATCH;
                if literal.nocase {
                    flags |= PatternFlags::CASELESS;
                }
                let mut pattern = Pattern::with_flags(literal.expression(), flags)?;
                pattern.id = Some(number);
                Ok(pattern)
            })
            .collect::<Result<Vec<_>, hyperscan::Error>>()
            .map(Patterns::from)
            .map_err(|error| EngineError::new("describing literals", error))?;
        let database = patterns.build().map_err(|error| EngineError::new("compiling literals", error))?;
        Ok(Self::of(database, literals))
    }

    fn of(database: BlockDatabase, literals: &[Literal]) -> Self {
        let longest = literals.iter().map(|literal| literal.bytes.len()).max().unwrap_or(0);
        Self { database, len: literals.len(), longest }
    }

    /// The set in the form that [`LiteralSet::deserialize`] reads.
    ///
    /// # Errors
    ///
    /// [`EngineError`] when there is no memory for it.
    pub fn serialize(&self) -> Result<Vec<u8>, EngineError> {
        let bytes = self.database.serialize().map_err(|error| EngineError::new("serialising", error))?;
        Ok(bytes.to_vec())
    }

    /// The set that was serialised from the same literals.
    ///
    /// # Errors
    ///
    /// [`EngineError`] when the bytes are damaged, or of another version of Hyperscan or another processor.
    pub fn deserialize(bytes: &[u8], literals: &[Literal]) -> Result<Self, EngineError> {
        let database = bytes.deserialize().map_err(|error| EngineError::new("reading a database", error))?;
        Ok(Self::of(database, literals))
    }

    /// How many literals it has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it has none; it never is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Length of the longest literal in bytes.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Memory of the compiled set in bytes.
    pub fn bytes(&self) -> usize {
        self.database.size().unwrap_or(0)
    }

    /// Calls `found` with the number of each literal that occurs in `data`, once each, in no order worth relying on.
    #[inline]
    pub fn scan(&self, data: &[u8], scratch: &Workspace, mut found: impl FnMut(u32)) {
        // It fails only when the callback stops it, which this one does not, or when the scratch is not of this
        // database, which `Workspace::fit` sees to.
        let _ = self.database.scan(data, &scratch.0, |number: u32, _: u64, _: u64, _: u32| {
            found(number);
            Matching::Continue
        });
    }
}

/// What Hyperscan needs beside a set to scan with it: one for each worker, fit for any of the sets it was made for.
pub struct Workspace(Scratch);

impl fmt::Debug for Workspace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workspace").field("bytes", &self.0.size().unwrap_or(0)).finish()
    }
}

impl Workspace {
    /// A workspace for all of `sets`; `None` when there are none.
    ///
    /// # Errors
    ///
    /// [`EngineError`] when there is no memory for it.
    pub fn fit<'a>(sets: impl IntoIterator<Item = &'a LiteralSet>) -> Result<Option<Self>, EngineError> {
        let refused = |error| EngineError::new("allocating scratch", error);
        let mut scratch: Option<Scratch> = None;
        for set in sets {
            match &mut scratch {
                None => scratch = Some(set.database.alloc_scratch().map_err(refused)?),
                Some(scratch) => set.database.realloc_scratch(scratch).map(|_| ()).map_err(refused)?,
            }
        }
        Ok(scratch.map(Self))
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> usize {
        self.0.size().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn literal(bytes: &[u8], nocase: bool) -> Literal {
        Literal { bytes: bytes.to_vec(), nocase }
    }

    fn found(set: &LiteralSet, data: &[u8]) -> Vec<u32> {
        let scratch = Workspace::fit([set]).unwrap().unwrap();
        let mut numbers = Vec::new();
        set.scan(data, &scratch, |number| numbers.push(number));
        numbers.sort_unstable();
        numbers
    }

    #[test]
    fn finds_each_literal_once_and_minds_the_case() {
        let literals =
            [literal(b"abc", false), literal(b"ABC", true), literal(b"\0\xff", false), literal(b"x", false)];
        let set = LiteralSet::compile(&literals).unwrap();
        assert_eq!(found(&set, b"..aBc..aBc.."), [1]);
        assert_eq!(found(&set, b"abcabc \0\xff"), [0, 1, 2]);
        assert_eq!(found(&set, b""), []);
        assert_eq!((set.len(), set.longest(), set.is_empty()), (4, 3, false));
    }

    #[test]
    fn a_set_survives_serialisation_and_damage_is_refused() {
        let literals = [literal(b"needle", false), literal(b"pin", true)];
        let set = LiteralSet::compile(&literals).unwrap();
        let mut bytes = set.serialize().unwrap();
        let again = LiteralSet::deserialize(&bytes, &literals).unwrap();
        assert_eq!(found(&again, b"a needle and a PIN"), [0, 1]);
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x55;
        assert!(LiteralSet::deserialize(&bytes, &literals).is_err());
        assert!(LiteralSet::deserialize(&bytes[..8], &literals).is_err());
    }
}
