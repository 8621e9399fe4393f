//! `forebay config check`.

use std::path::Path;

use control::config::{self, Checked, Config, Document, LoadError, Problem};
use serde::Serialize;

use crate::failure::{Failure, print};
use crate::ui::count;

/// The answer for scripts.
#[derive(Serialize)]
struct Answer<'a> {
    file: String,
    ok: bool,
    problems: &'a [Problem],
    warnings: &'a [Problem],
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a Document>,
}

/// Checks a file and says what is in it, or what is wrong with it.
pub(crate) fn run(file: &Path, json: bool) -> Result<(), Failure> {
    let loaded = config::load(file);
    if json {
        match &loaded {
            Ok(checked) => answer(file, &[], Some(checked))?,
            Err(LoadError::Refused { problems, .. }) => answer(file, problems, None)?,
            Err(_) => {}
        }
    }
    let checked = loaded?;
    warn(file, &checked.warnings);
    if json { Ok(()) } else { print(&sentence(file, &checked.config)) }
}

/// Tells of what is allowed and probably not meant.
pub(crate) fn warn(file: &Path, warnings: &[Problem]) {
    for warning in warnings {
        crate::failure::warn(&format!("{}:{warning}", file.display()));
    }
}

fn answer(file: &Path, problems: &[Problem], checked: Option<&Checked>) -> Result<(), Failure> {
    let answer = Answer {
        file: file.display().to_string(),
        ok: checked.is_some(),
        problems,
        warnings: checked.map_or(&[], |checked| &checked.warnings),
        config: checked.map(|checked| &checked.document),
    };
    print(&(serde_json::to_string(&answer)? + "\n"))
}

/// One line that shows at a glance whether this is the file one meant.
fn sentence(file: &Path, config: &Config) -> String {
    let plural = |number: usize, noun: &str| {
        format!("{} {noun}{}", count(number as u64), if number == 1 { "" } else { "s" })
    };
    let parts = [
        plural(config.tenants.len(), "tenant"),
        plural(config.ports.len(), "port"),
        plural(config.pipelines.len(), "pipeline"),
        plural(config.rules.len(), "steering rule"),
        plural(config.tools.len(), "tool port"),
    ];
    format!("{}: no problems: {}\n", file.display(), parts.join(", "))
}
