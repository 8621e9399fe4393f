//! The daemon's memory of its configuration: the file itself, the generations before it, and the rule files that were
//! loaded through the API.
//!
//! In: texts that were accepted. Out: what to run, also after a power cut at any moment. One folder holds it all:
//!
//! ```text
//! STATE/lock                      held while a daemon uses the folder
//! STATE/generations/00000042.json a generation: when, who, what, and the whole text
//! STATE/generations/pending.json  one that is being made
//! STATE/files/NAME-DIGEST.rules   a file that came through the API; its name tells its content, so it never changes
//! ```
//!
//! A change is made in three steps, each atomic: `pending.json` is written; the configuration file is replaced;
//! `pending.json` becomes a generation. Whatever step a crash follows, [`Store::open`] finds either the old text or the
//! new one in the configuration file, and makes the history say the same.

mod atomic;
mod files;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub(crate) use files::as_sent;
pub use files::rule_file_name;

/// Generations that are kept; older ones are forgotten, and with them the rule files that only they name.
pub const GENERATIONS_MAX: usize = 200;

/// Who makes a generation that no operator has asked for: somebody edited the file.
pub const BY_HAND: &str = "file";

/// One generation, as it is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Generation {
    /// Its number, counted up from 1.
    pub number: u32,
    /// When it was made, in microseconds since 1970 (UTC).
    pub at_us: u64,
    /// Who made it.
    pub who: String,
    /// What was changed, in one clause.
    pub what: String,
    /// The configuration's text.
    pub text: String,
}

/// A generation without its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// Its number.
    pub number: u32,
    /// When it was made, in microseconds since 1970 (UTC).
    pub at_us: u64,
    /// Who made it.
    pub who: String,
    /// What was changed.
    pub what: String,
}

/// The store cannot be used, or could not keep something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another daemon has it.
    #[error("{}: in use by another forebayd; stop that one, or give this one another --state folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The system.
    #[error("{}: cannot be {action}: {source}; check the disk and that forebayd's user may write there", path.display())]
    System {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a participle.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// A generation that is not there, or not any more.
    #[error("there is no generation {number}; `forebay config history` shows those that are kept")]
    NoGeneration {
        /// Its number.
        number: u32,
    },
    /// What is kept cannot be read.
    #[error("{}: is damaged; move it away, the configuration itself is not in it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

impl StoreError {
    fn system(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::System { path, action, source }
    }
}

/// The daemon's memory of its configuration.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    config: PathBuf,
    /// The oldest first.
    entries: Vec<Entry>,
    /// Held as long as the store is.
    _lock: File,
}

impl Store {
    /// Opens the store in `folder`, which is made if it is not there, of the configuration file `config`. A change that a
    /// crash has cut short is finished or taken back.
    ///
    /// # Errors
    ///
    /// [`StoreError`]; nothing was changed.
    pub fn open(folder: &Path, config: &Path) -> Result<Self, StoreError> {
        let generations = folder.join("generations");
        for made in [&generations, &folder.join("files")] {
            fs::create_dir_all(made).map_err(StoreError::system(made, "made"))?;
        }
        let lock = folder.join("lock");
        let file = File::create(&lock).map_err(StoreError::system(&lock, "opened"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { folder: folder.to_owned() });
            }
            Err(fs::TryLockError::Error(source)) => {
                return Err(StoreError::System { path: lock, action: "locked", source });
            }
        }
        let mut store =
            Self { folder: folder.to_owned(), config: config.to_owned(), entries: Vec::new(), _lock: file };
        atomic::remove_leftovers(&generations);
        atomic::remove_leftovers(&folder.join("files"));
        store.settle()?;
        store.read_entries(&generations)?;
        Ok(store)
    }

    /// Ends what a crash has left half done.
    fn settle(&self) -> Result<(), StoreError> {
        let pending = self.pending();
        let Ok(text) = fs::read(&pending) else { return Ok(()) };
        // It is written in one step, so it is whole; if it is not, it was never followed by the next step.
        let made = serde_json::from_slice::<Generation>(&text).ok();
        let config = fs::read(&self.config).unwrap_or_default();
        match made.filter(|generation| generation.text.as_bytes() == config) {
            Some(generation) => self.promote(generation.number),
            None => fs::remove_file(&pending).map_err(StoreError::system(&pending, "removed")),
        }
    }

    fn read_entries(&mut self, folder: &Path) -> Result<(), StoreError> {
        let listing = fs::read_dir(folder).map_err(StoreError::system(folder, "read"))?;
        for file in listing {
            let path = file.map_err(StoreError::system(folder, "read"))?.path();
            let number = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            let Some(number) = number else { continue };
            let Generation { at_us, who, what, .. } = self.generation(number)?;
            self.entries.push(Entry { number, at_us, who, what });
        }
        self.entries.sort_unstable_by_key(|entry| entry.number);
        Ok(())
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The generations that are kept, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// A generation with its text.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoGeneration`], or that it cannot be read.
    pub fn generation(&self, number: u32) -> Result<Generation, StoreError> {
        let path = self.path(number);
        let mut text = Vec::new();
        match File::open(&path).and_then(|mut file| file.read_to_end(&mut text)) {
            Ok(_) => serde_json::from_slice(&text).map_err(|_| StoreError::Damaged { path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NoGeneration { number }),
            Err(source) => Err(StoreError::System { path, action: "read", source }),
        }
    }

    /// The number that the next generation gets.
    pub fn next_number(&self) -> u32 {
        self.entries.last().map_or(1, |newest| newest.number.saturating_add(1))
    }

    /// Keeps a generation whose text is to be the configuration file's from now on.
    ///
    /// # Errors
    ///
    /// [`StoreError`]: the configuration file is as it was.
    pub fn commit(&mut self, generation: Generation) -> Result<(), StoreError> {
        self.begin(&generation)?;
        if let Err(error) = atomic::write(&self.config, generation.text.as_bytes()) {
            let pending = self.pending();
            // If it stays, the next start takes it back.
            drop(fs::remove_file(&pending));
            return Err(StoreError::system(&self.config, "replaced")(error));
        }
        self.promote(generation.number)?;
        self.remember(generation);
        Ok(())
    }

    /// Keeps a generation whose text is the configuration file's already, because somebody edited it.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn record(&mut self, generation: Generation) -> Result<(), StoreError> {
        self.begin(&generation)?;
        self.promote(generation.number)?;
        self.remember(generation);
        Ok(())
    }

    fn begin(&self, generation: &Generation) -> Result<(), StoreError> {
        let pending = self.pending();
        let text = serde_json::to_vec(generation).map_err(|error| StoreError::System {
            path: pending.clone(),
            action: "written",
            source: error.into(),
        })?;
        atomic::write(&pending, &text).map_err(StoreError::system(&pending, "written"))
    }

    fn promote(&self, number: u32) -> Result<(), StoreError> {
        let (from, to) = (self.pending(), self.path(number));
        fs::rename(&from, &to)
            .and_then(|()| atomic::sync_folder(&to))
            .map_err(StoreError::system(&to, "written"))
    }

    fn remember(&mut self, generation: Generation) {
        let Generation { number, at_us, who, what, .. } = generation;
        self.entries.push(Entry { number, at_us, who, what });
        while self.entries.len() > GENERATIONS_MAX {
            let oldest = self.entries.remove(0);
            // One that stays is found, and tried again, at the next start.
            drop(fs::remove_file(self.path(oldest.number)));
        }
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join("generations").join(format!("{number:08}.json"))
    }

    fn pending(&self) -> PathBuf {
        self.folder.join("generations").join("pending.json")
    }
}
