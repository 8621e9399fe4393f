//! A whole capture in memory, with the plan to rewrite each frame.

use std::path::Path;

use serde::Serialize;
use wire::{L3, Packet, ParseOptions};

use crate::pcap::{CaptureError, CaptureReader};
use crate::rewrite::{HeaderEdit, Rewriter, Survey, put_tag};

/// What becomes of VLAN tags when a capture is loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tags {
    /// They stay.
    Keep,
    /// Frames carry none.
    Strip,
    /// Frames carry one 802.1Q tag, whose number each loop sets.
    One,
}

/// What is loaded of a capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CaptureLimits {
    /// Most memory it may take, in bytes.
    pub memory_bytes: u64,
    /// Longest frame without VLAN tags, in bytes; longer ones (of a sender that segments in hardware) are skipped, for no
    /// port would send them.
    pub frame_bytes: usize,
    /// Whether frames that are not IP are skipped: they have no flow.
    pub ip_only: bool,
}

impl Default for CaptureLimits {
    /// 2 GiB, Ethernet's 1514 bytes, everything.
    fn default() -> Self {
        Self { memory_bytes: 2 << 30, frame_bytes: 1514, ip_only: false }
    }
}

/// Frames of a capture that were not loaded, by reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Skipped {
    /// Cut by a snapshot length.
    pub truncated: u64,
    /// Longer than the limit.
    pub too_long: u64,
    /// Contradicts itself (see [`wire::Malformed`]) or is too short for Ethernet.
    pub malformed: u64,
    /// Not IP.
    pub not_ip: u64,
}

impl Skipped {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.truncated + self.too_long + self.malformed + self.not_ip
    }
}

/// Where a frame is in the arenas.
#[derive(Clone, Copy, Debug)]
struct Entry {
    at_ns: u64,
    bytes_end: usize,
    edits_end: usize,
}

/// A frame of a [`Capture`].
#[derive(Clone, Copy, Debug)]
pub struct CapturedFrame<'a> {
    /// When it was captured, nanoseconds since 1970-01-01 UTC.
    pub at_ns: u64,
    /// Its bytes, with tags as [`Tags`] says.
    pub bytes: &'a [u8],
    /// How it is rewritten.
    pub edits: &'a [HeaderEdit],
}

/// The frames of a capture, ready to be rewritten and sent.
#[derive(Debug)]
pub struct Capture {
    bytes: Vec<u8>,
    edits: Vec<HeaderEdit>,
    entries: Vec<Entry>,
    rewriter: Rewriter,
    skipped: Skipped,
    span_ns: (u64, u64),
}

/// Bytes that one surveyed address takes in its tree, about.
const BYTES_PER_ADDRESS: usize = 48;

impl Capture {
    /// Loads a pcap or pcapng file.
    ///
    /// # Errors
    /// What [`CaptureReader`] says of the file; [`CaptureError::TooLarge`] beyond the memory limit;
    /// [`CaptureError::Empty`] when every frame was skipped.
    pub fn load(path: &Path, tags: Tags, limits: CaptureLimits) -> Result<Self, CaptureError> {
        let mut reader = CaptureReader::open(path)?;
        let mut loading = Self {
            bytes: Vec::new(),
            edits: Vec::new(),
            entries: Vec::new(),
            rewriter: Survey::default().finish(),
            skipped: Skipped::default(),
            span_ns: (u64::MAX, 0),
        };
        let mut survey = Survey::default();
        let too_large = || CaptureError::TooLarge { path: path.to_owned(), limit_bytes: limits.memory_bytes };
        while let Some(frame) = reader.next_frame()? {
            if let Some(reason) = refuse(frame.bytes, frame.wire_len, limits, &mut loading.skipped) {
                *reason += 1;
                continue;
            }
            let bytes_start = loading.bytes.len();
            match tags {
                Tags::Keep => loading.bytes.extend_from_slice(frame.bytes),
                Tags::Strip => {
                    put_tag(frame.bytes, None, &mut loading.bytes);
                }
                Tags::One => {
                    put_tag(frame.bytes, Some(0), &mut loading.bytes);
                }
            }
            survey.note(loading.bytes.get(bytes_start..).unwrap_or_default());
            loading.entries.push(Entry { at_ns: frame.at_ns, bytes_end: loading.bytes.len(), edits_end: 0 });
            loading.span_ns = (loading.span_ns.0.min(frame.at_ns), loading.span_ns.1.max(frame.at_ns));
            // Most frames need one edit.
            let needed = loading.bytes.len()
                + loading.entries.len() * (size_of::<Entry>() + size_of::<HeaderEdit>())
                + survey.len() * BYTES_PER_ADDRESS;
            if needed as u64 > limits.memory_bytes {
                return Err(too_large());
            }
        }
        if loading.entries.is_empty() {
            return Err(CaptureError::Empty { path: path.to_owned() });
        }
        loading.rewriter = survey.finish();
        loading.plan();
        Ok(loading)
    }

    /// Plans every frame, now that all addresses are known.
    fn plan(&mut self) {
        let mut bytes_start = 0;
        for entry in &mut self.entries {
            let frame = self.bytes.get(bytes_start..entry.bytes_end).unwrap_or_default();
            self.rewriter.plan(frame, &mut self.edits);
            entry.edits_end = self.edits.len();
            bytes_start = entry.bytes_end;
        }
    }

    /// How many frames there are; at least 1.
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Never: a capture without frames is refused.
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A frame by its place, from 0.
    #[inline]
    pub fn frame(&self, at: usize) -> Option<CapturedFrame<'_>> {
        let entry = self.entries.get(at)?;
        let (bytes_start, edits_start) = match at.checked_sub(1).and_then(|before| self.entries.get(before)) {
            Some(before) => (before.bytes_end, before.edits_end),
            None => (0, 0),
        };
        Some(CapturedFrame {
            at_ns: entry.at_ns,
            bytes: self.bytes.get(bytes_start..entry.bytes_end)?,
            edits: self.edits.get(edits_start..entry.edits_end)?,
        })
    }

    /// The rewriter for its addresses.
    pub const fn rewriter(&self) -> &Rewriter {
        &self.rewriter
    }

    /// What was left out.
    pub const fn skipped(&self) -> Skipped {
        self.skipped
    }

    /// Earliest and latest timestamp, nanoseconds since 1970-01-01 UTC.
    pub const fn span_ns(&self) -> (u64, u64) {
        self.span_ns
    }

    /// Frame bytes altogether.
    pub const fn total_bytes(&self) -> usize {
        self.bytes.len()
    }
}

/// The counter of the reason not to load a frame, if there is one.
fn refuse<'a>(
    bytes: &[u8],
    wire_len: u32,
    limits: CaptureLimits,
    skipped: &'a mut Skipped,
) -> Option<&'a mut u64> {
    if (wire_len as usize) > bytes.len() {
        return Some(&mut skipped.truncated);
    }
    let Some((addresses, rest)) = crate::rewrite::without_tags(bytes) else {
        return Some(&mut skipped.malformed);
    };
    if addresses.len() + rest.len() > limits.frame_bytes {
        return Some(&mut skipped.too_long);
    }
    match Packet::parse_ethernet(bytes, &ParseOptions::default()) {
        Err(_) => Some(&mut skipped.malformed),
        Ok(packet) if limits.ip_only && !matches!(packet.l3, L3::Ipv4 | L3::Ipv6) => {
            Some(&mut skipped.not_ip)
        }
        Ok(_) => None,
    }
}
