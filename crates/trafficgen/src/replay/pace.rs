//! How fast frames go out. No clock in here: a pacer says when each frame is due, the sender waits.

use super::Capture;

/// The speed of a replay.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pace {
    /// As fast as the port takes them.
    Unlimited,
    /// A constant packet rate.
    PacketsPerSecond(u64),
    /// A constant bit rate, counted in frame bytes without FCS, preamble and gap.
    BitsPerSecond(u64),
    /// The capture's own timing, this many times as fast; loops follow each other at the capture's mean distance.
    Capture {
        /// Above 0; 2 is twice as fast.
        speed: f64,
    },
}

/// Says when each frame is due. Times are computed from totals, so rounding does not add up.
#[derive(Clone, Copy, Debug)]
pub struct Pacer {
    pace: Pace,
    first_ns: u64,
    loop_ns: u64,
    packets: u64,
    bits: u128,
}

const NS_PER_S: u128 = 1_000_000_000;

impl Pacer {
    /// A pacer at its start.
    pub fn new(pace: Pace, capture: &Capture) -> Self {
        let (first_ns, last_ns) = capture.span_ns();
        let span_ns = last_ns - first_ns;
        let gaps = (capture.len() as u64).saturating_sub(1).max(1);
        // From the last frame of a loop to the first of the next: as from frame to frame on average. Timestamps may be
        // centuries apart: a damaged capture's are anything.
        Self { pace, first_ns, loop_ns: span_ns.saturating_add(span_ns / gaps), packets: 0, bits: 0 }
    }

    /// When the next frame is due, in nanoseconds after the start: a frame of `len` bytes that was captured `at_ns` and goes
    /// out in loop `number`.
    pub fn due_ns(&mut self, len: usize, at_ns: u64, number: u64) -> u64 {
        let due = match self.pace {
            Pace::Unlimited => 0,
            Pace::PacketsPerSecond(rate) => u128::from(self.packets) * NS_PER_S / u128::from(rate.max(1)),
            Pace::BitsPerSecond(rate) => self.bits * NS_PER_S / u128::from(rate.max(1)),
            Pace::Capture { speed } => {
                let captured = u128::from(number) * u128::from(self.loop_ns)
                    + u128::from(at_ns.saturating_sub(self.first_ns));
                (captured as f64 / speed.max(f64::MIN_POSITIVE)) as u128
            }
        };
        self.packets += 1;
        self.bits += len as u128 * 8;
        u64::try_from(due).unwrap_or(u64::MAX)
    }
}
