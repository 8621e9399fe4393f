//! A file of any bytes, for parsers that take a path. It has no name, so nothing is left behind when a target is killed.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

static FILE: LazyLock<(File, PathBuf)> = LazyLock::new(|| {
    // In memory where there is such a place: thousands of inputs a second are no work for a disk.
    let file = tempfile::tempfile_in("/dev/shm").or_else(|_| tempfile::tempfile()).expect("a temporary file");
    let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
    (file, path)
});

/// The path of a regular file with these bytes in it, until the next call.
pub fn with(bytes: &[u8]) -> &'static Path {
    let (file, path) = &*FILE;
    file.set_len(0).and_then(|()| file.write_all_at(bytes, 0)).expect("room for an input");
    path
}
