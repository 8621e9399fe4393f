//! What no single field can know: names that must exist or be unique, VLANs that may have one owner, conditions that
//! exclude each other.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use classify::RULES_MAX;
use toml::Spanned;

use super::device::Device;
use super::inspection::check_variables;
use super::operators::{check_told_apart, checked_api, checked_operator};
use super::problem::Problems;
use super::schema::{self, Document};
use super::suggest::closest;
use super::value::{Name, PortMode, VLANS, VerdictText};
use super::{
    Config, Inspection, Inspector, Pipeline, Policy, Port, Rule, RuleCache, Tenancy, Tenant, Tool, Verdict,
};

/// DPDK as Debian and Ubuntu build it has room for this many ports of any kind.
const PORTS_MAX: usize = 32;

/// Resolves and checks the document. The result is meaningful only if no problem was added, now or before.
pub(crate) fn check(document: &Document, problems: &mut Problems<'_>) -> Config {
    // A part that was refused and taken out may be just the one whose name is looked for.
    let complete = problems.is_empty();
    let mut names = Names {
        tenants: index(&document.tenant, "tenant", |tenant| &tenant.name, problems),
        pipelines: index(&document.pipeline, "pipeline", |pipeline| &pipeline.name, problems),
        tools: index(&document.tool, "tool port", |tool| &tool.name, problems),
        complete,
    };
    index(&document.port, "port", |port| &port.name, problems);
    let steering: Vec<&schema::Steer> = document.policy.steer.iter().chain(&document.steer).collect();
    let mut of_tenants: BTreeMap<Option<&Name>, Vec<&schema::Steer>> = BTreeMap::new();
    for rule in &steering {
        of_tenants.entry(rule.tenant.as_ref().map(Spanned::get_ref)).or_default().push(rule);
    }
    for rules in of_tenants.values() {
        index(rules, "steering rule", |rule| &rule.name, problems);
    }
    index(&document.operator, "operator", |operator| &operator.name, problems);
    check_told_apart(&document.operator, problems);

    let mut pipelines: Vec<Pipeline> =
        document.pipeline.iter().map(|pipeline| checked_pipeline(pipeline, problems)).collect();
    let builtin = Pipeline::builtin();
    for pipeline in &builtin {
        let name = pipeline.name.as_str();
        if !names.pipelines.contains_key(name) {
            names.pipelines.insert(name, pipelines.len());
            pipelines.push(pipeline.clone());
        }
    }
    let inspection = Inspection::new(&document.inspection);
    check_variables(document, &inspection, problems);
    let mut owners = vlan_owners(&document.tenant, problems);
    port_vlan_owners(document, &names, &mut owners, problems);
    defrag(&document.defrag, problems);
    devices(document, problems);
    limits(document, problems);
    limit(steering.len(), RULES_MAX, "steering rules", steering.get(RULES_MAX).map(|r| &r.name), problems);

    let rules = by_priority(document)
        .into_iter()
        .map(|(policy, rule)| checked_rule(rule, policy, document, &names, &owners, problems))
        .collect();

    Config {
        dataplane: document.dataplane.clone(),
        timeouts: document.timeouts,
        defrag: document.defrag.clone(),
        tunnels: document.tunnels,
        events: document.events.clone(),
        policy: Policy { rules: inspection.of_policy(&document.policy) },
        api: checked_api(&document.api, problems),
        operators: document
            .operator
            .iter()
            .map(|operator| checked_operator(operator, &names, problems))
            .collect(),
        ports: document.port.iter().map(|port| checked_port(port, &names, problems)).collect(),
        tenants: document
            .tenant
            .iter()
            .map(|tenant| checked_tenant(tenant, document, &inspection, &names, problems))
            .collect(),
        cache: RuleCache::new(&document.inspection),
        pipelines,
        rules,
        tools: document
            .tool
            .iter()
            .map(|tool| Tool { name: tool.name.get_ref().clone(), device: tool.device.get_ref().clone() })
            .collect(),
        inspection,
    }
}

/// Steering rules in the order in which they decide: the policy's first, which is told with each, then by priority, and
/// among equals as in the file.
pub(crate) fn by_priority(document: &Document) -> Vec<(bool, &schema::Steer)> {
    let policy = document.policy.steer.iter().map(|rule| (true, rule));
    let mut rules: Vec<_> = policy.chain(document.steer.iter().map(|rule| (false, rule))).collect();
    rules.sort_by_key(|(policy, rule)| (!policy, rule.priority.get()));
    rules
}

/// The names that other parts of the file may refer to, with their indices.
pub(super) struct Names<'a> {
    tenants: HashMap<&'a str, usize>,
    pipelines: HashMap<&'a str, usize>,
    tools: HashMap<&'a str, usize>,
    /// Whether nothing was taken out of the file, so that a name not found does not exist.
    complete: bool,
}

impl Names<'_> {
    pub(super) fn tenant(&self, name: &Spanned<Name>, problems: &mut Problems<'_>) -> Option<usize> {
        self.find(&self.tenants, "tenant", "[[tenant]]", name.get_ref(), &name.span(), problems)
    }

    fn verdict(&self, verdict: &Spanned<VerdictText>, problems: &mut Problems<'_>) -> Verdict {
        let span = verdict.span();
        match verdict.get_ref() {
            VerdictText::Shunt => Verdict::Shunt,
            VerdictText::Drop => Verdict::Drop,
            VerdictText::Pipeline(name) => self
                .find(&self.pipelines, "pipeline", "[[pipeline]]", name, &span, problems)
                .map_or(Verdict::Shunt, Verdict::Pipeline),
            VerdictText::Tool(name) => self
                .find(&self.tools, "tool port", "[[tool]]", name, &span, problems)
                .map_or(Verdict::Shunt, Verdict::Tool),
        }
    }

    fn find(
        &self,
        known: &HashMap<&str, usize>,
        kind: &str,
        table: &str,
        name: &Name,
        span: &Range<usize>,
        problems: &mut Problems<'_>,
    ) -> Option<usize> {
        let found = known.get(name.as_str()).copied();
        if found.is_none() && self.complete {
            let mut candidates: Vec<&str> = known.keys().copied().collect();
            candidates.sort_unstable();
            let remedy = match closest(name.as_str(), candidates) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("add a {table} with this name"),
            };
            problems.add(span, format!("there is no {kind} `{name}`"), remedy);
        }
        found
    }
}

/// The indices of a list by name; a name that comes twice is a problem.
fn index<'a, T>(
    list: &'a [T],
    kind: &str,
    name_of: impl Fn(&'a T) -> &'a Spanned<Name>,
    problems: &mut Problems<'_>,
) -> HashMap<&'a str, usize> {
    let mut known: HashMap<&str, usize> = HashMap::with_capacity(list.len());
    for (at, item) in list.iter().enumerate() {
        let name = name_of(item);
        let text = name.get_ref().as_str();
        match known.get(text).and_then(|first| list.get(*first)) {
            None => {
                known.insert(text, at);
            }
            Some(first) => {
                let line = problems.line_of(&name_of(first).span());
                let message = format!("{kind} `{text}` is already defined on line {line}");
                problems.add(&name.span(), message, "rename or remove one of the two");
            }
        }
    }
    known
}

/// What the tables and pools of `[dataplane]` have room for.
fn limits(document: &Document, problems: &mut Problems<'_>) {
    let dataplane = &document.dataplane;
    let tenants_max = dataplane.tenants_max.get() as usize;
    if let Some(tenant) = document.tenant.get(tenants_max) {
        let message = format!("{} tenants are more than tenants_max ({tenants_max})", document.tenant.len());
        problems.add(&tenant.name.span(), message, "raise tenants_max in [dataplane]");
    }
    let (needed_mib, memory_mib) =
        (crate::engine::memory_needed_mib(dataplane), dataplane.memory_mib.get_ref().get());
    if needed_mib > memory_mib {
        problems.add(
            &dataplane.memory_mib.span(),
            format!(
                "packet buffers and rings need about {needed_mib} MiB, more than memory_mib ({memory_mib})"
            ),
            "raise memory_mib, or lower mempool_mbufs, inbox_packets or tenants_max",
        );
    }
}

fn limit(count: usize, max: usize, what: &str, at: Option<&Spanned<Name>>, problems: &mut Problems<'_>) {
    if let Some(name) = at.filter(|_| count > max) {
        let message = format!("{count} {what} are more than the {max} that Forebay can hold");
        problems.add(&name.span(), message, format!("remove {}", count - max));
    }
}

fn checked_pipeline(pipeline: &schema::Pipeline, problems: &mut Problems<'_>) -> Pipeline {
    let mut inspectors: Vec<Inspector> = Vec::new();
    for written in &pipeline.inspectors {
        let name = written.get_ref().as_str();
        match Inspector::by_name(name) {
            None => {
                let known: Vec<&str> = Inspector::all().map(|(known, _)| known).collect();
                let remedy = match closest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("it has {}; remove `{name}`", known.join(", ")),
                };
                problems.add(
                    &written.span(),
                    format!("this version of Forebay has no inspector `{name}`"),
                    remedy,
                );
            }
            Some(inspector) if inspectors.contains(&inspector) => {
                problems.add(&written.span(), format!("inspector `{name}` is listed twice"), "remove one");
            }
            Some(inspector) => inspectors.push(inspector),
        }
    }
    Pipeline { name: pipeline.name.get_ref().clone(), inspectors }
}

/// Which tenant owns each VLAN, by index; a VLAN with two owners is a problem.
fn vlan_owners(tenants: &[schema::Tenant], problems: &mut Problems<'_>) -> Vec<Option<usize>> {
    let mut owners: Vec<Option<usize>> = vec![None; usize::from(*VLANS.end()) + 1];
    let mut catch_all: Option<&schema::Tenant> = None;
    for (at, tenant) in tenants.iter().enumerate() {
        let name = tenant.name.get_ref();
        for range in &tenant.vlans {
            // One report for a range, however much of it is taken.
            let mut reported = false;
            for vlan in range.get_ref().iter() {
                let Some(owner) = owners.get_mut(usize::from(vlan)) else { continue };
                match *owner {
                    None => *owner = Some(at),
                    Some(_) if reported => {}
                    Some(first) => {
                        reported = true;
                        let taken = tenants.get(first).map_or("", |first| first.name.get_ref().as_str());
                        let (message, remedy) = if first == at {
                            (
                                format!("VLAN {vlan} is named twice by {name}"),
                                "remove one of the two".to_owned(),
                            )
                        } else {
                            let message = format!("VLAN {vlan} belongs to {taken}");
                            (message, format!("remove it there or from {name}"))
                        };
                        problems.add(&range.span(), message, remedy);
                    }
                }
            }
        }
        if *tenant.any_vlan.get_ref() {
            match catch_all {
                None => catch_all = Some(tenant),
                Some(first) => {
                    let message =
                        format!("{} already takes every VLAN that nobody names", first.name.get_ref());
                    problems.add(
                        &tenant.any_vlan.span(),
                        message,
                        format!("remove any_vlan there or from {name}"),
                    );
                }
            }
        }
    }
    owners
}

/// An access port's VLAN is its tenant's, whether the tenant names it or not.
fn port_vlan_owners(
    document: &Document,
    names: &Names<'_>,
    owners: &mut [Option<usize>],
    problems: &mut Problems<'_>,
) {
    for port in &document.port {
        let (Some(tenant), Some(vlan)) = (&port.tenant, &port.vlan) else { continue };
        let Some(tenant_index) = names.tenants.get(tenant.get_ref().as_str()).copied() else { continue };
        let Some(owner) = owners.get_mut(vlan.get_ref().get() as usize) else { continue };
        let other = owner.filter(|owner| *owner != tenant_index).and_then(|owner| document.tenant.get(owner));
        if let Some(other) = other {
            let message = format!("VLAN {} belongs to {}", vlan.get_ref().get(), other.name.get_ref());
            problems.add(
                &vlan.span(),
                message,
                format!("remove it there, or give this port to {}", other.name.get_ref()),
            );
        }
        owner.get_or_insert(tenant_index);
    }
}

/// What one tenant may have is at most what all may have.
fn defrag(written: &schema::Defrag, problems: &mut Problems<'_>) {
    let span = |span: Option<Range<usize>>| span.unwrap_or(0..0);
    for (span, field, tenant, all_field, all) in [
        (
            span(written.trackers_per_tenant_max.as_ref().map(Spanned::span)),
            "trackers_per_tenant_max",
            written.trackers_per_tenant(),
            "trackers_max",
            written.trackers_max.get(),
        ),
        (
            span(written.bytes_per_tenant_max.as_ref().map(Spanned::span)),
            "bytes_per_tenant_max",
            written.bytes_per_tenant(),
            "bytes_max",
            written.bytes_max.get(),
        ),
    ] {
        if tenant > all {
            let message = format!("`{field}` ({tenant}) is more than `{all_field}` ({all}) of [defrag]");
            problems.add(&span, message, "lower it or raise the other");
        }
    }
}

/// Every port and tool port needs a device of its own.
fn devices(document: &Document, problems: &mut Problems<'_>) {
    let ports = document.port.iter().map(|port| (&port.name, &port.device));
    let tools = document.tool.iter().map(|tool| (&tool.name, &tool.device));
    let mut users: HashMap<&str, &Name> = HashMap::new();
    for (count, (name, device)) in ports.chain(tools).enumerate() {
        let device_ref: &Device = device.get_ref();
        if let Some(first) = users.insert(device_ref.id(), name.get_ref()) {
            let message = format!("device `{}` is already used by `{first}`", device_ref.id());
            let remedy = match device_ref {
                Device::Pci(_) => "give another PCI address",
                Device::Vdev(_) => "give the vdev another number",
            };
            problems.add(&device.span(), message, remedy);
        }
        if count == PORTS_MAX {
            let message = format!("ports and tool ports together are more than DPDK's {PORTS_MAX}");
            problems.add(&name.span(), message, "remove some");
        }
    }
}

fn checked_port(port: &schema::Port, names: &Names<'_>, problems: &mut Problems<'_>) -> Port {
    let tenant = port.tenant.as_ref().and_then(|tenant| names.tenant(tenant, problems));
    let name = port.name.get_ref();
    let tenancy = match port.mode.get_ref() {
        PortMode::Access => {
            for (field, absent, example) in
                [("tenant", port.tenant.is_none(), "\"NAME\""), ("vlan", port.vlan.is_none(), "101")]
            {
                if absent && names.complete {
                    problems.add(
                        &port.mode.span(),
                        format!("access port `{name}` has no `{field}`"),
                        format!("add `{field} = {example}`, or set mode = \"trunk\" to take tenants from VLAN tags"),
                    );
                }
            }
            match (tenant, &port.vlan) {
                (Some(tenant), Some(vlan)) => Tenancy::Access { tenant, vlan: vlan.get_ref().get() as u16 },
                _ => Tenancy::Trunk,
            }
        }
        PortMode::Trunk => {
            let tenant = port.tenant.as_ref().map(|tenant| ("tenant", tenant.span()));
            let vlan = port.vlan.as_ref().map(|vlan| ("vlan", vlan.span()));
            for (field, span) in tenant.into_iter().chain(vlan) {
                problems.add(
                    &span,
                    format!("trunk port `{name}` takes tenants from VLAN tags"),
                    format!("remove `{field}`, or set mode = \"access\""),
                );
            }
            Tenancy::Trunk
        }
    };
    Port { name: port.name.get_ref().clone(), device: port.device.get_ref().clone(), tenancy }
}

fn checked_tenant(
    tenant: &schema::Tenant,
    document: &Document,
    inspection: &Inspection,
    names: &Names<'_>,
    problems: &mut Problems<'_>,
) -> Tenant {
    let table_flows = document.dataplane.flows_max.get();
    if let Some(cap) = tenant.flows_max.as_ref().filter(|cap| cap.get_ref().get() > table_flows) {
        let message = format!(
            "flows_max of {} is more than the {table_flows} of a worker's table",
            tenant.name.get_ref()
        );
        problems.add(&cap.span(), message, "lower it, or raise flows_max in [dataplane]");
    }
    Tenant {
        name: tenant.name.get_ref().clone(),
        vlans: tenant.vlans.iter().map(|range| *range.get_ref()).collect(),
        any_vlan: *tenant.any_vlan.get_ref(),
        weight: tenant.weight.get() as u8,
        flows_max: tenant.flows_max.as_ref().map_or(table_flows, |cap| cap.get_ref().get()) as u32,
        default_verdict: names.verdict(&tenant.default_verdict, problems),
        inspection: inspection.of_tenant(tenant),
    }
}

fn checked_rule(
    rule: &schema::Steer,
    policy: bool,
    document: &Document,
    names: &Names<'_>,
    owners: &[Option<usize>],
    problems: &mut Problems<'_>,
) -> Rule {
    let tenant = rule.tenant.as_ref().and_then(|tenant| names.tenant(tenant, problems));
    if let (Some(tenant), Some(vlan)) = (tenant, &rule.vlan) {
        vlan_of_tenant(tenant, vlan, document, owners, problems);
    }
    let ports = [("source_ports", &rule.source_ports), ("destination_ports", &rule.destination_ports)];
    for (field, ports) in ports {
        let Some(ports) = ports else { continue };
        match rule.protocol.as_ref().map(|protocol| *protocol.get_ref()) {
            Some(protocol) if protocol.has_ports() => {}
            Some(protocol) => problems.add(
                &ports.span(),
                format!("protocol {protocol} has no ports"),
                format!("remove `{field}`, or set protocol to \"tcp\", \"udp\" or \"sctp\""),
            ),
            // Of TCP, UDP and SCTP alike.
            None => {}
        }
    }
    let prefix = |side: &Option<Spanned<super::Prefix>>| side.as_ref().map(|prefix| prefix.get_ref().0);
    let (source, destination) = (prefix(&rule.source), prefix(&rule.destination));
    if let (Some(from), Some(to), Some(written)) = (source, destination, &rule.destination)
        && from.addr().is_ipv4() != to.addr().is_ipv4()
    {
        problems.add(
            &written.span(),
            format!(
                "`source` {from} and `destination` {to} are of different IP versions, so nothing can match"
            ),
            "write one rule for IPv4 and one for IPv6",
        );
    }
    let range = |ports: &Option<Spanned<super::PortRange>>| {
        ports.as_ref().map(|ports| ports.get_ref().first..=ports.get_ref().last)
    };
    Rule {
        name: rule.name.get_ref().clone(),
        policy,
        priority: rule.priority.get() as u16,
        tenant,
        vlan: rule.vlan.as_ref().map(|vlan| vlan.get_ref().iter()),
        protocol: rule.protocol.as_ref().map(|protocol| protocol.get_ref().0),
        source,
        destination,
        source_ports: range(&rule.source_ports),
        destination_ports: range(&rule.destination_ports),
        direction: rule.direction,
        verdict: names.verdict(&rule.verdict, problems),
    }
}

/// A rule of one tenant on another's VLAN can never match.
fn vlan_of_tenant(
    tenant: usize,
    vlan: &Spanned<super::VlanRange>,
    document: &Document,
    owners: &[Option<usize>],
    problems: &mut Problems<'_>,
) {
    let owner_of = |vlan: u16| owners.get(usize::from(vlan)).copied().flatten();
    let foreign = vlan.get_ref().iter().find_map(|vlan| {
        let owner = owner_of(vlan).filter(|owner| *owner != tenant)?;
        Some((vlan, document.tenant.get(owner)?))
    });
    if let (Some((number, owner)), Some(own)) = (foreign, document.tenant.get(tenant)) {
        problems.add(
            &vlan.span(),
            format!(
                "VLAN {number} belongs to {}, so a rule of {} cannot match it",
                owner.name.get_ref(),
                own.name.get_ref()
            ),
            "correct `vlan` or `tenant`",
        );
    }
}
