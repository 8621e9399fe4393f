//! Lines into a file, of which none is ever left in half.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::Delivery;
use crate::loss::LossReason;

/// What happens to a file that is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OpenMode {
    /// It is emptied: a replay's output holds that replay only.
    Replace,
    /// It is continued: a daemon that starts again keeps its log.
    Append,
}

/// A file could not be opened for events. Nothing was created or changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory is in the file's place.
    #[error("{path} is a directory: name a file in it, such as {path}/eve.json", path = path.display())]
    IsDirectory {
        /// The file.
        path: PathBuf,
    },
    /// The file's directory does not exist.
    #[error("cannot create {path}: its directory does not exist; make it with `mkdir -p`", path = path.display())]
    DirectoryMissing {
        /// The file.
        path: PathBuf,
    },
    /// A part of the path is a file.
    #[error("cannot create {path}: a part of that path is not a directory; choose another", path = path.display())]
    NotDirectory {
        /// The file.
        path: PathBuf,
    },
    /// The file or its directory may not be written.
    #[error("no permission to write {path}: choose another place or run as its owner", path = path.display())]
    PermissionDenied {
        /// The file.
        path: PathBuf,
    },
    /// The file system is mounted read-only.
    #[error("cannot write {path}: its file system is read-only; choose another place", path = path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// No room for another file.
    #[error("cannot create {path}: the disk or quota is full; free some space", path = path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot open {path} for writing: {source}", path = path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl OpenError {
    fn new(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::IsADirectory => Self::IsDirectory { path },
            ErrorKind::NotFound => Self::DirectoryMissing { path },
            ErrorKind::NotADirectory => Self::NotDirectory { path },
            ErrorKind::PermissionDenied => Self::PermissionDenied { path },
            ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Other { path, source },
        }
    }
}

/// A file of lines.
///
/// Every write is one of whole lines. When one is cut short the beginning of the broken line is taken back, or where
/// that cannot be done (a pipe), ended by a newline before the next. So only a killed process or a lost machine leaves
/// a partial line, as the last one; and the next process that appends ends it first.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    file: File,
    /// A partial line is at the file's end; a newline must come before anything else.
    broken: bool,
}

impl FileSink {
    /// Opens `path`, creating it when it is not there. Its directory must exist.
    ///
    /// # Errors
    /// [`OpenError`], after which the file system is as it was before.
    pub fn open(path: impl Into<PathBuf>, mode: OpenMode) -> Result<Self, OpenError> {
        let path = path.into();
        let (file, broken) = open(&path, mode).map_err(|source| OpenError::new(&path, source))?;
        Ok(Self { path, file, broken })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the path again, to begin a new file when the old one was renamed (log rotation). On failure the old file
    /// stays open.
    pub(crate) fn reopen(&mut self) -> Result<(), OpenError> {
        let (file, broken) =
            open(&self.path, OpenMode::Append).map_err(|source| OpenError::new(&self.path, source))?;
        (self.file, self.broken) = (file, broken);
        Ok(())
    }

    /// Writes `lines`, which end with a newline, without further buffering. What does not go is lost; nothing is
    /// retried, so that a full disk never holds up the queue.
    pub(crate) fn write_lines(&mut self, lines: &[u8]) -> Delivery {
        if lines.is_empty() {
            return Delivery::default();
        }
        if self.broken {
            if let Err(error) = write_whole(&mut self.file, b"\n").1 {
                return Delivery {
                    lines_lost: count_lines(lines),
                    error: Some(error),
                    ..Delivery::default()
                };
            }
            self.broken = false;
        }
        let (written, result) = write_whole(&mut self.file, lines);
        let (out, rest) = lines.split_at(written.min(lines.len()));
        let whole = memchr::memrchr(b'\n', out).map_or(0, |newline| newline + 1);
        let (whole_lines, partial) = out.split_at(whole);
        if !partial.is_empty() {
            self.broken = take_back(&self.file, partial.len() as u64).is_err();
        }
        Delivery {
            lines_written: count_lines(whole_lines),
            bytes_written: whole as u64,
            lines_lost: count_lines(rest),
            error: result.err(),
        }
    }
}

/// Which loss an error of [`FileSink::write_lines`] is.
pub(crate) fn loss_reason(error: &io::Error) -> LossReason {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => LossReason::DiskFull,
        _ => LossReason::WriteFailed,
    }
}

/// The file, positioned at its end for every write, and whether it ends in a partial line.
fn open(path: &Path, mode: OpenMode) -> io::Result<(File, bool)> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    if !file.metadata()?.is_file() {
        return Ok((file, false));
    }
    match mode {
        OpenMode::Replace => {
            file.set_len(0)?;
            Ok((file, false))
        }
        OpenMode::Append => {
            // A log that may be written but not read is continued as if it were whole.
            let broken = File::open(path).and_then(|reader| ends_in_partial_line(&reader)).unwrap_or(false);
            Ok((file, broken))
        }
    }
}

fn ends_in_partial_line(mut file: &File) -> io::Result<bool> {
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    Ok(last != *b"\n")
}

/// Writes all of `bytes`, or as many as go; says how many went, even on failure.
fn write_whole(file: &mut File, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut written = 0;
    while let Some(rest @ [_, ..]) = bytes.get(written..) {
        match file.write(rest) {
            Ok(0) => return (written, Err(ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (written, Err(error)),
        }
    }
    (written, Ok(()))
}

/// Cuts the last `len` bytes off the file.
fn take_back(file: &File, len: u64) -> io::Result<()> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(ErrorKind::Unsupported.into());
    }
    file.set_len(metadata.len().saturating_sub(len))
}

fn count_lines(lines: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', lines).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_the_file_and_what_to_do() {
        for (kind, says, advice) in [
            (ErrorKind::IsADirectory, "is a directory", "name a file in it"),
            (ErrorKind::NotFound, "does not exist", "mkdir -p"),
            (ErrorKind::NotADirectory, "not a directory", "choose another"),
            (ErrorKind::PermissionDenied, "no permission", "run as its owner"),
            (ErrorKind::ReadOnlyFilesystem, "read-only", "choose another place"),
            (ErrorKind::StorageFull, "full", "free some space"),
            (ErrorKind::QuotaExceeded, "full", "free some space"),
        ] {
            let text = OpenError::new(Path::new("out/eve.json"), kind.into()).to_string();
            assert!(text.contains("out/eve.json") && text.contains(says) && text.contains(advice), "{text}");
        }
    }

    #[test]
    fn a_partial_line_that_cannot_be_taken_back_is_ended_before_the_next() {
        // A pipe's beginning cannot be cut off, so what went into it stays.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("eve.json");
        let mut sink = FileSink::open(&path, OpenMode::Replace).unwrap();
        sink.file.write_all(b"{\"half").unwrap();
        sink.broken = true;
        let delivery = sink.write_lines(b"{}\n{}\n");
        assert_eq!((delivery.lines_written, delivery.bytes_written, delivery.lines_lost), (2, 6, 0));
        assert_eq!(std::fs::read(&path).unwrap(), b"{\"half\n{}\n{}\n");
    }
}
