//! How a tenant's traffic is inspected, as compiled.

use std::sync::Arc;

use flow::stream::StreamConfig;

use super::{Announced, RuleLayer, TaggedHosts};

/// How a tenant's traffic is inspected.
#[derive(Debug)]
pub struct TenantInspection {
    /// Headquarters' rules, which are asked first; `None`: there are none.
    pub policy: Option<RuleLayer>,
    /// Its own rules; `None`: it has none.
    pub own: Option<RuleLayer>,
    /// Data connections that are awaited, on all workers together.
    pub announced: Arc<Announced>,
    /// Hosts whose packets are logged because a rule has tagged them, on all workers together.
    pub tagged: Arc<TaggedHosts>,
    /// How its rules are run.
    pub signature: signature::Options,
    /// How its TCP connections are followed.
    pub stream: StreamConfig,
    /// Memory for the reassembly of its streams on one worker, in bytes.
    pub stream_bytes_max: usize,
    /// How its application protocols are read.
    pub analyze: analyze::Config,
    /// A segment with a wrong checksum is not part of its stream.
    pub verify_checksums: bool,
    /// What its alerts carry.
    pub alert: AlertOptions,
    /// Alerts name the client that a proxy has spoken for.
    pub forwarded: Option<Forwarded>,
    /// What becomes of TCP connections whose beginning was not seen.
    pub midstream_policy: ExceptionPolicy,
    /// What becomes of a TCP connection when what follows is encrypted.
    pub encrypted: Encrypted,
}

/// What is done with a connection that has become encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Encrypted {
    /// Rules are asked about its packets still, but not about what they carry.
    #[default]
    NoPayload,
    /// No rule is asked about it any more.
    Bypass,
    /// It is looked into like any other.
    Full,
}

/// What is done with a flow that cannot be inspected as it should.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ExceptionPolicy {
    /// It is inspected as far as that goes.
    #[default]
    Ignore,
    /// No rule is asked about it any more; its protocol is still followed and logged.
    PassFlow,
    /// It is only counted.
    Bypass,
}

/// How alerts name the client that a proxy has spoken for (`X-Forwarded-For`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Forwarded {
    /// The header field.
    pub header: String,
    /// It takes the place of the client's address; otherwise it stands beside it, as `alert.xff`.
    pub overwrite: bool,
    /// The proxies stand before our servers, so the last address counts; otherwise before our clients: the first.
    pub reverse: bool,
}

/// What alerts carry beside the rule, the flow and the transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AlertOptions {
    /// `payload`: the payload, or the stream data around the match, in base64.
    pub payload: bool,
    /// `payload_printable`: the same as text.
    pub payload_printable: bool,
    /// The most bytes of payload that are written.
    pub payload_bytes_max: usize,
    /// `packet`: the frame in base64, and `packet_info`.
    pub packet: bool,
    /// Packets that a rule's `tag` asks for are logged.
    pub tagged_packets: bool,
    /// `alert.metadata`, and the rule's references.
    pub metadata: bool,
    /// An alert that was found in no transaction has the flow's, if there is only one.
    pub guess_transaction: bool,
    /// `ether`: the frame's addresses.
    pub ethernet: bool,
    /// `verdict`: what became of the packet. Forebay stands beside the traffic, so it is always `alert`.
    pub verdict: bool,
    /// Frames come from captures of this link type and hide their own headers ([`super::OwnHeader`]).
    pub link_type: Option<u32>,
}

impl Default for AlertOptions {
    fn default() -> Self {
        Self {
            payload: false,
            payload_printable: false,
            payload_bytes_max: 4096,
            packet: false,
            tagged_packets: true,
            metadata: true,
            guess_transaction: false,
            ethernet: false,
            verdict: false,
            link_type: None,
        }
    }
}

impl Default for TenantInspection {
    fn default() -> Self {
        Self {
            policy: None,
            own: None,
            announced: Arc::default(),
            tagged: Arc::default(),
            signature: signature::Options::default(),
            stream: StreamConfig::default(),
            stream_bytes_max: STREAM_BYTES_MAX,
            analyze: analyze::Config::default(),
            verify_checksums: true,
            alert: AlertOptions::default(),
            forwarded: None,
            midstream_policy: ExceptionPolicy::Ignore,
            encrypted: Encrypted::NoPayload,
        }
    }
}

/// Entries that a tenant's rules may remember of hosts, if its configuration does not say.
pub const HOSTS_MAX: usize = 100_000;

/// Memory for the reassembly of a tenant's streams on one worker, if its configuration does not say: the reference's
/// `stream.reassembly.memcap`.
pub const STREAM_BYTES_MAX: usize = 256 << 20;
