//! The messages of the beginning of a connection: X.224 over TPKT (RFC 1006), with T.125 and T.124 inside.

use event::json::{bytes, literal, number_after, string};

use super::client::{self, Little};
use crate::ber::{Ber, OCTETS, SEQUENCE};
use crate::reader::Reader;

/// Names of channels that are told.
const CHANNELS_MAX: usize = 64;

const REQUEST_FLAGS: [(u32, &str); 3] = [
    (1, "restricted_admin_mode_required"),
    (2, "redirected_authentication_mode_required"),
    (8, "correlation_info_present"),
];

const RESPONSE_FLAGS: [(u32, &str); 4] = [
    (1, "extended_client_data"),
    (2, "dynvc_gfx"),
    (8, "restricted_admin"),
    (16, "redirected_authentication"),
];

/// Bits of both that there are.
const REQUEST_FLAGS_KNOWN: u8 = 0x0b;
const RESPONSE_FLAGS_KNOWN: u8 = 0x1f;

const FAILURES: [&str; 6] = [
    "ssl required by server",
    "ssl not allowed by server",
    "ssl cert not on server",
    "inconsistent flags",
    "hybrid required by server",
    "ssl with user auth required by server",
];

/// What a message is, with what is told of it: members with a comma before each.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Message {
    Request(Vec<u8>),
    Response(Vec<u8>),
    ConnectRequest(Vec<u8>),
    ConnectResponse,
    /// It says nothing.
    Other,
}

/// The next TPKT packet's contents, if it is whole.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Packet<'a> {
    Whole(&'a [u8], &'a [u8]),
    Incomplete,
    /// It is none.
    No,
}

/// Takes one packet off a stream.
pub(super) fn packet(stream: &[u8]) -> Packet<'_> {
    let mut reader = Reader(stream);
    match reader.u8() {
        Some(3) => {}
        Some(_) => return Packet::No,
        None => return Packet::Incomplete,
    }
    reader.u8();
    let Some(len) = reader.u16() else { return Packet::Incomplete };
    let Some(len) = usize::from(len).checked_sub(4).filter(|&len| len > 0) else { return Packet::No };
    match reader.take(len) {
        Some(contents) => Packet::Whole(contents, reader.0),
        None => Packet::Incomplete,
    }
}

/// Reads a packet's contents; `None` if they cannot be read.
pub(super) fn read(contents: &[u8]) -> Option<Message> {
    let mut reader = Reader(contents);
    let mut header = reader.counted8()?;
    match header.u8()? {
        code @ (0xe0 | 0xd0) => {
            // Two references and a class.
            header.take(5)?;
            if code == 0xe0 { request(header.0) } else { Some(Message::Response(response(header.0))) }
        }
        0xf0 => Some(connect(reader.0)),
        _ => Some(Message::Other),
    }
}

/// A request (MS-RDPBCGR, section 2.2.1.1): a cookie or a token, then what protocols the client has.
fn request(mut rest: &[u8]) -> Option<Message> {
    let mut to = Vec::new();
    if rest.starts_with(b"Cookie: ") {
        let end = memchr::memmem::find(rest, b"\r\n")?;
        let (line, after) = rest.split_at_checked(end)?;
        if let Some(user) = line.strip_prefix(b"Cookie: mstshash=") {
            literal(&mut to, r#","cookie":"#);
            bytes(&mut to, user);
        }
        rest = after.get(2..)?;
    }
    if let [1, flags, 8, 0, _, _, _, _, ..] = *rest
        && flags != 0
        && flags & !REQUEST_FLAGS_KNOWN == 0
    {
        literal(&mut to, r#","flags":"#);
        client::flags(&mut to, u32::from(flags), &REQUEST_FLAGS);
    }
    Some(Message::Request(to))
}

/// A response (section 2.2.1.2): what protocol was chosen, or why none.
fn response(rest: &[u8]) -> Vec<u8> {
    let mut to = Vec::new();
    match *rest {
        [2, flags, 8, 0, a, b, c, d, ..] if flags & !RESPONSE_FLAGS_KNOWN == 0 => {
            if flags != 0 {
                literal(&mut to, r#","server_supports":"#);
                client::flags(&mut to, u32::from(flags), &RESPONSE_FLAGS);
            }
            let name = match u32::from_le_bytes([a, b, c, d]) {
                0 => "rdp",
                1 => "ssl",
                2 => "hybrid",
                4 => "rds_tls",
                8 => "hybrid_ex",
                _ => return to,
            };
            literal(&mut to, r#","protocol":"#);
            string(&mut to, name);
        }
        [3, _, 8, 0, a, b, c, d, ..] => {
            let code = u32::from_le_bytes([a, b, c, d]);
            let index = code.checked_sub(1).and_then(|index| usize::try_from(index).ok());
            if let Some(reason) = index.and_then(|index| FAILURES.get(index)) {
                number_after(&mut to, r#","error_code":"#, u64::from(code));
                literal(&mut to, r#","reason":"#);
                string(&mut to, reason);
            }
        }
        _ => {}
    }
    to
}

/// The first messages of the layer above (T.125, section 11.1): those that connect.
fn connect(rest: &[u8]) -> Message {
    match rest {
        // The identifier has two bytes: the second alone reads like one of its own.
        [0x7f, body @ ..] => match body {
            [0x65, ..] => connect_request(body).unwrap_or(Message::Other),
            [0x66, ..] => Message::ConnectResponse,
            _ => Message::Other,
        },
        _ => Message::Other,
    }
}

fn connect_request(body: &[u8]) -> Option<Message> {
    let mut fields = Ber(body).enter(0x65)?;
    fields.take(OCTETS)?;
    fields.take(OCTETS)?;
    fields.take(1)?;
    for _ in 0..3 {
        fields.take(SEQUENCE)?;
    }
    let mut conference = Reader(fields.take(OCTETS)?);
    // The key of T.124, and a request to create a conference with the key of Microsoft.
    conference.take(7).filter(|key| *key == [0, 5, 0, 0x14, 0x7c, 0, 1])?;
    packed_len(&mut conference)?;
    conference.take(12).filter(|create| create.ends_with(b"Duca"))?;
    let len = packed_len(&mut conference)?;
    let mut blocks = Little(conference.take(len)?);
    if blocks.0.is_empty() {
        return None;
    }
    let (mut to, mut channels) = (Vec::new(), Vec::new());
    while let Some((kind, block)) = block(&mut blocks) {
        match kind {
            0xc001 => {
                if let Some(core) = client::core(block) {
                    literal(&mut to, r#","client":{"#);
                    to.extend_from_slice(&core);
                    to.push(b'}');
                }
            }
            0xc003 => channels = names(block),
            _ => {}
        }
    }
    for (index, name) in channels.iter().enumerate() {
        literal(&mut to, if index == 0 { r#","channels":["# } else { "," });
        bytes(&mut to, name);
    }
    if !channels.is_empty() {
        to.push(b']');
    }
    Some(Message::ConnectRequest(to))
}

/// A length of the Packed Encoding Rules (X.691): one byte, or two with the highest bit set.
fn packed_len(reader: &mut Reader<'_>) -> Option<usize> {
    let first = usize::from(reader.u8()?);
    if first & 0x80 == 0 {
        return Some(first);
    }
    Some((first & 0x7f) << 8 | usize::from(reader.u8()?))
}

/// The next block of user data: its kind and contents.
fn block<'a>(reader: &mut Little<'a>) -> Option<(u16, &'a [u8])> {
    let kind = reader.u16()?;
    let len = usize::from(reader.u16()?).checked_sub(4)?;
    Some((kind, reader.take(len)?))
}

/// Names of channels (MS-RDPBCGR, section 2.2.1.3.4).
fn names(block: &[u8]) -> Vec<&[u8]> {
    let mut reader = Little(block);
    let count = reader.u32().map_or(0, |count| usize::try_from(count).unwrap_or(CHANNELS_MAX));
    let mut names = Vec::new();
    while names.len() < count.min(CHANNELS_MAX) {
        let (Some(name), Some(_)) = (reader.take(8), reader.u32()) else { break };
        let len = memchr::memchr(0, name).unwrap_or(name.len());
        names.push(name.get(..len).unwrap_or(name));
    }
    names
}
