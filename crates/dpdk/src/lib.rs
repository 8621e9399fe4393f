//! The safe layer over DPDK.
//!
//! In: the system's libdpdk through `dpdk-sys`. Out: types that cannot leak or double-free an mbuf, share a queue
//! between threads, or outlive the EAL. Nothing above this crate writes `unsafe`.
//!
//! Who keeps whom alive: [`Mempool`], ports and rings hold an [`Eal`] handle, queues hold their port and its pool. An
//! [`Mbuf`] holds nothing (it must stay one pointer wide); a pool that is let go while mbufs are out is leaked together
//! with its `Eal` handle, so a live mbuf can never point into freed memory.
//!
//! The ideas of typed, own-per-test mempools and of packets that own their mbuf are capsule's; the reason for a crate
//! of our own is in `docs/adr/0001-own-dpdk-bindings.md`.

pub mod acl;
pub mod clock;
pub mod cpu;
pub mod eal;
pub mod lcore;
pub mod mbuf;
pub mod mempool;
pub mod port;
pub mod prefetch;
pub mod ring;

pub use acl::{AclContext, AclError, AclField, AclKey, AclLayout, AclRule, AclValue};
pub use clock::Tsc;
pub use eal::{Eal, EalConfig, EalError, HugePages};
pub use lcore::{Lcore, LcoreError, LcoreHandle};
pub use mbuf::{Mbuf, RxTimestamp};
pub use mempool::{Mempool, MempoolConfig, MempoolError, Private};
pub use port::{Device, Port, PortConfig, PortError, PortStats, PortStatsReader, RxQueue, Started, TxQueue};
pub use ring::{Consumer, Producer, RingError, ring};

/// The most mbufs that any burst call moves; every fixed-capacity burst in the product has this size.
pub const BURST_MAX: usize = 64;

/// A fixed-capacity burst of mbufs.
pub type Burst<M = ()> = arrayvec::ArrayVec<Mbuf<M>, BURST_MAX>;

/// The text of a DPDK error number (positive or negative `errno`).
fn strerror(code: i32) -> String {
    // SAFETY: rte_strerror accepts any number and returns a valid C string that lives until this thread's next call.
    unsafe { std::ffi::CStr::from_ptr(dpdk_sys::rte_strerror(code.abs())) }.to_string_lossy().into_owned()
}

/// The calling thread's `rte_errno`.
fn errno() -> i32 {
    // SAFETY: reads a thread-local integer.
    unsafe { dpdk_sys::fb_errno() }
}
