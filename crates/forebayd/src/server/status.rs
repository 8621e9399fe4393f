//! The daemon's counters as the API tells of them.

use api::{Alerts, PortStatus, Reason, Status, TenantStatus, WorkerStatus};
use control::access::Who;
use dataplane::TenantSnapshot;

use super::App;

/// What frames that no tenant has are listed under; no tenant can be called that.
const NOBODY: &str = "(no tenant)";

/// How the daemon is, as far as the asker may see.
pub(super) fn status(app: &App, who: &Who) -> Status {
    let manager = &app.manager;
    let runner = manager.runner();
    let (snapshot, state) = (runner.snapshot(), manager.state());
    let lost = app.losses.read().total();
    let mut problems: Vec<String> = manager.problem().into_iter().collect();
    if lost > 0 {
        problems.push(format!(
            "{lost} events were lost since the start; free the disk or raise queue_records in [events]"
        ));
    }
    let refused = state.inspections.rules_refused();
    if refused > 0 && who.may_see_all() {
        problems.push(format!("{refused} rules are not used; `forebay rules list` shows which and why"));
    }
    let tenants: Vec<TenantStatus> =
        snapshot.rows().filter(|tenant| may_see(who, tenant)).map(tenant_status).collect();
    let all = who.may_see_all();
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        started_us: manager.started_us(),
        generation: state.number,
        generation_in_effect: control::manager::Runner::in_effect(runner),
        generations_held: runner.generations_held(),
        problems: if all { problems } else { Vec::new() },
        at_next_start: if all { manager.at_next_start() } else { Vec::new() },
        packets: if all {
            snapshot.received.packets
        } else {
            tenants.iter().map(|tenant| tenant.packets).sum()
        },
        bytes: if all { snapshot.received.bytes } else { tenants.iter().map(|tenant| tenant.bytes).sum() },
        flows_active: if all { snapshot.flows_active } else { 0 },
        events_lost: if all { lost } else { 0 },
        workers: if all { workers(app) } else { Vec::new() },
        ports: if all { ports(app) } else { Vec::new() },
        tenants,
    }
}

/// The latest alerts that the asker may see, of one tenant or of all.
pub(super) fn alerts(app: &App, who: &Who, tenant: Option<&str>, most: usize) -> Alerts {
    let wanted = |name: &str| who.may_see(name) && tenant.is_none_or(|tenant| tenant == name);
    let lines = app.recent.latest(wanted, most);
    // Each is one that was written, so it can be read.
    Alerts { alerts: lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect() }
}

fn may_see(who: &Who, tenant: &TenantSnapshot) -> bool {
    who.may_see(&tenant.name)
}

fn tenant_status(tenant: &TenantSnapshot) -> TenantStatus {
    let accounted = tenant.accounted();
    let reason = |(reason, total): &(dataplane::Reason, dataplane::Totals)| Reason {
        reason: reason.as_str().to_owned(),
        wanted: reason.is_policy(),
        packets: total.packets,
    };
    TenantStatus {
        name: if tenant.name.is_empty() { NOBODY.to_owned() } else { tenant.name.clone() },
        packets: tenant.received.packets,
        bytes: tenant.received.bytes,
        inspected: tenant.inspected.packets,
        not_inspected: tenant.not_inspected.iter().map(reason).collect(),
        waiting: tenant.received.packets.saturating_sub(accounted.packets),
        flows: tenant.flows,
        alerts: tenant.alerts,
    }
}

fn workers(app: &App) -> Vec<WorkerStatus> {
    let workers = app.manager.runner().workers();
    let worker = |(number, view): (u32, dataplane::WorkerView)| WorkerStatus {
        worker: number,
        generation: view.generation,
        packets: view.received.packets,
    };
    (0..).zip(workers).map(worker).collect()
}

fn ports(app: &App) -> Vec<PortStatus> {
    let port = |(name, stats): (String, dataplane::PortStats)| PortStatus {
        port: name,
        packets: stats.rx_packets,
        bytes: stats.rx_bytes,
        missed: stats.rx_missed,
        errors: stats.rx_errors,
        no_mbuf: stats.rx_no_mbuf,
    };
    app.manager.runner().ports().into_iter().map(port).collect()
}
