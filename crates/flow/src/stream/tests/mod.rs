//! Connections played to a [`Stream`], segment by segment, with sequence numbers relative to each side's initial one.

mod corpora;
mod events;
mod oracle;
mod overlaps;
mod raw;
mod release;
mod session;

use std::fmt::Write as _;

use app::Direction;
use wire::Tcp;

use super::*;
use crate::tcp::{ACK, SYN};

/// One piece of what was released: the number of the segment that released it (counted from 0), where it belongs, and the
/// bytes; `Err` with the length of a gap.
type Piece = (usize, u64, Result<Vec<u8>, u64>);

struct Talk {
    stream: Stream,
    config: StreamConfig,
    budget: StreamBudget,
    initial: [u32; 2],
    window: u16,
    now_us: u64,
    segments: usize,
    pieces: [Vec<Piece>; 2],
    events: Vec<(usize, StreamEvent)>,
    last: Segment,
}

impl Talk {
    fn new(config: StreamConfig) -> Self {
        Self {
            stream: Stream::default(),
            config,
            budget: StreamBudget::new(16 << 20),
            initial: [1000, 5000],
            window: 8192,
            now_us: 1_700_000_000_000_000,
            segments: 0,
            pieces: [Vec::new(), Vec::new()],
            events: Vec::new(),
            last: Segment::default(),
        }
    }

    /// After the three-way handshake.
    fn open(config: StreamConfig) -> Self {
        let mut talk = Self::new(config);
        talk.shake();
        talk
    }

    fn shake(&mut self) -> &mut Self {
        self.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"").c(1, 1, ACK, b"")
    }

    fn c(&mut self, seq: i64, ack: i64, flags: u8, payload: &[u8]) -> &mut Self {
        self.segment(Direction::ToServer, seq, ack, flags, payload, &[])
    }

    fn s(&mut self, seq: i64, ack: i64, flags: u8, payload: &[u8]) -> &mut Self {
        self.segment(Direction::ToClient, seq, ack, flags, payload, &[])
    }

    fn segment(
        &mut self,
        direction: Direction,
        seq: i64,
        ack: i64,
        flags: u8,
        payload: &[u8],
        options: &[u8],
    ) -> &mut Self {
        let own = direction.index();
        let ack = if flags & ACK == 0 { 0 } else { self.initial[own ^ 1].wrapping_add(ack as u32) };
        let tcp = Tcp { seq: self.initial[own].wrapping_add(seq as u32), ack, window: self.window, flags };
        let header = [&[0; 20], options].concat();
        self.now_us += 1000;
        self.last = self.stream.segment(
            &self.config,
            &mut self.budget,
            &tcp,
            &header,
            direction,
            payload,
            self.now_us,
        );
        let number = self.segments;
        self.events.extend(self.last.events.iter().map(|event| (number, event)));
        self.collect();
        self.segments += 1;
        self
    }

    fn collect(&mut self) {
        for direction in Direction::BOTH {
            while let Some(chunk) = self.stream.take(direction) {
                let piece = match chunk {
                    Chunk::Data { offset, bytes } => (self.segments, offset, Ok(bytes.to_vec())),
                    Chunk::Gap { offset, len } => (self.segments, offset, Err(len)),
                };
                self.pieces[direction.index()].push(piece);
            }
        }
    }

    fn flush(&mut self) -> &mut Self {
        for direction in Direction::BOTH {
            self.stream.flush(&self.config, &mut self.budget, direction);
        }
        self.collect();
        self
    }

    /// Everything that was released of a direction; a gap shows as `[12]`.
    fn text(&self, direction: Direction) -> String {
        let mut text = String::new();
        let mut at = 0;
        for (_, offset, piece) in &self.pieces[direction.index()] {
            assert_eq!(*offset, at, "pieces follow each other");
            match piece {
                Ok(bytes) => {
                    at += bytes.len() as u64;
                    text += &String::from_utf8_lossy(bytes);
                }
                Err(len) => {
                    at += len;
                    let _ = write!(text, "[{len}]");
                }
            }
        }
        text
    }

    /// Which segment released how many bytes.
    fn timing(&self, direction: Direction) -> Vec<(usize, usize)> {
        let data = |(number, _, piece): &Piece| piece.as_ref().ok().map(|bytes| (*number, bytes.len()));
        self.pieces[direction.index()].iter().filter_map(data).collect()
    }

    fn events(&self) -> Vec<&'static str> {
        self.events.iter().map(|(_, event)| event.as_str()).collect()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        self.stream.close(&mut self.budget);
        if !std::thread::panicking() {
            assert_eq!(self.budget.used(), 0, "memory is given back");
        }
    }
}
