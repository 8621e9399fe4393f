//! ARP (RFC 826): a client asks for its router.

use std::net::IpAddr;

use super::Activity;
use crate::session::script::Line;
use crate::session::{Host, Script, frame};
use crate::trace::truth::{Protocol, Transport};
use crate::trace::world::Conversation;

const REQUEST: u16 = 1;
const REPLY: u16 = 2;

pub(crate) fn activity(conversation: &Conversation<'_>) -> Activity {
    let (client, _) = conversation.tenant.client(conversation.index, false);
    let gateway = conversation.tenant.gateway();
    let (asker, asked) = (identity(client), identity(gateway));
    let vlan = conversation.tenant.vlan;
    let (mut request, mut reply) = (Vec::new(), Vec::new());
    frame::arp(&mut request, vlan, frame::BROADCAST, REQUEST, asker, ([0; 6], asked.1));
    frame::arp(&mut reply, vlan, client.mac, REPLY, asked, asker);
    let at_ns = conversation.start_ns;
    let lines = vec![
        Line { at_ns, transport: Transport::Arp, frame: request },
        Line { at_ns: at_ns + 150_000, transport: Transport::Arp, frame: reply },
    ];
    Activity::script(Protocol::Arp, Script::new(lines), (Transport::Arp, 0))
}

/// Hardware and protocol address.
fn identity(host: Host) -> ([u8; 6], [u8; 4]) {
    match host.ip {
        IpAddr::V4(ip) => (host.mac, ip.octets()),
        IpAddr::V6(_) => (host.mac, [0; 4]),
    }
}
