//! The overlaps of Novak and Sturges, "Target-Based TCP Stream Reassembly" (2007), figure by figure: a model of segments that
//! come in order of their number, with every way two of them can overlap, sent before anything is acknowledged.

use app::Direction::ToServer;

use super::*;

/// Where each segment lies, in blocks of four bytes, in the order they come; each is filled with its digit. Block 0 is sent
/// last, so that nothing can be released before.
const SEGMENTS: [(i64, i64); 9] = [
    (1, 3),   // 1
    (4, 6),   // 2
    (6, 9),   // 3
    (2, 5),   // 4: ends in 2, begins in 1
    (6, 7),   // 5: begins with 3, ends before it
    (8, 9),   // 6: ends with 3, begins behind it
    (10, 13), // 7
    (9, 11),  // 8: begins before 7, ends in it
    (9, 14),  // 9: begins with 8, ends behind it and 7
];

fn resolve(policy: OverlapPolicy) -> String {
    let mut talk = Talk::open(StreamConfig { policy, ..StreamConfig::default() });
    for (index, (start, end)) in SEGMENTS.into_iter().enumerate() {
        let payload = vec![b'1' + index as u8; (end - start) as usize * 4];
        talk.c(1 + start * 4, 1, ACK, &payload);
    }
    talk.c(1, 1, ACK, b"0000").s(1, 57, ACK, b"");
    let text = talk.text(ToServer);
    assert_eq!(text.len(), 56);
    // A block is of one segment throughout.
    text.as_bytes()
        .chunks(4)
        .map(|block| {
            assert!(block.iter().all(|byte| *byte == block[0]));
            char::from(block[0])
        })
        .collect()
}

#[test]
fn the_model_comes_out_as_each_host_takes_it() {
    use OverlapPolicy as P;
    // What Suricata 7.0.10 makes of the same packets.
    let table = [
        (
            "01144233388999",
            &[P::Bsd, P::BsdRight, P::Windows, P::Windows2k3, P::Hpux10, P::Irix, P::MacOs][..],
        ),
        ("01144233399999", &[P::Linux, P::OldLinux]),
        ("01442233399999", &[P::Solaris, P::OldSolaris, P::Hpux11]),
        ("01142233387779", &[P::Vista, P::First]),
    ];
    for (expected, policies) in table {
        for policy in policies {
            assert_eq!(resolve(*policy), expected, "{policy:?}");
        }
    }
}
