//! Packets that could not be taken whole or are odd, as rules about `decode-event` see them.

use flow::defrag::DropReason;
use signature::{Ends, Subject};
use wire::{L3, Malformed, Oddity, Packet, TenantId};

use super::layer::{Layer, Raised};
use super::{Inspection, Moment};
use crate::pipeline::Plan;
use crate::reason::Reason;
use crate::records::Records;
use crate::time::PacketTime;

/// The rule language's name of what was wrong; a fault that the language has no name for has none.
fn names(reason: Reason, network: L3) -> &'static [&'static str] {
    match (reason, network) {
        (Reason::Malformed(fault), _) => of_header(fault),
        (Reason::Fragment(DropReason::Overlap), L3::Ipv6) => &["ipv6.frag_overlap"],
        (Reason::Fragment(DropReason::Oversize), L3::Ipv4) => &["ipv4.frag_pkt_too_large"],
        (Reason::Fragment(DropReason::Oversize), L3::Ipv6) => &["ipv6.frag_pkt_too_large"],
        _ => &[],
    }
}

fn of_header(fault: Malformed) -> &'static [&'static str] {
    match fault {
        Malformed::EthernetHeaderTruncated => &["ethernet.pkt_too_small"],
        Malformed::VlanHeaderTruncated => &["vlan.header_too_small"],
        Malformed::VlanTagsTooMany => &["vlan.too_many_layers"],
        Malformed::MplsStackTruncated => &["mpls.pkt_too_small"],
        Malformed::PppoeHeaderTruncated => &["pppoe.pkt_too_small"],
        Malformed::PppoeHeaderInvalid => &["pppoe.wrong_code"],
        Malformed::PppoeLengthInvalid => &["pppoe.malformed_tags"],
        Malformed::PppHeaderTruncated => &["ppp.pkt_too_small"],
        Malformed::NshHeaderTruncated => &["nsh.header_too_small"],
        Malformed::NshHeaderInvalid => &["nsh.bad_header_length"],
        Malformed::Ipv4HeaderTruncated => &["ipv4.pkt_too_small"],
        Malformed::Ipv4VersionInvalid => &["ipv4.wrong_ip_version"],
        Malformed::Ipv4HeaderLengthInvalid => &["ipv4.hlen_too_small"],
        Malformed::Ipv4OptionsInvalid => &["ipv4.opt_invalid_len"],
        Malformed::Ipv4TotalLengthInvalid => &["ipv4.iplen_smaller_than_hlen"],
        Malformed::Ipv4PacketTruncated => &["ipv4.trunc_pkt"],
        Malformed::Ipv6HeaderTruncated => &["ipv6.pkt_too_small"],
        Malformed::Ipv6VersionInvalid => &["ipv6.wrong_ip_version"],
        Malformed::Ipv6PacketTruncated => &["ipv6.trunc_pkt"],
        Malformed::Ipv6ExtensionTruncated => &["ipv6.trunc_exthdr"],
        Malformed::Ipv6FragmentLengthInvalid => &["ipv6.frag_invalid_length"],
        Malformed::TcpHeaderTruncated => &["tcp.pkt_too_small"],
        Malformed::TcpDataOffsetInvalid => &["tcp.hlen_too_small"],
        Malformed::TcpOptionsTruncated => &["tcp.invalid_optlen"],
        Malformed::UdpHeaderTruncated => &["udp.pkt_too_small"],
        Malformed::UdpLengthInvalid => &["udp.len_invalid"],
        Malformed::UdpPacketTruncated => &["udp.hlen_invalid"],
        Malformed::SctpHeaderTruncated => &["sctp.pkt_too_small"],
        Malformed::IcmpHeaderTruncated => &["icmpv4.pkt_too_small"],
        Malformed::Icmpv6HeaderTruncated => &["icmpv6.pkt_too_small"],
        Malformed::GreHeaderTruncated => &["gre.pkt_too_small"],
        Malformed::GreHeaderInvalid => &["gre.wrong_version"],
        Malformed::ErspanHeaderTruncated => &["erspan.header_too_small"],
        Malformed::ErspanHeaderInvalid => &["erspan.unsupported_version"],
        Malformed::VxlanHeaderInvalid => &["vxlan.unknown_payload_type"],
        Malformed::GeneveHeaderInvalid => &["geneve.unknown_payload_type"],
        Malformed::TunnelsTooDeep => &["too_many_layers"],
        _ => &[],
    }
}

/// The rule language's name of what is odd about IPv6 extension headers.
const fn of_oddity(oddity: Oddity) -> &'static str {
    match oddity {
        Oddity::FragmentUseless => "ipv6.exthdr_useless_fh",
        Oddity::FragmentRepeated => "ipv6.exthdr_dupl_fh",
        Oddity::FragmentReserved => "ipv6.fh_non_zero_reserved_field",
        Oddity::RoutingRepeated => "ipv6.exthdr_dupl_rh",
        Oddity::RoutingTypeZero => "ipv6.rh_type_0",
        Oddity::HopByHopRepeated => "ipv6.exthdr_dupl_hh",
        Oddity::DestinationRepeated => "ipv6.exthdr_dupl_dh",
        Oddity::AuthenticationRepeated => "ipv6.exthdr_dupl_ah",
        Oddity::AuthenticationReserved => "ipv6.exthdr_ah_res_not_null",
    }
}

impl Inspection {
    /// Asks the rules about a frame that goes no further for `reason`; `packet` is as far as parsing came. It is no part
    /// of any flow, and who it is from and to is not believed.
    #[cold]
    pub(crate) fn fault(
        &mut self,
        tenant: TenantId,
        (reason, packet): (Reason, &Packet),
        frame: &[u8],
        time: PacketTime,
        records: &mut Records,
    ) {
        let mut names = names(reason, packet.l3).to_vec();
        if matches!(reason, Reason::Malformed(_)) {
            names.extend(packet.oddities(frame).iter().map(of_oddity));
        }
        self.ask(tenant, Plan::EVERY_RULE, (&Packet::default(), frame), &names, time, records);
    }

    /// Asks the rules that `plan` runs about what is odd about the extension headers of a packet that goes on its way.
    #[cold]
    pub(crate) fn odd_headers(
        &mut self,
        tenant: TenantId,
        plan: Plan,
        (packet, frame): (&Packet, &[u8]),
        time: PacketTime,
        records: &mut Records,
    ) {
        let names: Vec<_> = packet.oddities(frame).iter().map(of_oddity).collect();
        self.ask(tenant, plan, (packet, frame), &names, time, records);
    }

    /// Asks the rules about a fragment that overlaps another, and went into its datagram all the same.
    #[cold]
    pub(crate) fn overlap(
        &mut self,
        tenant: TenantId,
        packet: &Packet,
        frame: &[u8],
        time: PacketTime,
        records: &mut Records,
    ) {
        let name = if packet.l3 == L3::Ipv6 { "ipv6.frag_overlap" } else { "ipv4.frag_overlap" };
        self.ask(tenant, Plan::EVERY_RULE, (packet, frame), &[name], time, records);
    }

    /// Asks the rules about what the decoder has noticed.
    fn ask(
        &mut self,
        tenant: TenantId,
        plan: Plan,
        (packet, frame): (&Packet, &[u8]),
        names: &[&'static str],
        time: PacketTime,
        records: &mut Records,
    ) {
        let state = self.tenants.get_mut(usize::from(tenant.0)).filter(|_| !names.is_empty());
        let Some(state) = state else { return };
        let moment = Moment {
            time_us: time.recorded_us,
            number: time.number,
            direction: app::Direction::ToServer,
            packet: Some((packet, frame)),
            tenant,
            reassembled: false,
            ending: false,
            parse: self.parse,
        };
        let subject = Subject {
            time_us: moment.time_us,
            direction: moment.direction,
            ends: Ends::of(packet),
            packet: moment.packet,
            payload: &[],
            in_stream: false,
            stream: None,
            flow: None,
            reassembled: false,
            decode_events: names,
            stream_events: &[],
        };
        let mut alerts = Vec::new();
        for layer in Layer::BOTH {
            if let Some(signatures) = state.layers.get_mut(layer).filter(|_| plan.asks(layer)) {
                let found = signatures.inspect_faulty(&subject);
                alerts.extend(found.iter().map(|&alert| Raised { layer, alert }));
            }
        }
        for found in alerts {
            self.alert(found, &moment, &subject, records);
        }
    }
}
