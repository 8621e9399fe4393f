//! One end of a connection as a sender: where it is in its sequence space and how far its peer lets it go.

use super::sequence::{after, before, later};

/// What is remembered of one end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Side {
    /// Initial sequence number.
    pub(super) isn: u32,
    /// Behind the last byte that was sent.
    pub(super) next_seq: u32,
    /// The highest acknowledgement by the peer.
    pub(super) last_ack: u32,
    /// The highest sequence number the peer ever allowed.
    pub(super) next_win: u32,
    /// The window that the peer gives, scaled, in bytes.
    pub(super) window: u32,
    /// Bytes behind the last acknowledgement that the peer has acknowledged selectively.
    pub(super) sacked: u32,
    /// Timestamp option of the last segment that counted, and the packet time of it.
    pub(super) timestamp: u32,
    pub(super) timestamp_s: u32,
    /// How the peer's windows are scaled (RFC 7323, 2.2).
    pub(super) scale: u8,
    pub(super) flags: u8,
    /// TCP flags seen, SYN, FIN, RST and so on as in the header.
    pub(super) tcp_flags: u8,
}

/// The peer sent a keep-alive that this end has yet to answer.
pub(super) const KEEP_ALIVE: u8 = 0x01;
/// This end sent a RST that was believed.
pub(super) const RESET: u8 = 0x02;
/// Every segment of this end carries a timestamp, and they are checked.
pub(super) const TIMESTAMPS: u8 = 0x04;
/// This end's timestamps began at zero: none is believed before the next.
pub(super) const TIMESTAMP_ZERO: u8 = 0x08;
/// This end's SYN offered timestamps.
pub(super) const TIMESTAMPS_OFFERED: u8 = 0x10;
/// This end's SYN offered window scaling.
pub(super) const SCALE_OFFERED: u8 = 0x20;

/// This end sent a RST that its receiver had a reason to drop.
pub(super) const DOUBTFUL_RESET: u8 = 0x40;

impl Side {
    pub(super) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Begins at a SYN's sequence number.
    pub(super) const fn synchronize(&mut self, isn: u32) {
        self.isn = isn;
        self.next_seq = isn.wrapping_add(1);
    }

    /// What was sent reaches to `end`.
    #[inline]
    pub(super) const fn sent(&mut self, end: u32) {
        self.next_seq = later(end, self.next_seq);
    }

    /// The peer acknowledged up to `ack`, and `sacked` bytes of what follows.
    #[inline]
    pub(super) const fn acknowledged(&mut self, ack: u32, sacked: u32) {
        if after(ack, self.last_ack) {
            self.last_ack = ack;
            self.sacked = 0;
        }
        // No more than the window lies behind the acknowledgement.
        let sacked = if sacked < self.window { sacked } else { self.window };
        self.sacked = if sacked > self.sacked { sacked } else { self.sacked };
    }

    /// The peer allows what lies within its window from the last acknowledgement on.
    #[inline]
    pub(super) const fn allow(&mut self) {
        self.next_win = later(self.last_ack.wrapping_add(self.window), self.next_win);
    }

    /// Whether the peer allows data up to `end`. What it has acknowledged selectively takes nothing from its window.
    #[inline]
    pub(super) const fn may_send(&self, end: u32) -> bool {
        !after(end, self.next_win.wrapping_add(self.sacked))
    }

    /// The first window that the peer gives.
    pub(super) const fn open_window(&mut self) {
        self.next_win = self.last_ack.wrapping_add(self.window);
    }

    /// Whether the peer may acknowledge `ack`: not before its window behind what it acknowledged already, not more than it
    /// allowed to be sent. How much that was is not known of a connection that was picked up.
    #[inline]
    pub(super) const fn may_acknowledge(&self, ack: u32, picked_up: bool) -> bool {
        if after(ack, self.last_ack) {
            return !after(ack, self.next_win) || picked_up;
        }
        self.window == 0 || !before(ack, self.last_ack.wrapping_sub(self.window))
    }
}
