//! Rule headers made ready: sets of addresses as sorted ranges, protocols as bits.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use app::Protocol;
use rules::ir::{AddressRange, AddressSet, AppProtocol, Endpoint, Header, HeaderProtocol, PortSet};
use wire::{Addr, L3, L4};

/// Kinds of packets by transport, as bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transports(pub u8);

impl Transports {
    /// TCP.
    pub const TCP: u8 = 1;
    /// UDP.
    pub const UDP: u8 = 2;
    /// SCTP.
    pub const SCTP: u8 = 4;
    /// `ICMPv4`.
    pub const ICMP: u8 = 8;
    /// `ICMPv6`.
    pub const ICMPV6: u8 = 16;
    /// Any other IP packet.
    pub const OTHER: u8 = 32;
    /// A packet without an IP header, or one that could not be parsed.
    pub const NO_IP: u8 = 64;
    /// Every packet with an IP header.
    pub const IP: u8 = 63;

    /// The bit of a packet.
    pub const fn of(l3: L3, l4: L4) -> u8 {
        match (l3, l4) {
            (L3::Arp | L3::Other, _) => Self::NO_IP,
            (_, L4::Tcp) => Self::TCP,
            (_, L4::Udp) => Self::UDP,
            (_, L4::Sctp) => Self::SCTP,
            (_, L4::Icmp) => Self::ICMP,
            (_, L4::Icmpv6) => Self::ICMPV6,
            (_, L4::Other) => Self::OTHER,
        }
    }

    /// Whether `bit` is among them.
    #[inline]
    pub const fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }
}

/// Application protocols, as bits by [`Protocol::index`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Protocols(pub u64);

impl Protocols {
    /// Those that a rule asks for.
    pub fn of(asked: Option<AppProtocol>) -> Self {
        let Some(asked) = asked else { return Self(0) };
        let allowed = Protocol::ALL.into_iter().filter(|protocol| asked.allows(*protocol));
        Self(allowed.fold(0, |bits, protocol| bits | Self::bit(protocol)))
    }

    const fn bit(protocol: Protocol) -> u64 {
        1 << protocol.index()
    }

    /// Whether it asks for none in particular.
    pub const fn is_any(self) -> bool {
        self.0 == 0
    }

    /// Whether `protocol` is among them.
    #[inline]
    pub const fn has(self, protocol: Protocol) -> bool {
        self.0 & Self::bit(protocol) != 0
    }
}

/// A set of addresses: ranges in order, none touching the next, of IPv4 and IPv6 apart.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Ranges {
    any: bool,
    v4: Box<[(u32, u32)]>,
    v6: Box<[(u128, u128)]>,
}

impl Ranges {
    fn new(set: &AddressSet) -> Self {
        if set.is_any() {
            return Self { any: true, ..Self::default() };
        }
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        if set.included.is_empty() {
            v4.push((0, u32::MAX));
            v6.push((0, u128::MAX));
        }
        collect(&set.included, &mut v4, &mut v6);
        let (mut without_v4, mut without_v6) = (Vec::new(), Vec::new());
        collect(&set.excluded, &mut without_v4, &mut without_v6);
        Self {
            any: false,
            v4: subtract(merge(v4), &merge(without_v4), |n| n.checked_add(1), |n| n.checked_sub(1)).into(),
            v6: subtract(merge(v6), &merge(without_v6), |n| n.checked_add(1), |n| n.checked_sub(1)).into(),
        }
    }

    /// Whether every address is in it.
    pub const fn is_any(&self) -> bool {
        self.any
    }

    /// The ranges of IPv4.
    pub fn v4(&self) -> &[(u32, u32)] {
        &self.v4
    }

    /// The ranges of IPv6.
    pub fn v6(&self) -> &[(u128, u128)] {
        &self.v6
    }

    /// Whether an address, of a packet of this IP version, is in it.
    #[inline]
    pub fn contains(&self, address: Addr, ip_version: u8) -> bool {
        if self.any {
            return true;
        }
        if ip_version == 4 {
            within(&self.v4, u32::from_be_bytes(address.v4_octets()))
        } else {
            within(&self.v6, u128::from_be_bytes(address.0))
        }
    }
}

#[inline]
fn within<T: Ord + Copy>(ranges: &[(T, T)], value: T) -> bool {
    let at = ranges.partition_point(|&(_, last)| last < value);
    ranges.get(at).is_some_and(|&(first, _)| first <= value)
}

fn collect(from: &[AddressRange], v4: &mut Vec<(u32, u32)>, v6: &mut Vec<(u128, u128)>) {
    for range in from {
        let (first, last) = match range {
            AddressRange::Net(net) => (net.network(), net.broadcast()),
            AddressRange::Range(first, last) => (*first, *last),
        };
        match (first, last) {
            (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((first.to_bits(), last.to_bits())),
            (IpAddr::V6(first), IpAddr::V6(last)) => v6.push((first.to_bits(), last.to_bits())),
            // The parser refuses ranges of two families.
            _ => {}
        }
    }
}

/// In order, overlapping ranges made one.
fn merge<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// `ranges` without `without`; both merged.
fn subtract<T: Ord + Copy>(
    ranges: Vec<(T, T)>,
    without: &[(T, T)],
    next: impl Fn(T) -> Option<T>,
    before: impl Fn(T) -> Option<T>,
) -> Vec<(T, T)> {
    let mut left = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        let mut from = Some(first);
        for &(hole_first, hole_last) in without {
            let Some(begin) = from else { break };
            if hole_last < begin || hole_first > last {
                continue;
            }
            if let Some(end) = before(hole_first).filter(|&end| end >= begin) {
                left.push((begin, end));
            }
            from = next(hole_last).filter(|&begin| begin <= last);
        }
        if let Some(begin) = from {
            left.push((begin, last));
        }
    }
    left
}

/// One side of a header, ready.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// Addresses; shared between rules that say the same.
    pub addresses: Arc<Ranges>,
    /// Ports.
    pub ports: PortSet,
}

/// A header, ready.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReadyHeader {
    /// Transports that it can be about.
    pub transports: Transports,
    /// 0, or the only IP version.
    pub ip_version: u8,
    /// Left of the arrow.
    pub source: Side,
    /// Right of the arrow.
    pub destination: Side,
    /// Either may be the source.
    pub bidirectional: bool,
}

/// Shares what many headers have in common.
#[derive(Debug, Default)]
pub(super) struct HeaderCompiler {
    sets: HashMap<AddressSet, Arc<Ranges>>,
}

impl HeaderCompiler {
    pub(super) fn compile(&mut self, header: &Header) -> ReadyHeader {
        let (transports, ip_version) = match header.protocol {
            HeaderProtocol::Ip => (Transports::IP, 0),
            HeaderProtocol::PacketHeader => (Transports::IP | Transports::NO_IP, 0),
            HeaderProtocol::Ipv4 => (Transports::IP, 4),
            HeaderProtocol::Ipv6 => (Transports::IP, 6),
            HeaderProtocol::Tcp | HeaderProtocol::TcpPacket | HeaderProtocol::TcpStream => {
                (Transports::TCP, 0)
            }
            HeaderProtocol::Udp => (Transports::UDP, 0),
            HeaderProtocol::Icmp { v4, v6 } => {
                (if v4 { Transports::ICMP } else { 0 } | if v6 { Transports::ICMPV6 } else { 0 }, 0)
            }
            HeaderProtocol::Sctp => (Transports::SCTP, 0),
            HeaderProtocol::Http | HeaderProtocol::App(_) => (Transports::TCP | Transports::UDP, 0),
        };
        ReadyHeader {
            transports: Transports(transports),
            ip_version,
            source: self.side(&header.source),
            destination: self.side(&header.destination),
            bidirectional: header.bidirectional,
        }
    }

    fn side(&mut self, endpoint: &Endpoint) -> Side {
        let addresses = if let Some(known) = self.sets.get(&endpoint.addresses) {
            Arc::clone(known)
        } else {
            let ranges = Arc::new(Ranges::new(&endpoint.addresses));
            self.sets.insert(endpoint.addresses.clone(), Arc::clone(&ranges));
            ranges
        };
        Side { addresses, ports: endpoint.ports.clone() }
    }
}

/// Who a packet is from and to.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Transport, one of the bits of [`Transports`].
    pub transport: u8,
    /// 4, 6, or 0 for none.
    pub ip_version: u8,
    /// Source.
    pub source: (Addr, u16),
    /// Destination.
    pub destination: (Addr, u16),
}

impl Side {
    #[inline]
    fn has(&self, (address, port): (Addr, u16), ends: &Ends) -> bool {
        let with_ports = ends.transport & (Transports::TCP | Transports::UDP | Transports::SCTP) != 0;
        (!with_ports || self.ports.contains(port)) && self.addresses.contains(address, ends.ip_version)
    }
}

impl ReadyHeader {
    /// Whether it is about packets between these.
    #[inline]
    pub fn covers(&self, ends: &Ends) -> bool {
        if !self.transports.has(ends.transport)
            || (self.ip_version != 0 && self.ip_version != ends.ip_version)
        {
            return false;
        }
        // Where there are no addresses there is nothing to compare.
        if ends.transport == Transports::NO_IP {
            return true;
        }
        (self.source.has(ends.source, ends) && self.destination.has(ends.destination, ends))
            || (self.bidirectional
                && self.source.has(ends.destination, ends)
                && self.destination.has(ends.source, ends))
    }
}

/// What a number of rules are about, each header once.
#[derive(Debug, Default)]
pub struct DistinctHeaders {
    /// The most general first; `None`: too many to ask.
    headers: Option<Vec<ReadyHeader>>,
}

impl DistinctHeaders {
    /// Headers that are told apart; with more, they cover everything.
    const MAX: usize = 256;

    pub(super) fn of<'a>(headers: impl Iterator<Item = &'a ReadyHeader>) -> Self {
        let mut distinct: Vec<ReadyHeader> = Vec::new();
        for header in headers {
            if !distinct.contains(header) {
                if distinct.len() == Self::MAX {
                    return Self { headers: None };
                }
                distinct.push(header.clone());
            }
        }
        let narrow = |side: &Side| u8::from(!side.addresses.any) + u8::from(!side.ports.is_any());
        distinct.sort_by_key(|header| narrow(&header.source) + narrow(&header.destination));
        Self { headers: Some(distinct) }
    }

    /// Whether any of them is about packets between `ends`.
    pub fn cover(&self, ends: &Ends) -> bool {
        self.headers.as_ref().is_none_or(|headers| headers.iter().any(|header| header.covers(ends)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn set(included: &[&str], excluded: &[&str]) -> AddressSet {
        let parse = |nets: &[&str]| nets.iter().map(|net| AddressRange::Net(net.parse().unwrap())).collect();
        AddressSet { included: parse(included), excluded: parse(excluded) }
    }

    #[test]
    fn ranges_answer_as_the_set_does() {
        let sets = [
            set(&[], &[]),
            set(&["10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32"], &["10.1.0.0/16", "10.1.2.0/24"]),
            set(&[], &["10.0.0.0/8", "0.0.0.0/32", "255.255.255.255/32", "::/1"]),
            set(&["10.0.0.0/8", "10.0.0.0/9", "9.0.0.0/8"], &["10.255.255.255/32", "9.0.0.0/32"]),
        ];
        let addresses = [
            "0.0.0.0",
            "9.0.0.0",
            "9.0.0.1",
            "10.0.0.0",
            "10.1.2.3",
            "10.2.0.1",
            "10.255.255.255",
            "11.0.0.0",
            "192.168.255.255",
            "255.255.255.255",
            "2001:db8::1",
            "2001:db9::1",
            "::",
            "8000::",
            "ffff::ffff",
        ];
        let mut inside = 0;
        for set in &sets {
            let ranges = Ranges::new(set);
            for address in addresses {
                let address: IpAddr = address.parse().unwrap();
                let version = if address.is_ipv4() { 4 } else { 6 };
                let expected = set.contains(address);
                inside += usize::from(expected);
                assert_eq!(ranges.contains(Addr::from(address), version), expected, "{address} in {set:?}");
            }
        }
        assert!(inside > 20 && inside < 50, "{inside}");
    }
}
