//! Reading requests.
//!
//! One call of [`Http1::request_data`] reads a piece of the client's stream to its end, state by state. What a state
//! leaves is the next one's. What is buffered is bounded by the field limit.

use super::body::{ChunkLine, read_chunk_line};
use super::message::{Span, contains, is_blank, is_space, number};
use super::multipart::Multipart;
use super::transaction::{Method, Version};
use super::uri::DoubleDecode;
use super::{Http1, Http1Transaction, events};
use crate::analyzer::Context;
use app::{Direction, Stage};

/// Where the reading of requests stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RequestState {
    /// Between requests.
    Idle,
    Line,
    Headers,
    /// A `CONNECT` was sent; what follows depends on the answer.
    WaitForAnswer,
    /// The tunnel stands: is it HTTP that follows?
    Probe,
    /// A body of known length, of which this much is missing.
    Body(u64),
    ChunkLength,
    ChunkData(u64),
    ChunkEnd,
    /// The request is whole; what follows may belong to it all the same.
    Finalize,
    /// After a request without protocol.
    Ignore,
    /// Not HTTP any more.
    Tunnel,
    /// Broken beyond reading on.
    Failed,
}

/// How much white space may follow a request without protocol.
const HTTP09_JUNK: usize = 16;

impl Http1 {
    /// Reads the next bytes from the client.
    pub(super) fn request_data(&mut self, context: &mut Context<'_>, bytes: &[u8], closed: bool) {
        let mut rest = bytes;
        // Each turn takes bytes or goes on to another state; the count is a bound against mistakes in that.
        for _ in 0..bytes.len() * 2 + 16 {
            let before = (rest.len(), self.request);
            let go_on = self.request_step(context, &mut rest, closed);
            if !go_on
                || (before == (rest.len(), self.request)
                    && !rest.is_empty()
                    && self.request == RequestState::Failed)
            {
                break;
            }
        }
    }

    /// One state's work on `rest`; `false` if it wants more bytes.
    fn request_step(&mut self, context: &mut Context<'_>, rest: &mut &[u8], closed: bool) -> bool {
        match self.request {
            RequestState::Idle => self.request_idle(context, rest),
            RequestState::Line => self.request_line(context, rest, closed),
            RequestState::Headers => self.request_headers(context, rest, closed),
            RequestState::WaitForAnswer => {
                self.hold(context, rest);
                false
            }
            RequestState::Probe => self.request_probe(rest),
            RequestState::Body(left) => self.request_body(context, rest, left, closed),
            RequestState::ChunkLength => self.request_chunk_length(context, rest),
            RequestState::ChunkData(left) => self.request_chunk_data(context, rest, left),
            RequestState::ChunkEnd => self.request_chunk_end(rest),
            RequestState::Finalize => self.request_finalize(context, rest, closed),
            RequestState::Ignore | RequestState::Tunnel | RequestState::Failed => {
                *rest = &[];
                false
            }
        }
    }

    fn request_idle(&mut self, context: &mut Context<'_>, rest: &[u8]) -> bool {
        if rest.is_empty() && self.request_buffer.is_empty() {
            return false;
        }
        if !self.open_transaction(context, self.request_id) {
            self.request = RequestState::Failed;
            return false;
        }
        if let Some(transaction) = self.request_tx() {
            transaction.request.stage = Stage::Begun;
        }
        self.request = RequestState::Line;
        true
    }

    /// Takes what was buffered before to the beginning of the message's text.
    fn request_line(&mut self, context: &mut Context<'_>, rest: &mut &[u8], closed: bool) -> bool {
        let buffered = std::mem::take(&mut self.request_buffer);
        let Some(transaction) = self.request_tx() else { return false };
        transaction.request.receive(&buffered);
        let (line, whole) = match memchr::memchr(b'\n', rest) {
            Some(end) => (rest.get(..=end).unwrap_or_default(), true),
            None => (*rest, closed),
        };
        transaction.request.receive(line);
        *rest = rest.get(line.len()..).unwrap_or_default();
        let len = transaction.request.open_line().len();
        if context.limits.http.is_too_long(len) {
            self.raise_request(events::REQUEST_TOO_LONG);
            self.request = RequestState::Failed;
            return false;
        }
        if !whole || len == 0 {
            return false;
        }
        let double = DoubleDecode {
            path: context.limits.http.double_decode_path,
            query: context.limits.http.double_decode_query,
        };
        let Some(transaction) = self.request_tx() else { return false };
        let message = &mut transaction.request;
        if matches!(message.open_line(), b"\n" | b"\r\n" | b"\r") {
            message.drop_open_line();
            return true;
        }
        let end = chomped(message.open_line());
        message.line = Span::new(0, end);
        message.cursor = message.sent_end();
        message.headers_start = message.cursor;
        message.headers_end = message.cursor;
        message.stage = Stage::Line;
        transaction.read_request_line(double);
        if transaction.is_http09 {
            let junk = rest.iter().take_while(|&&byte| is_space(byte)).count();
            if junk < rest.len() || junk > HTTP09_JUNK {
                transaction.is_http09 = false;
            } else {
                transaction.request.stage = Stage::Body;
                self.request = RequestState::Finalize;
                return true;
            }
        }
        self.request = RequestState::Headers;
        true
    }

    fn request_headers(&mut self, context: &mut Context<'_>, rest: &mut &[u8], closed: bool) -> bool {
        let limits = &context.limits.http;
        loop {
            let Some(transaction) = self.request_tx() else { return false };
            let Some(end) = memchr::memchr(b'\n', rest) else {
                transaction.request.receive(rest);
                *rest = &[];
                if limits.is_too_long(transaction.request.open_line().len()) {
                    self.raise_request(events::REQUEST_TOO_LONG);
                    self.request = RequestState::Failed;
                    return false;
                }
                if closed {
                    // What came is there to be looked at, but it is not known to be all.
                    if let Some(last) = transaction.request.pending.take() {
                        add_request_header(transaction, last, limits.headers);
                    }
                }
                return false;
            };
            let (line, after) = rest.split_at(end + 1);
            *rest = after;
            let message = &mut transaction.request;
            message.receive(line);
            let line = message.open_line();
            if limits.is_too_long(line.len()) {
                self.raise_request(events::REQUEST_TOO_LONG);
                self.request = RequestState::Failed;
                return false;
            }
            let next_is_lf = after.first() == Some(&b'\n');
            if is_terminator(line, !after.is_empty() && !next_is_lf) {
                message.cursor = message.sent_end();
                message.headers_end = message.cursor;
                return self.request_headers_done(context);
            }
            let folded = line.first().is_some_and(|&first| is_blank(first) || first == 0);
            let span = Span::new(message.cursor, message.cursor + chomped(line));
            message.cursor = message.sent_end();
            message.headers_end = message.cursor;
            if folded {
                let odd =
                    message.pending.is_none() && !std::mem::replace(&mut message.oddities.folding, true);
                message.continue_pending(span);
                if odd {
                    transaction.raise(events::REQUEST_FOLDING);
                }
                if transaction.request.head_len() > limits.field.saturating_mul(8) {
                    self.raise_request(events::REQUEST_TOO_LONG);
                    self.request = RequestState::Failed;
                    return false;
                }
            } else {
                let odd = span.is_empty() && !std::mem::replace(&mut message.oddities.folding, true);
                let before = message.pending.replace(span);
                if odd {
                    transaction.raise(events::REQUEST_FOLDING);
                }
                if let Some(before) = before
                    && !add_request_header(transaction, before, limits.headers)
                {
                    self.request = RequestState::Failed;
                    return false;
                }
            }
            if self.too_many_warnings() {
                return false;
            }
        }
    }

    /// Every header of the request, or every trailer, has come.
    fn request_headers_done(&mut self, context: &mut Context<'_>) -> bool {
        let limits = &context.limits.http;
        let Some(transaction) = self.request_tx() else { return false };
        if let Some(last) = transaction.request.pending.take()
            && !add_request_header(transaction, last, limits.headers)
        {
            self.request = RequestState::Failed;
            return false;
        }
        if transaction.request.stage >= Stage::Body {
            transaction.request.stage = Stage::Trailer;
            self.request = RequestState::Finalize;
            return true;
        }
        transaction.request.stage = Stage::Headers;
        transaction.read_host();
        transaction.read_authorization();
        let message = &transaction.request;
        let length =
            message.find_past_nul(b"content-length").map(|header| number(message.text(header.value)));
        let chunked = message.value_past_nul(b"transfer-encoding").map(|value| contains(value, b"chunked"));
        // `None`: a body whose length cannot be known.
        let state = match (chunked, length) {
            (Some(true), _) => {
                if transaction.version < Version::Http11 {
                    transaction.raise(events::REQUEST_TRANSFER_ENCODING);
                }
                Some(RequestState::ChunkLength)
            }
            (Some(false), _) => {
                transaction.raise(events::REQUEST_TRANSFER_ENCODING);
                None
            }
            (None, Some(None)) => {
                transaction.raise(events::REQUEST_CONTENT_LENGTH);
                None
            }
            (None, Some(Some(length))) => {
                transaction.content_length = length;
                Some(if length == 0 { RequestState::Finalize } else { RequestState::Body(length) })
            }
            (None, None) => Some(RequestState::Finalize),
        };
        if transaction.method == Method::Connect {
            self.request = RequestState::WaitForAnswer;
            return true;
        }
        let Some(state) = state else {
            self.request = RequestState::Failed;
            return false;
        };
        if state != RequestState::Finalize {
            self.begin_request_body(context);
        }
        self.request = state;
        true
    }

    /// Sets up what the body needs.
    fn begin_request_body(&mut self, context: &mut Context<'_>) {
        let limits = &context.limits.http;
        let Some(transaction) = self.request_tx() else { return };
        transaction.request.stage = Stage::Body;
        super::encoding::set_up(transaction, Direction::ToServer, &limits.decompress);
        if !matches!(transaction.method, Method::Post | Method::Put) {
            return;
        }
        if transaction.method == Method::Post
            && let Some(kind) = transaction.request.value(b"content-type")
            && let Some(boundary) = Multipart::boundary(kind)
        {
            transaction.multipart = Some(Box::new(Multipart::new(boundary, limits.upload)));
        } else if let Some(path) = transaction.path().map(<[u8]>::to_vec) {
            transaction.request.files.open(&path, None);
            let hashes = transaction.request.body.hashes();
            transaction.request.files.hash(hashes);
            transaction.request_is_file = true;
        }
    }

    /// Takes body bytes.
    fn request_body_data(&mut self, context: &mut Context<'_>, bytes: &[u8]) {
        let Some(transaction) = self.request_tx() else { return };
        if transaction.request.stage < Stage::Body {
            transaction.request.stage = Stage::Body;
        }
        transaction.request.sent_len += bytes.len() as u64;
        let is_file = transaction.request_is_file;
        let before = transaction.request.body.end();
        if let Err(trouble) = transaction.request.receive_body(bytes, is_file) {
            transaction.raise(super::encoding::event_of(trouble));
        }
        if transaction.multipart.is_some() {
            let Http1Transaction { multipart, request, .. } = transaction;
            let mut found = None;
            if let Some(multipart) = multipart {
                let fresh = request.body.since(before);
                found = multipart.feed(fresh, &mut request.files);
            }
            if let Some(event) = found {
                transaction.raise(event);
            }
        }
        self.log_files(context, Direction::ToServer);
    }

    fn finish_request_body(&mut self, context: &mut Context<'_>, cut: bool) {
        let Some(transaction) = self.request_tx() else { return };
        let is_file = transaction.request_is_file;
        let before = transaction.request.body.end();
        transaction.request.finish_body(is_file);
        let mut found = None;
        if let Some(multipart) = &mut transaction.multipart {
            let fresh = transaction.request.body.since(before);
            found = multipart.feed(fresh, &mut transaction.request.files);
            found = found.or(multipart.finish(&mut transaction.request.files));
        }
        if let Some(event) = found {
            transaction.raise(event);
        }
        if cut {
            transaction.request.files.truncate();
        } else {
            transaction.request.files.close();
        }
        self.log_files(context, Direction::ToServer);
    }

    fn request_body(&mut self, context: &mut Context<'_>, rest: &mut &[u8], left: u64, closed: bool) -> bool {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        if taken == 0 {
            if closed {
                self.finish_request_body(context, true);
                self.request = RequestState::Finalize;
            }
            return closed;
        }
        let (body, after) = rest.split_at(taken);
        *rest = after;
        self.request_body_data(context, body);
        let left = left - taken as u64;
        if left > 0 {
            self.request = RequestState::Body(left);
            return false;
        }
        self.request = RequestState::Finalize;
        true
    }

    fn request_chunk_length(&mut self, context: &mut Context<'_>, rest: &mut &[u8]) -> bool {
        let (line, taken) = read_chunk_line(&mut self.request_buffer, rest, context.limits.http.field);
        *rest = rest.get(taken..).unwrap_or_default();
        let state = match line {
            ChunkLine::Incomplete => {
                return false;
            }
            ChunkLine::Blank(len) => {
                self.count_request(len);
                return true;
            }
            ChunkLine::Length { length, line_len, extension } => {
                self.count_request(line_len);
                if extension {
                    self.raise_request(events::REQUEST_CHUNK_EXTENSION);
                }
                if length == 0 { None } else { Some(RequestState::ChunkData(length)) }
            }
            ChunkLine::TooLong => {
                self.raise_request(events::REQUEST_TOO_LONG);
                Some(RequestState::Failed)
            }
            ChunkLine::Empty(_) | ChunkLine::Invalid(_) => {
                self.raise_request(events::REQUEST_CHUNK_LEN);
                Some(RequestState::Failed)
            }
        };
        if let Some(state) = state {
            self.request = state;
            return state != RequestState::Failed;
        }
        // The last chunk: trailers follow.
        self.finish_request_body(context, false);
        if let Some(transaction) = self.request_tx() {
            transaction.request.stage = Stage::Trailer;
        }
        self.request = RequestState::Headers;
        true
    }

    fn count_request(&mut self, len: usize) {
        if let Some(transaction) = self.request_tx() {
            transaction.request.sent_len += len as u64;
        }
    }

    fn request_chunk_data(&mut self, context: &mut Context<'_>, rest: &mut &[u8], left: u64) -> bool {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        if taken == 0 {
            return false;
        }
        let (body, after) = rest.split_at(taken);
        *rest = after;
        self.request_body_data(context, body);
        let left = left - taken as u64;
        self.request = if left == 0 { RequestState::ChunkEnd } else { RequestState::ChunkData(left) };
        true
    }

    fn request_chunk_end(&mut self, rest: &mut &[u8]) -> bool {
        let end = memchr::memchr(b'\n', rest);
        let taken = end.map_or(rest.len(), |end| end + 1);
        self.count_request(taken);
        *rest = rest.get(taken..).unwrap_or_default();
        if end.is_some() {
            self.request = RequestState::ChunkLength;
        }
        end.is_some()
    }

    /// The request is whole. Bytes that do not begin another one belong to its body.
    fn request_finalize(&mut self, context: &mut Context<'_>, rest: &mut &[u8], closed: bool) -> bool {
        if rest.is_empty() && self.request_buffer.is_empty() {
            self.request_complete(context);
            return true;
        }
        let end = memchr::memchr(b'\n', rest);
        if end.is_none() && !closed {
            // A method can be told apart before its line ends.
            let mut start = std::mem::take(&mut self.request_buffer);
            start.extend_from_slice(rest);
            let begins = start.trim_ascii_start();
            let word = begins.iter().take_while(|&&byte| !is_space(byte)).count();
            let method = begins.get(..word).unwrap_or_default();
            if Method::read(method) != Method::Unknown || (word == begins.len() && word < 20) {
                if Method::read(method) == Method::Unknown {
                    // Not enough to say.
                    self.request_buffer = start;
                    *rest = &[];
                    return false;
                }
                self.request_buffer = start;
                *rest = &[];
                self.request_complete(context);
                return true;
            }
            *rest = &[];
            self.unexpected_request_body(context, &start);
            return false;
        }
        let line_len = end.map_or(rest.len(), |end| end + 1);
        let mut start = std::mem::take(&mut self.request_buffer);
        let buffered = start.len();
        start.extend_from_slice(rest.get(..line_len).unwrap_or_default());
        let begins = start.trim_ascii_start();
        let word = begins.iter().take_while(|&&byte| !is_space(byte)).count();
        let method = begins.get(..word).unwrap_or_default();
        if word > 0 && Method::read(method) != Method::Unknown {
            start.truncate(buffered);
            self.request_buffer = start;
            self.request_complete(context);
            return true;
        }
        *rest = rest.get(line_len..).unwrap_or_default();
        if word == 0 {
            // Blank lines belong to the request before them.
            self.request_body_data(context, &start);
            return true;
        }
        self.unexpected_request_body(context, &start);
        true
    }

    fn unexpected_request_body(&mut self, context: &mut Context<'_>, bytes: &[u8]) {
        self.raise_request(events::REQUEST_BODY_UNEXPECTED);
        self.request_body_data(context, bytes);
    }

    /// Nothing more belongs to the request.
    pub(super) fn request_complete(&mut self, context: &mut Context<'_>) {
        self.finish_request_body(context, false);
        let Some(transaction) = self.request_tx() else { return };
        transaction.request.stage = Stage::Complete;
        let ignore = transaction.is_http09;
        context.flush_raw[Direction::ToServer.index()] = true;
        let id = self.request_id;
        self.request_id += 1;
        self.request = if ignore { RequestState::Ignore } else { RequestState::Idle };
        self.log_transaction(context, id);
    }

    /// Keeps what may be tunnelled until the answer has come.
    fn hold(&mut self, context: &Context<'_>, rest: &mut &[u8]) {
        let room = context.limits.http.field.saturating_sub(self.request_buffer.len());
        self.request_buffer.extend_from_slice(rest.get(..room.min(rest.len())).unwrap_or_default());
        *rest = &[];
    }

    /// The tunnel stands: HTTP may go on in it.
    fn request_probe(&mut self, rest: &mut &[u8]) -> bool {
        let rest_len = rest.len();
        let mut start = std::mem::take(&mut self.request_buffer);
        start.extend_from_slice(rest);
        *rest = &[];
        if start.is_empty() {
            return false;
        }
        let begins = start.trim_ascii_start();
        let word = begins.iter().take_while(|&&byte| !is_space(byte)).count();
        if Method::read(begins.get(..word).unwrap_or_default()) == Method::Unknown {
            self.tunnel(rest_len);
            return false;
        }
        self.request_buffer = start;
        self.request_id += 1;
        self.request = RequestState::Idle;
        true
    }

    pub(super) fn raise_request(&mut self, event: &'static str) {
        if let Some(transaction) = self.request_tx() {
            transaction.raise(event);
        }
        self.warnings += 1;
    }
}

/// Length of a line without its end.
pub(super) fn chomped(line: &[u8]) -> usize {
    line.len() - line.iter().rev().take_while(|&&byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Whether a line ends the headers: an empty one, or one blank if the next is not empty.
pub(super) fn is_terminator(line: &[u8], something_follows: bool) -> bool {
    match line {
        b"\n" | b"\r" | b"\r\n" => true,
        [blank, b'\n'] => is_blank(*blank) && something_follows,
        _ => false,
    }
}

/// `false` if there are too many.
fn add_request_header(transaction: &mut Http1Transaction, line: Span, limit: usize) -> bool {
    let report = transaction.request.add_header(line, true, limit);
    if report.missing_colon {
        transaction.raise(events::REQUEST_MISSING_COLON);
    }
    if report.invalid {
        transaction.raise(events::REQUEST_HEADER_INVALID);
    }
    if report.ambiguous_length {
        transaction.raise(events::REQUEST_LENGTHS);
    }
    if report.too_many {
        transaction.raise(events::REQUEST_TOO_MANY_HEADERS);
    }
    !transaction.request.oddities.too_many
}
