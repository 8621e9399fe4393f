//! A file that appears whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Why an output file could not be produced.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The temporary file beside the wanted one cannot be created.
    #[error("cannot create {path}: {source}; choose a directory you may write to")]
    Create {
        /// The temporary file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Writing failed part-way; the temporary file is removed.
    #[error("cannot write {path}: {source}; free some space or choose another directory")]
    Write {
        /// The temporary file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The finished file cannot take its name.
    #[error("cannot rename {from} to {to}: {source}; check that {to} is not a directory")]
    Rename {
        /// The temporary file.
        from: PathBuf,
        /// The wanted name.
        to: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Writes to `NAME.tmp` and renames it to `NAME` on [`commit`](OutputFile::commit); dropped before that, it removes
/// `NAME.tmp` and leaves whatever `NAME` was.
#[derive(Debug)]
pub struct OutputFile {
    path: PathBuf,
    temporary: PathBuf,
    /// `None` once committed.
    file: Option<BufWriter<File>>,
}

impl OutputFile {
    /// Creates `path` with `.tmp` appended, replacing one that an interrupted run left.
    ///
    /// # Errors
    /// [`OutputError::Create`].
    pub fn create(path: &Path) -> Result<Self, OutputError> {
        let mut name = OsString::from(path.as_os_str());
        name.push(".tmp");
        let temporary = PathBuf::from(name);
        match File::create(&temporary) {
            Ok(file) => Ok(Self {
                path: path.to_owned(),
                temporary,
                file: Some(BufWriter::with_capacity(1 << 20, file)),
            }),
            Err(source) => Err(OutputError::Create { path: temporary, source }),
        }
    }

    /// Names a write error after this file.
    pub fn write_error(&self, source: io::Error) -> OutputError {
        OutputError::Write { path: self.temporary.clone(), source }
    }

    /// Flushes and gives the file its name.
    ///
    /// # Errors
    /// [`OutputError::Write`] when the last bytes do not fit, [`OutputError::Rename`].
    pub fn commit(mut self) -> Result<(), OutputError> {
        if let Some(file) = &mut self.file
            && let Err(source) = file.flush()
        {
            return Err(self.write_error(source));
        }
        if let Err(source) = fs::rename(&self.temporary, &self.path) {
            let (from, to) = (self.temporary.clone(), self.path.clone());
            return Err(OutputError::Rename { from, to, source });
        }
        self.file = None;
        Ok(())
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.file {
            Some(file) => file.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Without its buffer: the bytes are not wanted any more, and flushing a full disk would fail again.
            let (file, _unwritten) = file.into_parts();
            drop(file);
            // Nothing is left to report to: a failure leaves a `.tmp` that the next run replaces.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn committed_appears_and_dropped_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.bin");
        let mut first = OutputFile::create(&path).unwrap();
        first.write_all(b"one").unwrap();
        assert!(!path.exists());
        first.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one");

        let mut second = OutputFile::create(&path).unwrap();
        second.write_all(b"two").unwrap();
        drop(second);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no .tmp is left");
    }

    #[test]
    fn errors_name_the_file() {
        let missing = Path::new("/nonexistent-directory/out.pcap");
        let error = OutputFile::create(missing).unwrap_err().to_string();
        assert!(error.contains("/nonexistent-directory/out.pcap.tmp"), "{error}");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        let error = OutputFile::create(&path).unwrap().commit().unwrap_err();
        assert!(matches!(error, OutputError::Rename { .. }), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no .tmp is left");
    }
}
