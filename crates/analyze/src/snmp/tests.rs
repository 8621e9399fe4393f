use super::*;
use crate::{Config, Session, Transport};
use app::Protocol;

/// An element with contents of fewer than 128 bytes.
fn element(identifier: u8, contents: &[u8]) -> Vec<u8> {
    let mut element = vec![identifier, u8::try_from(contents.len()).unwrap()];
    assert!(contents.len() < 128);
    element.extend_from_slice(contents);
    element
}

fn variables() -> Vec<u8> {
    let name = element(6, &[0x2b, 6, 1, 2, 1, 1, 1, 0]);
    element(0x30, &element(0x30, &[name, vec![5, 0]].concat()))
}

fn operation(number: u8, status: u8) -> Vec<u8> {
    element(0xa0 | number, &[&[2, 1, 9, 2, 1, status, 2, 1, 0][..], &variables()].concat())
}

fn early(version: u8, community: &[u8], content: &[u8]) -> Vec<u8> {
    element(0x30, &[&[2, 1, version][..], &element(4, community), content].concat())
}

fn third(model: u8, security: &[u8], content: &[u8]) -> Vec<u8> {
    let header = element(0x30, &[2, 1, 99, 2, 3, 0, 0xff, 0xe3, 4, 1, 4, 2, 1, model]);
    element(0x30, &[&[2, 1, 3][..], &header, &element(4, security), content].concat())
}

fn user(name: &[u8]) -> Vec<u8> {
    element(0x30, &[&[4, 0, 2, 1, 0, 2, 1, 0][..], &element(4, name), &[4, 0, 4, 0]].concat())
}

fn session(datagrams: &[(Direction, Vec<u8>)]) -> Session {
    let mut session = Session::new(Transport::Udp, 40_000, 161);
    for (direction, datagram) in datagrams {
        session.data(&Config::default(), 0, *direction, datagram);
    }
    session
}

fn records(session: &mut Session) -> Vec<String> {
    session
        .take_records()
        .filter(|record| record.event_type == "snmp")
        .map(|record| String::from_utf8(record.members).unwrap())
        .collect()
}

#[test]
fn messages_are_recorded_as_the_reference_does() {
    let to_server = Direction::ToServer;
    let trap = [
        element(6, &[0x2b, 6, 1, 4, 1, 9]),
        vec![0x40, 4, 10, 0, 0, 1, 2, 1, 1, 2, 1, 7, 0x43, 1, 2],
        variables(),
    ]
    .concat();
    let scoped = element(0x30, &[&[4, 0, 4, 0][..], &operation(8, 0)].concat());
    for (message, text) in [
        (
            early(0, b"public", &operation(0, 0)),
            r#""version":1,"pdu_type":"get_request","vars":["1.3.6.1.2.1.1.1.0"],"community":"public""#,
        ),
        (
            early(1, b"public", &operation(2, 2)),
            r#""version":2,"pdu_type":"response","error":"NoSuchName","vars":["1.3.6.1.2.1.1.1.0"],"community":"public""#,
        ),
        (
            early(1, b"", &operation(2, 17)),
            r#""version":2,"pdu_type":"response","error":"ErrorStatus(17)","vars":["1.3.6.1.2.1.1.1.0"],"community":"""#,
        ),
        (
            early(1, b"", &operation(5, 17)),
            r#""version":2,"pdu_type":"get_bulk_request","vars":["1.3.6.1.2.1.1.1.0"],"community":"""#,
        ),
        (
            early(0, b"a", &element(0xa4, &trap)),
            r#""version":1,"pdu_type":"trap_v1","trap_type":"warmStart","trap_oid":"1.3.6.1.4.1.9","trap_address":"10.0.0.1","vars":["1.3.6.1.2.1.1.1.0"],"community":"a""#,
        ),
        (
            third(3, &user(b"bob"), &scoped),
            r#""version":3,"pdu_type":"report","vars":["1.3.6.1.2.1.1.1.0"],"usm":"bob""#,
        ),
        (third(3, &user(b"bob"), &element(4, b"secret")), r#""version":3,"pdu_type":"encrypted""#),
    ] {
        let mut session = session(&[(to_server, message)]);
        assert_eq!(session.protocol(), Some(Protocol::Snmp));
        assert_eq!(records(&mut session), [format!(r#""snmp":{{{text}}}"#)]);
    }
}

#[test]
fn buffers_and_numbers_are_there() {
    let (to_server, to_client) = (Direction::ToServer, Direction::ToClient);
    let mut session = session(&[
        (to_server, early(1, b"public", &operation(3, 0))),
        (to_client, third(3, &user(b"bob"), &element(4, b"secret"))),
    ]);
    let mut seen = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        let direction = transaction.one_way().unwrap();
        let mut scratch = Vec::new();
        let mut text = |buffer| {
            let view = transaction.buffer(direction, buffer, 0, &mut scratch);
            view.map(|view| String::from_utf8(view.bytes.to_vec()).unwrap())
        };
        let texts = (text(Buffer::SnmpCommunity), text(Buffer::SnmpUsm));
        let numbers = ["snmp.version", "snmp.pdu_type"].map(|field| transaction.number(direction, field, 0));
        seen.push((texts, numbers, transaction.events(direction).to_vec()));
    });
    assert_eq!(
        seen,
        [
            ((Some("public".to_owned()), None), [Some(2), Some(3)], vec![]),
            // The version is the flow's, as in the reference.
            ((None, Some("bob".to_owned())), [Some(2), None], vec![VERSION_MISMATCH]),
        ]
    );
}

#[test]
fn an_unknown_security_model_is_an_event() {
    let scoped = element(0x30, &[&[4, 0, 4, 0][..], &operation(0, 0)].concat());
    let mut session = session(&[(Direction::ToServer, third(1, b"raw", &scoped))]);
    let mut events = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        events.extend_from_slice(transaction.events(Direction::ToServer));
    });
    assert_eq!(events, [UNKNOWN_MODEL]);
    assert_eq!(
        records(&mut session),
        [r#""snmp":{"version":3,"pdu_type":"get_request","vars":["1.3.6.1.2.1.1.1.0"]}"#]
    );
}

#[test]
fn what_cannot_be_read_is_no_message_and_the_next_is_read_all_the_same() {
    let whole = early(1, b"public", &operation(0, 0));
    let mut broken: Vec<_> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
    broken.push(early(0, b"public", &operation(5, 0)));
    broken.push(early(1, b"public", &operation(9, 0)));
    broken.push(early(1, b"pub\xff", &operation(0, 0)));
    broken.push(early(1, b"xy", &[operation(0, 0), vec![5, 0]].concat()));
    for datagram in broken {
        let first = (Direction::ToServer, whole.clone());
        let last = first.clone();
        let mut session = session(&[first, (Direction::ToServer, datagram.clone()), last]);
        assert_eq!(records(&mut session).len(), 2, "{datagram:?}");
        let mut events = Vec::new();
        session.for_each_transaction(&mut |transaction| {
            events.extend_from_slice(transaction.events(Direction::ToServer));
        });
        assert_eq!(events, [MALFORMED], "{datagram:?}");
    }
}
