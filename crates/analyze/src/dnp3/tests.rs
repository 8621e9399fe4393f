use super::*;
use crate::{Config, Protocols, Session, Transport};
use app::Protocol;

const TO_SERVER: Direction = Direction::ToServer;
const TO_CLIENT: Direction = Direction::ToClient;

/// Bit by bit, as the standard describes it.
fn crc(bytes: &[u8]) -> [u8; 2] {
    let mut sum = 0_u16;
    for &byte in bytes {
        sum ^= u16::from(byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xa6bc } else { sum >> 1 };
        }
    }
    (!sum).to_le_bytes()
}

/// A frame of the link layer.
fn frame(control: u8, len: usize, data: &[u8]) -> Vec<u8> {
    let header = [5, 0x64, u8::try_from(len + 5).unwrap(), control, 1, 0, 2, 0];
    let mut frame = [&header[..], &crc(&header)].concat();
    for block in data.chunks(16) {
        frame.extend_from_slice(block);
        frame.extend_from_slice(&crc(block));
    }
    frame
}

fn request(message: &[u8]) -> Vec<u8> {
    let data = [&[0xc0][..], message].concat();
    frame(0xc4, data.len(), &data)
}

fn response(message: &[u8]) -> Vec<u8> {
    let data = [&[0xc0][..], message].concat();
    frame(0x44, data.len(), &data)
}

fn read_class() -> Vec<u8> {
    request(&[0xc0, 1, 60, 1, 6])
}

fn run(pieces: &[(Direction, Vec<u8>)]) -> (Session, Vec<String>) {
    let mut session = Session::new(Transport::Tcp, 40_000, 20_000);
    let config = Config { enabled: Protocols::ALL, ..Config::default() };
    for (direction, piece) in pieces {
        session.data(&config, 0, *direction, piece);
    }
    let texts = session
        .take_records()
        .filter(|record| record.event_type == "dnp3")
        .map(|record| String::from_utf8(record.members).unwrap())
        .collect();
    (session, texts)
}

/// Events of each transaction.
fn events(pieces: &[(Direction, Vec<u8>)]) -> Vec<Vec<&'static str>> {
    let mut events = Vec::new();
    run(pieces).0.for_each_transaction(&mut |transaction| {
        let direction = transaction.one_way().unwrap();
        events.push(transaction.events(direction).to_vec());
    });
    events
}

/// What a response with these objects is told to have.
fn objects(bytes: &[u8]) -> String {
    let (_, told) =
        run(&[(TO_SERVER, read_class()), (TO_CLIENT, response(&[&[0xc0, 0x81, 0, 0][..], bytes].concat()))]);
    let (_, after) = told[1].split_once(r#""function_code":129"#).unwrap();
    let (text, _) = after.split_once(r#"},"iin":{}"#).unwrap();
    text.to_owned()
}

// What Suricata 7.0.10 writes for the same messages.
#[test]
fn requests_and_responses_are_told() {
    let (session, told) = run(&[
        (TO_SERVER, request(&[0xc0, 1, 60, 2, 6, 60, 1, 6])),
        (TO_CLIENT, response(&[0xc0, 0x81, 0x90, 0x04, 1, 2, 0, 0, 1, 0x81, 1])),
        (TO_CLIENT, response(&[0xf1, 0x82, 0, 0])),
        (TO_SERVER, request(&[0xd1, 0])),
    ]);
    assert_eq!(session.protocol(), Some(Protocol::Dnp3));
    assert_eq!(
        told,
        [
            r#""dnp3":{"type":"request","control":{"dir":true,"pri":true,"fcb":false,"fcv":false,"function_code":4},"src":2,"dst":1,"application":{"control":{"fir":true,"fin":true,"con":false,"uns":false,"sequence":0},"function_code":1,"objects":[{"group":60,"variation":2,"qualifier":6,"prefix_code":0,"range_code":6,"start":0,"stop":0,"count":0},{"group":60,"variation":1,"qualifier":6,"prefix_code":0,"range_code":6,"start":0,"stop":0,"count":0}],"complete":true}}"#,
            r#""dnp3":{"type":"response","control":{"dir":false,"pri":true,"fcb":false,"fcv":false,"function_code":4},"src":2,"dst":1,"application":{"control":{"fir":true,"fin":true,"con":false,"uns":false,"sequence":0},"function_code":129,"objects":[{"group":1,"variation":2,"qualifier":0,"prefix_code":0,"range_code":0,"start":0,"stop":1,"count":2,"points":[{"prefix":0,"index":0,"online":1,"restart":0,"comm_lost":0,"remote_forced":0,"local_forced":0,"chatter_filter":0,"reserved":0,"state":1},{"prefix":0,"index":1,"online":1,"restart":0,"comm_lost":0,"remote_forced":0,"local_forced":0,"chatter_filter":0,"reserved":0,"state":0}]}],"complete":true},"iin":{"indicators":["device_restart","need_time","parameter_error"]}}"#,
            r#""dnp3":{"type":"unsolicited_response","control":{"dir":false,"pri":true,"fcb":false,"fcv":false,"function_code":4},"src":2,"dst":1,"application":{"control":{"fir":true,"fin":true,"con":true,"uns":true,"sequence":1},"function_code":130,"complete":true},"iin":{}}"#,
        ]
    );
}

#[test]
fn points_are_told_as_their_layout_says() {
    let float = 0.1_f32.to_le_bytes();
    for (bytes, expected) in [
        (
            [&[12, 1, 0x17, 1, 5, 3, 1][..], &[100, 0, 0, 0, 200, 0, 0, 0, 0]].concat(),
            r#"{"prefix":5,"index":5,"op_type":3,"qu":0,"cr":0,"tcc":0,"count":1,"ontime":100,"offtime":200,"status_code":0,"reserved":0}"#,
        ),
        (
            vec![1, 1, 0, 7, 9, 0b101],
            r#"{"prefix":0,"index":7,"state":1},{"prefix":0,"index":8,"state":0},{"prefix":0,"index":9,"state":1}"#,
        ),
        (
            vec![3, 1, 0, 0, 4, 0b1101_0011, 1],
            r#"{"prefix":0,"index":0,"state":3},{"prefix":0,"index":1,"state":0},{"prefix":0,"index":2,"state":1},{"prefix":0,"index":3,"state":3},{"prefix":0,"index":4,"state":1}"#,
        ),
        (
            vec![2, 1, 0x28, 2, 0, 7, 0, 0x81, 9, 0, 1],
            r#"{"prefix":7,"index":7,"state":129},{"prefix":9,"index":9,"state":1}"#,
        ),
        (
            vec![30, 4, 0, 0, 1, 0xfe, 0xff, 5, 0],
            r#"{"prefix":0,"index":0,"value":18446744073709551614},{"prefix":0,"index":1,"value":5}"#,
        ),
        (
            [&[34, 3, 7, 2][..], &float, &f32::NAN.to_le_bytes()].concat(),
            r#"{"prefix":0,"index":0,"deadband_value":0.10000000149011612},{"prefix":0,"index":1,"deadband_value":null}"#,
        ),
        (
            [&[70, 5, 0x5b, 1, 12, 0][..], &[1, 0, 0, 0, 2, 0, 0, 0], b"abcd"].concat(),
            r#"{"prefix":12,"index":0,"size":12,"file_handle":1,"block_number":2,"file_data":"abcd"}"#,
        ),
        (vec![120, 15, 0x5b, 1, 2, 0, 0xff, 0], r#"{"prefix":2,"index":0,"size":2,"data->mac":"/wA="}"#),
        (vec![70, 7, 0x5b, 1, 2, 0, 0xff, 0], r#"{"prefix":2,"index":0,"size":2}"#),
        (vec![50, 1, 9, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6], r#"{"prefix":0,"index":0,"timestamp":6618611909121}"#),
    ] {
        let told = objects(&bytes);
        assert!(told.contains(&format!(r#""points":[{expected}]"#)), "{told}");
        assert!(told.ends_with(r#""complete":true"#), "{told}");
    }
}

#[test]
fn what_cannot_be_read_is_told_to_be_incomplete() {
    for (bytes, unknown) in [
        (&[200, 1, 0, 0, 1, 2][..], true),
        (&[30, 1, 0, 0, 5, 60, 1, 6], true),
        (&[60, 1, 0, 0, 1], true),
        (&[30, 4, 0, 5, 1, 0, 0, 0, 0], true),
        (&[70, 5, 0, 0, 0, 1, 2, 3, 4], true),
        (&[30, 4], false),
        (&[30, 4, 0, 1], false),
    ] {
        assert!(objects(bytes).ends_with(r#""complete":false"#), "{bytes:?}");
        let message = [&[0xc0, 0x81, 0, 0][..], bytes].concat();
        let events = events(&[(TO_SERVER, read_class()), (TO_CLIENT, response(&message))]);
        assert_eq!(events[1].contains(&UNKNOWN_OBJECT), unknown, "{bytes:?}");
    }
    assert!(objects(&[30, 0, 0, 0, 5]).ends_with(r#""count":6}],"complete":true"#));
}

#[test]
fn messages_are_put_together_out_of_frames_in_their_order() {
    let piece = |header: u8, data: &[u8]| {
        let data = [&[header][..], data].concat();
        (TO_SERVER, frame(0xc4, data.len(), &data))
    };
    let first = || piece(0x45, &[0xc0, 2, 41, 1, 0, 0, 0]);
    let messages = |pieces: &[(Direction, Vec<u8>)]| {
        let mut messages = Vec::new();
        run(pieces).0.for_each_transaction(&mut |transaction| {
            let mut scratch = Vec::new();
            let view = transaction.buffer(TO_SERVER, Buffer::Dnp3Data, 0, &mut scratch).unwrap();
            messages.push(view.bytes.to_vec());
            assert_eq!(transaction.number(TO_SERVER, "dnp3_obj", 0), Some(0x2901));
        });
        messages
    };
    assert_eq!(
        messages(&[first(), piece(0x86, &[1, 2, 3, 4, 5])]),
        [[0xc0, 2, 41, 1, 0, 0, 0, 1, 2, 3, 4, 5]]
    );
    assert!(messages(&[first(), piece(0x87, &[1, 2, 3, 4, 5])]).is_empty());
    assert!(messages(&[first(), first(), piece(0x85, &[1, 2, 3, 4, 5])]).is_empty());
    let bytes: Vec<_> = first().1.into_iter().chain(piece(0x86, &[1, 2, 3, 4, 5]).1).collect();
    let one_by_one: Vec<_> = bytes.iter().map(|byte| (TO_SERVER, vec![*byte])).collect();
    assert_eq!(messages(&one_by_one).len(), 1);
}

#[test]
fn faults_of_frames_are_noted_at_the_message_before() {
    let mut header = read_class();
    header[8] ^= 1;
    let mut block = read_class();
    *block.last_mut().unwrap() ^= 1;
    let short = {
        let header = [5, 0x64, 3, 0xc4, 1, 0, 2, 0];
        [&header[..], &crc(&header)].concat()
    };
    for (bad, event, messages) in [
        (header, Some(BAD_LINK_CRC), 1),
        (block, Some(BAD_TRANSPORT_CRC), 2),
        (short, Some(LEN_TOO_SMALL), 1),
        (b"garbage".to_vec(), None, 1),
    ] {
        let events = events(&[(TO_SERVER, [read_class(), bad, read_class()].concat())]);
        assert_eq!(events.len(), messages, "{event:?}");
        assert_eq!(events[0], event.into_iter().collect::<Vec<_>>());
    }
    let cut = events(&[(TO_SERVER, read_class()), (TO_CLIENT, response(&[0xc0, 0x81]))]);
    assert_eq!(cut, [vec![LEN_TOO_SMALL]]);
    let flood = events(&vec![(TO_SERVER, read_class()); 501]);
    assert_eq!(flood.iter().filter(|events| events.contains(&FLOODED)).count(), 1);
}
