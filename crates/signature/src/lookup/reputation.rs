//! Reputation of addresses, from files in the reference's form
//! (<https://docs.suricata.io/en/suricata-7.0.10/reputation/ipreputation/ip-reputation-format.html>).

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use thiserror::Error;

/// Highest number of a category.
const CATEGORY_MAX: u8 = 59;
/// Highest score.
const SCORE_MAX: u8 = 127;

/// A file that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}: expected {expected}")]
pub struct ReputationError {
    /// Line, from 1.
    pub line: usize,
    /// What should be there.
    pub expected: &'static str,
}

/// What is known of addresses: a score from 0 to 127 in each category.
#[derive(Debug, Default)]
pub struct Reputations {
    categories: HashMap<String, u8>,
    /// Single addresses: each has a score in every category, 0 where no file says one.
    hosts: HashMap<IpAddr, Box<[(u8, u8)]>>,
    /// Networks by category and length of their prefix, the longest last.
    networks: HashMap<u8, BTreeMap<u8, HashMap<IpAddr, u8>>>,
}

impl Reputations {
    /// With these categories: lines of number, name, description.
    ///
    /// # Errors
    ///
    /// [`ReputationError`] for a line that is something else.
    pub fn new(categories: &str) -> Result<Self, ReputationError> {
        let mut known = HashMap::new();
        for (line, text) in lines(categories) {
            let mut parts = text.splitn(3, ',').map(str::trim);
            let number = parts.next().and_then(|number| number.parse::<u8>().ok());
            let number = number.filter(|number| (1..=CATEGORY_MAX).contains(number));
            let name = parts.next().filter(|name| !name.is_empty());
            let (Some(number), Some(name), Some(_)) = (number, name, parts.next()) else {
                let expected = "a number from 1 to 59, a comma, a short name, a comma, and a description";
                return Err(ReputationError { line, expected });
            };
            known.insert(name.to_owned(), number);
        }
        Ok(Self { categories: known, ..Self::default() })
    }

    /// Takes in a file: lines of address or network, category, score.
    ///
    /// # Errors
    ///
    /// [`ReputationError`] for a line that is something else.
    pub fn add(&mut self, text: &str) -> Result<(), ReputationError> {
        for (line, text) in lines(text) {
            self.add_line(text).ok_or(ReputationError {
                line,
                expected: "an address or a network, a comma, a category from 1 to 59, a comma, and a score up to 127",
            })?;
        }
        Ok(())
    }

    fn add_line(&mut self, text: &str) -> Option<()> {
        let mut parts = text.split(',').map(str::trim);
        let (place, category, score) = (parts.next()?, parts.next()?, parts.next()?);
        let category: u8 = category.parse().ok().filter(|number| (1..=CATEGORY_MAX).contains(number))?;
        let score: u8 = score.parse().ok().filter(|score| *score <= SCORE_MAX)?;
        if let Some((address, len)) = place.split_once('/') {
            let (address, len): (IpAddr, u8) = (address.parse().ok()?, len.parse().ok()?);
            let network = masked(address, len)?;
            self.networks.entry(category).or_default().entry(len).or_default().insert(network, score);
        } else {
            let scores = self.hosts.entry(place.parse().ok()?).or_default();
            let others = scores.iter().copied().filter(|(other, _)| *other != category);
            *scores = others.chain([(category, score)]).collect();
        }
        Some(())
    }

    /// The number of a category.
    pub fn category(&self, name: &str) -> Option<u8> {
        self.categories.get(name).copied()
    }

    /// The score of an address; `None` if nothing is known of it.
    pub fn score(&self, address: IpAddr, category: u8) -> Option<u8> {
        if let Some(scores) = self.hosts.get(&address) {
            return Some(scores.iter().find(|(other, _)| *other == category).map_or(0, |(_, score)| *score));
        }
        let networks = self.networks.get(&category)?;
        networks.iter().rev().find_map(|(&len, networks)| networks.get(&masked(address, len)?).copied())
    }
}

/// The network of an address; `None` if it has no prefix of that length.
fn masked(address: IpAddr, len: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => {
            let host = 32_u32.checked_sub(u32::from(len))?;
            let mask = u32::MAX.checked_shl(host).unwrap_or(0);
            Some(IpAddr::V4((u32::from(address) & mask).into()))
        }
        IpAddr::V6(address) => {
            let host = 128_u32.checked_sub(u32::from(len))?;
            let mask = u128::MAX.checked_shl(host).unwrap_or(0);
            Some(IpAddr::V6((u128::from(address) & mask).into()))
        }
    }
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..)
        .zip(text.lines())
        .map(|(number, line)| (number, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_longest_prefix_counts_and_a_single_address_more() {
        let mut known = Reputations::new("# c\n1,Bad,bad hosts\n2,Good,good, very good\n").unwrap();
        known
            .add("10.0.0.0/8,1,10\n10.1.0.0/16,1,20\n10.1.1.1,2,30\n2001:db8::/32,1,40\n0.0.0.0/0,2,1\n")
            .unwrap();
        let score = |address: &str, category| known.score(address.parse().unwrap(), category);
        assert_eq!((score("10.2.0.1", 1), score("10.1.0.1", 1)), (Some(10), Some(20)));
        assert_eq!((score("10.1.1.1", 2), score("10.1.1.1", 1)), (Some(30), Some(0)));
        assert_eq!((score("2001:db8::5", 1), score("2001:db9::", 1)), (Some(40), None));
        assert_eq!((score("11.0.0.0", 1), score("11.0.0.0", 2)), (None, Some(1)));
        assert_eq!((known.category("Good"), known.category("good")), (Some(2), None));
    }

    #[test]
    fn a_line_that_is_something_else_is_named() {
        assert_eq!(Reputations::new("1,A,b\n60,B,c\n").unwrap_err().line, 2);
        for line in ["1.1.1.1,1", "1.1.1.1,1,128", "1.1.1.1/33,1,1", "host,1,1", "1.1.1.1,0,1"] {
            assert_eq!(Reputations::default().add(&format!("\n{line}")).unwrap_err().line, 2, "{line}");
        }
    }
}
