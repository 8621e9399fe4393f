//! Which conversation has the next packet.
//!
//! A heap holds one entry for each conversation that is going on and one for each tenant's next conversation to begin,
//! so memory follows concurrency, not the length of the trace.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::truth::Truth;
use super::world::{CONVERSATIONS_MAX, Conversation, TENANTS_MAX, Tenant};
use super::{START_NS, TraceError, TraceOptions, VLAN_MAX};
use crate::protocols::{Activity, arp, bulk, dns, fragments, http, ping, scan, smtp, tls};

/// What a conversation can be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Http,
    Tls12,
    Tls13,
    Dns,
    DnsTcp,
    Smtp,
    Bulk,
    SynScan,
    UdpScan,
    Ping,
    Arp,
    Fragments,
}

/// How often each kind comes in every [`DECK_LEN`] conversations of a tenant: all kinds appear in a trace of that many.
const MIX: [(Kind, usize); 12] = [
    (Kind::Http, 10),
    (Kind::Tls13, 7),
    (Kind::Tls12, 4),
    (Kind::Dns, 8),
    (Kind::DnsTcp, 1),
    (Kind::Smtp, 2),
    (Kind::Bulk, 1),
    (Kind::SynScan, 1),
    (Kind::UdpScan, 1),
    (Kind::Ping, 2),
    (Kind::Arp, 2),
    (Kind::Fragments, 1),
];

const DECK_LEN: usize = 40;

/// Streams of a seed's generator: conversations have their own, then each tenant's arrivals and its decks.
const STREAM_ARRIVALS: u64 = 1 << 62;
const STREAM_DECK: u64 = 1 << 63;

/// A tenant's conversations that have not begun.
struct Arrivals {
    tenant: Tenant,
    rng: ChaCha8Rng,
    deck: Vec<Kind>,
    next_index: u32,
    elephant_pending: bool,
}

/// An entry of the heap. The order of fields is the order of packets: by time, then by tenant and conversation, so ties
/// do not depend on anything but the options.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at_ns: u64,
    tenant: u16,
    /// `None` for the tenant's next conversation.
    conversation: Option<u32>,
    /// Place in the table of conversations that are going on.
    slot: usize,
}

struct Generator<'a> {
    options: &'a TraceOptions,
    tenants: Vec<Arrivals>,
    due: BinaryHeap<Reverse<Due>>,
    active: Vec<Option<Activity>>,
    vacant: Vec<usize>,
    truth: Truth,
}

/// Makes a trace: calls `each` with the timestamp and the bytes of every frame, in order of time.
///
/// # Errors
/// [`TraceError::Options`] when the options are out of range; what `each` returns, at once.
pub fn generate(
    options: &TraceOptions,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), TraceError>,
) -> Result<Truth, TraceError> {
    check(options)?;
    let mut generator = Generator::new(options);
    let mut frame = Vec::with_capacity(2048);
    while let Some(Reverse(due)) = generator.due.pop() {
        let Some(conversation) = due.conversation else {
            generator.begin(due);
            continue;
        };
        let tenant = usize::from(due.tenant);
        let Some(activity) = generator.active.get_mut(due.slot).and_then(Option::as_mut) else { continue };
        if let Some(transport) = activity.emit(&mut frame) {
            each(due.at_ns, &frame)?;
            generator.truth.packet(tenant, activity.protocol, transport, due.at_ns, frame.len() as u64);
        }
        match activity.next_at() {
            Some(at_ns) => {
                generator.due.push(Reverse(Due { at_ns, conversation: Some(conversation), ..due }));
            }
            None => generator.end(due.slot),
        }
    }
    Ok(generator.truth)
}

fn check(options: &TraceOptions) -> Result<(), TraceError> {
    let refuse = |reason: String| Err(TraceError::Options { reason });
    let TraceOptions { tenants, first_vlan, seconds, conversations, .. } = *options;
    if !(1..=TENANTS_MAX).contains(&tenants) {
        return refuse(format!("{tenants} tenants; give 1 to {TENANTS_MAX}"));
    }
    if first_vlan == 0 || first_vlan > VLAN_MAX || tenants - 1 > VLAN_MAX - first_vlan {
        return refuse(format!(
            "{tenants} tenants from VLAN {first_vlan} on do not fit VLANs 1 to {VLAN_MAX}; give a lower --first-vlan \
             or fewer --tenants"
        ));
    }
    if !(1..=86_400).contains(&seconds) {
        return refuse(format!("{seconds} seconds; give 1 to 86400"));
    }
    if !(1..=CONVERSATIONS_MAX).contains(&conversations) {
        return refuse(format!("{conversations} conversations; give 1 to {CONVERSATIONS_MAX}"));
    }
    Ok(())
}

impl<'a> Generator<'a> {
    fn new(options: &'a TraceOptions) -> Self {
        let tenants = (0..options.tenants).map(|tenant| {
            let network = if options.overlapping_addresses { 1 } else { 1 + tenant as u8 };
            Arrivals {
                tenant: Tenant::new(options.first_vlan + tenant, network, options.conversations),
                rng: stream(options.seed, STREAM_ARRIVALS | u64::from(tenant)),
                deck: Vec::with_capacity(DECK_LEN),
                next_index: 0,
                elephant_pending: options.elephant_bytes > 0,
            }
        });
        let vlans = (0..options.tenants).map(|tenant| options.first_vlan + tenant);
        let mut generator = Self {
            options,
            tenants: tenants.collect(),
            due: BinaryHeap::new(),
            active: Vec::new(),
            vacant: Vec::new(),
            truth: Truth::new(options.seed, vlans),
        };
        for tenant in 0..options.tenants {
            generator.announce(tenant);
        }
        generator
    }

    /// Puts the tenant's next conversation into the heap, if it has one.
    fn announce(&mut self, tenant: u16) {
        let Some(arrivals) = self.tenants.get_mut(usize::from(tenant)) else { return };
        let conversations = u64::from(self.options.conversations);
        if u64::from(arrivals.next_index) >= conversations {
            return;
        }
        // Spread evenly with jitter inside each share: in order without sorting.
        let span_ns = u64::from(self.options.seconds) * 1_000_000_000;
        let share_ns = span_ns / conversations;
        let offset_ns =
            u64::from(arrivals.next_index) * span_ns / conversations + arrivals.rng.random_range(0..share_ns);
        let due = Due { at_ns: START_NS + offset_ns, tenant, conversation: None, slot: 0 };
        self.due.push(Reverse(due));
    }

    /// Begins the conversation that is due, and the tenant's elephant with its first one.
    fn begin(&mut self, due: Due) {
        let options = self.options;
        let Some(arrivals) = self.tenants.get_mut(usize::from(due.tenant)) else { return };
        let tenant = arrivals.tenant;
        let seed = options.seed;
        let conversation = |index| Conversation {
            tenant: &tenant,
            index,
            start_ns: due.at_ns,
            rng: stream(seed, u64::from(due.tenant) << 32 | u64::from(index)),
        };
        if std::mem::take(&mut arrivals.elephant_pending) {
            // It takes a little more than half of the trace.
            let duration_ns = u64::from(options.seconds) * 500_000_000;
            let index = options.conversations;
            let elephant = bulk::elephant(conversation(index), options.elephant_bytes, duration_ns);
            self.start(due.tenant, index, elephant);
        }
        let Some(arrivals) = self.tenants.get_mut(usize::from(due.tenant)) else { return };
        let index = arrivals.next_index;
        arrivals.next_index += 1;
        let conversation = conversation(index);
        let activity = match arrivals.draw(seed, due.tenant) {
            Kind::Http => http::activity(conversation),
            Kind::Tls12 => tls::activity_1_2(conversation),
            Kind::Tls13 => tls::activity_1_3(conversation),
            Kind::Dns => dns::activity(conversation),
            Kind::DnsTcp => dns::activity_tcp(conversation),
            Kind::Smtp => smtp::activity(conversation),
            Kind::Bulk => bulk::activity(conversation),
            Kind::SynScan => scan::activity_syn(conversation),
            Kind::UdpScan => scan::activity_udp(conversation),
            Kind::Ping => ping::activity(conversation),
            Kind::Arp => arp::activity(&conversation),
            Kind::Fragments => fragments::activity(conversation),
        };
        self.start(due.tenant, index, activity);
        self.announce(due.tenant);
    }

    fn start(&mut self, tenant: u16, index: u32, mut activity: Activity) {
        let Some(at_ns) = activity.next_at() else { return };
        let (transport, flows) = activity.flows;
        self.truth.flows(usize::from(tenant), activity.protocol, transport, flows);
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.active.push(None);
            self.active.len() - 1
        });
        if let Some(place) = self.active.get_mut(slot) {
            *place = Some(activity);
        }
        self.due.push(Reverse(Due { at_ns, tenant, conversation: Some(index), slot }));
    }

    fn end(&mut self, slot: usize) {
        if let Some(place) = self.active.get_mut(slot) {
            *place = None;
            self.vacant.push(slot);
        }
    }
}

impl Arrivals {
    /// The next card of the deck; a new deck is shuffled when the old one is used up.
    fn draw(&mut self, seed: u64, tenant: u16) -> Kind {
        if self.deck.is_empty() {
            for (kind, count) in MIX {
                self.deck.extend(std::iter::repeat_n(kind, count));
            }
            let deck = u64::from(self.next_index) / DECK_LEN as u64;
            self.deck.shuffle(&mut stream(seed, STREAM_DECK | deck << 16 | u64::from(tenant)));
        }
        self.deck.pop().unwrap_or(Kind::Http)
    }
}

fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deck_has_every_card() {
        assert_eq!(MIX.iter().map(|&(_, count)| count).sum::<usize>(), DECK_LEN);
    }

    #[test]
    fn options_out_of_range_are_refused() {
        let good = TraceOptions { conversations: 1, elephant_bytes: 0, ..TraceOptions::default() };
        assert!(check(&good).is_ok());
        for bad in [
            TraceOptions { tenants: 0, ..good },
            TraceOptions { tenants: 251, ..good },
            TraceOptions { first_vlan: 0, ..good },
            TraceOptions { first_vlan: 4092, ..good },
            TraceOptions { seconds: 0, ..good },
            TraceOptions { conversations: 0, ..good },
            TraceOptions { conversations: CONVERSATIONS_MAX + 1, ..good },
        ] {
            assert!(matches!(check(&bad), Err(TraceError::Options { .. })), "{bad:?}");
        }
        assert!(check(&TraceOptions { first_vlan: 4091, ..good }).is_ok());
    }
}
