//! `trafficgen`: see [`trafficgen::cli`].

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    trafficgen::cli::run(std::env::args_os())
}
