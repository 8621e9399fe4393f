//! "Did you mean": the nearest of the names that exist.

/// Nobody mistypes a longer word; comparing one would cost its length times every candidate's.
const WORD_BYTES_MAX: usize = 128;

/// The candidate nearest to `word` by edit distance, if it is near enough to be a slip of the fingers: at most one
/// edit in every three characters.
pub(crate) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > WORD_BYTES_MAX {
        return None;
    }
    let letters = word.chars().count();
    let allowed = (letters / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(edits, _)| *edits <= allowed && *edits < letters)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    let mut previous: Option<char> = None;
    for (row, ca) in a.chars().enumerate() {
        let mut current = Vec::with_capacity(b.len() + 1);
        let mut left = row + 1;
        current.push(left);
        let mut left_char: Option<char> = None;
        for (column, cb) in b.iter().copied().enumerate() {
            let diagonal = above.get(column).copied().unwrap_or(usize::MAX - 1);
            let up = above.get(column + 1).copied().unwrap_or(usize::MAX - 1);
            let mut best = (diagonal + usize::from(ca != cb)).min(up + 1).min(left + 1);
            if previous == Some(cb) && left_char == Some(ca) && column > 0 {
                let swapped = before.get(column - 1).copied().unwrap_or(usize::MAX - 1);
                best = best.min(swapped + 1);
            }
            current.push(best);
            left = best;
            left_char = Some(cb);
        }
        before = std::mem::replace(&mut above, current);
        previous = Some(ca);
    }
    above.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::{closest, distance};

    #[test]
    fn edits_are_counted() {
        for (a, b, edits) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("tenant", "tenant", 0),
            ("tenatn", "tenant", 1),
            ("tenat", "tenant", 1),
            ("tenants", "tenant", 1),
            ("bank-west", "bank-east", 2),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn only_near_names_are_offered() {
        let names = ["workers", "burst", "flows_max"];
        assert_eq!(closest("worker", names), Some("workers"));
        assert_eq!(closest("flow_max", names), Some("flows_max"));
        assert_eq!(closest("hugepages", names), None);
        assert_eq!(closest("x", names), None);
        assert_eq!(closest("a", ["b"]), None);
        assert_eq!(closest(&"a".repeat(1000), names), None);
    }
}
