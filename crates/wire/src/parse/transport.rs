//! TCP, UDP, SCTP, ICMP and `ICMPv6`, and what carries a tunnel by its protocol number.

use super::tunnel;
use crate::icmp;
use crate::malformed::Malformed;
use crate::packet::{Encapsulation, Icmp, L3, L4, Packet, ParseOptions, Tcp};
use crate::protocol;

/// A TCP segment (RFC 9293).
#[inline]
pub(super) fn tcp(packet: &mut Packet, segment: &[u8], offset: usize) -> Result<(), Malformed> {
    let Some(header) = segment.first_chunk::<20>() else {
        return Err(Malformed::TcpHeaderTruncated);
    };
    let header_len = usize::from(header[12] >> 4) * 4;
    if header_len < 20 {
        return Err(Malformed::TcpDataOffsetInvalid);
    }
    let Some(payload_len) = segment.len().checked_sub(header_len) else {
        return Err(Malformed::TcpOptionsTruncated);
    };
    packet.l4 = L4::Tcp;
    packet.tuple.protocol = protocol::TCP;
    packet.tuple.src_port = u16::from_be_bytes([header[0], header[1]]);
    packet.tuple.dst_port = u16::from_be_bytes([header[2], header[3]]);
    packet.tcp = Tcp {
        seq: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        ack: u32::from_be_bytes([header[8], header[9], header[10], header[11]]),
        window: u16::from_be_bytes([header[14], header[15]]),
        flags: header[13],
    };
    packet.l4_offset = offset as u16;
    packet.payload_offset = (offset + header_len) as u16;
    packet.payload_len = payload_len as u16;
    Ok(())
}

/// A UDP datagram (RFC 768). Bytes between its length and the end of the IP packet (RFC 9868's options) are not part
/// of the payload.
#[inline]
pub(super) fn udp(
    packet: &mut Packet,
    segment: &[u8],
    offset: usize,
    options: &ParseOptions,
) -> Result<(), Malformed> {
    let Some((header, body)) = segment.split_first_chunk::<8>() else {
        return Err(Malformed::UdpHeaderTruncated);
    };
    let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    // One comparison for both bounds: a length below 8 wraps round to more than any body has.
    let payload_len = len.wrapping_sub(header.len());
    if payload_len > body.len() {
        return Err(udp_length_reason(len));
    }
    let dst_port = u16::from_be_bytes([header[2], header[3]]);
    packet.l4 = L4::Udp;
    packet.tuple.protocol = protocol::UDP;
    packet.tuple.src_port = u16::from_be_bytes([header[0], header[1]]);
    packet.tuple.dst_port = dst_port;
    packet.l4_offset = offset as u16;
    packet.payload_offset = (offset + header.len()) as u16;
    packet.payload_len = payload_len as u16;
    if dst_port == options.vxlan_port {
        packet.encapsulation = Some(Encapsulation::Vxlan);
    } else if dst_port == options.geneve_port {
        packet.encapsulation = Some(Encapsulation::Geneve);
    }
    Ok(())
}

#[cold]
#[inline(never)]
fn udp_length_reason(len: usize) -> Malformed {
    if len < 8 { Malformed::UdpLengthInvalid } else { Malformed::UdpPacketTruncated }
}

/// Whatever is neither TCP nor UDP.
#[cold]
#[inline(never)]
pub(super) fn other(
    packet: &mut Packet,
    protocol: u8,
    segment: &[u8],
    offset: usize,
) -> Result<(), Malformed> {
    packet.tuple.protocol = protocol;
    packet.l4_offset = offset as u16;
    let header_len = match (protocol, packet.l3) {
        (protocol::ICMP, L3::Ipv4) => {
            icmp_header(packet, segment, icmp::counterpart_v4).ok_or(Malformed::IcmpHeaderTruncated)?;
            packet.l4 = L4::Icmp;
            ICMP_HEADER_LEN
        }
        (protocol::ICMPV6, L3::Ipv6) => {
            icmp_header(packet, segment, icmp::counterpart_v6).ok_or(Malformed::Icmpv6HeaderTruncated)?;
            packet.l4 = L4::Icmpv6;
            ICMP_HEADER_LEN
        }
        (protocol::SCTP, _) => {
            let header = segment.first_chunk::<12>().ok_or(Malformed::SctpHeaderTruncated)?;
            packet.tuple.src_port = u16::from_be_bytes([header[0], header[1]]);
            packet.tuple.dst_port = u16::from_be_bytes([header[2], header[3]]);
            packet.l4 = L4::Sctp;
            header.len()
        }
        (protocol::GRE, _) => {
            if tunnel::gre(segment)?.is_some() {
                packet.encapsulation = Some(Encapsulation::Gre);
            }
            0
        }
        (protocol::IPV4 | protocol::IPV6, _) => {
            packet.encapsulation = Some(Encapsulation::IpInIp);
            0
        }
        (protocol::ESP, _) if segment.len() < 8 => return Err(Malformed::EspHeaderTruncated),
        _ => 0,
    };
    packet.payload_offset = (offset + header_len) as u16;
    packet.payload_len = (segment.len() - header_len) as u16;
    Ok(())
}

/// Type, code, checksum and four bytes whose meaning depends on the type.
const ICMP_HEADER_LEN: usize = 8;

/// Reads type and code; `None` if the header is cut off.
fn icmp_header(packet: &mut Packet, segment: &[u8], counterpart: fn(u8) -> Option<u8>) -> Option<()> {
    let [icmp_type, code, ..] = *segment.first_chunk::<ICMP_HEADER_LEN>()?;
    packet.icmp = Icmp { icmp_type, code };
    (packet.tuple.src_port, packet.tuple.dst_port) = icmp::ports(icmp_type, code, counterpart);
    Some(())
}
