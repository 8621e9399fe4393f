//! Whose bytes win where fragments overlap.

/// How the target host treats overlapping fragments.
///
/// The names and rules are those of Shankar and Paxson, "Active Mapping" (2003), and Novak, "Target-Based Fragmentation
/// Reassembly" (2005), which Snort and Suricata use too. A sensor that resolves an overlap otherwise than the target
/// does sees another datagram than the target.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Policy {
    /// What came first stays: HP-UX 11, old Solaris, classic Mac OS.
    First,
    /// What came last stays: Cisco IOS.
    Last,
    /// The earlier fragment stays if it starts at or before the later one: the BSDs, AIX, IRIX. Suricata's default.
    #[default]
    Bsd,
    /// The later fragment replaces what starts at or before it: HP `JetDirect`.
    BsdRight,
    /// The earlier fragment stays if it starts before the later one: Linux up to 4.18.
    Linux,
    /// The earlier fragment stays, unless the later one starts before it and ends after it.
    Windows,
    /// The earlier fragment stays, unless the later one starts before it and ends at its end or after it.
    Solaris,
}

/// Where a fragment's payload lies in the datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    /// Start in units of 8 bytes.
    pub(super) start_units: u16,
    /// End in bytes, exclusive; never 0.
    pub(super) end: u16,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Self; 7] =
        [Self::First, Self::Last, Self::Bsd, Self::BsdRight, Self::Linux, Self::Windows, Self::Solaris];

    /// Whether the bytes of the fragment that came later replace those of the earlier one.
    #[inline]
    pub(super) fn replaces(self, later: Extent, earlier: Extent) -> bool {
        match self {
            Self::First => false,
            Self::Last => true,
            Self::Bsd => later.start_units < earlier.start_units,
            Self::BsdRight => later.start_units >= earlier.start_units,
            Self::Linux => later.start_units <= earlier.start_units,
            Self::Windows => later.start_units < earlier.start_units && later.end > earlier.end,
            Self::Solaris => later.start_units < earlier.start_units && later.end >= earlier.end,
        }
    }

    /// Whether a fragment of which another has taken the front counts, against a third, as starting where its rest
    /// does. BSD and Linux trim the fragments in their queue (4.4BSD `ip_reass`, Linux 2.x `ip_frag_queue`); the others
    /// are known only by their observed rule, which speaks of fragments as they were sent.
    #[inline]
    pub(super) fn trims(self) -> bool {
        matches!(self, Self::Bsd | Self::Linux)
    }

    /// Whether an IPv4 fragment other than the last whose length is not a multiple of 8 is cut to one (Linux) or
    /// refused, as RFC 791 has it that there are none.
    #[inline]
    pub(super) fn cuts_unaligned(self) -> bool {
        matches!(self, Self::Linux)
    }
}
