use app::{Buffer, Stage};

use super::*;
use crate::{Config, Session, Transport};

fn session() -> Session {
    Session::new(Transport::Tcp, 4000, 2121)
}

fn say(session: &mut Session, direction: Direction, text: &str) {
    session.data(&Config::default(), 1, direction, text.as_bytes());
    session.retire(direction);
    session.retire(direction.flipped());
}

fn records(session: &mut Session) -> Vec<String> {
    session.take_records().map(|record| String::from_utf8(record.members).unwrap()).collect()
}

/// As Suricata 7.0.10 writes them.
#[test]
fn commands_and_replies_become_records() {
    let mut session = session();
    say(&mut session, Direction::ToClient, "220 (hi)\r\n");
    say(&mut session, Direction::ToServer, "user a\r\nPASS b c\r\n");
    say(&mut session, Direction::ToClient, "331 x\r\n230 y\r\n");
    say(&mut session, Direction::ToServer, "FEAT\r\n");
    say(&mut session, Direction::ToClient, "211-Features:\r\n");
    say(&mut session, Direction::ToClient, " EPRT\r\n211 End\r\n");
    say(&mut session, Direction::ToServer, "SYST\r\n");
    for direction in Direction::BOTH {
        session.close(&Config::default(), 1, direction);
    }
    let received = r#""reply_received":"yes","reply_truncated":false}"#;
    assert_eq!(
        records(&mut session),
        [
            format!(r#""ftp":{{"completion_code":["220"],"reply":["(hi)"],{received}"#),
            format!(
                r#""ftp":{{"command":"USER","command_data":"a","command_truncated":false,"completion_code":["331"],"reply":["x"],{received}"#
            ),
            format!(
                r#""ftp":{{"command":"PASS","command_data":"b c","command_truncated":false,"completion_code":["230"],"reply":["y"],{received}"#
            ),
            format!(r#""ftp":{{"completion_code":["211"],"reply":["Features:"],{received}"#),
            format!(r#""ftp":{{"completion_code":["211"],"reply":[" EPRT","End"],{received}"#),
            r#""ftp":{"command":"SYST","reply_received":"no","reply_truncated":false}"#.to_owned(),
        ]
    );
}

#[test]
fn transfers_are_announced() {
    let mut session = session();
    say(&mut session, Direction::ToServer, "USER a\r\n");
    say(&mut session, Direction::ToClient, "230 y\r\n");
    for (command, reply, opened, port) in [
        ("PASV", "227 Entering Passive Mode (10,0,0,2,25,46).", Direction::ToServer, 6446),
        ("EPSV", "229 Entering Extended Passive Mode (|||6447|)", Direction::ToServer, 6447),
        ("PORT 10,0,0,1,4,5", "200 ok", Direction::ToClient, 1029),
        ("EPRT |1|10.0.0.1|6275|", "200 ok", Direction::ToClient, 6275),
    ] {
        say(&mut session, Direction::ToServer, &format!("{command}\r\n"));
        say(&mut session, Direction::ToClient, &format!("{reply}\r\n"));
        assert_eq!(session.take_expectations().count(), 0, "nothing is transferred yet");
        say(&mut session, Direction::ToServer, "RETR a file\r\n");
        let expected: Vec<_> = session.take_expectations().collect();
        let command = b"RETR a file".to_vec();
        assert_eq!(expected, [Expectation { opened, port, protocol: Protocol::FtpData, command }]);
        say(&mut session, Direction::ToClient, "150 go\r\n226 done\r\n");
    }
    say(&mut session, Direction::ToServer, "STOR again\r\n");
    assert_eq!(session.take_expectations().count(), 0, "each announcement is for one transfer");
    assert!(session.failed(), "nobody said where to");
}

#[test]
fn long_lines_are_cut_and_an_event() {
    let mut session = session();
    let long = "A".repeat(5000);
    say(&mut session, Direction::ToServer, &format!("USER {long}\r\n"));
    session.data(&Config::default(), 1, Direction::ToClient, format!("331 {long}\r\n").as_bytes());
    let mut seen = Vec::new();
    session.for_each_transaction(&mut |transaction| {
        assert_eq!(transaction.stage(Direction::ToServer), Stage::Complete);
        let mut scratch = Vec::new();
        let view = transaction.buffer(Direction::ToServer, Buffer::FtpCommand, 0, &mut scratch);
        assert_eq!(view.map(|view| view.bytes), Some(&b"USER"[..]));
        seen.extend_from_slice(transaction.events(Direction::ToClient));
    });
    assert_eq!(seen, [events::REQUEST_TOO_LONG, events::RESPONSE_TOO_LONG]);
    let records = records(&mut session);
    let record = records.iter().find(|record| record.starts_with(r#""ftp""#)).unwrap();
    assert!(record.contains(r#""command_truncated":true"#) && record.contains(r#""reply_truncated":true"#));
    assert!(record.len() < 2 * line::LINE_MAX + 200);
}

#[test]
fn lines_come_in_any_pieces_and_go_on_behind_gaps() {
    let mut session = session();
    for byte in "USER a\nSIZE b\n".split_inclusive(|_| true) {
        say(&mut session, Direction::ToServer, byte);
    }
    session.gap(&Config::default(), 1, Direction::ToServer, 100);
    say(&mut session, Direction::ToServer, "rest of a line\r\nQUIT\r\n");
    for direction in Direction::BOTH {
        session.close(&Config::default(), 1, direction);
    }
    let commands: Vec<String> = records(&mut session);
    assert_eq!(commands.len(), 3);
    assert!(commands[2].contains("QUIT"), "{commands:?}");
}

#[test]
fn tls_follows_when_the_server_agrees() {
    let mut session = session();
    say(&mut session, Direction::ToServer, "USER a\r\n");
    say(&mut session, Direction::ToClient, "331 b\r\n");
    say(&mut session, Direction::ToServer, "AUTH TLS\r\n");
    say(&mut session, Direction::ToClient, "234 go on\r\n");
    let hello = [&[0x16, 3, 1, 0, 4, 1, 0, 0, 0][..]].concat();
    session.data(&Config::default(), 1, Direction::ToServer, &hello);
    assert_eq!(session.protocol(), Some(Protocol::Tls));
    assert_eq!(session.original_protocol(), Some(Protocol::Ftp));
}

#[test]
fn a_data_connection_is_a_file() {
    let mut session = Session::new(Transport::Tcp, 4001, 6446);
    session.expect(&Expectation {
        opened: Direction::ToServer,
        port: 6446,
        protocol: Protocol::FtpData,
        command: b"RETR a.txt".to_vec(),
    });
    session.data(&Config::default(), 1, Direction::ToClient, b"hello");
    assert_eq!(session.protocol(), Some(Protocol::FtpData));
    for direction in Direction::BOTH {
        session.close(&Config::default(), 1, direction);
    }
    session.for_each_transaction(&mut |transaction| {
        let mut scratch = Vec::new();
        let mut see = |buffer| {
            let view = transaction.buffer(Direction::ToClient, buffer, 0, &mut scratch);
            view.map(|view| String::from_utf8_lossy(view.bytes).into_owned())
        };
        assert_eq!(see(Buffer::FileData).as_deref(), Some("hello"));
        assert_eq!(see(Buffer::FtpdataCommand).as_deref(), Some("RETR"));
    });
    let records = records(&mut session);
    assert_eq!(records[1], r#""ftp_data":{"filename":"a.txt","command":"RETR"}"#);
    assert!(records[0].starts_with(r#""fileinfo":{"filename":"a.txt","gaps":false,"state":"CLOSED""#));
}
