//! Pools of packet buffers, each with a typed private area.

use std::any::TypeId;
use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use dpdk_sys::{rte_mbuf, rte_mempool};

use crate::eal::{Eal, quietly, reason};
use crate::errno;
use crate::mbuf::{Mbuf, private_area};

/// What a pool keeps beside every packet: plain data that outlives no one, so that a recycled buffer may still hold the
/// last packet's.
pub trait Private: Copy + Default + Send + 'static {}

impl<M: Copy + Default + Send + 'static> Private for M {}

/// The size of a pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MempoolConfig {
    /// Number of buffers. Memory is best used at a power of two less one.
    pub mbufs: u32,
    /// Bytes of frame in one buffer; a longer frame takes several segments.
    pub data_room_bytes: u16,
    /// Buffers that each lcore keeps for itself (0 to 512).
    pub cache_mbufs: u32,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        Self { mbufs: 8191, data_room_bytes: 2048, cache_mbufs: 256 }
    }
}

/// Why a pool was not created.
#[derive(Debug, thiserror::Error)]
pub enum MempoolError {
    /// A pool with another private area exists. A frame may leave one port and arrive at another in the same process
    /// (`net_ring`) still in its first pool's buffer, so all pools of a process must agree.
    #[error("all packet buffer pools of a process must have the same private area")]
    PrivateArea,
    /// The EAL has not the memory, or DPDK refused the sizes.
    #[error(
        "no memory for {mbufs} packet buffers of {buffer_bytes} bytes ({} MiB): {reason}; raise memory_mib or lower \
         mempool_mbufs", (u64::from(*mbufs) * u64::from(*buffer_bytes)) >> 20
    )]
    Create {
        /// Buffers asked for.
        mbufs: u32,
        /// Bytes of one buffer with its headers.
        buffer_bytes: u32,
        /// DPDK's error.
        reason: String,
    },
}

/// A pool of mbufs with an `M` beside each; cheap to clone (a shared handle).
#[derive(Debug)]
pub struct Mempool<M: Private = ()>(Arc<Pool<M>>);

impl<M: Private> Clone for Mempool<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Pool<M: Private> {
    raw: NonNull<rte_mempool>,
    mbufs: u32,
    data_room_bytes: u16,
    eal: Eal,
    private: PhantomData<fn() -> M>,
}

// SAFETY: the methods that reach the pool through `&self` are alloc and alloc_burst (the per-lcore cache belongs to the
// calling lcore, and what is behind it is a multi-producer/multi-consumer ring) and available (reads counters); Drop has
// `&mut self`.
unsafe impl<M: Private> Send for Pool<M> {}
// SAFETY: as above.
unsafe impl<M: Private> Sync for Pool<M> {}

/// The private area's type of every pool in this process.
static PRIVATE_AREA: OnceLock<TypeId> = OnceLock::new();

/// Distance from the header to the data room must keep DPDK's 8-byte alignment of the private area.
const PRIVATE_ALIGN: usize = 8;

impl<M: Private> Mempool<M> {
    /// Creates a pool, with `M::default()` in every private area.
    ///
    /// # Errors
    ///
    /// [`MempoolError::Create`] when memory is short.
    pub fn new(eal: &Eal, config: &MempoolConfig) -> Result<Self, MempoolError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        const { assert!(align_of::<M>() <= PRIVATE_ALIGN, "the private area is aligned to 8 bytes") };
        const { assert!(size_of::<M>() <= 1024, "the private area is for a few cache lines") };
        if *PRIVATE_AREA.get_or_init(TypeId::of::<M>) != TypeId::of::<M>() {
            return Err(MempoolError::PrivateArea);
        }
        let private_bytes = size_of::<M>().next_multiple_of(PRIVATE_ALIGN) as u16;
        let room = config.data_room_bytes.saturating_add(dpdk_sys::RTE_PKTMBUF_HEADROOM as u16);
        let name =
            CString::new(format!("fb_pool_{}", NEXT.fetch_add(1, Ordering::Relaxed))).unwrap_or_default();
        let (raw, log) = quietly(|| {
            /// `SOCKET_ID_ANY`.
            const ANY: i32 = -1;
            // SAFETY: the EAL runs (`eal` says so), and the name is a C string that DPDK copies.
            let raw = unsafe {
                dpdk_sys::rte_pktmbuf_pool_create(
                    name.as_ptr(),
                    config.mbufs,
                    config.cache_mbufs.min(config.mbufs * 2 / 3),
                    private_bytes,
                    room,
                    ANY,
                )
            };
            NonNull::new(raw).ok_or_else(errno)
        });
        let raw = raw.map_err(|code| MempoolError::Create {
            mbufs: config.mbufs,
            buffer_bytes: u32::from(room) + u32::from(private_bytes) + dpdk_sys::FB_MBUF_SIZE,
            reason: reason(code, &log),
        })?;
        // SAFETY: the pool is new, so nobody holds a buffer; `initialise::<M>` writes an M into each private area,
        // which was made large enough above.
        unsafe { dpdk_sys::rte_mempool_obj_iter(raw.as_ptr(), Some(initialise::<M>), std::ptr::null_mut()) };
        Ok(Self(Arc::new(Pool {
            raw,
            mbufs: config.mbufs,
            data_room_bytes: config.data_room_bytes,
            eal: eal.clone(),
            private: PhantomData,
        })))
    }

    /// Takes one empty buffer; `None` when the pool is empty.
    #[inline]
    pub fn alloc(&self) -> Option<Mbuf<M>> {
        // SAFETY: the pool is alive; rte_pktmbuf_alloc returns null or a reset mbuf with one reference, from this pool.
        unsafe {
            NonNull::new(dpdk_sys::fb_pktmbuf_alloc(self.0.raw.as_ptr())).map(|raw| Mbuf::from_raw(raw))
        }
    }

    /// A frame made of `parts`, one after the other, in as many chained buffers as it takes; `None` when the pool runs
    /// out (what was taken is given back) or the frame is longer than 65,535 bytes.
    pub fn copy_of(&self, parts: &[&[u8]]) -> Option<Mbuf<M>> {
        let mut left: usize = parts.iter().map(|part| part.len()).sum();
        if left > usize::from(u16::MAX) {
            return None;
        }
        let mut frame: Option<Mbuf<M>> = None;
        let mut bytes = parts.iter().flat_map(|part| part.iter().copied());
        let mut chunk = Vec::with_capacity(usize::from(self.0.data_room_bytes));
        loop {
            let take = left.min(usize::from(self.0.data_room_bytes));
            chunk.clear();
            chunk.extend(bytes.by_ref().take(take));
            let mut segment = self.alloc()?;
            if !segment.append(&chunk) {
                return None;
            }
            match &mut frame {
                None => frame = Some(segment),
                Some(head) => head.chain(segment).ok()?,
            }
            left -= take;
            if left == 0 {
                return frame;
            }
        }
    }

    /// Buffers that are in the pool or in an lcore's cache of it. Exact only while nobody allocates or frees.
    pub fn available(&self) -> u32 {
        // SAFETY: the pool is alive; only counters are read.
        unsafe { dpdk_sys::rte_mempool_avail_count(self.0.raw.as_ptr()) }
    }

    /// How many buffers the pool has.
    pub fn size(&self) -> u32 {
        self.0.mbufs
    }

    pub(crate) fn raw(&self) -> *mut rte_mempool {
        self.0.raw.as_ptr()
    }
}

impl<M: Private> Drop for Pool<M> {
    fn drop(&mut self) {
        // SAFETY: the pool is alive.
        let available = unsafe { dpdk_sys::rte_mempool_avail_count(self.raw.as_ptr()) };
        if available == self.mbufs {
            // SAFETY: every buffer is back, no handle is left to take one out again, and ports keep a handle.
            unsafe { dpdk_sys::rte_mempool_free(self.raw.as_ptr()) };
        } else {
            // A buffer that is still out must stay valid: leak the pool, and keep the EAL from ever being cleaned up.
            std::mem::forget(self.eal.clone());
        }
    }
}

/// Called by DPDK for every object of a new pool.
unsafe extern "C" fn initialise<M: Private>(
    _: *mut rte_mempool,
    _: *mut c_void,
    object: *mut c_void,
    _: u32,
) {
    if let Some(raw) = NonNull::new(object.cast::<rte_mbuf>()) {
        // SAFETY: the object is an mbuf of a new pool with room for an M behind its header, 8-byte aligned.
        unsafe { private_area::<M>(raw).write(M::default()) };
    }
}
