use super::*;
use crate::{Config, Session, Transport};
use app::Protocol;

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

const OPTIONS: &[u8] = b"OPTIONS sip:g SIP/2.0\r\nA: b\r\n\r\n";
const TRYING: &[u8] = b"SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP pc33\r\n\r\n";

fn session(datagrams: &[(Direction, &[u8])]) -> Session {
    let mut session = Session::new(Transport::Udp, 40_000, 5060);
    for (direction, datagram) in datagrams {
        session.data(&Config::default(), 0, *direction, datagram);
    }
    session
}

fn records(session: &mut Session) -> Vec<(Direction, String)> {
    session
        .take_records()
        .map(|record| {
            assert_eq!(record.event_type, "sip");
            (record.direction, String::from_utf8(record.members).unwrap())
        })
        .collect()
}

// What Suricata 7.0.10 writes for the same messages.
#[test]
fn messages_are_recorded_with_their_first_line() {
    let mut session = session(&[(TO_SERVER, OPTIONS), (TO_CLIENT, TRYING)]);
    assert_eq!(session.protocol(), Some(Protocol::Sip));
    let request = r#""sip":{"method":"OPTIONS","uri":"sip:g","version":"SIP/2.0","request_line":"OPTIONS sip:g SIP/2.0"}"#;
    let response =
        r#""sip":{"version":"SIP/2.0","code":"100","reason":"Trying","response_line":"SIP/2.0 100 Trying"}"#;
    assert_eq!(records(&mut session), [(TO_SERVER, request.to_owned()), (TO_CLIENT, response.to_owned())]);
}

#[test]
fn rules_find_the_parts_of_the_line_in_its_direction() {
    let mut session = session(&[(TO_SERVER, OPTIONS), (TO_CLIENT, TRYING)]);
    let mut found = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        for direction in Direction::BOTH {
            for buffer in Buffer::all() {
                if let Some(view) = transaction.buffer(direction, buffer, 0, &mut Vec::new()) {
                    let text = String::from_utf8(view.bytes.to_vec()).unwrap();
                    found.push((transaction.id(), direction, buffer.name(), text));
                }
            }
        }
    });
    let expected = [
        (0, TO_SERVER, "sip.method", "OPTIONS"),
        (0, TO_SERVER, "sip.uri", "sip:g"),
        (0, TO_SERVER, "sip.request_line", "OPTIONS sip:g SIP/2.0"),
        (0, TO_SERVER, "sip.protocol", "SIP/2.0"),
        (1, TO_CLIENT, "sip.stat_code", "100"),
        (1, TO_CLIENT, "sip.stat_msg", "Trying"),
        (1, TO_CLIENT, "sip.response_line", "SIP/2.0 100 Trying"),
        (1, TO_CLIENT, "sip.protocol", "SIP/2.0"),
    ];
    assert_eq!(found, expected.map(|(id, direction, name, text)| (id, direction, name, text.to_owned())));
}

#[test]
fn requests_are_read_as_the_reference_does() {
    for (line, whole) in [
        ("INVITE sip:a SIP/2.0", true),
        ("invite tel:+1 SIP/9", true),
        (" a SIP/2.0", true),
        ("INVITE sip:#`~ SIP/2.0", true),
        ("INVITE  sip:a SIP/2.0", false),
        ("INVITE sip:a SIP/2.0 x", false),
        ("INVITE sip:a HTTP/2.0", false),
        ("INVITE sip:a SIP/", false),
        ("INVITE sip:\" SIP/2.0", false),
        ("INVITE sip:é SIP/2.0", false),
        ("IN-V sip:a SIP/2.0", false),
    ] {
        let read = message::request(format!("{line}\r\n\r\n").as_bytes());
        assert_eq!(read.is_ok(), whole, "{line}");
        assert!(whole || read == Err(Fault::Invalid), "{line}");
    }
}

#[test]
fn responses_are_read_as_the_reference_does() {
    for (line, shown) in [
        ("SIP/2.0 200 OK", Some("SIP/2.0 200 OK")),
        ("SIP/1 2x0 ", Some("SIP/1 2x0 ")),
        ("SIP/2.0 2\t0 OK", Some("SIP/2.0 2")),
        ("SIP/2.0 € ok", Some("SIP/2.0 ")),
        ("SIP/2.0 20 OK", None),
        ("SIP/2.0 2000 OK", None),
        ("SIP/2.0 200", None),
        ("SIP/2.0 200 <", None),
        ("SIP/2.0  200  OK", None),
    ] {
        let read = message::response(format!("{line}\r\nA: b\r\n\r\n").as_bytes());
        match (read, shown) {
            (Ok(Line::Response { line: found, .. }), Some(shown)) => assert_eq!(found, shown),
            (Err(Fault::Invalid), None) => {}
            (read, _) => panic!("{line}: {read:?}"),
        }
    }
}

#[test]
fn headers_must_be_whole() {
    let read = |rest: &str| message::request(format!("BYE sip:a SIP/2.0{rest}").as_bytes()).err();
    for good in ["\r\n\r\nbody", "\r\nA: b\r\n\tc\r\n\r\n", "\r\nA \t: b\rc\r\n\r\n", "\r\n: x\r\nA:\r\n\r\n"]
    {
        assert_eq!(read(good), None, "{good:?}");
    }
    for bad in [
        "\n\n",
        "\r\nA\r\n\r\n",
        "\r\nA b: c\r\n\r\n",
        "\r\n A: b\r\n\r\n",
        "\r\nA: b\nc\r\n\r\n",
        "\r\nA: é\r\n\r\n",
    ] {
        assert_eq!(read(bad), Some(Fault::Invalid), "{bad:?}");
    }
    let whole = "\r\nA: b\r\n\r\n";
    for len in 0..whole.len() {
        assert_eq!(read(&whole[..len]), Some(Fault::Incomplete), "{len}");
    }
}

#[test]
fn what_is_no_message_is_an_event_of_the_last_one_where_it_was_not_looked_at() {
    let mut session = session(&[(TO_SERVER, OPTIONS)]);
    session.for_each_transaction(&mut |transaction| transaction.inspected(TO_SERVER));
    session.retire(TO_SERVER);
    for datagram in [&b""[..], b"x", b"x", b"\r\n"] {
        session.data(&Config::default(), 0, TO_SERVER, datagram);
    }
    let mut told = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        told.extend(Direction::BOTH.map(|direction| transaction.events(direction).to_vec()));
    });
    assert_eq!(told, [vec![], vec![INCOMPLETE, INVALID]]);
    // The reference writes down a message once, before it has events.
    assert_eq!(records(&mut session).len(), 1);
    session.close(&Config::default(), 0, TO_CLIENT);
    session.for_each_transaction(&mut |transaction| assert!(transaction.events(TO_CLIENT).is_empty()));
    session.retire(TO_CLIENT);
    session.for_each_transaction(&mut |_| panic!("it was looked at both ways"));
}

#[test]
fn it_is_looked_for_on_the_servers_port() {
    let found = |client, server, direction, datagram: &[u8]| {
        let mut session = Session::new(Transport::Udp, client, server);
        session.data(&Config::default(), 0, direction, datagram);
        session.protocol() == Some(Protocol::Sip)
    };
    assert!(found(40_000, 5061, TO_SERVER, OPTIONS) && found(40_000, 5060, TO_CLIENT, TRYING));
    assert!(!found(40_000, 5062, TO_SERVER, OPTIONS) && !found(5060, 40_000, TO_SERVER, OPTIONS));
    assert!(!found(40_000, 5060, TO_CLIENT, OPTIONS) && !found(40_000, 5060, TO_SERVER, TRYING));
    assert!(!found(40_000, 5060, TO_SERVER, &OPTIONS[..OPTIONS.len() - 1]));
}

#[test]
fn open_messages_are_bounded() {
    let mut session = Session::new(Transport::Udp, 40_000, 5060);
    let mut config = Config::default();
    config.limits.transactions_max = 3;
    for _ in 0..10 {
        session.data(&config, 0, TO_SERVER, OPTIONS);
    }
    let mut open = Vec::new();
    session.for_each_transaction(&mut |transaction| open.push(transaction.id()));
    assert_eq!(open, [7, 8, 9]);
}
