//! What is worth telling about a segment: the events of the `stream-event` rule keyword.
//!
//! In: the session engine's findings. Out: a set of [`StreamEvent`]s for each segment, with the names that Suricata's rule
//! language has for them (<https://docs.suricata.io/en/suricata-7.0.10/rules/flow-keywords.html>, `stream-events.rules`).

macro_rules! events {
    ($($variant:ident $name:literal $doc:literal;)*) => {
        /// An event of the TCP engine; [`as_str`](Self::as_str) is its name in `stream-event`.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        #[repr(u8)]
        pub enum StreamEvent {
            $(#[doc = $doc] $variant,)*
        }

        impl StreamEvent {
            /// Every event, in the order of [`index`](Self::index).
            pub const ALL: [Self; Self::COUNT] = [$(Self::$variant),*];
            /// How many events there are.
            pub const COUNT: usize = [$($name),*].len();

            /// The name in the rule language.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

events! {
    HandshakeAckInWrongDirection "3whs_ack_in_wrong_dir" "The server sent the acknowledgement that is the client's to send.";
    HandshakeAsyncWrongSeq "3whs_async_wrong_seq" "One-sided traffic: what follows the SYN has another sequence number than the SYN announced.";
    HandshakeRightSeqWrongAck "3whs_right_seq_wrong_ack_evasion" "The client continues the handshake but acknowledges what the server did not send.";
    HandshakeSynAckInWrongDirection "3whs_synack_in_wrong_direction" "The client answers its own SYN.";
    HandshakeSynAckResendDifferentAck "3whs_synack_resend_with_different_ack" "A repeated SYN+ACK acknowledges something else.";
    HandshakeSynAckResendDifferentSeq "3whs_synack_resend_with_diff_seq" "A repeated SYN+ACK has another sequence number.";
    HandshakeSynAckToServerOnSynRecv "3whs_synack_toserver_on_syn_recv" "A SYN+ACK from the client after the server's.";
    HandshakeSynAckWrongAck "3whs_synack_with_wrong_ack" "A SYN+ACK acknowledges no SYN of the client.";
    HandshakeSynAckFlood "3whs_synack_flood" "More different SYN+ACKs than are remembered.";
    HandshakeSynAckIgnoredFastOpenData "3whs_synack_tfo_data_ignored" "The server acknowledged a TCP Fast Open SYN but not its data.";
    HandshakeSynFlood "3whs_syn_flood" "More different SYNs than are remembered.";
    HandshakeSynResendDifferentSeqOnSynRecv "3whs_syn_resend_diff_seq_on_syn_recv" "After the SYN+ACK the client sends a SYN with another sequence number.";
    HandshakeSynToClientOnSynRecv "3whs_syn_toclient_on_syn_recv" "After the SYN+ACK the server sends a SYN.";
    HandshakeWrongSeqWrongAck "3whs_wrong_seq_wrong_ack" "The handshake's last segment fits neither side's numbers.";
    HandshakeAckDataInject "3whs_ack_data_inject" "The server sends data before the handshake is complete (inline operation only).";
    SimultaneousSynAckWrongAck "4whs_synack_with_wrong_ack" "Simultaneous open: a SYN+ACK that does not acknowledge the other SYN.";
    SimultaneousSynAckWrongSyn "4whs_synack_with_wrong_syn" "Simultaneous open: a SYN+ACK with another sequence number than the SYN had.";
    SimultaneousWrongSeq "4whs_wrong_seq" "Simultaneous open: the last acknowledgement has a wrong sequence number.";
    SimultaneousInvalidAck "4whs_invalid_ack" "Simultaneous open: the last acknowledgement is impossible.";
    CloseWaitAckOutOfWindow "closewait_ack_out_of_window" "CLOSE-WAIT: a segment outside the window.";
    CloseWaitFinOutOfWindow "closewait_fin_out_of_window" "CLOSE-WAIT: a FIN outside the window.";
    CloseWaitPacketBeforeLastAck "closewait_pkt_before_last_ack" "CLOSE-WAIT: a segment of data that was acknowledged already.";
    CloseWaitInvalidAck "closewait_invalid_ack" "CLOSE-WAIT: an impossible acknowledgement.";
    ClosingAckWrongSeq "closing_ack_wrong_seq" "CLOSING: an acknowledgement with a wrong sequence number.";
    ClosingInvalidAck "closing_invalid_ack" "CLOSING: an impossible acknowledgement.";
    EstablishedPacketOutOfWindow "est_packet_out_of_window" "ESTABLISHED: a segment outside the window.";
    EstablishedPacketBeforeLastAck "est_pkt_before_last_ack" "ESTABLISHED: a segment of data that was acknowledged already.";
    EstablishedSynAckResend "est_synack_resend" "ESTABLISHED: the SYN+ACK again.";
    EstablishedSynAckResendDifferentAck "est_synack_resend_with_different_ack" "ESTABLISHED: a SYN+ACK that acknowledges something else.";
    EstablishedSynAckResendDifferentSeq "est_synack_resend_with_diff_seq" "ESTABLISHED: a SYN+ACK with another sequence number.";
    EstablishedSynAckToServer "est_synack_toserver" "ESTABLISHED: a SYN+ACK from the client.";
    EstablishedSynResend "est_syn_resend" "ESTABLISHED: the SYN again.";
    EstablishedSynResendDifferentSeq "est_syn_resend_diff_seq" "ESTABLISHED: a SYN with another sequence number.";
    EstablishedSynToClient "est_syn_toclient" "ESTABLISHED: a SYN from the server.";
    EstablishedInvalidAck "est_invalid_ack" "ESTABLISHED: an impossible acknowledgement.";
    EstablishedAckOfProbe "est_ack_zwp_data" "ESTABLISHED: the data of a zero-window probe is acknowledged.";
    FinInvalidAck "fin_invalid_ack" "A FIN with an impossible acknowledgement.";
    FinOutOfWindow "fin_out_of_window" "A FIN outside the window.";
    FinWithoutSession "fin_but_no_session" "A FIN of no known connection.";
    FinSyn "fin_syn" "FIN and SYN in one segment.";
    FinWait1AckWrongSeq "fin1_ack_wrong_seq" "FIN-WAIT-1: an acknowledgement with a wrong sequence number.";
    FinWait1FinWrongSeq "fin1_fin_wrong_seq" "FIN-WAIT-1: a FIN with a wrong sequence number.";
    FinWait1InvalidAck "fin1_invalid_ack" "FIN-WAIT-1: an impossible acknowledgement.";
    FinWait2AckWrongSeq "fin2_ack_wrong_seq" "FIN-WAIT-2: an acknowledgement with a wrong sequence number.";
    FinWait2FinWrongSeq "fin2_fin_wrong_seq" "FIN-WAIT-2: a FIN with a wrong sequence number.";
    FinWait2InvalidAck "fin2_invalid_ack" "FIN-WAIT-2: an impossible acknowledgement.";
    LastAckAckWrongSeq "lastack_ack_wrong_seq" "LAST-ACK: an acknowledgement with a wrong sequence number.";
    LastAckInvalidAck "lastack_invalid_ack" "LAST-ACK: an impossible acknowledgement.";
    RstWithoutSession "rst_but_no_session" "A RST of no known connection.";
    RstInvalidAck "rst_invalid_ack" "A RST with an impossible acknowledgement.";
    RstWithData "rst_with_data" "A RST that carries data.";
    SuspectedRstInjection "suspected_rst_inject" "After a RST that its receiver had a reason to drop, its sender goes on as if it had not been sent.";
    ShutdownSynResend "shutdown_syn_resend" "A SYN while the connection is being closed.";
    TimeWaitAckWrongSeq "timewait_ack_wrong_seq" "TIME-WAIT: an acknowledgement with a wrong sequence number.";
    TimeWaitInvalidAck "timewait_invalid_ack" "TIME-WAIT: an impossible acknowledgement.";
    PacketInvalidTimestamp "pkt_invalid_timestamp" "The TCP timestamp is older than one that was accepted (RFC 7323, PAWS).";
    PacketInvalidAck "pkt_invalid_ack" "An impossible acknowledgement, in any state.";
    PacketBrokenAck "pkt_broken_ack" "An acknowledgement number without the ACK flag.";
    PacketBadWindowUpdate "pkt_bad_window_update" "A smaller window from further on in both directions than was seen.";
    PacketRetransmission "pkt_retransmission" "A segment that was sent before.";
    PacketSpuriousRetransmission "pkt_spurious_retransmission" "A segment whose data was acknowledged already.";
    ReassemblySegmentBeforeBase "reassembly_segment_before_base_seq" "Data before what reassembly still remembers.";
    ReassemblyNoSegment "reassembly_no_segment" "No memory for a segment's record.";
    ReassemblyGap "reassembly_seq_gap" "Data is missing although its receiver acknowledged it.";
    ReassemblyOverlapDifferentData "reassembly_overlap_different_data" "A segment repeats data with other content.";
    ReassemblyDepthReached "reassembly_depth_reached" "The configured depth of a direction is reached.";
    ReassemblyInsertMemcap "reassembly_insert_memcap" "The memory of reassembly is used up.";
    ReassemblyInsertLimit "reassembly_insert_limit" "One stream's limit of segments or bytes is reached.";
    ReassemblyInsertInvalid "reassembly_insert_invalid" "Data that no window allows.";
    ReassemblyUrgentLimit "reassembly_urgent_oob_limit_reached" "Too much urgent data was taken out of the stream.";
    WrongThread "wrong_thread" "A packet was seen by another thread than its flow's.";
}

impl StreamEvent {
    /// The event of this name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == name)
    }

    /// The event as a number below [`COUNT`](Self::COUNT).
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Events of the rule language that this engine does not raise, and why.
pub const NOT_RAISED: [(StreamEvent, &str); 9] = [
    (
        StreamEvent::HandshakeAckInWrongDirection,
        "the server's acknowledgement either completes the handshake or is 3whs_wrong_seq_wrong_ack",
    ),
    (
        StreamEvent::HandshakeSynAckResendDifferentSeq,
        "SYN+ACKs with other sequence numbers are remembered, and too many are 3whs_synack_flood",
    ),
    (StreamEvent::HandshakeAckDataInject, "only a sensor that can drop packets has it"),
    (StreamEvent::EstablishedAckOfProbe, "zero-window probes are queued like other data"),
    (StreamEvent::RstWithData, "data on a RST is not part of the stream"),
    (
        StreamEvent::ReassemblyNoSegment,
        "segments take no memory but that of reassembly: reassembly_insert_memcap",
    ),
    (StreamEvent::ReassemblyInsertInvalid, "data outside the window is refused with its state's own event"),
    (StreamEvent::ReassemblyUrgentLimit, "urgent data stays in the stream"),
    (StreamEvent::WrongThread, "a connection belongs to one worker"),
];

/// A set of events.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct StreamEvents(u128);

impl StreamEvents {
    /// Whether no event is in it.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `event` is in it.
    pub const fn contains(self, event: StreamEvent) -> bool {
        self.0 >> event as u8 & 1 == 1
    }

    /// The events in it, in the order of [`StreamEvent::ALL`].
    pub fn iter(self) -> impl Iterator<Item = StreamEvent> {
        StreamEvent::ALL.into_iter().filter(move |event| self.contains(*event))
    }

    #[inline]
    pub(super) fn add(&mut self, event: StreamEvent) {
        self.0 |= 1 << event as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_and_the_set_holds_each() {
        let mut all = StreamEvents::default();
        assert!(all.is_empty());
        for (index, event) in StreamEvent::ALL.into_iter().enumerate() {
            assert_eq!(event.index(), index);
            assert_eq!(StreamEvent::by_name(event.as_str()), Some(event));
            assert!(!all.contains(event));
            all.add(event);
        }
        assert_eq!(all.iter().count(), StreamEvent::COUNT);
        assert_eq!(StreamEvent::by_name("3whs"), None);
    }
}
