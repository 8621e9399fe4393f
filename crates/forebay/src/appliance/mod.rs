//! What a running appliance is asked: tenants, VLANs, steering, policy, rules, configurations, status.
//!
//! In: a command. Out: the daemon's answer, as a table for people or as the JSON that it sent. Rooms: `client` (requests),
//! `show` (answers as text).

mod client;
mod show;

use std::path::{Path, PathBuf};

use api::{
    Change, ConfigText, Diff, Generations, LoadRules, NewTenant, RuleFileText, RuleSet, SteeringRule,
    SteeringRules, SteeringTest, SteeringVerdict, TenantChange, Tenants, Variables, VlanAssignment, Vlans,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cli::{Changed, Conditions, Config, Files, Policy, Remote, Rules, Steer, Tenant, Vlan};
use crate::failure::{Failure, print};
use client::{Client, Method};

/// `forebay status`.
pub(crate) fn status(at: &Remote) -> Result<(), Failure> {
    ask(at, "/status", show::status)
}

/// `forebay alerts`.
pub(crate) fn alerts(tenant: Option<&str>, limit: u16, at: &Remote) -> Result<(), Failure> {
    let mut query = vec![("limit", limit.to_string())];
    query.extend(tenant.map(|tenant| ("tenant", tenant.to_owned())));
    ask(at, &client::with_query("/alerts", &query), show::alerts)
}

/// `forebay tenant`.
pub(crate) fn tenant(command: &Tenant) -> Result<(), Failure> {
    match command {
        Tenant::Add { name, vlans, weight, flows_max, default_verdict, to } => {
            let new = NewTenant {
                name: name.clone(),
                vlans: vlans.clone(),
                weight: *weight,
                flows_max: *flows_max,
                default_verdict: default_verdict.clone(),
            };
            change(to, Method::Post, "/tenants", Some(&new))
        }
        Tenant::Remove { name, to } => remove(to, &["tenants", name]),
        Tenant::Set { name, weight, flows_max, default_verdict, variables, unset, thresholds, to } => {
            let mut changed = Variables::default();
            let named = variables
                .iter()
                .map(|variable| (variable.is_ports, variable.name.clone(), Some(variable.group.clone())));
            let taken = unset.iter().map(|name| {
                let name = name.trim_start_matches('$');
                (crate::cli::names_ports(name), name.to_owned(), None)
            });
            for (is_ports, name, group) in named.chain(taken) {
                let map = if is_ports { &mut changed.ports } else { &mut changed.addresses };
                map.insert(name, group);
            }
            let thresholds = match thresholds {
                Some(file) if file.as_os_str().is_empty() => Some(String::new()),
                Some(file) => Some(read(file)?),
                None => None,
            };
            let body = TenantChange {
                weight: *weight,
                flows_max: *flows_max,
                default_verdict: default_verdict.clone(),
                variables: changed,
                thresholds,
            };
            change(to, Method::Patch, &client::path(&["tenants", name]), Some(&body))
        }
        Tenant::List { at } => ask(at, "/tenants", |tenants: &Tenants| show::tenants(tenants)),
        Tenant::Show { name, at } => ask(at, &client::path(&["tenants", name]), show::tenant),
    }
}

/// `forebay vlan`.
pub(crate) fn vlan(command: &Vlan) -> Result<(), Failure> {
    match command {
        Vlan::Assign { vlan, tenant, to } => {
            let body = VlanAssignment { tenant: tenant.clone() };
            change(to, Method::Put, &client::path(&["vlans", vlan]), Some(&body))
        }
        Vlan::Release { vlan, to } => remove(to, &["vlans", vlan]),
        Vlan::List { at } => ask(at, "/vlans", |vlans: &Vlans| show::vlans(vlans)),
    }
}

/// `forebay steer`.
pub(crate) fn steer(command: &Steer) -> Result<(), Failure> {
    match command {
        Steer::Add { name, verdict, conditions, to } => {
            change(to, Method::Post, "/steering", Some(&steering_rule(name, verdict, conditions)))
        }
        Steer::Remove { name, tenant, to } => {
            let query = tenant.iter().map(|tenant| ("tenant", tenant.clone())).collect();
            send(to, Method::Delete, &client::path(&["steering", name]), query, None::<&()>)
        }
        Steer::List { at } => ask(at, "/steering", |rules: &SteeringRules| show::steering(rules)),
        Steer::Test { source, destination, tenant, vlan, at } => {
            // The protocol stands behind the destination's port; a prefix has no place here.
            let (destination, protocol) = match destination.rsplit_once('/') {
                Some((end, protocol)) => (end.to_owned(), Some(protocol.to_owned())),
                None => (destination.clone(), None),
            };
            let test = SteeringTest {
                tenant: tenant.clone(),
                protocol,
                source: source.clone(),
                destination,
                vlan: *vlan,
            };
            let verdict: SteeringVerdict =
                Client::new(at).send(Method::Post, "/steering/test", Some(&test))?;
            answer(at, &verdict, show::verdict)
        }
    }
}

/// `forebay policy`.
pub(crate) fn policy(command: &Policy) -> Result<(), Failure> {
    match command {
        Policy::Show { at } => {
            let client = Client::new(at);
            let rules: RuleSet = client.get("/policy/rules")?;
            let steering = client.get::<SteeringRules>("/steering")?.policy;
            let policy = show::PolicyView { rules, steering };
            answer(at, &policy, show::policy)
        }
        Policy::Load(files) => load(files, "/policy/rules"),
        Policy::Unload { names, to } => unload(to, "/policy/rules", names, false),
        Policy::Steer { name, verdict, conditions, to } => {
            change(to, Method::Post, "/policy/steering", Some(&steering_rule(name, verdict, conditions)))
        }
    }
}

/// The commands of `forebay rules` that are about an appliance.
pub(crate) fn rules(command: &Rules) -> Result<(), Failure> {
    let path = |tenant: &str| client::path(&["tenants", tenant, "rules"]);
    match command {
        Rules::Load { tenant, files } => load(files, &path(tenant)),
        Rules::Unload { names, tenant, inherit, to } => unload(to, &path(tenant), names, *inherit),
        Rules::List { tenant, at } => ask(at, &path(tenant), show::rules),
        // Those of files are answered without an appliance.
        Rules::Check { .. } | Rules::Explain { .. } | Rules::Profile { .. } => Ok(()),
    }
}

/// The commands of `forebay config` that are about an appliance.
pub(crate) fn config(command: &Config) -> Result<(), Failure> {
    match command {
        Config::Show { generation, at } => {
            let path =
                generation.map_or_else(|| "/config".to_owned(), |number| format!("/generations/{number}"));
            ask(at, &path, |config: &api::Config| config.text.clone())
        }
        Config::History { at } => {
            ask(at, "/generations", |generations: &Generations| show::generations(generations))
        }
        Config::Diff { from, to, at } => {
            let client = Client::new(at);
            let to = match to {
                Some(to) => *to,
                None => client.get::<api::Config>("/config")?.generation,
            };
            let diff: Diff = client.get(&format!("/generations/{from}/diff/{to}"))?;
            answer(at, &diff, |diff| show::diff(&diff.diff))
        }
        Config::Rollback { generation, to } => {
            change(to, Method::Post, &format!("/generations/{generation}/rollback"), None::<&()>)
        }
        Config::Reload { to } => change(to, Method::Post, "/config/reload", None::<&()>),
        Config::Replace { file, to } => {
            change(to, Method::Put, "/config", Some(&ConfigText { text: read(file)? }))
        }
        Config::Check { .. } => Ok(()),
    }
}

fn steering_rule(name: &str, verdict: &str, conditions: &Conditions) -> SteeringRule {
    SteeringRule {
        name: name.to_owned(),
        verdict: verdict.to_owned(),
        priority: conditions.priority,
        tenant: conditions.tenant.clone(),
        vlan: conditions.vlan.clone(),
        protocol: conditions.protocol.clone(),
        source: conditions.source.clone(),
        destination: conditions.destination.clone(),
        source_ports: conditions.source_ports.clone(),
        destination_ports: conditions.destination_ports.clone(),
        direction: conditions.direction.clone(),
    }
}

fn load(files: &Files, path: &str) -> Result<(), Failure> {
    let text = |file: &PathBuf| -> Result<RuleFileText, Failure> {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(RuleFileText { name, text: read(file)? })
    };
    let body = LoadRules {
        files: files.paths.iter().map(text).collect::<Result<_, _>>()?,
        append: files.append,
        partial: files.partial,
    };
    change(&files.to, Method::Put, path, Some(&body))
}

fn unload(to: &Changed, path: &str, names: &[String], inherit: bool) -> Result<(), Failure> {
    let mut query = Vec::new();
    if !names.is_empty() {
        query.push(("names", names.join(",")));
    }
    if inherit {
        query.push(("inherit", "true".to_owned()));
    }
    send(to, Method::Delete, path, query, None::<&()>)
}

fn remove(to: &Changed, place: &[&str]) -> Result<(), Failure> {
    change(to, Method::Delete, &client::path(place), None::<&()>)
}

fn change(to: &Changed, method: Method, path: &str, body: Option<&impl Serialize>) -> Result<(), Failure> {
    send(to, method, path, Vec::new(), body)
}

fn send(
    to: &Changed,
    method: Method,
    path: &str,
    mut query: Vec<(&str, String)>,
    body: Option<&impl Serialize>,
) -> Result<(), Failure> {
    if to.dry_run {
        query.push(("dry_run", "true".to_owned()));
    }
    let path = client::with_query(path, &query);
    let change: Change = Client::new(&to.remote).send(method, &path, body)?;
    for warning in &change.warnings {
        crate::failure::warn(warning);
    }
    for refused in &change.refused_rules {
        crate::failure::warn(&format!("not used: {refused}"));
    }
    answer(&to.remote, &change, show::change)
}

fn ask<T: DeserializeOwned + Serialize>(
    at: &Remote,
    path: &str,
    show: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    let value: T = Client::new(at).get(path)?;
    answer(at, &value, show)
}

fn answer<T: Serialize>(at: &Remote, value: &T, show: impl FnOnce(&T) -> String) -> Result<(), Failure> {
    if at.json { print(&(serde_json::to_string(value)? + "\n")) } else { print(&show(value)) }
}

fn read(file: &Path) -> Result<String, Failure> {
    let text = std::fs::read(file).map_err(|error| {
        Failure::new(format!(
            "{}: cannot be read: {error}; check the path and its permissions",
            file.display()
        ))
    })?;
    // Rules may hold bytes that are no text; the daemon reads them as such and refuses only the rules with them.
    Ok(String::from_utf8_lossy(&text).into_owned())
}
