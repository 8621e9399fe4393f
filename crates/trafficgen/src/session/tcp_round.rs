//! One flight of a TCP sender and the receiver's acknowledgements, as the tap sees them.

use rand::Rng;

use super::Side;
use super::tcp::{ACK, PSH, Segment, TcpSession};

/// Segments in flight at most: the receiver's state is then a bit for each.
const FLIGHT_MAX: usize = 64;

/// What goes wrong in a flight.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Trouble {
    None,
    /// Lost between the tap and the receiver: the tap sees it twice.
    LostAfterTap(usize),
    /// Lost between the sender and the tap: the tap sees a hole, filled later.
    LostBeforeTap(usize),
    /// Overtaken by the next one.
    Overtaken(usize),
}

/// The receiver's memory of one flight.
struct Receiver {
    /// Which segments have arrived.
    arrived: u64,
    /// The first that has not.
    expected: usize,
    /// In order since the last acknowledgement.
    unacknowledged: usize,
}

impl TcpSession {
    /// Plans the next flight of `side` from `offset` in its stream, of which `left` bytes remain (at least one);
    /// returns how many bytes it carries.
    pub(super) fn plan_flight(&mut self, side: Side, offset: u64, left: u64) -> u64 {
        let mss = u64::from(self.mss);
        let end = self.ends.get_mut(side);
        let count = end.window_segments.min(left.div_ceil(mss) as usize);
        let bytes = left.min(count as u64 * mss);
        let base = end.next_seq;
        end.next_seq = base.wrapping_add(bytes as u32);
        let trouble = self.draw_trouble(count);
        let end = self.ends.get_mut(side);
        end.window_segments = match trouble {
            Trouble::LostAfterTap(_) | Trouble::LostBeforeTap(_) => (count / 2).max(2),
            Trouble::None | Trouble::Overtaken(_) => (end.window_segments * 2).min(FLIGHT_MAX),
        };

        let ack = self.ends.get(side.other()).next_seq;
        let ends_stream = bytes == left;
        let start_ns = self.clock_ns;
        let gap_ns = self.settings.gap_ns;
        let position = |index: usize| (index as u64 * mss).min(bytes);
        let segment = |index: usize, at_ns: u64| Segment {
            at_ns,
            side,
            seq: base.wrapping_add(position(index) as u32),
            ack,
            flags: if ends_stream && index + 1 == count { ACK | PSH } else { ACK },
            offset: offset + position(index),
            len: (position(index + 1) - position(index)) as u16,
            sack: None,
        };

        let mut flight = Vec::with_capacity(count * 2);
        let mut receiver = Receiver { arrived: 0, expected: 0, unacknowledged: 0 };
        let reply_ns = self.delay_ns(side.other());
        let mut last_ack_ns = start_ns;
        for slot in 0..count {
            let at_ns = start_ns + slot as u64 * gap_ns;
            let index = match trouble {
                Trouble::Overtaken(index) if slot == index => index + 1,
                Trouble::Overtaken(index) if slot == index + 1 => index,
                _ => slot,
            };
            if trouble != Trouble::LostBeforeTap(index) {
                flight.push(segment(index, at_ns));
            }
            if trouble == Trouble::LostBeforeTap(index) || trouble == Trouble::LostAfterTap(index) {
                continue;
            }
            if let Some((next, sacked)) = receiver.take(index, count) {
                last_ack_ns = at_ns + reply_ns;
                flight.push(Segment {
                    at_ns: last_ack_ns,
                    side: side.other(),
                    seq: ack,
                    ack: base.wrapping_add(position(next) as u32),
                    flags: ACK,
                    offset: 0,
                    len: 0,
                    sack: sacked.map(|(from, until)| {
                        (base.wrapping_add(position(from) as u32), base.wrapping_add(position(until) as u32))
                    }),
                });
            }
        }
        if let Trouble::LostAfterTap(index) | Trouble::LostBeforeTap(index) = trouble {
            let again_ns = last_ack_ns + self.delay_ns(side);
            flight.push(segment(index, again_ns));
            last_ack_ns = again_ns + reply_ns;
            flight.push(Segment {
                at_ns: last_ack_ns,
                side: side.other(),
                seq: ack,
                ack: base.wrapping_add(bytes as u32),
                flags: ACK,
                offset: 0,
                len: 0,
                sack: None,
            });
        }
        flight.sort_by_key(|segment| segment.at_ns);
        self.clock_ns = flight.last().map_or(start_ns, |segment| segment.at_ns);
        if !ends_stream {
            self.clock_ns += self.delay_ns(side);
        }
        self.queue.extend(flight);
        bytes
    }

    fn draw_trouble(&mut self, count: usize) -> Trouble {
        if count < 4 || !self.rng.random_bool(self.settings.trouble.clamp(0.0, 1.0)) {
            return Trouble::None;
        }
        // Not the last: something must arrive after the hole for the receiver to notice it.
        let index = self.rng.random_range(0..count - 1);
        match self.rng.random_range(0..3) {
            0 => Trouble::LostAfterTap(index),
            1 => Trouble::LostBeforeTap(index),
            _ => Trouble::Overtaken(index),
        }
    }
}

impl Receiver {
    /// Takes segment `index` of `count`; what the acknowledgement says, if one is due: the next segment expected, and
    /// the run of segments beyond a hole (RFC 9293 3.8.6.3: every second segment, and at once when out of order).
    fn take(&mut self, index: usize, count: usize) -> Option<(usize, Option<(usize, usize)>)> {
        self.arrived |= 1 << index;
        if index != self.expected {
            self.unacknowledged = 0;
            let later = self.arrived >> (self.expected + 1);
            let from = self.expected + 1 + later.trailing_zeros() as usize;
            let until = from + (self.arrived >> from).trailing_ones() as usize;
            return Some((self.expected, Some((from, until))));
        }
        let before = self.expected;
        self.expected += (self.arrived >> self.expected).trailing_ones() as usize;
        self.unacknowledged += 1;
        let filled = self.expected > before + 1;
        if filled || self.unacknowledged == 2 || self.expected == count {
            self.unacknowledged = 0;
            return Some((self.expected, None));
        }
        None
    }
}
