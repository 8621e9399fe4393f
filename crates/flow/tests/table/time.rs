//! Timers over years, time that steps back, and expiry that does not depend on when the timers run.

use super::*;

/// The same packets, with the timers run after every packet, rarely, and never: the same flows end the same way.
#[test]
fn when_the_timers_run_does_not_show() {
    let history: Vec<Probe> = (0..4000_u64)
        .map(|i| {
            let mixed = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let now_us = START + i * 400_000 + (mixed >> 45);
            Probe::udp((mixed >> 8) as u16 % 2, (mixed >> 20) as u16 % 60, mixed >> 63 == 1, now_us)
        })
        .scan(0, |latest, mut probe| {
            *latest = probe.now_us.max(*latest);
            probe.now_us = *latest;
            Some(probe)
        })
        .collect();
    let end_us = history.last().unwrap().now_us + 31 * SECOND;
    let results: Vec<Vec<String>> = [1, 97, usize::MAX]
        .into_iter()
        .map(|every| {
            let mut table = table(100, 2, timeouts(10, 25, 1));
            let mut out = Vec::new();
            for (place, probe) in history.iter().enumerate() {
                offer(&mut table, probe, None, &mut out);
                if place % every == 0 {
                    table.advance(probe.now_us, &mut |flow, reason| out.push(ended(flow, reason)));
                }
            }
            // A flow that still lives at the end, and many that do not.
            offer(&mut table, &Probe::udp(0, 999, false, end_us), None, &mut out);
            table.expire_all(end_us, &mut |flow, reason| out.push(ended(flow, reason)));
            table.drain(&mut |flow, reason| out.push(ended(flow, reason)));
            let mut lines: Vec<String> = out.iter().map(|flow| format!("{flow:?}")).collect();
            lines.sort_unstable();
            lines
        })
        .collect();
    assert!(results[0].len() > 1000, "{} flows", results[0].len());
    assert_eq!(results[0].iter().filter(|line| line.contains("Shutdown")).count(), 1);
    assert_eq!(results[0], results[1]);
    assert_eq!(results[0], results[2]);
}

/// A flow is over one microsecond after its time, and not before.
#[test]
fn the_deadline_is_exact() {
    for (later, expected) in [(20 * SECOND, Met::Known), (20 * SECOND + 1, Met::Begun)] {
        let mut table = table(4, 1, timeouts(20, 100, 1));
        offer(&mut table, &Probe::udp(0, 1, false, START), None, &mut Vec::new());
        let mut out = Vec::new();
        assert_eq!(offer(&mut table, &Probe::udp(0, 1, false, START + later), None, &mut out).0, expected);
        assert_eq!(out.len(), usize::from(expected == Met::Begun));
    }
}

#[test]
fn jumps_over_years_end_everything_and_cost_little() {
    let mut table = table(1000, 1, Timeouts::default());
    let mut now_us = START;
    for year in 0..50 {
        for n in 0..1000 {
            assert_eq!(
                offer(&mut table, &Probe::udp(0, n, false, now_us), None, &mut Vec::new()).0,
                Met::Begun
            );
        }
        now_us += 31_536_000 * SECOND + year;
        let (mut ends, mut calls) = (0, 0);
        while ends < 1000 {
            table.advance(now_us, &mut |_, reason| {
                assert_eq!(reason, EndReason::Timeout);
                ends += 1;
            });
            calls += 1;
            assert!(calls < 50, "the timers crept");
        }
        assert!(table.is_empty());
    }
}

/// One call does a bounded number of steps, however many flows are over.
#[test]
fn a_call_never_stalls() {
    let mut table = table(100_000, 1, Timeouts::default());
    for n in 0..50_000 {
        offer(&mut table, &Probe::udp(0, n, false, START), None, &mut Vec::new());
    }
    let mut most = 0;
    let mut total = 0;
    for _ in 0..1000 {
        let mut ends = 0;
        table.advance(START + 3600 * SECOND, &mut |_, _| ends += 1);
        most = most.max(ends);
        total += ends;
    }
    assert!(most <= 256, "{most} in one call");
    assert_eq!(total, 50_000);
}

/// Timeouts longer than the coarsest slots, and the largest there are.
#[test]
fn timeouts_of_a_century() {
    let mut table = table(10, 1, timeouts(3_153_600_000, u32::MAX, 1));
    offer(&mut table, &Probe::udp(0, 1, false, START), None, &mut Vec::new());
    offer(&mut table, &Probe::udp(0, 2, false, START), None, &mut Vec::new());
    offer(&mut table, &Probe::udp(0, 2, true, START), None, &mut Vec::new());
    let mut now_us = START;
    for _ in 0..99 {
        now_us += 31_536_000 * SECOND;
        table.advance(now_us, &mut |_, _| panic!("too early"));
    }
    let mut ends = 0;
    table.advance(now_us + 31_536_001 * SECOND, &mut |_, _| ends += 1);
    assert_eq!((ends, table.len()), (1, 1));
}

/// Capture time that steps back shows in the record; what keeps a flow alive is the time that does not.
#[test]
fn time_that_steps_back() {
    let mut table = table(10, 1, timeouts(20, 100, 1));
    let probe = Probe::udp(0, 1, false, START);
    let (_, id) = offer(&mut table, &probe, None, &mut Vec::new());
    let id = id.unwrap();
    let back = Observation { recorded_us: START - 500 * SECOND, ..probe.observation() };
    table.observe(id, &back);
    // Against the contract: a clock that steps back by itself must not make a flow younger or panic.
    table.observe(id, &Observation { now_us: START - 1000 * SECOND, ..back });
    table.advance(START - 1000 * SECOND, &mut |_, _| panic!("nothing is over"));
    assert_eq!(table.over(id, &probe.packet, START + 20 * SECOND), None);
    assert_eq!(table.get(id).unwrap().last_us(), START - 500 * SECOND);
    assert_eq!(table.get(id).unwrap().first_us(), START);
}

#[test]
fn the_ends_of_time() {
    let mut table = table(10, 1, Timeouts::default());
    offer(&mut table, &Probe::udp(0, 1, false, 0), None, &mut Vec::new());
    offer(&mut table, &Probe::udp(0, 2, false, u64::MAX), None, &mut Vec::new());
    let mut ends = 0;
    table.advance(u64::MAX, &mut |_, _| ends += 1);
    assert_eq!((ends, table.len()), (1, 1));
    table.drain(&mut |_, reason| assert_eq!(reason, EndReason::Shutdown));
}
