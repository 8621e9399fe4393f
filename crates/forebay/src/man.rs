//! Man pages, made from the command line's own description.

use std::path::Path;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::failure::Failure;

/// Writes `forebay.1` and a page for each command into `dir`.
pub(crate) fn run(dir: &Path) -> Result<(), Failure> {
    let failure = |error: std::io::Error| {
        Failure::new(format!(
            "{}: cannot write man pages: {error}; give a folder you may write to",
            dir.display()
        ))
    };
    std::fs::create_dir_all(dir).map_err(failure)?;
    let mut root = Cli::command();
    root.build();
    pages(&root, dir, "").map_err(failure)
}

fn pages(command: &clap::Command, dir: &Path, parent: &str) -> std::io::Result<()> {
    let name = if parent.is_empty() {
        command.get_name().to_owned()
    } else {
        format!("{parent}-{}", command.get_name())
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).title(name.to_uppercase()).render(&mut page)?;
    std::fs::write(dir.join(format!("{name}.1")), page)?;
    let shown =
        command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help");
    for command in shown {
        pages(command, dir, &name)?;
    }
    Ok(())
}
