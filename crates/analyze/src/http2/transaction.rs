//! An HTTP/2 transaction: a stream, or a frame that concerns the whole connection.

use super::events;
use super::hpack::Field;
use crate::files::Files;
use crate::files::decompress::Decompressor;
use crate::{Events, FileFacts, Transaction, View};
use app::{Buffer, Direction, Stage};

/// How many frames of a stream are remembered by their type.
const FRAMES_KEPT: usize = 64;

/// One direction of a stream.
#[derive(Default, Debug)]
pub(crate) struct Side {
    pub stage: Stage,
    pub fields: Vec<Field>,
    pub frames: Vec<u8>,
    pub settings: Vec<(u16, u32)>,
    pub priority: Option<u8>,
    pub error: Option<u32>,
    pub window: Option<u32>,
    pub decoder: Option<Decompressor>,
    pub files: Files,
    /// Whether its body has begun.
    pub has_body: bool,
    events: Vec<&'static str>,
}

impl Side {
    /// Every value of a header of that name, in lower case.
    fn values(&self, name: &[u8]) -> impl Iterator<Item = &[u8]> {
        self.fields.iter().filter_map(move |field| match field {
            Field::Header { name: is, value } if is.eq_ignore_ascii_case(name) => Some(value.as_slice()),
            _ => None,
        })
    }

    /// The first value of a header.
    pub(crate) fn value(&self, name: &[u8]) -> Option<&[u8]> {
        self.values(name).next()
    }
}

/// A stream, or a frame that concerns the whole connection.
#[derive(Debug)]
pub(crate) struct Http2Transaction {
    id: u64,
    pub stream: u32,
    /// Whose frame it is, if it is one of the whole connection.
    pub alone: Option<Direction>,
    sides: [Side; 2],
    pub logged: bool,
}

impl Http2Transaction {
    pub(crate) fn new(id: u64, stream: u32, alone: Option<Direction>) -> Self {
        Self { id, stream, alone, sides: [Side::default(), Side::default()], logged: false }
    }

    pub(crate) fn side(&self, direction: Direction) -> &Side {
        let [to_server, to_client] = &self.sides;
        if direction == Direction::ToServer { to_server } else { to_client }
    }

    pub(crate) fn side_mut(&mut self, direction: Direction) -> &mut Side {
        let [to_server, to_client] = &mut self.sides;
        if direction == Direction::ToServer { to_server } else { to_client }
    }

    /// Raises an event, once.
    pub(crate) fn raise(&mut self, direction: Direction, event: &'static str) {
        let events = &mut self.side_mut(direction).events;
        if !events.contains(&event) {
            events.push(event);
        }
    }

    pub(crate) fn note_frame(&mut self, direction: Direction, kind: u8) {
        let side = self.side_mut(direction);
        if side.frames.len() < FRAMES_KEPT {
            side.frames.push(kind);
        }
        if side.stage == Stage::Waiting {
            side.stage = Stage::Begun;
        }
    }

    /// Goes on to `stage`, never back.
    pub(crate) fn advance(&mut self, direction: Direction, stage: Stage) {
        let side = self.side_mut(direction);
        side.stage = side.stage.max(stage);
    }

    pub(crate) fn is_complete(&self) -> bool {
        match self.alone {
            Some(direction) => self.side(direction).stage == Stage::Complete,
            None => self.sides.iter().all(|side| side.stage == Stage::Complete),
        }
    }

    /// The headers are there: what is odd about the host that they name.
    pub(crate) fn check_host(&mut self) {
        let side = self.side(Direction::ToServer);
        let Some(authority) = side.value(b":authority") else { return };
        let user = memchr::memchr(b'@', authority).is_some();
        let mismatch = side.value(b"host").is_some_and(|host| !host.eq_ignore_ascii_case(authority));
        if user {
            self.raise(Direction::ToServer, events::USER_INFO);
        }
        if mismatch {
            self.raise(Direction::ToServer, events::HOST_MISMATCH);
        }
    }

    fn joined<'a>(&'a self, direction: Direction, name: &[u8], scratch: &'a mut Vec<u8>) -> Option<View<'a>> {
        let mut values = self.side(direction).values(name);
        let first = values.next()?;
        scratch.extend_from_slice(first);
        for value in values {
            scratch.extend_from_slice(b", ");
            scratch.extend_from_slice(value);
        }
        Some(View::whole(scratch))
    }

    fn write_lines(&self, direction: Direction, to: &mut Vec<u8>) {
        for field in &self.side(direction).fields {
            if let Field::Header { name, value } = field {
                to.extend_from_slice(name);
                to.extend_from_slice(b": ");
                to.extend_from_slice(value);
                to.extend_from_slice(b"\r\n");
            } else {
                // A change of the table's size has no text.
                to.extend_from_slice(b": \r\n");
            }
        }
    }
}

/// The host of an authority: no user, no port, lower case.
fn write_host(authority: &[u8], to: &mut Vec<u8>) {
    let host =
        memchr::memrchr(b'@', authority).map_or(authority, |at| authority.get(at + 1..).unwrap_or_default());
    let end = if host.first() == Some(&b'[') {
        memchr::memchr(b']', host).map_or(host.len(), |at| at + 1)
    } else {
        memchr::memchr(b':', host).unwrap_or(host.len())
    };
    to.extend(host.iter().take(end).map(u8::to_ascii_lowercase));
}

/// The header that a buffer is a value of.
const fn header_of(buffer: Buffer, direction: Direction) -> Option<&'static [u8]> {
    Some(match buffer {
        Buffer::HttpCookie if matches!(direction, Direction::ToServer) => b"cookie",
        Buffer::HttpCookie => b"set-cookie",
        Buffer::HttpUserAgent => b"user-agent",
        Buffer::HttpAccept => b"accept",
        Buffer::HttpAcceptLang => b"accept-language",
        Buffer::HttpAcceptEnc => b"accept-encoding",
        Buffer::HttpReferer => b"referer",
        Buffer::HttpConnection => b"connection",
        Buffer::HttpContentType => b"content-type",
        Buffer::HttpContentLen => b"content-length",
        Buffer::HttpLocation => b"location",
        Buffer::HttpServer => b"server",
        _ => return None,
    })
}

impl Transaction for Http2Transaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn one_way(&self) -> Option<Direction> {
        self.alone
    }

    fn stage(&self, direction: Direction) -> Stage {
        self.side(direction).stage
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        let side = self.side(direction);
        if !buffer.is_in(direction) || side.stage < buffer.stage() {
            return None;
        }
        if matches!(buffer, Buffer::FileData | Buffer::HttpRequestBody | Buffer::HttpResponseBody) {
            return side.files.view(index);
        }
        if buffer == Buffer::FileName {
            return side.files.name(index).map(View::whole);
        }
        if side.fields.is_empty() || (index > 0 && !buffer.is_multiple()) {
            return None;
        }
        let authority = || side.value(b":authority").or_else(|| side.value(b"host"));
        match buffer {
            Buffer::HttpUri | Buffer::HttpUriRaw => return side.value(b":path").map(View::whole),
            Buffer::HttpMethod => return side.value(b":method").map(View::whole),
            Buffer::HttpStatCode => return side.value(b":status").map(View::whole),
            Buffer::HttpProtocol => return Some(View::whole(b"HTTP/2")),
            Buffer::HttpHostRaw => return authority().map(View::whole),
            Buffer::Http2HeaderName => {
                return side.fields.get(index).map(|field| match field {
                    Field::Header { name, .. } => View::whole(name),
                    Field::TableSize(_) => View::whole(b""),
                });
            }
            _ => {}
        }
        scratch.clear();
        if let Some(name) = header_of(buffer, direction) {
            return self.joined(direction, name, scratch);
        }
        match buffer {
            Buffer::HttpHost => write_host(authority()?, scratch),
            Buffer::HttpHeader | Buffer::HttpHeaderRaw => self.write_lines(direction, scratch),
            Buffer::HttpHeaderNames => {
                scratch.extend_from_slice(b"\r\n");
                for field in &side.fields {
                    if let Field::Header { name, .. } = field {
                        scratch.extend_from_slice(name);
                    }
                    scratch.extend_from_slice(b"\r\n");
                }
                scratch.extend_from_slice(b"\r\n");
            }
            Buffer::HttpRequestLine => {
                for name in [&b":method"[..], b":path"] {
                    scratch.extend_from_slice(side.value(name).unwrap_or_default());
                    scratch.push(b' ');
                }
                scratch.extend_from_slice(b"HTTP/2\r\n");
            }
            Buffer::HttpResponseLine => {
                scratch.extend_from_slice(b"HTTP/2 ");
                scratch.extend_from_slice(side.value(b":status").unwrap_or_default());
                scratch.extend_from_slice(b"\r\n");
            }
            Buffer::HttpRequestHeader | Buffer::HttpResponseHeader => {
                if let Field::Header { name, value } = side.fields.get(index)? {
                    scratch.extend_from_slice(name);
                    scratch.extend_from_slice(b": ");
                    scratch.extend_from_slice(value);
                } else {
                    scratch.extend_from_slice(b": ");
                }
            }
            Buffer::Http2Header => {
                let (name, value): (&[u8], &[u8]) = match side.fields.get(index)? {
                    Field::Header { name, value } => (name, value),
                    Field::TableSize(_) => (b"", b""),
                };
                escape_colons(name, scratch);
                scratch.extend_from_slice(b": ");
                escape_colons(value, scratch);
            }
            _ => return None,
        }
        Some(View::whole(scratch))
    }

    fn inspected(&mut self, direction: Direction) {
        self.side_mut(direction).files.inspected();
    }

    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        let side = self.side(direction);
        // By their identifiers (RFC 9113, section 6.5.2).
        let setting = |wanted: u16| {
            let values = side.settings.iter().filter(|(id, _)| *id == wanted);
            values.map(|&(_, value)| u64::from(value)).nth(index)
        };
        let only = |value: Option<u64>| value.filter(|_| index == 0);
        match field {
            "http2.frametype" => side.frames.get(index).copied().map(u64::from),
            "http2.errorcode" => only(side.error.map(u64::from)),
            "http2.priority" => only(side.priority.map(u64::from)),
            "http2.window" => only(side.window.map(u64::from)),
            "http2.size_update" => side
                .fields
                .iter()
                .filter_map(|field| match field {
                    Field::TableSize(size) => Some(*size),
                    Field::Header { .. } => None,
                })
                .nth(index),
            "http2.settings.header_table_size" => setting(1),
            "http2.settings.enable_push" => setting(2),
            "http2.settings.max_concurrent_streams" => setting(3),
            "http2.settings.initial_window_size" => setting(4),
            "http2.settings.max_frame_size" => setting(5),
            "http2.settings.max_header_list_size" => setting(6),
            _ => None,
        }
    }

    fn file(&self, direction: Direction, index: usize) -> Option<FileFacts<'_>> {
        self.side(direction).files.facts(index)
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        &self.side(direction).events
    }

    fn context(&self, members: &mut Vec<u8>) {
        self.write_context(members);
    }
}

/// Each colon becomes two, so that the one between name and value can be told apart.
fn escape_colons(text: &[u8], to: &mut Vec<u8>) {
    for &byte in text {
        to.push(byte);
        if byte == b':' {
            to.push(b':');
        }
    }
}
