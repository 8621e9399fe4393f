//! Putting it together: EAL, pool, ports, lcores, and an orderly end.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crossbeam_channel::{Receiver, Sender};
use dpdk::{
    Device, Eal, EalConfig, EalError, HugePages, Lcore, LcoreError, LcoreHandle, Mempool, MempoolConfig,
    MempoolError, Port, PortConfig, PortError, PortStats, RingError, RxTimestamp, TxQueue, clock,
};
use flow::defrag::{self, Defrag};
use flow::{FlowTable, HashSeed, TableConfig, TableError, Timeouts};
use wire::ParseOptions;

use crate::PacketMeta;
use crate::counters::WorkerCounters;
use crate::distributor::Distributor;
use crate::generation::{Generation, Publisher, Subscriber};
use crate::ingress::{Ingress, IngressClock, Stamp, Tenancy};
use crate::records::Records;
use crate::snapshot::{Snapshot, WorkerView};
use crate::worker::{Lane, LaneParts, Parts, Source, Worker};

/// Whether packets come from captures or from the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Captures, in packet time: nothing is lost, however long it takes, and the same input gives the same output.
    Replay,
    /// The wire, in wall-clock time: what does not fit a bounded queue is dropped and counted.
    Live,
}

/// How large an engine is, and how it behaves. What may change while it runs is in the [`Generation`].
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// Captures or the wire.
    pub mode: Mode,
    /// Worker lcores, at least 1.
    pub workers: usize,
    /// Tenants that there is room for.
    pub tenants_max: u16,
    /// Memory of the EAL in MiB.
    pub memory_mib: u32,
    /// Whether that is huge pages.
    pub huge_pages: HugePages,
    /// Packet buffers.
    pub mempool_mbufs: u32,
    /// Packets that one tenant may wait with at one worker; at least one burst (64).
    pub inbox_packets: u32,
    /// Flows in one worker's table.
    pub flows_max: u32,
    /// Flow timeouts.
    pub timeouts: Timeouts,
    /// Secret of the flow table's hash; random when live.
    pub hash_seed: u64,
    /// Limits of IP reassembly, for each worker.
    pub defrag: defrag::Config,
    /// Which UDP ports carry tunnels.
    pub parse: ParseOptions,
    /// Whether packets of a tenant with different VLANs are of different flows.
    pub flows_by_vlan: bool,
    /// Seed of Community IDs; `None` leaves them out of records.
    pub community_id_seed: Option<u16>,
    /// Ports that receive, when live.
    pub ports: Vec<PortSpec>,
    /// Tool ports, in the order of the generation's names.
    pub tools: Vec<Device>,
}

/// A port that receives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortSpec {
    /// The device.
    pub device: Device,
    /// Whose frames it brings.
    pub tenancy: Tenancy,
}

/// Why an engine did not start, or did not end well.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The EAL.
    #[error(transparent)]
    Eal(#[from] EalError),
    /// The pool.
    #[error(transparent)]
    Mempool(#[from] MempoolError),
    /// A ring.
    #[error(transparent)]
    Ring(#[from] RingError),
    /// A port.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A flow table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The limits of IP reassembly.
    #[error(transparent)]
    Defrag(#[from] defrag::ConfigError),
    /// A worker.
    #[error(transparent)]
    Lcore(#[from] LcoreError),
    /// The classifier of the first generation.
    #[error(transparent)]
    Classifier(#[from] classify::BuildError),
    /// Fewer lcores came than were asked for.
    #[error("DPDK started {0} lcores too few")]
    LcoresMissing(usize),
    /// A capture cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Capture {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The capture's port delivers no timestamps.
    #[error("DPDK's net_pcap driver delivers no timestamps; use DPDK 22.11 or later")]
    NoTimestamps,
    /// The workers ended while input was still being handed to them.
    #[error("the workers have stopped")]
    Stopped,
}

/// A capture to replay.
#[derive(Clone, Debug)]
pub struct Capture<'a> {
    /// The file.
    pub path: &'a Path,
    /// Frames in it.
    pub frames: u64,
    /// Microseconds by which its timestamps are moved on.
    pub offset_us: u64,
}

/// What an engine has to say at its end.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// All counters; nothing is held any more.
    pub snapshot: Snapshot,
    /// The receiving ports' own counters, when live.
    pub ports: Vec<(String, PortStats)>,
    /// Packet buffers that did not come back: 0, or there is a leak.
    pub mbufs_missing: u32,
}

/// A running engine.
pub struct Engine {
    eal: Eal,
    pool: Mempool<PacketMeta>,
    publisher: Publisher,
    counters: Vec<Arc<WorkerCounters>>,
    lcores: Vec<LcoreHandle<()>>,
    feed: Option<Sender<Ingress>>,
    stop: Arc<AtomicBool>,
    end_us: Arc<AtomicU64>,
    ports: Vec<(String, dpdk::PortStatsReader)>,
    captures: u64,
}

impl Engine {
    /// Starts DPDK, ports and workers. `generation` is called when memory for a classifier can be had; `events` makes
    /// one producer of events for each worker.
    ///
    /// # Errors
    ///
    /// [`EngineError`]; everything that was started is ended again.
    pub fn start(
        config: &EngineConfig,
        generation: impl FnOnce(&Eal) -> Result<Generation, classify::BuildError>,
        mut events: impl FnMut() -> sink::Producer,
    ) -> Result<Self, EngineError> {
        // A distributor may turn out not to be needed; an idle lcore sleeps.
        let lcores = if config.workers > 1 { config.workers + 1 } else { 1 };
        let pci = config.ports.iter().map(|port| &port.device).chain(&config.tools).any(Device::is_pci);
        let (eal, lcores) = Eal::start(&EalConfig {
            lcores,
            memory_mib: config.memory_mib,
            huge_pages: config.huge_pages,
            pci,
        })?;
        let mempool = MempoolConfig { mbufs: config.mempool_mbufs, ..MempoolConfig::default() };
        let pool = Mempool::<PacketMeta>::new(&eal, &mempool)?;
        let attached: Vec<Port> =
            config.ports.iter().map(|port| eal.attach(&port.device)).collect::<Result<_, _>>()?;
        let rss = attached.iter().map(Port::rss_queues_max).try_fold(true, |all, queues| {
            queues.map(|queues| all && usize::from(queues) >= config.workers)
        })?;
        let distribute = config.workers > 1 && !(rss && config.mode == Mode::Live);

        let generation = generation(&eal)?;
        let (publisher, subscribers) = Publisher::new(generation, config.workers + usize::from(distribute));
        let mut engine = Self {
            pool,
            publisher,
            counters: Vec::new(),
            lcores: Vec::new(),
            feed: None,
            stop: Arc::new(AtomicBool::new(false)),
            end_us: Arc::new(AtomicU64::new(0)),
            ports: Vec::new(),
            captures: 0,
            eal,
        };
        let tools = engine.tool_queues(config)?;
        let feeds = engine.launch(config, distribute, subscribers, lcores, tools, &mut events)?;
        engine.start_ports(config, attached, &feeds)?;
        engine.feed = (config.mode == Mode::Replay).then(|| feeds.into_iter().next()).flatten();
        Ok(engine)
    }

    /// One transmit queue of every tool port for each worker.
    fn tool_queues(&self, config: &EngineConfig) -> Result<Vec<Vec<TxQueue>>, EngineError> {
        let mut by_worker: Vec<Vec<TxQueue>> = (0..config.workers).map(|_| Vec::new()).collect();
        let queues = PortConfig {
            rx_queues: 0,
            tx_queues: config.workers as u16,
            promiscuous: false,
            ..PortConfig::default()
        };
        for device in &config.tools {
            let started =
                self.eal.attach(device)?.start(&queues, &self.pool).map_err(|failed| failed.error)?;
            for (worker, queue) in by_worker.iter_mut().zip(started.tx) {
                worker.push(queue);
            }
        }
        Ok(by_worker)
    }

    /// Builds and launches workers and distributor; returns where to hand queues in: one place for the distributor, or
    /// else one for each worker.
    fn launch(
        &mut self,
        config: &EngineConfig,
        distribute: bool,
        subscribers: Vec<Subscriber>,
        lcores: Vec<Lcore>,
        tools: Vec<Vec<TxQueue>>,
        events: &mut impl FnMut() -> sink::Producer,
    ) -> Result<Vec<Sender<Ingress>>, EngineError> {
        let mut subscribers = subscribers.into_iter();
        let mut lcores = lcores.into_iter();
        let hertz = clock::hertz(&self.eal);
        let lossless = config.mode == Mode::Replay;
        let ended = Arc::new(AtomicBool::new(false));
        let (mut feeds, mut rings, mut workers) = (Vec::new(), Vec::new(), Vec::new());
        for tools in tools {
            let Some(subscriber) = subscribers.next() else { break };
            let source = if distribute {
                let (producer, ring) = dpdk::ring(&self.eal, config.inbox_packets)?;
                rings.push(producer);
                Source::Distributor { ring, ended: Arc::clone(&ended) }
            } else {
                let (sender, receiver) = feed();
                feeds.push(sender);
                Source::Ports(receiver)
            };
            let counters = self.new_counters(config);
            let lane = LaneParts {
                table: FlowTable::new(&TableConfig {
                    flows_max: config.flows_max,
                    tenants: config.tenants_max,
                    timeouts: config.timeouts,
                    seed: HashSeed::new(config.hash_seed),
                })?,
                defrag: Defrag::new(config.defrag.clone())?,
                records: Records::new(
                    events(),
                    Arc::clone(&counters),
                    config.timeouts,
                    config.community_id_seed,
                ),
                counters,
                tools,
                pool: self.pool.clone(),
                parse: config.parse,
                flows_by_vlan: config.flows_by_vlan,
                inbox_packets: config.inbox_packets,
            };
            workers.push(Worker::new(Parts {
                subscriber,
                source,
                lane: Lane::new(&self.eal, lane)?,
                clock: IngressClock::new(hertz),
                lossless,
                stop: Arc::clone(&self.stop),
                end_us: Arc::clone(&self.end_us),
            }));
        }
        for worker in workers {
            let lcore = lcores.next().ok_or(EngineError::LcoresMissing(1))?;
            self.lcores.push(lcore.launch(move || worker.run())?);
        }
        if let Some(subscriber) = subscribers.next() {
            let (sender, receiver) = feed();
            feeds.push(sender);
            let distributor = Distributor {
                feed: receiver,
                workers: rings,
                subscriber,
                counters: self.new_counters(config),
                parse: config.parse,
                clock: IngressClock::new(hertz),
                lossless,
                stop: Arc::clone(&self.stop),
                ended,
            };
            let lcore = lcores.next().ok_or(EngineError::LcoresMissing(1))?;
            self.lcores.push(lcore.launch(move || distributor.run())?);
        }
        Ok(feeds)
    }

    fn new_counters(&mut self, config: &EngineConfig) -> Arc<WorkerCounters> {
        let counters = Arc::new(WorkerCounters::new(usize::from(config.tenants_max)));
        self.counters.push(Arc::clone(&counters));
        counters
    }

    /// Starts the receiving ports and hands their queues out.
    fn start_ports(
        &mut self,
        config: &EngineConfig,
        ports: Vec<Port>,
        feeds: &[Sender<Ingress>],
    ) -> Result<(), EngineError> {
        let queues = PortConfig { rx_queues: feeds.len() as u16, ..PortConfig::default() };
        for (port, spec) in ports.into_iter().zip(&config.ports) {
            let started = port.start(&queues, &self.pool).map_err(|failed| failed.error)?;
            self.ports.push((spec.device.name().to_owned(), started.stats));
            for (queue, feed) in started.rx.into_iter().zip(feeds) {
                let ingress = Ingress { queue, tenancy: spec.tenancy, stamp: Stamp::Wall, frames_left: None };
                feed.send(ingress).map_err(|_| EngineError::Stopped)?;
            }
        }
        Ok(())
    }

    /// Hands a capture to the workers; captures are replayed one after the other, in this order. Waits while one is
    /// still in line.
    ///
    /// # Errors
    ///
    /// [`EngineError::Capture`] or [`EngineError::Port`] when it cannot be opened.
    pub fn replay(&mut self, capture: &Capture<'_>) -> Result<(), EngineError> {
        let Some(feed) = &self.feed else { return Err(EngineError::Stopped) };
        let path = capture.path;
        let file =
            File::open(path).map_err(|source| EngineError::Capture { path: path.to_owned(), source })?;
        // A driver's arguments are split at commas, which a file's name may have; a descriptor's has none.
        let arguments = format!("rx_pcap=/proc/self/fd/{}", file.as_raw_fd());
        let name = format!("net_pcap_replay{}", self.captures);
        self.captures += 1;
        let port = self.eal.attach(&Device::vdev(&name, &arguments)).map_err(|error| match error {
            PortError::Attach { reason, .. } => {
                PortError::Attach { device: path.display().to_string(), reason }
            }
            other => other,
        })?;
        let queues = PortConfig { promiscuous: false, ..PortConfig::default() };
        let started = port.start(&queues, &self.pool).map_err(|failed| failed.error)?;
        let field = RxTimestamp::lookup().ok_or(EngineError::NoTimestamps)?;
        for queue in started.rx {
            let stamp = Stamp::Capture { field, offset_us: capture.offset_us };
            let frames_left = Some(capture.frames);
            let ingress = Ingress { queue, tenancy: Tenancy::Trunk, stamp, frames_left };
            feed.send(ingress).map_err(|_| EngineError::Stopped)?;
        }
        Ok(())
    }

    /// Says that there will be no more input. `end_us` is the time of the input's last packet, which records of flows
    /// that end now carry; workers that see only part of the input do not know it.
    pub fn end_of_input(&mut self, end_us: u64) {
        self.end_us.store(end_us, Ordering::Release);
        self.feed = None;
    }

    /// Makes `next` the generation from the next burst on; its number must be another than that of the one before.
    pub fn publish(&self, next: Generation) {
        self.publisher.publish(next);
    }

    /// Frees generations that no worker runs any more; returns how many workers have moved on since the last call.
    pub fn collect_generations(&self) -> usize {
        self.publisher.collect()
    }

    /// How many generations are in memory: 1 when every worker runs the newest and the others are
    /// [collected](Self::collect_generations).
    pub fn generations_alive(&self) -> usize {
        self.publisher.alive()
    }

    /// The EAL, for building classifiers.
    pub fn eal(&self) -> &Eal {
        &self.eal
    }

    /// All counters added up. Exact when the workers are idle.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::read(&self.counters, &self.publisher.newest())
    }

    /// Every worker, and the distributor if there is one.
    pub fn workers(&self) -> Vec<WorkerView> {
        self.counters.iter().map(|worker| WorkerView::read(worker)).collect()
    }

    /// The generation that every worker runs at least.
    pub fn generation_in_effect(&self) -> u32 {
        self.workers().iter().map(|worker| worker.generation).min().unwrap_or(0)
    }

    /// Counters of the receiving ports.
    pub fn port_stats(&self) -> Vec<(String, PortStats)> {
        self.ports.iter().map(|(name, stats)| (name.clone(), stats.read())).collect()
    }

    /// Whether every worker has ended, because its input has.
    pub fn is_finished(&self) -> bool {
        self.lcores.iter().all(LcoreHandle::is_finished)
    }

    /// Ends the workers now, rather than when the input ends. What has been received is still inspected.
    pub fn stop(&mut self) {
        self.feed = None;
        self.stop.store(true, Ordering::Release);
    }

    /// Waits until every worker has ended and drained.
    ///
    /// # Errors
    ///
    /// [`EngineError::Lcore`] if one panicked.
    pub fn finish(mut self) -> Result<Outcome, EngineError> {
        self.feed = None;
        let mut failed = None;
        for lcore in std::mem::take(&mut self.lcores) {
            if let Err(error) = lcore.join() {
                failed.get_or_insert(error);
            }
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        let ports = self.port_stats();
        self.ports.clear();
        let mbufs_missing = self.pool.size() - self.pool.available();
        Ok(Outcome { snapshot: self.snapshot(), ports, mbufs_missing })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Workers of an engine that is dropped without `finish` end at once; their handles wait for that.
        self.stop();
    }
}

/// The way queues are handed to a thread: a few at a time, so that captures are opened only shortly before their turn.
fn feed() -> (Sender<Ingress>, Receiver<Ingress>) {
    crossbeam_channel::bounded(2)
}
