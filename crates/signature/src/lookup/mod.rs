//! What is known of addresses beforehand: their countries (`geoip`) and their reputation (`iprep`).
//!
//! In: a database of countries, reputation files. Out: whether a rule's conditions on the addresses of a packet hold
//! ([`Lookup`]).

mod country;
mod reputation;

use std::net::IpAddr;
use std::sync::Arc;

use rules::ir::{AddressSide, GeoIp, HeaderCondition, Reputation, ReputationScore, Rule};

use crate::compile::{Ends, Setup};
use crate::verify::CompileError;

pub use country::{Countries, CountriesError};
pub use reputation::{ReputationError, Reputations};

/// A condition on addresses, ready.
#[derive(Debug)]
pub enum Lookup {
    /// `geoip`.
    Country(GeoIp, Arc<Countries>),
    /// `iprep`: side, category, score.
    Reputation(AddressSide, u8, ReputationScore, Arc<Reputations>),
}

impl Lookup {
    /// Those of a rule.
    pub(crate) fn all(rule: &Rule, setup: &Setup<'_>) -> Result<Box<[Self]>, CompileError> {
        let lookups = rule.packet.iter().filter_map(|condition| match condition {
            HeaderCondition::GeoIp(wanted) => Some(Self::country(wanted, setup)),
            HeaderCondition::Reputation(wanted) => Some(Self::reputation(wanted, setup)),
            _ => None,
        });
        lookups.collect()
    }

    fn country(wanted: &GeoIp, setup: &Setup<'_>) -> Result<Self, CompileError> {
        let countries = setup.countries.ok_or(CompileError::NoCountries)?;
        Ok(Self::Country(wanted.clone(), Arc::clone(countries)))
    }

    fn reputation(wanted: &Reputation, setup: &Setup<'_>) -> Result<Self, CompileError> {
        let reputations = setup.reputations.ok_or(CompileError::NoReputations)?;
        let category = reputations
            .category(&wanted.category)
            .ok_or_else(|| CompileError::UnknownCategory(wanted.category.clone()))?;
        Ok(Self::Reputation(wanted.side, category, wanted.score, Arc::clone(reputations)))
    }

    /// Whether it holds of a packet between these.
    pub(crate) fn holds(&self, ends: &Ends) -> bool {
        if ends.ip_version == 0 {
            return false;
        }
        let source = ends.source.0.to_ip(ends.ip_version);
        let destination = ends.destination.0.to_ip(ends.ip_version);
        match self {
            Self::Country(wanted, countries) => either(wanted.side, source, destination, |address| {
                // As in the reference, only IPv4 has countries.
                address.is_ipv4()
                    && countries
                        .of(address)
                        .is_some_and(|country| wanted.countries.contains(&country) != wanted.negated)
            }),
            Self::Reputation(side, category, score, reputations) => {
                let score_of = |address| reputations.score(address, *category);
                match (score, side) {
                    // Of one side what is known with score 0 is not set; of several what is not known at all.
                    (ReputationScore::IsNotSet, AddressSide::Source | AddressSide::Destination) => {
                        either(*side, source, destination, |address| {
                            score_of(address).is_none_or(|score| score == 0)
                        })
                    }
                    (ReputationScore::IsNotSet, AddressSide::Any | AddressSide::Both) => {
                        either(*side, source, destination, |address| score_of(address).is_none())
                    }
                    (ReputationScore::IsSet, _) => {
                        either(*side, source, destination, |address| score_of(address).is_some())
                    }
                    (ReputationScore::Is(comparison), _) => either(*side, source, destination, |address| {
                        score_of(address).is_some_and(|score| comparison.holds(score))
                    }),
                }
            }
        }
    }
}

fn either(side: AddressSide, source: IpAddr, destination: IpAddr, holds: impl Fn(IpAddr) -> bool) -> bool {
    match side {
        AddressSide::Any => holds(source) || holds(destination),
        AddressSide::Both => holds(source) && holds(destination),
        AddressSide::Source => holds(source),
        AddressSide::Destination => holds(destination),
    }
}
