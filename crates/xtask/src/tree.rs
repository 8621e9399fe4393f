//! The text of every file that git tracks, or would track once added.

use std::path::{Path, PathBuf};
use std::process::Command;

/// One text file.
#[derive(Clone, Debug)]
pub struct File {
    /// Path relative to the repository, with `/` between parts.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

impl File {
    /// The lines with their numbers, from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The part after the last dot of the file's name; empty when there is none.
    pub fn extension(&self) -> &str {
        Path::new(&self.path).extension().and_then(|extension| extension.to_str()).unwrap_or("")
    }
}

/// The repository's text files and the paths of all its files.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Files that are UTF-8 text.
    pub files: Vec<File>,
    /// Every path, text or not.
    pub paths: Vec<String>,
}

/// Why the files could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// git could not be started.
    #[error("cannot run git: {0}; install git")]
    Git(std::io::Error),
    /// git refused.
    #[error("git cannot list the files of {}: {said}; run this in a clone of the repository", .root.display())]
    Refused {
        /// The repository.
        root: PathBuf,
        /// What git said.
        said: String,
    },
}

impl Tree {
    /// Lists and reads the files of the git work tree at `root`; ignored files are left out.
    ///
    /// # Errors
    /// When git is missing or `root` is not a work tree.
    pub fn read(root: &Path) -> Result<Self, TreeError> {
        let listing = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(TreeError::Git)?;
        if !listing.status.success() {
            let said = String::from_utf8_lossy(&listing.stderr).trim().to_owned();
            return Err(TreeError::Refused { root: root.to_owned(), said });
        }
        let names = String::from_utf8_lossy(&listing.stdout).into_owned();
        // A file that was deleted but not yet committed is still listed.
        let paths = names.split('\0').filter(|path| !path.is_empty() && root.join(path).exists());
        let mut tree = Self { files: Vec::new(), paths: paths.map(str::to_owned).collect() };
        tree.paths.sort_unstable();
        tree.paths.dedup();
        for path in &tree.paths {
            if let Ok(text) = std::fs::read_to_string(root.join(path)) {
                tree.files.push(File { path: path.clone(), text });
            }
        }
        Ok(tree)
    }

    /// A made-up tree, from pairs of path and text.
    pub fn from_pairs(pairs: &[(&str, &str)]) -> Self {
        let files = pairs.iter().map(|&(path, text)| File { path: path.to_owned(), text: text.to_owned() });
        Self { files: files.collect(), paths: pairs.iter().map(|&(path, _)| path.to_owned()).collect() }
    }

    /// The text of one file.
    pub fn text_of(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// Whether `path` is a file, or a folder that holds one.
    pub fn contains(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.paths.iter().any(|known| known == path || known.starts_with(&folder))
    }
}
