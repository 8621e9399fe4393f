//! One flow, floods, and equal hashes.

use super::*;
use flow::TableError;
use flow::tcp::{FIN, TcpState};

#[test]
fn unusable_sizes_are_errors() {
    for flows_max in [0, u32::MAX] {
        let config =
            TableConfig { flows_max, tenants: 1, timeouts: Timeouts::default(), seed: HashSeed::new(1) };
        assert!(
            matches!(FlowTable::<NoPrefetch>::new(&config), Err(TableError::Size { flows }) if flows == flows_max)
        );
    }
}

#[test]
fn a_table_of_one_flow_holds_the_latest() {
    let mut table = table(1, 1, Timeouts::default());
    let mut out = Vec::new();
    for n in 0..1000 {
        let (met, id) = offer(&mut table, &Probe::udp(0, n, false, START), None, &mut out);
        assert_eq!((met, table.len()), (Met::Begun, 1));
        assert_eq!(table.get(id.unwrap()).unwrap().packets(), [1, 0]);
    }
    assert_eq!(out.len(), 999);
    assert!(out.iter().all(|(_, reason, ..)| *reason == EndReason::EvictedTableFull));
    assert_eq!(out[7].0, Probe::udp(0, 7, true, START).key);
}

#[test]
fn memory_is_within_the_budget() {
    // The index is a power of two: just above one is the worst.
    for flows_max in [1 << 17, (1 << 17) + 1] {
        let table = table(flows_max, 256, Timeouts::default());
        assert!(table.bytes() / flows_max as usize <= 192, "{} bytes", table.bytes());
    }
}

/// A tenant that is removed takes all of its flows with it, and none of another's; its row can be filled again.
#[test]
fn a_tenant_that_is_no_more_has_no_flows() {
    let mut table = table(100, 2, Timeouts::default());
    for n in 0..30 {
        connect(&mut table, 0, n, START, n < 5);
        connect(&mut table, 1, n, START, n < 5);
    }
    let mut out = Vec::new();
    table.end_tenant(TenantId(0), START + 1, &mut |flow, reason| out.push((flow.key().tenant(), reason)));
    assert_eq!(out, vec![(TenantId(0), EndReason::TenantRemoved); 30]);
    assert_eq!((table.tenant_len(TenantId(0)), table.tenant_len(TenantId(1))), (0, 30));
    assert_eq!((table.len(), table.stats().tenant_removed), (30, 30));
    table.end_tenant(TenantId(7), START, &mut |_, _| panic!("no such tenant"));
    connect(&mut table, 0, 1, START + 2, false);
    // A flow whose time was over has ended by itself, whenever that is noticed.
    out.clear();
    let later = START + 10 * 3600 * SECOND;
    table.end_tenant(TenantId(0), later, &mut |flow, reason| out.push((flow.key().tenant(), reason)));
    assert_eq!(out, [(TenantId(0), EndReason::Timeout)]);
    assert_eq!(table.len(), 30);
}

/// A tenant that opens flows as fast as it can pushes out its own, half-open ones first, and nobody else's.
#[test]
fn a_flood_evicts_only_its_own_tenant() {
    const ROOM: u32 = 1000;
    let mut table = table(ROOM, 3, Timeouts::default());
    for n in 0..200 {
        assert!(connect(&mut table, 0, n, START, false).is_empty());
    }
    for n in 0..50 {
        assert!(connect(&mut table, 1, n, START + 1, n < 10).is_empty());
    }
    let mut out = Vec::new();
    for n in 0..20_000 {
        let flood = Probe::tcp(1, 1000 + n, false, START + 2 + u64::from(n), (SYN, 9, 0));
        assert_eq!(offer(&mut table, &flood, None, &mut out).0, Met::Begun);
    }
    assert_eq!((table.tenant_len(TenantId(0)), table.tenant_len(TenantId(1))), (200, 800));
    assert!(
        out.iter()
            .all(|(key, reason, ..)| key.tenant() == TenantId(1) && *reason == EndReason::EvictedTableFull)
    );
    // The ten that were closed went first, then half-open ones, oldest first; the forty connections are still there.
    assert!(
        out[..10]
            .iter()
            .all(|(key, ..)| (0..10).any(|n| Probe::udp(1, n, false, 0).packet.tuple.src == src(key, n)))
    );
    for n in 10..50 {
        let probe = Probe::tcp(1, n, false, START + 30_000, (ACK, 101, 501));
        let id =
            table.find(table.hash(&probe.key), &probe.key, None).expect("an established flow was evicted");
        assert_eq!(table.get(id).unwrap().tcp_state(), TcpState::Established);
    }
    // Another tenant with no flows gets none while the table is full, and evicts nobody.
    let (met, _) = offer(&mut table, &Probe::udp(2, 0, false, START + 30_000), None, &mut Vec::new());
    assert_eq!(met, Met::Refused(InsertError::TableFull));
    // With a cap the flood leaves room.
    table.set_flows_max(TenantId(1), 300);
    for n in 0..300 {
        let (met, _) =
            offer(&mut table, &Probe::udp(0, 5000 + n, false, START + 40_000), None, &mut Vec::new());
        assert_eq!(met, Met::Begun);
    }
}

fn src(key: &FlowKey, n: u16) -> Addr {
    let [high, low] = n.to_be_bytes();
    let wanted = Addr::v4([10, 0, high, low]);
    let tuple = key.tuple(Orientation::Forward);
    if tuple.src == wanted || tuple.dst == wanted { wanted } else { Addr::default() }
}

#[test]
fn a_tenant_that_may_have_none_gets_none() {
    let mut table = table(10, 2, Timeouts::default());
    table.set_flows_max(TenantId(0), 0);
    for (tenant, expected) in [
        (0, Met::Refused(InsertError::TenantCap)),
        (1, Met::Begun),
        (2, Met::Refused(InsertError::TenantCap)),
    ] {
        assert_eq!(
            offer(&mut table, &Probe::udp(tenant, 1, false, START), None, &mut Vec::new()).0,
            expected
        );
    }
}

/// Of established flows the one that was not seen lately goes.
#[test]
fn an_established_flow_that_is_used_stays() {
    let mut table = table(4, 1, Timeouts::default());
    for n in 0..4 {
        connect(&mut table, 0, n, START + u64::from(n), false);
    }
    let mut out = Vec::new();
    for n in [0, 1, 3] {
        offer(&mut table, &Probe::tcp(0, n, false, START + 100, (ACK, 101, 501)), None, &mut out);
    }
    offer(&mut table, &Probe::udp(0, 9, false, START + 200), None, &mut out);
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].0, Probe::tcp(0, 2, false, 0, (0, 0, 0)).key);
}

/// A refused connection that is tried again with the same number is one flow; with another number it is a new one.
#[test]
fn only_a_new_number_begins_a_new_connection() {
    let mut table = table(4, 1, Timeouts::default());
    let mut out = Vec::new();
    for (answer, segment) in [
        (false, (SYN, 100, 0)),
        (true, (RST | ACK, 0, 101)),
        (false, (SYN, 100, 0)),
        (true, (RST | ACK, 0, 101)),
    ] {
        offer(&mut table, &Probe::tcp(0, 1, answer, START, segment), None, &mut out);
    }
    assert!(out.is_empty());
    let again = Probe::tcp(0, 1, false, START, (SYN, 90_000, 0));
    assert_eq!(offer(&mut table, &again, None, &mut out).0, Met::Begun);
    assert_eq!(out, [(again.key, EndReason::TcpReuse, [2, 2], [200, 200])]);
}

/// A capture that was joined out of repetitions has the same connection, to the sequence number, again and again.
#[test]
fn the_same_number_is_the_same_connection() {
    let mut table = table(4, 1, Timeouts::default());
    let mut out = Vec::new();
    for _ in 0..3 {
        for (answer, segment) in [
            (false, (SYN, 1000, 0)),
            (true, (SYN | ACK, 2000, 1001)),
            (false, (ACK, 1001, 2001)),
            (false, (FIN | ACK, 1001, 2001)),
            (true, (FIN | ACK, 2001, 1002)),
            (false, (ACK, 1002, 2002)),
        ] {
            offer(&mut table, &Probe::tcp(0, 1, answer, START, segment), None, &mut out);
        }
    }
    assert!(out.is_empty());
    assert_eq!(table.stats().begun, 1);
}

/// An ICMP error is counted with the connection it is about and changes nothing of its state.
#[test]
fn an_icmp_error_does_not_establish_a_connection() {
    let mut table = table(4, 1, Timeouts::default());
    let mut out = Vec::new();
    let syn = Probe::tcp(0, 1, false, START, (SYN, 100, 0));
    let (_, id) = offer(&mut table, &syn, None, &mut out);
    let error = Packet { l4: L4::Icmp, ..Packet::default() };
    let seen = Observation { packet: &error, orientation: syn.orientation.flipped(), ..syn.observation() };
    table.observe(id.unwrap(), &seen);
    let flow = table.get(id.unwrap()).unwrap();
    assert_eq!(
        (flow.state(), flow.tcp_state(), flow.packets()),
        (flow::FlowState::New, TcpState::SynSent, [1, 1])
    );
}
