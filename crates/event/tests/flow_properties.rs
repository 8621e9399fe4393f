//! Whatever a flow record holds, its line is one line of valid JSON with the same values.

#![allow(clippy::unwrap_used)]

mod serde_form;

use std::net::IpAddr;

use event::{
    Event, FlowEnd, FlowRecord, FlowState, Label, Ports, Stats, TcpState, TcpSummary, Verdict, Volume,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};

/// The last microsecond that the oracle can write.
const YEAR_9999_US: u64 = 253_402_300_799_999_999;

fn label() -> impl Strategy<Value = Label> {
    any::<String>().prop_map(|text| {
        let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= 63).last();
        Label::new(&text[..end.unwrap_or(0)]).unwrap()
    })
}

fn ports() -> impl Strategy<Value = Ports> {
    prop_oneof![
        any::<(u16, u16)>().prop_map(|(src, dest)| Ports::Pair { src, dest }),
        any::<(u8, u8, Option<(u8, u8)>)>().prop_map(|(icmp_type, icmp_code, response)| Ports::Icmp {
            icmp_type,
            icmp_code,
            response
        }),
        Just(Ports::None),
    ]
}

fn tcp() -> impl Strategy<Value = TcpSummary> {
    let states = [
        TcpState::None,
        TcpState::SynSent,
        TcpState::SynRecv,
        TcpState::Established,
        TcpState::FinWait1,
        TcpState::FinWait2,
        TcpState::TimeWait,
        TcpState::LastAck,
        TcpState::CloseWait,
        TcpState::Closing,
        TcpState::Closed,
    ];
    (any::<u8>(), any::<u8>(), proptest::option::of(proptest::sample::select(states.to_vec()))).prop_map(
        |(flags_to_server, flags_to_client, state)| TcpSummary { flags_to_server, flags_to_client, state },
    )
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        label().prop_map(Verdict::Pipeline),
        Just(Verdict::Shunt),
        Just(Verdict::Drop),
        label().prop_map(Verdict::Tool),
    ]
}

fn volume() -> impl Strategy<Value = Volume> {
    any::<(u64, u64)>().prop_map(|(packets, bytes)| Volume { packets, bytes })
}

fn record() -> impl Strategy<Value = FlowRecord> {
    let who = (any::<(IpAddr, IpAddr, u8)>(), ports(), any::<[Option<u16>; 2]>(), any::<u64>(), label());
    let what = (
        volume(),
        volume(),
        proptest::option::of(tcp()),
        verdict(),
        proptest::option::of(any::<String>().prop_map(|text| &*text.leak())),
        any::<Option<u16>>(),
    );
    let how = (
        proptest::sample::select(vec![FlowState::New, FlowState::Established, FlowState::Closed]),
        proptest::sample::select(vec![FlowEnd::Timeout, FlowEnd::Forced, FlowEnd::Shutdown]),
        any::<bool>(),
        [0..=YEAR_9999_US, 0..=YEAR_9999_US, 0..=YEAR_9999_US],
    );
    (who, what, how).prop_map(|(who, what, how)| {
        let ((src_ip, dest_ip, protocol), ports, vlans, flow_id, tenant) = who;
        let (to_server, to_client, tcp, verdict, app_proto, community_id_seed) = what;
        let (state, reason, alerted, [timestamp_us, start_us, end_us]) = how;
        FlowRecord {
            timestamp_us,
            flow_id,
            vlans,
            src_ip,
            dest_ip,
            protocol,
            ports,
            app_proto,
            to_server,
            to_client,
            start_us,
            end_us,
            state,
            reason,
            alerted,
            community_id_seed,
            tcp,
            tenant,
            verdict,
        }
    })
}

fn one_line(event: &Event) -> (Vec<u8>, Value) {
    let mut line = Vec::new();
    event.encode(&mut line);
    let (newline, rest) = line.split_last().unwrap();
    assert_eq!(*newline, b'\n');
    assert!(!rest.contains(&b'\n'), "an event must be one line");
    let value = serde_json::from_slice(&line).unwrap();
    (line, value)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_line_is_what_serde_would_write(record in record()) {
        let (line, _) = one_line(&Event::Flow(record));
        let mut expected = Vec::new();
        serde_form::encode(&record, &mut expected);
        prop_assert_eq!(String::from_utf8(line).unwrap(), String::from_utf8(expected).unwrap());
    }

    #[test]
    fn every_value_reads_back(record in record()) {
        let (_, value) = one_line(&Event::Flow(record));
        prop_assert_eq!(&value["flow_id"], &json!(record.flow_id));
        prop_assert_eq!(&value["flow"]["pkts_toserver"], &json!(record.to_server.packets));
        prop_assert_eq!(&value["flow"]["bytes_toclient"], &json!(record.to_client.bytes));
        prop_assert_eq!(&value["flow"]["alerted"], &json!(record.alerted));
        prop_assert_eq!(&value["tenant"], &json!(record.tenant.as_str()));
        prop_assert_eq!(value.get("app_proto").and_then(Value::as_str), record.app_proto);
        for (key, ip) in [("src_ip", record.src_ip), ("dest_ip", record.dest_ip)] {
            prop_assert_eq!(value[key].as_str().unwrap().parse::<IpAddr>().unwrap(), ip);
        }
        let verdict = match record.verdict {
            Verdict::Pipeline(name) => format!("pipeline:{name}"),
            Verdict::Shunt => "shunt".to_owned(),
            Verdict::Drop => "drop".to_owned(),
            Verdict::Tool(name) => format!("tool:{name}"),
        };
        prop_assert_eq!(&value["verdict"], &json!(verdict));
        prop_assert_eq!(value.get("community_id").is_some(), record.community_id_seed.is_some());
        prop_assert_eq!(value.get("vlan").is_some(), record.vlans != [None, None]);
    }

    #[test]
    fn times_beyond_the_year_9999_are_still_json(mut record in record(), time_us in YEAR_9999_US..) {
        record.end_us = time_us;
        let (_, value) = one_line(&Event::Flow(record));
        prop_assert!(value["flow"]["end"].as_str().unwrap().ends_with("+0000"));
    }

    #[test]
    fn any_name_and_reason_leaves_statistics_one_line(
        name in label(),
        reason in any::<String>().prop_map(|text| &*text.leak()),
        packets in any::<u64>(),
    ) {
        let tenant = event::stats::TenantStats {
            name,
            packets,
            bytes: packets,
            flows: 0,
            alerts: 0,
            not_inspected: [(reason, packets)].into(),
        };
        let stats = Stats { malformed: [(reason, packets)].into(), tenants: vec![tenant], ..Stats::default() };
        let (_, value) = one_line(&Event::Stats(Box::new(stats)));
        let stats = &value["stats"];
        prop_assert_eq!(&stats["decoder"]["event"][reason], &json!(packets));
        prop_assert_eq!(&stats["tenants"][0]["name"], &json!(name.as_str()));
        prop_assert_eq!(&stats["tenants"][0]["not_inspected"][reason], &json!(packets));
    }
}

#[test]
fn a_grown_buffer_is_not_grown_again() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let record = record().new_tree(&mut runner).unwrap().current();
    let mut line = Vec::new();
    record.encode(&mut line);
    let capacity = line.capacity();
    for _ in 0..100 {
        line.clear();
        record.encode(&mut line);
    }
    assert_eq!(line.capacity(), capacity);
}
