//! The parsed packet: offsets, n-tuple and the few header fields that the hot path needs.
//!
//! The functions that fill it are in the `parse` module; here are the types and what can be asked of them.

use crate::tuple::NTuple;

/// VLAN tags of a frame, outermost first; `count` says how many of `vids` are set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Vlans {
    /// VLAN identifiers (12 bits each), outermost first.
    pub vids: [u16; 2],
    /// 0 untagged, 1 802.1Q, 2 QinQ (802.1ad).
    pub count: u8,
}

/// What the network layer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum L3 {
    /// IPv4 (RFC 791).
    Ipv4,
    /// IPv6 (RFC 8200).
    Ipv6,
    /// ARP (RFC 826).
    Arp,
    /// Any other EtherType; see [`Packet::ethertype`].
    #[default]
    Other,
}

/// What the transport layer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum L4 {
    /// TCP (RFC 9293).
    Tcp,
    /// UDP (RFC 768).
    Udp,
    /// SCTP (RFC 9260).
    Sctp,
    /// ICMP (RFC 792).
    Icmp,
    /// `ICMPv6` (RFC 4443).
    Icmpv6,
    /// Another IP protocol, or none.
    #[default]
    Other,
}

/// The TCP header fields that connection tracking reads (host order).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tcp {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Window, unscaled.
    pub window: u16,
    /// The eight flag bits CWR ECE URG ACK PSH RST SYN FIN, FIN lowest.
    pub flags: u8,
}

/// The ICMP or `ICMPv6` header fields that name a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Icmp {
    /// Message type.
    pub icmp_type: u8,
    /// Message code.
    pub code: u8,
}

/// Set when the packet is an IP fragment: its ports are not known and are 0 in the n-tuple.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fragment {
    /// Identification: 16 bits in IPv4, 32 in IPv6.
    pub id: u32,
    /// Offset of this fragment's payload in the datagram's, in bytes.
    pub offset: u32,
    /// More fragments follow.
    pub more: bool,
}

/// A tunnel header at the end of one packet's stack; [`Packet::descend`] parses what is inside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Encapsulation {
    /// GRE (RFC 2784, 2890) or PPTP's GRE (RFC 2637) carrying IP, Ethernet, MPLS, NSH, ERSPAN or PPP with IP inside.
    Gre,
    /// VXLAN (RFC 7348), also with the generic protocol extension, by UDP destination port.
    Vxlan,
    /// Geneve (RFC 8926) by UDP destination port.
    Geneve,
    /// IPv4 or IPv6 directly in IPv4 or IPv6 (RFC 2003, 2473, 4213).
    IpInIp,
}

/// An ICMP error quotes the packet that caused it; the quoted n-tuple names the flow the error belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcmpError {
    /// The n-tuple of the quoted packet, in the direction that packet travelled.
    pub quoted: NTuple,
}

/// Which UDP ports carry tunnels, and how deep to follow them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseOptions {
    /// UDP destination port of VXLAN; IANA says 4789.
    pub vxlan_port: u16,
    /// UDP destination port of Geneve; IANA says 6081.
    pub geneve_port: u16,
    /// Tunnels followed inside one frame before it counts as malformed.
    pub tunnel_depth_max: u8,
}

impl Default for ParseOptions {
    fn default() -> Self {
        Self { vxlan_port: 4789, geneve_port: 6081, tunnel_depth_max: 4 }
    }
}

/// One header stack of a frame, from the link layer (or the inside of a tunnel) up to the transport payload.
///
/// Offsets are in bytes from the start of the slice that was parsed, also in a stack inside a tunnel. `payload` is cut
/// to what the IP length field says, so Ethernet padding is never part of it, and in UDP to what the UDP length says.
///
/// In a packet that is neither IP nor ARP nothing after the link layer is known: `l4_offset` and `payload_offset` equal
/// `l3_offset`, and the payload is the rest of the frame. In an IP packet whose `l4` is [`L4::Other`] the payload
/// starts at `l4_offset`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Packet {
    /// Source, destination, ports and protocol.
    pub tuple: NTuple,
    /// VLAN tags of the outermost Ethernet header. They say whose frame it is, so the tags of an Ethernet header
    /// inside a tunnel never replace them. Of three tags the outer two are kept.
    pub vlans: Vlans,
    /// VLAN tags of the innermost Ethernet header entered so far, when that is not the outermost one.
    pub inner_vlans: Vlans,
    /// `EtherType` after VLAN, `PPPoE` and MPLS; below 0x0600 it is the length of an 802.3 frame with LLC.
    pub ethertype: u16,
    /// Network layer.
    pub l3: L3,
    /// Transport layer. [`L4::Other`] in a fragment, whatever `tuple.protocol` says.
    pub l4: L4,
    /// IPv4 TTL or IPv6 hop limit.
    pub ttl: u8,
    /// How many tunnels were entered to reach this stack.
    pub depth: u8,
    /// Start of the network header.
    pub l3_offset: u16,
    /// Start of the transport header (of the fragment's payload, in a fragment).
    pub l4_offset: u16,
    /// Start of the transport payload.
    pub payload_offset: u16,
    /// Length of the transport payload in bytes.
    pub payload_len: u16,
    /// TCP fields; zero unless `l4` is [`L4::Tcp`].
    pub tcp: Tcp,
    /// ICMP fields; zero unless `l4` is [`L4::Icmp`] or [`L4::Icmpv6`].
    pub icmp: Icmp,
    /// Set for an IP fragment.
    pub fragment: Option<Fragment>,
    /// Set when the payload is a tunnel that [`Packet::descend`] can enter.
    pub encapsulation: Option<Encapsulation>,
}

impl Packet {
    /// The transport payload within `frame`, the slice that was parsed. Empty if `frame` is another, shorter one.
    #[inline]
    pub fn payload<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        let start = usize::from(self.payload_offset);
        frame.get(start..start + usize::from(self.payload_len)).unwrap_or_default()
    }

    /// The transport header with its options, up to the payload, within `frame`, the slice that was parsed.
    #[inline]
    pub fn transport_header<'a>(&self, frame: &'a [u8]) -> &'a [u8] {
        frame.get(usize::from(self.l4_offset)..usize::from(self.payload_offset)).unwrap_or_default()
    }

    /// The IP packet within `frame`, the slice that was parsed: from the IP header to what its length field says.
    /// `None` when the packet is not IP.
    pub fn ip_packet<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let rest = frame.get(usize::from(self.l3_offset)..)?;
        let len = match self.l3 {
            L3::Ipv4 => {
                let [_, _, high, low, ..] = rest else { return None };
                usize::from(u16::from_be_bytes([*high, *low]))
            }
            L3::Ipv6 => {
                let [_, _, _, _, high, low, ..] = rest else { return None };
                IPV6_HEADER_LEN + usize::from(u16::from_be_bytes([*high, *low]))
            }
            L3::Arp | L3::Other => return None,
        };
        rest.get(..len)
    }
}

/// Bytes of an IPv6 header without extension headers.
const IPV6_HEADER_LEN: usize = 40;
