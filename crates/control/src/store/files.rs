//! Files that came through the API: rules and thresholds. A file's name is made of the name it was sent by and a digest of
//! what is in it, so it never changes, and a generation that names it can always be run again.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{Store, StoreError, atomic};

/// Digits of the digest in a file's name: as many as make a chance collision impossible in practice.
const DIGITS: usize = 32;

/// The longest name that a file is sent by.
const NAME_BYTES_MAX: usize = 100;

impl Store {
    /// Keeps a file's text; returns where. `name` is what people call it.
    ///
    /// # Errors
    ///
    /// [`StoreError::System`].
    pub fn keep_file(&self, name: &str, text: &[u8]) -> Result<PathBuf, StoreError> {
        let digest = crate::config::Digest(Sha256::digest(text).into()).to_string();
        let (stem, extension) = split(name);
        let path = self.files().join(format!("{stem}-{}.{extension}", &digest[..DIGITS]));
        // Its name tells what is in it.
        if fs::metadata(&path).is_ok_and(|there| there.len() == text.len() as u64) {
            return Ok(path);
        }
        atomic::write(&path, text).map_err(StoreError::system(&path, "written"))?;
        Ok(path)
    }

    /// Removes files that neither a generation that is kept nor `running` names.
    pub fn forget_files(&self, running: &str) {
        let texts: Vec<String> = self
            .entries()
            .iter()
            .filter_map(|entry| self.generation(entry.number).ok())
            .map(|generation| generation.text)
            .collect();
        for entry in fs::read_dir(self.files()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if !running.contains(&*name) && !texts.iter().any(|text| text.contains(&*name)) {
                // One that stays takes room and harms nobody.
                drop(fs::remove_file(entry.path()));
            }
        }
    }

    /// Where files are kept.
    pub fn files(&self) -> PathBuf {
        self.folder.join("files")
    }
}

/// The name without folders, of characters that need no quoting anywhere, and its extension.
fn split(name: &str) -> (String, String) {
    let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let plain = |text: &str| -> String {
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        text.chars().map(plain).take(NAME_BYTES_MAX).collect()
    };
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => {
            (plain(stem), plain(extension))
        }
        _ if name.is_empty() => ("unnamed".to_owned(), "rules".to_owned()),
        _ => (plain(&name), "rules".to_owned()),
    }
}

/// What people call a file: the name that it was sent by, or else the last part of its path.
pub fn rule_file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    sent_name(&name).unwrap_or(name)
}

/// How people find a file: by the name that it was sent by, or else by its path.
pub(crate) fn as_sent(path: &Path) -> PathBuf {
    let sent = path.file_name().and_then(|name| sent_name(&name.to_string_lossy()));
    sent.map_or_else(|| path.to_owned(), PathBuf::from)
}

fn sent_name(kept: &str) -> Option<String> {
    let (stem, extension) = kept.rsplit_once('.')?;
    let (stem, digest) = stem.rsplit_once('-')?;
    let is_digest = digest.len() == DIGITS && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| format!("{stem}.{extension}"))
}
