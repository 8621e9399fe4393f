//! What versions 2 (RFC 1094) and 3 (RFC 1813) ask and answer.
//!
//! In: the arguments of a call, the results of a reply. Out: the parts of them that matter here, the same for both
//! versions; `None` where the bytes end too early.

use super::rpc::{Data, data, opaque};
use crate::reader::Reader;

/// Length of a file handle of version 2.
const HANDLE2_BYTES: usize = 32;

/// Longest file handle of any version.
pub(super) const HANDLE_BYTES_MAX: usize = 128;

/// Length of a file's attributes in version 2, where the size stands in them, and their length in version 3.
const ATTRIBUTES2_BYTES: usize = 68;
const SIZE2_AT: usize = 20;
const ATTRIBUTES3_BYTES: usize = 84;

/// Status of writes that the server answers once they are on disk, in version 3 and 4.
pub(super) const FILE_SYNC: u32 = 2;

/// Entries of a directory of which names are taken.
const ENTRIES_MAX: usize = 1024;

/// What a call wants beside a name.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Action<'a> {
    #[default]
    None,
    /// A part of a file.
    Read { offset: u64 },
    /// A part of a file to become what `data` says; nothing of it follows if `last`.
    Write { offset: u64, last: bool, data: Data<'a> },
    /// What was written to a file is to be put on disk.
    Commit,
}

/// What a call asks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Request<'a> {
    /// The file or directory it is about; empty if that is not told.
    pub handle: &'a [u8],
    /// A name within that directory.
    pub name: &'a [u8],
    /// The name that it gets.
    pub new_name: Option<&'a [u8]>,
    pub action: Action<'a>,
}

/// What a reply says.
#[derive(Clone, Debug, Default)]
pub(super) struct Response<'a> {
    pub status: u32,
    /// The handle of the file that the call has named.
    pub handle: Option<&'a [u8]>,
    /// A part of a file, and whether nothing of the file is behind it.
    pub read: Option<(bool, Data<'a>)>,
    /// Names and handles.
    pub entries: Vec<(&'a [u8], &'a [u8])>,
}

/// A file handle of version 3 or 4.
pub(super) fn handle<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    opaque(reader).filter(|handle| handle.len() <= HANDLE_BYTES_MAX)
}

fn handle_of<'a>(version: u32, reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    if version == 2 { reader.take(HANDLE2_BYTES) } else { handle(reader) }
}

/// What a call is, whatever its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// It is about a file of which only the handle is told.
    Handle,
    Lookup,
    Read,
    Write,
    /// A name in a directory becomes a file of some kind, or stops to be one.
    Name,
    Rename,
    Link,
    List,
    Commit,
    /// Nothing of it is looked into.
    Other,
}

/// What the procedure of a version is.
pub(super) const fn kind(version: u32, procedure: u32) -> Kind {
    match (version, procedure) {
        (2 | 3, 1) | (3, 4) => Kind::Handle,
        (2, 4) | (3, 3) => Kind::Lookup,
        (2 | 3, 6) => Kind::Read,
        (2, 8) | (3, 7) => Kind::Write,
        (2, 9 | 10 | 13 | 14 | 15) | (3, 8..=13) => Kind::Name,
        (2, 11) | (3, 14) => Kind::Rename,
        (2, 12) | (3, 15) => Kind::Link,
        (3, 17) => Kind::List,
        (3, 21) => Kind::Commit,
        _ => Kind::Other,
    }
}

/// Reads the arguments of a call.
pub(super) fn request(version: u32, procedure: u32, body: &[u8]) -> Option<Request<'_>> {
    let reader = &mut Reader(body);
    let mut request = Request::default();
    match kind(version, procedure) {
        Kind::Handle | Kind::List => request.handle = handle_of(version, reader)?,
        Kind::Lookup => {
            // The handle that the record shows is that of the file, which the reply tells.
            handle_of(version, reader)?;
            request.name = opaque(reader)?;
        }
        Kind::Name => {
            request.handle = handle_of(version, reader)?;
            request.name = opaque(reader)?;
        }
        Kind::Rename => {
            request.handle = handle_of(version, reader)?;
            request.name = opaque(reader)?;
            handle_of(version, reader)?;
            request.new_name = Some(opaque(reader)?);
        }
        Kind::Link => {
            handle_of(version, reader)?;
            request.handle = handle_of(version, reader)?;
            request.name = opaque(reader)?;
        }
        Kind::Read => {
            request.handle = handle_of(version, reader)?;
            let offset = if version == 2 { u64::from(reader.u32()?) } else { reader.u64()? };
            request.action = Action::Read { offset };
        }
        Kind::Write => {
            request.handle = handle_of(version, reader)?;
            let (offset, last) = if version == 2 {
                // Where the file began before, where the data goes, and its length once more.
                let (_, offset, _) = (reader.u32()?, reader.u32()?, reader.u32()?);
                (u64::from(offset), false)
            } else {
                let (offset, _, stable) = (reader.u64()?, reader.u32()?, reader.u32()?);
                (offset, stable == FILE_SYNC)
            };
            request.action = Action::Write { offset, last, data: data(reader)? };
        }
        Kind::Commit => {
            request.handle = handle_of(version, reader)?;
            request.action = Action::Commit;
        }
        Kind::Other => {}
    }
    Some(request)
}

/// Attributes of version 3 that may be left out.
fn attributes(reader: &mut Reader<'_>) -> Option<()> {
    if reader.u32()? != 0 {
        reader.take(ATTRIBUTES3_BYTES)?;
    }
    Some(())
}

/// The entries of a directory with their handles, and the names of those that have one.
fn entries<'a>(reader: &mut Reader<'a>) -> Option<Vec<(&'a [u8], &'a [u8])>> {
    attributes(reader)?;
    reader.u64()?;
    let mut entries = Vec::new();
    while reader.u32()? != 0 && entries.len() < ENTRIES_MAX {
        reader.u64()?;
        let name = opaque(reader)?;
        reader.u64()?;
        attributes(reader)?;
        if reader.u32()? != 0 {
            entries.push((name, handle(reader)?));
        }
    }
    Some(entries)
}

/// Reads the results of a call, which of a read has begun at `offset`.
pub(super) fn response(version: u32, procedure: u32, offset: u64, body: &[u8]) -> Option<Response<'_>> {
    let reader = &mut Reader(body);
    let kind = kind(version, procedure);
    if procedure == 0 || version == 2 && matches!(procedure, 3 | 7) {
        // These have no results, not even a status.
        return Some(Response::default());
    }
    let mut response = Response { status: reader.u32()?, ..Response::default() };
    if response.status != 0 {
        return Some(response);
    }
    match (version, kind) {
        (_, Kind::Lookup) => response.handle = Some(handle_of(version, reader)?),
        // CREATE and MKDIR; what else makes or removes names tells no handle.
        (2, Kind::Name) if matches!(procedure, 9 | 14) => response.handle = Some(handle_of(version, reader)?),
        (3, Kind::Name) if matches!(procedure, 8..=11) && reader.u32()? != 0 => {
            response.handle = Some(handle(reader)?);
        }
        (2, Kind::Read) => {
            let mut attributes = Reader(reader.take(ATTRIBUTES2_BYTES)?);
            attributes.take(SIZE2_AT)?;
            let size = u64::from(attributes.u32()?);
            let data = data(reader)?;
            response.read = Some((offset.saturating_add(data.len) >= size, data));
        }
        (3, Kind::Read) => {
            attributes(reader)?;
            let (_, end) = (reader.u32()?, reader.u32()?);
            response.read = Some((end != 0, data(reader)?));
        }
        (3, Kind::List) => response.entries = entries(reader)?,
        _ => {}
    }
    Some(response)
}
