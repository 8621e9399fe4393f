//! Step 1 of a change: from a text to everything that can be made of it without the dataplane.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use api::{Refusal, RefusalKind};
use similar::TextDiff;

use super::State;
use crate::config::{self, Checked, Document, LoadError, Problem};
use crate::engine::pipeline_names;
use crate::inspection::inspections_after;
use crate::numbering::Numbering;
use crate::rules::{Loader, RefusedRule};

/// Reads the configuration file.
pub(super) fn read(path: &Path) -> Result<String, LoadError> {
    config::read(path)
}

/// Checks a text that stands, or would stand, in the file `path`.
pub(super) fn check(text: &str, path: &Path) -> Result<Checked, Vec<Problem>> {
    config::parse_in(text, path.parent().unwrap_or(Path::new("")))
}

/// Problems as lines for a person.
pub(super) fn lines(path: &Path, problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect::<Vec<_>>().join("\n")
}

/// The first state.
pub(super) fn first(
    text: String,
    checked: Checked,
    number: u32,
    loader: &mut Loader,
) -> Result<State, String> {
    let config = &checked.config;
    let inspections = inspections_after(config, loader, None).map_err(|error| error.to_string())?;
    let numbering =
        Numbering::first(config, &pipeline_names(config, &inspections)).map_err(|error| error.to_string())?;
    Ok(State { number, text, checked, inspections, numbering })
}

/// The state that follows `state` with this text. `whole`: the text came as a whole, so places in it mean something.
pub(super) fn next(
    state: &State,
    text: String,
    number: u32,
    loader: &mut Loader,
    path: &Path,
    whole: bool,
) -> Result<State, Refusal> {
    let conflict = |message: String| Refusal::new(RefusalKind::Conflict, message);
    let checked = check(&text, path).map_err(|problems| Refusal {
        kind: RefusalKind::Conflict,
        problems: if whole {
            problems.iter().map(ToString::to_string).collect()
        } else {
            problems.iter().map(Problem::plain).collect()
        },
    })?;
    let previous = Some((&state.checked.config, &state.inspections));
    let inspections = inspections_after(&checked.config, loader, previous)
        .map_err(|error| conflict(error.with_files_called(crate::store::as_sent).to_string()))?;
    let pipelines = pipeline_names(&checked.config, &inspections);
    let numbering =
        state.numbering.next(&checked.config, &pipelines).map_err(|error| conflict(error.to_string()))?;
    Ok(State { number, text, checked, inspections, numbering })
}

/// The lines in which two texts differ, as a unified diff with this many lines around each; empty if in none.
pub(super) fn diff(before: &str, after: &str, around: usize) -> String {
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(before, after).unified_diff().context_radius(around).to_string()
}

/// What the one who makes a change should hear: all warnings if the text came as a whole, else those that it brings, which
/// are not about anybody else's tenant.
pub(super) fn warnings(before: &State, after: &State, whole: bool) -> Vec<String> {
    let known: HashSet<String> = before.checked.warnings.iter().map(Problem::plain).collect();
    let all = after.checked.warnings.iter().map(Problem::plain);
    all.filter(|warning| whole || !known.contains(warning)).collect()
}

/// Rules that are refused now and were not before.
pub(super) fn refused_since(before: &State, after: &State) -> Vec<api::RefusedRule> {
    let known = |loaded: &Arc<crate::rules::Loaded>| {
        before.inspections.rules.iter().any(|known| Arc::ptr_eq(known, loaded))
    };
    let new = after.inspections.rules.iter().filter(|loaded| !known(loaded));
    new.flat_map(|loaded| &loaded.refused).map(refused_rule).collect()
}

/// A refused rule as the API tells of it.
pub(super) fn refused_rule(refused: &RefusedRule) -> api::RefusedRule {
    api::RefusedRule {
        sid: refused.sid,
        file: crate::store::rule_file_name(&refused.file),
        line: refused.line,
        column: refused.column,
        keyword: refused.keyword.clone(),
        reason: refused.reason.clone(),
    }
}

/// A document as a tree of values.
pub(super) fn as_table(document: &Document) -> toml::Table {
    toml::Table::try_from(document).unwrap_or_default()
}

/// Tables that are read when the daemon starts, and not again.
const AT_START: [&str; 8] = ["dataplane", "timeouts", "defrag", "tunnels", "events", "api", "port", "tool"];

/// Which settings differ from those that the daemon was started with, of those that take effect at its start.
pub(super) fn at_next_start(started: &toml::Table, now: &Document) -> Vec<String> {
    let now = as_table(now);
    let mut changed = Vec::new();
    for name in AT_START {
        differences(name, started.get(name), now.get(name), &mut changed);
    }
    changed
}

/// Names the settings in which two trees differ, `table.field`; lists of tables are one setting.
fn differences(name: &str, one: Option<&toml::Value>, other: Option<&toml::Value>, found: &mut Vec<String>) {
    match (one, other) {
        (Some(toml::Value::Table(one)), Some(toml::Value::Table(other))) => {
            let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
            for field in names {
                differences(&format!("{name}.{field}"), one.get(field), other.get(field), found);
            }
        }
        _ if one != other => found.push(name.to_owned()),
        _ => {}
    }
}
