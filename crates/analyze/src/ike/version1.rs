//! Messages of version 1 (ISAKMP, RFC 2408, with the domain of `IPsec`, RFC 2407).

use app::Direction;
use event::json::{literal, number_after};

use super::log::{Members, hexadecimal};
use super::{Data, Facts, Header, MULTIPLE_SERVER_PROPOSAL, names1};
use crate::reader::Reader;

/// Transforms of one message, attributes of one transform, vendor identifiers and bytes of each that are kept.
const TRANSFORMS_MAX: usize = 64;
const ATTRIBUTES_MAX: usize = 32;
const VENDORS_MAX: usize = 64;
const VENDOR_BYTES_MAX: usize = 256;

/// The payloads are encrypted.
const ENCRYPTED: u8 = 1;
/// Only this domain of interpretation says how proposals are written.
const IPSEC: u32 = 1;

/// Numbers of payloads.
const SECURITY_ASSOCIATION: u8 = 1;
const PROPOSAL: u8 = 2;
const TRANSFORM: u8 = 3;
const KEY_EXCHANGE: u8 = 4;
const NONCE: u8 = 10;
const VENDOR: u8 = 13;

/// What both sides have said so far.
#[derive(Default, Debug)]
pub(super) struct Version1 {
    domain: Option<u32>,
    client: Side,
    server: Side,
    /// What the server has chosen, or offered if it is more than one.
    chosen: Vec<Transform>,
}

#[derive(Default, Debug)]
struct Side {
    key_exchange: Option<Data>,
    nonce: Option<Data>,
}

/// The attributes of a transform.
type Transform = Vec<Attribute>;

#[derive(Clone, Debug)]
struct Attribute {
    kind: u16,
    /// The value, or the length of a long one: names go by it.
    short: u16,
    value: Value,
}

#[derive(Clone, Debug)]
enum Value {
    Number(u32),
    /// In hexadecimal.
    Bytes(Vec<u8>),
}

/// What is collected from one message.
#[derive(Default)]
struct Found {
    /// Numbers of its payloads, each once, as they come.
    payloads: Vec<u8>,
    transforms: Vec<Transform>,
}

impl Found {
    fn payload(&mut self, number: u8) {
        if !self.payloads.contains(&number) {
            self.payloads.push(number);
        }
    }
}

impl Version1 {
    /// Takes a message; its record, or `None` if it cannot be read.
    pub(super) fn message(
        &mut self,
        header: &Header,
        direction: Direction,
        reader: Reader<'_>,
        facts: &mut Facts,
    ) -> Option<Members> {
        let mut found = Found::default();
        let is_encrypted = header.flags & ENCRYPTED != 0;
        if is_encrypted || header.next == 0 {
            found.payload(header.next);
        } else {
            self.payloads(header.next, reader, direction, &mut found, facts)?;
        }
        if direction == Direction::ToClient && !found.transforms.is_empty() {
            if found.transforms.len() > 1 {
                facts.raise(MULTIPLE_SERVER_PROPOSAL);
            }
            for attribute in found.transforms.iter().flatten() {
                if let Value::Number(value) = attribute.value {
                    facts.chosen.push((names1::attribute(attribute.kind), u64::from(value)));
                }
            }
            self.chosen = std::mem::take(&mut found.transforms);
        }
        Some(self.write(header, is_encrypted, &found, facts))
    }

    fn payloads(
        &mut self,
        mut next: u8,
        mut reader: Reader<'_>,
        direction: Direction,
        found: &mut Found,
        facts: &mut Facts,
    ) -> Option<()> {
        while next != 0 {
            let Some((following, body)) = payload(&mut reader) else { break };
            found.payload(next);
            match next {
                SECURITY_ASSOCIATION => self.association(body, found)?,
                PROPOSAL => proposal(body, found)?,
                KEY_EXCHANGE => {
                    let data = Data::new(body.0);
                    self.side(direction).key_exchange = Some(data.clone());
                    facts.key_exchange = Some(data);
                }
                NONCE => {
                    let data = Data::new(body.0);
                    self.side(direction).nonce = Some(data.clone());
                    facts.nonce = Some(data);
                }
                VENDOR if facts.vendors.len() < VENDORS_MAX => {
                    let mut text = Vec::new();
                    hexadecimal(&mut text, body.0.get(..VENDOR_BYTES_MAX).unwrap_or(body.0));
                    facts.vendors.push(text);
                }
                _ => {}
            }
            next = following;
        }
        Some(())
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }

    fn association(&mut self, mut body: Reader<'_>, found: &mut Found) -> Option<()> {
        let domain = body.u32()?;
        self.domain = Some(domain);
        if domain != IPSEC {
            return Some(());
        }
        body.u32()?;
        while !body.is_empty() {
            let (following, contents) = payload(&mut body)?;
            found.payload(PROPOSAL);
            proposal(contents, found)?;
            if following != PROPOSAL {
                break;
            }
        }
        Some(())
    }

    /// `"ike":{…}`.
    fn write(&self, header: &Header, is_encrypted: bool, found: &Found, facts: &Facts) -> Members {
        let mut members = Members::begin(header);
        let to = members.rest();
        if let Some(first) = self.chosen.first() {
            for attribute in first {
                to.push(b',');
                write_attribute(to, attribute);
            }
            if self.chosen.len() > 1 {
                literal(to, r#","server_proposals":"#);
                write_transforms(to, &self.chosen);
            }
        }
        literal(to, r#","payload":["#);
        let names = found.payloads.iter().filter_map(|&number| names1::payload(number));
        for (index, name) in names.enumerate() {
            literal(to, if index == 0 { "\"" } else { ",\"" });
            literal(to, name);
            to.push(b'"');
        }
        literal(to, r#"],"ikev1":{"#);
        if let Some(domain) = self.domain {
            number_after(to, r#""doi":"#, u64::from(domain));
            to.push(b',');
        }
        literal(to, r#""encrypted_payloads":"#);
        literal(to, if is_encrypted { "true" } else { "false" });
        if !is_encrypted {
            literal(to, r#","client":{"#);
            let written = write_side(to, &self.client);
            if !found.transforms.is_empty() {
                literal(to, if written { r#","proposals":"# } else { r#""proposals":"# });
                write_transforms(to, &found.transforms);
            }
            literal(to, r#"},"server":{"#);
            write_side(to, &self.server);
            to.push(b'}');
            for (index, vendor) in facts.vendors.iter().enumerate() {
                literal(to, if index == 0 { r#","vendor_ids":[""# } else { r#"",""# });
                to.extend_from_slice(vendor);
            }
            if !facts.vendors.is_empty() {
                literal(to, r#""]"#);
            }
        }
        literal(to, "}}");
        members
    }
}

/// The next payload: the number of the one behind it, and its body.
pub(super) fn payload<'a>(reader: &mut Reader<'a>) -> Option<(u8, Reader<'a>)> {
    let mut ahead = *reader;
    let next = ahead.u8()?;
    ahead.u8()?;
    let len = usize::from(ahead.u16()?).checked_sub(4)?;
    let body = ahead.take(len)?;
    *reader = ahead;
    Some((next, Reader(body)))
}

fn proposal(mut body: Reader<'_>, found: &mut Found) -> Option<()> {
    body.take(2)?;
    let identifier = usize::from(body.u8()?);
    body.u8()?;
    body.take(identifier)?;
    while !body.is_empty() {
        let (following, mut contents) = payload(&mut body)?;
        found.payload(TRANSFORM);
        contents.take(4)?;
        if found.transforms.len() < TRANSFORMS_MAX {
            found.transforms.push(attributes(contents));
        }
        if following != TRANSFORM {
            break;
        }
    }
    Some(())
}

/// Attributes up to one that is not whole.
fn attributes(mut reader: Reader<'_>) -> Transform {
    let mut attributes = Transform::new();
    while attributes.len() < ATTRIBUTES_MAX {
        let (Some(first), Some(short)) = (reader.u16(), reader.u16()) else { break };
        let value = if first & 0x8000 != 0 {
            Value::Number(u32::from(short))
        } else {
            let Some(bytes) = reader.take(usize::from(short)) else { break };
            if let Ok(number) = <[u8; 4]>::try_from(bytes) {
                Value::Number(u32::from_be_bytes(number))
            } else {
                let mut text = Vec::new();
                hexadecimal(&mut text, bytes.get(..VENDOR_BYTES_MAX).unwrap_or(bytes));
                Value::Bytes(text)
            }
        };
        attributes.push(Attribute { kind: first & 0x7fff, short, value });
    }
    attributes
}

fn write_transforms(to: &mut Vec<u8>, transforms: &[Transform]) {
    to.push(b'[');
    for (index, transform) in transforms.iter().enumerate() {
        literal(to, if index == 0 { "{" } else { ",{" });
        for (index, attribute) in transform.iter().enumerate() {
            if index > 0 {
                to.push(b',');
            }
            write_attribute(to, attribute);
        }
        to.push(b'}');
    }
    to.push(b']');
}

fn write_attribute(to: &mut Vec<u8>, attribute: &Attribute) {
    let name = names1::attribute(attribute.kind);
    to.push(b'"');
    literal(to, name);
    literal(to, r#"":""#);
    literal(to, names1::value(attribute.kind, attribute.short));
    literal(to, r#"",""#);
    literal(to, name);
    match &attribute.value {
        Value::Number(value) => number_after(to, r#"_raw":"#, u64::from(*value)),
        Value::Bytes(text) => {
            literal(to, r#"_raw":""#);
            to.extend_from_slice(text);
            to.push(b'"');
        }
    }
}

/// Whether there was anything to write.
fn write_side(to: &mut Vec<u8>, side: &Side) -> bool {
    let mut written = false;
    for (name, data) in [("key_exchange_payload", &side.key_exchange), ("nonce_payload", &side.nonce)] {
        let Some(data) = data else { continue };
        literal(to, if written { ",\"" } else { "\"" });
        literal(to, name);
        literal(to, r#"":""#);
        hexadecimal(to, &data.bytes);
        literal(to, r#"",""#);
        literal(to, name);
        number_after(to, r#"_length":"#, data.len as u64);
        written = true;
    }
    written
}
