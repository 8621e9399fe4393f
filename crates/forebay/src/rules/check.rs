//! `forebay rules check`.

use std::fmt::Write as _;
use std::path::PathBuf;

use control::config::RuleCache;
use control::rules::{Loaded, Loader, RefusedRule};
use serde::Serialize;

use crate::cli::RuleOptions;
use crate::failure::{Failure, print};
use crate::ui::count;

/// The answer for scripts.
#[derive(Serialize)]
struct Answer {
    loaded: u64,
    failed: Vec<Entry>,
    skipped: Vec<Entry>,
    disabled: u64,
}

/// One rule that is not loaded.
#[derive(Serialize)]
struct Entry {
    sid: Option<u32>,
    file: String,
    line: u32,
    column: u32,
    keyword: Option<String>,
    reason: String,
}

/// Checks rule files; says no if a rule of them is refused.
pub(crate) fn run(files: &[PathBuf], options: &RuleOptions, json: bool) -> Result<(), Failure> {
    // What is only checked is not worth keeping.
    let mut loader = Loader::new(&RuleCache { folder: None, mib_max: 0 });
    let loaded = loader.load(&super::source(options, files))?;
    if json {
        print(&(serde_json::to_string(&answer(&loaded))? + "\n"))?;
    } else {
        print(&sentence(&loaded))?;
    }
    if loaded.refused.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = loaded.refused.iter().map(ToString::to_string).collect();
    Err(Failure::new(lines.join("\n")))
}

fn answer(loaded: &Loaded) -> Answer {
    Answer {
        loaded: loaded.count() as u64,
        failed: loaded.refused.iter().map(entry).collect(),
        skipped: loaded.skipped.iter().map(entry).collect(),
        disabled: loaded.disabled,
    }
}

fn entry(rule: &RefusedRule) -> Entry {
    Entry {
        sid: rule.sid,
        file: rule.file.display().to_string(),
        line: rule.line,
        column: rule.column,
        keyword: rule.keyword.clone(),
        reason: rule.reason.clone(),
    }
}

/// One line that says how many.
fn sentence(loaded: &Loaded) -> String {
    let plural = |number: u64| if number == 1 { "rule" } else { "rules" };
    let good = loaded.count() as u64;
    let mut text =
        format!("{} {} loaded, {} refused", count(good), plural(good), count(loaded.refused.len() as u64));
    if !loaded.skipped.is_empty() {
        let _ = write!(text, ", {} for another version", count(loaded.skipped.len() as u64));
    }
    if loaded.disabled > 0 {
        let _ = write!(text, ", {} disabled", count(loaded.disabled));
    }
    text + "\n"
}
