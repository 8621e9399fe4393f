//! Addresses and the n-tuple.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 or IPv6 address in 16 bytes, network byte order; IPv4 is held mapped (`::ffff:a.b.c.d`, RFC 4291 2.5.5.2).
///
/// Which family an address is of is said by [`NTuple::ip_version`], not by the bytes: a real IPv6 packet may carry a
/// mapped address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Addr(pub [u8; 16]);

impl Addr {
    /// The mapped form of an IPv4 address.
    #[inline]
    pub const fn v4(octets: [u8; 4]) -> Self {
        let [a, b, c, d] = octets;
        Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d])
    }

    /// The last four bytes: the IPv4 address, if it is one.
    #[inline]
    pub const fn v4_octets(self) -> [u8; 4] {
        let Addr([.., a, b, c, d]) = self;
        [a, b, c, d]
    }

    /// As the standard library's type, given the IP version of the packet that carried it.
    pub fn to_ip(self, ip_version: u8) -> IpAddr {
        if ip_version == 4 { IpAddr::from(self.v4_octets()) } else { IpAddr::V6(Ipv6Addr::from(self.0)) }
    }
}

impl From<IpAddr> for Addr {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::v4(v4.octets()),
            IpAddr::V6(v6) => Self(v6.octets()),
        }
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&Ipv6Addr::from(self.0), f)
    }
}

/// Source, destination, ports and protocol of one packet, in the direction it travelled.
///
/// Ports are host-order numbers. For ICMP and `ICMPv6` `src_port` is the type and `dst_port` is the type of the expected
/// answer where the type has one (echo, timestamp, neighbour solicitation …), so that request and answer are each
/// other's reverse, or else the code. For every other protocol without ports both are 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct NTuple {
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Source port, or ICMP type.
    pub src_port: u16,
    /// Destination port, or ICMP counterpart type or code.
    pub dst_port: u16,
    /// IP protocol number (IANA), of the last header after IPv6 extension headers.
    pub protocol: u8,
    /// 4 or 6; 0 in a packet that is not IP.
    pub ip_version: u8,
}

impl NTuple {
    /// The same n-tuple as the answer would carry it.
    #[inline]
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self { src: self.dst, dst: self.src, src_port: self.dst_port, dst_port: self.src_port, ..self }
    }
}

/// The tenant a frame belongs to: an index into the running configuration's tenants, assigned from the port (a VF with
/// a port VLAN) or from the VLAN tag (a trunk).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct TenantId(pub u16);
