//! `forebay replay`: captures through the real dataplane, offline.
//!
//! In: captures, a configuration, a folder. Out: `eve.json` in the folder and a summary on standard output. Everything
//! that can be refused is refused before anything is written: configuration, captures, signatures, folder, in this order.

mod convert;
mod input;
mod interrupt;
mod output;
mod run;

use std::io::IsTerminal;
use std::time::Instant;

use control::config::{self, Config, Document, Whole};
use control::inspection::{Inspections, inspections};
use control::rules::Loader;

use crate::cli::Replay;
use crate::failure::{Failure, print, warn};
use crate::ui::{self, count};

/// Replays, and tells what came of it.
pub(crate) fn run(arguments: &Replay) -> Result<(), Failure> {
    let config = configuration(arguments)?;
    let input = input::Input::scan(arguments)?;
    // One tenant's traffic can be in every capture, so the captures have one answer together.
    let config = config.with_checksums(!input.captures.iter().any(|capture| capture.info.has_no_checksums()));
    let config = config.with_link_type(input.link_type());
    let config = config.with_dataset_folder(&arguments.out.join("datasets"));
    let signatures = Signatures::load(&config)?;
    let output = output::Output::create(&arguments.out)?;
    let report = run::run(arguments, &config, &signatures, &input, output)?;
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

/// Replays with the cost of each rule noted, and hands back where.
pub(crate) fn profile(arguments: &Replay) -> Result<Inspections, Failure> {
    let config = configuration(arguments)?.with_rule_profile();
    let input = input::Input::scan(arguments)?;
    let config = config.with_checksums(!input.captures.iter().any(|capture| capture.info.has_no_checksums()));
    let config = config.with_link_type(input.link_type());
    let config = config.with_dataset_folder(&arguments.out.join("datasets"));
    let signatures = Signatures::load(&config)?;
    let output = output::Output::create(&arguments.out)?;
    run::run(arguments, &config, &signatures, &input, output)?;
    Ok(signatures.inspections)
}

fn configuration(arguments: &Replay) -> Result<Config, Failure> {
    let (config, document) = match &arguments.config {
        None => (Config::empty(), Document::default()),
        Some(file) => {
            let checked = config::load(file)?;
            crate::config_check::warn(file, &checked.warnings);
            (checked.config, checked.document)
        }
    };
    let mut config = config.with_default_tenant(&document);
    if !arguments.rules.is_empty() {
        config = config.with_rules(&arguments.rules);
    }
    if let Some(workers) = arguments.workers {
        config.dataplane.workers = Whole::clamped(u64::from(workers));
    }
    Ok(config)
}

/// What the tenants inspect by, and how long it took to load.
struct Signatures {
    inspections: Inspections,
    load_seconds: f64,
}

impl Signatures {
    fn load(config: &Config) -> Result<Self, Failure> {
        let started = Instant::now();
        let inspections = inspections(config, &mut Loader::new(&config.cache))?;
        let load_seconds = if inspections.rules.is_empty() { 0.0 } else { started.elapsed().as_secs_f64() };
        let refused = || inspections.rules.iter().flat_map(|loaded| &loaded.refused);
        if let Some(first) = refused().next() {
            warn(&format!(
                "{} of {} rules are not loaded (`forebay rules check` lists them); the first: {first}",
                count(inspections.rules_refused()),
                count(inspections.rules_loaded() + inspections.rules_refused()),
            ));
        }
        Ok(Self { inspections, load_seconds })
    }
}
