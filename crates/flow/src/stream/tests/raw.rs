//! When raw inspection is due, as measured with Suricata 7.0.10 (chunks of 2,560 bytes, not randomised).

use app::Direction::{ToClient, ToServer};

use super::*;
use crate::tcp::{FIN, RST};

fn due(talk: &mut Talk) -> Option<(u64, usize, usize)> {
    let raw = talk.stream.raw(&talk.config, ToServer).map(|raw| (raw.offset, raw.fresh, raw.bytes.len()));
    talk.stream.raw_inspected(ToServer);
    raw
}

#[test]
fn a_full_chunk_is_due_with_what_went_before_it() {
    let mut talk = Talk::open(StreamConfig::default());
    let data = [b'x'; 1000];
    for chunk in 0..3 {
        talk.c(1 + chunk * 1000, 1, ACK, &data);
        assert_eq!(talk.stream.raw(&talk.config, ToServer), None, "not acknowledged");
        talk.s(1, 1001 + chunk * 1000, ACK, b"");
    }
    assert_eq!(due(&mut talk), Some((0, 0, 3000)));
    assert_eq!(due(&mut talk), None);
    for chunk in 3..6 {
        talk.c(1 + chunk * 1000, 1, ACK, &data).s(1, 1001 + chunk * 1000, ACK, b"");
    }
    assert_eq!(due(&mut talk), Some((440, 2560, 5560)));
}

#[test]
fn one_byte_less_is_not_due() {
    let mut talk = Talk::open(StreamConfig { raw_overlap_bytes: 0, ..StreamConfig::default() });
    talk.c(1, 1, ACK, &[b'x'; 2559]).s(1, 2560, ACK, b"");
    assert_eq!(talk.stream.raw(&talk.config, ToServer), None);
    talk.c(2560, 1, ACK, b"y").s(1, 2561, ACK, b"");
    assert_eq!(due(&mut talk), Some((0, 0, 2560)));
    talk.c(2561, 1, ACK, &[b'x'; 2560]).s(1, 5121, ACK, b"");
    assert_eq!(due(&mut talk), Some((2560, 0, 2560)), "without overlap chunks lie side by side");
}

#[test]
fn the_senders_fin_or_reset_makes_it_due_at_that_segment() {
    for flag in [FIN, RST] {
        let mut talk = Talk::open(StreamConfig::default());
        talk.c(1, 1, ACK, b"some").s(1, 5, ACK, b"");
        assert_eq!(talk.stream.raw(&talk.config, ToServer), None);
        talk.c(5, 1, flag | ACK, b"");
        assert_eq!(due(&mut talk), Some((0, 0, 4)));
    }
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"some").s(1, 5, FIN | ACK, b"").c(5, 2, ACK, b"");
    assert_eq!(talk.stream.raw(&talk.config, ToServer), None, "the other side's FIN does not");
    talk.flush();
    assert_eq!(due(&mut talk), Some((0, 0, 4)));
}

#[test]
fn an_analyser_can_make_it_due() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"some").s(1, 5, ACK, b"");
    talk.stream.trigger_raw(ToServer);
    assert_eq!(due(&mut talk), Some((0, 0, 4)));
    talk.c(5, 1, ACK, b"more").s(1, 9, ACK, b"");
    assert_eq!(talk.stream.raw(&talk.config, ToServer), None, "once");
}

#[test]
fn a_gap_cuts_the_window() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"some").c(9, 1, ACK, b"more").s(1, 13, ACK, b"");
    assert_eq!(due(&mut talk), Some((0, 0, 4)), "it cannot grow");
    assert_eq!(talk.stream.raw(&talk.config, ToServer), None);
    talk.stream.trigger_raw(ToServer);
    assert_eq!(due(&mut talk), Some((8, 0, 4)), "nothing of before the gap");
}

#[test]
fn nobody_pays_for_windows_that_are_not_wanted() {
    let mut talk = Talk::open(StreamConfig { bytes_max: 1 << 16, depth_bytes: 0, ..StreamConfig::default() });
    talk.stream.stop_raw(&mut talk.budget, ToServer);
    for chunk in 0..200 {
        let (at, next) = (1 + chunk * 1000, 1001 + chunk * 1000);
        talk.c(at, at, ACK, &[b'x'; 1000]).s(at, next, ACK, &[b'y'; 1000]).c(next, next, ACK, b"");
    }
    assert_eq!(talk.stream.raw(&talk.config, ToServer), None);
    assert!(
        talk.stream.raw(&talk.config, ToClient).is_some(),
        "this one nobody asked for: it is cut, not kept"
    );
    assert!(talk.budget.used() < 5 * (1 << 16), "{}", talk.budget.used());
}

#[test]
fn missing_bytes_are_shown_where_they_are_missing() {
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(1, 1, ACK, b"VERY").c(9, 1, ACK, b"DATA").s(1, 5, ACK, b"");
    let shown = |talk: &Talk, bytes_max| talk.stream.with_gaps(&talk.config, ToServer, bytes_max);
    assert_eq!(shown(&talk, 100), None, "what is released so far has no hole");
    talk.flush();
    assert_eq!(shown(&talk, 100).unwrap(), b"VERY[4 bytes missing]DATA");
    assert_eq!(shown(&talk, 10).unwrap(), b"VERY[4 byt");
    let mut talk = Talk::open(StreamConfig::default());
    talk.c(5, 1, ACK, b"GOOD");
    talk.flush();
    assert_eq!(shown(&talk, 100).unwrap(), b"[4 bytes missing]GOOD");
}
