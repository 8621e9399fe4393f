use super::*;
use crate::{Config, Protocols, Session, Transport};

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(4 + body.len()).unwrap().to_be_bytes();
    [&[kind][..], &len, body].concat()
}

fn opening(code: u32, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(8 + body.len()).unwrap().to_be_bytes();
    [&len[..], &code.to_be_bytes(), body].concat()
}

fn tls() -> Vec<u8> {
    opening(80_877_103, b"")
}

fn begin() -> Vec<u8> {
    opening(196_608, b"user\0u1\0database\0db\0DateStyle\0iso\0\0")
}

fn authentication(kind: u32, body: &[u8]) -> Vec<u8> {
    message(b'R', &[&kind.to_be_bytes()[..], body].concat())
}

fn row(values: &[&[u8]]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend_from_slice(value);
    }
    message(b'D', &body)
}

fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

fn done(command: &str) -> Vec<u8> {
    [message(b'C', format!("{command}\0").as_bytes()), ready()].concat()
}

fn query(text: &str) -> Vec<u8> {
    message(b'Q', format!("{text}\0").as_bytes())
}

fn session(pieces: &[(Direction, Vec<u8>)]) -> (Session, Vec<String>) {
    let mut session = Session::new(Transport::Tcp, 40_000, 5432);
    let config = Config { enabled: Protocols::ALL, ..Config::default() };
    for (direction, piece) in pieces {
        session.data(&config, 0, *direction, piece);
    }
    for direction in [TO_SERVER, TO_CLIENT] {
        session.close(&config, 0, direction);
    }
    let texts = session
        .take_records()
        .filter(|record| record.event_type == "pgsql")
        .map(|record| {
            let text = String::from_utf8(record.members).unwrap();
            text.strip_prefix(r#""pgsql":"#).unwrap().to_owned()
        })
        .collect();
    (session, texts)
}

const BEGUN: &str = r#""request":{"protocol_version":"3.0","startup_parameters":{"user":"u1","optional_parameters":[{"database":"db"},{"date_style":"iso"}]}}"#;

// What Suricata 7.0.10 writes for the same messages.
#[test]
fn requests_are_told_with_their_answers() {
    let parameters = [message(b'S', b"server_version\x0013.2\0"), message(b'S', b"TimeZone\0UTC\0")].concat();
    let key = message(b'K', &[0, 0, 4, 210, 0, 0, 22, 46]);
    let columns = message(b'T', &[&[0, 2][..], b"a\0", &[0; 18], b"b\0", &[0; 18]].concat());
    let error = message(b'E', b"SERROR\0VERROR\0C42P01\0Mno such table\0P15\0Fp.c\0L118\0Rrout\0\0");
    let (session, told) = session(&[
        (TO_SERVER, tls()),
        (TO_CLIENT, b"N".to_vec()),
        (TO_SERVER, begin()),
        (TO_CLIENT, authentication(5, b"abcd")),
        (TO_SERVER, message(b'p', b"md5deadbeef\0")),
        (TO_CLIENT, [authentication(0, b""), parameters, key, ready()].concat()),
        (TO_SERVER, query("select a,b from t;")),
        (TO_CLIENT, [columns, row(&[b"1", b"xyz"]), row(&[b"2", b"zz"]), done("SELECT 2")].concat()),
        (TO_SERVER, query("select * from x;")),
        (TO_CLIENT, [error, ready()].concat()),
        (TO_SERVER, message(b'X', b"")),
    ]);
    assert_eq!(session.protocol(), Some(Protocol::Pgsql));
    assert_eq!(
        told,
        [
            r#"{"tx_id":1,"request":{"message":"SSL Request"},"response":{"ssl_accepted":false}}"#.to_owned(),
            format!(r#"{{"tx_id":2,{BEGUN},"response":{{"authentication_md5_password":"abcd"}}}}"#),
            r#"{"tx_id":3,"request":{},"response":{"message":"authentication_ok","parameter_status":[{"server_version":"13.2"},{"time_zone":"UTC"}],"process_id":1234,"secret_key":5678}}"#.to_owned(),
            r#"{"tx_id":4,"request":{"simple_query":"select a,b from t;"},"response":{"field_count":2,"data_rows":2,"data_size":7,"command_completed":"SELECT 2"}}"#.to_owned(),
            r#"{"tx_id":5,"request":{"simple_query":"select * from x;"},"response":{"severity_localizable":"ERROR","severity_non_localizable":"ERROR","code":"42P01","message":"no such table","position":"15","file":"p.c","line":"118","routine":"rout"}}"#.to_owned(),
            r#"{"tx_id":6,"request":{"message":"termination_message"}}"#.to_owned(),
        ]
    );
}

#[test]
fn sasl_is_told_step_by_step() {
    let first = [&b"SCRAM-SHA-256\0"[..], &[0, 0, 0, 11], b"n,,n=,r=abc"].concat();
    let (_, told) = session(&[
        (TO_SERVER, begin()),
        (TO_CLIENT, authentication(10, b"SCRAM-SHA-256\0\0")),
        (TO_SERVER, message(b'p', &first)),
        (TO_CLIENT, authentication(11, b"r=abcdef,s=xx,i=4096")),
        (TO_SERVER, message(b'p', b"c=biws,r=abcdef,p=zz")),
        (TO_CLIENT, [authentication(12, b"v=abc"), authentication(0, b""), ready()].concat()),
    ]);
    assert_eq!(
        told,
        [
            format!(r#"{{"tx_id":1,{BEGUN},"response":{{"message":"authentication_sasl"}}}}"#),
            r#"{"tx_id":2,"request":{"sasl_authentication_mechanism":"scram_SHA256","sasl_param":"n,,n=,r=abc"},"response":{"message":"authentication_sasl_continue"}}"#.to_owned(),
            r#"{"tx_id":3,"request":{"sasl_response":"c=biws,r=abcdef,p=zz"},"response":{"authentication_sasl_final":"v=abc","message":"authentication_ok"}}"#.to_owned(),
        ]
    );
}

#[test]
fn what_is_cut_into_pieces_is_put_together_and_long_rows_are_passed_over() {
    let long = vec![b'x'; 3_000_000];
    let answer = [row(&[&long, b"yz"]), done("SELECT 1")].concat();
    let mut pieces = vec![(TO_SERVER, begin()), (TO_CLIENT, [authentication(0, b""), ready()].concat())];
    pieces.extend(query("q").chunks(1).map(|byte| (TO_SERVER, byte.to_vec())));
    pieces.extend(answer.chunks(1009).map(|piece| (TO_CLIENT, piece.to_vec())));
    let (_, told) = session(&pieces);
    assert_eq!(
        told.last().unwrap(),
        r#"{"tx_id":2,"request":{"simple_query":"q"},"response":{"data_rows":1,"data_size":3000002,"command_completed":"SELECT 1"}}"#
    );
}

#[test]
fn answers_go_to_requests_in_their_order_and_the_extended_protocol_keeps_its_place() {
    let parse = [message(b'P', b"\0select 1\0\0\0"), message(b'S', b"")].concat();
    let (_, told) = session(&[
        (TO_SERVER, query("first")),
        (TO_SERVER, [parse, query("third")].concat()),
        (TO_CLIENT, done("ONE")),
        (TO_CLIENT, [message(b'1', b""), ready()].concat()),
        (TO_CLIENT, [message(b'N', b"SNOTICE\0\0"), done("THREE")].concat()),
        (TO_SERVER, query("left open")),
    ]);
    assert_eq!(
        told,
        [
            r#"{"tx_id":1,"request":{"simple_query":"first"},"response":{"command_completed":"ONE"}}"#,
            r#"{"tx_id":3,"request":{"simple_query":"third"},"response":{"command_completed":"THREE"}}"#,
            r#"{"tx_id":4,"request":{"simple_query":"left open"}}"#,
        ]
    );
}

#[test]
fn the_stream_is_that_of_tls_once_the_server_agrees() {
    let (session, told) =
        session(&[(TO_SERVER, tls()), (TO_CLIENT, b"S".to_vec()), (TO_SERVER, vec![22, 3, 1, 0, 5, 1, 0])]);
    assert_eq!(told, [r#"{"tx_id":1,"request":{"message":"SSL Request"},"response":{"ssl_accepted":true}}"#]);
    assert_eq!(session.protocol(), Some(Protocol::Tls));
    let cancel = opening(80_877_102, &[0, 0, 0, 1, 0, 0, 0, 2]);
    let (_, told) = super::tests::session(&[(TO_SERVER, cancel)]);
    assert_eq!(told, [r#"{"tx_id":1,"request":{"message":"cancel_request","process_id":1,"secret_key":2}}"#]);
}

#[test]
fn what_is_no_message_ends_it() {
    for (begun, bad) in [
        (true, b"Q\0\0\0\x02".to_vec()),
        (true, b"\xffabcdef".to_vec()),
        (false, opening(196_608, b"")[..8].to_vec()),
    ] {
        let mut pieces = Vec::new();
        if begun {
            pieces.push((TO_SERVER, begin()));
        }
        pieces.push((TO_SERVER, bad));
        pieces.push((TO_SERVER, query("after")));
        let (_, told) = session(&pieces);
        assert_eq!(told.len(), usize::from(begun), "{told:?}");
    }
}
