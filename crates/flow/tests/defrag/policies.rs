//! The overlap tests of the literature. Offsets and lengths are in units of 8 bytes.

use flow::defrag::Policy;

use crate::build::{Got, Piece, around, balanced, defrag, push};

/// Fragments in the order of arrival: offset, length, and the byte they are filled with.
type Table = &'static [(u32, usize, u8)];

/// Shankar and Paxson, "Active Mapping: Resisting NIDS Evasion Without Altering Traffic" (2003), figure 3.
const PAXSON: Table = &[(0, 3, b'1'), (4, 2, b'2'), (6, 3, b'3'), (1, 4, b'4'), (6, 3, b'5'), (9, 3, b'6')];

/// Novak, "Target-Based Fragmentation Reassembly" (2005): every way that two fragments can overlap.
const NOVAK: Table = &[
    (0, 3, b'A'),
    (4, 2, b'B'),
    (6, 3, b'C'),
    (10, 1, b'D'),
    (13, 2, b'E'),
    (15, 3, b'F'),
    (18, 2, b'G'),
    (20, 2, b'H'),
    (22, 1, b'I'),
    (1, 4, b'J'),
    (6, 3, b'K'),
    (9, 3, b'L'),
    (12, 3, b'M'),
    (16, 1, b'N'),
    (19, 1, b'O'),
    (20, 1, b'P'),
    (22, 2, b'Q'),
];

/// One letter a unit.
fn reassembled(policy: Policy, ip_version: u8, table: Table) -> String {
    let end = table.iter().map(|(offset, len, _)| offset + *len as u32).max().unwrap();
    let around = around(ip_version);
    let mut defrag = defrag(policy);
    let mut got = Got::NotFragment;
    for (offset, len, fill) in table {
        assert!(!matches!(got, Got::Complete(..)), "complete too early");
        let piece = Piece::new(offset * 8, offset + *len as u32 != end, vec![*fill; len * 8]);
        got = push(&mut defrag, &around, &piece, 0);
    }
    let Got::Complete(bytes, fragments, _) = got else { panic!("{policy:?}: {got:?}") };
    assert_eq!(fragments as usize, table.len());
    let payload = bytes[bytes.len() - end as usize * 8..].to_vec();
    assert_eq!(bytes, around.datagram(&payload), "the header is a whole datagram's");
    balanced(&defrag);
    payload
        .chunks(8)
        .map(|unit| {
            assert!(unit.iter().all(|byte| byte == &unit[0]));
            char::from(unit[0])
        })
        .collect()
}

fn check(table: Table, expected: &[(Policy, &str)]) {
    assert_eq!(expected.len(), Policy::ALL.len());
    for (policy, expected) in expected {
        for ip_version in [4, 6] {
            assert_eq!(reassembled(*policy, ip_version, table), *expected, "{policy:?} IPv{ip_version}");
        }
    }
}

#[test]
fn paxson_figure_3() {
    check(
        PAXSON,
        &[
            (Policy::Bsd, "111442333666"),
            (Policy::BsdRight, "144422555666"),
            (Policy::Linux, "111442555666"),
            (Policy::First, "111422333666"),
            (Policy::Last, "144442555666"),
            (Policy::Windows, "111422333666"),
            (Policy::Solaris, "111422333666"),
        ],
    );
}

/// Suricata 7.0.10 gives the same for the six policies it has (it has no `Last`).
#[test]
fn novak_table() {
    check(
        NOVAK,
        &[
            (Policy::Bsd, "AAAJJBCCCLLLMMMFFFGGHHIQ"),
            (Policy::BsdRight, "AJJJBBKKKLDLMEEFNFGOPHQQ"),
            (Policy::Linux, "AAAJJBKKKLLLMMMFFFGGPHQQ"),
            (Policy::First, "AAAJBBCCCLDLMEEFFFGGHHIQ"),
            (Policy::Last, "AJJJJBKKKLLLMMMFNFGOPHQQ"),
            (Policy::Windows, "AAAJBBCCCLLLMEEFFFGGHHIQ"),
            (Policy::Solaris, "AAAJBBCCCLLLMMMFFFGGHHIQ"),
        ],
    );
}

/// 4.4BSD and Linux trim the fragments in their queue: B counts as starting at 3 once A has its front, and so loses to
/// C, which starts at 2. Against B as it was sent, C would lose (Suricata agrees).
#[test]
fn a_trimmed_fragment_starts_where_its_rest_does() {
    const BACK: Table = &[(0, 3, b'A'), (1, 4, b'B'), (2, 3, b'C'), (5, 1, b'Z')];
    // C eats B's front, so D, from 3 on, comes before what is left of B.
    const FRONT: Table = &[(2, 4, b'B'), (0, 4, b'C'), (3, 3, b'D'), (6, 1, b'Z')];
    assert_eq!(reassembled(Policy::Bsd, 6, BACK), "AAACCZ");
    assert_eq!(reassembled(Policy::Linux, 6, BACK), "AAACCZ");
    assert_eq!(reassembled(Policy::First, 6, BACK), "AAABBZ");
    assert_eq!(reassembled(Policy::Bsd, 6, FRONT), "CCCCDDZ");
    assert_eq!(reassembled(Policy::Linux, 6, FRONT), "CCCCDDZ");
    assert_eq!(reassembled(Policy::BsdRight, 6, FRONT), "CCBDDDZ");
}
