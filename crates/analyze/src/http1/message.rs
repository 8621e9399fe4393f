//! One message, request or response: its bytes as sent, where its headers lie in them, and its body.

use super::limits::HttpLimits;
use crate::files::decompress::{Decompressor, Trouble};
use crate::files::{Files, Window};
use app::Stage;

/// A piece of [`Message`]'s text.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

/// Marks a [`Span`] that lies in the text that was put together, not in what was sent.
const JOINED: u32 = 1 << 31;

impl Span {
    /// From `start` up to `end` of what was sent.
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self { start: start as u32, len: end.saturating_sub(start) as u32 }
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// Without what `bytes`, which it names, begins and ends with by `trimmed`.
    fn trimmed(self, bytes: &[u8], trimmed: impl Fn(u8) -> bool) -> Self {
        let start = bytes.iter().take_while(|&&byte| trimmed(byte)).count();
        let end = bytes.iter().skip(start).rev().take_while(|&&byte| trimmed(byte)).count();
        Self { start: self.start + start as u32, len: (bytes.len() - start - end) as u32 }
    }
}

/// A header field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub name: Span,
    pub value: Span,
    /// Whether it was sent more than once.
    pub repeated: bool,
}

/// What is odd about a message; each said once.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Oddities {
    pub folding: bool,
    pub invalid_field: bool,
    pub missing_colon: bool,
    pub too_many: bool,
    pub nul: bool,
}

/// A request or response. What it holds is bounded by the field limit times the number of headers for the head, and by
/// the body limits.
#[derive(Debug)]
pub(crate) struct Message {
    /// First line, headers and trailers as sent.
    sent: Vec<u8>,
    /// Values that had to be put together: folded lines and repeated fields.
    joined: Vec<u8>,
    /// The first line, without its end.
    pub line: Span,
    /// Where the headers begin in what was sent.
    pub headers_start: usize,
    /// Where they, or the trailers, end, empty line included.
    pub headers_end: usize,
    pub headers: Vec<Header>,
    /// Where the line that is being received begins.
    pub cursor: usize,
    /// The header whose last line was received; lines that continue it may follow.
    pub pending: Option<Span>,
    repetitions: u8,
    pub oddities: Oddities,
    pub stage: Stage,
    /// Bytes of the body as sent, chunk lines included.
    pub sent_len: u64,
    /// The decoded body, as far as it is looked into.
    pub body: Window,
    pub decoder: Option<Box<Decompressor>>,
    pub files: Files,
}

/// How many more repetitions of fields are joined after the first ones.
const REPETITION_LIMIT: u8 = 64;

/// Space, tab, and the rest of C's `isspace`.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c)
}

/// White space within a line.
pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// A character of a token (RFC 9110, section 5.6.2), as loosely as the reference sees it.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'(' | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'"'
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'='
                | b'{'
                | b'}'
        )
}

/// What a header line was like.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct FieldReport {
    /// No colon: now first seen in this message.
    pub missing_colon: bool,
    /// The name is empty, no token, or has a space behind it: now first seen in this message.
    pub invalid: bool,
    /// `Content-Length` again, with another value.
    pub ambiguous_length: bool,
    /// One more than there may be; it was left out.
    pub too_many: bool,
}

impl Message {
    pub(crate) fn new(limits: crate::WindowLimits) -> Self {
        Self {
            sent: Vec::new(),
            joined: Vec::new(),
            line: Span::default(),
            headers_start: 0,
            headers_end: 0,
            headers: Vec::new(),
            cursor: 0,
            pending: None,
            repetitions: 0,
            oddities: Oddities::default(),
            stage: Stage::Waiting,
            sent_len: 0,
            body: Window::new(limits),
            decoder: None,
            files: Files::default(),
        }
    }

    /// Forgets the head, for the message that follows an interim response.
    pub(crate) fn begin_again(&mut self) {
        self.sent.clear();
        self.joined.clear();
        self.headers.clear();
        self.line = Span::default();
        self.headers_start = 0;
        self.headers_end = 0;
        self.cursor = 0;
        self.pending = None;
        self.oddities = Oddities::default();
    }

    /// What a span names.
    pub(crate) fn text(&self, span: Span) -> &[u8] {
        let from = if span.start & JOINED == 0 { &self.sent } else { &self.joined };
        let start = (span.start & !JOINED) as usize;
        from.get(start..start + span.len as usize).unwrap_or_default()
    }

    /// More of the head.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        if self.sent.capacity() == 0 {
            self.sent.reserve(bytes.len().clamp(256, 1024));
        }
        self.sent.extend_from_slice(bytes);
    }

    /// Bytes of the line that is being received.
    pub(crate) fn open_line(&self) -> &[u8] {
        self.sent.get(self.cursor..).unwrap_or_default()
    }

    /// Where what was sent ends.
    pub(crate) fn sent_end(&self) -> usize {
        self.sent.len()
    }

    /// Forgets the line that is being received.
    pub(crate) fn drop_open_line(&mut self) {
        self.sent.truncate(self.cursor);
    }

    /// Bytes of the head, and of the values put together.
    pub(crate) fn head_len(&self) -> usize {
        self.sent.len() + self.joined.len()
    }

    /// The headers as sent, with the empty line.
    pub(crate) fn raw_headers(&self) -> &[u8] {
        self.sent.get(self.headers_start..self.headers_end.max(self.headers_start)).unwrap_or_default()
    }

    /// The field of that name, whatever its case.
    pub(crate) fn find(&self, name: &[u8]) -> Option<&Header> {
        self.headers.iter().find(|header| {
            header.name.len as usize == name.len() && self.text(header.name).eq_ignore_ascii_case(name)
        })
    }

    /// Value of the field of that name, whatever its case.
    pub(crate) fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.find(name).map(|header| self.text(header.value))
    }

    /// As [`Message::find`], but NUL bytes within names count for nothing, as for many browsers.
    pub(crate) fn find_past_nul(&self, name: &[u8]) -> Option<&Header> {
        if !self.oddities.nul {
            return self.find(name);
        }
        self.headers.iter().find(|header| {
            let plain = self.text(header.name).iter().filter(|&&byte| byte != 0);
            plain.map(u8::to_ascii_lowercase).eq(name.iter().map(u8::to_ascii_lowercase))
        })
    }

    /// As [`Message::value`], by [`Message::find_past_nul`].
    pub(crate) fn value_past_nul(&self, name: &[u8]) -> Option<&[u8]> {
        self.find_past_nul(name).map(|header| self.text(header.value))
    }

    fn join(&mut self, parts: &[Span], between: &[u8]) -> Span {
        let start = self.joined.len();
        for (number, &part) in parts.iter().enumerate() {
            if number > 0 {
                self.joined.extend_from_slice(between);
            }
            let from = (part.start & !JOINED) as usize;
            let range = from..from + part.len as usize;
            if part.start & JOINED == 0 {
                self.joined.extend_from_slice(self.sent.get(range).unwrap_or_default());
            } else if range.end <= start {
                self.joined.extend_from_within(range);
            }
        }
        Span { start: start as u32 | JOINED, len: (self.joined.len() - start) as u32 }
    }

    /// The pending header goes on in `line`.
    pub(crate) fn continue_pending(&mut self, line: Span) {
        self.pending = Some(match self.pending {
            Some(before) => self.join(&[before, line], b""),
            None => line,
        });
    }

    /// Reads a whole header line and adds it to the headers. A request's value ends at a NUL byte.
    pub(crate) fn add_header(&mut self, line: Span, is_request: bool, limit: usize) -> FieldReport {
        let mut report = FieldReport::default();
        let bytes = self.text(line);
        let has_nul = memchr::memchr(0, bytes).is_some();
        let colon = memchr::memchr(b':', bytes)
            .filter(|&colon| !is_request || !has_nul || !bytes.get(..colon).unwrap_or_default().contains(&0));
        let sub = |from: usize, to: usize| Span {
            start: line.start + from as u32,
            len: to.saturating_sub(from) as u32,
        };
        let (name, value) = if let Some(colon) = colon {
            let name = bytes.get(..colon).unwrap_or_default();
            let spaces = name.iter().rev().take_while(|&&byte| is_blank(byte)).count();
            let name_len = colon - spaces;
            report.invalid =
                name_len == 0 || spaces > 0 || !name.iter().take(name_len).all(|&byte| is_token(byte));
            let mut value = bytes.get(colon + 1..).unwrap_or_default();
            if is_request && has_nul {
                value = value.split(|&byte| byte == 0).next().unwrap_or_default();
            }
            (sub(0, name_len), sub(colon + 1, colon + 1 + value.len()).trimmed(value, is_blank))
        } else {
            report.missing_colon = true;
            let value = if is_request { line } else { line.trimmed(bytes, is_blank) };
            (sub(0, 0), value)
        };
        self.oddities.nul |= has_nul;
        let known = self.oddities;
        self.oddities.invalid_field |= report.invalid;
        self.oddities.missing_colon |= report.missing_colon;
        report.invalid &= !known.invalid_field;
        report.missing_colon &= !known.missing_colon;
        self.insert(name, value, limit, &mut report);
        report
    }

    fn insert(&mut self, name: Span, value: Span, limit: usize, report: &mut FieldReport) {
        let text = self.text(name);
        let known = self.headers.iter().position(|header| {
            header.name.len == name.len && self.text(header.name).eq_ignore_ascii_case(text)
        });
        let Some(header) = known.and_then(|known| self.headers.get(known).copied()) else {
            if self.headers.len() > limit {
                report.too_many = !std::mem::replace(&mut self.oddities.too_many, true);
            } else {
                if self.headers.capacity() == 0 {
                    self.headers.reserve(12);
                }
                self.headers.push(Header { name, value, repeated: false });
            }
            return;
        };
        if header.repeated {
            if self.repetitions >= REPETITION_LIMIT {
                return;
            }
            self.repetitions += 1;
        }
        let joined = if self.text(name).eq_ignore_ascii_case(b"content-length") {
            let (before, now) = (number(self.text(header.value)), number(self.text(value)));
            report.ambiguous_length = before.is_none() || before != now;
            header.value
        } else {
            self.join(&[header.value, value], b", ")
        };
        if let Some(header) = known.and_then(|known| self.headers.get_mut(known)) {
            header.value = joined;
            header.repeated = true;
        }
    }

    /// Decodes and keeps more of the body. `wants_file`: it belongs to the open file, too.
    pub(crate) fn receive_body(&mut self, bytes: &[u8], wants_file: bool) -> Result<(), Trouble> {
        let Self { body, files, decoder, .. } = self;
        if body.room() == 0 {
            return Ok(());
        }
        let Some(decoder) = decoder else {
            keep(body, files, bytes, wants_file);
            return Ok(());
        };
        decoder.push(bytes, &mut |piece| keep(body, files, piece, wants_file))
    }

    /// `len` bytes of the body were never seen. What is encoded cannot be decoded behind them.
    pub(crate) fn skip_body(&mut self, len: u64) {
        self.sent_len += len;
        if self.decoder.take().is_some() {
            self.body.close();
            self.files.truncate();
        } else {
            self.body.gap(len);
            self.files.gap(len);
        }
    }

    /// The body's last byte has come.
    pub(crate) fn finish_body(&mut self, wants_file: bool) {
        if let Some(mut decoder) = self.decoder.take() {
            let Self { body, files, .. } = self;
            decoder.finish(&mut |piece| keep(body, files, piece, wants_file));
        }
        self.body.close();
    }
}

/// Appends to a body and to the file that it is; says whether there is room for more.
fn keep(body: &mut Window, files: &mut Files, bytes: &[u8], wants_file: bool) -> bool {
    let room = body.room();
    if room == 0 {
        return false;
    }
    body.append(bytes);
    if wants_file {
        let taken = usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len());
        files.append(bytes.get(..taken).unwrap_or_default());
        if taken as u64 == room {
            files.truncate();
        }
    }
    body.room() > 0
}

/// A decimal number with anything but digits before and after it: `Content-Length`, read as browsers do.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    let start = text.iter().position(u8::is_ascii_digit)?;
    let mut digits = text.get(start..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
    digits.try_fold(0_u64, |number, &digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
}

/// Whether `text` contains `part`, which is in lower case, whatever the case, NUL bytes in `text` left out.
pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    if memchr::memchr(0, text).is_some() {
        let plain: Vec<u8> = text.iter().copied().filter(|&byte| byte != 0).collect();
        return plain.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    }
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

impl HttpLimits {
    /// Whether a line of that length is too long.
    pub(crate) const fn is_too_long(&self, len: usize) -> bool {
        len > self.field
    }
}
