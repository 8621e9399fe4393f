//! The time-stamp counter: the only clock that is cheap enough to read on every burst.

use crate::eal::Eal;

/// Cycles of the time-stamp counter in a second, as the EAL measured them when it started.
pub fn hertz(_: &Eal) -> u64 {
    // SAFETY: the EAL runs, so the number is set; it is only read.
    unsafe { dpdk_sys::rte_get_tsc_hz() }
}

/// A reading of the CPU's time-stamp counter, in cycles.
///
/// The counter is assumed invariant and the same on every core, as on every CPU that a 10/40G NIC is put beside
/// (`constant_tsc`, `nonstop_tsc`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Tsc(pub u64);

impl Tsc {
    /// Reads the counter; about 20 cycles, not serialising.
    #[inline]
    pub fn now() -> Self {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: every x86-64 CPU has RDTSC, and Linux leaves it enabled for user space.
        let cycles = unsafe { core::arch::x86_64::_rdtsc() };
        #[cfg(not(target_arch = "x86_64"))]
        compile_error!("Forebay supports x86-64 only, as does the X710 driver stack it is tested with");
        Self(cycles)
    }

    /// Cycles since an earlier reading.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.wrapping_sub(earlier.0)
    }
}
