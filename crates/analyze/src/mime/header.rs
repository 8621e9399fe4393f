//! Parameters and lists in header fields.

/// The value of a parameter (RFC 2045, section 5.1), quotes taken off: `name="a.txt"`.
pub(super) fn parameter<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    split(field, b';').skip(1).find_map(|part| {
        let equals = memchr::memchr(b'=', part)?;
        let (key, value) = part.split_at(equals);
        if !key.trim_ascii().eq_ignore_ascii_case(name) {
            return None;
        }
        let value = value.get(1..)?.trim_ascii();
        Some(match value.strip_prefix(b"\"") {
            Some(quoted) => quoted.split(|&byte| byte == b'"').next().unwrap_or_default(),
            None => value,
        })
    })
}

/// The parts of a list, with the spaces around them; a separator within quotes is none.
pub(super) fn split(list: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut quoted = false;
    list.split(move |&byte| {
        quoted ^= byte == b'"';
        byte == separator && !quoted
    })
}
