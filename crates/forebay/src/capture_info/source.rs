//! A file read front to back, with its offset known and its end told apart from an error.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use super::CaptureError;

/// Bytes read at once: large enough that most packets are skipped inside the buffer.
const BUFFER_BYTES: usize = 256 << 10;

/// How often progress is told, in bytes.
const TELL_BYTES: u64 = 16 << 20;

/// Why fewer bytes came than were asked for.
#[derive(Debug)]
pub(super) enum End {
    /// The file ends.
    File,
    /// The file could not be read on.
    Error(std::io::Error),
}

/// A file being read.
pub(super) struct Source<'a> {
    path: PathBuf,
    reader: BufReader<File>,
    offset: u64,
    len_bytes: u64,
    told: u64,
    tell: &'a mut dyn FnMut(u64),
}

impl<'a> Source<'a> {
    pub(super) fn open(path: &Path, tell: &'a mut dyn FnMut(u64)) -> Result<Self, CaptureError> {
        let read_error = |source| CaptureError::Read { path: path.to_owned(), source };
        // Asked before opening: opening a named pipe would wait for its writer.
        let kind = std::fs::metadata(path).map_err(read_error)?;
        if !kind.is_file() {
            return Err(CaptureError::NotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(read_error)?;
        let len_bytes = file.metadata().map_err(read_error)?.len();
        let reader = BufReader::with_capacity(BUFFER_BYTES, file);
        Ok(Self { path: path.to_owned(), reader, offset: 0, len_bytes, told: 0, tell })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], End> {
        if self.len_bytes.saturating_sub(self.offset) < N as u64 {
            return Err(End::File);
        }
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
            // Somebody made the file shorter after it was opened.
            std::io::ErrorKind::UnexpectedEof => End::File,
            _ => End::Error(error),
        })?;
        self.advance(N as u64);
        Ok(bytes)
    }

    /// The next `count` bytes, in `into`.
    pub(super) fn bytes(&mut self, count: u32, into: &mut Vec<u8>) -> Result<(), End> {
        if self.len_bytes.saturating_sub(self.offset) < u64::from(count) {
            return Err(End::File);
        }
        into.clear();
        self.reader.by_ref().take(u64::from(count)).read_to_end(into).map_err(End::Error)?;
        if into.len() < count as usize {
            return Err(End::File);
        }
        self.advance(u64::from(count));
        Ok(())
    }

    /// Passes over `count` bytes.
    pub(super) fn skip(&mut self, count: u64) -> Result<(), End> {
        if self.len_bytes.saturating_sub(self.offset) < count {
            return Err(End::File);
        }
        self.reader.seek_relative(count.cast_signed()).map_err(End::Error)?;
        self.advance(count);
        Ok(())
    }

    /// Whether every byte was read.
    pub(super) fn is_at_end(&self) -> bool {
        self.offset >= self.len_bytes
    }

    fn advance(&mut self, count: u64) {
        self.offset += count;
        if self.offset - self.told >= TELL_BYTES {
            self.told = self.offset;
            (self.tell)(self.offset);
        }
    }
}
