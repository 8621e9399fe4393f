//! `forebay config check`.

use std::path::Path;

use control::config::{self, Config, Document, LoadError, Problem};
use serde::Serialize;

use crate::failure::{Failure, print};
use crate::ui::count;

/// The answer for scripts.
#[derive(Serialize)]
struct Answer<'a> {
    file: String,
    ok: bool,
    problems: &'a [Problem],
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a Document>,
}

/// Checks a file and says what is in it, or what is wrong with it.
pub(crate) fn run(file: &Path, json: bool) -> Result<(), Failure> {
    let loaded = config::load(file);
    if json {
        match &loaded {
            Ok((_, document)) => answer(file, &[], Some(document))?,
            Err(LoadError::Refused { problems, .. }) => answer(file, problems, None)?,
            Err(_) => {}
        }
    }
    let (config, _) = loaded?;
    if json { Ok(()) } else { print(&sentence(file, &config)) }
}

fn answer(file: &Path, problems: &[Problem], config: Option<&Document>) -> Result<(), Failure> {
    let answer = Answer { file: file.display().to_string(), ok: config.is_some(), problems, config };
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
