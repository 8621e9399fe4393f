//! Commands about the machine underneath.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

const PLAN_EXAMPLES: &str = "\
Examples:
  sudo forebay host plan
  forebay host plan --config forebay.toml --json | jq -r '.steps[].command'";

const CHECK_EXAMPLES: &str = "\
Examples:
  sudo forebay host check
  sudo forebay host check --json | jq '.findings[] | select(.outcome != \"good\")'";

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// Say what this machine lacks for the configuration: each step, its command and the way back. Changes nothing.
    #[command(after_help = PLAN_EXAMPLES)]
    Plan {
        #[command(flatten)]
        options: HostOptions,
    },
    /// Look for everything on this machine that keeps tenants from their frames or workers from line rate.
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        #[command(flatten)]
        options: HostOptions,
    },
}

#[derive(Debug, Args)]
pub(crate) struct HostOptions {
    /// The appliance's configuration file.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/forebay/forebay.toml",
        value_hint = ValueHint::FilePath
    )]
    pub(crate) config: PathBuf,
    /// Accept a card that carries an address of this machine.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
}
