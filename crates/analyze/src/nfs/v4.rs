//! Compounds of version 4 (RFC 7530; its minor versions RFC 8881 and RFC 7862).
//!
//! In: the arguments of a compound, its results. Out: what of its operations matters here. An operation of which the
//! layout is not known here ends the reading: what came before it counts.

use super::body::{FILE_SYNC, handle};
use super::rpc::{Data, data, opaque};
use crate::reader::Reader;

/// Numbers of the operations that records are about.
pub(super) const CREATE: u32 = 6;
pub(super) const READ: u32 = 25;
pub(super) const REMOVE: u32 = 28;
pub(super) const WRITE: u32 = 38;

/// Operations of one compound that are looked into.
const OPERATIONS_MAX: usize = 128;

/// What a compound does to a file's contents.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step<'a> {
    Read {
        handle: &'a [u8],
        offset: u64,
    },
    Write {
        handle: &'a [u8],
        offset: u64,
        last: bool,
        data: Data<'a>,
    },
    /// What was written is put on disk.
    Commit {
        handle: &'a [u8],
    },
    Close {
        handle: &'a [u8],
    },
}

/// What a compound is for, if it makes or removes a name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Main<'a> {
    pub operation: u32,
    pub name: &'a [u8],
    /// The new file's directory.
    pub handle: &'a [u8],
}

/// A compound.
#[derive(Default, Debug)]
pub(super) struct Compound<'a> {
    pub main: Option<Main<'a>>,
    pub steps: Vec<Step<'a>>,
    /// For each handle that is asked for, the name of the file that it belongs to; empty if that is not known.
    pub asked: Vec<&'a [u8]>,
    /// It ends in the middle of an operation.
    pub cut: bool,
}

/// The results of a compound.
#[derive(Default, Debug)]
pub(super) struct Results<'a> {
    pub status: u32,
    /// Handles that were asked for, in order.
    pub handles: Vec<&'a [u8]>,
    /// What was read, in order, and whether the file ends there.
    pub reads: Vec<(bool, Data<'a>)>,
    /// They end in the middle of an operation.
    pub cut: bool,
}

/// What became of reading one operation.
enum Read {
    Known,
    /// Its layout is not known.
    Unknown,
}

/// A list of numbers, of four bytes each.
fn bitmap(reader: &mut Reader<'_>) -> Option<()> {
    let words = reader.u32()? as usize;
    reader.take(words.checked_mul(4)?)?;
    Some(())
}

fn attributes(reader: &mut Reader<'_>) -> Option<()> {
    bitmap(reader)?;
    opaque(reader)?;
    Some(())
}

/// Whose a file or a lock is.
fn owner(reader: &mut Reader<'_>) -> Option<()> {
    reader.u64()?;
    opaque(reader)?;
    Some(())
}

/// OPEN: the name, if the file is named.
fn open<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    reader.take(12)?;
    owner(reader)?;
    if reader.u32()? == 1 {
        match reader.u32()? {
            0 | 1 => attributes(reader)?,
            2 => reader.take(8).map(drop)?,
            _ => {
                reader.take(8)?;
                attributes(reader)?;
            }
        }
    }
    match reader.u32()? {
        0 | 3 => opaque(reader),
        1 => reader.take(4).map(|_| &[][..]),
        2 => {
            reader.take(16)?;
            opaque(reader)
        }
        5 => reader.take(16).map(|_| &[][..]),
        _ => Some(&[]),
    }
}

/// `EXCHANGE_ID`, as long as no protection of state is asked for.
fn exchange(reader: &mut Reader<'_>) -> Option<Read> {
    reader.take(8)?;
    opaque(reader)?;
    reader.u32()?;
    if reader.u32()? != 0 {
        return Some(Read::Unknown);
    }
    if reader.u32()? != 0 {
        opaque(reader)?;
        opaque(reader)?;
        reader.take(12)?;
    }
    Some(Read::Known)
}

/// Length of the arguments of the operations that always have the same.
const fn fixed_arguments(operation: u32) -> Option<usize> {
    Some(match operation {
        // GETFH, LOOKUPP, PUTPUBFH, PUTROOTFH, READLINK, RESTOREFH, SAVEFH
        10 | 16 | 23 | 24 | 27 | 31 | 32 => 0,
        // ACCESS, OPENATTR, SECINFO_NO_NAME, RECLAIM_COMPLETE
        3 | 19 | 52 | 58 => 4,
        // DELEGPURGE, RENEW, DESTROY_CLIENTID
        7 | 30 | 57 => 8,
        // COMMIT
        5 => 12,
        // DELEGRETURN, SETCLIENTID_CONFIRM, DESTROY_SESSION, FREE_STATEID
        8 | 36 | 44 | 45 => 16,
        // CLOSE, OPEN_CONFIRM
        4 | 20 => 20,
        // BIND_CONN_TO_SESSION
        41 => 24,
        // OPEN_DOWNGRADE, READ
        21 | READ => 28,
        // SEQUENCE, ALLOCATE, DEALLOCATE
        53 | 59 | 62 => 32,
        // SEEK
        69 => 36,
        // LOCKU
        14 => 40,
        // LAYOUTGET
        50 => 56,
        _ => return None,
    })
}

/// Arguments of varying length of which nothing is kept.
fn other_arguments(operation: u32, reader: &mut Reader<'_>) -> Option<Read> {
    match operation {
        // GETATTR
        9 => bitmap(reader)?,
        // LINK, SECINFO
        11 | 33 => opaque(reader).map(drop)?,
        // LOCK
        12 => {
            reader.take(24)?;
            if reader.u32()? == 0 {
                reader.take(20)?;
            } else {
                reader.take(24)?;
                owner(reader)?;
            }
        }
        // LOCKT
        13 => {
            reader.take(20)?;
            owner(reader)?;
        }
        // NVERIFY, VERIFY
        17 | 37 => attributes(reader)?,
        // READDIR, GETDEVICEINFO
        26 | 47 => {
            reader.take(24)?;
            bitmap(reader)?;
        }
        // RENAME
        29 => {
            opaque(reader)?;
            opaque(reader)?;
        }
        // SETATTR
        34 => {
            reader.take(16)?;
            attributes(reader)?;
        }
        // SETCLIENTID
        35 => {
            reader.take(8)?;
            opaque(reader)?;
            reader.take(4)?;
            opaque(reader)?;
            opaque(reader)?;
            reader.take(4)?;
        }
        // RELEASE_LOCKOWNER
        39 => owner(reader)?,
        42 => return exchange(reader),
        // TEST_STATEID
        55 => {
            let count = reader.u32()? as usize;
            reader.take(count.checked_mul(16)?)?;
        }
        _ => return Some(Read::Unknown),
    }
    Some(Read::Known)
}

/// What the next operations of a compound are about.
#[derive(Default)]
struct Current<'a> {
    handle: &'a [u8],
    name: &'a [u8],
}

fn argument<'a>(
    operation: u32,
    reader: &mut Reader<'a>,
    compound: &mut Compound<'a>,
    current: &mut Current<'a>,
) -> Option<Read> {
    match operation {
        // PUTFH
        22 => *current = Current { handle: handle(reader)?, name: &[] },
        // LOOKUP, OPEN: from here on it is about another file, of which the handle is not known yet.
        15 => *current = Current { handle: &[], name: opaque(reader)? },
        18 => *current = Current { handle: &[], name: open(reader)? },
        CREATE => {
            match reader.u32()? {
                5 => opaque(reader).map(drop)?,
                3 | 4 => reader.take(8).map(drop)?,
                _ => {}
            }
            let name = opaque(reader)?;
            attributes(reader)?;
            compound.main = Some(Main { operation, name, handle: current.handle });
            *current = Current { handle: &[], name };
        }
        REMOVE => compound.main = Some(Main { operation, name: opaque(reader)?, handle: &[] }),
        WRITE => {
            reader.take(16)?;
            let (offset, stable) = (reader.u64()?, reader.u32()?);
            let (last, data) = (stable == FILE_SYNC, data(reader)?);
            compound.steps.push(Step::Write { handle: current.handle, offset, last, data });
        }
        _ => {
            let Some(len) = fixed_arguments(operation) else { return other_arguments(operation, reader) };
            let arguments = reader.take(len)?;
            match operation {
                READ => {
                    let mut arguments = Reader(arguments);
                    arguments.take(16)?;
                    let offset = arguments.u64()?;
                    compound.steps.push(Step::Read { handle: current.handle, offset });
                }
                4 => compound.steps.push(Step::Close { handle: current.handle }),
                5 => compound.steps.push(Step::Commit { handle: current.handle }),
                10 => compound.asked.push(current.name),
                16 | 23 | 24 | 31 => *current = Current::default(),
                _ => {}
            }
        }
    }
    Some(Read::Known)
}

/// Reads the arguments of a compound.
pub(super) fn compound(body: &[u8]) -> Compound<'_> {
    let mut compound = Compound::default();
    let reader = &mut Reader(body);
    compound.cut = read_compound(reader, &mut compound).is_none();
    compound
}

fn read_compound<'a>(reader: &mut Reader<'a>, compound: &mut Compound<'a>) -> Option<()> {
    opaque(reader)?;
    let (_, operations) = (reader.u32()?, reader.u32()? as usize);
    let mut current = Current::default();
    for _ in 0..operations.min(OPERATIONS_MAX) {
        let operation = reader.u32()?;
        if let Read::Unknown = argument(operation, reader, compound, &mut current)? {
            break;
        }
    }
    Some(())
}

/// Length of the results of the operations that always have the same.
const fn fixed_results(operation: u32) -> Option<usize> {
    Some(match operation {
        // DELEGPURGE, DELEGRETURN, LOOKUP, LOOKUPP, NVERIFY, OPENATTR, PUTFH, PUTPUBFH, PUTROOTFH, RENEW, RESTOREFH,
        // SAVEFH, SETCLIENTID_CONFIRM, VERIFY, RELEASE_LOCKOWNER, DESTROY_SESSION, FREE_STATEID, DESTROY_CLIENTID,
        // RECLAIM_COMPLETE, ALLOCATE, DEALLOCATE
        7 | 8 | 13 | 15 | 16 | 17 | 19 | 22 | 23 | 24 | 30 | 31 | 32 | 36 | 37 | 39 | 44 | 45 | 57 | 58
        | 59 | 62 => 0,
        // ACCESS, COMMIT
        3 | 5 => 8,
        // SEEK
        69 => 12,
        // CLOSE, LOCK, LOCKU, OPEN_CONFIRM, OPEN_DOWNGRADE, SETCLIENTID, WRITE
        4 | 12 | 14 | 20 | 21 | 35 | WRITE => 16,
        // LINK, REMOVE
        11 | REMOVE => 20,
        // BIND_CONN_TO_SESSION
        41 => 24,
        // SEQUENCE
        53 => 36,
        // RENAME
        29 => 40,
        _ => return None,
    })
}

/// What OPEN gives: how the file is held, and what is delegated.
fn opened(reader: &mut Reader<'_>) -> Option<()> {
    reader.take(40)?;
    bitmap(reader)?;
    let delegation = reader.u32()?;
    match delegation {
        1 | 2 => {
            // The state and whether it is recalled; for writing a limit; and who else may do what.
            reader.take(if delegation == 1 { 20 } else { 32 })?;
            reader.take(12)?;
            opaque(reader)?;
        }
        3 => {
            if matches!(reader.u32()?, 1 | 2) {
                reader.u32()?;
            }
        }
        _ => {}
    }
    Some(())
}

fn result<'a>(operation: u32, reader: &mut Reader<'a>, results: &mut Results<'a>) -> Option<Read> {
    if let Some(len) = fixed_results(operation) {
        reader.take(len)?;
        return Some(Read::Known);
    }
    match operation {
        CREATE => {
            reader.take(20)?;
            bitmap(reader)?;
        }
        9 => attributes(reader)?,
        10 => results.handles.push(handle(reader)?),
        18 => opened(reader)?,
        READ => {
            let end = reader.u32()? != 0;
            results.reads.push((end, data(reader)?));
        }
        27 => opaque(reader).map(drop)?,
        34 => bitmap(reader)?,
        _ => return Some(Read::Unknown),
    }
    Some(Read::Known)
}

/// Reads the results of a compound.
pub(super) fn results(body: &[u8]) -> Results<'_> {
    let mut results = Results::default();
    results.cut = read_results(&mut Reader(body), &mut results).is_none();
    results
}

fn read_results<'a>(reader: &mut Reader<'a>, results: &mut Results<'a>) -> Option<()> {
    results.status = reader.u32()?;
    opaque(reader)?;
    let operations = reader.u32()? as usize;
    for _ in 0..operations.min(OPERATIONS_MAX) {
        let (operation, status) = (reader.u32()?, reader.u32()?);
        // Nothing is done behind what has failed.
        if status != 0 {
            break;
        }
        if let Read::Unknown = result(operation, reader, results)? {
            break;
        }
    }
    Some(())
}
