//! SSH (RFC 4253): banners, the offers of the key exchange, and where encryption begins.
//!
//! In: both directions of a connection. Out: one transaction with the versions and software of both sides and, if wanted,
//! their HASSH fingerprints; one `ssh` record. After both sides' `SSH_MSG_NEWKEYS` everything is encrypted, and the parser
//! wants no more. Of each direction at most one banner or one key exchange message is held.

pub(crate) mod events;
mod hassh;
mod log;
mod transaction;

use std::collections::VecDeque;

use app::{Direction, Stage};

use crate::Record;
use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use transaction::SshTransaction;

/// Longest banner, with its end (RFC 4253, section 4.2, says 255).
const BANNER_MAX: usize = 256;
/// Bytes of a record before its payload: the length of what follows, and that of the padding (section 6).
const RECORD_HEADER: usize = 5;
/// Longest record that is believed; the least that every implementation takes is 35,000 bytes (section 6.1).
const RECORD_MAX: u32 = 262_144;
const KEX_INIT: u8 = 20;
const NEW_KEYS: u8 = 21;

/// The banner's beginning, whichever side begins.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    question.begins_with(b"SSH-")
}

/// Where a direction is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    /// Its banner is not whole.
    #[default]
    Banner,
    /// The rest of an overlong banner is passed over.
    BannerRest,
    /// Records in the clear.
    Records,
    /// What follows cannot be read: it is encrypted, or of version 1.
    Over,
}

/// How one direction is read.
#[derive(Default, Debug)]
struct Side {
    state: State,
    /// A banner or record that is not whole.
    held: Vec<u8>,
    /// Bytes of a record that nobody needs.
    skip: u64,
    /// `SSH_MSG_NEWKEYS` was sent.
    new_keys: bool,
}

/// The parser of one flow.
pub(crate) struct Ssh {
    transactions: VecDeque<SshTransaction>,
    sides: [Side; 2],
    hassh: bool,
    logged: bool,
    closed: [bool; 2],
}

impl Analyzer for Ssh {
    type Tx = SshTransaction;

    fn new(start: &Start<'_>) -> Self {
        Self {
            transactions: VecDeque::from([SshTransaction::default()]),
            sides: [Side::default(), Side::default()],
            hassh: start.config.hassh,
            logged: false,
            closed: [false; 2],
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let outcome = self.read(context, direction, bytes);
        self.log(context, false);
        outcome
    }

    fn gap(&mut self, context: &mut Context<'_>, direction: Direction, len: u64) -> Outcome {
        let Some(side) = self.sides.get_mut(direction.index()) else { return Outcome::Failed };
        match side.state {
            State::Records if side.skip >= len => {
                side.skip -= len;
                Outcome::Continue
            }
            State::Over => Outcome::Continue,
            _ => {
                self.log(context, true);
                Outcome::Failed
            }
        }
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        if let Some(transaction) = self.transactions.front_mut() {
            transaction.side_mut(direction).reach(Stage::Complete);
        }
        if let Some(closed) = self.closed.get_mut(direction.index()) {
            *closed = true;
        }
        if self.closed == [true; 2] {
            self.log(context, true);
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

/// What was made of the bytes at hand.
enum Step {
    /// More of them are needed.
    More,
    /// So many are done with.
    Used(usize),
}

impl Ssh {
    fn read(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let Some(side) = self.sides.get_mut(direction.index()) else { return Outcome::Failed };
        let held = std::mem::take(&mut side.held);
        let joined;
        let mut left = if held.is_empty() {
            bytes
        } else {
            joined = [&held, bytes].concat();
            joined.as_slice()
        };
        while !left.is_empty() {
            let Some(side) = self.sides.get_mut(direction.index()) else { return Outcome::Failed };
            let step = match side.state {
                State::Banner | State::BannerRest => self.banner(direction, left),
                State::Records => match self.record(context, direction, left) {
                    Some(step) => step,
                    None => return Outcome::Failed,
                },
                State::Over => Step::Used(left.len()),
            };
            match step {
                Step::Used(len) => left = left.get(len..).unwrap_or_default(),
                Step::More => {
                    if let Some(side) = self.sides.get_mut(direction.index()) {
                        side.held = left.to_vec();
                    }
                    break;
                }
            }
        }
        if self.sides.iter().all(|side| side.new_keys) {
            return Outcome::Encrypted;
        }
        if self.sides.iter().all(|side| side.state == State::Over) {
            return Outcome::Done;
        }
        Outcome::Continue
    }

    /// A line up to its end; of an endless one what a banner may have.
    fn banner(&mut self, direction: Direction, bytes: &[u8]) -> Step {
        let index = direction.index();
        let (Some(side), Some(transaction)) = (self.sides.get_mut(index), self.transactions.front_mut())
        else {
            return Step::Used(bytes.len());
        };
        let end = memchr::memchr(b'\n', bytes);
        if side.state == State::BannerRest {
            if end.is_some() {
                side.state = State::Records;
            }
            return Step::Used(end.map_or(bytes.len(), |end| end + 1));
        }
        let whole = end.is_some_and(|end| end < BANNER_MAX);
        let line = bytes.get(..end.unwrap_or(bytes.len()).min(BANNER_MAX)).unwrap_or_default();
        let known = transaction.side_mut(direction);
        known.read_banner(line, whole || bytes.len() >= BANNER_MAX);
        if !whole && bytes.len() < BANNER_MAX {
            return Step::More;
        }
        if !whole {
            transaction.raise(events::LONG_BANNER);
        }
        if transaction.side(direction).software.is_none() {
            transaction.raise(events::INVALID_BANNER);
        }
        let first = !transaction.side(direction).proto.as_deref().is_some_and(is_second);
        side.state = match (whole, first) {
            (_, true) => State::Over,
            (true, false) => State::Records,
            (false, false) => State::BannerRest,
        };
        if first {
            transaction.side_mut(direction).reach(Stage::Complete);
        }
        Step::Used(if whole { line.len() + 1 } else { line.len() })
    }

    /// A record in the clear; `None` if it is none.
    fn record(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Option<Step> {
        let hassh = self.hassh;
        let (side, transaction) = (self.sides.get_mut(direction.index())?, self.transactions.front_mut()?);
        if side.skip > 0 {
            let passed = usize::try_from(side.skip).unwrap_or(usize::MAX).min(bytes.len());
            side.skip -= passed as u64;
            return Some(Step::Used(passed));
        }
        let [a, b, c, d, _, code, ..] = *bytes else { return Some(Step::More) };
        let len = u32::from_be_bytes([a, b, c, d]);
        if !(2..=RECORD_MAX).contains(&len) {
            transaction.raise(events::INVALID_RECORD);
            return None;
        }
        let whole = len as usize + RECORD_HEADER - 1;
        match code {
            KEX_INIT if hassh && whole <= context.limits.message_bytes_max => {
                let Some(record) = bytes.get(..whole) else { return Some(Step::More) };
                let offer = record.get(RECORD_HEADER + 1..).unwrap_or_default();
                let known = transaction.side_mut(direction);
                known.hassh = hassh::fingerprint(offer, direction);
                known.reach(Stage::Headers);
                return Some(Step::Used(whole));
            }
            KEX_INIT => transaction.side_mut(direction).reach(Stage::Headers),
            NEW_KEYS => {
                transaction.side_mut(direction).reach(Stage::Complete);
                side.new_keys = true;
                side.state = State::Over;
                // Behind it nothing can be found: what came before it is looked into now.
                *context.flush_raw = [true; 2];
                return Some(Step::Used(bytes.len()));
            }
            _ => {}
        }
        side.skip = whole as u64;
        Some(Step::Used(0))
    }

    /// Writes the record once: when all that it can hold is there, or at the end.
    fn log(&mut self, context: &mut Context<'_>, ending: bool) {
        let Some(transaction) = self.transactions.front() else { return };
        let wanted = if self.hassh { Stage::Headers } else { Stage::Line };
        let known = Direction::BOTH.map(|way| transaction.side(way).stage >= wanted);
        let any = Direction::BOTH.iter().any(|&way| transaction.side(way).software.is_some());
        if self.logged || !context.log || !any || !(ending || known == [true; 2]) {
            return;
        }
        self.logged = true;
        let mut members = Vec::with_capacity(256);
        log::write(&mut members, transaction);
        context.records.push(Record {
            event_type: "ssh",
            direction: Direction::ToServer,
            tx_id: Some(0),
            members,
        });
    }
}

/// Whether a protocol version is 2, or one that can do 2 (RFC 4253, section 5.1).
fn is_second(proto: &[u8]) -> bool {
    proto.starts_with(b"2") || proto == b"1.99"
}

#[cfg(test)]
mod tests;
