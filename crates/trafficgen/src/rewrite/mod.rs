//! New addresses for every loop of a replay, so that every loop is new flows.
//!
//! In: first every frame of the capture ([`Survey`]), then a loop number. Out: a [`LoopRewrite`] that edits frames in
//! place: addresses in every IP header, those inside tunnels and quoted in ICMP errors included, and the checksums over
//! them (RFC 1624).
//!
//! Cost tiers: a frame is parsed once, when it is planned ([`Rewriter::plan`]); a loop number costs a binary search,
//! once a loop; an edit is an addition and some checksum arithmetic for each header, without a table or a branch on
//! content. Nothing allocates after planning.
//!
//! What is promised: two loops share no unicast address, so no 5-tuple either; loop 0 is the capture itself; within
//! a loop the mapping is one to one, so both directions of a flow stay one flow; private addresses stay private and
//! public ones public, in the order they were, so rules about a home network keep their meaning. Multicast, broadcast
//! and unspecified addresses stay what they are: a flow between two of those is the same in every loop.

mod edit;
mod space;
mod tag;

pub use edit::HeaderEdit;
pub use space::Survey;
pub use tag::{VlanRange, put_tag, set_vlan, without_tags};

use space::{CLASSES, ClassSpace};

/// Why a loop cannot be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RewriteError {
    /// All addresses of a class are used up.
    #[error(
        "loop {number} is not possible: this capture's addresses can be made new {loops_max} times; use fewer loops"
    )]
    LoopsExhausted {
        /// The loop asked for, counted from 0.
        number: u64,
        /// How many there are.
        loops_max: u64,
    },
}

/// Knows a capture's addresses and where new ones are free.
#[derive(Clone, Debug)]
pub struct Rewriter {
    spaces: [ClassSpace; CLASSES],
}

impl Rewriter {
    /// How many loops there are, the unchanged one included; at least 1.
    pub fn loops_max(&self) -> u64 {
        let blocks = self.spaces.iter().map(ClassSpace::blocks).min().unwrap_or(0);
        u64::try_from(blocks).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// The rewrite of loop `number`, counted from 0.
    ///
    /// # Errors
    /// [`RewriteError::LoopsExhausted`] from [`Rewriter::loops_max`] on.
    pub fn at_loop(&self, number: u64) -> Result<LoopRewrite, RewriteError> {
        let loops_max = self.loops_max();
        if number >= loops_max {
            return Err(RewriteError::LoopsExhausted { number, loops_max });
        }
        let block = number.checked_sub(1).map(u128::from);
        let bases = block.map(|block| self.spaces.each_ref().map(|space| space.base(block)));
        Ok(LoopRewrite { bases })
    }
}

/// The rewrite of one loop.
#[derive(Clone, Copy, Debug)]
pub struct LoopRewrite {
    /// First new address of each class; `None` in loop 0, which changes nothing.
    bases: Option<[u128; CLASSES]>,
}

impl LoopRewrite {
    /// Rewrites a frame by its plan. `frame` holds the bytes it was planned from, or a copy with another VLAN number.
    pub fn apply(&self, edits: &[HeaderEdit], frame: &mut [u8]) {
        if let Some(bases) = &self.bases {
            edit::apply(edits, bases, frame);
        }
    }
}
