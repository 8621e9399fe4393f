//! Which place in the dataplane each tenant and each pipeline has.
//!
//! Workers know tenants and pipelines by number, and flows remember those numbers. So a number stays with its name as long
//! as that is configured: a tenant's row is given to another only after it is gone, under another identity, by which
//! workers see that the row begins anew; a pipeline's number is never given away while the daemon runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Name, Tenancy, Verdict};

/// A tenant's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its number in the dataplane.
    pub row: u16,
    /// Tells it from every other tenant that ever had the row.
    pub identity: u64,
}

/// Which place each tenant and each pipeline has.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Numbering {
    /// Places for tenants.
    room: u16,
    tenants: BTreeMap<Name, Row>,
    /// Identity of the tenant that comes next.
    identities: u64,
    pipelines: BTreeMap<String, u16>,
    /// Number of the pipeline that comes next.
    pipelines_ever: u16,
    /// Rows that ports deliver to, and for whom they are.
    kept: BTreeMap<u16, Name>,
    /// Tool ports.
    tools: Vec<Name>,
}

/// There is no place.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Full {
    /// For tenants.
    #[error("there is room for {0} tenants; raise tenants_max in [dataplane] and start the daemon again")]
    Tenants(u16),
    /// For pipelines.
    #[error("65,535 pipelines were defined since the daemon started; start it again")]
    Pipelines,
    /// A tool port is used that was not there when the daemon started.
    #[error("tool port `{0}` comes when the daemon starts next; use it then")]
    Tool(Name),
}

impl Numbering {
    /// The places of a dataplane that is started with `config` and these pipelines.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn first(config: &Config, pipelines: &[String]) -> Result<Self, Full> {
        let room = config.dataplane.tenants_max.get() as u16;
        let tools = config.tools.iter().map(|tool| tool.name.clone()).collect();
        let mut first = Self { room, tools, ..Self::default() }.next(config, pipelines)?;
        for port in &config.ports {
            if let Tenancy::Access { tenant, .. } = port.tenancy
                && let Some(tenant) = config.tenants.get(tenant)
                && let Some(place) = first.tenants.get(&tenant.name)
            {
                first.kept.insert(place.row, tenant.name.clone());
            }
        }
        Ok(first)
    }

    /// The places for `config` and these pipelines, of which those that are here stay.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn next(&self, config: &Config, pipelines: &[String]) -> Result<Self, Full> {
        let mut next = Self { tenants: BTreeMap::new(), pipelines: BTreeMap::new(), ..self.clone() };
        let verdicts = config.rules.iter().map(|rule| rule.verdict);
        for verdict in verdicts.chain(config.tenants.iter().map(|tenant| tenant.default_verdict)) {
            if let Verdict::Tool(index) = verdict
                && let Some(tool) = config.tools.get(index).filter(|tool| !self.tools.contains(&tool.name))
            {
                return Err(Full::Tool(tool.name.clone()));
            }
        }
        for tenant in &config.tenants {
            if let Some(row) = self.tenants.get(&tenant.name) {
                next.tenants.insert(tenant.name.clone(), *row);
            }
        }
        let taken: BTreeSet<u16> = next.tenants.values().map(|place| place.row).collect();
        let mut free = (0..self.room).filter(|row| !taken.contains(row) && !self.kept.contains_key(row));
        for tenant in &config.tenants {
            if !next.tenants.contains_key(&tenant.name) {
                let kept = self.kept.iter().find(|(_, name)| **name == tenant.name).map(|(row, _)| *row);
                let row = kept.or_else(|| free.next()).ok_or(Full::Tenants(self.room))?;
                next.tenants.insert(tenant.name.clone(), Row { row, identity: next.identities });
                next.identities += 1;
            }
        }
        for name in pipelines {
            let number = if let Some(number) = self.pipelines.get(name) {
                *number
            } else {
                let number = next.pipelines_ever;
                next.pipelines_ever = number.checked_add(1).ok_or(Full::Pipelines)?;
                number
            };
            next.pipelines.insert(name.clone(), number);
        }
        Ok(next)
    }

    /// A tenant's place.
    pub fn tenant(&self, name: &Name) -> Option<Row> {
        self.tenants.get(name).copied()
    }

    /// A pipeline's number.
    pub fn pipeline(&self, name: &str) -> Option<u16> {
        self.pipelines.get(name).copied()
    }

    /// A tool port's number.
    pub fn tool(&self, name: &Name) -> Option<u16> {
        self.tools.iter().position(|tool| tool == name).map(|place| place as u16)
    }

    /// Tool ports, by their numbers.
    pub fn tools(&self) -> &[Name] {
        &self.tools
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(tenants: &[&str]) -> Config {
        let text: String = tenants.iter().flat_map(|&name| ["[[tenant]]\nname = \"", name, "\"\n"]).collect();
        read(&format!("[dataplane]\ntenants_max = 4\n{text}"))
    }

    fn read(text: &str) -> Config {
        crate::config::parse(text).unwrap().config
    }

    fn places(numbering: &Numbering, names: &[&str]) -> Vec<Option<(u16, u64)>> {
        let place = |name: &&str| numbering.tenant(&name.parse().unwrap()).map(|row| (row.row, row.identity));
        names.iter().map(place).collect()
    }

    #[test]
    fn a_row_stays_with_its_tenant_and_is_given_away_under_another_identity() {
        let first = Numbering::first(&config(&["a", "b", "c"]), &[]).unwrap();
        assert_eq!(places(&first, &["a", "b", "c"]), [Some((0, 0)), Some((1, 1)), Some((2, 2))]);
        let second = first.next(&config(&["c", "a"]), &[]).unwrap();
        assert_eq!(places(&second, &["a", "b", "c"]), [Some((0, 0)), None, Some((2, 2))]);
        let third = second.next(&config(&["d", "c", "a", "b"]), &[]).unwrap();
        assert_eq!(
            places(&third, &["a", "b", "c", "d"]),
            [Some((0, 0)), Some((3, 4)), Some((2, 2)), Some((1, 3))]
        );
        // More than there was room for at the start.
        let five = ["a", "b", "c", "d", "e"].map(|name| format!("[[tenant]]\nname = \"{name}\"\n")).concat();
        assert_eq!(third.next(&read(&five), &[]), Err(Full::Tenants(4)));
    }

    #[test]
    fn a_pipelines_number_is_never_given_away() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let none = config(&[]);
        let first = Numbering::first(&none, &names(&["default", "full"])).unwrap();
        let second = first.next(&none, &names(&["full", "light"])).unwrap();
        assert_eq!(
            (second.pipeline("default"), second.pipeline("full"), second.pipeline("light")),
            (None, Some(1), Some(2))
        );
        let third = second.next(&none, &names(&["default", "full"])).unwrap();
        assert_eq!(third.pipeline("default"), Some(3));
    }

    #[test]
    fn what_a_port_delivers_to_is_nobody_elses() {
        let port =
            "[[port]]\nname = \"p\"\ndevice = \"net_null0\"\nmode = \"access\"\ntenant = \"b\"\nvlan = 8\n";
        let tenant =
            |name: &str| format!("[[tenant]]\nname = \"{name}\"\nvlans = [{}]\n", name.as_bytes()[0] - 90);
        let first = read(&(["a", "b"].map(tenant).concat() + port));
        let first = Numbering::first(&first, &[]).unwrap();
        let gone = first.next(&config(&["a"]), &[]).unwrap();
        let other = gone.next(&config(&["a", "c"]), &[]).unwrap();
        assert_eq!(places(&other, &["a", "c"]), [Some((0, 0)), Some((2, 2))]);
        let back = other.next(&config(&["a", "c", "b"]), &[]).unwrap();
        assert_eq!(places(&back, &["b"]), [Some((1, 3))]);
    }

    #[test]
    fn a_tool_port_is_the_one_that_was_started() {
        let tool = |name: &str| format!("[[tool]]\nname = \"{name}\"\ndevice = \"net_null{}\"\n", name.len());
        let tenant = |verdict: &str| format!("[[tenant]]\nname = \"a\"\ndefault_verdict = \"{verdict}\"\n");
        let (zeek, other) = ("zeek".parse().unwrap(), "other".parse().unwrap());
        let first = Numbering::first(&read(&[tool("zeek"), tenant("shunt")].concat()), &[]).unwrap();
        let turned = read(&[tool("other"), tool("zeek"), tenant("tool zeek")].concat());
        let second = first.next(&turned, &[]).unwrap();
        assert_eq!((second.tool(&zeek), second.tool(&other)), (Some(0), None));
        let used = read(&[tool("other"), tool("zeek"), tenant("tool other")].concat());
        assert_eq!(second.next(&used, &[]), Err(Full::Tool(other)));
    }
}
