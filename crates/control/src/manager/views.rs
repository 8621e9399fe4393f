//! Answers to who looks. Each shows what the asker may see and nothing else.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use api::{
    Config as ConfigAnswer, Diff, Generation, Generations, Layer, Refusal, RefusalKind, RuleFile, RuleSet,
    SteeringRule, SteeringRules, SteeringStep, SteeringTest, SteeringVerdict, Tenant, Tenants, Vlan, Vlans,
};
use classify::{LinearClassifier, Query};
use wire::{Addr, NTuple, TenantId};

use super::{Manager, Runner, State, prepare};
use crate::access::{Who, no_tenant};
use crate::config::{self, Config, Direction, Protocol, Tenancy, Verdict};
use crate::edit::vlan::ranges;
use crate::engine;
use crate::rules::Loaded;
use crate::store::rule_file_name;

impl<R: Runner> Manager<R> {
    /// The tenants.
    pub fn tenants(&self, who: &Who) -> Tenants {
        let state = self.state();
        let all = state.checked.config.tenants.iter().enumerate();
        let seen = all.filter(|(_, tenant)| who.may_see(tenant.name.as_str()));
        Tenants { tenants: seen.map(|(index, tenant)| state.tenant(index, tenant)).collect() }
    }

    /// One tenant.
    ///
    /// # Errors
    ///
    /// There is none of this name that the asker may see.
    pub fn tenant(&self, who: &Who, name: &str) -> Result<Tenant, Refusal> {
        let state = self.state();
        let (index, tenant) = state.find_tenant(who, name)?;
        Ok(state.tenant(index, tenant))
    }

    /// Who has which VLAN.
    pub fn vlans(&self, who: &Who) -> Vlans {
        let state = self.state();
        let config = &state.checked.config;
        let mut vlans = Vec::new();
        for tenant in config.tenants.iter().filter(|tenant| who.may_see(tenant.name.as_str())) {
            let name = tenant.name.to_string();
            let all: BTreeSet<u16> = tenant.vlans.iter().flat_map(|range| range.iter()).collect();
            vlans.extend(
                ranges(&all).into_iter().map(|range| (range.first, range.to_string(), name.clone(), None)),
            );
        }
        for port in &config.ports {
            let Tenancy::Access { tenant, vlan } = port.tenancy else { continue };
            let Some(tenant) = config.tenants.get(tenant) else { continue };
            if who.may_see(tenant.name.as_str()) {
                vlans.push((vlan, vlan.to_string(), tenant.name.to_string(), Some(port.name.to_string())));
            }
        }
        vlans.sort();
        let rest = config.tenants.iter().find(|tenant| tenant.any_vlan);
        Vlans {
            vlans: vlans.into_iter().map(|(_, vlan, tenant, port)| Vlan { vlan, tenant, port }).collect(),
            rest: rest.map(|tenant| tenant.name.to_string()).filter(|name| who.may_see(name)),
        }
    }

    /// The steering rules: the policy's, which everybody may see whom they concern, and the others.
    pub fn steering(&self, who: &Who) -> SteeringRules {
        let state = self.state();
        let config = &state.checked.config;
        let seen = |rule: &&config::Rule| {
            let tenant = rule.tenant.and_then(|tenant| config.tenants.get(tenant));
            tenant.is_none_or(|tenant| who.may_see(tenant.name.as_str()))
        };
        let of = |policy: bool| {
            let rules = config.rules.iter().filter(|rule| rule.policy == policy).filter(seen);
            rules.map(|rule| state.steering_rule(rule)).collect()
        };
        SteeringRules { policy: of(true), rules: of(false) }
    }

    /// Which steering rule decides about a flow, and why.
    ///
    /// # Errors
    ///
    /// There is no such tenant, or the flow is none.
    pub fn test_steering(&self, who: &Who, test: &SteeringTest) -> Result<SteeringVerdict, Refusal> {
        let state = self.state();
        let (index, tenant) = state.find_tenant(who, &test.tenant)?;
        let config = &state.checked.config;
        let query = query(test, index, tenant)?;
        let defaults: Vec<_> =
            config.tenants.iter().map(|tenant| engine::verdict(tenant.default_verdict)).collect();
        let classifier = LinearClassifier::build(&engine::steering(config), &defaults)
            .map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?;
        let explained = classifier.explain(&query);
        let rule = |index: classify::RuleIndex| config.rules.get(index.0 as usize);
        let decided = explained.decision.rule.and_then(rule);
        let verdict = decided.map_or(tenant.default_verdict, |rule| rule.verdict);
        let mut steps = Vec::new();
        for step in &explained.considered {
            let Some(rule) = rule(step.index) else { continue };
            let owner = rule.tenant.and_then(|tenant| config.tenants.get(tenant));
            // Other tenants' rules say nothing about this flow, and are nobody's business here.
            if owner.is_some_and(|owner| owner.name != tenant.name) {
                continue;
            }
            steps.push(SteeringStep {
                rule: rule.name.to_string(),
                layer: if rule.policy { Layer::Policy } else { Layer::Tenant },
                mismatch: step.mismatch.map(|field| field.name().to_owned()),
            });
        }
        Ok(SteeringVerdict {
            verdict: state.verdict(verdict),
            rule: decided.map(|rule| rule.name.to_string()),
            policy_inspects: state.inspections.policy.is_some() && decided.is_none_or(|rule| !rule.policy),
            steps,
        })
    }

    /// The rules of a tenant or, without one, of the policy.
    ///
    /// # Errors
    ///
    /// There is no such tenant, or the asker may not see the policy.
    pub fn rules(&self, who: &Who, tenant: Option<&str>) -> Result<RuleSet, Refusal> {
        let state = self.state();
        let (source, loaded) = match tenant {
            None => {
                who.see_all("the policy")?;
                (&state.checked.config.policy.rules, state.inspections.policy.as_ref())
            }
            Some(name) => {
                let (index, tenant) = state.find_tenant(who, name)?;
                (&tenant.inspection.rules, state.loaded(index))
            }
        };
        let file = |path: &std::path::PathBuf| RuleFile {
            name: rule_file_name(path),
            path: path.display().to_string(),
        };
        let shared = &state.checked.config.inspection.rules.files;
        Ok(RuleSet {
            files: source.files.iter().map(file).collect(),
            shared: tenant.is_some() && !source.files.is_empty() && source.files == *shared,
            loaded: loaded.map_or(0, |loaded| loaded.count() as u64),
            refused: loaded
                .map(|loaded| loaded.refused.iter().map(prepare::refused_rule).collect())
                .unwrap_or_default(),
        })
    }

    /// The configuration: of the generation that runs, or of another one.
    ///
    /// # Errors
    ///
    /// Only headquarters may see it; there is no such generation.
    pub fn config(&self, who: &Who, number: Option<u32>) -> Result<ConfigAnswer, Refusal> {
        who.be_headquarters("see the whole configuration")?;
        let state = self.state();
        match number.filter(|number| *number != state.number) {
            None => Ok(ConfigAnswer { generation: state.number, text: state.text.clone() }),
            Some(number) => Ok(ConfigAnswer { generation: number, text: self.text_of(number)? }),
        }
    }

    /// The generations, the newest first.
    ///
    /// # Errors
    ///
    /// The asker may not see what concerns all tenants.
    pub fn generations(&self, who: &Who) -> Result<Generations, Refusal> {
        who.see_all("the history")?;
        let running = self.state().number;
        let changing = self.changing();
        let entries = changing.store.entries().iter().rev();
        let generation = |entry: &crate::store::Entry| Generation {
            number: entry.number,
            at_us: entry.at_us,
            who: entry.who.clone(),
            what: entry.what.clone(),
            running: entry.number == running,
        };
        Ok(Generations { generations: entries.map(generation).collect() })
    }

    /// The lines in which two generations differ.
    ///
    /// # Errors
    ///
    /// Only headquarters may see it; one of them is not there.
    pub fn diff(&self, who: &Who, from: u32, to: u32) -> Result<Diff, Refusal> {
        who.be_headquarters("see the whole configuration")?;
        Ok(Diff { from, to, diff: prepare::diff(&self.text_of(from)?, &self.text_of(to)?, 3) })
    }

    /// What is not as it should be with the configuration.
    pub fn problem(&self) -> Option<String> {
        self.changing().problem.clone()
    }

    /// Settings that take effect when the daemon starts next.
    pub fn at_next_start(&self) -> Vec<String> {
        prepare::at_next_start(&self.started, &self.state().checked.document)
    }

    fn text_of(&self, number: u32) -> Result<String, Refusal> {
        self.changing()
            .store
            .generation(number)
            .map(|generation| generation.text)
            .map_err(|error| super::of_store(&error))
    }
}

impl State {
    fn find_tenant(&self, who: &Who, name: &str) -> Result<(usize, &config::Tenant), Refusal> {
        who.see(name)?;
        let mut tenants = self.checked.config.tenants.iter().enumerate();
        tenants.find(|(_, tenant)| tenant.name.as_str() == name).ok_or_else(|| no_tenant(name))
    }

    fn loaded(&self, tenant: usize) -> Option<&Arc<Loaded>> {
        self.inspections.loaded.get(tenant).and_then(Option::as_ref)
    }

    fn tenant(&self, index: usize, tenant: &config::Tenant) -> Tenant {
        let config = &self.checked.config;
        let is_theirs =
            |port: &&config::Port| matches!(port.tenancy, Tenancy::Access { tenant, .. } if tenant == index);
        let loaded = self.loaded(index);
        Tenant {
            name: tenant.name.to_string(),
            vlans: tenant.vlans.iter().map(ToString::to_string).collect(),
            any_vlan: tenant.any_vlan,
            ports: config.ports.iter().filter(is_theirs).map(|port| port.name.to_string()).collect(),
            weight: u64::from(tenant.weight),
            flows_max: u64::from(tenant.flows_max),
            default_verdict: self.verdict(tenant.default_verdict),
            steering_rules: config.rules.iter().filter(|rule| rule.tenant == Some(index)).count() as u64,
            rules: loaded.map_or(0, |loaded| loaded.count() as u64),
            rules_refused: loaded.map_or(0, |loaded| loaded.refused.len() as u64),
        }
    }

    fn verdict(&self, verdict: Verdict) -> String {
        let Config { pipelines, tools, .. } = &self.checked.config;
        match verdict {
            Verdict::Shunt => "shunt".to_owned(),
            Verdict::Drop => "drop".to_owned(),
            Verdict::Pipeline(index) => {
                format!("pipeline {}", pipelines.get(index).map_or("", |pipeline| pipeline.name.as_str()))
            }
            Verdict::Tool(index) => {
                format!("tool {}", tools.get(index).map_or("", |tool| tool.name.as_str()))
            }
        }
    }

    fn steering_rule(&self, rule: &config::Rule) -> SteeringRule {
        let range = |range: &std::ops::RangeInclusive<u16>| {
            let (first, last) = (range.start(), range.end());
            if first == last { first.to_string() } else { format!("{first}-{last}") }
        };
        let owner = rule.tenant.and_then(|tenant| self.checked.config.tenants.get(tenant));
        SteeringRule {
            name: rule.name.to_string(),
            priority: Some(u64::from(rule.priority)),
            tenant: owner.map(|tenant| tenant.name.to_string()),
            vlan: rule.vlan.as_ref().map(range),
            protocol: rule.protocol.map(|protocol| Protocol(protocol).to_string()),
            source: rule.source.map(|prefix| prefix.to_string()),
            destination: rule.destination.map(|prefix| prefix.to_string()),
            source_ports: rule.source_ports.as_ref().map(range),
            destination_ports: rule.destination_ports.as_ref().map(range),
            direction: (rule.direction == Direction::Either).then(|| Direction::Either.to_string()),
            verdict: self.verdict(rule.verdict),
        }
    }
}

/// The question that a test asks.
fn query(test: &SteeringTest, index: usize, tenant: &config::Tenant) -> Result<Query, Refusal> {
    let bad = |message: String| Refusal::new(RefusalKind::BadRequest, message);
    let protocol: Protocol = test.protocol.as_deref().unwrap_or("tcp").parse().map_err(|error| {
        bad(format!("the protocol is `{}`; give {error}", test.protocol.as_deref().unwrap_or_default()))
    })?;
    let ends = [("source", &test.source), ("destination", &test.destination)].map(|(which, text)| {
        let end = text.parse::<SocketAddr>().map(|end| (end.ip(), Some(end.port())));
        let end = end.or_else(|_| text.parse::<IpAddr>().map(|address| (address, None)));
        end.map_err(|_| {
            bad(format!("the {which} is `{text}`; give an address with a port, such as 10.0.0.5:1234 or [2001:db8::1]:53"))
        })
    });
    let [source, destination] = ends;
    let ((source, source_port), (destination, destination_port)) = (source?, destination?);
    if source.is_ipv4() != destination.is_ipv4() {
        return Err(bad("the two addresses are of different IP versions; no flow has such".to_owned()));
    }
    for (which, port) in [("source", source_port), ("destination", destination_port)] {
        if protocol.has_ports() != port.is_some() {
            let message = if protocol.has_ports() {
                format!("{protocol} has ports and the {which} has none; give one, such as 10.0.0.5:1234")
            } else {
                format!("{protocol} has no ports; give the {which} without one")
            };
            return Err(bad(message));
        }
    }
    let vlan = match test.vlan {
        None => tenant.vlans.first().map(|range| range.first),
        Some(0) => None,
        Some(vlan) => match u16::try_from(vlan) {
            Ok(vlan) if config::VLANS.contains(&vlan) => Some(vlan),
            _ => {
                return Err(bad(format!(
                    "the VLAN is {vlan}; give one from 1 to 4094, or 0 for untagged frames"
                )));
            }
        },
    };
    let tuple = NTuple {
        src: Addr::from(source),
        dst: Addr::from(destination),
        src_port: source_port.unwrap_or(0),
        dst_port: destination_port.unwrap_or(0),
        protocol: protocol.0,
        ip_version: if source.is_ipv4() { 4 } else { 6 },
    };
    Ok(Query { tuple, vlan, tenant: TenantId(index as u16) })
}
