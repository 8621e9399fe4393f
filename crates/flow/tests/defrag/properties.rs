//! Random fragments against the original and against the oracle.

use std::cell::Cell;

use flow::defrag::{DropReason, Policy};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use wire::TenantId;

use crate::build::{Around, Got, Piece, SECOND_NS, around, defrag, drained, lost, push, push_of, with};
use crate::oracle::{Expect, Oracle};

/// Failures are printed, shrunk, and become tests of their own; no file beside the sources.
fn cases(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// A datagram, where it is cut (in units), and in which order the parts are sent.
fn cut() -> impl Strategy<Value = (Vec<u8>, Vec<Piece>)> {
    prop_oneof![9 => 9..6000usize, 1 => 6000..=65_507usize]
        .prop_flat_map(|len| {
            let units = len.div_ceil(8);
            (
                proptest::collection::vec(any::<u8>(), len),
                proptest::collection::btree_set(1..units, 1..=40.min(units - 1)),
            )
        })
        .prop_flat_map(|(payload, cuts)| {
            let mut bounds = vec![0];
            bounds.extend(cuts.iter().map(|cut| cut * 8));
            bounds.push(payload.len());
            let pieces: Vec<_> = bounds
                .windows(2)
                .map(|pair| Piece::new(pair[0] as u32, pair[1] != payload.len(), &payload[pair[0]..pair[1]]))
                .collect();
            (Just(payload), Just(pieces).prop_shuffle())
        })
}

#[test]
fn any_cut_in_any_order_gives_the_original() {
    let strategy =
        (cut(), proptest::sample::select(&Policy::ALL[..]), prop_oneof![Just(4u8), Just(6)], any::<bool>());
    TestRunner::new(cases(300))
        .run(&strategy, |((payload, pieces), policy, ip_version, twice)| {
            let around = around(ip_version);
            let mut defrag = defrag(policy);
            let (last, held) = pieces.split_last().unwrap();
            let mut frame_bytes = 0;
            let mut fragments = 0;
            for piece in held.iter().chain(held.iter().filter(|_| twice)) {
                prop_assert_eq!(push(&mut defrag, &around, piece, 0), Got::Held);
                fragments += 1;
                frame_bytes += around.frame(piece).len() as u64;
            }
            frame_bytes += around.frame(last).len() as u64;
            let got = push(&mut defrag, &around, last, 0);
            prop_assert_eq!(got, Got::Complete(around.datagram(&payload), fragments + 1, frame_bytes));
            let stats = defrag.stats(wire::TenantId(0));
            let repeated = if twice { held.len() as u64 } else { 0 };
            prop_assert_eq!((stats.duplicates, stats.overlaps), (repeated, repeated));
            prop_assert!(drained(&mut defrag).is_empty());
            Ok(())
        })
        .unwrap();
}

/// Fragments that overlap in any way, with ends that contradict one another. `spread` in units.
fn tangle(spread: u32) -> impl Strategy<Value = Vec<Piece>> {
    let piece = (prop_oneof![4 => 0..spread, 1 => Just(0)], 1..=spread, 0..6u32, 1..8usize, any::<u8>())
        .prop_map(move |(start, units, last, odd, fill)| {
            let units = units.min(spread - start) as usize;
            let more = last != 0;
            let len = if more { units * 8 } else { units * 8 - odd % 8 };
            // Bytes differ within a fragment too, so that a part of it in the wrong place shows.
            let payload: Vec<u8> = (0..len).map(|at| fill.wrapping_add(at as u8)).collect();
            Piece::new(start * 8, more, payload)
        });
    proptest::collection::vec(piece, 2..32)
}

#[test]
fn overlaps_are_resolved_as_the_oracle_does() {
    for policy in Policy::ALL {
        let (completed, beyond, conflicts) = (Cell::new(0), Cell::new(0), Cell::new(0));
        // Small datagrams for density, large ones for the borders between chunks of memory.
        let strategy = prop_oneof![3 => tangle(12), 1 => tangle(40), 1 => tangle(600)];
        TestRunner::new(cases(600))
            .run(&strategy, |pieces| {
                let around = around(6);
                let mut defrag = defrag(policy);
                let mut oracle = Oracle::new(policy);
                for piece in &pieces {
                    if piece.offset == 0 && !piece.more {
                        continue;
                    }
                    match (oracle.push(piece), push(&mut defrag, &around, piece, 0)) {
                        (Expect::Held, got) => prop_assert_eq!(got, Got::Held),
                        (Expect::BeyondEnd, got) => {
                            beyond.set(beyond.get() + 1);
                            prop_assert_eq!(got, Got::Dropped(DropReason::BeyondEnd));
                        }
                        (Expect::Complete(payload), Got::Complete(bytes, ..)) => {
                            completed.set(completed.get() + 1);
                            prop_assert_eq!(bytes, around.datagram(&payload));
                            oracle = Oracle::new(policy);
                        }
                        (expected, got) => prop_assert!(false, "{:?} but {:?}", expected, got),
                    }
                }
                conflicts.set(conflicts.get() + defrag.stats(wire::TenantId(0)).end_conflicts);
                drained(&mut defrag);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{policy:?}: {error}"));
        assert!(completed.get() > 50, "{policy:?}: only {} complete", completed.get());
        assert!(beyond.get() > 50, "{policy:?}: only {} beyond the end", beyond.get());
        assert!(conflicts.get() > 50, "{policy:?}: only {} contradict the end", conflicts.get());
    }
}

/// The same fragments and times give the same outcomes and the same losses, however often anybody looks for timeouts.
#[test]
fn results_do_not_depend_on_when_timeouts_are_looked_for() {
    let step = (0..6u32, 0..3u16, 0..4u32, any::<bool>(), 0..25u64);
    TestRunner::new(cases(200))
        .run(&proptest::collection::vec(step, 1..200), |steps| {
            let mut now_ns = 0;
            let mut results = [(); 2].map(|()| (small(), Vec::new(), Vec::new()));
            for (id, tenant, unit, more, seconds) in steps {
                now_ns += seconds * SECOND_NS;
                let around = Around { id, ..around(4) };
                let piece = Piece::new(unit * 8, more, [id as u8; 8]);
                for (often, (defrag, outcomes, losses)) in results.iter_mut().enumerate() {
                    outcomes.push(push_of(defrag, TenantId(tenant), &around, &piece, now_ns));
                    if often == 1 {
                        losses.extend(lost(defrag, now_ns));
                    }
                }
            }
            let [seldom, often] = results.map(|(mut defrag, outcomes, mut losses)| {
                losses.extend(drained(&mut defrag));
                let sums: Vec<_> = losses
                    .iter()
                    .map(|lost| (lost.tenant, lost.reason.index(), lost.frames.packets))
                    .fold(std::collections::BTreeMap::new(), |mut sums, (tenant, reason, packets)| {
                        *sums.entry((tenant, reason)).or_insert(0) += packets;
                        sums
                    })
                    .into_iter()
                    .collect();
                (outcomes, sums)
            });
            prop_assert_eq!(seldom, often);
            Ok(())
        })
        .unwrap();
}

fn small() -> flow::defrag::Defrag {
    with(Policy::Bsd, |config| {
        config.trackers_max = 8;
        config.trackers_per_tenant_max = 4;
    })
}
