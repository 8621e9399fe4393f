//! The TCP connection as a third party sees it (RFC 9293, figure 5, both ends folded into one state).

use wire::Tcp;

/// FIN flag.
pub const FIN: u8 = 0x01;
/// SYN flag.
pub const SYN: u8 = 0x02;
/// RST flag.
pub const RST: u8 = 0x04;
/// ACK flag.
pub const ACK: u8 = 0x10;

/// State of a connection, with the names that EVE uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u8)]
pub enum TcpState {
    /// Nothing is known.
    #[default]
    None,
    /// The client's SYN was seen.
    SynSent,
    /// The server's SYN was seen too.
    SynRecv,
    /// The handshake is complete, or the connection was picked up after it.
    Established,
    /// The client has closed its side.
    FinWait1,
    /// The client has closed its side, and the server has acknowledged that.
    FinWait2,
    /// Both sides have closed, the last acknowledgement is missing; the client closed first.
    TimeWait,
    /// Both sides have closed, the last acknowledgement is missing; the server closed first.
    LastAck,
    /// The server has closed its side.
    CloseWait,
    /// Both sides closed at the same time.
    Closing,
    /// Over.
    Closed,
}

impl TcpState {
    const ALL: [Self; 11] = [
        Self::None,
        Self::SynSent,
        Self::SynRecv,
        Self::Established,
        Self::FinWait1,
        Self::FinWait2,
        Self::TimeWait,
        Self::LastAck,
        Self::CloseWait,
        Self::Closing,
        Self::Closed,
    ];

    pub(crate) fn from_index(index: u8) -> Self {
        Self::ALL.get(usize::from(index)).copied().unwrap_or_default()
    }

    /// The name in EVE.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SynSent => "syn_sent",
            Self::SynRecv => "syn_recv",
            Self::Established => "established",
            Self::FinWait1 => "fin_wait1",
            Self::FinWait2 => "fin_wait2",
            Self::TimeWait => "time_wait",
            Self::LastAck => "last_ack",
            Self::CloseWait => "close_wait",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    /// Whether a SYN begins a new connection rather than belonging to this one.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::TimeWait | Self::LastAck)
    }
}

/// How far from the expected sequence number a RST or FIN may be and still count: the largest window in common use
/// (RFC 5961, section 3, asks for the receiver's exact window, which a third party that joined late does not know).
const WINDOW: u32 = 1 << 20;

/// What is remembered of a connection: its state, and the next sequence number of each side (client, server); 0 means
/// that the side has not spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpTracker {
    /// The connection's state.
    pub state: TcpState,
    /// By direction: from the client, from the server.
    pub next_seq: [u32; 2],
}

impl TcpTracker {
    /// Takes one segment with `payload_len` bytes of data; `from_server` says who sent it.
    #[inline]
    pub fn segment(&mut self, tcp: Tcp, payload_len: u16, from_server: bool) {
        let (own, peer) = if from_server { (1, 0) } else { (0, 1) };
        let [expected, peer_next] = [self.next_seq[own], self.next_seq[peer]];
        let control = u32::from(tcp.flags & SYN != 0) + u32::from(tcp.flags & FIN != 0);
        let end = tcp.seq.wrapping_add(u32::from(payload_len)).wrapping_add(control);
        let in_window = expected == 0 || tcp.seq.wrapping_sub(expected).wrapping_add(WINDOW) < 2 * WINDOW;

        // The usual segment changes nothing but the next sequence number.
        if tcp.flags & (SYN | FIN | RST) == 0 && self.state == TcpState::Established {
            if in_window && (end.wrapping_sub(expected) as i32 > 0 || expected == 0) {
                self.next_seq[own] = end.max(1);
            }
            return;
        }
        self.state = self.next_state(tcp, from_server, in_window, peer_next);
        if in_window && tcp.flags & RST == 0 && (end.wrapping_sub(expected) as i32 > 0 || expected == 0) {
            self.next_seq[own] = end.max(1);
        }
    }

    fn next_state(&self, tcp: Tcp, from_server: bool, in_window: bool, peer_next: u32) -> TcpState {
        use TcpState::{
            CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, None, SynRecv, SynSent, TimeWait,
        };
        let has = |flag: u8| tcp.flags & flag != 0;
        // Everything that the other side has sent so far, its FIN included, is acknowledged.
        let acknowledges_all = has(ACK) && tcp.ack == peer_next;
        if has(RST) {
            // A blind reset does not know the sequence numbers. The answer to a SYN carries none of its own (RFC 9293,
            // 3.10.7.3) and is good if it acknowledges the SYN.
            let answers_syn = self.state == SynSent && from_server && acknowledges_all;
            return if in_window || answers_syn { Closed } else { self.state };
        }
        if has(FIN) && !in_window {
            return self.state;
        }
        match (self.state, has(SYN), has(ACK), has(FIN)) {
            (None, true, false, _) => SynSent,
            (None, true, true, _) | (SynSent, true, _, _) if from_server => SynRecv,
            (None | SynSent | SynRecv | Established, false, _, true) => {
                if from_server { CloseWait } else { FinWait1 }
            }
            // Picked up midstream, or one direction is not seen.
            (None | SynSent, false, true, false) => Established,
            (SynRecv, false, true, false) if !from_server => Established,
            (FinWait1, false, true, true) if from_server => {
                if acknowledges_all { TimeWait } else { Closing }
            }
            (FinWait1, false, true, false) if from_server && acknowledges_all => FinWait2,
            (FinWait2, false, _, true) if from_server => TimeWait,
            (CloseWait, false, true, true) if !from_server => {
                if acknowledges_all { LastAck } else { Closing }
            }
            (Closing, false, true, _) if acknowledges_all => TimeWait,
            (TimeWait, false, true, false) if !from_server && acknowledges_all => Closed,
            (LastAck, false, true, false) if from_server && acknowledges_all => Closed,
            (state, ..) => state,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: bool = false;
    const SERVER: bool = true;

    fn run(segments: &[(bool, u8, u32, u32, u16)]) -> Vec<TcpState> {
        let mut tracker = TcpTracker::default();
        segments
            .iter()
            .map(|&(from_server, flags, seq, ack, len)| {
                tracker.segment(Tcp { seq, ack, window: 65535, flags }, len, from_server);
                tracker.state
            })
            .collect()
    }

    #[test]
    fn a_whole_connection_closed_by_the_client() {
        use TcpState::{Closed, Established, FinWait1, FinWait2, SynRecv, SynSent, TimeWait};
        let states = run(&[
            (CLIENT, SYN, 100, 0, 0),
            (SERVER, SYN | ACK, 500, 101, 0),
            (CLIENT, ACK, 101, 501, 0),
            (CLIENT, ACK, 101, 501, 50),
            (SERVER, ACK, 501, 151, 1000),
            (CLIENT, FIN | ACK, 151, 1501, 0),
            (SERVER, ACK, 1501, 152, 0),
            (SERVER, FIN | ACK, 1501, 152, 0),
            (CLIENT, ACK, 152, 1502, 0),
        ]);
        assert_eq!(
            states,
            [SynSent, SynRecv, Established, Established, Established, FinWait1, FinWait2, TimeWait, Closed]
        );
    }

    #[test]
    fn a_connection_closed_by_the_server() {
        use TcpState::{CloseWait, Closed, Established, LastAck};
        let states = run(&[
            (CLIENT, ACK, 1000, 2000, 10),
            (SERVER, FIN | ACK, 2000, 1010, 0),
            (CLIENT, ACK, 1010, 2001, 0),
            (CLIENT, FIN | ACK, 1010, 2001, 0),
            (SERVER, ACK, 2001, 1011, 0),
        ]);
        assert_eq!(states, [Established, CloseWait, CloseWait, LastAck, Closed]);
    }

    #[test]
    fn a_simultaneous_close() {
        use TcpState::{Closing, Established, FinWait1, TimeWait};
        let states = run(&[
            (CLIENT, ACK, 1000, 2000, 10),
            (SERVER, ACK, 2000, 1010, 10),
            (CLIENT, FIN | ACK, 1010, 2010, 0),
            (SERVER, FIN | ACK, 2010, 1010, 0),
            (CLIENT, ACK, 1011, 2011, 0),
        ]);
        assert_eq!(states, [Established, Established, FinWait1, Closing, TimeWait]);
    }

    #[test]
    fn a_refused_connection_and_a_blind_reset() {
        use TcpState::{Closed, Established, SynSent};
        assert_eq!(run(&[(CLIENT, SYN, 100, 0, 0), (SERVER, RST | ACK, 0, 101, 0)]), [SynSent, Closed]);
        let states = run(&[
            (CLIENT, ACK, 1000, 2_000_000_000, 10),
            (SERVER, ACK, 2_000_000_000, 1010, 10),
            (SERVER, RST, 77, 0, 0),
            (CLIENT, FIN | ACK, 3_000_000_000, 0, 0),
            (SERVER, RST, 2_000_000_010, 0, 0),
        ]);
        assert_eq!(states, [Established, Established, Established, Established, Closed]);
    }

    #[test]
    fn a_simultaneous_open_and_sequence_numbers_that_wrap() {
        use TcpState::{Established, SynRecv, SynSent};
        let states = run(&[
            (CLIENT, SYN, u32::MAX, 0, 0),
            (SERVER, SYN, 9, 0, 0),
            (CLIENT, ACK, 0, 10, 100),
            (CLIENT, ACK, 100, 10, 100),
        ]);
        assert_eq!(states, [SynSent, SynRecv, Established, Established]);
    }
}
