//! The packet buffer: one owned reference to one `rte_mbuf`.
//!
//! Layout of an mbuf from a [`Mempool<M>`](crate::Mempool):
//!
//! ```text
//! rte_mbuf (128 bytes) │ M, the private area │ headroom (128) │ data room
//! ```

use std::fmt;
use std::marker::PhantomData;
use std::ptr::NonNull;

use arrayvec::ArrayVec;
use dpdk_sys::rte_mbuf;
use wire::PacketBuf;

use crate::mempool::Private;

/// One reference to a packet buffer; dropping it gives the buffer (all its segments) back to its pool.
///
/// Never `Clone`: two owners of one buffer are made only by an explicit reference count. `Send`, because a buffer may
/// be handed to another thread; not `Sync`, because its header is written through without atomics.
#[repr(transparent)]
pub struct Mbuf<M: Private = ()> {
    raw: NonNull<rte_mbuf>,
    private: PhantomData<M>,
}

// SAFETY: an Mbuf is the only safe way to reach its buffer, and M is Send (a bound of Private). The pool that it goes
// back to is safe to use from any thread (rte_mempool uses a multi-producer ring behind its per-lcore cache).
unsafe impl<M: Private> Send for Mbuf<M> {}

#[allow(clippy::cast_ptr_alignment)] // Offsets into rte_mbuf: each field is aligned as C aligned it.
impl<M: Private> Mbuf<M> {
    /// Takes over a reference from DPDK.
    ///
    /// # Safety
    ///
    /// `raw` is a valid mbuf, whose one reference nobody else uses, from a pool that was created as
    /// `Mempool<M>` (all pools of a process are of one `M`).
    #[inline]
    pub(crate) unsafe fn from_raw(raw: NonNull<rte_mbuf>) -> Self {
        Self { raw, private: PhantomData }
    }

    /// Reads the header field of type `T` at `offset` (one of `FB_MBUF_*`, which bindgen took from the C headers).
    #[inline(always)]
    fn field<T: Copy>(&self, offset: u32) -> T {
        // SAFETY: `raw` is a valid rte_mbuf, and the callers in this file pair each offset with its C type.
        unsafe { self.raw.as_ptr().cast::<u8>().add(offset as usize).cast::<T>().read() }
    }

    /// Length of the whole frame in bytes, without the FCS.
    #[inline]
    pub fn pkt_len(&self) -> u32 {
        self.field(dpdk_sys::FB_MBUF_PKT_LEN)
    }

    /// Number of segments, at least 1.
    #[inline]
    pub fn segments(&self) -> u16 {
        self.field(dpdk_sys::FB_MBUF_NB_SEGS)
    }

    /// Number of references to the buffer.
    #[inline]
    pub fn refcnt(&self) -> u16 {
        self.field(dpdk_sys::FB_MBUF_REFCNT)
    }

    /// The bytes of the first segment.
    #[inline]
    pub fn data(&self) -> &[u8] {
        // SAFETY: see `segment_data`; the first segment lives as long as `self`.
        unsafe { segment_data(self.raw) }
    }

    /// The bytes of the first segment, to change; `None` if the buffer has other owners.
    #[inline]
    pub fn data_mut(&mut self) -> Option<&mut [u8]> {
        if self.refcnt() != 1 {
            return None;
        }
        let data = self.data();
        let (start, bytes) = (data.as_ptr().cast_mut(), data.len());
        // SAFETY: the range is the segment's, the count says that nobody else owns the buffer, and `&mut self` that
        // nobody else uses it through this reference.
        Some(unsafe { std::slice::from_raw_parts_mut(start, bytes) })
    }

    /// Appends `bytes` behind the frame; `false`, and nothing changed, if the last segment has no room for them.
    pub fn append(&mut self, bytes: &[u8]) -> bool {
        let Ok(count) = u16::try_from(bytes.len()) else { return false };
        if self.refcnt() != 1 {
            return false;
        }
        // SAFETY: a valid mbuf with one owner; rte_pktmbuf_append checks the tail room and returns null or the start
        // of `count` writable bytes.
        unsafe {
            let room = dpdk_sys::fb_pktmbuf_append(self.raw.as_ptr(), count);
            if room.is_null() {
                return false;
            }
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), room.cast(), bytes.len());
        }
        true
    }

    /// Appends another frame's segments to this one's.
    ///
    /// # Errors
    ///
    /// `tail` itself, when the chain would have more segments than DPDK allows.
    pub fn chain(&mut self, tail: Self) -> Result<(), Self> {
        // SAFETY: two valid mbufs, each with its one owner here; on success DPDK has linked the tail's segments to the
        // head, which owns them from then on, so the tail is forgotten.
        if unsafe { dpdk_sys::fb_pktmbuf_chain(self.raw.as_ptr(), tail.raw.as_ptr()) } != 0 {
            return Err(tail);
        }
        std::mem::forget(tail);
        Ok(())
    }

    /// Inserts an 802.1Q tag behind the source address (IEEE 802.1Q-2022, 9.6); `false`, and nothing changed, if the
    /// frame is shorter than an Ethernet header or the buffer has other owners or no room in front.
    pub fn push_vlan(&mut self, vid: u16) -> bool {
        const ADDRESSES: usize = 12;
        const TAG: usize = 4;
        if self.refcnt() != 1 || self.data().len() < ADDRESSES + 2 {
            return false;
        }
        // SAFETY: a valid mbuf with one owner; rte_pktmbuf_prepend checks the head room, and returns null or the new
        // start of the data, TAG bytes before the old one.
        let grown = !unsafe { dpdk_sys::fb_pktmbuf_prepend(self.raw.as_ptr(), TAG as u16) }.is_null();
        if grown && let Some(data) = self.data_mut() {
            data.copy_within(TAG..TAG + ADDRESSES, 0);
            let [high, low] = (vid & 0x0fff).to_be_bytes();
            if let Some(tag) = data.get_mut(ADDRESSES..ADDRESSES + TAG) {
                tag.copy_from_slice(&[0x81, 0x00, high, low]);
            }
        }
        grown
    }

    /// When the port received the frame, in the port's unit, if it says.
    #[inline]
    pub fn timestamp(&self, field: &RxTimestamp) -> Option<u64> {
        let flags: u64 = self.field(dpdk_sys::FB_MBUF_OL_FLAGS);
        (flags & field.flag != 0).then(|| self.field(field.offset))
    }

    /// The private area: the pool's `M::default()` at first, then whatever was last written to it, by whichever packet.
    #[inline]
    pub fn private(&self) -> &M {
        // SAFETY: the pool made room for an M behind the rte_mbuf and wrote one there; M is Copy, so it needs no drop.
        unsafe { &*private_area(self.raw) }
    }

    /// The private area, to change.
    #[inline]
    pub fn private_mut(&mut self) -> &mut M {
        // SAFETY: as in `private`; `&mut self` is the only way to it, unless there are more owners, and a second owner
        // is only ever made by code that gives up the private area (there is none yet).
        unsafe { &mut *private_area(self.raw) }
    }

    /// Frees a burst with one call into DPDK, which puts buffers of one pool back together.
    #[inline]
    pub fn free_burst<const N: usize>(burst: &mut ArrayVec<Self, N>) {
        let count = burst.len();
        // SAFETY: Mbuf is repr(transparent) over a pointer, so the first `count` elements are valid rte_mbuf pointers.
        // The length is set to 0 first, so the ArrayVec forgets them and each is freed exactly once.
        unsafe {
            burst.set_len(0);
            dpdk_sys::rte_pktmbuf_free_bulk(burst.as_mut_ptr().cast(), count as u32);
        }
    }
}

impl<M: Private> Drop for Mbuf<M> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this is the owner of one reference, given up here.
        unsafe { dpdk_sys::fb_pktmbuf_free(self.raw.as_ptr()) };
    }
}

impl<M: Private> fmt::Debug for Mbuf<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mbuf").field("pkt_len", &self.pkt_len()).field("segments", &self.segments()).finish()
    }
}

#[allow(clippy::cast_ptr_alignment)] // As above.
impl<M: Private> PacketBuf for Mbuf<M> {
    #[inline]
    fn head(&self) -> &[u8] {
        self.data()
    }

    #[inline]
    fn frame_len(&self) -> usize {
        self.pkt_len() as usize
    }

    #[inline]
    fn is_contiguous(&self) -> bool {
        self.segments() == 1
    }

    fn copy_to(&self, to: &mut Vec<u8>) {
        let mut segment = Some(self.raw);
        while let Some(raw) = segment {
            // SAFETY: the segments of a chain belong to the chain's owner and live as long; `next` of the last is null.
            unsafe {
                to.extend_from_slice(segment_data(raw));
                let next = raw.as_ptr().cast::<u8>().add(dpdk_sys::FB_MBUF_NEXT as usize);
                segment = NonNull::new(next.cast::<*mut rte_mbuf>().read());
            }
        }
    }
}

/// The data of one segment.
///
/// # Safety
///
/// `raw` is a valid mbuf that lives for `'a`.
#[inline(always)]
#[allow(clippy::cast_ptr_alignment)] // As above.
unsafe fn segment_data<'a>(raw: NonNull<rte_mbuf>) -> &'a [u8] {
    let base = raw.as_ptr().cast::<u8>();
    // SAFETY: buf_addr + data_off is the start of data_len initialised bytes (rte_mbuf_core.h), by the caller's word.
    unsafe {
        let buffer = base.add(dpdk_sys::FB_MBUF_BUF_ADDR as usize).cast::<*const u8>().read();
        let offset = base.add(dpdk_sys::FB_MBUF_DATA_OFF as usize).cast::<u16>().read();
        let bytes = base.add(dpdk_sys::FB_MBUF_DATA_LEN as usize).cast::<u16>().read();
        std::slice::from_raw_parts(buffer.add(usize::from(offset)), usize::from(bytes))
    }
}

/// Where the private area of an mbuf is: directly behind its header (`rte_mbuf_to_priv`).
#[inline(always)]
pub(crate) fn private_area<M: Private>(raw: NonNull<rte_mbuf>) -> *mut M {
    raw.as_ptr().cast::<u8>().wrapping_add(dpdk_sys::FB_MBUF_SIZE as usize).cast()
}

/// Where in an mbuf ports leave the time of reception (a dynamic field, registered by the first port that has it).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RxTimestamp {
    offset: u32,
    flag: u64,
}

impl RxTimestamp {
    /// Looks the field up; `None` until a port that delivers timestamps was started.
    ///
    /// `net_pcap` gives the capture's timestamps in microseconds since the epoch; a NIC gives its own clock.
    pub fn lookup() -> Option<Self> {
        // SAFETY: both names are C strings, and the parameter block may be null (rte_mbuf_dyn.h).
        let (offset, flag) = unsafe {
            (
                dpdk_sys::rte_mbuf_dynfield_lookup(c"rte_dynfield_timestamp".as_ptr(), std::ptr::null_mut()),
                dpdk_sys::rte_mbuf_dynflag_lookup(c"rte_dynflag_rx_timestamp".as_ptr(), std::ptr::null_mut()),
            )
        };
        let offset = u32::try_from(offset).ok().filter(|offset| offset + 8 <= dpdk_sys::FB_MBUF_SIZE)?;
        Some(Self { offset, flag: 1 << u32::try_from(flag).ok()? })
    }
}
