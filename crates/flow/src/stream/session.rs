//! A segment's way in: what is the same in every state.

use app::Direction;
use wire::Tcp;

use super::chunk::StreamLoss;
use super::config::{StreamBudget, StreamConfig};
use super::event::{StreamEvent, StreamEvents};
use super::options::Options;
use super::sequence::{after, before};
use super::side::{DOUBTFUL_RESET, KEEP_ALIVE, Side, TIMESTAMP_ZERO, TIMESTAMPS};
use super::{ONE_SIDED, Stream, TIMESTAMPED};
use crate::tcp::{ACK, FIN, RST, SYN, TcpState};

/// What a segment did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Outcome {
    /// It belongs to the connection and counts.
    #[default]
    Accepted,
    /// It belongs to the connection and says nothing new: a keep-alive or its answer, a late duplicate.
    Ignored,
    /// No host would believe it; it changed nothing. [`Segment::events`] says why.
    Invalid,
    /// There is no connection that it could belong to, and it begins none.
    NoSession,
}

/// What is to be known of a segment after [`Stream::segment`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Segment {
    /// What it did.
    pub outcome: Outcome,
    /// The connection was established before this segment: the rule language's `flow:established`. The acknowledgement
    /// that completes the handshake does not have it yet.
    pub was_established: bool,
    /// Its payload became part of the stream, so rules look at it there and not in the packet.
    pub queued: bool,
    /// What is worth telling.
    pub events: StreamEvents,
    /// Why its payload, or a part of it, was not queued.
    pub lost: Option<StreamLoss>,
}

/// The segment in hand.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) tcp: Tcp,
    pub(super) options: Options,
    pub(super) payload: &'a [u8],
    /// Index of its sender.
    pub(super) own: usize,
    /// Packet time in seconds.
    pub(super) now_s: u32,
}

impl Input<'_> {
    #[inline]
    pub(super) const fn has(&self, flags: u8) -> bool {
        self.tcp.flags & flags != 0
    }

    #[inline]
    pub(super) const fn payload_len(&self) -> u32 {
        self.payload.len() as u32
    }

    /// Sequence number behind the payload; SYN and FIN do not count.
    #[inline]
    pub(super) const fn end(&self) -> u32 {
        self.tcp.seq.wrapping_add(self.payload_len())
    }

    pub(super) const fn by_server(&self) -> bool {
        self.own == 1
    }
}

/// What a state makes of a segment.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// It counts: acknowledge, queue, release.
    Deliver,
    /// It probes a closed window: its data counts, its acknowledgement does not.
    Probe,
    /// It counts, but not as a carrier of data.
    Accept,
    Ignore,
    Invalid,
    NoSession,
}

/// Packet time after which a timestamp that stood still is believed to have wrapped: 24 days (RFC 7323, 5.5).
const TIMESTAMP_IDLE_S: u32 = 24 * 24 * 3600;

impl Stream {
    /// Takes one segment of the connection. `header` is the TCP header with its options, `payload` what follows it,
    /// `direction` who sent it to whom, `time_us` its packet time in microseconds.
    ///
    /// Cost: the usual segment of an established connection is a few dozen comparisons and the copy of its payload; it
    /// allocates nothing once the direction's buffer has its size.
    #[allow(clippy::too_many_arguments, reason = "what a segment is has these parts")]
    #[inline]
    pub fn segment(
        &mut self,
        config: &StreamConfig,
        budget: &mut StreamBudget,
        tcp: &Tcp,
        header: &[u8],
        direction: Direction,
        payload: &[u8],
        time_us: u64,
    ) -> Segment {
        let input = Input {
            tcp: *tcp,
            options: Options::read(header),
            payload,
            own: direction.index(),
            now_s: (time_us / 1_000_000) as u32,
        };
        let mut segment = Segment { was_established: self.is_established(), ..Segment::default() };
        let events = &mut segment.events;
        if tcp.ack != 0 && !input.has(ACK) {
            events.add(StreamEvent::PacketBrokenAck);
        }
        let decision = if self.is_usual(&input) {
            self.established_data(&input, events)
        } else {
            self.decide(config, &input, events)
        };
        segment.outcome = match decision {
            Decision::Deliver | Decision::Probe | Decision::Accept => {
                if let Some(side) = self.sides.get_mut(input.own) {
                    side.tcp_flags |= tcp.flags;
                }
                Outcome::Accepted
            }
            Decision::Ignore => Outcome::Ignored,
            Decision::Invalid => Outcome::Invalid,
            Decision::NoSession => Outcome::NoSession,
        };
        let [to_server, to_client] = &mut self.halves;
        let own = if input.by_server() { to_client } else { to_server };
        let accepted = segment.outcome == Outcome::Accepted;
        own.set_ending(accepted && self.state.is_ending());
        if matches!(decision, Decision::Deliver | Decision::Probe) {
            self.deliver(config, budget, &input, decision, &mut segment);
        }
        segment
    }

    /// Whether the segment goes on where its sender was and acknowledges what was sent: the usual one.
    #[inline]
    fn is_usual(&self, input: &Input<'_>) -> bool {
        let [client, server] = &self.sides;
        let (own, peer) = if input.by_server() { (server, client) } else { (client, server) };
        self.state == TcpState::Established
            && input.tcp.flags & (SYN | FIN | RST | ACK) == ACK
            && input.tcp.seq == own.next_seq
            && peer.flags & KEEP_ALIVE == 0
            && own.flags & DOUBTFUL_RESET == 0
            && !before(input.tcp.ack, peer.last_ack)
            && !after(own.last_ack, own.next_seq)
    }

    /// Any other segment.
    #[inline(never)]
    fn decide(&mut self, config: &StreamConfig, input: &Input<'_>, events: &mut StreamEvents) -> Decision {
        if self.state == TcpState::None {
            return self.first(config, input, events);
        }
        if let Some(decision) = self.unusual(input, events) {
            return decision;
        }
        if input.has(FIN) && input.has(SYN) {
            events.add(StreamEvent::FinSyn);
            return Decision::Ignore;
        }
        match self.state {
            TcpState::None | TcpState::SynSent => self.syn_sent(config, input, events),
            TcpState::SynRecv => self.syn_received(config, input, events),
            TcpState::Established => self.established(config, input, events),
            TcpState::Closed => self.closed(input),
            _ => self.closing(config, input, events),
        }
    }

    /// Segments that mean the same in every state: keep-alives and their answers, late duplicates.
    fn unusual(&mut self, input: &Input<'_>, events: &mut StreamEvents) -> Option<Decision> {
        let established = self.is_established();
        let (own, peer) = self.ends(input);
        let plain = !input.has(SYN | FIN | RST) && input.has(ACK);
        if own.has(DOUBTFUL_RESET) && !input.has(RST) {
            own.flags &= !DOUBTFUL_RESET;
            events.add(StreamEvent::SuspectedRstInjection);
        }
        let tcp = &input.tcp;
        // RFC 9293, 3.8.4: the byte before the next one, with or without it.
        let open = plain && established && own.tcp_flags & FIN == 0;
        let at_keep_alive = open && own.next_seq.wrapping_sub(1) == tcp.seq;
        let says_nothing = !after(tcp.ack, peer.last_ack) && input.payload.is_empty();
        if at_keep_alive && (says_nothing || tcp.ack == peer.last_ack && input.payload_len() == 1) {
            own.flags |= KEEP_ALIVE;
            return Some(Decision::Ignore);
        }
        // An acknowledgement that was overtaken by a later one.
        let overtaken = before(tcp.ack, peer.last_ack) && tcp.seq == own.next_seq;
        if plain && established && input.payload.is_empty() && overtaken {
            return Some(Decision::Ignore);
        }
        if plain && input.payload.is_empty() && peer.has(KEEP_ALIVE) {
            peer.flags &= !KEEP_ALIVE;
            if tcp.ack == peer.last_ack && tcp.seq == own.next_seq && scaled(tcp.window, peer) == peer.window
            {
                return Some(Decision::Ignore);
            }
        }
        peer.flags &= !KEEP_ALIVE;
        if plain && input.payload.is_empty() && established {
            // What went before it was missed in both directions: its smaller window is for what was not seen.
            let shrinks = peer.window.saturating_sub(scaled(tcp.window, peer));
            let missed = tcp.ack.wrapping_sub(peer.next_seq);
            if after(tcp.ack, peer.next_seq) && after(tcp.seq, own.next_seq) && shrinks > missed {
                events.add(StreamEvent::PacketBadWindowUpdate);
                return Some(Decision::Ignore);
            }
        }
        if !input.payload.is_empty() && !after(input.end(), own.last_ack) {
            events.add(StreamEvent::PacketSpuriousRetransmission);
        }
        None
    }

    /// Sender and receiver of the segment.
    pub(super) fn ends(&mut self, input: &Input<'_>) -> (&mut Side, &mut Side) {
        let [client, server] = &mut self.sides;
        if input.by_server() { (server, client) } else { (client, server) }
    }

    /// Releases what the segment acknowledges, queues what it carries, and releases that if it is the sender's last.
    #[inline]
    fn deliver(
        &mut self,
        config: &StreamConfig,
        budget: &mut StreamBudget,
        input: &Input<'_>,
        decision: Decision,
        segment: &mut Segment,
    ) {
        let [client, server] = &self.sides;
        let [to_server, to_client] = &mut self.halves;
        let (own_side, peer_side, own, peer) = if input.by_server() {
            (server, client, to_client, to_server)
        } else {
            (client, server, to_server, to_client)
        };
        if decision == Decision::Deliver && (input.has(ACK) || self.flags & ONE_SIDED != 0) {
            let position = position(peer_side, peer.reference(), peer_side.last_ack);
            peer.acknowledge(config, budget, &mut segment.events, position.max(0).cast_unsigned());
        }
        if input.has(RST) {
            // What a RST carries is no data (RFC 9293, 3.10.7.4); what came before it was sent.
            own.release_arrived(config, budget, &mut segment.events);
            return;
        }
        if !input.payload.is_empty() {
            // A SYN takes the number before its data.
            let seq = input.tcp.seq.wrapping_add(u32::from(input.has(SYN)));
            let offset = position(own_side, own.reference(), seq);
            let queued = own.insert(config, budget, &mut segment.events, offset, input.payload);
            segment.queued = queued.added;
            segment.lost = queued.lost;
            if config.inline || self.flags & ONE_SIDED != 0 {
                own.release_arrived(config, budget, &mut segment.events);
            }
        }
    }

    /// Whether the segment's timestamp is newer than the last (RFC 7323, 5); without timestamps it is.
    #[inline]
    pub(super) fn timestamp_is_valid(&mut self, input: &Input<'_>, events: &mut StreamEvents) -> bool {
        if self.flags & TIMESTAMPED == 0 {
            return true;
        }
        let Some(timestamp) = input.options.timestamp else { return true };
        let (own, _) = self.ends(input);
        if !own.has(TIMESTAMPS) {
            return true;
        }
        if own.has(TIMESTAMP_ZERO) {
            return true;
        }
        let idle_s = input.now_s.wrapping_sub(own.timestamp_s);
        // One step back is what reordering within a clock's tick looks like.
        if before(timestamp.value.wrapping_add(1), own.timestamp) && idle_s <= TIMESTAMP_IDLE_S {
            events.add(StreamEvent::PacketInvalidTimestamp);
            return false;
        }
        true
    }

    /// Remembers the timestamp of an acknowledgement without data. Data may be reordered and repeated by the network, with
    /// older timestamps than what it follows; what its receiver would refuse for that is sent again.
    #[inline]
    pub(super) fn remember_timestamp(&mut self, input: &Input<'_>) {
        if !input.payload.is_empty() {
            return;
        }
        let Some(timestamp) = input.options.timestamp else { return };
        let (own, _) = self.ends(input);
        if !own.has(TIMESTAMPS) || input.tcp.seq != own.next_seq {
            return;
        }
        if own.has(TIMESTAMP_ZERO) {
            own.flags &= !TIMESTAMP_ZERO;
            own.timestamp = timestamp.value;
        }
        if !before(timestamp.value, own.timestamp) {
            own.timestamp = timestamp.value;
            own.timestamp_s = input.now_s;
        }
    }
}

/// The window of a segment, as large as it is meant; `limited` is the side that it limits.
#[inline]
pub(super) const fn scaled(window: u16, limited: &Side) -> u32 {
    (window as u32) << limited.scale
}

/// Where a sequence number lies in its direction's stream, which may be before its beginning.
#[inline]
fn position(side: &Side, reference: u64, seq: u32) -> i64 {
    let at_reference = side.isn.wrapping_add(1).wrapping_add(reference as u32);
    reference.cast_signed() + i64::from(seq.wrapping_sub(at_reference).cast_signed())
}
