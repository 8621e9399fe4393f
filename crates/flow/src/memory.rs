//! Fixed arrays of plain records in huge pages.

use std::io;
use std::marker::PhantomData;

use bytemuck::Pod;
use memmap2::{Advice, MmapMut, MmapOptions};

/// A zeroed array of plain records, allocated once, with the advice to use huge pages.
///
/// With four million flows the table is 700 MB and almost every access is a TLB miss on 4 KiB pages.
/// Both accessors are a bounds check and an alignment test that never fails; out of range is `None`, never a panic.
pub(crate) struct Records<T> {
    map: MmapMut,
    len: usize,
    element: PhantomData<T>,
}

impl<T: Pod> Records<T> {
    /// Allocates `len` zeroed records and touches every page, so that no page fault is left for the hot path.
    pub(crate) fn new(len: usize) -> io::Result<Self> {
        let bytes = len.max(1).checked_mul(size_of::<T>()).ok_or(io::ErrorKind::OutOfMemory)?;
        let mut map = MmapOptions::new().len(bytes).map_anon()?;
        #[cfg(target_os = "linux")]
        if bytes >= 2 << 20 {
            // Only advice: a kernel without transparent huge pages refuses it and the table still works.
            let _ = map.advise(Advice::HugePage);
        }
        for page in map.chunks_mut(4096) {
            if let Some(byte) = page.first_mut() {
                *std::hint::black_box(byte) = 0;
            }
        }
        Ok(Self { map, len, element: PhantomData })
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let start = index as usize * size_of::<T>();
        let bytes = self.map.get(start..start + size_of::<T>())?;
        bytemuck::try_from_bytes(bytes).ok()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        let start = index as usize * size_of::<T>();
        let bytes = self.map.get_mut(start..start + size_of::<T>())?;
        bytemuck::try_from_bytes_mut(bytes).ok()
    }

    /// Number of records.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Memory in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.map.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroed_writable_and_bounded() {
        let mut records = Records::<[u64; 4]>::new(1000).unwrap();
        assert_eq!(records.get(999), Some(&[0; 4]));
        *records.get_mut(999).unwrap() = [1, 2, 3, 4];
        assert_eq!(records.get(999), Some(&[1, 2, 3, 4]));
        assert_eq!(records.get(998), Some(&[0; 4]));
        assert!(records.get(1000).is_none());
        assert!(records.get_mut(u32::MAX).is_none());
        assert_eq!((records.len(), records.bytes()), (1000, 32_000));
    }

    #[test]
    fn impossible_size_is_an_error() {
        assert!(Records::<[u64; 4]>::new(usize::MAX / 2).is_err());
    }
}
