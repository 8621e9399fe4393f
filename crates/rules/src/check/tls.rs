//! Conditions on TLS that are not buffers: versions, states, dates, and the older keywords for certificates.

use app::{Buffer, Direction, Protocol};

use crate::ir::{AppCondition, AppProtocol, Comparison, Condition, Content};
use crate::number::decimal;
use crate::refusal::Outcome;
use crate::syntax::Span;

use super::builder::Builder;
use super::keyword::Keyword;

/// Versions by name, and as on the wire.
const VERSIONS: [(&str, u64); 6] = [
    ("sslv2", 0x0200),
    ("sslv3", 0x0300),
    ("tls1.0", 0x0301),
    ("tls1.1", 0x0302),
    ("tls1.2", 0x0303),
    ("tls1.3", 0x0304),
];

fn require(builder: &mut Builder<'_>) -> Outcome {
    builder.require(AppProtocol::Only(Protocol::Tls))
}

pub(super) fn version(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let raw = || u16::from_str_radix(value.text.strip_prefix("0x")?, 16).ok().map(u64::from);
    let named = VERSIONS.iter().find(|row| row.0.strip_prefix("tls") == Some(value.text)).map(|row| row.1);
    let version =
        named.or_else(raw).ok_or_else(|| value.invalid("1.0, 1.1, 1.2, 1.3 or 0x and four digits"))?;
    require(builder)?;
    builder.application(AppCondition::Number { field: keyword.name, value: Comparison::Equal(version) })
}

pub(super) fn versions(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let mut values: Vec<(u64, bool)> = Vec::new();
    for part in value.split(',') {
        let (name, negated) = part.strip_prefix("!").map_or((part, false), |rest| (rest.trim(), true));
        let version = VERSIONS.iter().find(|row| row.0.eq_ignore_ascii_case(name.text)).map(|row| row.1);
        let version =
            version.ok_or_else(|| part.invalid("sslv2, sslv3, tls1.0, tls1.1, tls1.2 or tls1.3"))?;
        if values.iter().any(|&(other, sign)| other == version || sign != negated) {
            return Err(part.invalid("different versions, either all or none of them with !"));
        }
        values.push((version, negated));
    }
    require(builder)?;
    if values.iter().any(|value| value.1) {
        // None of them: as many conditions, each of which must hold.
        for value in values {
            builder.application(AppCondition::AnyOf { field: keyword.name, values: vec![value] })?;
        }
        return Ok(());
    }
    builder.application(AppCondition::AnyOf { field: keyword.name, values })
}

/// States of a handshake, from 0.
const STATES: [&str; 5] = ["unknown", "client_hello", "server_hello", "client_keyx", "server_keyx"];

pub(super) fn states(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let separator = if value.text.contains('|') { '|' } else { ',' };
    let mut values = Vec::new();
    for part in value.split(separator) {
        let (name, negated) = part.strip_prefix("!").map_or((part, false), |rest| (rest.trim(), true));
        let state = STATES.iter().position(|state| *state == name.text);
        let state = state
            .ok_or_else(|| part.invalid("client_hello, server_hello, client_keyx, server_keyx or unknown"))?;
        values.push((state as u64, negated));
    }
    require(builder)?;
    builder.application(AppCondition::AnyOf { field: keyword.name, values })
}

pub(super) fn validity(builder: &mut Builder<'_>, keyword: &Keyword, _: Span<'_>, _: bool) -> Outcome {
    require(builder)?;
    builder.only(Direction::ToClient)?;
    builder.application(AppCondition::Is { field: keyword.name, negated: false })
}

pub(super) fn date(builder: &mut Builder<'_>, keyword: &Keyword, value: Span<'_>, _: bool) -> Outcome {
    let expected = "a date as 2016, 2016-01, 2016-01-02, 2016-01-02T10:11:12 or in seconds since 1970, perhaps after \
                    < or >, or two with <> between them";
    let parse = |text: &str| seconds(text.trim()).ok_or_else(|| value.invalid(expected));
    let compared = if let Some((low, high)) = value.text.split_once("<>") {
        Comparison::Between(parse(low)?, parse(high)?)
    } else if let Some(rest) = value.text.strip_prefix('<') {
        Comparison::Less(parse(rest)?)
    } else if let Some(rest) = value.text.strip_prefix('>') {
        Comparison::Greater(parse(rest)?)
    } else {
        Comparison::Equal(parse(value.text)?)
    };
    require(builder)?;
    builder.only(Direction::ToClient)?;
    builder.application(AppCondition::Number { field: keyword.name, value: compared })
}

/// Seconds since 1970 of a date in UTC, of which the year must be given.
fn seconds(text: &str) -> Option<u64> {
    // Four digits are a year.
    if text.len() > 4
        && let Some(seconds) = decimal(text)
    {
        return Some(seconds);
    }
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let mut date = date.splitn(3, '-');
    let year: i64 = date.next().filter(|year| year.len() == 4).and_then(decimal)?;
    let mut part = |least: i64, most: i64| match date.next() {
        None => Some(least),
        Some(text) => decimal::<i64>(text).filter(|number| (least..=most).contains(number)),
    };
    let (month, day) = (part(1, 12)?, part(1, 31)?);
    let mut clock = [0_u64; 3];
    if !time.is_empty() {
        let mut parts = time.split(':');
        for (slot, most) in clock.iter_mut().zip([23, 59, 59]) {
            let Some(text) = parts.next() else { break };
            *slot = decimal(text).filter(|number| *number <= most)?;
        }
        if parts.next().is_some() {
            return None;
        }
    }
    // Days from civil (the proleptic Gregorian calendar), with years that begin in March.
    let shifted = if month <= 2 { year - 1 } else { year };
    let of_era = shifted.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        shifted.div_euclid(400) * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719_468;
    let [hours, minutes, seconds] = clock;
    u64::try_from(days * 86_400).ok()?.checked_add(hours * 3600 + minutes * 60 + seconds)
}

/// Length of a fingerprint: 20 bytes in hexadecimal with colons between.
pub(super) const FINGERPRINT_LEN: usize = 59;

pub(super) fn certificate(
    builder: &mut Builder<'_>,
    keyword: &Keyword,
    value: Span<'_>,
    negated: bool,
) -> Outcome {
    let mut content = Content { pattern: super::content::unescape(value)?, negated, ..Content::default() };
    let buffer = match keyword.name {
        "tls.subject" => Buffer::TlsCertSubject,
        "tls.issuerdn" => Buffer::TlsCertIssuer,
        _ => {
            if content.pattern.len() != FINGERPRINT_LEN {
                return Err(value.invalid("20 bytes in hexadecimal with colons between them"));
            }
            content.pattern.make_ascii_lowercase();
            (content.startswith, content.endswith) = (true, true);
            Buffer::TlsCertFingerprint
        }
    };
    require(builder)?;
    builder.separate_group(buffer, Condition::Content(content));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(seconds("1970"), Some(0));
        assert_eq!(seconds("2016"), Some(1_451_606_400));
        assert_eq!(seconds("2016-03"), Some(1_456_790_400));
        assert_eq!(seconds("2016-02-29T10:11:12"), Some(1_456_740_672));
        assert_eq!(seconds("2000-12-31 23:59"), Some(978_307_140));
        assert_eq!(seconds("1451606400"), Some(1_451_606_400));
        for wrong in
            ["", "16", "2016-13", "2016-01-32", "2016-01-01T24:00:00", "2016-1-1T1:1:1:1", "x", "1960"]
        {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
