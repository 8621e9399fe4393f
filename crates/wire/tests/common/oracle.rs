//! Another parser's opinion of a frame: `etherparse`.

use etherparse::{Ipv6ExtensionSlice, LinkExtSlice, NetSlice, SlicedPacket, TransportSlice};
use wire::{Addr, Encapsulation, L3, L4, NTuple, Packet, ParseOptions};

/// What comparing the two parsers on a frame found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// Same headers, same n-tuple, same payload.
    Same,
    /// Neither accepts the frame.
    BothRefuse,
    /// The two are meant to differ on such a frame; [`compare`] says why.
    OutOfScope,
    /// They disagree.
    Differ(String),
}

/// Parses `frame` with both.
///
/// Where they differ by design:
/// - `etherparse` stops at a fourth VLAN tag, at `MACsec`, MPLS, `PPPoE` and NSH; this crate walks on or refuses.
/// - It takes 0x9100 and 0x88a8 alike, but knows no tunnel: compared is the outermost IP packet only.
/// - It takes a UDP length of 0 for "to the end" (RFC 2675), which is malformed here, as it is in Suricata.
/// - It takes any ICMP header of 8 bytes, and an `ICMPv6` one of 8; some ICMP types have longer headers there
///   (timestamp: 20), so only the type, the code and the end of the payload are compared.
/// - It reads ICMP over IPv6 and `ICMPv6` over IPv4; here that is an unknown protocol.
/// - It looks behind one authentication header in IPv4, this crate behind each.
/// - It demands the IPv6 extension headers in the recommended order and each once; an attacker does not keep to that,
///   so this crate walks any order. It does not know all of them and stops at mobility, HIP and shim6.
/// - IPv4 options, ESP, GRE and SCTP headers are checked here and not there.
/// - It takes bits 5 and 6 of the IPv6 fragment offset's low byte for the reserved ones, which are bits 1 and 2 (RFC
///   8200 4.5), so the two may differ on whether there is a fragment.
/// - It looks behind an authentication header in a fragment; here nothing in a fragment is looked at.
/// - It accepts an IPv6 fragment other than the last whose length is not a multiple of 8.
/// - IPv6 payload length 0 with bytes behind it is for it a jumbogram "to the end"; here it is 0.
pub fn compare(frame: &[u8]) -> Agreement {
    let ours = Packet::parse_ethernet(frame, &ParseOptions::default());
    let theirs = SlicedPacket::from_ethernet(frame);
    let (ours, theirs) = match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(_), Err(_)) => return Agreement::BothRefuse,
        (Ok(ours), Err(error)) => {
            return if walks_further(&ours, frame) {
                Agreement::OutOfScope
            } else {
                Agreement::Differ(format!("only etherparse refuses: {error}; {ours:?}"))
            };
        }
        (Err(reason), Ok(theirs)) => {
            return if is_checked_here_only(reason, &theirs) {
                Agreement::OutOfScope
            } else {
                Agreement::Differ(format!("only etherparse accepts: {reason}; {theirs:?}"))
            };
        }
    };
    compare_accepted(&ours, &theirs, frame)
}

/// Whether a packet is one that `etherparse` may refuse for a reason given at [`compare`].
fn walks_further(ours: &Packet, frame: &[u8]) -> bool {
    let next_header = frame.get(usize::from(ours.l3_offset) + 6);
    match ours.l3 {
        // A header of 0 for an IPv6 version it also sees: extension headers out of order, or unknown.
        L3::Ipv6 => {
            next_header.is_some_and(|next| [0, 43, 44, 51, 60, 135, 139, 140].contains(next))
                || is_long_icmp(ours)
        }
        L3::Ipv4 => is_long_icmp(ours),
        // MACsec, and ARP whose addresses it looks at.
        L3::Arp | L3::Other => ours.ethertype == 0x88e5,
    }
}

/// ICMP types whose header is longer than 8 bytes for `etherparse`.
fn is_long_icmp(ours: &Packet) -> bool {
    matches!((ours.l4, ours.icmp.icmp_type), (L4::Icmp, 13 | 14))
}

fn is_checked_here_only(reason: wire::Malformed, theirs: &SlicedPacket<'_>) -> bool {
    use wire::Malformed as M;
    let is_zero_len = |at: usize, header: &[u8]| header.get(at..at + 2) == Some(&[0, 0]);
    match reason {
        M::EspHeaderTruncated
        | M::GreHeaderTruncated
        | M::GreHeaderInvalid
        | M::ErspanHeaderTruncated
        | M::ErspanHeaderInvalid
        | M::SctpHeaderTruncated
        | M::Ipv4OptionsInvalid
        | M::Ipv6FragmentLengthInvalid
        | M::VlanTagsTooMany
        | M::VlanHeaderTruncated
        | M::MplsStackTruncated
        | M::MplsLabelsTooMany
        | M::LinkHeadersTooMany
        | M::PppoeHeaderTruncated
        | M::PppoeHeaderInvalid
        | M::PppoeLengthInvalid
        | M::PppHeaderTruncated
        | M::NshHeaderTruncated
        | M::NshHeaderInvalid => true,
        M::UdpLengthInvalid => {
            matches!(&theirs.transport, Some(TransportSlice::Udp(udp)) if is_zero_len(4, udp.header_slice()))
        }
        // Behind an extension header where it stopped, or in a payload that is empty by the length field.
        _ if theirs.net.is_some() => stopped_at_extension(theirs) || is_jumbogram(theirs),
        // A link layer that only this crate looks behind.
        _ => true,
    }
}

/// Whether it left off at an extension header: one that it does not know, or not in the order that it demands.
fn stopped_at_extension(theirs: &SlicedPacket<'_>) -> bool {
    let next = theirs.ip_payload().map(|payload| payload.ip_number.0);
    theirs.transport.is_none() && next.is_some_and(|next| [0, 43, 44, 51, 60, 135, 139, 140].contains(&next))
}

/// Whether it took a payload length of 0 for "to the end".
fn is_jumbogram(theirs: &SlicedPacket<'_>) -> bool {
    matches!(&theirs.net, Some(NetSlice::Ipv6(v6)) if v6.header().payload_length() == 0)
}

/// Whether it saw an IPv6 fragment header.
fn has_fragment_header(theirs: &SlicedPacket<'_>) -> bool {
    let Some(NetSlice::Ipv6(v6)) = &theirs.net else { return false };
    v6.extensions().clone().into_iter().any(|header| matches!(header, Ipv6ExtensionSlice::Fragment(_)))
}

fn compare_accepted(ours: &Packet, theirs: &SlicedPacket<'_>, frame: &[u8]) -> Agreement {
    let expect = |what: &str, ours: String, theirs: String| {
        if ours == theirs {
            None
        } else {
            Some(Agreement::Differ(format!("{what}: {ours} here, {theirs} there")))
        }
    };
    if theirs.link_exts.iter().any(|extension| matches!(extension, LinkExtSlice::Macsec(_))) {
        return Agreement::OutOfScope;
    }
    let their_l3 = match &theirs.net {
        Some(NetSlice::Ipv4(_)) => L3::Ipv4,
        Some(NetSlice::Ipv6(_)) => L3::Ipv6,
        Some(NetSlice::Arp(_)) => L3::Arp,
        None => L3::Other,
    };
    if their_l3 == L3::Other && ours.l3 != L3::Other {
        return Agreement::OutOfScope;
    }
    if let Some(differ) = expect("network layer", format!("{:?}", ours.l3), format!("{their_l3:?}")) {
        return differ;
    }
    let (src, dst, ip_version, ttl) = match &theirs.net {
        Some(NetSlice::Ipv4(v4)) => {
            let header = v4.header();
            (Addr::v4(header.source()), Addr::v4(header.destination()), 4, header.ttl())
        }
        Some(NetSlice::Ipv6(v6)) => {
            if is_jumbogram(theirs) {
                return Agreement::OutOfScope;
            }
            let header = v6.header();
            (Addr(header.source()), Addr(header.destination()), 6, header.hop_limit())
        }
        Some(NetSlice::Arp(_)) | None => return Agreement::Same,
    };
    let Some(their_payload) = theirs.ip_payload() else {
        return Agreement::Differ("IP without payload".to_owned());
    };
    if stopped_at_extension(theirs) {
        return Agreement::OutOfScope;
    }
    let ours_fragment = ours.fragment.is_some();
    if ours_fragment != their_payload.fragmented {
        if has_fragment_header(theirs) {
            return Agreement::OutOfScope;
        }
        return Agreement::Differ(format!("fragment: {ours_fragment} here"));
    }
    let end = |slice: &[u8]| slice.as_ptr_range().end as usize - frame.as_ptr() as usize;
    let our_end = usize::from(ours.payload_offset) + usize::from(ours.payload_len);
    if ours_fragment {
        let same_ends = (ours.tuple.src, ours.tuple.dst) == (src, dst);
        return if same_ends && our_end == end(their_payload.payload) {
            Agreement::Same
        } else {
            Agreement::Differ(format!("fragment {ours:?} here, {their_payload:?} there"))
        };
    }
    let is_crossed = matches!(
        (&theirs.transport, ours.l3),
        (Some(TransportSlice::Icmpv4(_)), L3::Ipv6) | (Some(TransportSlice::Icmpv6(_)), L3::Ipv4)
    );
    if is_crossed {
        return if ours.l4 == L4::Other {
            Agreement::OutOfScope
        } else {
            Agreement::Differ("ICMP of the other IP version".to_owned())
        };
    }
    let (l4, src_port, dst_port, payload) = match &theirs.transport {
        Some(TransportSlice::Tcp(tcp)) => {
            if tcp.sequence_number() != ours.tcp.seq
                || tcp.acknowledgment_number() != ours.tcp.ack
                || tcp.window_size() != ours.tcp.window
                || tcp.syn() != (ours.tcp.flags & 2 != 0)
                || tcp.fin() != (ours.tcp.flags & 1 != 0)
                || tcp.rst() != (ours.tcp.flags & 4 != 0)
                || tcp.ack() != (ours.tcp.flags & 16 != 0)
            {
                return Agreement::Differ(format!("TCP fields: {:?} here, {tcp:?} there", ours.tcp));
            }
            (L4::Tcp, tcp.source_port(), tcp.destination_port(), tcp.payload())
        }
        Some(TransportSlice::Udp(udp)) => (L4::Udp, udp.source_port(), udp.destination_port(), udp.payload()),
        Some(TransportSlice::Icmpv4(icmp)) => {
            if (icmp.type_u8(), icmp.code_u8()) != (ours.icmp.icmp_type, ours.icmp.code) {
                return Agreement::Differ(format!("ICMP type or code: {:?} here", ours.icmp));
            }
            (L4::Icmp, ours.tuple.src_port, ours.tuple.dst_port, icmp.payload())
        }
        Some(TransportSlice::Icmpv6(icmp)) => {
            if (icmp.type_u8(), icmp.code_u8()) != (ours.icmp.icmp_type, ours.icmp.code) {
                return Agreement::Differ(format!("ICMPv6 type or code: {:?} here", ours.icmp));
            }
            (L4::Icmpv6, ours.tuple.src_port, ours.tuple.dst_port, icmp.payload())
        }
        None => {
            // It has no SCTP; the ports are then only ours.
            let ports = if ours.l4 == L4::Sctp { (ours.tuple.src_port, ours.tuple.dst_port) } else { (0, 0) };
            (if ours.l4 == L4::Sctp { L4::Sctp } else { L4::Other }, ports.0, ports.1, their_payload.payload)
        }
    };
    let protocol = their_payload.ip_number.0;
    let tuple = NTuple { src, dst, src_port, dst_port, protocol, ip_version };
    let their_vids: Vec<u16> = theirs.vlan_ids().iter().map(|vid| vid.value()).take(2).collect();
    let our_vids = ours.vlans.vids.get(..usize::from(ours.vlans.count)).unwrap_or_default();
    let tunnel_by_number = matches!(ours.encapsulation, Some(Encapsulation::Gre | Encapsulation::IpInIp));
    let checks = [
        expect("transport layer", format!("{:?}", ours.l4), format!("{l4:?}")),
        expect("n-tuple", format!("{:?}", ours.tuple), format!("{tuple:?}")),
        expect("TTL", ours.ttl.to_string(), ttl.to_string()),
        expect("tags", format!("{our_vids:?}"), format!("{their_vids:?}")),
        expect("end of payload", our_end.to_string(), end(payload).to_string()),
        expect("tunnel", tunnel_by_number.to_string(), (tunnel_by_number && l4 == L4::Other).to_string()),
    ];
    if let Some(differ) = checks.into_iter().flatten().next() {
        return differ;
    }
    if l4 != L4::Sctp && !is_long_icmp(ours) {
        let start = end(payload) - payload.len();
        if start != usize::from(ours.payload_offset) {
            return Agreement::Differ(format!(
                "payload starts at {} here, {start} there",
                ours.payload_offset
            ));
        }
    }
    Agreement::Same
}
