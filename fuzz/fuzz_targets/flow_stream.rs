//! TCP connections under a program of segments.
//!
//! The first byte chooses the policy (modulo 15), the second the configuration by its bits (inline, midstream, one-sided,
//! depth, small limits, small memory, sequence numbers near the end of their circle, with or without handshake). Then one
//! operation after another, a byte `dkkkkfff` (direction, kind, what of the flags):
//! - kinds 0-9, a segment: a byte of sequence number (signed, in units of 4, from where the sender is), one of
//!   acknowledgement (the same), one of length, one of content;
//! - kinds 10-11, a segment with sequence and acknowledgement numbers of four bytes each, and a window of two;
//! - kind 12, options: the next byte says how many of the following are the next segment's;
//! - kind 13, raw data is inspected; 14, a direction is flushed, stopped or triggered; 15, packet time passes.
//!
//! Whatever comes: released pieces follow each other without overlap, raw windows are of the bytes that were released, and
//! all memory is within its budget and given back.

#![no_main]

use app::Direction;
use flow::stream::{Chunk, NOT_RAISED, Outcome, OverlapPolicy, Stream, StreamBudget, StreamConfig};
use libfuzzer_sys::fuzz_target;
use wire::Tcp;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn word(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first_chunk::<4>()?;
        self.0 = rest;
        Some(u32::from_be_bytes(*first))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.byte()?).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(bytes)
    }
}

const FLAGS: [u8; 8] = [0x10, 0x18, 0x11, 0x02, 0x12, 0x14, 0x04, 0x00];
const BUDGET: usize = 1 << 20;

/// One direction as its receiver got it.
#[derive(Default)]
struct Received {
    at: u64,
    /// The released bytes; what was lost is not known.
    bytes: Vec<Option<u8>>,
}

struct Play {
    stream: Stream,
    config: StreamConfig,
    budget: StreamBudget,
    received: [Received; 2],
    /// Where each end is, as a program's segments see it.
    next: [u32; 2],
    now_us: u64,
}

impl Play {
    fn segment(&mut self, direction: Direction, tcp: Tcp, options: &[u8], payload: &[u8]) {
        let header = [&[0; 20], options].concat();
        let (budget, before) = (&mut self.budget, self.stream.state());
        let segment =
            self.stream.segment(&self.config, budget, &tcp, &header, direction, payload, self.now_us);
        for (event, reason) in NOT_RAISED {
            assert!(!segment.events.contains(event), "{}: {reason}", event.as_str());
        }
        if matches!(segment.outcome, Outcome::Invalid | Outcome::Ignored | Outcome::NoSession) {
            assert!(!segment.queued);
            assert_eq!(self.stream.state(), before);
        }
        assert!(!segment.queued || !payload.is_empty());
        if segment.outcome == Outcome::Accepted && !self.stream.is_established() {
            let end = tcp.seq.wrapping_add(u32::from(tcp.flags & 2 != 0));
            self.next[direction.index()] = end;
        } else if segment.queued {
            self.next[direction.index()] = tcp.seq.wrapping_add(payload.len() as u32);
        }
        self.take();
    }

    fn take(&mut self) {
        for direction in Direction::BOTH {
            let received = &mut self.received[direction.index()];
            while let Some(chunk) = self.stream.take(direction) {
                match chunk {
                    Chunk::Data { offset, bytes } => {
                        assert!(!bytes.is_empty());
                        assert_eq!(offset, received.at);
                        received.at += bytes.len() as u64;
                        received.bytes.extend(bytes.iter().copied().map(Some));
                    }
                    Chunk::Gap { offset, len } => {
                        assert!(len > 0);
                        assert_eq!(offset, received.at);
                        received.at += len;
                        let kept = received.bytes.len() + len.min(1 << 16) as usize;
                        received.bytes.resize(kept, None);
                    }
                }
            }
            // The merging of two runs may exceed the limit by what it moves.
            assert!(self.budget.used() <= 2 * BUDGET + (1 << 18), "{}", self.budget.used());
        }
    }

    fn inspect(&mut self, direction: Direction) {
        let mut last = 0;
        while let Some(raw) = self.stream.raw(&self.config, direction) {
            assert!(raw.fresh < raw.bytes.len(), "something new");
            let fresh = raw.offset + raw.fresh as u64;
            assert!(fresh >= last, "nothing twice");
            last = raw.offset + raw.bytes.len() as u64;
            let received = &self.received[direction.index()];
            // Positions are those of the record as long as no gap was cut short in it.
            if received.bytes.len() as u64 == received.at {
                for (index, byte) in raw.bytes.iter().enumerate() {
                    let at = raw.offset as usize + index;
                    if let Some(known) = received.bytes.get(at) {
                        assert_eq!(*known, Some(*byte), "byte {at}");
                    }
                }
            }
            self.stream.raw_inspected(direction);
        }
    }
}

fn run(data: &[u8]) -> Option<()> {
    let mut input = Input(data);
    let policy = OverlapPolicy::ALL[usize::from(input.byte()?) % OverlapPolicy::ALL.len()];
    let bits = input.byte()?;
    let bit = |index: u8| bits >> index & 1 == 1;
    let config = StreamConfig {
        inline: bit(0),
        midstream: bit(1),
        async_oneside: bit(2),
        policy,
        depth_bytes: if bit(3) { 200 } else { 0 },
        segments_max: if bit(4) { 4 } else { 256 },
        bytes_max: if bit(4) { 300 } else { 1 << 18 },
        raw_chunk_bytes: 64,
        raw_overlap_bytes: 32,
        ..StreamConfig::default()
    };
    let budget = StreamBudget::new(if bit(5) { 4096 } else { BUDGET });
    let next = if bit(6) { [u32::MAX - 20, u32::MAX - 7] } else { [1000, 5000] };
    let mut play = Play {
        stream: Stream::default(),
        config,
        budget,
        received: Default::default(),
        next,
        now_us: 1_700_000_000_000_000,
    };
    if bit(7) {
        let [client, server] = next;
        let tcp = |seq: u32, ack: u32, flags| Tcp { seq, ack, window: 60_000, flags };
        play.segment(Direction::ToServer, tcp(client, 0, 2), &[], &[]);
        play.segment(Direction::ToClient, tcp(server, client.wrapping_add(1), 0x12), &[], &[]);
        let (seq, ack) = (client.wrapping_add(1), server.wrapping_add(1));
        play.segment(Direction::ToServer, tcp(seq, ack, 0x10), &[], &[]);
        play.next = [seq, ack];
    }
    let mut options: &[u8] = &[];
    while let Some(operation) = input.byte() {
        let direction = Direction::BOTH[usize::from(operation >> 7)];
        let own = direction.index();
        let flags = FLAGS[usize::from(operation & 7)];
        let near = |base: u32, units: u8| base.wrapping_add((i32::from(units as i8) * 4) as u32);
        match operation >> 3 & 15 {
            kind @ 0..=9 => {
                let (seq, ack) = (input.byte()?, input.byte()?);
                // Every second kind keeps to where both ends are.
                let exact = kind % 2 == 0;
                let seq = if exact { play.next[own] } else { near(play.next[own], seq) };
                let ack = if exact { play.next[own ^ 1] } else { near(play.next[own ^ 1], ack) };
                let (len, byte) = (usize::from(input.byte()?), input.byte()?);
                let payload: Vec<u8> = (0..len).map(|at| byte.wrapping_add(at as u8)).collect();
                let ack = if flags & 0x10 == 0 { 0 } else { ack };
                play.segment(direction, Tcp { seq, ack, window: 60_000, flags }, options, &payload);
                options = &[];
            }
            10 | 11 => {
                let (seq, ack) = (input.word()?, input.word()?);
                let window = u16::from_be_bytes([input.byte()?, input.byte()?]);
                let payload = input.bytes()?;
                play.segment(direction, Tcp { seq, ack, window, flags }, options, payload);
                options = &[];
            }
            12 => options = input.bytes()?,
            13 => play.inspect(direction),
            14 => match operation & 7 {
                0 => play.stream.stop(&mut play.budget, direction),
                1 => play.stream.stop_raw(&mut play.budget, direction),
                2 => {
                    play.stream.flush(&play.config, &mut play.budget, direction);
                    play.take();
                }
                _ => play.stream.trigger_raw(direction),
            },
            _ => play.now_us += u64::from(input.byte()?) * 60_000_000,
        }
    }
    for direction in Direction::BOTH {
        play.stream.flush(&play.config, &mut play.budget, direction);
        play.take();
        play.inspect(direction);
    }
    play.stream.close(&mut play.budget);
    assert_eq!(play.budget.used(), 0);
    Some(())
}

fuzz_target!(|data: &[u8]| {
    run(data);
});
