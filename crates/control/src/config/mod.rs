//! The configuration file: text in, a checked [`Config`] or every [`Problem`] out.
//!
//! Three steps, each its own file: `decode` reads the TOML into the schema's types, [`schema`] is those types, and
//! `check` looks at what no single field can know (names that must exist, VLANs that may have one owner). Mistakes do
//! not stop a step: as many as possible are reported in one run, each with its line and column.

mod check;
mod decode;
mod device;
mod load;
mod number;
mod problem;
pub mod schema;
mod suggest;
mod value;
mod warn;

use std::ops::RangeInclusive;

pub use device::Device;
pub use load::{Checked, FILE_BYTES_MAX, load, parse};
pub use number::Whole;
pub use problem::{LoadError, Problem};
pub use schema::{DEFAULT_PIPELINE, Dataplane, Defrag, Document, Events, Timeouts, Tunnels};
pub use value::{
    Direction, HugePages, NAME_CHARS_MAX, Name, PortMode, PortRange, Prefix, Protocol, VLANS, ValueError,
    VerdictText, VlanRange,
};

/// The tenant that owns all traffic where no configuration says otherwise.
pub const DEFAULT_TENANT: &str = "default";

/// A configuration that passed every check: names are indices, and every index is valid.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Workers and their memory.
    pub dataplane: Dataplane,
    /// Idle timeouts of flows.
    pub timeouts: Timeouts,
    /// Reassembly of IP fragments.
    pub defrag: Defrag,
    /// Tunnels to follow.
    pub tunnels: Tunnels,
    /// What records carry, and how many may wait.
    pub events: Events,
    /// Ports to receive from, in file order.
    pub ports: Vec<Port>,
    /// Tenants in file order; may be empty, and then no frame has an owner.
    pub tenants: Vec<Tenant>,
    /// Pipelines: those of the file in its order, then the built-in `default` unless the file defines one.
    pub pipelines: Vec<Pipeline>,
    /// Steering rules, the first that matches decides.
    pub rules: Vec<Rule>,
    /// Tool ports, in file order.
    pub tools: Vec<Tool>,
}

/// A port to receive from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// Its name.
    pub name: Name,
    /// Its DPDK device.
    pub device: Device,
    /// How its frames find their tenant.
    pub tenancy: Tenancy,
}

/// How the frames of a port find their tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tenancy {
    /// By the outer VLAN tag.
    Trunk,
    /// All are one tenant's.
    Access {
        /// Whose, as an index into [`Config::tenants`].
        tenant: usize,
        /// The port VLAN; it belongs to no other tenant.
        vlan: u16,
    },
}

/// A tenant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tenant {
    /// Its name.
    pub name: Name,
    /// Its VLANs; no VLAN belongs to two tenants.
    pub vlans: Vec<VlanRange>,
    /// Whether it takes every frame whose VLAN nobody names; at most one tenant does.
    pub any_vlan: bool,
    /// Share of the workers' time, 1 to 100.
    pub weight: u8,
    /// Flows it may hold in each worker's table.
    pub flows_max: u32,
    /// What flows get that no rule names.
    pub default_verdict: Verdict,
}

/// A pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pipeline {
    /// Its name.
    pub name: Name,
    /// What runs, in order; nothing means flow records and counters only.
    pub inspectors: Vec<Inspector>,
}

impl Pipeline {
    /// The pipeline `default` of a file that does not define it.
    fn builtin() -> Self {
        Self { name: Name::builtin(DEFAULT_PIPELINE), inspectors: Vec::new() }
    }
}

/// Something that looks into packets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Inspector {
    /// Verifies checksums and counts the wrong ones.
    Checksum,
}

impl Inspector {
    /// Every inspector of this version, by its name in the file.
    pub const ALL: [(&'static str, Self); 1] = [("checksum", Self::Checksum)];
}

/// A steering rule; a condition that is `None` matches everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Name,
    /// Its tenant, as an index into [`Config::tenants`].
    pub tenant: Option<usize>,
    /// Outer VLANs.
    pub vlan: Option<RangeInclusive<u16>>,
    /// IP protocol number.
    pub protocol: Option<u8>,
    /// Source prefix; of the same family as the destination's.
    pub source: Option<ipnet::IpNet>,
    /// Destination prefix.
    pub destination: Option<ipnet::IpNet>,
    /// Source ports; never with a protocol that has none.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// Destination ports; never with a protocol that has none.
    pub destination_ports: Option<RangeInclusive<u16>>,
    /// Which end of the flow is the source.
    pub direction: Direction,
    /// What the flow gets.
    pub verdict: Verdict,
}

/// What a flow gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// A pipeline, as an index into [`Config::pipelines`].
    Pipeline(usize),
    /// Counted and recorded, not looked into.
    Shunt,
    /// Freed at once, counted.
    Drop,
    /// A tool port, as an index into [`Config::tools`].
    Tool(usize),
}

/// A tool port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tool {
    /// Its name.
    pub name: Name,
    /// Its DPDK device.
    pub device: Device,
}

impl Config {
    /// A file that says nothing: every default, no tenant.
    pub fn empty() -> Self {
        Self {
            dataplane: Dataplane::default(),
            timeouts: Timeouts::default(),
            defrag: Defrag::default(),
            tunnels: Tunnels::default(),
            events: Events::default(),
            ports: Vec::new(),
            tenants: Vec::new(),
            pipelines: vec![Pipeline::builtin()],
            rules: Vec::new(),
            tools: Vec::new(),
        }
    }

    /// Adds the tenant `default`, which owns every VLAN and untagged frames, if there is no tenant at all. Replay does
    /// this; the daemon does not, so that traffic of nobody is never taken for somebody's.
    #[must_use]
    pub fn with_default_tenant(mut self) -> Self {
        if self.tenants.is_empty() {
            let named_default = |pipeline: &Pipeline| pipeline.name.as_str() == DEFAULT_PIPELINE;
            let pipeline = self.pipelines.iter().position(named_default);
            self.tenants.push(Tenant {
                name: Name::builtin(DEFAULT_TENANT),
                vlans: Vec::new(),
                any_vlan: true,
                weight: schema::Tenant::WEIGHT_DEFAULT,
                flows_max: self.dataplane.flows_max.get() as u32,
                default_verdict: pipeline.map_or(Verdict::Shunt, Verdict::Pipeline),
            });
        }
        self
    }
}
