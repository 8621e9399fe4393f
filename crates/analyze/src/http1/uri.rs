//! Request targets: splitting (RFC 3986, as loosely as servers do it) and normalisation by libhtp's personality `IDS`.
//!
//! In the path, percent and `%u` encodings are decoded, backslashes become slashes, runs of slashes one slash, UTF-8
//! single bytes (what has no place in Latin-1 becomes `?`), and dot segments are resolved. In the query only percent
//! encodings are decoded. Case and plus signs stay.

/// The parts of a request target that anybody asks for, normalised.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    /// Host of an absolute or authority form: in lower case, without dots at its end.
    pub host: Option<Vec<u8>>,
    /// Port of such a form, if it can be one.
    pub port: Option<u16>,
    /// Whether host or port of such a form cannot be one.
    pub invalid_host: bool,
    /// Path, query and fragment.
    pub normalized: Option<Vec<u8>>,
    /// How much of `normalized` is path; `None` if there is no path.
    pub path_len: Option<usize>,
    /// Whether a second decoding found something.
    pub double_encoded: bool,
}

/// What is decoded a second time.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct DoubleDecode {
    pub path: bool,
    pub query: bool,
}

impl Target {
    /// The normalised path.
    pub(crate) fn path(&self) -> Option<&[u8]> {
        self.normalized.as_deref()?.get(..self.path_len?)
    }

    /// Reads an absolute or origin form.
    pub(crate) fn parse(uri: &[u8], double: DoubleDecode) -> Self {
        let mut target = Self::default();
        let mut rest = uri;
        if rest.first() != Some(&b'/')
            && let Some(colon) = memchr::memchr(b':', rest)
        {
            rest = rest.get(colon + 1..).unwrap_or_default();
            if rest.starts_with(b"//") && rest.get(2) != Some(&b'/') {
                let authority = rest.get(2..).unwrap_or_default();
                let end = authority.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#'));
                let (authority, after) = authority.split_at(end.unwrap_or(authority.len()));
                target.read_authority(authority);
                rest = after;
            }
        }
        target.normalize(rest, double);
        target
    }

    /// Reads an authority form: what `CONNECT` names.
    pub(crate) fn parse_authority(uri: &[u8]) -> Self {
        let authority = parse_host(uri);
        Self {
            host: authority.name.map(<[u8]>::to_vec),
            port: authority.port,
            invalid_host: !authority.valid,
            ..Self::default()
        }
    }

    fn read_authority(&mut self, authority: &[u8]) {
        let host = memchr::memchr(b'@', authority)
            .map_or(authority, |at| authority.get(at + 1..).unwrap_or_default());
        let (name, port) = split_port(host);
        if let Some(port) = port {
            self.port = parse_port(port);
            self.invalid_host |= self.port.is_none();
        }
        let mut name = Vec::from(name);
        percent_decode(&mut name);
        name.make_ascii_lowercase();
        while name.last() == Some(&b'.') {
            name.pop();
        }
        self.invalid_host |= !is_valid_host(&name);
        self.host = Some(name);
    }

    fn normalize(&mut self, rest: &[u8], double: DoubleDecode) {
        if rest.is_empty() {
            return;
        }
        let (before, fragment) = match memchr::memchr(b'#', rest) {
            Some(at) => (rest.get(..at).unwrap_or_default(), rest.get(at + 1..)),
            None => (rest, None),
        };
        let (path, query) = match memchr::memchr(b'?', before) {
            Some(at) => (before.get(..at).unwrap_or_default(), before.get(at + 1..)),
            None => (before, None),
        };
        let mut normalized = Vec::with_capacity(rest.len());
        normalized.extend_from_slice(path);
        normalize_path(&mut normalized);
        if double.path {
            let len = normalized.len();
            percent_decode(&mut normalized);
            self.double_encoded |= normalized.len() < len;
        }
        self.path_len = Some(normalized.len());
        if let Some(query) = query {
            normalized.push(b'?');
            if memchr::memchr(b'%', query).is_none() {
                normalized.extend_from_slice(query);
            } else {
                let mut query = query.to_vec();
                percent_decode(&mut query);
                if double.query {
                    let len = query.len();
                    percent_decode(&mut query);
                    self.double_encoded |= query.len() < len;
                }
                normalized.append(&mut query);
            }
        }
        if let Some(fragment) = fragment {
            normalized.push(b'#');
            let mut fragment = fragment.to_vec();
            percent_decode(&mut fragment);
            normalized.append(&mut fragment);
        }
        self.normalized = Some(normalized);
    }
}

/// A host as a `Host` header or an authority names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Host<'a> {
    /// Its name or address; brackets belong to it.
    pub name: Option<&'a [u8]>,
    /// Its port, if there is one and it can be one.
    pub port: Option<u16>,
    /// Whether all of it is as it should be.
    pub valid: bool,
}

/// Reads `host[:port]`.
pub(crate) fn parse_host(text: &[u8]) -> Host<'_> {
    let text = text.trim_ascii();
    if text.is_empty() {
        return Host { name: None, port: None, valid: false };
    }
    let (name, port) = split_port(text);
    let mut name = name.trim_ascii_end();
    while let Some(shorter) = name.strip_suffix(b".") {
        name = shorter;
    }
    let number = port.and_then(|port| parse_port(port.trim_ascii()));
    let valid = is_valid_host(name) && (port.is_none() || number.is_some());
    Host { name: Some(name), port: number, valid }
}

fn split_port(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let from = if text.first() == Some(&b'[') {
        memchr::memchr(b']', text).map_or(text.len(), |bracket| bracket + 1)
    } else {
        0
    };
    match memchr::memchr(b':', text.get(from..).unwrap_or_default()) {
        Some(colon) => (text.get(..from + colon).unwrap_or_default(), text.get(from + colon + 1..)),
        None => (text, None),
    }
}

fn parse_port(text: &[u8]) -> Option<u16> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    let number = text.iter().try_fold(0_u32, |number, byte| {
        byte.is_ascii_digit().then(|| number.saturating_mul(10).saturating_add(u32::from(byte - b'0')))
    })?;
    u16::try_from(number).ok().filter(|&port| port > 0)
}

/// Whether a name can be a host's: labels of letters, digits, `-` and `_`, or an address in brackets.
fn is_valid_host(name: &[u8]) -> bool {
    if name.is_empty() || name.len() > 255 {
        return false;
    }
    if let Some(inside) = name.strip_prefix(b"[") {
        let address = inside.strip_suffix(b"]").and_then(|inside| std::str::from_utf8(inside).ok());
        return address.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
    }
    name.split(|&byte| byte == b'.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label.iter().all(|&byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    })
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).map(|digit| digit as u8)
}

/// The byte that `%XX` at `at` stands for.
fn encoded(text: &[u8], at: usize) -> Option<u8> {
    Some(hex(text.get(at + 1))? << 4 | hex(text.get(at + 2))?)
}

/// Decodes percent encodings in place; what is none stays.
fn percent_decode(text: &mut Vec<u8>) {
    let Some(first) = memchr::memchr(b'%', text) else { return };
    let (mut from, mut to) = (first, first);
    while let Some(&byte) = text.get(from) {
        let decoded = (byte == b'%').then(|| encoded(text, from)).flatten();
        from += if decoded.is_some() { 3 } else { 1 };
        if let Some(place) = text.get_mut(to) {
            *place = decoded.unwrap_or(byte);
        }
        to += 1;
    }
    text.truncate(to);
}

/// Normalises a path in place.
fn normalize_path(path: &mut Vec<u8>) {
    let mut plain = true;
    let mut before = 0;
    for &byte in path.iter() {
        plain &= byte.is_ascii()
            && !matches!(byte, b'%' | b'\\')
            && !(before == b'/' && matches!(byte, b'/' | b'.'));
        before = byte;
    }
    // Most paths need nothing.
    if plain && path.first() == Some(&b'/') {
        return;
    }
    decode_path(path);
    if !path.is_ascii() {
        *path = utf8_to_bytes(path);
    }
    remove_dot_segments(path);
}

/// Decodes percent and `%u` encodings and compresses separators.
fn decode_path(path: &mut Vec<u8>) {
    let (mut from, mut to) = (0, 0);
    while let Some(&byte) = path.get(from) {
        let (mut byte, len) = match byte {
            b'%' if matches!(path.get(from + 1), Some(b'u' | b'U')) => {
                unicode(path, from).map_or((byte, 1), |code| (best_fit(code), 6))
            }
            b'%' => encoded(path, from).map_or((byte, 1), |decoded| (decoded, 3)),
            _ => (byte, 1),
        };
        from += len;
        if byte == b'\\' {
            byte = b'/';
        }
        if byte == b'/' && to > 0 && path.get(to - 1) == Some(&b'/') {
            continue;
        }
        if let Some(place) = path.get_mut(to) {
            *place = byte;
        }
        to += 1;
    }
    path.truncate(to);
}

/// The code point of `%uXXXX` at `at`.
fn unicode(text: &[u8], at: usize) -> Option<u32> {
    let digits = text.get(at + 2..at + 6)?;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | u32::from(hex(Some(digit))?)))
}

/// The byte that stands for a code point, as Windows' best fit for code page 1252 has it for ASCII and its full-width
/// and look-alike forms; `?` for what has none.
fn best_fit(code: u32) -> u8 {
    match code {
        0..=0xff => code as u8,
        // Full-width forms.
        0xff01..=0xff5e => (code - 0xfee0) as u8,
        0x2000..=0x2006 | 0x3000 => b' ',
        0x2010 | 0x2011 | 0x2212 => b'-',
        0x2017 => b'_',
        0x2032 | 0x2035 | 0x02b9 | 0x02bc | 0x02c8 => b'\'',
        0x2033 | 0x02ba | 0x301d | 0x301e => b'"',
        0x2044 | 0x2215 => b'/',
        0x2216 => b'\\',
        0x2217 => b'*',
        0x2223 | 0x01c0 => b'|',
        0x2236 | 0x0589 => b':',
        0x223c => b'~',
        0x2329 | 0x3008 => b'<',
        0x232a | 0x3009 => b'>',
        0x037e => b';',
        0x066a => b'%',
        0x01c3 => b'!',
        0x2074..=0x2079 => (code - 0x2074) as u8 + b'4',
        0x2080..=0x2089 => (code - 0x2080) as u8 + b'0',
        0x2070 => b'0',
        _ => b'?',
    }
}

/// UTF-8 sequences become the byte that fits them best, what is none `?`; one that the end cuts off is left out.
fn utf8_to_bytes(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut chunks = text.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        bytes.extend(chunk.valid().chars().map(|character| best_fit(u32::from(character))));
        let invalid = chunk.invalid();
        let cut_off = chunks.peek().is_none() && invalid.first().is_some_and(|&byte| byte >= 0xc2);
        if !invalid.is_empty() && !cut_off {
            bytes.push(b'?');
        }
    }
    bytes
}

/// Resolves `.` and `..` (RFC 3986, section 5.2.4).
fn remove_dot_segments(path: &mut Vec<u8>) {
    let mut kept = Vec::with_capacity(path.len());
    let mut rest = path.as_slice();
    while !rest.is_empty() {
        if kept.is_empty()
            && let Some(after) = rest.strip_prefix(b"../").or_else(|| rest.strip_prefix(b"./"))
        {
            rest = after;
            continue;
        }
        if kept.is_empty() && matches!(rest, b"." | b"..") {
            break;
        }
        if rest == b"/." || rest == b"/.." {
            if rest == b"/.." {
                drop_last_segment(&mut kept);
            }
            break;
        }
        if rest.starts_with(b"/./") {
            // The last slash stays only if something follows it.
            rest = rest.get(2..).unwrap_or_default();
            if rest == b"/" {
                break;
            }
            continue;
        }
        if rest.starts_with(b"/../") {
            drop_last_segment(&mut kept);
            rest = rest.get(3..).unwrap_or_default();
            if rest == b"/" {
                break;
            }
            continue;
        }
        let end = rest.iter().skip(1).position(|&byte| byte == b'/').map_or(rest.len(), |at| at + 1);
        let (segment, after) = rest.split_at(end);
        kept.extend_from_slice(segment);
        rest = after;
    }
    *path = kept;
}

fn drop_last_segment(kept: &mut Vec<u8>) {
    let end = kept.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    kept.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(uri: &[u8]) -> String {
        let target = Target::parse(uri, DoubleDecode::default());
        target.normalized.unwrap_or_default().escape_ascii().to_string()
    }

    #[test]
    fn targets_are_normalised_as_the_reference_does() {
        // Left as sent, right as Suricata 7.0.10's http.uri has it.
        for (sent, expected) in [
            (
                &br"/a%20B/../C%2fd//e\f/%u0041.html?Q=a+b%41&x=%25%zz#frag%41"[..],
                "/C/d/e/f/A.html?Q=a+bA&x=%%zz#fragA",
            ),
            (
                b"/caf\xc3\xa9/\xe2\x82\xac/\xef\xbc\x8fx/%ef%bc%8f/%uff0fz/%c3%a9/%e9",
                r"/caf\xe9/?//x///z/\xe9/",
            ),
            (b"\xd9bl\xb8\x05\xab\xcf6\xb67aI\xd9\xedU\xca", r"?bl?\x05??6?7aI??U"),
            (b"/%e9x/%e9", "/?x/"),
            (b"http://User:pw@Www.Foo.COM.:81/Pa/./th/../x?y#z", "/Pa/x?y#z"),
            (b"foo/bar", "foo/bar"),
            (b"/a?x+y%20z%u0041%2b", "/a?x+y z%u0041+"),
            (b"/plain/path.html", "/plain/path.html"),
        ] {
            assert_eq!(normalized(sent), expected, "{}", sent.escape_ascii());
        }
    }

    #[test]
    fn dot_segments_are_resolved() {
        for (sent, expected) in [
            (&b"/a/b/../c"[..], "/a/c"),
            (b"/../a", "/a"),
            (b"/a/./b", "/a/b"),
            (b"/a/..", ""),
            (b"./a", "a"),
            (b"..", ""),
            (b"/a/b/../../../../c", "/c"),
            (b"/a/.hidden/..b", "/a/.hidden/..b"),
        ] {
            assert_eq!(normalized(sent), expected, "{}", sent.escape_ascii());
        }
    }

    #[test]
    fn authorities_are_read() {
        let target = Target::parse(b"http://User:pw@Www.Foo.COM.:81/x", DoubleDecode::default());
        assert_eq!((target.host.as_deref(), target.port), (Some(&b"www.foo.com"[..]), Some(81)));
        assert!(!target.invalid_host);
        let target = Target::parse_authority(b"foo.com:443");
        assert_eq!((target.host.as_deref(), target.port), (Some(&b"foo.com"[..]), Some(443)));
        assert_eq!(target.normalized, None);
        assert!(Target::parse(b"http://a..b/", DoubleDecode::default()).invalid_host);
        let host = parse_host(b"b.com:99999");
        assert_eq!((host.name, host.port, host.valid), (Some(&b"b.com"[..]), None, false));
        assert!(parse_host(b"[::1]:80").valid);
        assert!(!parse_host(b"").valid);
    }

    #[test]
    fn a_second_decoding_is_noticed() {
        let double = DoubleDecode { path: true, query: true };
        let target = Target::parse(b"/%2541?%2542", double);
        assert_eq!((target.normalized.as_deref(), target.double_encoded), (Some(&b"/A?B"[..]), true));
    }
}
