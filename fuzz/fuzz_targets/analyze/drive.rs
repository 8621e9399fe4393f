//! Gives a session what the fuzzer says, and asks of everything that comes out what rules ask.

// Each target uses its part of this.
#![allow(dead_code)]

use analyze::{Config, Protocols, Session, Transport};
use app::{Buffer, Direction};

const NUMBERS: &[&str] = &[
    "dns.opcode",
    "dns.rrtype",
    "tls.version",
    "ssl_state",
    "dhcp.leasetime",
    "nfs_procedure",
    "mqtt.type",
    "mqtt.reason_code",
];

const PORTS: [u16; 24] = [
    80, 443, 53, 25, 21, 22, 445, 139, 69, 67, 123, 88, 161, 500, 3389, 40_001, 2049, 5432, 502, 20_000,
    44_818, 5060, 5900, 1883,
];

/// Any protocol: the first byte chooses the transport and the server's port, the rest is for [`drive`].
pub(crate) fn drive_any(input: &[u8]) {
    let Some((&first, rest)) = input.split_first() else { return };
    let transport = if first & 0x80 == 0 { Transport::Tcp } else { Transport::Udp };
    drive(transport, (40_000, PORTS[usize::from(first & 0x1f).min(PORTS.len() - 1)]), rest);
}

/// A byte of operation (bit 7 the direction; bits 0-6 the length of the data that follows, 0 a gap of the next byte's
/// length, 127 everything that is left), over and over; then both directions close.
pub(crate) fn drive(transport: Transport, (client_port, server_port): (u16, u16), input: &[u8]) {
    let config = Config { enabled: Protocols::ALL, ja3: true, ja4: true, hassh: true, ..Config::default() };
    let mut session = Session::new(transport, client_port, server_port);
    if input.len().is_multiple_of(3) {
        session.set_midstream();
    }
    let mut rest = input;
    let mut time_us = 0;
    while let Some((&operation, after)) = rest.split_first() {
        let direction = if operation & 0x80 == 0 { Direction::ToServer } else { Direction::ToClient };
        let len = match operation & 0x7f {
            127 => after.len(),
            len => usize::from(len).min(after.len()),
        };
        let (bytes, next) = after.split_at(len);
        rest = next;
        time_us += 1;
        if len == 0 && transport == Transport::Tcp {
            let gap = rest.first().copied().unwrap_or(1);
            session.gap(&config, time_us, direction, u64::from(gap) + 1);
        } else {
            session.data(&config, time_us, direction, bytes);
        }
        look(&mut session, direction, &config);
        session.retire(direction);
    }
    for direction in Direction::BOTH {
        session.close(&config, time_us, direction);
    }
    for direction in Direction::BOTH {
        look(&mut session, direction, &config);
        session.retire(direction);
    }
    let mut left = 0;
    session.for_each_transaction(&mut |_| left += 1);
    assert_eq!(left, 0, "transactions stay open behind the end");
}

fn look(session: &mut Session, direction: Direction, config: &Config) {
    let mut scratch = Vec::new();
    let mut open = 0;
    let mut last = None;
    session.for_each_transaction(&mut |transaction| {
        open += 1;
        last = Some(transaction.id());
        let stage = transaction.stage(direction);
        for buffer in Buffer::all().filter(|buffer| buffer.stage() <= stage) {
            let mut index = 0;
            while transaction.buffer(direction, buffer, index, &mut scratch).is_some() && index < 10_000 {
                index += 1;
                if !buffer.is_multiple() {
                    break;
                }
            }
            assert!(index < 10_000, "a buffer without end: {}", buffer.name());
        }
        for field in NUMBERS {
            transaction.number(direction, field, 0);
        }
        let mut members = Vec::new();
        transaction.context(&mut members);
        assert!(std::str::from_utf8(&members).is_ok());
        transaction.inspected(direction);
    });
    // Before and after a change of protocol there are two parsers.
    assert!(open <= 2 * config.limits.transactions_max.max(1024), "{open} open transactions");
    for record in session.take_records() {
        assert!(std::str::from_utf8(&record.members).is_ok(), "{}", record.event_type);
        assert!(!record.members.contains(&b'\n'));
    }
    session.take_expectations().for_each(drop);
    session.take_flush_raw();
}
