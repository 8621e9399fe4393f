//! The outcome of a replay, as plain numbers.

use std::path::PathBuf;

/// Everything that is told about a replay that ended.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Report {
    /// What was replayed, in one phrase: a file's name, or how many captures.
    pub(crate) source: String,
    /// How often.
    pub(crate) loops: u64,
    /// By how many workers.
    pub(crate) workers: u64,
    /// Packets that the captures hold, times the loops.
    pub(crate) packets_offered: u64,
    /// Packets that workers received.
    pub(crate) packets: u64,
    /// Their bytes on the wire, without FCS.
    pub(crate) bytes: u64,
    /// From the first packet taken to the last event written.
    pub(crate) seconds: f64,
    /// Time to load and compile signatures, in seconds.
    pub(crate) rules_load_seconds: f64,
    /// Signatures loaded.
    pub(crate) rules_loaded: u64,
    /// Signatures refused.
    pub(crate) rules_failed: u64,
    /// Flows by protocol, as (name, number), in the order to show.
    pub(crate) flows_by_protocol: Vec<(&'static str, u64)>,
    /// Tenants in the configuration's order.
    pub(crate) tenants: Vec<TenantReport>,
    /// Frames that belong to no tenant.
    pub(crate) unassigned: TenantReport,
    /// Where the events are.
    pub(crate) eve: PathBuf,
    /// How many events were written there.
    pub(crate) events: u64,
}

/// One tenant's part.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct TenantReport {
    /// Its name.
    pub(crate) name: String,
    /// Packets received for it.
    pub(crate) packets: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Flows begun.
    pub(crate) flows: u64,
    /// Alerts raised.
    pub(crate) alerts: u64,
    /// Packets that inspectors looked into.
    pub(crate) inspected: u64,
    /// Packets whose checksum an inspector found to be wrong.
    pub(crate) checksum_wrong: u64,
    /// Packets they did not, by reason; only reasons that occurred.
    pub(crate) not_inspected: Vec<NotInspected>,
}

/// Packets not inspected for one reason.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NotInspected {
    /// The reason's name.
    pub(crate) reason: &'static str,
    /// Whether the configuration asked for it; otherwise it is a loss.
    pub(crate) is_policy: bool,
    /// How many.
    pub(crate) packets: u64,
}

impl Report {
    /// Flows of all tenants.
    pub(crate) fn flows(&self) -> u64 {
        self.rows().map(|tenant| tenant.flows).sum()
    }

    /// Alerts of all tenants.
    pub(crate) fn alerts(&self) -> u64 {
        self.rows().map(|tenant| tenant.alerts).sum()
    }

    /// Bits received per second.
    pub(crate) fn bits_per_s(&self) -> f64 {
        per_second(self.bytes as f64 * 8.0, self.seconds)
    }

    /// Packets received per second.
    pub(crate) fn packets_per_s(&self) -> f64 {
        per_second(self.packets as f64, self.seconds)
    }

    /// Tenants, and last the frames of none.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &TenantReport> {
        self.tenants.iter().chain(std::iter::once(&self.unassigned))
    }

    /// Packets that inspectors looked into.
    pub(crate) fn inspected(&self) -> u64 {
        self.rows().map(|tenant| tenant.inspected).sum()
    }

    /// Packets by reason over all tenants, in the order in which reasons first occur in a row.
    pub(crate) fn not_inspected(&self) -> Vec<NotInspected> {
        let mut all: Vec<NotInspected> = Vec::new();
        for one in self.rows().flat_map(|tenant| &tenant.not_inspected) {
            match all.iter_mut().find(|known| known.reason == one.reason) {
                Some(known) => known.packets += one.packets,
                None => all.push(one.clone()),
            }
        }
        all
    }

    /// Packets that were offered and are neither inspected nor counted under a reason, or the other way round. Anything
    /// but 0 is a bug.
    pub(crate) fn unaccounted(&self) -> i128 {
        let reasons: u64 = self.not_inspected().iter().map(|one| one.packets).sum();
        i128::from(self.packets_offered) - i128::from(self.inspected()) - i128::from(reasons)
    }
}

fn per_second(number: f64, seconds: f64) -> f64 {
    if seconds > 0.0 { number / seconds } else { 0.0 }
}
