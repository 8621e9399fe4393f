//! From bytes to a [`Packet`].
//!
//! In: a frame, an IP packet, or a [`Packet`] whose payload is a tunnel. Out: a [`Packet`] or why not ([`Malformed`]).
//!
//! Cost tiers, cheapest first: untagged or once-tagged Ethernet with IPv4 or IPv6 without options and TCP or UDP is
//! straight-line code in the caller; IPv4 options, IPv6 extension headers, ICMP, SCTP and second VLAN tags are one call
//! away; MPLS, `PPPoE`, NSH and everything inside a tunnel walk a bounded loop out of line. Nothing allocates.
//!
//! Rooms: `link` (what is in front of the network header), `network` (IPv4, IPv6 and its extension headers, ARP),
//! `transport` (TCP, UDP, SCTP, ICMP), `tunnel` (where the inside of GRE, VXLAN … starts).

mod fast;
mod link;
mod network;
mod transport;
mod tunnel;

pub(crate) use network::{Extension, ipv6_fragment};

use crate::malformed::Malformed;
use crate::packet::{Encapsulation, L3, Packet, ParseOptions, Vlans};

/// `EtherType` numbers (IANA, IEEE 802) that this crate looks behind.
pub(crate) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const ERSPAN_III: u16 = 0x22eb;
    /// Transparent Ethernet bridging: an Ethernet header follows.
    pub(crate) const ETHERNET: u16 = 0x6558;
    pub(crate) const VLAN: u16 = 0x8100;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const MPLS: u16 = 0x8847;
    pub(crate) const MPLS_MULTICAST: u16 = 0x8848;
    /// PPP without HDLC framing, as in `PPPoE` sessions; with optional framing in PPTP.
    pub(crate) const PPP: u16 = 0x880b;
    pub(crate) const PPPOE_SESSION: u16 = 0x8864;
    pub(crate) const QINQ: u16 = 0x88a8;
    pub(crate) const ERSPAN: u16 = 0x88be;
    pub(crate) const NSH: u16 = 0x894f;
    /// The tag type that double tagging used before 802.1ad gave it one.
    pub(crate) const QINQ_OLD: u16 = 0x9100;
}

impl Packet {
    /// Parses a frame that starts with an Ethernet header (without FCS).
    ///
    /// Tunnels are recognised ([`Packet::encapsulation`]) but not entered; [`Packet::innermost`] enters them.
    /// [`Packet::assign_ethernet`] saves the copy of the result where there is a place for it.
    ///
    /// # Errors
    /// The first header that contradicts itself or the bytes that are there.
    #[inline]
    pub fn parse_ethernet(frame: &[u8], options: &ParseOptions) -> Result<Self, Malformed> {
        let mut packet = Self::default();
        packet.assign_ethernet(frame, options)?;
        Ok(packet)
    }

    /// [`Packet::parse_ethernet`] into a packet that exists already, such as an element of a burst's array; what it
    /// held before does not matter, and after an error what it holds is not defined.
    ///
    /// # Errors
    /// The first header that contradicts itself or the bytes that are there.
    #[inline]
    pub fn assign_ethernet(&mut self, frame: &[u8], options: &ParseOptions) -> Result<(), Malformed> {
        if fast::ethernet(self, frame, options) {
            return Ok(());
        }
        link::ethernet(self, frame, options)
    }

    /// The VLAN tags of a frame that does not parse: a malformed frame too has an owner.
    #[cold]
    pub fn vlan_tags(frame: &[u8]) -> Vlans {
        link::vlan_tags(frame)
    }

    /// Parses an IPv4 or IPv6 packet without link layer: a reassembled datagram, or a capture of raw IP.
    ///
    /// # Errors
    /// The first header that contradicts itself or the bytes that are there; [`Malformed::IpVersionInvalid`] if the
    /// first four bits are neither 4 nor 6.
    pub fn parse_ip(bytes: &[u8], options: &ParseOptions) -> Result<Self, Malformed> {
        if bytes.len() > FRAME_LEN_MAX {
            return Err(Malformed::FrameTooLong);
        }
        let mut packet = Self::default();
        let next = match bytes.first().map(|first| first >> 4) {
            Some(4) => ethertype::IPV4,
            Some(6) => ethertype::IPV6,
            Some(_) => return Err(Malformed::IpVersionInvalid),
            None => return Err(Malformed::Ipv4HeaderTruncated),
        };
        link::headers(&mut packet, next, bytes, 0, options)?;
        Ok(packet)
    }

    /// Parses what is inside this packet's tunnel; `frame` is the slice that this packet was parsed from, and the
    /// result's offsets are from its start too. The outermost frame's VLAN tags are kept.
    ///
    /// A packet without [`Packet::encapsulation`] is its own inside.
    ///
    /// # Errors
    /// The first header that contradicts itself or the bytes that are there, and [`Malformed::TunnelsTooDeep`].
    #[cold]
    #[inline(never)]
    pub fn descend(&self, frame: &[u8], options: &ParseOptions) -> Result<Self, Malformed> {
        let Some(encapsulation) = self.encapsulation else {
            return Ok(*self);
        };
        if self.depth >= options.tunnel_depth_max {
            return Err(Malformed::TunnelsTooDeep);
        }
        let inside = tunnel::inside(self, encapsulation, frame)?;
        let mut packet = Self {
            vlans: self.vlans,
            inner_vlans: self.inner_vlans,
            depth: self.depth.saturating_add(1),
            ..Self::default()
        };
        link::headers(&mut packet, inside.ethertype, inside.bytes, inside.offset, options)?;
        if inside.vlan > 0 && packet.inner_vlans.count == 0 {
            packet.inner_vlans = Vlans { vids: [inside.vlan, 0], count: 1 };
        }
        Ok(packet)
    }

    /// The packet that inspection is about: the innermost IP packet of this one's tunnels, or this one if it carries
    /// none.
    ///
    /// What is inside a UDP tunnel and does not parse was perhaps not a tunnel, since any application may use the port:
    /// the UDP packet itself is then the answer. So is the outer IP packet of a tunnel whose inside is not IP (ARP,
    /// spanning tree …).
    ///
    /// # Errors
    /// What [`Packet::descend`] says of the inside of GRE and of IP in IP, and [`Malformed::TunnelsTooDeep`] of any.
    #[inline]
    pub fn innermost(self, frame: &[u8], options: &ParseOptions) -> Result<Self, Malformed> {
        if self.encapsulation.is_none() {
            return Ok(self);
        }
        self.innermost_of_tunnel(frame, options)
    }

    #[cold]
    #[inline(never)]
    fn innermost_of_tunnel(self, frame: &[u8], options: &ParseOptions) -> Result<Self, Malformed> {
        let mut packet = self;
        while let Some(encapsulation) = packet.encapsulation {
            let by_port = matches!(encapsulation, Encapsulation::Vxlan | Encapsulation::Geneve);
            match packet.descend(frame, options) {
                Ok(inside) if matches!(inside.l3, L3::Ipv4 | L3::Ipv6) => packet = inside,
                Ok(_) => break,
                Err(reason) if by_port && reason != Malformed::TunnelsTooDeep => break,
                Err(reason) => return Err(reason),
            }
        }
        Ok(packet)
    }
}

/// The longest slice that is parsed, so that every offset fits 16 bits.
const FRAME_LEN_MAX: usize = u16::MAX as usize;
