//! The Internet checksum (RFC 1071): computing, verifying, and adjusting after an edit (RFC 1624).
//!
//! In: header and payload bytes. Out: checksums as host-order numbers, to be stored big-endian. Parsing does not check
//! checksums, since a NIC does and captures of a sender's own traffic lack them; who needs it asks here.

use crate::packet::{L3, L4, Packet};
use crate::protocol;
use crate::tuple::NTuple;

/// The one's complement sum of `bytes` as big-endian 16-bit words, an odd last byte padded with zero, not yet folded.
///
/// Sums of parts add up as long as every part but the last has even length.
pub fn sum(bytes: &[u8]) -> u64 {
    let (words, tail) = bytes.as_chunks::<4>();
    // 32-bit words fold to the same 16-bit sum (RFC 1071 2.C); 64 bits hold the carries of 16 GiB.
    let words: u64 = words.iter().map(|word| u64::from(u32::from_be_bytes(*word))).sum();
    let tail = match *tail {
        [] => 0,
        [a] => u64::from(a) << 8,
        [a, b] => u64::from(u16::from_be_bytes([a, b])),
        [a, b, c, ..] => u64::from(u16::from_be_bytes([a, b])) + (u64::from(c) << 8),
    };
    words + tail
}

/// Folds a sum to 16 bits without complementing it; a sum over bytes that include a correct checksum folds to 0xffff.
pub const fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// The checksum of `bytes`, in which the checksum field is zero: an IPv4 header with its options, or an ICMP message.
pub fn of(bytes: &[u8]) -> u16 {
    !fold(sum(bytes))
}

/// Whether `bytes`, which include their checksum, are correct: an IPv4 header with its options, or an ICMP message.
pub fn is_correct(bytes: &[u8]) -> bool {
    fold(sum(bytes)) == 0xffff
}

/// The sum over the pseudo header that TCP, UDP and `ICMPv6` checksums cover (RFC 9293 3.1, RFC 8200 8.1): addresses,
/// IP version and protocol are `tuple`'s, `len` is the transport header and payload in bytes.
pub fn pseudo_header(tuple: &NTuple, len: usize) -> u64 {
    let addresses = if tuple.ip_version == 4 {
        sum(&tuple.src.v4_octets()) + sum(&tuple.dst.v4_octets())
    } else {
        sum(&tuple.src.0) + sum(&tuple.dst.0)
    };
    addresses + u64::from(tuple.protocol) + len as u64
}

/// The checksum of a TCP, UDP, ICMP or `ICMPv6` segment in which the checksum field is zero, for a packet with the
/// addresses, IP version and protocol of `tuple`. ICMP over IPv4 has no pseudo header; a UDP checksum that comes out as
/// 0 is sent as 0xffff, because 0 says that there is none (RFC 768).
pub fn transport(tuple: &NTuple, segment: &[u8]) -> u16 {
    let checksum = !fold(transport_sum(tuple, segment));
    if checksum == 0 && tuple.protocol == protocol::UDP { 0xffff } else { checksum }
}

fn transport_sum(tuple: &NTuple, segment: &[u8]) -> u64 {
    let pseudo = if tuple.protocol == protocol::ICMP { 0 } else { pseudo_header(tuple, segment.len()) };
    pseudo + sum(segment)
}

/// The checksum after bytes that it covers changed from `old` to `new`, which have the same, even length and start at an
/// even place (RFC 1624, equation 3). A UDP checksum of 0 (none) must be left alone.
pub fn adjusted(checksum: u16, old: &[u8], new: &[u8]) -> u16 {
    let removed = u64::from(!fold(sum(old)));
    !fold(u64::from(!checksum) + removed + sum(new))
}

/// What verifying a checksum found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The checksum is right.
    Correct,
    /// The checksum is wrong.
    Wrong,
    /// There is none to verify: the header has no such field, the sender left it out (UDP over IPv4), the packet is a
    /// fragment, or the protocol's checksum is of another kind.
    Absent,
}

impl Verdict {
    fn of(is_correct: bool) -> Self {
        if is_correct { Self::Correct } else { Self::Wrong }
    }
}

impl Packet {
    /// Verifies the IPv4 header checksum; `frame` is the slice that was parsed.
    pub fn verify_ipv4_checksum(&self, frame: &[u8]) -> Verdict {
        let Some(packet) = self.ip_packet(frame) else { return Verdict::Absent };
        match (self.l3, packet) {
            (L3::Ipv4, [first, ..]) => {
                let header_len = usize::from(first & 0x0f) * 4;
                packet.get(..header_len).map_or(Verdict::Absent, |header| Verdict::of(is_correct(header)))
            }
            _ => Verdict::Absent,
        }
    }

    /// Verifies the checksum of TCP, UDP, ICMP or `ICMPv6`; `frame` is the slice that was parsed.
    ///
    /// Takes the destination address from the IPv6 header, so a packet that still has to pass an intermediate node of
    /// its routing header is [`Verdict::Wrong`].
    pub fn verify_transport_checksum(&self, frame: &[u8]) -> Verdict {
        let header_len = usize::from(self.l4_offset.saturating_sub(self.l3_offset));
        let Some(segment) = self.ip_packet(frame).and_then(|packet| packet.get(header_len..)) else {
            return Verdict::Absent;
        };
        match self.l4 {
            L4::Tcp | L4::Icmp | L4::Icmpv6 => {
                Verdict::of(fold(transport_sum(&self.tuple, segment)) == 0xffff)
            }
            L4::Udp => {
                let udp_header_len = usize::from(self.payload_offset.saturating_sub(self.l4_offset));
                let udp_len = udp_header_len + usize::from(self.payload_len);
                match segment.get(..udp_len) {
                    Some([_, _, _, _, _, _, 0, 0, ..]) | None => Verdict::Absent,
                    Some(datagram) => Verdict::of(fold(transport_sum(&self.tuple, datagram)) == 0xffff),
                }
            }
            L4::Sctp | L4::Other => Verdict::Absent,
        }
    }
}
