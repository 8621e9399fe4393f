//! Random histories against a list of flows that does everything by looking at all of them.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use flow::FlowState;

const TENANTS: u16 = 3;
const NEW_S: u32 = 20;
const ESTABLISHED_S: u32 = 90;
const CLOSED_S: u32 = 5;
const SECOND_CHANCES: usize = 8;

#[derive(Clone, Debug)]
enum Step {
    Packet { tenant: u16, n: u16, answer: bool, kind: u8 },
    Pass { us: u64 },
    Advance,
    Cap { tenant: u16, flows_max: u32 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..TENANTS, 0_u16..12, any::<bool>(), 0_u8..8)
            .prop_map(|(tenant, n, answer, kind)| Step::Packet { tenant, n, answer, kind }),
        4 => (0_u32..27, any::<u64>()).prop_map(|(bits, n)| Step::Pass { us: n & ((1 << bits) - 1) }),
        2 => Just(Step::Advance),
        1 => (0..TENANTS, 0_u32..10).prop_map(|(tenant, flows_max)| Step::Cap { tenant, flows_max }),
    ];
    prop::collection::vec(step, 1..250)
}

#[derive(Clone, Debug)]
struct ModelFlow {
    key: FlowKey,
    initiator: Orientation,
    state: FlowState,
    seen_us: u64,
    packets: [u64; 2],
}

/// Flows in the order in which they came into their state.
struct Model {
    flows: Vec<ModelFlow>,
    flows_max: usize,
    caps: [usize; TENANTS as usize],
}

fn deadline(flow: &ModelFlow) -> u64 {
    let seconds = match flow.state {
        FlowState::New => NEW_S,
        FlowState::Established => ESTABLISHED_S,
        FlowState::Closed => CLOSED_S,
    };
    flow.seen_us + u64::from(seconds) * SECOND
}

impl Model {
    fn place(&self, key: &FlowKey) -> Option<usize> {
        self.flows.iter().position(|flow| flow.key == *key)
    }

    fn end(&mut self, place: usize, reason: EndReason) -> Ended {
        let flow = self.flows.remove(place);
        (flow.key, reason, flow.packets, flow.packets.map(|packets| packets * 100))
    }

    fn active(&self, tenant: TenantId) -> usize {
        self.flows.iter().filter(|flow| flow.key.tenant() == tenant).count()
    }

    fn evict(&mut self, tenant: TenantId, now_us: u64, reason: EndReason) -> Option<Ended> {
        let of = |state: FlowState| {
            self.flows
                .iter()
                .enumerate()
                .filter(move |(_, flow)| flow.key.tenant() == tenant && flow.state == state)
                .map(|(place, _)| place)
        };
        let victim = of(FlowState::Closed).next().or_else(|| of(FlowState::New).next()).or_else(|| {
            of(FlowState::Established).take(SECOND_CHANCES).min_by_key(|place| self.flows[*place].seen_us)
        })?;
        let reason = if now_us > deadline(&self.flows[victim]) { EndReason::Timeout } else { reason };
        Some(self.end(victim, reason))
    }

    /// The same packet, with the TCP state taken from the table: its diagram has its own tests.
    fn packet(&mut self, probe: &Probe, reused: bool, state: Option<FlowState>) -> (Met, Vec<Ended>) {
        let mut out = Vec::new();
        let tenant = probe.key.tenant();
        if let Some(place) = self.place(&probe.key) {
            if probe.now_us > deadline(&self.flows[place]) {
                out.push(self.end(place, EndReason::Timeout));
            } else if reused {
                out.push(self.end(place, EndReason::TcpReuse));
            }
        }
        let met = if self.place(&probe.key).is_some() {
            Met::Known
        } else {
            if self.active(tenant) >= self.caps[usize::from(tenant.0)] {
                match self.evict(tenant, probe.now_us, EndReason::EvictedTenantCap) {
                    Some(ended) => out.push(ended),
                    None => return (Met::Refused(InsertError::TenantCap), out),
                }
            }
            if self.flows.len() == self.flows_max {
                match self.evict(tenant, probe.now_us, EndReason::EvictedTableFull) {
                    Some(ended) => out.push(ended),
                    None => return (Met::Refused(InsertError::TableFull), out),
                }
            }
            let answered = probe.packet.l4 == L4::Tcp && probe.packet.tcp.flags & (SYN | ACK) == SYN | ACK;
            self.flows.push(ModelFlow {
                key: probe.key,
                initiator: if answered { probe.orientation.flipped() } else { probe.orientation },
                state: FlowState::New,
                seen_us: probe.now_us,
                packets: [0; 2],
            });
            Met::Begun
        };
        let place = self.place(&probe.key).expect("just found or made");
        let mut flow = self.flows.remove(place);
        let from_server = probe.orientation != flow.initiator;
        flow.packets[usize::from(from_server)] += 1;
        flow.seen_us = probe.now_us;
        let before = flow.state;
        flow.state = match state {
            Some(state) if probe.packet.l4 == L4::Tcp => state,
            _ if from_server => FlowState::Established,
            _ => before,
        };
        let place = if flow.state == before { place } else { self.flows.len() };
        self.flows.insert(place, flow);
        (met, out)
    }
}

fn run(flows_max: u32, steps: &[Step], seen: &RefCell<BTreeMap<String, u32>>) {
    let note = |what: String| *seen.borrow_mut().entry(what).or_default() += 1;
    let mut table = table(flows_max, TENANTS, timeouts(NEW_S, ESTABLISHED_S, CLOSED_S));
    let mut model =
        Model { flows: Vec::new(), flows_max: flows_max as usize, caps: [usize::MAX; TENANTS as usize] };
    let mut now_us = START;
    // A guess from long ago: wrong more often than not.
    let mut stale = None;
    for step in steps {
        match *step {
            Step::Pass { us } => now_us += us,
            Step::Cap { tenant, flows_max } => {
                table.set_flows_max(TenantId(tenant), flows_max);
                model.caps[usize::from(tenant)] = flows_max as usize;
            }
            Step::Advance => {
                let mut out = Vec::new();
                table.advance(now_us, &mut |flow, reason| out.push(ended(flow, reason)));
                for got in out {
                    let place = model.place(&got.0).expect("a flow that is not there ended");
                    assert!(now_us > deadline(&model.flows[place]), "ended too early");
                    assert_eq!(got, model.end(place, EndReason::Timeout));
                    note("timed out by the timers".into());
                }
                let late = model.flows.iter().filter(|flow| deadline(flow) + TIMER_LAG < now_us).count();
                assert_eq!(late, 0, "flows were not ended");
            }
            Step::Packet { tenant, n, answer, kind } => {
                // Few connections, so that they come as far as being closed and opened again.
                let n = if kind < 5 { n % 3 } else { n };
                let probe = match kind {
                    4 => Probe::tcp(tenant, n, true, now_us, (RST | ACK, 0, 101)),
                    0 => Probe::tcp(tenant, n, false, now_us, (SYN, 100, 0)),
                    1 => Probe::tcp(tenant, n, true, now_us, (SYN | ACK, 500, 101)),
                    2 => Probe::tcp(
                        tenant,
                        n,
                        answer,
                        now_us,
                        if answer { (RST, 501, 0) } else { (ACK, 101, 501) },
                    ),
                    3 => Probe::tcp(tenant, n, false, now_us, (SYN, 70_000, 0)),
                    _ => Probe::udp(tenant, n, answer, now_us),
                };
                let hash = table.hash(&probe.key);
                let guess = match n % 3 {
                    0 => None,
                    1 => table.candidate(hash),
                    _ => stale,
                };
                let reused = table
                    .find(hash, &probe.key, None)
                    .is_some_and(|id| table.over(id, &probe.packet, now_us) == Some(EndReason::TcpReuse));
                let room = table.has_room(TenantId(tenant));
                let mut out = Vec::new();
                let (met, id) = offer(&mut table, &probe, guess, &mut out);
                let state = id.and_then(|id| table.get(id)).map(Flow::state);
                assert_eq!((met, out.clone()), model.packet(&probe, reused, state));
                if room {
                    let evicted =
                        out.iter().any(|(key, ..)| *key != probe.key) || matches!(met, Met::Refused(_));
                    assert!(!evicted, "there was room");
                }
                let mine = |(key, ..): &Ended| key.tenant() == TenantId(tenant);
                assert!(out.iter().all(mine), "another tenant's flow ended");
                note(format!("{met:?}"));
                for (_, reason, ..) in &out {
                    note(format!("{reason:?}"));
                }
                if let Some(state) = state {
                    note(format!("{state:?}"));
                }
                stale = id.or(stale);
            }
        }
        assert_eq!(table.len() as usize, model.flows.len());
        for tenant in (0..TENANTS).map(TenantId) {
            assert_eq!(table.tenant_len(tenant) as usize, model.active(tenant));
        }
        for flow in &model.flows {
            let id = table.find(table.hash(&flow.key), &flow.key, None).expect("a flow was lost");
            let got = table.get(id).expect("found");
            assert_eq!((got.state(), got.packets()), (flow.state, flow.packets));
        }
    }
    let mut out = Vec::new();
    table.expire_all(now_us, &mut |flow, reason| out.push(ended(flow, reason)));
    table.drain(&mut |flow, reason| out.push(ended(flow, reason)));
    let mut expected = Vec::new();
    while !model.flows.is_empty() {
        let over = now_us > deadline(&model.flows[0]);
        let got = out.iter().find(|(key, ..)| *key == model.flows[0].key).expect("drained");
        assert_eq!(got.1 == EndReason::Timeout, over, "what is over and what is not shows exactly");
        expected.push(model.end(0, if over { EndReason::Timeout } else { EndReason::Shutdown }));
    }
    out.sort_by_key(|(key, ..)| format!("{key:?}"));
    expected.sort_by_key(|(key, ..)| format!("{key:?}"));
    assert_eq!(out, expected);
    assert!(table.is_empty());
    let stats = table.stats();
    let ends =
        [stats.timed_out, stats.shut_down, stats.reused, stats.evicted_tenant_cap, stats.evicted_table_full];
    assert_eq!(stats.begun, ends.iter().sum::<u64>());
}

#[test]
fn the_table_does_what_a_list_of_flows_does() {
    let seen = RefCell::new(BTreeMap::new());
    let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&(prop_oneof![Just(1_u32), 2_u32..6, 6_u32..30], steps()), |(flows_max, steps)| {
            run(flows_max, &steps, &seen);
            Ok(())
        })
        .unwrap();
    let seen = seen.into_inner();
    println!("{seen:#?}");
    for (what, at_least) in [
        ("Known", 2_000),
        ("Begun", 5_000),
        ("Refused(TableFull)", 200),
        ("Refused(TenantCap)", 200),
        ("New", 5_000),
        ("Established", 2_000),
        ("Closed", 100),
        ("Timeout", 200),
        ("timed out by the timers", 300),
        ("TcpReuse", 20),
        ("EvictedTenantCap", 500),
        ("EvictedTableFull", 1_000),
    ] {
        let count = seen.get(what).copied().unwrap_or(0);
        assert!(count >= at_least, "{what}: {count} of at least {at_least}");
    }
}
