//! From ended flows to events.

use std::collections::VecDeque;
use std::sync::Arc;

use event::{Event, FlowEnd, FlowRecord, Label, Ports, TcpSummary, Volume};
use flow::{EndReason, Flow, HashSeed, NO_SLOT};
use sink::Producer;
use wire::{TenantId, Vlans};

use classify::Verdict;

use crate::counters::WorkerCounters;
use crate::generation::{Generation, Tenant};
use crate::pipeline::{Pipeline, Then};

/// What inspection has found out about a flow.
#[derive(Clone, Copy, Default)]
pub(crate) struct Found {
    /// EVE's name of its application protocol.
    pub(crate) app_proto: Option<&'static str>,
    /// A rule has spoken.
    pub(crate) alerted: bool,
    /// A rule wanted it only counted.
    pub(crate) bypassed: bool,
}

/// Makes a worker's flow records and hands them to the event thread.
pub struct Records {
    producer: Producer,
    tenants: Vec<Label>,
    /// What records say of flows of each pipeline.
    pipelines: Vec<event::Verdict>,
    tools: Vec<Label>,
    timeouts: flow::Timeouts,
    id_seed: HashSeed,
    community_id_seed: Option<u16>,
    counters: Arc<WorkerCounters>,
    /// Flows that have ended and whose record waits for their inspection to end.
    inspected: VecDeque<(Flow, EndReason, Option<u64>)>,
}

impl Records {
    /// `timeouts` are the flow table's: they say when a flow that timed out was over.
    pub fn new(
        producer: Producer,
        counters: Arc<WorkerCounters>,
        timeouts: flow::Timeouts,
        community_id_seed: Option<u16>,
    ) -> Self {
        // Not the table's secret, which must not show: identifiers are the same in every run on the same input.
        let id_seed = HashSeed::new(0);
        let (tenants, pipelines, tools) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            producer,
            tenants,
            pipelines,
            tools,
            timeouts,
            id_seed,
            community_id_seed,
            counters,
            inspected: VecDeque::new(),
        }
    }

    /// Takes over a generation's names. Those of pipelines and tools that went stay: a flow whose last verdict was one
    /// of them is recorded with it.
    pub(crate) fn adopt(&mut self, generation: &Generation) {
        // Names were checked to fit when the configuration was read; a longer one would show as empty.
        let label = |name: &str| name.parse::<Label>().unwrap_or_default();
        let tenant = |tenant: &Option<Tenant>| tenant.as_ref().map(|tenant| label(&tenant.name));
        self.tenants = generation.tenants.iter().map(|row| tenant(row).unwrap_or_default()).collect();
        rename(&mut self.tools, Label::default(), generation.tools.iter().map(|tool| Some(label(tool))));
        let tools = &self.tools;
        let verdict = |pipeline: &Pipeline| match pipeline.then {
            Then::Inspected => event::Verdict::Pipeline(label(&pipeline.name)),
            Then::Shunt => event::Verdict::Shunt,
            Then::Drop => event::Verdict::Drop,
            Then::Tool(tool) => event::Verdict::Tool(at(tools, tool.0)),
        };
        let verdicts = generation.pipelines.iter().map(|row| row.as_ref().map(verdict));
        rename(&mut self.pipelines, event::Verdict::Drop, verdicts);
    }

    /// Records an ended flow. `at_us` is the time of the packet that ended it; a flow that timed out ended when its
    /// time was over, whenever that was noticed.
    ///
    /// A flow that is inspected is recorded when its inspection is over.
    pub(crate) fn flow_ended(&mut self, flow: &Flow, reason: EndReason, at_us: Option<u64>) {
        if flow.slot == NO_SLOT {
            self.inspected_flow_ended(flow, reason, at_us, Found::default());
        } else {
            self.inspected.push_back((*flow, reason, at_us));
        }
    }

    /// The next flow that has ended and was inspected.
    pub(crate) fn take_inspected(&mut self) -> Option<(Flow, EndReason, Option<u64>)> {
        self.inspected.pop_front()
    }

    /// Records an ended flow, with what inspection has found out.
    pub(crate) fn inspected_flow_ended(
        &mut self,
        flow: &Flow,
        reason: EndReason,
        at_us: Option<u64>,
        found: Found,
    ) {
        let timestamp_us = match (reason, at_us) {
            (EndReason::Timeout, _) | (_, None) => flow.last_us().saturating_add(self.timeouts.of(flow)),
            (_, Some(at_us)) => at_us,
        };
        if let Some(ended) = self.counters.flows_ended.get(flow.state() as usize) {
            ended.add(1);
        }
        if flow.key().protocol() == 6
            && let Some(ended) = self.counters.tcp_ended.get(flow.tcp_state() as usize)
        {
            ended.add(1);
        }
        let Found { app_proto, alerted, bypassed } = found;
        let mut record = FlowRecord { app_proto, alerted, ..self.record(flow, reason, timestamp_us) };
        if bypassed {
            record.state = event::FlowState::Bypassed;
        }
        self.producer.push(Event::Flow(record));
    }

    /// Hands over an event.
    pub(crate) fn push(&mut self, event: Event) {
        self.producer.push(event);
    }

    /// Counts an alert of a tenant.
    pub(crate) fn count_alert(&self, tenant: TenantId) {
        self.counters.tenant(usize::from(tenant.0)).alerts.add(1);
    }

    /// A tenant's name.
    pub(crate) fn tenant(&self, tenant: TenantId) -> Label {
        at(&self.tenants, tenant.0)
    }

    /// Seed of Community IDs; `None` leaves them out.
    pub(crate) const fn community_id_seed(&self) -> Option<u16> {
        self.community_id_seed
    }

    /// Hands over what is still held back.
    pub(crate) fn flush(&mut self) {
        self.producer.flush();
    }

    fn record(&self, flow: &Flow, reason: EndReason, timestamp_us: u64) -> FlowRecord {
        let key = flow.key();
        let tuple = key.tuple(flow.initiator());
        let [packets, bytes] = [flow.packets(), flow.bytes()];
        FlowRecord {
            timestamp_us,
            flow_id: self.flow_id(flow),
            vlans: vlans(key.vlans()),
            src_ip: tuple.src.to_ip(tuple.ip_version),
            dest_ip: tuple.dst.to_ip(tuple.ip_version),
            protocol: tuple.protocol,
            ports: ports(flow, &tuple),
            app_proto: None,
            to_server: Volume { packets: packets[0], bytes: bytes[0] },
            to_client: Volume { packets: packets[1], bytes: bytes[1] },
            start_us: flow.first_us(),
            end_us: flow.last_us(),
            state: match flow.state() {
                flow::FlowState::New => event::FlowState::New,
                flow::FlowState::Established => event::FlowState::Established,
                flow::FlowState::Closed => event::FlowState::Closed,
            },
            reason: match reason {
                EndReason::Timeout => FlowEnd::Timeout,
                EndReason::Shutdown => FlowEnd::Shutdown,
                EndReason::TcpReuse => FlowEnd::TcpReuse,
                EndReason::EvictedTenantCap | EndReason::EvictedTableFull | EndReason::TenantRemoved => {
                    FlowEnd::Forced
                }
            },
            alerted: false,
            community_id_seed: self.community_id_seed,
            tcp: (tuple.protocol == 6).then(|| TcpSummary {
                flags_to_server: flow.tcp_flags()[0],
                flags_to_client: flow.tcp_flags()[1],
                state: Some(tcp_state(flow.tcp_state())),
            }),
            tenant: at(&self.tenants, key.tenant().0),
            verdict: match Verdict::from_u32(flow.verdict) {
                Some(Verdict::Pipeline(id)) => {
                    let verdict = self.pipelines.get(usize::from(id.0)).copied();
                    verdict.unwrap_or(event::Verdict::Pipeline(Label::default()))
                }
                Some(Verdict::Tool(id)) => event::Verdict::Tool(at(&self.tools, id.0)),
                Some(Verdict::Shunt) => event::Verdict::Shunt,
                Some(Verdict::Drop) | None => event::Verdict::Drop,
            },
        }
    }

    /// The same in every run: from who talks to whom and since when. Below 2^53, which every JSON reader keeps exact.
    pub(crate) fn flow_id(&self, flow: &Flow) -> u64 {
        let mixed = flow.key().hash(&self.id_seed) ^ flow.first_us().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed.wrapping_mul(0xd6e8_feb8_6659_fd93) >> 11).max(1)
    }
}

/// Gives names to places; a place that gets none keeps what it had.
fn rename<T: Copy>(places: &mut Vec<T>, unnamed: T, names: impl ExactSizeIterator<Item = Option<T>>) {
    places.resize(places.len().max(names.len()), unnamed);
    for (place, name) in places.iter_mut().zip(names) {
        *place = name.unwrap_or(*place);
    }
}

/// The name in a place.
fn at(labels: &[Label], place: u16) -> Label {
    labels.get(usize::from(place)).copied().unwrap_or_default()
}

/// VLAN identifiers as events have them.
pub(crate) fn vlans(vlans: Vlans) -> [Option<u16>; 2] {
    [0, 1].map(|place| (vlans.count > place).then(|| vlans.vids[usize::from(place)]))
}

/// Ports as events have them, or what ICMP has instead.
pub(crate) fn ports(flow: &Flow, tuple: &wire::NTuple) -> Ports {
    match tuple.protocol {
        6 | 17 | 132 => Ports::Pair { src: tuple.src_port, dest: tuple.dst_port },
        1 | 58 => {
            let [request, answer] = flow.icmp();
            Ports::Icmp {
                icmp_type: request[0],
                icmp_code: request[1],
                response: (flow.packets()[1] > 0).then_some((answer[0], answer[1])),
            }
        }
        _ => Ports::None,
    }
}

fn tcp_state(state: flow::tcp::TcpState) -> event::TcpState {
    use flow::tcp::TcpState;
    match state {
        TcpState::None => event::TcpState::None,
        TcpState::SynSent => event::TcpState::SynSent,
        TcpState::SynRecv => event::TcpState::SynRecv,
        TcpState::Established => event::TcpState::Established,
        TcpState::FinWait1 => event::TcpState::FinWait1,
        TcpState::FinWait2 => event::TcpState::FinWait2,
        TcpState::TimeWait => event::TcpState::TimeWait,
        TcpState::LastAck => event::TcpState::LastAck,
        TcpState::CloseWait => event::TcpState::CloseWait,
        TcpState::Closing => event::TcpState::Closing,
        TcpState::Closed => event::TcpState::Closed,
    }
}
