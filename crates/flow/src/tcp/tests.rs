//! The state diagram, segment by segment. The closing sequences are what the reference shows for the same segments.

use super::*;
use TcpState::{
    CloseWait, Closed, Closing, Established, FinWait1, FinWait2, LastAck, None, SynRecv, SynSent, TimeWait,
};

const CLIENT: bool = false;
const SERVER: bool = true;
type Segment = (bool, u8, u32, u32, u16);

/// A handshake and one exchange; the client is then at 151, the server at 1501.
const OPEN: [Segment; 6] = [
    (CLIENT, SYN, 100, 0, 0),
    (SERVER, SYN | ACK, 500, 101, 0),
    (CLIENT, ACK, 101, 501, 0),
    (CLIENT, ACK, 101, 501, 50),
    (SERVER, ACK, 501, 151, 1000),
    (CLIENT, ACK, 151, 1501, 0),
];

fn run(segments: &[Segment]) -> Vec<TcpState> {
    let mut tracker = TcpTracker::default();
    segments
        .iter()
        .map(|&(from_server, flags, seq, ack, len)| {
            tracker.segment(Tcp { seq, ack, window: 65535, flags }, len, from_server);
            tracker.state
        })
        .collect()
}

/// The state after each segment behind an [`OPEN`] connection.
#[track_caller]
fn after_open(segments: &[Segment], states: &[TcpState]) {
    let got = run(&[&OPEN[..], segments].concat());
    assert_eq!(got[..6], [SynSent, SynRecv, Established, Established, Established, Established]);
    assert_eq!(got[6..], *states);
}

#[track_caller]
fn from_nothing(segments: &[Segment], states: &[TcpState]) {
    assert_eq!(run(segments), states);
}

#[test]
fn closed_by_the_client() {
    after_open(
        &[
            (CLIENT, FIN | ACK, 151, 1501, 0),
            (SERVER, ACK, 1501, 152, 100),
            (CLIENT, ACK, 152, 1601, 0),
            (SERVER, FIN | ACK, 1601, 152, 0),
            (SERVER, FIN | ACK, 1601, 152, 0),
            (CLIENT, ACK, 152, 1602, 0),
        ],
        &[CloseWait, CloseWait, CloseWait, LastAck, LastAck, Closed],
    );
}

#[test]
fn closed_by_the_server() {
    after_open(
        &[
            (SERVER, FIN | ACK, 1501, 151, 0),
            (CLIENT, ACK, 151, 1502, 0),
            (CLIENT, FIN | ACK, 151, 1502, 0),
            (SERVER, ACK, 1502, 152, 0),
        ],
        &[FinWait1, FinWait2, TimeWait, Closed],
    );
    after_open(
        &[(SERVER, FIN | ACK, 1501, 151, 0), (CLIENT, FIN | ACK, 151, 1502, 0), (SERVER, ACK, 1502, 152, 0)],
        &[FinWait1, TimeWait, Closed],
    );
}

#[test]
fn closed_by_both_at_once() {
    after_open(
        &[
            (SERVER, FIN | ACK, 1501, 151, 0),
            (CLIENT, FIN | ACK, 151, 1501, 0),
            (CLIENT, ACK, 152, 1502, 0),
            (SERVER, ACK, 1502, 152, 0),
        ],
        &[FinWait1, Closing, TimeWait, Closed],
    );
    after_open(
        &[
            (SERVER, FIN | ACK, 1501, 151, 0),
            (CLIENT, FIN | ACK, 151, 1501, 0),
            (SERVER, ACK, 1502, 152, 0),
            (CLIENT, ACK, 152, 1502, 0),
        ],
        &[FinWait1, Closing, Closing, Closed],
    );
    after_open(
        &[
            (CLIENT, FIN | ACK, 151, 1501, 0),
            (SERVER, FIN | ACK, 1501, 151, 0),
            (SERVER, ACK, 1502, 152, 0),
            (CLIENT, ACK, 152, 1502, 0),
        ],
        &[CloseWait, LastAck, LastAck, Closed],
    );
}

#[test]
fn resets_are_believed_only_inside_the_connection() {
    after_open(&[(CLIENT, RST | ACK, 151, 1501, 0)], &[Closed]);
    after_open(&[(SERVER, RST, 1501, 0, 0)], &[Closed]);
    // Before and behind what is in flight, and far away with a wrong acknowledgement.
    after_open(&[(SERVER, RST, 1400, 0, 0), (SERVER, RST, 1502, 0, 0)], &[Established, Established]);
    after_open(&[(SERVER, RST | ACK, 1600, 3_000_000_000, 0)], &[Established]);
    after_open(&[(SERVER, RST | ACK, 99_999_999, 151, 0)], &[Established]);
    // A segment was lost on the way here; the right acknowledgement shows who sent the RST.
    after_open(&[(SERVER, RST | ACK, 3000, 151, 0)], &[Closed]);
    // In flight, not yet acknowledged: either end of it may be where the receiver is.
    after_open(&[(SERVER, ACK, 1501, 151, 500), (SERVER, RST, 1501, 0, 0)], &[Established, Closed]);
    after_open(&[(SERVER, ACK, 1501, 151, 500), (SERVER, RST, 2001, 0, 0)], &[Established, Closed]);
}

#[test]
fn a_refused_connection() {
    let refused = [(CLIENT, SYN, 100, 0, 0), (SERVER, RST | ACK, 0, 101, 0)];
    from_nothing(&refused, &[SynSent, Closed]);
    let wrong = [
        (CLIENT, SYN, 100, 0, 0),
        (SERVER, RST | ACK, 0, 777, 0),
        (SERVER, RST | ACK, 0, 100, 0),
        (SERVER, RST, 0, 0, 0),
        (CLIENT, RST, 101, 0, 0),
    ];
    from_nothing(&wrong, &[SynSent, SynSent, SynSent, SynSent, Closed]);
    from_nothing(
        &[(CLIENT, SYN, 100, 0, 0), (SERVER, SYN | ACK, 500, 101, 0), (CLIENT, RST, 101, 0, 0)],
        &[SynSent, SynRecv, Closed],
    );
}

#[test]
fn a_blind_fin_closes_nothing() {
    after_open(
        &[
            (CLIENT, FIN | ACK, 3_000_000_000, 1501, 0),
            (CLIENT, FIN | ACK, 151, 3_000_000_000, 0),
            (SERVER, FIN, 1400, 0, 0),
            (SERVER, FIN, 1501, 0, 0),
        ],
        &[Established, Established, Established, FinWait1],
    );
}

#[test]
fn blind_data_does_not_move_the_window() {
    after_open(
        &[
            (SERVER, ACK, 2_000_000_000, 151, 100),
            (SERVER, RST, 2_000_000_100, 0, 0),
            (SERVER, FIN | ACK, 2_000_000_100, 151, 0),
            (SERVER, FIN | ACK, 1501, 151, 0),
        ],
        &[Established, Established, Established, FinWait1],
    );
}

/// Frames were lost on the way here, more than the window forgives: the receiver's acknowledgements lead back.
#[test]
fn acknowledgements_lead_back_after_loss() {
    after_open(
        &[
            (SERVER, ACK, 9_000_000, 151, 100),
            (CLIENT, ACK, 151, 9_000_100, 0),
            (SERVER, RST, 2_000_000_000, 0, 0),
            (SERVER, FIN | ACK, 9_000_100, 151, 0),
            (CLIENT, ACK, 151, 9_000_101, 0),
        ],
        &[Established, Established, Established, FinWait1, FinWait2],
    );
}

#[test]
fn a_wrong_answer_opens_nothing() {
    from_nothing(
        &[
            (CLIENT, SYN, 100, 0, 0),
            (SERVER, SYN | ACK, 9, 999, 0),
            (SERVER, ACK, 9, 999, 0),
            (SERVER, SYN | ACK, 500, 101, 0),
            (CLIENT, ACK, 101, 500, 0),
            (CLIENT, ACK, 101, 501, 0),
        ],
        &[SynSent, SynSent, SynSent, SynRecv, SynRecv, Established],
    );
}

#[test]
fn a_simultaneous_open_and_sequence_numbers_that_wrap() {
    from_nothing(
        &[
            (CLIENT, SYN, u32::MAX, 0, 0),
            (SERVER, SYN, u32::MAX - 1, 0, 0),
            (CLIENT, SYN | ACK, u32::MAX, u32::MAX, 0),
            (SERVER, SYN | ACK, u32::MAX - 1, 0, 0),
            (SERVER, ACK, u32::MAX, 0, 100),
            (CLIENT, FIN | ACK, 0, 99, 0),
        ],
        &[SynSent, SynRecv, SynRecv, Established, Established, CloseWait],
    );
}

#[test]
fn a_second_attempt_with_another_number_and_data_in_the_syn() {
    from_nothing(
        &[
            (CLIENT, SYN, 100, 0, 0),
            (CLIENT, SYN, 7000, 0, 10),
            (SERVER, SYN | ACK, 500, 7011, 0),
            (SERVER, SYN | ACK, 500, 7011, 0),
            (CLIENT, SYN, 1, 0, 0),
            (CLIENT, FIN | ACK, 7011, 501, 0),
        ],
        &[SynSent, SynSent, SynRecv, SynRecv, SynRecv, CloseWait],
    );
}

#[test]
fn picked_up_midstream() {
    from_nothing(
        &[
            (CLIENT, ACK, 1000, 2_000_000_000, 10),
            (SERVER, RST, 77, 0, 0),
            (SERVER, ACK, 2_000_000_000, 1010, 10),
            (SERVER, RST, 2_000_000_010, 0, 0),
        ],
        &[Established, Established, Established, Closed],
    );
    // Only one direction is routed past here.
    from_nothing(
        &[(CLIENT, SYN, 100, 0, 0), (CLIENT, ACK, 101, 501, 0), (CLIENT, FIN | ACK, 101, 9501, 0)],
        &[SynSent, Established, CloseWait],
    );
    from_nothing(&[(SERVER, SYN | ACK, 500, 101, 0), (CLIENT, ACK, 101, 501, 0)], &[SynRecv, Established]);
    from_nothing(&[(CLIENT, SYN, 100, 0, 0), (SERVER, ACK, 501, 101, 5)], &[SynSent, Established]);
}

#[test]
fn scans_are_no_connections() {
    for flags in [0, FIN, RST, FIN | SYN, FIN | 0x28, RST | ACK] {
        from_nothing(&[(CLIENT, flags, 100, 1, 0), (SERVER, RST | ACK, 0, 101, 0)], &[None, None]);
    }
}

#[test]
fn nothing_reopens_what_is_closed() {
    after_open(
        &[
            (CLIENT, RST | ACK, 151, 1501, 0),
            (CLIENT, SYN, 100, 0, 0),
            (SERVER, SYN | ACK, 500, 101, 0),
            (CLIENT, ACK, 151, 1501, 10),
            (CLIENT, FIN | ACK, 161, 1501, 0),
        ],
        &[Closed; 5],
    );
}

#[test]
fn indexes_are_the_states() {
    for state in TcpState::ALL {
        assert_eq!(TcpState::from_index(state as u8), state);
    }
}
