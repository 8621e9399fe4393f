//! VLANs change hands.

use std::collections::BTreeSet;

use api::{Refusal, RefusalKind};
use toml_edit::{DocumentMut, Item, Table, Value};

use super::tables::{array, list, name_of, set, tenant};
use crate::config::VlanRange;

/// The VLANs that a tenant's table names.
pub(super) fn of_tenant(tenant: &Table) -> BTreeSet<u16> {
    let values = tenant.get("vlans").and_then(Item::as_array);
    let range = |value: &Value| match value {
        Value::Integer(number) => number.value().to_string().parse::<VlanRange>().ok(),
        Value::String(text) => text.value().parse().ok(),
        _ => None,
    };
    values.into_iter().flatten().filter_map(range).flat_map(VlanRange::iter).collect()
}

/// Writes the VLANs of a tenant, those that follow each other as ranges.
pub(super) fn write(tenant: &mut Table, vlans: &BTreeSet<u16>) {
    let ranges = ranges(vlans);
    let value = |range: &VlanRange| {
        if range.first == range.last {
            Value::from(i64::from(range.first))
        } else {
            Value::from(range.to_string())
        }
    };
    set(tenant, "vlans", array(ranges.iter().map(value)));
}

/// As few ranges as the VLANs can be written in, in order.
pub(crate) fn ranges(vlans: &BTreeSet<u16>) -> Vec<VlanRange> {
    let mut ranges: Vec<VlanRange> = Vec::new();
    for &vlan in vlans {
        match ranges.last_mut() {
            Some(range) if range.last + 1 == vlan => range.last = vlan,
            _ => ranges.push(VlanRange { first: vlan, last: vlan }),
        }
    }
    ranges
}

/// Refuses VLANs that somebody has.
pub(super) fn check_free(document: &mut DocumentMut, vlans: VlanRange, but: &str) -> Result<(), Refusal> {
    let taken = |vlan: u16, owner: &str| {
        let message =
            format!("VLAN {vlan} belongs to {owner}; release it first: forebay vlan release {vlan}");
        Refusal::new(RefusalKind::Conflict, message)
    };
    if let Some(tenants) = list(document, &["tenant"]) {
        for table in tenants.iter().filter(|table| name_of(*table) != but) {
            let own = of_tenant(table);
            if let Some(vlan) = vlans.iter().find(|vlan| own.contains(vlan)) {
                return Err(taken(vlan, name_of(table)));
            }
        }
    }
    if let Some(ports) = list(document, &["port"]) {
        for table in ports.iter() {
            let vlan = table.get("vlan").and_then(Item::as_integer).and_then(|vlan| u16::try_from(vlan).ok());
            let owner = table.get("tenant").and_then(Item::as_str).unwrap_or_default();
            if let Some(vlan) = vlan.filter(|vlan| vlans.iter().contains(vlan) && owner != but) {
                let message = format!(
                    "VLAN {vlan} belongs to {owner}, by port {}; change the port in the configuration first",
                    name_of(table)
                );
                return Err(Refusal::new(RefusalKind::Conflict, message));
            }
        }
    }
    Ok(())
}

pub(super) fn assign(document: &mut DocumentMut, name: &str, vlans: VlanRange) -> Result<String, Refusal> {
    // An unknown tenant is the first thing to say.
    tenant(document, name)?;
    check_free(document, vlans, name)?;
    let table = tenant(document, name)?;
    let mut own = of_tenant(table);
    own.extend(vlans.iter());
    write(table, &own);
    Ok(format!("VLAN {vlans} to {name}"))
}

pub(super) fn release(document: &mut DocumentMut, vlans: VlanRange) -> Result<String, Refusal> {
    let mut owners = Vec::new();
    if let Some(tenants) = list(document, &["tenant"]) {
        for table in tenants.iter_mut() {
            let before = of_tenant(table);
            let after: BTreeSet<u16> =
                before.iter().copied().filter(|vlan| !vlans.iter().contains(vlan)).collect();
            if after.len() < before.len() {
                owners.push(name_of(table).to_owned());
                write(table, &after);
            }
        }
    }
    if owners.is_empty() {
        let message = format!("VLAN {vlans} belongs to no tenant; `forebay vlan list` shows who has which");
        return Err(Refusal::new(RefusalKind::NotFound, message));
    }
    Ok(format!("VLAN {vlans} from {}", owners.join(", ")))
}
