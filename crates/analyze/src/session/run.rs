//! What one call of a session works with: its live part, and its parser in the context that parsers get.

use app::Direction;

use super::Live;
use crate::Config;
use crate::analyzer::{Context, Outcome};
use crate::parser::Parser;

/// What one call works with.
pub(super) struct Run<'a> {
    pub(super) config: &'a Config,
    pub(super) time_us: u64,
    pub(super) live: &'a mut Live,
}

/// The part of a pair that belongs to a direction.
fn of<T>(pair: &mut [T; 2], direction: Direction) -> &mut T {
    let [to_server, to_client] = pair;
    match direction {
        Direction::ToServer => to_server,
        Direction::ToClient => to_client,
    }
}

impl Run<'_> {
    pub(super) fn pending(&mut self, direction: Direction) -> &mut Vec<u8> {
        of(&mut self.live.pending, direction)
    }

    pub(super) fn lost_mut(&mut self, direction: Direction) -> &mut u64 {
        of(&mut self.live.lost, direction)
    }

    pub(super) fn lost(&mut self, direction: Direction) -> u64 {
        *self.lost_mut(direction)
    }

    pub(super) fn seen(&mut self, direction: Direction) -> u64 {
        *of(&mut self.live.seen, direction)
    }

    /// Keeps bytes until the protocol is known, as many as may be.
    pub(super) fn keep(&mut self, direction: Direction, bytes: &[u8]) {
        let max = self.config.limits.detect_bytes_max;
        *of(&mut self.live.seen, direction) += bytes.len() as u64;
        let lost = self.lost(direction);
        let pending = self.pending(direction);
        // The first bytes given are kept whatever their number: they are in the caller's memory already.
        let room =
            if pending.is_empty() && lost == 0 { bytes.len() } else { max.saturating_sub(pending.len()) };
        let room = if lost == 0 { room.min(bytes.len()) } else { 0 };
        pending.extend_from_slice(bytes.get(..room).unwrap_or_default());
        *self.lost_mut(direction) += (bytes.len() - room) as u64;
    }

    fn with_parser<R>(&mut self, work: impl FnOnce(&mut Parser, &mut Context<'_>) -> R) -> Option<R> {
        let live = &mut *self.live;
        let parser = live.parser.as_mut()?;
        let mut context = Context {
            time_us: self.time_us,
            config: self.config,
            limits: &self.config.limits,
            log: self.config.log.has(parser.protocol()),
            records: &mut live.records,
            expectations: &mut live.expectations,
            flush_raw: &mut live.flush_raw,
        };
        Some(work(parser, &mut context))
    }

    pub(super) fn data(&mut self, direction: Direction, bytes: &[u8]) -> Outcome {
        self.with_parser(|parser, context| parser.data(context, direction, bytes)).unwrap_or(Outcome::Done)
    }

    pub(super) fn gap(&mut self, direction: Direction, len: u64) -> Outcome {
        self.with_parser(|parser, context| parser.gap(context, direction, len)).unwrap_or(Outcome::Done)
    }

    pub(super) fn close(&mut self, direction: Direction) {
        self.with_parser(|parser, context| parser.close(context, direction));
    }
}
