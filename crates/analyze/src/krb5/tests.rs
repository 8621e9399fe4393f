use super::*;
use crate::{Config, Session};
use app::Protocol;

/// An element.
pub(super) fn element(identifier: u8, contents: &[u8]) -> Vec<u8> {
    let mut element = vec![identifier];
    match u8::try_from(contents.len()) {
        Ok(len @ ..0x80) => element.push(len),
        _ => element.extend_from_slice(&[
            0x82,
            u8::try_from(contents.len() >> 8).unwrap(),
            u8::try_from(contents.len() & 0xff).unwrap(),
        ]),
    }
    element.extend_from_slice(contents);
    element
}

fn field(number: u8, contents: &[u8]) -> Vec<u8> {
    element(0xa0 | number, contents)
}

fn integer(value: u8) -> Vec<u8> {
    element(2, &[value])
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

fn text(text: &str) -> Vec<u8> {
    element(0x1b, text.as_bytes())
}

fn name(components: &[&str]) -> Vec<u8> {
    let components: Vec<_> = components.iter().map(|component| text(component)).collect();
    sequence(&[field(0, &integer(1)), field(1, &sequence(&components))])
}

fn encrypted(kind: u8) -> Vec<u8> {
    sequence(&[field(0, &integer(kind)), field(2, &element(4, b"secret"))])
}

fn request(kind: u8) -> Vec<u8> {
    let body = sequence(&[
        field(0, &element(3, &[0, 0x40, 0x81, 0, 0x10])),
        field(1, &name(&["robin"])),
        field(2, &text("REALM")),
        field(3, &name(&["krbtgt", "REALM"])),
        field(7, &integer(9)),
    ]);
    element(0x60 | kind, &sequence(&[field(1, &integer(5)), field(2, &integer(kind)), field(4, &body)]))
}

fn reply(kind: u8, ticket: u8, encryption: u8) -> Vec<u8> {
    let ticket = sequence(&[
        field(0, &integer(5)),
        field(1, &text("REALM")),
        field(2, &name(&["ldap", "dc01"])),
        field(3, &encrypted(ticket)),
    ]);
    let body = sequence(&[
        field(0, &integer(5)),
        field(1, &integer(kind)),
        field(3, &text("REALM.C")),
        field(4, &name(&["robin"])),
        field(5, &element(0x61, &ticket)),
        field(6, &encrypted(encryption)),
    ]);
    element(0x60 | kind, &body)
}

fn error(code: u8) -> Vec<u8> {
    let body = sequence(&[
        field(0, &integer(5)),
        field(1, &integer(30)),
        field(4, &element(0x18, b"20370913024805Z")),
        field(5, &integer(0)),
        field(6, &integer(code)),
        field(9, &text("REALM.S")),
        field(10, &name(&["krbtgt", "REALM.S"])),
    ]);
    element(0x7e, &body)
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&u32::try_from(message.len()).unwrap().to_be_bytes()[..], message].concat()
}

fn texts(session: &mut Session) -> Vec<(Direction, String)> {
    session
        .take_records()
        .filter(|record| record.event_type == "krb5")
        .map(|record| (record.direction, String::from_utf8(record.members).unwrap()))
        .collect()
}

// What Suricata 7.0.10 writes for the same messages.
const REQUEST: &str = r#""krb5":{"msg_type":"KRB_TGS_REQ","cname":"robin","realm":"REALM","sname":"krbtgt/REALM","encryption":"<none>","weak_encryption":false}"#;
const REPLY: &str = r#""krb5":{"msg_type":"KRB_TGS_REP","cname":"robin","realm":"REALM.C","sname":"ldap/dc01","encryption":"rc4-hmac","weak_encryption":true,"ticket_encryption":"aes256-cts-hmac-sha1-96","ticket_weak_encryption":false}"#;
const FAILURE: &str = r#""krb5":{"msg_type":"KRB_ERROR","failed_request":"KRB_AS_REQ","error_code":"KDC_ERR_PREAUTH_REQUIRED","cname":"<empty>","realm":"<empty>","sname":"krbtgt/REALM.S","encryption":"<none>","weak_encryption":false}"#;

#[test]
fn messages_over_tcp_are_recorded_and_can_be_asked() {
    let (to_server, to_client) = (Direction::ToServer, Direction::ToClient);
    let config = Config::default();
    let mut session = Session::new(Transport::Tcp, 40_000, 88);
    session.data(&config, 0, to_server, &framed(&request(12)));
    assert_eq!(session.protocol(), Some(Protocol::Krb5));
    session.retire(to_server);
    let answer = framed(&reply(13, 18, 23));
    for piece in answer.chunks(7) {
        session.data(&config, 0, to_client, piece);
    }
    assert_eq!(texts(&mut session), [(to_client, REQUEST.to_owned()), (to_server, REPLY.to_owned())]);
    let mut seen = 0;
    session.for_each_transaction(&mut |transaction| {
        seen += 1;
        let mut scratch = Vec::new();
        let mut buffer = |buffer, index| {
            transaction.buffer(to_client, buffer, index, &mut scratch).map(|view| view.bytes.to_vec())
        };
        assert_eq!(buffer(Buffer::Krb5Cname, 0).as_deref(), Some(&b"robin"[..]));
        assert_eq!(buffer(Buffer::Krb5Sname, 1).as_deref(), Some(&b"dc01"[..]));
        assert_eq!(buffer(Buffer::Krb5Sname, 2), None);
        for (field, value) in [
            ("krb5_msg_type", Some(13)),
            ("krb5_err_code", None),
            ("krb5.ticket_encryption", Some(18)),
            ("krb5.ticket_encryption.weak", Some(0)),
        ] {
            assert!(NUMBERS.contains(&field));
            assert_eq!(transaction.number(to_client, field, 0), value, "{field}");
            assert_eq!(transaction.number(to_server, field, 0), None, "{field}");
        }
        assert_eq!(transaction.events(to_client), [WEAK]);
    });
    assert_eq!(seen, 1);
}

#[test]
fn an_error_names_the_request_that_failed() {
    let config = Config::default();
    let mut session = Session::new(Transport::Udp, 40_000, 88);
    session.data(&config, 0, Direction::ToServer, &request(10));
    session.data(&config, 0, Direction::ToClient, &error(25));
    session.data(&config, 0, Direction::ToClient, &error(30));
    let texts = texts(&mut session);
    assert_eq!(texts[1], (Direction::ToClient, FAILURE.to_owned()));
    assert!(texts[2].1.contains(r#""failed_request":"UNKNOWN","error_code":"ErrorCode(30)""#), "{texts:?}");
}

#[test]
fn what_cannot_be_read_is_an_event_of_the_message_before() {
    let config = Config::default();
    let mut session = Session::new(Transport::Udp, 40_000, 88);
    session.data(&config, 0, Direction::ToServer, &request(10));
    let whole = reply(11, 18, 18);
    for len in 0..whole.len() {
        session.data(&config, 0, Direction::ToServer, &whole[..len]);
    }
    let mut seen = 0;
    session.for_each_transaction(&mut |transaction| {
        seen += 1;
        assert_eq!(transaction.events(Direction::ToServer), [MALFORMED]);
    });
    assert_eq!(seen, 1);
    session.data(&config, 0, Direction::ToClient, &whole);
    assert_eq!(texts(&mut session).len(), 2);
}

#[test]
fn it_is_looked_for_on_its_port_only() {
    let config = Config::default();
    let asked = |transport, server_port, bytes: &[u8]| {
        let direction = Direction::ToServer;
        probe(&Question { transport, direction, client_port: 40_000, server_port, bytes, config: &config })
    };
    let message = request(10);
    assert_eq!(asked(Transport::Udp, 88, &message), Probe::Certain);
    assert_eq!(asked(Transport::Udp, 89, &message), Probe::NotForUs);
    let stream = framed(&message);
    assert_eq!(asked(Transport::Tcp, 88, &stream), Probe::Certain);
    assert_eq!(asked(Transport::Tcp, 88, &stream[..9]), Probe::Unsure);
    assert_eq!(asked(Transport::Tcp, 88, b"GET / HTTP/1.1\r\nHost: a.example\r\n"), Probe::NotForUs);
}

#[test]
fn a_length_beyond_the_cap_ends_it() {
    let config = Config::default();
    let mut session = Session::new(Transport::Tcp, 40_000, 88);
    session.data(&config, 0, Direction::ToServer, &framed(&request(10)));
    session.data(&config, 0, Direction::ToServer, &[0x7f, 0xff, 0xff, 0xff, 0x6a]);
    assert!(session.failed());
}
