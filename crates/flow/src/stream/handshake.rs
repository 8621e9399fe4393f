//! How a connection begins (RFC 9293, 3.5): the three-way handshake with all that may be repeated, lost or forged in it,
//! simultaneous open and split handshake, TCP Fast Open (RFC 7413), and connections whose beginning was not seen.

use super::config::StreamConfig;
use super::event::{StreamEvent, StreamEvents};
use super::options::Options;
use super::repeated::Alternative;
use super::sequence::{after, before};
use super::session::{Decision, Input, scaled};
use super::side::{SCALE_OFFERED, TIMESTAMP_ZERO, TIMESTAMPS, TIMESTAMPS_OFFERED};
use super::{FAST_OPEN, FOUR_WAY, MIDSTREAM, MIDSTREAM_DATA, ONE_SIDED, Stream, TIMESTAMPED};
use crate::tcp::{ACK, FIN, RST, SYN, TcpState};

/// The window scale that is taken for granted when the handshake was not seen: the largest there is (RFC 7323, 2.3).
const MIDSTREAM_SCALE: u8 = 14;

impl Stream {
    /// A segment when nothing is known.
    pub(super) fn first(
        &mut self,
        config: &StreamConfig,
        input: &Input<'_>,
        events: &mut StreamEvents,
    ) -> Decision {
        if input.has(RST) {
            events.add(StreamEvent::RstWithoutSession);
            return Decision::NoSession;
        }
        if input.has(FIN) {
            events.add(StreamEvent::FinWithoutSession);
            return Decision::NoSession;
        }
        if input.has(SYN) && input.has(ACK) {
            return self.first_syn_ack(config, input);
        }
        if input.has(SYN) {
            self.state = TcpState::SynSent;
            self.open(input.tcp.seq, input.tcp.window, input.options, input.own, input.now_s);
            if input.options.fast_open {
                self.flags |= FAST_OPEN;
                let (own, _) = self.ends(input);
                own.next_seq = own.next_seq.wrapping_add(input.payload_len());
                return Decision::Deliver;
            }
            return Decision::Accept;
        }
        if input.has(ACK) && config.midstream {
            return self.first_data(config, input);
        }
        Decision::NoSession
    }

    /// The first SYN of an end.
    pub(super) fn open(&mut self, seq: u32, window: u16, options: Options, own: usize, now_s: u32) {
        let [client, server] = &mut self.sides;
        let (own, peer) = if own == 1 { (server, client) } else { (client, server) };
        own.synchronize(seq);
        own.flags &= !(TIMESTAMPS | TIMESTAMP_ZERO | TIMESTAMPS_OFFERED | SCALE_OFFERED);
        if let Some(timestamp) = options.timestamp {
            own.flags |= TIMESTAMPS_OFFERED;
            own.timestamp = timestamp.value;
            own.timestamp_s = now_s;
            if timestamp.value == 0 {
                own.flags |= TIMESTAMP_ZERO;
            }
        }
        peer.scale = 0;
        if let Some(scale) = options.window_scale {
            own.flags |= SCALE_OFFERED;
            peer.scale = scale;
        }
        // The window of a SYN is never scaled (RFC 7323, 2.2).
        peer.window = u32::from(window);
    }

    /// Both SYNs are known: what only one end offered is not used.
    fn negotiate(&mut self) {
        let [client, server] = &mut self.sides;
        if client.has(TIMESTAMPS_OFFERED) && server.has(TIMESTAMPS_OFFERED) {
            self.flags |= TIMESTAMPED;
            client.flags |= TIMESTAMPS;
            server.flags |= TIMESTAMPS;
        }
        if !(client.has(SCALE_OFFERED) && server.has(SCALE_OFFERED)) {
            (client.scale, server.scale) = (0, 0);
        }
    }

    /// A SYN+ACK whose SYN was not seen.
    fn first_syn_ack(&mut self, config: &StreamConfig, input: &Input<'_>) -> Decision {
        if !config.midstream && !config.async_oneside {
            return Decision::NoSession;
        }
        self.flags |= MIDSTREAM;
        self.state = TcpState::SynRecv;
        self.open(input.tcp.seq, input.tcp.window, input.options, input.own, input.now_s);
        let (own, peer) = self.ends(input);
        own.last_ack = own.isn;
        own.next_win = own.last_ack;
        peer.isn = input.tcp.ack.wrapping_sub(1);
        peer.next_seq = input.tcp.ack;
        peer.last_ack = input.tcp.ack;
        peer.open_window();
        // The client's SYN is taken to have offered what the answer accepts.
        if own.has(SCALE_OFFERED) {
            own.scale = MIDSTREAM_SCALE;
        }
        if own.has(TIMESTAMPS_OFFERED) {
            own.flags |= TIMESTAMPS;
            if let Some(timestamp) = input.options.timestamp {
                peer.timestamp = timestamp.echo;
                peer.flags |= TIMESTAMPS;
                if timestamp.echo == 0 {
                    peer.flags |= TIMESTAMP_ZERO;
                }
            }
            peer.timestamp_s = input.now_s;
            self.flags |= TIMESTAMPED;
        }
        Decision::Accept
    }

    /// A segment from the middle of a connection.
    fn first_data(&mut self, config: &StreamConfig, input: &Input<'_>) -> Decision {
        self.flags |= MIDSTREAM | MIDSTREAM_DATA;
        if config.async_oneside {
            self.flags |= ONE_SIDED;
        }
        self.state = TcpState::Established;
        let tcp = input.tcp;
        let (own, peer) = self.ends(input);
        own.isn = tcp.seq.wrapping_sub(1);
        own.next_seq = input.end();
        own.last_ack = tcp.seq;
        own.scale = MIDSTREAM_SCALE;
        own.next_win = own.last_ack;
        peer.scale = MIDSTREAM_SCALE;
        peer.isn = tcp.ack.wrapping_sub(1);
        peer.next_seq = tcp.ack;
        peer.last_ack = tcp.ack;
        peer.window = scaled(tcp.window, peer);
        peer.open_window();
        if let Some(timestamp) = input.options.timestamp {
            own.flags |= TIMESTAMPS;
            own.timestamp = timestamp.value;
            own.timestamp_s = input.now_s;
            peer.flags |= TIMESTAMPS;
            peer.timestamp = timestamp.echo;
            peer.timestamp_s = input.now_s;
            if timestamp.value == 0 {
                own.flags |= TIMESTAMP_ZERO;
            }
            if timestamp.echo == 0 {
                peer.flags |= TIMESTAMP_ZERO;
            }
            self.flags |= TIMESTAMPED;
        }
        Decision::Deliver
    }

    /// The client's SYN was seen.
    pub(super) fn syn_sent(
        &mut self,
        config: &StreamConfig,
        input: &Input<'_>,
        events: &mut StreamEvents,
    ) -> Decision {
        if input.by_server() && !self.choose_syn(input) {
            events.add(StreamEvent::PacketInvalidTimestamp);
            return Decision::Invalid;
        }
        if input.has(RST) {
            return self.reset_in_handshake(config, input, events);
        }
        if input.has(FIN) {
            return Decision::Ignore;
        }
        if input.has(SYN) && input.has(ACK) {
            return self.answer(input, events);
        }
        if input.has(SYN) {
            if input.by_server() {
                // It opens too, or splits its handshake.
                self.flags |= FOUR_WAY;
                self.open(input.tcp.seq, input.tcp.window, input.options, input.own, input.now_s);
                let (own, _) = self.ends(input);
                own.last_ack = own.next_seq;
                return Decision::Accept;
            }
            // The first SYN is the one that counts, unless the answer says otherwise.
            if !self.remember_syn(config, input) {
                events.add(StreamEvent::HandshakeSynFlood);
            }
            return Decision::Accept;
        }
        if input.has(ACK) && config.async_oneside && !input.by_server() {
            return self.one_sided(input, events);
        }
        Decision::Ignore
    }

    /// A SYN+ACK, when only SYNs were seen.
    fn answer(&mut self, input: &Input<'_>, events: &mut StreamEvents) -> Decision {
        let tcp = input.tcp;
        if self.flags & FOUR_WAY != 0 && !input.by_server() {
            let (own, peer) = self.ends(input);
            if tcp.ack != peer.isn.wrapping_add(1) {
                events.add(StreamEvent::SimultaneousSynAckWrongAck);
                return Decision::Invalid;
            }
            if tcp.seq != own.isn {
                events.add(StreamEvent::SimultaneousSynAckWrongSyn);
                return Decision::Invalid;
            }
            own.last_ack = own.isn;
            own.open_window();
            peer.window = u32::from(tcp.window);
            peer.last_ack = tcp.ack;
            peer.open_window();
            self.negotiate();
            self.state = TcpState::SynRecv;
            return Decision::Accept;
        }
        if !input.by_server() {
            events.add(StreamEvent::HandshakeSynAckInWrongDirection);
            return Decision::Invalid;
        }
        let fast_open = self.flags & FAST_OPEN != 0;
        let (_, peer) = self.ends(input);
        let opened = peer.isn.wrapping_add(1);
        if fast_open && tcp.ack == opened && peer.next_seq != opened {
            // The server knows Fast Open or does not: the data will be sent again.
            events.add(StreamEvent::HandshakeSynAckIgnoredFastOpenData);
            peer.next_seq = opened;
        } else if tcp.ack != opened && !(fast_open && tcp.ack == peer.next_seq) {
            events.add(StreamEvent::HandshakeSynAckWrongAck);
            return Decision::Invalid;
        }
        self.accept_answer(Alternative::of(input), input.own);
        Decision::Accept
    }

    /// The server's SYN+ACK counts.
    fn accept_answer(&mut self, answer: Alternative, own: usize) {
        self.alternatives = None;
        self.flags &= !TIMESTAMPED;
        let [client, server] = &self.sides;
        let (own_scale, offered_scale) = if own == 1 {
            (server.scale, client.has(SCALE_OFFERED))
        } else {
            (client.scale, server.has(SCALE_OFFERED))
        };
        self.open(answer.seq, answer.window, answer.options, own, answer.now_s);
        let [client, server] = &mut self.sides;
        let (own, peer) = if own == 1 { (server, client) } else { (client, server) };
        own.scale = if offered_scale { own_scale } else { 0 };
        peer.last_ack = answer.ack;
        peer.open_window();
        // Nothing of the server's is acknowledged, and the window for it is that of the client's SYN.
        own.last_ack = own.isn;
        own.open_window();
        self.state = TcpState::SynRecv;
        self.negotiate();
    }

    /// The client goes on after its SYN, and nothing is seen of the server.
    fn one_sided(&mut self, input: &Input<'_>, events: &mut StreamEvents) -> Decision {
        let tcp = input.tcp;
        let (own, peer) = self.ends(input);
        if tcp.seq != own.next_seq {
            events.add(StreamEvent::HandshakeAsyncWrongSeq);
            return Decision::Invalid;
        }
        own.last_ack = tcp.seq;
        own.next_seq = input.end();
        own.next_win = own.last_ack.wrapping_add(own.window);
        peer.isn = tcp.ack.wrapping_sub(1);
        peer.next_seq = tcp.ack;
        peer.last_ack = tcp.ack;
        peer.window = scaled(tcp.window, peer);
        peer.open_window();
        let offered = own.has(TIMESTAMPS_OFFERED);
        if let Some(timestamp) = input.options.timestamp.filter(|_| offered) {
            own.flags |= TIMESTAMPS;
            own.timestamp = timestamp.value;
            own.timestamp_s = input.now_s;
            self.flags |= TIMESTAMPED;
        }
        self.flags |= ONE_SIDED;
        self.state = TcpState::Established;
        Decision::Deliver
    }

    /// Both SYNs were seen.
    pub(super) fn syn_received(
        &mut self,
        config: &StreamConfig,
        input: &Input<'_>,
        events: &mut StreamEvents,
    ) -> Decision {
        if input.has(RST) {
            return self.reset_in_handshake(config, input, events);
        }
        if input.has(FIN) {
            if !self.timestamp_is_valid(input, events) {
                return Decision::Invalid;
            }
            return self.finish(input, events);
        }
        if input.has(SYN) && input.has(ACK) {
            return self.answer_again(config, input, events);
        }
        if input.has(SYN) {
            let (own, _) = self.ends(input);
            if input.by_server() {
                if own.isn == input.tcp.seq {
                    return Decision::Accept;
                }
                events.add(StreamEvent::HandshakeSynToClientOnSynRecv);
                return Decision::Invalid;
            }
            if own.isn != input.tcp.seq {
                events.add(StreamEvent::HandshakeSynResendDifferentSeqOnSynRecv);
                return Decision::Invalid;
            }
            return Decision::Accept;
        }
        if input.has(ACK) { self.complete(config, input, events) } else { Decision::Ignore }
    }

    /// A SYN+ACK after the first.
    fn answer_again(
        &mut self,
        config: &StreamConfig,
        input: &Input<'_>,
        events: &mut StreamEvents,
    ) -> Decision {
        let tcp = input.tcp;
        let four_way = self.flags & FOUR_WAY != 0;
        let (own, peer) = self.ends(input);
        if !input.by_server() {
            events.add(StreamEvent::HandshakeSynAckToServerOnSynRecv);
            return Decision::Invalid;
        }
        if !four_way && tcp.ack != peer.last_ack {
            events.add(StreamEvent::HandshakeSynAckResendDifferentAck);
            return Decision::Invalid;
        }
        if tcp.seq == own.isn {
            return Decision::Accept;
        }
        if self.remember_answer(config, input) {
            return Decision::Accept;
        }
        events.add(StreamEvent::HandshakeSynAckFlood);
        Decision::Invalid
    }

    /// The acknowledgement that completes the handshake, or what comes in its place.
    fn complete(&mut self, config: &StreamConfig, input: &Input<'_>, events: &mut StreamEvents) -> Decision {
        let tcp = input.tcp;
        // The client says by its acknowledgement which of several SYN+ACKs it took.
        if !input.by_server() {
            let chosen = self.alternatives.as_ref().and_then(|alternatives| {
                alternatives.list.iter().find(|other| other.seq.wrapping_add(1) == tcp.ack).copied()
            });
            if let Some(chosen) = chosen {
                self.accept_answer(chosen, input.own ^ 1);
            }
        }
        if !self.timestamp_is_valid(input, events) {
            return Decision::Invalid;
        }
        if self.flags & FOUR_WAY != 0 && input.by_server() {
            return self.complete_four_way(input, events);
        }
        let midstream = self.flags & MIDSTREAM != 0;
        let fast_open = self.flags & FAST_OPEN != 0;
        let (own, peer) = self.ends(input);
        if !peer.may_acknowledge(tcp.ack, midstream) {
            events.add(StreamEvent::PacketInvalidAck);
            return Decision::Invalid;
        }
        if input.by_server() {
            // The client's acknowledgement was lost on its way here, or comes late: the server has it, if it acknowledges
            // no less.
            let misplaced = !midstream
                && (tcp.seq != own.next_seq && input.payload_len() > 1 || after(tcp.seq, own.next_win));
            if before(tcp.ack, peer.next_seq) && !fast_open || misplaced {
                events.add(StreamEvent::HandshakeWrongSeqWrongAck);
                return Decision::Invalid;
            }
            peer.window = scaled(tcp.window, peer);
            peer.acknowledged(tcp.ack, input.options.sacked);
            peer.allow();
            own.sent(input.end());
            if midstream && config.async_oneside {
                self.flags |= ONE_SIDED;
            }
            self.finish_handshake(input);
            return Decision::Deliver;
        }
        if tcp.seq == own.next_seq {
            if tcp.ack != peer.next_seq && !(after(tcp.ack, peer.next_seq) && midstream) {
                let later = after(tcp.ack, peer.next_seq) && !after(tcp.ack, peer.next_win) && fast_open;
                if !later && !after(tcp.ack, peer.isn.wrapping_add(1)) {
                    events.add(StreamEvent::HandshakeRightSeqWrongAck);
                    return Decision::Invalid;
                }
                if !later && peer.next_seq == peer.isn.wrapping_add(1) {
                    events.add(StreamEvent::HandshakeRightSeqWrongAck);
                    return Decision::Invalid;
                }
            }
        } else if tcp.ack != peer.next_seq
            || (before(tcp.seq, own.next_seq) && !fast_open)
            || after(tcp.seq, own.next_win)
        {
            // What follows a lost acknowledgement has the right acknowledgement and comes later.
            events.add(StreamEvent::HandshakeWrongSeqWrongAck);
            return Decision::Invalid;
        }
        peer.window = scaled(tcp.window, peer);
        peer.acknowledged(tcp.ack, input.options.sacked);
        peer.allow();
        own.sent(input.end());
        self.finish_handshake(input);
        Decision::Deliver
    }

    fn complete_four_way(&mut self, input: &Input<'_>, events: &mut StreamEvents) -> Decision {
        let tcp = input.tcp;
        let (own, peer) = self.ends(input);
        if tcp.seq != own.next_seq {
            events.add(StreamEvent::SimultaneousWrongSeq);
            return Decision::Invalid;
        }
        if tcp.ack != peer.next_seq {
            events.add(StreamEvent::SimultaneousInvalidAck);
            events.add(StreamEvent::PacketInvalidAck);
            return Decision::Invalid;
        }
        peer.window = scaled(tcp.window, peer);
        peer.acknowledged(tcp.ack, input.options.sacked);
        peer.open_window();
        own.sent(input.end());
        own.last_ack = own.isn.wrapping_add(1);
        own.open_window();
        self.finish_handshake(input);
        Decision::Deliver
    }

    fn finish_handshake(&mut self, input: &Input<'_>) {
        self.remember_timestamp(input);
        self.alternatives = None;
        self.state = TcpState::Established;
    }
}
