//! A message of the distributed hash table (BEP 5, and BEP 32 for IPv6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bencode::{Key, Next, Reader};

/// Length of a node's identifier.
const ID_BYTES: usize = 20;

/// Where somebody is reached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Peer {
    pub ip: IpAddr,
    pub port: u16,
}

/// Somebody who takes part in the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Node {
    pub id: Vec<u8>,
    pub peer: Peer,
}

/// What is asked.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Request {
    pub id: Vec<u8>,
    pub target: Option<Vec<u8>>,
    pub info_hash: Option<Vec<u8>>,
    pub token: Option<Vec<u8>>,
    pub implied_port: Option<u8>,
    pub port: Option<u16>,
}

/// What is answered.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Response {
    pub id: Vec<u8>,
    pub nodes: Vec<Node>,
    pub nodes6: Vec<Node>,
    pub values: Vec<Peer>,
    pub token: Option<Vec<u8>>,
}

/// What went wrong.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Failure {
    pub number: u16,
    pub text: String,
}

/// A message, as far as it could be read.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Message {
    pub transaction: Vec<u8>,
    pub version: Option<Vec<u8>>,
    pub query: Option<String>,
    pub request: Option<Request>,
    pub response: Option<Response>,
    pub failure: Option<Failure>,
    /// Something is missing or cannot be read.
    pub malformed: bool,
}

/// What stands in a message, by its keys.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    transaction: Option<Vec<u8>>,
    version: Option<Vec<u8>>,
    query: Option<String>,
    request: Option<Request>,
    response: Option<Response>,
    failure: Option<Failure>,
}

fn owned(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    reader.text().map(<[u8]>::to_vec)
}

fn readable(reader: &mut Reader<'_>) -> Option<String> {
    String::from_utf8(owned(reader)?).ok()
}

fn peer4(bytes: &[u8]) -> Option<Peer> {
    let (ip, rest) = bytes.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes(*rest.first_chunk::<2>()?);
    Some(Peer { ip: Ipv4Addr::from(*ip).into(), port })
}

fn peer6(bytes: &[u8]) -> Option<Peer> {
    let (ip, rest) = bytes.split_first_chunk::<16>()?;
    let port = u16::from_be_bytes(*rest.first_chunk::<2>()?);
    Some(Peer { ip: Ipv6Addr::from(*ip).into(), port })
}

/// Nodes that stand one behind the other, each `len` bytes long; what is left over is none.
fn nodes(bytes: &[u8], len: usize, peer: fn(&[u8]) -> Option<Peer>) -> Vec<Node> {
    let node = |bytes: &[u8]| {
        let (id, rest) = bytes.split_at_checked(ID_BYTES)?;
        Some(Node { id: id.to_vec(), peer: peer(rest)? })
    };
    bytes.chunks_exact(len).filter_map(node).collect()
}

fn request(reader: &mut Reader<'_>) -> Option<Request> {
    let mut request = Request::default();
    let mut has_id = false;
    let mut keys = reader.dictionary()?;
    while let Key::Is(key) = reader.key(&mut keys)? {
        match key {
            b"id" => {
                request.id = owned(reader)?;
                has_id = true;
            }
            b"target" => request.target = Some(owned(reader)?),
            b"info_hash" => request.info_hash = Some(owned(reader)?),
            b"token" => request.token = Some(owned(reader)?),
            b"implied_port" => request.implied_port = Some(reader.number()?),
            b"port" => request.port = Some(reader.number()?),
            _ => reader.pass()?,
        }
    }
    has_id.then_some(request)
}

fn values(reader: &mut Reader<'_>) -> Option<Vec<Peer>> {
    let mut values = Vec::new();
    reader.list()?;
    while !reader.ends() {
        let value = reader.text()?;
        values.push(if value.len() < 18 { peer4(value)? } else { peer6(value)? });
    }
    Some(values)
}

fn response(reader: &mut Reader<'_>) -> Option<Response> {
    let mut response = Response::default();
    let mut has_id = false;
    let mut keys = reader.dictionary()?;
    while let Key::Is(key) = reader.key(&mut keys)? {
        match key {
            b"id" => {
                response.id = owned(reader)?;
                has_id = true;
            }
            b"nodes" => response.nodes = nodes(reader.text()?, ID_BYTES + 6, peer4),
            b"nodes6" => response.nodes6 = nodes(reader.text()?, ID_BYTES + 18, peer6),
            b"values" if reader.next() == Some(Next::List) => response.values = values(reader)?,
            b"token" => response.token = Some(owned(reader)?),
            _ => reader.pass()?,
        }
    }
    has_id.then_some(response)
}

/// A number and a text, in whichever order.
fn failure(reader: &mut Reader<'_>) -> Option<Failure> {
    let (mut number, mut text) = (None, None);
    reader.list()?;
    while !reader.ends() {
        match reader.next()? {
            Next::Number => number = Some(reader.number()?),
            Next::Text => text = Some(readable(reader)?),
            _ => reader.pass()?,
        }
    }
    Some(Failure { number: number?, text: text? })
}

fn fields(reader: &mut Reader<'_>) -> Option<Fields> {
    let mut fields = Fields::default();
    let mut keys = reader.dictionary()?;
    while let Key::Is(key) = reader.key(&mut keys)? {
        match key {
            b"y" => fields.kind = Some(readable(reader)?),
            b"t" => fields.transaction = Some(owned(reader)?),
            b"v" => fields.version = Some(owned(reader)?),
            b"q" => fields.query = Some(readable(reader)?),
            b"a" => fields.request = Some(request(reader)?),
            b"r" => fields.response = Some(response(reader)?),
            b"e" => fields.failure = Some(failure(reader)?),
            _ => reader.pass()?,
        }
    }
    Some(fields)
}

impl Message {
    /// Reads a message. Of one that lacks something what is there up to it is kept, as in the reference.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut message = Self::default();
        message.malformed = message.fill(bytes).is_none();
        message
    }

    fn fill(&mut self, bytes: &[u8]) -> Option<()> {
        let fields = fields(&mut Reader::new(bytes))?;
        match fields.kind?.as_str() {
            "q" => {
                self.query = Some(fields.query?);
                self.request = Some(fields.request?);
            }
            "r" => self.response = Some(fields.response?),
            "e" => self.failure = Some(fields.failure?),
            _ => return None,
        }
        self.transaction = fields.transaction?;
        self.version = fields.version;
        Some(())
    }
}
