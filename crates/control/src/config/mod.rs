//! The configuration file: text in, a checked [`Config`] or every [`Problem`] out.
//!
//! Three steps, each its own file: `decode` reads the TOML into the schema's types, [`schema`] is those types, and
//! `check` looks at what no single field can know (names that must exist, VLANs that may have one owner). Mistakes do
//! not stop a step: as many as possible are reported in one run, each with its line and column.

mod check;
mod decode;
mod device;
mod inspection;
mod load;
mod number;
mod operators;
mod problem;
pub mod schema;
mod suggest;
mod value;
mod warn;

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

pub use dataplane::Inspector;
pub use device::Device;
pub use inspection::{Inspection, RuleCache, RuleSource};
pub use load::{Checked, FILE_BYTES_MAX, load, parse, parse_in, read};
pub use number::Whole;
pub use problem::{LoadError, Problem};
pub use schema::{DEFAULT_PIPELINE, Dataplane, Defrag, Document, Events, FULL_PIPELINE, Timeouts, Tunnels};
pub(crate) use suggest::closest;
pub use value::{
    Deployment, Digest, Direction, Encrypted, ExceptionPolicy, Forwarding, HugePages, ListenAddress,
    NAME_CHARS_MAX, Name, Overlap, PortMode, PortRange, Prefix, Protocol, ProtocolName, Role, VLANS,
    ValueError, Variable, VerdictText, Verify, VlanRange,
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
    /// What headquarters lays over every tenant.
    pub policy: Policy,
    /// Where the daemon listens for commands.
    pub api: schema::Api,
    /// Who may give which.
    pub operators: Vec<Operator>,
    /// How a tenant is inspected that says nothing about it.
    pub inspection: Inspection,
    /// Where compiled rules are kept.
    pub cache: RuleCache,
    /// Ports to receive from, in file order.
    pub ports: Vec<Port>,
    /// Tenants in file order; may be empty, and then no frame has an owner.
    pub tenants: Vec<Tenant>,
    /// Pipelines: those of the file in its order, then the built-in ones that the file does not define.
    pub pipelines: Vec<Pipeline>,
    /// Steering rules, the first that matches decides: the policy's, then the others.
    pub rules: Vec<Rule>,
    /// Tool ports, in file order.
    pub tools: Vec<Tool>,
}

/// What headquarters lays over every tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Its rules.
    pub rules: RuleSource,
}

/// Somebody who may use the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operator {
    /// What the history calls them.
    pub name: Name,
    /// What they may do.
    pub role: Role,
    /// The one tenant that they work for.
    pub tenant: Option<Name>,
    /// The user who connects to the socket, by name or number.
    pub user: Option<String>,
    /// SHA-256 of their token.
    pub token_sha256: Option<Digest>,
    /// Common name in the subject of their certificate.
    pub certificate: Option<String>,
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
    /// How its traffic is inspected.
    pub inspection: Inspection,
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
    /// The pipelines of a file that does not define them: `default` and `headers`, which have no inspectors, `full`,
    /// which has every one, and two between.
    fn builtin() -> [Self; 5] {
        let named = |names: &[&str]| names.iter().filter_map(|name| Inspector::by_name(name)).collect();
        [
            (DEFAULT_PIPELINE, Vec::new()),
            (FULL_PIPELINE, Inspector::all().map(|(_, inspector)| inspector).collect()),
            ("light", named(&["dns", "http", "tls", "quic"])),
            ("dns-only", named(&["dns"])),
            ("headers", Vec::new()),
        ]
        .map(|(name, inspectors)| Self { name: Name::builtin(name), inspectors })
    }
}

/// A steering rule; a condition that is `None` matches everything.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// Its name.
    pub name: Name,
    /// It is the policy's, and asked before those of tenants.
    pub policy: bool,
    /// Among those of its layer the lowest number decides.
    pub priority: u16,
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
            policy: Policy::default(),
            api: schema::Api::default(),
            operators: Vec::new(),
            inspection: Inspection::new(&schema::Inspection::default()),
            cache: RuleCache::new(&schema::Inspection::default()),
            ports: Vec::new(),
            tenants: Vec::new(),
            pipelines: Pipeline::builtin().into(),
            rules: Vec::new(),
            tools: Vec::new(),
        }
    }

    /// Adds the tenant `default`, which owns every VLAN and untagged frames, if there is no tenant at all. Its flows go
    /// through the pipeline `default` if `written` (the file defines one), else through `full`. Replay does this; the
    /// daemon does not, so that traffic of nobody is never taken for somebody's.
    #[must_use]
    pub fn with_default_tenant(mut self, written: &Document) -> Self {
        if self.tenants.is_empty() {
            let named = |pipeline: &schema::Pipeline| pipeline.name.get_ref().as_str() == DEFAULT_PIPELINE;
            let wanted = if written.pipeline.iter().any(named) { DEFAULT_PIPELINE } else { FULL_PIPELINE };
            let pipeline = self.pipelines.iter().position(|pipeline| pipeline.name.as_str() == wanted);
            self.tenants.push(Tenant {
                name: Name::builtin(DEFAULT_TENANT),
                vlans: Vec::new(),
                any_vlan: true,
                weight: schema::Tenant::WEIGHT_DEFAULT,
                flows_max: self.dataplane.flows_max.get() as u32,
                default_verdict: pipeline.map_or(Verdict::Shunt, Verdict::Pipeline),
                inspection: self.inspection.clone(),
            });
        }
        self
    }

    /// Gives every tenant these rule files in place of its own.
    #[must_use]
    pub fn with_rules(mut self, files: &[PathBuf]) -> Self {
        for inspection in self.inspections_mut() {
            inspection.rules.files = files.to_vec();
        }
        self
    }

    /// Decides for every tenant that leaves it open whether checksums of segments are verified.
    #[must_use]
    pub fn with_checksums(mut self, verify: bool) -> Self {
        for inspection in self.inspections_mut().filter(|own| own.stream.verify_checksums == Verify::Auto) {
            inspection.stream.verify_checksums = if verify { Verify::On } else { Verify::Off };
        }
        self
    }

    /// Frames come from captures of this link type, with Ethernet headers in front that hide their own
    /// ([`dataplane::OwnHeader`]); `None`: they are Ethernet's.
    #[must_use]
    pub fn with_link_type(mut self, link_type: Option<u32>) -> Self {
        for inspection in self.inspections_mut() {
            inspection.link_type = link_type;
        }
        self
    }

    /// Sets of data are kept in `folder` where nothing else is said.
    #[must_use]
    pub fn with_dataset_folder(mut self, folder: &Path) -> Self {
        for inspection in self.inspections_mut() {
            inspection.rules.dataset_folder.get_or_insert_with(|| folder.to_owned());
        }
        self
    }

    /// The cost of each rule is noted.
    #[must_use]
    pub fn with_rule_profile(mut self) -> Self {
        for inspection in self.inspections_mut() {
            inspection.profile = true;
        }
        self
    }

    /// Takes relative paths as below `folder`.
    fn rebase(&mut self, folder: &Path) {
        for inspection in self.inspections_mut() {
            inspection.rules.rebase(folder);
        }
        self.policy.rules.rebase(folder);
        self.cache.folder = self.cache.folder.take().map(|cache| folder.join(cache));
    }

    fn inspections_mut(&mut self) -> impl Iterator<Item = &mut Inspection> {
        std::iter::once(&mut self.inspection)
            .chain(self.tenants.iter_mut().map(|tenant| &mut tenant.inspection))
    }
}
