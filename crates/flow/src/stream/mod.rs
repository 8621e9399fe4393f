//! One TCP connection: which segments count, and the data of both directions as its receivers get it.
//!
//! In: the segments of one flow, in the order they are seen, with their direction and packet time. Out: what each segment
//! was ([`Segment`]: accepted or not, [`StreamEvents`]), the connection's state, and for each direction the bytes in order
//! ([`Stream::take`]) and a window of them for signatures that look at raw data ([`Stream::raw`]).
//!
//! **When data is released.** A sensor that hands data on when it arrives must guess which of two overlapping segments
//! the receiver keeps, and whether it gets them at all. This one waits until the receiver acknowledges: then it is known
//! how far the receiver has the data, and what overlaps before that is decided by its [`OverlapPolicy`]. So data of one
//! direction is released by a segment of the other. What was released is final. `docs/adr/0006` has the reasons;
//! [`StreamConfig::inline`] is the other way. A RST releases what its sender sent, and [`Stream::flush`] the rest.
//!
//! **Gaps.** What the receiver acknowledged and the sensor did not see is waited for until data behind it has come; then
//! it is a [`Chunk::Gap`], as far as it is acknowledged.
//!
//! **Raw inspection** is due, for the direction of the segment in hand, when [`StreamConfig::raw_chunk_bytes`] new bytes are
//! released, when a FIN or RST of that direction is seen, after [`Stream::trigger_raw`] (an analyser's transaction is
//! complete), when the depth is reached, and at the end.
//!
//! The reference for what a segment means in which state is Suricata 7.0.10, as its rules document it and as it behaves.
//!
//! **Memory** is a record of fixed size, and a buffer for each direction that has data. Buffers are charged to the
//! caller's [`StreamBudget`]; [`Stream::close`] gives everything back.
//!
//! Rooms: `session` (a segment's way in), `handshake`, `established`, `closing`, `reset` (what it means in which state),
//! `side` (one end's numbers), `options`, `sequence`, `half` (one direction), `queue` (its bytes), `chunk` (what comes
//! out), `overlap`, `event`,
//! `config`.

mod chunk;
mod closing;
mod config;
mod established;
mod event;
mod half;
mod handshake;
mod options;
mod overlap;
mod queue;
mod repeated;
mod reset;
mod sequence;
mod session;
mod side;
#[cfg(test)]
mod tests;

use app::Direction;

use crate::tcp::TcpState;

pub use chunk::{Chunk, Raw, StreamLoss};
pub use config::{StreamBudget, StreamConfig};
pub use event::{NOT_RAISED, StreamEvent, StreamEvents};
pub use overlap::OverlapPolicy;

pub use session::{Outcome, Segment};

use half::Half;
use repeated::Alternatives;
use side::Side;

/// Picked up after its beginning.
const MIDSTREAM: u16 = 0x01;
/// Only one side is seen.
const ONE_SIDED: u16 = 0x02;
/// Both ends use timestamps.
const TIMESTAMPED: u16 = 0x04;
/// Both ends sent a SYN first (simultaneous open, split handshake).
const FOUR_WAY: u16 = 0x08;
/// The SYN asked for TCP Fast Open.
const FAST_OPEN: u16 = 0x10;
/// Picked up at data, so the window scales are not known.
const MIDSTREAM_DATA: u16 = 0x20;

/// One TCP connection.
#[derive(Default)]
pub struct Stream {
    /// The client and the server.
    sides: [Side; 2],
    /// What they send.
    halves: [Half; 2],
    /// Other SYNs or SYN+ACKs than the first, one of which may turn out to be the one that counts.
    alternatives: Option<Box<Alternatives>>,
    state: TcpState,
    flags: u16,
}

impl Stream {
    /// The next released bytes of a direction, or a gap; `None` when there is nothing more for now. Call it until then
    /// after each [`segment`](Self::segment) (data of either direction may be released) and after a
    /// [`flush`](Self::flush): what is not taken takes memory.
    #[inline]
    pub fn take(&mut self, direction: Direction) -> Option<Chunk<'_>> {
        self.half_mut(direction).take()
    }

    /// The window of released bytes that raw inspection is due for, if it is. Ask after the segments of this direction and
    /// after a [`flush`](Self::flush), in a loop with [`raw_inspected`](Self::raw_inspected): a gap cuts the window in
    /// two.
    #[inline]
    pub fn raw(&self, config: &StreamConfig, direction: Direction) -> Option<Raw<'_>> {
        self.half(direction).raw(config)
    }

    /// What [`raw`](Self::raw) returned has been inspected.
    pub fn raw_inspected(&mut self, direction: Direction) {
        self.half_mut(direction).raw_inspected();
    }

    /// Makes raw inspection of a direction due at once, however little there is: a transaction is complete. Of a
    /// connection of which one side is not seen, nobody has acknowledged that, and it is due when it ends.
    pub fn trigger_raw(&mut self, direction: Direction) {
        if self.flags & ONE_SIDED == 0 {
            self.half_mut(direction).trigger_raw();
        }
    }

    /// Both directions are reassembled to their end, whatever the configured depth: what they carry is of use however far
    /// in it is. A direction that has reached the depth already stays where it is.
    pub fn lift_depth(&mut self) {
        self.halves.iter_mut().for_each(Half::lift_depth);
    }

    /// Nobody looks at raw data of this direction: no window is kept.
    pub fn stop_raw(&mut self, budget: &mut StreamBudget, direction: Direction) {
        self.half_mut(direction).stop_raw(budget);
    }

    /// Somebody looks at raw data of this direction again: at what is released from now on.
    #[inline]
    pub fn resume_raw(&mut self, direction: Direction) {
        self.half_mut(direction).resume_raw();
    }

    /// The connection is over (its flow ended): releases what is left of a direction. [`take`](Self::take) then ends at
    /// the first hole that nobody acknowledged, while [`raw`](Self::raw) shows what lies behind it too. Of a connection of
    /// which one side is not seen, `take` gives everything.
    pub fn flush(&mut self, config: &StreamConfig, budget: &mut StreamBudget, direction: Direction) {
        let answered = self.flags & ONE_SIDED == 0;
        self.half_mut(direction).flush(config, budget, answered);
    }

    /// Nobody wants more payload of this direction. Its memory is given back, and its segments are not copied from now
    /// on; the connection's state is followed as before.
    pub fn stop(&mut self, budget: &mut StreamBudget, direction: Direction) {
        self.half_mut(direction).stop(budget);
    }

    /// Client and server were mistaken for each other: from now on directions are named the other way.
    pub const fn reverse(&mut self) {
        self.sides.swap(0, 1);
        self.halves.swap(0, 1);
    }

    /// Gives all memory back, before the stream is dropped.
    pub fn close(&mut self, budget: &mut StreamBudget) {
        for half in &mut self.halves {
            half.free(budget);
        }
    }

    /// Whether payload of this direction is queued no more: [`stop`](Self::stop) was called, or the depth is reached and
    /// everything was taken and inspected.
    pub const fn is_stopped(&self, direction: Direction) -> bool {
        self.half(direction).is_stopped()
    }

    /// What is still here of the released data of this direction if bytes of it are missing, up to `bytes_max` bytes, with
    /// `[4 bytes missing]` in their place; `None` if none are. It is for people to read, and copied.
    pub fn with_gaps(
        &self,
        config: &StreamConfig,
        direction: Direction,
        bytes_max: usize,
    ) -> Option<Vec<u8>> {
        self.half(direction).with_gaps(config, bytes_max)
    }

    /// Whether as much data as [`StreamConfig::depth_bytes`] came in this direction.
    pub const fn depth_reached(&self, direction: Direction) -> bool {
        self.half(direction).depth_reached()
    }

    /// Whether data of this direction was lost: EVE's `tc_gap`, `ts_gap`.
    pub const fn has_gap(&self, direction: Direction) -> bool {
        self.half(direction).has_gap()
    }

    /// The connection's state, as EVE names it.
    pub const fn state(&self) -> TcpState {
        self.state
    }

    /// Whether the handshake is complete, or the connection was picked up after it; also while it is being closed.
    pub const fn is_established(&self) -> bool {
        !matches!(self.state, TcpState::None | TcpState::SynSent | TcpState::SynRecv)
    }

    /// Whether only one side of the connection is seen.
    pub const fn is_one_sided(&self) -> bool {
        self.flags & ONE_SIDED != 0
    }

    /// Whether the connection's beginning was not seen.
    pub const fn is_midstream(&self) -> bool {
        self.flags & MIDSTREAM != 0
    }

    /// Whether the sender of this direction has said that nothing more will come (FIN or RST).
    pub const fn has_ended(&self, direction: Direction) -> bool {
        self.side(direction).tcp_flags & (crate::tcp::FIN | crate::tcp::RST) != 0
    }

    /// Bytes of sequence space that this direction has used, SYN and FIN among them: what `stream_size` compares. Goes
    /// round at 4 GiB as sequence numbers do.
    pub const fn size(&self, direction: Direction) -> u32 {
        let side = self.side(direction);
        side.next_seq.wrapping_sub(side.isn)
    }

    /// The initial sequence number of this direction's sender.
    pub const fn initial_sequence(&self, direction: Direction) -> u32 {
        self.side(direction).isn
    }

    const fn side(&self, direction: Direction) -> &Side {
        let [client, server] = &self.sides;
        match direction {
            Direction::ToServer => client,
            Direction::ToClient => server,
        }
    }

    const fn half(&self, direction: Direction) -> &Half {
        let [client, server] = &self.halves;
        match direction {
            Direction::ToServer => client,
            Direction::ToClient => server,
        }
    }

    const fn half_mut(&mut self, direction: Direction) -> &mut Half {
        let [client, server] = &mut self.halves;
        match direction {
            Direction::ToServer => client,
            Direction::ToClient => server,
        }
    }
}
