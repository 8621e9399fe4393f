//! Running an engine over captures, in a test.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use classify::{Classifier, Limits, PipelineId, Rule, Verdict};
use dataplane::{
    Capture, Engine, EngineConfig, Generation, Inspector, Mode, Outcome, Pipeline, Tenant, TenantInspection,
    VlanMap,
};
use dpdk::{Eal, HugePages};
use sink::{EventThread, FileSink, OpenMode, Options, Overflow};
use wire::TenantId;

/// An engine small enough for a test.
pub(crate) fn config(workers: usize, tenants: u16) -> EngineConfig {
    EngineConfig {
        mode: Mode::Replay,
        workers,
        tenants_max: tenants,
        memory_mib: 128,
        huge_pages: HugePages::Off,
        mempool_mbufs: 8191,
        inbox_packets: 256,
        flows_max: 65_536,
        timeouts: flow::Timeouts::default(),
        hash_seed: 1,
        defrag: flow::defrag::Config::default(),
        flows_by_vlan: true,
        parse: wire::ParseOptions::default(),
        community_id_seed: Some(0),
        ports: Vec::new(),
        tools: Vec::new(),
    }
}

/// A generation in which tenant number n owns VLAN 100 + n, or the only tenant everything. Pipeline 0 has no
/// inspectors, pipeline 1 verifies checksums, pipeline 2 has every inspector.
pub(crate) fn generation(
    eal: &Eal,
    number: u32,
    tenants: u16,
    default: Verdict,
    rules: &[Rule],
) -> Result<Generation, classify::BuildError> {
    let mut vlans = VlanMap::default();
    if tenants == 1 {
        vlans.assign_rest(TenantId(0));
    } else {
        (0..tenants).for_each(|tenant| vlans.assign(100 + tenant, TenantId(tenant)));
    }
    Ok(Generation {
        number,
        tenants: (0..tenants)
            .map(|tenant| {
                Some(Tenant {
                    name: Arc::from(format!("tenant-{tenant}")),
                    identity: u64::from(tenant),
                    weight: 1,
                    flows_max: u32::MAX,
                    default_verdict: default,
                    inspection: Arc::default(),
                })
            })
            .collect(),
        vlans,
        pipelines: vec![
            Some(Pipeline::new("headers", Vec::new())),
            Some(Pipeline::new("checksum", vec![Inspector::Checksum])),
            Some(Pipeline::new("full", Inspector::all().map(|(_, inspector)| inspector).collect())),
        ],
        tools: Vec::new(),
        classifier: Classifier::build(eal, rules, &vec![default; usize::from(tenants)], &Limits::default())?,
    })
}

pub(crate) const HEADERS: Verdict = Verdict::Pipeline(PipelineId(0));
pub(crate) const CHECKSUM: Verdict = Verdict::Pipeline(PipelineId(1));
pub(crate) const FULL: Verdict = Verdict::Pipeline(PipelineId(2));

/// Replays a capture and returns the outcome and the event file's bytes. The process's one engine.
pub(crate) fn replay(
    config: &EngineConfig,
    default: Verdict,
    rules: &[Rule],
    capture: &Path,
) -> (Outcome, Vec<u8>) {
    inspect(config, default, rules, capture, TenantInspection::default())
}

/// The same with inspection of the first tenant's traffic.
pub(crate) fn inspect(
    config: &EngineConfig,
    default: Verdict,
    rules: &[Rule],
    capture: &Path,
    inspection: TenantInspection,
) -> (Outcome, Vec<u8>) {
    let out = tempfile::tempdir().unwrap();
    let eve = out.path().join("eve.json");
    let file = FileSink::open(&eve, OpenMode::Replace).unwrap();
    let events =
        EventThread::spawn(file, Options::new(Overflow::Wait), |notice| panic!("{notice:?}")).unwrap();
    let tenants = config.tenants_max;
    let mut inspection = Some(Arc::new(inspection));
    let compiled = |eal: &Eal| {
        let mut generation = generation(eal, 1, tenants, default, rules)?;
        if let (Some(Some(tenant)), Some(inspection)) = (generation.tenants.first_mut(), inspection.take()) {
            tenant.inspection = inspection;
        }
        Ok(generation)
    };
    let mut engine = Engine::start(config, compiled, || events.producer()).unwrap();
    let (frames, end_us) = scan(capture);
    engine.replay(&Capture { path: capture, frames, offset_us: 0 }).unwrap();
    engine.end_of_input(end_us);
    let outcome = engine.finish().unwrap();
    events.finish().unwrap();
    (outcome, std::fs::read(eve).unwrap())
}

/// Frames of a capture, and the time of its last in microseconds: an independent count.
pub(crate) fn scan(path: &Path) -> (u64, u64) {
    let frames = frames(path);
    (frames.len() as u64, frames.iter().map(|frame| frame.0).max().unwrap_or(0))
}

/// Every frame of a little-endian pcap file with its time in microseconds.
pub(crate) fn frames(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let data = std::fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
    let nanoseconds = word(0) == 0xa1b2_3c4d;
    let (mut at, mut frames) = (24, Vec::new());
    while at < data.len() {
        let fraction = u64::from(word(at + 4)) / if nanoseconds { 1000 } else { 1 };
        let length = word(at + 8) as usize;
        frames.push((u64::from(word(at)) * 1_000_000 + fraction, data[at + 16..at + 16 + length].to_vec()));
        at += 16 + length;
    }
    frames
}

/// Writes a pcap file.
pub(crate) fn write(path: &Path, frames: &[(u64, Vec<u8>)]) {
    let word = |value: u32| value.to_le_bytes();
    let mut data = [word(0xa1b2_c3d4), word(0x0004_0002), word(0), word(0), word(65535), word(1)].concat();
    for (time_us, frame) in frames {
        let length = word(frame.len() as u32);
        let time = [word((time_us / 1_000_000) as u32), word((time_us % 1_000_000) as u32)];
        data.extend([time[0], time[1], length, length].concat());
        data.extend(frame);
    }
    std::fs::write(path, data).unwrap();
}

/// The real trace, where there is one.
pub(crate) fn enterprise() -> Option<PathBuf> {
    testkit::corpora().map(|corpora| corpora.join("pcap/enterprise.pcap")).filter(|path| path.is_file())
}

/// Received = inspected + every named reason, for each tenant and in all; nothing is held, no buffer is missing.
pub(crate) fn assert_conserved(outcome: &Outcome) {
    let all = &outcome.snapshot;
    let mut received = dataplane::Totals::default();
    for tenant in all.rows() {
        assert_eq!(tenant.received, tenant.accounted(), "{tenant:?}");
        received += tenant.received;
    }
    assert_eq!(received, all.received);
    assert_eq!((all.fragments_held, all.flows_active, outcome.mbufs_missing), (0, 0, 0));
}

/// The lines of an event file, sorted.
pub(crate) fn sorted_lines(eve: &[u8]) -> Vec<String> {
    let mut lines: Vec<String> =
        String::from_utf8(eve.to_vec()).unwrap().lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

/// Waits for something that takes a moment, and fails if it takes ten seconds.
pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(10), "no {what} after 10 s");
        std::thread::sleep(Duration::from_millis(1));
    }
}
