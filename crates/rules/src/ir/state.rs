//! What a rule asks of the application layer beyond buffers, what it remembers, and how often it may speak.

use super::header::{AddressSet, Comparison};
use super::{Action, AppProtocol, CaptureScope, Cip, Modbus};

/// A condition on the application layer beyond buffers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AppCondition {
    /// `app-layer-protocol`.
    Protocol {
        /// The protocol; `None` for `failed`.
        protocol: Option<AppProtocol>,
        /// `!`.
        negated: bool,
    },
    /// `app-layer-event`: `http.invalid_request_chunk_len`, or a bare name for events of protocol detection.
    Event(String),
    /// A number of a transaction: `dns.opcode`, `tls.version`, `krb5_msg_type` … by its keyword.
    Number {
        /// The keyword, by its present name.
        field: &'static str,
        /// Compared with.
        value: Comparison<u64>,
    },
    /// A number of a transaction, several of which will do: `ssl_state`, `ssl_version`, `krb5.ticket_encryption`.
    AnyOf {
        /// The keyword, by its present name.
        field: &'static str,
        /// Values, any of which will do; each may be negated (`true`).
        values: Vec<(u64, bool)>,
    },
    /// A property that is there or not: `tls_cert_expired` …
    Is {
        /// The keyword.
        field: &'static str,
        /// `!` or its opposite keyword.
        negated: bool,
    },
    /// `dce_iface`: interface bound by DCE/RPC.
    DceInterface {
        /// UUID, 16 bytes as on paper.
        uuid: [u8; 16],
        /// Version, if given.
        version: Option<Comparison<u16>>,
        /// `any_frag`.
        any_fragment: bool,
    },
    /// `dce_opnum`: ranges, both ends included.
    DceOperation(Vec<(u16, u16)>),
    /// `modbus`.
    Modbus(Modbus),
    /// `cip_service`.
    Cip(Cip),
    /// `fileext`: the file's name ends with a dot and this.
    FileExtension {
        /// Extension.
        extension: String,
        /// `!`.
        negated: bool,
    },
    /// `filesize`, in bytes.
    FileSize(Comparison<u64>),
    /// `filemd5`, `filesha1`, `filesha256`: the file's hash is in a list.
    FileHash {
        /// Which.
        kind: FileHash,
        /// List as written in the rule.
        list: String,
        /// `!`.
        negated: bool,
    },
}

impl AppCondition {
    /// Whether it is about a file as a whole: then it must hold of the same file as the others that are.
    pub const fn is_about_file(&self) -> bool {
        matches!(self, Self::FileExtension { .. } | Self::FileSize(_) | Self::FileHash { .. })
    }
}

/// Hashes of files.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum FileHash {
    Md5,
    Sha1,
    Sha256,
}

/// Something a rule asks or changes beyond the packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StateOperation {
    /// `flowbits`.
    FlowBit {
        /// What is done.
        operation: BitOperation,
        /// Names; more than one only with `isset` (any of them) and `isnotset` (any of them).
        names: Vec<String>,
    },
    /// `flowint`.
    FlowInteger {
        /// Name.
        name: String,
        /// What is done.
        operation: IntegerOperation,
    },
    /// `hostbits`.
    HostBit {
        /// What is done.
        operation: BitOperation,
        /// Name.
        name: String,
        /// Whose.
        track: HostTrack,
    },
    /// `xbits`.
    CrossBit {
        /// What is done.
        operation: BitOperation,
        /// Name.
        name: String,
        /// Whose.
        track: HostTrack,
        /// For how long, in seconds.
        expire_s: u32,
    },
    /// `flowvar`, `pktvar`: a variable that `pcre` has captured holds these bytes somewhere.
    Variable {
        /// Of what.
        scope: CaptureScope,
        /// Name.
        name: String,
        /// The bytes.
        bytes: Vec<u8>,
    },
}

/// What is done to a bit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum BitOperation {
    Set,
    Unset,
    Toggle,
    IsSet,
    IsNotSet,
}

/// What is done to an integer of the flow.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IntegerOperation {
    /// `=`.
    Assign(IntegerValue),
    /// `+`.
    Add(IntegerValue),
    /// `-`.
    Subtract(IntegerValue),
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`; false if it was never set.
    Compare(Comparison<u32>),
    /// The same with another variable.
    CompareVariable(Comparison<()>, String),
    /// `isset`.
    IsSet,
    /// `notset` / `isnotset`.
    IsNotSet,
}

/// What is assigned or added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum IntegerValue {
    /// A number.
    Literal(u32),
    /// Another integer of the flow.
    Variable(String),
}

/// Whose bit it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HostTrack {
    /// `ip_src` / `src`.
    Source,
    /// `ip_dst` / `dst`.
    Destination,
    /// `ip_pair` / `both`.
    Pair,
}

/// What is counted together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Track {
    /// `by_src`.
    Source,
    /// `by_dst`.
    Destination,
    /// `by_both`.
    Pair,
    /// `by_rule`.
    Rule,
}

/// So many within so long.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rate {
    /// What is counted together.
    pub track: Track,
    /// How many.
    pub count: u32,
    /// Within how long, in seconds.
    pub seconds: u32,
}

/// `threshold`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Threshold {
    /// How it counts.
    pub kind: ThresholdKind,
    /// What, how many, how long.
    pub rate: Rate,
}

/// How `threshold` counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ThresholdKind {
    /// `limit`: the first `count` within the time.
    Limit,
    /// `threshold`: each `count`-th within the time.
    Threshold,
    /// `both`: once within the time, when `count` is reached.
    Both,
}

/// `rate_filter`: what a rule does instead once it has matched more often than that.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct RateFilter {
    /// How often.
    pub rate: Rate,
    /// What it does then.
    pub action: Action,
    /// For how long, in seconds.
    pub timeout_s: u32,
}

/// `suppress`: of whom a rule does not speak.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Suppression {
    /// Whose address counts.
    pub side: SuppressedSide,
    /// Which addresses.
    pub addresses: AddressSet,
}

/// Whose address `suppress` looks at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SuppressedSide {
    /// `by_src`.
    Source,
    /// `by_dst`.
    Destination,
    /// `by_either`.
    #[default]
    Either,
}

impl Suppression {
    /// Whether it is about a packet from `source` to `destination`.
    pub fn covers(&self, source: std::net::IpAddr, destination: std::net::IpAddr) -> bool {
        let has = |address| self.addresses.contains(address);
        match self.side {
            SuppressedSide::Source => has(source),
            SuppressedSide::Destination => has(destination),
            SuppressedSide::Either => has(source) || has(destination),
        }
    }
}

/// `tag`: log what follows a match.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag {
    /// Of whom.
    pub scope: TagScope,
    /// How much; 0: no limit of its own.
    pub count: u32,
    /// In what.
    pub metric: TagMetric,
}

/// Whose packets are tagged.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TagScope {
    /// `session`: the flow.
    Session,
    /// `host,…,src`.
    Source,
    /// `host,…,dst`.
    Destination,
}

/// Units of `tag`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum TagMetric {
    Packets,
    Seconds,
    Bytes,
}
