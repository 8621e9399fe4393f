//! Rule lists and queries that look like a site's, from a seed.

#![allow(dead_code, unreachable_pub, reason = "each test binary and the bench use a part of it")]
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use classify::{Direction, PipelineId, Query, Rule, ToolId, Verdict};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rand::Rng;
use wire::{Addr, NTuple, TenantId};

/// Ports that policies are about.
const SERVICES: [u16; 16] = [20, 21, 22, 25, 53, 80, 110, 123, 143, 389, 443, 445, 993, 3306, 3389, 8080];

/// One default verdict a tenant, all different.
pub fn defaults(tenants: u16) -> Vec<Verdict> {
    (0..tenants).map(|tenant| Verdict::Pipeline(PipelineId(tenant))).collect()
}

/// `count` rules for `tenants` tenants; a tenth of them are for all.
pub fn rules(rng: &mut impl Rng, count: usize, tenants: u16) -> Vec<Rule> {
    (0..count).map(|number| rule(rng, number, tenants)).collect()
}

fn rule(rng: &mut impl Rng, number: usize, tenants: u16) -> Rule {
    let protocol = match rng.random_range(0..100) {
        0..50 => Some(6),
        50..75 => Some(17),
        75..78 => Some(132),
        78..82 => Some(1),
        _ => None,
    };
    let ported = protocol.is_none_or(classify::has_ports);
    let mut rule = Rule {
        priority: rng.random_range(0..100),
        tenant: rng.random_bool(0.9).then(|| TenantId(rng.random_range(0..tenants))),
        vlan: rng.random_bool(0.2).then(|| vlan_range(rng)),
        protocol,
        source_ports: (ported && rng.random_bool(0.05)).then(|| port_range(rng)),
        destination_ports: (ported && rng.random_bool(0.7)).then(|| port_range(rng)),
        direction: if rng.random_bool(0.2) { Direction::Either } else { Direction::Initiator },
        ..Rule::any(format!("rule-{number}"), verdict(rng))
    };
    // A host or network is named at either end, or at both.
    let ends = rng.random_range(1..=3);
    match rng.random_range(0..100) {
        0..70 => {
            rule.source = (ends & 1 != 0).then(|| IpNet::V4(v4_prefix(rng)));
            rule.destination = (ends & 2 != 0).then(|| IpNet::V4(v4_prefix(rng)));
        }
        70..90 => {
            rule.source = (ends & 1 != 0).then(|| IpNet::V6(v6_prefix(rng)));
            rule.destination = (ends & 2 != 0).then(|| IpNet::V6(v6_prefix(rng)));
        }
        90..95 => {
            // A service of one tenant, wherever it is.
            rule.tenant = Some(TenantId(rng.random_range(0..tenants)));
            rule.protocol = Some([6, 17][rng.random_range(0..2)]);
            rule.destination_ports = Some(service(rng));
        }
        _ => {
            // Everything on a VLAN of one tenant.
            rule = Rule {
                tenant: Some(TenantId(rng.random_range(0..tenants))),
                vlan: Some(vlan_range(rng)),
                protocol: None,
                source_ports: None,
                destination_ports: None,
                ..rule
            };
        }
    }
    rule
}

fn verdict(rng: &mut impl Rng) -> Verdict {
    match rng.random_range(0..4) {
        0 => Verdict::Shunt,
        1 => Verdict::Drop,
        2 => Verdict::Tool(ToolId(rng.random_range(0..8))),
        _ => Verdict::Pipeline(PipelineId(rng.random_range(1000..1100))),
    }
}

fn v4_prefix(rng: &mut impl Rng) -> Ipv4Net {
    let bits = [14, 16, 20, 24, 24, 24, 28, 30, 32, 32, 32, 32][rng.random_range(0..12_usize)];
    Ipv4Net::new(v4_address(rng), bits).unwrap().trunc()
}

fn v6_prefix(rng: &mut impl Rng) -> Ipv6Net {
    let bits = [40, 44, 48, 48, 56, 64, 64, 72, 97, 128, 128][rng.random_range(0..11)];
    Ipv6Net::new(v6_address(rng), bits).unwrap().trunc()
}

/// Half in a site's own 10.0.0.0/12, half anywhere.
fn v4_address(rng: &mut impl Rng) -> Ipv4Addr {
    if rng.random_bool(0.5) {
        Ipv4Addr::from_bits(0x0a00_0000 | rng.random_range(0..1 << 20))
    } else {
        Ipv4Addr::from_bits(rng.random())
    }
}

fn v6_address(rng: &mut impl Rng) -> Ipv6Addr {
    let host: u64 = if rng.random_bool(0.5) { rng.random_range(0..256) } else { rng.random() };
    // Half in a site's own 2001:db8:abc0::/44, half in any other network of the documentation prefix.
    let net: u32 =
        if rng.random_bool(0.5) { 0xabc0_0000 | rng.random_range(0..1 << 20) } else { rng.random() };
    Ipv6Addr::from_bits(0x2001_0db8_u128 << 96 | u128::from(net) << 64 | u128::from(host))
}

fn vlan_range(rng: &mut impl Rng) -> RangeInclusive<u16> {
    let first = rng.random_range(1..=4000);
    if rng.random_bool(0.7) { first..=first } else { first..=first + rng.random_range(0..=94) }
}

fn port_range(rng: &mut impl Rng) -> RangeInclusive<u16> {
    match rng.random_range(0..100) {
        0..70 => service(rng),
        70..80 => 1024..=u16::MAX,
        80..85 => 0..=1023,
        _ => {
            let (a, b) = (rng.random(), rng.random());
            u16::min(a, b)..=u16::max(a, b)
        }
    }
}

fn service(rng: &mut impl Rng) -> RangeInclusive<u16> {
    let port = SERVICES[rng.random_range(0..SERVICES.len())];
    port..=port
}

/// A flow that `rule` matches (by itself; an earlier rule may decide it). What the rule leaves open is random.
pub fn query_of(rng: &mut impl Rng, rule: &Rule, tenants: u16) -> Query {
    let v4 = match rule.source.or(rule.destination) {
        Some(prefix) => matches!(prefix, IpNet::V4(_)),
        None => rng.random_bool(0.5),
    };
    if rule.matches_non_ip() && rng.random_bool(0.3) {
        let vlan = rule.vlan.as_ref().map(|range| rng.random_range(range.clone()));
        let tenant = rule.tenant.unwrap_or(TenantId(0));
        return Query { tuple: NTuple::default(), vlan, tenant };
    }
    let wants_ports = rule.source_ports.is_some() || rule.destination_ports.is_some();
    let protocol = rule.protocol.unwrap_or_else(|| {
        let any = [6, 17, 132, 1, 47];
        any[rng.random_range(0..if wants_ports { 3 } else { 5 })]
    });
    let (src, dst) = (address_in(rng, rule.source, v4), address_in(rng, rule.destination, v4));
    let tuple = NTuple {
        src,
        dst,
        src_port: number_in(rng, rule.source_ports.as_ref()),
        dst_port: number_in(rng, rule.destination_ports.as_ref()),
        protocol,
        ip_version: if v4 { 4 } else { 6 },
    };
    let tuple = if rule.direction == Direction::Either && rng.random() { tuple.reversed() } else { tuple };
    let vlan = match &rule.vlan {
        Some(range) => Some(rng.random_range(range.clone())),
        None => rng.random_bool(0.7).then(|| rng.random_range(1..=4094)),
    };
    Query { tuple, vlan, tenant: rule.tenant.unwrap_or_else(|| TenantId(rng.random_range(0..tenants))) }
}

/// A flow from nowhere in particular; some are not IP.
pub fn query(rng: &mut impl Rng, tenants: u16) -> Query {
    let ip_version = [4, 4, 4, 6, 6, 0][rng.random_range(0..6)];
    let mut tuple = NTuple { ip_version, ..NTuple::default() };
    if ip_version != 0 {
        tuple.src = address_in(rng, None, ip_version == 4);
        tuple.dst = address_in(rng, None, ip_version == 4);
        tuple.protocol = [6, 6, 17, 17, 132, 1, 58][rng.random_range(0..7)];
        tuple.src_port = rng.random();
        tuple.dst_port = SERVICES[rng.random_range(0..SERVICES.len())];
    }
    let vlan = rng.random_bool(0.7).then(|| rng.random_range(1..=4094));
    Query { tuple, vlan, tenant: TenantId(rng.random_range(0..tenants)) }
}

/// `query` with one thing about it changed: near a rule's edge, where matchers go wrong.
pub fn nudged(rng: &mut impl Rng, mut query: Query, tenants: u16) -> Query {
    let tuple = &mut query.tuple;
    match rng.random_range(0..9) {
        0 => tuple.src_port = tuple.src_port.wrapping_add(1),
        1 => tuple.dst_port = tuple.dst_port.wrapping_sub(1),
        2 => tuple.protocol = [1, 6, 17, 58, 132][rng.random_range(0..5)],
        3 => tuple.src.0[rng.random_range(12..16)] ^= 1 << rng.random_range(0..8),
        4 => tuple.dst.0[rng.random_range(12..16)] ^= 1 << rng.random_range(0..8),
        5 => query.vlan = query.vlan.map(|vlan| vlan + 1),
        6 => query.vlan = None,
        7 => query.tenant = TenantId(rng.random_range(0..tenants)),
        _ => *tuple = tuple.reversed(),
    }
    query
}

fn address_in(rng: &mut impl Rng, prefix: Option<IpNet>, v4: bool) -> Addr {
    match prefix {
        Some(IpNet::V4(prefix)) => {
            let host = rng.random::<u32>() & prefix.hostmask().to_bits();
            Addr::from(IpAddr::V4(Ipv4Addr::from_bits(prefix.network().to_bits() | host)))
        }
        Some(IpNet::V6(prefix)) => {
            let host = rng.random::<u128>() & prefix.hostmask().to_bits();
            Addr::from(IpAddr::V6(Ipv6Addr::from_bits(prefix.network().to_bits() | host)))
        }
        None if v4 => Addr::from(IpAddr::V4(v4_address(rng))),
        None => Addr::from(IpAddr::V6(v6_address(rng))),
    }
}

fn number_in(rng: &mut impl Rng, range: Option<&RangeInclusive<u16>>) -> u16 {
    let (first, last) = range.map_or((0, u16::MAX), |range| (*range.start(), *range.end()));
    rng.random_range(first..=last)
}
