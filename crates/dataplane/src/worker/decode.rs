//! What kinds of headers a burst had, and the way into tunnels.

use wire::{Encapsulation, L3, L4, Malformed, Packet, ParseOptions};

use crate::counters::{Counter, DecodeCounters};

/// How many packets of a burst had the most common headers, added to the counters together.
#[derive(Clone, Copy, Default)]
pub(super) struct Kinds {
    ipv4: u64,
    ipv6: u64,
    tcp: u64,
    udp: u64,
    vlan: u64,
}

impl DecodeCounters {
    /// Counts a frame's headers, and makes `packet` the one that inspection is about.
    #[inline(always)]
    pub(super) fn count(
        &self,
        packet: &mut Packet,
        frame: &[u8],
        options: ParseOptions,
        kinds: &mut Kinds,
    ) -> Result<(), Malformed> {
        kinds.vlan += u64::from(packet.vlans.count > 0);
        kinds.ipv4 += u64::from(packet.l3 == L3::Ipv4);
        kinds.ipv6 += u64::from(packet.l3 == L3::Ipv6);
        kinds.tcp += u64::from(packet.l4 == L4::Tcp);
        kinds.udp += u64::from(packet.l4 == L4::Udp);
        let common = matches!(packet.l4, L4::Tcp | L4::Udp) && packet.vlans.count < 2;
        if common && packet.encapsulation.is_none() {
            Ok(())
        } else {
            self.count_rest(packet, frame, options)
        }
    }

    /// Adds what was counted over a burst.
    pub(super) fn add_kinds(&self, kinds: &Kinds) {
        self.ipv4.add(kinds.ipv4);
        self.ipv6.add(kinds.ipv6);
        self.tcp.add(kinds.tcp);
        self.udp.add(kinds.udp);
        self.vlan.add(kinds.vlan);
    }

    #[cold]
    #[inline(never)]
    fn count_rest(&self, packet: &mut Packet, frame: &[u8], options: ParseOptions) -> Result<(), Malformed> {
        if packet.vlans.count > 1 {
            self.vlan_qinq.add(1);
        }
        match packet.l3 {
            L3::Arp => self.arp.add(1),
            L3::Other => self.unknown_ethertype.add(1),
            L3::Ipv4 | L3::Ipv6 => {}
        }
        self.count_rare_l4(packet.l4);
        if packet.encapsulation.is_none() {
            return Ok(());
        }
        let innermost = packet.innermost(frame, &options)?;
        let mut stack = *packet;
        while stack.depth < innermost.depth
            && let Some(kind) = stack.encapsulation
        {
            let outside = stack.l3;
            stack = stack.descend(frame, &options)?;
            self.tunnel(kind, outside, stack.l3).add(1);
            self.count_stack(&stack);
        }
        *packet = innermost;
        Ok(())
    }

    fn tunnel(&self, kind: Encapsulation, outside: L3, inside: L3) -> &Counter {
        let [ipv4_in_ipv4, ipv6_in_ipv4, ipv4_in_ipv6, ipv6_in_ipv6] = &self.ip_in_ip;
        match kind {
            Encapsulation::Gre => &self.gre,
            Encapsulation::Vxlan => &self.vxlan,
            Encapsulation::Geneve => &self.geneve,
            Encapsulation::IpInIp => match (inside, outside) {
                (L3::Ipv6, L3::Ipv6) => ipv6_in_ipv6,
                (L3::Ipv6, _) => ipv6_in_ipv4,
                (_, L3::Ipv6) => ipv4_in_ipv6,
                _ => ipv4_in_ipv4,
            },
        }
    }

    fn count_rare_l4(&self, l4: L4) {
        match l4 {
            L4::Sctp => self.sctp.add(1),
            L4::Icmp => self.icmpv4.add(1),
            L4::Icmpv6 => self.icmpv6.add(1),
            L4::Tcp | L4::Udp | L4::Other => {}
        }
    }

    /// Counts a packet that is not the outermost of its frame.
    pub(super) fn count_stack(&self, packet: &Packet) {
        match packet.l3 {
            L3::Ipv4 => self.ipv4.add(1),
            L3::Ipv6 => self.ipv6.add(1),
            L3::Arp => self.arp.add(1),
            L3::Other => self.unknown_ethertype.add(1),
        }
        match packet.l4 {
            L4::Tcp => self.tcp.add(1),
            L4::Udp => self.udp.add(1),
            rare => self.count_rare_l4(rare),
        }
    }
}
