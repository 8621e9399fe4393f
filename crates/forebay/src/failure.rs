//! How a command says no.

use std::io::Write;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

const BAD: Style = AnsiColor::Red.on_default().bold();

const ODD: Style = AnsiColor::Yellow.on_default().bold();

/// A command that did not do what it was asked. Its lines say what is wrong and what to do, one problem a line.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// With one line for each line of the text.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Prints the lines to standard error; the exit code of a command that said no.
    pub(crate) fn report(&self) -> ExitCode {
        let mut stderr = anstream::stderr().lock();
        for line in self.0.lines() {
            // Nobody is left to hear of a standard error that is closed.
            let _ = writeln!(stderr, "{BAD}forebay:{BAD:#} {line}");
        }
        ExitCode::FAILURE
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

/// Prints one line to standard error about something that is done all the same.
pub(crate) fn warn(line: &str) {
    // Nobody is left to hear of a standard error that is closed.
    let _ = writeln!(anstream::stderr().lock(), "{ODD}forebay: warning:{ODD:#} {line}");
}

/// Prints to standard output; a closed pipe is no reason to fail, anything else is.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(format!("cannot write to standard output: {error}; check where it leads")))
        }
        _ => Ok(()),
    }
}
