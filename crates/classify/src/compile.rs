//! Rules and queries in the matcher's form.
//!
//! A rule becomes one entry per (protocol, orientation) that it stands for: a port condition without a protocol stands
//! for TCP, UDP and SCTP, an either-way rule for both orientations. Tenant and VLAN come first in the key, so rules of
//! different tenants share no path behind them and cannot multiply each other.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use arrayvec::ArrayVec;
use dpdk::{AclField, AclKey, AclLayout, AclValue};
use ipnet::IpNet;

use crate::rule::{Direction, PORT_PROTOCOLS, Query, Rule};
use crate::validate::protocols;

/// How a key of one kind of flow is laid out, and how queries and addresses are written into it.
pub(crate) trait Family<const N: usize, const K: usize> {
    const LAYOUT: AclLayout<N, K>;

    fn key(query: &Query) -> AclKey<K>;

    /// Whether flows of this kind can match the rule at all.
    fn takes(rule: &Rule) -> bool;

    fn fields(tags: [AclValue; 3], ends: &[End; 2]) -> [AclValue; N];
}

/// One end of a flow, as a rule wants it.
#[derive(Clone, Copy)]
pub(crate) struct End {
    prefix: Option<IpNet>,
    ports: AclValue,
}

pub(crate) const V4_FIELDS: usize = 9;
pub(crate) const V4_KEY: usize = 24;
pub(crate) const V6_FIELDS: usize = 15;
pub(crate) const V6_KEY: usize = 48;

/// Flows of IPv4.
#[derive(Debug)]
pub(crate) struct V4;
/// Flows of IPv6.
#[derive(Debug)]
pub(crate) struct V6;
/// Flows that are not IP: keys of IPv4 in which all but tenant and VLAN is 0.
#[derive(Debug)]
pub(crate) struct NonIp;

const PROTOCOL: AclField = AclField::Bits(1);
const TENANT: AclField = AclField::Bits(2);
const PAD: AclField = AclField::Bits(2);
const VLAN: AclField = AclField::Range(2);
const ADDRESS: AclField = AclField::Prefix(4);
const PORT: AclField = AclField::Range(2);

const LAYOUT_V4: AclLayout<V4_FIELDS, V4_KEY> =
    checked(AclLayout::new([PROTOCOL, TENANT, PAD, ADDRESS, ADDRESS, PORT, PORT, VLAN, PAD]));
const LAYOUT_V6: AclLayout<V6_FIELDS, V6_KEY> = checked(AclLayout::new([
    PROTOCOL, TENANT, PAD, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, PORT, PORT, VLAN, PAD,
]));

/// Fails the compilation if a layout above is not one.
const fn checked<const N: usize, const K: usize>(
    layout: Result<AclLayout<N, K>, dpdk::acl::LayoutError>,
) -> AclLayout<N, K> {
    match layout {
        Ok(layout) => layout,
        Err(_) => panic!("not a layout"),
    }
}

impl Family<V4_FIELDS, V4_KEY> for V4 {
    const LAYOUT: AclLayout<V4_FIELDS, V4_KEY> = LAYOUT_V4;

    #[inline]
    fn key(query: &Query) -> AclKey<V4_KEY> {
        let tuple = &query.tuple;
        let [t0, t1] = query.tenant.0.to_be_bytes();
        let [v0, v1] = vlan(query).to_be_bytes();
        let [a, b, c, d] = tuple.src.v4_octets();
        let [e, f, g, h] = tuple.dst.v4_octets();
        let [s0, s1] = tuple.src_port.to_be_bytes();
        let [d0, d1] = tuple.dst_port.to_be_bytes();
        AclKey([tuple.protocol, 0, 0, 0, t0, t1, 0, 0, a, b, c, d, e, f, g, h, s0, s1, d0, d1, v0, v1, 0, 0])
    }

    fn takes(rule: &Rule) -> bool {
        ![rule.source, rule.destination].iter().any(|prefix| matches!(prefix, Some(IpNet::V6(_))))
    }

    fn fields([protocol, tenant, vlan]: [AclValue; 3], [source, destination]: &[End; 2]) -> [AclValue; V4_FIELDS] {
        [
            protocol,
            tenant,
            exactly(None, 0),
            source.v4(),
            destination.v4(),
            source.ports,
            destination.ports,
            vlan,
            exactly(None, 0),
        ]
    }
}

impl Family<V4_FIELDS, V4_KEY> for NonIp {
    const LAYOUT: AclLayout<V4_FIELDS, V4_KEY> = LAYOUT_V4;

    #[inline]
    fn key(query: &Query) -> AclKey<V4_KEY> {
        V4::key(&Query { tuple: wire::NTuple::default(), ..*query })
    }

    fn takes(rule: &Rule) -> bool {
        rule.matches_non_ip()
    }

    fn fields(tags: [AclValue; 3], ends: &[End; 2]) -> [AclValue; V4_FIELDS] {
        V4::fields(tags, ends)
    }
}

impl Family<V6_FIELDS, V6_KEY> for V6 {
    const LAYOUT: AclLayout<V6_FIELDS, V6_KEY> = LAYOUT_V6;

    #[inline]
    fn key(query: &Query) -> AclKey<V6_KEY> {
        let tuple = &query.tuple;
        let mut key = [0; V6_KEY];
        key[0] = tuple.protocol;
        key[4..6].copy_from_slice(&query.tenant.0.to_be_bytes());
        key[44..46].copy_from_slice(&vlan(query).to_be_bytes());
        key[8..24].copy_from_slice(&tuple.src.0);
        key[24..40].copy_from_slice(&tuple.dst.0);
        key[40..42].copy_from_slice(&tuple.src_port.to_be_bytes());
        key[42..44].copy_from_slice(&tuple.dst_port.to_be_bytes());
        AclKey(key)
    }

    fn takes(rule: &Rule) -> bool {
        ![rule.source, rule.destination].iter().any(|prefix| matches!(prefix, Some(IpNet::V4(_))))
    }

    fn fields([protocol, tenant, vlan]: [AclValue; 3], [source, destination]: &[End; 2]) -> [AclValue; V6_FIELDS] {
        let [s0, s1, s2, s3] = source.v6();
        let [d0, d1, d2, d3] = destination.v6();
        [protocol, tenant, exactly(None, 0), s0, s1, s2, s3, d0, d1, d2, d3, source.ports, destination.ports, vlan, exactly(None, 0)]
    }
}

/// The VLAN in a key: 0, which no rule can name, for an untagged flow.
#[inline]
fn vlan(query: &Query) -> u16 {
    query.vlan.unwrap_or(0)
}

impl End {
    fn v4(&self) -> AclValue {
        let (address, bits) = match self.prefix {
            Some(IpNet::V4(prefix)) => (prefix.network(), prefix.prefix_len()),
            _ => (Ipv4Addr::UNSPECIFIED, 0),
        };
        AclValue::Prefix { value: address.to_bits(), bits }
    }

    fn v6(&self) -> [AclValue; 4] {
        let (address, bits) = match self.prefix {
            Some(IpNet::V6(prefix)) => (prefix.network(), prefix.prefix_len()),
            _ => (Ipv6Addr::UNSPECIFIED, 0),
        };
        let address = address.to_bits();
        [0, 32, 64, 96].map(|before: u8| AclValue::Prefix {
            value: (address >> (96 - before)) as u32,
            bits: bits.saturating_sub(before).min(32),
        })
    }
}

fn exactly(value: Option<u16>, all: u32) -> AclValue {
    value.map_or(AclValue::Bits { value: 0, mask: 0 }, |value| AclValue::Bits { value: u32::from(value), mask: all })
}

fn range(range: Option<&RangeInclusive<u16>>) -> AclValue {
    let (first, last) = range.map_or((0, u16::MAX), |range| (*range.start(), *range.end()));
    AclValue::Range { first: u32::from(first), last: u32::from(last) }
}

/// The matcher's entries for one rule.
pub(crate) fn entries<F: Family<N, K>, const N: usize, const K: usize>(
    rule: &Rule,
) -> ArrayVec<(usize, [AclValue; N]), { 2 * PORT_PROTOCOLS.len() }> {
    let mut entries = ArrayVec::new();
    if !F::takes(rule) {
        return entries;
    }
    let ends = [
        End { prefix: rule.source, ports: range(rule.source_ports.as_ref()) },
        End { prefix: rule.destination, ports: range(rule.destination_ports.as_ref()) },
    ];
    let tenant = exactly(rule.tenant.map(|tenant| tenant.0), 0xffff);
    let vlan = range(rule.vlan.as_ref());
    let each = |protocol: Option<u8>, entries: &mut ArrayVec<_, 6>| {
        let tags = [exactly(protocol.map(u16::from), 0xff), tenant, vlan];
        let g = |ends: &[End; 2]| usize::from(ends[0].prefix.is_some()) | usize::from(ends[1].prefix.is_some()) << 1 | usize::from(rule.tenant.is_some()) << 2 | usize::from(rule.vlan.is_some()) << 3 | usize::from(protocol.is_some()) << 4;
        entries.push((g(&ends), F::fields(tags, &ends)));
        let [source, destination] = ends;
        let turned = (g(&[destination, source]), F::fields(tags, &[destination, source]));
        if rule.direction == Direction::Either && entries.last() != Some(&turned) {
            entries.push(turned);
        }
    };
    match protocols(rule) {
        None => each(None, &mut entries),
        Some(protocols) => protocols.iter().for_each(|protocol| each(Some(*protocol), &mut entries)),
    }
    entries
}
