//! Files that a flow transfers, whatever carries them: HTTP bodies, mail attachments, FTP data, SMB reads and writes.
//!
//! In: what a parser knows of a transfer ([`Files::open`], [`Files::append`], [`Files::gap`], [`Files::close`]). Out: its
//! contents as `file.data` wants them, piece by piece ([`Window`]), its name, size, state and hashes ([`FileFacts`]), and
//! the `fileinfo` member of an EVE record ([`File::write_info`]). [`decompress`] undoes content encodings. Nothing is stored on disk.

pub(crate) mod decompress;
mod hash;
mod info;
pub(crate) mod transfer;
mod window;

use hash::Hasher;
pub use hash::{Digests, Hashes};
pub(crate) use window::Window;
pub use window::WindowLimits;

use crate::View;

/// Longest name that is kept, in bytes; a longer one is cut there (and is an event where the protocol has one).
pub(crate) const NAME_LIMIT: usize = 4096;

/// How far a transfer has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileState {
    /// It goes on.
    Open,
    /// It ended as it should.
    Closed,
    /// Its end was not seen, or lies beyond what is looked into.
    Truncated,
}

/// What rules ask of a file beside its contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileFacts<'a> {
    /// Its name; empty if it has none.
    pub name: &'a [u8],
    /// Bytes so far.
    pub size: u64,
    /// How far it has come.
    pub state: FileState,
    /// Its hashes, once it is whole.
    pub digests: Digests,
}

/// One transferred file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Its name as the protocol has it, at most [`NAME_LIMIT`] bytes; may be empty.
    pub name: Vec<u8>,
    /// How far it has come.
    pub state: FileState,
    /// Whether bytes of it were never seen.
    pub gaps: bool,
    /// Bytes so far, those of gaps included.
    pub size: u64,
    /// First and last position of the part that is transferred, of a larger whole.
    pub range: Option<(u64, u64)>,
    /// Its contents; `None` if its owner keeps them elsewhere.
    window: Option<Window>,
    /// Its hashes on their way, if any are asked for.
    hasher: Option<Box<Hasher>>,
    digests: Digests,
    /// Whether its EVE record was written.
    logged: bool,
}

impl File {
    /// Whether its record can be written: it has ended, and has not been recorded before. Says yes once.
    pub(crate) fn take_finished(&mut self) -> bool {
        let finished = self.state != FileState::Open && !self.logged;
        self.logged |= finished;
        finished
    }
}

/// The files of one direction of a transaction, in the order in which they came. Only the last can be open.
#[derive(Clone, Default, Debug)]
pub(crate) struct Files {
    files: Vec<File>,
}

impl Files {
    /// A file begins; one that was still open is cut short. `window` says how its contents are looked into; without it
    /// they are not kept.
    pub(crate) fn open(&mut self, name: &[u8], window: Option<WindowLimits>) {
        self.truncate();
        let hashes = window.map_or_else(Hashes::default, |window| window.hashes);
        self.files.push(File {
            name: name.get(..NAME_LIMIT).unwrap_or(name).to_vec(),
            state: FileState::Open,
            gaps: false,
            size: 0,
            range: None,
            window: window.map(Window::new),
            hasher: Hasher::new(hashes),
            digests: Digests::default(),
            logged: false,
        });
    }

    /// The file that is open.
    pub(crate) fn current(&mut self) -> Option<&mut File> {
        self.files.last_mut().filter(|file| file.state == FileState::Open)
    }

    /// The open file, of which nothing came yet, is hashed so, though its contents are kept elsewhere.
    pub(crate) fn hash(&mut self, hashes: Hashes) {
        if let Some(file) = self.current() {
            file.hasher = Hasher::new(hashes);
        }
    }

    /// The next bytes of the open file.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        if let Some(file) = self.current() {
            file.size += bytes.len() as u64;
            if let Some(hasher) = &mut file.hasher {
                hasher.update(bytes);
            }
            if let Some(window) = &mut file.window {
                window.append(bytes);
            }
        }
    }

    /// `len` bytes of the open file were never seen.
    pub(crate) fn gap(&mut self, len: u64) {
        if let Some(file) = self.current() {
            file.size += len;
            file.gaps = true;
            file.hasher = None;
            if let Some(window) = &mut file.window {
                window.gap(len);
            }
        }
    }

    fn end(&mut self, state: FileState) {
        if let Some(file) = self.current() {
            // What lacks bytes in its middle is not whole, even if its end was seen.
            file.state = if file.gaps { FileState::Truncated } else { state };
            if let Some(hasher) = file.hasher.take().filter(|_| file.state == FileState::Closed) {
                file.digests = hasher.finish();
            }
            if let Some(window) = &mut file.window {
                window.close();
            }
        }
    }

    /// The open file is whole.
    pub(crate) fn close(&mut self) {
        self.end(FileState::Closed);
    }

    /// No more of the open file will be seen, or looked into.
    pub(crate) fn truncate(&mut self) {
        self.end(FileState::Truncated);
    }

    /// Every file.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// Every file, to change.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut File> {
        self.files.iter_mut()
    }

    /// Whether one is open.
    pub(crate) fn has_open(&self) -> bool {
        self.files.last().is_some_and(|file| file.state == FileState::Open)
    }

    /// Name of the `index`-th file.
    pub(crate) fn name(&self, index: usize) -> Option<&[u8]> {
        self.files.get(index).map(|file| file.name.as_slice())
    }

    /// What rules ask of the `index`-th file.
    pub(crate) fn facts(&self, index: usize) -> Option<FileFacts<'_>> {
        self.files.get(index).map(|file| FileFacts {
            name: &file.name,
            size: file.size,
            state: file.state,
            digests: file.digests,
        })
    }

    /// The `index`-th piece of contents that rules have not seen, over all files that have one.
    pub(crate) fn view(&self, index: usize) -> Option<View<'_>> {
        self.files.iter().filter_map(|file| file.window.as_ref()?.view()).nth(index)
    }

    /// Rules have seen what there was.
    pub(crate) fn inspected(&mut self) {
        for window in self.files.iter_mut().filter_map(|file| file.window.as_mut()) {
            window.inspected();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: WindowLimits = WindowLimits {
        content: 1000,
        inspect_min: 100,
        inspect_window: 40,
        hashes: Hashes { md5: true, sha1: false, sha256: true },
    };

    #[test]
    fn a_file_is_seen_whole_when_it_closes() {
        let mut files = Files::default();
        files.open(b"a.txt", Some(LIMITS));
        files.append(b"hello ");
        assert_eq!(files.view(0), None);
        files.append(b"world");
        files.close();
        let view = files.view(0).unwrap();
        assert_eq!((view.bytes, view.offset, view.complete), (&b"hello world"[..], 0, true));
        files.inspected();
        assert_eq!(files.view(0), None);
        let file = files.iter_mut().next().unwrap();
        assert!(file.take_finished());
        assert!(!file.take_finished());
        assert_eq!((file.state, file.size), (FileState::Closed, 11));
        let mut info = Vec::new();
        file.write_object(&mut info, 3);
        assert_eq!(
            String::from_utf8(info).unwrap(),
            r#"{"filename":"a.txt","gaps":false,"state":"CLOSED","md5":"5eb63bbbe01eeed093cb22bb8f5acdc3","sha256":"b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9","stored":false,"size":11,"tx_id":3}"#
        );
    }

    #[test]
    fn several_files_are_seen_one_by_one() {
        let mut files = Files::default();
        for name in [b"a", b"b"] {
            files.open(name, Some(LIMITS));
            files.append(name);
            files.close();
        }
        assert_eq!(files.view(0).unwrap().bytes, b"a");
        assert_eq!(files.view(1).unwrap().bytes, b"b");
        assert_eq!(files.view(2), None);
    }

    #[test]
    fn a_file_with_a_gap_is_truncated() {
        let mut files = Files::default();
        files.open(b"", Some(LIMITS));
        files.append(b"abc");
        files.gap(10);
        files.append(b"def");
        files.close();
        let file = files.iter().next().unwrap();
        assert_eq!((file.state, file.gaps, file.size), (FileState::Truncated, true, 16));
        assert_eq!(files.facts(0).unwrap().digests, Digests::default());
    }

    #[test]
    fn long_names_are_cut() {
        let mut files = Files::default();
        files.open(&[b'x'; 10_000], None);
        assert_eq!(files.name(0).unwrap().len(), NAME_LIMIT);
    }
}
