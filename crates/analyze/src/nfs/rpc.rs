//! ONC RPC messages (RFC 5531) and the parts of XDR (RFC 4506) that they are written in.

use crate::reader::Reader;

/// Longest machine name that is kept, in bytes; RFC 5531 allows no longer one.
const MACHINE_BYTES_MAX: usize = 255;

/// The version of RPC itself.
const RPC_VERSION: u32 = 2;

/// Bytes of variable length, and what fills them up to a multiple of four.
pub(super) fn opaque<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let len = reader.u32()? as usize;
    let bytes = reader.take(len)?;
    reader.take(fill(len))?;
    Some(bytes)
}

/// How many bytes stand behind `len` bytes up to the next multiple of four.
const fn fill(len: usize) -> usize {
    len.wrapping_neg() & 3
}

/// Bytes of variable length, of which the end may not be there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Data<'a> {
    /// What is there.
    pub bytes: &'a [u8],
    /// How long it is.
    pub len: u64,
}

/// Bytes of variable length, as far as they are there.
pub(super) fn data<'a>(reader: &mut Reader<'a>) -> Option<Data<'a>> {
    let len = reader.u32()?;
    let there = (len as usize).min(reader.0.len());
    let bytes = reader.take(there)?;
    reader.take(fill(there).min(reader.0.len()))?;
    Some(Data { bytes, len: u64::from(len) })
}

/// What protects the arguments and results of a call (RFC 2203, section 5.3.3).
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) enum Protection {
    #[default]
    None,
    /// They stand behind a length and a number, and a checksum follows.
    Integrity,
    /// They are encrypted.
    Privacy,
}

impl Protection {
    /// The arguments or results within a body, if they can be read.
    pub(super) fn open(self, body: &[u8]) -> Option<&[u8]> {
        match self {
            Self::None => Some(body),
            Self::Integrity => body.get(8..),
            Self::Privacy => None,
        }
    }
}

/// Who calls.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Credentials {
    /// What a machine says of itself and its user (RFC 5531, appendix A).
    Unix { machine: Vec<u8>, user: u32, group: u32 },
    /// Another flavour.
    Other(u32),
}

/// A call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub xid: u32,
    pub program: u32,
    pub version: u32,
    pub procedure: u32,
    pub credentials: Credentials,
    pub protection: Protection,
    pub body: &'a [u8],
}

/// How a reply came out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Results follow.
    Success,
    /// The call was accepted, and not carried out.
    Failure,
    /// The call was denied.
    Denied,
}

/// A reply.
#[derive(Debug)]
pub(super) struct Reply<'a> {
    pub xid: u32,
    pub verdict: Verdict,
    pub body: &'a [u8],
}

/// A message.
#[derive(Debug)]
pub(super) enum Message<'a> {
    Call(Call<'a>),
    Reply(Reply<'a>),
}

fn unix(bytes: &[u8]) -> Option<Credentials> {
    let mut reader = Reader(bytes);
    reader.u32()?;
    let machine = opaque(&mut reader)?;
    let machine = machine.get(..MACHINE_BYTES_MAX).unwrap_or(machine).to_vec();
    Some(Credentials::Unix { machine, user: reader.u32()?, group: reader.u32()? })
}

/// Which protection the credentials of `RPCSEC_GSS` ask for.
fn protection(bytes: &[u8]) -> Option<Protection> {
    let mut reader = Reader(bytes);
    let (_, procedure, _, service) = (reader.u32()?, reader.u32()?, reader.u32()?, reader.u32()?);
    Some(match (procedure, service) {
        (0, 2) => Protection::Integrity,
        (0, 3) => Protection::Privacy,
        _ => Protection::None,
    })
}

fn call(xid: u32, mut reader: Reader<'_>) -> Option<Call<'_>> {
    if reader.u32()? != RPC_VERSION {
        return None;
    }
    let (program, version, procedure) = (reader.u32()?, reader.u32()?, reader.u32()?);
    let flavour = reader.u32()?;
    let credentials = opaque(&mut reader)?;
    // The verifier: only who knows the keys can make use of it.
    reader.u32()?;
    opaque(&mut reader)?;
    let protection = if flavour == 6 { protection(credentials)? } else { Protection::None };
    let credentials = if flavour == 1 { unix(credentials)? } else { Credentials::Other(flavour) };
    Some(Call { xid, program, version, procedure, credentials, protection, body: reader.0 })
}

fn reply(xid: u32, mut reader: Reader<'_>) -> Option<Reply<'_>> {
    let verdict = match reader.u32()? {
        0 => {
            reader.u32()?;
            opaque(&mut reader)?;
            if reader.u32()? == 0 { Verdict::Success } else { Verdict::Failure }
        }
        1 => Verdict::Denied,
        _ => return None,
    };
    Some(Reply { xid, verdict, body: reader.0 })
}

/// Reads a message; `None` if it is none.
pub(super) fn read(bytes: &[u8]) -> Option<Message<'_>> {
    let mut reader = Reader(bytes);
    let xid = reader.u32()?;
    match reader.u32()? {
        0 => call(xid, reader).map(Message::Call),
        1 => reply(xid, reader).map(Message::Reply),
        _ => None,
    }
}
