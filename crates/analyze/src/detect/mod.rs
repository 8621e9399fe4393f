//! Finding out a flow's protocol.
//!
//! In: the first bytes of one direction of a stream, or a datagram ([`Question`]). Out: [`Answer`]. Every protocol has
//! one probe; those that have a distinctive beginning are looked for on every port, the others only where [`Ports`]
//! says, as the reference does. A probe is a few comparisons and never keeps anything.

mod only;
mod ports;

use app::{Direction, Protocol};

pub use ports::{PortList, Ports};

use crate::{Config, Transport};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'a> {
    /// What carries the bytes.
    pub transport: Transport,
    /// Which way they go.
    pub direction: Direction,
    /// The client's port.
    pub client_port: u16,
    /// The server's port.
    pub server_port: u16,
    /// All bytes of this direction so far, or one datagram; not empty.
    pub bytes: &'a [u8],
    /// What is wanted.
    pub config: &'a Config,
}

impl Question<'_> {
    /// Whether the server's port is in the list, or the client's: who is who may be mistaken.
    pub(crate) fn is_on(&self, ports: &PortList) -> bool {
        ports.has(self.server_port) || ports.has(self.client_port)
    }

    /// Whether the bytes begin with `start`; [`Probe::Unsure`] while they are too few to say.
    pub(crate) fn begins_with(&self, start: &[u8]) -> Probe {
        let len = start.len().min(self.bytes.len());
        match (self.bytes.get(..len) == start.get(..len), len == start.len()) {
            (true, true) => Probe::Certain,
            (true, false) => Probe::Unsure,
            _ => Probe::NotForUs,
        }
    }
}

/// What one protocol's probe says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Probe {
    /// It is this protocol.
    Certain,
    /// It is this protocol, but the bytes go the other way than was thought.
    Reversed,
    /// More bytes are needed.
    Unsure,
    /// It is not, whatever comes.
    NotForUs,
}

/// What is known of a direction's protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It is this one.
    Is(Protocol),
    /// It is this one, but the bytes go the other way than was thought.
    Reversed(Protocol),
    /// More bytes are needed.
    Unsure,
    /// None that is known.
    Unknown,
}

type Ask = fn(&Question<'_>) -> Probe;

/// Probes of stream protocols, in the order in which they are asked.
const TCP: &[(Protocol, Ask)] = &[
    (Protocol::Tls, crate::tls::probe),
    (Protocol::Http1, crate::http1::probe),
    (Protocol::Http2, crate::http2::probe),
    (Protocol::Dns, crate::dns::probe),
    (Protocol::Smtp, crate::smtp::probe),
    (Protocol::Ssh, crate::ssh::probe),
    (Protocol::Ftp, crate::ftp::probe),
    (Protocol::Smb, crate::smb::probe),
    (Protocol::Dcerpc, only::dcerpc),
    (Protocol::Nfs, crate::nfs::probe),
    (Protocol::Krb5, crate::krb5::probe),
    (Protocol::Rdp, crate::rdp::probe),
    (Protocol::Pgsql, crate::pgsql::probe),
    (Protocol::Modbus, crate::modbus::probe),
    (Protocol::Dnp3, crate::dnp3::probe),
    (Protocol::Enip, crate::enip::probe),
    (Protocol::Telnet, only::telnet),
    (Protocol::Imap, only::imap),
    (Protocol::Mqtt, crate::mqtt::probe),
];

/// Probes of datagram protocols, in the order in which they are asked.
const UDP: &[(Protocol, Ask)] = &[
    (Protocol::Dns, crate::dns::probe),
    (Protocol::Quic, crate::quic::probe),
    (Protocol::Dhcp, crate::dhcp::probe),
    (Protocol::Tftp, crate::tftp::probe),
    (Protocol::Krb5, crate::krb5::probe),
    (Protocol::Ike, crate::ike::probe),
    (Protocol::Nfs, crate::nfs::probe),
    (Protocol::Snmp, crate::snmp::probe),
    (Protocol::Ntp, crate::ntp::probe),
    (Protocol::Sip, crate::sip::probe),
    (Protocol::BittorrentDht, crate::bittorrent_dht::probe),
    (Protocol::Enip, crate::enip::probe),
];

/// Whether flows of this protocol are found at all. Data connections of FTP are announced and not probed for.
pub(crate) fn looks_for(protocol: Protocol) -> bool {
    protocol == Protocol::FtpData || TCP.iter().chain(UDP).any(|(known, _)| *known == protocol)
}

/// Asks every probe. The first that is certain decides; while one is unsure the question stays open.
pub(crate) fn ask(question: &Question<'_>) -> Answer {
    let probes = match question.transport {
        Transport::Tcp => TCP,
        Transport::Udp => UDP,
    };
    let mut answer = Answer::Unknown;
    for (protocol, probe) in probes {
        if !question.config.enabled.has(*protocol) {
            continue;
        }
        match probe(question) {
            Probe::Certain => return Answer::Is(*protocol),
            Probe::Reversed => return Answer::Reversed(*protocol),
            Probe::Unsure => answer = Answer::Unsure,
            Probe::NotForUs => {}
        }
    }
    answer
}

/// The direction in which a protocol's first data must go, if only one will do.
pub(crate) const fn first_direction(protocol: Protocol) -> Option<Direction> {
    match protocol {
        Protocol::Http1 | Protocol::Tls => Some(Direction::ToServer),
        _ => None,
    }
}
