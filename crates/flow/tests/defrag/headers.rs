//! What a datagram starts with, and whose fragments belong together.

use flow::defrag::{Count, DropReason, Policy};
use wire::{L4, Packet, ParseOptions, TenantId};

use crate::build::{
    Around, ETHERNET, Got, Piece, around, balanced, checksum, defrag, drained, parse, push, push_of,
};

fn two(around: &Around, policy: Policy) -> Vec<u8> {
    let mut defrag = defrag(policy);
    assert_eq!(push(&mut defrag, around, &Piece::new(0, true, [b'a'; 16]), 0), Got::Held);
    let Got::Complete(bytes, 2, _) = push(&mut defrag, around, &Piece::new(16, false, [b'b'; 5]), 0) else {
        panic!("not complete");
    };
    bytes
}

#[test]
fn ipv4_options_stay_and_the_checksum_is_right() {
    let around = Around { between: vec![1, 1, 1, 0], ..around(4) };
    let bytes = two(&around, Policy::Bsd);
    assert_eq!(bytes, around.datagram(b"aaaaaaaaaaaaaaaabbbbb"));
    assert_eq!(checksum(&bytes[..24]), 0);
    assert_eq!(bytes[6..8], [0, 0], "neither offset nor more fragments");
}

#[test]
fn a_wrong_ipv4_checksum_stays_wrong() {
    let around = around(4);
    let mut defrag = defrag(Policy::Bsd);
    let mut frame = around.frame(&Piece::new(0, true, [1; 8]));
    frame[ETHERNET + 10] ^= 0x55;
    defrag.push(&frame, &parse(&frame), TenantId(0), 0);
    let Got::Complete(bytes, ..) = push(&mut defrag, &around, &Piece::new(8, false, [2; 8]), 0) else {
        panic!("not complete");
    };
    assert_ne!(checksum(&bytes[..20]), 0);
}

#[test]
fn ipv6_extension_headers_stay_and_announce_the_payload() {
    // Hop-by-hop with padding of 6, 46 and 254 bytes: in place, and two lengths that are not.
    for units in [0u8, 5, 31, 255] {
        let mut between = vec![44, units, 1, 0];
        between.resize(8 + usize::from(units) * 8, 0);
        let around = Around { between, first_next: 0, ..around(6) };
        let bytes = two(&around, Policy::Bsd);
        assert_eq!(bytes, around.datagram(b"aaaaaaaaaaaaaaaabbbbb"));
        let packet = Packet::parse_ip(&bytes, &ParseOptions::default()).unwrap();
        assert_eq!((packet.fragment, packet.tuple.protocol), (None, 253));
        assert_eq!(usize::from(packet.payload_offset), bytes.len() - 21);
    }
}

#[test]
fn headers_longer_than_any_real_ones_are_dropped() {
    let mut between = Vec::new();
    for more in (0..6).rev() {
        let start = between.len();
        between.extend([if more > 0 { 60 } else { 44 }, 255]);
        between.resize(start + 2048, 0);
    }
    let around = Around { between, first_next: 60, ..around(6) };
    let got = push(&mut defrag(Policy::Bsd), &around, &Piece::new(0, true, [0; 8]), 0);
    assert_eq!(got, Got::Dropped(DropReason::HeaderTooLong));
}

#[test]
fn the_header_is_of_the_fragment_that_has_the_first_byte() {
    // Suricata does the same: hop limit 33 with the second first fragment's bytes, else 64.
    for (policy, ttl) in [(Policy::Bsd, 64), (Policy::Linux, 33), (Policy::BsdRight, 33), (Policy::First, 64)]
    {
        for ip_version in [4, 6] {
            let mut defrag = defrag(policy);
            let around = around(ip_version);
            push(&mut defrag, &around, &Piece::new(0, true, [1; 8]), 0);
            push(&mut defrag, &Around { ttl: 33, ..around.clone() }, &Piece::new(0, true, [2; 8]), 0);
            let Got::Complete(bytes, 3, _) = push(&mut defrag, &around, &Piece::new(8, false, [3; 8]), 0)
            else {
                panic!("not complete");
            };
            assert_eq!(bytes[if ip_version == 4 { 8 } else { 7 }], ttl, "{policy:?}");
        }
    }
}

#[test]
fn the_first_fragment_need_not_hold_the_transport_header() {
    let around = Around { protocol: 6, ..around(4) };
    let mut defrag = defrag(Policy::Bsd);
    let mut tcp = vec![0x12, 0x34, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 4, 0, 0, 0, 0, 0];
    tcp.extend(b"hello");
    push(&mut defrag, &around, &Piece::new(16, false, &tcp[16..]), 0);
    push(&mut defrag, &around, &Piece::new(0, true, &tcp[..8]), 0);
    let Got::Complete(bytes, ..) = push(&mut defrag, &around, &Piece::new(8, true, &tcp[8..16]), 0) else {
        panic!("not complete");
    };
    let packet = Packet::parse_ip(&bytes, &ParseOptions::default()).unwrap();
    assert_eq!((packet.l4, packet.tuple.src_port, packet.tuple.dst_port), (L4::Tcp, 0x1234, 80));
    assert_eq!(packet.payload_len, 5);
    assert_eq!(defrag.stats(TenantId(0)).tiny, 2);
}

#[test]
fn an_atomic_fragment_passes_and_leaves_its_namesake_alone() {
    let around = around(6);
    let mut defrag = defrag(Policy::Bsd);
    assert_eq!(push(&mut defrag, &around, &Piece::new(8, false, [2; 8]), 0), Got::Held);
    let Got::Complete(bytes, 1, 70) = push(&mut defrag, &around, &Piece::new(0, false, [9; 8]), 0) else {
        panic!("not passed");
    };
    assert_eq!(bytes, around.datagram(&[9; 8]));
    let stats = defrag.stats(TenantId(0));
    assert_eq!((stats.atomic, stats.ipv6.fragments, stats.ipv6.reassembled), (1, 1, 0));
    let Got::Complete(bytes, 2, _) = push(&mut defrag, &around, &Piece::new(0, true, [1; 8]), 0) else {
        panic!("not complete");
    };
    assert_eq!(bytes.len(), 40 + 16);
}

#[test]
fn only_fragments_with_the_same_key_belong_together() {
    let (four, six) = (around(4), around(6));
    let mut others: Vec<(Around, TenantId)> = Vec::new();
    for base in [&four, &six] {
        others.push((Around { id: 8, ..base.clone() }, TenantId(0)));
        others.push((Around { src: 9, ..base.clone() }, TenantId(0)));
        others.push((Around { vlan: Some(5), ..base.clone() }, TenantId(0)));
        others.push((Around { vlan: Some(6), ..base.clone() }, TenantId(0)));
        others.push((base.clone(), TenantId(1)));
    }
    // RFC 791 has the protocol in the key.
    others.push((Around { protocol: 17, ..four.clone() }, TenantId(0)));
    let mut defrag = defrag(Policy::Bsd);
    for base in [&four, &six] {
        assert_eq!(push(&mut defrag, base, &Piece::new(0, true, [1; 8]), 0), Got::Held);
    }
    for (around, tenant) in &others {
        assert_eq!(push_of(&mut defrag, *tenant, around, &Piece::new(8, false, [2; 8]), 0), Got::Held);
    }
    assert_eq!(defrag.trackers(), 2 + others.len());
    // RFC 8200 has not: what is after the fragment header is said by the first fragment only.
    let other = Around { protocol: 17, ..six.clone() };
    let Got::Complete(bytes, 2, _) = push(&mut defrag, &other, &Piece::new(8, false, [2; 8]), 0) else {
        panic!("not complete");
    };
    assert_eq!(bytes[6], 253);
    let held: u64 = drained(&mut defrag).iter().map(|lost| lost.frames.packets).sum();
    assert_eq!(held as usize, 1 + others.len());
}

#[test]
fn what_is_not_a_fragment_is_not_counted() {
    let mut defrag = defrag(Policy::Bsd);
    let frame = around(4).frame(&Piece::new(0, false, [0; 8]));
    assert_eq!(Got::from(defrag.push(&frame, &parse(&frame), TenantId(0), 0)), Got::NotFragment);
    assert_eq!(defrag.stats(TenantId(0)), flow::defrag::Stats::default());
}

/// A fragment header inside a fragmented datagram (THC-IPv6 sends such).
#[test]
fn frames_of_nested_fragments_are_counted_once() {
    let outer = Around { protocol: 44, ..around(6) };
    let inner = around(6);
    let mut defrag = defrag(Policy::Bsd);
    let mut frames = Vec::new();
    for (id, piece) in [(1, Piece::new(0, true, [b'a'; 24])), (2, Piece::new(24, false, [b'b'; 11]))] {
        let fragment = inner.frame(&piece)[ETHERNET + 40..].to_vec();
        let outer = Around { id, ..outer.clone() };
        frames.push((outer.clone(), Piece::new(0, true, &fragment[..16])));
        frames.push((outer, Piece::new(16, false, &fragment[16..])));
    }
    let mut whole = None;
    for (index, (around, piece)) in frames.iter().enumerate() {
        let got = push(&mut defrag, around, piece, 0);
        if index % 2 == 0 {
            assert_eq!(got, Got::Held);
            continue;
        }
        let Got::Complete(bytes, packets, frame_bytes) = got else { panic!("not complete") };
        assert_eq!(packets, 2);
        let packet = Packet::parse_ip(&bytes, &ParseOptions::default()).unwrap();
        let frames = Count { packets, bytes: frame_bytes };
        let got = Got::from(defrag.push_reassembled(&bytes, &packet, frames, TenantId(0), 0));
        balanced(&defrag);
        if index == 1 {
            assert_eq!(got, Got::Held);
            assert_eq!(defrag.stats(TenantId(0)).held.packets, 2);
        } else {
            whole = Some(got);
        }
    }
    let bytes: u64 = frames.iter().map(|(around, piece)| around.frame(piece).len() as u64).sum();
    let payload = [&[b'a'; 24][..], b"bbbbbbbbbbb"].concat();
    assert_eq!(whole, Some(Got::Complete(inner.datagram(&payload), 4, bytes)));
    let stats = defrag.stats(TenantId(0));
    assert_eq!((stats.received.packets, stats.completed.packets), (4, 4));
    assert_eq!((stats.ipv6.fragments, stats.ipv6.reassembled), (6, 3));
}
