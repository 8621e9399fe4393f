//! One flow under a program of pieces: drives a session as the dataplane does and looks at everything that rules can
//! look at. Shared by the targets of analysers, which differ in how the flow begins.

use analyze::{Config, Session, Transport};
use app::{Buffer, Direction};

/// Bytes that transactions may show at a time, and records that may be waiting: far above any cap, far below a leak.
const SHOWN_MAX: usize = 64 << 20;

/// Looks at every transaction, and checks what it shows.
fn look(session: &mut Session, direction: Direction) {
    let mut scratch = Vec::new();
    let mut shown = 0;
    let mut last = None;
    session.for_each_transaction(&mut |transaction| {
        assert!(last < Some(transaction.id()), "numbers grow");
        last = Some(transaction.id());
        for buffer in Buffer::all() {
            for index in 0..8 {
                let Some(view) = transaction.buffer(direction, buffer, index, &mut scratch) else { break };
                shown += view.bytes.len();
            }
        }
        let mut members = Vec::new();
        transaction.context(&mut members);
        assert!(std::str::from_utf8(&members).is_ok(), "members are UTF-8");
        assert!(
            transaction
                .events(direction)
                .iter()
                .all(|event| analyze::event_names().any(|name| name == *event))
        );
        transaction.inspected(direction);
    });
    assert!(shown < SHOWN_MAX, "{shown}");
    session.retire(direction);
    for record in session.take_records() {
        assert!(std::str::from_utf8(&record.members).is_ok(), "records are UTF-8");
    }
}

/// Runs the program in `data` after each way's `beginning`: per piece a byte `dgkkkkkk` (direction, gap, length in units
/// of 4 bytes).
pub fn run(data: &[u8], beginnings: [&[u8]; 2]) {
    let config = Config::default();
    let mut session = Session::new(Transport::Tcp, 40_000, 80);
    for (direction, bytes) in Direction::BOTH.into_iter().zip(beginnings) {
        session.data(&config, 0, direction, bytes);
        look(&mut session, direction);
    }
    let mut rest = data;
    while let Some((&control, after)) = rest.split_first() {
        let direction = if control & 0x80 == 0 { Direction::ToServer } else { Direction::ToClient };
        let len = usize::from(control & 0x3f) * 4 + 1;
        if control & 0x40 != 0 {
            session.gap(&config, 0, direction, len as u64);
            rest = after;
        } else {
            let (piece, left) = after.split_at(len.min(after.len()));
            session.data(&config, 0, direction, piece);
            rest = left;
        }
        look(&mut session, direction);
    }
    for direction in Direction::BOTH {
        session.close(&config, 0, direction);
    }
    for direction in Direction::BOTH {
        look(&mut session, direction);
    }
}
