//! A hierarchical timer wheel (Varghese and Lauck, SOSP 1987, scheme 7) over entry numbers.
//!
//! Eight levels of 64 slots; a tick is 2^18 µs (0.26 s), so the wheel spans every time that 64 bits of microseconds
//! hold, and no deadline needs to be cut. A packet does not touch the wheel: an entry fires at the deadline it had when
//! it was put in, and its owner puts it back if it was seen since. An entry in a coarse slot fires at the slot's start
//! and is put back into a finer one, at most seven times.

use std::io;

use crate::lists::Lists;
use crate::prefetch::Prefetch;

const SLOT_BITS: u32 = 6;
const SLOTS: u32 = 1 << SLOT_BITS;
/// Ticks have 64 - 18 = 46 bits: eight digits of six.
const LEVELS: u32 = 8;
const TICK_BITS: u32 = 18;

/// The wheel. Entries fire when their deadline has passed, or early out of a coarse slot; never later than two ticks
/// after their deadline, if [`fire`](Wheel::fire) is given enough work.
pub(crate) struct Wheel {
    lists: Lists,
    /// The tick up to which everything has fired.
    now: u64,
    /// No occupied slot begins before this tick.
    next: u64,
    /// The list being fired.
    firing: Option<u32>,
    /// By level: slots that may have entries.
    occupied: [u64; LEVELS as usize],
}

/// The tick at which a deadline has certainly passed.
const fn tick_after(time_us: u64) -> u64 {
    (time_us >> TICK_BITS) + 1
}

impl Wheel {
    pub(crate) fn new(entries: u32) -> io::Result<Self> {
        let lists = Lists::new(entries, LEVELS * SLOTS)?;
        Ok(Self { lists, now: 0, next: u64::MAX, firing: None, occupied: [0; LEVELS as usize] })
    }

    /// Puts an entry in at `now_us`. A deadline in the past fires at the next tick.
    pub(crate) fn insert(&mut self, entry: u32, now_us: u64, deadline_us: u64) {
        if self.next == u64::MAX && self.firing.is_none() {
            // Nothing waits, so time may pass at once: the first packet's time is decades from the wheel's zero.
            self.now = self.now.max(now_us >> TICK_BITS);
        }
        let tick = tick_after(deadline_us).max(self.now + 1);
        // The highest digit in which the tick differs from now says the level: all higher ones are equal, so a level
        // never goes around.
        let level = (tick ^ self.now).ilog2() / SLOT_BITS;
        let shift = level * SLOT_BITS;
        let slot = (tick >> shift) as u32 % SLOTS;
        self.lists.push_back(level * SLOTS + slot, entry);
        if let Some(occupied) = self.occupied.get_mut(level as usize) {
            *occupied |= 1 << slot;
        }
        self.next = self.next.min(tick >> shift << shift);
    }

    /// Takes an entry out; nothing happens if it is not in.
    pub(crate) fn remove(&mut self, entry: u32) {
        self.lists.remove(entry);
    }

    /// Takes out one entry whose time has come, by `now_us`; `None` when there is none left. `work` is lowered by every
    /// step taken, and when it is 0 nothing more is done in this call.
    #[inline]
    pub(crate) fn fire(&mut self, now_us: u64, work: &mut u32) -> Option<u32> {
        let until = now_us >> TICK_BITS;
        if self.firing.is_none() && until < self.next {
            self.now = self.now.max(until);
            return None;
        }
        self.fire_slots(until, work)
    }

    #[inline(never)]
    fn fire_slots(&mut self, until: u64, work: &mut u32) -> Option<u32> {
        while *work > 0 {
            *work -= 1;
            if let Some(list) = self.firing {
                if let Some(entry) = self.lists.front(list) {
                    self.lists.remove(entry);
                    return Some(entry);
                }
                if let Some(occupied) = self.occupied.get_mut((list / SLOTS) as usize) {
                    *occupied &= !(1 << (list % SLOTS));
                }
                self.firing = None;
            }
            let (list, tick) = self.next_slot();
            self.next = tick;
            if tick > until {
                // Nothing begins up to here, so time may pass at once, be it years.
                self.now = self.now.max(until);
                return None;
            }
            self.now = self.now.max(tick);
            self.firing = Some(list);
        }
        None
    }

    /// The earliest slot that may have entries, and its first tick; `u64::MAX` when there is none.
    fn next_slot(&self) -> (u32, u64) {
        let mut earliest = (0, u64::MAX);
        for (level, &occupied) in (0..).zip(&self.occupied) {
            if occupied == 0 {
                continue;
            }
            let slot = occupied.trailing_zeros();
            let shift = level * SLOT_BITS;
            let turn = self.now >> shift >> SLOT_BITS << SLOT_BITS;
            let tick = (turn | u64::from(slot)) << shift;
            if tick < earliest.1 {
                earliest = (level * SLOTS + slot, tick);
            }
        }
        earliest
    }

    /// Starts loading an entry's links.
    #[inline]
    pub(crate) fn prefetch<P: Prefetch>(&self, entry: u32) {
        self.lists.prefetch::<P>(entry);
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
            spread in 1_u64..60,
            raw in prop::collection::vec(any::<u64>(), 1..200),
            steps in prop::collection::vec((1_u32..58, any::<u64>()).prop_map(|(bits, n)| n >> (64 - bits)), 1..30),
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
            prop_assert_eq!(wheel.next_slot().1, u64::MAX);
        }
    }

    /// The wheel begins in 1970 and the first packet comes decades later, before or after the first look at the clock.
    #[test]
    fn the_first_entries_take_few_steps() {
        const ENTRIES: u32 = 1000;
        let start = 1_700_000_000_000_000_u64;
        let deadlines: Vec<u64> = (0..u64::from(ENTRIES)).map(|n| start + 60_000_000 + n).collect();
        for look_first in [true, false] {
            let mut wheel = Wheel::new(ENTRIES).unwrap();
            let mut work = u32::MAX;
            if look_first {
                assert_eq!(wheel.fire(start, &mut work), None);
            }
            for (entry, deadline) in (0..).zip(&deadlines) {
                wheel.insert(entry, start, *deadline);
            }
            while let Some(entry) = wheel.fire(start + 1, &mut work) {
                wheel.insert(entry, start + 1, deadlines[entry as usize]);
            }
            assert_eq!(work, u32::MAX, "steps were taken");
        }
    }

    /// A timeout of a year is as good as any other: its entry waits, and does not fire over and over.
    #[test]
    fn far_deadlines_wait() {
        let start = 1_700_000_000_000_000_u64;
        let year_us = 31_536_000_000_000;
        let mut wheel = Wheel::new(2).unwrap();
        wheel.fire(start, &mut 1);
        wheel.insert(0, start, start + year_us);
        wheel.insert(1, start, u64::MAX);
        let mut steps = 0;
        for day in 0..365 {
            let mut work = 100;
            let now_us = start + day * 86_400_000_000;
            while let Some(entry) = wheel.fire(now_us, &mut work) {
                wheel.insert(entry, now_us, if entry == 0 { start + year_us } else { u64::MAX });
            }
            steps += 100 - work;
        }
        assert!(steps < 40, "{steps} steps in a year");
        assert_eq!(fire_all(&mut wheel, &[start + year_us, u64::MAX], start + year_us + 2 * TICK_US), [0]);
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
