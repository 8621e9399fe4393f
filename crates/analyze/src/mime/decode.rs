//! Transfer encodings, and links in text.

use super::oddity;

/// A transfer encoding (RFC 2045, section 6), with what it carries over from one line to the next.
#[derive(Clone, Default, Debug)]
pub(super) enum Decoder {
    /// As it is.
    #[default]
    Plain,
    /// Bits that make no byte yet, and how many characters they came from.
    Base64 { bits: u32, count: u8 },
    /// An escape that a piece of a line has cut off.
    Quoted { rest: Vec<u8> },
}

fn digit64(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

pub(super) fn digit16(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl Decoder {
    /// The one of a `Content-Transfer-Encoding`.
    pub(super) fn named(name: &[u8]) -> Self {
        match name.to_ascii_lowercase().as_slice() {
            b"base64" => Self::Base64 { bits: 0, count: 0 },
            b"quoted-printable" => Self::Quoted { rest: Vec::new() },
            _ => Self::Plain,
        }
    }

    pub(super) const fn is_encoded(&self) -> bool {
        !matches!(self, Self::Plain)
    }

    /// Decodes a line. Whether its end is part of what was encoded.
    pub(super) fn line(&mut self, line: &[u8], whole: bool, to: &mut Vec<u8>) -> Result<bool, &'static str> {
        match self {
            Self::Plain => {
                to.extend_from_slice(line);
                Ok(true)
            }
            Self::Base64 { bits, count } => base64(line, bits, count, to).map(|()| false),
            Self::Quoted { rest } => quoted(line, whole, rest, to),
        }
    }

    /// Nothing more comes: what is held is given.
    pub(super) fn finish(&mut self, to: &mut Vec<u8>) -> Result<(), &'static str> {
        let Self::Base64 { bits, count } = self else { return Ok(()) };
        let (held, shift) = (*bits, std::mem::take(count));
        match shift {
            0 => Ok(()),
            1 => Err(oddity::BASE64),
            _ => {
                give_bits(held, shift, to);
                Err(oddity::BASE64)
            }
        }
    }
}

/// Gives the whole bytes among `count` characters of six bits.
fn give_bits(bits: u32, count: u8, to: &mut Vec<u8>) {
    let [_, bytes @ ..] = (bits << (6 * (4 - u32::from(count)))).to_be_bytes();
    to.extend(bytes.iter().take(usize::from(count.saturating_sub(1))));
}

fn base64(line: &[u8], bits: &mut u32, count: &mut u8, to: &mut Vec<u8>) -> Result<(), &'static str> {
    let mut outcome = Ok(());
    for &byte in line {
        if let Some(digit) = digit64(byte) {
            *bits = *bits << 6 | digit;
            *count += 1;
            if *count == 4 {
                give_bits(*bits, 4, to);
                (*bits, *count) = (0, 0);
            }
        } else if byte == b'=' {
            give_bits(*bits, *count, to);
            (*bits, *count) = (0, 0);
        } else if !byte.is_ascii_whitespace() {
            outcome = Err(oddity::BASE64);
        }
    }
    outcome
}

fn quoted(line: &[u8], whole: bool, rest: &mut Vec<u8>, to: &mut Vec<u8>) -> Result<bool, &'static str> {
    let mut outcome = Ok(true);
    let joined: Vec<u8> = std::mem::take(rest).into_iter().chain(line.iter().copied()).collect();
    let mut left = joined.as_slice();
    while let [byte, behind @ ..] = left {
        left = behind;
        if *byte != b'=' {
            to.push(*byte);
            continue;
        }
        match behind {
            [] if whole => return outcome.map(|_| false),
            [] | [_] if !whole => {
                rest.push(b'=');
                rest.extend_from_slice(behind);
                return outcome;
            }
            [high, low, tail @ ..] if digit16(*high).is_some() && digit16(*low).is_some() => {
                to.extend(digit16(*high).zip(digit16(*low)).map(|(high, low)| high << 4 | low));
                left = tail;
            }
            _ => {
                to.push(b'=');
                outcome = Err(oddity::QUOTED);
            }
        }
    }
    outcome
}

/// Adds the `http` links in a line of text, in lower case and without the scheme, each once.
pub(super) fn links(text: &[u8], max: usize, to: &mut Vec<Vec<u8>>) {
    const START: &[u8] = b"http://";
    let lower = text.to_ascii_lowercase();
    for at in memchr::memmem::find_iter(&lower, START) {
        let link = lower.get(at + START.len()..).unwrap_or_default();
        let end = link.iter().position(|byte| b" \"'<>]\t\r\n".contains(byte)).unwrap_or(link.len());
        let link = link.get(..end).unwrap_or_default();
        if !link.is_empty() && to.len() < max && !to.iter().any(|known| known == link) {
            to.push(link.to_vec());
        }
    }
}
