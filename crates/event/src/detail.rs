//! Events of one packet or transaction: alerts, protocol logs, files, anomalies.

use std::net::IpAddr;

use crate::common;
use crate::flow::Ports;
use crate::json::{literal, number_after, string, timestamp};
use crate::label::Label;

/// An event of one packet or transaction: what all such events have in common, and the members of its own kind.
#[derive(Clone, PartialEq, Debug)]
pub struct Detail {
    /// `event_type`.
    pub event_type: &'static str,
    /// Time of the packet, in microseconds since the Unix epoch.
    pub timestamp_us: u64,
    /// Names the flow in all its events; `None` when the packet has no flow.
    pub flow_id: Option<u64>,
    /// The packet's number in its capture, from 1; `None` when live.
    pub packet_number: Option<u64>,
    /// VLAN identifiers, outermost first.
    pub vlans: [Option<u16>; 2],
    /// Source and destination; `None` in a packet without an IP header.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// IP protocol number (IANA).
    pub protocol: u8,
    /// Ports, or what ICMP has instead.
    pub ports: Ports,
    /// Where the packet comes from: `wire/pcap`, `stream (flow timeout)`, …
    pub packet_source: &'static str,
    /// Seed of the flow's Community ID; `None` leaves the field out.
    pub community_id_seed: Option<u16>,
    /// Number of the transaction.
    pub tx_id: Option<u64>,
    /// Whose traffic it was.
    pub tenant: Label,
    /// Members of its own kind, without braces or a comma around them: `"dns":{…}`.
    pub members: Vec<u8>,
}

impl Detail {
    /// Appends the event to `to` as one line of JSON, newline included.
    pub fn encode(&self, to: &mut Vec<u8>) {
        literal(to, r#"{"timestamp":""#);
        timestamp(to, self.timestamp_us);
        to.push(b'"');
        if let Some(id) = self.flow_id {
            number_after(to, r#","flow_id":"#, id);
        }
        if let Some(number) = self.packet_number {
            number_after(to, r#","pcap_cnt":"#, number);
        }
        literal(to, r#","event_type":""#);
        literal(to, self.event_type);
        to.push(b'"');
        common::vlans(to, self.vlans);
        if let Some(addresses) = self.addresses {
            common::tuple(to, addresses, self.protocol, self.ports);
            common::community_id(to, self.community_id_seed, addresses, self.protocol, self.ports);
        }
        literal(to, r#","pkt_src":""#);
        literal(to, self.packet_source);
        to.push(b'"');
        if let Some(id) = self.tx_id {
            number_after(to, r#","tx_id":"#, id);
        }
        if !self.members.is_empty() {
            to.push(b',');
            to.extend_from_slice(&self.members);
        }
        literal(to, r#","tenant":"#);
        string(to, self.tenant.as_str());
        literal(to, "}\n");
    }
}
