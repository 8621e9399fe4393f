//! One datagram in assembly: which bytes have come, from whose fragment, and where it ends.
//!
//! The payload lies in chunks of 2 KiB, taken only where there is something to put, in units of 8 bytes as fragment
//! offsets count them. Each unit knows the extent of the fragment its bytes are from, which is all that an
//! overlap policy asks. So a fragment costs time in proportion to its own length, however many came before it, and
//! there is no list of fragments that an attacker could make long.

use std::ops::Range;

use super::chunks::{
    CHUNK_BYTES, CHUNK_UNITS, Chunks, Owner, UNIT_BYTES, all_absent, extent, is_absent, owner,
};
use super::input::{HEADER_LEN_MAX, Header, PAYLOAD_END_MAX};
use super::policy::{Extent, Policy};

/// Chunks that the longest payload takes.
const PAYLOAD_PAGES: usize = (PAYLOAD_END_MAX as usize + 1) / CHUNK_BYTES;
/// Chunks that the longest datagram takes, headers and all.
pub(super) const PAGES: usize = PAYLOAD_PAGES + HEADER_LEN_MAX / CHUNK_BYTES;
/// Headers up to this length are kept in place: any of IPv4, and of IPv6 those with a few extensions.
const HEADER_INLINE: usize = 64;
const NO_PAGE: u32 = u32::MAX;

/// What a fragment brings, cut to the datagram's end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// Where the fragment lies as it was sent, for the overlap policy.
    pub(super) extent: Extent,
    /// Not empty; starts at `extent.start_units` and is no longer than the extent.
    pub(super) payload: &'a [u8],
    /// Nothing follows it.
    pub(super) last: bool,
    pub(super) header: Option<Header<'a>>,
}

/// What a fragment met.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Inserted {
    /// Some of its bytes were there already.
    pub(super) overlaps: bool,
    /// It repeats an earlier fragment: same extent, same bytes.
    pub(super) duplicate: bool,
    /// Bytes beyond its end were there, or an end after it was known.
    pub(super) lowered_end: bool,
}

/// The bytes of one datagram.
pub(super) struct Assembly {
    policy: Policy,
    pages: [u32; PAGES],
    pages_used: u16,
    units: u32,
    /// One more than the highest unit that ever came.
    units_top: u32,
    end: Option<u32>,
    header: [u8; HEADER_INLINE],
    header_len: u16,
    next_header: Option<(u16, u8)>,
}

impl Assembly {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            pages: [NO_PAGE; PAGES],
            pages_used: 0,
            units: 0,
            units_top: 0,
            end: None,
            header: [0; HEADER_INLINE],
            header_len: 0,
            next_header: None,
        }
    }

    /// Where the payload ends, in bytes, once that is known.
    pub(super) fn end(&self) -> Option<u32> {
        self.end
    }

    /// Chunks held.
    pub(super) fn chunks(&self) -> u32 {
        u32::from(self.pages_used)
    }

    /// Headers that are kept, in bytes.
    pub(super) fn header_len(&self) -> usize {
        usize::from(self.header_len)
    }

    /// How many chunks [`insert`](Self::insert) will take for this piece.
    pub(super) fn chunks_needed(&self, chunks: &Chunks, piece: &Piece<'_>) -> usize {
        let missing = |pages: Range<usize>| {
            self.pages.get(pages).map_or(0, |pages| pages.iter().filter(|page| **page == NO_PAGE).count())
        };
        let header = match piece.header {
            Some(header) if header.bytes.len() > HEADER_INLINE && self.takes_first(chunks, piece) => {
                missing(PAYLOAD_PAGES..PAYLOAD_PAGES + header.bytes.len().div_ceil(CHUNK_BYTES))
            }
            _ => 0,
        };
        let units = units_of(piece);
        header + missing(units.start / CHUNK_UNITS..units.end.div_ceil(CHUNK_UNITS))
    }

    /// Whether the datagram's first byte will be this piece's.
    fn takes_first(&self, chunks: &Chunks, piece: &Piece<'_>) -> bool {
        piece.extent.start_units == 0
            && match self.owner_at(chunks, 0) {
                Some(earlier) if !is_absent(earlier) => self.policy.replaces(piece.extent, extent(earlier)),
                _ => true,
            }
    }

    fn owner_at(&self, chunks: &Chunks, unit: usize) -> Option<Owner> {
        let page = *self.pages.get(unit / CHUNK_UNITS)?;
        if page == NO_PAGE { None } else { chunks.owners(page).get(unit % CHUNK_UNITS).copied() }
    }

    /// Puts the piece where it belongs, as far as the policy lets it. `None` if a chunk was not to be had: the caller
    /// has made room for [`chunks_needed`](Self::chunks_needed) of them.
    pub(super) fn insert(&mut self, chunks: &mut Chunks, piece: &Piece<'_>) -> Option<Inserted> {
        if let Some(header) = piece.header
            && self.takes_first(chunks, piece)
        {
            self.keep_header(chunks, header)?;
        }
        let units = units_of(piece);
        let sent = owner(piece.extent);
        // With a policy that trims, the fragment counts as starting where it first gets its way.
        let mut claim = if self.policy.trims() { None } else { Some(sent) };
        let mut outcome = Inserted { duplicate: true, ..Inserted::default() };
        // Of the unit last looked at: whether the piece has it now, and whose it was.
        let mut taken = false;
        let mut displaced = None;
        let mut unit = units.start;
        while unit < units.end {
            let within = unit % CHUNK_UNITS;
            let run = (CHUNK_UNITS - within).min(units.end - unit);
            let source_at = (unit - units.start) * UNIT_BYTES;
            let source_end = (source_at + run * UNIT_BYTES).min(piece.payload.len());
            let source = piece.payload.get(source_at..source_end)?;
            let page = self.page(chunks, unit / CHUNK_UNITS)?;
            let (owners, bytes) = chunks.both_mut(page);
            let owners = owners.get_mut(within..within + run)?;
            let target = bytes.get_mut(within * UNIT_BYTES..)?.get_mut(..source.len())?;
            if all_absent(owners) {
                owners.fill(*claim.get_or_insert([unit as u16, sent[1]]));
                target.copy_from_slice(source);
                self.units += run as u32;
                outcome.duplicate = false;
                (taken, displaced) = (true, None);
            } else {
                outcome.overlaps = true;
                let cells = target.chunks_mut(UNIT_BYTES).zip(source.chunks(UNIT_BYTES));
                for (index, (here, (target, source))) in owners.iter_mut().zip(cells).enumerate() {
                    outcome.duplicate &= *here == sent && target == source;
                    (taken, displaced) = if is_absent(*here) {
                        self.units += 1;
                        (true, None)
                    } else if self.policy.replaces(piece.extent, extent(*here)) {
                        (true, Some(*here))
                    } else {
                        (false, None)
                    };
                    if !taken {
                        continue;
                    }
                    *here = *claim.get_or_insert([(unit + index) as u16, sent[1]]);
                    target.copy_from_slice(source);
                }
            }
            unit += run;
        }
        if let (true, Some(earlier)) = (self.policy.trims(), displaced) {
            self.trim(chunks, earlier, units.end);
        }
        self.units_top = self.units_top.max(units.end as u32);
        // A last fragment that has lost its end to another one says nothing about the datagram's (as in Suricata).
        if piece.last && taken {
            outcome.lowered_end = self.set_end(chunks, piece);
        }
        Some(outcome)
    }

    /// The chunk of a page, taken from the pool if there is none yet.
    fn page(&mut self, chunks: &mut Chunks, page: usize) -> Option<u32> {
        let slot = self.pages.get_mut(page)?;
        if *slot == NO_PAGE {
            *slot = chunks.take()?;
            self.pages_used += 1;
        }
        Some(*slot)
    }

    fn keep_header(&mut self, chunks: &mut Chunks, header: Header<'_>) -> Option<()> {
        if let Some(inline) = self.header.get_mut(..header.bytes.len()) {
            inline.copy_from_slice(header.bytes);
        } else {
            for (index, part) in header.bytes.chunks(CHUNK_BYTES).enumerate() {
                let page = self.page(chunks, PAYLOAD_PAGES + index)?;
                chunks.both_mut(page).1.get_mut(..part.len())?.copy_from_slice(part);
            }
        }
        self.header_len = header.bytes.len() as u16;
        self.next_header = header.next;
        Some(())
    }

    /// The rest of a fragment that has lost its front starts at `unit` from now on.
    fn trim(&mut self, chunks: &mut Chunks, earlier: Owner, mut unit: usize) {
        let start = unit as u16;
        while let Some(page) = self.pages.get(unit / CHUNK_UNITS).filter(|page| **page != NO_PAGE) {
            let owners = chunks.both_mut(*page).0;
            match owners.get_mut(unit % CHUNK_UNITS) {
                Some(here) if *here == earlier => here[0] = start,
                _ => return,
            }
            unit += 1;
        }
    }

    /// The datagram ends where this last piece does, unless it is known to end earlier. What came beyond is forgotten.
    /// Returns whether there was something to contradict.
    fn set_end(&mut self, chunks: &mut Chunks, piece: &Piece<'_>) -> bool {
        let start = u32::from(piece.extent.start_units) * UNIT_BYTES as u32;
        let end = start + piece.payload.len() as u32;
        let lowered = match self.end {
            Some(known) if known <= end => return false,
            known => known.is_some(),
        };
        self.end = Some(end);
        let units = end.div_ceil(UNIT_BYTES as u32);
        let beyond = self.units_top > units;
        if beyond {
            self.forget(chunks, units as usize..self.units_top as usize);
            self.units_top = units;
        }
        lowered || beyond
    }

    fn forget(&mut self, chunks: &mut Chunks, units: Range<usize>) {
        let mut unit = units.start;
        while unit < units.end {
            let within = unit % CHUNK_UNITS;
            let run = (CHUNK_UNITS - within).min(units.end - unit);
            if let Some(page) = self.pages.get(unit / CHUNK_UNITS).filter(|page| **page != NO_PAGE)
                && let Some(owners) = chunks.both_mut(*page).0.get_mut(within..within + run)
            {
                self.units -= owners.iter().filter(|owner| !is_absent(**owner)).count() as u32;
                owners.fill(super::chunks::ABSENT);
            }
            unit += run;
        }
    }

    /// Whether every byte up to the end has come.
    pub(super) fn is_complete(&self) -> bool {
        self.end.is_some_and(|end| self.units == end.div_ceil(UNIT_BYTES as u32))
    }

    /// Appends the headers as they came, then the payload. Only of a complete datagram.
    pub(super) fn write_to(&self, chunks: &Chunks, to: &mut Vec<u8>) {
        match self.header.get(..self.header_len()) {
            Some(inline) => to.extend_from_slice(inline),
            None => self.write_pages(chunks, PAYLOAD_PAGES, self.header_len(), to),
        }
        self.write_pages(chunks, 0, self.end.unwrap_or(0) as usize, to);
    }

    fn write_pages(&self, chunks: &Chunks, first: usize, mut len: usize, to: &mut Vec<u8>) {
        for page in self.pages.iter().skip(first).filter(|page| **page != NO_PAGE) {
            let part = len.min(CHUNK_BYTES);
            to.extend_from_slice(chunks.bytes(*page).get(..part).unwrap_or_default());
            len -= part;
        }
    }

    /// Where the header before the payload is announced, and what it is to be (IPv6).
    pub(super) fn next_header(&self) -> Option<(u16, u8)> {
        self.next_header
    }

    /// Gives every chunk back to the pool.
    pub(super) fn release(&mut self, chunks: &mut Chunks) {
        for page in &mut self.pages {
            if *page != NO_PAGE {
                chunks.give_back(*page);
                *page = NO_PAGE;
            }
        }
        self.pages_used = 0;
    }
}

/// The units that a piece touches.
fn units_of(piece: &Piece<'_>) -> Range<usize> {
    let start = usize::from(piece.extent.start_units);
    start..start + piece.payload.len().div_ceil(UNIT_BYTES)
}
