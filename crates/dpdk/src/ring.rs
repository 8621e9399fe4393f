//! Bounded queues of mbufs (`rte_ring`), single producer and single consumer.

use std::ffi::CString;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arrayvec::ArrayVec;
use dpdk_sys::{rte_mbuf, rte_ring};

use crate::eal::{Eal, quietly, reason};
use crate::errno;
use crate::mbuf::Mbuf;
use crate::mempool::Private;

/// Why a ring was not created.
#[derive(Debug, thiserror::Error)]
pub enum RingError {
    /// The EAL has not the memory, or DPDK refused the size.
    #[error("no memory for a queue of {capacity} packets: {reason}; raise memory_mib")]
    Create {
        /// Packets asked for.
        capacity: u32,
        /// DPDK's error.
        reason: String,
    },
}

/// The end of a ring that puts mbufs in.
#[derive(Debug)]
pub struct Producer<M: Private = ()>(Arc<Shared<M>>);

/// The end of a ring that takes mbufs out.
#[derive(Debug)]
pub struct Consumer<M: Private = ()>(Arc<Shared<M>>);

#[derive(Debug)]
struct Shared<M: Private> {
    ring: NonNull<rte_ring>,
    /// Keeps the EAL's memory, in which the ring lies, alive.
    _eal: Eal,
    private: PhantomData<fn() -> M>,
}

// SAFETY: through `&self` of the shared part only counts are read. Putting in and taking out need `&mut` of the one
// Producer and the one Consumer, which is exactly what a single-producer, single-consumer ring asks for.
unsafe impl<M: Private> Send for Shared<M> {}
// SAFETY: as above.
unsafe impl<M: Private> Sync for Shared<M> {}

/// Creates a ring that holds up to `capacity` mbufs (any number from 1 to 2^30).
///
/// # Errors
///
/// [`RingError::Create`] when memory is short or the size is out of range.
pub fn ring<M: Private>(eal: &Eal, capacity: u32) -> Result<(Producer<M>, Consumer<M>), RingError> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    /// `SOCKET_ID_ANY`.
    const ANY: i32 = -1;

    let name = CString::new(format!("fb_ring_{}", NEXT.fetch_add(1, Ordering::Relaxed))).unwrap_or_default();
    let flags = dpdk_sys::FB_RING_F_SP_ENQ | dpdk_sys::FB_RING_F_SC_DEQ | dpdk_sys::FB_RING_F_EXACT_SZ;
    let (raw, log) = quietly(|| {
        // SAFETY: the EAL runs (`eal` says so), and the name is a C string that DPDK copies.
        let raw = unsafe { dpdk_sys::rte_ring_create(name.as_ptr(), capacity, ANY, flags) };
        NonNull::new(raw).ok_or_else(errno)
    });
    let raw = raw.map_err(|code| RingError::Create { capacity, reason: reason(code, &log) })?;
    let shared = Arc::new(Shared { ring: raw, _eal: eal.clone(), private: PhantomData });
    Ok((Producer(Arc::clone(&shared)), Consumer(shared)))
}

impl<M: Private> Producer<M> {
    /// Moves mbufs from the front of `burst` into the ring, as many as fit; returns how many. The rest stays in
    /// `burst`, in order.
    #[inline]
    pub fn enqueue_burst<const N: usize>(&mut self, burst: &mut ArrayVec<Mbuf<M>, N>) -> usize {
        let count = burst.len();
        // SAFETY: Mbuf is repr(transparent) over a pointer, so the elements are `count` valid pointers; the ring takes
        // the first `taken` of them, and `forget_front` makes the ArrayVec forget exactly those.
        unsafe {
            let taken = dpdk_sys::fb_ring_enqueue_burst(
                self.0.ring.as_ptr(),
                burst.as_ptr().cast::<*mut std::ffi::c_void>(),
                count as u32,
            ) as usize;
            forget_front(burst, taken);
            taken
        }
    }

    /// Puts one mbuf in, or gives it back when the ring is full.
    ///
    /// # Errors
    ///
    /// The mbuf itself.
    #[inline]
    pub fn enqueue(&mut self, mbuf: Mbuf<M>) -> Result<(), Mbuf<M>> {
        let mut one = ArrayVec::<_, 1>::from([mbuf]);
        self.enqueue_burst(&mut one);
        one.pop().map_or(Ok(()), Err)
    }

    /// How many mbufs are in the ring; a snapshot.
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// Whether the ring is empty; a snapshot.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many mbufs the ring holds at most.
    pub fn capacity(&self) -> u32 {
        // SAFETY: the ring is alive; reads a constant.
        unsafe { dpdk_sys::fb_ring_capacity(self.0.ring.as_ptr()) }
    }
}

impl<M: Private> Consumer<M> {
    /// Moves mbufs from the ring to the end of `burst`, as many as there are and as fit; returns how many.
    #[inline]
    pub fn dequeue_burst<const N: usize>(&mut self, burst: &mut ArrayVec<Mbuf<M>, N>) -> usize {
        self.dequeue_at_most(burst, N)
    }

    /// As [`dequeue_burst`](Self::dequeue_burst), but not more than `most`.
    #[inline]
    pub fn dequeue_at_most<const N: usize>(
        &mut self,
        burst: &mut ArrayVec<Mbuf<M>, N>,
        most: usize,
    ) -> usize {
        let room = (N - burst.len()).min(most);
        // SAFETY: there is room for `room` pointers behind the ArrayVec's elements; the ring fills the first `taken` of
        // them with mbufs that a Producer<M> of this ring gave up.
        unsafe {
            let end = burst.as_mut_ptr().add(burst.len());
            let taken = dpdk_sys::fb_ring_dequeue_burst(
                self.0.ring.as_ptr(),
                end.cast::<*mut std::ffi::c_void>(),
                room as u32,
            ) as usize;
            burst.set_len(burst.len() + taken);
            taken
        }
    }

    /// How many mbufs are in the ring; a snapshot.
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// Whether the ring is empty; a snapshot.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<M: Private> Shared<M> {
    #[inline]
    fn len(&self) -> u32 {
        // SAFETY: the ring is alive; two indices are read.
        unsafe { dpdk_sys::fb_ring_count(self.ring.as_ptr()) }
    }
}

impl<M: Private> Drop for Shared<M> {
    fn drop(&mut self) {
        let mut left: [*mut rte_mbuf; 32] = [std::ptr::null_mut(); 32];
        // SAFETY: both ends are gone, so this is the ring's only user. What is left in it are mbufs that nobody else
        // owns; rte_pktmbuf_free_bulk skips nulls. Then nothing refers to the ring.
        unsafe {
            loop {
                let taken = dpdk_sys::fb_ring_dequeue_burst(self.ring.as_ptr(), left.as_mut_ptr().cast(), 32);
                if taken == 0 {
                    break;
                }
                dpdk_sys::rte_pktmbuf_free_bulk(left.as_mut_ptr(), taken);
            }
            dpdk_sys::rte_ring_free(self.ring.as_ptr());
        }
    }
}

/// Makes `burst` forget its first `count` elements without dropping them, and moves the rest to the front.
///
/// # Safety
///
/// Somebody else has taken over the first `count` (at most `burst.len()`) mbufs.
#[inline]
pub(crate) unsafe fn forget_front<M: Private, const N: usize>(
    burst: &mut ArrayVec<Mbuf<M>, N>,
    count: usize,
) {
    let rest = burst.len() - count;
    // SAFETY: both ranges are within the ArrayVec; `copy` allows them to overlap.
    unsafe {
        burst.set_len(0);
        let start = burst.as_mut_ptr();
        std::ptr::copy(start.add(count), start, rest);
        burst.set_len(rest);
    }
}
