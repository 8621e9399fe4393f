//! The receiving end: an engine in a process of its own, since an EAL starts once and lives in one namespace. The test
//! program runs itself again for it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::iter::Sum;
use std::ops::Add;
use std::process::{Child, ChildStdout, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use classify::{Classifier, Limits, PipelineId, Verdict};
use dataplane::{
    Engine, EngineConfig, Generation, Inspector, Mode, Pipeline, PortSpec, Snapshot, Tenancy, Tenant,
    TenantSnapshot, Totals, VlanMap,
};
use dpdk::{Eal, HugePages};
use serde_json::{Value, json};
use sink::{EventThread, FileSink, OpenMode, Options, Overflow};
use testkit::link::Link;
use wire::TenantId;

use super::VLANS;

/// Frames and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Count {
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { packets: self.packets + other.packets, bytes: self.bytes + other.bytes }
    }
}

impl Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

/// What became of a tenant's frames.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) received: Count,
    pub(super) inspected: Count,
    pub(super) not_inspected: BTreeMap<String, Count>,
}

/// What the engine says at its end.
#[derive(Debug)]
pub(super) struct Report {
    /// Frames that reached the receiving interface.
    pub(super) on_link: u64,
    pub(super) received: Count,
    /// Frames that the port counts as missed.
    pub(super) missed: u64,
    /// The tenants, then the frames of none.
    pub(super) rows: Vec<Row>,
    pub(super) held: u64,
    pub(super) mbufs_missing: u64,
}

/// The process; killed if it is still there when the value goes away.
pub(super) struct Receiver {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Receiver {
    /// Starts it and waits until its port receives.
    pub(super) fn start(link: &Link, device: &str, inbox_packets: u32, inspections: usize) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut child = link
            .in_receiving(program.to_str().unwrap())
            .args(["--exact", "live::receiver::child_receives_for_its_parent", "--nocapture"])
            .env("FOREBAY_TEST_LIVE_DEVICE", device)
            .env("FOREBAY_TEST_LIVE_INBOX", inbox_packets.to_string())
            .env("FOREBAY_TEST_LIVE_INSPECTIONS", inspections.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut receiver = Self { child, output };
        assert_eq!(receiver.said(), json!("receiving"));
        receiver
    }

    /// Lets it wait until it has seen `on_link` frames, for so long at most, and returns what it counted.
    pub(super) fn finish(mut self, on_link: u64, at_most: Duration) -> Report {
        let mut input = self.child.stdin.take().unwrap();
        writeln!(input, "{on_link} {}", at_most.as_secs()).unwrap();
        let said = self.said();
        let rest = self.output.read_to_end(&mut Vec::new());
        assert!(rest.is_ok() && self.child.wait().unwrap().success(), "{said}");
        let rows = said["rows"].as_array().unwrap().iter().map(|row| Row {
            received: count(&row["received"]),
            inspected: count(&row["inspected"]),
            not_inspected: reasons(&row["not_inspected"]),
        });
        Report {
            on_link,
            received: count(&said["received"]),
            missed: said["missed"].as_u64().unwrap(),
            rows: rows.collect(),
            held: said["held"].as_u64().unwrap(),
            mbufs_missing: said["mbufs_missing"].as_u64().unwrap(),
        }
    }

    /// Its next line that is not the test harness's.
    fn said(&mut self) -> Value {
        let mut line = String::new();
        while self.output.read_line(&mut line).unwrap() > 0 {
            if let Some(said) = line.strip_prefix(MARK) {
                return serde_json::from_str(said).unwrap();
            }
            line.clear();
        }
        panic!("the receiver ended without a word");
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Neither does anything to a child that has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn count(value: &Value) -> Count {
    Count { packets: value[0].as_u64().unwrap(), bytes: value[1].as_u64().unwrap() }
}

fn reasons(value: &Value) -> BTreeMap<String, Count> {
    value.as_object().unwrap().iter().map(|(reason, value)| (reason.clone(), count(value))).collect()
}

/// What lines for the parent begin with.
const MARK: &str = "for the parent: ";

/// Does nothing unless a test above started it.
#[test]
fn child_receives_for_its_parent() {
    let Ok(device) = std::env::var("FOREBAY_TEST_LIVE_DEVICE") else { return };
    let number = |name| std::env::var(name).unwrap().parse::<usize>().unwrap();
    let inbox_packets = number("FOREBAY_TEST_LIVE_INBOX") as u32;
    let inspections = number("FOREBAY_TEST_LIVE_INSPECTIONS");

    let out = tempfile::tempdir().unwrap();
    let file = FileSink::open(out.path().join("eve.json"), OpenMode::Replace).unwrap();
    let options = Options::new(Overflow::Wait);
    let events = EventThread::spawn(file, options, |notice| panic!("{notice:?}")).unwrap();
    let config = config(&device, inbox_packets);
    let mut engine =
        Engine::start(&config, |eal| generation(eal, inspections), || events.producer()).unwrap();
    println!("\n{MARK}{}", json!("receiving"));

    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let (on_link, seconds) = line.trim().split_once(' ').unwrap();
    let (on_link, seconds): (u64, u64) = (on_link.parse().unwrap(), seconds.parse().unwrap());
    let missed =
        |ports: &[(String, dpdk::PortStats)]| ports.iter().map(|(_, stats)| stats.rx_missed).sum::<u64>();
    let until = Instant::now() + Duration::from_secs(seconds);
    while engine.snapshot().received.packets + missed(&engine.port_stats()) < on_link
        && Instant::now() < until
    {
        std::thread::sleep(Duration::from_millis(2));
    }
    engine.stop();
    let outcome = engine.finish().unwrap();
    events.finish().unwrap();
    let said = report(&outcome.snapshot, missed(&outcome.ports), outcome.mbufs_missing);
    println!("\n{MARK}{said}");
}

fn report(all: &Snapshot, missed: u64, mbufs_missing: u32) -> Value {
    let count = |totals: Totals| json!([totals.packets, totals.bytes]);
    let row = |row: &TenantSnapshot| {
        let reasons =
            row.not_inspected.iter().map(|(reason, totals)| (reason.as_str().to_owned(), count(*totals)));
        json!({
            "received": count(row.received),
            "inspected": count(row.inspected),
            "not_inspected": reasons.collect::<serde_json::Map<_, _>>(),
        })
    };
    json!({
        "received": count(all.received),
        "missed": missed,
        "rows": all.tenants.iter().chain([&all.unassigned]).map(row).collect::<Vec<_>>(),
        "held": all.fragments_held,
        "mbufs_missing": mbufs_missing,
    })
}

fn config(device: &str, inbox_packets: u32) -> EngineConfig {
    EngineConfig {
        mode: Mode::Live,
        workers: 1,
        tenants_max: VLANS.len() as u16,
        memory_mib: 128,
        huge_pages: HugePages::Off,
        mempool_mbufs: 16_383,
        inbox_packets,
        flows_max: 65_536,
        timeouts: flow::Timeouts::default(),
        hash_seed: 1,
        defrag: flow::defrag::Config::default(),
        flows_by_vlan: true,
        parse: wire::ParseOptions::default(),
        community_id_seed: None,
        ports: vec![PortSpec { device: device.parse().unwrap(), tenancy: Tenancy::Trunk }],
        tools: Vec::new(),
    }
}

/// Tenant n owns VLAN n of the list; one pipeline, which verifies every checksum `inspections` times.
fn generation(eal: &Eal, inspections: usize) -> Result<Generation, classify::BuildError> {
    let default_verdict = Verdict::Pipeline(PipelineId(0));
    let mut vlans = VlanMap::default();
    (0..).zip(VLANS).for_each(|(tenant, vlan)| vlans.assign(vlan, TenantId(tenant)));
    let tenant = |vlan: u16| {
        Some(Tenant {
            name: Arc::from(format!("vlan-{vlan}")),
            identity: u64::from(vlan),
            weight: 1,
            flows_max: u32::MAX,
            default_verdict,
            inspection: Arc::default(),
        })
    };
    Ok(Generation {
        number: 1,
        tenants: VLANS.map(tenant).into(),
        vlans,
        pipelines: vec![Some(Pipeline::new("checksum", vec![Inspector::Checksum; inspections]))],
        tools: Vec::new(),
        classifier: Classifier::build(eal, &[], &[default_verdict; VLANS.len()], &Limits::default())?,
    })
}
