//! Files that rules name: lists of hashes, sets of data.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ::rules::Position;
use sha2::{Digest, Sha256};

use super::RULE_FILE_BYTES_MAX;

/// The files that were read for a rule set, each with a digest of what was in it, or nothing if it could not be read.
#[derive(Debug, Default)]
pub(super) struct SideFiles(Vec<(PathBuf, Option<[u8; 32]>)>);

impl SideFiles {
    /// Reads the file that the rule at `position` in one of `files` names: it lies beside that file.
    pub(super) fn read(&mut self, files: &[PathBuf], position: Position, path: &str) -> io::Result<Vec<u8>> {
        let folder = files.get(position.file as usize).and_then(|file| file.parent());
        let path = folder.unwrap_or(Path::new("")).join(path);
        let read = read(&path);
        let digest = read.as_ref().ok().map(|bytes| Sha256::digest(bytes).into());
        self.0.push((path, digest));
        read
    }

    /// Whether all of them are as they were.
    pub(super) fn are_as_read(&self) -> bool {
        self.0
            .iter()
            .all(|(path, digest)| read(path).ok().map(|bytes| Sha256::digest(bytes).into()) == *digest)
    }
}

/// Reads a file, if it is not larger than a rule file may be.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(RULE_FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > RULE_FILE_BYTES_MAX {
        return Err(io::Error::other(format!("it is larger than {RULE_FILE_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}
