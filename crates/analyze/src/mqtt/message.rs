//! A message of MQTT 3.1, 3.1.1 or 5 (MQTT 5.0, chapters 2 and 3).

use super::property::{Properties, text};
use crate::reader::Reader;

/// What stands in a message before its contents (MQTT 5.0, section 2.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Kind and flags.
    pub first: u8,
    /// Length of the contents, in bytes.
    pub len: u32,
    /// Its own length, in bytes.
    pub own: usize,
}

/// What is made of bytes that may be too few.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reading<T> {
    Whole(T),
    Incomplete,
    Malformed,
}

/// A length of one to four bytes with seven bits each, the least first (MQTT 5.0, section 1.5.5).
pub(super) fn length(reader: &mut Reader<'_>) -> Reading<u32> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let Some(byte) = reader.u8() else { return Reading::Incomplete };
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Reading::Whole(value);
        }
    }
    Reading::Malformed
}

impl Header {
    pub(super) fn read(bytes: &[u8]) -> Reading<Self> {
        let mut reader = Reader(bytes);
        let Some(first) = reader.u8() else { return Reading::Incomplete };
        match length(&mut reader) {
            Reading::Whole(len) => {
                Reading::Whole(Self { first, len, own: bytes.len().saturating_sub(reader.0.len()) })
            }
            Reading::Incomplete => Reading::Incomplete,
            Reading::Malformed => Reading::Malformed,
        }
    }

    pub(super) const fn kind(self) -> u8 {
        self.first >> 4
    }

    pub(super) const fn qos(self) -> u8 {
        self.first >> 1 & 3
    }
}

pub(super) const CONNECT: u8 = 1;
pub(super) const CONNACK: u8 = 2;
pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBACK: u8 = 4;
pub(super) const PUBREC: u8 = 5;
pub(super) const PUBREL: u8 = 6;
pub(super) const PUBCOMP: u8 = 7;
pub(super) const SUBSCRIBE: u8 = 8;
pub(super) const SUBACK: u8 = 9;
pub(super) const UNSUBSCRIBE: u8 = 10;
pub(super) const UNSUBACK: u8 = 11;
pub(super) const DISCONNECT: u8 = 14;
pub(super) const AUTH: u8 = 15;

/// Names of the kinds, from 0; nothing for the one that is not assigned.
pub(super) const NAMES: [&str; 16] = [
    "",
    "connect",
    "connack",
    "publish",
    "puback",
    "pubrec",
    "pubrel",
    "pubcomp",
    "subscribe",
    "suback",
    "unsubscribe",
    "unsuback",
    "pingreq",
    "pingresp",
    "disconnect",
    "auth",
];

/// What a client asks for when it connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Connect {
    pub protocol: String,
    pub version: u8,
    pub flags: u8,
    pub client: String,
    pub user: Option<String>,
    pub password: Option<Vec<u8>>,
    pub will: Option<Will>,
    pub properties: Properties,
}

/// What is published when the client is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Will {
    pub topic: String,
    pub message: Vec<u8>,
    pub properties: Properties,
}

/// What a message says. Properties that the reference does not write down are not kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Body {
    Connect(Box<Connect>),
    Connack {
        session_present: bool,
        code: u8,
        properties: Properties,
    },
    Publish {
        topic: String,
        id: Option<u16>,
        message: Vec<u8>,
        properties: Properties,
    },
    /// PUBACK, PUBREC, PUBREL, PUBCOMP.
    Acknowledge {
        id: u16,
        reason: Option<u8>,
        properties: Properties,
    },
    Subscribe {
        id: u16,
        topics: Vec<(String, u8)>,
        properties: Properties,
    },
    Suback {
        id: u16,
        granted: Vec<u8>,
    },
    Unsubscribe {
        id: u16,
        topics: Vec<String>,
    },
    Unsuback {
        id: u16,
        reasons: Vec<u8>,
    },
    /// DISCONNECT, AUTH.
    Reason {
        reason: Option<u8>,
        properties: Properties,
    },
    /// PINGREQ, PINGRESP, and what has no kind.
    Nothing,
    /// It was too long to be kept: its length, header included.
    Truncated(u64),
}

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Message {
    pub header: Header,
    pub body: Body,
}

/// The first version with properties.
const WITH_PROPERTIES: u8 = 5;

fn properties(reader: &mut Reader<'_>, version: u8) -> Option<Properties> {
    if version == WITH_PROPERTIES { Properties::read(reader) } else { Some(Properties::default()) }
}

fn connect(reader: &mut Reader<'_>) -> Option<Body> {
    let protocol = text(reader)?;
    let (version, flags) = (reader.u8()?, reader.u8()?);
    let _keep_alive = reader.u16()?;
    let own = properties(reader, version)?;
    let client = text(reader)?;
    let will = if flags & 0x04 == 0 {
        None
    } else {
        let properties = properties(reader, version)?;
        Some(Will { topic: text(reader)?, message: reader.counted16()?.0.to_vec(), properties })
    };
    let user = if flags & 0x80 == 0 { None } else { Some(text(reader)?) };
    let password = if flags & 0x40 == 0 { None } else { Some(reader.counted16()?.0.to_vec()) };
    Some(Body::Connect(Box::new(Connect {
        protocol,
        version,
        flags,
        client,
        user,
        password,
        will,
        properties: own,
    })))
}

/// Topics that are subscribed to; what stands behind the last whole one is not looked at.
fn topics<T>(reader: &mut Reader<'_>, topic: fn(&mut Reader<'_>) -> Option<T>) -> Option<Vec<T>> {
    let topics: Vec<T> = std::iter::from_fn(|| topic(reader)).collect();
    (!topics.is_empty()).then_some(topics)
}

/// A reason and its properties, in versions that have them.
fn acknowledge(reader: &mut Reader<'_>, version: u8) -> Option<Body> {
    let id = reader.u16()?;
    let (reason, properties) = match (version < WITH_PROPERTIES, reader.0.len()) {
        (true, _) => (None, Properties::default()),
        // What says no reason has succeeded.
        (false, 0) => (Some(0), Properties::default()),
        (false, 1) => (reader.u8(), Properties::default()),
        (false, _) => (reader.u8(), Properties::read(reader)?),
    };
    Some(Body::Acknowledge { id, reason, properties })
}

fn body(kind: u8, qos: u8, version: u8, contents: &[u8]) -> Option<Body> {
    let reader = &mut Reader(contents);
    let body = match kind {
        CONNECT => connect(reader)?,
        CONNACK => Body::Connack {
            session_present: reader.u8()? & 1 != 0,
            code: reader.u8()?,
            properties: properties(reader, version)?,
        },
        PUBLISH => Body::Publish {
            topic: text(reader)?,
            id: if qos == 0 { None } else { Some(reader.u16()?) },
            properties: properties(reader, version)?,
            message: reader.0.to_vec(),
        },
        PUBACK | PUBREC | PUBREL | PUBCOMP => acknowledge(reader, version)?,
        SUBSCRIBE => Body::Subscribe {
            id: reader.u16()?,
            properties: properties(reader, version)?,
            topics: topics(reader, |reader| Some((text(reader)?, reader.u8()?)))?,
        },
        SUBACK => {
            let id = reader.u16()?;
            properties(reader, version)?;
            Body::Suback { id, granted: reader.0.to_vec() }
        }
        UNSUBSCRIBE => {
            let id = reader.u16()?;
            properties(reader, version)?;
            Body::Unsubscribe { id, topics: topics(reader, text)? }
        }
        UNSUBACK => {
            let id = reader.u16()?;
            properties(reader, version)?;
            Body::Unsuback { id, reasons: reader.0.to_vec() }
        }
        DISCONNECT if version < WITH_PROPERTIES => {
            Body::Reason { reason: None, properties: Properties::default() }
        }
        DISCONNECT if contents.len() < 2 => {
            Body::Reason { reason: Some(0), properties: Properties::default() }
        }
        DISCONNECT | AUTH => {
            Body::Reason { reason: Some(reader.u8()?), properties: Properties::read(reader)? }
        }
        _ => Body::Nothing,
    };
    Some(body)
}

impl Message {
    /// Reads a message's contents, of the connection's protocol `version`.
    pub(super) fn read(header: Header, version: u8, contents: &[u8]) -> Option<Self> {
        Some(Self { header, body: body(header.kind(), header.qos(), version, contents)? })
    }

    /// The number that ties an acknowledgement to what is acknowledged.
    pub(super) const fn id(&self) -> Option<u16> {
        match self.body {
            Body::Publish { id, .. } => id,
            Body::Acknowledge { id, .. }
            | Body::Subscribe { id, .. }
            | Body::Suback { id, .. }
            | Body::Unsubscribe { id, .. }
            | Body::Unsuback { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Return codes, reasons and what was granted.
    pub(super) fn reasons(&self) -> &[u8] {
        match &self.body {
            Body::Connack { code, .. } => std::slice::from_ref(code),
            Body::Suback { granted, .. } => granted,
            Body::Unsuback { reasons, .. } => reasons,
            Body::Acknowledge { reason: Some(reason), .. } | Body::Reason { reason: Some(reason), .. } => {
                std::slice::from_ref(reason)
            }
            _ => &[],
        }
    }
}
