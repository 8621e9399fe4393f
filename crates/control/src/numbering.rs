//! Which place in the dataplane each tenant and each pipeline has.
//!
//! Workers know tenants and pipelines by number, and flows remember those numbers. So a number stays with its name as long
//! as that is configured: a tenant's row is given to another only after it is gone, under another identity, by which
//! workers see that the row begins anew; a pipeline's number is never given away while the daemon runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Config, Name};

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
}

/// There is no place left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Full {
    /// For tenants.
    #[error("there is room for {0} tenants; raise tenants_max in [dataplane] and start the daemon again")]
    Tenants(u16),
    /// For pipelines.
    #[error("65,535 pipelines were defined since the daemon started; start it again")]
    Pipelines,
}

impl Numbering {
    /// No places given yet, of `room` for tenants.
    pub fn new(room: u16) -> Self {
        Self { room, ..Self::default() }
    }

    /// The places for `config` and these pipelines, of which those that are here stay.
    ///
    /// # Errors
    ///
    /// [`Full`].
    pub fn next(&self, config: &Config, pipelines: &[String]) -> Result<Self, Full> {
        let mut next = Self { identities: self.identities, ..Self::new(self.room) };
        for tenant in &config.tenants {
            if let Some(row) = self.tenants.get(&tenant.name) {
                next.tenants.insert(tenant.name.clone(), *row);
            }
        }
        let taken: BTreeSet<u16> = next.tenants.values().map(|place| place.row).collect();
        let mut free = (0..self.room).filter(|row| !taken.contains(row));
        for tenant in &config.tenants {
            if !next.tenants.contains_key(&tenant.name) {
                let row = free.next().ok_or(Full::Tenants(self.room))?;
                next.tenants.insert(tenant.name.clone(), Row { row, identity: next.identities });
                next.identities += 1;
            }
        }
        next.pipelines_ever = self.pipelines_ever;
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

    /// One more than the highest row that a tenant has.
    pub fn rows(&self) -> usize {
        self.tenants.values().map(|place| usize::from(place.row) + 1).max().unwrap_or(0)
    }

    /// How many numbers pipelines were given.
    pub fn pipelines_ever(&self) -> usize {
        usize::from(self.pipelines_ever)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(tenants: &[&str]) -> Config {
        let text: String = tenants.iter().flat_map(|&name| ["[[tenant]]\nname = \"", name, "\"\n"]).collect();
        crate::config::parse(&text).unwrap().config
    }

    fn places(numbering: &Numbering, names: &[&str]) -> Vec<Option<(u16, u64)>> {
        let place = |name: &&str| numbering.tenant(&name.parse().unwrap()).map(|row| (row.row, row.identity));
        names.iter().map(place).collect()
    }

    #[test]
    fn a_row_stays_with_its_tenant_and_is_given_away_under_another_identity() {
        let first = Numbering::new(4).next(&config(&["a", "b", "c"]), &[]).unwrap();
        assert_eq!(places(&first, &["a", "b", "c"]), [Some((0, 0)), Some((1, 1)), Some((2, 2))]);
        let second = first.next(&config(&["c", "a"]), &[]).unwrap();
        assert_eq!(places(&second, &["a", "b", "c"]), [Some((0, 0)), None, Some((2, 2))]);
        let third = second.next(&config(&["d", "c", "a", "b"]), &[]).unwrap();
        assert_eq!(
            places(&third, &["a", "b", "c", "d"]),
            [Some((0, 0)), Some((3, 4)), Some((2, 2)), Some((1, 3))]
        );
        assert_eq!(third.next(&config(&["a", "b", "c", "d", "e"]), &[]), Err(Full::Tenants(4)));
        assert_eq!(third.rows(), 4);
    }

    #[test]
    fn a_pipelines_number_is_never_given_away() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let none = config(&[]);
        let first = Numbering::new(4).next(&none, &names(&["default", "full"])).unwrap();
        let second = first.next(&none, &names(&["full", "light"])).unwrap();
        assert_eq!(
            (second.pipeline("default"), second.pipeline("full"), second.pipeline("light")),
            (None, Some(1), Some(2))
        );
        let third = second.next(&none, &names(&["default", "full"])).unwrap();
        assert_eq!((third.pipeline("default"), third.pipelines_ever()), (Some(3), 4));
    }
}
