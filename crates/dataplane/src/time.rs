//! Packet time: what a record says, and what timeouts go by.

use dpdk::Tsc;

/// When a packet was received.
///
/// A capture's timestamps may step back. Records show them as they are; timeouts need a clock that does not, and one
/// that is the same for any number of workers, so it is taken once, where frames enter (`docs/adr/0004-packet-time.md`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PacketTime {
    /// The packet's own time, in microseconds since the Unix epoch.
    pub recorded_us: u64,
    /// The latest time of any packet so far, in microseconds since the Unix epoch.
    pub monotonic_us: u64,
    /// The packet's number in its capture, from 1; 0 when live.
    pub number: u64,
}

/// The wall clock at a moment, and the time-stamp counter at the same moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WallClock {
    epoch_us: u64,
    epoch_tsc: Tsc,
    hertz: u64,
    latest_us: u64,
}

impl WallClock {
    /// Sets the clock by the system's; `hertz` is the counter's rate.
    pub(crate) fn new(hertz: u64) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let epoch_us = now.as_micros() as u64;
        Self { epoch_us, epoch_tsc: Tsc::now(), hertz: hertz.max(1), latest_us: epoch_us }
    }

    /// Microseconds since the Unix epoch; never steps back.
    #[inline]
    pub(crate) fn now(&mut self) -> u64 {
        /// How long before the counter's drift against the system clock is corrected.
        const RESYNC_SECONDS: u64 = 1;
        let cycles = Tsc::now().since(self.epoch_tsc);
        if cycles > self.hertz * RESYNC_SECONDS {
            let latest_us = self.latest_us;
            *self = Self::new(self.hertz);
            self.latest_us = latest_us.max(self.epoch_us);
        } else {
            self.latest_us = self.latest_us.max(self.epoch_us + cycles * 1_000_000 / self.hertz);
        }
        self.latest_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_follows_the_system_and_never_steps_back() {
        let mut clock = WallClock::new(1_000_000_000);
        let mut last = clock.now();
        for _ in 0..100_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
        let system =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_micros() as u64;
        assert!(system.abs_diff(last) < 60_000_000, "{system} {last}");
    }
}
