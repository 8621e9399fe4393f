//! Data and what else comes in an established connection.

use super::config::StreamConfig;
use super::event::{StreamEvent, StreamEvents};
use super::sequence::{after, before};
use super::session::{Decision, Input, scaled};
use super::{MIDSTREAM, ONE_SIDED, Stream};
use crate::tcp::{ACK, FIN, RST, SYN};

impl Stream {
    /// A segment of an established connection.
    pub(super) fn established(
        &mut self,
        config: &StreamConfig,
        input: &Input<'_>,
        events: &mut StreamEvents,
    ) -> Decision {
        if input.has(RST | FIN | SYN) {
            return self.established_control(config, input, events);
        }
        if !input.has(ACK) {
            return Decision::Ignore;
        }
        self.established_data(input, events)
    }

    #[inline]
    pub(super) fn established_data(&mut self, input: &Input<'_>, events: &mut StreamEvents) -> Decision {
        let tcp = input.tcp;
        if !self.timestamp_is_valid(input, events) {
            return Decision::Invalid;
        }
        let tolerant = self.flags & (MIDSTREAM | ONE_SIDED) != 0;
        let one_sided = self.flags & ONE_SIDED != 0;
        let picked_up = self.is_midstream();
        let (own, peer) = self.ends(input);
        if !peer.may_acknowledge(tcp.ack, picked_up) {
            if one_sided {
                // The other side is not seen: what is acknowledged is what it sent.
                peer.next_seq = tcp.ack;
                peer.next_win = tcp.ack;
            } else {
                events.add(StreamEvent::EstablishedInvalidAck);
                events.add(StreamEvent::PacketInvalidAck);
                return Decision::Invalid;
            }
        }
        let end = input.end();
        let old = before(end, own.last_ack) && !after(end, own.next_seq) && !one_sided;
        let opened = own.isn.wrapping_add(1);
        let says_something = if input.payload.is_empty() {
            after(tcp.ack, peer.last_ack)
        } else {
            own.last_ack == opened || before(end, opened)
        };
        if old && !says_something {
            events.add(StreamEvent::EstablishedPacketBeforeLastAck);
            return Decision::Invalid;
        }
        let probe = own.window == 0 && input.payload_len() == 1 && tcp.seq == own.next_seq;
        if !own.may_send(end) && !tolerant && !probe {
            events.add(StreamEvent::EstablishedPacketOutOfWindow);
            return Decision::Invalid;
        }
        if !input.payload.is_empty() {
            own.sent(end);
        }
        if probe {
            return Decision::Probe;
        }
        if one_sided {
            own.last_ack = own.next_seq;
        }
        peer.window = scaled(tcp.window, peer);
        peer.acknowledged(tcp.ack, input.options.sacked);
        peer.allow();
        self.remember_timestamp(input);
        Decision::Deliver
    }

    fn established_control(
        &mut self,
        config: &StreamConfig,
        input: &Input<'_>,
        events: &mut StreamEvents,
    ) -> Decision {
        let tcp = input.tcp;
        if input.has(RST) {
            return self.reset(config, input, events);
        }
        if input.has(FIN) {
            if !self.timestamp_is_valid(input, events) {
                return Decision::Invalid;
            }
            return self.finish(input, events);
        }
        let (own, peer) = self.ends(input);
        if input.has(ACK) {
            if !input.by_server() {
                events.add(StreamEvent::EstablishedSynAckToServer);
                return Decision::Invalid;
            }
            if tcp.ack != peer.last_ack {
                events.add(StreamEvent::EstablishedSynAckResendDifferentAck);
                return Decision::Invalid;
            }
            if tcp.seq != own.isn {
                events.add(StreamEvent::EstablishedSynAckResendDifferentSeq);
                return Decision::Invalid;
            }
            if own.last_ack == own.isn.wrapping_add(1) {
                // The server has not seen the client's acknowledgement.
                return Decision::Ignore;
            }
            events.add(StreamEvent::EstablishedSynAckResend);
            return Decision::Invalid;
        }
        events.add(if input.by_server() {
            StreamEvent::EstablishedSynToClient
        } else if tcp.seq == own.isn {
            StreamEvent::EstablishedSynResend
        } else {
            StreamEvent::EstablishedSynResendDifferentSeq
        });
        Decision::Invalid
    }
}
