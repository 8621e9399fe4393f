//! What inspection keeps of one flow.

use analyze::{Session, Transport};
use app::Direction;
use flow::stream::{Stream, StreamBudget};
use flow::{EndReason, Flow, Orientation};
use signature::FlowFacts;
use wire::TenantId;

use super::layer::FlowStates;
use super::tagged::Tagged;
use super::{Announced, ExceptionPolicy};

/// What inspection keeps of one flow.
pub(super) struct InspectedFlow {
    /// Whose it is.
    pub(super) tenant: TenantId,
    /// The pipeline that its latest packet went through.
    pub(super) pipeline: u16,
    /// Which way its client sends.
    pub(super) client: Orientation,
    /// Its name in events.
    pub(super) id: u64,
    /// Its entry as it was when it began, and then when it ended: addresses, ports, times.
    pub(super) entry: Flow,
    /// Packets that wait in the tenant's inbox.
    pub(super) waiting: u32,
    /// Why it ended, and when, if it has; its last packets may still wait.
    pub(super) ended: Option<(EndReason, Option<u64>)>,
    /// Counts up to the packet in hand; the flow table is a burst ahead.
    pub(super) facts: FlowFacts,
    /// Time of its first and its latest packet that was inspected, in microseconds.
    pub(super) first_us: u64,
    pub(super) latest_us: u64,
    /// Reassembly, for TCP.
    pub(super) stream: Option<Box<Stream>>,
    /// The application layer, for TCP and UDP.
    pub(super) session: Option<Session>,
    /// Whether its stream and session were begun: not before a pipeline wants them.
    pub(super) opened: bool,
    /// What signatures remember.
    pub(super) signatures: FlowStates,
    /// A rule has spoken.
    pub(super) alerted: bool,
    /// A rule wants its packets logged.
    pub(super) tagged: Option<Tagged>,
    /// No rule is asked about it any more, because of an exception policy or `bypass`.
    pub(super) passed: bool,
    /// A rule wants it only counted.
    pub(super) bypassed: bool,
}

impl InspectedFlow {
    /// Which way a packet goes.
    pub(super) fn direction(&self, orientation: Orientation) -> Direction {
        if orientation == self.client { Direction::ToServer } else { Direction::ToClient }
    }

    /// Begins its stream and its session, with the packet in hand. Of a TCP connection that is under way already the
    /// beginning is missing, as of any that comes into view late.
    pub(super) fn open(&mut self) {
        let tuple = self.entry.key().tuple(self.client);
        let transport = match tuple.protocol {
            6 => Some(Transport::Tcp),
            17 => Some(Transport::Udp),
            _ => None,
        };
        self.opened = true;
        self.stream = (tuple.protocol == 6).then(Box::default);
        self.session = transport.map(|transport| Session::new(transport, tuple.src_port, tuple.dst_port));
    }

    /// Client and server were mistaken for each other.
    pub(super) fn reverse(&mut self) {
        self.client = self.client.flipped();
        self.facts.packets.reverse();
        self.facts.bytes.reverse();
        if let Some(stream) = &mut self.stream {
            stream.reverse();
        }
        // Headers of rules were compared for the other direction.
        self.signatures = FlowStates::default();
    }

    /// Asks whether a control connection has announced it; to be asked at its first packet.
    #[inline]
    pub(super) fn recall(&mut self, announced: &Announced, now_us: u64) {
        let tuple = self.entry.key().tuple(self.client);
        if let Some(session) = &mut self.session
            && let Some(expectation) = announced.take(tuple.src, tuple.dst, tuple.dst_port, now_us)
        {
            session.expect(&expectation);
        }
    }

    /// Does with it what the policy wants.
    #[cold]
    pub(super) fn except(&mut self, policy: ExceptionPolicy, budget: &mut StreamBudget) {
        self.passed |= policy != ExceptionPolicy::Ignore;
        if policy == ExceptionPolicy::Bypass {
            if let Some(mut stream) = self.stream.take() {
                stream.close(budget);
            }
            self.session = None;
        }
    }

    /// Counts a packet that came in `frames` frames of `bytes`.
    pub(super) fn count(&mut self, direction: Direction, (packets, bytes): (u64, u64), time_us: u64) {
        let way = direction.index();
        if let (Some(count), Some(sum)) = (self.facts.packets.get_mut(way), self.facts.bytes.get_mut(way)) {
            *count += packets;
            *sum += bytes;
        }
        if self.first_us == 0 {
            self.first_us = time_us;
        }
        self.latest_us = self.latest_us.max(time_us);
        self.facts.age_s = (self.latest_us.saturating_sub(self.first_us) / 1_000_000) as u32;
        if self.stream.is_none() {
            self.facts.established = self.facts.packets.iter().all(|&packets| packets > 0);
        }
    }
}
