//! `[inspection]` and what a tenant has of its own: signatures, reassembly, application protocols, alerts.
//!
//! Each table exists twice: with its defaults under `[inspection]`, and under `[[tenant]]`, where a field that is absent
//! is taken from the first. Defaults are those of Suricata as Debian configures it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::config::number::Whole;
use crate::config::value::{
    Deployment, Encrypted, ExceptionPolicy, Forwarding, Overlap, PortRange, ProtocolName, Variable, Verify,
};

/// `[inspection]`: how the traffic of every tenant is inspected that says nothing else.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inspection {
    /// Rule files.
    pub rules: Vec<Spanned<String>>,
    /// A classification.config; the usual classes when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classification: Option<Spanned<String>>,
    /// Folder for compiled rules; the user's cache folder when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<String>,
    /// What that folder may take.
    pub cache_mib_max: Whole<0, 1_048_576>,
    /// Bits and counters that the rules of one tenant may keep of hosts.
    pub host_entries_max: Whole<1, 100_000_000>,
    /// `[inspection.variables]`.
    pub variables: Variables,
    /// `[inspection.data]`.
    pub data: Data,
    /// `[inspection.stream]`.
    pub stream: Stream,
    /// `[inspection.alerts]`.
    pub alerts: Alerts,
    /// `[inspection.protocols]`.
    pub protocols: Protocols,
}

impl Default for Inspection {
    fn default() -> Self {
        Self {
            rules: Vec::new(),
            classification: None,
            cache: None,
            cache_mib_max: Whole::clamped(1024),
            host_entries_max: Whole::clamped(dataplane::HOSTS_MAX as u64),
            variables: Variables::default(),
            data: Data::default(),
            stream: Stream::default(),
            alerts: Alerts::default(),
            protocols: Protocols::default(),
        }
    }
}

/// `[inspection.variables]`: the variables of rules, by name without `$`, on top of the usual ones.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variables {
    /// Groups of addresses.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: BTreeMap<String, Spanned<Variable>>,
    /// Groups of ports.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ports: BTreeMap<String, Spanned<Variable>>,
}

impl Variables {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.ports.is_empty()
    }
}

/// Makes a table of `[inspection]`, and its twin of a tenant, whose absent fields are taken from the first.
macro_rules! overridable {
    ($(#[$doc:meta])* $name:ident, $own:ident,
     { $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)+ }
     $({ $($(#[$table_doc:meta])* $table:ident: $inner:ident, $inner_own:ident,)+ })?
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)+
            $($($(#[$table_doc])* pub $table: $inner,)+)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)+
                    $($($table: $inner::default(),)+)?
                }
            }
        }

        #[doc = concat!("What a tenant says in place of [`", stringify!($name), "`].")]
        #[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $own {
            $($(#[$field_doc])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)+
            $($($(#[$table_doc])* #[serde(skip_serializing_if = "is_default")] pub $table: $inner_own,)+)?
        }

        impl $own {
            /// With what it does not say taken from `base`.
            #[must_use]
            pub fn over(&self, base: &$name) -> $name {
                $name {
                    $($field: self.$field.clone().unwrap_or_else(|| base.$field.clone()),)+
                    $($($table: self.$table.over(&base.$table),)+)?
                }
            }
        }
    };
}

/// Whether nothing is said.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

overridable! {
    /// `[inspection.data]`: what rules ask beside the traffic. Paths; empty: there is none.
    Data, OwnData, {
        /// Folder in which sets of data are kept between runs.
        dataset_folder: String = String::new(),
        /// Database of countries.
        geoip_database: String = String::new(),
        /// Categories of reputation.
        reputation_categories: String = String::new(),
        /// How often rules may speak, beside what they say themselves.
        thresholds: String = String::new(),
        /// Reputation of addresses.
        reputation_files: Vec<String> = Vec::new(),
    }
}

overridable! {
    /// `[inspection.stream]`: how TCP connections are followed and reassembled.
    Stream, OwnStream, {
        /// Whether connections are picked up whose beginning was not seen.
        midstream: bool = false,
        /// What becomes of connections whose beginning was not seen.
        midstream_policy: ExceptionPolicy = ExceptionPolicy::Ignore,
        /// Whether connections are followed of which only one side is seen.
        async_oneside: bool = false,
        /// Whether data is inspected as it arrives rather than when its receiver has acknowledged it.
        inline: bool = false,
        /// How the hosts behind treat overlaps.
        overlap: Overlap = Overlap::default(),
        /// Bytes of each direction that are reassembled; 0: all.
        depth_bytes: Whole<0, { 1 << 40 }> = Whole::clamped(1 << 20),
        /// Segments of one direction that may wait at once.
        segments_max: Whole<1, 1_000_000> = Whole::clamped(4096),
        /// Bytes beyond what was inspected that one direction may hold.
        waiting_bytes_max: Whole<4096, { 1 << 30 }> = Whole::clamped(1 << 20),
        /// Memory for the streams of one tenant on one worker, in MiB.
        memory_mib: Whole<1, 1_048_576> = Whole::clamped(dataplane::STREAM_BYTES_MAX as u64 >> 20),
        /// Whether a segment with a wrong checksum is no part of its stream.
        verify_checksums: Verify = Verify::Auto,
        /// New bytes after which rules look at raw stream data.
        chunk_bytes: Whole<1, { 1 << 20 }> = Whole::clamped(2560),
        /// Bytes before the new ones that they see again.
        overlap_bytes: Whole<0, { 1 << 20 }> = Whole::clamped(2560),
    }
}

overridable! {
    /// `[inspection.alerts]`: what alerts carry, and how many there may be.
    Alerts, OwnAlerts, {
        /// Whether alerts carry the payload, in base64.
        payload: bool = false,
        /// Whether alerts carry the payload as text.
        payload_printable: bool = false,
        /// The most bytes of payload in an alert.
        payload_bytes_max: Whole<1, { 1 << 20 }> = Whole::clamped(4096),
        /// Whether alerts carry the packet, in base64.
        packet: bool = false,
        /// Whether the packets are logged that the `tag` of a rule asks for.
        tagged_packets: bool = true,
        /// Whether alerts carry the metadata of their rule.
        metadata: bool = true,
        /// Whether an alert that was found in no transaction tells of the flow's, if there is only one.
        guess_transaction: bool = false,
        /// Whether alerts carry the frame's Ethernet addresses.
        ethernet: bool = false,
        /// Whether alerts say what became of the packet.
        verdict: bool = false,
        /// Whether alerts of HTTP name the client that a proxy has spoken for.
        xff: Forwarding = Forwarding::Off,
        /// Where those proxies stand.
        xff_deployment: Deployment = Deployment::Reverse,
        /// The header field in which they say so.
        xff_header: String = "X-Forwarded-For".to_owned(),
        /// The most alerts of one packet.
        per_packet_max: Whole<1, 255> = Whole::clamped(15),
    }
}

overridable! {
    /// `[inspection.protocols]`: which application protocols are analysed.
    Protocols, OwnProtocols, {
        /// Protocols that are not looked for.
        disabled: Vec<ProtocolName> = ["modbus", "dnp3", "enip", "pgsql"].into_iter().filter_map(ProtocolName::known).collect(),
        /// What becomes of a connection once it is encrypted.
        encrypted: Encrypted = Encrypted::Default,
        /// Transactions of one flow that may be open, but for HTTP.
        transactions_max: Whole<1, 65_536> = Whole::clamped(256),
    } {
        /// `[inspection.protocols.http]`.
        http: Http, OwnHttp,
        /// `[inspection.protocols.files]`.
        files: Files, OwnFiles,
        /// `[inspection.protocols.ports]`.
        ports: Ports, OwnPorts,
    }
}

/// Bytes of a body or file; 0: all where that is allowed.
pub type Length = Whole<0, { 1 << 40 }>;

overridable! {
    /// `[inspection.protocols.http]`: HTTP/1 and HTTP/2.
    Http, OwnHttp, {
        /// Bytes of a request body that are looked into; 0: all.
        request_body_bytes_max: Length = Whole::clamped(102_400),
        /// A request body is not looked into before this much has come, unless it is whole before that.
        request_body_inspect_min_bytes: Length = Whole::clamped(32_768),
        /// How much of a request body is looked into at a time after that, at least.
        request_body_inspect_window_bytes: Length = Whole::clamped(4096),
        /// Bytes of a response body that are looked into; 0: all.
        response_body_bytes_max: Length = Whole::clamped(102_400),
        /// A response body is not looked into before this much has come, unless it is whole before that.
        response_body_inspect_min_bytes: Length = Whole::clamped(40_960),
        /// How much of a response body is looked into at a time after that, at least.
        response_body_inspect_window_bytes: Length = Whole::clamped(16_384),
        /// How many encodings of a body, one over the other, are undone.
        decompress_layers_max: Whole<0, 16> = Whole::clamped(2),
        /// Whether LZMA is decoded.
        lzma: bool = false,
        /// The most memory of an LZMA dictionary.
        lzma_memory_bytes_max: Whole<4096, { 1 << 30 }> = Whole::clamped(1 << 20),
        /// What is decoded may be 2,048 times what came only up to this many bytes.
        bomb_bytes_max: Whole<4096, { 1 << 40 }> = Whole::clamped(1 << 20),
        /// Transactions of one flow, and streams of one HTTP/2 connection, that may be open.
        transactions_max: Whole<1, 65_536> = Whole::clamped(512),
        /// Whether a path is percent-decoded once more.
        double_decode_path: bool = false,
        /// Whether a query is percent-decoded once more.
        double_decode_query: bool = false,
    }
}

overridable! {
    /// `[inspection.protocols.files]`: files that other protocols than HTTP carry.
    Files, OwnFiles, {
        /// Bytes of a file that are looked into; 0: all.
        content_bytes_max: Length = Whole::clamped(100_000),
        /// A file is not looked into before this much has come, unless it is whole before that.
        inspect_min_bytes: Length = Whole::clamped(32_768),
        /// How much of a file is looked into at a time after that, at least.
        inspect_window_bytes: Length = Whole::clamped(4096),
    }
}

/// Ports or ranges of ports.
pub type PortList = Vec<PortRange>;

/// From numbers of which none is refused.
fn ports<const N: usize>(numbers: [(u16, u16); N]) -> PortList {
    numbers.into_iter().map(|(first, last)| PortRange { first, last }).collect()
}

const fn one(port: u16) -> (u16, u16) {
    (port, port)
}

overridable! {
    /// `[inspection.protocols.ports]`: where protocols are looked for that have no distinctive beginning.
    Ports, OwnPorts, {
        /// DNS over TCP.
        dns_tcp: PortList = ports([one(53)]),
        /// DNS over UDP.
        dns_udp: PortList = ports([one(53)]),
        /// TLS.
        tls: PortList = ports([one(443)]),
        /// QUIC.
        quic: PortList = ports([one(443), one(80)]),
        /// DHCP.
        dhcp: PortList = ports([one(67), one(68)]),
        /// TFTP.
        tftp: PortList = ports([one(69)]),
        /// NTP.
        ntp: PortList = ports([one(123)]),
        /// SNMP.
        snmp: PortList = ports([one(161), one(162)]),
        /// IKE.
        ike: PortList = ports([one(500)]),
        /// Kerberos.
        krb5: PortList = ports([one(88)]),
        /// NFS.
        nfs: PortList = ports([one(2049)]),
        /// RDP.
        rdp: PortList = ports([one(3389)]),
        /// RFB (VNC).
        rfb: PortList = ports([(5900, 5909)]),
        /// SIP over UDP.
        sip: PortList = ports([one(5060), one(5061)]),
        /// MQTT.
        mqtt: PortList = ports([one(1883)]),
        /// Telnet.
        telnet: PortList = ports([one(23)]),
        /// SMTP.
        smtp: PortList = ports([one(25), one(465), one(587)]),
        /// Modbus.
        modbus: PortList = ports([one(502)]),
        /// DNP3.
        dnp3: PortList = ports([one(20_000)]),
        /// ENIP and CIP.
        enip: PortList = ports([one(44_818)]),
        /// `PostgreSQL`.
        pgsql: PortList = ports([one(5432)]),
        /// SMB.
        smb: PortList = ports([one(139), one(445)]),
    }
}
