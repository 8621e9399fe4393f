//! Whose bytes win where segments overlap that the receiver has not acknowledged.

/// How the receiving host treats a segment that overlaps one it has queued, and which RST it believes.
///
/// The names are those of Suricata's `host-os-policy`; the idea is that of Novak and Sturges, "Target-Based TCP Stream
/// Reassembly" (2007). The rules are Suricata 7.0.10's as measured, which for some names are not the paper's: `bsd_right`
/// goes by BSD's rule, `solaris` and `hpux11` by one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum OverlapPolicy {
    /// The BSDs: what came later wins where it starts before the earlier. Suricata's default.
    #[default]
    Bsd,
    /// As [`Bsd`](Self::Bsd).
    BsdRight,
    /// Linux: as BSD, and what starts at the same byte and is longer wins.
    Linux,
    /// Linux before 2.4: as BSD, and what starts at the same byte and is not shorter wins.
    OldLinux,
    /// What came later wins where it ends behind the earlier, or where it ends with it and does not start behind it.
    Solaris,
    /// As [`Solaris`](Self::Solaris).
    OldSolaris,
    /// Windows 95 to XP: as BSD.
    Windows,
    /// Windows 2003: as BSD.
    Windows2k3,
    /// Windows Vista and later: what came first stays.
    Vista,
    /// HP-UX 10: as BSD.
    Hpux10,
    /// HP-UX 11: as Solaris.
    Hpux11,
    /// IRIX: as BSD.
    Irix,
    /// Mac OS: as BSD.
    MacOs,
    /// What came first stays.
    First,
    /// What came last stays.
    Last,
}

/// Where a segment's payload lies in the stream; `end` is exclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Extent {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl OverlapPolicy {
    /// Every policy.
    pub const ALL: [Self; 15] = [
        Self::Bsd,
        Self::BsdRight,
        Self::Linux,
        Self::OldLinux,
        Self::Solaris,
        Self::OldSolaris,
        Self::Windows,
        Self::Windows2k3,
        Self::Vista,
        Self::Hpux10,
        Self::Hpux11,
        Self::Irix,
        Self::MacOs,
        Self::First,
        Self::Last,
    ];

    /// The name in configuration, with `-` between words as in Suricata's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bsd => "bsd",
            Self::BsdRight => "bsd-right",
            Self::Linux => "linux",
            Self::OldLinux => "old-linux",
            Self::Solaris => "solaris",
            Self::OldSolaris => "old-solaris",
            Self::Windows => "windows",
            Self::Windows2k3 => "windows2k3",
            Self::Vista => "vista",
            Self::Hpux10 => "hpux10",
            Self::Hpux11 => "hpux11",
            Self::Irix => "irix",
            Self::MacOs => "macos",
            Self::First => "first",
            Self::Last => "last",
        }
    }

    /// The policy of this name; `_` may stand for `-`.
    pub fn by_name(name: &str) -> Option<Self> {
        let same = |policy: &Self| {
            let bytes = name.bytes().map(|byte| if byte == b'_' { b'-' } else { byte });
            bytes.eq(policy.as_str().bytes())
        };
        Self::ALL.into_iter().find(same)
    }

    /// Whether the bytes of the segment that came later replace those of the earlier one where they overlap.
    pub(super) const fn replaces(self, later: Extent, earlier: Extent) -> bool {
        match self {
            Self::Bsd
            | Self::BsdRight
            | Self::Windows
            | Self::Windows2k3
            | Self::Hpux10
            | Self::Irix
            | Self::MacOs => later.start < earlier.start,
            Self::Linux => {
                later.start < earlier.start || (later.start == earlier.start && later.end > earlier.end)
            }
            Self::OldLinux => {
                later.start < earlier.start || (later.start == earlier.start && later.end >= earlier.end)
            }
            Self::Solaris | Self::OldSolaris | Self::Hpux11 => {
                later.end > earlier.end || (later.end == earlier.end && later.start <= earlier.start)
            }
            Self::Vista | Self::First => false,
            Self::Last => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back() {
        for policy in OverlapPolicy::ALL {
            assert_eq!(OverlapPolicy::by_name(policy.as_str()), Some(policy));
            assert_eq!(OverlapPolicy::by_name(&policy.as_str().replace('-', "_")), Some(policy));
        }
        assert_eq!(OverlapPolicy::by_name("amiga"), None);
    }

    /// What Suricata 7.0.10 gave for each way two segments can overlap: the later one starts before, with or behind the
    /// earlier (rows), and ends before, with or behind it (columns). `N`: the later (new) wins.
    #[test]
    fn every_policy_decides_as_was_measured() {
        use OverlapPolicy as P;
        let table = [
            (
                "NNN OOO OOO",
                &[P::Bsd, P::BsdRight, P::Windows, P::Windows2k3, P::Hpux10, P::Irix, P::MacOs][..],
            ),
            ("NNN OON OOO", &[P::Linux]),
            ("NNN ONN OOO", &[P::OldLinux]),
            ("ONN ONN OON", &[P::Solaris, P::OldSolaris, P::Hpux11]),
            ("OOO OOO OOO", &[P::Vista, P::First]),
            ("NNN NNN NNN", &[P::Last]),
        ];
        let earlier = Extent { start: 20, end: 40 };
        let mut policies = 0;
        for (expected, same) in table {
            for policy in same {
                let row = |start: u64| {
                    let ends = [30, 40, 50];
                    ends.map(|end| if policy.replaces(Extent { start, end }, earlier) { 'N' } else { 'O' })
                };
                let decided = [10, 20, 25].map(|start| row(start).iter().collect::<String>()).join(" ");
                assert_eq!(decided, expected, "{policy:?}");
                policies += 1;
            }
        }
        assert_eq!(policies, OverlapPolicy::ALL.len());
    }
}
