//! Steps 5 and 6: whose turn it is, and running the pipeline over its packets.

use arrayvec::ArrayVec;
use dpdk::{Consumer, Eal, Mbuf, Producer, RingError, Tsc};
use wire::{PacketBuf, TenantId};

use super::Path;
use crate::PacketMeta;
use crate::pipeline::Then;
use crate::reason::Reason;

/// Packets that one tenant waits with for its turn at this worker.
#[derive(Debug)]
pub(crate) struct Inbox {
    producer: Producer<PacketMeta>,
    consumer: Consumer<PacketMeta>,
}

/// Packets taken from an inbox at a time; the budget is looked at between them.
const BATCH: usize = 16;

impl Inbox {
    pub(super) fn new(eal: &Eal, capacity: u32) -> Result<Self, RingError> {
        let (producer, consumer) = dpdk::ring(eal, capacity)?;
        Ok(Self { producer, consumer })
    }
}

impl Path {
    /// Whether the tenant's inbox takes no more packets.
    pub(super) fn inbox_is_full(&self, tenant: TenantId) -> bool {
        self.inboxes
            .get(usize::from(tenant.0))
            .is_some_and(|inbox| inbox.producer.len() >= inbox.producer.capacity())
    }

    /// Puts a packet into its tenant's inbox; a full inbox is the tenant's own loss.
    #[inline]
    pub(super) fn enqueue(&mut self, tenant: u16, size: (u32, u32), mbuf: Mbuf<PacketMeta>) {
        let row = usize::from(tenant);
        let place = mbuf.private().slot;
        self.inspection.enqueued(place);
        let refused = match self.inboxes.get_mut(row) {
            Some(inbox) => inbox.producer.enqueue(mbuf).err(),
            None => Some(mbuf),
        };
        match refused {
            None => self.scheduler.wake(row),
            Some(mbuf) => {
                self.inspection.left(place);
                self.refuse(tenant, Reason::InboxFull, size, mbuf);
            }
        }
    }

    /// Runs pipelines in the order of the scheduler until nobody has work or `budget_cycles` are spent. `true` if there
    /// was any work.
    #[inline]
    pub(super) fn inspect(&mut self, budget_cycles: u64) -> bool {
        if self.scheduler.is_idle() {
            self.inspection.settle(&mut self.records);
            return false;
        }
        let start = Tsc::now();
        let mut now = start;
        while now.since(start) < budget_cycles
            && let Some((tenant, turn_cycles)) = self.scheduler.next()
        {
            let begun = now;
            let mut more = true;
            while more && now.since(begun) < turn_cycles {
                more = self.inspect_batch(tenant);
                now = Tsc::now();
            }
            let cycles = now.since(begun);
            self.scheduler.charge(tenant, cycles, more);
            self.counters.tenant(tenant).cycles.add(cycles);
        }
        self.inspection.settle(&mut self.records);
        true
    }

    /// Runs the pipelines over a few packets of one tenant; `false` when its inbox is empty.
    fn inspect_batch(&mut self, tenant: usize) -> bool {
        let Some(inbox) = self.inboxes.get_mut(tenant) else { return false };
        let owner = TenantId(tenant as u16);
        let mut batch = ArrayVec::<Mbuf<PacketMeta>, BATCH>::new();
        inbox.consumer.dequeue_burst(&mut batch);
        let (mut packets, mut bytes, mut to_tools) = (0, 0, false);
        let counters = self.counters.tenant(tenant);
        for mbuf in &batch {
            let meta = mbuf.private();
            let frame = mbuf.contiguous(&mut self.scratch);
            self.inspection.packet(meta, owner, frame, counters, &mut self.records);
            packets += u64::from(meta.frames);
            bytes += u64::from(meta.frame_bytes);
            to_tools |= matches!(self.inspection.then(meta.pipeline), Then::Tool(_));
        }
        let more = !inbox.consumer.is_empty();
        let (refused_packets, refused_bytes) =
            if to_tools { self.send_to_tools(owner.0, &mut batch) } else { (0, 0) };
        self.counters.tenant(tenant).inspected.add(packets - refused_packets, bytes - refused_bytes);
        Mbuf::free_burst(&mut batch);
        more
    }

    /// Sends those of inspected packets out of tool ports that are to go there; the others stay. What a port does not take
    /// does not count as inspected, because its tenant wanted it inspected by the tool: returns its frames and bytes.
    #[cold]
    fn send_to_tools(&mut self, tenant: u16, batch: &mut ArrayVec<Mbuf<PacketMeta>, BATCH>) -> (u64, u64) {
        let (mut packets, mut bytes) = (0, 0);
        for mbuf in batch.take() {
            let meta = *mbuf.private();
            let Then::Tool(tool) = self.inspection.then(meta.pipeline) else {
                batch.push(mbuf);
                continue;
            };
            if !self.send(usize::from(tool.0), meta.packet.vlans, mbuf) {
                self.count_refused(tenant, Reason::ToolPortFull, (meta.frames, meta.frame_bytes));
                packets += u64::from(meta.frames);
                bytes += u64::from(meta.frame_bytes);
            }
        }
        (packets, bytes)
    }
}
