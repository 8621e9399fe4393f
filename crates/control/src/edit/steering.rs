//! Steering rules come and go. A rule is known by its name and the tenant that it is for: what tenants call theirs is nobody
//! else's business.

use api::{Refusal, RefusalKind, SteeringRule};
use toml_edit::{ArrayOfTables, DocumentMut, Table, Value};

use super::tables::{list, name_of, push, set, text_of};
use super::{bad, not_found};
use crate::config::{Direction, Name, PortRange, Prefix, Protocol, ValueError, VerdictText, VlanRange};

/// Where steering rules stand: the policy's, and the others.
const LISTS: [&[&str]; 2] = [&["policy", "steer"], &["steer"]];

pub(super) fn add(document: &mut DocumentMut, policy: bool, rule: &SteeringRule) -> Result<String, Refusal> {
    let table = table(rule)?;
    for path in LISTS {
        if list(document, path)
            .is_some_and(|list| place_of(list, &rule.name, rule.tenant.as_deref()).is_some())
        {
            let message = format!(
                "there is a steering rule `{0}` already; choose another name, or remove it first: forebay steer \
                 remove {0}",
                rule.name
            );
            return Err(Refusal::new(RefusalKind::Conflict, message));
        }
    }
    let path = if policy { LISTS[0] } else { LISTS[1] };
    if let Some(list) = list(document, path) {
        push(list, table);
    }
    forget_empty(document);
    Ok(format!("steering rule {} added{}", rule.name, if policy { " to the policy" } else { "" }))
}

pub(super) fn remove(
    document: &mut DocumentMut,
    name: &str,
    tenant: Option<&str>,
) -> Result<String, Refusal> {
    for path in LISTS {
        let Some(list) = list(document, path) else { continue };
        if let Some(place) = place_of(list, name, tenant) {
            list.remove(place);
            forget_empty(document);
            return Ok(format!("steering rule {name} removed"));
        }
    }
    Err(not_found("steering rule", name, &[]))
}

/// Where the rule of this name for this tenant, or for all, is in its list.
fn place_of(list: &ArrayOfTables, name: &str, tenant: Option<&str>) -> Option<usize> {
    list.iter().position(|rule| name_of(rule) == name && text_of(rule, "tenant") == tenant)
}

/// A list that was made to look into it, or has lost its last table, is not written.
fn forget_empty(document: &mut DocumentMut) {
    for path in LISTS {
        if list(document, path).is_none_or(|list| list.is_empty())
            && let Some((name, parents)) = path.split_last()
        {
            let mut table = Some(document.as_table_mut());
            for parent in parents {
                table = table.and_then(|table| table.get_mut(parent)).and_then(|item| item.as_table_mut());
            }
            if let Some(table) = table {
                table.remove(name);
            }
        }
    }
}

/// The rule as a table; a field that is absent is not written.
fn table(rule: &SteeringRule) -> Result<Table, Refusal> {
    let mut table = Table::new();
    // A number is written as one where the file has numbers.
    let value = |text: &str| text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from);
    set(&mut table, "name", text::<Name>("name", &rule.name)?);
    if let Some(priority) = rule.priority {
        set(&mut table, "priority", i64::try_from(priority).unwrap_or(i64::MAX));
    }
    if let Some(tenant) = &rule.tenant {
        set(&mut table, "tenant", text::<Name>("tenant", tenant)?);
    }
    if let Some(vlan) = &rule.vlan {
        set(&mut table, "vlan", value(text::<VlanRange>("vlan", vlan)?));
    }
    if let Some(protocol) = &rule.protocol {
        set(&mut table, "protocol", value(text::<Protocol>("protocol", protocol)?));
    }
    for (field, prefix) in [("source", &rule.source), ("destination", &rule.destination)] {
        if let Some(prefix) = prefix {
            set(&mut table, field, text::<Prefix>(field, prefix)?);
        }
    }
    for (field, ports) in
        [("source_ports", &rule.source_ports), ("destination_ports", &rule.destination_ports)]
    {
        if let Some(ports) = ports {
            set(&mut table, field, value(text::<PortRange>(field, ports)?));
        }
    }
    if let Some(direction) = &rule.direction {
        set(&mut table, "direction", text::<Direction>("direction", direction)?);
    }
    set(&mut table, "verdict", text::<VerdictText>("verdict", &rule.verdict)?);
    Ok(table)
}

/// The text, if it can be read as a `T`.
pub(super) fn text<'t, T: std::str::FromStr<Err = ValueError>>(
    field: &str,
    text: &'t str,
) -> Result<&'t str, Refusal> {
    text.parse::<T>().map(|_| text).map_err(|error| bad(field, text, &error))
}
