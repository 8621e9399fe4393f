//! What rules have noted of a flow, as alerts tell it: `traffic` and `metadata`.

use event::json::{bytes, literal, number, string};
use signature::FlowState;
use signature::compile::StateNames;

/// Flowbits of this name label the traffic rather than tell rules something.
const TRAFFIC_ID: &str = "traffic/id/";
const TRAFFIC_LABEL: &str = "traffic/label/";

/// Appends `"traffic":{…}` and `"metadata":{…}` with the flowbits, flowints and variables that are set, as far as there are any,
/// each after a comma.
pub(super) fn members(to: &mut Vec<u8>, state: &FlowState, packet: &[(u32, Box<[u8]>)], names: &StateNames) {
    let bits: Vec<&str> = state.bits().iter().filter_map(|&bit| names.bit(bit)).collect();
    let labels = |prefix: &'static str| bits.iter().filter_map(move |name| name.strip_prefix(prefix));
    let lists = [("id", list(labels(TRAFFIC_ID))), ("label", list(labels(TRAFFIC_LABEL)))];
    object(to, "traffic", &lists);
    let others = bits.iter().filter(|name| !name.starts_with(TRAFFIC_ID) && !name.starts_with(TRAFFIC_LABEL));
    let mut integers = Vec::new();
    for &(integer, value) in state.integers() {
        let Some(name) = names.integer(integer) else { continue };
        let before = if integers.is_empty() { "{" } else { "," };
        literal(&mut integers, before);
        string(&mut integers, name);
        literal(&mut integers, ":");
        number(&mut integers, u64::from(value));
    }
    if !integers.is_empty() {
        literal(&mut integers, "}");
    }
    let metadata = [
        ("flowbits", list(others.copied())),
        ("flowints", integers),
        ("flowvars", captured(state.variables(), names)),
        ("pktvars", captured(packet, names)),
    ];
    object(to, "metadata", &metadata);
}

/// A list of objects with one captured variable each; nothing at all if there are none.
fn captured(variables: &[(u32, Box<[u8]>)], names: &StateNames) -> Vec<u8> {
    let mut to = Vec::new();
    for (variable, value) in variables {
        let Some(name) = names.variable(*variable) else { continue };
        let before = if to.is_empty() { "[{" } else { ",{" };
        literal(&mut to, before);
        string(&mut to, name);
        literal(&mut to, ":");
        bytes(&mut to, value);
        literal(&mut to, "}");
    }
    if !to.is_empty() {
        literal(&mut to, "]");
    }
    to
}

/// A list of texts; nothing at all if there are none.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut to = Vec::new();
    for text in texts {
        let before = if to.is_empty() { "[" } else { "," };
        literal(&mut to, before);
        string(&mut to, text);
    }
    if !to.is_empty() {
        literal(&mut to, "]");
    }
    to
}

/// `,"name":{…}` of the members that are not empty; nothing if all are.
fn object(to: &mut Vec<u8>, name: &str, members: &[(&str, Vec<u8>)]) {
    let mut before = "{";
    for (key, value) in members.iter().filter(|(_, value)| !value.is_empty()) {
        if before == "{" {
            literal(to, ",");
            string(to, name);
            literal(to, ":");
        }
        literal(to, before);
        string(to, key);
        literal(to, ":");
        to.extend_from_slice(value);
        before = ",";
    }
    if before == "," {
        literal(to, "}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_is_not_written() {
        let mut to = Vec::new();
        object(&mut to, "traffic", &[("id", list([].into_iter())), ("label", Vec::new())]);
        assert!(to.is_empty());
        object(
            &mut to,
            "traffic",
            &[("id", list(["a", "b\""].into_iter())), ("label", list(["c"].into_iter()))],
        );
        assert_eq!(String::from_utf8_lossy(&to), r#","traffic":{"id":["a","b\""],"label":["c"]}"#);
    }
}
