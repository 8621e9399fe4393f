//! The parser as a whole.

use super::*;
use crate::{Config, Transport};
use app::Buffer;

struct Flow {
    parser: Http2,
    config: Config,
    records: Vec<Record>,
}

impl Flow {
    fn new() -> Self {
        let config = Config::default();
        let start = Start {
            config: &config,
            transport: Transport::Tcp,
            client_port: 1,
            server_port: 80,
            original: None,
            expectation: None,
        };
        Self { parser: Http2::new(&start), records: Vec::new(), config: config.clone() }
    }

    fn data(&mut self, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut context = Context {
            time_us: 0,
            config: &self.config,
            limits: &self.config.limits,
            log: true,
            records: &mut self.records,
            expectations: &mut Vec::new(),
            flush_raw: &mut [false; 2],
        };
        self.parser.data(&mut context, direction, bytes)
    }

    fn text(&self, stream: u32, direction: Direction, buffer: Buffer) -> Option<String> {
        let mut scratch = Vec::new();
        let transaction = self.parser.transactions.iter().find(|transaction| transaction.stream == stream)?;
        let view = transaction.buffer(direction, buffer, 0, &mut scratch)?;
        Some(view.bytes.escape_ascii().to_string())
    }

    fn raised(&self) -> Vec<&'static str> {
        let all = self.parser.transactions.iter();
        all.flat_map(|transaction| Direction::BOTH.map(|direction| transaction.events(direction).to_vec()))
            .flatten()
            .collect()
    }
}

fn frame(kind: u8, flags: u8, stream: u8, contents: &[u8]) -> Vec<u8> {
    let len = (contents.len() as u32).to_be_bytes();
    let mut frame = vec![len[1], len[2], len[3], kind, flags, 0, 0, 0, stream];
    frame.extend_from_slice(contents);
    frame
}

fn field(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0, name.len() as u8];
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(value.len() as u8);
    bytes.extend_from_slice(value.as_bytes());
    bytes
}

fn fields(pairs: &[(&str, &str)]) -> Vec<u8> {
    pairs.iter().flat_map(|(name, value)| field(name, value)).collect()
}

fn client() -> Vec<u8> {
    let request =
        fields(&[(":method", "GET"), (":path", "/x"), (":authority", "A.com:80"), ("user-agent", "u")]);
    let (first, second) = request.split_at(20);
    [
        PREFACE.to_vec(),
        frame(kind::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
        frame(kind::HEADERS, flag::END_STREAM, 1, first),
        frame(kind::CONTINUATION, flag::END_HEADERS, 1, second),
    ]
    .concat()
}

fn server() -> Vec<u8> {
    let response = fields(&[(":status", "200"), ("content-length", "5")]);
    [
        frame(kind::HEADERS, flag::END_HEADERS, 1, &response),
        frame(kind::DATA, flag::PADDED, 1, b"\x02hel\0\0"),
        frame(kind::DATA, flag::END_STREAM, 1, b"lo"),
    ]
    .concat()
}

#[test]
fn streams_fill_the_buffers_of_http_whatever_the_pieces() {
    for step in 1..=client().len() {
        let mut flow = Flow::new();
        for piece in client().chunks(step) {
            assert_eq!(flow.data(Direction::ToServer, piece), Outcome::Continue);
        }
        for piece in server().chunks(step) {
            assert_eq!(flow.data(Direction::ToClient, piece), Outcome::Continue);
        }
        let request = |buffer| flow.text(1, Direction::ToServer, buffer);
        assert_eq!(request(Buffer::HttpUri).unwrap(), "/x");
        assert_eq!(request(Buffer::HttpHost).unwrap(), "a.com");
        assert_eq!(request(Buffer::HttpHostRaw).unwrap(), "A.com:80");
        assert_eq!(request(Buffer::HttpUserAgent).unwrap(), "u");
        assert_eq!(request(Buffer::HttpRequestLine).unwrap(), r"GET /x HTTP/2\r\n");
        assert_eq!(request(Buffer::Http2Header).unwrap(), "::method: GET");
        let response = |buffer| flow.text(1, Direction::ToClient, buffer);
        assert_eq!(response(Buffer::HttpStatCode).unwrap(), "200");
        assert_eq!(response(Buffer::FileData).unwrap(), "hello", "step {step}");
        assert_eq!(flow.raised(), Vec::<&str>::new());
        let records: Vec<_> = flow.records.iter().map(|record| record.event_type).collect();
        assert_eq!(records, ["http", "fileinfo", "http"]);
        let last = String::from_utf8(flow.records.last().unwrap().members.clone()).unwrap();
        assert!(last.contains(r#""http_method":"GET","url":"/x","http_user_agent":"u","length":5,"status":200,"http2":{"stream_id":1,"request":{},"response":{}}"#), "{last}");
    }
}

#[test]
fn oddities_raise_events() {
    let user = fields(&[(":authority", "me@a.com"), ("host", "b.com")]);
    for (frames, expected) in [
        (frame(kind::PING, 0, 0, b"short"), events::FRAME_LENGTH),
        (frame(99, 0, 1, b""), events::FRAME_HEADER),
        (frame(kind::HEADERS, flag::END_HEADERS, 1, &[0x80]), events::HEADER),
        (frame(kind::HEADERS, flag::END_HEADERS, 1, &[0xff; 20]), events::INTEGER_OVERFLOW),
        (frame(kind::HEADERS, flag::END_HEADERS, 1, &user), events::USER_INFO),
        (frame(kind::HEADERS, flag::END_HEADERS, 1, &user), events::HOST_MISMATCH),
        (frame(kind::RESET, 0, 1, b"x"), events::FRAME_LENGTH),
        (frame(kind::SETTINGS, 0, 0, &vec![0; 20_000]), events::LONG_FRAME),
    ] {
        let mut flow = Flow::new();
        flow.data(Direction::ToServer, PREFACE);
        flow.data(Direction::ToServer, &frames);
        assert!(flow.raised().contains(&expected), "{expected}: {:?}", flow.raised());
    }
    let mut flow = Flow::new();
    assert_eq!(flow.data(Direction::ToServer, b"GET / HTTP/1.1\r\n"), Outcome::Failed);
    assert_eq!(flow.raised(), [events::CLIENT_MAGIC]);
}

#[test]
fn floods_are_held_within_bounds() {
    let mut flow = Flow::new();
    flow.data(Direction::ToServer, PREFACE);
    flow.data(Direction::ToServer, &frame(kind::HEADERS, 0, 1, b""));
    for _ in 0..100 {
        flow.data(Direction::ToServer, &frame(kind::CONTINUATION, 0, 1, &[0; 16_000]));
        assert!(flow.parser.ways[0].block.len() <= flow.config.limits.http.header_block);
    }
    assert!(flow.raised().contains(&events::REASSEMBLY_LIMIT));
    for _ in 0..5_000 {
        flow.data(Direction::ToServer, &frame(kind::PING, 0, 0, &[0; 8]));
    }
    assert!(flow.parser.transactions.len() <= flow.config.limits.http.transactions);
    assert!(flow.raised().contains(&events::TOO_MANY_STREAMS));
}
