use crate::{Config, Session, Transport};
use app::{Buffer, Direction, Protocol};

use Direction::{ToClient, ToServer};

fn play(lines: &[(Direction, &str)], size: usize) -> Session {
    let mut session = Session::new(Transport::Tcp, 4000, 25);
    for (direction, text) in lines {
        for piece in text.as_bytes().chunks(size) {
            session.data(&Config::default(), 1, *direction, piece);
        }
    }
    session
}

fn end(mut session: Session) -> Vec<(&'static str, String)> {
    for direction in Direction::BOTH {
        session.close(&Config::default(), 1, direction);
    }
    session
        .take_records()
        .map(|record| (record.event_type, String::from_utf8(record.members).unwrap()))
        .collect()
}

fn raised(lines: &[(Direction, &str)]) -> Vec<&'static str> {
    let mut events = Vec::new();
    play(lines, 10_000)
        .for_each_transaction(&mut |transaction| events.extend_from_slice(transaction.events(ToServer)));
    events
}

const HELLO: [(Direction, &str); 3] =
    [(ToClient, "220 mx\r\n"), (ToServer, "EHLO me\r\n"), (ToClient, "250-mx\r\n250 HELP\r\n")];

const MAIL: [(Direction, &str); 9] = [
    (ToServer, "MAIL FROM:<a@b>\r\n"),
    (ToClient, "250 ok\r\n"),
    (ToServer, "RCPT TO: <c@d>\r\n"),
    (ToClient, "250 ok\r\n"),
    (ToServer, "DATA\r\n"),
    (ToClient, "354 go\r\n"),
    (ToServer, "To: x\r\nContent-Disposition: attachment; filename=f\r\n\r\nhello\r\n..dot\r\n.\r\n"),
    (ToClient, "250 ok\r\n"),
    (ToServer, "MAIL FROM:<e@f>\r\n"),
];

#[test]
fn a_mail_and_its_file_are_recorded_however_segments_fall() {
    let lines = [&HELLO[..], &MAIL[..]].concat();
    let mail = r#""smtp":{"helo":"me","mail_from":"<a@b>","rcpt_to":["<c@d>"]},"email":{"status":"PARSE_DONE","to":["x"],"attachment":["f"]}"#;
    for size in [1, 2, 3, 7, 1000] {
        let records: Vec<_> =
            end(play(&lines, size)).into_iter().filter(|(kind, _)| *kind != "anomaly").collect();
        let file = format!(
            r#"{mail},"fileinfo":{{"filename":"f","gaps":false,"state":"CLOSED","stored":false,"size":11,"tx_id":0}}"#
        );
        assert_eq!(
            records,
            [
                ("smtp", mail.to_owned()),
                ("fileinfo", file),
                ("smtp", r#""smtp":{"helo":"me","mail_from":"<e@f>"}"#.to_owned()),
            ],
            "{size}"
        );
    }
}

#[test]
fn rules_see_the_attachment() {
    let mut session = play(&[&HELLO[..], &MAIL[..]].concat(), 1000);
    let mut seen = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        for buffer in [Buffer::FileData, Buffer::FileName] {
            if let Some(view) = transaction.buffer(ToServer, buffer, 0, &mut Vec::new()) {
                seen.push(String::from_utf8(view.bytes.to_vec()).unwrap());
            }
        }
    });
    assert_eq!(seen, ["hello\r\n.dot", "f"]);
}

#[test]
fn tls_follows_starttls() {
    let lines = [&HELLO[..], &[(ToServer, "STARTTLS\r\n"), (ToClient, "220 go\r\n")]].concat();
    let mut session = play(&lines, 1000);
    session.data(&Config::default(), 1, ToServer, b"\x16\x03\x01\x00\x50\x01\0\0\x4c\x03\x03");
    assert_eq!(session.protocol(), Some(Protocol::Tls));
    assert_eq!(session.original_protocol(), Some(Protocol::Smtp));
}

#[test]
fn events_are_raised() {
    let long = format!("NOOP {}\r\n", "x".repeat(5000));
    let long_reply = format!("250 {}\r\n", "x".repeat(5000));
    let cases: [(&[(Direction, &str)], &str); 9] = [
        (&[(ToServer, "NOOP\r\n"), (ToClient, "999 what\r\n")], "smtp.invalid_reply"),
        (&[(ToClient, "250 what\r\n")], "smtp.unable_to_match_reply_with_request"),
        (&[(ToServer, &long)], "smtp.max_command_line_len_exceeded"),
        (&[(ToServer, "NOOP\r\n"), (ToClient, &long_reply)], "smtp.max_reply_line_len_exceeded"),
        (&[(ToServer, "DATA\r\nQUIT\r\n")], "smtp.invalid_pipelined_sequence"),
        (&[(ToServer, "BDAT 99999999999\r\n")], "smtp.bdat_chunk_len_exceeded"),
        (&[(ToServer, "STARTTLS\r\n"), (ToClient, "454 no\r\n")], "smtp.tls_rejected"),
        (&[(ToServer, "DATA\r\n"), (ToClient, "503 no\r\n")], "smtp.data_command_rejected"),
        (&[(ToServer, "EHLO again\r\n")], "smtp.duplicate_fields"),
    ];
    for (lines, event) in cases {
        assert!(raised(&[&HELLO[..], lines].concat()).contains(&event), "{event}");
    }
    assert!(raised(&[(ToServer, "EHLO me\r\n")]).contains(&"smtp.no_server_welcome_message"));
    assert!(raised(&HELLO).is_empty());
}
