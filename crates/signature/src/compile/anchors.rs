//! Patterns with one fixed place: whether they are there is a comparison.
//!
//! For each place the bytes there are read once, as a number, and a small table says whether any pattern begins with
//! them. Most often none does, which costs a few instructions for all patterns of the place together.

use std::collections::BTreeMap;

use super::header::{DistinctHeaders, Ends};
use super::{Ready, RuleIndex};
use crate::literal::Literal;

/// Bytes of a pattern that its table goes by; of a shorter one, all.
const KEY_BYTES: usize = 4;
/// Bits of the filter for each pattern: few keys get past it by chance.
const FILTER_BITS: usize = 16;
/// Places that are told apart for a flow; those beyond are looked at for every flow.
const TOLD_APART: usize = 32;

/// Patterns with a fixed place, and the rules that each of them speaks for.
#[derive(Debug, Default)]
pub struct Anchors {
    places: Vec<AnchorPlace>,
    /// The filters of all places, one behind the other: a bit for each key that there is.
    filters: Vec<u64>,
    /// The patterns of all places, one place behind the other, in order of keys.
    patterns: Vec<Anchored>,
    /// What the rules of each place are about.
    headers: Vec<DistinctHeaders>,
}

/// The patterns of one place that are compared in one way. Small, since all of them are read for every packet.
#[derive(Debug)]
struct AnchorPlace {
    at: usize,
    /// Where in `filters` its words begin; it has a power of two of them, less one of which is `filter_mask`.
    filter: u32,
    filter_mask: u32,
    /// Its part of `patterns`.
    patterns: (u32, u32),
    /// How many bytes of it are the key: one to [`KEY_BYTES`].
    key_bytes: u8,
    /// Patterns are in lower case, and letters of either case match.
    nocase: bool,
}

#[derive(Debug)]
struct Anchored {
    key: u32,
    bytes: Box<[u8]>,
    rule: RuleIndex,
}

/// Multiplicative hashing: the upper bits depend on all of the key.
const fn hash(key: u32) -> u32 {
    key.wrapping_mul(0x9e37_79b1)
}

impl AnchorPlace {
    /// The word of `filters` and the bit in it that stand for a key.
    const fn filter_bit(&self, key: u32) -> (usize, u64) {
        let hash = hash(key);
        ((self.filter + (hash >> 8 & self.filter_mask)) as usize, 1 << (hash >> 26))
    }
}

/// The first `len` bytes as a number; `None` when there are fewer.
#[inline]
fn number(bytes: &[u8], len: u8) -> Option<u32> {
    let len = usize::from(len);
    if let Some(four) = bytes.first_chunk::<KEY_BYTES>() {
        return Some(u32::from_le_bytes(*four) & (u32::MAX >> (8 * (KEY_BYTES - len))));
    }
    let bytes = bytes.get(..len)?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u32::from(byte)))
}

/// ASCII letters among the four bytes in lower case.
const fn lower(word: u32) -> u32 {
    let [a, b, c, d] = word.to_le_bytes();
    u32::from_le_bytes([
        a.to_ascii_lowercase(),
        b.to_ascii_lowercase(),
        c.to_ascii_lowercase(),
        d.to_ascii_lowercase(),
    ])
}

/// Where patterns are compared, how many bytes are their key, and whether in either case.
type Kind = (usize, u8, bool);

impl Anchors {
    /// Literals, each with its place and its rule.
    pub(super) fn new(anchored: Vec<(usize, Literal, RuleIndex)>, rules: &[Ready]) -> Self {
        let mut by_kind: BTreeMap<Kind, Vec<Anchored>> = BTreeMap::new();
        for (at, literal, rule) in anchored {
            let key_bytes = literal.bytes.len().clamp(1, KEY_BYTES) as u8;
            let Some(key) = number(&literal.bytes, key_bytes) else { continue };
            let pattern = Anchored { key, bytes: literal.bytes.into(), rule };
            by_kind.entry((at, key_bytes, literal.nocase)).or_default().push(pattern);
        }
        let mut anchors = Self::default();
        for ((at, key_bytes, nocase), mut patterns) in by_kind {
            patterns.sort_by_key(|anchored| anchored.key);
            let words = (patterns.len() * FILTER_BITS).div_ceil(64).next_power_of_two();
            let first = anchors.patterns.len() as u32;
            let place = AnchorPlace {
                at,
                filter: anchors.filters.len() as u32,
                filter_mask: words as u32 - 1,
                patterns: (first, first + patterns.len() as u32),
                key_bytes,
                nocase,
            };
            anchors.filters.resize(anchors.filters.len() + words, 0);
            for anchored in &patterns {
                let (word, bit) = place.filter_bit(anchored.key);
                if let Some(word) = anchors.filters.get_mut(word) {
                    *word |= bit;
                }
            }
            let headers = patterns.iter().filter_map(|anchored| rules.get(anchored.rule as usize));
            anchors.headers.push(DistinctHeaders::of(headers.map(|rule| &rule.header)));
            anchors.places.push(place);
            anchors.patterns.append(&mut patterns);
        }
        anchors
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The places whose rules can be about packets between `ends`, as bits for [`Anchors::find`].
    pub fn needed(&self, ends: &Ends) -> u32 {
        let places = self.headers.iter().take(TOLD_APART).enumerate();
        places.fold(0, |bits, (place, headers)| bits | u32::from(headers.cover(ends)) << place)
    }

    /// Calls `found` with the rule of each pattern that is in its place, of the places that `needed` says, and ends
    /// behind byte `fresh`.
    #[inline]
    pub fn find(&self, bytes: &[u8], needed: u32, fresh: usize, mut found: impl FnMut(RuleIndex)) {
        let mut bits = needed;
        while bits != 0 {
            if let Some(place) = self.places.get(bits.trailing_zeros() as usize) {
                self.compare(place, bytes, fresh, &mut found);
            }
            bits &= bits - 1;
        }
        for place in self.places.iter().skip(TOLD_APART) {
            self.compare(place, bytes, fresh, &mut found);
        }
    }

    #[inline]
    fn compare(&self, place: &AnchorPlace, bytes: &[u8], fresh: usize, found: &mut impl FnMut(RuleIndex)) {
        let Some(there) = bytes.get(place.at..) else { return };
        let Some(key) = number(there, place.key_bytes) else { return };
        let key = if place.nocase { lower(key) } else { key };
        let (word, bit) = place.filter_bit(key);
        if self.filters.get(word).is_none_or(|word| word & bit == 0) {
            return;
        }
        let (first, behind) = place.patterns;
        let patterns = self.patterns.get(first as usize..behind as usize).unwrap_or_default();
        let first = patterns.partition_point(|anchored| anchored.key < key);
        for anchored in patterns.iter().skip(first).take_while(|anchored| anchored.key == key) {
            let Some(there) = there.get(..anchored.bytes.len()) else { continue };
            let same = if place.nocase {
                there.eq_ignore_ascii_case(&anchored.bytes)
            } else {
                *there == *anchored.bytes
            };
            if same && place.at + there.len() > fresh {
                found(anchored.rule);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors(patterns: &[(usize, &str, bool)]) -> Anchors {
        let literal = |text: &str, nocase| Literal { bytes: text.as_bytes().to_vec(), nocase };
        let numbered = patterns.iter().zip(0..);
        Anchors::new(
            numbered.map(|(&(at, text, nocase), number)| (at, literal(text, nocase), number)).collect(),
            &[],
        )
    }

    fn found(anchors: &Anchors, bytes: &str, fresh: usize) -> Vec<RuleIndex> {
        let mut rules = Vec::new();
        anchors.find(bytes.as_bytes(), u32::MAX, fresh, |rule| rules.push(rule));
        rules.sort_unstable();
        rules
    }

    #[test]
    fn patterns_are_found_in_their_place_only() {
        let anchors = anchors(&[
            (0, "abc", false),
            (0, "abcd", false),
            (0, "abcdefgh", false),
            (2, "cde", false),
            (0, "ABC-".to_lowercase().as_str(), true),
            (5, "xyz", true),
            (1, "b", false),
            (1, "BC".to_lowercase().as_str(), true),
        ]);
        assert_eq!(found(&anchors, "abc", 0), [0, 6, 7]);
        assert_eq!(found(&anchors, "ab", 0), [6]);
        assert_eq!(found(&anchors, "abcde", 0), [0, 1, 3, 6, 7]);
        assert_eq!(found(&anchors, "abcdefgh", 0), [0, 1, 2, 3, 6, 7]);
        assert_eq!(found(&anchors, " abcdefgh", 0), []);
        assert_eq!(found(&anchors, "aBc-.XyZ", 0), [4, 5, 7]);
        assert_eq!(found(&anchors, "", 0), []);
    }

    #[test]
    fn what_was_seen_before_is_not_found_again() {
        let anchors = anchors(&[(0, "abc", false), (4, "efgh", false)]);
        assert_eq!(found(&anchors, "abcdefgh", 2), [0, 1]);
        assert_eq!(found(&anchors, "abcdefgh", 3), [1]);
        assert_eq!(found(&anchors, "abcdefgh", 8), []);
    }
}
