//! From a checked configuration to what the dataplane takes: sizes for [`EngineConfig`], the rest for a [`Generation`].
//!
//! The schema's types are a contract with operators and the dataplane's follow its own needs; this is the one place
//! where they meet.

use std::sync::Arc;

use classify::{BuildError, Classifier, Limits, PipelineId, ToolId};
use dataplane::{EngineConfig, Generation, Mode, PacketMeta, PortSpec, Then, VlanMap};
pub use dpdk::port::DeviceError;
use dpdk::{Device, Eal, HugePages};
use flow::Timeout;
use wire::{ParseOptions, TenantId};

use crate::config::schema::{self, IdleTimeouts};
use crate::config::{self, Config, Direction, Inspector, Verdict};
use crate::inspection::Inspections;
use crate::numbering::{Numbering, Row};

/// The hash secret of a replay whose configuration names none: the same input gives the same output.
const REPLAY_HASH_SEED: u64 = 0;

/// How an engine for this configuration is to be started. `random` is drawn afresh for every start; it becomes the hash
/// secret of a live engine whose configuration names none.
///
/// # Errors
///
/// [`DeviceError`] when DPDK does not know a device by the name that the configuration gives it.
pub fn engine_config(config: &Config, mode: Mode, random: u64) -> Result<EngineConfig, DeviceError> {
    let dataplane = &config.dataplane;
    let live = mode == Mode::Live;
    let seed = if live { random } else { REPLAY_HASH_SEED };
    let (mut ports, mut tools) = (Vec::new(), Vec::new());
    if live {
        for port in &config.ports {
            ports.push(PortSpec { device: port.device.as_str().parse()?, tenancy: tenancy(port.tenancy) });
        }
    }
    for tool in &config.tools {
        tools.push(tool.device.as_str().parse::<Device>()?);
    }
    Ok(EngineConfig {
        mode,
        workers: dataplane.workers.get() as usize,
        // Nobody adds a tenant to a replay.
        tenants_max: if live { dataplane.tenants_max.get() as u16 } else { config.tenants.len() as u16 },
        memory_mib: dataplane.memory_mib.get_ref().get() as u32,
        huge_pages: match dataplane.hugepages {
            config::HugePages::Auto => HugePages::Auto,
            config::HugePages::On => HugePages::On,
            config::HugePages::Off => HugePages::Off,
        },
        mempool_mbufs: dataplane.mempool_mbufs.get() as u32,
        inbox_packets: dataplane.inbox_packets.get() as u32,
        flows_max: dataplane.flows_max.get() as u32,
        timeouts: timeouts(&config.timeouts),
        hash_seed: dataplane.hash_seed.map_or(seed, config::Whole::get),
        defrag: defrag(&config.defrag),
        parse: ParseOptions {
            vxlan_port: config.tunnels.vxlan_port.get() as u16,
            geneve_port: config.tunnels.geneve_port.get() as u16,
            tunnel_depth_max: config.tunnels.depth_max.get() as u8,
        },
        flows_by_vlan: dataplane.flows_by_vlan,
        community_id_seed: config.events.community_id.then(|| config.events.community_id_seed.get() as u16),
        ports,
        tools,
    })
}

/// Compiles the configuration as generation `number`. `inspections` are those of the same configuration, and
/// `numbering` says which row each tenant and which number each pipeline has; without one it is their place in the
/// configuration, as for an engine that never gets another generation.
///
/// # Errors
///
/// [`BuildError`] when the steering rules cannot be compiled.
pub fn generation(
    config: &Config,
    inspections: &Inspections,
    numbering: Option<&Numbering>,
    number: u32,
    eal: &Eal,
) -> Result<Generation, BuildError> {
    let places = Places::new(config, inspections, numbering);
    let mut tenants: Vec<Option<dataplane::Tenant>> = Vec::new();
    let mut defaults = Vec::new();
    for ((written, inspection), place) in config.tenants.iter().zip(&inspections.tenants).zip(&places.tenants)
    {
        let row = usize::from(place.row);
        if row >= tenants.len() {
            tenants.resize(row + 1, None);
            // Nobody asks for a row that nobody has.
            defaults.resize(row + 1, classify::Verdict::Shunt);
        }
        let default_verdict = places.verdict(written.default_verdict);
        defaults[row] = default_verdict;
        tenants[row] = Some(dataplane::Tenant {
            name: written.name.as_str().into(),
            identity: place.identity,
            weight: u32::from(written.weight),
            flows_max: written.flows_max,
            default_verdict,
            inspection: Arc::clone(inspection),
        });
    }
    let configured = config.pipelines.iter().map(|written| pipeline(written, inspections));
    let laid_over = places.overlay.0.iter().map(|(name, covered)| dataplane::Pipeline {
        then: places.then(*covered),
        ..dataplane::Pipeline::new(name, vec![Inspector::Policy])
    });
    let mut pipelines = Vec::new();
    for (pipeline, &id) in configured.chain(laid_over).zip(&places.pipelines) {
        if usize::from(id) >= pipelines.len() {
            pipelines.resize(usize::from(id) + 1, None);
        }
        pipelines[usize::from(id)] = Some(pipeline);
    }
    let limits = Limits { table_mib_max: config.dataplane.steering_table_mib_max.get() as usize };
    Ok(Generation {
        number,
        tenants,
        vlans: vlan_map(config, &places),
        pipelines,
        tools: numbering.map_or_else(
            || config.tools.iter().map(|tool| tool.name.to_string()).collect(),
            |numbering| numbering.tools().iter().map(ToString::to_string).collect(),
        ),
        classifier: Classifier::build(eal, &steering_in(config, &places), &defaults, &limits)?,
    })
}

/// Which place in the dataplane the configuration's tenants and pipelines have.
struct Places {
    /// By tenant, in the configuration's order.
    tenants: Vec<Row>,
    /// By pipeline, in the order of [`pipeline_names`].
    pipelines: Vec<u16>,
    /// How many of those are configured; the others are the overlay's.
    configured: usize,
    overlay: Overlay,
    /// By tool port, in the configuration's order. Nothing uses one that was not there when the engine was started.
    tools: Vec<ToolId>,
}

impl Places {
    /// Those of a numbering; what it does not know, or everything without one, is where the configuration has it.
    fn new(config: &Config, inspections: &Inspections, numbering: Option<&Numbering>) -> Self {
        let tenants = (0..).zip(&config.tenants).map(|(index, tenant)| {
            let known = numbering.and_then(|numbering| numbering.tenant(&tenant.name));
            known.unwrap_or(Row { row: index, identity: u64::from(index) })
        });
        let pipelines = (0..)
            .zip(pipeline_names(config, inspections))
            .map(|(index, name)| numbering.and_then(|numbering| numbering.pipeline(&name)).unwrap_or(index));
        let tools = (0..).zip(&config.tools).map(|(index, tool)| {
            let known = numbering.and_then(|numbering| numbering.tool(&tool.name));
            ToolId(known.unwrap_or(index))
        });
        Self {
            tenants: tenants.collect(),
            pipelines: pipelines.collect(),
            configured: config.pipelines.len(),
            overlay: Overlay::new(config, inspections.policy.is_some()),
            tools: tools.collect(),
        }
    }

    fn tenant(&self, index: usize) -> TenantId {
        self.tenants.get(index).map_or_else(|| tenant_id(index), |place| TenantId(place.row))
    }

    /// What a tenant's default or a rule of `[[steer]]` becomes: the policy's rules come first.
    fn verdict(&self, written: Verdict) -> classify::Verdict {
        let place = match written {
            Verdict::Pipeline(index) => Some(index),
            other => self.overlay.place(other).map(|place| self.configured + place),
        };
        let id = place.and_then(|place| self.pipelines.get(place));
        id.map_or_else(|| self.plain(written), |&id| classify::Verdict::Pipeline(PipelineId(id)))
    }

    /// A verdict that nothing is laid over.
    fn plain(&self, written: Verdict) -> classify::Verdict {
        match verdict(written) {
            classify::Verdict::Tool(tool) => classify::Verdict::Tool(self.tool(tool)),
            other => other,
        }
    }

    fn tool(&self, written: ToolId) -> ToolId {
        self.tools.get(usize::from(written.0)).copied().unwrap_or(written)
    }

    /// What becomes of a packet at which the policy's rules have looked in place of this verdict.
    fn then(&self, covered: Verdict) -> Then {
        match self.plain(covered) {
            classify::Verdict::Pipeline(_) => Then::Inspected,
            classify::Verdict::Shunt => Then::Shunt,
            classify::Verdict::Drop => Then::Drop,
            classify::Verdict::Tool(tool) => Then::Tool(tool),
        }
    }

    /// What a rule of `[[policy.steer]]` becomes: headquarters may take a flow out of its own sight.
    fn policy_verdict(&self, written: Verdict) -> classify::Verdict {
        match written {
            Verdict::Pipeline(_) => self.verdict(written),
            other => self.plain(other),
        }
    }
}

/// The names of the pipelines that the dataplane has for this configuration: the configured ones, and where there is a
/// policy those by which flows come before its rules that their tenant does not want to be looked into.
pub fn pipeline_names(config: &Config, inspections: &Inspections) -> Vec<String> {
    let configured = config.pipelines.iter().map(|pipeline| pipeline.name.to_string());
    let overlay = Overlay::new(config, inspections.policy.is_some());
    configured.chain(overlay.0.into_iter().map(|(name, _)| name)).collect()
}

/// What the policy lays over verdicts: for each by which a flow would not be inspected, a pipeline that has the policy's
/// rules look at the flow first. Its name has characters that no configured one can have.
#[derive(Default)]
struct Overlay(Vec<(String, Verdict)>);

impl Overlay {
    /// `policy`: whether headquarters has rules. If not, nothing is laid over anything.
    fn new(config: &Config, policy: bool) -> Self {
        if !policy {
            return Self::default();
        }
        let mut all = vec![("(shunt)".to_owned(), Verdict::Shunt), ("(drop)".to_owned(), Verdict::Drop)];
        let tools = config.tools.iter().enumerate();
        all.extend(
            tools.map(|(index, tool)| (format!("(tool {})", tool.name.as_str()), Verdict::Tool(index))),
        );
        Self(all)
    }

    /// The place of a verdict's pipeline, behind the configured ones.
    fn place(&self, verdict: Verdict) -> Option<usize> {
        self.0.iter().position(|(_, covered)| *covered == verdict)
    }
}

/// The steering rules, in the order in which they decide, with the configuration's indices.
pub fn steering(config: &Config) -> Vec<classify::Rule> {
    let rule = |(priority, rule): (u32, &config::Rule)| classify::Rule {
        // As several tenants may call theirs the same.
        name: match rule.tenant.and_then(|tenant| config.tenants.get(tenant)) {
            Some(tenant) => format!("{} of {}", rule.name, tenant.name),
            None => rule.name.to_string(),
        },
        priority,
        tenant: rule.tenant.map(tenant_id),
        vlan: rule.vlan.clone(),
        protocol: rule.protocol,
        source: rule.source,
        destination: rule.destination,
        source_ports: rule.source_ports.clone(),
        destination_ports: rule.destination_ports.clone(),
        direction: match rule.direction {
            Direction::Initiator => classify::Direction::Initiator,
            Direction::Either => classify::Direction::Either,
        },
        verdict: verdict(rule.verdict),
    };
    (0..).zip(&config.rules).map(rule).collect()
}

/// The same with the places in the dataplane.
fn steering_in(config: &Config, places: &Places) -> Vec<classify::Rule> {
    let place = |(rule, written): (classify::Rule, &config::Rule)| classify::Rule {
        tenant: written.tenant.map(|tenant| places.tenant(tenant)),
        verdict: if written.policy {
            places.policy_verdict(written.verdict)
        } else {
            places.verdict(written.verdict)
        },
        ..rule
    };
    steering(config).into_iter().zip(&config.rules).map(place).collect()
}

/// How much of the EAL's memory packet buffers and rings take, in MiB, rounded up. Steering rules come on top.
pub fn memory_needed_mib(dataplane: &schema::Dataplane) -> u64 {
    /// Buffer, headroom, `rte_mbuf`, private area, the pool's own header.
    const MBUF_BYTES: u64 = (2048 + 128 + 128 + size_of::<PacketMeta>() as u64 + 64).next_multiple_of(64);
    /// On ordinary pages a buffer never crosses one, so each takes one.
    const PAGE_BYTES: u64 = 4096;
    /// Its place in the pool's ring, and in the list of the pool's memory.
    const PLACE_BYTES: u64 = 32;
    /// DPDK's own structures.
    const OVERHEAD_BYTES: u64 = 8 << 20;
    /// `rte_ring` without its slots.
    const RING_BYTES: u64 = 512;
    let huge = dataplane.hugepages == config::HugePages::On;
    let mbuf = PLACE_BYTES + if huge { MBUF_BYTES } else { MBUF_BYTES.next_multiple_of(PAGE_BYTES) };
    let ring = RING_BYTES + (dataplane.inbox_packets.get() + 1).next_power_of_two() * 8;
    // An inbox for each tenant, and one ring from the distributor.
    let rings = dataplane.workers.get() * (dataplane.tenants_max.get() + 1) * ring;
    (dataplane.mempool_mbufs.get() * mbuf + rings + OVERHEAD_BYTES).div_ceil(1 << 20)
}

/// Indices are those of the configuration, which has at most 4,094 tenants.
fn tenant_id(index: usize) -> TenantId {
    TenantId(index as u16)
}

fn tenancy(tenancy: config::Tenancy) -> dataplane::Tenancy {
    match tenancy {
        config::Tenancy::Trunk => dataplane::Tenancy::Trunk,
        config::Tenancy::Access { tenant, vlan } => {
            dataplane::Tenancy::Access { tenant: tenant_id(tenant), vid: vlan }
        }
    }
}

/// A verdict in the classifier's terms, with the configuration's indices.
pub(crate) fn verdict(verdict: Verdict) -> classify::Verdict {
    match verdict {
        Verdict::Pipeline(index) => classify::Verdict::Pipeline(PipelineId(index as u16)),
        Verdict::Shunt => classify::Verdict::Shunt,
        Verdict::Drop => classify::Verdict::Drop,
        Verdict::Tool(index) => classify::Verdict::Tool(ToolId(index as u16)),
    }
}

fn vlan_map(config: &Config, places: &Places) -> VlanMap {
    let mut vlans = VlanMap::default();
    for (index, tenant) in config.tenants.iter().enumerate() {
        for vlan in tenant.vlans.iter().flat_map(|range| range.iter()) {
            vlans.assign(vlan, places.tenant(index));
        }
    }
    if let Some(index) = config.tenants.iter().position(|tenant| tenant.any_vlan) {
        vlans.assign_rest(places.tenant(index));
    }
    vlans
}

/// Where nobody has rules, nothing runs them; where there is a policy, its rules run in every pipeline.
fn pipeline(pipeline: &config::Pipeline, inspections: &Inspections) -> dataplane::Pipeline {
    let runs = |inspector: &Inspector| *inspector != Inspector::Ids || !inspections.rules.is_empty();
    let policy = inspections.policy.is_some().then_some(Inspector::Policy);
    let written = pipeline.inspectors.iter().copied().filter(runs);
    dataplane::Pipeline::new(pipeline.name.as_str(), policy.into_iter().chain(written).collect())
}

fn timeouts(written: &schema::Timeouts) -> flow::Timeouts {
    let seconds = |seconds: schema::Seconds| seconds.get() as u32;
    // Only TCP closes.
    let idle = |timeouts: &IdleTimeouts| Timeout {
        new_s: seconds(timeouts.new_s),
        established_s: seconds(timeouts.established_s),
        closed_s: 0,
    };
    flow::Timeouts {
        tcp: Timeout {
            new_s: seconds(written.tcp.new_s),
            established_s: seconds(written.tcp.established_s),
            closed_s: seconds(written.tcp.closed_s),
        },
        udp: idle(&written.udp),
        icmp: idle(&written.icmp),
        other: idle(&written.other),
    }
}

fn defrag(written: &schema::Defrag) -> flow::defrag::Config {
    flow::defrag::Config {
        timeout_ms: written.timeout_s.get() * 1000,
        trackers_max: written.trackers_max.get() as u32,
        trackers_per_tenant_max: written.trackers_per_tenant() as u32,
        fragments_per_datagram_max: written.fragments_per_datagram_max.get() as u32,
        bytes_max: written.bytes_max.get() as usize,
        bytes_per_tenant_max: written.bytes_per_tenant() as usize,
        ipv6_overlap_drops: written.ipv6_overlap_drops,
        tiny_fragment_bytes: written.tiny_fragment_bytes.get() as u16,
    }
}
