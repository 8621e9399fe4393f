//! ICMP and `ICMPv6`: which types answer which, and the packet that an error quotes.
//!
//! In: the type and code of a message, or an error message. Out: what stands in the n-tuple for ports, and the n-tuple
//! of the flow an error is about. Nothing of this is on the straight-line path.

use crate::packet::{IcmpError, L4, Packet};
use crate::parse::{Extension, ipv6_fragment};
use crate::protocol;
use crate::tuple::{Addr, NTuple};

/// The ICMP type that answers (or asks for) another, where there is one.
pub fn counterpart_v4(icmp_type: u8) -> Option<u8> {
    Some(match icmp_type {
        0 => 8,   // echo reply, echo
        8 => 0,   //
        9 => 10,  // router advertisement, solicitation
        10 => 9,  //
        13 => 14, // timestamp, its reply
        14 => 13, //
        15 => 16, // information request, its reply
        16 => 15, //
        17 => 18, // address mask request, its reply
        18 => 17, //
        _ => return None,
    })
}

/// The `ICMPv6` type that answers (or asks for) another, where there is one.
pub fn counterpart_v6(icmp_type: u8) -> Option<u8> {
    Some(match icmp_type {
        128 => 129, // echo request, reply
        129 => 128, //
        130 => 131, // multicast listener query, report
        131 => 130, //
        133 => 134, // router solicitation, advertisement
        134 => 133, //
        135 => 136, // neighbour solicitation, advertisement
        136 => 135, //
        139 => 140, // node information query, response
        140 => 139, //
        144 => 145, // home agent address discovery request, reply
        145 => 144, //
        _ => return None,
    })
}

/// What an n-tuple holds in place of source and destination port: the type and its counterpart, or else the code.
pub(crate) fn ports(icmp_type: u8, code: u8, counterpart: fn(u8) -> Option<u8>) -> (u16, u16) {
    (u16::from(icmp_type), u16::from(counterpart(icmp_type).unwrap_or(code)))
}

impl Packet {
    /// The n-tuple of the packet that this ICMP or `ICMPv6` error quotes; `frame` is the slice that was parsed.
    ///
    /// Errors quote as little as an IP header and 8 bytes (RFC 792) and routers cut the quote anywhere (RFC 1812), so
    /// lengths and checksums in it are not looked at. `None` when this is not an error, or the quote is too short to
    /// name a flow. The ports of a quoted fragment other than the first are 0, as in any fragment.
    #[cold]
    #[inline(never)]
    pub fn icmp_error(&self, frame: &[u8]) -> Option<IcmpError> {
        let quote = self.payload(frame);
        let quoted = match (self.l4, self.icmp.icmp_type) {
            // Destination unreachable, source quench, redirect, time exceeded, parameter problem.
            (L4::Icmp, 3 | 4 | 5 | 11 | 12) => quoted_v4(quote),
            // Destination unreachable, packet too big, time exceeded, parameter problem.
            (L4::Icmpv6, 1..=4) => quoted_v6(quote),
            _ => None,
        }?;
        Some(IcmpError { quoted })
    }
}

fn quoted_v4(quote: &[u8]) -> Option<NTuple> {
    let header = quote.first_chunk::<20>()?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    if header[0] >> 4 != 4 || header_len < header.len() {
        return None;
    }
    let tuple = NTuple {
        src: Addr::v4([header[12], header[13], header[14], header[15]]),
        dst: Addr::v4([header[16], header[17], header[18], header[19]]),
        protocol: header[9],
        ip_version: 4,
        ..NTuple::default()
    };
    let is_later_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0;
    if is_later_fragment {
        return Some(tuple);
    }
    with_ports(tuple, quote.get(header_len..)?)
}

fn quoted_v6(quote: &[u8]) -> Option<NTuple> {
    let (header, mut rest) = quote.split_first_chunk::<40>()?;
    if header[0] >> 4 != 6 {
        return None;
    }
    let (_, addresses) = header.split_first_chunk::<8>()?;
    let (src, addresses) = addresses.split_first_chunk::<16>()?;
    let dst = addresses.first_chunk::<16>()?;
    let mut tuple = NTuple { src: Addr(*src), dst: Addr(*dst), ip_version: 6, ..NTuple::default() };
    let mut next = header[6];
    // Every extension header takes 8 bytes or more of a quote that an MTU bounds.
    while let Some(extension) = Extension::of(next) {
        let (start, _) = rest.split_first_chunk::<8>()?;
        let len = match extension {
            Extension::Option => 8 + usize::from(start[1]) * 8,
            Extension::Authentication => 8 + usize::from(start[1]) * 4,
            Extension::Fragment if ipv6_fragment(*start).offset != 0 => {
                tuple.protocol = start[0];
                return Some(tuple);
            }
            Extension::Fragment => 8,
        };
        rest = rest.get(len..)?;
        next = start[0];
    }
    tuple.protocol = next;
    with_ports(tuple, rest)
}

/// Fills in ports or ICMP types; `None` if the protocol has them and the quote ends before they do.
fn with_ports(tuple: NTuple, transport: &[u8]) -> Option<NTuple> {
    let (src_port, dst_port) = match (tuple.protocol, tuple.ip_version) {
        (protocol::TCP | protocol::UDP | protocol::SCTP, _) => {
            let [a, b, c, d] = *transport.first_chunk::<4>()?;
            (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]))
        }
        (protocol::ICMP, 4) => {
            let [icmp_type, code] = *transport.first_chunk::<2>()?;
            ports(icmp_type, code, counterpart_v4)
        }
        (protocol::ICMPV6, 6) => {
            let [icmp_type, code] = *transport.first_chunk::<2>()?;
            ports(icmp_type, code, counterpart_v6)
        }
        _ => (0, 0),
    };
    Some(NTuple { src_port, dst_port, ..tuple })
}
