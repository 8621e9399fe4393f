//! Tenants come, go and change.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use api::{NewTenant, Refusal, RefusalKind, TenantChange};
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::steering::text;
use super::tables::{array, list, name_of, names, place_of, push, set, table, tenant, text_of};
use super::{bad, listed, not_found, vlan};
use crate::config::{Name, VerdictText, VlanRange};

/// What flows of a tenant get that is added without saying: people who add a tenant want it inspected.
const VERDICT: &str = "pipeline full";

pub(super) fn add(document: &mut DocumentMut, new: &NewTenant) -> Result<String, Refusal> {
    let name = text::<Name>("name", &new.name)?;
    let verdict = text::<VerdictText>("default_verdict", new.default_verdict.as_deref().unwrap_or(VERDICT))?;
    let mut vlans = BTreeSet::new();
    for written in &new.vlans {
        let range: VlanRange = written.parse().map_err(|error| bad("vlans", written, &error))?;
        vlan::check_free(document, range, name)?;
        vlans.extend(range.iter());
    }
    let Some(tenants) = list(document, &["tenant"]) else { return Err(no_list()) };
    if place_of(tenants, name).is_some() {
        let message = format!(
            "there is a tenant `{name}` already; choose another name, or change it: forebay tenant set {name}"
        );
        return Err(Refusal::new(RefusalKind::Conflict, message));
    }
    let mut table = Table::new();
    set(&mut table, "name", name);
    vlan::write(&mut table, &vlans);
    numbers(&mut table, new.weight, new.flows_max);
    set(&mut table, "default_verdict", verdict);
    push(tenants, table);
    Ok(format!("tenant {name} added"))
}

pub(super) fn remove(document: &mut DocumentMut, name: &str) -> Result<String, Refusal> {
    let Some(tenants) = list(document, &["tenant"]) else { return Err(no_list()) };
    let Some(place) = place_of(tenants, name) else {
        return Err(not_found("tenant", name, &names(tenants)));
    };
    let ports: Vec<String> = list(document, &["port"])
        .into_iter()
        .flat_map(|ports| ports.iter())
        .filter(|port| text_of(*port, "tenant") == Some(name))
        .map(|port| name_of(port).to_owned())
        .collect();
    if !ports.is_empty() {
        let message = format!(
            "tenant `{name}` has the port {}; take it out of the configuration first",
            listed(&ports)
        );
        return Err(Refusal::new(RefusalKind::Conflict, message));
    }
    if let Some(tenants) = list(document, &["tenant"]) {
        tenants.remove(place);
    }
    let mut gone = Vec::new();
    for (path, kind) in [
        (&["policy", "steer"][..], "steering rule"),
        (&["steer"][..], "steering rule"),
        (&["operator"][..], "operator"),
    ] {
        let Some(list) = list(document, path) else { continue };
        let of_tenant = |table: &Table| text_of(table, "tenant") == Some(name);
        gone.extend(
            list.iter().filter(|table| of_tenant(table)).map(|table| format!("{kind} {}", name_of(table))),
        );
        list.retain(|table| !of_tenant(table));
    }
    for (parent, field) in
        [(Some("policy"), "steer"), (None, "steer"), (None, "operator"), (None, "port"), (None, "tenant")]
    {
        forget_if_empty(document, parent, field);
    }
    let along = if gone.is_empty() { String::new() } else { format!(", with {}", listed(&gone)) };
    Ok(format!("tenant {name} removed{along}"))
}

/// A list that has no tables is not written.
fn forget_if_empty(document: &mut DocumentMut, parent: Option<&str>, field: &str) {
    let table = match parent {
        None => Some(document.as_table_mut()),
        Some(parent) => document.get_mut(parent).and_then(Item::as_table_mut),
    };
    if let Some(table) = table
        && table.get(field).and_then(Item::as_array_of_tables).is_some_and(toml_edit::ArrayOfTables::is_empty)
    {
        table.remove(field);
        if let Some(parent) = parent.filter(|_| table.is_empty() && table.is_implicit()) {
            document.remove(parent);
        }
    }
}

pub(super) fn set_rules(
    document: &mut DocumentMut,
    of: Option<&str>,
    files: Option<&[PathBuf]>,
) -> Result<String, Refusal> {
    let owner: &mut dyn TableLike = match of {
        Some(name) => tenant(document, name)?,
        None => table(document.as_table_mut(), "policy").ok_or_else(no_list)?,
    };
    let whose = of.map_or_else(|| "the policy".to_owned(), str::to_owned);
    let Some(files) = files else {
        owner.remove("rules");
        return Ok(format!("{whose}: the rules of [inspection]"));
    };
    set(owner, "rules", array(files.iter().map(|file| path_value(file))));
    let names: Vec<String> = files.iter().map(|file| crate::store::rule_file_name(file)).collect();
    let what = if names.is_empty() { "no rules".to_owned() } else { listed(&names) };
    Ok(format!("rules of {whose}: {what}"))
}

fn changed_fields(change: &TenantChange, thresholds: bool) -> Vec<&'static str> {
    let mut fields = Vec::new();
    fields.extend(change.weight.map(|_| "weight"));
    fields.extend(change.flows_max.map(|_| "flows_max"));
    fields.extend(change.default_verdict.as_ref().map(|_| "default_verdict"));
    fields.extend((!change.variables.is_empty()).then_some("variables"));
    fields.extend(thresholds.then_some("thresholds"));
    fields
}

pub(super) fn set_settings(
    document: &mut DocumentMut,
    name: &str,
    change: &TenantChange,
    thresholds: Option<&Option<PathBuf>>,
) -> Result<String, Refusal> {
    let fields = changed_fields(change, thresholds.is_some());
    if fields.is_empty() {
        let message = "nothing is to be changed; name at least one setting".to_owned();
        return Err(Refusal::new(RefusalKind::BadRequest, message));
    }
    let owner = tenant(document, name)?;
    numbers(owner, change.weight, change.flows_max);
    if let Some(verdict) = &change.default_verdict {
        set(owner, "default_verdict", text::<VerdictText>("default_verdict", verdict)?);
    }
    for (kind, variables) in [("addresses", &change.variables.addresses), ("ports", &change.variables.ports)]
    {
        for (variable, value) in variables {
            let written = table(owner, "variables").and_then(|variables| table(variables, kind));
            let Some(written) = written else { return Err(no_list()) };
            match value {
                Some(group) => set(written, variable, group.as_str()),
                None => {
                    written.remove(variable);
                }
            }
        }
    }
    if let Some(file) = thresholds
        && let Some(data) = table(owner, "data")
    {
        match file {
            Some(file) => set(data, "thresholds", path_value(file)),
            None => {
                data.remove("thresholds");
            }
        }
    }
    Ok(format!("{} of tenant {name}", fields.join(", ")))
}

fn numbers(tenant: &mut Table, weight: Option<u64>, flows_max: Option<u64>) {
    for (field, number) in [("weight", weight), ("flows_max", flows_max)] {
        if let Some(number) = number {
            set(tenant, field, i64::try_from(number).unwrap_or(i64::MAX));
        }
    }
}

fn path_value(path: &Path) -> Value {
    Value::from(path.to_string_lossy().as_ref())
}

/// The file has something else where a list of tables should be; a configuration that was accepted has not.
fn no_list() -> Refusal {
    Refusal::new(RefusalKind::Failed, "the configuration has no place for this; check its tables by hand")
}
