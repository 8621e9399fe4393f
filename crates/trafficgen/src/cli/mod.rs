//! The command line: `trafficgen trace`, `trafficgen mix` and `trafficgen send`.
//!
//! In: arguments. Out: files or traffic, a summary on stdout (one JSON object with `--json`), errors on stderr in one line each, and
//! an exit code: 0 done, 1 failed, 2 usage.

mod interrupt;
mod mix;
mod rate;
mod send;
mod trace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Makes multi-tenant traffic: traces from a seed, mixes of captures, and captures sent into a port.
#[derive(Debug, Parser)]
#[command(name = "trafficgen", version, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Trace(trace::TraceArguments),
    Mix(mix::MixArguments),
    Send(send::SendArguments),
}

/// A summary that can be said in both ways.
struct Said {
    text: String,
    json: serde_json::Result<String>,
    as_json: bool,
    /// What went wrong, when there is a summary all the same.
    failure: Option<String>,
}

/// Runs the program with these arguments, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Nothing can be done about a closed stdout or stderr.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let said = match arguments.command {
        Command::Trace(arguments) => arguments.run(),
        Command::Mix(arguments) => arguments.run(),
        Command::Send(arguments) => arguments.run(),
    };
    let failure = match said {
        Ok(Said { text, json, as_json, failure }) => {
            match if as_json { json } else { Ok(text) } {
                Ok(line) => println!("{line}"),
                Err(error) => return fail(&error.to_string()),
            }
            failure
        }
        Err(error) => Some(error),
    };
    failure.map_or(ExitCode::SUCCESS, |error| fail(&error))
}

fn fail(error: &str) -> ExitCode {
    eprintln!("trafficgen: {error}");
    ExitCode::FAILURE
}

/// A number of bytes with its unit, for people.
fn bytes_text(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.2} GB", bytes as f64 / 1e9),
    }
}
