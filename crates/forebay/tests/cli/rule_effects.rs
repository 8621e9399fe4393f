//! Keywords that do something when their rule matches, and what reads it: variables, `bypass`, `config`.

use super::keywords::{connection, sids};
use super::place::Place;

fn requests(count: usize) -> Vec<Vec<u8>> {
    let request = |number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    let response = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec();
    let turns: Vec<Vec<u8>> = (0..count).flat_map(|number| [request(number), response.clone()]).collect();
    connection(&turns.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

#[test]
fn captured_variables_can_be_asked_for() {
    let rules = "\
        alert http any any -> any any (http.uri; pktvar:what,\"1\"; content:\"/\"; priority:1; sid:1;)\n\
        alert http any any -> any any (http.uri; pcre:\"/(\\d)/,pkt:what\"; sid:2;)\n\
        alert http any any -> any any (http.method; content:\"GET\"; flowvar:who,ET; sid:3;)\n\
        alert http any any -> any any (http.uri; content:\"/1\"; http.method; pcre:\"/(.*)/,flow:who\"; sid:4;)\n\
        alert http any any -> any any (http.method; content:\"GET\"; flowvar:who,\"GET|20|\"; sid:5;)\n\
        alert http any any -> any any (http.method; content:\"GET\"; flowvar:WHO,\"GET\"; sid:6;)\n";
    let events = Place::new().compare(&requests(3), rules, "", &[]);
    // What rules about transactions capture is there from the next packet on, and so no variable of their packet.
    assert_eq!(sids(&events), [2, 2, 2, 3, 4]);
    let rules = "\
        alert tcp any any -> any any (flow:to_server; content:\"GET\"; pktvar:what,\"T /\"; priority:1; sid:1;)\n\
        alert tcp any any -> any any (flow:to_server; pcre:\"/GE(. .)/,pkt:what\"; sid:2;)\n\
        alert tcp any any -> any any (flow:to_server; content:\"GET\"; flowvar:who,T; sid:3;)\n\
        alert tcp any any -> any any (flow:to_server; content:\"GET\"; pcre:\"/(.*)\\/0/,flow:who\"; sid:4;)\n";
    let events = Place::new().compare(&requests(1), rules, "", &[]);
    assert_eq!(sids(&events), [1, 2, 3, 4]);
}

#[test]
fn a_bypassed_flow_is_counted_and_no_more() {
    let rules = "\
        alert http any any -> any any (http.uri; content:\"/2\"; bypass; sid:1;)\n\
        alert http any any -> any any (http.method; content:\"GET\"; sid:2;)\n\
        alert tcp any any -> any any (flags:F,CE; sid:3;)\n";
    let events = Place::new().compare(&requests(5), rules, "", &[]);
    assert_eq!(sids(&events), [1, 2, 2, 2]);
    let logged = events.iter().filter(|event| event["event_type"] == "http").count();
    assert_eq!(logged, 3, "what there is of the last one, too");
    let flow = events.iter().find(|event| event["event_type"] == "flow").unwrap();
    assert_eq!((&flow["flow"]["state"], &flow["flow"]["bypass"]), (&"bypassed".into(), &"local".into()));
    assert_eq!((&flow["flow"]["pkts_toserver"], &flow["app_proto"]), (&14.into(), &"http".into()));
    assert_eq!(flow["flow"]["bypassed"]["pkts_toserver"], 0);
}

#[test]
fn a_transaction_that_a_rule_says_so_of_is_not_logged() {
    let rules = "\
        config http any any -> any any (http.uri; content:\"/1\"; config:logging disable, type tx, scope tx; sid:1;)\n\
        alert http any any -> any any (http.uri; content:\"/2\"; config:logging disable, type tx, scope tx; sid:2;)\n";
    let events = Place::new().compare(&requests(4), rules, "", &[]);
    assert_eq!(sids(&events), [2]);
    let of = |kind: &str| -> Vec<&str> {
        let events = events.iter().filter(|event| event["event_type"] == kind);
        events.filter_map(|event| event["http"]["url"].as_str()).collect()
    };
    assert_eq!(of("http"), ["/0", "/3"]);
    assert_eq!(of("fileinfo"), ["/0", "/1", "/2", "/3"]);
}
