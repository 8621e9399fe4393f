//! What becomes of a fragment, and the counts of it.

use wire::TenantId;

/// What became of the frame that was pushed. It speaks of this frame only: earlier fragments that are lost are reported
/// by [`Defrag::expire`](super::Defrag::expire).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome<'a> {
    /// Not a fragment: inspect the frame itself. Nothing was counted.
    NotFragment,
    /// Kept until its datagram is complete or lost.
    Held,
    /// The datagram is complete; the fragments that were held of it and this one are in it.
    Complete(Datagram<'a>),
    /// This frame counts as dropped. Its datagram may still be in reassembly.
    Dropped(DropReason),
}

/// A reassembled datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Datagram<'a> {
    /// From the IP header on: the header of the fragment that brought the first byte, its length and fragment fields
    /// set to a whole datagram's, without IPv6 fragment header; then the payload.
    ///
    /// The IPv4 header checksum is updated (RFC 1624), not computed anew: one that was wrong stays wrong.
    pub bytes: &'a [u8],
    /// Frames that went in, this one included.
    pub frames: Count,
}

/// Why a fragment or all that was held of a datagram was dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum DropReason {
    /// The header does not lead to the fragment's payload.
    Malformed,
    /// No payload: it says nothing about the datagram.
    Empty,
    /// Not the last, and its length is not a multiple of 8 (RFC 791 3.2, RFC 8200 4.5).
    Unaligned,
    /// The datagram would be longer than 65,535 bytes ("ping of death").
    Oversize,
    /// Begins at or after the end that the last fragment gave.
    BeyondEnd,
    /// The headers in front of the fragment are longer than any real ones (10,240 bytes).
    HeaderTooLong,
    /// More fragments than a datagram may have.
    FragmentLimit,
    /// Too many datagrams in reassembly; the oldest was given up.
    TrackerLimit,
    /// Too many bytes held; the oldest datagram was given up, or, where there was no other, this fragment.
    MemoryLimit,
    /// Fragments of an IPv6 datagram overlap (RFC 5722).
    Overlap,
    /// Not complete within the timeout.
    Timeout,
    /// Not complete when reassembly ended.
    Shutdown,
    /// Not complete when its tenant was removed.
    TenantRemoved,
}

impl DropReason {
    /// Every reason, in the order of [`index`](Self::index).
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::Empty,
        Self::Unaligned,
        Self::Oversize,
        Self::BeyondEnd,
        Self::HeaderTooLong,
        Self::FragmentLimit,
        Self::TrackerLimit,
        Self::MemoryLimit,
        Self::Overlap,
        Self::Timeout,
        Self::Shutdown,
        Self::TenantRemoved,
    ];

    /// How many reasons there are.
    pub const COUNT: usize = Self::ALL.len();

    /// The reason as a number below [`COUNT`](Self::COUNT), for arrays of counters.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The reason's name in metrics and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "defrag_malformed",
            Self::Empty => "defrag_empty",
            Self::Unaligned => "defrag_unaligned",
            Self::Oversize => "defrag_oversize",
            Self::BeyondEnd => "defrag_beyond_end",
            Self::HeaderTooLong => "defrag_header_too_long",
            Self::FragmentLimit => "defrag_fragment_limit",
            Self::TrackerLimit => "defrag_tracker_limit",
            Self::MemoryLimit => "defrag_memory_limit",
            Self::Overlap => "defrag_overlap",
            Self::Timeout => "defrag_timeout",
            Self::Shutdown => "defrag_shutdown",
            Self::TenantRemoved => "defrag_tenant_removed",
        }
    }
}

/// Frames that were [`Held`](Outcome::Held) and will not be in any datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lost {
    /// Whose they were.
    pub tenant: TenantId,
    /// Why they are lost.
    pub reason: DropReason,
    /// Datagrams they belonged to.
    pub datagrams: u64,
    /// How many frames, and their bytes.
    pub frames: Count,
}

/// Counts of one IP version.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FamilyStats {
    /// Fragments pushed, atomic ones not among them, and reassembled ones pushed again among them.
    pub fragments: u64,
    /// Datagrams completed from more than atomic fragments.
    pub reassembled: u64,
}

/// Packets and bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    /// Frames.
    pub packets: u64,
    /// Frame bytes.
    pub bytes: u64,
}

impl Count {
    pub(super) fn add(&mut self, more: Self) {
        self.packets += more.packets;
        self.bytes += more.bytes;
    }

    pub(super) fn subtract(&mut self, less: Self) {
        self.packets = self.packets.saturating_sub(less.packets);
        self.bytes = self.bytes.saturating_sub(less.bytes);
    }
}

/// Counts of one tenant since the start, of frames. At any moment, in packets and in bytes,
/// `received = completed + held + the sum of dropped`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Frames pushed that were fragments, atomic ones among them.
    pub received: Count,
    /// Frames that went into a complete datagram.
    pub completed: Count,
    /// Frames held now.
    pub held: Count,
    /// Frames dropped, whether when pushed or after having been held, by [`DropReason::index`].
    pub dropped: [Count; DropReason::COUNT],
    /// IPv4.
    pub ipv4: FamilyStats,
    /// IPv6.
    pub ipv6: FamilyStats,
    /// IPv6 fragments that were the whole datagram (RFC 6946).
    pub atomic: u64,
    /// Fragments that overlapped an earlier one, duplicates among them.
    pub overlaps: u64,
    /// Fragments that repeated an earlier one exactly.
    pub duplicates: u64,
    /// Fragments, other than the last, with less payload than
    /// [`tiny_fragment_bytes`](super::Config::tiny_fragment_bytes).
    pub tiny: u64,
    /// Fragments that contradicted what was known of the datagram's end and were still held: they went past it, or put
    /// it before bytes that had come.
    pub end_conflicts: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_index_themselves_and_their_names_differ() {
        let mut names: Vec<_> = DropReason::ALL.iter().map(|reason| reason.as_str()).collect();
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DropReason::COUNT);
    }
}
