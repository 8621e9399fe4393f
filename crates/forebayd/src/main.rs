//! `forebayd`, the appliance: ports are polled, tenants inspected, and all of it can be changed while it runs.
//!
//! In: a configuration file, a folder to remember in, signals, and requests to its API. Out: events, counters, and on
//! standard error one line for each thing that an operator should know, with systemd's priority in front where systemd
//! reads it. Rooms: `daemon` (from start to end), `runner` (the dataplane as the control side sees it), `server` (the
//! API), `privileges`, `log`.

#![forbid(unsafe_code)]

mod cli;
mod daemon;
mod log;
mod privileges;
mod runner;
mod server;

use std::process::ExitCode;

use clap::Parser;

/// Transactions and events are many small allocations; this allocator takes less of a worker's time than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::Cli::parse();
    if arguments.openapi {
        return match server::openapi_json() {
            Ok(document) => {
                anstream::println!("{document}");
                ExitCode::SUCCESS
            }
            Err(error) => failed(&error.to_string()),
        };
    }
    match daemon::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(error: &str) -> ExitCode {
    log::error(error);
    ExitCode::FAILURE
}
