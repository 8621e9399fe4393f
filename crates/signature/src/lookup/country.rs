//! Countries of addresses, from a database in the format of `MaxMind`.

use std::net::IpAddr;

use maxminddb::{MaxMindDbError, PathElement, Reader, WithinOptions};
use thiserror::Error;

/// Countries of addresses.
#[derive(Debug)]
pub struct Countries(Reader<Vec<u8>>);

/// A database that cannot be used.
#[derive(Debug, Error)]
#[error("it is no whole database of countries in the format of `MaxMind`: {0}")]
pub struct CountriesError(#[from] MaxMindDbError);

/// Where databases have the country's two letters: those of `MaxMind`, and simpler ones.
const PATHS: [&[PathElement<'static>]; 2] =
    [&[PathElement::Key("country"), PathElement::Key("iso_code")], &[PathElement::Key("country_code")]];

impl Countries {
    /// Takes in the bytes of a database.
    ///
    /// # Errors
    ///
    /// [`CountriesError`] when it is damaged.
    pub fn new(bytes: Vec<u8>) -> Result<Self, CountriesError> {
        let reader = Reader::from_source(bytes)?;
        // A lookup in what is damaged would be wrong, or an error at each packet.
        for network in reader.networks(WithinOptions::default())? {
            let network = network?;
            for path in PATHS {
                network.decode_path::<&str>(path)?;
            }
        }
        Ok(Self(reader))
    }

    /// Country of an address: its two letters, upper case.
    pub fn of(&self, address: IpAddr) -> Option<[u8; 2]> {
        let found = self.0.lookup(address).ok()?;
        let code = PATHS.iter().find_map(|path| found.decode_path::<&str>(path).ok().flatten())?;
        let &[first, second] = code.as_bytes() else { return None };
        Some([first.to_ascii_uppercase(), second.to_ascii_uppercase()])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::PathBuf;

    use super::*;

    fn corpus(name: &str) -> Option<Vec<u8>> {
        let folder = std::env::var_os("FOREBAY_CORPORA").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora")),
            PathBuf::from,
        );
        std::fs::read(folder.join("geo").join(name)).ok()
    }

    #[test]
    fn countries_are_found_in_both_kinds_of_databases() {
        let (Some(maxmind), Some(simple)) =
            (corpus("GeoIP2-Country-Test.mmdb"), corpus("iptoasn-country.mmdb"))
        else {
            eprintln!("SKIPPED: the corpora are not here");
            return;
        };
        let maxmind = Countries::new(maxmind).unwrap();
        let of = |countries: &Countries, address: &str| countries.of(address.parse().unwrap());
        assert_eq!(of(&maxmind, "81.2.69.142"), Some(*b"GB"));
        assert_eq!(of(&maxmind, "216.160.83.56"), Some(*b"US"));
        assert_eq!(of(&maxmind, "10.0.0.1"), None);
        assert_eq!(of(&Countries::new(simple).unwrap(), "8.8.8.8"), Some(*b"US"));
    }

    #[test]
    fn what_is_damaged_is_refused() {
        assert!(Countries::new(b"no database".to_vec()).is_err());
        if let Some(broken) = corpus("MaxMind-DB-test-broken-pointers-24.mmdb") {
            assert!(Countries::new(broken).is_err());
        }
    }
}
