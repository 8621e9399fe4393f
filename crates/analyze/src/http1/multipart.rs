//! `multipart/form-data` (RFC 7578): files among the parts of a request's body.

use super::events;
use crate::WindowLimits;
use crate::files::{Files, NAME_LIMIT};
use memchr::memmem;

/// Longest boundary, in bytes.
const BOUNDARY_LIMIT: usize = 200;
/// Longest head of a part, in bytes.
const HEAD_LIMIT: usize = 8_192;

/// Takes a body apart as it comes.
#[derive(Debug)]
pub(crate) struct Multipart {
    /// CRLF, two dashes and the boundary.
    delimiter: Vec<u8>,
    limits: WindowLimits,
    /// What cannot be taken apart yet: the head of a part, or what may be the beginning of a delimiter.
    buffer: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Before the first delimiter.
    Preamble,
    /// In the head of a part.
    Head,
    /// In a part that is a file; whether anything of it has come.
    File(bool),
    /// In a part that is none.
    Field,
    /// Behind the last part, or broken.
    End,
}

impl Multipart {
    /// The boundary that a `Content-Type` names, if it is `multipart/form-data`.
    pub(crate) fn boundary(content_type: &[u8]) -> Option<&[u8]> {
        const KIND: &[u8] = b"multipart/form-data";
        if !content_type.get(..KIND.len())?.eq_ignore_ascii_case(KIND) {
            return None;
        }
        let at = content_type.windows(9).position(|window| window.eq_ignore_ascii_case(b"boundary="))?;
        let value = content_type.get(at + 9..)?;
        let value = match value.strip_prefix(b"\"") {
            Some(quoted) => quoted.split(|&byte| byte == b'"').next()?,
            None => value.split(|&byte| byte == b';' || byte == b' ').next()?,
        };
        (!value.is_empty() && value.len() <= BOUNDARY_LIMIT).then_some(value)
    }

    pub(crate) fn new(boundary: &[u8], limits: WindowLimits) -> Self {
        let mut delimiter = b"\r\n--".to_vec();
        delimiter.extend_from_slice(boundary);
        // The first delimiter has no line before it.
        Self { delimiter, limits, buffer: b"\r\n".to_vec(), state: State::Preamble }
    }

    /// Takes more of the body; returns an event, if there is one to raise.
    pub(crate) fn feed(&mut self, bytes: &[u8], files: &mut Files) -> Option<&'static str> {
        if self.state == State::End || bytes.is_empty() {
            return None;
        }
        let mut event = None;
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.extend_from_slice(bytes);
        let mut rest = buffer.as_slice();
        loop {
            match self.state {
                State::End => {
                    rest = &[];
                    break;
                }
                State::Head => {
                    let Some(end) = memmem::find(rest, b"\r\n\r\n") else {
                        if rest.starts_with(b"--") {
                            self.state = State::End;
                        } else if rest.len() > HEAD_LIMIT {
                            self.state = State::End;
                            event = Some(events::MULTIPART_HEADER);
                        }
                        break;
                    };
                    if rest.starts_with(b"--") {
                        self.state = State::End;
                        continue;
                    }
                    let head = rest.get(..end).unwrap_or_default();
                    event = self.begin_part(head, files).or(event);
                    // The empty line's end may be the delimiter's beginning: an empty part.
                    rest = rest.get(end + 2..).unwrap_or_default();
                    if memmem::find(rest, &self.delimiter) != Some(0) {
                        rest = rest.get(2..).unwrap_or_default();
                    }
                }
                State::Preamble | State::File(_) | State::Field => {
                    let found = memmem::find(rest, &self.delimiter);
                    let keep = self.delimiter.len() + 2;
                    let part_len = found.unwrap_or(rest.len().saturating_sub(keep));
                    let part = rest.get(..part_len).unwrap_or_default();
                    if let State::File(any) = &mut self.state {
                        *any |= !part.is_empty();
                        files.append(part);
                    }
                    rest = rest.get(part_len..).unwrap_or_default();
                    if found.is_none() {
                        break;
                    }
                    if let State::File(any) = self.state {
                        files.close();
                        if !any {
                            event = Some(events::MULTIPART_NO_FILE);
                        }
                    }
                    rest = rest.get(self.delimiter.len()..).unwrap_or_default();
                    self.state = State::Head;
                }
            }
        }
        self.buffer = rest.to_vec();
        event
    }

    /// The body has ended.
    pub(crate) fn finish(&mut self, files: &mut Files) -> Option<&'static str> {
        let rest = std::mem::take(&mut self.buffer);
        let state = std::mem::replace(&mut self.state, State::End);
        match state {
            State::File(_) => {
                files.append(&rest);
                files.truncate();
                None
            }
            State::Head if !rest.starts_with(b"--") && !rest.trim_ascii().is_empty() => {
                Some(events::MULTIPART_ERROR)
            }
            _ => None,
        }
    }

    fn begin_part(&mut self, head: &[u8], files: &mut Files) -> Option<&'static str> {
        const NAME: &[u8] = b"content-disposition:";
        self.state = State::Field;
        let mut lines =
            head.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
        let disposition = lines.find_map(|line| {
            line.get(..NAME.len())?
                .eq_ignore_ascii_case(NAME)
                .then(|| line.get(NAME.len()..).unwrap_or_default())
        });
        let Some(disposition) = disposition else { return Some(events::MULTIPART_HEADER) };
        let name = file_name(disposition)?;
        files.open(name, Some(self.limits));
        self.state = State::File(false);
        (name.len() > NAME_LIMIT).then_some(events::FILE_NAME_TOO_LONG)
    }
}

/// The value of `filename` in a `Content-Disposition`.
pub(crate) fn file_name(disposition: &[u8]) -> Option<&[u8]> {
    let at = disposition.windows(9).position(|window| window.eq_ignore_ascii_case(b"filename="))?;
    let value = disposition.get(at + 9..)?;
    let name = match value.strip_prefix(b"\"") {
        Some(quoted) => {
            let mut escaped = false;
            let end = quoted.iter().position(|&byte| {
                let ends = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                ends
            });
            quoted.get(..end.unwrap_or(quoted.len()))?
        }
        None => value.split(|&byte| byte == b';').next()?.trim_ascii(),
    };
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"--BB\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\ntext\r\n--BB\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\n\
        file contents\r\nline2\r\n--BB\r\nContent-Disposition: form-data; name=\"g\"; filename=\"b.txt\"\r\n\r\nBBB\r\n--BB--\r\n";

    #[test]
    fn files_are_found_whatever_the_pieces() {
        for step in 1..=BODY.len() {
            let mut files = Files::default();
            let mut multipart = Multipart::new(b"BB", WindowLimits::default());
            for piece in BODY.chunks(step) {
                assert_eq!(multipart.feed(piece, &mut files), None, "step {step}");
            }
            assert_eq!(multipart.finish(&mut files), None);
            let found: Vec<_> = (0..2)
                .map(|index| (files.name(index).unwrap().to_vec(), files.view(index).unwrap().bytes.to_vec()))
                .collect();
            let expected = [
                (b"a.txt".to_vec(), b"file contents\r\nline2".to_vec()),
                (b"b.txt".to_vec(), b"BBB".to_vec()),
            ];
            assert_eq!(found, expected, "step {step}");
        }
    }

    #[test]
    fn boundaries_are_read() {
        for (value, boundary) in [
            (&b"multipart/form-data; boundary=xyz"[..], Some(&b"xyz"[..])),
            (b"Multipart/Form-Data; charset=a; BOUNDARY=\"a b\"; x", Some(b"a b")),
            (b"multipart/form-data", None),
            (b"text/plain; boundary=x", None),
        ] {
            assert_eq!(Multipart::boundary(value), boundary);
        }
    }

    #[test]
    fn oddities_are_events() {
        let mut files = Files::default();
        let mut multipart = Multipart::new(b"B", WindowLimits::default());
        assert_eq!(
            multipart.feed(b"--B\r\nX: y\r\n\r\nz\r\n--B\r\n", &mut files),
            Some(events::MULTIPART_HEADER)
        );
        let empty = b"Content-Disposition: form-data; filename=e\r\n\r\n\r\n--B\r\n";
        assert_eq!(multipart.feed(empty, &mut files), Some(events::MULTIPART_NO_FILE));
        assert_eq!(multipart.feed(b"Content-Disp", &mut files), None);
        assert_eq!(multipart.finish(&mut files), Some(events::MULTIPART_ERROR));
    }

    #[test]
    fn heads_that_never_end_are_given_up() {
        let mut files = Files::default();
        let mut multipart = Multipart::new(b"B", WindowLimits::default());
        multipart.feed(b"--B\r\n", &mut files);
        let events = (0..100).filter_map(|_| multipart.feed(&[b'a'; 1000], &mut files)).count();
        assert_eq!(events, 1);
        assert!(multipart.buffer.capacity() <= 2 * HEAD_LIMIT);
    }
}
