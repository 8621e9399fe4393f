//! A message of SIP (RFC 3261, section 7): its first line, and whether what follows it is a header.

/// The first line of a message. `line` is it as far as its characters are those of a reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// What is asked.
    Request { method: String, uri: String, protocol: String, line: String },
    /// What is answered.
    Response { protocol: String, code: String, reason: String, line: String },
}

/// Why bytes are no message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// They end before the message does.
    Incomplete,
    /// They are another thing.
    Invalid,
}

/// Characters of a URI as it stands in a request: reserved, unreserved and escaped ones, and `#` (RFC 3261, section 25.1).
const fn is_uri(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*'..=b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'_' | b'`' | b'~')
}

/// Characters of a reason.
const fn is_reason(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'{' | b'|' | b'}')
}

/// Characters of a header's name: those of a token.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'%' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'_' | b'`' | b'~')
}

/// Characters of a header's value; what goes on in the next line is part of it.
const fn is_value(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | b'\r')
}

const fn is_alphabetic(byte: u8) -> bool {
    byte.is_ascii_alphabetic()
}

const fn is_version(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'.'
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// What is left to read.
struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// The characters up to the first that is none of these; there must be one.
    fn run(&mut self, is: fn(u8) -> bool) -> Result<&'a str, Fault> {
        let len = self.0.iter().position(|&byte| !is(byte)).ok_or(Fault::Incomplete)?;
        self.take(len)
    }

    fn take(&mut self, len: usize) -> Result<&'a str, Fault> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Fault::Incomplete)?;
        self.0 = rest;
        std::str::from_utf8(taken).map_err(|_| Fault::Invalid)
    }

    fn expect(&mut self, wanted: &[u8]) -> Result<(), Fault> {
        let len = wanted.len().min(self.0.len());
        if self.0.get(..len) != wanted.get(..len) {
            return Err(Fault::Invalid);
        }
        self.take(wanted.len()).map(|_| ())
    }

    /// `SIP/2.0`.
    fn protocol(&mut self) -> Result<String, Fault> {
        self.expect(b"SIP/")?;
        let version = self.run(is_version)?;
        if version.is_empty() { Err(Fault::Invalid) } else { Ok(format!("SIP/{version}")) }
    }

    /// Header fields up to the empty line that ends them. What they say is not kept.
    fn headers(&mut self) -> Result<(), Fault> {
        while self.0.first() != Some(&b'\r') {
            self.run(is_token)?;
            self.run(is_blank)?;
            self.expect(b":")?;
            self.value()?;
        }
        self.expect(b"\r\n")
    }

    /// A header's value with the line end behind it. A line that begins blank goes on with it.
    fn value(&mut self) -> Result<(), Fault> {
        loop {
            let end = self.0.windows(2).position(|pair| pair == b"\r\n");
            let checked = end.map_or(self.0, |end| self.0.get(..end).unwrap_or_default());
            if !checked.iter().all(|&byte| is_value(byte)) {
                return Err(Fault::Invalid);
            }
            self.take(end.ok_or(Fault::Incomplete)? + 2)?;
            match self.0.first() {
                None => return Err(Fault::Incomplete),
                Some(&byte) if is_blank(byte) => {}
                Some(_) => return Ok(()),
            }
        }
    }
}

/// Reads a request; what stands behind its header is not looked at.
pub(super) fn request(bytes: &[u8]) -> Result<Line, Fault> {
    let mut text = Text(bytes);
    let method = text.run(is_alphabetic)?.to_owned();
    text.expect(b" ")?;
    let uri = text.run(is_uri)?.to_owned();
    if uri.is_empty() {
        return Err(Fault::Invalid);
    }
    text.expect(b" ")?;
    let protocol = text.protocol()?;
    text.expect(b"\r\n")?;
    text.headers()?;
    let line = Text(bytes).run(is_reason)?.to_owned();
    Ok(Line::Request { method, uri, protocol, line })
}

/// Reads a response; what stands behind its header is not looked at.
pub(super) fn response(bytes: &[u8]) -> Result<Line, Fault> {
    let mut text = Text(bytes);
    let protocol = text.protocol()?;
    text.expect(b" ")?;
    let code = text.take(3)?.to_owned();
    text.expect(b" ")?;
    let reason = text.run(is_reason)?.to_owned();
    text.expect(b"\r\n")?;
    text.headers()?;
    let line = Text(bytes).run(is_reason)?.to_owned();
    Ok(Line::Response { protocol, code, reason, line })
}
