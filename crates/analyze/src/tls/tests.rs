use app::Buffer;

use super::*;
use crate::{Config, Session, Transport};

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 3, 1];
    bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn handshake_message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, 0];
    bytes.extend_from_slice(&(body.len() as u16).to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

/// Extensions of a hello, by number and content.
fn extensions(list: &[(u16, &[u8])]) -> Vec<u8> {
    let mut inside = Vec::new();
    for (kind, content) in list {
        inside.extend_from_slice(&kind.to_be_bytes());
        inside.extend_from_slice(&(content.len() as u16).to_be_bytes());
        inside.extend_from_slice(content);
    }
    let mut bytes = (inside.len() as u16).to_be_bytes().to_vec();
    bytes.extend_from_slice(&inside);
    bytes
}

const SNI: (u16, &[u8]) = (0, b"\0\x0e\0\0\x0bexample.com");

fn client_hello(list: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(b"\0\0\x06\x1a\x1a\x13\x01\xc0\x2f\x01\0");
    body.extend_from_slice(&extensions(list));
    handshake_message(1, &body)
}

fn server_hello(list: &[(u16, &[u8])]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend_from_slice(&[9; 32]);
    body.extend_from_slice(b"\0\x13\x01\0");
    body.extend_from_slice(&extensions(list));
    handshake_message(2, &body)
}

fn config() -> Config {
    Config { ja3: true, ja4: true, ..Config::default() }
}

fn session() -> Session {
    Session::new(Transport::Tcp, 40_000, 443)
}

fn buffer(session: &mut Session, direction: Direction, buffer: Buffer) -> Option<String> {
    let mut text = None;
    session.for_each_transaction(&mut |transaction| {
        let mut scratch = Vec::new();
        let view = transaction.buffer(direction, buffer, 0, &mut scratch);
        text = view.map(|view| String::from_utf8_lossy(view.bytes).into_owned());
    });
    text
}

fn events(session: &mut Session, direction: Direction) -> Vec<&'static str> {
    let mut all = Vec::new();
    session.for_each_transaction(&mut |transaction| all.extend_from_slice(transaction.events(direction)));
    all
}

fn records(session: &mut Session) -> Vec<String> {
    session.take_records().map(|record| String::from_utf8(record.members).unwrap()).collect()
}

#[test]
fn hellos_give_names_fingerprints_and_the_record() {
    let hello = client_hello(&[
        SNI,
        (10, b"\0\x04\x0a\x0a\0\x1d"),
        (11, b"\x01\0"),
        (43, b"\x04\x03\x04\x03\x03"),
        (16, b"\0\x03\x02h2"),
    ]);
    let reply = server_hello(&[(43, b"\x03\x04")]);
    // Whatever the sizes of the pieces are, the outcome is the same.
    for size in [1, 3, 50, 1000] {
        let mut session = session();
        for piece in record(22, &hello).chunks(size) {
            session.data(&config(), 1, Direction::ToServer, piece);
        }
        assert_eq!(buffer(&mut session, Direction::ToServer, Buffer::TlsSni).as_deref(), Some("example.com"));
        let ja3 = "771,4865-49199,0-10-11-43-16,29,0";
        assert_eq!(buffer(&mut session, Direction::ToServer, Buffer::Ja3String).as_deref(), Some(ja3));
        assert_eq!(buffer(&mut session, Direction::ToServer, Buffer::Ja3Hash), Some(hello::md5_hex(ja3)));
        let ja4 = buffer(&mut session, Direction::ToServer, Buffer::Ja4Hash).unwrap();
        assert!(ja4.starts_with("t13d0205h2_") && ja4.len() == 36, "{ja4}");
        for piece in record(22, &reply).chunks(size) {
            session.data(&config(), 2, Direction::ToClient, piece);
        }
        assert_eq!(
            buffer(&mut session, Direction::ToClient, Buffer::Ja3sString).as_deref(),
            Some("771,4865,43")
        );
        assert!(records(&mut session).is_empty());
        session.data(&config(), 3, Direction::ToClient, &record(23, b"secret"));
        assert!(session.encrypted() && !session.wants(Direction::ToServer));
        let record = records(&mut session);
        assert_eq!(record.len(), 1);
        assert!(
            record[0].starts_with(r#""tls":{"sni":"example.com","version":"TLS 1.3","ja3":{"hash":"#),
            "{record:?}"
        );
    }
}

#[test]
fn without_an_end_the_record_comes_when_the_flow_ends() {
    let mut session = session();
    session.data(&config(), 1, Direction::ToServer, &record(22, &client_hello(&[SNI])));
    session.close(&Config::default(), 2, Direction::ToServer);
    assert!(records(&mut session).is_empty());
    session.close(&Config::default(), 2, Direction::ToClient);
    let record = records(&mut session);
    assert_eq!(record.len(), 1);
    assert!(record[0].contains(r#""version":"UNDETERMINED""#), "{record:?}");
    let mut stages = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        stages = Direction::BOTH.map(|direction| transaction.stage(direction)).to_vec();
    });
    assert_eq!(stages, [Stage::Complete; 2]);
}

#[test]
fn what_is_wrong_is_an_event() {
    let first = record(22, &client_hello(&[SNI]));
    for (bytes, event) in [
        (vec![22, 9, 9, 0, 1, 0], events::RECORD_VERSION),
        (vec![99, 3, 1, 0, 1, 0], events::RECORD_TYPE),
        (record(22, &[]), events::HEADER),
        (record(22, &handshake_message(1, b"\x03")), events::HANDSHAKE),
        (record(24, b"\x01\x40\0\x01"), events::HEARTBEAT_OVERFLOW),
        (record(22, &client_hello(&[SNI, SNI])), events::SNI_MULTIPLE),
        (record(22, &client_hello(&[(0, b"\0\x02\x05\0")])), events::SNI_TYPE),
    ] {
        let mut session = session();
        session.data(&config(), 1, Direction::ToServer, &first);
        session.data(&config(), 1, Direction::ToServer, &bytes);
        let raised = events(&mut session, Direction::ToServer);
        assert!(raised.contains(&event), "{event}: {raised:?}");
    }
}

#[test]
fn a_certificate_that_cannot_be_read_is_an_event() {
    let mut session = session();
    session.data(&config(), 1, Direction::ToServer, &record(22, &client_hello(&[SNI])));
    let mut body = vec![0, 0, 7, 0, 0, 4];
    body.extend_from_slice(b"junk");
    session.data(&config(), 1, Direction::ToClient, &record(22, &server_hello(&[])));
    session.data(&config(), 1, Direction::ToClient, &record(22, &handshake_message(11, &body)));
    assert_eq!(events(&mut session, Direction::ToClient), [events::HANDSHAKE, events::CERTIFICATE]);
    assert_eq!(buffer(&mut session, Direction::ToClient, Buffer::TlsCerts).as_deref(), Some("junk"));
    assert_eq!(buffer(&mut session, Direction::ToClient, Buffer::TlsCertSubject), None);
}

#[test]
fn an_endless_handshake_message_is_not_kept() {
    let mut session = session();
    session.data(&config(), 1, Direction::ToServer, &record(22, &client_hello(&[SNI])));
    let mut piece = vec![0; 16_000];
    piece[..4].copy_from_slice(&[11, 0xff, 0xff, 0xff]);
    for _ in 0..10 {
        session.data(&config(), 1, Direction::ToClient, &record(22, &piece));
    }
    assert!(session.failed());
    assert_eq!(events(&mut session, Direction::ToClient), [events::HANDSHAKE_LENGTH]);
}
