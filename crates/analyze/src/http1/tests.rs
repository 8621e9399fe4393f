//! The parser as a whole: pipelining, odd messages, tunnels, gaps, caps.

use super::*;
use crate::{Config, Transport};
use app::Buffer;

struct Flow {
    parser: Http1,
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
        Self { parser: Http1::new(&start), records: Vec::new(), config: config.clone() }
    }

    fn with<R>(&mut self, work: impl FnOnce(&mut Http1, &mut Context<'_>) -> R) -> R {
        let mut context = Context {
            time_us: 0,
            config: &self.config,
            limits: &self.config.limits,
            log: true,
            records: &mut self.records,
            expectations: &mut Vec::new(),
            flush_raw: &mut [false; 2],
        };
        work(&mut self.parser, &mut context)
    }

    fn client(&mut self, bytes: &[u8]) -> Outcome {
        self.with(|parser, context| parser.data(context, Direction::ToServer, bytes))
    }

    fn server(&mut self, bytes: &[u8]) -> Outcome {
        self.with(|parser, context| parser.data(context, Direction::ToClient, bytes))
    }

    fn close(&mut self) {
        for direction in Direction::BOTH {
            self.with(|parser, context| parser.close(context, direction));
        }
    }

    fn text(&self, id: usize, direction: Direction, buffer: Buffer) -> Option<String> {
        let mut scratch = Vec::new();
        let view = self.parser.transactions.get(id)?.buffer(direction, buffer, 0, &mut scratch)?;
        Some(view.bytes.escape_ascii().to_string())
    }

    fn request(&self, id: usize, buffer: Buffer) -> Option<String> {
        self.text(id, Direction::ToServer, buffer)
    }

    fn response(&self, id: usize, buffer: Buffer) -> Option<String> {
        self.text(id, Direction::ToClient, buffer)
    }

    fn records(&self, event_type: &str) -> Vec<String> {
        let records = self.records.iter().filter(|record| record.event_type == event_type);
        records.map(|record| String::from_utf8(record.members.clone()).unwrap()).collect()
    }
}

const REQUESTS: &[u8] = b"GET /a HTTP/1.1\r\nHost: x.com\r\nX-A: one\r\nX-A: two\r\n folded\r\nCookie: c\r\n\r\n\
    POST /b HTTP/1.1\r\nHost: x.com\r\nContent-Length: 4\r\n\r\nbody\
    PUT /c HTTP/1.1\r\nHost: x.com\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nTrail: er\r\n\r\n\
    GET /d HTTP/1.1\r\nHost: x.com\r\n\r\n";
const RESPONSES: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: s\r\n\r\nhello\
    HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n\
    HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n5;x=y\r\npedia\r\n0\r\n\r\n\
    HTTP/1.0 302 Found\r\nLocation: /e\r\n\r\nto the end";

#[test]
fn pipelined_messages_are_told_apart_whatever_the_pieces() {
    for step in 1..=REQUESTS.len() {
        let mut flow = Flow::new();
        for piece in REQUESTS.chunks(step) {
            assert_eq!(flow.client(piece), Outcome::Continue);
        }
        for piece in RESPONSES.chunks(step) {
            assert_eq!(flow.server(piece), Outcome::Continue);
        }
        flow.close();
        assert_eq!(flow.parser.transactions.len(), 4, "step {step}");
        let uris: Vec<_> = (0..4).map(|id| flow.request(id, Buffer::HttpUri).unwrap()).collect();
        assert_eq!(uris, ["/a", "/b", "/c", "/d"], "step {step}");
        assert_eq!(flow.request(0, Buffer::HttpHeader).unwrap(), r"Host: x.com\r\nX-A: one, two folded\r\n");
        assert_eq!(flow.request(0, Buffer::HttpCookie).unwrap(), "c");
        assert_eq!(flow.request(0, Buffer::HttpHeaderNames).unwrap(), r"\r\nHost\r\nX-A\r\nCookie\r\n\r\n");
        assert_eq!(flow.request(1, Buffer::HttpRequestBody).unwrap(), "body");
        assert_eq!(flow.request(2, Buffer::HttpRequestBody).unwrap(), "abcde");
        assert_eq!(flow.request(2, Buffer::FileData).unwrap(), "abcde");
        let raw = r"Host: x.com\r\nTransfer-Encoding: chunked\r\n\r\nTrail: er\r\n\r\n";
        assert_eq!(flow.request(2, Buffer::HttpHeaderRaw).unwrap(), raw);
        let bodies: Vec<_> = (0..4).map(|id| flow.response(id, Buffer::FileData)).collect();
        let expected = [Some("hello"), None, Some("Wikipedia"), Some("to the end")];
        assert_eq!(bodies, expected.map(|body| body.map(str::to_owned)), "step {step}");
        assert_eq!(flow.response(1, Buffer::HttpStatCode).unwrap(), "204");
        assert_eq!(flow.records("http").len(), 4);
        assert_eq!(flow.records("fileinfo").len(), 5);
        assert!(flow.records("http")[3].contains(r#""status":302,"redirect":"/e","length":10}"#));
    }
}

#[test]
fn a_response_without_a_request_is_a_transaction() {
    let mut flow = Flow::new();
    flow.server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(flow.response(0, Buffer::HttpResponseBody).unwrap(), "hi");
    assert_eq!(flow.request(0, Buffer::HttpUri).unwrap(), "/libhtp::request_uri_not_seen");
    assert_eq!(flow.parser.transactions[0].events(Direction::ToClient), [events::UNMATCHED_RESPONSE]);
}

#[test]
fn a_request_without_a_response_is_recorded_when_the_flow_ends() {
    let mut flow = Flow::new();
    flow.client(b"GET /x HTTP/1.1\r\nHost: A.com\r\nUser-Agent: u\r\n\r\n");
    assert!(flow.records("http").is_empty());
    flow.close();
    assert_eq!(
        flow.records("http"),
        [
            r#""http":{"hostname":"a.com","url":"/x","http_user_agent":"u","http_method":"GET","protocol":"HTTP/1.1","length":0}"#
        ]
    );
}

#[test]
fn tunnels_are_handed_on() {
    let mut flow = Flow::new();
    flow.client(b"CONNECT a.com:443 HTTP/1.1\r\nHost: a.com\r\n\r\n");
    assert_eq!(flow.server(b"HTTP/1.1 200 ok\r\n\r\n"), Outcome::Continue);
    assert_eq!(flow.client(b"\x16\x03\x01\x00\x05hello"), Outcome::Detect(0));
    let mut flow = Flow::new();
    flow.client(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n");
    let answer = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n";
    let mut both = answer.to_vec();
    both.extend_from_slice(b"\0\0\0\x04\0\0\0\0\0");
    assert_eq!(flow.server(&both), Outcome::Change(Protocol::Http2, answer.len()));
    let mut flow = Flow::new();
    flow.client(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
    assert_eq!(flow.server(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"), Outcome::Done);
}

#[test]
fn gaps_are_read_over() {
    let mut flow = Flow::new();
    flow.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    flow.server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab");
    assert_eq!(flow.with(|parser, context| parser.gap(context, Direction::ToClient, 5)), Outcome::Continue);
    flow.server(b"xyzHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(flow.response(1, Buffer::HttpStatCode).unwrap(), "404");
    let info = flow.records("fileinfo");
    assert!(info[0].contains(r#""gaps":true,"state":"TRUNCATED","stored":false,"size":10"#), "{info:?}");
    // What is left of a response whose head was lost is its body; the next one is read as ever.
    let mut flow = Flow::new();
    flow.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(flow.with(|parser, context| parser.gap(context, Direction::ToClient, 50)), Outcome::Continue);
    flow.server(b"<html>\nbody\n</html>\n");
    flow.server(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(flow.response(0, Buffer::FileData).unwrap(), r"<html>\nbody\n</html>\n");
    assert_eq!(flow.response(1, Buffer::FileData).unwrap(), "hi");
}

#[test]
fn compressed_bodies_are_decoded_up_to_the_limit() {
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b'A'; 10_000_000]).unwrap();
    let body = encoder.finish().unwrap();
    let mut flow = Flow::new();
    flow.client(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
    flow.server(head.as_bytes());
    for piece in body.chunks(1000) {
        flow.server(piece);
    }
    assert_eq!(flow.response(0, Buffer::FileData).unwrap().len(), 102_400);
    let info = flow.records("fileinfo");
    assert!(info[0].contains(r#""state":"TRUNCATED","stored":false,"size":102400"#), "{info:?}");
}

#[test]
fn uploads_are_taken_apart() {
    let mut flow = Flow::new();
    let body =
        "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\ncontents\r\n--B--\r\n";
    let head = format!(
        "POST /up HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    flow.client(head.as_bytes());
    flow.client(body.as_bytes());
    assert_eq!(flow.request(0, Buffer::FileData).unwrap(), "contents");
    assert_eq!(flow.request(0, Buffer::FileName).unwrap(), "a.txt");
    let mut context = Vec::new();
    flow.parser.transactions[0].context(&mut context);
    let context = String::from_utf8(context).unwrap();
    assert!(context.ends_with(r#","files":[{"filename":"a.txt","gaps":false,"state":"CLOSED","stored":false,"size":8,"tx_id":0}]"#), "{context}");
}

#[test]
fn odd_messages_raise_events() {
    for (client, server, event) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], &b""[..], events::MISSING_HOST),
        (b"GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", b"", events::REQUEST_MISSING_COLON),
        (b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: xyz q\r\n\r\n", b"", events::AUTH_UNRECOGNIZED),
        (b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", b"", events::AMBIGUOUS_HOST),
        (b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", b"", events::METHOD_DELIMITER),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", b"", events::REQUEST_CONTENT_LENGTH),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"",
            events::REQUEST_LENGTHS,
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;e\r\n",
            b"",
            events::REQUEST_CHUNK_EXTENSION,
        ),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"",
            events::REQUEST_CHUNK_LEN,
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 99 x\r\n", events::RESPONSE_STATUS),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTPX 200 x\r\n", events::RESPONSE_PROTOCOL),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"HTTP/1.0 200 x\r\nTransfer-Encoding: chunked\r\n\r\n",
            events::RESPONSE_CHUNKED_OLD,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"HTTP/1.1 200 x\r\nContent-Encoding: abc\r\n\r\n",
            events::ABNORMAL_ENCODING,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"HTTP/1.1 200 x\r\nContent-Encoding: gzip, gzip, gzip\r\n\r\n",
            events::TOO_MANY_ENCODINGS,
        ),
        (
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            b"HTTP/1.1 206 x\r\nContent-Range: bytes 9-2/3\r\nContent-Length: 1\r\n\r\n",
            events::RANGE_INVALID,
        ),
    ] {
        let mut flow = Flow::new();
        flow.client(client);
        if !server.is_empty() {
            flow.server(server);
        }
        let transaction = &flow.parser.transactions[0];
        let raised = transaction.events(Direction::ToServer);
        assert!(raised.contains(&event), "{event}: {raised:?} {}", client.escape_ascii());
    }
}

#[test]
fn garbage_is_held_within_bounds() {
    let mut state = 1_u64;
    let mut flow = Flow::new();
    flow.client(b"GET / HTTP/1.1\r\n");
    let mut failed = false;
    for _ in 0..2_000 {
        let piece: Vec<u8> = (0..1_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                b"\r\n: aA%\0\x80"[(state >> 60) as usize % 9]
            })
            .collect();
        failed |= flow.client(&piece) == Outcome::Failed;
        flow.server(&piece);
        let held: usize = flow
            .parser
            .transactions
            .iter()
            .flat_map(|transaction| [&transaction.request, &transaction.response])
            .map(|message| message.head_len() + message.headers.len() * 64 + message.body.held())
            .sum();
        let limit = 512 * 2 * 400_000;
        assert!(
            held + flow.parser.request_buffer.len() + flow.parser.response_buffer.len() < limit,
            "{held}"
        );
    }
    assert!(failed || flow.parser.transactions.len() <= 512);
}

#[test]
fn lines_without_an_end_are_given_up() {
    let mut flow = Flow::new();
    flow.client(b"GET /");
    let mut outcome = Outcome::Continue;
    for _ in 0..30 {
        outcome = flow.client(&[b'a'; 1_000]);
        if outcome == Outcome::Failed {
            break;
        }
    }
    assert_eq!(outcome, Outcome::Failed);
    assert_eq!(flow.parser.transactions[0].events(Direction::ToServer), [events::REQUEST_TOO_LONG]);
}
