//! Lines that Suricata 7.0.10 wrote, encoded again by us.
//!
//! `suricata/flow.jsonl` has one flow event of every kind: most from a capture of an enterprise network, those with VLAN
//! tags, Community IDs, SCTP, every TCP flag and rarer ICMP types from frames made for it. `suricata/stats.json` is the
//! statistics event of the first.

#![allow(clippy::unwrap_used)]

use event::community_id::icmp_counterpart;
use event::stats::{Decoder, Defrag, FlowEndStates, FlowEndTcpStates, Flows, TenantStats};
use event::{FlowEnd, FlowRecord, FlowState, Label, Ports, Stats, TcpState, TcpSummary, Verdict, Volume};
use serde_json::{Map, Value, json};

const FLOWS: &str = include_str!("suricata/flow.jsonl");
const STATS: &str = include_str!("suricata/stats.json");

/// What a flow event of Suricata's has of stream reassembly, which Forebay does not do yet.
const NOT_OURS: [&str; 4] = ["tc_gap", "ts_gap", "ts_max_regions", "tc_max_regions"];

/// Suricata 7.0.10 orders the addresses of one-way ICMP messages too before it hashes them, where the specification (and
/// Zeek) keep their direction: those Community IDs differ, and ours is the specification's.
fn is_one_way(record: &FlowRecord) -> bool {
    match record.ports {
        Ports::Icmp { icmp_type, .. } => icmp_counterpart(record.protocol, icmp_type).is_none(),
        Ports::Pair { .. } | Ports::None => false,
    }
}

/// The record that a line of Suricata's describes.
fn record(event: &Value) -> FlowRecord {
    let number = |value: &Value| value.as_u64().unwrap();
    let byte = |key: &str| event.get(key).map(|value| u8::try_from(number(value)).unwrap());
    let port = |key: &str| event.get(key).map(|value| u16::try_from(number(value)).unwrap());
    let vlan = |at: usize| event.pointer(&format!("/vlan/{at}")).map(|id| u16::try_from(number(id)).unwrap());
    let flow = &event["flow"];
    let protocol = (0..=255).find(|&protocol| event["proto"] == event::protocol::name(protocol)).unwrap();
    FlowRecord {
        timestamp_us: time(&event["timestamp"]),
        flow_id: number(&event["flow_id"]),
        vlans: [vlan(0), vlan(1)],
        src_ip: event["src_ip"].as_str().unwrap().parse().unwrap(),
        dest_ip: event["dest_ip"].as_str().unwrap().parse().unwrap(),
        protocol,
        ports: match (port("src_port"), byte("icmp_type")) {
            (Some(src), None) => Ports::Pair { src, dest: port("dest_port").unwrap() },
            (None, Some(icmp_type)) => Ports::Icmp {
                icmp_type,
                icmp_code: byte("icmp_code").unwrap(),
                response: byte("response_icmp_type").zip(byte("response_icmp_code")),
            },
            _ => Ports::None,
        },
        app_proto: event["app_proto"].as_str().map(|name| &*name.to_owned().leak()),
        to_server: Volume { packets: number(&flow["pkts_toserver"]), bytes: number(&flow["bytes_toserver"]) },
        to_client: Volume { packets: number(&flow["pkts_toclient"]), bytes: number(&flow["bytes_toclient"]) },
        start_us: time(&flow["start"]),
        end_us: time(&flow["end"]),
        state: match flow["state"].as_str().unwrap() {
            "new" => FlowState::New,
            "established" => FlowState::Established,
            "closed" => FlowState::Closed,
            other => panic!("{other}"),
        },
        reason: match flow["reason"].as_str().unwrap() {
            "shutdown" => FlowEnd::Shutdown,
            "timeout" => FlowEnd::Timeout,
            "forced" => FlowEnd::Forced,
            other => panic!("{other}"),
        },
        alerted: flow["alerted"].as_bool().unwrap(),
        community_id_seed: event.get("community_id").map(|_| 0),
        tcp: event.get("tcp").map(tcp),
        tenant: Label::new("t").unwrap(),
        verdict: Verdict::Shunt,
    }
}

fn tcp(tcp: &Value) -> TcpSummary {
    let flags = |key: &str| u8::from_str_radix(tcp[key].as_str().unwrap(), 16).unwrap();
    TcpSummary {
        flags_to_server: flags("tcp_flags_ts"),
        flags_to_client: flags("tcp_flags_tc"),
        state: tcp.get("state").map(|state| match state.as_str().unwrap() {
            "syn_sent" => TcpState::SynSent,
            "established" => TcpState::Established,
            "fin_wait1" => TcpState::FinWait1,
            "fin_wait2" => TcpState::FinWait2,
            "last_ack" => TcpState::LastAck,
            "close_wait" => TcpState::CloseWait,
            "closed" => TcpState::Closed,
            other => panic!("{other}"),
        }),
    }
}

/// Microseconds since the epoch; all the lines are of one day.
fn time(text: &Value) -> u64 {
    const MIDNIGHT_S: u64 = 1_699_920_000;
    let time = text.as_str().unwrap().strip_prefix("2023-11-14T").unwrap().strip_suffix("+0000").unwrap();
    let [hours, minutes, seconds, micros] = time
        .split([':', '.'])
        .map(|part| part.parse::<u64>().unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    (MIDNIGHT_S + hours * 3600 + minutes * 60 + seconds) * 1_000_000 + micros
}

/// The line without `,"key":value` for each of the keys, whose values have no comma or brace.
fn without(line: &str, keys: &[&str]) -> String {
    let mut line = line.to_owned();
    for key in keys {
        let member = format!(",\"{key}\":");
        if let Some(from) = line.find(&member) {
            let after = from + member.len();
            let len = line[after..].find([',', '}']).unwrap();
            line.replace_range(from..after + len, "");
        }
    }
    line
}

#[test]
fn flow_events_are_suricatas_byte_for_byte() {
    assert!(FLOWS.lines().count() >= 25);
    let mut community_ids = 0;
    for theirs in FLOWS.lines() {
        let value: Value = serde_json::from_str(theirs).unwrap();
        let record = record(&value);
        let mut ours = Vec::new();
        record.encode(&mut ours);
        let mut ours = without(std::str::from_utf8(&ours).unwrap().trim_end(), &["tenant", "verdict"]);
        let mut theirs = without(theirs, &NOT_OURS);
        if is_one_way(&record) {
            (ours, theirs) = (without(&ours, &["community_id"]), without(&theirs, &["community_id"]));
        } else {
            community_ids += u32::from(record.community_id_seed.is_some());
        }
        assert_eq!(ours, theirs);
    }
    assert!(community_ids >= 4, "{community_ids} Community IDs compared");
}

fn stats() -> Stats {
    Stats {
        timestamp_us: 1_700_000_011_966_203,
        uptime_s: 10,
        decoder: Decoder {
            pkts: 4,
            bytes: 799,
            ipv4: 3,
            invalid: 1,
            max_pkt_size: 600,
            ..Decoder::default()
        },
        malformed: [("udp_length_invalid", 0), ("ipv4_header_truncated", 1)].into(),
        flow: Flows { total: 2, udp: 2, ..Flows::default() },
        flow_end: FlowEndStates { new: 1, ..FlowEndStates::default() },
        flow_end_tcp: FlowEndTcpStates::default(),
        defrag_ipv4: Defrag { fragments: 2, reassembled: 1 },
        defrag_ipv6: Defrag::default(),
        tenants: vec![
            TenantStats {
                name: Label::new("branch-1").unwrap(),
                packets: 3,
                bytes: 700,
                flows: 2,
                alerts: 0,
                not_inspected: [("shunt", 2), ("headers_only", 1)].into(),
            },
            TenantStats {
                name: Label::new("branch-2").unwrap(),
                packets: 0,
                bytes: 0,
                flows: 0,
                alerts: 0,
                not_inspected: [].into(),
            },
        ],
    }
}

#[test]
fn statistics_have_a_fixed_form() {
    let mut line = Vec::new();
    stats().encode(&mut line);
    let expected = concat!(
        r#"{"timestamp":"2023-11-14T22:13:31.966203+0000","event_type":"stats","stats":{"uptime":10,"decoder":{"#,
        r#""pkts":4,"bytes":799,"invalid":1,"ipv4":3,"ipv6":0,"ethernet":0,"arp":0,"unknown_ethertype":0,"tcp":0,"#,
        r#""udp":0,"sctp":0,"icmpv4":0,"icmpv6":0,"geneve":0,"gre":0,"vlan":0,"vlan_qinq":0,"vxlan":0,"#,
        r#""ipv4_in_ipv4":0,"ipv6_in_ipv4":0,"ipv4_in_ipv6":0,"ipv6_in_ipv6":0,"max_pkt_size":600,"#,
        r#""avg_pkt_size":199,"event":{"ipv4_header_truncated":1,"udp_length_invalid":0}},"flow":{"total":2,"#,
        r#""active":0,"tcp":0,"udp":2,"icmpv4":0,"icmpv6":0,"end":{"state":{"new":1,"established":0,"closed":0},"#,
        r#""tcp_state":{"none":0,"syn_sent":0,"syn_recv":0,"established":0,"fin_wait1":0,"fin_wait2":0,"#,
        r#""time_wait":0,"last_ack":0,"close_wait":0,"closing":0,"closed":0}}},"defrag":{"ipv4":{"fragments":2,"#,
        r#""reassembled":1},"ipv6":{"fragments":0,"reassembled":0}},"tenants":[{"name":"branch-1","packets":3,"#,
        r#""bytes":700,"flows":2,"alerts":0,"not_inspected":{"headers_only":1,"shunt":2}},{"name":"branch-2","#,
        r#""packets":0,"bytes":0,"flows":0,"alerts":0,"not_inspected":{}}]}}"#,
        "\n",
    );
    assert_eq!(String::from_utf8(line).unwrap(), expected);
}

/// Every counter of ours is where Suricata has the one of that name, except for the few that are our own.
#[test]
fn statistics_are_where_suricata_has_them() {
    const OWN: [&str; 4] =
        ["stats.decoder.ipv4_in_ipv4", "stats.decoder.ipv6_in_ipv4", "stats.decoder.event", "stats.tenants"];
    let mut line = Vec::new();
    stats().encode(&mut line);
    let ours: Map<String, Value> = serde_json::from_slice(&line).unwrap();
    let theirs: Map<String, Value> = serde_json::from_str(STATS).unwrap();
    let mut leaves = 0;
    compare(&ours, &theirs, "", &OWN, &mut leaves);
    assert!(leaves >= 48, "{leaves} counters compared");
}

fn compare(
    ours: &Map<String, Value>,
    theirs: &Map<String, Value>,
    path: &str,
    own: &[&str],
    leaves: &mut u32,
) {
    for (key, our) in ours {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if own.contains(&path.as_str()) {
            continue;
        }
        match (our, theirs.get(key)) {
            (Value::Object(our), Some(Value::Object(their))) => compare(our, their, &path, own, leaves),
            (Value::Number(_), Some(Value::Number(_))) | (Value::String(_), Some(Value::String(_))) => {
                *leaves += 1;
            }
            (_, their) => panic!("{path}: {our} for Suricata's {their:?}"),
        }
    }
}

#[test]
fn nothing_received_is_not_a_division_by_zero() {
    let mut line = Vec::new();
    Stats::default().encode(&mut line);
    let value: Value = serde_json::from_slice(&line).unwrap();
    assert_eq!(value["stats"]["decoder"]["avg_pkt_size"], json!(0));
    assert_eq!(value["stats"]["tenants"], json!([]));
}
