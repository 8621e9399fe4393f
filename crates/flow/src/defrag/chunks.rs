//! The pool of payload memory: chunks of fixed size, reserved once.

use super::policy::Extent;

/// Payload bytes of a chunk.
pub(super) const CHUNK_BYTES: usize = 2048;
/// Fragment offsets count units of this many bytes.
pub(super) const UNIT_BYTES: usize = 8;
/// Units of a chunk.
pub(super) const CHUNK_UNITS: usize = CHUNK_BYTES / UNIT_BYTES;
/// What a chunk costs in memory: its payload and four bytes for each unit.
pub(super) const CHUNK_COST: usize = CHUNK_BYTES + CHUNK_UNITS * size_of::<Owner>();

/// The fragment that a unit's bytes are from: start in units, end in bytes. `[_, 0]` is an absent unit, since no
/// fragment ends at 0. A plain array, not a struct, because the allocator then hands out zero pages that are
/// not touched before they are needed.
pub(super) type Owner = [u16; 2];

/// A unit that no fragment has brought yet.
pub(super) const ABSENT: Owner = [0, 0];

#[inline]
pub(super) fn owner(extent: Extent) -> Owner {
    [extent.start_units, extent.end]
}

#[inline]
pub(super) fn extent([start_units, end]: Owner) -> Extent {
    Extent { start_units, end }
}

#[inline]
pub(super) fn is_absent([_, end]: Owner) -> bool {
    end == 0
}

/// Looks at every unit, without a branch for each, since it mostly has to anyway.
#[inline]
pub(super) fn all_absent(owners: &[Owner]) -> bool {
    owners.iter().fold(0, |ends, [_, end]| ends | end) == 0
}

/// Chunks by index. An index that [`take`](Chunks::take) gave is in bounds for as long as the pool lives.
pub(super) struct Chunks {
    bytes: Vec<[u8; CHUNK_BYTES]>,
    owners: Vec<[Owner; CHUNK_UNITS]>,
    free: Vec<u32>,
    /// Chunks from here on have never been taken.
    fresh: u32,
}

impl Chunks {
    pub(super) fn new(count: u32) -> Self {
        let count = count as usize;
        Self {
            bytes: vec![[0; CHUNK_BYTES]; count],
            owners: vec![[ABSENT; CHUNK_UNITS]; count],
            free: Vec::with_capacity(count),
            fresh: 0,
        }
    }

    /// Chunks in use.
    pub(super) fn used(&self) -> usize {
        self.fresh as usize - self.free.len()
    }

    /// Chunks that [`take`](Chunks::take) can still give.
    pub(super) fn available(&self) -> usize {
        self.bytes.len() - self.used()
    }

    /// A chunk of which every unit is absent.
    pub(super) fn take(&mut self) -> Option<u32> {
        if let Some(index) = self.free.pop() {
            self.owners[index as usize].fill(ABSENT);
            return Some(index);
        }
        let index = self.fresh;
        if index as usize >= self.bytes.len() {
            return None;
        }
        self.fresh += 1;
        Some(index)
    }

    pub(super) fn give_back(&mut self, index: u32) {
        self.free.push(index);
    }

    pub(super) fn bytes(&self, index: u32) -> &[u8; CHUNK_BYTES] {
        &self.bytes[index as usize]
    }

    pub(super) fn owners(&self, index: u32) -> &[Owner; CHUNK_UNITS] {
        &self.owners[index as usize]
    }

    pub(super) fn both_mut(&mut self, index: u32) -> (&mut [Owner; CHUNK_UNITS], &mut [u8; CHUNK_BYTES]) {
        (&mut self.owners[index as usize], &mut self.bytes[index as usize])
    }
}
