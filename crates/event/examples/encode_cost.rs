//! Encodes a typical flow record many times, to count instructions an event:
//! `valgrind --tool=callgrind target/release/examples/encode_cost hand|serde RECORDS [community-id]`.

#[path = "../tests/serde_form/mod.rs"]
mod serde_form;

use std::process::ExitCode;

use event::{FlowEnd, FlowRecord, FlowState, Label, Ports, TcpState, TcpSummary, Verdict, Volume};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [form, records, rest @ ..] = arguments.as_slice() else { return usage() };
    let encode: fn(&FlowRecord, &mut Vec<u8>) = match form.as_str() {
        "hand" => FlowRecord::encode,
        "serde" => serde_form::encode,
        _ => return usage(),
    };
    let Ok(records) = records.parse::<u64>() else { return usage() };
    let (Ok(tenant), Ok(pipeline)) = (Label::new("branch-017"), Label::new("full")) else { return usage() };
    let mut record = FlowRecord {
        timestamp_us: 1_700_000_011_966_203,
        flow_id: 1_106_312_210_612_284,
        vlans: [Some(117), None],
        src_ip: [10, 10, 34, 184].into(),
        dest_ip: [172, 19, 23, 143].into(),
        protocol: event::protocol::TCP,
        ports: Ports::Pair { src: 56_493, dest: 445 },
        app_proto: None,
        to_server: Volume { packets: 50, bytes: 13_235 },
        to_client: Volume { packets: 47, bytes: 12_812 },
        start_us: 1_700_000_003_257_583,
        end_us: 1_700_000_004_372_510,
        state: FlowState::Established,
        reason: FlowEnd::Timeout,
        alerted: false,
        community_id_seed: rest.first().map(|_| 0),
        tcp: Some(TcpSummary {
            flags_to_server: 0x1a,
            flags_to_client: 0x1a,
            state: Some(TcpState::Established),
        }),
        tenant,
        verdict: Verdict::Pipeline(pipeline),
    };
    let mut line = Vec::with_capacity(4096);
    let mut bytes = 0;
    for flow_id in 0..records {
        record.flow_id = flow_id << 20;
        line.clear();
        encode(&record, &mut line);
        bytes += line.len();
    }
    println!("{records} records, {bytes} bytes");
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    eprintln!("usage: encode_cost hand|serde RECORDS [community-id]");
    ExitCode::from(2)
}
