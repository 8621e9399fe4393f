//! One flow as the table keeps it.

use bytemuck::{Pod, Zeroable};
use wire::{L4, Packet};

use crate::key::{FlowKey, Orientation};
use crate::tcp::{ACK, SYN, TcpState, TcpTracker};

/// How far a flow came, as the reference defines it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FlowState {
    /// One side has spoken.
    #[default]
    New,
    /// Both sides have spoken (TCP: the handshake is complete).
    Established,
    /// A TCP connection that was closed or reset.
    Closed,
}

impl FlowState {
    /// The name in EVE.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Established => "established",
            Self::Closed => "closed",
        }
    }

    const fn from_index(index: u8) -> Self {
        match index {
            0 => Self::New,
            1 => Self::Established,
            _ => Self::Closed,
        }
    }
}

/// Why a flow ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum EndReason {
    /// No packet for as long as its state allows.
    Timeout,
    /// The worker stopped.
    Shutdown,
    /// A new connection with the same n-tuple.
    TcpReuse,
    /// Its tenant had as many flows as it may have.
    EvictedTenantCap,
    /// The table was full.
    EvictedTableFull,
}

impl EndReason {
    /// The name in EVE: the reference's words, in which an evicted flow is `forced`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Shutdown => "shutdown",
            Self::TcpReuse => "tcp_reuse",
            Self::EvictedTenantCap | Self::EvictedTableFull => "forced",
        }
    }
}

/// No inspection state belongs to the flow.
pub const NO_SLOT: u32 = u32::MAX;

/// One flow: 128 bytes, two cache lines. The first holds what finding and steering a packet reads, the second what
/// counting it writes.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Flow {
    pub(crate) key: FlowKey,
    state: u8,
    tcp_state: u8,
    /// 1 if the initiator is the key's second endpoint.
    initiator: u8,
    pub(crate) in_use: u8,
    /// Packet time (monotonic) of the last packet, in microseconds.
    pub(crate) seen_us: u64,
    /// The dataplane's verdict, opaque here.
    pub verdict: u32,
    /// The configuration generation that gave the verdict.
    pub generation: u32,

    first_us: u64,
    last_us: u64,
    bytes: [u64; 2],
    packets: [u32; 2],
    next_seq: [u32; 2],
    /// Index of the flow's inspection state; [`NO_SLOT`] if none.
    pub slot: u32,
    tcp_flags: [u8; 2],
    /// Type and code of the first ICMP message each way.
    icmp: [[u8; 2]; 2],
    packets_high: [u8; 2],
    /// Sequence number of the client's SYN; 0 if there was none.
    client_isn: u32,
}

const _: () = assert!(size_of::<Flow>() == 128);

impl Flow {
    /// A flow that begins with `packet`, which goes `orientation`.
    pub(crate) fn begin(key: FlowKey, packet: &Packet, orientation: Orientation, first_us: u64) -> Self {
        // Who answers a SYN did not open the connection, even if the SYN was not seen.
        let answered = packet.l4 == L4::Tcp && packet.tcp.flags & (SYN | ACK) == SYN | ACK;
        let initiator = if answered { orientation.flipped() } else { orientation };
        Self {
            key,
            initiator: u8::from(initiator == Orientation::Reverse),
            in_use: 1,
            first_us,
            slot: NO_SLOT,
            ..Self::zeroed()
        }
    }

    /// Counts one packet of `bytes`.
    #[inline]
    pub(crate) fn observe(&mut self, packet: &Packet, orientation: Orientation, bytes: u64, recorded_us: u64) {
        let from_server = orientation != self.initiator();
        let way = usize::from(from_server);
        self.last_us = recorded_us;
        let (count, carry) = self.packets[way].overflowing_add(1);
        self.packets[way] = count;
        self.packets_high[way] = self.packets_high[way].wrapping_add(u8::from(carry));
        self.bytes[way] += bytes;
        match packet.l4 {
            L4::Tcp => {
                self.tcp_flags[way] |= packet.tcp.flags;
                if packet.tcp.flags & (SYN | ACK) == SYN && !from_server {
                    self.client_isn = packet.tcp.seq;
                }
                let mut tracker = TcpTracker { state: self.tcp_state(), next_seq: self.next_seq };
                tracker.segment(packet.tcp, packet.payload_len, from_server);
                self.next_seq = tracker.next_seq;
                if tracker.state as u8 != self.tcp_state {
                    self.tcp_state = tracker.state as u8;
                    self.state = match tracker.state {
                        TcpState::None | TcpState::SynSent | TcpState::SynRecv => 0,
                        TcpState::LastAck | TcpState::TimeWait | TcpState::Closed => 2,
                        _ => 1,
                    };
                }
            }
            other => {
                if matches!(other, L4::Icmp | L4::Icmpv6) && self.packets_total(way) == 1 {
                    self.icmp[way] = [packet.icmp.icmp_type, packet.icmp.code];
                }
                if from_server {
                    self.state = 1;
                }
            }
        }
    }

    #[inline]
    fn packets_total(&self, way: usize) -> u64 {
        u64::from(self.packets[way]) | u64::from(self.packets_high[way]) << 32
    }

    /// Whether this SYN begins another connection with the same n-tuple, rather than being the first one's come late:
    /// the old one is over, and the initial sequence number is another.
    #[inline]
    pub(crate) fn is_reused_by(&self, packet: &Packet) -> bool {
        packet.l4 == L4::Tcp
            && packet.tcp.flags & (SYN | ACK) == SYN
            && self.tcp_state().is_over()
            && packet.tcp.seq != self.client_isn
    }

    /// Who talks to whom.
    #[inline]
    pub fn key(&self) -> &FlowKey {
        &self.key
    }

    /// The orientation of the packets that the initiator sends.
    #[inline]
    pub fn initiator(&self) -> Orientation {
        if self.initiator == 0 { Orientation::Forward } else { Orientation::Reverse }
    }

    /// How far the flow came.
    #[inline]
    pub fn state(&self) -> FlowState {
        FlowState::from_index(self.state)
    }

    /// The TCP connection's state; `None` for other protocols.
    #[inline]
    pub fn tcp_state(&self) -> TcpState {
        TcpState::from_index(self.tcp_state)
    }

    /// Time of the first packet, in microseconds since the epoch.
    pub fn first_us(&self) -> u64 {
        self.first_us
    }

    /// Time of the last packet, in microseconds since the epoch.
    pub fn last_us(&self) -> u64 {
        self.last_us
    }

    /// Packets to the server and to the client.
    pub fn packets(&self) -> [u64; 2] {
        [self.packets_total(0), self.packets_total(1)]
    }

    /// Frame bytes to the server and to the client.
    pub fn bytes(&self) -> [u64; 2] {
        self.bytes
    }

    /// All TCP flags seen to the server and to the client.
    pub fn tcp_flags(&self) -> [u8; 2] {
        self.tcp_flags
    }

    /// ICMP type and code of the first message to the server and to the client.
    pub fn icmp(&self) -> [[u8; 2]; 2] {
        self.icmp
    }
}
