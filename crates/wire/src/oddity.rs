//! What is odd about the extension headers of an IPv6 packet (RFC 8200 4) and does not stop it.

use crate::packet::{L3, Packet};
use crate::parse::Extension;
use crate::protocol;

/// Something odd about the extension headers of an IPv6 packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Oddity {
    /// A fragment header on what is no fragment (RFC 6946).
    FragmentUseless,
    /// More than one fragment header.
    FragmentRepeated,
    /// Reserved bits of a fragment header are set.
    FragmentReserved,
    /// More than one routing header.
    RoutingRepeated,
    /// A routing header of type 0, which must not be used (RFC 5095).
    RoutingTypeZero,
    /// More than one header of hop-by-hop options.
    HopByHopRepeated,
    /// More than two headers of destination options: one for the routing header's stops, one for the end.
    DestinationRepeated,
    /// More than one authentication header.
    AuthenticationRepeated,
    /// Reserved bits of an authentication header are set.
    AuthenticationReserved,
}

impl Oddity {
    const ALL: [Self; 9] = [
        Self::FragmentUseless,
        Self::FragmentRepeated,
        Self::FragmentReserved,
        Self::RoutingRepeated,
        Self::RoutingTypeZero,
        Self::HopByHopRepeated,
        Self::DestinationRepeated,
        Self::AuthenticationRepeated,
        Self::AuthenticationReserved,
    ];
}

/// What is odd about one packet, each at most once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Oddities(u16);

impl Oddities {
    /// Each, in the order of the enum.
    pub fn iter(self) -> impl Iterator<Item = Oddity> {
        Oddity::ALL.into_iter().filter(move |&oddity| self.has(oddity))
    }

    /// Whether there is this one.
    pub const fn has(self, oddity: Oddity) -> bool {
        self.0 & 1 << oddity as u8 != 0
    }

    fn note(&mut self, is_there: bool, oddity: Oddity) {
        self.0 |= u16::from(is_there) << oddity as u8;
    }
}

/// Bytes of an IPv6 header without extension headers.
const IPV6_HEADER_LEN: u16 = 40;
/// Extension headers that are looked at; more than a packet of 1,500 bytes holds.
const EXTENSIONS_MAX: usize = 200;

impl Packet {
    /// Whether it is IPv6 with extension headers.
    #[inline]
    pub const fn has_extensions(&self) -> bool {
        matches!(self.l3, L3::Ipv6) && self.l4_offset.saturating_sub(self.l3_offset) > IPV6_HEADER_LEN
    }

    /// What is odd about the extension headers of this IPv6 packet, up to where they end, are cut off or a fragment's
    /// payload begins. `frame` is the slice that was parsed; that may have failed behind the IPv6 header.
    #[cold]
    pub fn oddities(&self, frame: &[u8]) -> Oddities {
        let mut odd = Oddities::default();
        let start = usize::from(self.l3_offset);
        let header = frame.get(start..).and_then(|packet| packet.split_first_chunk::<40>());
        let Some((header, mut rest)) = header.filter(|_| self.l3 == L3::Ipv6) else { return odd };
        let mut next = header[6];
        let (mut fragments, mut routings, mut hops, mut destinations, mut authentications) =
            (0_u8, 0_u8, 0_u8, 0_u8, 0_u8);
        let count = |count: &mut u8| {
            *count = count.saturating_add(1);
            *count
        };
        for _ in 0..EXTENSIONS_MAX {
            let (Some(kind), [following, words, third, fourth, ..]) = (Extension::of(next), rest) else {
                break;
            };
            let length = match kind {
                Extension::Option => 8 + usize::from(*words) * 8,
                Extension::Fragment => 8,
                Extension::Authentication => (usize::from(*words) + 2) * 4,
            };
            if rest.len() < length {
                break;
            }
            match next {
                protocol::FRAGMENT => {
                    let offset_and_more = u16::from_be_bytes([*third, *fourth]);
                    let whole = offset_and_more & !RESERVED == 0;
                    odd.note(whole, Oddity::FragmentUseless);
                    odd.note(count(&mut fragments) > 1, Oddity::FragmentRepeated);
                    odd.note(*words != 0 || offset_and_more & RESERVED != 0, Oddity::FragmentReserved);
                    if !whole {
                        break;
                    }
                }
                protocol::ROUTING => {
                    odd.note(count(&mut routings) > 1, Oddity::RoutingRepeated);
                    odd.note(*third == 0, Oddity::RoutingTypeZero);
                }
                protocol::HOP_BY_HOP => odd.note(count(&mut hops) > 1, Oddity::HopByHopRepeated),
                protocol::DESTINATION_OPTIONS => {
                    odd.note(count(&mut destinations) > 2, Oddity::DestinationRepeated);
                }
                protocol::AUTHENTICATION => {
                    odd.note(count(&mut authentications) > 1, Oddity::AuthenticationRepeated);
                    odd.note(*third != 0 || *fourth != 0, Oddity::AuthenticationReserved);
                }
                _ => {}
            }
            next = *following;
            rest = rest.get(length..).unwrap_or_default();
        }
        odd
    }
}

/// The two reserved bits between offset and "more fragments" (RFC 8200 4.5).
const RESERVED: u16 = 0x0006;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::ParseOptions;

    /// An Ethernet frame with these extension headers before an empty payload of nothing.
    fn frame(first: u8, extensions: &[[u8; 8]]) -> Vec<u8> {
        let mut frame = [&[0; 12][..], &[0x86, 0xdd], &[0x60, 0, 0, 0]].concat();
        frame.extend_from_slice(&((extensions.len() * 8) as u16).to_be_bytes());
        frame.extend_from_slice(&[first, 64]);
        frame.extend_from_slice(&[0x20; 32]);
        frame.extend_from_slice(extensions.concat().as_slice());
        frame
    }

    fn odd(frame: &[u8]) -> Vec<Oddity> {
        let packet = Packet::parse_ethernet(frame, &ParseOptions::default()).unwrap();
        assert!(packet.has_extensions());
        packet.oddities(frame).iter().collect()
    }

    #[test]
    fn oddities_are_found_and_nothing_else_is_odd() {
        let atomic = |next| [next, 0, 0, 0, 0, 0, 0, 1];
        assert_eq!(odd(&frame(44, &[atomic(59)])), [Oddity::FragmentUseless]);
        let twice = frame(44, &[atomic(44), atomic(59)]);
        assert_eq!(odd(&twice), [Oddity::FragmentUseless, Oddity::FragmentRepeated]);
        // More follows, and what looks like a header behind it is payload.
        assert_eq!(odd(&frame(44, &[[44, 0, 0, 1, 0, 0, 0, 1], atomic(59)])), []);
        assert_eq!(odd(&frame(44, &[[59, 0, 0, 7, 0, 0, 0, 1], atomic(59)])), [Oddity::FragmentReserved]);
        let options = |next| [next, 0, 1, 4, 0, 0, 0, 0];
        assert_eq!(odd(&frame(60, &[options(60), options(59)])), []);
        assert_eq!(odd(&frame(60, &[options(60), options(60), options(59)])), [Oddity::DestinationRepeated]);
        assert_eq!(odd(&frame(0, &[options(43), [59, 0, 0, 0, 0, 0, 0, 0]])), [Oddity::RoutingTypeZero]);
    }
}
