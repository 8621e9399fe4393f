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
    /// The bytes of a header, from its beginning to the next, or of an address in it.
    pub fn header(&self, buffer: Buffer) -> Option<&'a [u8]> {
        let (packet, frame) = self.packet?;
        let network = || frame.get(usize::from(packet.l3_offset)..usize::from(packet.l4_offset));
        match (buffer, packet.l3, packet.l4) {
            (Buffer::IpSource, L3::Ipv4, _) => network()?.get(12..16),
            (Buffer::IpDestination, L3::Ipv4, _) => network()?.get(16..20),
            (Buffer::IpSource, L3::Ipv6, _) => network()?.get(8..24),
            (Buffer::IpDestination, L3::Ipv6, _) => network()?.get(24..40),
            (Buffer::Ipv4Header, L3::Ipv4, _) | (Buffer::Ipv6Header, L3::Ipv6, _) => network(),
            (Buffer::TcpHeader, _, L4::Tcp)
            | (Buffer::UdpHeader, _, L4::Udp)
            | (Buffer::Icmpv6Header, _, L4::Icmpv6) => Some(packet.transport_header(frame)),
            (Buffer::Icmpv4Header, _, L4::Icmp) => Some(icmp_header(packet, frame)),
            _ => None,
        }
    }
}

/// An ICMP header with the fields that its type has behind the common eight bytes, as far as they are there: a timestamp's
/// three times (RFC 792), the addresses that a router advertises (RFC 1256).
fn icmp_header<'a>(packet: &Packet, frame: &'a [u8]) -> &'a [u8] {
    const ROUTER_ADVERTISEMENT: u8 = 9;
    const TIMESTAMP: u8 = 13;
    const TIMESTAMP_REPLY: u8 = 14;
    let header = packet.transport_header(frame);
    let more = match (packet.icmp.icmp_type, header) {
        (ROUTER_ADVERTISEMENT, [_, _, _, _, addresses, words, ..]) => {
            usize::from(*addresses) * usize::from(*words) * 4
        }
        (TIMESTAMP | TIMESTAMP_REPLY, _) => 12,
        _ => return header,
    };
    let more = more.min(usize::from(packet.payload_len));
    let start = usize::from(packet.l4_offset);
    frame.get(start..start + header.len() + more).unwrap_or(header)
}

#[cfg(test)]
mod tests {
    use wire::ParseOptions;

    use super::*;

    #[test]
    fn an_icmp_header_goes_as_far_as_its_type_says() {
        let header_len = |icmp: [u8; 8], payload: usize| {
            let mut frame = [&[0; 12][..], &[8, 0, 0x45, 0, 0, 28 + payload as u8], &[0; 12]].concat();
            frame.extend_from_slice(&[0; 4]);
            frame[23] = 1;
            frame.extend_from_slice(&icmp);
            frame.resize(frame.len() + payload, 0);
            let packet = Packet::parse_ethernet(&frame, &ParseOptions::default()).unwrap();
            icmp_header(&packet, &frame).len()
        };
        assert_eq!(header_len([8, 0, 0, 0, 2, 2, 0, 0], 40), 8);
        assert_eq!(header_len([9, 0, 0, 0, 2, 2, 0, 0], 40), 8 + 16);
        assert_eq!(header_len([9, 0, 0, 0, 255, 255, 0, 0], 40), 8 + 40);
        assert_eq!(header_len([13, 0, 0, 0, 2, 2, 0, 0], 40), 8 + 12);
        assert_eq!(header_len([14, 0, 0, 0, 2, 2, 0, 0], 4), 8 + 4);
    }
}
