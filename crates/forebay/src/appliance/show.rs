//! Answers as text for people.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use anstyle::{AnsiColor, Style};
use api::{
    Alerts, Change, Generations, Layer, RuleSet, Status, SteeringRule, SteeringRules, SteeringVerdict,
    Tenant, TenantStatus, Tenants, Vlans,
};
use serde::Serialize;
use serde_json::Value;

use crate::ui::{bytes, count, moment, table};

const STRONG: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The policy, as it is shown.
#[derive(Serialize)]
pub(super) struct PolicyView {
    pub(super) rules: RuleSet,
    pub(super) steering: Vec<SteeringRule>,
}

pub(super) fn change(change: &Change) -> String {
    let mut text = String::new();
    let done = if change.dry_run {
        format!("{STRONG}would change{STRONG:#}: {} (nothing was changed)", change.what)
    } else if change.what == "nothing changed" {
        format!("nothing to change: generation {} runs", change.generation)
    } else {
        let effect = change.effect_ms.map_or_else(
            || "not every worker runs it yet; see `forebay status`".to_owned(),
            |ms| format!("in effect after {ms:.0} ms"),
        );
        format!("{}: generation {STRONG}{}{STRONG:#}, {effect}", change.what, change.generation)
    };
    text += &done;
    text.push('\n');
    if change.dry_run {
        text += &diff(&change.diff);
    }
    if !change.at_next_start.is_empty() {
        // Writing to a string does not fail.
        let _ =
            writeln!(text, "takes effect when the daemon starts next: {}", change.at_next_start.join(", "));
    }
    text
}

/// A unified diff, its lines coloured.
pub(super) fn diff(diff: &str) -> String {
    if diff.is_empty() {
        return "no difference\n".to_owned();
    }
    let mut text = String::new();
    for line in diff.lines() {
        let _ = match line.as_bytes().first() {
            Some(b'+') => writeln!(text, "{GOOD}{line}{GOOD:#}"),
            Some(b'-') => writeln!(text, "{BAD}{line}{BAD:#}"),
            _ => writeln!(text, "{line}"),
        };
    }
    text
}

pub(super) fn tenants(tenants: &Tenants) -> String {
    if tenants.tenants.is_empty() {
        return "no tenants; add one: forebay tenant add NAME --vlan VLAN\n".to_owned();
    }
    let rows = tenants.tenants.iter().map(|tenant| {
        vec![
            tenant.name.clone(),
            vlans_of(tenant),
            tenant.weight.to_string(),
            tenant.default_verdict.clone(),
            count(tenant.rules),
            count(tenant.steering_rules),
        ]
    });
    table(&["tenant", "VLANs", "weight", "default verdict", "rules", "steering rules"], &[2, 4, 5], rows)
}

fn vlans_of(tenant: &Tenant) -> String {
    let mut vlans = tenant.vlans.clone();
    vlans.extend(tenant.ports.iter().map(|port| format!("port {port}")));
    vlans.extend(tenant.any_vlan.then(|| "any other".to_owned()));
    if vlans.is_empty() { "-".to_owned() } else { vlans.join(", ") }
}

pub(super) fn tenant(tenant: &Tenant) -> String {
    let fields = [
        ("VLANs", vlans_of(tenant)),
        ("weight", tenant.weight.to_string()),
        ("flows in each worker", format!("at most {}", count(tenant.flows_max))),
        ("default verdict", tenant.default_verdict.clone()),
        ("steering rules", count(tenant.steering_rules)),
        ("rules", format!("{} in use, {} refused", count(tenant.rules), count(tenant.rules_refused))),
    ];
    let mut text = format!("{STRONG}{}{STRONG:#}\n", tenant.name);
    for (name, value) in fields {
        let _ = writeln!(text, "  {name:<20}  {value}");
    }
    text
}

pub(super) fn vlans(vlans: &Vlans) -> String {
    let mut rows: Vec<Vec<String>> = vlans
        .vlans
        .iter()
        .map(|vlan| {
            vec![vlan.vlan.clone(), vlan.tenant.clone(), vlan.port.clone().unwrap_or_else(|| "-".to_owned())]
        })
        .collect();
    rows.extend(vlans.rest.iter().map(|tenant| vec!["any other".to_owned(), tenant.clone(), "-".to_owned()]));
    if rows.is_empty() {
        return "no VLAN is anybody's; assign one: forebay vlan assign VLAN TENANT\n".to_owned();
    }
    table(&["VLAN", "tenant", "port"], &[], rows)
}

pub(super) fn steering(rules: &SteeringRules) -> String {
    if rules.policy.is_empty() && rules.rules.is_empty() {
        return "no steering rules; every flow gets its tenant's default verdict\n".to_owned();
    }
    steering_table(&rules.policy, "policy", &rules.rules)
}

fn steering_table(policy: &[SteeringRule], name: &str, rules: &[SteeringRule]) -> String {
    let layers = policy.iter().map(|rule| (name, rule)).chain(rules.iter().map(|rule| ("", rule)));
    let rows = layers.map(|(layer, rule)| {
        let dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "any".to_owned());
        let end = |address: &Option<String>, ports: &Option<String>| match (address, ports) {
            (None, None) => "any".to_owned(),
            (Some(address), None) => address.clone(),
            (None, Some(ports)) => format!("any port {ports}"),
            (Some(address), Some(ports)) => format!("{address} port {ports}"),
        };
        let arrow = if rule.direction.is_some() { "<>" } else { "->" };
        vec![
            rule.name.clone(),
            layer.to_owned(),
            rule.priority.map_or_else(String::new, |priority| priority.to_string()),
            dash(&rule.tenant),
            dash(&rule.vlan),
            dash(&rule.protocol),
            format!(
                "{} {arrow} {}",
                end(&rule.source, &rule.source_ports),
                end(&rule.destination, &rule.destination_ports)
            ),
            rule.verdict.clone(),
        ]
    });
    table(&["rule", "layer", "priority", "tenant", "VLAN", "protocol", "flow", "verdict"], &[2], rows)
}

pub(super) fn verdict(verdict: &SteeringVerdict) -> String {
    let mut text = format!("{STRONG}{}{STRONG:#}", verdict.verdict);
    match &verdict.rule {
        Some(rule) => {
            let _ = writeln!(text, ", by rule {STRONG}{rule}{STRONG:#}");
        }
        None => text += ", the tenant's default verdict: no rule matches\n",
    }
    for step in &verdict.steps {
        let layer = if step.layer == Layer::Policy { " (policy)" } else { "" };
        let why = step
            .mismatch
            .as_ref()
            .map_or_else(|| "matches".to_owned(), |field| format!("no: {field} does not match"));
        let _ = writeln!(text, "  {}{layer}: {why}", step.rule);
    }
    if verdict.policy_inspects {
        text += "the policy's rules look at it whatever the verdict\n";
    }
    text
}

pub(super) fn policy(policy: &PolicyView) -> String {
    let mut text = rules(&policy.rules);
    text += "\n";
    text += &if policy.steering.is_empty() {
        "no steering rules\n".to_owned()
    } else {
        steering_table(&policy.steering, "policy", &[])
    };
    text
}

pub(super) fn rules(rules: &RuleSet) -> String {
    if rules.files.is_empty() {
        return "no rules\n".to_owned();
    }
    let rows = rules.files.iter().map(|file| vec![file.name.clone(), file.path.clone()]);
    let mut text = table(&["file", "read from"], &[], rows);
    let shared = if rules.shared { "; the rules of all tenants that have none of their own" } else { "" };
    let _ = writeln!(
        text,
        "\n  {} rules in use, {} refused{shared}",
        count(rules.loaded),
        count(rules.refused.len() as u64)
    );
    for refused in &rules.refused {
        let _ = writeln!(text, "  {BAD}refused{BAD:#} {refused}");
    }
    text
}

pub(super) fn generations(generations: &Generations) -> String {
    let rows = generations.generations.iter().map(|generation| {
        let running = if generation.running { "runs" } else { "" };
        vec![
            generation.number.to_string(),
            running.to_owned(),
            moment(generation.at_us),
            generation.who.clone(),
            generation.what.clone(),
        ]
    });
    table(&["generation", "", "when (UTC)", "who", "what"], &[0], rows)
}

pub(super) fn status(status: &Status) -> String {
    let mut text = if status.problems.is_empty() {
        format!("{GOOD}all is well{GOOD:#}: generation {} runs\n", status.generation)
    } else {
        let mut text = format!(
            "{BAD}{} {} not well{BAD:#}: generation {} runs\n",
            status.problems.len(),
            if status.problems.len() == 1 { "thing is" } else { "things are" },
            status.generation
        );
        for problem in &status.problems {
            let _ = writeln!(text, "  {}", problem.replace('\n', "\n  "));
        }
        text
    };
    if !status.at_next_start.is_empty() {
        let _ =
            writeln!(text, "  takes effect when the daemon starts next: {}", status.at_next_start.join(", "));
    }
    let _ = writeln!(
        text,
        "  forebayd {}, up since {} UTC, {} packets, {}, {} flows now\n",
        status.version,
        moment(status.started_us),
        count(status.packets),
        bytes(status.bytes),
        count(status.flows_active)
    );
    let rows = status.tenants.iter().map(tenant_row);
    text += &table(
        &["tenant", "packets", "bytes", "flows", "alerts", "inspected", "not inspected"],
        &[1, 2, 3, 4, 5],
        rows,
    );
    if !status.ports.is_empty() {
        text.push('\n');
        let rows = status.ports.iter().map(|port| {
            vec![
                port.port.clone(),
                count(port.packets),
                bytes(port.bytes),
                count(port.missed),
                count(port.no_mbuf),
            ]
        });
        text += &table(&["port", "packets", "bytes", "missed", "no buffer"], &[1, 2, 3, 4], rows);
    }
    text
}

pub(super) fn alerts(alerts: &Alerts) -> String {
    if alerts.alerts.is_empty() {
        return "no alerts since the daemon started\n".to_owned();
    }
    let rows = alerts.alerts.iter().map(|event| {
        let end = |address: &str, port: &str| {
            let address = text_of(&event[address]);
            match (address.parse::<IpAddr>(), event[port].as_u64().and_then(|port| u16::try_from(port).ok()))
            {
                (Ok(address), Some(port)) => SocketAddr::new(address, port).to_string(),
                (Ok(address), None) => address.to_string(),
                (Err(_), _) => address,
            }
        };
        let alert = &event["alert"];
        let time = text_of(&event["timestamp"]);
        vec![
            time.get(..19).unwrap_or(&time).replace('T', " "),
            text_of(&event["tenant"]),
            text_of(&alert["layer"]),
            text_of(&alert["severity"]),
            text_of(&alert["signature_id"]),
            text_of(&alert["signature"]),
            format!("{} → {}", end("src_ip", "src_port"), end("dest_ip", "dest_port")),
        ]
    });
    table(&["when (UTC)", "tenant", "layer", "severity", "sid", "signature", "packet"], &[3, 4], rows)
}

/// A value as a person reads it. What a rule's author wrote must not steer the terminal.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect(),
        other => other.to_string(),
    }
}

fn tenant_row(tenant: &TenantStatus) -> Vec<String> {
    let mut parts: Vec<String> = tenant
        .not_inspected
        .iter()
        .map(|reason| format!("{} {}", count(reason.packets), reason.reason.replace('_', " ")))
        .collect();
    if tenant.waiting > 0 {
        parts.push(format!("{} waiting", count(tenant.waiting)));
    }
    vec![
        tenant.name.clone(),
        count(tenant.packets),
        bytes(tenant.bytes),
        count(tenant.flows),
        count(tenant.alerts),
        count(tenant.inspected),
        if parts.is_empty() { "-".to_owned() } else { parts.join("\n") },
    ]
}
