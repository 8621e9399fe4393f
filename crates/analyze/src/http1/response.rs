//! Reading responses.
//!
//! As [`super::request`], for the server's stream. Servers' mistakes are read as browsers read them: a lone carriage
//! return ends a line, a first line that is none is a body, a broken chunk length makes the rest a body.

use super::body::{ChunkLine, read_chunk_line};
use super::message::{Message, Span, contains, is_blank, is_space, number};
use super::request::{RequestState, chomped, is_terminator};
use super::transaction::{Method, Version};
use super::{Http1, Http1Transaction, events};
use crate::analyzer::Context;
use app::{Direction, Stage};

/// Where the reading of responses stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ResponseState {
    /// Between responses.
    Idle,
    Line,
    Headers,
    /// A body of known length, of which this much is missing.
    Body(u64),
    /// A body that ends with the stream.
    BodyToEnd,
    ChunkLength,
    ChunkData(u64),
    ChunkEnd,
    /// The response is whole; what follows may belong to it all the same.
    Finalize,
    /// Not HTTP any more.
    Tunnel,
    /// Broken beyond reading on.
    Failed,
}

impl Http1 {
    /// Reads the next bytes from the server.
    pub(super) fn response_data(&mut self, context: &mut Context<'_>, bytes: &[u8], closed: bool) {
        let mut rest = bytes;
        for _ in 0..bytes.len() * 2 + 16 {
            if !self.response_step(context, &mut rest, closed) {
                break;
            }
        }
    }

    /// One state's work on `rest`; `false` if it wants more bytes.
    fn response_step(&mut self, context: &mut Context<'_>, rest: &mut &[u8], closed: bool) -> bool {
        match self.response {
            ResponseState::Idle => self.response_idle(context, rest),
            ResponseState::Line => self.response_line(context, rest, closed),
            ResponseState::Headers => self.response_headers(context, rest, closed),
            ResponseState::Body(left) => self.response_body(context, rest, left, closed),
            ResponseState::BodyToEnd => {
                let body = std::mem::take(rest);
                if !body.is_empty() {
                    self.response_body_data(context, body);
                }
                if closed {
                    self.response = ResponseState::Finalize;
                }
                closed
            }
            ResponseState::ChunkLength => self.response_chunk_length(context, rest, closed),
            ResponseState::ChunkData(left) => self.response_chunk_data(context, rest, left, closed),
            ResponseState::ChunkEnd => self.response_chunk_end(rest, closed),
            ResponseState::Finalize => self.response_finalize(context, rest, closed),
            ResponseState::Tunnel | ResponseState::Failed => {
                *rest = &[];
                false
            }
        }
    }

    fn response_idle(&mut self, context: &mut Context<'_>, rest: &[u8]) -> bool {
        if rest.is_empty() && self.response_buffer.is_empty() {
            return false;
        }
        let unseen = self.response_id >= self.next_id;
        if !self.open_transaction(context, self.response_id) {
            self.response = ResponseState::Failed;
            return false;
        }
        let mut unmatched = false;
        if let Some(transaction) = self.response_tx() {
            if unseen || transaction.request.stage == Stage::Waiting {
                transaction.unseen_request = true;
                transaction.request.stage = Stage::Complete;
                unmatched = true;
            }
            transaction.response.stage = Stage::Begun;
            self.response = if transaction.is_http09 {
                transaction.response.stage = Stage::Body;
                ResponseState::BodyToEnd
            } else {
                ResponseState::Line
            };
        }
        if unmatched {
            self.raise_response(events::UNMATCHED_RESPONSE);
            self.request_id = self.request_id.max(self.response_id + 1);
        }
        if self.response == ResponseState::BodyToEnd {
            self.begin_response_file(context);
        } else if self.request == RequestState::Line && !unmatched && self.request_id == self.response_id {
            self.raise_response(events::REQUEST_LINE_INCOMPLETE);
        }
        true
    }

    fn response_line(&mut self, context: &mut Context<'_>, rest: &mut &[u8], closed: bool) -> bool {
        let buffered = std::mem::take(&mut self.response_buffer);
        let mut carriage_return = self.response_cr;
        let Some(transaction) = self.response_tx() else { return false };
        transaction.response.receive(&buffered);
        let whole = take_line(&mut transaction.response, rest, &mut carriage_return, false) || closed;
        let len = transaction.response.open_line().len();
        self.response_cr = carriage_return;
        if context.limits.http.is_too_long(len) {
            self.raise_response(events::RESPONSE_TOO_LONG);
            self.response = ResponseState::Failed;
            return false;
        }
        if !whole || len == 0 {
            if closed {
                self.response = ResponseState::Finalize;
            }
            return closed;
        }
        let Some(transaction) = self.response_tx() else { return false };
        let message = &mut transaction.response;
        let line = message.open_line();
        if matches!(line, b"\n" | b"\r" | b"\r\n") {
            message.drop_open_line();
            if closed {
                self.response = ResponseState::Finalize;
            }
            return true;
        }
        let end = chomped(line);
        if resembles_body(line) {
            if rest.len() > 1 && (rest.first() == Some(&b'H') || end <= 2) {
                message.drop_open_line();
                return true;
            }
            let body = line.to_vec();
            message.drop_open_line();
            message.stage = Stage::Body;
            message.decoder = None;
            if !message.files.has_open() {
                self.begin_response_file(context);
            }
            self.response_body_data(context, &body);
            // Line by line, until one looks like a status line or nothing is left of what was given.
            if rest.is_empty() {
                self.response = ResponseState::Finalize;
            }
            return true;
        }
        message.line = Span::new(0, end);
        message.cursor = message.sent_end();
        message.headers_start = message.cursor;
        message.headers_end = message.cursor;
        message.stage = Stage::Line;
        read_status_line(transaction);
        if transaction.response_version == Version::Invalid {
            self.raise_response(events::RESPONSE_PROTOCOL);
        }
        if self.response_tx().is_some_and(|transaction| transaction.status == 0) {
            self.raise_response(events::RESPONSE_STATUS);
        }
        self.response = ResponseState::Headers;
        true
    }

    fn response_headers(&mut self, context: &mut Context<'_>, rest: &mut &[u8], closed: bool) -> bool {
        let limits = &context.limits.http;
        loop {
            let mut carriage_return = self.response_cr;
            let Some(transaction) = self.response_tx() else { return false };
            let message = &mut transaction.response;
            let whole = take_line(message, rest, &mut carriage_return, true);
            let too_long = limits.is_too_long(message.open_line().len());
            self.response_cr = carriage_return;
            if too_long {
                self.raise_response(events::RESPONSE_TOO_LONG);
                self.response = ResponseState::Failed;
                return false;
            }
            if !whole {
                return closed && self.response_headers_cut(context);
            }
            let Some(transaction) = self.response_tx() else { return false };
            let message = &mut transaction.response;
            let line = message.open_line();
            let follows = !rest.is_empty() && rest.first() != Some(&b'\n');
            if is_terminator(line, follows) {
                // LF CR CR LF CR LF is two ends of lines to browsers.
                let before = message.raw_headers();
                if before.ends_with(b"\n\r") && line == b"\r\n" && rest.starts_with(b"\r\n") {
                    message.receive(b"\r\n");
                    *rest = rest.get(2..).unwrap_or_default();
                }
                message.cursor = message.sent_end();
                message.headers_end = message.cursor;
                return self.response_headers_done(context, rest);
            }
            let end = chomped(line);
            let folded = line.first().is_some_and(|&first| is_blank(first) || first == 0);
            let has_colon = memchr::memchr(b':', line.get(..end).unwrap_or_default()).is_some();
            let mut span = Span::new(message.cursor, message.cursor + end);
            let start = message.cursor;
            message.cursor = message.sent_end();
            message.headers_end = message.cursor;
            // Nothing but ends of lines, and not the end of the headers.
            let mut odd = end == 0;
            let mut before = None;
            if folded {
                let pending_has_colon =
                    message.pending.is_some_and(|pending| message.text(pending).contains(&b':'));
                if message.pending.is_none() {
                    odd = true;
                    message.pending = Some(span);
                } else if has_colon && pending_has_colon && transaction.response_version == Version::Http11 {
                    // A header with a space before it, to browsers.
                    odd = true;
                    span = Span::new(start + 1, start + end);
                    before = transaction.response.pending.replace(span);
                } else {
                    message.continue_pending(span);
                }
            } else {
                before = message.pending.replace(span);
            }
            if odd && !std::mem::replace(&mut transaction.response.oddities.folding, true) {
                transaction.raise(events::RESPONSE_FOLDING);
            }
            let too_large = transaction.response.head_len() > limits.field.saturating_mul(8);
            if too_large {
                transaction.raise(events::RESPONSE_TOO_LONG);
            }
            if too_large
                || before.is_some_and(|before| !add_response_header(transaction, before, limits.headers))
            {
                self.response = ResponseState::Failed;
                return false;
            }
            if self.too_many_warnings() {
                return false;
            }
        }
    }

    /// The stream ended among the headers.
    fn response_headers_cut(&mut self, context: &mut Context<'_>) -> bool {
        let limit = context.limits.http.headers;
        if let Some(transaction) = self.response_tx() {
            let message = &mut transaction.response;
            let open = Span::new(message.cursor, message.cursor + chomped(message.open_line()));
            message.cursor = message.sent_end();
            message.headers_end = message.cursor;
            let pending = message.pending.take();
            for span in pending.into_iter().chain([open]).filter(|span| !span.is_empty()) {
                add_response_header(transaction, span, limit);
            }
            if transaction.response.stage < Stage::Headers {
                transaction.response.stage = Stage::Headers;
            }
        }
        self.response = ResponseState::Finalize;
        true
    }

    fn response_headers_done(&mut self, context: &mut Context<'_>, rest: &[u8]) -> bool {
        let limit = context.limits.http.headers;
        let Some(transaction) = self.response_tx() else { return false };
        if let Some(last) = transaction.response.pending.take()
            && !add_response_header(transaction, last, limit)
        {
            self.response = ResponseState::Failed;
            return false;
        }
        if transaction.response.stage >= Stage::Body {
            transaction.response.stage = Stage::Trailer;
            self.response = ResponseState::Finalize;
            return true;
        }
        self.response_determine(context, rest)
    }

    /// Finds out what follows the headers.
    fn response_determine(&mut self, context: &mut Context<'_>, rest: &[u8]) -> bool {
        let request_state = self.request;
        let Some(transaction) = self.response_tx() else { return false };
        let message = &transaction.response;
        let length =
            message.find_past_nul(b"content-length").map(|header| number(message.text(header.value)));
        let coding = message.value_past_nul(b"transfer-encoding");
        let chunked = coding.is_some_and(|value| contains(value, b"chunked"));
        let odd_chunked = chunked && coding.is_some_and(|value| !value.eq_ignore_ascii_case(b"chunked"));
        let has_coding = coding.is_some();
        let status = transaction.status;
        let waits = request_state == RequestState::WaitForAnswer && self.request_id == self.response_id;
        let Some(transaction) = self.response_tx() else { return false };
        if transaction.method == Method::Connect {
            if (200..300).contains(&status) {
                transaction.response.stage = Stage::Headers;
                self.response = ResponseState::Finalize;
                self.connect_answered(context, true);
                return true;
            }
            if waits {
                self.connect_answered(context, false);
            }
        }
        let Some(transaction) = self.response_tx() else { return false };
        if status == 101 && !has_coding && length.is_none() {
            transaction.response.stage = Stage::Headers;
            let http2 = transaction.upgrades_to_http2();
            self.switch_protocol(context, http2, rest.len());
            return false;
        }
        if status == 100 && !has_coding && !matches!(length, Some(Some(1..))) {
            let seen = std::mem::replace(&mut transaction.seen_continue, true);
            transaction.response.begin_again();
            if seen {
                self.raise_response(events::CONTINUE_ALREADY_SEEN);
            }
            self.response = ResponseState::Line;
            return true;
        }
        let refused = (400..500).contains(&status)
            && transaction.content_length > 0
            && transaction.request.sent_len == 0
            && transaction.expects_continue();
        let is_head = transaction.method == Method::Head;
        let bodiless = (100..200).contains(&status) || status == 204 || status == 304;
        if refused && matches!(request_state, RequestState::Body(_)) {
            self.request = RequestState::Finalize;
        }
        let Some(transaction) = self.response_tx() else { return false };
        transaction.response.stage = Stage::Headers;
        if is_head || (bodiless && !has_coding && length.is_none()) {
            self.response = ResponseState::Finalize;
            return true;
        }
        let byte_ranges = transaction
            .response
            .value_past_nul(b"content-type")
            .is_some_and(|kind| contains(kind, b"multipart/byteranges"));
        let old = transaction.response_version < Version::Http11;
        let state = if chunked {
            if odd_chunked {
                transaction.raise(events::RESPONSE_TRANSFER_ENCODING);
            }
            if old {
                transaction.raise(events::RESPONSE_CHUNKED_OLD);
            }
            ResponseState::ChunkLength
        } else {
            match length {
                Some(Some(0)) => ResponseState::Finalize,
                Some(Some(length)) => ResponseState::Body(length),
                Some(None) => {
                    transaction.raise(events::RESPONSE_CONTENT_LENGTH);
                    ResponseState::Failed
                }
                None if byte_ranges => {
                    transaction.raise(events::BYTE_RANGES);
                    ResponseState::Failed
                }
                None => ResponseState::BodyToEnd,
            }
        };
        self.response = state;
        if !matches!(state, ResponseState::Finalize | ResponseState::Failed) {
            if let Some(transaction) = self.response_tx() {
                transaction.response.stage = Stage::Body;
                super::encoding::set_up(transaction, Direction::ToClient, &context.limits.http.decompress);
            }
            self.begin_response_file(context);
        }
        state != ResponseState::Failed
    }

    /// The body is a file, if there is a name for it.
    fn begin_response_file(&mut self, _context: &mut Context<'_>) {
        let Some(transaction) = self.response_tx() else { return };
        transaction.open_response_file();
    }

    fn response_body_data(&mut self, context: &mut Context<'_>, bytes: &[u8]) {
        let Some(transaction) = self.response_tx() else { return };
        transaction.response.sent_len += bytes.len() as u64;
        let is_file = transaction.response_is_file;
        if transaction.response.body.room() == 0 {
            return;
        }
        if let Err(trouble) = transaction.response.receive_body(bytes, is_file) {
            transaction.raise(super::encoding::event_of(trouble));
        }
        self.log_files(context, Direction::ToClient);
    }

    fn finish_response_body(&mut self, context: &mut Context<'_>, cut: bool) {
        let Some(transaction) = self.response_tx() else { return };
        transaction.response.finish_body(transaction.response_is_file);
        if cut {
            transaction.response.files.truncate();
        } else {
            transaction.response.files.close();
        }
        self.log_files(context, Direction::ToClient);
    }

    fn response_body(
        &mut self,
        context: &mut Context<'_>,
        rest: &mut &[u8],
        left: u64,
        closed: bool,
    ) -> bool {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        if taken > 0 {
            let (body, after) = rest.split_at(taken);
            *rest = after;
            self.response_body_data(context, body);
        }
        let left = left - taken as u64;
        if left > 0 {
            self.response = ResponseState::Body(left);
            if closed {
                self.finish_response_body(context, true);
                self.response = ResponseState::Finalize;
            }
            return closed;
        }
        self.response = ResponseState::Finalize;
        true
    }

    fn count_response(&mut self, len: usize) {
        if let Some(transaction) = self.response_tx() {
            transaction.response.sent_len += len as u64;
        }
    }

    fn response_chunk_length(&mut self, context: &mut Context<'_>, rest: &mut &[u8], closed: bool) -> bool {
        if closed && rest.is_empty() {
            self.response = ResponseState::Finalize;
            return true;
        }
        let (line, taken) = read_chunk_line(&mut self.response_buffer, rest, context.limits.http.field);
        let line_bytes = rest.get(..taken).unwrap_or_default();
        *rest = rest.get(taken..).unwrap_or_default();
        match line {
            ChunkLine::Incomplete => return closed,
            ChunkLine::Blank(len) | ChunkLine::Empty(len) => self.count_response(len),
            ChunkLine::Length { length, line_len, .. } => {
                self.count_response(line_len);
                if length > 0 {
                    self.response = ResponseState::ChunkData(length);
                } else {
                    self.finish_response_body(context, false);
                    if let Some(transaction) = self.response_tx() {
                        transaction.response.stage = Stage::Trailer;
                    }
                    self.response = ResponseState::Headers;
                }
            }
            ChunkLine::TooLong => {
                self.raise_response(events::RESPONSE_TOO_LONG);
                self.response = ResponseState::Failed;
                return false;
            }
            ChunkLine::Invalid(_) => {
                // The rest is the body, this line included.
                self.raise_response(events::RESPONSE_CHUNK_LEN);
                // The reference counts the byte by which it noticed twice.
                self.count_response(1);
                if !line_bytes.is_empty() {
                    self.response_body_data(context, line_bytes);
                }
                self.response = ResponseState::BodyToEnd;
            }
        }
        true
    }

    fn response_chunk_data(
        &mut self,
        context: &mut Context<'_>,
        rest: &mut &[u8],
        left: u64,
        closed: bool,
    ) -> bool {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
        if taken == 0 {
            if closed {
                self.finish_response_body(context, true);
                self.response = ResponseState::Finalize;
            }
            return closed;
        }
        let (body, after) = rest.split_at(taken);
        *rest = after;
        self.response_body_data(context, body);
        let left = left - taken as u64;
        self.response = if left == 0 { ResponseState::ChunkEnd } else { ResponseState::ChunkData(left) };
        true
    }

    fn response_chunk_end(&mut self, rest: &mut &[u8], closed: bool) -> bool {
        let end = memchr::memchr(b'\n', rest);
        let taken = end.map_or(rest.len(), |end| end + 1);
        self.count_response(taken);
        *rest = rest.get(taken..).unwrap_or_default();
        if end.is_some() {
            self.response = ResponseState::ChunkLength;
        } else if closed {
            self.response = ResponseState::Finalize;
        }
        end.is_some() || closed
    }

    /// The response is whole. Bytes that do not begin another one belong to its body.
    fn response_finalize(&mut self, context: &mut Context<'_>, rest: &mut &[u8], closed: bool) -> bool {
        if rest.is_empty() && self.response_buffer.is_empty() {
            self.response_complete(context);
            return true;
        }
        let line_len = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let whole = line_len < rest.len() || rest.ends_with(b"\n") || closed;
        let mut start = std::mem::take(&mut self.response_buffer);
        let buffered = start.len();
        start.extend_from_slice(rest.get(..line_len).unwrap_or_default());
        let looks_whole = whole || start.len() >= 5;
        if !looks_whole {
            self.response_buffer = start;
            *rest = &[];
            return false;
        }
        if resembles_body(&start) {
            *rest = rest.get(line_len..).unwrap_or_default();
            // Not an event in the reference's rules: servers do it all the time.
            self.warnings += 1;
            self.response_body_data(context, &start);
            return true;
        }
        start.truncate(buffered);
        self.response_buffer = start;
        self.response_complete(context);
        true
    }

    /// Nothing more belongs to the response.
    pub(super) fn response_complete(&mut self, context: &mut Context<'_>) {
        self.finish_response_body(context, false);
        let Some(transaction) = self.response_tx() else { return };
        transaction.response.stage = Stage::Complete;
        context.flush_raw[Direction::ToClient.index()] = true;
        let id = self.response_id;
        self.response_id += 1;
        self.response = ResponseState::Idle;
        self.log_transaction(context, id);
    }

    pub(super) fn raise_response(&mut self, event: &'static str) {
        if let Some(transaction) = self.response_tx() {
            transaction.raise(event);
        }
        self.warnings += 1;
    }
}

/// Moves bytes of `rest` up to the end of a line to the message's open line; `false` if the line does not end there.
/// `carriage_return`: the last byte taken was one that may have ended the line. `reversed`: LF CR ends a line, too.
fn take_line(message: &mut Message, rest: &mut &[u8], carriage_return: &mut bool, reversed: bool) -> bool {
    if std::mem::take(carriage_return) {
        match rest.first() {
            None => {
                *carriage_return = true;
                return false;
            }
            Some(b'\n') => {
                message.receive(b"\n");
                *rest = rest.get(1..).unwrap_or_default();
                return true;
            }
            Some(b'\r') => {}
            Some(_) => return true,
        }
    }
    let mut from = 0;
    loop {
        let Some(at) = memchr::memchr2(b'\r', b'\n', rest.get(from..).unwrap_or_default()) else {
            message.receive(rest);
            *rest = &[];
            return false;
        };
        let at = from + at;
        let taken = match (rest.get(at), rest.get(at + 1)) {
            (Some(b'\n'), Some(b'\r')) if reversed && rest.get(at + 2) != Some(&b'\n') => at + 2,
            (Some(b'\n'), _) => at + 1,
            (_, Some(b'\n')) => at + 2,
            (_, Some(b'\r')) => {
                from = at + 1;
                continue;
            }
            (_, Some(_)) => at + 1,
            (_, None) => {
                message.receive(rest);
                *rest = &[];
                *carriage_return = true;
                return false;
            }
        };
        message.receive(rest.get(..taken).unwrap_or_default());
        *rest = rest.get(taken..).unwrap_or_default();
        return true;
    }
}

/// Whether a first line is none to browsers: it does not begin with `HTTP`.
fn resembles_body(line: &[u8]) -> bool {
    let start = line.iter().take_while(|&&byte| is_space(byte) || byte == 0).count();
    !line.get(start..start + 4).is_some_and(|name| name.eq_ignore_ascii_case(b"http"))
}

/// Reads the status line, which is `response.line`.
fn read_status_line(transaction: &mut Http1Transaction) {
    let line = transaction.response.text(transaction.response.line);
    let spaces_from =
        |at: usize| line.get(at..).unwrap_or_default().iter().take_while(|&&byte| is_space(byte)).count();
    let words_from =
        |at: usize| line.get(at..).unwrap_or_default().iter().take_while(|&&byte| !is_space(byte)).count();
    let protocol = spaces_from(0);
    let protocol_end = protocol + words_from(protocol);
    let status = protocol_end + spaces_from(protocol_end);
    let status_end = status + words_from(status);
    let message = status_end + spaces_from(status_end);
    let version = Version::read(line.get(protocol..protocol_end).unwrap_or_default());
    let digits = line.get(status..status_end).unwrap_or_default();
    let number =
        if digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit) { number(digits) } else { None };
    let end = line.len();
    transaction.response_version = version;
    transaction.response_protocol = (protocol_end > protocol).then(|| Span::new(protocol, protocol_end));
    transaction.status_text = (status_end > status).then(|| Span::new(status, status_end));
    transaction.status_message = (end > message).then(|| Span::new(message, end));
    transaction.status = number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|number| (100..=999).contains(number))
        .unwrap_or(0);
}

/// `false` if there are too many.
fn add_response_header(transaction: &mut Http1Transaction, line: Span, limit: usize) -> bool {
    let report = transaction.response.add_header(line, false, limit);
    if report.missing_colon {
        transaction.raise(events::RESPONSE_MISSING_COLON);
    }
    if report.invalid {
        transaction.raise(events::RESPONSE_HEADER_INVALID);
    }
    if report.ambiguous_length {
        transaction.raise(events::RESPONSE_LENGTHS);
    }
    if report.too_many {
        transaction.raise(events::RESPONSE_TOO_MANY_HEADERS);
    }
    !transaction.response.oddities.too_many
}
