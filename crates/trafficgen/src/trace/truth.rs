//! The ground truth of a trace: exact counts, kept while frames are written.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a conversation is about. One server port stands for each, so the counts can be checked from outside:
/// HTTP 80, DNS 53, TLS 443, SMTP 25, bulk 5201 (all TCP but DNS, which is mostly UDP), fragments UDP 9.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// DNS over UDP and TCP.
    Dns,
    /// TLS 1.2 and 1.3.
    Tls,
    /// SMTP.
    Smtp,
    /// Opaque bulk transfers over TCP.
    Bulk,
    /// Port scans, from 203.0.113.0/24, and the answers to them.
    Scan,
    /// ICMP and `ICMPv6` echo.
    Ping,
    /// Address resolution.
    Arp,
    /// UDP datagrams larger than the MTU.
    Fragments,
}

/// What carries a frame's payload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP, fragments of it included.
    Udp,
    /// ICMP for IPv4.
    Icmp,
    /// ICMP for IPv6.
    Icmpv6,
    /// ARP: no IP at all.
    Arp,
}

/// Packets, bytes and flows of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Count {
    /// Frames.
    pub packets: u64,
    /// Frame bytes with the VLAN tag, without FCS.
    pub bytes: u64,
    /// Distinct bidirectional flows: for TCP and UDP by VLAN, protocol, addresses and ports; for echo by VLAN,
    /// protocol and addresses. ARP and ICMP errors make none.
    pub flows: u64,
}

impl Count {
    const fn packet(&mut self, bytes: u64) {
        self.packets += 1;
        self.bytes += bytes;
    }
}

/// The counts of one tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TenantTruth {
    /// Its VLAN.
    pub vlan: u16,
    /// All of it.
    #[serde(flatten)]
    pub total: Count,
    /// By what the conversation is about; the counts add up to the total.
    pub protocols: BTreeMap<Protocol, Count>,
    /// By what carries the frame; the counts add up to the total.
    pub transports: BTreeMap<Transport, Count>,
}

/// The counts of a whole trace.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Truth {
    /// The seed it was made from.
    pub seed: u64,
    /// All of it.
    #[serde(flatten)]
    pub total: Count,
    /// Timestamp of the first frame, nanoseconds since 1970-01-01 UTC.
    pub first_ns: u64,
    /// Timestamp of the last frame, nanoseconds since 1970-01-01 UTC.
    pub last_ns: u64,
    /// One entry for each tenant, by VLAN.
    pub tenants: Vec<TenantTruth>,
}

impl Truth {
    /// Nothing counted yet.
    pub(crate) fn new(seed: u64, vlans: impl IntoIterator<Item = u16>) -> Self {
        let tenants = vlans.into_iter().map(|vlan| TenantTruth {
            vlan,
            total: Count::default(),
            protocols: BTreeMap::new(),
            transports: BTreeMap::new(),
        });
        Self { seed, total: Count::default(), first_ns: 0, last_ns: 0, tenants: tenants.collect() }
    }

    pub(crate) fn flows(&mut self, tenant: usize, protocol: Protocol, transport: Transport, flows: u64) {
        self.total.flows += flows;
        if let Some(tenant) = self.tenants.get_mut(tenant) {
            tenant.total.flows += flows;
            tenant.protocols.entry(protocol).or_default().flows += flows;
            tenant.transports.entry(transport).or_default().flows += flows;
        }
    }

    pub(crate) fn packet(
        &mut self,
        tenant: usize,
        protocol: Protocol,
        transport: Transport,
        at_ns: u64,
        bytes: u64,
    ) {
        if self.total.packets == 0 {
            self.first_ns = at_ns;
        }
        self.last_ns = at_ns;
        self.total.packet(bytes);
        if let Some(tenant) = self.tenants.get_mut(tenant) {
            tenant.total.packet(bytes);
            tenant.protocols.entry(protocol).or_default().packet(bytes);
            tenant.transports.entry(transport).or_default().packet(bytes);
        }
    }
}
