//! IP reassembly as an inspection sensor needs it (RFC 791, 815, 8200, 5722, 6946).
//!
//! In: frames that are IP fragments, with their parsed [`Packet`]s, their tenant and the packet clock. Out: whole
//! datagrams that parse like any other packet, and, for every fragment that never gets into one, a named reason.
//!
//! A sensor must see the datagram that its target sees, so overlapping fragments are resolved by the target's
//! [`Policy`], and where that leaves room the reference is Suricata 7. Fragments are refused only where a datagram
//! would be longer than IP allows or where their own length or place makes no sense; a refused fragment does not
//! take its datagram with it, or one forged fragment would hide all the others.
//!
//! **The ledger.** What [`Defrag::push`] returns is about the frame that was pushed. A frame that was
//! [`Outcome::Held`] is accounted for exactly once more: among [`Datagram::frames`] of the datagram that it
//! completes or helps to complete, or in a [`Lost`] given to the caller of [`Defrag::expire`] or [`Defrag::drain`].
//!
//! **Time** is packet time. Every push first gives up what is overdue, so results do not depend on how often
//! [`Defrag::expire`] is called, as long as packet time does not run backwards.
//!
//! **Memory** is reserved when a [`Defrag`] is made, and only tenants' counters are allocated later, when a tenant is
//! first seen. A tenant at its own limits gives up its own oldest datagrams. When what all tenants share is used up, the
//! tenant that holds most of it gives up its oldest, so a flood of fragments costs only who sends it.
//!
//! Cost: a fragment is one hash lookup and a copy of its payload into chunks; another copy makes the datagram. Neither
//! the number of fragments before it nor their order matters.
//!
//! **Where Suricata 7.0.10 does otherwise** (measured): every overlap of two fragments comes out the same, but of a
//! fragment that meets several earlier ones it judges only some, where the policies as published judge each; it keeps a
//! fragment of odd length that is not the last; it does not complete a datagram when a second last fragment comes
//! below a first with a gap between them; in captures it looks for timeouts only now and then.
//!
//! Rooms: `input` (reading a fragment), `reassemble` (a fragment's way into its datagram), `trackers` (finding that),
//! `datagram` (putting bytes in place by `policy`), `chunks` (memory), `header` (what the datagram starts with), `limits`
//! (who gives up what), `outcome` and `config` (what the caller sees).

mod chunks;
mod config;
mod datagram;
mod header;
mod input;
mod limits;
mod outcome;
mod policy;
mod reassemble;
mod trackers;

use wire::{Fragment, L3, Packet, TenantId};

pub use config::{Config, ConfigError};
pub use outcome::{Count, Datagram, DropReason, FamilyStats, Lost, Outcome, Stats};
pub use policy::Policy;

use chunks::{CHUNK_COST, Chunks};
use input::{HEADER_LEN_MAX, Input, PAYLOAD_END_MAX};
use trackers::{List, Trackers};

/// The reassembly of one worker.
pub struct Defrag {
    config: Config,
    timeout_ns: u64,
    chunks_per_tenant_max: u32,
    trackers: Trackers,
    chunks: Chunks,
    tenants: Vec<Tenant>,
    /// What each tenant holds; apart from `tenants` because looking for the largest reads all of it.
    usage: Vec<Usage>,
    /// Tenants with losses that are not reported yet.
    losers: Vec<TenantId>,
    /// The fragment that was pushed last overlapped an earlier one.
    overlapped: bool,
    /// The datagram that was completed last.
    out: Vec<u8>,
}

#[derive(Default)]
struct Tenant {
    policy: Policy,
    order: List,
    stats: Stats,
    lost: [Losses; DropReason::COUNT],
    has_lost: bool,
}

#[derive(Clone, Copy, Default)]
struct Losses {
    datagrams: u64,
    frames: Count,
}

#[derive(Clone, Copy, Default)]
struct Usage {
    trackers: u32,
    chunks: u32,
}

impl Defrag {
    /// Reserves everything that the limits allow to be used.
    ///
    /// # Errors
    /// A limit that refuses everything or contradicts another one.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            timeout_ns: config.timeout_ms.saturating_mul(1_000_000),
            chunks_per_tenant_max: (config.bytes_per_tenant_max / CHUNK_COST) as u32,
            trackers: Trackers::new(config.trackers_max),
            chunks: Chunks::new((config.bytes_max / CHUNK_COST) as u32),
            tenants: Vec::new(),
            usage: Vec::new(),
            losers: Vec::new(),
            overlapped: false,
            out: Vec::with_capacity(HEADER_LEN_MAX + PAYLOAD_END_MAX as usize),
            config,
        })
    }

    /// Sets how a tenant's hosts treat overlaps, from the next datagram on; [`Policy::Bsd`] unless set.
    pub fn set_policy(&mut self, tenant: TenantId, policy: Policy) {
        self.know(tenant).policy = policy;
    }

    /// Takes one frame. `packet` must be what parsing `frame` gave: offsets are from the start of `frame`, also for a
    /// fragment inside a tunnel. `now_ns` is the packet's time in nanoseconds since any fixed moment.
    pub fn push(&mut self, frame: &[u8], packet: &Packet, tenant: TenantId, now_ns: u64) -> Outcome<'_> {
        let Some(fragment) = packet.fragment else {
            return Outcome::NotFragment;
        };
        let frames = Count { packets: 1, bytes: frame.len() as u64 };
        self.know(tenant).stats.received.add(frames);
        self.accept(frame, packet, fragment, frames, now_ns, tenant)
    }

    /// Takes a datagram that [`push`](Self::push) completed, if it turns out to be, or to carry in a tunnel, a fragment
    /// of another. `bytes` is the caller's copy of [`Datagram::bytes`], `packet` what parsing that gave, and `frames` is
    /// [`Datagram::frames`]: those frames count as completed no longer, but share what becomes of this fragment.
    ///
    /// Only forged traffic nests fragments in IPv6, and what completes is never the same datagram again, so calling
    /// this for as long as it completes something comes to an end.
    pub fn push_reassembled(
        &mut self,
        bytes: &[u8],
        packet: &Packet,
        frames: Count,
        tenant: TenantId,
        now_ns: u64,
    ) -> Outcome<'_> {
        let Some(fragment) = packet.fragment else {
            return Outcome::NotFragment;
        };
        self.know(tenant).stats.completed.subtract(frames);
        self.accept(bytes, packet, fragment, frames, now_ns, tenant)
    }

    fn accept(
        &mut self,
        bytes: &[u8],
        packet: &Packet,
        fragment: Fragment,
        frames: Count,
        now_ns: u64,
        tenant: TenantId,
    ) -> Outcome<'_> {
        let stats = &mut self.know(tenant).stats;
        match packet.l3 {
            _ if fragment.offset == 0 && !fragment.more => stats.atomic += 1,
            L3::Ipv4 => stats.ipv4.fragments += 1,
            L3::Ipv6 => stats.ipv6.fragments += 1,
            L3::Arp | L3::Other => {}
        }
        self.give_up_overdue(now_ns);
        self.overlapped = false;
        let outcome =
            Input::read(bytes, packet, fragment, tenant).and_then(|input| self.take(&input, frames, now_ns));
        let stats = &mut self.know(tenant).stats;
        match outcome {
            Ok(None) => {
                stats.held.add(frames);
                Outcome::Held
            }
            Ok(Some(all)) => {
                stats.held.add(frames);
                stats.held.subtract(all);
                stats.completed.add(all);
                Outcome::Complete(Datagram { bytes: &self.out, frames: all })
            }
            Err(reason) => {
                stats.dropped[reason.index()].add(frames);
                Outcome::Dropped(reason)
            }
        }
    }

    /// Gives up what is overdue, and reports every frame lost since the last report, by tenant and reason.
    ///
    /// Call it after each burst: losses that a push causes to earlier frames (a limit reached, a timeout noticed) wait
    /// here too.
    pub fn expire(&mut self, now_ns: u64, lost: impl FnMut(Lost)) {
        self.give_up_overdue(now_ns);
        self.report(lost);
    }

    /// Gives up everything that is not complete, and reports as [`expire`](Self::expire) does. The end of a replay or
    /// of a worker.
    pub fn drain(&mut self, lost: impl FnMut(Lost)) {
        while let Some(oldest) = self.trackers.oldest() {
            self.give_up(oldest, DropReason::Shutdown);
        }
        self.report(lost);
    }

    /// Gives up what a tenant has that is no more, and forgets the tenant; reports as [`expire`](Self::expire) does.
    pub fn remove_tenant(&mut self, tenant: TenantId, lost: impl FnMut(Lost)) {
        let index = usize::from(tenant.0);
        while let Some(order) = self.tenants.get(index).map(|tenant| tenant.order)
            && let Some(oldest) = self.trackers.oldest_of(order, None)
        {
            self.give_up(oldest, DropReason::TenantRemoved);
        }
        self.report(lost);
        if let Some(tenant) = self.tenants.get_mut(index) {
            *tenant = Tenant::default();
        }
    }

    /// A tenant's counts; zero for one never seen.
    pub fn stats(&self, tenant: TenantId) -> Stats {
        self.tenants.get(usize::from(tenant.0)).map(|tenant| tenant.stats).unwrap_or_default()
    }

    /// Whether the fragment that was pushed last overlapped an earlier one, whatever became of it.
    pub const fn overlapped(&self) -> bool {
        self.overlapped
    }

    /// Datagrams in reassembly.
    pub fn trackers(&self) -> usize {
        self.trackers.used()
    }

    /// Bytes held, counted as [`Config::bytes_max`] counts them.
    pub fn bytes_held(&self) -> usize {
        self.chunks.used() * CHUNK_COST
    }

    /// The tenant's state, made when it is first seen.
    fn know(&mut self, tenant: TenantId) -> &mut Tenant {
        let index = usize::from(tenant.0);
        if index >= self.tenants.len() {
            self.tenants.resize_with(index + 1, Tenant::default);
            self.usage.resize(index + 1, Usage::default());
            self.losers.reserve(index + 1 - self.losers.len());
        }
        &mut self.tenants[index]
    }
}
