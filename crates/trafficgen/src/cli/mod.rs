//! The command line: `trafficgen trace` and `trafficgen mix`.
//!
//! In: arguments. Out: files, a summary on stdout (one JSON object with `--json`), errors on stderr in one line each, and
//! an exit code: 0 done, 1 failed, 2 usage.

mod mix;
mod trace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Makes multi-tenant traffic: traces from a seed, and mixes of captures.
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
}

/// A summary that can be said in both ways.
struct Said {
    text: String,
    json: serde_json::Result<String>,
    as_json: bool,
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
    };
    let line = match said {
        Ok(Said { as_json: true, json, .. }) => json.map_err(|error| error.to_string()),
        Ok(Said { text, .. }) => Ok(text),
        Err(error) => Err(error),
    };
    match line {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("trafficgen: {error}");
            ExitCode::FAILURE
        }
    }
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
