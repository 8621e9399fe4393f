//! Compiled databases on disk, by what they were compiled from.
//!
//! In: a folder. Out: databases, read if they are there and whole, else compiled and written. The name of a file is a hash
//! of the literals and of Hyperscan's version, so that a rule set that changes never meets a database of another. A file
//! that is damaged, or of another processor, is compiled anew. Nothing that goes wrong here is more than slow.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use sha1::{Digest, Sha1};

use crate::literal::{EngineError, Literal, LiteralSet};

/// A folder of compiled databases.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    bytes_max: u64,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// Name ending of what the cache keeps; other files in the folder are left alone.
const ENDING: &str = "hsdb";

impl Cache {
    /// A cache in `folder`, which is made when it is first written to, of at most `bytes_max` bytes: what was not used
    /// for longest makes room.
    pub fn new(folder: impl Into<PathBuf>, bytes_max: u64) -> Self {
        Self { folder: folder.into(), bytes_max, hits: AtomicU64::new(0), misses: AtomicU64::new(0) }
    }

    /// How many databases were found, and how many had to be compiled.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }

    pub(crate) fn compile(&self, literals: &[Literal]) -> Result<LiteralSet, EngineError> {
        let path = self.folder.join(format!("{}.{ENDING}", key(literals)));
        if let Ok(bytes) = fs::read(&path)
            && let Ok(set) = LiteralSet::deserialize(&bytes, literals)
        {
            self.hits.fetch_add(1, Ordering::Relaxed);
            // When it was last of use is what making room goes by; that it cannot be noted on a read-only disk is no harm.
            let _ = fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
            return Ok(set);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let set = LiteralSet::compile(literals)?;
        if let Ok(bytes) = set.serialize() {
            // Without a place to write the next start compiles again, as this one did.
            let _ = self.write(&path, &bytes);
        }
        Ok(set)
    }

    /// Writes beside and renames, so that a reader never sees half a file and a crash leaves none.
    fn write(&self, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let beside = path.with_extension(format!("{}.part", std::process::id()));
        let written = fs::File::create(&beside).and_then(|mut file| file.write_all(bytes));
        if let Err(error) = written.and_then(|()| fs::rename(&beside, path)) {
            let _ = fs::remove_file(&beside);
            return Err(error);
        }
        self.make_room()
    }

    fn make_room(&self) -> std::io::Result<()> {
        let mut files: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(&self.folder)?
            .filter_map(Result::ok)
            .filter(|entry| entry.path().extension().is_some_and(|ending| ending == ENDING))
            .filter_map(|entry| {
                let about = entry.metadata().ok()?;
                Some((about.modified().ok()?, about.len(), entry.path()))
            })
            .collect();
        files.sort_unstable();
        let mut bytes: u64 = files.iter().map(|file| file.1).sum();
        for (_, len, path) in files {
            if bytes <= self.bytes_max {
                break;
            }
            fs::remove_file(path)?;
            bytes -= len;
        }
        Ok(())
    }
}

fn key(literals: &[Literal]) -> String {
    let mut hash = Sha1::new();
    hash.update(hyperscan::version_str().to_bytes());
    for literal in literals {
        hash.update((literal.bytes.len() as u64).to_le_bytes());
        hash.update([u8::from(literal.nocase)]);
        hash.update(&literal.bytes);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        use std::fmt::Write;
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn literals(words: &[&str]) -> Vec<Literal> {
        words.iter().map(|word| Literal { bytes: word.as_bytes().to_vec(), nocase: false }).collect()
    }

    #[test]
    fn the_second_time_comes_from_disk_and_damage_does_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let words = literals(&["alpha", "beta"]);
        let first = Cache::new(folder.path(), 1 << 20);
        first.compile(&words).unwrap();
        first.compile(&literals(&["alpha"])).unwrap();
        assert_eq!(first.hits_and_misses(), (0, 2));
        let second = Cache::new(folder.path(), 1 << 20);
        second.compile(&words).unwrap();
        assert_eq!(second.hits_and_misses(), (1, 0));
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = fs::read(&path).unwrap();
            bytes.truncate(bytes.len() / 2);
            fs::write(path, bytes).unwrap();
        }
        second.compile(&words).unwrap();
        assert_eq!(second.hits_and_misses(), (1, 1));
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let folder = tempfile::tempdir().unwrap();
        let size = LiteralSet::compile(&literals(&["one"])).unwrap().serialize().unwrap().len() as u64;
        let cache = Cache::new(folder.path(), size * 5 / 2);
        for word in ["one", "two", "six", "ten"] {
            cache.compile(&literals(&[word])).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        cache.compile(&literals(&["ten"])).unwrap();
        assert_eq!(cache.hits_and_misses(), (1, 4));
    }

    #[test]
    fn a_folder_that_cannot_be_written_only_costs_time() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, b"").unwrap();
        let cache = Cache::new(file.join("below"), 1 << 20);
        cache.compile(&literals(&["alpha"])).unwrap();
        assert_eq!(cache.hits_and_misses(), (0, 1));
    }
}
