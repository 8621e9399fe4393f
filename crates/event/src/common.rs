//! Members that every event of a flow or packet has.

use std::net::IpAddr;

use crate::community_id::CommunityId;
use crate::flow::Ports;
use crate::json::{address, literal, number_after};
use crate::protocol;

/// `vlan`: identifiers, outermost first.
pub(crate) fn vlans(to: &mut Vec<u8>, vlans: [Option<u16>; 2]) {
    let mut before = r#","vlan":["#;
    for vlan in vlans.into_iter().flatten() {
        number_after(to, before, u64::from(vlan));
        before = ",";
    }
    if before == "," {
        to.push(b']');
    }
}

/// Addresses, ports and protocol.
pub(crate) fn tuple(to: &mut Vec<u8>, (source, destination): (IpAddr, IpAddr), protocol: u8, ports: Ports) {
    let (src_port, dest_port) = match ports {
        Ports::Pair { src, dest } => (Some(src), Some(dest)),
        Ports::Icmp { .. } | Ports::None => (None, None),
    };
    literal(to, r#","src_ip":""#);
    address(to, source);
    to.push(b'"');
    if let Some(port) = src_port {
        number_after(to, r#","src_port":"#, u64::from(port));
    }
    literal(to, r#","dest_ip":""#);
    address(to, destination);
    to.push(b'"');
    if let Some(port) = dest_port {
        number_after(to, r#","dest_port":"#, u64::from(port));
    }
    literal(to, r#","proto":""#);
    // The names are the registry's, none of which needs escaping.
    literal(to, protocol::name(protocol));
    to.push(b'"');
    if let Ports::Icmp { icmp_type, icmp_code, response } = ports {
        number_after(to, r#","icmp_type":"#, u64::from(icmp_type));
        number_after(to, r#","icmp_code":"#, u64::from(icmp_code));
        if let Some((icmp_type, icmp_code)) = response {
            number_after(to, r#","response_icmp_type":"#, u64::from(icmp_type));
            number_after(to, r#","response_icmp_code":"#, u64::from(icmp_code));
        }
    }
}

/// `community_id`, if there is a seed for it.
pub(crate) fn community_id(
    to: &mut Vec<u8>,
    seed: Option<u16>,
    (source, destination): (IpAddr, IpAddr),
    protocol: u8,
    ports: Ports,
) {
    if let Some(seed) = seed {
        literal(to, r#","community_id":""#);
        CommunityId::new(seed, protocol, source, destination, ports).append_base64(to);
        to.push(b'"');
    }
}
