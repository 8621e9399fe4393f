//! The file as written: one type for each table, with the defaults. `docs/configuration.md` documents every field.
//!
//! These types hold what the file says and where it says it; `check` makes a [`Config`](super::Config)
//! of them. They are the project's own contract with its operators, so none of them is a type of another crate.

mod control;
mod inspection;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::device::Device;
use super::number::Whole;
use super::value::{
    Direction, HugePages, Name, PortMode, PortRange, Prefix, Protocol, VerdictText, VlanRange,
};

pub use control::{Api, Operator, Policy, SOCKET};
use inspection::is_default;
pub use inspection::{
    Alerts, Data, Files, Http, Inspection, Length, OwnAlerts, OwnData, OwnFiles, OwnHttp, OwnPorts,
    OwnProtocols, OwnStream, PortList, Ports, Protocols, Stream, Variables,
};

/// The name of the pipeline that a tenant gets when nothing else is said; it exists even when the file has none.
pub const DEFAULT_PIPELINE: &str = "default";

/// The name of the pipeline with every inspector; it exists even when the file has none.
pub const FULL_PIPELINE: &str = "full";

/// The whole file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Document {
    /// `[dataplane]`.
    pub dataplane: Dataplane,
    /// `[timeouts.*]`.
    pub timeouts: Timeouts,
    /// `[defrag]`.
    pub defrag: Defrag,
    /// `[tunnels]`.
    pub tunnels: Tunnels,
    /// `[events]`.
    pub events: Events,
    /// `[inspection]`.
    pub inspection: Inspection,
    /// `[policy]`.
    pub policy: Policy,
    /// `[api]`.
    pub api: Api,
    /// `[[operator]]`.
    pub operator: Vec<Operator>,
    /// `[[port]]`.
    pub port: Vec<Port>,
    /// `[[tenant]]`.
    pub tenant: Vec<Tenant>,
    /// `[[pipeline]]`.
    pub pipeline: Vec<Pipeline>,
    /// `[[steer]]`.
    pub steer: Vec<Steer>,
    /// `[[tool]]`.
    pub tool: Vec<Tool>,
}

/// `[dataplane]`: workers and their memory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dataplane {
    /// Worker lcores.
    pub workers: Whole<1, 64>,
    /// Flows that one worker's table can hold.
    pub flows_max: Whole<1024, 67_108_864>,
    /// Packet buffers in the mempool.
    pub mempool_mbufs: Whole<1024, 16_777_216>,
    /// Packets that one tenant's inbox in one worker can hold.
    pub inbox_packets: Whole<64, 65_536>,
    /// Tenants that there is room for while the daemon runs.
    pub tenants_max: Whole<1, 4094>,
    /// Memory for mempools, rings and classifiers, in MiB.
    pub memory_mib: Spanned<Whole<64, 1_048_576>>,
    /// The most of that memory that one compiled table of steering rules may take, in MiB.
    pub steering_table_mib_max: Whole<1, 1_048_576>,
    /// Whether that memory is huge pages.
    pub hugepages: HugePages,
    /// Whether packets of one tenant with different VLANs are of different flows.
    pub flows_by_vlan: bool,
    /// Secret of the flow hash; drawn at random for each live start when absent, 0 in replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_seed: Option<Whole<0, { i64::MAX as u64 }>>,
}

impl Default for Dataplane {
    fn default() -> Self {
        Self {
            workers: Whole::clamped(1),
            flows_max: Whole::clamped(262_144),
            mempool_mbufs: Whole::clamped(32_768),
            inbox_packets: Whole::clamped(1024),
            tenants_max: Whole::clamped(256),
            memory_mib: unwritten(Whole::clamped(256)),
            steering_table_mib_max: Whole::clamped(64),
            hugepages: HugePages::Auto,
            flows_by_vlan: true,
            hash_seed: None,
        }
    }
}

/// `[timeouts]`: idle time after which a flow ends, by protocol and state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// `[timeouts.tcp]`.
    pub tcp: TcpTimeouts,
    /// `[timeouts.udp]`.
    pub udp: IdleTimeouts,
    /// `[timeouts.icmp]`: ICMP and `ICMPv6`.
    pub icmp: IdleTimeouts,
    /// `[timeouts.other]`: every other protocol.
    pub other: IdleTimeouts,
}

/// A day is longer than any idle flow is worth remembering.
pub type Seconds = Whole<1, 86_400>;

/// `[timeouts.tcp]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TcpTimeouts {
    /// No complete handshake seen.
    pub new_s: Seconds,
    /// Handshake seen.
    pub established_s: Seconds,
    /// Closed by FIN from both ends or by RST.
    pub closed_s: Seconds,
}

impl Default for TcpTimeouts {
    fn default() -> Self {
        Self { new_s: Whole::clamped(60), established_s: Whole::clamped(600), closed_s: Whole::clamped(60) }
    }
}

/// `[timeouts.udp]`, `[timeouts.icmp]`, `[timeouts.other]`: protocols that never close a flow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdleTimeouts {
    /// Seen in one direction only.
    pub new_s: Seconds,
    /// Seen in both directions.
    pub established_s: Seconds,
}

impl Default for IdleTimeouts {
    fn default() -> Self {
        Self { new_s: Whole::clamped(30), established_s: Whole::clamped(300) }
    }
}

/// `[defrag]`: reassembly of IP fragments; every limit is of one worker.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Defrag {
    /// How long the missing fragments of a datagram are waited for, in seconds.
    pub timeout_s: Whole<1, 3600>,
    /// Datagrams in reassembly.
    pub trackers_max: Whole<1, 1_048_576>,
    /// Datagrams in reassembly, of one tenant; a quarter of `trackers_max` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trackers_per_tenant_max: Option<Spanned<Whole<1, 1_048_576>>>,
    /// Fragments of one datagram.
    pub fragments_per_datagram_max: Whole<1, 8192>,
    /// Bytes held.
    pub bytes_max: Whole<DEFRAG_BYTES_MIN, { 64 << 30 }>,
    /// Bytes held, of one tenant; a quarter of `bytes_max` when absent, but never too few for one datagram.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_per_tenant_max: Option<Spanned<Whole<DEFRAG_BYTES_MIN, { 64 << 30 }>>>,
    /// Whether an IPv6 datagram with overlapping fragments is given up (RFC 5722).
    pub ipv6_overlap_drops: bool,
    /// A fragment other than the last with less payload than this counts as tiny.
    pub tiny_fragment_bytes: Whole<0, 1480>,
}

/// Room for one datagram of the longest kind and its book-keeping.
const DEFRAG_BYTES_MIN: u64 = 131_072;

impl Default for Defrag {
    fn default() -> Self {
        Self {
            timeout_s: Whole::clamped(60),
            trackers_max: Whole::clamped(8192),
            trackers_per_tenant_max: None,
            fragments_per_datagram_max: Whole::clamped(8192),
            bytes_max: Whole::clamped(32 << 20),
            bytes_per_tenant_max: None,
            ipv6_overlap_drops: false,
            tiny_fragment_bytes: Whole::clamped(64),
        }
    }
}

impl Defrag {
    /// Datagrams in reassembly, of one tenant.
    pub fn trackers_per_tenant(&self) -> u64 {
        let quarter = (self.trackers_max.get() / 4).max(1);
        self.trackers_per_tenant_max.as_ref().map_or(quarter, |written| written.get_ref().get())
    }

    /// Bytes held, of one tenant.
    pub fn bytes_per_tenant(&self) -> u64 {
        let quarter = (self.bytes_max.get() / 4).max(DEFRAG_BYTES_MIN);
        self.bytes_per_tenant_max.as_ref().map_or(quarter, |written| written.get_ref().get())
    }
}

/// A default: a value that stands nowhere in the file.
fn unwritten<T>(value: T) -> Spanned<T> {
    Spanned::new(0..0, value)
}

/// `[tunnels]`: which UDP ports carry tunnels, and how deep to follow them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tunnels {
    /// UDP destination port of VXLAN (RFC 7348).
    pub vxlan_port: Whole<1, 65_535>,
    /// UDP destination port of Geneve (RFC 8926).
    pub geneve_port: Whole<1, 65_535>,
    /// Tunnels followed inside one frame before it counts as malformed.
    pub depth_max: Whole<0, 16>,
}

impl Default for Tunnels {
    fn default() -> Self {
        Self {
            vxlan_port: Whole::clamped(4789),
            geneve_port: Whole::clamped(6081),
            depth_max: Whole::clamped(4),
        }
    }
}

/// `[events]`: where records go, what they carry, and how many may wait.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Events {
    /// The file that the daemon writes them to.
    pub file: String,
    /// Records that can wait for the event writer.
    pub queue_records: Whole<1024, 16_777_216>,
    /// Whether flow records carry a Community ID.
    pub community_id: bool,
    /// Its seed; systems that are to agree on IDs need the same one.
    pub community_id_seed: Whole<0, 65_535>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            file: "/var/log/forebay/eve.json".to_owned(),
            queue_records: Whole::clamped(65_536),
            community_id: true,
            community_id_seed: Whole::clamped(0),
        }
    }
}

/// `[[port]]`: a NIC function or virtual device to receive from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// What the port is called in counters and messages.
    pub name: Spanned<Name>,
    /// The DPDK device.
    pub device: Spanned<Device>,
    /// How frames of this port find their tenant.
    pub mode: Spanned<PortMode>,
    /// The tenant of an access port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Spanned<Name>>,
    /// The port VLAN of an access port: the NIC strips it, records and tool ports show it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Spanned<Whole<1, 4094>>>,
}

/// `[[tenant]]`: whose traffic it is and what it may use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// What the tenant is called in events, counters and messages.
    pub name: Spanned<Name>,
    /// VLANs whose frames are the tenant's on trunk ports and in replay.
    #[serde(default)]
    pub vlans: Vec<Spanned<VlanRange>>,
    /// Whether the tenant takes every frame that no tenant's `vlans` names, untagged ones too.
    #[serde(default = "no")]
    pub any_vlan: Spanned<bool>,
    /// Share of the workers' time relative to the other tenants.
    #[serde(default = "weight")]
    pub weight: Whole<1, 100>,
    /// Flows the tenant may hold in each worker's table; the table's size when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flows_max: Option<Spanned<Whole<1, 67_108_864>>>,
    /// What flows get that no steering rule names.
    #[serde(default = "default_verdict")]
    pub default_verdict: Spanned<VerdictText>,
    /// Rule files in place of those of `[inspection]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Vec<Spanned<String>>>,
    /// A classification.config in place of that of `[inspection]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<Spanned<String>>,
    /// `[tenant.variables]`, on top of `[inspection.variables]`.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    /// `[tenant.data]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub data: OwnData,
    /// `[tenant.stream]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stream: OwnStream,
    /// `[tenant.alerts]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub alerts: OwnAlerts,
    /// `[tenant.protocols]`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub protocols: OwnProtocols,
}

impl Tenant {
    /// Weight of a tenant that names none.
    pub const WEIGHT_DEFAULT: u8 = 10;
}

fn no() -> Spanned<bool> {
    unwritten(false)
}

fn weight() -> Whole<1, 100> {
    Whole::clamped(Tenant::WEIGHT_DEFAULT as u64)
}

fn default_verdict() -> Spanned<VerdictText> {
    unwritten(VerdictText::default())
}

/// `[[pipeline]]`: a named, ordered list of inspectors.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// What verdicts call it.
    pub name: Spanned<Name>,
    /// Inspectors in the order they run; none means flow records only.
    #[serde(default)]
    pub inspectors: Vec<Spanned<Name>>,
}

/// `[[steer]]`: a steering rule. Conditions that are absent match everything; all that are present must hold.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steer {
    /// What counters and messages call it.
    pub name: Spanned<Name>,
    /// The rule with the lowest number that matches decides; among equals the earlier in the file.
    #[serde(default = "priority")]
    pub priority: Whole<0, 65_535>,
    /// Flows of this tenant only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Spanned<Name>>,
    /// Flows with this outer VLAN, or one in this range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Spanned<VlanRange>>,
    /// IP protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Spanned<Protocol>>,
    /// Source prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Spanned<Prefix>>,
    /// Destination prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Spanned<Prefix>>,
    /// Source ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_ports: Option<Spanned<PortRange>>,
    /// Destination ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_ports: Option<Spanned<PortRange>>,
    /// Which end of the flow is the source.
    #[serde(default = "initiator")]
    pub direction: Direction,
    /// What the flow gets.
    pub verdict: Spanned<VerdictText>,
}

fn priority() -> Whole<0, 65_535> {
    Whole::clamped(1000)
}

fn initiator() -> Direction {
    Direction::Initiator
}

/// `[[tool]]`: a port that hands flows to an external analyser.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// What verdicts call it.
    pub name: Spanned<Name>,
    /// The DPDK device.
    pub device: Spanned<Device>,
}
