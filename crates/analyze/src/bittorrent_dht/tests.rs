use super::*;
use crate::{Config, Session, Transport};
use app::Protocol;

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

const PING: &[u8] = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";

const ASKING: &str = "6162636465666768696a30313233343536373839";
const ASKED: &str = "6d6e6f707172737475767778797a313233343536";

/// The records of messages of which the first is a query, without those of that, and the events.
fn answered(datagrams: &[(Direction, &[u8])]) -> (Vec<String>, Vec<&'static str>) {
    let mut session = Session::new(Transport::Udp, 40_000, 6881);
    let config = Config::default();
    session.data(&config, 0, TO_SERVER, PING);
    assert_eq!(session.protocol(), Some(Protocol::BittorrentDht));
    for (direction, datagram) in datagrams {
        session.data(&config, 0, *direction, datagram);
    }
    let records = session.take_records().filter(|record| record.event_type == "bittorrent_dht");
    let records: Vec<_> = records.skip(1).map(|record| String::from_utf8(record.members).unwrap()).collect();
    let mut events = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        for direction in Direction::BOTH {
            events.extend(transaction.events(direction));
        }
    });
    (records, events)
}

fn one(direction: Direction, datagram: &[u8]) -> String {
    let (mut records, events) = answered(&[(direction, datagram)]);
    assert_eq!((records.len(), events), (1, Vec::new()), "{}", datagram.escape_ascii());
    records.remove(0)
}

#[test]
fn queries_are_recorded_as_the_reference_does() {
    for (query, members) in [
        (
            &b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:a\xfe1:y1:qe"[..],
            format!(r#"{{"transaction_id":"61fe","request_type":"find_node","request":{{"id":"{ASKING}","target":"{ASKED}"}}}}"#),
        ),
        (
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token3:aoee1:q13:announce_peer1:t2:aa1:v4:UTab1:y1:qe",
            format!(r#"{{"transaction_id":"6161","client_version":"55546162","request_type":"announce_peer","request":{{"id":"{ASKING}","info_hash":"{ASKED}","token":"616f65","implied_port":1,"port":6881}}}}"#),
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567894:wantl2:n42:n6e2:zzd1:xi1eee1:q4:ping1:t0:1:y1:qe and more",
            format!(r#"{{"transaction_id":"","request_type":"ping","request":{{"id":"{ASKING}"}}}}"#),
        ),
    ] {
        assert_eq!(one(TO_SERVER, query), format!("\"bittorrent_dht\":{members}"));
    }
}

#[test]
fn answers_are_recorded_as_the_reference_does() {
    let six = b"mnopqrstuvwxyz123456\x20\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1";
    let many = [
        &b"d1:rd2:id20:mnopqrstuvwxyz1234565:nodes27:mnopqrstuvwxyz123456\x01\x02\x03\x04\x1a\xe1x6:nodes638:"[..],
        six,
        b"5:token4:tok\xfe6:valuesl6:\x01\x02\x03\x04\x1a\xe118:",
        &six[20..],
        b"ee1:t2:aa1:y1:re",
    ]
    .concat();
    let long = "2001:0000:0000:0000:0000:0000:0000:0001";
    for (answer, members) in [
        (
            many,
            format!(
                r#""response":{{"id":"{ASKED}","nodes":[{{"id":"{ASKED}","ip":"1.2.3.4","port":6881}}],"nodes6":[{{"id":"{ASKED}","ip":"{long}","port":6881}}],"values":[{{"ip":"1.2.3.4","port":6881}},{{"ip":"{long}","port":6881}}],"token":"746f6bfe"}}"#
            ),
        ),
        (
            b"d2:ip6:abcdef1:rd2:id20:mnopqrstuvwxyz1234566:values6:abcdefe1:t2:aa1:y1:re".to_vec(),
            format!(r#""response":{{"id":"{ASKED}"}}"#),
        ),
        (
            b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee".to_vec(),
            r#""error":{"num":201,"msg":"A Generic Error Ocurred"}"#.to_owned(),
        ),
    ] {
        let expected = format!(r#""bittorrent_dht":{{"transaction_id":"6161",{members}}}"#);
        assert_eq!(one(TO_CLIENT, &answer), expected);
    }
}

#[test]
fn what_lacks_something_is_malformed() {
    for (direction, datagram, members) in [
        (TO_SERVER, &PING[..PING.len() - 3], r#""""#.to_owned()),
        (
            TO_SERVER,
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:y1:qe",
            format!(r#""","request_type":"ping","request":{{"id":"{ASKING}"}}"#),
        ),
        (TO_SERVER, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aae", r#""""#.to_owned()),
        (TO_SERVER, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:xe", r#""""#.to_owned()),
        (TO_SERVER, b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:re", r#""""#.to_owned()),
        (TO_SERVER, b"d1:ad2:id20:abcdefghij0123456789e1:q4:p\xffng1:t2:aa1:y1:qe", r#""""#.to_owned()),
        (
            TO_SERVER,
            b"d1:ad2:id20:abcdefghij01234567894:porti65536ee1:q4:ping1:t2:aa1:y1:qe",
            r#""""#.to_owned(),
        ),
        (TO_SERVER, b"d1:ad2:id20:abcdefghij01234567891:ai1ee1:q4:ping1:t2:aa1:y1:qe", r#""""#.to_owned()),
        (TO_CLIENT, b"d2:ip6:abcdef1:q4:ping1:t2:aa1:y1:qe", r#""","request_type":"ping""#.to_owned()),
        (TO_CLIENT, b"d1:rd2:id20:mnopqrstuvwxyz1234566:valuesl3:abcee1:t2:aa1:y1:re", r#""""#.to_owned()),
        (TO_CLIENT, b"d1:rd5:token1:te1:t2:aa1:y1:re", r#""""#.to_owned()),
        (TO_CLIENT, b"d1:eli201ee1:t2:aa1:y1:ee", r#""""#.to_owned()),
    ] {
        let (records, events) = answered(&[(direction, datagram)]);
        assert_eq!(records, [format!("\"bittorrent_dht\":{{\"transaction_id\":{members}}}")]);
        assert_eq!(events, [MALFORMED]);
    }
}

#[test]
fn other_datagrams_are_passed_over() {
    assert_eq!(
        answered(&[(TO_SERVER, b"hello"), (TO_CLIENT, b"d1:ale1:q4:ping1:t2:aa1:y1:qe")]),
        (vec![], vec![])
    );
}

#[test]
fn only_queries_begin_a_flow() {
    let config = Config::default();
    let ask = |direction, bytes: &[u8]| {
        let (client_port, server_port) = (40_000, 6881);
        probe(&Question {
            transport: Transport::Udp,
            direction,
            client_port,
            server_port,
            bytes,
            config: &config,
        })
    };
    for direction in Direction::BOTH {
        assert_eq!(ask(direction, PING), Probe::Certain);
        assert_eq!(ask(direction, &PING[1..]), Probe::NotForUs);
    }
    let answer = b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re";
    assert_eq!(ask(TO_CLIENT, answer), Probe::Certain);
    assert_eq!(ask(TO_SERVER, answer), Probe::NotForUs);
}
