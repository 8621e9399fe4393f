//! Parameters and lists in header fields.

/// The value of a parameter (RFC 2045, section 5.1), quotes taken off: `name="a.txt"`. A value that was cut into pieces
/// (`name*0=a; name*1=.txt`, RFC 2231, section 3) is put together again, and one with a character set
/// (`name*=utf-8''a%20b`, section 4) is unescaped.
pub(super) fn parameter(field: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let parameters = || {
        split(field, b';').skip(1).filter_map(|part| {
            let equals = memchr::memchr(b'=', part)?;
            let (key, value) = part.split_at(equals);
            let value = value.get(1..)?.trim_ascii();
            let (key, extended) = key.trim_ascii().split_at_checked(name.len())?;
            key.eq_ignore_ascii_case(name).then_some((extended, unquoted(value)))
        })
    };
    let (suffix, value) = parameters().next()?;
    match suffix {
        b"" => Some(value.to_vec()),
        b"*" => Some(unescaped(behind_charset(value))),
        _ => {
            let mut whole = Vec::new();
            for piece in 0..PIECES_MAX {
                let number = piece.to_string();
                let is_piece = |suffix: &[u8]| {
                    let digits = suffix.strip_prefix(b"*")?;
                    let digits = digits.strip_suffix(b"*").map_or((digits, false), |digits| (digits, true));
                    (digits.0 == number.as_bytes()).then_some(digits.1)
                };
                let found = parameters().find_map(|(suffix, value)| Some((is_piece(suffix)?, value)));
                match found {
                    None => break,
                    Some((false, value)) => whole.extend_from_slice(value),
                    Some((true, value)) => {
                        let value = if piece == 0 { behind_charset(value) } else { value };
                        whole.extend(unescaped(value));
                    }
                }
            }
            (!whole.is_empty()).then_some(whole)
        }
    }
}

/// Pieces of a value that are put together.
const PIECES_MAX: usize = 64;

fn unquoted(value: &[u8]) -> &[u8] {
    match value.strip_prefix(b"\"") {
        Some(quoted) => quoted.split(|&byte| byte == b'"').next().unwrap_or_default(),
        None => value,
    }
}

/// `utf-8'en'value` without the character set and the language.
fn behind_charset(value: &[u8]) -> &[u8] {
    let mut parts = value.splitn(3, |&byte| byte == b'\'');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(_), Some(value)) => value,
        _ => value,
    }
}

/// With `%41` as what it stands for.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(value.len());
    let mut left = value;
    while let [byte, rest @ ..] = left {
        left = rest;
        match rest {
            [high, low, tail @ ..] if *byte == b'%' => {
                if let Some((high, low)) = super::decode::digit16(*high).zip(super::decode::digit16(*low)) {
                    text.push(high << 4 | low);
                    left = tail;
                } else {
                    text.push(*byte);
                }
            }
            _ => text.push(*byte),
        }
    }
    text
}

/// The parts of a list, with the spaces around them; a separator within quotes is none.
pub(super) fn split(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    list.split(move |&byte| {
        quoted ^= byte == b'"';
        byte == separator && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_whole() {
        for (field, value) in [
            (r#"attachment; filename="a b;c.txt"; x=1"#, Some("a b;c.txt")),
            ("attachment; FileName=a.txt", Some("a.txt")),
            ("attachment; filename*1=.txt; filename*0=\"a b\"; filename*3=lost", Some("a b.txt")),
            ("attachment; filename*=utf-8'en'a%20b%2", Some("a b%2")),
            ("attachment; filename*0*=utf-8''a%20; filename*1=%41", Some("a %41")),
            ("attachment; filename*x=1", None),
            ("filename=no", None),
            ("attachment; name=no; filenames=no", None),
        ] {
            let found = parameter(field.as_bytes(), b"filename");
            assert_eq!(found.as_deref(), value.map(str::as_bytes), "{field}");
        }
    }
}
