//! Repository checks: the promises about this tree that no compiler keeps.
//!
//! In: the workspace as `cargo metadata` tells it, and the text of every file that git tracks or would track. Out:
//! [`Finding`]s, each naming the place and what to do. Every check is a function of plain data, so that its tests can
//! hand it a made-up tree that must fail; `tests/` then runs all of them on this repository.

#![forbid(unsafe_code)]

pub mod dependencies;
pub mod layers;
pub mod length;
pub mod links;
pub mod machine;
pub mod tree;
pub mod unsafe_code;
pub mod workspace;

use std::fmt;
use std::path::Path;

use tree::Tree;
use workspace::Workspace;

/// One broken promise.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The check that found it.
    pub check: &'static str,
    /// A file with its line, or a crate.
    pub place: String,
    /// What is wrong and what to do about it.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.check, self.place, self.problem)
    }
}

/// Why the checks could not run at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// `cargo metadata` failed.
    #[error("cannot read the workspace: {0}; run this inside the Forebay repository")]
    Workspace(#[from] cargo_metadata::Error),
    /// The list of files could not be had.
    #[error(transparent)]
    Tree(#[from] tree::TreeError),
}

/// Runs every check on the workspace that `directory` is in.
///
/// # Errors
/// When the workspace or its files cannot be read; a check that fails is a [`Finding`], not an error.
pub fn check_repository(directory: &Path) -> Result<Vec<Finding>, CheckError> {
    let workspace = Workspace::read(directory)?;
    let tree = Tree::read(&workspace.root)?;
    let mut findings = layers::check(&workspace.crates);
    findings.extend(unsafe_code::check(&workspace.crates, &tree));
    findings.extend(length::check(&tree));
    findings.extend(machine::check(&tree, &machine::Traces::of_this_machine(&workspace.root)));
    findings.extend(links::check(&tree));
    findings.extend(dependencies::check(&workspace.crates, &tree));
    Ok(findings)
}
