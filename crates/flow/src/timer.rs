//! A hierarchical timer wheel (Varghese and Lauck, SOSP 1987, scheme 7) over entry numbers.
//!
//! Four levels of 64 slots; a tick is 2^18 µs (0.26 s), so the wheel spans 50 days, and a later deadline waits in the
//! last slot to be put in again. A packet does not touch the wheel: an entry fires at the deadline it had when it was
//! put in, and its owner puts it back if it was seen since.

use std::io;

use crate::lists::Lists;

const SLOT_BITS: u32 = 6;
const SLOTS: u32 = 1 << SLOT_BITS;
const LEVELS: u32 = 4;
const TICK_BITS: u32 = 18;
/// The farthest a deadline can be: one slot of the top level short of a whole turn, or it would land on the present.
const SPAN_TICKS: u64 = (1 << (SLOT_BITS * LEVELS)) - (1 << (SLOT_BITS * (LEVELS - 1)));

/// The wheel. Entries fire at or after their deadline, never before.
pub(crate) struct Wheel {
    lists: Lists,
    now: u64,
    occupied: [u64; LEVELS as usize],
    len: u32,
}

/// The tick at which a deadline has certainly passed.
const fn tick_after(time_us: u64) -> u64 {
    (time_us >> TICK_BITS) + 1
}

impl Wheel {
    pub(crate) fn new(entries: u32) -> io::Result<Self> {
        let lists = Lists::new(entries, LEVELS * SLOTS)?;
        Ok(Self { lists, now: 0, occupied: [0; LEVELS as usize], len: 0 })
    }

    /// Puts an entry in at `now_us`. A deadline in the past fires at the next call.
    pub(crate) fn insert(&mut self, entry: u32, now_us: u64, deadline_us: u64) {
        if self.len == 0 {
            // Nothing waits, so time may pass at once: the first packet's time is decades from the wheel's zero.
            self.now = self.now.max(now_us >> TICK_BITS);
        }
        self.len += 1;
        let latest = self.now.saturating_add(SPAN_TICKS);
        let tick = tick_after(deadline_us).clamp(self.now.saturating_add(1), latest);
        self.place(entry, tick);
    }

    fn place(&mut self, entry: u32, tick: u64) {
        // The highest digit in which the tick differs from now says the level; beyond the top level's turn, the last.
        let distance = (tick ^ self.now) | 1;
        let level = (distance.ilog2() / SLOT_BITS).min(LEVELS - 1);
        let slot = (tick >> (level * SLOT_BITS)) as u32 % SLOTS;
        self.lists.push_back(level * SLOTS + slot, entry);
        if let Some(occupied) = self.occupied.get_mut(level as usize) {
            *occupied |= 1 << slot;
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, entry: u32) {
        self.lists.remove(entry);
        self.len = self.len.saturating_sub(1);
    }

    /// Takes out one entry whose time has come, by `now_us`; `None` when there is none left. `work` is lowered by every
    /// step taken, and when it is 0 nothing more is done in this call.
    pub(crate) fn fire(&mut self, now_us: u64, work: &mut u32) -> Option<u32> {
        let until = now_us >> TICK_BITS;
        while *work > 0 {
            let (level, tick) = self.next_slot()?;
            if tick > until {
                break;
            }
            *work -= 1;
            self.now = self.now.max(tick);
            let slot = (tick >> (level * SLOT_BITS)) as u32 % SLOTS;
            let list = level * SLOTS + slot;
            let Some(entry) = self.lists.front(list) else {
                if let Some(occupied) = self.occupied.get_mut(level as usize) {
                    *occupied &= !(1 << slot);
                }
                continue;
            };
            self.remove(entry);
            return Some(entry);
        }
        if *work > 0 && self.now < until && self.next_slot().is_none_or(|(_, tick)| tick > until) {
            self.now = until;
        }
        None
    }

    /// The earliest occupied slot's level and first tick. Without any entry time may pass at once.
    fn next_slot(&self) -> Option<(u32, u64)> {
        (0..LEVELS)
            .filter_map(|level| {
                let occupied = *self.occupied.get(level as usize)?;
                if occupied == 0 {
                    return None;
                }
                let shift = level * SLOT_BITS;
                let here = (self.now >> shift) as u32 % SLOTS;
                let ahead = occupied.rotate_right(here).trailing_zeros();
                let tick = ((self.now >> shift) + u64::from(ahead)) << shift;
                Some((level, tick.max(self.now)))
            })
            .min_by_key(|(level, tick)| (*tick, *level))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.lists.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TICK_US: u64 = 1 << TICK_BITS;

    /// Fires everything due by `now_us`; entries that fire too early (they waited in a coarser slot) go back in.
    fn fire_all(wheel: &mut Wheel, deadlines: &[u64], now_us: u64) -> Vec<u32> {
        let mut fired = Vec::new();
        let mut work = u32::MAX;
        while let Some(entry) = wheel.fire(now_us, &mut work) {
            if deadlines[entry as usize] < now_us {
                fired.push(entry);
            } else {
                wheel.insert(entry, now_us, deadlines[entry as usize]);
            }
        }
        fired.sort_unstable();
        fired
    }

    proptest! {
        #[test]
        fn everything_fires_and_not_before_its_time(
            spread in 1_u64..40,
            raw in prop::collection::vec(any::<u64>(), 1..200),
            steps in prop::collection::vec(1_u64..(1 << 40), 1..30),
        ) {
            let start = 1_700_000_000_000_000_u64;
            let deadlines: Vec<u64> = raw.iter().map(|n| start + (n & ((1 << spread) - 1))).collect();
            let mut wheel = Wheel::new(deadlines.len() as u32).unwrap();
            wheel.fire(start, &mut 10);
            for (entry, deadline) in deadlines.iter().enumerate() {
                wheel.insert(entry as u32, start, *deadline);
            }
            let mut now = start;
            let mut left: Vec<u32> = (0..deadlines.len() as u32).collect();
            for step in steps {
                now += step;
                let fired = fire_all(&mut wheel, &deadlines, now);
                left.retain(|entry| !fired.contains(entry));
                for entry in &left {
                    prop_assert!(deadlines[*entry as usize] + 2 * TICK_US > now, "entry {entry} is late");
                }
            }
            let fired = fire_all(&mut wheel, &deadlines, start + (1 << 62));
            prop_assert_eq!(fired, left);
            prop_assert_eq!(wheel.len, 0);
        }
    }

    #[test]
    fn a_jump_over_years_takes_few_steps() {
        let mut wheel = Wheel::new(1).unwrap();
        wheel.insert(0, 0, 60_000_000);
        let mut work = 100;
        assert_eq!(wheel.fire(1 << 60, &mut work), Some(0));
        assert_eq!(wheel.fire(1 << 60, &mut work), None);
        assert!(work > 90);
        wheel.insert(0, 1 << 60, 1 << 60);
        assert_eq!(wheel.fire((1 << 60) + 2 * TICK_US, &mut work), Some(0));
    }

    #[test]
    fn the_first_entry_of_a_wheel_does_not_creep_through_the_decades() {
        let mut wheel = Wheel::new(1).unwrap();
        let now_us = 1_700_000_000_000_000;
        wheel.insert(0, now_us, now_us + 60_000_000);
        let mut work = 100;
        assert_eq!(wheel.fire(now_us, &mut work), None);
        assert_eq!(work, 100, "a step was taken");
    }

    #[test]
    fn work_is_bounded_and_goes_on_at_the_next_call() {
        let mut wheel = Wheel::new(100).unwrap();
        for entry in 0..100 {
            wheel.insert(entry, 0, 1_000_000);
        }
        let mut total = 0;
        for _ in 0..20 {
            let mut work = 10;
            while wheel.fire(10_000_000, &mut work).is_some() {
                total += 1;
            }
        }
        assert_eq!(total, 100);
    }
}
