use super::*;

const CLIENT_HELLO_START: &[u8] = b"\x16\x03\x01\x00\x50\x01\0\0\x4c\x03\x03";

fn tcp() -> Session {
    Session::new(Transport::Tcp, 40_000, 443)
}

fn give(session: &mut Session, direction: Direction, bytes: &[u8]) -> Status {
    session.data(&Config::default(), 1, direction, bytes)
}

/// Bytes that a session keeps of data whose protocol is not known.
fn kept(session: &Session) -> usize {
    session.live.as_deref().map_or(0, |live| live.pending.iter().map(Vec::capacity).sum())
}

#[test]
fn a_session_without_data_holds_nothing() {
    assert!(size_of::<Session>() <= 64, "{}", size_of::<Session>());
    let mut session = tcp();
    assert_eq!(session.close(&Config::default(), 1, Direction::ToServer), Status::default());
    assert!(session.live.is_none());
    assert_eq!(session.take_records().count(), 0);
    assert!(session.events().is_empty());
}

#[test]
fn the_protocol_is_found_wherever_segments_end() {
    for size in 1..=CLIENT_HELLO_START.len() {
        let mut session = tcp();
        let mut changes = 0;
        for piece in CLIENT_HELLO_START.chunks(size) {
            changes += usize::from(give(&mut session, Direction::ToServer, piece).changed);
        }
        assert_eq!(session.protocol(), Some(Protocol::Tls), "{size}");
        assert_eq!(session.protocol_of(Direction::ToServer), Some(Protocol::Tls));
        assert_eq!(session.protocol_of(Direction::ToClient), None);
        assert_eq!(changes, 1, "{size}");
    }
}

#[test]
fn unknown_both_ways_is_failed_and_keeps_nothing() {
    let mut session = tcp();
    assert!(!give(&mut session, Direction::ToServer, b"\x01\x02\x03\x04\x05\x06\x07\x08").changed);
    assert!(!session.failed() && session.failed_of(Direction::ToServer));
    assert!(give(&mut session, Direction::ToClient, b"\x01\x02\x03\x04\x05\x06\x07\x08").changed);
    assert!(session.failed() && !session.wants(Direction::ToServer));
    assert_eq!(kept(&session), 0);
}

#[test]
fn data_of_an_unknown_protocol_is_kept_up_to_a_cap_and_then_given_up() {
    let mut session = tcp();
    let limits = Config::default().limits;
    let mut events = Vec::new();
    for _ in 0..200 {
        give(&mut session, Direction::ToServer, &[1; 1000]);
        assert!(kept(&session) <= 2 * limits.detect_bytes_max, "{}", kept(&session));
        events.extend_from_slice(session.events());
    }
    assert!(session.failed());
    assert_eq!(events, [events::SKIPPED]);
    assert_eq!(kept(&session), 0);
}

#[test]
fn one_direction_that_shows_nothing_follows_the_other() {
    let mut session = tcp();
    give(&mut session, Direction::ToServer, CLIENT_HELLO_START);
    give(&mut session, Direction::ToClient, b"\x01\x02\x03\x04\x05\x06\x07\x08");
    assert_eq!(session.events(), [events::ONE_DIRECTION]);
    assert_eq!(session.protocol(), Some(Protocol::Tls));
    let record = session.take_records().find(|record| record.event_type == "anomaly").unwrap();
    assert_eq!(record.direction, Direction::ToServer, "the client's acknowledgement released the data");
    give(&mut session, Direction::ToClient, b"more");
    assert!(session.events().is_empty(), "told once");
}

#[test]
fn different_protocols_are_an_event_and_the_first_is_believed() {
    let mut session = tcp();
    give(&mut session, Direction::ToServer, CLIENT_HELLO_START);
    give(&mut session, Direction::ToClient, b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(session.events(), [events::MISMATCH]);
    assert_eq!(session.protocol(), Some(Protocol::Tls));
    assert_eq!(session.protocol_of(Direction::ToClient), Some(Protocol::Http1));
}

#[test]
fn a_server_that_speaks_first_where_the_client_must_is_an_event() {
    let mut session = tcp();
    give(&mut session, Direction::ToClient, b"HTTP/1.1 200 OK\r\n\r\n");
    assert_eq!(session.events(), [events::WRONG_DIRECTION]);
    assert!(session.failed());
}

#[test]
fn client_and_server_are_told_apart_midstream() {
    let mut session = Session::new(Transport::Tcp, 80, 40_000);
    session.set_midstream();
    let status = give(&mut session, Direction::ToClient, b"GET / HTTP/1.1\r\n\r\n");
    assert!(status.reversed);
    assert_eq!(session.protocol_of(Direction::ToServer), Some(Protocol::Http1));
}

#[test]
fn a_gap_before_the_protocol_is_known_ends_that_direction() {
    let mut session = tcp();
    session.gap(&Config::default(), 1, Direction::ToServer, 100);
    assert!(session.failed_of(Direction::ToServer) && !session.failed());
    session.gap(&Config::default(), 1, Direction::ToClient, 100);
    assert!(session.failed());
}

#[test]
fn a_protocol_that_is_only_detected_wants_no_more() {
    let mut session = Session::new(Transport::Tcp, 40_000, 23);
    give(&mut session, Direction::ToServer, &[0xff, 0xfd, 24]);
    assert_eq!(session.protocol(), Some(Protocol::Telnet));
    assert!(session.done());
}

#[test]
fn an_announced_flow_is_what_was_announced() {
    let mut session = Session::new(Transport::Udp, 5000, 6000);
    let expectation = Expectation {
        opened: Direction::ToServer,
        port: 6000,
        protocol: Protocol::Tftp,
        command: Vec::new(),
    };
    session.expect(&expectation);
    give(&mut session, Direction::ToServer, b"anything");
    assert_eq!(session.protocol(), Some(Protocol::Tftp));
}

#[test]
fn names_of_events_and_numbers_are_those_of_the_parsers() {
    let names: Vec<&str> = crate::event_names().collect();
    for name in
        ["applayer_unexpected_protocol", "dns.z_flag_set", "tls.invalid_record_type", "quic.failed_decrypt"]
    {
        assert!(names.contains(&name), "{name}");
    }
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), names.len(), "none twice");
    assert!(crate::knows_number("dns.opcode") && !crate::knows_number("dns.nonsense"));
}
