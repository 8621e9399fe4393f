//! Conditions on the headers of one packet.

use app::Direction;
use rules::ir::{ChecksumLayer, FlagMode, FlowCount, HeaderCondition, IpOption, StreamSide};
use wire::{L3, L4, Packet, checksum};

use super::asn1;
use super::subject::Subject;

/// Whether a condition holds. Of what the packet does not have, nothing holds.
pub(super) fn holds(condition: &HeaderCondition, subject: &Subject<'_>) -> bool {
    match flow_condition(condition, subject) {
        Some(answer) => answer,
        None => subject.packet.is_some_and(|(packet, frame)| in_packet(condition, subject, packet, frame)),
    }
}

/// Conditions that can be answered without a packet.
fn flow_condition(condition: &HeaderCondition, subject: &Subject<'_>) -> Option<bool> {
    Some(match condition {
        HeaderCondition::DecodeEvent(name) => subject.decode_events.contains(&name.as_str()),
        HeaderCondition::StreamEvent(name) => subject.stream_events.contains(&name.as_str()),
        HeaderCondition::SameIp => {
            subject.ends.ip_version != 0 && subject.ends.source.0 == subject.ends.destination.0
        }
        HeaderCondition::StreamSize { side, size } => subject.flow.is_some_and(|flow| {
            let [client, server] =
                Direction::BOTH.map(|way| flow.stream_bytes.get(way.index()).copied().unwrap_or(0));
            let [client, server] =
                [client, server].map(|bytes| size.holds(bytes.min(u64::from(u32::MAX)) as u32));
            match side {
                StreamSide::Server => server,
                StreamSide::Client => client,
                StreamSide::Both => server && client,
                StreamSide::Either => server || client,
            }
        }),
        // Asked of their databases, behind all other conditions.
        HeaderCondition::GeoIp(_) | HeaderCondition::Reputation(_) => true,
        HeaderCondition::FlowAge(age) => subject.flow.is_some_and(|flow| age.holds(flow.age_s)),
        HeaderCondition::FlowCount { what, count } => subject.flow.is_some_and(|flow| {
            let (counts, way) = match what {
                FlowCount::Packets(way) => (flow.packets, way),
                FlowCount::Bytes(way) => (flow.bytes, way),
            };
            counts.get(way.index()).is_some_and(|&value| count.holds(value))
        }),
        _ => return None,
    })
}

fn in_packet(condition: &HeaderCondition, subject: &Subject<'_>, packet: &Packet, frame: &[u8]) -> bool {
    let network = frame.get(usize::from(packet.l3_offset)..usize::from(packet.l4_offset)).unwrap_or_default();
    let transport = packet.transport_header(frame);
    let is_tcp = packet.l4 == L4::Tcp;
    let is_icmp = matches!(packet.l4, L4::Icmp | L4::Icmpv6);
    match condition {
        HeaderCondition::Ttl(ttl) => is_ip(packet) && ttl.holds(packet.ttl),
        HeaderCondition::Tos { value, negated } => {
            traffic_class(packet, network).is_some_and(|class| (class == *value) != *negated)
        }
        HeaderCondition::IpId(id) => packet.l3 == L3::Ipv4 && word(network, 4) == Some(*id),
        HeaderCondition::IpProtocol(protocol) => is_ip(packet) && protocol.holds(packet.tuple.protocol),
        HeaderCondition::IpVersion(version) => packet.tuple.ip_version == *version,
        HeaderCondition::IpOption(option) => packet.l3 == L3::Ipv4 && has_option(network, *option),
        HeaderCondition::FragmentBits { bits, mode } => {
            packet.l3 == L3::Ipv4
                && word(network, 6).is_some_and(|field| {
                    let field = (field >> 13) as u8;
                    // In the header's order: reserved, don't fragment, more fragments.
                    flags(field, *bits, *mode)
                })
        }
        HeaderCondition::FragmentOffset(offset) => {
            packet.l3 == L3::Ipv4 && word(network, 6).is_some_and(|field| offset.holds(field & 0x1fff))
        }
        HeaderCondition::TcpFlags { flags: wanted, mode, ignored } => {
            is_tcp && flags(packet.tcp.flags & !ignored, *wanted, *mode)
        }
        HeaderCondition::TcpSequence(number) => is_tcp && packet.tcp.seq == *number,
        HeaderCondition::TcpAcknowledgement(number) => is_tcp && packet.tcp.ack == *number,
        HeaderCondition::TcpWindow { value, negated } => is_tcp && (packet.tcp.window == *value) != *negated,
        HeaderCondition::TcpMss(size) => {
            is_tcp && segment_size(transport).is_some_and(|value| size.holds(value))
        }
        HeaderCondition::IcmpType(value) => is_icmp && value.holds(packet.icmp.icmp_type),
        HeaderCondition::IcmpCode(value) => is_icmp && value.holds(packet.icmp.code),
        HeaderCondition::IcmpId(value) => echo(packet, transport).is_some_and(|(id, _)| id == *value),
        HeaderCondition::IcmpSequence(value) => {
            echo(packet, transport).is_some_and(|(_, number)| number == *value)
        }
        HeaderCondition::Icmpv6Mtu(mtu) => {
            // Packet Too Big (RFC 4443, section 3.2).
            packet.l4 == L4::Icmpv6
                && packet.icmp.icmp_type == 2
                && transport_bytes(packet, frame, 4).is_some_and(|bytes| mtu.holds(u32::from_be_bytes(bytes)))
        }
        HeaderCondition::PayloadSize(size) => {
            size.holds(u16::try_from(packet.payload(frame).len()).unwrap_or(u16::MAX))
        }
        HeaderCondition::Checksum { layer, valid } => checksum_is(packet, frame, *layer, *valid),
        HeaderCondition::FtpBounce => ftp_bounce(subject),
        HeaderCondition::Asn1(faults) => asn1::holds(faults, subject.payload),
        HeaderCondition::Rpc { program, version, procedure } => {
            is_call(subject, *program, *version, *procedure)
        }
        // Answered before.
        HeaderCondition::DecodeEvent(_)
        | HeaderCondition::StreamEvent(_)
        | HeaderCondition::SameIp
        | HeaderCondition::StreamSize { .. }
        | HeaderCondition::FlowAge(_)
        | HeaderCondition::FlowCount { .. }
        | HeaderCondition::GeoIp(_)
        | HeaderCondition::Reputation(_) => false,
    }
}

const fn is_ip(packet: &Packet) -> bool {
    matches!(packet.l3, L3::Ipv4 | L3::Ipv6)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let [high, low] = *bytes.get(at..at + 2)?.first_chunk()?;
    Some(u16::from_be_bytes([high, low]))
}

fn transport_bytes<const N: usize>(packet: &Packet, frame: &[u8], at: usize) -> Option<[u8; N]> {
    let from = usize::from(packet.l4_offset) + at;
    frame.get(from..from + N)?.first_chunk().copied()
}

fn flags(value: u8, wanted: u8, mode: FlagMode) -> bool {
    match mode {
        FlagMode::Exact => value == wanted,
        FlagMode::AllOf => value & wanted == wanted,
        FlagMode::AnyOf => value & wanted != 0,
        FlagMode::Not => value & wanted != wanted,
    }
}

fn traffic_class(packet: &Packet, network: &[u8]) -> Option<u8> {
    let (&first, &second) = (network.first()?, network.get(1)?);
    match packet.l3 {
        L3::Ipv4 => Some(second),
        L3::Ipv6 => Some(first << 4 | second >> 4),
        L3::Arp | L3::Other => None,
    }
}

/// Number of an IPv4 option (IANA's registry).
const fn option_number(option: IpOption) -> Option<u8> {
    Some(match option {
        IpOption::EndOfList => 0,
        IpOption::NoOperation => 1,
        IpOption::RecordRoute => 7,
        IpOption::Timestamp => 68,
        IpOption::Security => 130,
        IpOption::LooseSourceRoute => 131,
        IpOption::ExtendedSecurity => 133,
        IpOption::Cipso => 134,
        IpOption::StreamId => 136,
        IpOption::StrictSourceRoute => 137,
        IpOption::RouterAlert => 148,
        IpOption::Any => return None,
    })
}

fn has_option(network: &[u8], wanted: IpOption) -> bool {
    let mut rest = network.get(20..).unwrap_or_default();
    while let Some(&number) = rest.first() {
        if option_number(wanted).is_none_or(|wanted| wanted == number) {
            return true;
        }
        let len = match number {
            0 => return false,
            1 => 1,
            _ => usize::from(rest.get(1).copied().unwrap_or(0)),
        };
        // An option shorter than its own header ends the list.
        if len == 0 || (number > 1 && len < 2) {
            return false;
        }
        rest = rest.get(len..).unwrap_or_default();
    }
    false
}

/// Maximum segment size option (RFC 9293, section 3.2).
fn segment_size(transport: &[u8]) -> Option<u16> {
    let mut rest = transport.get(20..)?;
    loop {
        match *rest {
            [2, 4, high, low, ..] => return Some(u16::from_be_bytes([high, low])),
            [1, ..] => rest = rest.get(1..)?,
            [kind, len, ..] if kind != 0 && len >= 2 => rest = rest.get(usize::from(len)..)?,
            _ => return None,
        }
    }
}

/// Identifier and sequence number of ICMP messages that have them (RFC 792, RFC 4443).
fn echo(packet: &Packet, transport: &[u8]) -> Option<(u16, u16)> {
    let has = match packet.l4 {
        L4::Icmp => matches!(packet.icmp.icmp_type, 0 | 8 | 13..=18),
        L4::Icmpv6 => matches!(packet.icmp.icmp_type, 128 | 129),
        _ => false,
    };
    if !has {
        return None;
    }
    Some((word(transport, 4)?, word(transport, 6)?))
}

fn checksum_is(packet: &Packet, frame: &[u8], layer: ChecksumLayer, valid: bool) -> bool {
    let verdict = match (layer, packet.l3, packet.l4) {
        (ChecksumLayer::Ipv4, L3::Ipv4, _) => packet.verify_ipv4_checksum(frame),
        (ChecksumLayer::TcpV4, L3::Ipv4, L4::Tcp)
        | (ChecksumLayer::TcpV6, L3::Ipv6, L4::Tcp)
        | (ChecksumLayer::UdpV4, L3::Ipv4, L4::Udp)
        | (ChecksumLayer::UdpV6, L3::Ipv6, L4::Udp)
        | (ChecksumLayer::IcmpV4, L3::Ipv4, L4::Icmp)
        | (ChecksumLayer::IcmpV6, L3::Ipv6, L4::Icmpv6) => packet.verify_transport_checksum(frame),
        _ => return false,
    };
    (verdict == checksum::Verdict::Wrong) != valid
}

/// `PORT` with an address that is not the client's (RFC 959, section 4.1.2; CERT CA-1997-27).
fn ftp_bounce(subject: &Subject<'_>) -> bool {
    let payload = subject.payload;
    let command = payload.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"PORT "));
    if !command || subject.ends.ip_version != 4 {
        return false;
    }
    let mut octets = payload.get(5..).unwrap_or_default().split(|&byte| byte == b',').map(|field| {
        let digits: Vec<u8> = field.iter().copied().filter(|byte| *byte != b' ').collect();
        std::str::from_utf8(&digits).ok().and_then(|text| text.parse::<u8>().ok())
    });
    let mut address = [0; 4];
    for place in &mut address {
        match octets.next().flatten() {
            Some(octet) => *place = octet,
            None => return false,
        }
    }
    address != subject.ends.source.0.v4_octets()
}

/// An ONC RPC call (RFC 5531, section 9), over TCP behind its record mark.
fn is_call(subject: &Subject<'_>, program: u32, version: Option<u32>, procedure: Option<u32>) -> bool {
    let tcp = subject.packet.is_some_and(|(packet, _)| packet.l4 == L4::Tcp);
    let message = subject.payload.get(if tcp { 4 } else { 0 }..).unwrap_or_default();
    let field = |number: usize| {
        message
            .get(number * 4..)
            .and_then(|rest| rest.first_chunk::<4>())
            .map(|bytes| u32::from_be_bytes(*bytes))
    };
    // Transaction, call (0), RPC version 2, program, version, procedure.
    field(1) == Some(0)
        && field(2) == Some(2)
        && field(3) == Some(program)
        && version.is_none_or(|version| field(4) == Some(version))
        && procedure.is_none_or(|procedure| field(5) == Some(procedure))
}
