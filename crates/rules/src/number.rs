//! Numbers and comparisons as Suricata 7's integer keywords write them: `5`, `=5`, `!5`, `!=5`, `<5`, `<=5`, `>5`,
//! `>=5`, and `5<>9` or `5-9`, which both mean above 5 and below 9.

use crate::ir::Comparison;
use crate::refusal::Outcome;
use crate::syntax::Span;

/// What a comparison may look like.
pub(crate) const EXPECTED: &str =
    "a number, or one after =, !, !=, <, <=, > or >=, or a range low<>high that leaves one";

/// A number in decimal digits, without sign.
pub(crate) fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// A number in decimal digits or, after `0x`, in hexadecimal ones.
pub(crate) fn hexadecimal_or_decimal(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u64::from_str_radix(digits, 16).ok()
        }
        Some(_) => None,
        None => decimal(text),
    }
}

/// A number of at most `max` behind an optional minus.
pub(crate) fn signed(text: &str, max: i32) -> Option<i32> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    let value: i32 = decimal(digits)?;
    (value <= max).then_some(if negative { -value } else { value })
}

/// A comparison with numbers of at most `max`.
pub(crate) fn comparison(text: &str, max: u64) -> Option<Comparison<u64>> {
    let text = text.trim();
    let number = |text: &str| decimal::<u64>(text.trim()).filter(|&value| value <= max);
    if let Some((low, high)) = text.split_once("<>").or_else(|| text.split_once('-')) {
        let (low, high) = (number(low)?, number(high)?);
        // Both ends are left out, so a range needs room for a number between them.
        return (high > low && high - low > 1).then_some(Comparison::Between(low, high));
    }
    let of = |prefix: &str| text.strip_prefix(prefix);
    Some(if let Some(rest) = of("!=").or_else(|| of("!")) {
        Comparison::NotEqual(number(rest)?)
    } else if let Some(rest) = of("<=") {
        Comparison::LessOrEqual(number(rest)?)
    } else if let Some(rest) = of(">=") {
        Comparison::GreaterOrEqual(number(rest)?)
    } else if let Some(rest) = of("<") {
        Comparison::Less(number(rest).filter(|&value| value > 0)?)
    } else if let Some(rest) = of(">") {
        Comparison::Greater(number(rest).filter(|&value| value < max)?)
    } else {
        Comparison::Equal(number(of("=").unwrap_or(text))?)
    })
}

/// The comparison that `value` holds, with numbers of at most `max`, where a range includes its ends: `3<>4` or `3-4`.
pub(crate) fn comparison_with_ends_of(value: Span<'_>, max: u32) -> Outcome<Comparison<u64>> {
    let text = value.text.trim();
    let Some((low, high)) = text.split_once("<>").or_else(|| text.split_once('-')) else {
        return comparison_of(value, u64::from(max));
    };
    let number = |text: &str| decimal::<u32>(text.trim()).filter(|&value| value <= max).map(u64::from);
    match (number(low), number(high)) {
        // The reference has no range from 0.
        (Some(low), Some(high)) if 0 < low && low < high => Ok(Comparison::Between(low - 1, high + 1)),
        _ => {
            Err(value.invalid("a number, one after =, !, !=, <, <=, > or >=, or a range low<>high from 1 on"))
        }
    }
}

/// The comparison that `value` holds, with numbers that fit `T`.
pub(crate) fn comparison_of<T: TryFrom<u64> + Default>(value: Span<'_>, max: T) -> Outcome<Comparison<T>>
where
    u64: From<T>,
{
    let comparison = comparison(value.text, u64::from(max)).ok_or_else(|| value.invalid(EXPECTED))?;
    // Every number was found to be at most `max`.
    Ok(comparison.map(|number| T::try_from(number).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparisons() {
        let parse = |text| comparison(text, 255);
        assert_eq!(parse(" 5 "), Some(Comparison::Equal(5)));
        assert_eq!(parse("=5"), Some(Comparison::Equal(5)));
        assert_eq!(parse("! 5"), Some(Comparison::NotEqual(5)));
        assert_eq!(parse("!=5"), Some(Comparison::NotEqual(5)));
        assert_eq!(parse("<= 5"), Some(Comparison::LessOrEqual(5)));
        assert_eq!(parse(">=255"), Some(Comparison::GreaterOrEqual(255)));
        assert_eq!(parse("<5"), Some(Comparison::Less(5)));
        assert_eq!(parse("> 5"), Some(Comparison::Greater(5)));
        assert_eq!(parse("5 <> 9"), Some(Comparison::Between(5, 9)));
        assert_eq!(parse("5-7"), Some(Comparison::Between(5, 7)));
        for wrong in [
            "", "x", "-1", "256", "<0", ">255", "5<>6", "9<>5", "5-", "==5", "!5-9", "0x10", "5,6", "<=>5",
            "+5",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_of_other_kinds() {
        assert_eq!(hexadecimal_or_decimal("0x1F"), Some(31));
        assert_eq!(hexadecimal_or_decimal("0x+1"), None);
        assert_eq!(hexadecimal_or_decimal("31"), Some(31));
        assert_eq!(signed("-5", 10), Some(-5));
        assert_eq!(signed("11", 10), None);
        assert_eq!(signed("--5", 10), None);
    }
}
