use super::*;
use crate::{Config, Session};

/// A message with one question, `\x03www\x07example\x03com`, type A.
fn message(flags: u16, counts: [u16; 3], rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34];
    bytes.extend_from_slice(&flags.to_be_bytes());
    for count in counts {
        bytes.extend_from_slice(&count.to_be_bytes());
    }
    bytes.extend_from_slice(&[0, 0]);
    bytes.extend_from_slice(b"\x03www\x07example\x03com\0\0\x01\0\x01");
    bytes.extend_from_slice(rest);
    bytes
}

fn udp() -> Session {
    Session::new(Transport::Udp, 4000, 53)
}

fn members(session: &mut Session) -> Vec<String> {
    session.take_records().map(|record| String::from_utf8(record.members).unwrap()).collect()
}

fn give(session: &mut Session, direction: Direction, bytes: &[u8]) {
    session.data(&Config::default(), 1, direction, bytes);
}

fn events(session: &mut Session) -> Vec<&'static str> {
    let mut all = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        for direction in Direction::BOTH {
            all.extend_from_slice(transaction.events(direction));
        }
    });
    all
}

#[test]
fn a_request_and_its_answer_are_two_transactions_with_records() {
    let mut session = udp();
    give(&mut session, Direction::ToServer, &message(0x0100, [1, 0, 0], &[]));
    give(
        &mut session,
        Direction::ToClient,
        &message(0x8180, [1, 1, 0], b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02\x03\x04"),
    );
    assert_eq!(
        members(&mut session),
        [
            r#""dns":{"version":2,"type":"query","id":4660,"rrname":"www.example.com","rrtype":"A","tx_id":0,"opcode":0}"#,
            r#""dns":{"version":2,"type":"answer","id":4660,"flags":"8180","qr":true,"rd":true,"ra":true,"opcode":0,"rrname":"www.example.com","rrtype":"A","rcode":"NOERROR","answers":[{"rrname":"www.example.com","rrtype":"A","ttl":60,"rdata":"1.2.3.4"}],"grouped":{"A":["1.2.3.4"]}}"#,
        ]
    );
    let mut seen = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        let mut scratch = Vec::new();
        let way = transaction.one_way().unwrap();
        assert_eq!(transaction.stage(way), Stage::Complete);
        assert_eq!(transaction.stage(way.flipped()), Stage::Waiting);
        let query =
            transaction.buffer(way, Buffer::DnsQuery, 0, &mut scratch).map(|view| view.bytes.to_vec());
        seen.push((transaction.id(), way, query));
    });
    assert_eq!(
        seen,
        [(0, Direction::ToServer, Some(b"www.example.com".to_vec())), (1, Direction::ToClient, None)]
    );
    session.retire(Direction::ToServer);
    session.retire(Direction::ToClient);
    session.for_each_transaction(&mut |_| panic!("all were looked at"));
}

#[test]
fn what_the_header_says_are_events_and_numbers() {
    for (flags, event) in [(0x0040, Z_FLAG), (7 << 11, INVALID_OPCODE)] {
        let mut session = udp();
        give(&mut session, Direction::ToServer, &message(flags, [1, 0, 0], &[]));
        assert_eq!(events(&mut session), [event]);
        session.for_each_transaction(&mut |transaction| {
            let opcode = transaction.number(Direction::ToServer, "dns.opcode", 0);
            assert_eq!(opcode, Some(u64::from(flags >> 11)));
        });
    }
}

#[test]
fn what_cannot_be_a_message_is_an_event_of_the_one_before() {
    for (bytes, event) in
        [(message(0x0100, [1, 1, 0], &[]), MALFORMED), (message(0x8100, [1, 0, 0], &[]), NOT_REQUEST)]
    {
        let mut session = udp();
        give(&mut session, Direction::ToServer, &message(0x0100, [1, 0, 0], &[]));
        give(&mut session, Direction::ToServer, &bytes);
        assert_eq!(events(&mut session), [event]);
    }
}

#[test]
fn names_that_loop_or_never_end_are_cut() {
    // An answer whose name points at a label that points back at the answer's name.
    let mut session = udp();
    give(&mut session, Direction::ToServer, &message(0x0100, [1, 0, 0], &[]));
    let mut rest = b"\x01a\xc0\x21".to_vec();
    rest.extend_from_slice(b"\0\x01\0\x01\0\0\0\x3c\0\x04\x01\x02\x03\x04");
    give(&mut session, Direction::ToClient, &message(0x8180, [1, 1, 0], &rest));
    let events = events(&mut session);
    assert!(events.contains(&TOO_MANY_LABELS) || events.contains(&NAME_TOO_LONG), "{events:?}");
}

#[test]
fn a_stream_is_cut_into_messages_wherever_its_segments_end() {
    let message = message(0x0100, [1, 0, 0], &[]);
    let mut stream = Vec::new();
    for _ in 0..3 {
        stream.extend_from_slice(&(message.len() as u16).to_be_bytes());
        stream.extend_from_slice(&message);
    }
    for size in [1, 7, 33, stream.len()] {
        let mut session = Session::new(Transport::Tcp, 4000, 53);
        stream.chunks(size).for_each(|piece| give(&mut session, Direction::ToServer, piece));
        assert_eq!(session.protocol(), Some(app::Protocol::Dns), "{size}");
        assert_eq!(members(&mut session).len(), 3, "{size}");
    }
}

#[test]
fn a_response_that_comes_first_turns_the_flow_around() {
    let mut session = Session::new(Transport::Udp, 53, 4000);
    let bytes = message(0x8180, [1, 0, 0], &[]);
    let status = session.data(&Config::default(), 1, Direction::ToServer, &bytes);
    assert!(status.reversed && status.changed);
    session.for_each_transaction(&mut |transaction| {
        assert_eq!(transaction.one_way(), Some(Direction::ToClient));
    });
    assert_eq!(members(&mut session).len(), 1);
}

#[test]
fn open_transactions_are_capped() {
    let mut session = udp();
    for _ in 0..2000 {
        give(&mut session, Direction::ToServer, &message(0x0100, [1, 0, 0], &[]));
    }
    let mut open = 0;
    session.for_each_transaction(&mut |_| open += 1);
    assert_eq!(open, Config::default().limits.transactions_max);
}
