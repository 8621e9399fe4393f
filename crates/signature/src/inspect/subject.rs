//! What a rule can know of a packet and its flow.

use app::{Buffer, Direction};
use wire::{L3, L4, Packet};

use crate::compile::{Ends, Transports};

/// One packet, or the end of a flow, to be inspected.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Packet time in microseconds since the epoch.
    pub time_us: u64,
    /// Which way it goes; towards the server if there is no flow.
    pub direction: Direction,
    /// Who it is from and to.
    pub ends: Ends,
    /// Its headers and the frame they are in; `None` when there is no packet, only the end of a flow.
    pub packet: Option<(&'a Packet, &'a [u8])>,
    /// Its transport payload, as far as patterns are looked for in it: none of what is encrypted.
    pub payload: &'a [u8],
    /// Whether its payload went into the stream, and is looked at there.
    pub in_stream: bool,
    /// What of the stream of this direction is to be looked at now.
    pub stream: Option<Stream<'a>>,
    /// Its flow, if it has one.
    pub flow: Option<FlowFacts>,
    /// Whether it was put together from IP fragments.
    pub reassembled: bool,
    /// What was wrong with it, by the names that `decode-event` has.
    pub decode_events: &'a [&'static str],
    /// What was odd about it in its connection, by the names that `stream-event` has.
    pub stream_events: &'a [&'static str],
}

/// Reassembled data of one direction.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// The data, some of which may have been looked at before.
    pub bytes: &'a [u8],
    /// Index of the first byte that was not.
    pub fresh: usize,
}

/// What rules ask about a flow. Counts are of each direction, by [`Direction::index`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FlowFacts {
    /// Both sides have spoken (TCP: the handshake is complete).
    pub established: bool,
    /// Packets.
    pub packets: [u64; 2],
    /// Bytes, as EVE counts them.
    pub bytes: [u64; 2],
    /// Bytes of the TCP stream, acknowledged or not.
    pub stream_bytes: [u64; 2],
    /// Time since its first packet, in seconds.
    pub age_s: u32,
}

impl Ends {
    /// Of a packet.
    pub fn of(packet: &Packet) -> Self {
        let tuple = &packet.tuple;
        Self {
            transport: Transports::of(packet.l3, packet.l4),
            ip_version: tuple.ip_version,
            source: (tuple.src, tuple.src_port),
            destination: (tuple.dst, tuple.dst_port),
        }
    }
}

impl<'a> Subject<'a> {
    /// The bytes of a header, from its beginning to the next.
    pub fn header(&self, buffer: Buffer) -> Option<&'a [u8]> {
        let (packet, frame) = self.packet?;
        let network = || frame.get(usize::from(packet.l3_offset)..usize::from(packet.l4_offset));
        match (buffer, packet.l3, packet.l4) {
            (Buffer::Ipv4Header, L3::Ipv4, _) | (Buffer::Ipv6Header, L3::Ipv6, _) => network(),
            (Buffer::TcpHeader, _, L4::Tcp)
            | (Buffer::UdpHeader, _, L4::Udp)
            | (Buffer::Icmpv4Header, _, L4::Icmp)
            | (Buffer::Icmpv6Header, _, L4::Icmpv6) => Some(packet.transport_header(frame)),
            _ => None,
        }
    }
}
