//! The latest alerts of each tenant, for who asks without reading files.
//!
//! In: lines as they are written, with their tenant. Out: copies, newest first. Memory is bounded for each tenant by
//! itself, so that one tenant's flood of alerts does not push out another's.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use event::Label;

/// Alerts kept for a tenant.
const LINES_MAX: usize = 200;
/// Bytes kept for all tenants together.
const BYTES_MAX: usize = 64 << 20;
/// Bytes kept for a tenant, if that many fit for each.
const TENANT_BYTES_MAX: usize = 512 << 10;

/// The latest alerts of each tenant.
#[derive(Debug)]
pub struct Recent {
    tenant_bytes_max: usize,
    rings: Mutex<Rings>,
}

#[derive(Debug, Default)]
struct Rings {
    /// Alerts so far.
    number: u64,
    of: HashMap<Label, Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    /// Oldest first, each with its place among all.
    lines: VecDeque<(u64, Box<[u8]>)>,
    bytes: usize,
}

impl Recent {
    /// Nothing yet, of at most `tenants` tenants.
    pub fn new(tenants: usize) -> Self {
        let tenant_bytes_max = (BYTES_MAX / tenants.max(1)).min(TENANT_BYTES_MAX);
        Self { tenant_bytes_max, rings: Mutex::default() }
    }

    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.rings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a copy of a line. One that is longer than all that a tenant may have kept is passed over.
    pub(crate) fn note(&self, tenant: Label, line: &[u8]) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.len() > self.tenant_bytes_max {
            return;
        }
        let mut rings = self.rings();
        rings.number += 1;
        let number = rings.number;
        let ring = rings.of.entry(tenant).or_default();
        while ring.lines.len() >= LINES_MAX || ring.bytes + line.len() > self.tenant_bytes_max {
            let Some((_, oldest)) = ring.lines.pop_front() else { break };
            ring.bytes -= oldest.len();
        }
        ring.bytes += line.len();
        ring.lines.push_back((number, line.into()));
    }

    /// The latest alerts of the tenants that are `wanted`, newest first, `most` at most: EVE objects.
    pub fn latest(&self, wanted: impl Fn(&str) -> bool, most: usize) -> Vec<Box<[u8]>> {
        let rings = self.rings();
        let wanted = rings.of.iter().filter(|(tenant, _)| wanted(tenant.as_str()));
        let mut lines: Vec<&(u64, Box<[u8]>)> = wanted.flat_map(|(_, ring)| &ring.lines).collect();
        lines.sort_unstable_by_key(|(number, _)| std::cmp::Reverse(*number));
        lines.into_iter().take(most).map(|(_, line)| line.clone()).collect()
    }

    /// Forgets the alerts of tenants that are no more, so that who has a name next does not see them.
    pub fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.rings().of.retain(|tenant, _| is_there(tenant.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(lines: Vec<Box<[u8]>>) -> Vec<String> {
        lines.into_iter().map(|line| String::from_utf8(line.into_vec()).unwrap()).collect()
    }

    fn label(name: &str) -> Label {
        name.parse().unwrap()
    }

    #[test]
    fn the_latest_come_first_and_only_of_whom_is_wanted() {
        let recent = Recent::new(4);
        for (tenant, line) in [("a", "1\n"), ("b", "2\n"), ("a", "3\n")] {
            recent.note(label(tenant), line.as_bytes());
        }
        assert_eq!(texts(recent.latest(|_| true, 10)), ["3", "2", "1"]);
        assert_eq!(texts(recent.latest(|_| true, 2)), ["3", "2"]);
        assert_eq!(texts(recent.latest(|tenant| tenant == "a", 10)), ["3", "1"]);
        recent.keep(|tenant| tenant == "b");
        assert_eq!(texts(recent.latest(|_| true, 10)), ["2"]);
    }

    #[test]
    fn a_flood_pushes_out_the_flooders_own_only() {
        let recent = Recent::new(4);
        recent.note(label("quiet"), b"q");
        for number in 0..10 * LINES_MAX {
            recent.note(label("loud"), number.to_string().as_bytes());
        }
        assert_eq!(recent.latest(|tenant| tenant == "loud", usize::MAX).len(), LINES_MAX);
        assert_eq!(recent.latest(|tenant| tenant == "quiet", 1).len(), 1);
    }

    #[test]
    fn long_lines_are_bounded_too() {
        let recent = Recent::new(4000);
        let line = vec![b'x'; recent.tenant_bytes_max / 2 + 1];
        recent.note(label("a"), &line);
        recent.note(label("a"), &line);
        assert_eq!(recent.latest(|_| true, 10).len(), 1);
        recent.note(label("a"), &vec![b'x'; recent.tenant_bytes_max + 1]);
        assert_eq!(recent.latest(|_| true, 10).len(), 1);
    }
}
