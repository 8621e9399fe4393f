//! Inspection: which rules match a packet, its stream and its transactions.
//!
//! Cost, cheapest first: a packet that no rule can be about costs a look at two short lists; payload costs one Hyperscan
//! scan; a fast pattern that is found costs a header comparison; only then are conditions verified. Transactions are
//! looked at when they have come further than last time.
//!
//! One [`Inspector`] belongs to one worker and one tenant; nothing in it is shared but the compiled rules and [`Hosts`].

mod asn1;
mod flow_state;
mod hosts;
mod industrial;
mod packet;
mod profile;
mod rule;
mod subject;
mod transaction;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use analyze::Session;
use app::Direction;
use rules::ir::Action;

use crate::compile::{Needed, PayloadDatabase, PayloadSlot, Ready, RuleIndex, RuleSet, Transports};
use crate::literal::{EngineError, Workspace};
use crate::verify;
use rule::may_match;

pub use flow_state::{FlowState, NAMES_MAX};
pub use hosts::Hosts;
pub use profile::{Cost, Profile};
pub use subject::{FlowFacts, Stream, Subject};

/// A rule that matched and speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alert {
    /// Which rule.
    pub rule: RuleIndex,
    /// Transaction that it matched in.
    pub transaction: Option<u64>,
    /// Whether it matched in reassembled data rather than in the packet.
    pub in_stream: bool,
    /// What is done instead of what the rule says (`rate_filter`).
    pub action: Option<Action>,
}

/// What an inspector did, for its metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Bytes that went through Hyperscan.
    pub scanned_bytes: u64,
    /// Rules whose fast pattern was found.
    pub candidates: u64,
    /// Rules whose conditions were verified.
    pub verified: u64,
    /// Rules that matched.
    pub matched: u64,
    /// Matches that a threshold or filter kept silent.
    pub suppressed: u64,
    /// Alerts beyond [`Options::alerts_max`] of one packet.
    pub alerts_over: u64,
    /// Flowbits and flowints that were not set because the flow had [`NAMES_MAX`].
    pub names_over: u64,
}

/// How an inspector works.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Alerts of one packet that are reported; the reference's `packet-alert-max`.
    pub alerts_max: usize,
    /// Transactions of one flow whose progress is remembered; the oldest beyond are given up.
    pub transactions_max: usize,
    /// Another inspector looks at the same flows after this one, so data that this one has seen is not done with: the
    /// caller tells transactions that they were inspected.
    pub looks_first: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { alerts_max: 15, transactions_max: 1024, looks_first: false }
    }
}

/// Runs the rules of one tenant on one worker.
#[derive(Debug)]
pub struct Inspector {
    set: Arc<RuleSet>,
    /// Tells a flow's memory of this set from that of another.
    number: u64,
    hosts: Arc<Hosts>,
    options: Options,
    workspace: Option<Workspace>,
    scratch: Scratch,
    counts: Counts,
    /// Where the cost of each rule is noted, if anybody wants to know.
    profile: Option<Arc<Profile>>,
}

/// What inspecting one packet needs room for.
#[derive(Debug, Default)]
struct Scratch {
    verify: verify::Scratch,
    /// Rules to ask, each once.
    candidates: Candidates,
    alerts: Vec<Alert>,
    buffer: Vec<u8>,
    transformed: Vec<u8>,
    /// No further rule may speak of the packet.
    packet_passed: bool,
    /// What `pcre` captured for the packet.
    packet_variables: Vec<(u32, Box<[u8]>)>,
    /// What it captured in transactions of the packet.
    later_captures: Vec<(verify::Variable, Box<[u8]>)>,
}

/// Rules to ask, each once, however often it was found.
#[derive(Debug, Default)]
struct Candidates {
    rules: Vec<RuleIndex>,
    /// For each rule the round in which it was added last.
    stamps: Vec<u32>,
    round: u32,
}

impl Candidates {
    fn new(rules: usize) -> Self {
        Self { rules: Vec::new(), stamps: vec![0; rules], round: 0 }
    }

    fn clear(&mut self) {
        self.rules.clear();
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.stamps.fill(0);
            self.round = 1;
        }
    }

    #[inline]
    fn add(&mut self, rule: RuleIndex) {
        if let Some(stamp) = self.stamps.get_mut(rule as usize)
            && *stamp != self.round
        {
            *stamp = self.round;
            self.rules.push(rule);
        }
    }
}

/// Each inspector gets a number of its own.
static NUMBER: AtomicU64 = AtomicU64::new(1);

impl Inspector {
    /// An inspector of these rules.
    ///
    /// # Errors
    ///
    /// [`EngineError`] when there is no memory for Hyperscan's scratch.
    pub fn new(set: Arc<RuleSet>, hosts: Arc<Hosts>, options: Options) -> Result<Self, EngineError> {
        let workspace = Workspace::fit(set.databases().map(|database| &*database.literals))?;
        let verify = verify::Scratch::new(Arc::clone(hosts.datasets()));
        let scratch = Scratch { verify, candidates: Candidates::new(set.rules.len()), ..Scratch::default() };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let profile = hosts.profile().map(Arc::clone);
        Ok(Self { set, number, hosts, options, workspace, scratch, counts: Counts::default(), profile })
    }

    /// Its rules.
    pub fn set(&self) -> &Arc<RuleSet> {
        &self.set
    }

    /// What it did so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether any rule looks at the stream of this direction: if not, nobody needs to keep one.
    pub fn wants_stream(&self, direction: Direction) -> bool {
        let [stream, ..] = &self.set.payload;
        stream.get(direction.index()).is_some_and(|databases| !databases.is_empty())
            || self.set.packet_unfiltered.get(direction.index()).is_some_and(|index| !index.is_empty())
    }

    /// What `pcre` has captured for the packet that was inspected last, over all calls for it.
    pub fn packet_variables(&self) -> &[(u32, Box<[u8]>)] {
        &self.scratch.packet_variables
    }

    /// Asks every rule that can be about `subject`; the alerts are in the order of the rules.
    pub fn inspect(
        &mut self,
        subject: &Subject<'_>,
        flow: Option<&mut FlowState>,
        session: Option<&mut Session>,
    ) -> &[Alert] {
        self.scratch.alerts.clear();
        self.scratch.packet_passed = false;
        if subject.packet.is_some() {
            self.scratch.packet_variables.clear();
        }
        let mut alone = FlowState::default();
        let has_flow = flow.is_some();
        let state = flow.unwrap_or(&mut alone);
        if state.passed {
            return &self.scratch.alerts;
        }
        if state.set_number != self.number {
            // The rules have changed: what this flow has seen so far says nothing about the new ones.
            state.set_number = self.number;
            state.headers_fit = [None, None];
            state.transactions.clear();
        }
        self.scratch.candidates.clear();
        let needed = self.find_unfiltered(subject, state, has_flow);
        self.scan_payload(subject, needed);
        if !self.scratch.candidates.rules.is_empty() {
            let set = Arc::clone(&self.set);
            let mut rules = std::mem::take(&mut self.scratch.candidates.rules);
            rules.sort_unstable();
            for &number in &rules {
                self.ask(&set, number, subject, state, session.as_deref());
                if state.passed || self.scratch.packet_passed {
                    break;
                }
            }
            self.scratch.candidates.rules = rules;
        }
        if let Some(session) = session
            && !state.passed
            && !self.scratch.packet_passed
        {
            self.inspect_transactions(subject, state, session);
            let captures = std::mem::take(&mut self.scratch.later_captures);
            self.keep_captures(captures, state);
        }
        let alerts = &mut self.scratch.alerts;
        alerts.sort_by_key(|alert| alert.rule);
        if alerts.len() > self.options.alerts_max {
            self.counts.alerts_over += (alerts.len() - self.options.alerts_max) as u64;
            alerts.truncate(self.options.alerts_max);
        }
        alerts
    }

    /// Asks the rules about packets that could not be taken whole, of which `subject` is one.
    pub fn inspect_faulty(&mut self, subject: &Subject<'_>) -> &[Alert] {
        self.scratch.alerts.clear();
        let set = Arc::clone(&self.set);
        let mut alone = FlowState::default();
        for &number in &set.decode {
            self.ask(&set, number, subject, &mut alone, None);
        }
        &self.scratch.alerts
    }

    /// Rules without a fast pattern, and which databases are needed for the others. Headers are compared once for each
    /// direction of a flow.
    fn find_unfiltered(
        &mut self,
        subject: &Subject<'_>,
        state: &mut FlowState,
        has_flow: bool,
    ) -> [Needed; 2] {
        let way = subject.direction.index();
        let (Some(fit), Some(needed)) = (state.headers_fit.get_mut(way), state.needed.get_mut(way)) else {
            return <[Needed; 2]>::default();
        };
        let candidates = &mut self.scratch.candidates;
        let set = &self.set;
        let covers = |rule: RuleIndex| {
            set.rules.get(rule as usize).is_some_and(|rule| rule.header.covers(&subject.ends))
        };
        // What the reference keeps no flow of is asked about packet by packet.
        if (fit.is_none() || subject.ends.transport == Transports::OTHER)
            && let Some(index) = set.address_only.get(way)
        {
            index.candidates(&subject.ends, |rule| {
                if covers(rule) {
                    candidates.add(rule);
                }
            });
        }
        if let Some(rules) = fit {
            rules.iter().for_each(|&rule| candidates.add(rule));
            return *needed;
        }
        let of = |slot: PayloadSlot| set.payload.get(slot as usize).and_then(|ways| ways.get(way));
        *needed = [PayloadSlot::of(subject.ends.transport), PayloadSlot::TcpStream]
            .map(|slot| of(slot).map_or_else(Needed::default, |databases| databases.needed(&subject.ends)));
        let mut found = Vec::new();
        if let Some(index) = set.packet_unfiltered.get(way) {
            index.candidates(&subject.ends, |rule| {
                if covers(rule) {
                    found.push(rule);
                }
            });
        }
        for &rule in &found {
            candidates.add(rule);
        }
        if has_flow {
            *fit = Some(found.into());
        }
        *needed
    }

    /// Looks for fast patterns in the payload.
    fn scan_payload(&mut self, subject: &Subject<'_>, [packet, stream]: [Needed; 2]) {
        let way = subject.direction.index();
        let candidates = &mut self.scratch.candidates;
        let mut scanned = 0;
        let mut scan = |slot: PayloadSlot, needed: Needed, bytes: &[u8], fresh: usize| {
            let Some(databases) = self.set.payload.get(slot as usize).and_then(|ways| ways.get(way)) else {
                return;
            };
            databases.anchors.find(bytes, needed.anchors, fresh, |rule| candidates.add(rule));
            // Without databases there is no workspace.
            let Some(workspace) = &self.workspace else { return };
            for PayloadDatabase { database, reach, payload_max, .. } in databases.wanted(needed) {
                if bytes.len() > *payload_max {
                    continue;
                }
                // A pattern that begins in what was looked at before can end in what was not.
                let from = fresh.saturating_sub(database.literals.longest().saturating_sub(1));
                let Some(bytes) = bytes.get(from..bytes.len().min(*reach)) else { continue };
                scanned += bytes.len() as u64;
                database.literals.scan(bytes, workspace, |literal| {
                    database.rules_of(literal).iter().for_each(|&rule| candidates.add(rule));
                });
            }
        };
        if !subject.payload.is_empty() {
            let slot = PayloadSlot::of(subject.ends.transport);
            scan(slot, packet, subject.payload, 0);
            // A segment that no stream took is a stream of its own.
            if slot == PayloadSlot::TcpPacket && !subject.in_stream {
                scan(PayloadSlot::TcpStream, stream, subject.payload, 0);
            }
        }
        if let Some(window) = subject.stream {
            scan(PayloadSlot::TcpStream, stream, window.bytes, window.fresh);
        }
        self.counts.scanned_bytes += scanned;
        self.counts.candidates += candidates.rules.len() as u64;
    }

    /// Asks one rule that is not about transactions; a rule that is, is asked for each transaction instead.
    fn ask(
        &mut self,
        set: &RuleSet,
        number: RuleIndex,
        subject: &Subject<'_>,
        state: &mut FlowState,
        session: Option<&Session>,
    ) {
        let Some(rule) = set.rules.get(number as usize) else { return };
        // The end of a flow is no packet: only what is left of its stream can match.
        let only_stream = subject.packet.is_none() && !(rule.inspects.payload && rule.inspects.stream);
        if rule.inspects.transaction || only_stream {
            return;
        }
        let began = self.profile.is_some().then(|| (Instant::now(), self.counts.matched));
        self.ask_alone(rule, number, subject, state, session);
        if let (Some((began, before)), Some(profile)) = (began, &self.profile) {
            profile.note(number, began, self.counts.matched > before);
        }
    }

    fn ask_alone(
        &mut self,
        rule: &Ready,
        number: RuleIndex,
        subject: &Subject<'_>,
        state: &mut FlowState,
        session: Option<&Session>,
    ) {
        if !may_match(rule, subject, session) {
            return;
        }
        if rule.is_protocol_only() {
            let way = subject.direction;
            if session.is_some_and(|session| session.protocol_of(way).is_none() && !session.failed_of(way)) {
                return;
            }
            state.asked_for_good(way, number);
        }
        self.counts.verified += 1;
        if !self.state_allows(rule, subject, state) {
            return;
        }
        let Some(in_stream) = self.payload_holds(rule, subject) else { return };
        if rule.rule.action == Action::Pass {
            // A rule about the stream speaks of the flow, one about a packet of this packet; either way no rule after
            // it in order is asked now.
            state.passed = true;
        }
        self.matched(number, rule, subject, state, None, in_stream);
    }
}
