//! ICMP and `ICMPv6` echo (RFC 792, RFC 4443).

use rand::Rng;

use super::Activity;
use crate::session::Script;
use crate::session::frame::{self, ICMP_ECHO, ICMP_ECHO_REPLY, ICMPV6_ECHO, ICMPV6_ECHO_REPLY};
use crate::session::script::Line;
use crate::trace::truth::{Protocol, Transport};
use crate::trace::world::Conversation;

/// Between two requests; shorter than ping's second so that short traces hold whole exchanges.
const INTERVAL_NS: u64 = 200_000_000;

pub(crate) fn activity(mut conversation: Conversation<'_>) -> Activity {
    let ipv6 = conversation.draw_ipv6();
    let (client, _) = conversation.tenant.client(conversation.index, ipv6);
    let target = conversation.tenant.pinged(conversation.index, ipv6);
    let forth = conversation.route(client, target);
    let rtt_ns = conversation.rtt_ns(target);
    let (transport, request, reply) = if ipv6 {
        (Transport::Icmpv6, ICMPV6_ECHO, ICMPV6_ECHO_REPLY)
    } else {
        (Transport::Icmp, ICMP_ECHO, ICMP_ECHO_REPLY)
    };
    let id: u16 = conversation.rng.random();
    let mut lines = Vec::new();
    for number in 1..=conversation.rng.random_range(2..=4_u16) {
        let mut rest = Vec::with_capacity(60);
        rest.extend_from_slice(&id.to_be_bytes());
        rest.extend_from_slice(&number.to_be_bytes());
        rest.extend(0x10..0x48_u8);
        let at_ns = conversation.start_ns + u64::from(number - 1) * INTERVAL_NS;
        for (at_ns, route, kind) in [(at_ns, forth, request), (at_ns + rtt_ns, forth.reversed(), reply)] {
            let mut frame = Vec::new();
            frame::icmp(&mut frame, &route, conversation.rng.random(), kind, 0, &rest);
            lines.push(Line { at_ns, transport, frame });
        }
    }
    Activity::script(Protocol::Ping, Script::new(lines), (transport, 1))
}
