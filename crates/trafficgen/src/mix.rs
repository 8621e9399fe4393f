//! Many replicas of one capture, interleaved: each replica's flows begin at random, with addresses and a VLAN of their own.
//!
//! In: a capture and [`MixOptions`]. Out: a nanosecond pcap in order of time, and what is in it ([`MixSummary`]). The source
//! is held in memory; the mix is written as it is made, with one heap entry for each flow of each replica.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use wire::{NTuple, Packet, ParseOptions};

use crate::pcap::{CaptureError, OutputError, OutputFile, PcapWriter};
use crate::replay::{Capture, CaptureLimits, Skipped, Tags};
use crate::rewrite::{LoopRewrite, RewriteError, VlanRange, set_vlan};
use crate::trace::{START_NS, VLAN_MAX};

/// The VLAN of the first tenant of a mix.
pub const MIX_FIRST_VLAN: u16 = 100;

/// What a mix is to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MixOptions {
    /// How many replicas, at least 1; the first keeps the capture's addresses.
    pub replicas: u32,
    /// Replica `n` goes to VLAN `100 + n % vlans`; 0 for untagged frames.
    pub vlans: u16,
    /// Where in the mix a flow begins follows from it.
    pub seed: u64,
    /// Flows begin within so many seconds.
    pub seconds: u32,
    /// A flow that lasted longer is compressed to so many seconds.
    pub flow_seconds: u32,
    /// Most memory to use, in bytes.
    pub memory_bytes: u64,
}

/// Why a mix could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MixError {
    /// An option is out of range.
    #[error("cannot make this mix: {reason}")]
    Options {
        /// Which, and what would be right.
        reason: String,
    },
    /// The source cannot be used.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Its addresses do not suffice for so many replicas.
    #[error("cannot make {replicas} replicas: {source}")]
    Rewrite {
        /// How many were asked for.
        replicas: u32,
        /// Why not.
        source: RewriteError,
    },
    /// Too many flows at once.
    #[error(
        "{replicas} replicas of {flows} flows need more than the {limit_bytes} bytes of memory allowed; make fewer \
         replicas or raise --memory-limit"
    )]
    TooMany {
        /// How many replicas were asked for.
        replicas: u32,
        /// Flows of the source.
        flows: usize,
        /// The limit that was given, in bytes.
        limit_bytes: u64,
    },
    /// The mix cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Packets and bytes on one VLAN.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct VlanCount {
    /// The VLAN; 0 when the mix is untagged.
    pub vlan: u16,
    /// Frames.
    pub packets: u64,
    /// Frame bytes, without FCS.
    pub bytes: u64,
}

/// What a mix contains.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MixSummary {
    /// Flows of the source; every replica has as many.
    pub flows: u64,
    /// Replicas made.
    pub replicas: u32,
    /// Frames written.
    pub packets: u64,
    /// Frame bytes written.
    pub bytes: u64,
    /// Frames of the source that were left out.
    pub skipped: Skipped,
    /// Frames of the source whose addresses are the same in every replica: multicast to broadcast and the like.
    pub not_rewritten: u64,
    /// By VLAN.
    pub vlans: Vec<VlanCount>,
}

/// The next frame of one flow of one replica, in order of time; ties go by replica and place in the capture.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    at_ns: u64,
    replica: u32,
    frame: u32,
    /// Place in the list of flows.
    flow: u32,
    start_ns: u64,
}

/// One flow of the source.
struct Flow {
    first: u32,
    first_ns: u64,
    last_ns: u64,
}

/// The source's flows: the frames of each are a chain.
struct Flows {
    flows: Vec<Flow>,
    /// For each frame the next of its flow; its own place at the end.
    next: Vec<u32>,
}

/// Smallest distance between two frames of a flow, in nanoseconds.
const DISTANCE_NS: u64 = 100;
/// What a flow takes in the table of flows, about, in bytes.
const BYTES_PER_FLOW: usize = 160;

/// Writes a mix of `source` to `destination`, which appears when it is complete.
///
/// # Errors
/// [`MixError`].
pub fn mix(source: &Path, destination: &Path, options: &MixOptions) -> Result<MixSummary, MixError> {
    check(options)?;
    let tags = if options.vlans == 0 { Tags::Strip } else { Tags::One };
    let limits =
        CaptureLimits { memory_bytes: options.memory_bytes, ip_only: true, ..CaptureLimits::default() };
    let capture = Capture::load(source, tags, limits)?;
    let flows = Flows::of(&capture);
    let needed = flows.flows.len() as u64
        * (BYTES_PER_FLOW as u64 + u64::from(options.replicas) * size_of::<Next>() as u64);
    if needed > options.memory_bytes {
        return Err(MixError::TooMany {
            replicas: options.replicas,
            flows: flows.flows.len(),
            limit_bytes: options.memory_bytes,
        });
    }
    let rewrites = (0..options.replicas)
        .map(|replica| capture.rewriter().at_loop(u64::from(replica)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|source| MixError::Rewrite { replicas: options.replicas, source })?;

    let output = OutputFile::create(destination)?;
    let failed = |error| OutputError::Write { path: destination.to_owned(), source: error };
    let mut writer = PcapWriter::new(output).map_err(failed)?;
    let mut summary = MixSummary::new(&capture, &flows, options);
    each_frame(&capture, &flows, &rewrites, options, |at_ns, replica, frame| {
        summary.count(replica, frame.len());
        writer.write(at_ns, frame).map_err(failed)
    })?;
    writer.into_inner().commit()?;
    Ok(summary)
}

fn check(options: &MixOptions) -> Result<(), MixError> {
    let refuse = |reason: String| Err(MixError::Options { reason });
    if options.replicas == 0 {
        return refuse("0 replicas; give at least 1".to_owned());
    }
    if options.vlans > VLAN_MAX - MIX_FIRST_VLAN + 1 {
        let vlans_max = VLAN_MAX - MIX_FIRST_VLAN + 1;
        return refuse(format!("{} VLANs; give 0 to {vlans_max}", options.vlans));
    }
    if options.seconds == 0 || options.flow_seconds == 0 {
        return refuse("0 seconds; give at least 1".to_owned());
    }
    Ok(())
}

/// Calls `each` with timestamp, replica and bytes of every frame of the mix, in order of time.
fn each_frame<E>(
    capture: &Capture,
    flows: &Flows,
    rewrites: &[LoopRewrite],
    options: &MixOptions,
    mut each: impl FnMut(u64, u32, &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let span_ns = u64::from(options.seconds) * 1_000_000_000;
    let mut starts = Vec::with_capacity(flows.flows.len() * rewrites.len());
    for replica in 0..options.replicas {
        for (place, flow) in flows.flows.iter().enumerate() {
            let start_ns = START_NS + rng.random_range(0..span_ns);
            let next = Next { at_ns: start_ns, replica, frame: flow.first, flow: place as u32, start_ns };
            starts.push(Reverse(next));
        }
    }
    let vlans = (options.vlans > 0).then_some(VlanRange { first: MIX_FIRST_VLAN, count: options.vlans });
    let mut heap = BinaryHeap::from(starts);
    let mut bytes = Vec::with_capacity(2048);
    while let Some(Reverse(next)) = heap.pop() {
        let Some(frame) = capture.frame(next.frame as usize) else { continue };
        bytes.clear();
        bytes.extend_from_slice(frame.bytes);
        if let Some(vlans) = vlans {
            set_vlan(&mut bytes, vlans.at(u64::from(next.replica)));
        }
        if let Some(rewrite) = rewrites.get(next.replica as usize) {
            rewrite.apply(frame.edits, &mut bytes);
        }
        each(next.at_ns, next.replica, &bytes)?;
        if let Some(next) = flows.after(next, capture, options) {
            heap.push(Reverse(next));
        }
    }
    Ok(())
}

impl Flows {
    fn of(capture: &Capture) -> Self {
        let mut flows: Vec<Flow> = Vec::new();
        let mut next = Vec::with_capacity(capture.len());
        let mut by_key: HashMap<NTuple, (u32, u32)> = HashMap::new();
        for at in 0..capture.len() as u32 {
            next.push(at);
            let Some(frame) = capture.frame(at as usize) else { continue };
            let Some(key) = flow_key(frame.bytes) else { continue };
            if let Some((flow, last)) = by_key.get_mut(&key) {
                if let Some(link) = next.get_mut(*last as usize) {
                    *link = at;
                }
                *last = at;
                if let Some(flow) = flows.get_mut(*flow as usize) {
                    flow.last_ns = flow.last_ns.max(frame.at_ns);
                }
            } else {
                by_key.insert(key, (flows.len() as u32, at));
                flows.push(Flow { first: at, first_ns: frame.at_ns, last_ns: frame.at_ns });
            }
        }
        Self { flows, next }
    }

    /// The frame after `now` in its flow, and when it is due.
    fn after(&self, now: Next, capture: &Capture, options: &MixOptions) -> Option<Next> {
        let frame = *self.next.get(now.frame as usize)?;
        if frame == now.frame {
            return None;
        }
        let flow = self.flows.get(now.flow as usize)?;
        let offset_ns = capture.frame(frame as usize)?.at_ns.saturating_sub(flow.first_ns);
        let lasted_ns = flow.last_ns - flow.first_ns;
        let longest_ns = u64::from(options.flow_seconds) * 1_000_000_000;
        let offset_ns = if lasted_ns > longest_ns {
            (u128::from(offset_ns) * u128::from(longest_ns) / u128::from(lasted_ns)) as u64
        } else {
            offset_ns
        };
        let at_ns = (now.start_ns + offset_ns).max(now.at_ns + DISTANCE_NS);
        Some(Next { at_ns, frame, ..now })
    }
}

/// What the two directions of a flow share; fragments go by addresses only, so that a datagram stays together.
fn flow_key(frame: &[u8]) -> Option<NTuple> {
    let tuple = Packet::parse_ethernet(frame, &ParseOptions::default()).ok()?.tuple;
    let back = tuple.reversed();
    let order = |tuple: &NTuple| (tuple.src, tuple.src_port);
    Some(if order(&tuple) <= order(&back) { tuple } else { back })
}

impl MixSummary {
    fn new(capture: &Capture, flows: &Flows, options: &MixOptions) -> Self {
        let not_rewritten = (0..capture.len())
            .filter_map(|at| capture.frame(at))
            .filter(|frame| !frame.edits.iter().any(crate::rewrite::HeaderEdit::makes_new))
            .count();
        let first = if options.vlans == 0 { 0 } else { MIX_FIRST_VLAN };
        let used = u32::from(options.vlans.max(1)).min(options.replicas);
        let vlans = (0..used).map(|vlan| VlanCount { vlan: first + vlan as u16, ..VlanCount::default() });
        Self {
            flows: flows.flows.len() as u64,
            replicas: options.replicas,
            packets: 0,
            bytes: 0,
            skipped: capture.skipped(),
            not_rewritten: not_rewritten as u64,
            vlans: vlans.collect(),
        }
    }

    fn count(&mut self, replica: u32, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
        let at = replica as usize % self.vlans.len().max(1);
        if let Some(vlan) = self.vlans.get_mut(at) {
            vlan.packets += 1;
            vlan.bytes += bytes as u64;
        }
    }
}
