//! Files that are there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// What the names of files end with that are being written.
const PART: &str = ".part";

/// Replaces a file, or makes it. It keeps its mode and, as far as the process may, its owner.
pub(super) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // The file that a link names, so that the link stays.
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(PART);
    let part = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&part)?;
    let written = keep_owner(path, &file).and_then(|()| file.write_all(bytes)).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| fs::rename(&part, path)) {
        drop(fs::remove_file(&part));
        return Err(error);
    }
    sync_folder(path)
}

fn keep_owner(path: &Path, file: &File) -> io::Result<()> {
    let Ok(old) = fs::metadata(path) else { return file.set_permissions(fs::Permissions::from_mode(0o640)) };
    let new = file.metadata()?;
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
        // Only root may give files away; for anybody else the file becomes their own.
        drop(std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid())));
    }
    file.set_permissions(old.permissions())
}

/// Makes sure that what happened to the names in a file's folder outlives a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Removes what a crash has left of files that were being written.
pub(super) fn remove_leftovers(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().ends_with(PART) {
            // One that stays is overwritten when that file is written next.
            drop(fs::remove_file(entry.path()));
        }
    }
}
