//! `forebay replay`: captures through the real dataplane, offline.
//!
//! In: captures, a configuration, a folder. Out: `eve.json` in the folder and a summary on standard output. Everything
//! that can be refused is refused before anything is written: signatures, configuration, captures, folder, in this order.

mod input;
mod interrupt;
mod output;
mod run;

use std::io::IsTerminal;

use control::config::{self, Config, Whole};

use crate::cli::Replay;
use crate::failure::{Failure, print};
use crate::ui;

/// Replays, and tells what came of it.
pub(crate) fn run(arguments: &Replay) -> Result<(), Failure> {
    if let Some(rules) = arguments.rules.first() {
        return Err(Failure::new(format!(
            "{}: this version of Forebay has no signature inspection yet; leave --rules out",
            rules.display()
        )));
    }
    let config = configuration(arguments)?;
    let input = input::Input::scan(arguments)?;
    let output = output::Output::create(&arguments.out)?;
    let report = run::run(arguments, &config, &input, output)?;
    let text = if arguments.json {
        ui::json(&report)? + "\n"
    } else {
        let width_columns = std::io::stdout()
            .is_terminal()
            .then(|| terminal_size::terminal_size().map(|(width, _)| width.0))
            .flatten();
        ui::summary(&report, ui::Look { width_columns })
    };
    print(&text)?;
    match report.unaccounted() {
        0 => Ok(()),
        packets => Err(Failure::new(format!(
            "{packets} packets are unaccounted for, which is a defect of Forebay; please report it with the capture"
        ))),
    }
}

fn configuration(arguments: &Replay) -> Result<Config, Failure> {
    let mut config = match &arguments.config {
        None => Config::empty(),
        Some(file) => {
            let checked = config::load(file)?;
            crate::config_check::warn(file, &checked.warnings);
            checked.config
        }
    }
    .with_default_tenant();
    if let Some(workers) = arguments.workers {
        config.dataplane.workers = Whole::clamped(u64::from(workers));
    }
    Ok(config)
}
