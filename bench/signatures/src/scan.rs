//! What Hyperscan alone makes of the capture's payload.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use app::Direction;
use signature::{LiteralSet, Names, RuleSet, Setup, Workspace};
use trafficgen::pcap::CaptureReader;
use wire::{L4, Packet, ParseOptions};

/// What was scanned, and how long it took.
pub(crate) struct Scanned {
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    pub(crate) literals: usize,
    pub(crate) database_bytes: usize,
}

/// Scans all payload of TCP and UDP, packet by packet, for the rules' payload patterns.
pub(crate) fn payload(capture: &Path, rules: &Path) -> Result<Scanned, Box<dyn Error>> {
    let text = std::fs::read(rules)?;
    let parsed = rules::parse_file(&text, 0, &rules::Environment::default());
    let set = RuleSet::compile(parsed.rules, &Setup::new(&Names::default()))?.set;
    // A stream is looked into whole with what may be anywhere in it, which is most of what there is to look for.
    let databases = [L4::Tcp, L4::Udp].map(|transport| {
        let databases = set.payload(transport, Direction::ToServer)?.iter();
        databases.map(|payload| &*payload.database.literals).max_by_key(|literals| literals.len())
    });
    let workspace = Workspace::fit(databases.iter().flatten().copied())?;
    let Some(workspace) = workspace else { return Err("the rules have no payload patterns".into()) };

    let options = ParseOptions::default();
    let mut file = CaptureReader::open(capture)?;
    let mut payloads: Vec<(usize, Vec<u8>)> = Vec::new();
    while let Some(frame) = file.next_frame()? {
        let Ok(packet) = Packet::parse_ethernet(frame.bytes, &options) else { continue };
        let kind = match packet.l4 {
            L4::Tcp => 0,
            L4::Udp => 1,
            _ => continue,
        };
        let payload = packet.payload(frame.bytes);
        if !payload.is_empty() {
            payloads.push((kind, payload.to_vec()));
        }
    }
    let set_of = |kind: usize| -> Option<&LiteralSet> { databases.get(kind).copied().flatten() };
    let (mut bytes, mut found) = (0, 0_u64);
    let start = Instant::now();
    for (kind, payload) in &payloads {
        if let Some(literals) = set_of(*kind) {
            literals.scan(payload, &workspace, |_| found += 1);
            bytes += payload.len() as u64;
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(Scanned {
        bytes,
        seconds,
        literals: set.databases().map(|database| database.literals.len()).sum(),
        database_bytes: set.database_bytes(),
    })
}
