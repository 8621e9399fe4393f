//! What is told of a certificate (RFC 5280).

use event::json::{hex, timestamp};
use sha1::Digest;
use x509_parser::error::X509Error;
use x509_parser::nom;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::events;

/// Parts of a certificate as text.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Certificate {
    pub subject: String,
    pub issuer: String,
    /// `XX:XX:…`.
    pub serial: String,
    /// SHA-1 of the certificate, `xx:xx:…`.
    pub fingerprint: String,
    /// Seconds since the epoch.
    pub not_before_s: i64,
    pub not_after_s: i64,
    /// When it was seen.
    pub seen_s: i64,
}

impl Certificate {
    /// Whether its time is over.
    pub(super) const fn is_expired(&self) -> bool {
        self.seen_s > self.not_after_s
    }

    /// Whether its time is now.
    pub(super) const fn is_valid(&self) -> bool {
        self.seen_s >= self.not_before_s && !self.is_expired()
    }

    /// Reads a certificate; the name of an event if it cannot be.
    pub(super) fn read(der: &[u8], seen_s: i64) -> Result<Self, &'static str> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|error| match error {
            nom::Err::Error(error) | nom::Err::Failure(error) => event_of(&error),
            nom::Err::Incomplete(_) => events::CERTIFICATE_LENGTH,
        })?;
        let validity = certificate.validity();
        Ok(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: colons(certificate.raw_serial(), true),
            fingerprint: colons(&sha1::Sha1::digest(der), false),
            not_before_s: validity.not_before.timestamp(),
            not_after_s: validity.not_after.timestamp(),
            seen_s,
        })
    }
}

const fn event_of(error: &X509Error) -> &'static str {
    match error {
        X509Error::InvalidVersion => events::CERTIFICATE_VERSION,
        X509Error::InvalidSerial => events::CERTIFICATE_SERIAL,
        X509Error::InvalidAlgorithmIdentifier => events::CERTIFICATE_ALGORITHM,
        X509Error::InvalidX509Name => events::CERTIFICATE_NAME,
        X509Error::InvalidDate => events::CERTIFICATE_DATE,
        X509Error::InvalidExtensions | X509Error::DuplicateExtensions | X509Error::DuplicateAttributes => {
            events::CERTIFICATE_EXTENSIONS
        }
        X509Error::Der(_) => events::CERTIFICATE_DER,
        _ => events::CERTIFICATE,
    }
}

fn colons(bytes: &[u8], upper: bool) -> String {
    let mut text = String::with_capacity(bytes.len() * 3);
    for (index, &byte) in bytes.iter().enumerate() {
        if index > 0 {
            text.push(':');
        }
        for digit in hex(byte) {
            text.push(char::from(if upper { digit.to_ascii_uppercase() } else { digit }));
        }
    }
    text
}

/// Appends a time as EVE writes those of certificates: `2020-08-26T00:00:00`.
pub(super) fn date(to: &mut Vec<u8>, time_s: i64) {
    let start = to.len();
    timestamp(to, u64::try_from(time_s).unwrap_or_default().saturating_mul(1_000_000));
    // Without the fraction and the zone.
    to.truncate(to.len().saturating_sub(".000000+0000".len()).max(start));
}
