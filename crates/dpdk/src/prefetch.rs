//! Telling the CPU early which memory a burst is going to touch.

/// Starts loading the first cache line of `value` into L1; has no effect on what the program computes.
#[inline(always)]
pub fn read<T: ?Sized>(value: &T) {
    let address: *const i8 = std::ptr::from_ref(value).cast();
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch is a hint that cannot fault, whatever the address; SSE is part of x86-64.
    unsafe {
        core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(address);
    };
}
