//! Forebay's lane on the same vdev.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use classify::{Classifier, Direction, Limits, PipelineId, Rule, Verdict};
use dataplane::{
    Burst, BurstTimes, DpdkPrefetch, Generation, Inspector, Lane, LaneParts, PacketMeta, PacketTime,
    Pipeline, Records, Tenancy, Tenant, VlanMap, WorkerCounters,
};
use dpdk::{Device, Eal, EalConfig, HugePages, Mbuf, Mempool, MempoolConfig, PortConfig, RxQueue};
use flow::defrag::Defrag;
use flow::{FlowTable, HashSeed, TableConfig, Timeouts};
use sink::{EventThread, FileSink, OpenMode, Options, Overflow};
use wire::{ParseOptions, TenantId};

/// One measurement.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    /// Flows that the frames are spread over; 0 makes every frame a new flow.
    flows: u32,
    /// Flows that the table has room for.
    table: u32,
    work: Work,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
    /// Poll and free.
    Poll,
    /// Poll, write the source address, free.
    Rewrite,
    /// The lane; the pipeline has no inspectors.
    Headers,
    /// The lane, through the inbox and the scheduler, to an inspector that reads the whole packet.
    Inspect,
}

const MILLION: u32 = 1 << 20;

/// Every measurement, in order.
pub(crate) const CASES: [Case; 7] = [
    Case { name: "poll", flows: 1, table: 1, work: Work::Poll },
    Case { name: "poll and rewrite", flows: 65_536, table: 1, work: Work::Rewrite },
    Case { name: "2 thousand flows", flows: 2048, table: 65_536, work: Work::Headers },
    Case { name: "64 thousand flows", flows: 65_536, table: 131_072, work: Work::Headers },
    Case { name: "4 million flows", flows: 4 * MILLION, table: 4 * MILLION, work: Work::Headers },
    Case { name: "every packet a new flow", flows: 0, table: MILLION, work: Work::Headers },
    Case { name: "64 thousand flows, checksums", flows: 65_536, table: 131_072, work: Work::Inspect },
];

/// The EAL, the polled queue and the compiled rules, for all cases.
pub(crate) struct Cases {
    eal: Eal,
    pool: Mempool<PacketMeta>,
    queue: RxQueue<PacketMeta>,
    generation: Generation,
    events: EventThread,
    bytes_per_flow: Option<f64>,
}

impl Cases {
    pub(crate) fn start(capture: &Path) -> Result<Self, Box<dyn Error>> {
        let events = EventThread::spawn(
            FileSink::open("/dev/null", OpenMode::Append)?,
            Options::new(Overflow::Drop),
            |notice| eprintln!("{notice:?}"),
        )?;
        let config = EalConfig { lcores: 0, memory_mib: 512, huge_pages: HugePages::Off, pci: false };
        let (eal, _) = Eal::start(&config)?;
        let pool = Mempool::new(&eal, &MempoolConfig { mbufs: 16_383, ..MempoolConfig::default() })?;
        let arguments = format!("rx_pcap={},infinite_rx=1", capture.display());
        let port = eal.attach(&Device::vdev("net_pcap0", &arguments))?;
        let queue = port.start(&PortConfig::default(), &pool).map_err(|failed| failed.error)?.rx.remove(0);
        let generation = generation(&eal)?;
        Ok(Self { eal, pool, queue, generation, events, bytes_per_flow: None })
    }

    /// Millions of packets a second.
    pub(crate) fn run(&mut self, name: &str, seconds: f64) -> Result<f64, Box<dyn Error>> {
        let case = CASES.iter().find(|case| case.name == name).ok_or("no such case")?;
        let counters = Arc::new(WorkerCounters::new(2));
        let table = FlowTable::<DpdkPrefetch>::new(&TableConfig {
            flows_max: case.table,
            tenants: 2,
            timeouts: Timeouts::default(),
            seed: HashSeed::new(7),
        })?;
        if case.flows == 4 * MILLION {
            self.bytes_per_flow = Some(table.bytes() as f64 / f64::from(case.table));
        }
        let mut lane = Lane::new(
            &self.eal,
            LaneParts {
                table,
                defrag: Defrag::new(flow::defrag::Config::default())?,
                records: Records::new(
                    self.events.producer(),
                    Arc::clone(&counters),
                    Timeouts::default(),
                    None,
                ),
                counters: Arc::clone(&counters),
                tools: Vec::new(),
                pool: self.pool.clone(),
                parse: ParseOptions::default(),
                flows_by_vlan: true,
                inbox_packets: 1024,
            },
        )?;
        lane.adopt(&self.generation);
        let mut spread = Spread { flows: case.flows, next: 0 };
        // Flows are made before the clock runs, but where making them is what is measured.
        let warm_up = if case.work == Work::Headers { case.flows } else { 0 };
        let mut time =
            PacketTime { recorded_us: 1_700_000_000_000_000, monotonic_us: 1_700_000_000_000_000, number: 0 };
        let mut done: u64 = 0;
        while done < u64::from(warm_up) {
            done += self.step(case.work, &mut lane, &mut spread, time);
        }
        let limit = Duration::from_secs_f64(seconds);
        let start = Instant::now();
        let mut packets: u64 = 0;
        while start.elapsed() < limit {
            // A thousand bursts between two looks at the clock; packet time goes on as if 10 Mpps were received.
            for _ in 0..1000 {
                let polled = self.step(case.work, &mut lane, &mut spread, time);
                packets += polled;
                time.recorded_us += polled / 10;
                time.monotonic_us = time.recorded_us;
            }
        }
        let rate = packets as f64 / start.elapsed().as_secs_f64() / 1e6;
        let counted = counters.received.packets.get();
        if matches!(case.work, Work::Headers | Work::Inspect) && counted != done + packets {
            return Err(format!("{name}: {} packets polled, {counted} counted", done + packets).into());
        }
        lane.finish(time.recorded_us);
        Ok(rate)
    }

    #[inline]
    fn step(&mut self, work: Work, lane: &mut Lane, spread: &mut Spread, time: PacketTime) -> u64 {
        let mut burst = Burst::new();
        self.queue.rx_burst(&mut burst);
        let polled = burst.len() as u64;
        if work != Work::Poll {
            burst.iter_mut().for_each(|mbuf| spread.rewrite(mbuf));
        }
        match work {
            Work::Poll | Work::Rewrite => Mbuf::free_burst(&mut burst),
            Work::Headers | Work::Inspect => {
                let tenant = TenantId(u16::from(work == Work::Inspect));
                let tenancy = Tenancy::Access { tenant, vid: 100 };
                let times: BurstTimes = burst.iter().map(|_| time).collect();
                lane.receive(&self.generation, &mut burst, &times, Some(tenancy));
                lane.inspect(u64::MAX);
            }
        }
        polled
    }

    /// Memory of the largest table for each flow it holds, index and timers included.
    pub(crate) fn bytes_per_flow(&self) -> Result<f64, &'static str> {
        self.bytes_per_flow.ok_or("the case with 4 million flows was not run")
    }
}

/// Gives frames other source addresses.
struct Spread {
    flows: u32,
    next: u32,
}

impl Spread {
    #[inline(always)]
    fn rewrite(&mut self, mbuf: &mut Mbuf<PacketMeta>) {
        /// Where the IPv4 source address is in an untagged frame.
        const SOURCE: std::ops::Range<usize> = 26..30;
        self.next = self.next.wrapping_add(1);
        // An odd multiplier visits every flow once a turn, in no order that a cache could like.
        let scattered = self.next.wrapping_mul(0x9e37_79b1);
        let flow = if self.flows == 0 { scattered } else { scattered & (self.flows - 1) };
        if let Some(address) = mbuf.data_mut().and_then(|data| data.get_mut(SOURCE)) {
            address.copy_from_slice(&flow.to_be_bytes());
        }
    }
}

/// Ten thousand steering rules that do not match, and two tenants: one whose pipeline has no inspectors, one whose
/// pipeline verifies checksums.
fn generation(eal: &Eal) -> Result<Generation, Box<dyn Error>> {
    let rules: Vec<Rule> = (0..10_000_u32)
        .map(|number| {
            let network = std::net::Ipv4Addr::from(0xac10_0000 + number * 16);
            Ok::<_, ipnet::PrefixLenError>(Rule {
                name: format!("rule-{number}"),
                priority: number,
                tenant: None,
                vlan: None,
                protocol: Some(6),
                source: None,
                destination: Some(ipnet::Ipv4Net::new(network, 28)?.into()),
                source_ports: None,
                destination_ports: Some(443..=443),
                direction: Direction::Initiator,
                verdict: Verdict::Shunt,
            })
        })
        .collect::<Result<_, _>>()?;
    let verdicts = [Verdict::Pipeline(PipelineId(0)), Verdict::Pipeline(PipelineId(1))];
    let tenants = verdicts
        .iter()
        .zip(["headers", "checksum"])
        .zip(0..)
        .map(|((verdict, name), identity)| {
            Some(Tenant {
                name: Arc::from(name),
                identity,
                weight: 1,
                flows_max: u32::MAX,
                default_verdict: *verdict,
                inspection: Arc::default(),
            })
        })
        .collect();
    Ok(Generation {
        number: 1,
        tenants,
        vlans: VlanMap::default(),
        pipelines: vec![
            Some(Pipeline::new("headers", Vec::new())),
            Some(Pipeline::new("checksum", vec![Inspector::Checksum])),
        ],
        tools: Vec::new(),
        classifier: Classifier::build(eal, &rules, &verdicts, &Limits::default())?,
    })
}
