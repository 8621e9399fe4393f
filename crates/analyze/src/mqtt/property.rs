//! Properties of MQTT 5 messages (MQTT 5.0, section 2.2.2).

use event::json::{bytes, literal, number, string};

use super::message::{Reading, length};
use crate::reader::Reader;

/// A property's value.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Value {
    Number(u32),
    Text(String),
    Bytes(Vec<u8>),
}

/// A property: its name, or the sender's own, and its value.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Property {
    name: String,
    value: Value,
}

/// The properties of a message, in their order.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct Properties(Vec<Property>);

/// How a value is written on the wire.
#[derive(Clone, Copy)]
enum Kind {
    Byte,
    Two,
    Four,
    Variable,
    Text,
    Bytes,
}

/// Identifier, name and kind of each property; those of users are apart.
const KNOWN: [(u8, &str, Kind); 26] = [
    (1, "payload_format_indicator", Kind::Byte),
    (2, "message_expiry_interval", Kind::Four),
    (3, "content_type", Kind::Text),
    (8, "response_topic", Kind::Text),
    (9, "correlation_data", Kind::Bytes),
    (11, "subscription_identifier", Kind::Variable),
    (17, "session_expiry_interval", Kind::Four),
    (18, "assigned_client_identifier", Kind::Text),
    (19, "server_keep_alive", Kind::Two),
    (21, "authentication_method", Kind::Text),
    (22, "authentication_data", Kind::Bytes),
    (23, "request_problem_information", Kind::Byte),
    (24, "will_delay_interval", Kind::Four),
    (25, "request_response_information", Kind::Byte),
    (26, "response_information", Kind::Text),
    (28, "server_reference", Kind::Text),
    (31, "reason_string", Kind::Text),
    (33, "receive_maximum", Kind::Two),
    (34, "topic_alias_maximum", Kind::Two),
    (35, "topic_alias", Kind::Two),
    (36, "maximum_qos", Kind::Byte),
    (37, "retain_available", Kind::Byte),
    (39, "maximum_packet_size", Kind::Four),
    (40, "wildcard_subscription_available", Kind::Byte),
    (41, "subscription_identifier_available", Kind::Byte),
    (42, "shared_subscription_available", Kind::Byte),
];

/// The identifier of a property of a user: a name and a text.
const USER: u8 = 38;

/// Text, with `\u{fffd}` for what is not UTF-8.
pub(super) fn text(reader: &mut Reader<'_>) -> Option<String> {
    Some(String::from_utf8_lossy(reader.counted16()?.0).into_owned())
}

fn property(reader: &mut Reader<'_>) -> Option<Property> {
    let identifier = reader.u8()?;
    if identifier == USER {
        return Some(Property { name: text(reader)?, value: Value::Text(text(reader)?) });
    }
    let (_, name, kind) = KNOWN.iter().find(|(known, _, _)| *known == identifier)?;
    let value = match kind {
        Kind::Byte => Value::Number(reader.u8()?.into()),
        Kind::Two => Value::Number(reader.u16()?.into()),
        Kind::Four => Value::Number(reader.u32()?),
        Kind::Variable => Value::Number(length(reader).whole()?),
        Kind::Text => Value::Text(text(reader)?),
        Kind::Bytes => Value::Bytes(reader.counted16()?.0.to_vec()),
    };
    Some(Property { name: (*name).to_owned(), value })
}

impl Properties {
    /// Reads a length and as many bytes of properties.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let len = length(reader).whole()?;
        let mut within = Reader(reader.take(usize::try_from(len).ok()?)?);
        let mut properties = Vec::new();
        while !within.is_empty() {
            properties.push(property(&mut within)?);
        }
        Some(Self(properties))
    }

    /// Appends `,"properties":{…}`; nothing if there are none.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let mut separator = ",\"properties\":{";
        for Property { name, value } in &self.0 {
            literal(to, separator);
            string(to, name);
            to.push(b':');
            match value {
                Value::Number(value) => number(to, (*value).into()),
                Value::Text(value) => string(to, value),
                Value::Bytes(value) => bytes(to, value),
            }
            separator = ",";
        }
        if !self.0.is_empty() {
            to.push(b'}');
        }
    }
}

impl Reading<u32> {
    /// The number, if it is there.
    fn whole(self) -> Option<u32> {
        match self {
            Self::Whole(number) => Some(number),
            Self::Incomplete | Self::Malformed => None,
        }
    }
}
