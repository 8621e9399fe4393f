//! Mail messages: their headers, parts, attachments and links (RFC 5322, 2045, 2046).
//!
//! In: the message's lines, without their ends, as they come ([`Message::line`]). Out: the fields that records have, the
//! attachments as files, decoded, and what is odd ([`Message::take_oddity`]). Holds at most one header and one encoded
//! line, [`PARTS_MAX`] boundaries and [`LIST_MAX`] names and links.

mod decode;
mod eve;
mod header;
#[cfg(test)]
mod tests;

use decode::{Decoder, links};

use crate::WindowLimits;
use crate::files::Files;

/// Multipart bodies inside each other that are told apart.
const PARTS_MAX: usize = 16;

/// Attachments and links that are listed, each, and files that are opened.
const LIST_MAX: usize = 256;

/// Longest file name that is kept, in bytes.
const NAME_MAX: usize = 255;

/// Longest boundary, in bytes.
const BOUNDARY_MAX: usize = 254;

/// Most of a header that is kept, in bytes (`header-value-depth` of the reference).
const VALUE_MAX: usize = 2_000;

/// Longest header name, in bytes.
const HEADER_NAME_MAX: usize = 75;

/// Longest line (RFC 5322, section 2.1.1), and longest encoded one (RFC 2045, section 6.7), in bytes.
const LINE_MAX: usize = 998;
const ENCODED_LINE_MAX: usize = 76;

/// What can be odd about a message, as events name it.
pub(crate) mod oddity {
    pub(crate) const MALFORMED: &str = "smtp.mime_malformed_msg";
    pub(crate) const BASE64: &str = "smtp.mime_invalid_base64";
    pub(crate) const HEADER_NAME: &str = "smtp.mime_long_header_name";
    pub(crate) const HEADER_VALUE: &str = "smtp.mime_long_header_value";
    pub(crate) const QUOTED: &str = "smtp.mime_invalid_qp";
    pub(crate) const LINE: &str = "smtp.mime_long_line";
    pub(crate) const ENCODED_LINE: &str = "smtp.mime_long_enc_line";
    pub(crate) const BOUNDARY: &str = "smtp.mime_long_boundary";
    pub(crate) const FILE_NAME: &str = "smtp.mime_long_filename";
}

/// How far a message has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Ready,
    Header,
    HeadersDone,
    Body,
    /// Behind the last boundary of the outermost multipart body.
    BodyDone,
    Done,
}

/// What the headers of the part in hand say.
#[derive(Default, Debug)]
struct Part {
    decoder: Decoder,
    name: Vec<u8>,
    /// A container: what stands before its first boundary is not looked at.
    multipart: bool,
    /// A message of its own: headers follow the headers.
    message: bool,
    /// Not a text to look for links in.
    other: bool,
    /// Its body follows a line that was whole: the line's end belongs to the body if no boundary follows.
    line_end_due: bool,
}

/// One message, as it comes.
#[derive(Debug)]
pub(crate) struct Message {
    state: State,
    window: WindowLimits,
    header: Vec<u8>,
    /// The header in hand lost its end.
    cut: bool,
    part: Part,
    boundaries: Vec<Vec<u8>>,
    /// The headers are those of the message and not of a part.
    outermost: bool,
    from: Option<Vec<u8>>,
    to: Option<Vec<u8>>,
    cc: Option<Vec<u8>>,
    attachments: Vec<Vec<u8>>,
    links: Vec<Vec<u8>>,
    opened: usize,
    oddities: Vec<&'static str>,
}

impl Message {
    pub(crate) const fn new(window: WindowLimits) -> Self {
        Self {
            state: State::Ready,
            window,
            header: Vec::new(),
            cut: false,
            part: Part {
                decoder: Decoder::Plain,
                name: Vec::new(),
                multipart: false,
                message: false,
                other: false,
                line_end_due: false,
            },
            boundaries: Vec::new(),
            outermost: true,
            from: None,
            to: None,
            cc: None,
            attachments: Vec::new(),
            links: Vec::new(),
            opened: 0,
            oddities: Vec::new(),
        }
    }

    /// The next thing that is odd.
    pub(crate) fn take_oddity(&mut self) -> Option<&'static str> {
        self.oddities.pop()
    }

    fn odd(&mut self, what: &'static str) {
        if !self.oddities.contains(&what) {
            self.oddities.push(what);
        }
    }

    /// The next line without its end, or a piece of a long line; `whole` says whether the line ends here.
    pub(crate) fn line(&mut self, line: &[u8], whole: bool, files: &mut Files) {
        if line.len() > LINE_MAX {
            self.odd(oddity::LINE);
        }
        match self.state {
            State::Ready | State::Header => self.header_line(line),
            State::HeadersDone | State::Body => self.body_line(line, whole, files),
            State::BodyDone | State::Done => {}
        }
        if self.state == State::HeadersDone && line.is_empty() {
            self.begin_body(files);
        }
    }

    fn header_line(&mut self, line: &[u8]) {
        self.state = State::Header;
        if line.first().is_some_and(|&byte| byte == b' ' || byte == b'\t') && !self.header.is_empty() {
            self.keep(line);
            return;
        }
        self.end_header();
        if line.is_empty() {
            self.state = State::HeadersDone;
        } else {
            self.keep(line);
        }
    }

    fn keep(&mut self, line: &[u8]) {
        let room = (HEADER_NAME_MAX + VALUE_MAX).saturating_sub(self.header.len());
        if let Some((kept, rest)) = line.split_at_checked(room) {
            self.header.extend_from_slice(kept);
            self.cut |= !rest.is_empty();
        } else {
            self.header.extend_from_slice(line);
        }
    }

    fn end_header(&mut self) {
        let header = std::mem::take(&mut self.header);
        if std::mem::take(&mut self.cut) {
            self.odd(oddity::HEADER_VALUE);
        }
        if header.is_empty() {
            return;
        }
        let Some(colon) = memchr::memchr(b':', &header) else {
            self.odd(oddity::MALFORMED);
            return;
        };
        let (name, value) = header.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.len() > HEADER_NAME_MAX {
            self.odd(oddity::HEADER_NAME);
        }
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"from" if self.outermost && self.from.is_none() => self.from = Some(value.to_vec()),
            b"to" if self.outermost && self.to.is_none() => self.to = Some(value.to_vec()),
            b"cc" if self.outermost && self.cc.is_none() => self.cc = Some(value.to_vec()),
            b"content-transfer-encoding" => self.part.decoder = Decoder::named(value),
            b"content-disposition" => {
                if let Some(name) = header::parameter(value, b"filename") {
                    self.name(&name);
                }
            }
            b"content-type" => self.content_type(value),
            _ => {}
        }
    }

    fn content_type(&mut self, value: &[u8]) {
        let kind = value.split(|&byte| byte == b';').next().unwrap_or_default();
        let kind = kind.trim_ascii().to_ascii_lowercase();
        self.part.other = !kind.starts_with(b"text/");
        self.part.message = kind == b"message/rfc822";
        self.part.multipart = kind.starts_with(b"multipart/");
        if self.part.multipart {
            match header::parameter(value, b"boundary") {
                Some(boundary) if boundary.len() > BOUNDARY_MAX => self.odd(oddity::BOUNDARY),
                Some(boundary) if !boundary.is_empty() => {
                    if self.boundaries.len() < PARTS_MAX {
                        self.boundaries.push(boundary);
                    } else {
                        self.odd(oddity::MALFORMED);
                    }
                }
                _ => self.odd(oddity::MALFORMED),
            }
        }
        if self.part.name.is_empty()
            && let Some(name) = header::parameter(value, b"name")
        {
            self.name(&name);
        }
    }

    fn name(&mut self, name: &[u8]) {
        if name.len() > NAME_MAX {
            self.odd(oddity::FILE_NAME);
        }
        self.part.name = name.get(..NAME_MAX).unwrap_or(name).to_vec();
    }

    /// The headers of a message or part are over.
    fn begin_body(&mut self, files: &mut Files) {
        self.outermost = false;
        if self.part.message && self.part.name.is_empty() {
            self.part = Part::default();
            self.state = State::Header;
            return;
        }
        if !self.part.name.is_empty() && self.opened < LIST_MAX {
            self.opened += 1;
            self.attachments.push(self.part.name.clone());
            files.open(&self.part.name, Some(self.window));
        }
    }

    /// What a line says if it is a boundary: how many bodies it lies in, and whether it ends the innermost of them.
    fn boundary(&self, line: &[u8]) -> Option<(usize, bool)> {
        let line = line.strip_prefix(b"--")?;
        let found = |(depth, boundary): (usize, &Vec<u8>)| {
            let rest = line.strip_prefix(boundary.as_slice())?.trim_ascii_end();
            match rest {
                b"" => Some((depth, false)),
                b"--" => Some((depth, true)),
                _ => None,
            }
        };
        self.boundaries.iter().enumerate().rev().find_map(found)
    }

    fn body_line(&mut self, line: &[u8], whole: bool, files: &mut Files) {
        self.state = State::Body;
        if let Some((depth, is_last)) = self.boundary(line) {
            self.end_part(files);
            self.boundaries.truncate(depth + usize::from(!is_last));
            self.state = match (is_last, self.boundaries.is_empty()) {
                (true, true) => State::BodyDone,
                (true, false) => {
                    // Nothing between two bodies is looked at.
                    self.part.multipart = true;
                    State::Body
                }
                _ => State::Header,
            };
            return;
        }
        if self.part.multipart {
            return;
        }
        if line.len() > ENCODED_LINE_MAX && self.part.decoder.is_encoded() {
            self.odd(oddity::ENCODED_LINE);
        }
        let mut decoded = Vec::with_capacity(line.len() + 2);
        if std::mem::take(&mut self.part.line_end_due) {
            decoded.extend_from_slice(b"\r\n");
        }
        match self.part.decoder.line(line, whole, &mut decoded) {
            Ok(line_end) => self.part.line_end_due = line_end && whole,
            Err(what) => self.odd(what),
        }
        if !self.part.name.is_empty() {
            files.append(&decoded);
        } else if !self.part.other {
            links(&decoded, LIST_MAX, &mut self.links);
        }
    }

    fn end_part(&mut self, files: &mut Files) {
        let mut rest = Vec::new();
        if let Err(what) = self.part.decoder.finish(&mut rest) {
            self.odd(what);
        }
        if !self.part.name.is_empty() {
            files.append(&rest);
            files.close();
        }
        self.part = Part::default();
    }

    /// The message is whole.
    pub(crate) fn finish(&mut self, files: &mut Files) {
        if self.state == State::Header {
            self.end_header();
        }
        self.end_part(files);
        if !self.boundaries.is_empty() {
            self.odd(oddity::MALFORMED);
        }
        self.state = State::Done;
    }
}
