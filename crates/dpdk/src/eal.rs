//! Starting and ending DPDK's environment abstraction layer.

use std::ffi::{CString, c_char, c_int};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use memmap2::MmapOptions;

use crate::cpu;
use crate::lcore::Lcore;
use crate::{errno, strerror};

/// Whether the EAL's memory is huge pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HugePages {
    /// Use 2 MiB pages when enough of them are free for the memory asked for, else ordinary pages.
    #[default]
    Auto,
    /// Fail if there are not enough.
    On,
    /// Ordinary pages (`--no-huge`): works as an ordinary user; about 10 % slower.
    Off,
}

/// How to start the EAL. Devices are attached afterwards, with [`Eal::attach`](crate::Eal::attach).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EalConfig {
    /// Lcores to start besides the main one.
    pub lcores: usize,
    /// Memory for mempools, rings and classifiers, in MiB.
    pub memory_mib: u32,
    /// Whether that memory is huge pages.
    pub huge_pages: HugePages,
    /// Whether the PCI bus is scanned; vdevs need it not.
    pub pci: bool,
}

impl Default for EalConfig {
    fn default() -> Self {
        Self { lcores: 1, memory_mib: 256, huge_pages: HugePages::Auto, pci: false }
    }
}

/// Why the EAL did not start.
#[derive(Debug, thiserror::Error)]
pub enum EalError {
    /// DPDK cannot be started a second time in a process.
    #[error("DPDK was already started in this process, and cannot be started twice")]
    AlreadyStarted,
    /// Huge pages were demanded.
    #[error(
        "not enough free 2 MiB huge pages for {memory_mib} MiB; run `sysctl vm.nr_hugepages={}` as root or set \
         hugepages = \"auto\"", memory_mib.div_ceil(2)
    )]
    NoHugePages {
        /// What was asked for, in MiB.
        memory_mib: u32,
    },
    /// More lcores than DPDK was built for.
    #[error("{asked} lcores are more than this DPDK's limit of {}", dpdk_sys::RTE_MAX_LCORE)]
    TooManyLcores {
        /// What was asked for, the main lcore included.
        asked: usize,
    },
    /// `rte_eal_init` refused.
    #[error("DPDK did not start with {memory_mib} MiB: {reason}")]
    Init {
        /// What was asked for, in MiB.
        memory_mib: u32,
        /// DPDK's error and the first line of its log.
        reason: String,
    },
}

/// A handle on the running EAL; cheap to clone. The EAL ends when the last handle, and everything that holds one, is
/// gone.
#[derive(Clone, Debug)]
pub struct Eal(Arc<Running>);

#[derive(Debug)]
struct Running {
    huge_pages: bool,
}

static STARTED: AtomicBool = AtomicBool::new(false);

impl Eal {
    /// Starts DPDK. The calling thread becomes the main lcore; the other lcores are returned, idle.
    ///
    /// # Errors
    ///
    /// See [`EalError`]. After a failure the process cannot try again: DPDK keeps half of its state.
    pub fn start(config: &EalConfig) -> Result<(Self, Vec<Lcore>), EalError> {
        let lcores = config.lcores + 1;
        if lcores > dpdk_sys::RTE_MAX_LCORE as usize {
            return Err(EalError::TooManyLcores { asked: lcores });
        }
        let huge_pages = match config.huge_pages {
            HugePages::Off => false,
            HugePages::Auto => huge_pages_free(config.memory_mib),
            HugePages::On if huge_pages_free(config.memory_mib) => true,
            HugePages::On => return Err(EalError::NoHugePages { memory_mib: config.memory_mib }),
        };
        if STARTED.swap(true, Ordering::SeqCst) {
            return Err(EalError::AlreadyStarted);
        }
        init(&arguments(config, huge_pages))
            .map_err(|reason| EalError::Init { memory_mib: config.memory_mib, reason })?;
        let eal = Self(Arc::new(Running { huge_pages }));
        let lcores = (1..lcores as u32).map(|id| Lcore::new(id, eal.clone())).collect();
        Ok((eal, lcores))
    }

    /// Whether the EAL's memory is huge pages.
    pub fn huge_pages(&self) -> bool {
        self.0.huge_pages
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // SAFETY: rte_eal_init succeeded, and this was the last handle: every pool, port, ring and lcore that could
        // still call into the EAL holds one of its own.
        unsafe { dpdk_sys::rte_eal_cleanup() };
    }
}

/// Version of the DPDK that is linked at run time, such as `DPDK 22.11.11`.
pub fn version() -> String {
    // SAFETY: rte_version returns a static C string.
    unsafe { std::ffi::CStr::from_ptr(dpdk_sys::rte_version()) }.to_string_lossy().into_owned()
}

/// Whether `memory_mib` of 2 MiB pages can be had right now by this user.
fn huge_pages_free(memory_mib: u32) -> bool {
    const PAGE: &str = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    let free: u64 = std::fs::read_to_string(PAGE).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    // The EAL reserves a little more than it is asked for; a mapping proves that this user is allowed to.
    free > u64::from(memory_mib.div_ceil(2))
        && MmapOptions::new().len(2 << 20).huge(Some(21)).map_anon().is_ok()
}

fn arguments(config: &EalConfig, huge_pages: bool) -> Vec<String> {
    let mut arguments: Vec<String> = ["forebay", "--no-telemetry", "--iova-mode=va"].map(String::from).into();
    if huge_pages {
        arguments.push("--in-memory".into());
    } else {
        // `--in-memory` together with `--no-huge` fails on 22.11; `--no-shconf` leaves nothing behind either.
        arguments.extend(["--no-huge", "--no-shconf"].map(String::from));
    }
    if !config.pci {
        arguments.push("--no-pci".into());
    }
    arguments.extend(["-m".into(), config.memory_mib.to_string()]);
    arguments.push(format!("--lcores={}", cpu::lcore_map(&cpu::allowed(), config.lcores)));
    arguments
}

/// Calls `rte_eal_init`, with DPDK's log held back; the error is its reason in one line.
fn init(arguments: &[String]) -> Result<(), String> {
    let owned: Vec<CString> = arguments
        .iter()
        .map(|text| CString::new(text.as_str()))
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    let mut argv: Vec<*mut c_char> = owned.iter().map(|text| text.as_ptr().cast_mut()).collect();
    argv.push(ptr::null_mut());

    let (result, log) = quietly(|| {
        // SAFETY: argv holds argc valid C strings and a final null; `owned` outlives the call, and DPDK copies what it
        // keeps. STARTED makes sure that this runs once in a process.
        let parsed = unsafe { dpdk_sys::rte_eal_init(owned.len() as c_int, argv.as_mut_ptr()) };
        if parsed < 0 { Err(errno()) } else { Ok(()) }
    });
    result.map_err(|code| reason(code, &log))
}

/// DPDK's error text, with the first line of its log when there is one: the driver speaks before those who called it.
pub(crate) fn reason(code: i32, log: &str) -> String {
    let first = log.lines().map(str::trim).find(|line| !line.is_empty());
    match first {
        Some(first) => format!("{} ({first})", strerror(code)),
        None => strerror(code),
    }
}

/// Runs `call` with DPDK's log (errors only) going to memory, and returns what was logged.
///
/// DPDK's log stream is one for the process: calls are serialised.
pub(crate) fn quietly<T>(call: impl FnOnce() -> T) -> (T, String) {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    /// `RTE_LOG_ERR` (`rte_log.h`).
    const ERRORS_ONLY: u32 = 4;

    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut text: *mut c_char = ptr::null_mut();
    let mut bytes: usize = 0;
    // SAFETY: both pointers stay valid until fb_log_close, below, in this same function. Setting the level only stores
    // a number, and may be called before rte_eal_init.
    let stream = unsafe {
        dpdk_sys::rte_log_set_global_level(ERRORS_ONLY);
        dpdk_sys::fb_log_to_memory(&raw mut text, &raw mut bytes)
    };
    let result = call();
    if stream.is_null() {
        return (result, String::new());
    }
    let mut log = String::new();
    // SAFETY: fflush makes `text` point to `bytes` bytes (open_memstream(3)); they are copied before fb_log_close frees
    // them and takes the stream out of DPDK's hands.
    unsafe {
        dpdk_sys::fb_log_flush(stream);
        if !text.is_null() {
            log = String::from_utf8_lossy(std::slice::from_raw_parts(text.cast::<u8>(), bytes)).into_owned();
        }
        dpdk_sys::fb_log_close(stream, &raw mut text);
    }
    (result, log)
}
