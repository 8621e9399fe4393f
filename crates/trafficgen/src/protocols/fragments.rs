//! UDP datagrams larger than the MTU, in IPv4 and IPv6 fragments, some out of order.

use rand::{Rng, RngCore};

use super::Activity;
use crate::session::script::Line;
use crate::session::{Script, frame};
use crate::trace::truth::{Protocol, Transport};
use crate::trace::world::Conversation;

/// Discard (RFC 863): nobody looks into what it carries.
const PORT: u16 = 9;

pub(crate) fn activity(mut conversation: Conversation<'_>) -> Activity {
    let ipv6 = conversation.rng.random_bool(0.3);
    let (client, port) = conversation.tenant.client(conversation.index, ipv6);
    let server = conversation.tenant.storage(conversation.index, ipv6);
    let route = conversation.route(client, server);
    let mut lines = Vec::new();
    let mut at_ns = conversation.start_ns;
    let id: u32 = conversation.rng.random();
    for datagram in 0..conversation.rng.random_range(1..=4) {
        let mut payload = vec![0; conversation.rng.random_range(1_600..8_000)];
        conversation.rng.fill_bytes(&mut payload);
        let mut frames = frame::udp_fragments(&route, id.wrapping_add(datagram), port, PORT, &payload);
        if conversation.rng.random_ratio(1, 3) {
            frames.swap(0, 1);
        }
        for frame in frames {
            lines.push(Line { at_ns, transport: Transport::Udp, frame });
            at_ns += super::GAP_NS;
        }
        at_ns += conversation.think_ns(1, 80);
    }
    Activity::script(Protocol::Fragments, Script::new(lines), (Transport::Udp, 1))
}
