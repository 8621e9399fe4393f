//! The prefetch hint that the table asks for and a driver provides.

/// Tells the CPU that something will be read soon. A hint: it changes no result.
///
/// The instruction is `unsafe` in Rust and this crate forbids that; the crate that may use it implements this.
pub trait Prefetch {
    /// Starts loading the cache line of `value`.
    fn read<T>(value: &T);
}

/// Does nothing: for tests, and where tables are small.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NoPrefetch;

impl Prefetch for NoPrefetch {
    #[inline(always)]
    fn read<T>(_: &T) {}
}
