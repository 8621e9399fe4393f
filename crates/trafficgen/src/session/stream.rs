//! Application bytes of one direction, some of them computed when they are sent.

/// What a filler is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Filler {
    /// Bytes that look encrypted or compressed.
    Noise,
    /// English-like sentences with line breaks.
    Text,
}

#[derive(Debug)]
enum Part {
    Bytes(Vec<u8>),
    Computed { filler: Filler, seed: u64, len: u64 },
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Computed { len, .. } => *len,
        }
    }
}

/// Bytes one end sends before it waits for the other. Fillers take no memory, so an elephant is as small as a mouse.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    parts: Vec<Part>,
    len: u64,
}

const TEXT: &[u8] = b"The pump on line four was replaced before the morning shift and has run without complaint since \
then.\nPlease find the revised delivery dates in the table below; the carrier confirmed them by telephone.\nAll \
readings were taken at the usual points, with the sluice closed and the basin at its upper mark.\nVisitors are asked \
to register at the gate and to leave their vehicles in the second row.\nThe committee meets again on the last \
Thursday of the month to hear the results of the survey.\nSpare parts for the older model are kept in store until \
the end of the year.\n";

impl Stream {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self::default().bytes(bytes)
    }

    #[must_use]
    pub(crate) fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        self.len += bytes.len() as u64;
        self.parts.push(Part::Bytes(bytes));
        self
    }

    #[must_use]
    pub(crate) fn filler(mut self, filler: Filler, seed: u64, len: u64) -> Self {
        self.len += len;
        self.parts.push(Part::Computed { filler, seed, len });
        self
    }

    pub(crate) const fn len(&self) -> u64 {
        self.len
    }

    /// Appends `count` bytes from `offset` on; fewer when the stream ends.
    pub(crate) fn copy(&self, offset: u64, count: u64, to: &mut Vec<u8>) {
        let end = offset.saturating_add(count);
        let mut part_start = 0;
        for part in &self.parts {
            let part_end = part_start + part.len();
            if part_start >= end {
                break;
            }
            if part_end > offset {
                let from = offset.max(part_start) - part_start;
                let until = end.min(part_end) - part_start;
                match part {
                    Part::Bytes(bytes) => {
                        to.extend_from_slice(bytes.get(from as usize..until as usize).unwrap_or_default());
                    }
                    Part::Computed { filler: Filler::Noise, seed, .. } => noise(*seed, from, until, to),
                    Part::Computed { filler: Filler::Text, seed, .. } => text(*seed, from, until, to),
                }
            }
            part_start = part_end;
        }
    }
}

/// The finalizer of `SplitMix64` over the position: any offset costs the same.
const fn mix(value: u64) -> u64 {
    let value = value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

fn noise(seed: u64, from: u64, until: u64, to: &mut Vec<u8>) {
    let mut at = from;
    while at < until {
        let word = mix(seed.wrapping_add(at / 8)).to_le_bytes();
        let skip = (at % 8) as usize;
        let take = (8 - skip).min((until - at) as usize);
        to.extend_from_slice(word.get(skip..skip + take).unwrap_or_default());
        at += take as u64;
    }
}

fn text(seed: u64, from: u64, until: u64, to: &mut Vec<u8>) {
    let len = TEXT.len() as u64;
    let mut at = from;
    while at < until {
        let skip = ((seed % len + at) % len) as usize;
        let rest = TEXT.get(skip..).unwrap_or_default();
        let take = rest.len().min((until - at) as usize);
        to.extend_from_slice(rest.get(..take).unwrap_or_default());
        at += take as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_cut_gives_the_same_bytes() {
        let stream = Stream::new("head\r\n")
            .filler(Filler::Text, 77, 1801)
            .bytes("--")
            .filler(Filler::Noise, 5, 1003)
            .bytes("tail");
        let mut whole = Vec::new();
        stream.copy(0, u64::MAX, &mut whole);
        assert_eq!(whole.len() as u64, stream.len());
        assert!(whole.starts_with(b"head\r\n") && whole.ends_with(b"tail"));
        for step in [1, 3, 7, 8, 100, 1448] {
            let mut cut = Vec::new();
            for offset in (0..stream.len()).step_by(step) {
                stream.copy(offset, step as u64, &mut cut);
            }
            assert_eq!(cut, whole, "in steps of {step}");
        }
    }
}
