//! What a direction gives out, and why it may lack something.

/// Released data, or the lack of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chunk<'a> {
    /// The next bytes.
    Data {
        /// Their position in the direction's stream; the first byte behind the SYN has 0.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Bytes that were lost on the way here, or given up for lack of memory.
    Gap {
        /// Position of the first missing byte.
        offset: u64,
        /// How many are missing.
        len: u64,
    },
}

/// What raw inspection looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Raw<'a> {
    /// Contiguous bytes of the stream.
    pub bytes: &'a [u8],
    /// Stream position of the first.
    pub offset: u64,
    /// Index of the first byte that was not inspected before.
    pub fresh: usize,
}

/// Why payload, or a part of it, was not queued. The stream has a gap there unless it is sent again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum StreamLoss {
    /// The tenant's reassembly memory is used up.
    MemoryLimit,
    /// As many segments as one direction may have are waiting.
    SegmentLimit,
    /// Further ahead than one direction may reach.
    BytesLimit,
}

impl StreamLoss {
    /// Every reason, in the order of [`index`](Self::index).
    pub const ALL: [Self; Self::COUNT] = [Self::MemoryLimit, Self::SegmentLimit, Self::BytesLimit];
    /// How many reasons there are.
    pub const COUNT: usize = 3;

    /// The reason as a number below [`COUNT`](Self::COUNT), for arrays of counters.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The reason's name in metrics and events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MemoryLimit => "stream_memory_limit",
            Self::SegmentLimit => "stream_segment_limit",
            Self::BytesLimit => "stream_bytes_limit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_index_themselves() {
        for (index, loss) in StreamLoss::ALL.into_iter().enumerate() {
            assert_eq!(loss.index(), index);
            assert!(loss.as_str().starts_with("stream_"));
        }
    }
}
