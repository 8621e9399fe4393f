use app::{Buffer, Stage};

use super::*;
use crate::{Config, Session, Transport};

fn config() -> Config {
    Config { hassh: true, ..Config::default() }
}

fn session() -> Session {
    Session::new(Transport::Tcp, 50_000, 2222)
}

fn say(session: &mut Session, direction: Direction, bytes: &[u8]) {
    session.data(&config(), 1, direction, bytes);
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

fn events(session: &mut Session) -> Vec<&'static str> {
    let mut all = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        all.extend_from_slice(transaction.events(Direction::ToServer));
    });
    all
}

fn records(session: &mut Session) -> Vec<String> {
    session.take_records().map(|record| String::from_utf8(record.members).unwrap()).collect()
}

fn message(code: u8, body: &[u8]) -> Vec<u8> {
    const PADDING: u8 = 4;
    let len = 1 + 1 + body.len() as u32 + u32::from(PADDING);
    [&len.to_be_bytes()[..], &[PADDING, code], body, &[0; PADDING as usize]].concat()
}

fn offer(name: &str) -> Vec<u8> {
    let lists = ["kex", "key", "c-s", "c-c", "m-s", "m-c", "z-s", "z-c", "", ""];
    let mut body = vec![7; 16];
    for list in lists {
        let list = if list.is_empty() { String::new() } else { format!("{name}-{list}") };
        body.extend_from_slice(&(list.len() as u32).to_be_bytes());
        body.extend_from_slice(list.as_bytes());
    }
    body.extend_from_slice(&[0; 5]);
    message(KEX_INIT, &body)
}

#[test]
fn banners_and_offers_give_names_fingerprints_and_the_record() {
    let mut session = session();
    say(&mut session, Direction::ToClient, b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
    assert_eq!(session.protocol(), Some(app::Protocol::Ssh));
    say(&mut session, Direction::ToServer, b"SSH-2.0-libssh\n");
    assert_eq!(buffer(&mut session, Direction::ToServer, Buffer::SshSoftware).as_deref(), Some("libssh"));
    assert_eq!(buffer(&mut session, Direction::ToClient, Buffer::SshProto).as_deref(), Some("2.0"));
    assert!(records(&mut session).is_empty(), "fingerprints are to come");
    for (direction, name) in [(Direction::ToServer, "client"), (Direction::ToClient, "server")] {
        for piece in offer(name).chunks(7) {
            say(&mut session, direction, piece);
        }
    }
    let client = "client-kex;client-c-s;client-m-s;client-z-s";
    assert_eq!(buffer(&mut session, Direction::ToServer, Buffer::SshHasshString).as_deref(), Some(client));
    let server = buffer(&mut session, Direction::ToClient, Buffer::SshHasshServerString);
    assert_eq!(server.as_deref(), Some("server-kex;server-c-c;server-m-c;server-z-c"));
    let hash = buffer(&mut session, Direction::ToServer, Buffer::SshHassh);
    assert_eq!(hash, Some(crate::tls::hello::md5_hex(client)));
    let records = records(&mut session);
    assert_eq!(records.len(), 1);
    assert!(records[0].starts_with(
        r#""ssh":{"client":{"proto_version":"2.0","software_version":"libssh","hassh":{"hash":""#
    ));
    say(&mut session, Direction::ToServer, &message(NEW_KEYS, b""));
    assert!(!session.encrypted());
    say(&mut session, Direction::ToClient, &message(NEW_KEYS, b""));
    assert!(session.encrypted() && session.done());
}

#[test]
fn every_way_to_cut_the_data_gives_the_same() {
    let client =
        [b"SSH-2.0-a b\r\n".to_vec(), offer("x"), message(30, &[1; 40]), message(NEW_KEYS, b"")].concat();
    let mut whole = session();
    say(&mut whole, Direction::ToServer, &client);
    let wanted = buffer(&mut whole, Direction::ToServer, Buffer::SshHassh);
    assert!(wanted.is_some());
    for len in 1..60 {
        let mut session = session();
        for piece in client.chunks(len) {
            say(&mut session, Direction::ToServer, piece);
        }
        assert_eq!(buffer(&mut session, Direction::ToServer, Buffer::SshHassh), wanted, "{len}");
        session.for_each_transaction(&mut |transaction| {
            assert_eq!(transaction.stage(Direction::ToServer), Stage::Complete);
        });
    }
}

#[test]
fn a_banner_without_an_end_is_known_as_far_as_it_goes() {
    let mut session = session();
    say(&mut session, Direction::ToClient, b"SSH-1.99-Cisco_1.24 \0\0\0");
    assert_eq!(buffer(&mut session, Direction::ToClient, Buffer::SshSoftware).as_deref(), Some("Cisco_1.24"));
    for direction in Direction::BOTH {
        session.close(&config(), 1, direction);
    }
    let server = r#""ssh":{"server":{"proto_version":"1.99","software_version":"Cisco_1.24"}}"#;
    assert_eq!(records(&mut session), [server]);
}

#[test]
fn what_is_odd_is_an_event() {
    let long = [b"SSH-2.0-x ".to_vec(), vec![b'y'; 400]].concat();
    for (bytes, event) in [
        (long.as_slice(), events::LONG_BANNER),
        (b"SSH-2.0\r\n", events::INVALID_BANNER),
        (b"SSH-2.0-\r\n", events::INVALID_BANNER),
        (b"SSH-2.0-x\r\n\0\0\0\x01\x04\x14", events::INVALID_RECORD),
        (b"SSH-2.0-x\r\n\xff\0\0\x01\x04\x14", events::INVALID_RECORD),
    ] {
        let mut session = session();
        say(&mut session, Direction::ToServer, bytes);
        assert_eq!(events(&mut session), [event]);
    }
}

#[test]
fn records_are_passed_over_and_so_are_gaps_in_them() {
    let mut session = session();
    say(&mut session, Direction::ToServer, b"SSH-2.0-x\r\n");
    let big = message(31, &[9; 5000]);
    say(&mut session, Direction::ToServer, &big[..100]);
    session.gap(&config(), 1, Direction::ToServer, 4000);
    say(&mut session, Direction::ToServer, &big[4100..]);
    say(&mut session, Direction::ToServer, &offer("y"));
    assert!(buffer(&mut session, Direction::ToServer, Buffer::SshHassh).is_some());
    session.gap(&config(), 1, Direction::ToServer, 1);
    assert!(session.failed());
}

#[test]
fn version_1_is_not_read_behind_its_banner() {
    let mut session = session();
    say(&mut session, Direction::ToServer, b"SSH-1.5-old\n");
    say(&mut session, Direction::ToServer, b"\xff\xff\xff\xff whatever");
    assert!(!session.failed() && events(&mut session).is_empty());
    say(&mut session, Direction::ToClient, b"SSH-1.5-older\n");
    assert!(session.done() && !session.encrypted());
}
