//! What a deployment chooses, and the memory that streams share.

use super::overlap::OverlapPolicy;

/// How connections of a tenant are followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamConfig {
    /// Data is released as it arrives in order, and what came first stays; without it, data is released when its receiver
    /// has acknowledged it. Suricata's `stream.inline`.
    pub inline: bool,
    /// Connections whose beginning was not seen are picked up.
    pub midstream: bool,
    /// Connections of which only one side is seen are followed; what nobody acknowledges is released as it arrives.
    pub async_oneside: bool,
    /// How the hosts behind treat overlaps.
    pub policy: OverlapPolicy,
    /// Bytes of each direction that are reassembled; 0: no limit.
    pub depth_bytes: u64,
    /// Segments of one direction that may wait at once.
    pub segments_max: u32,
    /// Bytes beyond the released data that one direction may reach, holes included.
    pub bytes_max: u32,
    /// Raw inspection is due when as many new bytes are released.
    pub raw_chunk_bytes: u32,
    /// Bytes before the new ones that stay visible to raw inspection.
    pub raw_overlap_bytes: u32,
    /// Different SYN+ACKs that are remembered until the client says which one it took.
    pub syn_acks_max: u8,
    /// SYNs with different timestamps that are remembered until one is answered; the reference's `max-syn-queued`.
    pub syns_max: u8,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self {
            inline: false,
            midstream: false,
            async_oneside: false,
            policy: OverlapPolicy::default(),
            depth_bytes: 1 << 20,
            segments_max: 4096,
            bytes_max: 1 << 20,
            raw_chunk_bytes: 2560,
            raw_overlap_bytes: 2560,
            syn_acks_max: 5,
            syns_max: 10,
        }
    }
}

/// The reassembly memory of one tenant, shared by its streams of one worker. A stream takes and returns bytes as its
/// buffers grow and go; who drops a [`Stream`](super::Stream) calls [`Stream::close`](super::Stream::close) first.
#[derive(Debug)]
pub struct StreamBudget {
    used: usize,
    max: usize,
}

impl StreamBudget {
    /// A budget of `max` bytes.
    pub const fn new(max: usize) -> Self {
        Self { used: 0, max }
    }

    /// Bytes in use.
    pub const fn used(&self) -> usize {
        self.used
    }

    /// Bytes that may be used.
    pub const fn max(&self) -> usize {
        self.max
    }

    /// Changes the limit; what is in use stays.
    pub const fn set_max(&mut self, max: usize) {
        self.max = max;
    }

    pub(super) const fn fits(&self, bytes: usize) -> bool {
        self.used.saturating_add(bytes) <= self.max
    }

    /// Exchanges what was charged for what is held now.
    pub(super) const fn recharge(&mut self, was: usize, is: usize) {
        self.used = self.used.saturating_sub(was).saturating_add(is);
    }
}
