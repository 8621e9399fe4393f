//! `forebay rules profile`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use control::inspection::Inspections;
use serde::Serialize;
use signature::Cost;

use crate::cli::Replay;
use crate::failure::{Failure, print};
use crate::ui::count;

/// What asking one rule cost.
#[derive(Serialize)]
struct Entry {
    gid: u32,
    sid: u32,
    checks: u64,
    matches: u64,
    total_ns: u64,
    average_ns: u64,
    max_ns: u64,
}

/// Replays captures with rules, and tells what asking each rule cost, the most expensive first.
pub(crate) fn run(
    rules: &Path,
    captures: &[PathBuf],
    config: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    // Events are of no use here.
    let out = std::env::temp_dir().join(format!("forebay-profile-{}", std::process::id()));
    let arguments = Replay {
        captures: captures.to_vec(),
        config: config.map(Path::to_owned),
        rules: vec![rules.to_owned()],
        out: out.clone(),
        loops: 1,
        workers: None,
        accept_truncated: false,
        json: false,
    };
    let inspections = crate::replay::profile(&arguments);
    // What cannot be removed is in the system's folder for such things.
    let _ = std::fs::remove_dir_all(&out);
    let entries = entries(&inspections?);
    if json {
        return print(&(serde_json::to_string(&entries)? + "\n"));
    }
    print(&table(&entries))
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Every rule that was asked, over all tenants.
fn entries(inspections: &Inspections) -> Vec<Entry> {
    let mut costs: BTreeMap<(u32, u32), Cost> = BTreeMap::new();
    let layers = inspections.tenants.iter().flat_map(|tenant| [&tenant.policy, &tenant.own]);
    for layer in layers.flatten() {
        let Some(profile) = layer.hosts.profile() else { continue };
        for (rule, number) in layer.rules.rules().iter().zip(0..) {
            let cost = profile.cost(number);
            let sum = costs.entry((rule.rule.meta.gid, rule.rule.meta.sid)).or_default();
            sum.checks += cost.checks;
            sum.matches += cost.matches;
            sum.total = sum.total.saturating_add(cost.total);
            sum.max = sum.max.max(cost.max);
        }
    }
    let asked = costs.into_iter().filter(|(_, cost)| cost.checks > 0);
    let mut entries: Vec<Entry> = asked
        .map(|((gid, sid), cost)| Entry {
            gid,
            sid,
            checks: cost.checks,
            matches: cost.matches,
            total_ns: nanoseconds(cost.total),
            average_ns: nanoseconds(cost.total).checked_div(cost.checks).unwrap_or(0),
            max_ns: nanoseconds(cost.max),
        })
        .collect();
    entries.sort_by_key(|entry| std::cmp::Reverse(entry.total_ns));
    entries
}

fn table(entries: &[Entry]) -> String {
    let mut text = format!(
        "{:>4} {:>10} {:>14} {:>12} {:>16} {:>12} {:>12}\n",
        "gid", "sid", "checks", "matches", "total ns", "average ns", "max ns"
    );
    for entry in entries {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{:>4} {:>10} {:>14} {:>12} {:>16} {:>12} {:>12}",
            entry.gid,
            entry.sid,
            count(entry.checks),
            count(entry.matches),
            count(entry.total_ns),
            count(entry.average_ns),
            count(entry.max_ns),
        );
    }
    text
}
