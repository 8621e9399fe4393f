//! When data is released, what is a gap, and what the limits do. Segment numbers and texts are what Suricata 7.0.10 gave for
//! the same packets, unless a test says that it is about our own limits.

use app::Direction::{ToClient, ToServer};

use super::*;
use crate::tcp::{FIN, RST};

#[test]
fn the_receivers_acknowledgement_releases() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA")
        .s(1, 5, ACK, b"")
        .c(5, 1, ACK, b"BBBB")
        .c(9, 1, ACK, b"CCCC")
        .s(1, 13, ACK, b"");
    assert_eq!(talk.timing(ToServer), [(4, 4), (7, 8)]);
    assert_eq!(talk.text(ToServer), "AAAABBBBCCCC");
}

#[test]
fn half_an_acknowledgement_releases_half() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"ABCDEFGH").s(1, 5, ACK, b"").s(1, 9, ACK, b"");
    assert_eq!(talk.timing(ToServer), [(4, 4), (5, 4)]);
}

#[test]
fn inline_releases_at_once_and_the_first_stays() {
    let mut talk =
        Talk::open(StreamConfig { inline: true, policy: OverlapPolicy::Last, ..StreamConfig::default() });
    talk.c(1, 1, ACK, b"AAAA").c(9, 1, ACK, b"CCCC").c(5, 1, ACK, b"BBBBxxxx");
    assert_eq!(talk.timing(ToServer), [(3, 4), (5, 8)]);
    assert_eq!(talk.text(ToServer), "AAAABBBBCCCC");
}

#[test]
fn what_was_acknowledged_before_it_was_seen_waits_for_the_next_acknowledgement() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.s(1, 5, ACK, b"").c(1, 1, ACK, b"LATE").c(5, 1, ACK, b"MORE").s(1, 5, ACK, b"").s(1, 9, ACK, b"");
    assert_eq!(talk.timing(ToServer), [(6, 4), (7, 4)]);
}

#[test]
fn a_hole_is_a_gap_when_data_behind_it_has_come_and_it_is_acknowledged() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA").c(9, 1, ACK, b"CCCC").s(1, 5, ACK, b"");
    assert_eq!(talk.text(ToServer), "AAAA");
    talk.s(1, 7, ACK, b"").s(1, 9, ACK, b"");
    assert_eq!(talk.text(ToServer), "AAAA[2][2]");
    talk.s(1, 13, ACK, b"");
    assert_eq!(talk.text(ToServer), "AAAA[2][2]CCCC");
    assert!(talk.stream.has_gap(ToServer) && !talk.stream.has_gap(ToClient));
    assert_eq!(talk.events(), ["reassembly_seq_gap", "reassembly_seq_gap"]);
}

#[test]
fn a_hole_that_is_filled_in_time_is_none() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(9, 1, ACK, b"CCCC").s(1, 20, ACK, b"");
    assert_eq!(talk.text(ToServer), "[8]CCCC", "data behind it had come");
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA")
        .s(1, 13, ACK, b"")
        .c(5, 1, ACK, b"BBBB")
        .c(9, 1, ACK, b"CCCC")
        .s(1, 13, ACK, b"");
    assert_eq!(talk.text(ToServer), "AAAABBBBCCCC", "nothing had come");
}

#[test]
fn a_reset_releases_what_its_sender_sent() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.s(1, 1, ACK, b"body").s(5, 1, RST | ACK, b"why");
    assert_eq!((talk.text(ToClient).as_str(), talk.stream.state()), ("body", TcpState::Closed));
    let mut talk = Talk::open(StreamConfig::default());
    talk.s(1, 1, ACK, b"body").c(1, 1, RST | ACK, b"");
    assert_eq!(talk.text(ToClient), "", "the receiver's RST says nothing of what it has");
    talk.flush();
    assert_eq!(talk.text(ToClient), "body");
}

#[test]
fn the_end_releases_the_rest_up_to_the_first_hole() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA").c(9, 1, ACK, b"CCCC").s(1, 1, FIN | ACK, b"bb").flush();
    assert_eq!((talk.text(ToServer).as_str(), talk.text(ToClient).as_str()), ("AAAA", "bb"));
    let raw = talk.stream.raw(&talk.config, ToServer).map(|raw| (raw.bytes.to_vec(), raw.fresh));
    assert_eq!(raw, Some((b"AAAA".to_vec(), 0)));
    talk.stream.raw_inspected(ToServer);
    let raw = talk.stream.raw(&talk.config, ToServer).map(|raw| (raw.bytes.to_vec(), raw.offset));
    assert_eq!(raw, Some((b"CCCC".to_vec(), 8)), "raw inspection sees what lies behind");
    talk.stream.raw_inspected(ToServer);
    assert_eq!(talk.stream.raw(&talk.config, ToServer), None);
}

#[test]
fn sequence_numbers_go_round() {
    let mut talk = Talk::new(StreamConfig::default());
    talk.initial = [u32::MAX - 2, u32::MAX];
    talk.shake().c(5, 1, ACK, b"EFGH").c(1, 1, ACK, b"ABCD").s(1, 9, ACK, b"xyz").c(9, 4, ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.text(ToClient).as_str()), ("ABCDEFGH", "xyz"));
    assert_eq!((talk.stream.size(ToServer), talk.stream.size(ToClient)), (9, 4));
}

#[test]
fn data_before_the_syn_is_none() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA").c(-3, 1, ACK, b"zzzzzzzz").c(-100, 1, ACK, b"yyyy").s(1, 5, ACK, b"");
    assert_eq!(talk.text(ToServer), "AAAA");
}

#[test]
fn the_depth_ends_a_direction() {
    let config = StreamConfig { depth_bytes: 10, ..StreamConfig::default() };
    let mut talk = Talk::open(config);
    talk.c(1, 1, ACK, b"AAAABBBB").c(9, 1, ACK, b"CCCC").c(13, 1, ACK, b"DDDD");
    assert!(talk.stream.depth_reached(ToServer) && !talk.stream.depth_reached(ToClient));
    assert!(!talk.last.queued);
    talk.s(1, 17, ACK, b"");
    assert_eq!(talk.text(ToServer), "AAAABBBBCC");
    assert_eq!(talk.events(), ["reassembly_depth_reached"]);
    let raw = talk.stream.raw(&talk.config, ToServer).map(|raw| raw.bytes.len());
    assert_eq!(raw, Some(10), "raw inspection is due however little it is");
}

#[test]
fn a_stopped_direction_holds_nothing_and_its_state_goes_on() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"AAAA");
    assert!(talk.budget.used() > 0);
    talk.stream.stop(&mut talk.budget, ToServer);
    assert_eq!(talk.budget.used(), 0);
    talk.c(5, 1, ACK, b"BBBB").s(1, 9, ACK, b"").c(9, 1, FIN | ACK, b"");
    assert_eq!((talk.text(ToServer).as_str(), talk.budget.used()), ("", 0));
    assert_eq!((talk.stream.state(), talk.stream.size(ToServer)), (TcpState::CloseWait, 10));
    assert!(talk.stream.has_ended(ToServer) && talk.stream.is_stopped(ToServer));
}

#[test]
fn without_memory_data_is_lost_by_name() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.budget = StreamBudget::new(4096);
    talk.c(1, 1, ACK, &[b'a'; 2000]).c(2001, 1, ACK, &[b'b'; 2000]).c(4001, 1, ACK, &[b'c'; 2000]);
    assert_eq!(talk.last.lost, Some(StreamLoss::MemoryLimit));
    assert_eq!(talk.events(), ["reassembly_insert_memcap"]);
    assert!(talk.budget.used() <= talk.budget.max());
    talk.s(1, 6001, ACK, b"");
    assert_eq!(talk.text(ToServer).len(), 4000);
}

#[test]
fn the_limits_of_one_stream_are_its_own() {
    let config = StreamConfig { segments_max: 3, bytes_max: 100, ..StreamConfig::default() };
    let mut talk = Talk::open(config);
    talk.c(102, 1, ACK, b"x");
    assert_eq!(talk.last.lost, Some(StreamLoss::BytesLimit));
    talk.c(90, 1, ACK, b"0123456789abcdef");
    assert_eq!(talk.last.lost, Some(StreamLoss::BytesLimit));
    talk.c(10, 1, ACK, b"x").c(20, 1, ACK, b"x").c(30, 1, ACK, b"x");
    assert_eq!(talk.last.lost, Some(StreamLoss::SegmentLimit));
    // What was released makes room.
    talk.c(1, 1, ACK, b"x");
    assert_eq!(talk.last.lost, Some(StreamLoss::SegmentLimit));
    talk.s(1, 21, ACK, b"").c(21, 1, ACK, b"y");
    assert_eq!(talk.last.lost, None);
    assert_eq!(talk.events().last(), Some(&"reassembly_seq_gap"));
}

#[test]
fn a_long_stream_keeps_a_small_buffer() {
    let mut talk = Talk::open(StreamConfig { depth_bytes: 0, ..StreamConfig::default() });
    talk.window = u16::MAX;
    let data = [b'x'; 1460];
    for segment in 0..20_000_i64 {
        let at = 1 + segment * 1460;
        talk.c(at, 1, ACK, &data);
        if segment % 2 == 1 {
            talk.s(1, at + 1460, ACK, b"");
            while talk.stream.raw(&talk.config, ToServer).is_some() {
                talk.stream.raw_inspected(ToServer);
            }
        }
        talk.pieces[0].clear();
        assert!(talk.budget.used() <= 32 << 10, "{} bytes", talk.budget.used());
    }
    assert_eq!(talk.stream.size(ToServer), 20_000 * 1460 + 1);
}

#[test]
fn one_sided_traffic_is_released_as_it_comes() {
    let config = StreamConfig { async_oneside: true, midstream: true, ..StreamConfig::default() };
    let mut talk = Talk::new(config);
    talk.c(0, 0, SYN, b"")
        .c(1, 1, ACK, b"")
        .c(1, 1, ACK, b"GET ")
        .c(5, 40, ACK, b"more")
        .c(13, 900, ACK, b"late")
        .flush();
    assert_eq!(talk.text(ToServer), "GET more[4]late");
    assert!(talk.stream.is_established() && !talk.stream.is_midstream());
    let mut talk = Talk::new(config);
    talk.s(0, 1, SYN | ACK, b"").s(1, 40, ACK, b"HTTP").s(5, 80, ACK, b"/1.1").flush();
    assert_eq!(talk.text(ToClient), "HTTP/1.1");
    assert!(talk.stream.is_midstream());
}

#[test]
fn a_stream_is_small() {
    assert!(size_of::<Stream>() <= 200, "{}", size_of::<Stream>());
}
