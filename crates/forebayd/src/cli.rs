//! The daemon's command line.

use std::path::PathBuf;

use clap::{Parser, ValueHint};

const SIGNALS: &str = "\
Signals:
  SIGHUP   read the configuration file, and rule files that have changed, again
  SIGUSR1  open the event file anew, after log rotation has moved it
  SIGTERM  inspect what has been received, write what is known, end

Exit codes:
  0  ended because it was told to
  1  could not start, or a worker failed; standard error says why and what to do
  2  the command line cannot be understood";

/// Multi-tenant network inspection on DPDK: the daemon.
#[derive(Debug, Parser)]
#[command(name = "forebayd", version, after_help = SIGNALS)]
pub(crate) struct Cli {
    /// The configuration. Changes made through the API are written back to it.
    #[arg(long, value_name = "FILE", default_value = "/etc/forebay/forebay.toml", value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,
    /// Where generations and loaded rule files are remembered; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/forebay", value_hint = ValueHint::DirPath)]
    pub(crate) state: PathBuf,
    /// After DPDK has started, go on as this user.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Print the API's `OpenAPI` document, and end.
    #[arg(long)]
    pub(crate) openapi: bool,
}
