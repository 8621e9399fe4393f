//! The words that rules, analysers and signatures share: application protocols ([`Protocol`]), which way data goes
//! ([`Direction`]), how far a transaction has come ([`Stage`]) and the parts of it that a rule can look into
//! ([`Buffer`]).
//!
//! Names are those of the Suricata 7 rule language and EVE log
//! (<https://docs.suricata.io/en/suricata-7.0.10/rules/index.html>). Nothing here parses or decides.

#![forbid(unsafe_code)]

mod buffer;
pub mod modbus;
mod protocol;

pub use buffer::{Buffer, Scope};
pub use modbus::ModbusTable;
pub use protocol::Protocol;

/// Which way data goes, seen from the flow: the client is who opened it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Direction {
    /// From client to server.
    #[default]
    ToServer,
    /// From server to client.
    ToClient,
}

impl Direction {
    /// Both, client first.
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];

    /// 0 towards the server, 1 towards the client.
    pub const fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }

    /// The other way.
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self {
            Self::ToServer => Self::ToClient,
            Self::ToClient => Self::ToServer,
        }
    }
}

/// How far one direction of a transaction has come. What a protocol does not have (a start line, a body, trailers) it
/// passes over: a DNS query goes from nothing to [`Stage::Complete`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub enum Stage {
    /// Nothing of it was seen.
    #[default]
    Waiting,
    /// It has begun.
    Begun,
    /// Its first line or message is whole: an HTTP request line, a TLS hello, an SSH banner.
    Line,
    /// Its headers are whole; for TLS, the certificates.
    Headers,
    /// Body data is coming.
    Body,
    /// The body is whole; trailers may follow.
    Trailer,
    /// Nothing more will come this way.
    Complete,
}
