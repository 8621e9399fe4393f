//! What a steering rule says, and what it is asked.

use std::fmt;
use std::ops::RangeInclusive;

use ipnet::IpNet;
use wire::{NTuple, TenantId};

use crate::verdict::Verdict;

/// Protocols whose headers carry port numbers: TCP, UDP and SCTP (IANA protocol numbers).
pub const PORT_PROTOCOLS: [u8; 3] = [6, 17, 132];

/// Whether packets of `protocol` have ports. In an n-tuple of another protocol the port fields hold something else (of
/// ICMP, type and code) or nothing.
#[inline]
pub const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, 6 | 17 | 132)
}

/// The place of a rule in the list that a classifier was built from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct RuleIndex(pub u32);

/// Which end of the flow a rule's source is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Direction {
    /// The end that opened the flow, that is the source of its first packet (`->`).
    #[default]
    Initiator,
    /// Either end: the rule matches if it matches the n-tuple or the n-tuple reversed (`<>`).
    Either,
}

/// A steering rule: conditions that must all hold, and what the flow then gets.
///
/// - A condition that is `None` holds for everything.
/// - A rule with an address matches its IP version only; with neither address it matches both.
/// - A port condition holds for TCP, UDP and SCTP only, even when it is the whole range: the type of an ICMP packet is
///   never taken for a port. Ports that are not known count as 0 (the n-tuple of an IP fragment says so).
/// - A flow that is not IP is matched by rules that ask for the tenant and the VLAN and nothing else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// What counters and messages call it; unique in the list.
    pub name: String,
    /// The lowest number decides first; among equals the earlier in the list.
    pub priority: u32,
    /// Flows of this tenant only.
    pub tenant: Option<TenantId>,
    /// Flows whose outermost VLAN identifier is in this range, within 1 to 4094; an untagged flow is in none.
    pub vlan: Option<RangeInclusive<u16>>,
    /// IP protocol (IANA number).
    pub protocol: Option<u8>,
    /// Source prefix; bits after the prefix length are ignored.
    pub source: Option<IpNet>,
    /// Destination prefix.
    pub destination: Option<IpNet>,
    /// Source ports.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// Destination ports.
    pub destination_ports: Option<RangeInclusive<u16>>,
    /// Which end is the source.
    pub direction: Direction,
    /// What the flow gets.
    pub verdict: Verdict,
}

impl Rule {
    /// A rule of priority 0 that matches everything.
    pub fn any(name: impl Into<String>, verdict: Verdict) -> Self {
        Self {
            name: name.into(),
            priority: 0,
            tenant: None,
            vlan: None,
            protocol: None,
            source: None,
            destination: None,
            source_ports: None,
            destination_ports: None,
            direction: Direction::Initiator,
            verdict,
        }
    }

    /// Whether the rule asks for nothing that only IP packets have.
    pub fn matches_non_ip(&self) -> bool {
        self.protocol.is_none()
            && self.source.is_none()
            && self.destination.is_none()
            && self.source_ports.is_none()
            && self.destination_ports.is_none()
    }
}

/// A condition of a rule, in the order in which conditions are looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Field {
    /// [`Rule::tenant`].
    Tenant,
    /// [`Rule::vlan`].
    Vlan,
    /// [`Rule::protocol`].
    Protocol,
    /// [`Rule::source`].
    Source,
    /// [`Rule::destination`].
    Destination,
    /// [`Rule::source_ports`].
    SourcePorts,
    /// [`Rule::destination_ports`].
    DestinationPorts,
    /// [`Rule::direction`]: everything would match if the flow had been opened by its other end.
    Direction,
}

impl Field {
    /// The name it has in a configuration file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Vlan => "vlan",
            Self::Protocol => "protocol",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::SourcePorts => "source_ports",
            Self::DestinationPorts => "destination_ports",
            Self::Direction => "direction",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A flow to be classified, as its first packet shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Query {
    /// In the direction of the first packet: its source opened the flow.
    pub tuple: NTuple,
    /// The outermost VLAN identifier; `None` for an untagged frame.
    pub vlan: Option<u16>,
    /// Whose flow it is.
    pub tenant: TenantId,
}

/// What was decided, and by which rule; `None`: by the tenant's default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// The rule that decided.
    pub rule: Option<RuleIndex>,
    /// What the flow gets.
    pub verdict: Verdict,
}

impl Default for Decision {
    /// A value to fill a burst with before it is decided.
    fn default() -> Self {
        Self { rule: None, verdict: UNKNOWN_TENANT }
    }
}

/// What a flow gets whose tenant the classifier does not know: nobody may look into it.
pub const UNKNOWN_TENANT: Verdict = Verdict::Drop;

/// The default verdicts by tenant.
#[derive(Clone, Debug)]
pub(crate) struct Defaults(pub(crate) Vec<Verdict>);

impl Defaults {
    #[inline]
    pub(crate) fn decide(&self, tenant: TenantId) -> Decision {
        let verdict = self.0.get(usize::from(tenant.0)).copied().unwrap_or(UNKNOWN_TENANT);
        Decision { rule: None, verdict }
    }
}
