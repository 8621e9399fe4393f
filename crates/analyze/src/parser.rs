//! Every parser behind one name, told apart by an enum and not by `dyn`.

use std::collections::VecDeque;

use app::{Direction, Protocol, Stage};

use crate::Transaction;
use crate::analyzer::{Analyzer, Context, Outcome, Start};

/// Declares [`Parser`] from the protocols and their parsers' types.
macro_rules! parsers {
    ($($protocol:ident => $parser:ty,)*) => {
        /// The parser of one flow.
        pub(crate) enum Parser {
            $($protocol(Box<$parser>),)*
        }

        impl Parser {
            /// The parser of a protocol; `None` if it is only detected.
            pub(crate) fn new(protocol: Protocol, start: &Start<'_>) -> Option<Self> {
                match protocol {
                    $(Protocol::$protocol => Some(Self::$protocol(Box::new(Analyzer::new(start)))),)*
                    _ => None,
                }
            }

            pub(crate) const fn protocol(&self) -> Protocol {
                match self {
                    $(Self::$protocol(_) => Protocol::$protocol,)*
                }
            }

            pub(crate) fn data(
                &mut self,
                context: &mut Context<'_>,
                direction: Direction,
                bytes: &[u8],
            ) -> Outcome {
                match self {
                    $(Self::$protocol(parser) => parser.data(context, direction, bytes),)*
                }
            }

            pub(crate) fn gap(&mut self, context: &mut Context<'_>, direction: Direction, len: u64) -> Outcome {
                match self {
                    $(Self::$protocol(parser) => parser.gap(context, direction, len),)*
                }
            }

            pub(crate) fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
                match self {
                    $(Self::$protocol(parser) => parser.close(context, direction),)*
                }
            }

            /// Shows every open transaction, oldest first.
            pub(crate) fn for_each(&mut self, visit: &mut dyn FnMut(&mut dyn Transaction)) {
                match self {
                    $(Self::$protocol(parser) => {
                        parser.transactions().iter_mut().for_each(|transaction| visit(transaction));
                    })*
                }
            }

            /// Drops the transactions that are over; see [`Settled`].
            pub(crate) fn retire(&mut self, direction: Direction, settled: &mut Settled) {
                match self {
                    $(Self::$protocol(parser) => settled.retire(parser.transactions(), direction),)*
                }
            }
        }
    };
}

parsers! {
    BittorrentDht => crate::bittorrent_dht::BittorrentDht,
    Dnp3 => crate::dnp3::Dnp3,
    Enip => crate::enip::Enip,
    Dns => crate::dns::Dns,
    Tls => crate::tls::Tls,
    Quic => crate::quic::Quic,
    Dhcp => crate::dhcp::Dhcp,
    Tftp => crate::tftp::Tftp,
    Http1 => crate::http1::Http1,
    Http2 => crate::http2::Http2,
    Smb => crate::smb::Smb,
    Dcerpc => crate::dcerpc::Dcerpc,
    Smtp => crate::smtp::Smtp,
    Ssh => crate::ssh::Ssh,
    Ftp => crate::ftp::Ftp,
    FtpData => crate::ftp::data::FtpData,
    Ike => crate::ike::Ike,
    Krb5 => crate::krb5::Krb5,
    Modbus => crate::modbus::Modbus,
    Mqtt => crate::mqtt::Mqtt,
    Nfs => crate::nfs::Nfs,
    Ntp => crate::ntp::Ntp,
    Pgsql => crate::pgsql::Pgsql,
    Rdp => crate::rdp::Rdp,
    Sip => crate::sip::Sip,
    Snmp => crate::snmp::Snmp,
}

/// Which transactions were complete in a direction when rules were done with that direction, by number.
#[derive(Default, Debug)]
pub(crate) struct Settled([Vec<u64>; 2]);

impl Settled {
    /// Drops the transactions of which rules have now seen all there is both ways: `direction` was just looked at.
    fn retire<T: Transaction>(&mut self, transactions: &mut VecDeque<T>, direction: Direction) {
        let [to_server, to_client] = &mut self.0;
        let (this, other) = match direction {
            Direction::ToServer => (to_server, to_client),
            Direction::ToClient => (to_client, to_server),
        };
        transactions.retain(|transaction| {
            if transaction.stage(direction) != Stage::Complete {
                return true;
            }
            if transaction.one_way().is_some() {
                return false;
            }
            let id = transaction.id();
            if let Ok(at) = other.binary_search(&id) {
                other.remove(at);
                if let Ok(at) = this.binary_search(&id) {
                    this.remove(at);
                }
                return false;
            }
            if let Err(at) = this.binary_search(&id) {
                this.insert(at, id);
            }
            true
        });
        // A parser may have dropped its oldest by itself.
        let oldest = transactions.front().map_or(u64::MAX, Transaction::id);
        for ids in &mut self.0 {
            let gone = ids.partition_point(|&id| id < oldest);
            ids.drain(..gone);
        }
    }
}
