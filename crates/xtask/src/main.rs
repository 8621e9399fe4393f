//! `cargo run -p forebay-xtask -- check`: runs the repository checks and says what is broken.

#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use xtask::check_repository;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments != ["check"] {
        eprintln!("usage: cargo run -p forebay-xtask -- check");
        return ExitCode::from(2);
    }
    match check_repository(Path::new(".")) {
        Ok(findings) if findings.is_empty() => {
            println!("repository checks: nothing broken");
            ExitCode::SUCCESS
        }
        Ok(findings) => {
            for finding in &findings {
                eprintln!("{finding}");
            }
            eprintln!("repository checks: {} broken", findings.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
