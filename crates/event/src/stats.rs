//! The EVE `stats` event: counters since the start.
//!
//! Counters that Suricata has too carry its names, in its place in the tree; a counter that Forebay does not have is
//! left out rather than written as zero.

use std::collections::BTreeMap;

use crate::json::{number_after, string, timestamp};
use crate::label::Label;

/// Packets by the name of the reason. Sorted, so that the same counts give the same bytes.
pub type Reasons = BTreeMap<&'static str, u64>;

/// Every counter at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// The moment, in microseconds since the Unix epoch.
    pub timestamp_us: u64,
    /// Whole seconds since the start.
    pub uptime_s: u64,
    /// What the frames were.
    pub decoder: Decoder,
    /// Frames that could not be parsed, by reason; they sum up to [`Decoder::invalid`]. `decoder.event` in EVE.
    pub malformed: Reasons,
    /// What the flows were.
    pub flow: Flows,
    /// Flows that ended, by their state then. `flow.end.state` in EVE.
    pub flow_end: FlowEndStates,
    /// TCP flows that ended, by the connection's state then. `flow.end.tcp_state` in EVE.
    pub flow_end_tcp: FlowEndTcpStates,
    /// Reassembly of IPv4 fragments.
    pub defrag_ipv4: Defrag,
    /// Reassembly of IPv6 fragments.
    pub defrag_ipv6: Defrag,
    /// Every tenant's own counters, in the order of the configuration.
    pub tenants: Vec<TenantStats>,
}

/// One tenant's counters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantStats {
    /// The tenant's name.
    pub name: Label,
    /// Frames received for the tenant.
    pub packets: u64,
    /// Their bytes as on the wire, without FCS.
    pub bytes: u64,
    /// Flows begun.
    pub flows: u64,
    /// Alerts raised.
    pub alerts: u64,
    /// Packets that no pipeline inspected, by reason.
    pub not_inspected: Reasons,
}

/// Declares a group of counters, each written under its own name as `"name":value`.
macro_rules! counters {
    ($(#[$doc:meta])* $group:ident { $($(#[$field_doc:meta])* $field:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct $group {
            $($(#[$field_doc])* pub $field: u64,)+
        }

        impl $group {
            /// Appends every counter and the comma that follows it.
            fn encode(&self, to: &mut Vec<u8>) {
                $(
                    number_after(to, concat!("\"", stringify!($field), "\":"), self.$field);
                    to.push(b',');
                )+
            }
        }
    };
}

counters! {
    /// Frames by what they carried. A header inside a tunnel is counted like one outside.
    Decoder {
        /// Frames.
        pkts,
        /// Frame bytes as on the wire, without FCS.
        bytes,
        /// Frames that could not be parsed.
        invalid,
        /// IPv4 packets.
        ipv4,
        /// IPv6 packets.
        ipv6,
        /// Ethernet frames.
        ethernet,
        /// ARP packets.
        arp,
        /// Frames of an `EtherType` that is not parsed.
        unknown_ethertype,
        /// TCP segments.
        tcp,
        /// UDP datagrams.
        udp,
        /// SCTP packets.
        sctp,
        /// ICMP messages.
        icmpv4,
        /// `ICMPv6` messages.
        icmpv6,
        /// Geneve packets.
        geneve,
        /// GRE packets.
        gre,
        /// Frames with at least one VLAN tag.
        vlan,
        /// Frames with two VLAN tags.
        vlan_qinq,
        /// VXLAN packets.
        vxlan,
        /// IPv4 directly in IPv4.
        ipv4_in_ipv4,
        /// IPv6 directly in IPv4.
        ipv6_in_ipv4,
        /// IPv4 directly in IPv6.
        ipv4_in_ipv6,
        /// IPv6 directly in IPv6.
        ipv6_in_ipv6,
        /// Length of the longest frame in bytes.
        max_pkt_size,
    }
}

counters! {
    /// Flows by protocol.
    Flows {
        /// Flows begun.
        total,
        /// Flows in the tables now.
        active,
        /// TCP flows begun.
        tcp,
        /// UDP flows begun.
        udp,
        /// ICMP flows begun.
        icmpv4,
        /// `ICMPv6` flows begun.
        icmpv6,
    }
}

counters! {
    /// Ended flows by [`FlowState`](crate::FlowState).
    FlowEndStates {
        /// Packets in one direction only.
        new,
        /// Packets in both directions.
        established,
        /// TCP, closed by FIN or RST.
        closed,
    }
}

counters! {
    /// Ended TCP flows by [`TcpState`](crate::TcpState).
    FlowEndTcpStates {
        /// Nothing seen that begins a connection.
        none,
        /// SYN seen.
        syn_sent,
        /// SYN and its SYN-ACK seen.
        syn_recv,
        /// Handshake complete.
        established,
        /// One side sent FIN.
        fin_wait1,
        /// That FIN was acknowledged.
        fin_wait2,
        /// Both sides' FINs were acknowledged.
        time_wait,
        /// The side that was asked to close sent its FIN.
        last_ack,
        /// One side was asked to close and has not yet.
        close_wait,
        /// Both sides sent FIN at once.
        closing,
        /// Over.
        closed,
    }
}

counters! {
    /// Reassembly of one IP version's fragments.
    Defrag {
        /// Fragments received.
        fragments,
        /// Datagrams put together.
        reassembled,
    }
}

impl Stats {
    /// Appends the counters to `to` as one line of JSON, newline included.
    pub fn encode(&self, to: &mut Vec<u8>) {
        open(to, r#"{"timestamp":""#);
        timestamp(to, self.timestamp_us);
        number_after(to, r#"","event_type":"stats","stats":{"uptime":"#, self.uptime_s);

        open(to, r#","decoder":{"#);
        self.decoder.encode(to);
        let average = self.decoder.bytes.checked_div(self.decoder.pkts).unwrap_or_default();
        number_after(to, r#""avg_pkt_size":"#, average);
        to.push(b',');
        reasons(to, "event", &self.malformed);
        close(to, "}");

        open(to, r#","flow":{"#);
        self.flow.encode(to);
        open(to, r#""end":{"state":{"#);
        self.flow_end.encode(to);
        close(to, r#"},"tcp_state":{"#);
        self.flow_end_tcp.encode(to);
        close(to, "}}}");

        open(to, r#","defrag":{"ipv4":{"#);
        self.defrag_ipv4.encode(to);
        close(to, r#"},"ipv6":{"#);
        self.defrag_ipv6.encode(to);
        close(to, "}}");

        open(to, r#","tenants":["#);
        for tenant in &self.tenants {
            tenant.encode(to);
            to.push(b',');
        }
        close(to, "]}}\n");
    }
}

impl TenantStats {
    fn encode(&self, to: &mut Vec<u8>) {
        open(to, r#"{"name":"#);
        string(to, self.name.as_str());
        number_after(to, r#","packets":"#, self.packets);
        number_after(to, r#","bytes":"#, self.bytes);
        number_after(to, r#","flows":"#, self.flows);
        number_after(to, r#","alerts":"#, self.alerts);
        to.push(b',');
        reasons(to, "not_inspected", &self.not_inspected);
        close(to, "}");
    }
}

/// `"key":{"reason":packets,…},`
fn reasons(to: &mut Vec<u8>, key: &str, reasons: &Reasons) {
    string(to, key);
    open(to, ":{");
    for (reason, packets) in reasons {
        string(to, reason);
        number_after(to, ":", *packets);
        to.push(b',');
    }
    close(to, "},");
}

/// Text that begins an object or list.
fn open(to: &mut Vec<u8>, text: &str) {
    to.extend_from_slice(text.as_bytes());
}

/// Text that ends an object or list, in place of the comma that the last item left behind.
fn close(to: &mut Vec<u8>, text: &str) {
    if to.last() == Some(&b',') {
        to.pop();
    }
    to.extend_from_slice(text.as_bytes());
}
