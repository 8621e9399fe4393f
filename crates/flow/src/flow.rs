//! One flow as the table keeps it.

use bytemuck::{Pod, Zeroable};
use wire::{L4, Packet, protocol};

use crate::key::{FlowKey, Orientation};
use crate::tcp::{ACK, FIN, RST, SYN, TcpSide, TcpState, TcpTracker};
use crate::timeouts::family;

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
    /// Its tenant is no more.
    TenantRemoved,
}

/// No inspection state belongs to the flow.
pub const NO_SLOT: u32 = u32::MAX;

/// One flow: 128 bytes, two cache lines. The first holds what finding and steering a packet reads, the second what
/// counting it writes.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Flow {
    pub(crate) key: FlowKey,
    /// Bits 0-1: [`FlowState`]. Bits 2-3: family of protocols, for timeouts. Bit 4: the entry is in use. Bit 5: the
    /// initiator is the key's second endpoint.
    bits: u8,
    /// TCP state in the low four bits; above them, for client and server, whether their numbers are known and their SYN
    /// was acknowledged.
    tcp: u8,
    /// TCP: fold of the client's initial sequence number.
    client_isn: u16,
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
    /// TCP: next sequence number each way.
    next_seq: [u32; 2],
    /// TCP: highest acknowledgement of it. ICMP: type (high byte) and code of the first message each way.
    acked: [u32; 2],
    /// Index of the flow's inspection state; [`NO_SLOT`] if none.
    pub slot: u32,
    tcp_flags: [u8; 2],
    packets_high: [u8; 2],
}

const _: () = assert!(size_of::<Flow>() == 128);

const STATE: u8 = 0x03;
const FAMILY_SHIFT: u8 = 2;
const IN_USE: u8 = 0x10;
const REVERSED: u8 = 0x20;

/// An initial sequence number in 16 bits. Two differ in it but once in 65,536 times, and then a connection that follows
/// another on the same ports is counted with it.
const fn fold(sequence: u32) -> u16 {
    (sequence ^ (sequence >> 16)) as u16
}

impl Flow {
    /// A flow that begins with `packet`, which goes `orientation`.
    pub(crate) fn begin(key: FlowKey, packet: &Packet, orientation: Orientation, first_us: u64) -> Self {
        // Who answers a SYN did not open the connection, even if the SYN was not seen.
        let answered = packet.l4 == L4::Tcp && packet.tcp.flags & (SYN | ACK) == SYN | ACK;
        let initiator = if answered { orientation.flipped() } else { orientation };
        Self {
            key,
            bits: IN_USE
                | family(key.protocol()) << FAMILY_SHIFT
                | if initiator == Orientation::Reverse { REVERSED } else { 0 },
            first_us,
            slot: NO_SLOT,
            ..Self::zeroed()
        }
    }

    /// Counts one packet of `bytes`.
    #[inline]
    pub(crate) fn observe(
        &mut self,
        packet: &Packet,
        orientation: Orientation,
        bytes: u64,
        recorded_us: u64,
    ) {
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
                    self.client_isn = fold(packet.tcp.seq);
                }
                let mut tracker = self.tracker();
                tracker.segment(packet.tcp, packet.payload_len, from_server);
                self.set_tracker(&tracker);
            }
            _ if self.key.protocol() == protocol::TCP => {
                // An ICMP error about the connection, or an unusable fragment of it: neither is an answer.
            }
            other => {
                if matches!(other, L4::Icmp | L4::Icmpv6)
                    && matches!(self.key.protocol(), protocol::ICMP | protocol::ICMPV6)
                    && self.packets_total(way) == 1
                {
                    self.acked[way] = u32::from(packet.icmp.icmp_type) << 8 | u32::from(packet.icmp.code);
                }
                if from_server {
                    self.set_state(FlowState::Established);
                }
            }
        }
    }

    #[inline]
    fn tracker(&self) -> TcpTracker {
        let side = |way: usize| TcpSide {
            next_seq: self.next_seq[way],
            acked: self.acked[way],
            known: self.tcp & (0x10 << way) != 0,
            opened: self.tcp & (0x40 << way) != 0,
        };
        TcpTracker { state: self.tcp_state(), sides: [side(0), side(1)] }
    }

    #[inline]
    fn set_tracker(&mut self, tracker: &TcpTracker) {
        let [client, server] = &tracker.sides;
        self.next_seq = [client.next_seq, server.next_seq];
        self.acked = [client.acked, server.acked];
        self.tcp = tracker.state as u8
            | u8::from(client.known) << 4
            | u8::from(server.known) << 5
            | u8::from(client.opened) << 6
            | u8::from(server.opened) << 7;
        self.set_state(match tracker.state {
            TcpState::None | TcpState::SynSent | TcpState::SynRecv => FlowState::New,
            TcpState::LastAck | TcpState::TimeWait | TcpState::Closed => FlowState::Closed,
            _ => FlowState::Established,
        });
    }

    #[inline]
    fn set_state(&mut self, state: FlowState) {
        self.bits = self.bits & !STATE | state as u8;
    }

    /// Whether this SYN begins another connection with the same n-tuple, rather than being the first one's come late:
    /// the old one is over, and the initial sequence number is another.
    #[inline]
    pub(crate) fn is_reused_by(&self, packet: &Packet) -> bool {
        packet.l4 == L4::Tcp
            && packet.tcp.flags & (SYN | ACK | RST | FIN) == SYN
            && self.tcp_state().is_over()
            && fold(packet.tcp.seq) != self.client_isn
    }

    /// Family of protocols and state, as the place in a table of sixteen.
    #[inline]
    pub(crate) fn timeout_place(&self) -> usize {
        usize::from(self.bits & 15)
    }

    /// Whether the entry holds a flow.
    #[inline]
    pub(crate) fn in_use(&self) -> bool {
        self.bits & IN_USE != 0
    }

    /// The entry holds no flow any more.
    pub(crate) fn release(&mut self) {
        self.bits = 0;
    }

    #[inline]
    fn packets_total(&self, way: usize) -> u64 {
        u64::from(self.packets[way]) | u64::from(self.packets_high[way]) << 32
    }

    /// Who talks to whom.
    #[inline]
    pub fn key(&self) -> &FlowKey {
        &self.key
    }

    /// The orientation of the packets that the initiator sends.
    #[inline]
    pub fn initiator(&self) -> Orientation {
        if self.bits & REVERSED == 0 { Orientation::Forward } else { Orientation::Reverse }
    }

    /// How far the flow came.
    #[inline]
    pub fn state(&self) -> FlowState {
        FlowState::from_index(self.bits & STATE)
    }

    /// The TCP connection's state; `None` for other protocols.
    #[inline]
    pub fn tcp_state(&self) -> TcpState {
        TcpState::from_index(self.tcp & 0x0f)
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

    /// ICMP type and code of the first message to the server and to the client; meaningless for other protocols.
    pub fn icmp(&self) -> [[u8; 2]; 2] {
        self.acked.map(|message| [(message >> 8) as u8, message as u8])
    }
}
