//! Messages of `PostgreSQL`'s protocol 3.0, as far as they are told of (documentation of `PostgreSQL`, chapter "Message
//! Formats").

use crate::reader::Reader;

/// What the client says before anything else: a length and a code, no type.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Opening<'a> {
    /// It wants TLS (code 80877103), or encryption by GSSAPI (80877104).
    Encrypt {
        /// TLS.
        tls: bool,
    },
    /// It wants a query of another connection to be given up.
    Cancel { process: u32, secret: u32 },
    /// It begins, with parameters: name, 0, value, 0 each.
    Startup(&'a [u8]),
}

/// Codes in the place of a protocol version.
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;
/// Version 3.0.
pub(super) const VERSION: u32 = 0x0003_0000;

/// Longest message that opens a connection: the server's own limit.
const OPENING_BYTES_MAX: u32 = 10_000;

/// What a piece of a stream is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Piece<T> {
    /// A message and how many bytes it has.
    Whole(T, usize),
    /// The beginning of one.
    Partial,
    /// No message.
    No,
}

/// The message that opens a connection.
pub(super) fn opening(stream: &[u8]) -> Piece<Opening<'_>> {
    let mut reader = Reader(stream);
    let Some(len) = reader.u32() else { return Piece::Partial };
    if !(8..=OPENING_BYTES_MAX).contains(&len) {
        return Piece::No;
    }
    let Some(code) = reader.u32() else { return Piece::Partial };
    if !matches!((code, len), (CANCEL, 16) | (TLS | GSS, 8) | (VERSION, 9..)) {
        return Piece::No;
    }
    let Some(body) = reader.take(len.saturating_sub(8) as usize) else { return Piece::Partial };
    let mut rest = Reader(body);
    let opening = match code {
        CANCEL => match (rest.u32(), rest.u32()) {
            (Some(process), Some(secret)) => Opening::Cancel { process, secret },
            _ => return Piece::No,
        },
        VERSION => Opening::Startup(body),
        _ => Opening::Encrypt { tls: code == TLS },
    };
    Piece::Whole(opening, len as usize)
}

/// A message with a type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Typed<'a> {
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
}

/// Types of messages that clients send after the beginning.
pub(super) const OF_CLIENT: &[u8] = b"BCDEFHPQSXcdfp";
/// Types of messages that servers send.
pub(super) const OF_SERVER: &[u8] = b"123ACDEGHIKNRSTVWZcdnstv";
/// Types that carry rows and copied data, of any length, of which only the beginning is of interest.
const BULK: &[u8] = b"Dd";
/// How much of them is read: the number of columns.
const BULK_BYTES: usize = 2;

/// A message with a type out of `known`. Of a row the body is cut, and its length is told beside it.
pub(super) fn typed<'a>(stream: &'a [u8], known: &[u8]) -> Piece<(Typed<'a>, u32)> {
    let mut reader = Reader(stream);
    let Some(kind) = reader.u8() else { return Piece::Partial };
    if !known.contains(&kind) {
        return Piece::No;
    }
    let Some(len) = reader.u32() else { return Piece::Partial };
    let Some(body_len) = len.checked_sub(4) else { return Piece::No };
    let wanted = body_len as usize;
    let wanted = if BULK.contains(&kind) { wanted.min(BULK_BYTES) } else { wanted };
    match reader.take(wanted) {
        Some(body) => Piece::Whole((Typed { kind, body }, body_len), 1 + len as usize),
        None => Piece::Partial,
    }
}

/// Text up to a zero, which is taken too.
pub(super) fn text<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let end = reader.0.iter().position(|&byte| byte == 0)?;
    let text = reader.take(end);
    reader.u8();
    text
}

/// What a parameter is called in records.
pub(super) fn parameter(name: &[u8]) -> &[u8] {
    match name {
        b"DateStyle" => b"date_style",
        b"IntervalStyle" => b"interval_style",
        b"TimeZone" => b"time_zone",
        other => other,
    }
}

/// Fields of errors: their letter, and what they are called in records.
pub(super) const ERROR_FIELDS: [(u8, &str); 18] = [
    (b'S', "severity_localizable"),
    (b'V', "severity_non_localizable"),
    (b'C', "code"),
    (b'M', "message"),
    (b'D', "detail"),
    (b'H', "hint"),
    (b'P', "position"),
    (b'p', "internal_position"),
    (b'q', "internal_query"),
    (b'W', "where"),
    (b's', "schema_name"),
    (b't', "table_name"),
    (b'c', "column_name"),
    (b'd', "data_type"),
    (b'n', "constraint_name"),
    (b'F', "file"),
    (b'L', "line"),
    (b'R', "routine"),
];
