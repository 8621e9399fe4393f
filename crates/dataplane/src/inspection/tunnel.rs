//! Packets in tunnels, seen from outside.
//!
//! In: the innermost packet of a frame, which is the one that flows and pipelines are about. Out: the packets around it,
//! and what the tunnel is called. Frames without a tunnel never come here.

use wire::{Encapsulation, L3, Packet, ParseOptions};

/// The packets around one, outermost first, each with the tunnel that the next is in.
pub(super) fn outside(
    frame: &[u8],
    inside: &Packet,
    options: ParseOptions,
) -> impl Iterator<Item = (Packet, Encapsulation)> {
    let depth = inside.depth;
    let mut next = (depth > 0).then(|| Packet::parse_ethernet(frame, &options).ok()).flatten();
    std::iter::from_fn(move || {
        let packet = next.take().filter(|packet| packet.depth < depth)?;
        let kind = packet.encapsulation?;
        next = packet.descend(frame, &options).ok();
        Some((packet, kind))
    })
}

/// EVE's `pkt_src` of a packet in a tunnel: `around` is the packet that it was in.
pub(super) fn source(around: &Packet, kind: Encapsulation, inside: &Packet) -> &'static str {
    match kind {
        Encapsulation::Gre => "gre tunnel",
        Encapsulation::Vxlan => "vxlan encapsulation",
        Encapsulation::Geneve => "geneve encapsulation",
        Encapsulation::IpInIp if around.l3 == L3::Ipv6 => "ipv6 tunnel",
        Encapsulation::IpInIp if inside.l3 == L3::Ipv6 => "ipv6 tunnel",
        Encapsulation::IpInIp => "ipv4 tunnel",
    }
}
