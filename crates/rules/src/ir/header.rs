//! Who talks to whom: protocol, addresses, ports, direction, and the state of the flow.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use app::Protocol;
use ipnet::IpNet;

/// The first line of a rule, before its options.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Protocol.
    pub protocol: HeaderProtocol,
    /// Left of the arrow.
    pub source: Endpoint,
    /// Right of the arrow.
    pub destination: Endpoint,
    /// `<>`: either may be the source.
    pub bidirectional: bool,
}

/// The protocol of a rule.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum HeaderProtocol {
    /// `ip`: any packet with an IP header.
    Ip,
    /// `pkthdr`: any packet, even one that cannot be parsed; for `decode-event`.
    PacketHeader,
    /// `ipv4` / `ip4`.
    Ipv4,
    /// `ipv6` / `ip6`.
    Ipv6,
    /// `tcp`: segments, and the stream if the rule looks into the payload.
    Tcp,
    /// `tcp-pkt`: segments one by one.
    TcpPacket,
    /// `tcp-stream`: the reassembled stream only.
    TcpStream,
    /// `udp`.
    Udp,
    /// `icmp` / `icmpv4`: `ICMPv4`; `icmp` is `ICMPv6` too.
    Icmp {
        /// `ICMPv4` is meant.
        v4: bool,
        /// `ICMPv6` is meant.
        v6: bool,
    },
    /// `sctp`.
    Sctp,
    /// `http`: HTTP/1 or HTTP/2.
    Http,
    /// An application protocol over any transport.
    App(Protocol),
}

/// One side of a rule's header.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Endpoint {
    /// Addresses.
    pub addresses: AddressSet,
    /// Ports; only meaningful with TCP, UDP and SCTP.
    pub ports: PortSet,
}

/// A set of addresses: any of `included` and none of `excluded`. Variables are resolved.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct AddressSet {
    /// Empty: any address.
    pub included: Vec<AddressRange>,
    /// Taken away again; more than what was included cannot be taken away (the parser refuses it).
    pub excluded: Vec<AddressRange>,
}

/// Addresses in a row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AddressRange {
    /// A network or one address.
    Net(IpNet),
    /// `first-last`, both included, of one family.
    Range(IpAddr, IpAddr),
}

impl AddressRange {
    /// Whether the address is among them.
    pub fn contains(&self, address: IpAddr) -> bool {
        match self {
            Self::Net(net) => net.contains(&address),
            Self::Range(first, last) => {
                first.is_ipv4() == address.is_ipv4() && (*first..=*last).contains(&address)
            }
        }
    }
}

impl AddressSet {
    /// Whether every address is in the set.
    pub fn is_any(&self) -> bool {
        self.included.is_empty() && self.excluded.is_empty()
    }

    /// Whether the address is in the set.
    pub fn contains(&self, address: IpAddr) -> bool {
        (self.included.is_empty() || self.included.iter().any(|range| range.contains(address)))
            && !self.excluded.iter().any(|range| range.contains(address))
    }
}

/// A set of ports: ranges in order, none touching the next. Empty: any port.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct PortSet(pub Vec<RangeInclusive<u16>>);

impl PortSet {
    /// Whether every port is in the set.
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the port is in the set.
    pub fn contains(&self, port: u16) -> bool {
        self.0.is_empty() || self.0.iter().any(|range| range.contains(&port))
    }
}

/// `flow`: what must be true of the flow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FlowCondition {
    /// `to_server`, `from_client` or `to_client`, `from_server`.
    pub direction: Option<app::Direction>,
    /// `established` (true), `not_established` (false).
    pub established: Option<bool>,
    /// `stateless`.
    pub stateless: bool,
    /// `only_stream`: reassembled data, never a packet.
    pub only_stream: bool,
    /// `no_stream`: packets, never reassembled data.
    pub no_stream: bool,
    /// `only_frag` (true), `no_frag` (false): reassembled from IP fragments.
    pub fragmented: Option<bool>,
}

/// How a number is compared. `Between` excludes both ends, as the language's `a<>b` does; keywords that include them
/// widen the range when they are parsed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Comparison<T> {
    /// `=`.
    Equal(T),
    /// `!`.
    NotEqual(T),
    /// `<`.
    Less(T),
    /// `<=`.
    LessOrEqual(T),
    /// `>`.
    Greater(T),
    /// `>=`.
    GreaterOrEqual(T),
    /// `a<>b`: above the first and below the second.
    Between(T, T),
}

impl<T> Comparison<T> {
    /// The same comparison with other numbers.
    pub fn map<U>(self, number: impl Fn(T) -> U) -> Comparison<U> {
        match self {
            Self::Equal(other) => Comparison::Equal(number(other)),
            Self::NotEqual(other) => Comparison::NotEqual(number(other)),
            Self::Less(other) => Comparison::Less(number(other)),
            Self::LessOrEqual(other) => Comparison::LessOrEqual(number(other)),
            Self::Greater(other) => Comparison::Greater(number(other)),
            Self::GreaterOrEqual(other) => Comparison::GreaterOrEqual(number(other)),
            Self::Between(low, high) => Comparison::Between(number(low), number(high)),
        }
    }
}

impl<T: PartialOrd + Copy> Comparison<T> {
    /// Whether `value` satisfies it.
    pub fn holds(self, value: T) -> bool {
        match self {
            Self::Equal(other) => value == other,
            Self::NotEqual(other) => value != other,
            Self::Less(other) => value < other,
            Self::LessOrEqual(other) => value <= other,
            Self::Greater(other) => value > other,
            Self::GreaterOrEqual(other) => value >= other,
            Self::Between(low, high) => value > low && value < high,
        }
    }
}

/// How flags are compared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FlagMode {
    /// Exactly these.
    Exact,
    /// `+`: these and perhaps others.
    AllOf,
    /// `*`: any of these.
    AnyOf,
    /// `!`: not (exactly) these.
    Not,
}

/// A condition on the headers of one packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HeaderCondition {
    /// `ttl`: of IPv4; the hop limit of IPv6.
    Ttl(Comparison<u8>),
    /// `tos`: the whole byte of IPv4 or traffic class of IPv6; `negated` for `!`.
    Tos {
        /// The value.
        value: u8,
        /// `!`.
        negated: bool,
    },
    /// `id`: IPv4 identification.
    IpId(u16),
    /// `ip_proto`.
    IpProtocol(Comparison<u8>),
    /// `ipopts`.
    IpOption(IpOption),
    /// `fragbits`: bits of the fragment field; more fragments 1, don't fragment 2, reserved 4.
    FragmentBits {
        /// The bits.
        bits: u8,
        /// How they are compared.
        mode: FlagMode,
    },
    /// `fragoffset`, in units of 8 bytes.
    FragmentOffset(Comparison<u16>),
    /// `l3_proto`: IP version, 4 or 6.
    IpVersion(u8),
    /// `sameip`: source and destination are the same.
    SameIp,
    /// `geoip`.
    GeoIp(GeoIp),
    /// `iprep`.
    Reputation(Reputation),
    /// `tcp.flags`: the flags byte with those of `ignored` taken as not set.
    TcpFlags {
        /// The flags.
        flags: u8,
        /// How they are compared.
        mode: FlagMode,
        /// Flags that do not count (after the comma).
        ignored: u8,
    },
    /// `seq`.
    TcpSequence(u32),
    /// `ack`.
    TcpAcknowledgement(u32),
    /// `window`: as in the header, unscaled.
    TcpWindow {
        /// The value.
        value: u16,
        /// `!`.
        negated: bool,
    },
    /// `tcp.mss`: of the SYN's option.
    TcpMss(Comparison<u16>),
    /// `itype`.
    IcmpType(Comparison<u8>),
    /// `icode`.
    IcmpCode(Comparison<u8>),
    /// `icmp_id`.
    IcmpId(u16),
    /// `icmp_seq`.
    IcmpSequence(u16),
    /// `icmpv6.mtu`.
    Icmpv6Mtu(Comparison<u32>),
    /// `dsize`: bytes of the packet's payload.
    PayloadSize(Comparison<u16>),
    /// `stream_size`: bytes of the stream so far.
    StreamSize {
        /// Whose.
        side: StreamSide,
        /// Compared with.
        size: Comparison<u32>,
    },
    /// `decode-event`: by name without the prefix `decoder.`: `ipv4.trunc_pkt`.
    DecodeEvent(String),
    /// `stream-event`: by name without a prefix: `3whs_ack_in_wrong_dir`.
    StreamEvent(String),
    /// `l3.csum` kin: `ipv4-csum`, `tcpv4-csum` …: layer's checksum is valid or not.
    Checksum {
        /// Which.
        layer: ChecksumLayer,
        /// `valid` (true) or `invalid`.
        valid: bool,
    },
    /// `flow.age`, in seconds.
    FlowAge(Comparison<u32>),
    /// `flow.pkts_toserver` and its kin.
    FlowCount {
        /// What is counted.
        what: FlowCount,
        /// Compared with.
        count: Comparison<u64>,
    },
    /// `ftpbounce`: a `PORT` command in the payload names an address other than the packet's source.
    FtpBounce,
    /// `asn1` on the packet's payload.
    Asn1(Asn1),
    /// `rpc`: ONC RPC call of a program, version and procedure; `None` is `*`.
    Rpc {
        /// Program.
        program: u32,
        /// Version.
        version: Option<u32>,
        /// Procedure.
        procedure: Option<u32>,
    },
}

/// What `flow.bytes_*`, `flow.pkts_*` count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum FlowCount {
    /// Packets.
    Packets(app::Direction),
    /// Bytes, as EVE's flow record counts them.
    Bytes(app::Direction),
}

/// Whose bytes `stream_size` counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StreamSide {
    /// The server's.
    Server,
    /// The client's.
    Client,
    /// Each side's must satisfy it.
    Both,
    /// One of them must.
    Either,
}

/// IPv4 options that `ipopts` names (RFC 791).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IpOption {
    /// `rr`.
    RecordRoute,
    /// `eol`.
    EndOfList,
    /// `nop`.
    NoOperation,
    /// `ts`.
    Timestamp,
    /// `sec`.
    Security,
    /// `esec`.
    ExtendedSecurity,
    /// `lsrr`.
    LooseSourceRoute,
    /// `ssrr`.
    StrictSourceRoute,
    /// `satid`.
    StreamId,
    /// `cipso`.
    Cipso,
    /// `rtralt`.
    RouterAlert,
    /// `any`.
    Any,
}

/// The layers whose checksum a rule can ask for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[allow(missing_docs)]
pub enum ChecksumLayer {
    Ipv4,
    TcpV4,
    TcpV6,
    UdpV4,
    UdpV6,
    IcmpV4,
    IcmpV6,
}

/// `geoip`: countries of one or both ends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GeoIp {
    /// Whose address.
    pub side: AddressSide,
    /// ISO 3166 codes, upper case.
    pub countries: Vec<[u8; 2]>,
    /// `!`.
    pub negated: bool,
}

/// Whose address a keyword looks at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AddressSide {
    /// `any`: either.
    Any,
    /// `both`: each must match.
    Both,
    /// `src`.
    Source,
    /// `dst` / `dest`.
    Destination,
}

/// `iprep`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reputation {
    /// Whose address.
    pub side: AddressSide,
    /// Category, by its short name.
    pub category: String,
    /// What is asked of its score.
    pub score: ReputationScore,
}

/// What `iprep` asks of a score.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReputationScore {
    /// `isset`: something is known of the address.
    IsSet,
    /// `isnotset`: nothing is.
    IsNotSet,
    /// Compared.
    Is(Comparison<u8>),
}

/// `asn1`: faults of BER data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asn1 {
    /// `bitstring_overflow`.
    pub bitstring_overflow: bool,
    /// `double_overflow`.
    pub double_overflow: bool,
    /// `oversize_length`, in bytes.
    pub oversize_length: Option<u32>,
    /// `absolute_offset`.
    pub absolute_offset: Option<u32>,
    /// `relative_offset`.
    pub relative_offset: Option<i32>,
}
