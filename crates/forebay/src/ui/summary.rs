//! The summary for people: what was replayed, how fast, whose traffic it was, what became of it.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, CellAlignment, ContentArrangement, Row, Table};

use super::number::{bit_rate, bytes, count, duration, packet_rate, share};
use super::report::{NotInspected, Report, TenantReport};

/// How the summary may look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Look {
    /// Columns of the terminal; unlimited when not a terminal.
    pub(crate) width_columns: Option<u16>,
}

const STRONG: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The summary, several lines with styles; print it to a stream that strips them where they are not wanted.
pub(crate) fn summary(report: &Report, look: Look) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = write_summary(&mut text, report, look);
    text
}

fn write_summary(text: &mut String, report: &Report, look: Look) -> std::fmt::Result {
    let times = if report.loops == 1 { String::new() } else { format!(" × {}", count(report.loops)) };
    writeln!(text, "{STRONG}{}{STRONG:#}{times}", report.source)?;
    writeln!(text)?;
    writeln!(
        text,
        "  {} packets, {} in {} with {}",
        count(report.packets),
        bytes(report.bytes),
        duration(report.seconds),
        plural(report.workers, "worker"),
    )?;
    let (bits, packets) = (bit_rate(report.bits_per_s()), packet_rate(report.packets_per_s()));
    writeln!(text, "  {STRONG}{bits}{STRONG:#}, {STRONG}{packets}{STRONG:#}")?;
    writeln!(text, "  {}{}", plural(report.flows(), "flow"), protocols(report))?;
    if report.rules_loaded + report.rules_failed > 0 {
        let rules = plural(report.rules_loaded, "rule");
        let refused = if report.rules_failed == 0 {
            String::new()
        } else {
            format!(", {} refused", count(report.rules_failed))
        };
        let alerts = plural(report.alerts(), "alert");
        writeln!(
            text,
            "  {STRONG}{alerts}{STRONG:#} from {rules}, loaded in {}{refused}",
            duration(report.rules_load_seconds)
        )?;
    }
    writeln!(text)?;
    let table: Vec<String> = table(report).lines().map(|line| line.trim_end().to_owned()).collect();
    let width = table.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    if look.width_columns.is_some_and(|columns| usize::from(columns) < width) {
        list(text, report)?;
    } else {
        for line in table {
            writeln!(text, "{line}")?;
        }
    }
    writeln!(text)?;
    conservation(text, report)?;
    writeln!(text, "  {} in {STRONG}{}{STRONG:#}", plural(report.events, "event"), report.eve.display())
}

fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

fn protocols(report: &Report) -> String {
    let present = report.flows_by_protocol.iter().filter(|(_, flows)| *flows > 0);
    let parts: Vec<String> = present.map(|(name, flows)| format!("{} {name}", count(*flows))).collect();
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}

/// The reason's name as words.
fn words(reason: &str) -> String {
    reason.replace('_', " ")
}

/// A row for each tenant, and one for frames of nobody when there were any. What the configuration asked for has a
/// column for each reason that occurred; other reasons share the last column, by name.
fn table(report: &Report) -> Table {
    let all = report.not_inspected();
    let policy: Vec<&NotInspected> = all.iter().filter(|one| one.is_policy).collect();
    let checksums = report.rows().any(|tenant| tenant.checksum_wrong > 0);
    let others = all.iter().any(|one| !one.is_policy);

    let mut titles: Vec<String> =
        ["tenant", "packets", "bytes", "share", "flows", "inspected"].map(String::from).into();
    if report.rules_loaded > 0 {
        titles.insert(5, "alerts".to_owned());
    }
    if checksums {
        titles.push("wrong checksum".to_owned());
    }
    titles.extend(policy.iter().map(|one| words(one.reason)));
    if others {
        titles.push("other reasons".to_owned());
    }
    let columns = titles.len();

    let mut table = Table::new();
    table.load_preset(super::table::LOOK).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(titles);
    for tenant in shown(report) {
        table.add_row(row(tenant, report, checksums, &policy, others));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        let text = index == 0 || others && index + 1 == columns;
        column.set_cell_alignment(if text { CellAlignment::Left } else { CellAlignment::Right });
    }
    table
}

/// Every tenant, and the frames of nobody if there were any.
fn shown(report: &Report) -> impl Iterator<Item = &TenantReport> {
    report.tenants.iter().chain(Some(&report.unassigned).filter(|row| row.packets > 0))
}

/// The table's content where a terminal is too narrow for it: a few lines for each tenant.
fn list(text: &mut String, report: &Report) -> std::fmt::Result {
    for tenant in shown(report) {
        writeln!(
            text,
            "  {STRONG}{}{STRONG:#}\n    {} packets\n    {}, {}\n    {}",
            tenant.name,
            count(tenant.packets),
            bytes(tenant.bytes),
            share(tenant.bytes, report.bytes),
            plural(tenant.flows, "flow"),
        )?;
        if report.rules_loaded > 0 {
            writeln!(text, "    {}", plural(tenant.alerts, "alert"))?;
        }
        writeln!(text, "    {} inspected", count(tenant.inspected))?;
        if tenant.checksum_wrong > 0 {
            writeln!(text, "    {} with a wrong checksum", count(tenant.checksum_wrong))?;
        }
        for one in &tenant.not_inspected {
            writeln!(text, "    {} {}", count(one.packets), words(one.reason))?;
        }
    }
    Ok(())
}

fn row(
    tenant: &TenantReport,
    report: &Report,
    checksums: bool,
    policy: &[&NotInspected],
    others: bool,
) -> Row {
    let packets_for = |reason: &str| {
        tenant.not_inspected.iter().find(|one| one.reason == reason).map_or(0, |one| one.packets)
    };
    let mut cells = vec![
        Cell::new(&tenant.name),
        Cell::new(count(tenant.packets)),
        Cell::new(bytes(tenant.bytes)),
        Cell::new(share(tenant.bytes, report.bytes)),
        Cell::new(count(tenant.flows)),
        Cell::new(count(tenant.inspected)),
    ];
    if report.rules_loaded > 0 {
        cells.insert(5, Cell::new(count(tenant.alerts)));
    }
    if checksums {
        cells.push(Cell::new(count(tenant.checksum_wrong)));
    }
    cells.extend(policy.iter().map(|one| Cell::new(count(packets_for(one.reason)))));
    if others {
        let lost = tenant.not_inspected.iter().filter(|one| !one.is_policy);
        let lines: Vec<String> =
            lost.map(|one| format!("{} {}", count(one.packets), words(one.reason))).collect();
        cells.push(Cell::new(lines.join("\n")));
    }
    Row::from(cells)
}

/// Where every packet went, or how many are missing.
fn conservation(text: &mut String, report: &Report) -> std::fmt::Result {
    let mut parts = vec![format!("{} inspected", count(report.inspected()))];
    let reasons = report.not_inspected();
    parts.extend(reasons.iter().map(|one| format!("{} {}", count(one.packets), words(one.reason))));
    let unaccounted = report.unaccounted();
    let sum = format!("{} packets in = {}", count(report.packets_offered), parts.join(" + "));
    if unaccounted == 0 {
        writeln!(text, "  {GOOD}every packet accounted for{GOOD:#}: {sum}")
    } else {
        writeln!(text, "  {BAD}{unaccounted} packets unaccounted for{BAD:#}: {sum}")
    }
}
