//! The TCP connection as a third party sees it: the state diagram of RFC 9293 (figure 5) from the server's side, as the
//! reference does it, with sequence numbers checked so that a blind RST or FIN (RFC 5961) closes nothing.

use wire::Tcp;

/// FIN flag.
pub const FIN: u8 = 0x01;
/// SYN flag.
pub const SYN: u8 = 0x02;
/// RST flag.
pub const RST: u8 = 0x04;
/// ACK flag.
pub const ACK: u8 = 0x10;

/// State of a connection, with the names that EVE uses. After the handshake it is the server's.
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
    /// The server has closed its side.
    FinWait1,
    /// The server has closed its side, and the client has acknowledged that.
    FinWait2,
    /// Both sides have closed, the server first; the last acknowledgement is missing.
    TimeWait,
    /// Both sides have closed, the client first; the last acknowledgement is missing.
    LastAck,
    /// The client has closed its side.
    CloseWait,
    /// Both sides closed, neither knowing of the other.
    Closing,
    /// Over.
    Closed,
}

impl TcpState {
    /// The client has closed its side, or the connection is over: what is left of either direction is inspected however
    /// little it is. As measured with Suricata 7.0.10, a server that closes first does not count.
    pub(crate) const fn is_ending(self) -> bool {
        matches!(self, Self::LastAck | Self::CloseWait | Self::Closing | Self::Closed)
    }

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

    /// Whether a SYN with a new sequence number begins a new connection rather than belonging to this one.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Closed | Self::TimeWait | Self::LastAck | Self::Closing | Self::CloseWait)
    }
}

/// How far a segment may be from where its sender was last seen, in bytes: what a burst of lost frames may hide.
const SLACK: u32 = 1 << 20;
/// The same for a RST: it must also acknowledge what was sent, and a receiver takes none but the exact one (RFC 5961).
const RESET_SLACK: u32 = 1 << 16;

/// One side's sequence numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpSide {
    /// Next sequence number: behind the last byte that was sent.
    pub next_seq: u32,
    /// The highest acknowledgement of it; the initial sequence number until there is one.
    pub acked: u32,
    /// Whether the numbers are known.
    pub known: bool,
    /// Whether the peer has acknowledged the SYN.
    pub opened: bool,
}

impl TcpSide {
    fn at(acked: u32, next_seq: u32, opened: bool) -> Self {
        Self { next_seq, acked, known: true, opened }
    }

    /// Whether `number` is from `slack` before the first unacknowledged byte to `slack` behind the last one.
    #[inline]
    fn reaches(&self, number: u32, slack: u32) -> bool {
        let in_flight = self.next_seq.wrapping_sub(self.acked);
        let from = number.wrapping_sub(self.acked).wrapping_add(slack);
        from <= in_flight.saturating_add(2 * slack)
    }

    /// Whether everything that was sent, a FIN included, is acknowledged.
    fn all_acked(&self) -> bool {
        self.acked == self.next_seq
    }
}

/// Whether `a` is behind `b` on the circle of sequence numbers.
#[inline]
const fn after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b).cast_signed() > 0
}

/// What is remembered of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TcpTracker {
    /// The connection's state.
    pub state: TcpState,
    /// The client and the server.
    pub sides: [TcpSide; 2],
}

impl TcpTracker {
    /// Takes one segment with `payload_len` bytes of data; `from_server` says who sent it.
    #[inline]
    pub fn segment(&mut self, tcp: Tcp, payload_len: u16, from_server: bool) {
        let own = usize::from(from_server);
        if tcp.flags & (SYN | RST | FIN | ACK) == ACK && self.state == TcpState::Established {
            // The usual segment changes no state.
            self.progress(tcp, tcp.seq.wrapping_add(u32::from(payload_len)), own);
            return;
        }
        self.control(tcp, payload_len, own);
    }

    #[inline(never)]
    fn control(&mut self, tcp: Tcp, payload_len: u16, own: usize) {
        let has = |flag: u8| tcp.flags & flag != 0;
        if has(RST) {
            if self.resets(tcp, own) {
                self.state = TcpState::Closed;
            }
        } else if has(SYN) {
            // No stack sends SYN and FIN together; scanners do.
            if !has(FIN) {
                self.synchronize(tcp, payload_len, own);
            }
        } else if has(ACK) || has(FIN) {
            self.acknowledge(tcp, payload_len, own);
        }
    }

    /// Whether a RST is from somebody who knows the connection.
    fn resets(&self, tcp: Tcp, own: usize) -> bool {
        let (side, peer) = (&self.sides[own], &self.sides[own ^ 1]);
        let acknowledges = tcp.flags & ACK != 0 && peer.known;
        if side.known {
            return side.reaches(tcp.seq, 0)
                || acknowledges && peer.reaches(tcp.ack, SLACK) && side.reaches(tcp.seq, RESET_SLACK);
        }
        // The answer to a SYN has no sequence number of its own; it must acknowledge the SYN (RFC 9293, 3.10.7.3).
        acknowledges && tcp.ack != peer.acked && peer.reaches(tcp.ack, 0)
    }

    fn synchronize(&mut self, tcp: Tcp, payload_len: u16, own: usize) {
        let end = tcp.seq.wrapping_add(u32::from(payload_len)).wrapping_add(1);
        let peer = self.sides[own ^ 1];
        if tcp.flags & ACK == 0 {
            match self.state {
                TcpState::None => self.state = TcpState::SynSent,
                // Another attempt of the client, or the server opens at the same time.
                TcpState::SynSent => {
                    if own == 1 {
                        self.state = TcpState::SynRecv;
                    }
                }
                _ => return,
            }
            if !self.sides[own].known || self.sides[own].acked != tcp.seq {
                self.sides[own] = TcpSide::at(tcp.seq, end, false);
            }
            return;
        }
        match self.state {
            TcpState::None => self.sides[own ^ 1] = TcpSide::at(tcp.ack, tcp.ack, true),
            TcpState::SynSent | TcpState::SynRecv => {
                // An answer to another SYN than the one that was sent is answered with a RST; it opens nothing.
                if !peer.known || !peer.reaches(tcp.ack, 0) || (!peer.opened && tcp.ack == peer.acked) {
                    return;
                }
                self.sides[own ^ 1] = TcpSide { acked: tcp.ack, opened: true, ..peer };
            }
            _ => return,
        }
        if !self.sides[own].known {
            self.sides[own] = TcpSide::at(tcp.seq, end, false);
        }
        self.state =
            if self.sides.iter().all(|side| side.opened) { TcpState::Established } else { TcpState::SynRecv };
    }

    /// Moves both sides on; `false` if the segment is none of this connection.
    #[inline]
    fn progress(&mut self, tcp: Tcp, end: u32, own: usize) -> bool {
        let side = &mut self.sides[own];
        if side.known {
            if !side.reaches(end, SLACK) {
                return false;
            }
            if after(end, side.next_seq) {
                side.next_seq = end;
            }
        }
        let known = side.known;
        let peer = &mut self.sides[own ^ 1];
        if tcp.flags & ACK != 0 {
            if !peer.known {
                *peer = TcpSide::at(tcp.ack, tcp.ack, true);
            } else if !known && !peer.reaches(tcp.ack, 0) {
                // Who was silent so far shows by the acknowledgement that he knows the connection.
                return false;
            } else if after(tcp.ack, peer.acked) {
                // Whoever sends the right sequence number is believed about what he received: it tells how far the
                // other side has come when its frames were lost.
                peer.acked = tcp.ack;
                peer.opened = true;
                if after(tcp.ack, peer.next_seq) {
                    peer.next_seq = tcp.ack;
                }
            }
        }
        if !known {
            self.sides[own] = TcpSide::at(tcp.seq, end, true);
        }
        true
    }

    fn acknowledge(&mut self, tcp: Tcp, payload_len: u16, own: usize) {
        use TcpState::{
            CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, None, SynRecv, SynSent,
            TimeWait,
        };
        let (side, peer) = (self.sides[own], self.sides[own ^ 1]);
        let acks = tcp.flags & ACK != 0;
        let fin = tcp.flags & FIN != 0;
        if self.state == Closed || (self.state == None && !acks) {
            return;
        }
        if fin {
            let believable = if acks {
                !peer.known || peer.reaches(tcp.ack, SLACK)
            } else {
                side.known && tcp.seq == side.next_seq
            };
            if !believable {
                return;
            }
        }
        let end = tcp.seq.wrapping_add(u32::from(payload_len)).wrapping_add(u32::from(fin));
        if !self.progress(tcp, end, own) {
            return;
        }
        let from_server = own == 1;
        let [client, server] = &mut self.sides;
        match self.state {
            // Picked up midstream.
            None => self.state = Established,
            // The server's SYN was not seen, but somebody acts as if it had come.
            SynSent if acks => {
                (client.opened, server.opened) = (true, true);
                self.state = Established;
            }
            SynRecv if client.opened && server.opened => self.state = Established,
            _ => {}
        }
        self.state = match (self.state, fin) {
            (Established, true) => {
                if from_server {
                    FinWait1
                } else {
                    CloseWait
                }
            }
            (FinWait1, true) if !from_server => {
                if server.all_acked() {
                    TimeWait
                } else {
                    Closing
                }
            }
            (FinWait1, false) if server.all_acked() => FinWait2,
            (FinWait2, true) if !from_server => TimeWait,
            (CloseWait, true) if from_server => LastAck,
            (LastAck, _) if server.all_acked() => Closed,
            (Closing, _) if server.all_acked() => {
                if client.all_acked() {
                    Closed
                } else {
                    TimeWait
                }
            }
            (TimeWait, _) if client.all_acked() => Closed,
            (state, _) => state,
        };
    }
}

#[cfg(test)]
mod tests;
