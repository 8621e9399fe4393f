//! One file for each protocol of a trace.
//!
//! In: a [`Conversation`], that is a tenant, a number, a start time and a source of
//! randomness. Out: an [`Activity`], that is the packets to come and how many flows they make.

pub(crate) mod arp;
pub(crate) mod bulk;
pub(crate) mod certificate;
pub(crate) mod dns;
pub(crate) mod fragments;
pub(crate) mod http;
pub(crate) mod ping;
pub(crate) mod scan;
pub(crate) mod smtp;
pub(crate) mod tls;
mod tls_messages;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::session::{Host, Script, TcpSession, TcpSettings};
use crate::trace::truth::{Protocol, Transport};
use crate::trace::world::Conversation;

/// Time between two segments of a gigabit link, in nanoseconds.
const GAP_NS: u64 = 12_300;

/// Where an activity's packets come from.
#[derive(Debug)]
pub(crate) enum Source {
    Tcp(Box<TcpSession>),
    Script(Script),
}

/// A conversation ready to be played.
#[derive(Debug)]
pub(crate) struct Activity {
    pub(crate) protocol: Protocol,
    pub(crate) source: Source,
    /// Flows it makes, and of which transport.
    pub(crate) flows: (Transport, u64),
}

impl Activity {
    fn tcp(protocol: Protocol, session: TcpSession) -> Self {
        Self { protocol, source: Source::Tcp(Box::new(session)), flows: (Transport::Tcp, 1) }
    }

    fn script(protocol: Protocol, script: Script, flows: (Transport, u64)) -> Self {
        Self { protocol, source: Source::Script(script), flows }
    }

    /// When the next packet passes the tap.
    pub(crate) fn next_at(&mut self) -> Option<u64> {
        match &mut self.source {
            Source::Tcp(session) => session.next_at(),
            Source::Script(script) => script.next_at(),
        }
    }

    /// Builds the next packet into `frame`; `None` when there is none.
    pub(crate) fn emit(&mut self, frame: &mut Vec<u8>) -> Option<Transport> {
        match &mut self.source {
            Source::Tcp(session) => session.emit(frame).then_some(Transport::Tcp),
            Source::Script(script) => script.emit(frame),
        }
    }
}

/// A TCP connection of the conversation's client to `server`.
fn connect(conversation: &mut Conversation<'_>, server: Host, server_port: u16) -> TcpSession {
    let (client, client_port) = conversation.tenant.client(conversation.index, server.ip.is_ipv6());
    let settings = TcpSettings {
        route: conversation.route(client, server),
        client_port,
        server_port,
        rtt_ns: conversation.rtt_ns(server),
        gap_ns: GAP_NS,
        trouble: 0.04,
    };
    TcpSession::new(settings, conversation.start_ns, ChaCha8Rng::from_rng(&mut conversation.rng))
}
