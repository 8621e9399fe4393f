//! Read access to sysfs and procfs under a root, so that a test's root is an ordinary tree.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// No file that is read here is longer; one that is was not meant.
const BYTES_MAX: u64 = 1 << 20;

/// The folder that `sys/` and `proc/` are in.
#[derive(Clone, Debug)]
pub struct Root(PathBuf);

/// A file of sysfs or procfs that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {path}: {source}; run this as root")]
pub struct SysError {
    path: String,
    source: std::io::Error,
}

impl Root {
    /// With `sys/` and `proc/` in `folder`: `/` on a machine.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Whether `path` is there.
    pub fn has(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    /// The bytes of a file; `None` when it is not there, or when the kernel has no answer to give in it (`speed` of an
    /// interface that is down).
    ///
    /// # Errors
    ///
    /// Any other error of reading.
    pub fn bytes(&self, path: &str) -> Result<Option<Vec<u8>>, SysError> {
        let mut bytes = Vec::new();
        let read =
            fs::File::open(self.0.join(path)).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut bytes));
        match read {
            Ok(_) => Ok(Some(bytes)),
            Err(source) if is_absent(source.kind()) => Ok(None),
            Err(source) => Err(SysError { path: format!("/{path}"), source }),
        }
    }

    /// The text of a file without white space around it; see [`Self::bytes`].
    ///
    /// # Errors
    ///
    /// See [`Self::bytes`].
    pub fn text(&self, path: &str) -> Result<Option<String>, SysError> {
        let bytes = self.bytes(path)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    /// The decimal number in a file; `None` also when it holds none that fits, such as the node -1 of a machine
    /// without NUMA.
    ///
    /// # Errors
    ///
    /// See [`Self::bytes`].
    pub fn number<N: FromStr>(&self, path: &str) -> Result<Option<N>, SysError> {
        Ok(self.text(path)?.and_then(|text| text.parse().ok()))
    }

    /// The hexadecimal ID in a file, such as `0x8086`.
    ///
    /// # Errors
    ///
    /// See [`Self::bytes`].
    pub fn id(&self, path: &str) -> Result<Option<u16>, SysError> {
        let text = self.text(path)?;
        Ok(text.and_then(|text| u16::from_str_radix(text.trim_start_matches("0x"), 16).ok()))
    }

    /// The names in a folder, sorted; none when it is not there.
    ///
    /// # Errors
    ///
    /// Any other error of reading.
    pub fn names(&self, path: &str) -> Result<Vec<String>, SysError> {
        let fail = |source| SysError { path: format!("/{path}"), source };
        let entries = match fs::read_dir(self.0.join(path)) {
            Ok(entries) => entries,
            Err(source) if is_absent(source.kind()) => return Ok(Vec::new()),
            Err(source) => return Err(fail(source)),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    /// The last part of where a symbolic link leads, which is how sysfs names a device's driver or IOMMU group.
    pub fn link(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.0.join(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }
}

/// `NotADirectory` is what a file has in whose place a folder was looked for.
fn is_absent(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::InvalidInput | ErrorKind::NotADirectory)
}

/// The numbers of a list as the kernel writes it: `0-3,8,10-11`. What is no number is left out, and so is what lies
/// beyond any machine, so that no text makes this long.
pub fn list(text: &str) -> Vec<u32> {
    const MAX: u32 = 65_535;
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        Some(first..=last.min(MAX))
    };
    let mut numbers: Vec<u32> = text.split(',').take(4096).filter_map(range).flatten().collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_the_kernel_are_read() {
        assert_eq!(list("0-3,8,10-11\n"), [0, 1, 2, 3, 8, 10, 11]);
        assert_eq!(list("managed_irq,domain,2-3"), [2, 3]);
        assert_eq!(list(""), Vec::<u32>::new());
        assert_eq!(list("5-1,x-2"), Vec::<u32>::new());
        assert_eq!(list("65530-4000000000").len(), 6);
    }

    #[test]
    fn what_is_absent_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::write(folder.path().join("file"), " -1\n").unwrap();
        assert_eq!(root.text("none").unwrap(), None);
        assert_eq!(root.text("file/below").unwrap(), None);
        assert_eq!(root.number::<u32>("file").unwrap(), None);
        assert_eq!(root.number::<i32>("file").unwrap(), Some(-1));
        assert_eq!(root.names("none").unwrap(), Vec::<String>::new());
        assert_eq!(root.names("").unwrap(), ["file"]);
        assert!(root.text("").is_err(), "a folder is not a file");
    }
}
