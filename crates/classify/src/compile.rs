//! Rules and queries in the matcher's form.
//!
//! A rule becomes one entry per (protocol, orientation) that it stands for: a port condition without a protocol stands
//! for TCP, UDP and SCTP, an either-way rule for both orientations.
//!
//! What keeps compiling cheap: the matcher walks a key from front to back, and a rule that leaves a field open is copied
//! behind every value that other rules name there. So the fields that most rules name come first (tenant, addresses),
//! VLAN last; and entries that name other ends than each other never share a context ([`Entry::shape`]). 1,000 networks
//! matched either way took 14 s in one context and take 0.1 s in one per shape.

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

/// One entry of the matcher.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Entry<const N: usize> {
    /// Which ends have an address condition: 0 neither, 1 source, 2 destination, 3 both.
    pub(crate) shape: usize,
    pub(crate) fields: [AclValue; N],
}

/// Number of different [`Entry::shape`]s.
pub(crate) const SHAPES: usize = 4;

/// The most entries of one rule: each protocol with ports, both ways.
pub(crate) const ENTRIES_MAX: usize = 2 * PORT_PROTOCOLS.len();

pub(crate) const V4_FIELDS: usize = 7;
pub(crate) const V4_KEY: usize = 24;
pub(crate) const V6_FIELDS: usize = 13;
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
// Two bytes would do for both, but fields come in words of four.
const TENANT: AclField = AclField::Bits(4);
const VLAN: AclField = AclField::Range(4);
const ADDRESS: AclField = AclField::Prefix(4);
const PORT: AclField = AclField::Range(2);

const LAYOUT_V4: AclLayout<V4_FIELDS, V4_KEY> =
    checked(AclLayout::new([PROTOCOL, TENANT, ADDRESS, ADDRESS, PORT, PORT, VLAN]));
const LAYOUT_V6: AclLayout<V6_FIELDS, V6_KEY> = checked(AclLayout::new([
    PROTOCOL, TENANT, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, ADDRESS, PORT, PORT,
    VLAN,
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
        let mut key = [0; V4_KEY];
        key[0] = tuple.protocol;
        key[6..8].copy_from_slice(&query.tenant.0.to_be_bytes());
        key[8..12].copy_from_slice(&tuple.src.v4_octets());
        key[12..16].copy_from_slice(&tuple.dst.v4_octets());
        key[16..18].copy_from_slice(&tuple.src_port.to_be_bytes());
        key[18..20].copy_from_slice(&tuple.dst_port.to_be_bytes());
        key[22..24].copy_from_slice(&vlan(query).to_be_bytes());
        AclKey(key)
    }

    fn takes(rule: &Rule) -> bool {
        ![rule.source, rule.destination].iter().any(|prefix| matches!(prefix, Some(IpNet::V6(_))))
    }

    fn fields(
        [protocol, tenant, vlan]: [AclValue; 3],
        [source, destination]: &[End; 2],
    ) -> [AclValue; V4_FIELDS] {
        [protocol, tenant, source.v4(), destination.v4(), source.ports, destination.ports, vlan]
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
        key[6..8].copy_from_slice(&query.tenant.0.to_be_bytes());
        key[46..48].copy_from_slice(&vlan(query).to_be_bytes());
        key[8..24].copy_from_slice(&tuple.src.0);
        key[24..40].copy_from_slice(&tuple.dst.0);
        key[40..42].copy_from_slice(&tuple.src_port.to_be_bytes());
        key[42..44].copy_from_slice(&tuple.dst_port.to_be_bytes());
        AclKey(key)
    }

    fn takes(rule: &Rule) -> bool {
        ![rule.source, rule.destination].iter().any(|prefix| matches!(prefix, Some(IpNet::V4(_))))
    }

    fn fields(
        [protocol, tenant, vlan]: [AclValue; 3],
        [source, destination]: &[End; 2],
    ) -> [AclValue; V6_FIELDS] {
        let [s0, s1, s2, s3] = source.v6();
        let [d0, d1, d2, d3] = destination.v6();
        [protocol, tenant, s0, s1, s2, s3, d0, d1, d2, d3, source.ports, destination.ports, vlan]
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

fn exactly(value: Option<u16>, mask: u32) -> AclValue {
    match value {
        Some(value) => AclValue::Bits { value: u32::from(value), mask },
        None => AclValue::Bits { value: 0, mask: 0 },
    }
}

fn range(range: Option<&RangeInclusive<u16>>, all: u32) -> AclValue {
    match range {
        Some(range) => AclValue::Range { first: u32::from(*range.start()), last: u32::from(*range.end()) },
        None => AclValue::Range { first: 0, last: all },
    }
}

/// The matcher's entries for one rule; none if flows of this kind cannot match it.
pub(crate) fn entries<F: Family<N, K>, const N: usize, const K: usize>(
    rule: &Rule,
) -> ArrayVec<Entry<N>, ENTRIES_MAX> {
    let mut entries = ArrayVec::new();
    if !F::takes(rule) {
        return entries;
    }
    let source = End { prefix: rule.source, ports: range(rule.source_ports.as_ref(), 0xffff) };
    let destination = End { prefix: rule.destination, ports: range(rule.destination_ports.as_ref(), 0xffff) };
    let tenant = exactly(rule.tenant.map(|tenant| tenant.0), u32::MAX);
    let vlan = range(rule.vlan.as_ref(), u32::MAX);
    let mut each = |protocol: Option<u8>| {
        let tags = [exactly(protocol.map(u16::from), 0xff), tenant, vlan];
        let entry = |ends: [End; 2]| {
            let [source, destination] = ends.map(|end| usize::from(end.prefix.is_some()));
            Entry { shape: source | destination << 1, fields: F::fields(tags, &ends) }
        };
        let (straight, turned) = (entry([source, destination]), entry([destination, source]));
        entries.push(straight);
        if rule.direction == Direction::Either && turned != straight {
            entries.push(turned);
        }
    };
    match protocols(rule) {
        None => each(None),
        Some(protocols) => protocols.iter().for_each(|protocol| each(Some(*protocol))),
    }
    entries
}
