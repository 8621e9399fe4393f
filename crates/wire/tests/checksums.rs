//! Checksums: known packets, changed packets, and updates in place against computing anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeMap;

use common::capture::{Capture, corpora};
use common::frames::{self, ethernet, ipv4, ipv6, udp};
use proptest::prelude::*;
use wire::checksum::{self, Verdict};
use wire::{Addr, L4, NTuple, Packet, ParseOptions};

/// The checksum as RFC 1071 defines it, word by word.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0_u32;
    for word in bytes.chunks(2) {
        sum += u32::from(word[0]) << 8 | u32::from(word.get(1).copied().unwrap_or(0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn the_example_of_rfc_1071() {
    let example = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(checksum::fold(checksum::sum(&example)), 0xddf2);
    assert_eq!(checksum::of(&example), !0xddf2);
}

#[test]
fn a_known_ipv4_header() {
    let header =
        [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7];
    assert!(checksum::is_correct(&header));
    let mut blank = header;
    blank[10..12].fill(0);
    assert_eq!(checksum::of(&blank), 0xb861);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn sums_are_the_naive_ones(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(checksum::of(&bytes), naive(&bytes));
    }

    #[test]
    fn an_adjusted_checksum_is_the_one_computed_anew(
        bytes in prop::collection::vec(any::<u8>(), 2..120),
        new in prop::collection::vec(any::<u8>(), 2..40),
        at in any::<prop::sample::Index>(),
    ) {
        // All zero bytes have two checksums, which are the same number in one's complement.
        prop_assume!(bytes.iter().any(|byte| *byte != 0));
        let at = at.index(bytes.len()) & !1;
        let len = (new.len() & !1).min((bytes.len() - at) & !1);
        let mut changed = bytes.clone();
        changed[at..at + len].copy_from_slice(&new[..len]);
        prop_assume!(changed.iter().any(|byte| *byte != 0));
        let adjusted = checksum::adjusted(checksum::of(&bytes), &bytes[at..at + len], &new[..len]);
        prop_assert_eq!(adjusted, checksum::of(&changed));
    }
}

#[test]
fn a_udp_checksum_that_comes_out_as_zero_is_sent_as_all_ones() {
    let tuple = NTuple {
        src: Addr::v4([0; 4]),
        dst: Addr::v4([0; 4]),
        protocol: 17,
        ip_version: 4,
        ..NTuple::default()
    };
    // Pseudo header 17 + 8, length 8: the ports bring the sum to 0xffff.
    let datagram = udp(0xffff - 33, 0, b"");
    assert_eq!(checksum::transport(&tuple, &datagram), 0xffff);
    let of_tcp = NTuple { protocol: 6, ..tuple };
    let segment = [&(0xffff_u16 - 6 - 8).to_be_bytes()[..], &[0; 6]].concat();
    assert_eq!(checksum::transport(&of_tcp, &segment), 0);
}

#[test]
fn what_has_no_checksum_has_none() {
    let verdict = |frame: &[u8]| {
        let packet = Packet::parse_ethernet(frame, &ParseOptions::default()).unwrap();
        (packet.verify_ipv4_checksum(frame), packet.verify_transport_checksum(frame))
    };
    let datagram = udp(1, 2, b"x");
    assert_eq!(verdict(&ethernet(0x0800, &ipv4(17, &datagram))), (Verdict::Wrong, Verdict::Absent));
    // Leaving it out is not for IPv6, but tunnels do (RFC 6935).
    assert_eq!(verdict(&ethernet(0x86dd, &ipv6(17, &datagram))), (Verdict::Absent, Verdict::Absent));
    for (protocol, bytes) in [(132, frames::sctp(1, 2, b"")), (47, frames::gre(0, 0, b"")), (89, vec![])] {
        assert_eq!(verdict(&ethernet(0x0800, &ipv4(protocol, &bytes))).1, Verdict::Absent);
    }
    let fragment = frames::ipv4_with(17, 0x2000, &[], &datagram);
    assert_eq!(verdict(&ethernet(0x0800, &fragment)).1, Verdict::Absent);
    assert_eq!(verdict(&ethernet(0x0806, &frames::arp())), (Verdict::Absent, Verdict::Absent));
}

#[test]
fn a_slice_that_was_not_the_parsed_one_has_no_checksum() {
    let frame = ethernet(0x0800, &ipv4(17, &udp(1, 2, b"payload")));
    let packet = Packet::parse_ethernet(&frame, &ParseOptions::default()).unwrap();
    for len in 0..frame.len() {
        assert_eq!(packet.verify_ipv4_checksum(&frame[..len]), Verdict::Absent);
        assert_eq!(packet.verify_transport_checksum(&frame[..len]), Verdict::Absent);
        assert_eq!(packet.payload(&frame[..len]), b"");
    }
}

/// The wrong checksums of `enterprise.pcap` are those that Suricata 7.0.10 finds with its `…-csum:invalid` keywords: ipv4
/// 2,231, tcpv4 3,320, udpv4 874, icmpv4 0, tcpv6 55,105, udpv6 1,299, icmpv6 10, less the datagrams that it reassembled
/// (119 of IPv4, whose header it also found wrong, and 1 of IPv6).
#[test]
fn captured_checksums_are_wrong_where_suricata_says() {
    let Some(corpora) = corpora() else { return };
    let mut wrong = BTreeMap::new();
    let mut right = 0;
    for frame in Capture::read(&corpora.join("pcap/enterprise.pcap")).packets() {
        let packet = Packet::parse_ethernet(frame, &ParseOptions::default()).unwrap();
        let header = packet.verify_ipv4_checksum(frame);
        let transport = packet.verify_transport_checksum(frame);
        for (of, verdict) in [(L4::Other, header), (packet.l4, transport)] {
            match verdict {
                Verdict::Wrong => {
                    *wrong.entry(format!("{of:?} over {}", packet.tuple.ip_version)).or_insert(0) += 1;
                }
                Verdict::Correct => right += 1,
                Verdict::Absent => {}
            }
        }
    }
    let expected = [
        ("Icmpv6 over 6", 10),
        ("Other over 4", 2_231 - 119),
        ("Tcp over 4", 3_320),
        ("Tcp over 6", 55_105),
        ("Udp over 4", 874 - 119),
        ("Udp over 6", 1_299 - 1),
    ];
    assert_eq!(wrong, expected.map(|(of, count)| (of.to_owned(), count)).into());
    assert_eq!(right, 148_440);
}
