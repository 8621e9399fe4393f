//! `content`: where it may be, and whether it is there.

use analyze::View;
use memchr::memmem::Finder;
use rules::ir;

use super::Scratch;

/// A `content` ready to be looked for.
#[derive(Debug)]
pub struct Content {
    rule: ir::Content,
    /// The pattern; in lower case if case does not matter.
    finder: Finder<'static>,
    /// Both cases of the first byte, if case does not matter.
    first: [u8; 2],
}

impl Content {
    /// Makes it ready.
    pub fn new(rule: &ir::Content) -> Self {
        let mut rule = rule.clone();
        if rule.nocase {
            rule.pattern.make_ascii_lowercase();
        }
        let first = rule.pattern.first().copied().unwrap_or(0);
        Self {
            finder: Finder::new(&rule.pattern).into_owned(),
            first: [first, first.to_ascii_uppercase()],
            rule,
        }
    }

    pub(super) const fn negated(&self) -> bool {
        self.rule.negated
    }

    pub(super) const fn relative_next(&self) -> bool {
        self.rule.relative_next
    }

    pub(super) const fn len(&self) -> usize {
        self.rule.pattern.len()
    }

    /// The part of the buffer, from and to, in which it must lie whole; `None` when it has no room there.
    pub(super) fn range(&self, view: View<'_>, cursor: usize, scratch: &Scratch) -> Option<(usize, usize)> {
        let rule = &self.rule;
        let len = view.bytes.len() as i64;
        let (mut from, mut to) = (0_i64, len);
        if rule.is_relative() {
            let distance = rule.distance.map_or(0, |distance| scratch.number(distance));
            from = (cursor as i64).saturating_add(distance).max(0);
            if let Some(within) = rule.within {
                to = to.min((cursor as i64).saturating_add(distance).saturating_add(scratch.number(within)));
            }
        }
        let offset = rule.offset.map(|offset| scratch.number(offset));
        if rule.offset.is_some() || rule.depth.is_some() || rule.startswith {
            // Counted from the beginning of the whole buffer, of which this may be a later part.
            let base = i64::try_from(view.offset).unwrap_or(i64::MAX);
            let offset = offset.unwrap_or(0);
            from = from.max(offset.saturating_sub(base));
            if let Some(depth) = rule.depth {
                to = to.min(offset.saturating_add(scratch.number(depth)).saturating_sub(base));
            }
            if rule.startswith {
                to = to.min((self.len() as i64).saturating_sub(base));
            }
        }
        if rule.endswith {
            if !view.complete {
                return None;
            }
            from = from.max(len - self.len() as i64);
        }
        (from >= 0 && from + self.len() as i64 <= to).then_some((from as usize, to as usize))
    }

    /// Where it begins for the first time within `range`.
    #[inline]
    pub(super) fn find(&self, view: View<'_>, (from, to): (usize, usize)) -> Option<usize> {
        let bytes = view.bytes.get(from..to)?;
        let at = if self.rule.nocase { self.find_nocase(bytes) } else { self.find_exact(bytes) }?;
        let at = from + at;
        (!self.rule.endswith || at + self.len() == view.bytes.len()).then_some(at)
    }

    #[inline]
    fn find_exact(&self, bytes: &[u8]) -> Option<usize> {
        let pattern = self.finder.needle();
        if bytes.len() == pattern.len() {
            return (bytes == pattern).then_some(0);
        }
        self.finder.find(bytes)
    }

    fn find_nocase(&self, bytes: &[u8]) -> Option<usize> {
        let pattern = self.finder.needle();
        let last = bytes.len().checked_sub(pattern.len())?;
        let [lower, upper] = self.first;
        let mut from = 0;
        while let Some(at) = memchr::memchr2(lower, upper, bytes.get(from..=last)?) {
            let at = from + at;
            if bytes.get(at..at + pattern.len())?.eq_ignore_ascii_case(pattern) {
                return Some(at);
            }
            from = at + 1;
        }
        None
    }
}
