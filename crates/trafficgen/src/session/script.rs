//! Short exchanges whose frames are made in advance: datagrams, ICMP, ARP, scans.

use std::collections::VecDeque;

use crate::trace::truth::Transport;

/// One frame of a [`Script`].
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) at_ns: u64,
    pub(crate) transport: Transport,
    pub(crate) frame: Vec<u8>,
}

/// Frames in order of time. Only for exchanges of bounded size: all of them are held.
#[derive(Debug, Default)]
pub(crate) struct Script {
    lines: VecDeque<Line>,
}

impl Script {
    /// From frames in any order.
    pub(crate) fn new(mut lines: Vec<Line>) -> Self {
        lines.sort_by_key(|line| line.at_ns);
        Self { lines: lines.into() }
    }

    pub(crate) fn next_at(&self) -> Option<u64> {
        self.lines.front().map(|line| line.at_ns)
    }

    pub(crate) fn emit(&mut self, frame: &mut Vec<u8>) -> Option<Transport> {
        let mut line = self.lines.pop_front()?;
        std::mem::swap(frame, &mut line.frame);
        Some(line.transport)
    }
}
