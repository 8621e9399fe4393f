//! The transmit loop against a port that takes what it likes, and a clock that moves when it is told to.

use std::cell::{Cell, RefCell};

use super::*;
use crate::replay::{Capture, CaptureLimits, Pace, ReplayOptions, Tags};
use crate::trace::{TraceOptions, write_trace};

fn capture(tags: Tags) -> Capture {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("trace.pcap");
    let options =
        TraceOptions { tenants: 1, conversations: 40, elephant_bytes: 0, ..TraceOptions::default() };
    write_trace(&options, &path, None).unwrap();
    Capture::load(&path, tags, CaptureLimits::default()).unwrap()
}

/// What the replay says is to be sent: when it is due, and the bytes.
fn expected(capture: &Capture, options: ReplayOptions) -> Vec<(u64, Vec<u8>)> {
    let mut replay = Replay::new(capture, options).unwrap();
    let mut out = Vec::new();
    while let Some(due) = replay.next_due() {
        let mut frame = vec![0; due.len];
        assert!(replay.write_to(&mut frame));
        out.push((due.at_ns, frame));
    }
    out
}

/// Takes as many frames of each burst as `takes` says, turn by turn, and notes when.
struct Fussy<'a> {
    takes: &'a dyn Fn(usize) -> usize,
    turns: usize,
    /// Turns that left something in the burst.
    short: u64,
    now_ns: &'a Cell<u64>,
    taken: &'a RefCell<Vec<(u64, Vec<u8>)>>,
}

impl Wire for Fussy<'_> {
    fn tx_burst(&mut self, burst: &mut Burst) -> usize {
        let takes = (self.takes)(self.turns).min(burst.len());
        self.turns += 1;
        self.short += u64::from(takes < burst.len());
        for mbuf in burst.drain(..takes) {
            self.taken.borrow_mut().push((self.now_ns.get(), mbuf.data().to_vec()));
        }
        takes
    }
}

/// Every look at it takes `step_ns`.
struct Stepping<'a> {
    now_ns: &'a Cell<u64>,
    step_ns: u64,
}

impl Clock for Stepping<'_> {
    fn now_ns(&mut self) -> u64 {
        self.now_ns.set(self.now_ns.get() + self.step_ns);
        self.now_ns.get()
    }

    fn pause(&mut self, ns: u64) {
        assert!(ns > 0);
        self.now_ns.set(self.now_ns.get() + ns.min(self.step_ns));
    }
}

/// Sends through the loop; returns what it says, what the port took and when, and in how many turns.
fn run(
    capture: &Capture,
    options: ReplayOptions,
    step_ns: u64,
    stop: &AtomicBool,
    takes: &dyn Fn(usize) -> usize,
) -> (Sent, Vec<(u64, Vec<u8>)>, usize) {
    let (eal, _) = testkit::eal(0);
    // Checks at its end that every buffer is back.
    let pool = testkit::pool::<()>(&eal, 255);
    let (now_ns, taken) = (Cell::new(0), RefCell::default());
    let wire = Fussy { takes, turns: 0, short: 0, now_ns: &now_ns, taken: &taken };
    let clock = Stepping { now_ns: &now_ns, step_ns };
    let replay = Replay::new(capture, options).unwrap();
    let (sent, wire) = Transmit::new(replay, options.vlans, &pool, wire, clock).run(stop);
    let turns = wire.turns;
    assert_eq!(sent.retries, wire.short);
    (sent, taken.into_inner(), turns)
}

#[test]
fn what_the_port_does_not_take_is_offered_again_in_order() {
    let capture = capture(Tags::One);
    let vlans = VlanRange { first: 200, count: 2 };
    let options = ReplayOptions { loops: 3, vlans: Some(vlans), pace: Pace::Unlimited };
    let expected = expected(&capture, options);
    let pattern = [0, 1, 7, 64, 3, 0, 40];
    let takes = |turn: usize| pattern[turn % pattern.len()];
    let (sent, taken, _) = run(&capture, options, 10, &AtomicBool::new(false), &takes);

    let frames = |list: Vec<(u64, Vec<u8>)>| list.into_iter().map(|(_, frame)| frame).collect::<Vec<_>>();
    let (taken, expected) = (frames(taken), frames(expected));
    assert!(taken == expected, "{} frames taken, {} expected", taken.len(), expected.len());
    assert_eq!(sent.ended, Ended::Complete);
    assert_eq!(sent.packets, 3 * capture.len() as u64);
    assert_eq!(sent.bytes, taken.iter().map(|frame| frame.len() as u64).sum::<u64>());
    // Loops 0 and 2 are the first tenant's, loop 1 the second's.
    let one = capture.total_bytes() as u64;
    let count = |vlan, loops| VlanCount { vlan, packets: loops * capture.len() as u64, bytes: loops * one };
    assert_eq!(sent.vlans, [count(200, 2), count(201, 1)]);
}

#[test]
fn no_frame_leaves_early_and_none_a_step_late() {
    let capture = capture(Tags::Keep);
    let options = ReplayOptions { loops: 2, vlans: None, pace: Pace::PacketsPerSecond(1_000_000) };
    let expected = expected(&capture, options);
    let (sent, taken, _) = run(&capture, options, 100, &AtomicBool::new(false), &|_| BURST_MAX);
    assert_eq!((sent.ended, taken.len(), sent.retries), (Ended::Complete, expected.len(), 0));
    for ((at_ns, _), (due_ns, _)) in taken.iter().zip(&expected) {
        // A look, a pause and another two looks are at most 400 ns apart here.
        assert!((*due_ns..*due_ns + 400).contains(at_ns), "due at {due_ns}, sent at {at_ns}");
    }
    assert!(sent.vlans.is_empty());
}

#[test]
fn a_port_that_takes_nothing_any_more_is_given_up() {
    let capture = capture(Tags::Keep);
    let options = ReplayOptions { loops: 1, vlans: None, pace: Pace::Unlimited };
    let takes = |turn: usize| if turn < 2 { 50 } else { 0 };
    let (sent, taken, _) = run(&capture, options, 1_000_000, &AtomicBool::new(false), &takes);
    assert_eq!((sent.ended, sent.packets, taken.len()), (Ended::Stalled, 100, 100));
    // Ten seconds of a clock that moves a millisecond with every look.
    assert!((9_000..=11_000).contains(&sent.retries), "{sent:?}");
}

#[test]
fn it_ends_when_asked_and_keeps_no_buffer() {
    let capture = capture(Tags::Keep);
    let options = ReplayOptions { loops: 1000, vlans: None, pace: Pace::Unlimited };
    let stop = AtomicBool::new(false);
    let takes = |turn: usize| {
        stop.store(turn == 9, Ordering::Relaxed);
        10
    };
    let (sent, taken, turns) = run(&capture, options, 10, &stop, &takes);
    assert_eq!((sent.ended, sent.packets, taken.len(), turns), (Ended::Interrupted, 100, 100, 10));
}
