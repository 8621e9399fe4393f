//! Appending JSON (RFC 8259) to a byte buffer: escaped strings, numbers, addresses and timestamps.
//!
//! Keys and punctuation are literals of the callers; this module writes the values.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const HEX_DIGITS: [u8; 16] = *b"0123456789abcdef";

/// The lower-case hexadecimal digits of a byte, high nibble first.
#[inline]
pub const fn hex(byte: u8) -> [u8; 2] {
    // A nibble is below 16, so neither index can miss.
    [HEX_DIGITS[(byte >> 4) as usize], HEX_DIGITS[(byte & 15) as usize]]
}

/// A number.
#[inline]
pub fn number(to: &mut Vec<u8>, value: u64) {
    to.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Text that needs no escaping: keys and punctuation.
#[inline]
pub fn literal(to: &mut Vec<u8>, text: &str) {
    to.extend_from_slice(text.as_bytes());
}

/// `literal`, a key with its punctuation, and then a number.
#[inline]
pub fn number_after(to: &mut Vec<u8>, literal: &str, value: u64) {
    to.extend_from_slice(literal.as_bytes());
    number(to, value);
}

/// What stands for a byte inside a JSON string: 0 the byte itself, `u` six characters, anything else that character
/// after a backslash.
const fn escape(byte: u8) -> u8 {
    match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0c => b'f',
        b'\r' => b'r',
        0..0x20 => b'u',
        _ => 0,
    }
}

/// The inside of a JSON string, without the quotes: escapes what must be escaped, and leaves other text as UTF-8.
pub fn escaped(to: &mut Vec<u8>, text: &str) {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| escape(byte) != 0) {
        let (plain, from) = rest.split_at(at);
        to.extend_from_slice(plain);
        let Some((&byte, after)) = from.split_first() else { break };
        match escape(byte) {
            b'u' => {
                let [high, low] = hex(byte);
                to.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
            short => to.extend_from_slice(&[b'\\', short]),
        }
        rest = after;
    }
    to.extend_from_slice(rest);
}

/// A string, quotes included.
pub fn string(to: &mut Vec<u8>, text: &str) {
    to.push(b'"');
    escaped(to, text);
    to.push(b'"');
}

/// Bytes from the wire as a string, quotes included. What is not UTF-8 is written as its ASCII with `\\xHH` for each
/// other byte, as the reference does.
pub fn bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    to.push(b'"');
    if let Ok(text) = std::str::from_utf8(bytes) {
        escaped(to, text);
    } else {
        for &byte in bytes {
            match escape(byte) {
                _ if !byte.is_ascii() => {
                    let [high, low] = hex(byte);
                    to.extend_from_slice(&[b'\\', b'\\', b'x', high, low]);
                }
                0 => to.push(byte),
                b'u' => {
                    let [high, low] = hex(byte);
                    to.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
                }
                short => to.extend_from_slice(&[b'\\', short]),
            }
        }
    }
    to.push(b'"');
}

/// An address as EVE writes it, without quotes: IPv4 dotted, IPv6 as eight full groups in lower case.
pub fn address(to: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(v4) => address_v4(to, v4),
        IpAddr::V6(v6) => address_v6(to, v6),
    }
}

fn address_v4(to: &mut Vec<u8>, ip: Ipv4Addr) {
    let [first, rest @ ..] = ip.octets();
    number(to, u64::from(first));
    for octet in rest {
        to.push(b'.');
        number(to, u64::from(octet));
    }
}

fn address_v6(to: &mut Vec<u8>, ip: Ipv6Addr) {
    let mut text = [b':'; 39];
    for (group, segment) in text.chunks_mut(5).zip(ip.segments()) {
        let [high, low] = segment.to_be_bytes();
        let digits = hex(high).into_iter().chain(hex(low));
        group.iter_mut().zip(digits).for_each(|(place, digit)| *place = digit);
    }
    to.extend_from_slice(&text);
}

/// A time in microseconds since the Unix epoch, as EVE writes it in UTC, without quotes:
/// `2023-11-14T22:13:31.966203+0000`.
pub fn timestamp(to: &mut Vec<u8>, time_us: u64) {
    let seconds = time_us / 1_000_000;
    let micros = (time_us % 1_000_000) as u32;
    let (year, month, day) = civil_date(seconds / 86_400);
    let second = (seconds % 86_400) as u32;
    if let Ok(year) = u16::try_from(year)
        && year < 10_000
    {
        let [century, of_century] = [digits(u32::from(year) / 100), digits(u32::from(year) % 100)];
        to.extend_from_slice(&[century[0], century[1], of_century[0], of_century[1]]);
    } else {
        number(to, year);
    }
    let [[mo0, mo1], [d0, d1]] = [digits(month), digits(day)];
    let [[h0, h1], [mi0, mi1], [s0, s1]] =
        [digits(second / 3600), digits(second / 60 % 60), digits(second % 60)];
    let [[u0, u1], [u2, u3], [u4, u5]] =
        [digits(micros / 10_000), digits(micros / 100 % 100), digits(micros % 100)];
    to.extend_from_slice(&[
        b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1, b'.', u0, u1, u2, u3, u4,
        u5, b'+', b'0', b'0', b'0', b'0',
    ]);
}

/// The two decimal digits of a number below 100.
#[inline]
const fn digits(number: u32) -> [u8; 2] {
    [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8]
}

/// Year, month (1-12) and day (1-31) in the proleptic Gregorian calendar of a day counted from 1970-01-01.
///
/// Years are counted from March, so that the leap day is a year's last; 400 such years are always 146,097 days.
const fn civil_date(days_since_epoch: u64) -> (u64, u32, u32) {
    // Days from 0000-03-01 to 1970-01-01.
    const EPOCH: u64 = 719_468;
    let days = days_since_epoch + EPOCH;
    let era = days / 146_097;
    let of_era = (days % 146_097) as u32;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let (month, next_year) =
        if month_from_march < 10 { (month_from_march + 3, 0) } else { (month_from_march - 9, 1) };
    (era * 400 + year_of_era as u64 + next_year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut to = Vec::new();
        write(&mut to);
        String::from_utf8(to).unwrap()
    }

    #[test]
    fn timestamps_are_utc_with_microseconds() {
        for (time_us, text) in [
            (0, "1970-01-01T00:00:00.000000+0000"),
            (1_700_000_011_966_203, "2023-11-14T22:13:31.966203+0000"),
            (951_782_400_000_001, "2000-02-29T00:00:00.000001+0000"),
            (4_107_542_399_999_999, "2100-02-28T23:59:59.999999+0000"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000000+0000"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999+0000"),
            (253_402_300_800_000_000, "10000-01-01T00:00:00.000000+0000"),
            (u64::MAX, "586524-01-19T08:01:49.551615+0000"),
        ] {
            assert_eq!(written(|to| timestamp(to, time_us)), text);
        }
    }

    #[test]
    fn dates_follow_the_calendar_day_by_day() {
        // A slow walk over 1970 to 2600, which has every kind of leap year, by the textbook rule.
        let (mut year, mut month, mut day) = (1970_u64, 1_u32, 1_u32);
        for days in 0..230_000 {
            assert_eq!(civil_date(days), (year, month, day));
            let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
            let month_days = match month {
                2 if leap => 29,
                2 => 28,
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            if day > month_days {
                (month, day) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
    }

    #[test]
    fn addresses_are_written_as_the_reference_does() {
        for (ip, text) in [
            ("0.0.0.0", "0.0.0.0"),
            ("255.10.9.100", "255.10.9.100"),
            ("::", "0000:0000:0000:0000:0000:0000:0000:0000"),
            ("2a04:4e42:1d::84", "2a04:4e42:001d:0000:0000:0000:0000:0084"),
            ("::ffff:1.2.3.4", "0000:0000:0000:0000:0000:ffff:0102:0304"),
        ] {
            assert_eq!(written(|to| address(to, ip.parse().unwrap())), text);
        }
    }

    proptest! {
        #[test]
        fn any_string_reads_back_and_stays_on_one_line(text in any::<String>()) {
            let json = written(|to| string(to, &text));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text.clone());
            prop_assert_eq!(&json, &serde_json::to_string(&text).unwrap());
            prop_assert!(!json.contains('\n'));
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_escaped_one_by_one() {
        for (from, text) in [
            (&b"plain"[..], "\"plain\""),
            ("\u{e9}\n".as_bytes(), "\"\u{e9}\\n\""),
            (b"a\xe9\x01\"", "\"a\\\\xe9\\u0001\\\"\""),
        ] {
            assert_eq!(written(|to| bytes(to, from)), text);
        }
    }

    #[test]
    fn every_character_below_256_is_escaped_as_serde_json_does() {
        let text: String = (0..=255_u8).map(char::from).collect();
        assert_eq!(written(|to| string(to, &text)), serde_json::to_string(&text).unwrap());
    }
}
