//! Alerts as events.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use event::json::{literal, number_after, string, timestamp};
use event::{Detail, Event, Ports};
use rules::ir::{Action, Meta, TagScope};
use signature::Subject;
use wire::{Packet, Vlans};

use super::flow::InspectedFlow;
use super::layer::{Layer, Raised};
use super::tagged::Tagged;
use super::{AlertOptions, Inspection, Moment, OwnHeader, log, tunnel, variables};
use crate::records::Records;

/// `LINKTYPE_ETHERNET` of the registry of link types of the capture format.
const ETHERNET: u32 = 1;

impl Moment<'_> {
    /// EVE's `pkt_src`.
    pub(super) fn source(&self) -> &'static str {
        match self.packet {
            Some(_) if self.reassembled => "defrag",
            Some((packet, frame)) if packet.depth > 0 => tunnel::outside(frame, packet, self.parse)
                .last()
                .map_or("wire/pcap", |(around, kind)| tunnel::source(&around, kind, packet)),
            Some(_) => "wire/pcap",
            None if self.ending => "stream (flow timeout)",
            None => "stream (detect/log)",
        }
    }

    /// The packet's VLANs: those of its frame, of its flow if there is no packet, or of a tunnel's inside where the frame
    /// has none.
    pub(super) fn vlans(&self, of_flow: Vlans) -> [Option<u16>; 2] {
        let packet = self.packet.map(|(packet, _)| [packet.vlans, packet.inner_vlans]);
        let all = packet.into_iter().flatten().chain([of_flow]);
        crate::records::vlans(all.into_iter().find(|vlans| vlans.count > 0).unwrap_or_default())
    }
}

impl Inspection {
    /// Reports an alert of a packet that has a flow; `data` is the stream data that it was found in.
    pub(super) fn alert_in_flow(
        &mut self,
        found: Raised,
        data: Option<&[u8]>,
        flow: &mut InspectedFlow,
        moment: &Moment<'_>,
        records: &mut Records,
    ) {
        let mut detail = log::describe(flow, "alert", moment, records);
        if let Some((packet, _)) = moment.packet
            && matches!(packet.l4, wire::L4::Icmp | wire::L4::Icmpv6)
        {
            detail.ports = message(packet);
        }
        let found = self.with_transaction(found, flow, moment);
        self.begin_tag(found, flow, moment);
        let client = self.forwarded(found, flow, moment);
        let beside = client.filter(|(_, overwrite)| !overwrite).map(|(client, _)| client);
        if let (Some((client, true)), Some((source, destination))) = (client, &mut detail.addresses) {
            *match moment.direction {
                app::Direction::ToServer => source,
                app::Direction::ToClient => destination,
            } = client;
        }
        let Some((mut members, options)) = self.rule_members(found, beside, moment) else { return };
        if let Some(session) = &mut flow.session
            && let Some(id) = found.alert.transaction
        {
            session.for_each_transaction(&mut |transaction| {
                if transaction.id() == id {
                    let before = members.len();
                    members.push(b',');
                    transaction.context(&mut members);
                    if members.len() == before + 1 {
                        members.truncate(before);
                    }
                }
            });
        }
        if let Some(name) = flow.session.as_ref().and_then(log::app_proto) {
            literal(&mut members, r#","app_proto":"#);
            string(&mut members, name);
        }
        literal(
            &mut members,
            match moment.direction {
                app::Direction::ToServer => r#","direction":"to_server""#,
                app::Direction::ToClient => r#","direction":"to_client""#,
            },
        );
        flow_members(&mut members, flow);
        if options.metadata
            && let Some(signatures) = self
                .tenants
                .get(usize::from(moment.tenant.0))
                .and_then(|tenant| tenant.layers.get(found.layer))
        {
            let (state, packet) = (flow.signatures.get_mut(found.layer), signatures.packet_variables());
            variables::members(&mut members, state, packet, signatures.set().state_names());
        }
        payload_members(&mut members, options, data, moment);
        records.push(Event::Detail(Box::new(Detail { tx_id: found.alert.transaction, members, ..detail })));
        records.count_alert(moment.tenant);
    }

    /// Reports an alert of a packet that has no flow.
    pub(super) fn alert(
        &mut self,
        found: Raised,
        moment: &Moment<'_>,
        subject: &Subject<'_>,
        records: &mut Records,
    ) {
        let Some((mut members, options)) = self.rule_members(found, None, moment) else { return };
        payload_members(&mut members, options, None, moment);
        let ends = &subject.ends;
        let (protocol, vlans, ports) =
            moment.packet.map_or((0, wire::Vlans::default(), Ports::None), |(packet, _)| {
                let ports = match packet.l4 {
                    wire::L4::Tcp | wire::L4::Udp | wire::L4::Sctp => {
                        Ports::Pair { src: ends.source.1, dest: ends.destination.1 }
                    }
                    wire::L4::Icmp | wire::L4::Icmpv6 => message(packet),
                    wire::L4::Other => Ports::None,
                };
                (packet.tuple.protocol, packet.vlans, ports)
            });
        let version = ends.ip_version;
        records.push(Event::Detail(Box::new(Detail {
            event_type: "alert",
            timestamp_us: moment.time_us,
            flow_id: None,
            packet_number: (moment.number > 0).then_some(moment.number),
            vlans: moment.vlans(vlans),
            addresses: (version != 0)
                .then(|| (ends.source.0.to_ip(version), ends.destination.0.to_ip(version))),
            protocol,
            ports,
            packet_source: moment.source(),
            community_id_seed: None,
            tx_id: None,
            tenant: records.tenant(moment.tenant),
            members,
        })));
        records.count_alert(moment.tenant);
    }

    /// `"alert":{…}`, and what alerts of this tenant carry.
    fn rule_members(
        &self,
        found: Raised,
        client: Option<IpAddr>,
        moment: &Moment<'_>,
    ) -> Option<(Vec<u8>, AlertOptions)> {
        let tenant = self.tenants.get(usize::from(moment.tenant.0))?;
        let rule = &tenant.layers.get(found.layer)?.set().rule(found.alert.rule)?.rule;
        let options = tenant.config.alert;
        let mut members = Vec::with_capacity(512);
        let blocked = matches!(found.alert.action, Some(Action::Drop | Action::Reject));
        let layer = tenant.layers.has_policy().then_some(found.layer);
        rule_object(&mut members, blocked, &rule.meta, options.metadata, (layer, client));
        Some((members, options))
    }

    /// Begins what the rule's `tag` asks for.
    fn begin_tag(&self, found: Raised, flow: &mut InspectedFlow, moment: &Moment<'_>) {
        let Some(tenant) = self.tenants.get(usize::from(moment.tenant.0)) else { return };
        let signatures = tenant.layers.get(found.layer);
        let rule = signatures.and_then(|signatures| signatures.set().rule(found.alert.rule));
        let Some(tag) = rule.and_then(|rule| rule.rule.tag).filter(|_| tenant.config.alert.tagged_packets)
        else {
            return;
        };
        let Some((packet, frame)) = moment.packet else { return };
        let tagged = Tagged::new(tag, frame.len() as u64, moment.time_us);
        match tag.scope {
            TagScope::Session => flow.tagged = flow.tagged.or(Some(tagged)),
            TagScope::Source => tenant.config.tagged.add(packet.tuple.src, tagged),
            TagScope::Destination => tenant.config.tagged.add(packet.tuple.dst, tagged),
        }
    }

    /// Whether the packet is one of those that a `tag` asks for; it counts as one.
    #[inline]
    pub(super) fn is_tagged(&self, flow: &mut InspectedFlow, moment: &Moment<'_>, bytes: u64) -> bool {
        let of_flow = flow.tagged.as_mut().is_some_and(|tagged| tagged.covers(bytes, moment.time_us));
        if !of_flow {
            flow.tagged = None;
        }
        let Some(tenant) = self.tenants.get(usize::from(moment.tenant.0)) else { return of_flow };
        let of_host = moment.packet.is_some_and(|(packet, _)| {
            tenant.config.tagged.covers([packet.tuple.src, packet.tuple.dst], bytes, moment.time_us)
        });
        of_flow || of_host
    }

    /// Logs a packet that a `tag` asks for.
    #[cold]
    pub(super) fn log_tagged(&self, flow: &InspectedFlow, moment: &Moment<'_>, records: &mut Records) {
        let Some(tenant) = self.tenants.get(usize::from(moment.tenant.0)) else { return };
        let Some((_, frame)) = moment.packet else { return };
        let detail = log::describe(flow, "packet", moment, records);
        let mut members = Vec::with_capacity(2 * frame.len());
        packet_members(&mut members, tenant.config.alert, frame);
        records.push(Event::Detail(Box::new(Detail { members, ..detail })));
    }

    /// The alert with the flow's only transaction, if it has none of its own and is to have one.
    fn with_transaction(&self, found: Raised, flow: &mut InspectedFlow, moment: &Moment<'_>) -> Raised {
        let options = self.tenants.get(usize::from(moment.tenant.0)).map(|tenant| tenant.config.alert);
        let mut ids = Vec::new();
        if options.is_some_and(|options| options.guess_transaction)
            && found.alert.transaction.is_none()
            && let Some(session) = &mut flow.session
        {
            session.for_each_transaction(&mut |transaction| ids.push(transaction.id()));
        }
        match ids.as_slice() {
            [only] => Raised { alert: signature::Alert { transaction: Some(*only), ..found.alert }, ..found },
            _ => found,
        }
    }

    /// The client that a proxy has spoken for in the alert's transaction or, if it has none, in any, and whether it is to
    /// take the place of the flow's.
    fn forwarded(
        &self,
        found: Raised,
        flow: &mut InspectedFlow,
        moment: &Moment<'_>,
    ) -> Option<(IpAddr, bool)> {
        let tenant = self.tenants.get(usize::from(moment.tenant.0))?;
        let wanted = tenant.config.forwarded.as_ref()?;
        let mut client = None;
        flow.session.as_mut()?.for_each_transaction(&mut |transaction| {
            if client.is_none() && found.alert.transaction.is_none_or(|id| id == transaction.id()) {
                client = transaction.forwarded(&wanted.header, wanted.reverse);
            }
        });
        Some((client?, wanted.overwrite))
    }
}

/// What an ICMP packet has in the place of ports.
const fn message(packet: &Packet) -> Ports {
    Ports::Icmp { icmp_type: packet.icmp.icmp_type, icmp_code: packet.icmp.code, response: None }
}

/// The rule, as EVE's `alert` object.
fn rule_object(
    to: &mut Vec<u8>,
    blocked: bool,
    meta: &Meta,
    with_metadata: bool,
    (layer, client): (Option<Layer>, Option<IpAddr>),
) {
    // Nothing is taken out of the traffic, so everything is allowed, whatever the rule would do in its path. As the
    // reference, only what a rate filter would drop is said to be blocked.
    let action = if blocked { "blocked" } else { "allowed" };
    literal(to, r#""alert":{"action":""#);
    literal(to, action);
    number_after(to, r#"","gid":"#, u64::from(meta.gid));
    number_after(to, r#","signature_id":"#, u64::from(meta.sid));
    number_after(to, r#","rev":"#, u64::from(meta.rev));
    literal(to, r#","signature":"#);
    string(to, &meta.msg);
    literal(to, r#","category":"#);
    string(to, &meta.category);
    number_after(to, r#","severity":"#, u64::from(meta.priority));
    if with_metadata && !meta.metadata.is_empty() {
        literal(to, r#","metadata":{"#);
        let mut keys: Vec<&str> = meta.metadata.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys.dedup();
        for (place, key) in keys.iter().enumerate() {
            literal(to, if place == 0 { "" } else { "," });
            string(to, key);
            literal(to, ":[");
            let values = meta.metadata.iter().filter(|(other, _)| other == key);
            for (place, (_, value)) in values.enumerate() {
                literal(to, if place == 0 { "" } else { "," });
                string(to, value);
            }
            literal(to, "]");
        }
        literal(to, "}");
    }
    if let Some(layer) = layer {
        literal(to, r#","layer":""#);
        literal(to, layer.as_str());
        literal(to, "\"");
    }
    if let Some(client) = client {
        literal(to, r#","xff":""#);
        event::json::address(to, client);
        literal(to, "\"");
    }
    literal(to, "}");
}

/// `"flow":{…}` up to the packet in hand.
fn flow_members(to: &mut Vec<u8>, flow: &InspectedFlow) {
    let [packets_to_server, packets_to_client] = flow.facts.packets;
    let [bytes_to_server, bytes_to_client] = flow.facts.bytes;
    number_after(to, r#","flow":{"pkts_toserver":"#, packets_to_server);
    number_after(to, r#","pkts_toclient":"#, packets_to_client);
    number_after(to, r#","bytes_toserver":"#, bytes_to_server);
    number_after(to, r#","bytes_toclient":"#, bytes_to_client);
    let bypassed = Layer::BOTH.into_iter().any(|layer| flow.signatures.is_bypassed(layer));
    literal(to, if bypassed { event::BYPASSED } else { "" });
    literal(to, r#","start":""#);
    timestamp(to, flow.first_us);
    let tuple = flow.entry.key().tuple(flow.client);
    literal(to, r#"","src_ip":""#);
    event::json::address(to, tuple.src.to_ip(tuple.ip_version));
    literal(to, r#"","dest_ip":""#);
    event::json::address(to, tuple.dst.to_ip(tuple.ip_version));
    literal(to, "\"");
    if matches!(tuple.protocol, 6 | 17 | 132) {
        number_after(to, r#","src_port":"#, u64::from(tuple.src_port));
        number_after(to, r#","dest_port":"#, u64::from(tuple.dst_port));
    }
    literal(to, "}");
}

fn payload_members(to: &mut Vec<u8>, options: AlertOptions, data: Option<&[u8]>, moment: &Moment<'_>) {
    let of_packet = || moment.packet.map_or(&[][..], |(packet, frame)| packet.payload(frame));
    let payload = data.unwrap_or_else(of_packet);
    let payload = payload.get(..options.payload_bytes_max).unwrap_or(payload);
    if options.payload && !payload.is_empty() {
        literal(to, r#","payload":""#);
        literal(to, &STANDARD.encode(payload));
        literal(to, "\"");
    }
    if options.payload_printable && !payload.is_empty() {
        literal(to, r#","payload_printable":"#);
        string(to, &printable(payload));
    }
    if options.payload || options.payload_printable {
        number_after(to, r#","stream":"#, u64::from(data.is_some()));
    }
    if options.verdict {
        literal(to, r#","verdict":{"action":"alert"}"#);
    }
    if options.ethernet
        && let Some((_, frame)) = moment.packet
        && let Some(([destination, source], _)) = frame.split_first_chunk::<12>().map(|(both, rest)| {
            let (destination, source) = both.split_at(6);
            ([destination, source], rest)
        })
    {
        literal(to, r#","ether":{"src_mac":""#);
        mac(to, source);
        literal(to, r#"","dest_mac":""#);
        mac(to, destination);
        literal(to, "\"}");
    }
    if options.packet
        && let Some((_, frame)) = moment.packet
    {
        literal(to, ",");
        packet_members(to, options, frame);
    }
}

/// `"packet":…` and what kind of frame it is.
fn packet_members(to: &mut Vec<u8>, options: AlertOptions, frame: &[u8]) {
    let own = options.link_type.and_then(|link_type| Some((link_type, OwnHeader::restore(frame)?)));
    let (link_type, shown) = own.unwrap_or_else(|| (ETHERNET, frame.to_vec()));
    literal(to, r#""packet":""#);
    literal(to, &STANDARD.encode(shown));
    number_after(to, r#"","packet_info":{"linktype":"#, u64::from(link_type));
    literal(to, "}");
}

/// `00:11:22:33:44:55`.
fn mac(to: &mut Vec<u8>, address: &[u8]) {
    for (place, &byte) in address.iter().enumerate() {
        literal(to, if place == 0 { "" } else { ":" });
        to.extend(event::json::hex(byte));
    }
}

/// Bytes as text: what is not printable ASCII, or a line's end, is a dot.
fn printable(bytes: &[u8]) -> String {
    let shown = |byte: &u8| match byte {
        b'\r' | b'\n' | b' '..=b'~' => char::from(*byte),
        _ => '.',
    };
    bytes.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_is_written_as_the_reference_writes_it() {
        let meta = Meta {
            gid: 1,
            sid: 7,
            rev: 2,
            msg: "say \"hi\"".to_owned(),
            category: "Misc activity".to_owned(),
            priority: 3,
            metadata: vec![
                ("tag".to_owned(), "a".to_owned()),
                ("created_at".to_owned(), "2020".to_owned()),
                ("tag".to_owned(), "b".to_owned()),
            ],
            ..Meta::default()
        };
        let mut text = Vec::new();
        rule_object(&mut text, false, &meta, true, (None, None));
        assert_eq!(
            String::from_utf8_lossy(&text),
            r#""alert":{"action":"allowed","gid":1,"signature_id":7,"rev":2,"signature":"say \"hi\"","category":"Misc activity","severity":3,"metadata":{"created_at":["2020"],"tag":["a","b"]}}"#
        );
    }

    #[test]
    fn what_cannot_be_printed_is_a_dot() {
        assert_eq!(printable(b"a\r\nb\0\xff~\x7f"), "a\r\nb..~.");
    }
}
