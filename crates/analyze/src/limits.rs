//! What bounds a session, and what is wanted of it.
//!
//! In: a tenant's configuration. Out: [`Config`], which every call of a [`crate::Session`] is given. Defaults are those
//! of the reference as Debian configures it.

use app::Protocol;

use crate::detect::Ports;
use crate::{HttpLimits, WindowLimits};

/// Caps on what one flow's traffic can make a session hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Bytes of one direction that are kept until the protocol is known; what comes beyond them is a gap for the
    /// parser, should one be found.
    pub detect_bytes_max: usize,
    /// Bytes of one direction after which the protocol is not looked for any longer.
    pub detect_give_up_bytes: u64,
    /// Open transactions of one flow; a parser that has more drops the oldest, which is an event where there is one.
    pub transactions_max: usize,
    /// Longest DNS message over TCP that is kept until it is whole, in bytes.
    pub dns_message_bytes_max: usize,
    /// Longest TLS handshake message that is kept until it is whole, in bytes.
    pub tls_message_bytes_max: usize,
    /// QUIC crypto data of one flow that is kept until its hello is whole, in bytes.
    pub quic_crypto_bytes_max: usize,
    /// Longest MQTT message that is kept until it is whole, without its header, in bytes; longer ones are passed over.
    pub mqtt_message_bytes_max: usize,
    /// Longest message of other protocols over TCP that is kept until it is whole, in bytes.
    pub message_bytes_max: usize,
    /// Those of HTTP/1 and HTTP/2.
    pub http: HttpLimits,
    /// How files are looked into that other protocols carry.
    pub files: WindowLimits,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            detect_bytes_max: 8192,
            detect_give_up_bytes: 100_000,
            transactions_max: 256,
            dns_message_bytes_max: 65_535,
            tls_message_bytes_max: 65_536,
            quic_crypto_bytes_max: 65_535,
            mqtt_message_bytes_max: 1_048_576,
            message_bytes_max: 65_536,
            http: HttpLimits::default(),
            files: WindowLimits::default(),
        }
    }
}

/// A set of protocols.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Protocols(u32);

impl Protocols {
    /// None.
    pub const NONE: Self = Self(0);
    /// Every one there is.
    pub const ALL: Self = Self((1 << Protocol::COUNT as u32) - 1);

    /// The set with one more.
    #[must_use]
    pub const fn with(self, protocol: Protocol) -> Self {
        Self(self.0 | 1 << protocol as u32)
    }

    /// The set without one.
    #[must_use]
    pub const fn without(self, protocol: Protocol) -> Self {
        Self(self.0 & !(1 << protocol as u32))
    }

    /// Whether it is in the set.
    pub const fn has(self, protocol: Protocol) -> bool {
        self.0 & 1 << protocol as u32 != 0
    }

    /// Whether the set has none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Protocol> for Protocols {
    fn from_iter<I: IntoIterator<Item = Protocol>>(protocols: I) -> Self {
        protocols.into_iter().fold(Self::NONE, Self::with)
    }
}

/// What is wanted of sessions, and what bounds them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// Caps.
    pub limits: Limits,
    /// Protocols that are looked for.
    pub enabled: Protocols,
    /// Protocols of which EVE records are wanted; anomalies go with them.
    pub log: Protocols,
    /// Whether events of transactions and of detection become `anomaly` records.
    pub anomalies: bool,
    /// Where protocols are looked for that have no distinctive beginning.
    pub ports: Ports,
    /// Whether JA3 and JA3S of TLS are computed: on when a rule asks for them.
    pub ja3: bool,
    /// Whether JA4 is computed: on when a rule asks for it.
    pub ja4: bool,
    /// Whether HASSH of SSH is computed: on when a rule asks for it.
    pub hassh: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            enabled: Protocols::ALL
                .without(Protocol::Modbus)
                .without(Protocol::Dnp3)
                .without(Protocol::Enip)
                .without(Protocol::Pgsql),
            log: Protocols::ALL,
            anomalies: true,
            ports: Ports::default(),
            ja3: false,
            ja4: false,
            hassh: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_hold_every_protocol_by_itself() {
        for protocol in Protocol::ALL {
            let only = Protocols::NONE.with(protocol);
            assert!(Protocols::ALL.has(protocol));
            assert!(!Protocols::ALL.without(protocol).has(protocol));
            for other in Protocol::ALL {
                assert_eq!(only.has(other), other == protocol);
            }
        }
        assert_eq!(Protocol::ALL.into_iter().collect::<Protocols>(), Protocols::ALL);
        assert!(Protocols::NONE.is_empty() && !Protocols::ALL.is_empty());
    }
}
