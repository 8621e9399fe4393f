//! Patterns with one fixed place: whether they are there is a comparison.
//!
//! For each place the bytes there are read once, as a number, and a small table says whether any pattern begins with
//! them. Most often none does, which costs a few instructions for all patterns of the place together.

use super::RuleIndex;
use crate::literal::Literal;

/// Bytes of a pattern that its table goes by; of a shorter one, all.
const KEY_BYTES: usize = 4;

/// Patterns with a fixed place, and the rules that each of them speaks for.
#[derive(Debug, Default)]
pub struct Anchors {
    places: Vec<AnchorPlace>,
}

/// The patterns of one place that are compared in one way.
#[derive(Debug)]
struct AnchorPlace {
    at: usize,
    /// How many bytes of it are the key: one to [`KEY_BYTES`].
    key_bytes: usize,
    /// Patterns are in lower case, and letters of either case match.
    nocase: bool,
    /// A bit for each key that there is, by [`filter_bit`].
    filter: Box<[u64; FILTER_WORDS]>,
    /// In order of keys.
    patterns: Vec<Anchored>,
}

#[derive(Debug)]
struct Anchored {
    key: u32,
    bytes: Box<[u8]>,
    rule: RuleIndex,
}

const FILTER_WORDS: usize = 64;

/// Multiplicative hashing: the upper bits depend on all of the key.
const fn filter_bit(key: u32) -> (usize, u64) {
    let hash = key.wrapping_mul(0x9e37_79b1) >> 20;
    ((hash >> 6) as usize, 1 << (hash & 63))
}

/// The first `len` bytes as a number; `None` when there are fewer.
#[inline]
fn number(bytes: &[u8], len: usize) -> Option<u32> {
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

impl Anchors {
    /// Literals, each with its place and its rule.
    pub(super) fn new(anchored: Vec<(usize, Literal, RuleIndex)>) -> Self {
        let mut places: Vec<AnchorPlace> = Vec::new();
        for (at, literal, rule) in anchored {
            // Hyperscan has no empty patterns either.
            let key_bytes = literal.bytes.len().clamp(1, KEY_BYTES);
            let Some(key) = number(&literal.bytes, key_bytes) else { continue };
            let kind = (at, key_bytes, literal.nocase);
            let same = |place: &AnchorPlace| (place.at, place.key_bytes, place.nocase) == kind;
            let index = places.iter().position(same).unwrap_or_else(|| {
                places.push(AnchorPlace {
                    at,
                    key_bytes,
                    nocase: literal.nocase,
                    filter: Box::new([0; FILTER_WORDS]),
                    patterns: Vec::new(),
                });
                places.len() - 1
            });
            let Some(place) = places.get_mut(index) else { continue };
            let (word, bit) = filter_bit(key);
            if let Some(word) = place.filter.get_mut(word) {
                *word |= bit;
            }
            place.patterns.push(Anchored { key, bytes: literal.bytes.into(), rule });
        }
        for place in &mut places {
            place.patterns.sort_by_key(|anchored| anchored.key);
        }
        places.sort_by_key(|place| place.at);
        Self { places }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Calls `found` with the rule of each pattern that is in its place and ends behind byte `fresh`.
    #[inline]
    pub fn find(&self, bytes: &[u8], fresh: usize, mut found: impl FnMut(RuleIndex)) {
        for place in &self.places {
            let Some(there) = bytes.get(place.at..) else { return };
            let Some(key) = number(there, place.key_bytes) else { continue };
            let key = if place.nocase { lower(key) } else { key };
            let (word, bit) = filter_bit(key);
            if place.filter.get(word).is_none_or(|word| word & bit == 0) {
                continue;
            }
            let first = place.patterns.partition_point(|anchored| anchored.key < key);
            let behind = place.patterns.iter().skip(first);
            for anchored in behind.take_while(|anchored| anchored.key == key) {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn anchors(patterns: &[(usize, &str, bool)]) -> Anchors {
        let literal = |text: &str, nocase| Literal { bytes: text.as_bytes().to_vec(), nocase };
        let numbered = patterns.iter().zip(0..);
        Anchors::new(
            numbered.map(|(&(at, text, nocase), number)| (at, literal(text, nocase), number)).collect(),
        )
    }

    fn found(anchors: &Anchors, bytes: &str, fresh: usize) -> Vec<RuleIndex> {
        let mut rules = Vec::new();
        anchors.find(bytes.as_bytes(), fresh, |rule| rules.push(rule));
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
