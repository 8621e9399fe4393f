//! The summary for scripts: one object, whose fields are a contract (`docs/command-line.md`).

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::{Report, TenantReport};

#[derive(Serialize)]
struct Summary<'a> {
    packets: u64,
    bytes: u64,
    seconds: f64,
    rules_load_seconds: f64,
    gbps: f64,
    mpps: f64,
    flows: u64,
    alerts: u64,
    rules: Rules,
    tenants: Vec<Tenant<'a>>,
}

#[derive(Serialize)]
struct Rules {
    loaded: u64,
    failed: u64,
}

#[derive(Serialize)]
struct Tenant<'a> {
    name: &'a str,
    packets: u64,
    bytes: u64,
    flows: u64,
    alerts: u64,
    not_inspected: BTreeMap<&'static str, u64>,
}

/// The object on one line, without a newline.
pub(crate) fn json(report: &Report) -> Result<String, serde_json::Error> {
    let summary = Summary {
        packets: report.packets,
        bytes: report.bytes,
        seconds: rounded(report.seconds),
        rules_load_seconds: rounded(report.rules_load_seconds),
        gbps: rounded(report.bits_per_s() / 1e9),
        mpps: rounded(report.packets_per_s() / 1e6),
        flows: report.flows(),
        alerts: report.alerts(),
        rules: Rules { loaded: report.rules_loaded, failed: report.rules_failed },
        tenants: report.tenants.iter().map(tenant).collect(),
    };
    serde_json::to_string(&summary)
}

fn tenant(tenant: &TenantReport) -> Tenant<'_> {
    Tenant {
        name: &tenant.name,
        packets: tenant.packets,
        bytes: tenant.bytes,
        flows: tenant.flows,
        alerts: tenant.alerts,
        not_inspected: tenant.not_inspected.iter().map(|one| (one.reason, one.packets)).collect(),
    }
}

/// To a millionth: a microsecond, a packet per second.
fn rounded(number: f64) -> f64 {
    (number * 1e6).round() / 1e6
}
