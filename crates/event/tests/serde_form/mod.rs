//! Flow records through `serde_json` and derived `Serialize`: the plain way, kept as the oracle for the bytes of the
//! hand-written encoder and as the yardstick for its cost.

#![allow(
    clippy::unwrap_used,
    clippy::many_single_char_names,
    clippy::trivially_copy_pass_by_ref,
    clippy::struct_field_names
)]

use std::net::IpAddr;

use event::{FlowRecord, Ports, TcpSummary, Verdict, Volume};
use serde::{Serialize, Serializer};

/// Appends the record to `to` as one line.
pub(crate) fn encode(record: &FlowRecord, to: &mut Vec<u8>) {
    serde_json::to_writer(&mut *to, &Line::from(record)).unwrap();
    to.push(b'\n');
}

#[derive(Serialize)]
struct Line<'a> {
    timestamp: Timestamp,
    flow_id: u64,
    event_type: &'static str,
    #[serde(skip_serializing_if = "no_vlan", serialize_with = "vlans")]
    vlan: [Option<u16>; 2],
    #[serde(serialize_with = "full_address")]
    src_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    src_port: Option<u16>,
    #[serde(serialize_with = "full_address")]
    dest_ip: IpAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    dest_port: Option<u16>,
    proto: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    icmp_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_icmp_type: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_icmp_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_proto: Option<&'static str>,
    flow: Flow,
    #[serde(skip_serializing_if = "Option::is_none")]
    community_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tcp: Option<Tcp>,
    tenant: &'a str,
    #[serde(serialize_with = "verdict")]
    verdict: Verdict,
}

#[derive(Serialize)]
struct Flow {
    pkts_toserver: u64,
    pkts_toclient: u64,
    bytes_toserver: u64,
    bytes_toclient: u64,
    start: Timestamp,
    end: Timestamp,
    age: u64,
    state: &'static str,
    reason: &'static str,
    alerted: bool,
}

#[derive(Serialize)]
struct Tcp {
    tcp_flags: Hex,
    tcp_flags_ts: Hex,
    tcp_flags_tc: Hex,
    #[serde(skip_serializing_if = "unset")]
    syn: bool,
    #[serde(skip_serializing_if = "unset")]
    fin: bool,
    #[serde(skip_serializing_if = "unset")]
    rst: bool,
    #[serde(skip_serializing_if = "unset")]
    psh: bool,
    #[serde(skip_serializing_if = "unset")]
    ack: bool,
    #[serde(skip_serializing_if = "unset")]
    urg: bool,
    #[serde(skip_serializing_if = "unset")]
    ecn: bool,
    #[serde(skip_serializing_if = "unset")]
    cwr: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

impl<'a> From<&'a FlowRecord> for Line<'a> {
    fn from(record: &'a FlowRecord) -> Self {
        let pair = match record.ports {
            Ports::Pair { src, dest } => Some((src, dest)),
            _ => None,
        };
        let icmp = match record.ports {
            Ports::Icmp { icmp_type, icmp_code, response } => Some((icmp_type, icmp_code, response)),
            _ => None,
        };
        let response = icmp.and_then(|(_, _, response)| response);
        let Volume { packets: pkts_toserver, bytes: bytes_toserver } = record.to_server;
        let Volume { packets: pkts_toclient, bytes: bytes_toclient } = record.to_client;
        Self {
            timestamp: Timestamp(record.timestamp_us),
            flow_id: record.flow_id,
            event_type: "flow",
            vlan: record.vlans,
            src_ip: record.src_ip,
            src_port: pair.map(|pair| pair.0),
            dest_ip: record.dest_ip,
            dest_port: pair.map(|pair| pair.1),
            proto: event::protocol::name(record.protocol),
            icmp_type: icmp.map(|icmp| icmp.0),
            icmp_code: icmp.map(|icmp| icmp.1),
            response_icmp_type: response.map(|response| response.0),
            response_icmp_code: response.map(|response| response.1),
            app_proto: record.app_proto,
            flow: Flow {
                pkts_toserver,
                pkts_toclient,
                bytes_toserver,
                bytes_toclient,
                start: Timestamp(record.start_us),
                end: Timestamp(record.end_us),
                age: (record.end_us / 1_000_000).saturating_sub(record.start_us / 1_000_000),
                state: record.state.as_str(),
                reason: record.reason.as_str(),
                alerted: record.alerted,
            },
            community_id: record.community_id_seed.map(|seed| {
                let id = event::CommunityId::new(
                    seed,
                    record.protocol,
                    record.src_ip,
                    record.dest_ip,
                    record.ports,
                );
                let mut text = Vec::with_capacity(30);
                id.append_base64(&mut text);
                String::from_utf8(text).unwrap()
            }),
            tcp: record.tcp.as_ref().map(Tcp::from),
            tenant: record.tenant.as_str(),
            verdict: record.verdict,
        }
    }
}

impl From<&TcpSummary> for Tcp {
    fn from(tcp: &TcpSummary) -> Self {
        let flags = tcp.flags_to_server | tcp.flags_to_client;
        Self {
            tcp_flags: Hex(flags),
            tcp_flags_ts: Hex(tcp.flags_to_server),
            tcp_flags_tc: Hex(tcp.flags_to_client),
            fin: flags & 1 != 0,
            syn: flags & 2 != 0,
            rst: flags & 4 != 0,
            psh: flags & 8 != 0,
            ack: flags & 16 != 0,
            urg: flags & 32 != 0,
            ecn: flags & 64 != 0,
            cwr: flags & 128 != 0,
            state: tcp.state.map(event::TcpState::as_str),
        }
    }
}

fn unset(flag: &bool) -> bool {
    !flag
}

fn no_vlan(vlans: &[Option<u16>; 2]) -> bool {
    *vlans == [None, None]
}

fn vlans<S: Serializer>(vlans: &[Option<u16>; 2], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(vlans.iter().flatten())
}

fn verdict<S: Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    match verdict {
        Verdict::Pipeline(name) => serializer.collect_str(&format_args!("pipeline:{name}")),
        Verdict::Shunt => serializer.serialize_str("shunt"),
        Verdict::Drop => serializer.serialize_str("drop"),
        Verdict::Tool(name) => serializer.collect_str(&format_args!("tool:{name}")),
    }
}

fn full_address<S: Serializer>(ip: &IpAddr, serializer: S) -> Result<S::Ok, S::Error> {
    let IpAddr::V6(v6) = ip else { return serializer.collect_str(ip) };
    let mut text = [b':'; 39];
    for (at, byte) in v6.octets().into_iter().enumerate() {
        let place = at * 2 + at / 2;
        text[place] = b"0123456789abcdef"[usize::from(byte >> 4)];
        text[place + 1] = b"0123456789abcdef"[usize::from(byte & 15)];
    }
    serializer.serialize_str(std::str::from_utf8(&text).unwrap())
}

struct Hex(u8);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let digits = [self.0 >> 4, self.0 & 15].map(|nibble| b"0123456789abcdef"[usize::from(nibble)]);
        serializer.serialize_str(std::str::from_utf8(&digits).unwrap())
    }
}

/// Microseconds since the Unix epoch, up to the year 9999.
struct Timestamp(u64);

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (year, month, day) = date(seconds / 86_400);
        let second = seconds % 86_400;
        let mut text = *b"0000-00-00T00:00:00.000000+0000";
        for (last, mut value) in [
            (3, year),
            (6, month),
            (9, day),
            (12, second / 3600),
            (15, second / 60 % 60),
            (18, second % 60),
            (25, micros),
        ] {
            for digit in text[..=last].iter_mut().rev() {
                *digit += (value % 10) as u8;
                value /= 10;
                if value == 0 {
                    break;
                }
            }
        }
        serializer.serialize_str(std::str::from_utf8(&text).unwrap())
    }
}

/// Fliegel and Van Flandern, "A machine algorithm for processing calendar dates" (Communications of the ACM 11, 1968).
fn date(days_since_epoch: u64) -> (u64, u64, u64) {
    let julian_day = days_since_epoch + 2_440_588;
    let l = julian_day + 68_569;
    let n = 4 * l / 146_097;
    let l = l - (146_097 * n).div_ceil(4);
    let i = 4_000 * (l + 1) / 1_461_001;
    let l = l - 1_461 * i / 4 + 31;
    let j = 80 * l / 2_447;
    let day = l - 2_447 * j / 80;
    let l = j / 11;
    (100 * (n - 49) + i + l, j + 2 - 12 * l, day)
}
