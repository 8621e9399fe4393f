//! An HTTP/1 transaction: what rules see of it.

use super::eve::forwarded;
use super::events;
use super::limits::HttpLimits;
use super::message::{Message, Span, contains};
use super::uri::{DoubleDecode, Host, Target, parse_host};
use crate::{Events, FileFacts, Transaction, View};
use app::{Buffer, Direction, Stage};

/// The methods that matter to how a message is read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Method {
    /// One that no registry knows.
    #[default]
    Unknown,
    Head,
    Post,
    Put,
    Connect,
    /// Any other that is known.
    Other,
}

/// Other methods that are known, so that a line beginning with one is a request.
const METHODS: &[&[u8]] = &[
    b"GET",
    b"DELETE",
    b"OPTIONS",
    b"TRACE",
    b"PATCH",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"VERSION-CONTROL",
    b"CHECKOUT",
    b"UNCHECKOUT",
    b"CHECKIN",
    b"UPDATE",
    b"LABEL",
    b"REPORT",
    b"MKWORKSPACE",
    b"MKACTIVITY",
    b"BASELINE-CONTROL",
    b"MERGE",
    b"INVALID",
];

impl Method {
    pub(crate) fn read(text: &[u8]) -> Self {
        match text {
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"CONNECT" => Self::Connect,
            _ if METHODS.contains(&text) => Self::Other,
            _ => Self::Unknown,
        }
    }
}

/// Protocol version, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub(crate) enum Version {
    #[default]
    Unknown,
    Invalid,
    Http09,
    Http10,
    Http11,
}

impl Version {
    /// `HTTP/1.1`, with spaces and zeros where the reference allows them.
    pub(crate) fn read(text: &[u8]) -> Self {
        match text {
            b"HTTP/1.1" => return Self::Http11,
            b"HTTP/1.0" => return Self::Http10,
            _ => {}
        }
        let text = text.trim_ascii();
        let Some((name, rest)) = text.split_at_checked(4) else { return Self::Invalid };
        let Some(number) = rest.trim_ascii_start().strip_prefix(b"/") else { return Self::Invalid };
        if !name.eq_ignore_ascii_case(b"http") {
            return Self::Invalid;
        }
        let zeros = number.iter().take_while(|&&byte| byte == b'0' || byte.is_ascii_whitespace()).count();
        match number.get(zeros..) {
            Some(b"1.1") => Self::Http11,
            Some(b"1.0") => Self::Http10,
            Some(b".9") => Self::Http09,
            _ => Self::Invalid,
        }
    }
}

/// One request and its response.
#[derive(Debug)]
pub(crate) struct Http1Transaction {
    id: u64,
    pub request: Message,
    pub response: Message,
    pub method_text: Span,
    pub uri: Option<Span>,
    pub protocol: Option<Span>,
    pub method: Method,
    pub version: Version,
    /// A request without a protocol, and so without headers.
    pub is_http09: bool,
    /// The request was not seen.
    pub unseen_request: bool,
    pub target: Target,
    /// Host name of target or `Host` field.
    pub host: Option<Vec<u8>>,
    /// Whether the target named it.
    pub host_from_uri: bool,
    /// Port of target or `Host` field; 0 while the headers have not been read.
    pub port: Option<u16>,
    pub response_protocol: Option<Span>,
    pub response_version: Version,
    pub status_text: Option<Span>,
    pub status_message: Option<Span>,
    /// 0: none that could be read.
    pub status: u16,
    pub seen_continue: bool,
    /// The request's body is `multipart/form-data`, and its parts are files.
    pub multipart: Option<Box<super::multipart::Multipart>>,
    /// Length of the request's body by `Content-Length`.
    pub content_length: u64,
    /// Whether the body is a file: a `POST`, `PUT` or any response with a name for it.
    pub request_is_file: bool,
    pub response_is_file: bool,
    /// Of either direction: rules of both look for what either raises, as in the reference.
    events: Vec<&'static str>,
    pub logged: bool,
}

/// What stands for the target of a request that was not seen.
pub(crate) const UNSEEN_URI: &[u8] = b"/libhtp::request_uri_not_seen";

impl Http1Transaction {
    pub(crate) fn new(id: u64, limits: &HttpLimits) -> Self {
        Self {
            id,
            request: Message::new(limits.request_body),
            response: Message::new(limits.response_body),
            method_text: Span::default(),
            uri: None,
            protocol: None,
            method: Method::default(),
            version: Version::default(),
            is_http09: false,
            unseen_request: false,
            target: Target::default(),
            host: None,
            host_from_uri: false,
            port: Some(0),
            response_protocol: None,
            response_version: Version::default(),
            status_text: None,
            status_message: None,
            status: 0,
            seen_continue: false,
            multipart: None,
            content_length: 0,
            request_is_file: false,
            response_is_file: false,
            events: Vec::new(),
            logged: false,
        }
    }

    /// Raises an event, once.
    pub(crate) fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    pub(crate) fn message(&self, direction: Direction) -> &Message {
        match direction {
            Direction::ToServer => &self.request,
            Direction::ToClient => &self.response,
        }
    }

    pub(crate) fn message_mut(&mut self, direction: Direction) -> &mut Message {
        match direction {
            Direction::ToServer => &mut self.request,
            Direction::ToClient => &mut self.response,
        }
    }

    /// The request target as sent.
    pub(crate) fn raw_uri(&self) -> Option<&[u8]> {
        if self.unseen_request { Some(UNSEEN_URI) } else { self.uri.map(|uri| self.request.text(uri)) }
    }

    /// The normalised path.
    pub(crate) fn path(&self) -> Option<&[u8]> {
        if self.unseen_request { Some(UNSEEN_URI) } else { self.target.path() }
    }

    /// Reads the request line, which is `self.request.line`.
    pub(crate) fn read_request_line(&mut self, double: DoubleDecode) {
        use super::message::is_space;
        let line = self.request.text(self.request.line);
        let len = line.len();
        let spaces_from =
            |at: usize| line.get(at..).unwrap_or_default().iter().take_while(|&&byte| is_space(byte)).count();
        let words_from = |at: usize| {
            line.get(at..).unwrap_or_default().iter().take_while(|&&byte| !is_space(byte)).count()
        };
        let method_start = spaces_from(0);
        let method_end = method_start + words_from(method_start);
        let uri_start = method_end + spaces_from(method_end);
        let odd_delimiter =
            line.get(method_end..uri_start).unwrap_or_default().iter().any(|&byte| byte != b' ');
        let method = Method::read(line.get(method_start..method_end).unwrap_or_default());
        let mut raised: [Option<&'static str>; 4] = [None; 4];
        if method_start > 0 {
            raised[0] = Some(events::LEADING_SPACE);
        }
        if odd_delimiter {
            raised[1] = Some(events::METHOD_DELIMITER);
        }
        let mut uri = None;
        let mut protocol = None;
        let mut version = Version::Http09;
        if uri_start < len {
            let rest = line.get(uri_start..).unwrap_or_default();
            let mut uri_len = memchr::memchr(b' ', rest).unwrap_or(rest.len());
            if rest.iter().take(uri_len).any(|&byte| is_space(byte)) {
                raised[2] = Some(events::URI_DELIMITER);
                if uri_len == rest.len() {
                    uri_len = words_from(uri_start);
                }
            }
            let uri_end = uri_start + uri_len;
            uri = Some(Span::new(uri_start, uri_end));
            let protocol_start = uri_end + spaces_from(uri_end);
            if protocol_start < len {
                protocol = Some(Span::new(protocol_start, len));
                version = Version::read(line.get(protocol_start..).unwrap_or_default());
            }
            let uri_text = line.get(uri_start..uri_end).unwrap_or_default();
            self.target = if method == Method::Connect {
                Target::parse_authority(uri_text)
            } else {
                Target::parse(uri_text, double)
            };
            if self.target.double_encoded {
                raised[3] = Some(events::DOUBLE_ENCODED);
            }
        }
        self.method_text = Span::new(method_start, method_end);
        self.method = method;
        self.uri = uri;
        self.protocol = protocol;
        self.version = version;
        self.is_http09 = protocol.is_none();
        for event in raised.into_iter().flatten() {
            self.raise(event);
        }
        if self.target.invalid_host {
            self.raise(events::URI_HOST_INVALID);
        }
        if method == Method::Unknown
            && matches!(self.version, Version::Invalid | Version::Unknown)
            && self.is_http09
        {
            self.raise(events::REQUEST_LINE_INVALID);
        }
    }

    /// Finds out the host that is asked for; the headers are there.
    pub(crate) fn read_host(&mut self) {
        self.port = self.target.port;
        self.host = self.target.host.take();
        self.host_from_uri = self.host.is_some();
        let header = self.request.value_past_nul(b"host");
        let mut ambiguous = false;
        let mut invalid = false;
        if let Some(header) = header {
            let Host { name, port, valid } = parse_host(header);
            invalid = !valid;
            match (&self.host, name) {
                (None, Some(name)) => {
                    // Only a name without a port is put into lower case, as the reference does.
                    let has_port = name.len() < header.trim_ascii().len();
                    self.host = Some(if has_port { name.to_vec() } else { name.to_ascii_lowercase() });
                    self.port = port;
                }
                (Some(host), Some(name)) => {
                    ambiguous = !host.eq_ignore_ascii_case(name)
                        || (self.port.is_some() && port.is_some() && self.port != port);
                }
                (Some(_), None) => ambiguous = true,
                (None, None) => {}
            }
        } else if self.version == Version::Http11 {
            self.raise(events::MISSING_HOST);
        }
        if invalid {
            self.raise(events::HEADER_HOST_INVALID);
        }
        if ambiguous {
            self.raise(events::AMBIGUOUS_HOST);
        }
    }

    /// Looks at `Authorization`.
    pub(crate) fn read_authorization(&mut self) {
        let known = self.request.value_past_nul(b"authorization").is_none_or(|value| {
            [&b"basic"[..], b"digest", b"bearer"]
                .iter()
                .any(|kind| value.get(..kind.len()).is_some_and(|start| start.eq_ignore_ascii_case(kind)))
        });
        if !known {
            self.raise(events::AUTH_UNRECOGNIZED);
        }
    }

    /// Whether the request says `Expect: 100-continue`.
    pub(crate) fn expects_continue(&self) -> bool {
        self.request.value(b"expect") == Some(b"100-continue")
    }

    /// Whether the response says `Upgrade: h2c`.
    pub(crate) fn upgrades_to_http2(&self) -> bool {
        self.response.value_past_nul(b"upgrade").is_some_and(|value| contains(value, b"h2c"))
    }

    /// Whether nothing more can come, either way.
    pub(crate) fn is_complete(&self) -> bool {
        self.request.stage == Stage::Complete && self.response.stage == Stage::Complete
    }

    fn header_lines(&self, direction: Direction, with_cookie: bool, to: &mut Vec<u8>) {
        let message = self.message(direction);
        let cookie: &[u8] = if direction == Direction::ToServer { b"cookie" } else { b"set-cookie" };
        to.reserve(message.head_len() + 4 * message.headers.len());
        for header in &message.headers {
            let name = message.text(header.name);
            if !with_cookie && name.eq_ignore_ascii_case(cookie) {
                continue;
            }
            to.extend_from_slice(name);
            to.extend_from_slice(b": ");
            to.extend_from_slice(message.text(header.value));
            to.extend_from_slice(b"\r\n");
        }
    }

    fn header_names(&self, direction: Direction, to: &mut Vec<u8>) {
        let message = self.message(direction);
        to.extend_from_slice(b"\r\n");
        for header in &message.headers {
            to.extend_from_slice(message.text(header.name));
            to.extend_from_slice(b"\r\n");
        }
        to.extend_from_slice(b"\r\n");
    }

    fn one_header(&self, direction: Direction, index: usize, to: &mut Vec<u8>) -> bool {
        let message = self.message(direction);
        let Some(header) = message.headers.get(index) else { return false };
        to.extend_from_slice(message.text(header.name));
        to.extend_from_slice(b": ");
        to.extend_from_slice(message.text(header.value));
        true
    }

    fn field(&self, direction: Direction, name: &[u8]) -> Option<&[u8]> {
        self.message(direction).value(name)
    }
}

impl Transaction for Http1Transaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn stage(&self, direction: Direction) -> Stage {
        self.message(direction).stage
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        let message = self.message(direction);
        if !buffer.is_in(direction) || message.stage < buffer.stage() {
            return None;
        }
        if index > 0 && !buffer.is_multiple() && buffer != Buffer::FileData {
            return None;
        }
        let to_server = direction == Direction::ToServer;
        let text = |span: Option<Span>| span.map(|span| message.text(span));
        let bytes = match buffer {
            Buffer::HttpUri if self.unseen_request => Some(UNSEEN_URI),
            Buffer::HttpUri => self.target.normalized.as_deref(),
            Buffer::HttpUriRaw => self.raw_uri(),
            Buffer::HttpMethod if self.method_text.is_empty() => None,
            Buffer::HttpMethod => Some(message.text(self.method_text)),
            Buffer::HttpProtocol => text(if to_server { self.protocol } else { self.response_protocol }),
            Buffer::HttpRequestLine | Buffer::HttpResponseLine if message.line.is_empty() => None,
            Buffer::HttpRequestLine | Buffer::HttpResponseLine => Some(message.text(message.line)),
            Buffer::HttpStatCode => text(self.status_text),
            Buffer::HttpStatMsg => text(self.status_message),
            Buffer::HttpHeaderRaw if !message.raw_headers().is_empty() => Some(message.raw_headers()),
            Buffer::HttpCookie => self.field(direction, if to_server { b"cookie" } else { b"set-cookie" }),
            Buffer::HttpUserAgent => self.field(direction, b"user-agent"),
            Buffer::HttpHostRaw if self.host_from_uri => self.host.as_deref(),
            Buffer::HttpHostRaw => self.field(direction, b"host"),
            Buffer::HttpAccept => self.field(direction, b"accept"),
            Buffer::HttpAcceptLang => self.field(direction, b"accept-language"),
            Buffer::HttpAcceptEnc => self.field(direction, b"accept-encoding"),
            Buffer::HttpReferer => self.field(direction, b"referer"),
            Buffer::HttpConnection => self.field(direction, b"connection"),
            Buffer::HttpContentType => self.field(direction, b"content-type"),
            Buffer::HttpContentLen => self.field(direction, b"content-length"),
            Buffer::HttpLocation => self.field(direction, b"location"),
            Buffer::HttpServer => self.field(direction, b"server"),
            Buffer::FileName => message.files.name(index),
            Buffer::HttpRequestBody | Buffer::HttpResponseBody => return message.body.view(),
            Buffer::FileData if to_server && self.multipart.is_some() => return message.files.view(index),
            // The body is the file: kept once.
            Buffer::FileData if index == 0 && (!to_server || self.request_is_file) => {
                return message.body.view();
            }
            _ => None,
        };
        if let Some(bytes) = bytes {
            return Some(View::whole(bytes));
        }
        scratch.clear();
        match buffer {
            Buffer::HttpHost => {
                scratch.extend(self.host.as_deref()?.iter().map(u8::to_ascii_lowercase));
            }
            Buffer::HttpHeader => self.header_lines(direction, false, scratch),
            Buffer::HttpHeaderNames if !message.headers.is_empty() => self.header_names(direction, scratch),
            Buffer::HttpRequestHeader | Buffer::HttpResponseHeader => {
                if !self.one_header(direction, index, scratch) {
                    return None;
                }
            }
            Buffer::HttpStart if !message.line.is_empty() => {
                scratch.extend_from_slice(message.text(message.line));
                scratch.extend_from_slice(b"\r\n");
                if !message.headers.is_empty() {
                    self.header_lines(direction, true, scratch);
                    scratch.extend_from_slice(b"\r\n");
                }
            }
            _ => return None,
        }
        if scratch.is_empty() { None } else { Some(View::whole(scratch)) }
    }

    fn inspected(&mut self, direction: Direction) {
        let message = self.message_mut(direction);
        message.body.inspected();
        message.files.inspected();
    }

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn file(&self, direction: Direction, index: usize) -> Option<FileFacts<'_>> {
        self.message(direction).files.facts(index)
    }

    fn events(&self, _: Direction) -> Events<'_> {
        &self.events
    }

    fn forwarded(&self, header: &str, reverse: bool) -> Option<std::net::IpAddr> {
        forwarded(self.request.value(header.as_bytes())?, reverse)
    }

    fn context(&self, members: &mut Vec<u8>) {
        self.write_context(members);
        self.write_files(members);
    }
}
