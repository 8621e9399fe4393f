//! Where frames enter: ports, their clock, and whose frames they bring.

use arrayvec::ArrayVec;
use dpdk::{BURST_MAX, RxQueue, RxTimestamp};
use wire::{L4, Packet, TenantId, Vlans};

use crate::PacketMeta;
use crate::generation::Generation;
use crate::time::{PacketTime, WallClock};

/// A burst as workers handle it.
pub type Burst = dpdk::Burst<PacketMeta>;

/// The times of a burst's packets, in order.
pub type BurstTimes = ArrayVec<PacketTime, BURST_MAX>;

/// How a port's frames find their tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Tenancy {
    /// By the frame's outermost VLAN tag (pcap replay, a trunk).
    #[default]
    Trunk,
    /// All frames are one tenant's: a VF whose port VLAN strips the tag.
    Access {
        /// Whose.
        tenant: TenantId,
        /// The port VLAN, put back on frames that go to a tool, and shown in records.
        vid: u16,
    },
}

impl Tenancy {
    /// The tenant of a frame, and the VLAN tags that its records show.
    #[inline(always)]
    pub fn resolve(self, generation: &Generation, vlans: Vlans) -> (Option<TenantId>, Vlans) {
        match self {
            Self::Trunk => (generation.vlans.tenant(vlans), vlans),
            Self::Access { tenant, vid } => {
                let owner = generation.is_tenant(tenant).then_some(tenant);
                (owner, Vlans { vids: [vid, vlans.vids[0]], count: (vlans.count + 1).min(2) })
            }
        }
    }
}

/// How a port's packets get their time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stamp {
    /// The capture's timestamps, moved on by a number of microseconds (replay in loops).
    Capture {
        /// Where the port leaves them.
        field: RxTimestamp,
        /// Added to each.
        offset_us: u64,
    },
    /// The wall clock at the time of the burst.
    Wall,
}

/// One receive queue, with what a worker or distributor needs to know about it.
#[derive(Debug)]
pub struct Ingress {
    /// The queue.
    pub queue: RxQueue<PacketMeta>,
    /// Whose frames it brings.
    pub tenancy: Tenancy,
    /// Where packet times come from.
    pub stamp: Stamp,
    /// Frames until the capture's end; `None` for a live port.
    pub frames_left: Option<u64>,
}

impl Ingress {
    /// Takes a burst from the queue, with its times.
    #[inline]
    pub(crate) fn rx_burst(&mut self, clock: &mut IngressClock, burst: &mut Burst, times: &mut BurstTimes) {
        self.queue.rx_burst(burst);
        clock.stamp(self.stamp, burst, times);
        if let Some(left) = &mut self.frames_left {
            *left = left.saturating_sub(burst.len() as u64);
        }
    }

    /// Whether a capture has been read to its end.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        self.frames_left == Some(0)
    }
}

/// The clock of the one thread where frames enter.
#[derive(Debug)]
pub(crate) struct IngressClock {
    wall: WallClock,
    latest_us: u64,
    /// Packets of captures so far.
    packets: u64,
}

impl IngressClock {
    /// A clock; `tsc_hertz` is the rate of the time-stamp counter.
    pub(crate) fn new(tsc_hertz: u64) -> Self {
        Self { wall: WallClock::new(tsc_hertz), latest_us: 0, packets: 0 }
    }

    /// The latest packet time so far, moved on to now for a live port.
    pub(crate) fn tick(&mut self, stamp: Stamp) -> u64 {
        if stamp == Stamp::Wall {
            self.latest_us = self.latest_us.max(self.wall.now());
        }
        self.latest_us
    }

    /// Fills `times` with the times of `burst`'s packets.
    #[inline]
    pub(crate) fn stamp(&mut self, stamp: Stamp, burst: &Burst, times: &mut BurstTimes) {
        times.clear();
        match stamp {
            Stamp::Wall => {
                let now = self.tick(stamp);
                let time = PacketTime { recorded_us: now, monotonic_us: now, number: 0 };
                times.extend(burst.iter().map(|_| time));
            }
            Stamp::Capture { field, offset_us } => {
                let (mut latest_us, mut number) = (self.latest_us, self.packets);
                times.extend(burst.iter().map(|mbuf| {
                    let recorded_us = mbuf.timestamp(&field).unwrap_or(latest_us) + offset_us;
                    latest_us = latest_us.max(recorded_us);
                    number += 1;
                    PacketTime { recorded_us, monotonic_us: latest_us, number }
                }));
                (self.latest_us, self.packets) = (latest_us, number);
            }
        }
    }
}

/// Which of `shards` workers a packet goes to: by the addresses of its innermost header, the same in both directions,
/// and for an ICMP error by those that it quotes.
///
/// Not by ports: a fragment has none, and must come to the worker that has its datagram's flow.
#[inline]
pub(crate) fn shard(frame: &[u8], packet: &Packet, shards: usize) -> usize {
    let quoted = if packet.l4 == L4::Icmp { packet.icmp_error(frame) } else { None };
    let tuple = quoted.map_or(packet.tuple, |error| error.quoted);
    let mix = |address: u128| {
        let folded = (address as u64) ^ ((address >> 64) as u64).rotate_left(31);
        let wide = u128::from(folded ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93_u128;
        (wide as u64) ^ ((wide >> 64) as u64)
    };
    // Addition commutes, so the direction does not matter.
    let sum = mix(u128::from_be_bytes(tuple.src.0)).wrapping_add(mix(u128::from_be_bytes(tuple.dst.0)));
    ((u128::from(sum.wrapping_mul(0x9e37_79b9_7f4a_7c15)) * shards as u128) >> 64) as usize
}
