use super::*;
use crate::{Config, Session, Transport};

/// The client's Initial packet of RFC 9001, A.2, made from its parts: the unprotected header, the CRYPTO frame and its
/// padding; protected again here with the keys of A.1, which are derived from the identifier.
fn hex_bytes(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The server's Initial packet of RFC 9001, A.3, as it is sent.
const SERVER_INITIAL: &str = "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a
5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b
562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";

#[test]
fn the_server_packet_of_the_rfc_opens_with_the_keys_of_the_client_identifier() {
    let packet = hex_bytes(SERVER_INITIAL);
    let header = Header::read(&packet).unwrap();
    assert_eq!((header.kind, header.version, header.end), (Kind::Initial, 1, packet.len()));
    let keys = Keys::new(1, &hex_bytes("8394c8f03e515708")).unwrap();
    let frames = keys.open(false, &packet, &header).unwrap();
    let mut crypto = Crypto::default();
    let Ok(Found::Message(2, body)) = frames::read(&frames, &mut crypto, 65_535) else {
        panic!("no ServerHello");
    };
    let hello = Hello::server(&body).unwrap();
    assert_eq!(hello.ciphers, [0x1301]);
    assert_eq!(hello.versions, [0x0304]);
    assert!(keys.open(true, &packet, &header).is_none(), "the client's keys are others");
    let mut broken = packet.clone();
    *broken.last_mut().unwrap() ^= 1;
    assert!(keys.open(false, &broken, &header).is_none());
}

fn session() -> Session {
    Session::new(Transport::Udp, 50_000, 443)
}

fn first(session: &mut Session) -> (String, Vec<&'static str>) {
    let mut found = (String::new(), Vec::new());
    session.for_each_transaction(&mut |transaction| {
        let mut scratch = Vec::new();
        let view = transaction.buffer(Direction::ToServer, Buffer::QuicVersion, 0, &mut scratch).unwrap();
        found.0 = String::from_utf8(view.bytes.to_vec()).unwrap();
        found.1 = transaction.events(Direction::ToServer).to_vec();
    });
    found
}

#[test]
fn an_initial_packet_that_does_not_open_is_an_event() {
    let mut session = session();
    let mut packet = vec![0xc0, 0, 0, 0, 1, 8];
    packet.extend_from_slice(&[5; 8]);
    packet.extend_from_slice(&[0, 0, 0x40, 100]);
    packet.extend_from_slice(&[7; 100]);
    session.data(&Config::default(), 1, Direction::ToServer, &packet);
    assert_eq!(first(&mut session), ("1".to_owned(), vec![FAILED_DECRYPT]));
    let records: Vec<Record> = session.take_records().collect();
    assert_eq!(records.len(), 2, "the packet, and the anomaly");
}

/// A packet of Google's QUIC with a client hello of two tags.
fn google() -> Vec<u8> {
    let mut packet = vec![0x09];
    packet.extend_from_slice(&[1; 8]);
    packet.extend_from_slice(b"Q043\x01");
    packet.extend_from_slice(&[0; 12]);
    packet.extend_from_slice(b"\xa0\x01\x04CHLO\x02\0\0\0SNI\0\x0b\0\0\0UAID\x10\0\0\0example.comagent");
    packet
}

#[test]
fn the_hello_of_google_is_read_in_the_clear() {
    let mut session = session();
    session.data(&Config::default(), 1, Direction::ToServer, &google());
    let records: Vec<Record> = session.take_records().collect();
    let text = String::from_utf8(records[0].members.clone()).unwrap();
    assert!(
        text.starts_with(r#""quic":{"version":"Q043","sni":"example.com","ua":"agent","cyu":[{"hash":"#),
        "{text}"
    );
    assert!(text.contains(r#""string":"43,SNI-UAID""#), "{text}");
}

#[test]
fn cut_packets_are_read_as_far_as_they_go() {
    let packet = google();
    for len in 0..packet.len() {
        let mut session = session();
        session.data(&Config::default(), 1, Direction::ToServer, &packet[..len]);
        let named =
            session.take_records().any(|record| String::from_utf8(record.members).unwrap().contains("sni"));
        assert!(!named, "{len}");
    }
}

#[test]
fn crypto_data_is_put_together_and_capped() {
    let mut crypto = Crypto::default();
    let piece = |offset: u16, bytes: &[u8]| {
        let mut frame = vec![6, 0x40 | (offset >> 8) as u8, offset as u8, bytes.len() as u8];
        frame.extend_from_slice(bytes);
        frame
    };
    assert!(matches!(frames::read(&piece(4, b"cd"), &mut crypto, 100), Ok(Found::Nothing)));
    assert!(
        matches!(frames::read(&piece(0, b"\x01\0\0\x02"), &mut crypto, 100), Ok(Found::Message(1, body)) if body == b"cd")
    );
    for offset in 0..40 {
        let read = frames::read(&piece(200 + offset, b"xyz"), &mut crypto, 100);
        assert!(read.is_err(), "beyond what is kept");
    }
    let mut crypto = Crypto::default();
    let refused =
        (0..200).filter(|at| frames::read(&piece(1 + at % 50, b"xyz"), &mut crypto, 100).is_err()).count();
    assert_eq!(refused, 200 - 33, "the same bytes again count again");
}
