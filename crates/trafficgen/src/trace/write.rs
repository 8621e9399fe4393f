//! A trace as files: the capture, and the truth beside it.

use std::io::Write;
use std::path::Path;

use super::truth::Truth;
use super::{TraceOptions, generate};
use crate::pcap::{OutputError, OutputFile, PcapWriter};

/// Why a trace could not be made.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// An option is out of range.
    #[error("cannot make this trace: {reason}")]
    Options {
        /// Which, and what would be right.
        reason: String,
    },
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Writes a trace to `capture` and, when asked for, its ground truth as JSON to `truth`. Both are complete before either
/// takes its name.
///
/// # Errors
/// [`TraceError`].
pub fn write_trace(
    options: &TraceOptions,
    capture: &Path,
    truth: Option<&Path>,
) -> Result<Truth, TraceError> {
    if truth == Some(capture) {
        let reason =
            format!("{} cannot hold both the capture and the truth; name two files", capture.display());
        return Err(TraceError::Options { reason });
    }
    let output = OutputFile::create(capture)?;
    let mut truth_output = truth.map(OutputFile::create).transpose()?;
    // The name is needed for an error while the writer owns the file.
    let failed = |error| OutputError::Write { path: capture.to_owned(), source: error };
    let mut writer = PcapWriter::new(output).map_err(failed)?;
    let counted = generate(options, |at_ns, frame| Ok(writer.write(at_ns, frame).map_err(failed)?))?;
    if let Some(file) = &mut truth_output {
        let written = serde_json::to_writer_pretty(&mut *file, &counted)
            .map_err(std::io::Error::from)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.flush());
        written.map_err(|error| file.write_error(error))?;
    }
    writer.into_inner().commit()?;
    if let Some(file) = truth_output {
        file.commit()?;
    }
    Ok(counted)
}
