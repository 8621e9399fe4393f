//! `forebay rules`: what is in rule files.
//!
//! In: rule files, variables, classes. Out: which rules are good and why others are not (`check`), and how one of them is
//! understood (`explain`). With captures: what asking each of them costs (`profile`).

mod check;
mod explain;
mod profile;

use control::config::RuleSource;

use crate::cli::RuleOptions;

pub(crate) use check::run as check;
pub(crate) use explain::run as explain;
pub(crate) use profile::run as profile;

/// What the options of the command line mean.
fn source(options: &RuleOptions, files: &[std::path::PathBuf]) -> RuleSource {
    let mut source = RuleSource {
        files: files.to_vec(),
        classification: options.classification.clone(),
        // Nothing runs, so nothing is read from there or kept in it.
        dataset_folder: Some("datasets".into()),
        ..RuleSource::default()
    };
    for variable in &options.variables {
        let map = if variable.is_ports { &mut source.ports } else { &mut source.addresses };
        map.insert(variable.name.clone(), variable.group.clone());
    }
    source
}
