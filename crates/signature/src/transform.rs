//! What is done to a buffer before rules look into it.

use md5::Md5;
use pcre2::bytes::Regex;
use rules::ir::Transform;
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::verify::CompileError;

/// Transforms made ready.
#[derive(Debug, Default)]
pub struct Transforms(Vec<Step>);

#[derive(Debug)]
enum Step {
    Plain(Transform),
    Capture(Regex),
}

impl Transforms {
    pub(crate) fn new(transforms: &[Transform]) -> Result<Self, CompileError> {
        let steps = transforms.iter().map(|transform| {
            Ok(match transform {
                Transform::PcreCapture(pattern) => Step::Capture(Regex::new(pattern)?),
                plain => Step::Plain(plain.clone()),
            })
        });
        steps.collect::<Result<_, _>>().map(Self)
    }

    /// Whether nothing is done.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Does them all to `buffer`, in their order.
    pub fn apply(&self, buffer: &mut Vec<u8>) {
        for step in &self.0 {
            match step {
                Step::Plain(transform) => plain(transform, buffer),
                Step::Capture(regex) => {
                    let captured = regex
                        .captures(buffer)
                        .ok()
                        .flatten()
                        .and_then(|captures| captures.get(1).map(|capture| capture.as_bytes().to_vec()));
                    *buffer = captured.unwrap_or_default();
                }
            }
        }
    }
}

fn plain(transform: &Transform, buffer: &mut Vec<u8>) {
    match transform {
        Transform::StripWhitespace => buffer.retain(|&byte| !is_blank(byte)),
        Transform::CompressWhitespace => {
            let mut before = false;
            buffer.retain(|&byte| {
                let blank = is_blank(byte);
                let keep = !(blank && before);
                before = blank;
                keep
            });
        }
        Transform::DotPrefix => buffer.insert(0, b'.'),
        Transform::Md5 => *buffer = Md5::digest(&*buffer).to_vec(),
        Transform::Sha1 => *buffer = Sha1::digest(&*buffer).to_vec(),
        Transform::Sha256 => *buffer = Sha256::digest(&*buffer).to_vec(),
        Transform::LowerCase => buffer.make_ascii_lowercase(),
        Transform::UpperCase => buffer.make_ascii_uppercase(),
        Transform::HeaderLowerCase => {
            let mut in_name = true;
            for byte in buffer.iter_mut() {
                match *byte {
                    b':' => in_name = false,
                    b'\n' => in_name = true,
                    _ if in_name => byte.make_ascii_lowercase(),
                    _ => {}
                }
            }
        }
        Transform::StripPseudoHeaders => {
            let mut kept = Vec::with_capacity(buffer.len());
            for line in buffer.split_inclusive(|&byte| byte == b'\n') {
                if !line.starts_with(b":") {
                    kept.extend_from_slice(line);
                }
            }
            *buffer = kept;
        }
        Transform::UrlDecode => url_decode(buffer),
        Transform::Xor(key) => {
            for (byte, key) in buffer.iter_mut().zip(key.iter().cycle()) {
                *byte ^= key;
            }
        }
        // Made ready as a step of its own.
        Transform::PcreCapture(_) => {}
    }
}

/// What C's `isspace` says.
const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Percent-encoding (RFC 3986, section 2.1) and `+` for a blank; what is not a valid encoding stays.
fn url_decode(buffer: &mut Vec<u8>) {
    let digit = |at: usize, buffer: &[u8]| buffer.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let (mut from, mut to) = (0, 0);
    while let Some(&byte) = buffer.get(from) {
        let (decoded, used) = match byte {
            b'+' => (b' ', 1),
            b'%' => match (digit(from + 1, buffer), digit(from + 2, buffer)) {
                (Some(high), Some(low)) => ((high * 16 + low) as u8, 3),
                _ => (byte, 1),
            },
            _ => (byte, 1),
        };
        if let Some(place) = buffer.get_mut(to) {
            *place = decoded;
        }
        from += used;
        to += 1;
    }
    buffer.truncate(to);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn done(transforms: &[Transform], text: &[u8]) -> Vec<u8> {
        let mut buffer = text.to_vec();
        Transforms::new(transforms).unwrap().apply(&mut buffer);
        buffer
    }

    #[test]
    fn each_transform_does_what_its_name_says() {
        assert_eq!(done(&[Transform::StripWhitespace], b" a\t b\r\n"), b"ab");
        assert_eq!(done(&[Transform::CompressWhitespace], b"a  \t b c"), b"a b c");
        assert_eq!(done(&[Transform::DotPrefix], b"example.com"), b".example.com");
        assert_eq!(done(&[Transform::LowerCase], b"aBC"), b"abc");
        assert_eq!(done(&[Transform::UpperCase, Transform::DotPrefix], b"aBC"), b".ABC");
        assert_eq!(done(&[Transform::HeaderLowerCase], b"Host: A\r\nX-Y: B\r\n"), b"host: A\r\nx-y: B\r\n");
        assert_eq!(done(&[Transform::StripPseudoHeaders], b":path\r\nhost\r\n:method\r\n"), b"host\r\n");
        assert_eq!(done(&[Transform::UrlDecode], b"a%20b+c%zz%4"), b"a b c%zz%4");
        assert_eq!(done(&[Transform::Xor(vec![1, 2])], &[1, 2, 3]), [0, 0, 2]);
        assert_eq!(done(&[Transform::PcreCapture("id=(\\d+)".to_owned())], b"a id=42 b"), b"42");
        assert_eq!(done(&[Transform::PcreCapture("id=(\\d+)".to_owned())], b"nothing"), b"");
        assert_eq!(
            done(&[Transform::Md5], b""),
            0xd41d_8cd9_8f00_b204_e980_0998_ecf8_427e_u128.to_be_bytes()
        );
        assert_eq!(done(&[Transform::Sha1], b"abc").len(), 20);
        assert_eq!(done(&[Transform::Sha256], b"abc").len(), 32);
    }
}
