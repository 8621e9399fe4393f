//! Ethernet devices: attach, start, and poll their queues.
//!
//! ```text
//! Eal::attach(Device) ──▶ Port (attached) ──start()──▶ Started { rx: [RxQueue], tx: [TxQueue] }
//!                           ▲                  │
//!                           └── StartError ────┘  a failed start gives the port back
//! ```
//!
//! A queue is owned by the one thread that polls it (`&mut self`) and keeps its port running; the port stops, closes
//! and is detached when the last of its queues is gone.

use std::ffi::{CStr, CString};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::eal::{Eal, quietly, reason};
use crate::mbuf::Mbuf;
use crate::mempool::{Mempool, Private};
use crate::ring::forget_front;

/// A device as the operator names it: a PCI address (`0000:3b:02.1`) or a vdev with its arguments
/// (`net_pcap0,rx_pcap=trace.pcap`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Device {
    bus: Bus,
    name: String,
    arguments: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Bus {
    Pci,
    Vdev,
}

impl Device {
    /// A virtual device; `arguments` are the driver's, joined with commas.
    pub fn vdev(name: &str, arguments: &str) -> Self {
        Self { bus: Bus::Vdev, name: name.into(), arguments: arguments.into() }
    }

    /// Whether it is a PCI device, for which the EAL must scan the PCI bus.
    pub fn is_pci(&self) -> bool {
        self.bus == Bus::Pci
    }

    /// The name without arguments.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Why a text names no device.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} is no device; give a PCI address such as 0000:3b:02.1, or a DPDK virtual device such as \
     net_af_packet0,iface=eth1"
)]
pub struct DeviceError(String);

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(text: &str) -> Result<Self, DeviceError> {
        let (name, arguments) = text.split_once(',').unwrap_or((text, ""));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let bus = if is_pci_address(name) {
            Bus::Pci
        } else if name.len() > "net_".len() && name.starts_with("net_") && name.bytes().all(plain) {
            Bus::Vdev
        } else {
            return Err(DeviceError(text.into()));
        };
        Ok(Self { bus, name: name.into(), arguments: arguments.into() })
    }
}

/// `[domain:]bus:device.function`, as lspci prints it.
fn is_pci_address(text: &str) -> bool {
    let hex = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit());
    let Some((path, function)) = text.rsplit_once('.') else { return false };
    let mut parts = path.rsplit(':');
    let (device, bus, domain) = (parts.next(), parts.next(), parts.next());
    hex(function, 1)
        && device.is_some_and(|part| hex(part, 2))
        && bus.is_some_and(|part| hex(part, 2))
        && domain.is_none_or(|part| hex(part, 4))
        && parts.next().is_none()
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if self.arguments.is_empty() { Ok(()) } else { write!(f, ",{}", self.arguments) }
    }
}

/// How to start a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortConfig {
    /// Receive queues; more than one needs a port with RSS.
    pub rx_queues: u16,
    /// Transmit queues.
    pub tx_queues: u16,
    /// Descriptors of each receive queue; adjusted to what the driver allows.
    pub rx_descriptors: u16,
    /// Descriptors of each transmit queue; adjusted to what the driver allows.
    pub tx_descriptors: u16,
    /// Receive frames for any destination.
    pub promiscuous: bool,
}

impl Default for PortConfig {
    fn default() -> Self {
        Self { rx_queues: 1, tx_queues: 0, rx_descriptors: 1024, tx_descriptors: 1024, promiscuous: true }
    }
}

/// Why a port cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// No driver took the device.
    #[error("cannot attach {device}: {reason}")]
    Attach {
        /// As the operator named it.
        device: String,
        /// DPDK's error.
        reason: String,
    },
    /// One of the calls that start it failed.
    #[error("cannot start {device}: {step}: {reason}")]
    Start {
        /// The device's name.
        device: String,
        /// What was being done.
        step: &'static str,
        /// DPDK's error.
        reason: String,
    },
    /// The device has fewer queues.
    #[error("{device} has {has} receive queues, {asked} were asked for")]
    Queues {
        /// The device's name.
        device: String,
        /// What it has.
        has: u16,
        /// What was asked for.
        asked: u16,
    },
}

/// A failed start: the reason, and the port to try again with.
#[derive(Debug)]
pub struct StartError {
    /// Why.
    pub error: PortError,
    /// The port as it was before.
    pub port: Port,
}

/// An attached port, not started.
#[derive(Debug)]
pub struct Port(Attached);

#[derive(Debug)]
struct Attached {
    id: u16,
    device: Device,
    _eal: Eal,
}

/// A running port's queues.
#[derive(Debug)]
pub struct Started<M: Private = ()> {
    /// One for each receive queue, in order.
    pub rx: Vec<RxQueue<M>>,
    /// One for each transmit queue, in order.
    pub tx: Vec<TxQueue>,
    /// Counters of the port.
    pub stats: PortStatsReader,
    /// Whether the port spreads flows over its queues with a symmetric hash.
    pub rss: bool,
}

/// What queues share.
#[derive(Debug)]
struct Running {
    port: Attached,
}

impl Eal {
    /// Attaches a device: finds its driver and creates its port.
    ///
    /// # Errors
    ///
    /// [`PortError::Attach`] when there is no such device, driver, interface or file.
    pub fn attach(&self, device: &Device) -> Result<Port, PortError> {
        let failed = |reason| PortError::Attach { device: device.to_string(), reason };
        let bus = match device.bus {
            Bus::Pci => c"pci",
            Bus::Vdev => c"vdev",
        };
        let text = |text: &str| CString::new(text).map_err(|_| failed("a zero byte in its name".into()));
        let (name, arguments) = (text(&device.name)?, text(&device.arguments)?);
        let (code, log) = quietly(|| {
            // SAFETY: three C strings that outlive the call; DPDK copies what it keeps.
            unsafe { dpdk_sys::rte_eal_hotplug_add(bus.as_ptr(), name.as_ptr(), arguments.as_ptr()) }
        });
        if code != 0 {
            return Err(failed(reason(code, &log)));
        }
        let mut id = 0;
        // SAFETY: a C string and a place for the number.
        let code = unsafe { dpdk_sys::rte_eth_dev_get_port_by_name(name.as_ptr(), &raw mut id) };
        let attached = Attached { id, device: device.clone(), _eal: self.clone() };
        if code == 0 {
            Ok(Port(attached))
        } else {
            Err(failed("the driver made no Ethernet port for it".into()))
        }
    }
}

impl Port {
    /// The DPDK port number.
    pub fn id(&self) -> u16 {
        self.0.id
    }

    /// What the operator called it.
    pub fn device(&self) -> &Device {
        &self.0.device
    }

    /// Receive queues that the port can spread flows over; 1 for a port without RSS.
    ///
    /// # Errors
    ///
    /// [`PortError::Start`] if the driver does not answer.
    pub fn rss_queues_max(&self) -> Result<u16, PortError> {
        let info = self.info()?;
        Ok(if info.flow_type_rss_offloads == 0 { 1 } else { info.max_rx_queues.max(1) })
    }

    fn info(&self) -> Result<dpdk_sys::rte_eth_dev_info, PortError> {
        let mut info = dpdk_sys::rte_eth_dev_info::default();
        // SAFETY: the port is attached; the structure is DPDK's own layout.
        let code = unsafe { dpdk_sys::rte_eth_dev_info_get(self.0.id, &raw mut info) };
        self.check("reading its capabilities", code, "")?;
        Ok(info)
    }

    fn check(&self, step: &'static str, code: i32, log: &str) -> Result<(), PortError> {
        if code == 0 {
            return Ok(());
        }
        Err(PortError::Start { device: self.0.device.name.clone(), step, reason: reason(code, log) })
    }

    /// Configures queues, RSS and promiscuous mode, and starts the port; frames land in buffers of `pool`.
    ///
    /// # Errors
    ///
    /// The reason, and the port itself.
    pub fn start<M: Private>(
        self,
        config: &PortConfig,
        pool: &Mempool<M>,
    ) -> Result<Started<M>, Box<StartError>> {
        match self.try_start(config, pool) {
            Ok(rss) => {
                let port = Arc::new(Running { port: self.0 });
                let rx = (0..config.rx_queues)
                    .map(|queue| RxQueue { queue, port: Arc::clone(&port), pool: pool.clone() })
                    .collect();
                let tx =
                    (0..config.tx_queues).map(|queue| TxQueue { queue, port: Arc::clone(&port) }).collect();
                Ok(Started { rx, tx, stats: PortStatsReader(port), rss })
            }
            Err(error) => Err(Box::new(StartError { error, port: self })),
        }
    }

    fn try_start<M: Private>(&self, config: &PortConfig, pool: &Mempool<M>) -> Result<bool, PortError> {
        let info = self.info()?;
        if config.rx_queues > info.max_rx_queues.max(1) {
            let device = self.0.device.name.clone();
            return Err(PortError::Queues { device, has: info.max_rx_queues, asked: config.rx_queues });
        }
        let rss_hf = info.flow_type_rss_offloads & dpdk_sys::FB_ETH_RSS_REQUEST;
        let rss = config.rx_queues > 1 && rss_hf != 0;
        let mut key = symmetric_rss_key(usize::from(info.hash_key_size));
        let mut eth = dpdk_sys::rte_eth_conf::default();
        if rss {
            eth.rxmode.mq_mode = dpdk_sys::RTE_ETH_MQ_RX_RSS;
            eth.rx_adv_conf.rss_conf.rss_hf = rss_hf;
            eth.rx_adv_conf.rss_conf.rss_key = key.as_mut_ptr();
            eth.rx_adv_conf.rss_conf.rss_key_len = key.len() as u8;
        }

        let id = self.0.id;
        let run = |step, call: &mut dyn FnMut() -> i32| {
            let (code, log) = quietly(call);
            self.check(step, code, &log)
        };
        // SAFETY: (this and the calls below) the port is attached and not started, and `&self` of an unstarted Port is
        // used by one thread, its owner. Every pointer is to a live local that DPDK only reads or fills in; null
        // queue configurations mean the driver's defaults; the pool is kept alive by the queues.
        run("configuring its queues", &mut || unsafe {
            dpdk_sys::rte_eth_dev_configure(id, config.rx_queues, config.tx_queues, &raw const eth)
        })?;
        let (mut rx_descriptors, mut tx_descriptors) = (config.rx_descriptors, config.tx_descriptors);
        // SAFETY: as above.
        run("sizing its queues", &mut || unsafe {
            dpdk_sys::rte_eth_dev_adjust_nb_rx_tx_desc(id, &raw mut rx_descriptors, &raw mut tx_descriptors)
        })?;
        // SAFETY: reads a number.
        let socket = unsafe { dpdk_sys::rte_eth_dev_socket_id(id) } as u32;
        for queue in 0..config.rx_queues {
            // SAFETY: as above.
            run("setting up a receive queue", &mut || unsafe {
                let defaults = std::ptr::null();
                dpdk_sys::rte_eth_rx_queue_setup(id, queue, rx_descriptors, socket, defaults, pool.raw())
            })?;
        }
        for queue in 0..config.tx_queues {
            // SAFETY: as above.
            run("setting up a transmit queue", &mut || unsafe {
                dpdk_sys::rte_eth_tx_queue_setup(id, queue, tx_descriptors, socket, std::ptr::null())
            })?;
        }
        // SAFETY: as above.
        run("starting it", &mut || unsafe { dpdk_sys::rte_eth_dev_start(id) })?;
        if config.promiscuous {
            /// `-ENOTSUP`: a vdev that receives everything anyway.
            const NOT_SUPPORTED: i32 = -95;
            // SAFETY: the port is started.
            let promiscuous = run("promiscuous mode", &mut || unsafe {
                match dpdk_sys::rte_eth_promiscuous_enable(id) {
                    NOT_SUPPORTED => 0,
                    code => code,
                }
            });
            if let Err(error) = promiscuous {
                // SAFETY: the port is started, and no queue was given out.
                unsafe { dpdk_sys::rte_eth_dev_stop(id) };
                return Err(error);
            }
        }
        Ok(rss)
    }
}

/// The key with which Toeplitz gives both directions of a flow the same hash: 0x6d5a repeated (Woo and Park, "Scalable
/// TCP Session Monitoring with Symmetric Receive-side Scaling", KAIST 2012). The X710's is 52 bytes.
fn symmetric_rss_key(bytes: usize) -> Vec<u8> {
    [0x6d, 0x5a].into_iter().cycle().take(bytes).collect()
}

impl Drop for Attached {
    fn drop(&mut self) {
        let name = CString::new(self.device.name.as_str()).unwrap_or_default();
        // SAFETY: the last user of the port is gone: a started port's queues are (they share this value), and an
        // unstarted one has none. Stopping a port that does not run is allowed.
        quietly(|| unsafe {
            dpdk_sys::rte_eth_dev_stop(self.id);
            dpdk_sys::rte_eth_dev_close(self.id);
            let bus: &CStr = match self.device.bus {
                Bus::Pci => c"pci",
                Bus::Vdev => c"vdev",
            };
            dpdk_sys::rte_eal_hotplug_remove(bus.as_ptr(), name.as_ptr());
        });
    }
}

/// One receive queue; polled by the thread that owns it.
#[derive(Debug)]
pub struct RxQueue<M: Private = ()> {
    queue: u16,
    port: Arc<Running>,
    pool: Mempool<M>,
}

impl<M: Private> RxQueue<M> {
    /// Takes received frames from the queue to the end of `burst`, as many as there are and as fit; returns how many.
    #[inline]
    pub fn rx_burst<const N: usize>(&mut self, burst: &mut ArrayVec<Mbuf<M>, N>) -> usize {
        const { assert!(N <= u16::MAX as usize) };
        let room = N - burst.len();
        // SAFETY: the port runs while this queue lives, and `&mut self` makes this the queue's only poller. There is
        // room for `room` pointers behind the elements; DPDK fills the first `taken` with mbufs that it gives up, from
        // pools of this process, which all have the private area M.
        unsafe {
            let end = burst.as_mut_ptr().add(burst.len());
            let taken = dpdk_sys::fb_eth_rx_burst(
                self.port.port.id,
                self.queue,
                end.cast::<*mut dpdk_sys::rte_mbuf>(),
                room as u16,
            );
            burst.set_len(burst.len() + usize::from(taken));
            usize::from(taken)
        }
    }

    /// The DPDK port number.
    pub fn port_id(&self) -> u16 {
        self.port.port.id
    }

    /// The queue's number in its port.
    pub fn queue_id(&self) -> u16 {
        self.queue
    }

    /// The pool that frames land in.
    pub fn pool(&self) -> &Mempool<M> {
        &self.pool
    }
}

/// One transmit queue; used by the thread that owns it.
#[derive(Debug)]
pub struct TxQueue {
    queue: u16,
    port: Arc<Running>,
}

impl TxQueue {
    /// Sends frames from the front of `burst`, as many as the queue takes; returns how many. The rest stays in `burst`.
    #[inline]
    pub fn tx_burst<M: Private, const N: usize>(&mut self, burst: &mut ArrayVec<Mbuf<M>, N>) -> usize {
        const { assert!(N <= u16::MAX as usize) };
        // SAFETY: the port runs while this queue lives, and `&mut self` makes this its only user. DPDK takes over the
        // first `taken` mbufs, and `forget_front` makes the ArrayVec forget exactly those.
        unsafe {
            let start = burst.as_mut_ptr().cast::<*mut dpdk_sys::rte_mbuf>();
            let taken = dpdk_sys::fb_eth_tx_burst(self.port.port.id, self.queue, start, burst.len() as u16);
            forget_front(burst, usize::from(taken));
            usize::from(taken)
        }
    }
}

/// Reads a port's counters, from any thread.
#[derive(Debug)]
pub struct PortStatsReader(Arc<Running>);

/// A port's counters since it was started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortStats {
    /// Frames received.
    pub rx_packets: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Frames that the NIC dropped because its queues were full.
    pub rx_missed: u64,
    /// Frames received with an error.
    pub rx_errors: u64,
    /// Times that no buffer was free for a frame.
    pub rx_no_mbuf: u64,
    /// Frames sent.
    pub tx_packets: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Frames that could not be sent.
    pub tx_errors: u64,
}

impl PortStatsReader {
    /// Reads the counters; zeros if the driver keeps none.
    pub fn read(&self) -> PortStats {
        let mut stats = dpdk_sys::rte_eth_stats::default();
        // SAFETY: the port is attached; the structure is DPDK's own layout. Drivers read counters without a lock.
        unsafe { dpdk_sys::rte_eth_stats_get(self.0.port.id, &raw mut stats) };
        PortStats {
            rx_packets: stats.ipackets,
            rx_bytes: stats.ibytes,
            rx_missed: stats.imissed,
            rx_errors: stats.ierrors,
            rx_no_mbuf: stats.rx_nombuf,
            tx_packets: stats.opackets,
            tx_bytes: stats.obytes,
            tx_errors: stats.oerrors,
        }
    }
}
