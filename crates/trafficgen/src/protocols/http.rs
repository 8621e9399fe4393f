//! HTTP/1.1 (RFC 9112): a browser or a program and a web server, several requests on a connection.

use rand::Rng;

use super::{Activity, connect};
use crate::session::stream::Filler;
use crate::session::{Close, Side, Stream};
use crate::trace::calendar::Moment;
use crate::trace::truth::Protocol;
use crate::trace::world::{Conversation, SITES};

const PORT: u16 = 80;

const USER_AGENTS: [&str; 6] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:119.0) Gecko/20100101 Firefox/119.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.1 Safari/605.1.15",
    "curl/7.88.1",
    "Wget/1.21.3",
    "python-requests/2.31.0",
];

const PATHS: [(&str, &str); 12] = [
    ("/", "text/html; charset=utf-8"),
    ("/index.html", "text/html; charset=utf-8"),
    ("/articles/2023/11/a-walk-along-the-weir", "text/html; charset=utf-8"),
    ("/search?q=turbine+bearing&page=2", "text/html; charset=utf-8"),
    ("/assets/site.css?v=118", "text/css"),
    ("/assets/app.3fd1c0.js", "application/javascript"),
    ("/images/header.jpg", "image/jpeg"),
    ("/images/plan-b.png", "image/png"),
    ("/api/v1/status", "application/json"),
    ("/api/v1/stations/417/readings?from=2023-11-01", "application/json"),
    ("/files/manual.pdf", "application/pdf"),
    ("/robots.txt", "text/plain; charset=utf-8"),
];

/// What a request leads to.
#[derive(Clone, Copy)]
enum Exchange {
    Sized,
    Chunked,
    NotFound,
    Redirect,
    NotModified,
    Upload,
}

pub(crate) fn activity(mut conversation: Conversation<'_>) -> Activity {
    let ipv6 = conversation.draw_ipv6();
    let (site, host) = conversation.pick_site();
    let server = conversation.tenant.site(site, ipv6);
    let user_agent = conversation.pick(&USER_AGENTS, "curl/7.88.1");
    let mut session = connect(&mut conversation, server, PORT);
    let requests = conversation.rng.random_range(1..=6);
    for request in 0..requests {
        let exchange = match conversation.rng.random_range(0..20) {
            0..9 => Exchange::Sized,
            9..14 => Exchange::Chunked,
            14..16 => Exchange::NotFound,
            16 => Exchange::Redirect,
            17 => Exchange::NotModified,
            _ => Exchange::Upload,
        };
        let last = request + 1 == requests;
        let (path, kind) = conversation.pick(&PATHS, ("/", "text/html"));
        let asked = ask(&mut conversation, exchange, host, path, user_agent, last);
        let think_ns = conversation.think_ns(0, if request == 0 { 2 } else { 250 });
        session.send(Side::Client, asked, think_ns);
        let answered = answer(&mut conversation, exchange, (site, host), kind, last);
        let think_ns = conversation.think_ns(1, 60);
        session.send(Side::Server, answered, think_ns);
    }
    let close = match conversation.rng.random_range(0..20) {
        0..2 => Close::Reset(Side::Client),
        2 => Close::Reset(Side::Server),
        3 => Close::Open,
        4..8 => Close::Fin(Side::Client),
        _ => Close::Fin(Side::Server),
    };
    let think_ns = conversation.think_ns(1, 40);
    session.close(close, think_ns);
    Activity::tcp(Protocol::Http, session)
}

fn ask(
    conversation: &mut Conversation<'_>,
    exchange: Exchange,
    host: &str,
    path: &str,
    user_agent: &str,
    last: bool,
) -> Stream {
    let connection = if last { "close" } else { "keep-alive" };
    let common =
        format!("Host: {host}\r\nUser-Agent: {user_agent}\r\nAccept: */*\r\nConnection: {connection}\r\n");
    if !matches!(exchange, Exchange::Upload) {
        let extra =
            if matches!(exchange, Exchange::NotModified) { "If-None-Match: \"5f1c-60a2\"\r\n" } else { "" };
        return Stream::new(format!(
            "GET {path} HTTP/1.1\r\n{common}Accept-Language: en-GB,en;q=0.8\r\n{extra}\r\n"
        ));
    }
    let boundary = format!("----FormBoundary{:016x}", conversation.rng.random::<u64>());
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nReadings {}\r\n--{boundary}\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"readings.csv\"\r\nContent-Type: text/csv\r\n\r\n",
        conversation.index
    );
    let tail = format!("\r\n--{boundary}--\r\n");
    let filler = conversation.rng.random_range(2_000..90_000);
    let length = head.len() as u64 + filler + tail.len() as u64;
    Stream::new(format!(
        "POST /upload HTTP/1.1\r\n{common}Content-Type: multipart/form-data; boundary={boundary}\r\n\
         Content-Length: {length}\r\n\r\n{head}"
    ))
    .filler(Filler::Text, conversation.rng.random(), filler)
    .bytes(tail)
}

fn answer(
    conversation: &mut Conversation<'_>,
    exchange: Exchange,
    (site, host): (usize, &str),
    kind: &str,
    last: bool,
) -> Stream {
    let date = Moment::from_ns(conversation.start_ns).http();
    let connection = if last { "close" } else { "keep-alive" };
    let common = format!("Date: {date}\r\nServer: nginx/1.22.1\r\nConnection: {connection}\r\n");
    let seed = conversation.rng.random();
    let filler =
        if kind.starts_with("image/") || kind == "application/pdf" { Filler::Noise } else { Filler::Text };
    match exchange {
        Exchange::Sized => {
            let (head, tail) = envelope(site, kind);
            // Most bodies are small, a few are large.
            let exponent = conversation.rng.random_range(8..=17);
            let body = conversation.rng.random_range(200..(1 << exponent) + 200);
            let length = head.len() as u64 + body + tail.len() as u64;
            let status = format!(
                "HTTP/1.1 200 OK\r\n{common}Content-Type: {kind}\r\nContent-Length: {length}\r\n\
                 ETag: \"{seed:x}\"\r\n\r\n{head}"
            );
            Stream::new(status).filler(filler, seed, body).bytes(tail)
        }
        Exchange::Chunked => {
            let mut stream = Stream::new(format!(
                "HTTP/1.1 200 OK\r\n{common}Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
            ));
            for chunk in 0..conversation.rng.random_range(1..=8_u64) {
                let size: u64 = conversation.rng.random_range(20..8_192);
                stream = stream
                    .bytes(format!("{size:x}\r\n"))
                    .filler(filler, seed.wrapping_add(chunk << 32), size)
                    .bytes("\r\n");
            }
            stream.bytes("0\r\n\r\n")
        }
        Exchange::NotFound => {
            let body =
                "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n";
            Stream::new(format!(
                "HTTP/1.1 404 Not Found\r\n{common}Content-Type: text/html\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))
        }
        Exchange::Redirect => Stream::new(format!(
            "HTTP/1.1 302 Found\r\n{common}Location: https://{host}/\r\nContent-Length: 0\r\n\r\n"
        )),
        Exchange::NotModified => {
            Stream::new(format!("HTTP/1.1 304 Not Modified\r\n{common}ETag: \"5f1c-60a2\"\r\n\r\n"))
        }
        Exchange::Upload => {
            let body = format!("{{\"stored\":true,\"id\":{}}}\n", conversation.index);
            Stream::new(format!(
                "HTTP/1.1 201 Created\r\n{common}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            ))
        }
    }
}

/// What stands around the filler so that the body is of its kind.
fn envelope(site: usize, kind: &str) -> (String, &'static str) {
    let title = SITES.get(site).map_or("Example", |&(_, title)| title);
    match kind {
        "application/json" => ("{\"status\":\"ok\",\"text\":[\"".to_owned(), "\"]}\n"),
        "application/pdf" => ("%PDF-1.7\n".to_owned(), "\n%%EOF\n"),
        html if html.starts_with("text/html") => (
            format!(
                "<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n<body><h1>{title}</h1><p>\n"
            ),
            "</p></body></html>\n",
        ),
        _ => (String::new(), ""),
    }
}
