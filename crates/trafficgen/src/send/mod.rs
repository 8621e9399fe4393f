//! Sending a capture into a DPDK port.
//!
//! In: a [`Capture`] in memory, a device and how to replay ([`SendOptions`]), and a flag that ends it. Out: frames on the
//! port, and what was sent ([`SendSummary`]). The calling thread polls: it is busy until the last frame is out, except
//! in pauses of milliseconds, which it sleeps through.
//!
//! Starting DPDK is part of it, so a process sends once.

mod transmit;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use dpdk::{
    Device, Eal, EalConfig, EalError, HugePages, Mempool, MempoolConfig, MempoolError, Port, PortConfig,
    PortError, PortStats, PortStatsReader, Started, clock,
};
use serde::Serialize;

use crate::mix::VlanCount;
use crate::replay::{Capture, Replay, ReplayOptions, Skipped};
use crate::rewrite::RewriteError;
use transmit::{Transmit, TscClock};

/// Packet buffers: more than any port's transmit queue holds, or a port that frees sent ones late would starve it.
const MBUFS: u32 = 4095;
/// Bytes of frame in one buffer.
const FRAME_BYTES_MAX: u16 = 2048;
/// How long a port may take to put its last frames on the wire.
const DRAIN: Duration = Duration::from_millis(500);

/// Where and how a capture is sent.
#[derive(Clone, PartialEq, Debug)]
pub struct SendOptions {
    /// The port.
    pub device: Device,
    /// How often, on which VLANs and how fast.
    pub replay: ReplayOptions,
    /// Memory for DPDK, in MiB; 64 is plenty.
    pub memory_mib: u32,
}

/// Why a capture could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Its addresses do not suffice for so many loops.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// A frame does not fit a packet buffer.
    #[error("a frame of {bytes} bytes is longer than the {FRAME_BYTES_MAX} bytes that can be sent")]
    FrameTooLong {
        /// How long it is.
        bytes: usize,
    },
    /// DPDK did not start.
    #[error("{0}; see whether --dpdk-memory fits this machine")]
    Eal(#[from] EalError),
    /// There is not enough memory for packet buffers.
    #[error("{memory_mib} MiB are too little for {MBUFS} packet buffers; raise --dpdk-memory")]
    Memory {
        /// How much DPDK was given.
        memory_mib: u32,
        /// What it says.
        source: MempoolError,
    },
    /// The device stands on a network interface that does not exist.
    #[error("{device}: there is no network interface {interface}; `ip link` lists those there are")]
    NoInterface {
        /// The device.
        device: String,
        /// What it stands on.
        interface: String,
    },
    /// No port was made of the device.
    #[error(
        "{0}; see whether its driver is installed, and whether the interface, file or socket it names can be used"
    )]
    Attach(#[source] PortError),
    /// The port does not start.
    #[error(transparent)]
    Start(PortError),
    /// The driver starts without a transmit queue.
    #[error("{device} has no transmit queue; name a device that sends")]
    NoQueue {
        /// The device.
        device: String,
    },
}

/// How a sending ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// Everything was sent.
    Complete,
    /// Somebody asked for it.
    Interrupted,
    /// The port took no frame for ten seconds.
    Stalled,
}

/// What was sent.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct SendSummary {
    /// The port.
    pub device: String,
    /// Why it ended.
    pub ended: Ended,
    /// Frames that the port took.
    pub packets: u64,
    /// Bytes of those frames, without FCS.
    pub bytes: u64,
    /// Frames, of those it took, that the port says it could not send.
    pub tx_errors: u64,
    /// Times that the port took only part of a burst, or nothing; the rest was offered again.
    pub tx_retries: u64,
    /// Loops of which every frame was taken.
    pub loops: u64,
    /// From the first frame to the last, in seconds.
    pub seconds: f64,
    /// 10^6 packets a second.
    pub mpps: f64,
    /// 10^9 frame bits a second.
    pub gbps: f64,
    /// Frames of the capture that were left out.
    pub skipped: Skipped,
    /// By VLAN, when frames were tagged for tenants.
    pub vlans: Vec<VlanCount>,
}

/// Starts DPDK, sends the capture into the port and waits until it is out, or `stop` is set.
///
/// # Errors
/// [`SendError`], before the first frame. What goes wrong later is in the summary.
pub fn send(capture: &Capture, options: &SendOptions, stop: &AtomicBool) -> Result<SendSummary, SendError> {
    let replay = Replay::new(capture, options.replay)?;
    let lengths = (0..capture.len()).filter_map(|at| capture.frame(at)).map(|frame| frame.bytes.len());
    if let Some(bytes) = lengths.max().filter(|bytes| *bytes > usize::from(FRAME_BYTES_MAX)) {
        return Err(SendError::FrameTooLong { bytes });
    }
    let (eal, _) = Eal::start(&EalConfig {
        lcores: 0,
        memory_mib: options.memory_mib,
        huge_pages: HugePages::Auto,
        pci: options.device.is_pci(),
    })?;
    let config = MempoolConfig { mbufs: MBUFS, data_room_bytes: FRAME_BYTES_MAX, ..MempoolConfig::default() };
    let pool = Mempool::<()>::new(&eal, &config)
        .map_err(|source| SendError::Memory { memory_mib: options.memory_mib, source })?;
    let port = eal.attach(&options.device).map_err(|error| why_not(&options.device, error))?;
    let mut started = start(port, &pool).map_err(SendError::Start)?;
    let queue = started.tx.pop().ok_or_else(|| SendError::NoQueue { device: options.device.to_string() })?;

    let transmit =
        Transmit::new(replay, options.replay.vlans, &pool, queue, TscClock::new(clock::hertz(&eal)));
    let (sent, _queue) = transmit.run(stop);
    let stats = settled(&started.stats, sent.packets);
    let seconds = sent.ns as f64 / 1e9;
    let per_second = |amount: f64| if sent.ns == 0 { 0.0 } else { amount / seconds };
    Ok(SendSummary {
        device: options.device.to_string(),
        ended: sent.ended,
        packets: sent.packets,
        bytes: sent.bytes,
        tx_errors: stats.tx_errors,
        tx_retries: sent.retries,
        loops: sent.packets / capture.len() as u64,
        seconds,
        mpps: per_second(sent.packets as f64 / 1e6),
        gbps: per_second(sent.bytes as f64 * 8.0 / 1e9),
        skipped: capture.skipped(),
        vlans: sent.vlans,
    })
}

/// Why a device could not be attached. The driver's own word is a system call's name and number, or nothing.
fn why_not(device: &Device, error: PortError) -> SendError {
    let text = device.to_string();
    let stands_on_interface = ["net_af_packet", "net_af_xdp", "net_pcap"];
    let interface = stands_on_interface.iter().any(|driver| text.starts_with(driver)).then(|| {
        let arguments = text.split(',').filter_map(|argument| argument.split_once('='));
        let mut interfaces = arguments.filter(|(key, _)| matches!(*key, "iface" | "tx_iface" | "rx_iface"));
        interfaces.find(|(_, name)| !Path::new("/sys/class/net").join(name).exists())
    });
    match interface.flatten() {
        Some((_, name)) => SendError::NoInterface { interface: name.to_owned(), device: text },
        None => SendError::Attach(error),
    }
}

/// Starts a port that only sends. Some drivers (`net_tap`) want as many receive queues as transmit queues.
fn start(port: Port, pool: &Mempool) -> Result<Started, PortError> {
    let sending = PortConfig { rx_queues: 0, tx_queues: 1, promiscuous: false, ..PortConfig::default() };
    port.start(&sending, pool)
        .or_else(|refused| refused.port.start(&PortConfig { rx_queues: 1, ..sending }, pool))
        .map_err(|refused| refused.error)
}

/// The port's counters once it has sent what it took: a port that is stopped forgets frames still in its queue. A
/// driver that counts late, or not at all, is not waited for long.
fn settled(reader: &PortStatsReader, packets: u64) -> PortStats {
    let until = Instant::now() + DRAIN;
    loop {
        let stats = reader.read();
        if stats.tx_packets + stats.tx_errors >= packets || Instant::now() >= until {
            return stats;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}
