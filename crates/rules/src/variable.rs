//! Lists of addresses or ports with nesting, negation and variables, and the sets that they come to.

use std::collections::HashMap;

use crate::address::Addresses;
use crate::environment::Environment;
use crate::ir::{AddressSet, PortSet};
use crate::port::Ports;
use crate::refusal::{Outcome, RefusalReason};
use crate::syntax::Span;

/// Brackets and variables within each other.
const DEPTH_MAX: u32 = 16;
/// Members of one list when every variable in it is resolved.
const MEMBERS_MAX: usize = 65_536;

/// What a list is made of.
pub(crate) trait Members: Default {
    /// What it is a list of.
    const KIND: &'static str;
    /// What it comes to.
    type Set;

    /// Takes in one member that is neither list nor variable.
    fn add(&mut self, text: &str, negated: bool) -> Result<(), RefusalReason>;

    /// The set, or `None` if nothing is left.
    fn finish(self) -> Option<Self::Set>;
}

/// Resolves the list `text`; `variable` gives the text of a variable.
pub(crate) fn resolve<'v, M: Members>(
    text: &'v str,
    variable: &impl Fn(&str) -> Option<&'v str>,
) -> Result<M::Set, RefusalReason> {
    let mut members = M::default();
    let mut count = 0;
    collect(text, false, 0, &mut count, variable, &mut members)?;
    members.finish().ok_or_else(|| RefusalReason::List {
        problem: "nothing is left of this list after what it negates",
        value: RefusalReason::quoted(text),
    })
}

fn collect<'v, M: Members>(
    text: &'v str,
    negated: bool,
    depth: u32,
    count: &mut usize,
    variable: &impl Fn(&str) -> Option<&'v str>,
    members: &mut M,
) -> Result<(), RefusalReason> {
    let problem = |problem: &'static str, value: &str| RefusalReason::List {
        problem,
        value: RefusalReason::quoted(value),
    };
    if depth > DEPTH_MAX {
        return Err(problem("lists are nested too deeply", text));
    }
    let elements = elements(text).ok_or_else(|| problem("brackets do not match", text))?;
    let last = elements.len().saturating_sub(1);
    for (index, element) in elements.into_iter().enumerate() {
        let mut element = element.trim();
        let mut negated = negated;
        while let Some(positive) = element.strip_prefix('!') {
            negated = !negated;
            element = positive.trim_start();
        }
        *count += 1;
        if *count > MEMBERS_MAX {
            return Err(problem("the list has too many members", text));
        }
        if element.is_empty() {
            if index == last {
                continue;
            }
            return Err(problem("a member of the list is empty", text));
        }
        if let Some(inner) = element.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(|| problem("brackets do not match", element))?;
            collect(inner, negated, depth + 1, count, variable, members)?;
        } else if let Some(name) = element.strip_prefix('$') {
            let value = variable(name)
                .ok_or_else(|| RefusalReason::UnknownVariable(RefusalReason::quoted(name), M::KIND))?;
            collect(value, negated, depth + 1, count, variable, members).map_err(|reason| match reason {
                RefusalReason::List { problem: "lists are nested too deeply", .. } => {
                    RefusalReason::VariableLoop(RefusalReason::quoted(name))
                }
                other => other,
            })?;
        } else {
            members.add(element, negated)?;
        }
    }
    Ok(())
}

/// The parts of a list between the commas that no bracket encloses; `None` if brackets do not match.
fn elements(text: &str) -> Option<Vec<&str>> {
    let mut elements = Vec::new();
    let mut depth = 0_u32;
    let mut begin = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.checked_sub(1)?,
            b',' if depth == 0 => {
                elements.push(text.get(begin..at)?);
                begin = at + 1;
            }
            _ => {}
        }
    }
    elements.push(text.get(begin..)?);
    (depth == 0).then_some(elements)
}

/// The sets that the headers of many rules come to; most rules write one of a few.
pub(crate) struct Sets<'e> {
    environment: &'e Environment,
    addresses: HashMap<String, AddressSet>,
    ports: HashMap<String, PortSet>,
}

impl<'e> Sets<'e> {
    /// Texts longer than this are not kept: such a list is hardly written twice.
    const KEPT_BYTES_MAX: usize = 64;
    /// So many are kept.
    const KEPT_MAX: usize = 4096;

    pub(crate) fn new(environment: &'e Environment) -> Self {
        Self { environment, addresses: HashMap::new(), ports: HashMap::new() }
    }

    pub(crate) fn addresses(&mut self, text: Span<'_>) -> Outcome<AddressSet> {
        let environment = self.environment;
        cached(&mut self.addresses, text.text, || {
            resolve::<Addresses>(text.text, &|name| environment.address_variable(name))
        })
        .map_err(|reason| text.fault(reason))
    }

    pub(crate) fn ports(&mut self, text: Span<'_>) -> Outcome<PortSet> {
        let environment = self.environment;
        cached(&mut self.ports, text.text, || {
            resolve::<Ports>(text.text, &|name| environment.port_variable(name))
        })
        .map_err(|reason| text.fault(reason))
    }
}

fn cached<S: Clone>(
    kept: &mut HashMap<String, S>,
    text: &str,
    resolve: impl FnOnce() -> Result<S, RefusalReason>,
) -> Result<S, RefusalReason> {
    if text.len() > Sets::KEPT_BYTES_MAX {
        return resolve();
    }
    if let Some(set) = kept.get(text) {
        return Ok(set.clone());
    }
    let set = resolve()?;
    if kept.len() < Sets::KEPT_MAX {
        kept.insert(text.to_owned(), set.clone());
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ports(text: &str) -> Option<Vec<(u16, u16)>> {
        let set = resolve::<Ports>(text, &|name| match name {
            "HTTP" => Some("[80,8080]"),
            "LOOP" => Some("[1,$LOOP]"),
            _ => None,
        });
        set.ok().map(|set| set.0.iter().map(|range| (*range.start(), *range.end())).collect())
    }

    #[test]
    fn port_lists() {
        assert_eq!(ports("any"), Some(vec![]));
        assert_eq!(ports("0:65535"), Some(vec![]));
        assert_eq!(ports("[81,80, 5:7,6:9]"), Some(vec![(5, 9), (80, 81)]));
        assert_eq!(ports("!80"), Some(vec![(0, 79), (81, 65535)]));
        assert_eq!(ports("[1:80,![2,4]]"), Some(vec![(1, 1), (3, 3), (5, 80)]));
        assert_eq!(ports("!$HTTP"), Some(vec![(0, 79), (81, 8079), (8081, 65535)]));
        assert_eq!(ports("!!80"), Some(vec![(80, 80)]));
        assert_eq!(ports("[1024:,!1025:]"), Some(vec![(1024, 1024)]));
        for wrong in [
            "", "[]", "!any", "[80,!80]", "65536", "+80", "80-90", "[80", "80]", "[1,,2]", "$LOOP", "$NO",
            "9:8",
        ] {
            assert_eq!(ports(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_variable_that_contains_itself_is_named() {
        let error = resolve::<Ports>("$A", &|_| Some("$A")).unwrap_err();
        assert_eq!(error, RefusalReason::VariableLoop("A".into()));
    }

    #[test]
    fn variables_cannot_multiply_without_end() {
        let wide = "$B,".repeat(100);
        let text = |name: &str| Some(if name == "C" { "1" } else { wide.as_str() });
        let error = resolve::<Ports>("$A", &text).unwrap_err();
        assert!(matches!(error, RefusalReason::List { .. } | RefusalReason::VariableLoop(_)), "{error}");
    }

    #[test]
    fn address_lists() {
        let set = |text| {
            resolve::<Addresses>(text, &|name| (name == "HOME").then_some("[10.0.0.0/8,192.168.0.0/16]"))
        };
        let has = |text, address: &str| set(text).unwrap().contains(address.parse().unwrap());
        assert!(set("any").unwrap().is_any());
        assert!(has("$HOME", "10.1.2.3") && !has("$HOME", "11.1.2.3"));
        assert!(!has("!$HOME", "10.1.2.3") && has("!$HOME", "11.1.2.3") && has("!$HOME", "2001::1"));
        assert!(has("[$HOME,!10.1.0.0/16]", "10.2.0.1") && !has("[$HOME,!10.1.0.0/16]", "10.1.0.1"));
        assert!(has("[1.1.1.1,![2.2.2.2,!3.3.3.3]]", "3.3.3.3"));
        assert!(has("1.2.3.4/255.255.255.0", "1.2.3.9") && !has("1.2.3.4/24", "1.2.4.4"));
        assert!(has("1.2.3.4-1.2.3.9", "1.2.3.9") && !has("1.2.3.4-1.2.3.9", "1.2.3.10"));
        assert!(has("[2001:db8::/32,1.2.3.4]", "2001:db8::1"));
        assert!(has("[any,!2.2.2.2]", "1.1.1.1") && !has("[any,!2.2.2.2]", "2.2.2.2"));
        for wrong in [
            "!any",
            "[$HOME,!$HOME]",
            "[1.1.1.0/24,!1.1.0.0/16]",
            "[1.1.1.0/24,!1.1.1.0/25,!1.1.1.128/25]",
            "[]",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.9-1.2.3.4",
            "2001::1-2001::2",
            "2001::/129",
            "[1.1.1.1,,2.2.2.2]",
            "$NO",
        ] {
            assert!(set(wrong).is_err(), "{wrong}");
        }
        assert!(set("[1.1.1.0/24,!1.1.1.0/25]").is_ok());
    }
}
