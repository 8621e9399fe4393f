//! TCP data in order, as far as the receiver acknowledged it; what came first counts.

use std::collections::{BTreeMap, VecDeque};

use app::Direction;
use wire::Tcp;

/// The next of a direction.
pub enum Piece {
    /// Bytes.
    Data(Vec<u8>),
    /// So many were not seen.
    Gap(u64),
}

#[derive(Default)]
struct Half {
    /// Sequence number of the first byte that was not delivered; `None` before a SYN.
    next: Option<u32>,
    /// Data by its distance from the first byte.
    segments: BTreeMap<u64, Vec<u8>>,
    /// Distance of `next` from the first byte, and of what is acknowledged.
    at: u64,
    acked: u64,
    first: u32,
    finished: bool,
    ready: VecDeque<Piece>,
}

/// Bytes of a direction that are delivered.
const DEPTH: u64 = 1 << 20;

impl Half {
    fn distance(&self, seq: u32) -> Option<u64> {
        let next = self.next?;
        let ahead = i64::from(seq.wrapping_sub(next).cast_signed());
        u64::try_from(self.at.cast_signed() + ahead).ok()
    }

    fn release(&mut self, all: bool) {
        while let Some((&from, segment)) = self.segments.first_key_value() {
            let segment = segment.clone();
            let end = from + segment.len() as u64;
            if end <= self.at {
                self.segments.remove(&from);
                continue;
            }
            let limit = if all { end } else { self.acked.min(end) };
            if from > self.at {
                if !all && self.acked <= from {
                    break;
                }
                self.ready.push_back(Piece::Gap(from - self.at));
                self.advance(from);
            }
            if limit <= self.at {
                break;
            }
            let bytes = segment[(self.at - from) as usize..(limit - from) as usize].to_vec();
            if self.at < DEPTH {
                self.ready.push_back(Piece::Data(bytes));
            }
            self.advance(limit);
        }
    }

    fn advance(&mut self, to: u64) {
        self.next = self.next.map(|next| next.wrapping_add((to - self.at) as u32));
        self.at = to;
    }
}

/// Both directions of a connection.
#[derive(Default)]
pub struct Reassembly([Half; 2]);

impl Reassembly {
    pub fn segment(&mut self, direction: Direction, tcp: &Tcp, payload: &[u8]) {
        let half = &mut self.0[direction.index()];
        if tcp.flags & 0x02 != 0 && half.next.is_none() {
            half.next = Some(tcp.seq.wrapping_add(1));
        }
        let seq = tcp.seq.wrapping_add(u32::from(tcp.flags & 0x02 != 0));
        if !payload.is_empty()
            && let Some(at) = half.distance(seq)
        {
            half.segments
                .entry(at)
                .and_modify(|old| {
                    if payload.len() > old.len() {
                        old.extend_from_slice(&payload[old.len()..]);
                    }
                })
                .or_insert_with(|| payload.to_vec());
        }
        half.finished |= tcp.flags & 0x05 != 0;
        if tcp.flags & 0x04 != 0 {
            half.release(true);
        }
        if tcp.flags & 0x10 != 0 {
            let other = &mut self.0[direction.flipped().index()];
            if let Some(acked) = other.distance(tcp.ack) {
                other.acked = other.acked.max(acked);
                other.release(false);
            }
        }
    }

    pub fn take(&mut self, direction: Direction) -> Option<Piece> {
        self.0[direction.index()].ready.pop_front()
    }

    pub fn flush(&mut self, direction: Direction) {
        self.0[direction.index()].release(true);
    }

    pub fn reverse(&mut self) {
        self.0.swap(0, 1);
    }

    /// Whether both sides, or one by a reset, have ended it.
    pub fn is_over(&self) -> bool {
        self.0.iter().any(|half| half.finished)
    }
}
