//! What is known of addresses beforehand, as files have it: countries and reputation. And how often rules may speak.

use std::path::Path;
use std::sync::Arc;

use ::rules::{Environment, ThresholdSetting, parse_thresholds};
use signature::{Countries, Reputations};

use super::{RulesError, read};
use crate::config::RuleSource;

/// The files, as read.
#[derive(Debug, Default)]
pub(super) struct Texts {
    countries: Option<Vec<u8>>,
    categories: Option<Vec<u8>>,
    thresholds: Option<Vec<u8>>,
    reputations: Vec<Vec<u8>>,
}

/// What they say.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    pub(super) countries: Option<Arc<Countries>>,
    pub(super) reputations: Option<Arc<Reputations>>,
    pub(super) thresholds: Vec<ThresholdSetting>,
}

impl Texts {
    /// Reads the files that are configured.
    pub(super) fn read(source: &RuleSource) -> Result<Self, RulesError> {
        Ok(Self {
            countries: source.geoip_database.as_deref().map(read).transpose()?,
            categories: source.reputation_categories.as_deref().map(read).transpose()?,
            thresholds: source.thresholds.as_deref().map(read).transpose()?,
            reputations: source.reputation_files.iter().map(|path| read(path)).collect::<Result<_, _>>()?,
        })
    }

    /// Everything that is in them, in parts.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let single = [&self.countries, &self.categories, &self.thresholds];
        let present = single.map(|text| if text.is_some() { &b"1"[..] } else { b"0" });
        let single = single.map(|text| text.as_deref().unwrap_or_default());
        present.into_iter().chain(single).chain(self.reputations.iter().map(Vec::as_slice))
    }

    /// What the files say; without categories nothing is known of reputation.
    pub(super) fn parse(self, source: &RuleSource, environment: &Environment) -> Result<Lookups, RulesError> {
        let fault = |path: Option<&Path>, problem: String| RulesError::Lookup {
            path: path.unwrap_or(Path::new("")).to_owned(),
            problem,
        };
        let countries = self.countries.map(|bytes| {
            Countries::new(bytes)
                .map(Arc::new)
                .map_err(|error| fault(source.geoip_database.as_deref(), error.to_string()))
        });
        let thresholds = self.thresholds.map_or(Ok(Vec::new()), |text| {
            parse_thresholds(&String::from_utf8_lossy(&text), environment)
                .map_err(|error| fault(source.thresholds.as_deref(), error.to_string()))
        })?;
        let Some(categories) = self.categories else {
            return Ok(Lookups { countries: countries.transpose()?, reputations: None, thresholds });
        };
        let mut reputations = Reputations::new(&String::from_utf8_lossy(&categories))
            .map_err(|error| fault(source.reputation_categories.as_deref(), error.to_string()))?;
        for (path, text) in source.reputation_files.iter().zip(&self.reputations) {
            reputations
                .add(&String::from_utf8_lossy(text))
                .map_err(|error| fault(Some(path), error.to_string()))?;
        }
        Ok(Lookups {
            countries: countries.transpose()?,
            reputations: Some(Arc::new(reputations)),
            thresholds,
        })
    }
}
