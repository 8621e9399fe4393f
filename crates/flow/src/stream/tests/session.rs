//! The ways of a connection from its first segment to its last. States and texts are what Suricata 7.0.10 gave for the same
//! packets.

use app::Direction::{ToClient, ToServer};

use super::*;
use crate::tcp::{FIN, RST};

fn fresh() -> Talk {
    Talk::new(StreamConfig::default())
}

const COOKIE: [u8; 10] = [34, 10, 1, 2, 3, 4, 5, 6, 7, 8];

#[test]
fn the_segment_that_completes_the_handshake_is_not_established_yet() {
    let mut talk = fresh();
    talk.shake();
    assert!(!talk.last.was_established && talk.stream.is_established());
    talk.c(1, 1, ACK, b"x");
    assert!(talk.last.was_established && talk.last.queued);
    assert_eq!(talk.last.outcome, Outcome::Accepted);
}

#[test]
fn without_its_beginning_a_connection_is_none_unless_midstream_is_wanted() {
    let mut talk = fresh();
    talk.c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"aaaa").c(5, 5, FIN | ACK, b"");
    assert_eq!((talk.last.outcome, talk.stream.state()), (Outcome::NoSession, TcpState::None));
    assert_eq!(talk.budget.used(), 0);
    let mut talk = Talk::new(StreamConfig { midstream: true, ..StreamConfig::default() });
    talk.c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"bbb").c(5, 4, ACK, b"BBBB").s(4, 9, ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.text(ToClient).as_str()), ("AAAABBBB", "bbb"));
    assert_eq!(talk.timing(ToServer), [(1, 4), (3, 4)]);
    assert!(talk.stream.is_midstream() && talk.events.is_empty());
    let mut talk = Talk::new(StreamConfig { midstream: true, ..StreamConfig::default() });
    talk.s(0, 1, SYN | ACK, b"").c(1, 1, ACK, b"").c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.stream.state()), ("AAAA", TcpState::Established));
}

#[test]
fn lost_segments_of_the_handshake_are_no_matter() {
    let mut talk = fresh();
    talk.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"").c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"");
    assert_eq!(talk.timing(ToServer), [(3, 4)], "the acknowledgement is on the data");
    let mut talk = fresh();
    talk.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"").s(1, 1, ACK, b"banner").c(1, 7, ACK, b"");
    assert_eq!(talk.timing(ToClient), [(3, 6)], "the acknowledgement was lost");
    let mut talk = fresh();
    talk.c(0, 0, SYN, b"").c(1, 1, ACK, b"").c(1, 1, ACK, b"AAAA").c(5, 1, ACK, b"BBBB").flush();
    assert_eq!((talk.text(ToServer).as_str(), talk.stream.state()), ("", TcpState::SynSent));
}

#[test]
fn data_on_a_syn_counts_with_fast_open_only() {
    let mut talk = fresh();
    talk.c(0, 0, SYN, b"HELLO").s(0, 1, SYN | ACK, b"").c(1, 1, ACK, b"hello").s(1, 6, ACK, b"");
    assert_eq!(talk.text(ToServer), "hello");
    for options in [&COOKIE[..], &[34, 2]] {
        let mut talk = fresh();
        talk.segment(ToServer, 0, 0, SYN, b"HELLO", options);
        talk.s(0, 6, SYN | ACK, b"").c(6, 1, ACK, b"AAAA").s(1, 10, ACK, b"");
        assert_eq!((talk.text(ToServer).as_str(), talk.events().len()), ("HELLOAAAA", 0));
    }
    let mut talk = fresh();
    talk.segment(ToServer, 0, 0, SYN, b"HELLO", &COOKIE);
    talk.s(0, 1, SYN | ACK, b"").c(1, 1, ACK, b"HELLO").s(1, 6, ACK, b"");
    assert_eq!(talk.text(ToServer), "HELLO");
}

#[test]
fn both_may_open() {
    let mut talk = fresh();
    talk.c(0, 0, SYN, b"").s(0, 0, SYN, b"").c(0, 1, SYN | ACK, b"").s(1, 1, ACK, b"");
    talk.c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.events().len()), ("AAAA", 0));
    let mut talk = fresh();
    talk.c(0, 0, SYN, b"").s(0, 1, ACK, b"").s(0, 0, SYN, b"").c(0, 1, SYN | ACK, b"").s(1, 1, ACK, b"");
    talk.c(1, 1, ACK, b"EVIL").s(1, 5, ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.events().len()), ("EVIL", 0), "split in five");
}

#[test]
fn the_client_chooses_among_syn_acks() {
    let mut talk = fresh();
    talk.c(0, 0, SYN, b"").s(0, 1, SYN | ACK, b"").s(30, 1, SYN | ACK, b"").s(60, 1, SYN | ACK, b"");
    talk.c(1, 31, ACK, b"").c(1, 31, ACK, b"AAAA").s(31, 5, ACK, b"bb").c(5, 33, ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.text(ToClient).as_str()), ("AAAA", "bb"));
    assert_eq!(talk.stream.initial_sequence(ToClient), 5030);
}

#[test]
fn the_server_chooses_among_repeated_syns() {
    let stamp =
        |value: u32, echo: u32| [&[8, 10][..], &value.to_be_bytes(), &echo.to_be_bytes(), &[1, 1]].concat();
    for (echo, accepted) in [(100, true), (350, true), (600, true), (99, false), (0, true)] {
        let mut talk = fresh();
        for value in [100, 350, 600] {
            talk.segment(ToServer, 0, 0, SYN, b"", &stamp(value, 0));
        }
        talk.segment(ToClient, 0, 1, SYN | ACK, b"", &stamp(7000, echo));
        assert_eq!(talk.last.outcome == Outcome::Accepted, accepted, "{echo}");
        talk.segment(ToServer, 1, 1, ACK, b"AAAA", &stamp(601, 7000));
        talk.segment(ToClient, 1, 5, ACK, b"", &stamp(7001, 601));
        assert_eq!(talk.text(ToServer), if accepted { "AAAA" } else { "" }, "{echo}");
    }
}

#[test]
fn windows_are_scaled_when_both_offer_it() {
    let scale = |shift: u8| [3, 3, shift, 1];
    let open = |server: &[u8]| {
        let mut talk = fresh();
        talk.window = 100;
        talk.segment(ToServer, 0, 0, SYN, b"", &scale(7));
        talk.segment(ToClient, 0, 1, SYN | ACK, b"", server);
        talk.c(1, 1, ACK, b"").s(1, 1, ACK, b"");
        talk
    };
    let mut talk = open(&scale(2));
    talk.c(1, 1, ACK, &[b'A'; 390]);
    assert_eq!(talk.last.outcome, Outcome::Accepted);
    talk.c(391, 1, ACK, &[b'B'; 20]);
    assert_eq!(talk.events(), ["est_packet_out_of_window"], "400 bytes");
    let mut talk = open(&[]);
    talk.c(1, 1, ACK, &[b'A'; 101]);
    assert_eq!(talk.events(), ["est_packet_out_of_window"], "100 bytes");
}

#[test]
fn what_is_acknowledged_selectively_takes_nothing_from_the_window() {
    let block = |talk: &Talk, left: u32, right: u32| {
        let at = |seq: u32| talk.initial[0].wrapping_add(seq).to_be_bytes();
        [&[1, 1, 5, 10][..], &at(left), &at(right)].concat()
    };
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1001, 1, ACK, &[b'b'; 3000]);
    let options = block(&talk, 1001, 4001);
    talk.segment(ToClient, 1, 1, ACK, b"", &options);
    talk.c(8193, 1, ACK, &[b'c'; 3000]);
    assert_eq!(talk.last.outcome, Outcome::Accepted);
    talk.c(11_193, 1, ACK, b"d");
    assert_eq!(talk.events(), ["est_packet_out_of_window"]);
}

#[test]
fn windows_are_minded_wherever_numbers_begin() {
    for initial in [0, 1000, 0x7fff_fff0, 0x8000_0000, 0xc000_0000, u32::MAX - 4] {
        for both_open in [false, true] {
            let mut talk = fresh();
            talk.initial = [initial, initial.wrapping_add(0x4000_0000)];
            if both_open {
                talk.c(0, 0, SYN, b"").s(0, 0, SYN, b"").c(0, 1, SYN | ACK, b"").s(1, 1, ACK, b"");
            } else {
                talk.shake();
            }
            talk.c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"aaaa").c(5, 5, ACK, b"");
            assert_eq!(talk.timing(ToServer), [(talk.segments - 2, 4)], "{initial:#x}");
            assert!(talk.events.is_empty(), "{initial:#x}: {:?}", talk.events);
            talk.c(8190, 5, ACK, b"123456789").s(8190, 5, ACK, b"123456789").c(5, 9000, ACK, b"");
            let expected = [
                "est_packet_out_of_window",
                "est_packet_out_of_window",
                "est_invalid_ack",
                "pkt_invalid_ack",
            ];
            assert_eq!(talk.events(), expected, "{initial:#x}");
        }
    }
}

#[test]
fn keep_alives_and_probes_say_nothing_and_lose_nothing() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"");
    talk.c(4, 1, ACK, b"A");
    assert_eq!(talk.last.outcome, Outcome::Ignored);
    talk.s(1, 5, ACK, b"").c(4, 1, ACK, b"").s(1, 5, ACK, b"").c(5, 1, ACK, b"BBBB").s(1, 9, ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.events().len()), ("AAAABBBB", 0));
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA");
    talk.window = 0;
    talk.s(1, 5, ACK, b"").c(5, 1, ACK, b"B").s(1, 5, ACK, b"").c(5, 1, ACK, b"B");
    talk.window = 100;
    talk.s(1, 6, ACK, b"").c(6, 1, ACK, b"CCC").s(1, 9, ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.events().len()), ("AAAABCCC", 0));
}

#[test]
fn closing_goes_through_the_servers_states() {
    use TcpState::{CloseWait, Closed, FinWait1, FinWait2, LastAck, TimeWait};
    let states = |steps: &[(Direction, i64, i64, u8)]| {
        let mut talk = Talk::open(StreamConfig::default());
        let mut seen = Vec::new();
        for (direction, seq, ack, flags) in steps {
            talk.segment(*direction, *seq, *ack, *flags, b"", &[]);
            assert_eq!(talk.last.outcome, Outcome::Accepted);
            seen.push(talk.stream.state());
        }
        assert!(talk.events.is_empty(), "{:?}", talk.events);
        seen
    };
    let client_first = [
        (ToServer, 1, 1, FIN | ACK),
        (ToClient, 1, 2, ACK),
        (ToClient, 1, 2, FIN | ACK),
        (ToServer, 2, 2, ACK),
    ];
    assert_eq!(states(&client_first), [CloseWait, CloseWait, LastAck, Closed]);
    let server_first = [
        (ToClient, 1, 1, FIN | ACK),
        (ToServer, 1, 2, ACK),
        (ToServer, 1, 2, FIN | ACK),
        (ToClient, 2, 2, ACK),
    ];
    assert_eq!(states(&server_first), [FinWait1, FinWait2, TimeWait, Closed]);
    let together = [(ToClient, 1, 1, FIN | ACK), (ToServer, 1, 1, FIN | ACK), (ToClient, 2, 2, ACK)];
    assert_eq!(states(&together), [FinWait1, TimeWait, Closed]);
}

#[test]
fn a_reset_is_believed_by_the_hosts_kind() {
    use OverlapPolicy::{Bsd, First, Hpux11, Linux, MacOs, OldLinux, Solaris, Vista, Windows};
    // Sequence numbers of RSTs after four acknowledged bytes; the next is 5, the window 8192.
    let believed = |policy| {
        let reset = |seq: &i64| {
            let mut talk = Talk::open(StreamConfig { policy, ..StreamConfig::default() });
            talk.c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"aaaa").c(5, 5, ACK, b"").c(*seq, 5, RST | ACK, b"");
            talk.stream.state() == TcpState::Closed
        };
        [4, 5, 6, 100, 10_000].iter().filter(|seq| reset(seq)).copied().collect::<Vec<i64>>()
    };
    for exact in [Bsd, Windows, Vista, MacOs, First] {
        assert_eq!(believed(exact), [5], "{exact:?}");
    }
    for window in [Linux, OldLinux, Solaris] {
        assert_eq!(believed(window), [5, 6, 100], "{window:?}");
    }
    assert_eq!(believed(Hpux11), [5, 6, 100, 10_000]);
}

#[test]
fn a_reset_answers_a_syn() {
    let mut talk = fresh();
    talk.c(0, 0, SYN, b"").s(-5000, 1, RST | ACK, b"");
    assert_eq!(talk.stream.state(), TcpState::Closed);
    let mut talk = fresh();
    talk.c(0, 0, SYN, b"").s(-5000, 10, RST | ACK, b"");
    assert_eq!(talk.stream.state(), TcpState::SynSent);
}

#[test]
fn forged_segments_change_nothing() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA").s(1, 5, ACK, b"aaaa").c(5, 5, ACK, b"");
    let forged: [(i64, i64, u8); 6] = [
        (5, 100_000, ACK),
        (1_000_000, 5, ACK),
        (-70_000, 5, FIN | ACK),
        (5, 5, SYN),
        (77, 5, RST),
        (5, 5, SYN | ACK),
    ];
    for (seq, ack, flags) in forged {
        talk.c(seq, ack, flags, b"forged");
        assert_eq!((talk.last.outcome, talk.last.queued), (Outcome::Invalid, false), "{seq} {ack} {flags}");
    }
    talk.c(5, 5, ACK, b"BBBB").s(5, 9, ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.stream.state()), ("AAAABBBB", TcpState::Established));
}
