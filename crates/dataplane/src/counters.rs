//! Counters that one worker writes and anyone reads.
//!
//! A worker owns its [`WorkerCounters`]: adding is a plain load and store, no locked instruction. Readers (the progress
//! bar, the metrics endpoint) see values that are each exact, and that belong together only when the worker is idle.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::generation::Generation;
use crate::reason::Reason;

/// A number with one writer.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the owning worker calls this: two writers would lose counts.
    #[inline(always)]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Raises the number to `n` if it is lower.
    #[inline(always)]
    pub fn raise(&self, n: u64) {
        if n > self.0.load(Ordering::Relaxed) {
            self.0.store(n, Ordering::Relaxed);
        }
    }

    /// Adds the number to `sum`, and begins again at 0. Both belong to the calling worker.
    fn move_to(&self, sum: &Self) {
        sum.add(self.get());
        self.0.store(0, Ordering::Relaxed);
    }

    /// The number now.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Packets and bytes.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Frames.
    pub packets: Counter,
    /// Frame bytes, without FCS.
    pub bytes: Counter,
}

impl Traffic {
    /// Counts `packets` frames of `bytes` in all.
    #[inline(always)]
    pub fn add(&self, packets: u64, bytes: u64) {
        self.packets.add(packets);
        self.bytes.add(bytes);
    }

    fn move_to(&self, sum: &Self) {
        self.packets.move_to(&sum.packets);
        self.bytes.move_to(&sum.bytes);
    }

    /// Both numbers now.
    pub fn total(&self) -> Totals {
        Totals { packets: self.packets.get(), bytes: self.bytes.get() }
    }
}

/// Packets and bytes, read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Frames.
    pub packets: u64,
    /// Frame bytes, without FCS.
    pub bytes: u64,
}

impl std::ops::AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// What one worker counts for one tenant.
///
/// `received` = `inspected` + the sum of `not_inspected` + what is in the tenant's inbox + fragments still held.
#[derive(Debug)]
#[repr(align(64))]
pub struct TenantCounters {
    /// Frames that arrived for the tenant.
    pub received: Traffic,
    /// Frames that went through a pipeline's inspectors.
    pub inspected: Traffic,
    /// Flows begun.
    pub flows: Counter,
    /// Alerts.
    pub alerts: Counter,
    /// Packets whose checksum an inspector found to be wrong.
    pub checksum_wrong: Counter,
    /// Cycles (TSC) that the tenant's pipelines took.
    pub cycles: Counter,
    not_inspected: Box<[Traffic]>,
    /// Identity of the tenant whose counters these are.
    owner: AtomicU64,
}

/// No tenant's identity: the row is vacant.
const VACANT: u64 = u64::MAX;

impl Default for TenantCounters {
    fn default() -> Self {
        Self {
            received: Traffic::default(),
            inspected: Traffic::default(),
            flows: Counter::default(),
            alerts: Counter::default(),
            checksum_wrong: Counter::default(),
            cycles: Counter::default(),
            not_inspected: (0..Reason::COUNT).map(|_| Traffic::default()).collect(),
            owner: AtomicU64::new(VACANT),
        }
    }
}

impl TenantCounters {
    /// Whether these are the counters of the tenant with this identity.
    pub(crate) fn is_of(&self, identity: u64) -> bool {
        self.owner.load(Ordering::Acquire) == identity
    }

    /// Gives the row to another tenant, or to none: what was counted goes to `former`, the next begins at 0.
    fn pass_on(&self, owner: u64, former: &Self) {
        self.received.move_to(&former.received);
        self.inspected.move_to(&former.inspected);
        self.flows.move_to(&former.flows);
        self.alerts.move_to(&former.alerts);
        self.checksum_wrong.move_to(&former.checksum_wrong);
        self.cycles.move_to(&former.cycles);
        for (traffic, sum) in self.not_inspected.iter().zip(&former.not_inspected) {
            traffic.move_to(sum);
        }
        self.owner.store(owner, Ordering::Release);
    }

    /// Frames that were not inspected for `reason`.
    #[inline]
    pub fn not_inspected(&self, reason: Reason) -> Option<&Traffic> {
        self.not_inspected.get(reason.index())
    }

    /// Counts frames that were not inspected.
    #[inline]
    pub fn count_not_inspected(&self, reason: Reason, packets: u64, bytes: u64) {
        if let Some(traffic) = self.not_inspected(reason) {
            traffic.add(packets, bytes);
        }
    }
}

/// How many packets had each kind of header; names as in the reference's `decoder` counters.
#[derive(Debug, Default)]
pub struct DecodeCounters {
    /// IPv4 packets, each header stack of a tunnel counted.
    pub ipv4: Counter,
    /// IPv6 packets, likewise.
    pub ipv6: Counter,
    /// ARP packets.
    pub arp: Counter,
    /// Frames of another `EtherType`.
    pub unknown_ethertype: Counter,
    /// TCP segments.
    pub tcp: Counter,
    /// UDP datagrams.
    pub udp: Counter,
    /// SCTP packets.
    pub sctp: Counter,
    /// ICMP messages.
    pub icmpv4: Counter,
    /// `ICMPv6` messages.
    pub icmpv6: Counter,
    /// Frames with an 802.1Q tag.
    pub vlan: Counter,
    /// Frames with two tags.
    pub vlan_qinq: Counter,
    /// Packets inside GRE.
    pub gre: Counter,
    /// Packets inside VXLAN.
    pub vxlan: Counter,
    /// Packets inside Geneve.
    pub geneve: Counter,
    /// Packets inside IP, by the IP version inside and outside: 4 in 4, 6 in 4, 4 in 6, 6 in 6.
    pub ip_in_ip: [Counter; 4],
    /// Length of the longest frame.
    pub frame_bytes_max: Counter,
    /// IPv4 fragments.
    pub fragments_ipv4: Counter,
    /// IPv6 fragments.
    pub fragments_ipv6: Counter,
    /// IPv4 datagrams put together.
    pub reassembled_ipv4: Counter,
    /// IPv6 datagrams put together.
    pub reassembled_ipv6: Counter,
}

impl DecodeCounters {
    /// Every counter with EVE's name for it.
    pub fn named(&self) -> [(&'static str, u64); 23] {
        let [ipv4_in_ipv4, ipv6_in_ipv4, ipv4_in_ipv6, ipv6_in_ipv6] = &self.ip_in_ip;
        [
            ("ipv4", &self.ipv4),
            ("ipv6", &self.ipv6),
            ("arp", &self.arp),
            ("unknown_ethertype", &self.unknown_ethertype),
            ("tcp", &self.tcp),
            ("udp", &self.udp),
            ("sctp", &self.sctp),
            ("icmpv4", &self.icmpv4),
            ("icmpv6", &self.icmpv6),
            ("vlan", &self.vlan),
            ("vlan_qinq", &self.vlan_qinq),
            ("gre", &self.gre),
            ("vxlan", &self.vxlan),
            ("geneve", &self.geneve),
            ("ipv4_in_ipv4", ipv4_in_ipv4),
            ("ipv6_in_ipv4", ipv6_in_ipv4),
            ("ipv4_in_ipv6", ipv4_in_ipv6),
            ("ipv6_in_ipv6", ipv6_in_ipv6),
            ("max_pkt_size", &self.frame_bytes_max),
            ("fragments_ipv4", &self.fragments_ipv4),
            ("fragments_ipv6", &self.fragments_ipv6),
            ("reassembled_ipv4", &self.reassembled_ipv4),
            ("reassembled_ipv6", &self.reassembled_ipv6),
        ]
        .map(|(name, counter)| (name, counter.get()))
    }
}

/// Where a worker's cycles (TSC) went.
#[derive(Debug, Default)]
pub struct StageCycles {
    /// Polling queues that gave nothing.
    pub idle: Counter,
    /// Receiving, parsing, flow lookup, classification and dispatch.
    pub receive: Counter,
    /// Running pipelines.
    pub inspect: Counter,
}

/// Everything one worker counts.
#[derive(Debug)]
#[repr(align(128))]
pub struct WorkerCounters {
    /// Frames received from ports or the distributor.
    pub received: Traffic,
    /// Kinds of headers.
    pub decode: DecodeCounters,
    /// Cycles by stage.
    pub cycles: StageCycles,
    /// Flows by IP protocol family: TCP, UDP, `ICMPv4`, `ICMPv6`, other.
    pub flows_by_protocol: [Counter; 5],
    /// Flows that ended, by their state then: new, established, closed.
    pub flows_ended: [Counter; 3],
    /// TCP flows that ended, by the connection's state then, in the order of `TcpState`.
    pub tcp_ended: [Counter; 11],
    /// Flows in the table now.
    pub flows_active: AtomicU64,
    /// Fragments held for reassembly now.
    pub fragments_held: AtomicU64,
    /// Packets in all inboxes now.
    pub inbox_packets: AtomicU64,
    /// The generation this worker runs.
    pub generation: AtomicU64,
    tenants: Box<[TenantCounters]>,
    /// Of all tenants that are no more.
    former: TenantCounters,
}

impl WorkerCounters {
    /// Counters for `tenants` tenants, and for frames of none.
    pub fn new(tenants: usize) -> Self {
        Self {
            received: Traffic::default(),
            decode: DecodeCounters::default(),
            cycles: StageCycles::default(),
            flows_by_protocol: Default::default(),
            flows_ended: Default::default(),
            tcp_ended: Default::default(),
            flows_active: AtomicU64::new(0),
            fragments_held: AtomicU64::new(0),
            inbox_packets: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            tenants: (0..=tenants).map(|_| TenantCounters::default()).collect(),
            former: TenantCounters::default(),
        }
    }

    /// The counters of tenant number `tenant`; the last row, for frames of no tenant, when there is no such tenant.
    #[inline(always)]
    pub fn tenant(&self, tenant: usize) -> &TenantCounters {
        let last = self.tenants.len() - 1;
        &self.tenants[tenant.min(last)]
    }

    /// Rows whose tenant is no more in this generation, or is another.
    pub(crate) fn leaving(&self, generation: &Generation) -> Vec<u16> {
        let leaves = |&row: &u16| {
            let owner = self.tenant(usize::from(row)).owner.load(Ordering::Relaxed);
            owner != VACANT && Some(owner) != identity(generation, usize::from(row))
        };
        (0..self.tenants() as u16).filter(leaves).collect()
    }

    /// Takes over whose rows are whose; the counts of tenants that are no more go to those of [`former`](Self::former)
    /// ones. Only the owning worker calls this.
    pub(crate) fn adopt(&self, generation: &Generation) {
        for (row, counters) in self.tenants.iter().take(self.tenants()).enumerate() {
            let owner = identity(generation, row).unwrap_or(VACANT);
            if !counters.is_of(owner) {
                counters.pass_on(owner, &self.former);
            }
        }
        self.generation.store(u64::from(generation.number), Ordering::Release);
    }

    /// What was counted for tenants that are no more.
    pub fn former(&self) -> &TenantCounters {
        &self.former
    }

    /// The row for frames that belong to no tenant.
    pub fn unassigned(&self) -> &TenantCounters {
        self.tenant(usize::MAX)
    }

    /// How many tenants there are rows for, without the last.
    pub fn tenants(&self) -> usize {
        self.tenants.len() - 1
    }
}

/// Identity of the tenant that has the row.
fn identity(generation: &Generation, row: usize) -> Option<u64> {
    generation.tenants.get(row).and_then(Option::as_ref).map(|tenant| tenant.identity)
}
