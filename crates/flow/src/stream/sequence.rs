//! Arithmetic on the circle of 2^32 sequence numbers (RFC 9293, 3.4): `a` is behind `b` when less than half the circle
//! lies between.

/// Whether `a` comes after `b`.
#[inline]
pub(super) const fn after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

/// Whether `a` comes before `b`.
#[inline]
pub(super) const fn before(a: u32, b: u32) -> bool {
    after(b, a)
}

/// The later of the two.
#[inline]
pub(super) const fn later(a: u32, b: u32) -> u32 {
    if after(a, b) { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_goes_round() {
        assert!(after(0, u32::MAX) && before(u32::MAX, 0) && !after(7, 7) && !before(7, 7));
        assert!(after(0x8000_0000 - 1, 0) && !after(0x8000_0001, 0));
        assert_eq!(later(2, u32::MAX - 1), 2);
    }
}
