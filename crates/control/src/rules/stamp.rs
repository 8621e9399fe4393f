//! What a file looked like.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What the system says of a file; another one, or nothing, if it is not the file that it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stamp(Option<[i64; 5]>);

impl Stamp {
    pub(super) fn of(path: &Path) -> Self {
        let looks = |file: std::fs::Metadata| {
            [file.ino() as i64, file.len() as i64, file.mtime(), file.mtime_nsec(), file.ctime_nsec()]
        };
        Self(std::fs::metadata(path).ok().map(looks))
    }
}
