//! The buffer trait that parsing owns and a driver implements.

/// One received frame, in one or more segments.
///
/// Headers are parsed in place in [`head`](PacketBuf::head). Only a frame that does not fit its first segment is
/// copied, and only when somebody asks for all of it.
pub trait PacketBuf {
    /// The bytes of the first segment; the whole frame when [`is_contiguous`](PacketBuf::is_contiguous).
    fn head(&self) -> &[u8];

    /// Frame length in bytes over all segments, without the FCS.
    fn frame_len(&self) -> usize;

    /// Appends every byte of the frame to `to`.
    fn copy_to(&self, to: &mut Vec<u8>);

    /// Whether [`head`](PacketBuf::head) is the whole frame.
    fn is_contiguous(&self) -> bool {
        self.head().len() == self.frame_len()
    }

    /// The whole frame as one slice: in place when contiguous, else copied into `scratch` (which is cleared first).
    fn contiguous<'a>(&'a self, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        if self.is_contiguous() {
            return self.head();
        }
        scratch.clear();
        self.copy_to(scratch);
        scratch
    }
}

impl PacketBuf for [u8] {
    fn head(&self) -> &[u8] {
        self
    }

    fn frame_len(&self) -> usize {
        self.len()
    }

    fn copy_to(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Segments(Vec<Vec<u8>>);

    impl PacketBuf for Segments {
        fn head(&self) -> &[u8] {
            self.0.first().map_or(&[], Vec::as_slice)
        }

        fn frame_len(&self) -> usize {
            self.0.iter().map(Vec::len).sum()
        }

        fn copy_to(&self, to: &mut Vec<u8>) {
            self.0.iter().for_each(|segment| to.extend_from_slice(segment));
        }
    }

    #[test]
    fn one_segment_is_read_in_place() {
        let frame = Segments(vec![vec![1, 2, 3]]);
        let mut scratch = vec![9];
        assert!(frame.is_contiguous());
        assert_eq!(frame.contiguous(&mut scratch).as_ptr(), frame.head().as_ptr());
        assert_eq!(scratch, [9], "nothing is copied");
        assert_eq!([1, 2][..].contiguous(&mut scratch), [1, 2]);
    }

    #[test]
    fn several_segments_are_joined_in_scratch() {
        let frame = Segments(vec![vec![1, 2], vec![], vec![3]]);
        let mut scratch = vec![9; 100];
        assert!(!frame.is_contiguous());
        assert_eq!(frame.contiguous(&mut scratch), [1, 2, 3]);
        assert_eq!(scratch, [1, 2, 3], "what was in it is gone");
    }
}
