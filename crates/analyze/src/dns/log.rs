//! `dns` records: version 2 of the reference's format, answers both in detail and grouped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use event::json::{address, bytes, hex, literal, number_after};

use super::message::{Data, Message, Question, Record};
use super::names;

/// The members of a record about one question: `"dns":{…}`.
pub(super) fn query_record(to: &mut Vec<u8>, message: &Message, question: &Question, tx_id: u64) {
    literal(to, r#""dns":{"version":2,"#);
    query(to, message, question, tx_id);
    to.push(b'}');
}

/// The members of a record about an answer: `"dns":{…}`.
pub(super) fn answer_record(to: &mut Vec<u8>, message: &Message) {
    literal(to, r#""dns":{"#);
    answer(to, message);
    to.push(b'}');
}

/// What alerts say of a transaction: `"dns":{…}`. Beside what version 2 of the format has there, a request's is told as
/// version 3 tells it: `queries`, and `z` once for the message.
pub(super) fn context(to: &mut Vec<u8>, message: &Message, is_response: bool, tx_id: u64) {
    if is_response {
        literal(to, r#""dns":{"answer":{"#);
        answer(to, message);
        literal(to, "}}");
        return;
    }
    literal(to, r#""dns":{"query":["#);
    for (index, question) in message.questions.iter().enumerate() {
        literal(to, if index == 0 { "{" } else { ",{" });
        query(to, message, question, tx_id);
        to.push(b'}');
    }
    literal(to, "]");
    if message.header.z() {
        literal(to, r#","z":true"#);
    }
    literal(to, r#","queries":["#);
    for (index, question) in message.questions.iter().enumerate() {
        literal(to, if index == 0 { r#"{"rrname":"# } else { r#",{"rrname":"# });
        bytes(to, &question.name);
        truncation(to, question);
        literal(to, r#","rrtype":""#);
        names::rrtype(to, question.rrtype);
        literal(to, r#""}"#);
    }
    literal(to, "]}");
}

/// Says that a question's name is cut, if it is.
fn truncation(to: &mut Vec<u8>, question: &Question) {
    if question.truncated {
        literal(to, r#","rrname_truncated":true"#);
    }
}

fn query(to: &mut Vec<u8>, message: &Message, question: &Question, tx_id: u64) {
    number_after(to, r#""type":"query","id":"#, u64::from(message.header.id));
    literal(to, r#","rrname":"#);
    bytes(to, &question.name);
    truncation(to, question);
    literal(to, r#","rrtype":""#);
    names::rrtype(to, question.rrtype);
    number_after(to, r#"","tx_id":"#, tx_id);
    if message.header.z() {
        literal(to, r#","z":true"#);
    }
    number_after(to, r#","opcode":"#, u64::from(message.header.opcode()));
}

fn answer(to: &mut Vec<u8>, message: &Message) {
    let header = &message.header;
    number_after(to, r#""version":2,"type":"answer","id":"#, u64::from(header.id));
    literal(to, r#","flags":""#);
    let [high, low] = header.flags.to_be_bytes().map(hex);
    let digits = [high[0], high[1], low[0], low[1]];
    // The reference writes no leading zeros.
    let from = digits.iter().position(|&digit| digit != b'0').unwrap_or(3);
    to.extend_from_slice(digits.get(from..).unwrap_or_default());
    to.push(b'"');
    for (bit, name) in [
        (0x8000, r#","qr":true"#),
        (0x0400, r#","aa":true"#),
        (0x0200, r#","tc":true"#),
        (0x0100, r#","rd":true"#),
        (0x0080, r#","ra":true"#),
        (0x0040, r#","z":true"#),
    ] {
        if header.flags & bit != 0 {
            literal(to, name);
        }
    }
    number_after(to, r#","opcode":"#, u64::from(header.opcode()));
    if let Some(question) = message.questions.first() {
        literal(to, r#","rrname":"#);
        bytes(to, &question.name);
        truncation(to, question);
        literal(to, r#","rrtype":""#);
        names::rrtype(to, question.rrtype);
        to.push(b'"');
    }
    literal(to, r#","rcode":""#);
    names::rcode(to, header.rcode());
    to.push(b'"');
    if !message.answers.is_empty() {
        records(to, r#","answers":["#, &message.answers);
        grouped(to, &message.answers);
    }
    if !message.authorities.is_empty() {
        records(to, r#","authorities":["#, &message.authorities);
    }
}

fn records(to: &mut Vec<u8>, before: &str, records: &[Record]) {
    literal(to, before);
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            to.push(b',');
        }
        literal(to, r#"{"rrname":"#);
        bytes(to, &record.name);
        literal(to, r#","rrtype":""#);
        names::rrtype(to, record.rrtype);
        number_after(to, r#"","ttl":"#, u64::from(record.ttl));
        let key = match record.data {
            Data::Address(_) | Data::Text(_) => r#","rdata":"#,
            Data::Soa { .. } => r#","soa":"#,
            Data::Srv { .. } => r#","srv":"#,
            Data::Sshfp { .. } => r#","sshfp":"#,
            Data::Other => "",
        };
        literal(to, key);
        data(to, &record.data);
        to.push(b'}');
    }
    to.push(b']');
}

/// `grouped`: what the answers say, by their type, types in the order in which they come first.
fn grouped(to: &mut Vec<u8>, answers: &[Record]) {
    let shown = || answers.iter().filter(|record| record.data != Data::Other);
    let mut types: Vec<u16> = Vec::new();
    for record in shown() {
        if !types.contains(&record.rrtype) {
            types.push(record.rrtype);
        }
    }
    literal(to, r#","grouped":{"#);
    for (index, &rrtype) in types.iter().enumerate() {
        literal(to, if index == 0 { "\"" } else { ",\"" });
        names::rrtype(to, rrtype);
        literal(to, r#"":["#);
        for (index, record) in shown().filter(|record| record.rrtype == rrtype).enumerate() {
            if index > 0 {
                to.push(b',');
            }
            data(to, &record.data);
        }
        to.push(b']');
    }
    to.push(b'}');
}

fn data(to: &mut Vec<u8>, data: &Data) {
    match data {
        Data::Address(octets) => {
            to.push(b'"');
            if let Ok(octets) = <[u8; 4]>::try_from(octets.as_slice()) {
                address(to, IpAddr::V4(Ipv4Addr::from(octets)));
            } else if let Ok(octets) = <[u8; 16]>::try_from(octets.as_slice()) {
                address(to, IpAddr::V6(Ipv6Addr::from(octets)));
            }
            to.push(b'"');
        }
        Data::Text(text) => bytes(to, text),
        Data::Soa { mname, rname, numbers: [serial, refresh, retry, expire, minimum] } => {
            literal(to, r#"{"mname":"#);
            bytes(to, mname);
            literal(to, r#","rname":"#);
            bytes(to, rname);
            number_after(to, r#","serial":"#, u64::from(*serial));
            number_after(to, r#","refresh":"#, u64::from(*refresh));
            number_after(to, r#","retry":"#, u64::from(*retry));
            number_after(to, r#","expire":"#, u64::from(*expire));
            number_after(to, r#","minimum":"#, u64::from(*minimum));
            to.push(b'}');
        }
        Data::Srv { priority, weight, port, target } => {
            number_after(to, r#"{"priority":"#, u64::from(*priority));
            number_after(to, r#","weight":"#, u64::from(*weight));
            number_after(to, r#","port":"#, u64::from(*port));
            literal(to, r#","name":"#);
            bytes(to, target);
            to.push(b'}');
        }
        Data::Sshfp { algorithm, kind, fingerprint } => {
            literal(to, r#"{"fingerprint":""#);
            for (index, &byte) in fingerprint.iter().enumerate() {
                if index > 0 {
                    to.push(b':');
                }
                to.extend_from_slice(&hex(byte));
            }
            number_after(to, r#"","algo":"#, u64::from(*algorithm));
            number_after(to, r#","type":"#, u64::from(*kind));
            to.push(b'}');
        }
        Data::Other => {}
    }
}
