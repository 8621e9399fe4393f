//! A fragment's way into its datagram.

use super::chunks::UNIT_BYTES;
use super::datagram::{Assembly, Piece};
use super::input::{Input, PAYLOAD_END_MAX};
use super::outcome::{Count, DropReason};
use super::policy::{Extent, Policy};
use super::{Defrag, header};

impl Defrag {
    /// Puts a fragment into its datagram. `Some` when that is complete and in `out`.
    pub(super) fn take(
        &mut self,
        input: &Input<'_>,
        frames: Count,
        now_ns: u64,
    ) -> Result<Option<Count>, DropReason> {
        let tiny_bytes = usize::from(self.config.tiny_fragment_bytes);
        let tenant = self.know(input.key.tenant);
        let policy = tenant.policy;
        if input.end() > PAYLOAD_END_MAX {
            return Err(DropReason::Oversize);
        }
        let payload = aligned(input, policy)?;
        if payload.is_empty() {
            return Err(DropReason::Empty);
        }
        if input.more && payload.len() < tiny_bytes {
            tenant.stats.tiny += 1;
        }
        if let (Some(header), false) = (input.header, input.more) {
            self.out.clear();
            self.out.extend_from_slice(header.bytes);
            self.out.extend_from_slice(payload);
            header::complete(&mut self.out, header.next).ok_or(DropReason::Oversize)?;
            return Ok(Some(frames));
        }
        let index = self.tracker(input, policy, now_ns)?;
        self.insert(index, input, payload, frames)
    }

    /// The tracker of the fragment's datagram, a new one if there is none that is not overdue.
    fn tracker(&mut self, input: &Input<'_>, policy: Policy, now_ns: u64) -> Result<u32, DropReason> {
        let mut found = self.trackers.find(&input.key);
        if let Ok(index) = found
            && self.is_overdue(index, now_ns)
        {
            // Only where packet time ran backwards: the overdue are given up in the order they began.
            self.give_up(index, DropReason::Timeout);
            found = self.trackers.find(&input.key);
        }
        let vacant = match found {
            Ok(index) => return Ok(index),
            Err(vacant) => vacant,
        };
        let tenant = input.key.tenant;
        self.make_room_for_tracker(tenant)?;
        let order = &mut self.know(tenant).order;
        let mut of_tenant = *order;
        let index = self
            .trackers
            .insert(&vacant, now_ns, Assembly::new(policy), &mut of_tenant)
            .ok_or(DropReason::TrackerLimit)?;
        self.know(tenant).order = of_tenant;
        self.usage[usize::from(tenant.0)].trackers += 1;
        Ok(index)
    }

    fn insert(
        &mut self,
        index: u32,
        input: &Input<'_>,
        payload: &[u8],
        frames: Count,
    ) -> Result<Option<Count>, DropReason> {
        let tracker = self.trackers.get(index);
        if tracker.doomed {
            return Err(DropReason::Overlap);
        }
        if tracker.fragments >= self.config.fragments_per_datagram_max {
            return Err(DropReason::FragmentLimit);
        }
        let left = match tracker.assembly.end() {
            Some(end) => {
                end.checked_sub(input.offset).filter(|left| *left > 0).ok_or(DropReason::BeyondEnd)?
            }
            None => PAYLOAD_END_MAX,
        };
        let piece = Piece {
            extent: Extent {
                start_units: (input.offset / UNIT_BYTES as u32) as u16,
                end: (input.offset + payload.len() as u32) as u16,
            },
            payload: payload.get(..left as usize).unwrap_or(payload),
            last: !input.more,
            header: input.header,
        };
        let tenant = input.key.tenant;
        let needed = tracker.assembly.chunks_needed(&self.chunks, &piece);
        self.make_room_for_chunks(tenant, needed, index)?;
        let tracker = self.trackers.get_mut(index);
        let held = tracker.assembly.chunks();
        let inserted = tracker.assembly.insert(&mut self.chunks, &piece);
        self.usage[usize::from(tenant.0)].chunks += tracker.assembly.chunks() - held;
        let inserted = inserted.ok_or(DropReason::MemoryLimit)?;
        let stats = &mut self.tenants[usize::from(tenant.0)].stats;
        self.overlapped = inserted.overlaps;
        stats.overlaps += u64::from(inserted.overlaps);
        stats.duplicates += u64::from(inserted.duplicate);
        stats.end_conflicts += u64::from(inserted.lowered_end || piece.payload.len() < payload.len());
        if inserted.overlaps
            && !inserted.duplicate
            && input.key.ip_version == 6
            && self.config.ipv6_overlap_drops
        {
            self.doom(index, DropReason::Overlap);
            return Err(DropReason::Overlap);
        }
        tracker.fragments += 1;
        tracker.frames.add(frames);
        if tracker.assembly.is_complete() { self.complete(index, frames).map(Some) } else { Ok(None) }
    }

    /// Writes the datagram to `out` and forgets it.
    fn complete(&mut self, index: u32, frames: Count) -> Result<Count, DropReason> {
        let tracker = self.trackers.get_mut(index);
        self.out.clear();
        tracker.assembly.write_to(&self.chunks, &mut self.out);
        let (all, tenant, is_ipv4) = (tracker.frames, tracker.key.tenant, tracker.key.ip_version == 4);
        if header::complete(&mut self.out, tracker.assembly.next_header()).is_none() {
            // This frame is dropped by itself, the others as held ones.
            tracker.frames.subtract(frames);
            self.give_up(index, DropReason::Oversize);
            return Err(DropReason::Oversize);
        }
        self.forget(index);
        let stats = &mut self.know(tenant).stats;
        let family = if is_ipv4 { &mut stats.ipv4 } else { &mut stats.ipv6 };
        family.reassembled += 1;
        Ok(all)
    }
}

/// The payload without what is left over of a unit in a fragment that is not the last.
fn aligned<'a>(input: &Input<'a>, policy: Policy) -> Result<&'a [u8], DropReason> {
    let whole = input.payload.len() - input.payload.len() % UNIT_BYTES;
    if !input.more || whole == input.payload.len() {
        return Ok(input.payload);
    }
    if input.key.ip_version == 4 && policy.cuts_unaligned() {
        return input.payload.get(..whole).ok_or(DropReason::Unaligned);
    }
    Err(DropReason::Unaligned)
}
