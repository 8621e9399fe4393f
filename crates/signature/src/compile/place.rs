//! Where in its buffer a content can be, by what the rule says about its position.

use rules::ir::{Condition, Content, Number, Rule};

/// Bounds of where a content is: it begins at `first` or later, and ends at `end` or earlier if there is an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// Where it begins at the earliest.
    pub first: usize,
    /// Behind which byte it ends at the latest.
    pub end: Option<usize>,
}

impl Place {
    /// The buffer's beginning.
    const BEGINNING: Self = Self { first: 0, end: Some(0) };
    /// Anywhere.
    const ANYWHERE: Self = Self { first: 0, end: None };

    /// Where a content of `len` bytes begins, if that is the only place for it.
    pub fn fixed(self, len: usize) -> Option<usize> {
        (self.end? == self.first.checked_add(len)?).then_some(self.first)
    }
}

/// The place of a content of `rule`.
pub(super) fn place(rule: &Rule, group: usize, condition: usize) -> Place {
    let Some(conditions) = rule.groups.get(group).map(|group| &group.conditions) else {
        return Place::ANYWHERE;
    };
    // Where the last match can have ended.
    let mut cursor = Place::BEGINNING;
    for before in conditions.iter().take(condition) {
        match before {
            Condition::Content(content) if content.negated => {}
            Condition::Content(content) => {
                let place = after(content, cursor);
                cursor = Place { first: place.first.saturating_add(content.pattern.len()), ..place };
            }
            // Some of these do not move it; to think that they do is safe.
            _ => cursor = Place::ANYWHERE,
        }
    }
    match conditions.get(condition) {
        Some(Condition::Content(content)) => after(content, cursor),
        _ => Place::ANYWHERE,
    }
}

/// The place of a content when the last match ended within `cursor`.
fn after(content: &Content, cursor: Place) -> Place {
    let unsigned = |number: Number<u32>| match number {
        Number::Literal(value) => usize::try_from(value).ok(),
        Number::Variable(_) => None,
    };
    let signed = |number: Option<Number<i32>>| match number {
        None => Some(0),
        Some(Number::Literal(value)) => Some(value as isize),
        Some(Number::Variable(_)) => None,
    };
    let mut place = Place::ANYWHERE;
    let mut ends_by = |end: usize| place.end = Some(place.end.map_or(end, |before| before.min(end)));
    let mut first = 0;
    if content.is_relative()
        && let Some(distance) = signed(content.distance)
    {
        first = cursor.first.saturating_add_signed(distance);
        if content.within.is_some()
            && let (Some(end), Some(within)) = (cursor.end, signed(content.within))
        {
            ends_by(end.saturating_add_signed(distance.saturating_add(within)));
        }
    }
    let offset = content.offset.map_or(Some(0), unsigned);
    first = first.max(offset.unwrap_or(0));
    if let (Some(offset), Some(depth)) = (offset, content.depth.and_then(unsigned)) {
        ends_by(offset.saturating_add(depth));
    }
    if content.startswith {
        ends_by(content.pattern.len());
    }
    Place { first, ..place }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The place of the last content of a rule with these options.
    fn last(options: &str) -> Place {
        let text = format!("alert tcp any any -> any any (msg:\"m\"; {options} sid:1;)");
        let parsed = rules::parse_file(text.as_bytes(), 0, &rules::Environment::default());
        assert!(parsed.refused.is_empty(), "{:?}", parsed.refused);
        let rule = parsed.rules.first().unwrap();
        place(rule, 0, rule.groups.first().unwrap().conditions.len() - 1)
    }

    #[test]
    fn a_content_is_where_the_rule_says() {
        let cases = [
            ("content:\"abc\";", (0, None)),
            ("content:\"abc\"; offset:4;", (4, None)),
            ("content:\"abc\"; depth:3;", (0, Some(3))),
            ("content:\"abc\"; offset:4; depth:9;", (4, Some(13))),
            ("content:\"abc\"; startswith;", (0, Some(3))),
            ("content:\"|00|\"; depth:1; content:\"|ff|SMB\"; distance:3; within:4;", (4, Some(8))),
            ("content:\"|00|\"; depth:1; content:\"b\"; distance:3;", (4, None)),
            ("content:\"a\"; content:\"b\"; within:4;", (1, None)),
            ("content:\"abc\"; depth:9; content:\"b\"; distance:-2; within:4;", (1, Some(11))),
            ("content:\"a\"; depth:1; content:!\"x\"; content:\"b\"; within:1;", (1, Some(2))),
            ("content:\"a\"; depth:1; pcre:\"/x/R\"; content:\"b\"; within:1;", (0, None)),
            ("content:\"a\"; depth:1; byte_jump:1,0,relative; content:\"b\"; distance:0;", (0, None)),
        ];
        for (options, (first, end)) in cases {
            assert_eq!(last(options), Place { first, end }, "{options}");
        }
    }

    #[test]
    fn a_place_is_fixed_when_there_is_no_other() {
        assert_eq!(Place { first: 4, end: Some(8) }.fixed(4), Some(4));
        assert_eq!(Place { first: 4, end: Some(9) }.fixed(4), None);
        assert_eq!(Place::ANYWHERE.fixed(4), None);
    }
}
