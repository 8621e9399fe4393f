//! Step 6: what a pipeline makes of a packet. TCP reassembly, application protocols, signatures, and the events of all
//! three.
//!
//! In: packets of one tenant in order, with the place of their flow's state; flows that ended. Out: events. One
//! [`Inspection`] belongs to one worker.
//!
//! A flow ends when the flow table says so, but its last packets may still wait in the tenant's inbox. So its end is
//! noted with its state, and carried out behind the last packet: what the stream still holds is released, transactions
//! are finished and asked about, and then the flow record is written, which knows the application protocol.

mod alert;
mod announced;
mod bypass;
mod config;
mod fault;
mod flow;
mod layer;
mod log;
mod lone;
mod own_header;
mod tagged;
mod tenant;
mod tunnel;
mod variables;

use std::sync::Arc;

use ::flow::stream::{Outcome, StreamEvent, StreamEvents};
use ::flow::tcp::{FIN, RST};
use ::flow::{EndReason, Flow};
use analyze::Session;
use app::Direction;
use signature::{Ends, Subject};
use wire::{L4, Packet, ParseOptions, TenantId, checksum};

use crate::PacketMeta;
use crate::counters::TenantCounters;
use crate::generation::Generation;
use crate::pipeline::{Plan, Then};
use crate::records::{Found, Records};
use flow::InspectedFlow;
use layer::{FlowStates, Raised};
use tenant::TenantState;

pub use announced::Announced;
pub use config::{
    AlertOptions, Encrypted, ExceptionPolicy, Forwarded, HOSTS_MAX, STREAM_BYTES_MAX, TenantInspection,
};
pub(crate) use layer::Layer;
pub use layer::RuleLayer;
pub use own_header::OwnHeader;
pub use tagged::TaggedHosts;

/// One worker's inspection.
pub(crate) struct Inspection {
    flows: Vec<Option<Box<InspectedFlow>>>,
    free: Vec<u32>,
    tenants: Vec<TenantState>,
    /// By `PipelineId`; those of pipelines that went stay, for flows that they inspected.
    plans: Vec<Plan>,
    /// What a row that nobody has inspects by.
    nobody: Arc<TenantInspection>,
    /// Flows that ended and whose last packet is through.
    over: Vec<u32>,
    /// How frames are parsed.
    parse: ParseOptions,
}

/// Where and when something happened.
#[derive(Clone, Copy)]
struct Moment<'a> {
    time_us: u64,
    /// Number of the packet in its capture; 0: live, or no packet.
    number: u64,
    direction: Direction,
    /// The packet, and the frame that it is in.
    packet: Option<(&'a Packet, &'a [u8])>,
    tenant: TenantId,
    /// It was put together from fragments.
    reassembled: bool,
    /// If there is no packet: the flow has ended.
    ending: bool,
    /// How its frame was parsed.
    parse: ParseOptions,
}

impl Inspection {
    pub(crate) fn new(parse: ParseOptions) -> Self {
        Self {
            flows: Vec::new(),
            free: Vec::new(),
            tenants: Vec::new(),
            plans: Vec::new(),
            nobody: Arc::default(),
            over: Vec::new(),
            parse,
        }
    }

    /// Takes over a generation. A tenant whose configuration is the same keeps what it has.
    pub(crate) fn adopt(&mut self, generation: &Generation) {
        self.plans.resize(self.plans.len().max(generation.pipelines.len()), Plan::default());
        for (plan, pipeline) in self.plans.iter_mut().zip(&generation.pipelines) {
            *plan = pipeline.as_ref().map_or(*plan, Plan::new);
        }
        self.tenants.truncate(generation.tenants.len());
        for (row, tenant) in generation.tenants.iter().enumerate() {
            let config = tenant.as_ref().map_or(&self.nobody, |tenant| &tenant.inspection);
            match self.tenants.get_mut(row) {
                Some(state) if Arc::ptr_eq(&state.config, config) => {}
                Some(state) => state.change(config),
                None => self.tenants.push(TenantState::new(config)),
            }
        }
    }

    /// A tenant is no more, and all of its flows are settled: who has its row next begins with nothing.
    pub(crate) fn forget(&mut self, tenant: TenantId) {
        if let Some(state) = self.tenants.get_mut(usize::from(tenant.0)) {
            *state = TenantState::new(&self.nobody);
        }
    }

    /// What becomes of packets that went through a pipeline.
    #[inline]
    pub(crate) fn then(&self, pipeline: u16) -> Then {
        self.plans.get(usize::from(pipeline)).map_or(Then::Inspected, |plan| plan.then)
    }

    /// Makes a place for a flow that a pipeline inspects.
    pub(crate) fn begin(&mut self, entry: &Flow, id: u64, tenant: TenantId, pipeline: u16) -> u32 {
        let flow = Box::new(InspectedFlow {
            tenant,
            pipeline,
            client: entry.initiator(),
            id,
            entry: *entry,
            waiting: 0,
            ended: None,
            facts: signature::FlowFacts::default(),
            first_us: 0,
            latest_us: 0,
            opened: false,
            stream: None,
            session: None,
            signatures: FlowStates::default(),
            alerted: false,
            tagged: None,
            passed: false,
            bypassed: false,
        });
        if let Some(place) = self.free.pop()
            && let Some(slot) = self.flows.get_mut(place as usize)
        {
            *slot = Some(flow);
            return place;
        }
        let place = self.flows.len() as u32;
        self.flows.push(Some(flow));
        place
    }

    /// A packet of the flow is on its way into the inbox.
    #[inline]
    pub(crate) fn enqueued(&mut self, place: u32) {
        if let Some(flow) = self.flows.get_mut(place as usize).and_then(Option::as_mut) {
            flow.waiting += 1;
        }
    }

    /// A packet of the flow has left the inbox, or did not get in.
    pub(crate) fn left(&mut self, place: u32) {
        if let Some(flow) = self.flows.get_mut(place as usize).and_then(Option::as_mut) {
            flow.waiting = flow.waiting.saturating_sub(1);
            if flow.waiting == 0 && flow.ended.is_some() {
                self.over.push(place);
            }
        }
    }

    /// The table has ended the flow.
    pub(crate) fn ended(&mut self, entry: &Flow, reason: EndReason, at_us: Option<u64>) {
        if let Some(flow) = self.flows.get_mut(entry.slot as usize).and_then(Option::as_mut) {
            flow.entry = *entry;
            flow.ended = Some((reason, at_us));
            if flow.waiting == 0 {
                self.over.push(entry.slot);
            }
        }
    }

    /// Carries out the end of flows whose last packet is through.
    pub(crate) fn settle(&mut self, records: &mut Records) {
        while let Some((entry, reason, at_us)) = records.take_inspected() {
            self.ended(&entry, reason, at_us);
        }
        while let Some(place) = self.over.pop() {
            let Some(flow) = self.flows.get_mut(place as usize).and_then(Option::take) else { continue };
            self.free.push(place);
            self.finish(*flow, records);
        }
    }

    /// The last of a flow: what its streams still hold, its transactions, its record.
    fn finish(&mut self, mut flow: InspectedFlow, records: &mut Records) {
        let Some((reason, at_us)) = flow.ended else { return };
        let plan = self.plans.get(usize::from(flow.pipeline)).copied().unwrap_or_default();
        if let Some(stream) = &flow.stream {
            // What is left was said while it was.
            flow.facts.established |= stream.is_established();
        }
        if plan.reads_streams() && flow.session.is_some() && !flow.bypassed {
            for direction in Direction::BOTH {
                let moment = Moment {
                    time_us: flow.latest_us,
                    number: 0,
                    direction,
                    packet: None,
                    tenant: flow.tenant,
                    reassembled: false,
                    ending: true,
                    parse: self.parse,
                };
                let Some(tenant) = self.tenants.get_mut(usize::from(flow.tenant.0)) else { break };
                if let Some(stream) = &mut flow.stream {
                    stream.flush(&tenant.config.stream, &mut tenant.budget, direction);
                }
                let time_us = flow.latest_us;
                tenant.read_stream(&mut flow, direction, time_us);
                if let Some(session) = &mut flow.session {
                    session.close(&tenant.config.analyze, flow.latest_us, direction);
                }
                self.detect(&mut flow, plan, &moment, &Seen::default(), records);
            }
        }
        if let Some(tenant) = self.tenants.get_mut(usize::from(flow.tenant.0))
            && let Some(stream) = &mut flow.stream
        {
            stream.close(&mut tenant.budget);
        }
        let app_proto = flow.session.as_ref().and_then(log::app_proto);
        let found = Found { app_proto, alerted: flow.alerted, bypassed: flow.bypassed };
        records.inspected_flow_ended(&flow.entry, reason, at_us, found);
    }

    /// Runs its pipeline over one packet.
    pub(crate) fn packet(
        &mut self,
        meta: &PacketMeta,
        tenant: TenantId,
        frame: &[u8],
        counters: &TenantCounters,
        records: &mut Records,
    ) {
        let plan = self.plans.get(usize::from(meta.pipeline)).copied().unwrap_or_default();
        let packet = &meta.packet;
        if packet.has_extensions() && plan.asks_rules() {
            self.odd_headers(tenant, plan, (packet, frame), meta.time, records);
        }
        if packet.depth > 0 && plan.asks_rules() {
            self.around(meta, tenant, frame, plan, records);
        }
        for _ in 0..plan.checksums {
            counters.checksum_wrong.add(u64::from(is_damaged(packet, frame)));
        }
        if !plan.reads_streams() {
            return self.left(meta.slot);
        }
        let Some(mut flow) = self.flows.get_mut(meta.slot as usize).and_then(Option::take) else {
            self.alone(meta, tenant, frame, plan, records);
            return;
        };
        // Another generation may have given the flow another pipeline, or the pipeline other inspectors.
        flow.pipeline = meta.pipeline;
        if !flow.opened {
            flow.open();
        }
        let direction = flow.direction(meta.orientation);
        if flow.first_us == 0
            && let Some(state) = self.tenants.get(usize::from(tenant.0))
        {
            flow.recall(&state.config.announced, meta.time.recorded_us);
        }
        flow.count(direction, (u64::from(meta.frames), u64::from(meta.frame_bytes)), meta.time.recorded_us);
        let seen = self.follow(&mut flow, meta, direction, frame);
        let moment = Moment {
            time_us: meta.time.recorded_us,
            number: meta.time.number,
            direction,
            packet: Some((packet, frame)),
            tenant,
            reassembled: meta.frames > 1,
            ending: false,
            parse: self.parse,
        };
        let tagged = self.is_tagged(&mut flow, &moment, u64::from(meta.frame_bytes));
        let spoke = self.detect(&mut flow, plan, &moment, &seen, records);
        if tagged && !spoke {
            self.log_tagged(&flow, &moment, records);
        }
        if seen.turns_encrypted {
            // No stream is looked into from now on, so what is left of the other side's is looked into now.
            let direction = direction.flipped();
            let rest = Moment { number: 0, direction, packet: None, ending: false, ..moment };
            self.detect(&mut flow, plan, &rest, &Seen::default(), records);
        }
        self.heed_bypass(&mut flow, plan, &moment, records);
        if let Some(slot) = self.flows.get_mut(meta.slot as usize) {
            *slot = Some(flow);
        }
        self.left(meta.slot);
    }

    /// Gives a packet to its flow's stream and session.
    fn follow(
        &mut self,
        flow: &mut InspectedFlow,
        meta: &PacketMeta,
        direction: Direction,
        frame: &[u8],
    ) -> Seen {
        let Some(tenant) = self.tenants.get_mut(usize::from(flow.tenant.0)) else { return Seen::default() };
        let config = Arc::clone(&tenant.config);
        let packet = &meta.packet;
        let time_us = meta.time.recorded_us;
        let reassembled = meta.frames > 1;
        let payload = packet.payload(frame);
        let quotes_flow = matches!(packet.l4, L4::Icmp | L4::Icmpv6) && flow.session.is_some();
        if quotes_flow || flow.bypassed {
            return Seen { reassembled, ..Seen::default() };
        }
        let Some(stream) = &mut flow.stream else {
            if let Some(session) = &mut flow.session
                && !payload.is_empty()
                && session.data(&config.analyze, time_us, direction, payload).reversed
            {
                flow.reverse();
            }
            return Seen { reassembled, ..Seen::default() };
        };
        let damaged =
            config.verify_checksums && packet.verify_transport_checksum(frame) == checksum::Verdict::Wrong;
        if damaged {
            return Seen { reassembled, ..Seen::default() };
        }
        // From the packet after the one that showed it; rules are told by the empty payload.
        let encrypted =
            config.encrypted != Encrypted::Full && flow.session.as_ref().is_some_and(Session::encrypted);
        if encrypted {
            flow.passed |= config.encrypted == Encrypted::Bypass;
            for way in Direction::BOTH {
                if !stream.is_stopped(way) {
                    stream.stop(&mut tenant.budget, way);
                }
            }
        }
        let segment = stream.segment(
            &config.stream,
            &mut tenant.budget,
            &packet.tcp,
            packet.transport_header(frame),
            direction,
            payload,
            time_us,
        );
        flow.facts.established = segment.was_established;
        let unseen = stream.is_midstream() || segment.outcome == Outcome::NoSession;
        if unseen && config.midstream_policy != ExceptionPolicy::Ignore && packet.tcp.flags & (FIN | RST) == 0
        {
            flow.except(config.midstream_policy, &mut tenant.budget);
            if flow.stream.is_none() {
                return Seen { reassembled, ..Seen::default() };
            }
        }
        // What a segment releases is what the other side sent, as far as this one acknowledges it.
        tenant.read_stream(flow, direction.flipped(), time_us);
        tenant.read_stream(flow, direction, time_us);
        let turns_encrypted = !encrypted
            && config.encrypted != Encrypted::Full
            && flow.session.as_ref().is_some_and(Session::encrypted);
        Seen { in_stream: segment.queued, events: segment.events, reassembled, encrypted, turns_encrypted }
    }

    /// Asks the rules, and writes what they and the session have to say. Whether a rule has spoken.
    fn detect(
        &mut self,
        flow: &mut InspectedFlow,
        plan: Plan,
        moment: &Moment<'_>,
        seen: &Seen,
        records: &mut Records,
    ) -> bool {
        let Some(tenant) = self.tenants.get_mut(usize::from(flow.tenant.0)) else { return false };
        let mut spoke = false;
        if let Some(stream) = &flow.stream {
            flow.facts.stream_bytes = Direction::BOTH.map(|way| u64::from(stream.size(way)));
        }
        let InspectedFlow { stream, session, signatures, facts, entry, client, passed, .. } = flow;
        let TenantState { config, layers, budget } = tenant;
        let asked = Layer::BOTH.map(|layer| {
            !*passed && plan.asks(layer) && layers.get(layer).is_some() && !signatures.is_bypassed(layer)
        });
        if asked.contains(&true) {
            if let Some(stream) = stream {
                stream.resume_raw(moment.direction);
            }
            let mut events = Vec::new();
            if !seen.events.is_empty() {
                events.extend(seen.events.iter().map(StreamEvent::as_str));
            }
            let ends = match moment.packet {
                Some((packet, _)) => Ends::of(packet),
                None => ends_of(entry, *client, moment.direction),
            };
            let mut alerts = Vec::new();
            let mut first = true;
            loop {
                let raw = stream
                    .as_ref()
                    .and_then(|stream| stream.raw(&config.stream, moment.direction))
                    .map(|raw| signature::Stream { bytes: raw.bytes, fresh: raw.fresh });
                if !first && raw.is_none() {
                    break;
                }
                let subject = Subject {
                    time_us: moment.time_us,
                    direction: moment.direction,
                    ends,
                    // The packet itself is looked at once.
                    packet: moment.packet.filter(|_| first),
                    payload: match moment.packet {
                        Some((packet, frame)) if first && !seen.encrypted => packet.payload(frame),
                        _ => &[],
                    },
                    in_stream: seen.in_stream,
                    stream: raw,
                    flow: Some(*facts),
                    reassembled: seen.reassembled,
                    decode_events: &[],
                    stream_events: &events,
                };
                for (layer, asked) in Layer::BOTH.into_iter().zip(asked) {
                    let Some(inspector) = layers.get_mut(layer).filter(|_| asked) else { continue };
                    let state = Some(signatures.get_mut(layer));
                    for &alert in inspector.inspect(&subject, state, session.as_mut()) {
                        let data = raw.filter(|_| alert.in_stream).map(|raw| {
                            let stream = stream.as_ref();
                            stream
                                .and_then(|stream| {
                                    let bytes_max = config.alert.payload_bytes_max;
                                    stream.with_gaps(&config.stream, moment.direction, bytes_max)
                                })
                                .unwrap_or_else(|| raw.bytes.to_vec())
                        });
                        alerts.push((Raised { layer, alert }, data));
                    }
                }
                if let ([true, _], Some(session)) = (asked, session.as_mut()) {
                    // The policy leaves that to the tenant's rules, and those may not have been asked.
                    session.for_each_transaction(&mut |transaction| transaction.inspected(moment.direction));
                }
                first = false;
                let was_raw = raw.is_some();
                match stream {
                    Some(stream) if was_raw => stream.raw_inspected(moment.direction),
                    _ => break,
                }
            }
            spoke = !alerts.is_empty();
            flow.alerted |= spoke;
            for (found, data) in alerts {
                self.alert_in_flow(found, data.as_deref(), flow, moment, records);
            }
        } else {
            if let Some(stream) = stream {
                stream.stop_raw(budget, moment.direction);
            }
            if let Some(session) = session {
                session.for_each_transaction(&mut |transaction| transaction.inspected(moment.direction));
            }
        }
        if let Some(tenant) = self.tenants.get(usize::from(flow.tenant.0)) {
            Self::log(flow, &tenant.config.announced, plan, moment, records);
        }
        spoke
    }
}

/// What following a packet has shown.
#[derive(Clone, Copy, Default)]
struct Seen {
    in_stream: bool,
    events: StreamEvents,
    reassembled: bool,
    /// Its payload is of no use to rules.
    encrypted: bool,
    /// What follows it is encrypted.
    turns_encrypted: bool,
}

fn is_damaged(packet: &Packet, frame: &[u8]) -> bool {
    let wrong = |verdict| verdict == checksum::Verdict::Wrong;
    wrong(packet.verify_ipv4_checksum(frame)) || wrong(packet.verify_transport_checksum(frame))
}

/// Who a packet of the flow would be from and to.
fn ends_of(entry: &Flow, client: ::flow::Orientation, direction: Direction) -> Ends {
    let tuple = entry.key().tuple(match direction {
        Direction::ToServer => client,
        Direction::ToClient => client.flipped(),
    });
    Ends::of(&Packet {
        tuple,
        l3: if tuple.ip_version == 4 { wire::L3::Ipv4 } else { wire::L3::Ipv6 },
        l4: match tuple.protocol {
            6 => L4::Tcp,
            17 => L4::Udp,
            132 => L4::Sctp,
            1 => L4::Icmp,
            58 => L4::Icmpv6,
            _ => L4::Other,
        },
        ..Packet::default()
    })
}
