//! The EVE `flow` event: what a flow was, written when it ends.
//!
//! The line is written by hand rather than through `serde`: it takes a fraction of the instructions (the
//! `encode_cost` example measures both), and a `serde` form in the tests proves that the bytes are the same.

use std::net::IpAddr;

use crate::common;
use crate::json::{escaped, hex, literal, number_after, string, timestamp};
use crate::label::Label;

/// More than a usual line; the buffer is grown once for all of it.
const LINE_BYTES: usize = 1024;

/// A finished flow. "To server" is the direction of the flow's first packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlowRecord {
    /// When the record was made, in microseconds since the Unix epoch.
    pub timestamp_us: u64,
    /// Names the flow in all its events. Below 2^53, so that readers that hold numbers as doubles keep it exact.
    pub flow_id: u64,
    /// VLAN identifiers, outermost first.
    pub vlans: [Option<u16>; 2],
    /// Who began the flow.
    pub src_ip: IpAddr,
    /// Who answered, or should have.
    pub dest_ip: IpAddr,
    /// IP protocol number (IANA).
    pub protocol: u8,
    /// Ports, or what ICMP has instead.
    pub ports: Ports,
    /// Application protocol by EVE's name, when it was recognised.
    pub app_proto: Option<&'static str>,
    /// From the source to the destination.
    pub to_server: Volume,
    /// The other way.
    pub to_client: Volume,
    /// Time of the first packet, in microseconds since the Unix epoch.
    pub start_us: u64,
    /// Time of the last packet, in microseconds since the Unix epoch.
    pub end_us: u64,
    /// How far the flow had come.
    pub state: FlowState,
    /// Why the record was made now.
    pub reason: FlowEnd,
    /// Whether a signature matched in the flow.
    pub alerted: bool,
    /// Seed of the flow's Community ID; `None` leaves the field out.
    pub community_id_seed: Option<u16>,
    /// TCP's own part; `None` unless the protocol is TCP.
    pub tcp: Option<TcpSummary>,
    /// Whose traffic it was.
    pub tenant: Label,
    /// What steering decided.
    pub verdict: Verdict,
}

/// What identifies a flow beside addresses and protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ports {
    /// TCP, UDP and SCTP.
    Pair {
        /// Source port.
        src: u16,
        /// Destination port.
        dest: u16,
    },
    /// ICMP and `ICMPv6`.
    Icmp {
        /// Type of the first message.
        icmp_type: u8,
        /// Code of the first message.
        icmp_code: u8,
        /// Type and code of the first answer, when there was one.
        response: Option<(u8, u8)>,
    },
    /// Every other protocol.
    None,
}

/// Traffic in one direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Volume {
    /// Packets.
    pub packets: u64,
    /// Frame bytes as on the wire, without FCS.
    pub bytes: u64,
}

/// How far a flow had come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowState {
    /// Packets in one direction only, or a TCP handshake that never completed.
    New,
    /// Packets in both directions.
    Established,
    /// TCP: closed by FIN or RST.
    Closed,
    /// A rule wanted it only counted from some packet on.
    Bypassed,
}

/// What was not even counted of a flow that is only counted: here and in the reference's `local` way nothing.
pub const BYPASSED: &str =
    r#","bypassed":{"pkts_toserver":0,"pkts_toclient":0,"bytes_toserver":0,"bytes_toclient":0}"#;

impl FlowState {
    /// EVE's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Established => "established",
            Self::Closed => "closed",
            Self::Bypassed => "bypassed",
        }
    }
}

/// Why a flow ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FlowEnd {
    /// No packet for as long as its protocol and state allow.
    Timeout,
    /// Evicted to make room.
    Forced,
    /// The capture ended or the daemon stopped.
    Shutdown,
    /// TCP: a new connection with the same addresses and ports.
    TcpReuse,
}

impl FlowEnd {
    /// EVE's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Forced => "forced",
            Self::Shutdown => "shutdown",
            Self::TcpReuse => "tcp_reuse",
        }
    }
}

/// The TCP part of a flow record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpSummary {
    /// All flag bits seen to the server (CWR ECE URG ACK PSH RST SYN FIN, FIN lowest).
    pub flags_to_server: u8,
    /// All flag bits seen to the client.
    pub flags_to_client: u8,
    /// State of the connection; `None` when no connection was tracked.
    pub state: Option<TcpState>,
}

/// States of a TCP connection (RFC 9293 section 3.3.2), as seen from between the two hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TcpState {
    /// Tracked, with nothing seen that begins a connection.
    None,
    /// SYN seen.
    SynSent,
    /// SYN and its SYN-ACK seen.
    SynRecv,
    /// Handshake complete.
    Established,
    /// One side sent FIN.
    FinWait1,
    /// That FIN was acknowledged.
    FinWait2,
    /// Both sides sent FIN and had it acknowledged.
    TimeWait,
    /// The side that was asked to close sent its own FIN.
    LastAck,
    /// One side was asked to close and has not yet.
    CloseWait,
    /// Both sides sent FIN at once.
    Closing,
    /// Over.
    Closed,
}

impl TcpState {
    /// EVE's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SynSent => "syn_sent",
            Self::SynRecv => "syn_recv",
            Self::Established => "established",
            Self::FinWait1 => "fin_wait1",
            Self::FinWait2 => "fin_wait2",
            Self::TimeWait => "time_wait",
            Self::LastAck => "last_ack",
            Self::CloseWait => "close_wait",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// What steering decided for a flow; its text is `pipeline:NAME`, `shunt`, `drop` or `tool:NAME`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Inspected by a pipeline.
    Pipeline(Label),
    /// Counted, not looked into.
    Shunt,
    /// Dropped.
    Drop,
    /// Handed to a tool port.
    Tool(Label),
}

/// TCP flags by bit, in the order in which EVE lists those that were seen.
const TCP_FLAGS: [(u8, &str); 8] = [
    (0x02, r#","syn":true"#),
    (0x01, r#","fin":true"#),
    (0x04, r#","rst":true"#),
    (0x08, r#","psh":true"#),
    (0x10, r#","ack":true"#),
    (0x20, r#","urg":true"#),
    (0x40, r#","ecn":true"#),
    (0x80, r#","cwr":true"#),
];

impl FlowRecord {
    /// Appends the record to `to` as one line of JSON, newline included.
    ///
    /// Costs about 60 copies of a few bytes each, three dates, and one SHA-1 when there is a Community ID.
    pub fn encode(&self, to: &mut Vec<u8>) {
        to.reserve(LINE_BYTES);
        literal(to, r#"{"timestamp":""#);
        timestamp(to, self.timestamp_us);
        number_after(to, r#"","flow_id":"#, self.flow_id);
        literal(to, r#","event_type":"flow""#);
        common::vlans(to, self.vlans);
        common::tuple(to, (self.src_ip, self.dest_ip), self.protocol, self.ports);
        if let Some(app_proto) = self.app_proto {
            literal(to, r#","app_proto":"#);
            string(to, app_proto);
        }
        self.encode_volume(to);
        common::community_id(
            to,
            self.community_id_seed,
            (self.src_ip, self.dest_ip),
            self.protocol,
            self.ports,
        );
        if let Some(tcp) = self.tcp {
            tcp.encode(to);
        }
        literal(to, r#","tenant":"#);
        string(to, self.tenant.as_str());
        self.verdict.encode(to);
        literal(to, "}\n");
    }

    fn encode_volume(&self, to: &mut Vec<u8>) {
        number_after(to, r#","flow":{"pkts_toserver":"#, self.to_server.packets);
        number_after(to, r#","pkts_toclient":"#, self.to_client.packets);
        number_after(to, r#","bytes_toserver":"#, self.to_server.bytes);
        number_after(to, r#","bytes_toclient":"#, self.to_client.bytes);
        let bypassed = self.state == FlowState::Bypassed;
        literal(to, if bypassed { BYPASSED } else { "" });
        literal(to, r#","start":""#);
        timestamp(to, self.start_us);
        literal(to, r#"","end":""#);
        timestamp(to, self.end_us);
        number_after(to, r#"","age":"#, self.age_s());
        literal(to, if bypassed { r#","bypass":"local""# } else { "" });
        literal(to, r#","state":""#);
        literal(to, self.state.as_str());
        literal(to, r#"","reason":""#);
        literal(to, self.reason.as_str());
        literal(to, if self.alerted { r#"","alerted":true}"# } else { r#"","alerted":false}"# });
    }

    /// The flow's age as EVE counts it: the difference of the two times' whole seconds, not of the times.
    pub const fn age_s(&self) -> u64 {
        (self.end_us / 1_000_000).saturating_sub(self.start_us / 1_000_000)
    }
}

impl TcpSummary {
    fn encode(self, to: &mut Vec<u8>) {
        let flags = self.flags_to_server | self.flags_to_client;
        literal(to, r#","tcp":{"tcp_flags":""#);
        to.extend_from_slice(&hex(flags));
        literal(to, r#"","tcp_flags_ts":""#);
        to.extend_from_slice(&hex(self.flags_to_server));
        literal(to, r#"","tcp_flags_tc":""#);
        to.extend_from_slice(&hex(self.flags_to_client));
        to.push(b'"');
        for (_, text) in TCP_FLAGS.iter().filter(|(bit, _)| flags & bit != 0) {
            literal(to, text);
        }
        if let Some(state) = self.state {
            literal(to, r#","state":""#);
            literal(to, state.as_str());
            to.push(b'"');
        }
        to.push(b'}');
    }
}

impl Verdict {
    fn encode(&self, to: &mut Vec<u8>) {
        let (kind, name) = match self {
            Self::Pipeline(name) => (r#","verdict":"pipeline:"#, name.as_str()),
            Self::Shunt => (r#","verdict":"shunt"#, ""),
            Self::Drop => (r#","verdict":"drop"#, ""),
            Self::Tool(name) => (r#","verdict":"tool:"#, name.as_str()),
        };
        literal(to, kind);
        escaped(to, name);
        to.push(b'"');
    }
}
