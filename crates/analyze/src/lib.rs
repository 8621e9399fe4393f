//! Application-layer analysers.
//!
//! In: the data of one flow, in order, each way ([`Session`]). Out: its application protocol, its transactions
//! ([`Transaction`]) with the buffers, numbers and events that rules look at, and finished EVE records ([`Record`]).
//!
//! A [`Session`] finds out the protocol from the first bytes, whatever the port, and hands the data to one parser. Each
//! parser is a room of its own. Everything that traffic can grow has a cap in [`Limits`], and hitting it is an event of
//! the transaction. Nothing here knows packets, rules or files on disk.

#![forbid(unsafe_code)]

mod analyzer;
mod anomaly;
mod ber;
mod bittorrent_dht;
mod dcerpc;
mod detect;
mod dhcp;
mod dnp3;
mod dns;
mod enip;
mod files;
mod ftp;
mod http1;
mod http2;
mod ike;
mod krb5;
mod limits;
mod mime;
mod modbus;
mod mqtt;
mod nfs;
mod ntp;
mod parser;
mod pgsql;
mod quic;
mod rdp;
mod reader;
mod session;
mod sip;
mod smb;
mod smtp;
mod snmp;
mod ssh;
mod tftp;
mod tls;
mod transaction;

pub use detect::{PortList, Ports};
pub use files::decompress::DecompressLimits;
pub use files::{Digests, FileFacts, FileState, Hashes, WindowLimits};
pub use http1::HttpLimits;
pub use limits::{Config, Limits, Protocols};
pub use session::{Session, Status, Transport};
pub use transaction::{
    CipService, DceCall, DceInterface, Events, ModbusCall, ModbusValues, Transaction, View,
};

use app::{Direction, Protocol};

/// An EVE record that an analyser has finished.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// `event_type`.
    pub event_type: &'static str,
    /// Which way the packet went that the record tells of: its source is the record's `src_ip`.
    pub direction: Direction,
    /// Number of the transaction, if it belongs to one.
    pub tx_id: Option<u64>,
    /// Members of the EVE object after the common ones, without braces or a comma around them: `"dns":{…}`.
    pub members: Vec<u8>,
}

/// A data connection that a control connection has announced (FTP `PORT`, `PASV` and their extended forms).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// Which way it will be opened, between the same hosts: [`Direction::ToServer`] by the client of the control
    /// connection (FTP `PASV`), [`Direction::ToClient`] by its server (`PORT`).
    pub opened: Direction,
    /// To which TCP port.
    pub port: u16,
    /// What it will carry.
    pub protocol: Protocol,
    /// What asked for it: `RETR file.txt`.
    pub command: Vec<u8>,
}

/// Names that the reference's own rules use and that nothing raises, there as here: rules with them load.
const NEVER_RAISED: &[&str] = &[
    "tls.certificate_invalid_validity",
    "tls.error_message_encountered",
    "smb.internal_error",
    "smb.negotiate_max_read_size_too_large",
    "smb.negotiate_max_write_size_too_large",
    "smtp.failed_protocol_change",
    "mqtt.missing_msg_id",
    "smtp.mime_parse_failed",
];

/// Names of every event that can be raised: those of detection, and `protocol.event` of each parser.
pub fn event_names() -> impl Iterator<Item = &'static str> {
    [
        session::events::ALL,
        NEVER_RAISED,
        dns::EVENTS,
        tls::EVENTS,
        quic::EVENTS,
        dhcp::EVENTS,
        http1::events::EVENTS,
        http2::events::EVENTS,
        smb::events::EVENTS,
        smtp::events::EVENTS,
        ftp::events::EVENTS,
        ssh::events::EVENTS,
        krb5::EVENTS,
        ike::EVENTS,
        nfs::events::EVENTS,
        mqtt::EVENTS,
        bittorrent_dht::EVENTS,
        ntp::EVENTS,
        modbus::EVENTS,
        dnp3::EVENTS,
        sip::EVENTS,
        snmp::EVENTS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// Whether flows of this protocol can be told from others: rules about those that cannot would never match.
pub fn knows_protocol(protocol: Protocol) -> bool {
    detect::looks_for(protocol)
}

/// Whether a parser answers this numeric keyword.
pub fn knows_number(field: &str) -> bool {
    [
        dnp3::NUMBERS,
        enip::NUMBERS,
        dns::NUMBERS,
        tls::NUMBERS,
        dhcp::NUMBERS,
        http2::NUMBERS,
        ike::NUMBERS,
        krb5::NUMBERS,
        nfs::NUMBERS,
        mqtt::NUMBERS,
        snmp::NUMBERS,
    ]
    .into_iter()
    .any(|numbers| numbers.contains(&field))
}
