//! Where data connections go.

/// Who opens the data connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
    /// The server, to the client's port.
    Active,
    /// The client, to the server's port.
    Passive,
}

/// The port in `h1,h2,h3,h4,p1,p2` (RFC 959, section 4.1.2).
pub(super) fn port(argument: &[u8]) -> Option<u16> {
    let mut numbers = argument.split(|&byte| byte == b',').map(number::<u8>);
    let ([_, _, _, _], high, low) = (
        [numbers.next()??, numbers.next()??, numbers.next()??, numbers.next()??],
        numbers.next()??,
        numbers.next()??,
    );
    Some(u16::from_be_bytes([high, low]))
}

/// The port of a reply to `PASV`: the numbers in it (section 4.1.2).
pub(super) fn passive(reply: &[u8]) -> Option<u16> {
    let text = reply.get(4..)?;
    let start = text.iter().position(u8::is_ascii_digit)?;
    let inside = text.get(start..)?;
    let end = inside.iter().position(|byte| !byte.is_ascii_digit() && *byte != b',').unwrap_or(inside.len());
    port(inside.get(..end)?)
}

/// The port in `|1|132.235.1.2|6275|` (RFC 2428, section 2).
pub(super) fn extended(argument: &[u8]) -> Option<u16> {
    let (&delimiter, rest) = argument.split_first()?;
    number(rest.split(|&byte| byte == delimiter).nth(2)?)
}

/// The port in `229 Entering Extended Passive Mode (|||6446|)` (section 3).
pub(super) fn extended_passive(reply: &[u8]) -> Option<u16> {
    let start = memchr::memchr(b'(', reply)?;
    extended(reply.get(start + 1..)?)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_found_where_they_are_said() {
        assert_eq!(port(b"10,0,0,1,4,5"), Some(1029));
        assert_eq!(port(b"10,0,0,1,4"), None);
        assert_eq!(port(b"10,0,0,1,400,5"), None);
        assert_eq!(passive(b"227 Entering Passive Mode (2,2,2,2,185,13)."), Some(47373));
        assert_eq!(passive(b"227 2,2,2,2,0,20"), Some(20));
        assert_eq!(passive(b"227 no"), None);
        assert_eq!(extended(b"|2|1080::8:800:200C:417A|5282|"), Some(5282));
        assert_eq!(extended(b"|1|10.0.0.1|99999|"), None);
        assert_eq!(extended_passive(b"229 Entering Extended Passive Mode (|||6446|)"), Some(6446));
        assert_eq!(extended_passive(b"229 (|||"), None);
    }
}
