//! Who gives up what: timeouts, limits, and the report of what was lost.

use wire::TenantId;

use super::outcome::{Count, DropReason, Lost};
use super::{Defrag, Losses, Usage};

impl Defrag {
    /// Whether a datagram has had its time. Packet time that ran back by more than the timeout counts too: the fragment
    /// with the odd timestamp must not keep its datagram for ever.
    pub(super) fn is_overdue(&self, index: u32, now_ns: u64) -> bool {
        now_ns.abs_diff(self.trackers.get(index).created_ns) >= self.timeout_ns
    }

    pub(super) fn give_up_overdue(&mut self, now_ns: u64) {
        while let Some(oldest) = self.trackers.oldest()
            && self.is_overdue(oldest, now_ns)
        {
            self.give_up(oldest, DropReason::Timeout);
        }
    }

    /// Frees a tracker if the tenant, or all together, have as many as they may.
    pub(super) fn make_room_for_tracker(&mut self, tenant: TenantId) -> Result<(), DropReason> {
        let own = self.usage[usize::from(tenant.0)].trackers >= self.config.trackers_per_tenant_max;
        if own || self.trackers.is_full() {
            let payer = if own { tenant } else { self.largest(tenant, |usage| usage.trackers) };
            self.give_up_oldest(payer, None, DropReason::TrackerLimit)?;
        }
        Ok(())
    }

    /// Frees chunks until the tenant may take `needed` more for the datagram at `keep`, and they are there.
    pub(super) fn make_room_for_chunks(
        &mut self,
        tenant: TenantId,
        needed: usize,
        keep: u32,
    ) -> Result<(), DropReason> {
        loop {
            let held = self.usage[usize::from(tenant.0)].chunks as usize;
            let payer = if held + needed > self.chunks_per_tenant_max as usize {
                tenant
            } else if self.chunks.available() < needed {
                self.largest(tenant, |usage| usage.chunks)
            } else {
                return Ok(());
            };
            self.give_up_oldest(payer, Some(keep), DropReason::MemoryLimit)?;
        }
    }

    /// The tenant that holds most; `asking` if it is one of several.
    fn largest(&self, asking: TenantId, held: impl Fn(&Usage) -> u32) -> TenantId {
        let mut largest = asking;
        let mut most = self.usage.get(usize::from(asking.0)).map_or(0, &held);
        for (index, usage) in self.usage.iter().enumerate() {
            if held(usage) > most {
                (largest, most) = (TenantId(index as u16), held(usage));
            }
        }
        largest
    }

    fn give_up_oldest(
        &mut self,
        payer: TenantId,
        keep: Option<u32>,
        reason: DropReason,
    ) -> Result<(), DropReason> {
        let order = self.know(payer).order;
        let oldest = self.trackers.oldest_of(order, keep).ok_or(reason)?;
        self.give_up(oldest, reason);
        Ok(())
    }

    /// Forgets a datagram and counts what was held of it as lost.
    pub(super) fn give_up(&mut self, index: u32, reason: DropReason) {
        self.lose(index, reason);
        self.forget(index);
    }

    /// Counts what is held of a datagram as lost, and keeps only the memory of it.
    pub(super) fn doom(&mut self, index: u32, reason: DropReason) {
        self.lose(index, reason);
        let tracker = self.trackers.get_mut(index);
        tracker.doomed = true;
        tracker.frames = Count::default();
        self.usage[usize::from(tracker.key.tenant.0)].chunks -= tracker.assembly.chunks();
        tracker.assembly.release(&mut self.chunks);
    }

    fn lose(&mut self, index: u32, reason: DropReason) {
        let tracker = self.trackers.get(index);
        let (id, frames) = (tracker.key.tenant, tracker.frames);
        if frames.packets == 0 {
            return;
        }
        let tenant = &mut self.tenants[usize::from(id.0)];
        tenant.stats.held.subtract(frames);
        tenant.stats.dropped[reason.index()].add(frames);
        let losses = &mut tenant.lost[reason.index()];
        losses.datagrams += 1;
        losses.frames.add(frames);
        if !tenant.has_lost {
            tenant.has_lost = true;
            self.losers.push(id);
        }
    }

    /// Takes a tracker and its chunks out.
    pub(super) fn forget(&mut self, index: u32) {
        let tracker = self.trackers.get_mut(index);
        let id = usize::from(tracker.key.tenant.0);
        let usage = &mut self.usage[id];
        usage.trackers -= 1;
        usage.chunks -= tracker.assembly.chunks();
        tracker.assembly.release(&mut self.chunks);
        self.trackers.remove(index, &mut self.tenants[id].order);
    }

    pub(super) fn report(&mut self, mut lost: impl FnMut(Lost)) {
        for id in self.losers.drain(..) {
            let tenant = &mut self.tenants[usize::from(id.0)];
            tenant.has_lost = false;
            for reason in DropReason::ALL {
                let Losses { datagrams, frames } = std::mem::take(&mut tenant.lost[reason.index()]);
                if datagrams > 0 {
                    lost(Lost { tenant: id, reason, datagrams, frames });
                }
            }
        }
    }
}
