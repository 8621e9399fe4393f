//! DNS (RFC 1035, RFC 2308, RFC 3596, RFC 7766): a client asks the resolver inside.

use rand::Rng;

use super::{Activity, connect};
use crate::session::frame;
use crate::session::script::Line;
use crate::session::{Close, Script, Side, Stream};
use crate::trace::truth::{Protocol, Transport};
use crate::trace::world::{self, Conversation};

const PORT: u16 = 53;

/// A pointer to the name of the question, which begins right after the header.
const QUESTION_NAME: [u8; 2] = [0xc0, 12];
const CLASS_IN: u16 = 1;
/// Response, recursion desired and available.
const FLAGS_ANSWER: u16 = 0x8180;
const RCODE_NXDOMAIN: u16 = 3;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    A = 1,
    Soa = 6,
    Mx = 15,
    Txt = 16,
    Aaaa = 28,
}

fn put_name(to: &mut Vec<u8>, name: &str) {
    for label in name.split('.').filter(|label| !label.is_empty()) {
        to.push(label.len() as u8);
        to.extend_from_slice(label.as_bytes());
    }
    to.push(0);
}

fn put_u16s(to: &mut Vec<u8>, values: &[u16]) {
    for value in values {
        to.extend_from_slice(&value.to_be_bytes());
    }
}

fn message(id: u16, flags: u16, counts: [u16; 3], name: &str, kind: Kind) -> Vec<u8> {
    let mut message = Vec::with_capacity(128);
    let [answers, authorities, additional] = counts;
    put_u16s(&mut message, &[id, flags, 1, answers, authorities, additional]);
    put_name(&mut message, name);
    put_u16s(&mut message, &[kind as u16, CLASS_IN]);
    message
}

fn put_record(to: &mut Vec<u8>, owner: &[u8], kind: Kind, ttl_s: u32, data: &[u8]) {
    to.extend_from_slice(owner);
    put_u16s(to, &[kind as u16, CLASS_IN]);
    to.extend_from_slice(&ttl_s.to_be_bytes());
    put_u16s(to, &[data.len() as u16]);
    to.extend_from_slice(data);
}

/// A query as stub resolvers send it, with an OPT record (RFC 6891).
fn query(id: u16, name: &str, kind: Kind) -> Vec<u8> {
    let mut query = message(id, 0x0100, [0, 0, 1], name, kind);
    query.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    query
}

fn no_such_name(id: u16, name: &str, kind: Kind) -> Vec<u8> {
    let mut answer = message(id, FLAGS_ANSWER | RCODE_NXDOMAIN, [0, 1, 0], name, kind);
    let mut soa = Vec::with_capacity(64);
    put_name(&mut soa, "ns1.example");
    put_name(&mut soa, "hostmaster.example");
    for number in [2_023_111_401_u32, 7200, 3600, 1_209_600, 300] {
        soa.extend_from_slice(&number.to_be_bytes());
    }
    let mut owner = Vec::new();
    put_name(&mut owner, "example");
    put_record(&mut answer, &owner, Kind::Soa, 300, &soa);
    answer
}

fn answer(id: u16, site: usize, name: &str, kind: Kind, ttl_s: u32) -> Vec<u8> {
    let mut data = Vec::with_capacity(64);
    match kind {
        Kind::A => data.extend_from_slice(&world::site_v4(site).octets()),
        Kind::Aaaa => data.extend_from_slice(&world::site_v6(site).octets()),
        Kind::Mx => {
            put_u16s(&mut data, &[10]);
            put_name(&mut data, "mx1.post-and-parcel.example");
        }
        Kind::Txt => put_text(&mut data, b"v=spf1 ip4:192.0.2.0/24 -all"),
        Kind::Soa => {}
    }
    let mut answer = message(id, FLAGS_ANSWER, [1, 0, 0], name, kind);
    put_record(&mut answer, &QUESTION_NAME, kind, ttl_s, &data);
    answer
}

/// A character-string: its length in a byte, then at most 255 bytes.
fn put_text(to: &mut Vec<u8>, text: &[u8]) {
    let text = text.get(..255).unwrap_or(text);
    to.push(text.len() as u8);
    to.extend_from_slice(text);
}

/// Queries over UDP: mostly A and AAAA together, some MX, TXT and names that do not exist.
pub(crate) fn activity(mut conversation: Conversation<'_>) -> Activity {
    let ipv6 = conversation.draw_ipv6();
    let (client, port) = conversation.tenant.client(conversation.index, ipv6);
    let resolver = conversation.tenant.resolver(ipv6);
    let (site, name) = conversation.pick_site();
    let exists = !conversation.rng.random_ratio(1, 6);
    let kinds: &[Kind] = match conversation.rng.random_range(0..8) {
        0 => &[Kind::Mx],
        1 => &[Kind::Txt],
        2 | 3 => &[Kind::A],
        _ => &[Kind::A, Kind::Aaaa],
    };
    let missing = format!("{:08x}.example", conversation.rng.random::<u32>());
    let name = if exists { name } else { &missing };
    // What is left of the record's life in the resolver's cache.
    let ttl_s = 300 - (conversation.start_ns / 1_000_000_000 % 240) as u32;

    let forth = conversation.route(client, resolver);
    let back = forth.reversed();
    let mut lines = Vec::with_capacity(kinds.len() * 2);
    let mut say = |at_ns, route, ip_id, src_port, dst_port, payload: &[u8]| {
        let mut frame = Vec::new();
        frame::udp(&mut frame, route, ip_id, src_port, dst_port, payload);
        lines.push(Line { at_ns, transport: Transport::Udp, frame });
    };
    for (order, &kind) in kinds.iter().enumerate() {
        let id = conversation.rng.random();
        let at_ns = conversation.start_ns + order as u64 * 35_000;
        say(at_ns, &forth, conversation.rng.random(), port, PORT, &query(id, name, kind));
        let at_ns = at_ns + conversation.rng.random_range(300_000..40_000_000);
        let reply = if exists { answer(id, site, name, kind, ttl_s) } else { no_such_name(id, name, kind) };
        say(at_ns, &back, conversation.rng.random(), PORT, port, &reply);
    }
    Activity::script(Protocol::Dns, Script::new(lines), (Transport::Udp, 1))
}

/// A TXT query over TCP, for an answer that is too large for a datagram.
pub(crate) fn activity_tcp(mut conversation: Conversation<'_>) -> Activity {
    let resolver = conversation.tenant.resolver(false);
    let (_, name) = conversation.pick_site();
    let id = conversation.rng.random();
    let mut reply = message(id, FLAGS_ANSWER, [12, 0, 0], name, Kind::Txt);
    for key in 0..12 {
        let mut data = Vec::with_capacity(256);
        let words = format!("k={key}; p={:032x}; ", conversation.rng.random::<u128>());
        put_text(&mut data, words.repeat(4).as_bytes());
        put_record(&mut reply, &QUESTION_NAME, Kind::Txt, 600, &data);
    }
    let mut session = connect(&mut conversation, resolver, PORT);
    for (side, message) in [(Side::Client, query(id, name, Kind::Txt)), (Side::Server, reply)] {
        let stream = Stream::new((message.len() as u16).to_be_bytes()).bytes(message);
        session.send(side, stream, conversation.think_ns(0, 3));
    }
    session.close(Close::Fin(Side::Client), 200_000);
    Activity::tcp(Protocol::Dns, session)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_has_the_bytes_of_rfc_1035() {
        let query = query(0x1234, "www.example.com", Kind::A);
        let expected =
            b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x03www\x07example\x03com\x00\x00\x01\x00\x01\
                         \x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
        assert_eq!(query, expected);
    }

    #[test]
    fn an_answer_points_to_the_question() {
        let bytes = answer(1, 0, "a.example", Kind::A, 60);
        let question = message(1, FLAGS_ANSWER, [1, 0, 0], "a.example", Kind::A);
        assert!(bytes.starts_with(&question));
        assert_eq!(bytes[question.len()..question.len() + 2], QUESTION_NAME);
        assert!(bytes.ends_with(&[198, 51, 100, 10]));
    }
}
