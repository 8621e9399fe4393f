//! Everything in front of the network header: Ethernet, VLAN tags, MPLS, `PPPoE`, PPP, NSH.

use super::{FRAME_LEN_MAX, ethertype, network};
use crate::malformed::Malformed;
use crate::packet::{L3, Packet, ParseOptions, Vlans};

/// VLAN tags accepted on one Ethernet header; [`Vlans`] keeps the outer ones.
const VLAN_TAGS_MAX: u8 = 3;
/// MPLS labels accepted in one stack. Segment routing stacks about ten.
const MPLS_LABELS_MAX: u8 = 16;
/// Link-layer headers walked in front of one network header, tags and Ethernet-in-MPLS counted: bounds the loop.
const LINK_HEADERS_MAX: u8 = 16;

const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;
const PPP_MPLS: u16 = 0x0281;

/// An Ethernet frame, whatever it carries.
#[cold]
#[inline(never)]
pub(super) fn ethernet(packet: &mut Packet, frame: &[u8], options: &ParseOptions) -> Result<(), Malformed> {
    *packet = Packet::default();
    if frame.len() > FRAME_LEN_MAX {
        return Err(Malformed::FrameTooLong);
    }
    headers(packet, ethertype::ETHERNET, frame, 0, options)
}

/// The VLAN identifier of a tag.
#[inline]
fn vid(tag: [u8; 4]) -> u16 {
    u16::from_be_bytes([tag[0], tag[1]]) & 0x0fff
}

/// The VLAN tags of an Ethernet frame, whatever follows them; as [`Packet::vlans`] of a frame that parses.
pub(super) fn vlan_tags(frame: &[u8]) -> Vlans {
    let mut vlans = Vlans::default();
    let mut at = 12;
    while let Some(&[t0, t1, v0, v1]) = frame.get(at..at + 4)
        && matches!(u16::from_be_bytes([t0, t1]), ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD)
        && let Some(slot) = vlans.vids.get_mut(usize::from(vlans.count))
    {
        *slot = vid([v0, v1, 0, 0]);
        vlans.count += 1;
        at += 4;
    }
    vlans
}

/// What follows a header: its `EtherType`, how many bytes the header took, and the bytes behind it.
struct Step<'a> {
    next: u16,
    header_len: usize,
    rest: &'a [u8],
}

/// Walks headers from the one that `next`, an `EtherType`, says starts `rest`, which is `offset` bytes into the slice
/// being parsed, up to and including the network and transport headers.
#[cold]
#[inline(never)]
pub(super) fn headers(
    packet: &mut Packet,
    mut next: u16,
    mut rest: &[u8],
    mut offset: usize,
    options: &ParseOptions,
) -> Result<(), Malformed> {
    // Only the tags of the frame's own Ethernet header say whose it is.
    let mut outermost = false;
    let mut tags = 0;
    for _ in 0..LINK_HEADERS_MAX {
        let step = match next {
            ethertype::IPV4 => return network::ipv4(packet, rest, offset, options),
            ethertype::IPV6 => return network::ipv6(packet, rest, offset, options),
            ethertype::ARP => return network::arp(packet, rest, offset),
            ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD => {
                let (tag, rest) = rest.split_first_chunk::<4>().ok_or(Malformed::VlanHeaderTruncated)?;
                if tags >= VLAN_TAGS_MAX {
                    return Err(Malformed::VlanTagsTooMany);
                }
                let vlans = if outermost { &mut packet.vlans } else { &mut packet.inner_vlans };
                if let Some(slot) = vlans.vids.get_mut(usize::from(tags)) {
                    *slot = vid(*tag);
                    vlans.count = tags + 1;
                }
                tags += 1;
                Some(Step { next: u16::from_be_bytes([tag[2], tag[3]]), header_len: 4, rest })
            }
            ethertype::ETHERNET => {
                let (header, rest) =
                    rest.split_first_chunk::<14>().ok_or(Malformed::EthernetHeaderTruncated)?;
                outermost = packet.depth == 0 && offset == 0;
                tags = 0;
                packet.inner_vlans = Vlans::default();
                Some(Step { next: u16::from_be_bytes([header[12], header[13]]), header_len: 14, rest })
            }
            ethertype::MPLS | ethertype::MPLS_MULTICAST => mpls(rest)?,
            ethertype::PPPOE_SESSION => Some(pppoe(rest)?),
            ethertype::PPP => ppp(rest)?,
            ethertype::NSH => nsh(rest)?,
            _ => None,
        };
        let Some(step) = step else {
            unknown(packet, next, rest, offset);
            return Ok(());
        };
        next = step.next;
        rest = step.rest;
        offset += step.header_len;
    }
    Err(Malformed::LinkHeadersTooMany)
}

/// The end of a walk at something that is not looked into.
fn unknown(packet: &mut Packet, ethertype: u16, rest: &[u8], offset: usize) {
    packet.l3 = L3::Other;
    packet.ethertype = ethertype;
    packet.l3_offset = offset as u16;
    packet.l4_offset = offset as u16;
    packet.payload_offset = offset as u16;
    packet.payload_len = rest.len() as u16;
}

/// An MPLS label stack (RFC 3032). Nothing in it says what it carries, so the first four bits behind the bottom label
/// are taken for an IP version, or, when 0, for a pseudowire's control word (RFC 4385) in front of Ethernet (RFC 4448).
fn mpls(stack: &[u8]) -> Result<Option<Step<'_>>, Malformed> {
    let mut rest = stack;
    let mut header_len = 0;
    for _ in 0..MPLS_LABELS_MAX {
        let (label, behind) = rest.split_first_chunk::<4>().ok_or(Malformed::MplsStackTruncated)?;
        rest = behind;
        header_len += 4;
        let is_bottom = label[2] & 1 == 1;
        if is_bottom {
            let first = rest.first().ok_or(Malformed::MplsStackTruncated)?;
            return Ok(match first >> 4 {
                4 => Some(Step { next: ethertype::IPV4, header_len, rest }),
                6 => Some(Step { next: ethertype::IPV6, header_len, rest }),
                0 => {
                    let control_word_len = 4;
                    let rest = rest.get(control_word_len..).ok_or(Malformed::EthernetHeaderTruncated)?;
                    Some(Step { next: ethertype::ETHERNET, header_len: header_len + control_word_len, rest })
                }
                _ => None,
            });
        }
    }
    Err(Malformed::MplsLabelsTooMany)
}

/// A `PPPoE` session header (RFC 2516); PPP follows.
fn pppoe(bytes: &[u8]) -> Result<Step<'_>, Malformed> {
    let (header, rest) = bytes.split_first_chunk::<6>().ok_or(Malformed::PppoeHeaderTruncated)?;
    let [version_and_type, code, _, _, len_high, len_low] = *header;
    if version_and_type != 0x11 || code != 0 {
        return Err(Malformed::PppoeHeaderInvalid);
    }
    let len = usize::from(u16::from_be_bytes([len_high, len_low]));
    let rest = rest.get(..len).ok_or(Malformed::PppoeLengthInvalid)?;
    Ok(Step { next: ethertype::PPP, header_len: 6, rest })
}

/// A PPP frame (RFC 1661) with or without the address and control bytes, the protocol field compressed or not. `None`
/// for what is not IP or MPLS: link control, authentication, compressed or encrypted packets.
fn ppp(bytes: &[u8]) -> Result<Option<Step<'_>>, Malformed> {
    let unframed = bytes.strip_prefix(&[0xff, 0x03]).unwrap_or(bytes);
    let (protocol, rest) = match *unframed {
        [compressed, ref rest @ ..] if compressed & 1 == 1 => (u16::from(compressed), rest),
        [high, low, ref rest @ ..] => (u16::from_be_bytes([high, low]), rest),
        _ => return Err(Malformed::PppHeaderTruncated),
    };
    let next = match protocol {
        PPP_IPV4 => ethertype::IPV4,
        PPP_IPV6 => ethertype::IPV6,
        PPP_MPLS => ethertype::MPLS,
        _ => return Ok(None),
    };
    Ok(Some(Step { next, header_len: bytes.len() - rest.len(), rest }))
}

/// Whether a PPP frame carries IP or MPLS.
pub(super) fn ppp_carries_ip(bytes: &[u8]) -> bool {
    matches!(ppp(bytes), Ok(Some(_)))
}

/// A network service header (RFC 8300). `None` for what it carries that has no `EtherType`.
fn nsh(bytes: &[u8]) -> Result<Option<Step<'_>>, Malformed> {
    let [first, second, metadata, protocol, ..] = *bytes else {
        return Err(Malformed::NshHeaderTruncated);
    };
    let words = usize::from(second & 0x3f);
    let version = first >> 6;
    let len_is_possible = match metadata & 0x0f {
        0 => false,
        1 => words == 6,
        _ => words >= 2,
    };
    if version != 0 || !len_is_possible {
        return Err(Malformed::NshHeaderInvalid);
    }
    let header_len = words * 4;
    let rest = bytes.get(header_len..).ok_or(Malformed::NshHeaderTruncated)?;
    Ok(service_protocol(protocol).map(|next| Step { next, header_len, rest }))
}

/// The `EtherType` of a next protocol number of NSH and of VXLAN's generic protocol extension.
pub(super) fn service_protocol(protocol: u8) -> Option<u16> {
    match protocol {
        1 => Some(ethertype::IPV4),
        2 => Some(ethertype::IPV6),
        3 => Some(ethertype::ETHERNET),
        4 => Some(ethertype::NSH),
        5 => Some(ethertype::MPLS),
        _ => None,
    }
}
