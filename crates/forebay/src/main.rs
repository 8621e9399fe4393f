//! `forebay`, the command line: what an operator types, and what scripts rely on.
//!
//! In: arguments (`cli`), captures, configurations. Out: files that were asked for, an answer on standard output, and on
//! standard error one line for each thing that is wrong, with what to do about it. Rooms: `replay`, `capture_info`, `rules`
//! (files), `appliance` (what a running daemon is asked), `host` (this machine),
//! `ui`.

#![forbid(unsafe_code)]

mod appliance;
mod capture_info;
mod cli;
mod config_check;
mod failure;
mod host;
mod man;
mod replay;
mod rules;
mod token;
mod ui;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use cli::{Cli, Command, Config, Rules};
use failure::{Failure, print};

/// Transactions and events are many small allocations; this allocator takes less of a worker's time than the system's
/// (`docs/benchmarks.md`).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // clap answers mistakes of usage itself, with exit code 2.
    let outcome = match Cli::parse().command {
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Status { at } => appliance::status(&at),
        Command::Alerts { tenant, limit, at } => appliance::alerts(tenant.as_deref(), limit, &at),
        Command::Tenant(command) => appliance::tenant(&command),
        Command::Vlan(command) => appliance::vlan(&command),
        Command::Steer(command) => appliance::steer(&command),
        Command::Policy(command) => appliance::policy(&command),
        Command::Config(Config::Check { file, json }) => config_check::run(&file, json),
        Command::Config(command) => appliance::config(&command),
        Command::Rules(Rules::Check { files, options, json }) => rules::check(&files, &options, json),
        Command::Rules(Rules::Explain { file, sid, options }) => rules::explain(&file, sid, &options),
        Command::Rules(Rules::Profile { rules, captures, config, json }) => {
            rules::profile(&rules, &captures, config.as_deref(), json)
        }
        Command::Rules(command) => appliance::rules(&command),
        Command::Host(command) => host::run(&command),
        Command::Token { json } => token::run(json),
        Command::Completion { shell } => completion(shell),
        Command::Man { dir } => man::run(&dir),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn completion(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "forebay", &mut script);
    print(&String::from_utf8_lossy(&script))
}
