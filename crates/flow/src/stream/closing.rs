//! How a connection ends (RFC 9293, 3.6), in the states that the server goes through.

use super::Stream;
use super::config::StreamConfig;
use super::event::{StreamEvent, StreamEvents};
use super::sequence::{after, before};
use super::session::{Decision, Input, scaled};
use super::side::RESET;
use super::{MIDSTREAM, ONE_SIDED};
use crate::tcp::{ACK, FIN, RST, SYN, TcpState};

/// The events that a state has for what is wrong with a segment.
struct Wrong {
    ack: StreamEvent,
    sequence: StreamEvent,
    fin_sequence: StreamEvent,
}

const fn wrong(state: TcpState) -> Wrong {
    let (ack, sequence, fin_sequence) = match state {
        TcpState::FinWait1 => (
            StreamEvent::FinWait1InvalidAck,
            StreamEvent::FinWait1AckWrongSeq,
            StreamEvent::FinWait1FinWrongSeq,
        ),
        TcpState::FinWait2 => (
            StreamEvent::FinWait2InvalidAck,
            StreamEvent::FinWait2AckWrongSeq,
            StreamEvent::FinWait2FinWrongSeq,
        ),
        TcpState::CloseWait => (
            StreamEvent::CloseWaitInvalidAck,
            StreamEvent::CloseWaitAckOutOfWindow,
            StreamEvent::CloseWaitFinOutOfWindow,
        ),
        TcpState::LastAck => {
            (StreamEvent::LastAckInvalidAck, StreamEvent::LastAckAckWrongSeq, StreamEvent::LastAckAckWrongSeq)
        }
        TcpState::TimeWait => (
            StreamEvent::TimeWaitInvalidAck,
            StreamEvent::TimeWaitAckWrongSeq,
            StreamEvent::TimeWaitAckWrongSeq,
        ),
        _ => {
            (StreamEvent::ClosingInvalidAck, StreamEvent::ClosingAckWrongSeq, StreamEvent::ClosingAckWrongSeq)
        }
    };
    Wrong { ack, sequence, fin_sequence }
}

impl Stream {
    /// The first FIN.
    pub(super) fn finish(&mut self, input: &Input<'_>, events: &mut StreamEvents) -> Decision {
        let tcp = input.tcp;
        let tolerant = self.flags & (MIDSTREAM | ONE_SIDED) != 0;
        let picked_up = self.is_midstream();
        let (own, peer) = self.ends(input);
        if !tolerant && (before(tcp.seq, own.last_ack) || !own.may_send(input.end())) {
            events.add(StreamEvent::FinOutOfWindow);
            return Decision::Invalid;
        }
        if input.has(ACK) && !peer.may_acknowledge(tcp.ack, picked_up) {
            events.add(StreamEvent::FinInvalidAck);
            events.add(StreamEvent::PacketInvalidAck);
            return Decision::Invalid;
        }
        self.state = if input.by_server() { TcpState::FinWait1 } else { TcpState::CloseWait };
        self.advance(input);
        let (own, _) = self.ends(input);
        own.next_seq = input.end().wrapping_add(1);
        Decision::Deliver
    }

    /// Moves both ends on by a segment that counts.
    fn advance(&mut self, input: &Input<'_>) {
        let one_sided = self.flags & ONE_SIDED != 0;
        let (own, peer) = self.ends(input);
        if own.tcp_flags & FIN == 0 {
            own.sent(input.end().wrapping_add(u32::from(input.has(FIN))));
        }
        if one_sided {
            own.last_ack = own.next_seq;
        }
        if input.has(ACK) {
            peer.window = scaled(input.tcp.window, peer);
            peer.acknowledged(input.tcp.ack, input.options.sacked);
            peer.allow();
        }
        self.remember_timestamp(input);
    }

    /// A segment after the first FIN.
    #[inline(never)]
    pub(super) fn closing(
        &mut self,
        config: &StreamConfig,
        input: &Input<'_>,
        events: &mut StreamEvents,
    ) -> Decision {
        if input.has(RST) {
            return self.reset(config, input, events);
        }
        if input.has(SYN) {
            if self.state != TcpState::CloseWait {
                events.add(StreamEvent::ShutdownSynResend);
            }
            return Decision::Invalid;
        }
        if !input.has(ACK | FIN) {
            return Decision::Ignore;
        }
        if !self.timestamp_is_valid(input, events) {
            return Decision::Invalid;
        }
        let wrong = wrong(self.state);
        let state = self.state;
        let tolerant = self.flags & (MIDSTREAM | ONE_SIDED) != 0;
        let by_server = input.by_server();
        let picked_up = self.is_midstream();
        let (own, peer) = self.ends(input);
        let (tcp, end) = (input.tcp, input.end());
        // Data that was acknowledged, in part or as a whole.
        let acked = !input.payload.is_empty() && !after(end, own.last_ack);
        let repeats = !input.payload.is_empty()
            && before(tcp.seq, own.last_ack)
            && (state != TcpState::LastAck || !by_server);
        let fin_repeats = input.has(FIN) && end.wrapping_add(1) == own.next_seq;
        if repeats || fin_repeats && !input.payload.is_empty() {
            events.add(StreamEvent::PacketRetransmission);
        }
        if !fin_repeats {
            let behind = input.has(FIN) && before(tcp.seq, own.next_seq);
            let ahead = !own.may_send(end);
            if !tolerant && (behind || ahead) {
                events.add(if input.has(FIN) { wrong.fin_sequence } else { wrong.sequence });
                return Decision::Invalid;
            }
            // Nothing but acknowledgements is left to be sent.
            let exact = match state {
                TcpState::LastAck => !by_server,
                TcpState::Closing | TcpState::TimeWait => true,
                _ => false,
            };
            if exact && !tolerant && after(tcp.seq, own.next_seq) {
                events.add(wrong.sequence);
                return Decision::Invalid;
            }
        }
        if input.has(ACK) && !peer.may_acknowledge(tcp.ack, picked_up) {
            events.add(wrong.ack);
            events.add(StreamEvent::PacketInvalidAck);
            return Decision::Invalid;
        }
        if state == TcpState::CloseWait && acked {
            events.add(StreamEvent::CloseWaitPacketBeforeLastAck);
            return Decision::Invalid;
        }
        let next = tcp.seq == own.next_seq;
        let last = next || own.tcp_flags & FIN != 0 && tcp.seq == own.next_seq.wrapping_sub(1);
        let new_fin = input.has(FIN) && !fin_repeats;
        self.advance(input);
        let [_, server] = &self.sides;
        let server_acked = !before(server.last_ack, server.next_seq);
        self.state = match state {
            // Who sends FIN and ACK together has seen the other FIN, whatever it acknowledges.
            TcpState::FinWait1 if new_fin && !by_server => {
                if input.has(ACK) {
                    TcpState::TimeWait
                } else {
                    TcpState::Closing
                }
            }
            TcpState::FinWait1 if new_fin => TcpState::Closing,
            TcpState::FinWait1 if server_acked && next && !by_server => TcpState::FinWait2,
            TcpState::FinWait2 if new_fin => TcpState::TimeWait,
            TcpState::CloseWait if new_fin && by_server => TcpState::LastAck,
            TcpState::LastAck if !by_server && last => TcpState::Closed,
            TcpState::Closing if !input.has(FIN) && last => TcpState::TimeWait,
            TcpState::TimeWait if !input.has(FIN) && last => TcpState::Closed,
            other => other,
        };
        Decision::Deliver
    }

    /// A segment after the end.
    pub(super) fn closed(&mut self, input: &Input<'_>) -> Decision {
        let (own, _) = self.ends(input);
        if input.has(RST) && !own.has(RESET) { Decision::Deliver } else { Decision::Ignore }
    }
}
