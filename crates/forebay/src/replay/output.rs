//! The folder that a replay writes into: `eve.json` is there when the replay is complete, and not before.
//!
//! While the replay runs events go to `eve.json.part`, where they can be followed. At the end it is renamed over an older
//! `eve.json`, in one step. A replay that fails removes it again, and every folder that was made for it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sink::{FileSink, OpenError, OpenMode};

/// Why there is no place for the output.
#[derive(Debug, thiserror::Error)]
pub(super) enum OutputError {
    /// The folder cannot be made.
    #[error("{}: cannot be made: {source}; give --out a folder you may write to", dir.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else has the folder's name.
    #[error("{}: not a folder; give --out another name", dir.display())]
    NotAFolder {
        /// The path.
        dir: PathBuf,
    },
    /// `eve.json` cannot be replaced.
    #[error("{}: is a folder; remove it or give --out another folder", path.display())]
    EveIsFolder {
        /// The path.
        path: PathBuf,
    },
    /// The complete output cannot get its name.
    #[error("{}: cannot be renamed to eve.json: {source}; the events are complete in it", part.display())]
    Rename {
        /// The file with the events.
        part: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The output of one replay. Unless it is completed or kept, dropping it leaves nothing behind.
#[derive(Debug)]
pub(super) struct Output {
    eve: PathBuf,
    part: PathBuf,
    /// Folders that were made for it, outermost first.
    made: Vec<PathBuf>,
    opened: bool,
    keep: bool,
}

impl Output {
    /// Makes the folder, and those above it that are missing.
    pub(super) fn create(dir: &Path) -> Result<Self, OutputError> {
        let mut output = Self {
            eve: dir.join("eve.json"),
            part: dir.join("eve.json.part"),
            made: Vec::new(),
            opened: false,
            keep: false,
        };
        let missing: Vec<&Path> = dir
            .ancestors()
            .take_while(|path| !path.as_os_str().is_empty() && fs::symlink_metadata(path).is_err())
            .collect();
        for path in missing.into_iter().rev() {
            fs::create_dir(path).map_err(|source| OutputError::Folder { dir: dir.to_owned(), source })?;
            output.made.push(path.to_owned());
        }
        if !dir.is_dir() {
            return Err(OutputError::NotAFolder { dir: dir.to_owned() });
        }
        if output.eve.is_dir() {
            return Err(OutputError::EveIsFolder { path: output.eve.clone() });
        }
        Ok(output)
    }

    /// Opens the file that grows while the replay runs.
    pub(super) fn open(&mut self) -> Result<FileSink, OpenError> {
        let sink = FileSink::open(&self.part, OpenMode::Replace)?;
        self.opened = true;
        Ok(sink)
    }

    /// The file that grows.
    pub(super) fn part(&self) -> &Path {
        &self.part
    }

    /// Leaves the file that grew under its name, for a replay that was interrupted.
    pub(super) fn keep_part(mut self) {
        self.keep = true;
    }

    /// Gives the complete file its name; returns its path.
    pub(super) fn complete(mut self) -> Result<PathBuf, OutputError> {
        self.keep = true;
        fs::rename(&self.part, &self.eve)
            .map_err(|source| OutputError::Rename { part: self.part.clone(), source })?;
        Ok(self.eve.clone())
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        // What cannot be removed here cannot be helped: the failure that led here is what the person must hear of.
        if self.opened {
            drop(fs::remove_file(&self.part));
        }
        for dir in self.made.iter().rev() {
            drop(fs::remove_dir(dir));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn write(output: &mut Output, text: &str) {
        drop(output.open().unwrap());
        fs::File::options().append(true).open(output.part()).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn a_complete_output_replaces_the_older_one() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a/b");
        for text in ["old\n", "new\n"] {
            let mut output = Output::create(&dir).unwrap();
            write(&mut output, text);
            let eve = output.complete().unwrap();
            assert_eq!(fs::read_to_string(&eve).unwrap(), text);
            assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
        }
    }

    #[test]
    fn a_failure_leaves_nothing_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("a/b");
        let mut output = Output::create(&dir).unwrap();
        write(&mut output, "half");
        drop(output);
        assert!(!folder.path().join("a").exists());

        // What was there stays, and so does an older result.
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("eve.json"), "old\n").unwrap();
        let mut output = Output::create(&dir).unwrap();
        write(&mut output, "half");
        drop(output);
        assert_eq!(fs::read_to_string(dir.join("eve.json")).unwrap(), "old\n");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1);
    }

    #[test]
    fn an_interrupted_output_keeps_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut output = Output::create(folder.path()).unwrap();
        write(&mut output, "one\n");
        output.keep_part();
        assert_eq!(fs::read_to_string(folder.path().join("eve.json.part")).unwrap(), "one\n");
        assert!(!folder.path().join("eve.json").exists());
    }

    #[test]
    fn a_place_that_cannot_be_used_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Output::create(&file), Err(OutputError::NotAFolder { .. })));
        assert!(matches!(Output::create(&file.join("below")), Err(OutputError::Folder { .. })));
        fs::create_dir(folder.path().join("eve.json")).unwrap();
        assert!(matches!(Output::create(folder.path()), Err(OutputError::EveIsFolder { .. })));
    }
}
