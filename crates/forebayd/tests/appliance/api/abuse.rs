//! Requests that make no sense are refused in plain words, and change nothing.

use std::os::unix::net::UnixStream;

use serde_json::json;

use super::Appliance;
use super::http::{answer, cut_short, exchange, send};

/// Refusals of well-formed requests: method, path, body, status, words.
const REFUSED: &[(&str, &str, &str, u16, &str)] = &[
    ("GET", "/tenants/nine", "", 404, "there is no tenant `nine`"),
    ("GET", "/nowhere", "", 404, "there is nothing at /v1/nowhere"),
    ("POST", "/status", "", 405, "does not know POST"),
    ("GET", "/tenants/..%2F..%2Fetc%2Fpasswd", "", 404, "there is no tenant"),
    ("GET", "/tenants/%2e%2e", "", 404, "there is no tenant"),
    ("GET", "/tenants/%00", "", 404, "there is no tenant"),
    ("GET", "/tenants/%ff", "", 400, ""),
    ("GET", "/generations/4294967296", "", 400, ""),
    ("GET", "/generations/77", "", 404, "77"),
    ("POST", "/generations/77/rollback", "", 404, "77"),
    ("GET", "/alerts?limit=-1", "", 400, ""),
    ("GET", "/alerts?nonsense=1", "", 400, "nonsense"),
    ("POST", "/tenants", r#"{"name":""}"#, 400, "name"),
    ("POST", "/tenants", r#"{"name":"../x"}"#, 400, "name"),
    ("POST", "/tenants", r#"{"name":"(former)"}"#, 400, "name"),
    ("POST", "/tenants", r#"{"name":"a\u0000b"}"#, 400, "name"),
    ("POST", "/tenants", r#"{"name":"east"}"#, 409, "east"),
    (
        "POST",
        "/tenants",
        r#"{"name":"new","vlans":["101"]}"#,
        409,
        "VLAN 101 belongs to east; release it first",
    ),
    ("POST", "/tenants", r#"{"name":"new","vlans":["0"]}"#, 400, "4094"),
    ("POST", "/tenants", r#"{"name":"new","weight":0}"#, 409, "weight"),
    ("POST", "/tenants", r#"{"name":"new","weight":-1}"#, 400, ""),
    ("POST", "/tenants", r#"{"name":"new","weight":1e9}"#, 400, ""),
    ("POST", "/tenants", r#"{"name":"new","default_verdict":"explode"}"#, 400, "explode"),
    ("POST", "/tenants", r#"{"name":"new","default_verdict":"pipeline none"}"#, 409, "none"),
    ("POST", "/tenants", r#"{"name":"new","nonsense":1}"#, 400, "nonsense"),
    ("POST", "/tenants", r#"{"name":"new""#, 400, "cannot be understood"),
    ("POST", "/tenants", "[1]", 400, "cannot be understood"),
    ("PUT", "/vlans/0", r#"{"tenant":"east"}"#, 400, "4094"),
    ("PUT", "/vlans/4095", r#"{"tenant":"east"}"#, 400, "4094"),
    ("PUT", "/vlans/-1", r#"{"tenant":"east"}"#, 400, "4094"),
    ("PUT", "/vlans/x", r#"{"tenant":"east"}"#, 400, "4094"),
    ("PUT", "/vlans/9-7", r#"{"tenant":"east"}"#, 400, ""),
    ("PUT", "/vlans/101", r#"{"tenant":"west"}"#, 409, "VLAN 101 belongs to east; release it first"),
    ("PUT", "/vlans/100-300", r#"{"tenant":"west"}"#, 409, "belongs to east"),
    ("PUT", "/vlans/7", r#"{"tenant":"nine"}"#, 404, "there is no tenant `nine`"),
    ("DELETE", "/vlans/7", "", 404, "VLAN 7 belongs to no tenant"),
    ("POST", "/steering", r#"{"name":"easts","tenant":"east","verdict":"drop"}"#, 409, "easts"),
    ("POST", "/steering", r#"{"name":"n","tenant":"east","verdict":"drop","vlan":"202"}"#, 409, "202"),
    (
        "POST",
        "/steering",
        r#"{"name":"n","tenant":"east","verdict":"drop","source":"10.0.0.1/8"}"#,
        400,
        "10.0.0.1/8",
    ),
    (
        "POST",
        "/steering",
        r#"{"name":"n","tenant":"east","verdict":"drop","source_ports":"9-7"}"#,
        400,
        "9-7",
    ),
    ("POST", "/steering", r#"{"name":"n","tenant":"east","verdict":"tool none"}"#, 409, "none"),
    ("POST", "/steering/test", r#"{"tenant":"east","source":"10.0.0.1:1","destination":"::1:2"}"#, 400, ""),
    ("DELETE", "/steering/none", "", 404, "there is no steering rule `none`"),
    ("PUT", "/tenants/east/rules", r#"{"files":[{"name":"../../x.rules","text":""}]}"#, 400, "name"),
    ("PUT", "/tenants/east/rules", r#"{"files":[{"name":"x\u0000.rules","text":""}]}"#, 400, "name"),
    ("PUT", "/tenants/east/rules", r#"{"files":[{"name":"x.rules","text":"nonsense"}]}"#, 409, "x.rules:1:"),
    ("PUT", "/tenants/east/rules", r#"{"files":[]}"#, 400, "file"),
    ("DELETE", "/tenants/east/rules?names=none.rules", "", 404, "none.rules"),
    ("PUT", "/config", r#"{"text":"[dataplane]\nworkers = 0\n"}"#, 409, "workers"),
    ("PUT", "/config", r#"{"text":"\u0000"}"#, 409, ""),
];

#[test]
fn nonsense_is_refused_and_changes_nothing() {
    let appliance = Appliance::start();
    let before = appliance.state();
    for &(method, path, body, status, words) in REFUSED {
        let body = (!body.is_empty()).then_some(body.as_bytes());
        let answer = send(&appliance.socket(), None, method, path, body);
        assert_eq!(answer.status, status, "{method} {path} {body:?}: {answer:?}");
        let problems = answer.json()["problems"].to_string();
        assert!(problems.len() > 10 && problems.contains(words), "{method} {path} {body:?}: {answer:?}");
    }
    let deep = "[".repeat(200_000);
    let long = json!({"name": "x".repeat(1 << 20)}).to_string();
    for body in [deep.as_bytes(), long.as_bytes(), b"{\"name\":\"\xff\"}", b"\xff\xfe", b""] {
        let answer = send(&appliance.socket(), None, "POST", "/tenants", Some(body));
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.body.len() < 1000, "a refusal does not repeat what it refuses: {}", answer.body.len());
    }
    assert_eq!(appliance.state(), before);
}

#[test]
fn what_is_no_request_costs_nothing() {
    let appliance = Appliance::start();
    let before = appliance.state();
    let socket = appliance.socket();
    let post = "POST /v1/tenants HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let json = "content-type: application/json\r\n";
    let with_status = [
        (format!("{post}content-type: text/plain\r\ncontent-length: 2\r\n\r\n{{}}"), 400),
        (format!("{post}{json}content-length: 99999999999\r\n\r\n{{\"name\":\"new\"}}"), 413),
        (format!("{post}authorization: Basic cm9vdDpyb290\r\n{json}content-length: 2\r\n\r\n{{}}"), 401),
        (format!("{post}authorization: Bearer \r\n{json}content-length: 2\r\n\r\n{{}}"), 401),
        (format!("{post}{json}content-length: -5\r\n\r\n{{}}"), 400),
        (format!("{post}{json}transfer-encoding: chunked\r\n\r\nzz\r\n"), 400),
    ];
    for (request, status) in with_status {
        let answer = answer(&exchange(&socket, request.as_bytes()));
        assert_eq!(answer.status, status, "{request}: {answer:?}");
    }
    // More than a body may be, without its length being told beforehand.
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    let huge = format!("{post}{json}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(70));
    let refused = answer(&exchange(&socket, huge.as_bytes()));
    assert_eq!((refused.status, refused.body.contains("larger than")), (413, true), "{refused:?}");
    let half = format!("{post}{json}content-length: 40\r\n\r\n{{\"name\":\"new\"}}");
    for garbage in ["\0\0\0\0", "GET", "\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", &post[..40], &half] {
        cut_short(&socket, garbage.as_bytes());
    }
    // Connections that say nothing do not keep others from being answered.
    let idle: Vec<UnixStream> = (0..20).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    assert_eq!(appliance.state(), before);
    drop(idle);
    assert_eq!(appliance.state(), before);
}
