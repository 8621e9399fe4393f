//! Data connections that control connections have announced (FTP).
//!
//! In: what an analyser expects, with the hosts that it is expected between. Out: the expectation, for the connection that
//! fits it first. One for each tenant, shared by its workers, because a data connection is another flow and may be
//! another worker's. There are none most of the time, and then a new flow asks one atomic number.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use analyze::Expectation;
use wire::Addr;

/// Connections that a tenant's control connections have announced.
#[derive(Debug, Default)]
pub struct Announced {
    waiting: AtomicUsize,
    by_ends: Mutex<HashMap<Ends, Awaited>>,
}

/// Who opens a connection, to whom and to which port.
type Ends = (Addr, Addr, u16);

/// What is awaited, and until when, in microseconds.
type Awaited = (Expectation, u64);

/// How many may be awaited at once; more are not recognised.
const WAITING_MAX: usize = 4096;
/// How long one is awaited, in microseconds.
const PATIENCE_US: u64 = 30_000_000;

impl Announced {
    /// A connection from `opener` to `host` is announced at `now_us`.
    pub(super) fn add(&self, opener: Addr, host: Addr, expectation: Expectation, now_us: u64) {
        let mut waiting = self.by_ends.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= WAITING_MAX {
            waiting.retain(|_, (_, until_us)| *until_us > now_us);
        }
        if waiting.len() < WAITING_MAX {
            let until_us = now_us.saturating_add(PATIENCE_US);
            waiting.insert((opener, host, expectation.port), (expectation, until_us));
        }
        self.waiting.store(waiting.len(), Ordering::Release);
    }

    /// Whether a connection from `opener` to `host` and `port` was announced; it is, once.
    #[inline]
    pub(super) fn take(&self, opener: Addr, host: Addr, port: u16, now_us: u64) -> Option<Expectation> {
        if self.waiting.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut waiting = self.by_ends.lock().unwrap_or_else(PoisonError::into_inner);
        let found = waiting.remove(&(opener, host, port));
        self.waiting.store(waiting.len(), Ordering::Release);
        found.filter(|(_, until_us)| *until_us > now_us).map(|(expectation, _)| expectation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(port: u16) -> Expectation {
        Expectation {
            opened: app::Direction::ToServer,
            port,
            protocol: app::Protocol::FtpData,
            command: Vec::new(),
        }
    }

    #[test]
    fn what_was_announced_comes_once_and_in_time() {
        let (a, b) = (Addr([1; 16]), Addr([2; 16]));
        let announced = Announced::default();
        assert_eq!(announced.take(a, b, 20, 0), None);
        announced.add(a, b, to(20), 5);
        assert_eq!(announced.take(b, a, 20, 6), None);
        assert_eq!(announced.take(a, b, 21, 6), None);
        assert_eq!(announced.take(a, b, 20, 6), Some(to(20)));
        assert_eq!(announced.take(a, b, 20, 6), None);
        announced.add(a, b, to(20), 5);
        assert_eq!(announced.take(a, b, 20, 5 + PATIENCE_US), None);
    }

    #[test]
    fn there_is_room_for_so_many_and_what_is_old_makes_way() {
        let (a, b) = (Addr([1; 16]), Addr([2; 16]));
        let announced = Announced::default();
        for port in 0..=WAITING_MAX as u16 {
            announced.add(a, b, to(port), 0);
        }
        assert_eq!(announced.take(a, b, WAITING_MAX as u16, 1), None, "no room");
        announced.add(a, b, to(9), PATIENCE_US + 1);
        assert_eq!(announced.waiting.load(Ordering::Relaxed), 1);
    }
}
