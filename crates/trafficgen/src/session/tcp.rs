//! One TCP connection, from the SYN to its end (RFC 9293, RFC 7323, RFC 2018).
//!
//! The tap is near the client, so an answer of the server passes it one round trip after what it answers. A sender's
//! window grows from ten segments as in slow start; now and then a segment is lost on either side of the tap or
//! overtaken, and the receiver says so with duplicate acknowledgements and SACK blocks.

use std::collections::VecDeque;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::frame::{self, Route, TcpHeader};
use super::stream::Stream;
use super::{Side, Sides};

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const PSH: u8 = 0x08;
pub(crate) const ACK: u8 = 0x10;

/// Segments of the first flight (RFC 6928).
const WINDOW_INITIAL: usize = 10;

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Close {
    /// FIN from that side, FIN from the other, last ACK.
    Fin(Side),
    /// RST from that side.
    Reset(Side),
    /// It is still open when the trace ends.
    Open,
}

/// What a connection is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpSettings {
    /// From the client to the server.
    pub(crate) route: Route,
    pub(crate) client_port: u16,
    pub(crate) server_port: u16,
    /// From the tap to the server and back.
    pub(crate) rtt_ns: u64,
    /// Between two segments of a flight: the slowest link's serialization delay.
    pub(crate) gap_ns: u64,
    /// Share of flights in which something goes wrong, from 0 to 1.
    pub(crate) trouble: f64,
}

/// One thing that happens after the handshake.
#[derive(Debug)]
enum Step {
    Send { side: Side, stream: Stream, think_ns: u64 },
    Close { close: Close, think_ns: u64 },
}

/// A packet that is planned but not built.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) at_ns: u64,
    pub(super) side: Side,
    pub(super) seq: u32,
    pub(super) ack: u32,
    pub(super) flags: u8,
    /// Position of the payload in the stream being sent.
    pub(super) offset: u64,
    pub(super) len: u16,
    /// Bytes received out of order.
    pub(super) sack: Option<(u32, u32)>,
}

/// What each end keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) next_seq: u32,
    /// Segments it may have in flight.
    pub(super) window_segments: usize,
    ip_id: u16,
    window: u16,
    timestamp_base: u32,
    /// The last timestamp value it sent, which the other end echoes.
    timestamp_last: u32,
}

/// A TCP connection that hands out its packets in order of time.
#[derive(Debug)]
pub(crate) struct TcpSession {
    pub(super) settings: TcpSettings,
    pub(super) rng: ChaCha8Rng,
    pub(super) ends: Sides<End>,
    pub(super) mss: u16,
    timestamps: bool,
    windows_like: bool,
    steps: VecDeque<Step>,
    /// The stream being sent, by whom, and how much of it is planned.
    sending: Option<(Side, Stream, u64)>,
    /// Packets of the present flight, soonest first; never more than a flight and its acknowledgements.
    pub(super) queue: VecDeque<Segment>,
    /// When the last planned packet passes the tap.
    pub(super) clock_ns: u64,
}

impl TcpSession {
    /// A connection whose SYN passes the tap at `start_ns`.
    pub(crate) fn new(settings: TcpSettings, start_ns: u64, mut rng: ChaCha8Rng) -> Self {
        let timestamps = rng.random_bool(0.7);
        let windows_like = !timestamps;
        let mss: u16 = if settings.route.is_ipv6() { 1440 } else { 1460 };
        let mut end = || End {
            next_seq: rng.random(),
            window_segments: WINDOW_INITIAL,
            ip_id: rng.random(),
            // Scaled by 2^7 this is 128 to 256 KiB, more than the largest flight.
            window: rng.random_range(1024..=2048),
            timestamp_base: rng.random(),
            timestamp_last: 0,
        };
        let ends = Sides { client: end(), server: end() };
        let mut session = Self {
            settings,
            rng,
            ends,
            mss: if timestamps { mss - 12 } else { mss },
            timestamps,
            windows_like,
            steps: VecDeque::new(),
            sending: None,
            queue: VecDeque::new(),
            clock_ns: start_ns,
        };
        session.plan_handshake();
        session
    }

    /// Then `side` sends `stream`, `think_ns` after it has what came before.
    pub(crate) fn send(&mut self, side: Side, stream: Stream, think_ns: u64) {
        self.steps.push_back(Step::Send { side, stream, think_ns });
    }

    /// Then the connection ends.
    pub(crate) fn close(&mut self, close: Close, think_ns: u64) {
        self.steps.push_back(Step::Close { close, think_ns });
    }

    /// When the next packet passes the tap.
    pub(crate) fn next_at(&mut self) -> Option<u64> {
        while self.queue.is_empty() {
            if !self.plan_next() {
                return None;
            }
        }
        self.queue.front().map(|segment| segment.at_ns)
    }

    /// Builds the next packet into `frame`; false when there is none.
    pub(crate) fn emit(&mut self, frame: &mut Vec<u8>) -> bool {
        if self.next_at().is_none() {
            return false;
        }
        let Some(segment) = self.queue.pop_front() else { return false };
        let (mut options, mut options_len) = ([0; 40], 0);
        let mut add = |bytes: &[u8]| {
            if let Some(slot) = options.get_mut(options_len..options_len + bytes.len()) {
                slot.copy_from_slice(bytes);
                options_len += bytes.len();
            }
        };
        let stamp = self.timestamp(&segment);
        if segment.flags & SYN != 0 {
            let mss = if self.settings.route.is_ipv6() { 1440_u16 } else { 1460 }.to_be_bytes();
            add(&[2, 4, mss[0], mss[1]]);
            if self.windows_like {
                add(&[1, 3, 3, 7, 1, 1, 4, 2]);
            } else {
                add(&[4, 2]);
                add(&stamp);
                add(&[1, 3, 3, 7]);
            }
        } else {
            if self.timestamps {
                add(&[1, 1]);
                add(&stamp);
            }
            if let Some((from, until)) = segment.sack {
                add(&[1, 1, 5, 10]);
                add(&from.to_be_bytes());
                add(&until.to_be_bytes());
            }
        }
        let settings = &self.settings;
        let (route, src_port, dst_port) = match segment.side {
            Side::Client => (settings.route, settings.client_port, settings.server_port),
            Side::Server => (settings.route.reversed(), settings.server_port, settings.client_port),
        };
        let end = self.ends.get_mut(segment.side);
        end.ip_id = end.ip_id.wrapping_add(1);
        let window = match segment.flags {
            // Never scaled in a SYN (RFC 7323 2.2).
            flags if flags & SYN != 0 => 64_240,
            flags if flags & RST != 0 => 0,
            _ => end.window,
        };
        let Segment { seq, ack, flags, offset, len, .. } = segment;
        let header = TcpHeader { src_port, dst_port, seq, ack, flags, window };
        let stream = self.sending.as_ref().map(|(_, stream, _)| stream);
        let options = options.get(..options_len).unwrap_or_default();
        frame::tcp(frame, &route, end.ip_id, &header, options, usize::from(len), |frame| {
            if let Some(stream) = stream {
                stream.copy(offset, u64::from(len), frame);
            }
        });
        true
    }

    /// The timestamp option without padding; of no use when the connection does without.
    fn timestamp(&mut self, segment: &Segment) -> [u8; 10] {
        let echo =
            if segment.flags & ACK == 0 { 0 } else { self.ends.get(segment.side.other()).timestamp_last };
        let end = self.ends.get_mut(segment.side);
        let value = end.timestamp_base.wrapping_add((segment.at_ns / 1_000_000) as u32);
        end.timestamp_last = value;
        let mut option = [8, 10, 0, 0, 0, 0, 0, 0, 0, 0];
        let (_, values) = option.split_at_mut(2);
        values.copy_from_slice(&(u64::from(value) << 32 | u64::from(echo)).to_be_bytes());
        option
    }

    /// From the tap to that end and back.
    pub(super) const fn delay_ns(&self, side: Side) -> u64 {
        match side {
            Side::Client => 80_000,
            Side::Server => self.settings.rtt_ns,
        }
    }

    /// Plans a packet without payload from `side`, `after_ns` after the last planned one.
    fn plan_control(&mut self, side: Side, flags: u8, after_ns: u64) {
        self.clock_ns += after_ns;
        let ack = if flags & ACK == 0 { 0 } else { self.ends.get(side.other()).next_seq };
        let end = self.ends.get_mut(side);
        let seq = end.next_seq;
        if flags & (SYN | FIN) != 0 {
            end.next_seq = seq.wrapping_add(1);
        }
        let at_ns = self.clock_ns;
        self.queue.push_back(Segment { at_ns, side, seq, ack, flags, offset: 0, len: 0, sack: None });
    }

    fn plan_handshake(&mut self) {
        self.plan_control(Side::Client, SYN, 0);
        // A lost SYN comes again after a second (RFC 6298).
        if self.rng.random_bool((self.settings.trouble / 4.0).clamp(0.0, 1.0))
            && let Some(first) = self.queue.front().copied()
        {
            self.clock_ns += 1_000_000_000;
            self.queue.push_back(Segment { at_ns: self.clock_ns, ..first });
        }
        self.plan_control(Side::Server, SYN | ACK, self.delay_ns(Side::Server));
        self.plan_control(Side::Client, ACK, self.delay_ns(Side::Client));
    }

    /// Plans the next flight or the next step; false when the connection is over.
    fn plan_next(&mut self) -> bool {
        if let Some((side, stream, planned)) = &self.sending {
            let (side, planned, left) = (*side, *planned, stream.len() - *planned);
            if left > 0 {
                let count = self.plan_flight(side, planned, left);
                if let Some((_, _, planned)) = &mut self.sending {
                    *planned += count;
                }
                return true;
            }
            self.sending = None;
        }
        match self.steps.pop_front() {
            None => return false,
            Some(Step::Send { side, stream, think_ns }) => {
                self.clock_ns += think_ns + self.delay_ns(side);
                self.sending = Some((side, stream, 0));
            }
            Some(Step::Close { close, think_ns }) => {
                self.clock_ns += think_ns;
                self.plan_close(close);
                // Nothing is said after the end.
                self.steps.clear();
            }
        }
        true
    }

    fn plan_close(&mut self, close: Close) {
        match close {
            Close::Open => {}
            Close::Reset(side) => self.plan_control(side, RST | ACK, self.delay_ns(side)),
            Close::Fin(side) => {
                let other = side.other();
                self.plan_control(side, FIN | ACK, self.delay_ns(side));
                if self.rng.random_bool(0.5) {
                    self.plan_control(other, ACK, self.delay_ns(other));
                    self.plan_control(other, FIN | ACK, 40_000);
                } else {
                    self.plan_control(other, FIN | ACK, self.delay_ns(other));
                }
                self.plan_control(side, ACK, self.delay_ns(side));
            }
        }
    }
}
