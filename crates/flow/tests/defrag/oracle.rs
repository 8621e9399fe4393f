//! Reassembly byte by byte, slowly, from the policies' words.

use flow::defrag::Policy;

use crate::build::Piece;

/// What came of a fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Expect {
    Held,
    Complete(Vec<u8>),
    BeyondEnd,
}

/// One datagram; fragments go in as they are sent.
pub(crate) struct Oracle {
    policy: Policy,
    sent: Vec<Piece>,
    /// Of each byte, the index of the fragment it is from.
    from: Vec<Option<usize>>,
    bytes: Vec<u8>,
    end: Option<usize>,
}

impl Oracle {
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, sent: Vec::new(), from: Vec::new(), bytes: Vec::new(), end: None }
    }

    /// Of each byte that has come, start and end of its fragment, as a later fragment is judged against them.
    fn extents(&self) -> Vec<(usize, usize)> {
        let trims = matches!(self.policy, Policy::Bsd | Policy::Linux);
        let mut run_start = 0;
        let mut before = None;
        self.from
            .iter()
            .enumerate()
            .map(|(at, from)| {
                if *from != before {
                    (run_start, before) = (at, *from);
                }
                let Some(fragment) = from else { return (0, 0) };
                let sent = &self.sent[*fragment];
                (if trims { run_start } else { sent.offset as usize }, sent.end() as usize)
            })
            .collect()
    }

    pub(crate) fn push(&mut self, piece: &Piece) -> Expect {
        let (start, sent_end) = (piece.offset as usize, piece.end() as usize);
        let end = sent_end.min(self.end.unwrap_or(usize::MAX));
        if start >= end {
            return Expect::BeyondEnd;
        }
        let size = self.from.len().max(end);
        self.from.resize(size, None);
        self.bytes.resize(size, 0);
        let extents = self.extents();
        let wins: Vec<bool> = (start..end)
            .map(|at| {
                if self.from[at].is_none() {
                    return true;
                }
                let (earlier_start, earlier_end) = extents[at];
                match self.policy {
                    Policy::First => false,
                    Policy::Last => true,
                    Policy::Bsd => start < earlier_start,
                    Policy::BsdRight => earlier_start <= start,
                    Policy::Linux => start <= earlier_start,
                    Policy::Windows => start < earlier_start && sent_end > earlier_end,
                    Policy::Solaris => start < earlier_start && sent_end >= earlier_end,
                }
            })
            .collect();
        let index = self.sent.len();
        self.sent.push(piece.clone());
        for (at, win) in (start..end).zip(&wins) {
            if *win {
                self.from[at] = Some(index);
                self.bytes[at] = piece.payload[at - start];
            }
        }
        if !piece.more && wins.last() == Some(&true) {
            self.end = Some(end);
            self.from[end..].fill(None);
        }
        match self.end {
            Some(end) if self.from[..end].iter().all(Option::is_some) => {
                Expect::Complete(self.bytes[..end].to_vec())
            }
            _ => Expect::Held,
        }
    }
}
