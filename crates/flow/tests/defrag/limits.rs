//! Every limit and every reason for a drop.

use flow::defrag::{Config, Count, Defrag, DropReason, Lost, Policy};
use wire::TenantId;

use crate::build::{
    Around, Got, Piece, SECOND_NS, around, balanced, defrag, drained, lost, parse, push, push_of, with,
};

const FIRST: TenantId = TenantId(0);

fn a(len: usize) -> Piece {
    Piece::new(0, true, vec![b'a'; len])
}

fn of_reason(all: &[Lost], reason: DropReason) -> (u64, u64) {
    let mine: Vec<_> = all.iter().filter(|lost| lost.reason == reason).collect();
    (mine.iter().map(|lost| lost.datagrams).sum(), mine.iter().map(|lost| lost.frames.packets).sum())
}

#[test]
fn malformed() {
    let mut defrag = defrag(Policy::Bsd);
    let frame = around(4).frame(&a(8));
    let good = parse(&frame);
    let mut packet = good;
    packet.payload_len = 2000;
    assert_eq!(Got::from(defrag.push(&frame, &packet, FIRST, 0)), Got::Dropped(DropReason::Malformed));
    let mut packet = good;
    packet.l3_offset += 4;
    assert_eq!(Got::from(defrag.push(&frame, &packet, FIRST, 0)), Got::Dropped(DropReason::Malformed));
    let mut packet = good;
    packet.l3 = wire::L3::Arp;
    assert_eq!(Got::from(defrag.push(&frame, &packet, FIRST, 0)), Got::Dropped(DropReason::Malformed));
    let mut packet = good;
    packet.fragment = Some(wire::Fragment { id: 7, offset: 3, more: true });
    assert_eq!(Got::from(defrag.push(&frame, &packet, FIRST, 0)), Got::Dropped(DropReason::Malformed));
    // An IPv6 header chain that does not lead to the fragment header.
    let mut frame = around(6).frame(&a(8));
    let packet = parse(&frame);
    frame[14 + 6] = 59;
    assert_eq!(Got::from(defrag.push(&frame, &packet, FIRST, 0)), Got::Dropped(DropReason::Malformed));
    balanced(&defrag);
    assert_eq!(defrag.stats(FIRST).dropped[DropReason::Malformed.index()].packets, 5);
    assert_eq!(defrag.trackers(), 0);
}

/// None of these takes the datagram with it (Suricata 7.0.10 reassembles the same).
#[test]
fn refused_fragments_leave_their_datagram_alone() {
    let refused = [
        (Piece::new(8, true, Vec::new()), DropReason::Empty),
        (Piece::new(8, false, Vec::new()), DropReason::Empty),
        (Piece::new(8, true, vec![0; 13]), DropReason::Unaligned),
        (Piece::new(65_528, true, vec![0; 8]), DropReason::Oversize),
        (Piece::new(65_528, false, vec![0; 1480]), DropReason::Oversize),
    ];
    for ip_version in [4, 6] {
        let around = around(ip_version);
        for (piece, reason) in &refused {
            let mut defrag = defrag(Policy::Bsd);
            assert_eq!(push(&mut defrag, &around, &a(8), 0), Got::Held);
            assert_eq!(push(&mut defrag, &around, piece, 0), Got::Dropped(*reason));
            let got = push(&mut defrag, &around, &Piece::new(8, false, [b'b'; 8]), 0);
            assert!(
                matches!(&got, Got::Complete(bytes, 2, _) if bytes.ends_with(b"aaaaaaaabbbbbbbb")),
                "{got:?}"
            );
            let stats = defrag.stats(FIRST);
            assert_eq!(stats.dropped[reason.index()].packets, 1);
        }
    }
}

#[test]
fn linux_cuts_an_unaligned_ipv4_fragment() {
    let mut defrag = defrag(Policy::Linux);
    assert_eq!(push(&mut defrag, &around(4), &a(13), 0), Got::Held);
    let got = push(&mut defrag, &around(4), &Piece::new(8, false, [b'b'; 8]), 0);
    assert!(matches!(&got, Got::Complete(bytes, 2, _) if bytes.ends_with(b"aaaaaaaabbbbbbbb")), "{got:?}");
    assert_eq!(push(&mut defrag, &around(4), &a(7), 0), Got::Dropped(DropReason::Empty));
    assert_eq!(push(&mut defrag, &around(6), &a(13), 0), Got::Dropped(DropReason::Unaligned));
}

#[test]
fn the_longest_datagrams_and_one_byte_more() {
    // IPv4 counts the header in its 65,535 bytes, IPv6 does not.
    for (ip_version, header, payload_max) in [(4, 20, 65_515), (6, 40, 65_535)] {
        let around = around(ip_version);
        for over in 0..2 {
            let len = payload_max + over;
            if len > 65_535 {
                continue;
            }
            let mut defrag = defrag(Policy::Bsd);
            let mut got = Got::NotFragment;
            for offset in (0..len).step_by(8000) {
                let part = (len - offset).min(8000);
                got = push(&mut defrag, &around, &Piece::new(offset as u32, part == 8000, vec![1; part]), 0);
            }
            if over == 0 {
                assert!(matches!(got, Got::Complete(bytes, 9, _) if bytes.len() == header + len));
            } else {
                assert_eq!(got, Got::Dropped(DropReason::Oversize));
                assert_eq!(of_reason(&lost(&mut defrag, 0), DropReason::Oversize), (1, 8));
                assert_eq!(defrag.trackers(), 0);
            }
            assert_eq!(defrag.bytes_held(), 0);
        }
    }
}

/// As Suricata 7.0.10: the datagram ends where the lowest fragment says that nothing follows it.
#[test]
fn ends_that_contradict_one_another() {
    let around = around(6);
    let b = |more, len| Piece::new(8, more, vec![b'b'; len]);
    let c = |more, offset, len| Piece::new(offset, more, vec![b'c'; len]);
    let cases: [(&str, Vec<Piece>, &str); 7] = [
        ("beyond, then the end", vec![c(true, 16, 8), b(false, 8)], "aaaaaaaabbbbbbbb"),
        ("a longer last", vec![b(false, 8), c(false, 8, 16)], "aaaaaaaabbbbbbbb"),
        ("a shorter last that loses", vec![c(false, 8, 16), b(false, 8)], "aaaaaaaacccccccccccccccc"),
        ("a longer last by bytes", vec![c(false, 8, 4), b(false, 8)], "aaaaaaaacccc"),
        ("not last over last", vec![c(false, 8, 4), b(true, 8)], "aaaaaaaacccc"),
        ("two lasts", vec![c(false, 16, 8), b(false, 8)], "aaaaaaaabbbbbbbb"),
        ("two lasts and a gap", vec![c(false, 24, 8), b(false, 8)], "aaaaaaaabbbbbbbb"),
    ];
    for (name, pieces, expected) in cases {
        let mut defrag = defrag(Policy::Bsd);
        for piece in &pieces {
            assert_eq!(push(&mut defrag, &around, piece, 0), Got::Held, "{name}");
        }
        let got = push(&mut defrag, &around, &a(8), 0);
        assert!(
            matches!(&got, Got::Complete(bytes, 3, _) if bytes[40..] == *expected.as_bytes()),
            "{name}: {got:?}"
        );
    }
    // A last fragment that has lost its end does not end the datagram.
    let mut defrag = defrag(Policy::Bsd);
    for piece in [b(true, 8), c(false, 8, 8), a(8)] {
        assert_eq!(push(&mut defrag, &around, &piece, 0), Got::Held);
    }
}

#[test]
fn beyond_the_end() {
    let around = around(4);
    let mut defrag = defrag(Policy::Bsd);
    push(&mut defrag, &around, &Piece::new(8, false, [b'b'; 8]), 0);
    let beyond = push(&mut defrag, &around, &Piece::new(16, true, [b'c'; 8]), 0);
    assert_eq!(beyond, Got::Dropped(DropReason::BeyondEnd));
    assert!(matches!(push(&mut defrag, &around, &a(8), 0), Got::Complete(_, 2, _)));
}

#[test]
fn fragments_of_one_datagram() {
    let mut defrag = with(Policy::Bsd, |config| config.fragments_per_datagram_max = 3);
    for _ in 0..3 {
        assert_eq!(push(&mut defrag, &around(4), &a(8), 0), Got::Held);
    }
    assert_eq!(push(&mut defrag, &around(4), &a(8), 0), Got::Dropped(DropReason::FragmentLimit));
    assert_eq!(of_reason(&drained(&mut defrag), DropReason::Shutdown), (1, 3));
    // By default the longest datagram may come 8 bytes at a time, here backwards.
    let mut defrag = crate::build::defrag(Policy::Bsd);
    for unit in (1..8189u32).rev() {
        assert_eq!(push(&mut defrag, &around(4), &Piece::new(unit * 8, unit != 8188, [1; 8]), 0), Got::Held);
    }
    assert!(
        matches!(push(&mut defrag, &around(4), &a(8), 0), Got::Complete(bytes, 8189, _) if bytes.len() == 65_532)
    );
}

#[test]
fn a_tenant_at_its_trackers_pays_with_its_own_oldest() {
    let mut defrag = with(Policy::Bsd, |config| config.trackers_per_tenant_max = 8);
    push_of(&mut defrag, TenantId(1), &around(4), &a(8), 0);
    for id in 0..20 {
        assert_eq!(push(&mut defrag, &Around { id, ..around(4) }, &a(8), u64::from(id)), Got::Held);
    }
    assert_eq!(defrag.trackers(), 9);
    let all = lost(&mut defrag, 20);
    let bytes = around(4).frame(&a(8)).len() as u64;
    let expected = Lost {
        tenant: FIRST,
        reason: DropReason::TrackerLimit,
        datagrams: 12,
        frames: Count { packets: 12, bytes: 12 * bytes },
    };
    assert_eq!(all, [expected]);
    // The oldest went: 11 is gone, 12 is there.
    let end = Piece::new(8, false, [0; 8]);
    assert!(matches!(push(&mut defrag, &Around { id: 12, ..around(4) }, &end, 20), Got::Complete(..)));
    assert_eq!(push(&mut defrag, &Around { id: 11, ..around(4) }, &end, 20), Got::Held);
}

#[test]
fn a_flood_of_trackers_costs_only_who_sends_it() {
    // Each tenant may fill the table by itself.
    let mut defrag = with(Policy::Bsd, |config| config.trackers_per_tenant_max = 64);
    let flood = |defrag: &mut Defrag, from: u32| {
        for id in from..from + 500 {
            assert_eq!(push_of(defrag, TenantId(3), &Around { id, ..around(6) }, &a(8), 0), Got::Held);
        }
    };
    flood(&mut defrag, 0);
    for id in 0..20 {
        let around = Around { id, ..around(4) };
        assert_eq!(push_of(&mut defrag, FIRST, &around, &a(8), 0), Got::Held);
        flood(&mut defrag, 1000 * (id + 1));
    }
    assert_eq!(defrag.trackers(), 64);
    let all = lost(&mut defrag, 0);
    assert!(
        all.iter().all(|lost| lost.tenant == TenantId(3) && lost.reason == DropReason::TrackerLimit),
        "{all:?}"
    );
    for id in 0..20 {
        let around = Around { id, ..around(4) };
        let got = push_of(&mut defrag, FIRST, &around, &Piece::new(8, false, [0; 8]), 0);
        assert!(matches!(got, Got::Complete(..)));
    }
}

#[test]
fn a_flood_of_bytes_costs_only_who_sends_it() {
    // 341 chunks of 2 KiB; a fragment at the border of two takes both.
    let mut defrag = with(Policy::Bsd, |config| {
        config.trackers_max = 4096;
        config.trackers_per_tenant_max = 4096;
        config.bytes_per_tenant_max = config.bytes_max;
    });
    let border = Piece::new(2040, true, [1; 16]);
    for id in 0..10 {
        assert_eq!(push(&mut defrag, &Around { id, ..around(4) }, &border, 0), Got::Held);
    }
    for id in 0..1000 {
        let around = Around { id, ..around(6) };
        assert_eq!(
            push_of(&mut defrag, TenantId(2), &around, &Piece::new(0, true, vec![1; 8000]), 0),
            Got::Held
        );
        assert!(defrag.bytes_held() <= 1 << 20);
    }
    assert!(defrag.bytes_held() > (1 << 20) - 5 * 3072);
    let all = lost(&mut defrag, 0);
    assert!(
        all.iter().all(|lost| lost.tenant == TenantId(2) && lost.reason == DropReason::MemoryLimit),
        "{all:?}"
    );
    assert_eq!(defrag.stats(FIRST).held.packets, 10);
}

#[test]
fn a_tenant_at_its_bytes_pays_with_its_own() {
    // One datagram of the longest kind fits, and little else.
    let mut defrag = with(Policy::Bsd, |config| config.bytes_per_tenant_max = 37 * 3072);
    let small = Around { id: 1, ..around(4) };
    push(&mut defrag, &small, &a(8), 0);
    for offset in (0..64_000).step_by(8000) {
        assert_eq!(push(&mut defrag, &around(4), &Piece::new(offset, true, vec![1; 8000]), 0), Got::Held);
    }
    assert!(lost(&mut defrag, 0).is_empty());
    // Its headers go to memory too.
    let mut between = vec![44, 255];
    between.resize(2048, 0);
    let long = Around { id: 2, between, first_next: 0, ..around(6) };
    for offset in (2048..=12_288).step_by(2048) {
        assert_eq!(push(&mut defrag, &long, &Piece::new(offset, true, [0; 8]), 1), Got::Held);
    }
    assert_eq!(of_reason(&lost(&mut defrag, 1), DropReason::MemoryLimit), (2, 9));
    assert_eq!((defrag.trackers(), defrag.bytes_held()), (1, 6 * 3072));
    assert_eq!(push(&mut defrag, &long, &a(8), 1), Got::Held);
    assert_eq!(defrag.bytes_held(), 9 * 3072, "one for the payload, two for 40 + 2,048 bytes of headers");
}

#[test]
fn memory_that_others_hold_is_not_taken_from_those_who_hold_less() {
    let mut defrag = with(Policy::Bsd, |config| {
        config.bytes_max = 40 * 3072;
        config.bytes_per_tenant_max = 40 * 3072;
    });
    for tenant in 1..4 {
        for page in 0..10 {
            push_of(&mut defrag, TenantId(tenant), &around(4), &Piece::new(page * 2048, true, [0; 8]), 0);
        }
    }
    for page in 0..10 {
        assert_eq!(push(&mut defrag, &around(4), &Piece::new(page * 2048, true, [0; 8]), 0), Got::Held);
    }
    // All hold ten of forty; who asks for an eleventh and has nothing else to give up is refused.
    let refused = push(&mut defrag, &around(4), &Piece::new(10 * 2048, true, [0; 8]), 0);
    assert_eq!(refused, Got::Dropped(DropReason::MemoryLimit));
    assert!(lost(&mut defrag, 0).is_empty());
    assert_eq!(defrag.stats(FIRST).held.packets, 10);
}

#[test]
fn rfc_5722_if_asked_for() {
    let mut defrag = with(Policy::Bsd, |config| config.ipv6_overlap_drops = true);
    push(&mut defrag, &around(6), &a(16), 0);
    // An exact duplicate is no overlap (RFC 8200 4.5).
    assert_eq!(push(&mut defrag, &around(6), &a(16), 0), Got::Held);
    let overlap = Piece::new(8, true, [b'a'; 16]);
    assert_eq!(push(&mut defrag, &around(6), &overlap, 0), Got::Dropped(DropReason::Overlap));
    assert_eq!(of_reason(&lost(&mut defrag, 0), DropReason::Overlap), (1, 2));
    assert_eq!(defrag.bytes_held(), 0);
    // And so is what comes later, until the timeout.
    assert_eq!(push(&mut defrag, &around(6), &a(16), SECOND_NS), Got::Dropped(DropReason::Overlap));
    assert_eq!(push(&mut defrag, &around(6), &a(16), 60 * SECOND_NS), Got::Held);
    // The same extent with other bytes is one.
    assert_eq!(
        push(&mut defrag, &around(6), &Piece::new(0, true, [b'x'; 16]), 60 * SECOND_NS),
        Got::Dropped(DropReason::Overlap)
    );
    // IPv4 keeps its policy.
    push(&mut defrag, &around(4), &a(16), 60 * SECOND_NS);
    assert_eq!(push(&mut defrag, &around(4), &overlap, 60 * SECOND_NS), Got::Held);
}

#[test]
fn timeout_counts_from_the_first_fragment_however_often_it_is_looked_for() {
    for look in [false, true] {
        let mut defrag = defrag(Policy::Bsd);
        let mut all = Vec::new();
        let end = Piece::new(16, false, [0; 8]);
        push(&mut defrag, &around(4), &a(8), 0);
        push(&mut defrag, &around(4), &Piece::new(8, true, [0; 8]), 40 * SECOND_NS);
        let around_2 = Around { id: 2, ..around(4) };
        push(&mut defrag, &around_2, &a(8), SECOND_NS);
        push(&mut defrag, &around_2, &Piece::new(8, true, [0; 8]), SECOND_NS);
        if look {
            defrag.expire(60 * SECOND_NS, |lost| all.push(lost));
            assert_eq!(defrag.trackers(), 1);
        }
        // The first is overdue at 60 s, the second one nanosecond later than this.
        assert_eq!(push(&mut defrag, &around(4), &end, 61 * SECOND_NS - 1), Got::Held);
        assert!(matches!(push(&mut defrag, &around_2, &end, 61 * SECOND_NS - 1), Got::Complete(_, 3, _)));
        defrag.expire(61 * SECOND_NS, |lost| all.push(lost));
        assert_eq!(of_reason(&all, DropReason::Timeout), (1, 2));
        assert_eq!(all.len(), 1);
        assert_eq!(of_reason(&drained(&mut defrag), DropReason::Shutdown), (1, 1));
        balanced(&defrag);
        assert_eq!(defrag.stats(FIRST).held.packets, 0);
    }
}

#[test]
fn a_timestamp_from_the_future_does_not_stop_the_clock() {
    let mut defrag = defrag(Policy::Bsd);
    let far = 1_000_000 * SECOND_NS;
    push(&mut defrag, &Around { id: 1, ..around(4) }, &a(8), far);
    push(&mut defrag, &Around { id: 2, ..around(4) }, &a(8), 0);
    assert_eq!(of_reason(&lost(&mut defrag, 1), DropReason::Timeout), (1, 1), "the one from the future");
    // Within the timeout, time may run back; a datagram behind a later one is still overdue when it is.
    push(&mut defrag, &Around { id: 3, ..around(4) }, &a(8), 30 * SECOND_NS);
    push(&mut defrag, &Around { id: 4, ..around(4) }, &a(8), 10 * SECOND_NS);
    push(&mut defrag, &Around { id: 4, ..around(4) }, &Piece::new(8, false, [0; 8]), 75 * SECOND_NS);
    assert_eq!(of_reason(&lost(&mut defrag, 75 * SECOND_NS), DropReason::Timeout), (2, 2));
}

#[test]
fn losses_are_told_once_and_by_tenant() {
    let mut defrag = defrag(Policy::Bsd);
    for tenant in [3, 1] {
        push_of(&mut defrag, TenantId(tenant), &around(4), &a(8), 0);
        push_of(&mut defrag, TenantId(tenant), &around(4), &a(8), 0);
    }
    let all = lost(&mut defrag, 60 * SECOND_NS);
    let tenants: Vec<_> = all.iter().map(|lost| (lost.tenant.0, lost.frames.packets)).collect();
    assert_eq!(tenants, [(3, 2), (1, 2)]);
    assert!(lost(&mut defrag, 60 * SECOND_NS).is_empty());
    assert!(drained(&mut defrag).is_empty());
}

#[test]
fn unusable_limits_are_refused() {
    let error = Defrag::new(Config { timeout_ms: 0, ..Config::default() }).err().unwrap();
    assert_eq!(error.to_string(), "defrag: timeout_ms is 0; set it to at least 1");
}

/// What a removed tenant held is lost under a name of its own; another tenant's datagrams stay.
#[test]
fn a_removed_tenant_holds_nothing() {
    let mut defrag = defrag(Policy::Bsd);
    for tenant in [FIRST, TenantId(1)] {
        let frame = around(4).frame(&a(8));
        assert_eq!(Got::from(defrag.push(&frame, &parse(&frame), tenant, 0)), Got::Held);
    }
    let mut all = Vec::new();
    defrag.remove_tenant(FIRST, |lost| all.push(lost));
    assert_eq!(of_reason(&all, DropReason::TenantRemoved), (1, 1));
    assert_eq!((all.len(), all[0].tenant, defrag.trackers()), (1, FIRST, 1));
    assert_eq!(defrag.stats(FIRST), flow::defrag::Stats::default());
    defrag.remove_tenant(TenantId(9), |lost| panic!("{lost:?}"));
    balanced(&defrag);
    assert_eq!(drained(&mut defrag).len(), 1);
}
