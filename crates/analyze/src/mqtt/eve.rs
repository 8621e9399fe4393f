//! `"mqtt":{…}` of records and alerts.

use event::json::{bytes, literal, number, number_after, string};

use super::message::{Body, Connect, Message, NAMES};

/// Appends `true` or `false` behind a key.
fn flag(to: &mut Vec<u8>, key: &str, value: bool) {
    literal(to, key);
    literal(to, if value { "true" } else { "false" });
}

/// Appends values in brackets behind a key.
fn list<T>(to: &mut Vec<u8>, key: &str, values: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    literal(to, key);
    to.push(b'[');
    for (index, value) in values.iter().enumerate() {
        if index > 0 {
            to.push(b',');
        }
        write(to, value);
    }
    to.push(b']');
}

fn text(to: &mut Vec<u8>, key: &str, value: &str) {
    literal(to, key);
    string(to, value);
}

fn connect(to: &mut Vec<u8>, connect: &Connect) {
    text(to, ",\"protocol_string\":", &connect.protocol);
    number_after(to, ",\"protocol_version\":", connect.version.into());
    text(to, ",\"client_id\":", &connect.client);
    flag(to, ",\"flags\":{\"username\":", connect.flags & 0x80 != 0);
    flag(to, ",\"password\":", connect.flags & 0x40 != 0);
    flag(to, ",\"will_retain\":", connect.flags & 0x20 != 0);
    flag(to, ",\"will\":", connect.flags & 0x04 != 0);
    flag(to, ",\"clean_session\":", connect.flags & 0x02 != 0);
    to.push(b'}');
    if let Some(user) = &connect.user {
        text(to, ",\"username\":", user);
    }
    if let Some(password) = &connect.password {
        literal(to, ",\"password\":");
        bytes(to, password);
    }
    if let Some(will) = &connect.will {
        text(to, ",\"will\":{\"topic\":", &will.topic);
        literal(to, ",\"message\":");
        bytes(to, &will.message);
        will.properties.write(to);
        to.push(b'}');
    }
    connect.properties.write(to);
}

fn body(to: &mut Vec<u8>, body: &Body) {
    let id = |to: &mut Vec<u8>, id: u16| number_after(to, ",\"message_id\":", id.into());
    match body {
        Body::Connect(asked) => connect(to, asked),
        Body::Connack { session_present, code, properties } => {
            flag(to, ",\"session_present\":", *session_present);
            number_after(to, ",\"return_code\":", (*code).into());
            properties.write(to);
        }
        Body::Publish { topic, id: known, message, properties } => {
            text(to, ",\"topic\":", topic);
            if let Some(known) = known {
                id(to, *known);
            }
            literal(to, ",\"message\":");
            bytes(to, message);
            properties.write(to);
        }
        Body::Acknowledge { id: known, reason, properties } => {
            id(to, *known);
            if let Some(reason) = reason {
                number_after(to, ",\"reason_code\":", (*reason).into());
            }
            properties.write(to);
        }
        Body::Subscribe { id: known, topics, properties } => {
            id(to, *known);
            list(to, ",\"topics\":", topics, |to, (topic, qos)| {
                text(to, "{\"topic\":", topic);
                number_after(to, ",\"qos\":", (*qos).into());
                to.push(b'}');
            });
            properties.write(to);
        }
        Body::Suback { id: known, granted } => {
            id(to, *known);
            list(to, ",\"qos_granted\":", granted, |to, &qos| number(to, qos.into()));
        }
        Body::Unsubscribe { id: known, topics } => {
            id(to, *known);
            list(to, ",\"topics\":", topics, |to, topic| string(to, topic));
        }
        Body::Unsuback { id: known, reasons } => {
            id(to, *known);
            if !reasons.is_empty() {
                list(to, ",\"reason_codes\":", reasons, |to, &reason| number(to, reason.into()));
            }
        }
        Body::Reason { reason, properties } => {
            if let Some(reason) = reason {
                number_after(to, ",\"reason_code\":", (*reason).into());
            }
            properties.write(to);
        }
        Body::Nothing => {}
        Body::Truncated(len) => {
            literal(to, ",\"truncated\":true");
            number_after(to, ",\"skipped_length\":", *len);
        }
    }
}

/// Appends the messages of a transaction. What has no kind is not named.
pub(super) fn write(to: &mut Vec<u8>, messages: &[Message]) {
    literal(to, "\"mqtt\":{");
    let mut separator = "\"";
    for message in messages {
        let header = message.header;
        let name = NAMES.get(usize::from(header.kind())).copied().unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        literal(to, separator);
        literal(to, name);
        number_after(to, "\":{\"qos\":", header.qos().into());
        flag(to, ",\"retain\":", header.first & 0x01 != 0);
        flag(to, ",\"dup\":", header.first & 0x08 != 0);
        body(to, &message.body);
        to.push(b'}');
        separator = ",\"";
    }
    to.push(b'}');
}
