//! The queue against a slow oracle: for each byte of the stream, who brought it and where his segment began and ended.

use std::cell::Cell;

use app::Direction::{ToClient, ToServer};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::stream::overlap::Extent;

/// Bytes of the stream that a case plays with.
const LENGTH: usize = 160;

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A segment of the client's, from where to where, with a byte of its own.
    Segment { start: usize, end: usize, byte: u8 },
    /// The server acknowledges.
    Acknowledge { upto: usize },
}

#[derive(Clone, Debug)]
struct Case {
    policy: OverlapPolicy,
    inline: bool,
    initial: u32,
    steps: Vec<Step>,
}

fn step() -> impl Strategy<Value = Step> {
    let segment = (0..LENGTH - 1, 1..24_usize, any::<u8>()).prop_map(|(start, len, byte)| Step::Segment {
        start,
        end: (start + len).min(LENGTH),
        byte,
    });
    prop_oneof![5 => segment, 1 => (0..=LENGTH).prop_map(|upto| Step::Acknowledge { upto })]
}

/// Half of the cases send the stream in order, with repetitions and losses; the others send it anyhow.
fn orderly() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec((1..20_usize, any::<u8>(), 0..10_u8), 4..40).prop_map(|parts| {
        let (mut at, mut steps) = (0, Vec::new());
        for (len, byte, what) in parts {
            let end = (at + len).min(LENGTH);
            let start = if what == 7 { at.saturating_sub(5) } else { at };
            if start < end && what != 9 {
                steps.push(Step::Segment { start, end, byte });
            }
            at = end;
            if what % 3 == 0 {
                steps.push(Step::Acknowledge { upto: at });
            }
        }
        steps
    })
}

fn case() -> impl Strategy<Value = Case> {
    let steps = prop_oneof![prop::collection::vec(step(), 1..60), orderly()];
    let initial = prop_oneof![any::<u32>(), (0..200_u32).prop_map(|back| u32::MAX - back)];
    (prop::sample::select(OverlapPolicy::ALL.to_vec()), prop::bool::weighted(0.2), initial, steps)
        .prop_map(|(policy, inline, initial, steps)| Case { policy, inline, initial, steps })
}

/// The stream as it must come out: each byte with the segments that brought it, decided byte by byte.
struct Oracle {
    policy: OverlapPolicy,
    inline: bool,
    bytes: Vec<Option<u8>>,
    segments: Vec<Extent>,
    acked: usize,
    released: usize,
    out: Vec<Option<u8>>,
    overlaps: usize,
    replaced: usize,
    gaps: usize,
}

impl Oracle {
    fn segment(&mut self, start: usize, end: usize, byte: u8) {
        let new = Extent { start: start as u64, end: end as u64 };
        for at in start.max(self.released)..end {
            let covers = |old: &&Extent| old.start <= at as u64 && (at as u64) < old.end;
            let mut held = self.segments.iter().filter(covers).peekable();
            let keeps = |old: &Extent| self.inline || !self.policy.replaces(new, *old);
            if held.peek().is_some() {
                self.overlaps += 1;
                if held.any(keeps) {
                    continue;
                }
                self.replaced += 1;
            }
            self.bytes[at] = Some(byte.wrapping_add(at as u8));
        }
        if end > self.released {
            self.segments.push(new);
        }
        if self.inline {
            self.release();
        }
    }

    fn acknowledge(&mut self, upto: usize) {
        self.acked = self.acked.max(upto);
        self.release();
    }

    fn release(&mut self) {
        while self.released < LENGTH {
            let next = self.bytes[self.released];
            let behind = self.bytes[self.released..].iter().any(Option::is_some);
            let acked = self.released < self.acked;
            match next {
                Some(_) if acked || self.inline => {}
                None if acked && behind => self.gaps += 1,
                _ => break,
            }
            self.out.push(next);
            self.released += 1;
        }
        self.segments.retain(|segment| segment.end > self.released as u64);
    }
}

fn released(talk: &Talk) -> Vec<Option<u8>> {
    let mut out = Vec::new();
    for (_, offset, piece) in &talk.pieces[ToServer.index()] {
        assert_eq!(*offset, out.len() as u64);
        match piece {
            Ok(bytes) => out.extend(bytes.iter().copied().map(Some)),
            Err(len) => out.resize(out.len() + *len as usize, None),
        }
    }
    out
}

fn play(case: &Case) -> Oracle {
    let config = StreamConfig { policy: case.policy, inline: case.inline, ..StreamConfig::default() };
    let mut talk = Talk::new(config);
    talk.initial = [case.initial, 77];
    talk.shake();
    let mut oracle = Oracle {
        policy: case.policy,
        inline: case.inline,
        bytes: vec![None; LENGTH],
        segments: Vec::new(),
        acked: 0,
        released: 0,
        out: Vec::new(),
        overlaps: 0,
        replaced: 0,
        gaps: 0,
    };
    // The session engine refuses some of what is played here; the data's way is what this is about.
    for step in &case.steps {
        match *step {
            Step::Segment { start, end, byte } => {
                let payload: Vec<u8> = (start..end).map(|at| byte.wrapping_add(at as u8)).collect();
                let own = &mut talk.stream.halves[0];
                let mut events = StreamEvents::default();
                own.insert(&config, &mut talk.budget, &mut events, start as i64, &payload);
                if case.inline {
                    own.release_arrived(&config, &mut talk.budget, &mut events);
                }
                oracle.segment(start, end, byte);
            }
            Step::Acknowledge { upto } => {
                let mut events = StreamEvents::default();
                // As the session engine does: an acknowledgement does not go back.
                let acked = oracle.acked.max(upto);
                talk.stream.halves[0].acknowledge(&config, &mut talk.budget, &mut events, acked as u64);
                oracle.acknowledge(acked);
            }
        }
        talk.collect();
        assert_eq!(released(&talk), oracle.out, "{case:?}");
    }
    assert!(talk.pieces[ToClient.index()].is_empty());
    talk.flush();
    let end = oracle.bytes[oracle.released..].iter().position(Option::is_none);
    let rest = &oracle.bytes[oracle.released..end.map_or(LENGTH, |end| oracle.released + end)];
    oracle.out.extend(rest);
    assert_eq!(released(&talk), oracle.out, "{case:?}");
    oracle
}

#[test]
fn every_byte_is_whose_the_policy_says() {
    let mut runner = TestRunner::new(Config { cases: 3000, failure_persistence: None, ..Config::default() });
    let counts: [Cell<usize>; 4] = Default::default();
    let result = runner.run(&case(), |case| {
        let oracle = play(&case);
        let of_this = [oracle.overlaps, oracle.replaced, oracle.gaps, oracle.out.len()];
        for (count, more) in counts.iter().zip(of_this) {
            count.set(count.get() + more);
        }
        Ok(())
    });
    result.unwrap();
    let [overlaps, replaced, gaps, bytes] = counts.map(Cell::into_inner);
    assert!(overlaps > 50_000 && replaced > 15_000, "{overlaps} bytes met others, {replaced} replaced them");
    assert!(overlaps - replaced > 15_000, "{} stayed", overlaps - replaced);
    assert!(gaps > 10_000 && bytes > 100_000, "{gaps} bytes were missing, {bytes} came out");
}

/// Whole connections: random segmentation, losses repaired, reordering within the window; what comes out is what went in.
#[test]
fn honest_connections_come_out_as_they_went_in() {
    let strategy = (
        prop::collection::vec(any::<u8>(), 1..4000),
        prop::collection::vec((1..700_usize, 0..8_u8), 1..80),
        any::<u32>(),
        prop::sample::select(OverlapPolicy::ALL.to_vec()),
    );
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let reordered = Cell::new(0_usize);
    let result = runner.run(&strategy, |(data, parts, initial, policy)| {
        let mut talk = Talk::new(StreamConfig { policy, ..StreamConfig::default() });
        talk.initial = [initial, initial.wrapping_mul(31)];
        talk.shake();
        let (mut at, mut held): (usize, Option<(usize, usize)>) = (0, None);
        let mut parts = parts.into_iter().cycle();
        while at < data.len() {
            let Some((len, how)) = parts.next() else { break };
            let end = (at + len).min(data.len());
            if how == 0 && held.is_none() {
                held = Some((at, end));
                reordered.set(reordered.get() + 1);
            } else {
                talk.c(1 + at as i64, 1, ACK, &data[at..end]);
                prop_assert!(talk.last.queued);
            }
            if how == 3 {
                // Sent twice.
                talk.c(1 + at as i64, 1, ACK, &data[at..end]);
            }
            if how > 4 {
                if let Some((start, end)) = held.take() {
                    talk.c(1 + start as i64, 1, ACK, &data[start..end]);
                }
                talk.s(1, 1 + end as i64, ACK, b"");
            }
            at = end;
        }
        if let Some((start, end)) = held.take() {
            talk.c(1 + start as i64, 1, ACK, &data[start..end]);
        }
        talk.s(1, 1 + data.len() as i64, ACK, b"");
        let out: Vec<u8> = released(&talk).into_iter().map(Option::unwrap).collect();
        prop_assert_eq!(out, data);
        Ok(())
    });
    result.unwrap();
    assert!(reordered.get() > 200, "{} segments came late", reordered.get());
}
