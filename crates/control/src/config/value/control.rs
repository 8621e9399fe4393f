//! The small languages of `[api]` and `[[operator]]`: roles, digests, addresses to listen at.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use super::{ValueError, form, text_serde, words};

words!(
    /// What an operator may do.
    Role, "\"headquarters\", \"tenant\" or \"viewer\"", {
        /// Everything.
        Headquarters = "headquarters",
        /// See one tenant, and change its rules and its steering.
        Tenant = "tenant",
        /// See, and change nothing.
        Viewer = "viewer",
    }
);

/// A SHA-256 digest, written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Digest(pub [u8; 32]);

const DIGEST_WANTED: &str = "a SHA-256 in hexadecimal, 64 of 0-9 and a-f";

impl FromStr for Digest {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(form(DIGEST_WANTED));
        let bytes = text.as_bytes();
        let mut digest = [0; 32];
        if bytes.len() != 64 {
            return Err(form(DIGEST_WANTED));
        }
        for (byte, pair) in digest.iter_mut().zip(bytes.chunks_exact(2)) {
            let [high, low] = pair else { return Err(form(DIGEST_WANTED)) };
            *byte = (digit(*high)? << 4 | digit(*low)?) as u8;
        }
        Ok(Self(digest))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

text_serde!(Digest, numbers: false, DIGEST_WANTED);

/// An address and a port to listen at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ListenAddress(pub SocketAddr);

const LISTEN_WANTED: &str = "an address with a port, such as \"127.0.0.1:9443\" or \"[::]:9443\"";

impl FromStr for ListenAddress {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        text.parse().map(Self).map_err(|_| form(LISTEN_WANTED))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_serde!(ListenAddress, numbers: false, LISTEN_WANTED);

#[cfg(test)]
mod tests {
    use super::{Digest, ListenAddress};

    #[test]
    fn digests_are_written_as_they_are_read() {
        let text = "00ff".repeat(16);
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        for wrong in ["", "00", &"0g".repeat(32), &"00".repeat(33), &"é".repeat(32)] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_needs_its_port() {
        assert_eq!("[::]:9443".parse::<ListenAddress>().unwrap().to_string(), "[::]:9443");
        assert!("127.0.0.1".parse::<ListenAddress>().is_err());
        assert!("localhost:1".parse::<ListenAddress>().is_err());
    }
}
