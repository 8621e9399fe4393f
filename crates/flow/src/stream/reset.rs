//! Which RST is believed (RFC 9293 3.10.7, RFC 5961 3), by the receiving host's kind.

use super::config::StreamConfig;
use super::event::{StreamEvent, StreamEvents};
use super::overlap::OverlapPolicy;
use super::sequence::{after, before};
use super::session::{Decision, Input};
use super::side::{DOUBTFUL_RESET, RESET, Side};
use super::{MIDSTREAM, ONE_SIDED, Stream};
use crate::tcp::{ACK, TcpState};

impl Stream {
    /// A RST in a connection that is established or being closed.
    pub(super) fn reset(
        &mut self,
        config: &StreamConfig,
        input: &Input<'_>,
        events: &mut StreamEvents,
    ) -> Decision {
        if !self.timestamp_is_valid(input, events) {
            return Decision::Invalid;
        }
        let tolerant = self.flags & (MIDSTREAM | ONE_SIDED) != 0;
        let picked_up = self.is_midstream();
        let tcp = input.tcp;
        let (own, peer) = self.ends(input);
        if input.has(ACK) && tcp.ack != 0 && !peer.may_acknowledge(tcp.ack, picked_up) {
            events.add(StreamEvent::RstInvalidAck);
            events.add(StreamEvent::PacketInvalidAck);
            return Decision::Invalid;
        }
        if !tolerant && !in_place(config.policy, own, tcp.seq) {
            return Decision::Invalid;
        }
        if input.options.signed {
            // Between hosts that share no key this is dropped; what its sender does next tells.
            own.flags |= DOUBTFUL_RESET;
            return Decision::Ignore;
        }
        self.believe_reset(input)
    }

    /// A RST before the handshake is complete: the answer to a SYN has no sequence number of its own.
    pub(super) fn reset_in_handshake(
        &mut self,
        config: &StreamConfig,
        input: &Input<'_>,
        events: &mut StreamEvents,
    ) -> Decision {
        if self.state != TcpState::SynSent {
            return self.reset(config, input, events);
        }
        let tcp = input.tcp;
        let (_, peer) = self.ends(input);
        if input.has(ACK) && (!input.by_server() || tcp.ack != peer.isn.wrapping_add(1)) {
            events.add(StreamEvent::RstInvalidAck);
            events.add(StreamEvent::PacketInvalidAck);
            return Decision::Invalid;
        }
        if !input.by_server() {
            return Decision::Invalid;
        }
        self.believe_reset(input)
    }

    fn believe_reset(&mut self, input: &Input<'_>) -> Decision {
        let (own, peer) = self.ends(input);
        own.flags |= RESET;
        if input.has(ACK) {
            peer.acknowledged(input.tcp.ack, input.options.sacked);
        }
        self.state = TcpState::Closed;
        Decision::Deliver
    }
}

/// Whether the receiver takes a RST with this sequence number.
fn in_place(policy: OverlapPolicy, own: &Side, seq: u32) -> bool {
    match policy {
        OverlapPolicy::Hpux11 => !before(seq, own.next_seq),
        OverlapPolicy::Linux
        | OverlapPolicy::OldLinux
        | OverlapPolicy::Solaris
        | OverlapPolicy::OldSolaris => {
            !before(seq, own.last_ack) && !after(seq, own.last_ack.wrapping_add(own.window))
        }
        _ => seq == own.next_seq,
    }
}
