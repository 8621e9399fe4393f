//! NFS: versions 2 (RFC 1094), 3 (RFC 1813) and 4 (RFC 7530, RFC 8881, RFC 7862) over RPC (RFC 5531).
//!
//! In: datagrams, or streams of records of one or more fragments. Out: a transaction for each call that records are
//! about, and one for each transfer of a file, with its contents; `nfs` and `fileinfo` records. In version 4 these are
//! the compounds that make or remove names, and reads and writes, as in the reference. Where a record should begin and
//! does not, the next one is looked for.

mod body;
pub(crate) mod events;
mod memory;
mod names;
mod rpc;
mod state;
#[cfg(test)]
mod tests;
mod transaction;
mod v4;

use std::collections::VecDeque;

use app::Direction;

use crate::Transport;
use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;
use rpc::Message;
use state::{Chunk, PROGRAM, State};
use transaction::NfsTransaction;

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] = &["nfs.version", "nfs_procedure"];

/// Length of what stands before each fragment.
const MARK_BYTES: usize = 4;

/// In a mark: whether the fragment is the last of its record.
const LAST: u32 = 0x8000_0000;

/// Longest fragment that is taken for one.
const FRAGMENT_BYTES_MAX: usize = 1 << 26;

/// What stands in every call behind its number: that it is one, the version of RPC, and the program.
const CALL: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0x86, 0xa3];

/// What stands in every reply to a call that was accepted, behind its number.
const REPLY: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 0];

/// A record in several fragments.
#[derive(Default)]
struct Gathered {
    /// What is kept of it.
    bytes: Vec<u8>,
    /// How long it is so far.
    len: u64,
    /// Bytes to come of the fragment in hand, and whether it is the last.
    left: u64,
    last: bool,
}

/// One direction.
#[derive(Default)]
struct Way {
    /// The beginning of a record that is not whole.
    partial: Vec<u8>,
    gathered: Option<Box<Gathered>>,
    /// File data that goes on in what comes next.
    chunk: Option<Chunk>,
    /// Bytes that are passed over after that.
    skip: u64,
    /// Whether the beginning of a record is looked for.
    lost: bool,
}

/// The parser of one flow.
pub(crate) struct Nfs {
    transport: Transport,
    state: State,
    ways: [Way; 2],
    closed: [bool; 2],
}

impl Nfs {
    fn way(&mut self, direction: Direction) -> &mut Way {
        let [to_server, to_client] = &mut self.ways;
        if direction == Direction::ToServer { to_server } else { to_client }
    }

    /// Which way the records go of a message that goes `direction`: those of a stream are of the request's packet.
    fn told(&self, direction: Direction) -> Direction {
        if self.transport == Transport::Udp { direction } else { Direction::ToServer }
    }

    /// One message of `len` bytes, as far as it is there.
    fn message(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8], len: u64) {
        let whole = bytes.len() as u64 == len;
        let chunk = match (rpc::read(bytes), direction) {
            (Some(Message::Call(call)), Direction::ToServer) => self.state.call(context, &call, whole),
            (Some(Message::Reply(reply)), Direction::ToClient) => {
                let told = self.told(direction);
                self.state.reply(context, &reply, told, whole)
            }
            // The server calls its client back.
            (Some(Message::Call(_)), Direction::ToClient) => None,
            (Some(Message::Reply(_)), Direction::ToServer) | (None, _) => {
                if whole {
                    self.state.raise(events::MALFORMED);
                }
                None
            }
        };
        if whole && let Some(wanted) = context.flush_raw.get_mut(direction.index()) {
            *wanted = true;
        }
        let rest = len.saturating_sub(bytes.len() as u64);
        let chunk = chunk.filter(|_| rest > 0).map(|chunk| chunk.within(rest));
        let way = self.way(direction);
        way.chunk = chunk;
        way.skip = rest - chunk.map_or(0, |chunk| chunk.left);
    }

    /// Reads what stands at the beginning; how many bytes it was, `None` if more are needed.
    fn next(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Option<usize> {
        let way = self.way(direction);
        if let Some(chunk) = way.chunk.take() {
            let taken = usize::try_from(chunk.left).unwrap_or(usize::MAX).min(bytes.len());
            let data = bytes.get(..taken).unwrap_or_default();
            self.way(direction).chunk = self.state.more_data(context, chunk, data);
            return Some(taken);
        }
        if way.skip > 0 {
            let taken = usize::try_from(way.skip).unwrap_or(usize::MAX).min(bytes.len());
            way.skip -= taken as u64;
            return Some(taken);
        }
        if way.lost {
            return match self.find(direction, bytes) {
                Some(at) => {
                    self.way(direction).lost = false;
                    Some(at)
                }
                // The beginning of one may be at the end.
                None => bytes.len().checked_sub(2 * MARK_BYTES + CALL.len()).map(|len| len + 1),
            };
        }
        if way.gathered.as_ref().is_some_and(|gathered| gathered.left > 0) {
            return Some(self.gather(context, direction, bytes));
        }
        let mark = Reader(bytes).u32()?;
        let after = bytes.get(MARK_BYTES..).unwrap_or_default();
        let len = (mark & !LAST) as usize;
        if len > FRAGMENT_BYTES_MAX {
            way.gathered = None;
            way.lost = true;
            self.state.raise(events::MALFORMED);
            return Some(1);
        }
        if mark & LAST == 0 || way.gathered.is_some() {
            let gathered = way.gathered.get_or_insert_default();
            gathered.left = len as u64;
            gathered.last = mark & LAST != 0;
            if len == 0 {
                self.gather(context, direction, &[]);
            }
            return Some(MARK_BYTES);
        }
        let there = after.get(..len).unwrap_or(after);
        if there.len() < len.min(context.limits.message_bytes_max)
            && !rpc::read(there).is_some_and(|message| self.state.ends_in_data(&message))
        {
            return None;
        }
        self.message(context, direction, there, len as u64);
        Some(MARK_BYTES + there.len())
    }

    /// The next bytes of a fragment; how many were of it. With the last of the last one the record is whole.
    fn gather(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> usize {
        let Some(mut gathered) = self.way(direction).gathered.take() else { return 0 };
        let taken = usize::try_from(gathered.left).unwrap_or(usize::MAX).min(bytes.len());
        let room = context.limits.message_bytes_max.saturating_sub(gathered.bytes.len());
        // Once something was let go nothing may follow.
        let room = if gathered.bytes.len() as u64 == gathered.len { room } else { 0 };
        gathered.bytes.extend_from_slice(bytes.get(..taken.min(room)).unwrap_or_default());
        gathered.len += taken as u64;
        gathered.left -= taken as u64;
        if gathered.left > 0 || !gathered.last {
            self.way(direction).gathered = Some(gathered);
            return taken;
        }
        self.message(context, direction, &gathered.bytes, gathered.len);
        let way = self.way(direction);
        way.skip = 0;
        if let Some(chunk) = way.chunk.take() {
            // What was let go was seen, but is no more.
            self.state.chunk_gap(context, chunk, chunk.left);
        }
        taken
    }

    /// Where a record begins, if one does.
    fn find(&self, direction: Direction, bytes: &[u8]) -> Option<usize> {
        let sign: &[u8] = if direction == Direction::ToServer { &CALL } else { &REPLY };
        memchr::memmem::find_iter(bytes, sign).filter_map(|at| at.checked_sub(2 * MARK_BYTES)).find(|&at| {
            let mut reader = Reader(bytes.get(at..).unwrap_or_default());
            let (Some(mark), Some(xid)) = (reader.u32(), reader.u32()) else { return false };
            let len = (mark & !LAST) as usize;
            (MARK_BYTES + sign.len()..=FRAGMENT_BYTES_MAX).contains(&len)
                && (direction == Direction::ToServer || self.state.awaits(xid))
        })
    }
}

impl Analyzer for Nfs {
    type Tx = NfsTransaction;

    fn new(start: &Start<'_>) -> Self {
        Self {
            transport: start.transport,
            state: State::default(),
            ways: [Way::default(), Way::default()],
            closed: [false; 2],
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        if self.transport == Transport::Udp {
            self.message(context, direction, bytes, bytes.len() as u64);
            // What a datagram lacks is not in the next.
            let way = self.way(direction);
            if let Some(chunk) = way.chunk.take() {
                self.state.chunk_gap(context, chunk, chunk.left);
            }
            return Outcome::Continue;
        }
        let mut partial = std::mem::take(&mut self.way(direction).partial);
        let whole;
        let mut rest = if partial.is_empty() {
            bytes
        } else {
            partial.extend_from_slice(bytes);
            whole = partial;
            &whole
        };
        while !rest.is_empty() {
            let Some(taken) = self.next(context, direction, rest) else {
                self.way(direction).partial = rest.to_vec();
                break;
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Outcome::Continue
    }

    fn gap(&mut self, context: &mut Context<'_>, direction: Direction, len: u64) -> Outcome {
        let partial = std::mem::take(&mut self.way(direction).partial);
        let mut reader = Reader(&partial);
        if let Some(mark) = reader.u32()
            && mark & LAST != 0
            && !self.way(direction).lost
        {
            // What there is of the message may be enough to know what the missing bytes are of.
            self.message(context, direction, reader.0, u64::from(mark & !LAST));
        } else if !partial.is_empty() {
            self.way(direction).lost = true;
        }
        let mut len = len;
        if let Some(chunk) = self.way(direction).chunk.take() {
            let missing = len.min(chunk.left);
            len -= missing;
            self.way(direction).chunk = self.state.chunk_gap(context, chunk, missing);
        }
        let way = self.way(direction);
        let skipped = len.min(way.skip);
        way.skip -= skipped;
        let in_fragment = way.gathered.as_ref().is_some_and(|gathered| gathered.left > 0);
        if len > skipped || in_fragment {
            way.gathered = None;
            way.lost = true;
        }
        Outcome::Continue
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        let way = self.way(direction);
        way.partial = Vec::new();
        way.gathered = None;
        if let Some(closed) = self.closed.get_mut(direction.index()) {
            *closed = true;
        }
        if self.closed == [true; 2] {
            self.state.finish(context);
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.state.transactions
    }
}

/// Whether bytes are NFS: on its ports, a call of the program in a version and with a procedure that there are, or a
/// reply to a call that was carried out.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if !question.is_on(&question.config.ports.nfs) {
        return Probe::NotForUs;
    }
    let mut reader = Reader(question.bytes);
    let is_stream = question.transport == Transport::Tcp;
    let known = match question.direction {
        Direction::ToServer => is_call(&mut reader, is_stream),
        Direction::ToClient => is_reply(&mut reader, is_stream),
    };
    match known {
        Some(true) => Probe::Certain,
        None if is_stream => Probe::Unsure,
        _ => Probe::NotForUs,
    }
}

/// Whether a record of this mark can be a message of at least so many bytes.
fn is_mark(mark: u32, bytes_min: usize) -> bool {
    (bytes_min..=FRAGMENT_BYTES_MAX).contains(&((mark & !LAST) as usize))
}

/// Whether a call of NFS begins here; `None` if more bytes are needed.
fn is_call(reader: &mut Reader<'_>, is_stream: bool) -> Option<bool> {
    if is_stream && !is_mark(reader.u32()?, 40) {
        return Some(false);
    }
    reader.u32()?;
    for expected in [0, 2, PROGRAM] {
        if reader.u32()? != expected {
            return Some(false);
        }
    }
    let (version, procedure) = (reader.u32()?, reader.u32()?);
    Some(procedure < names::procedures(version))
}

/// Whether a reply begins here; `None` if more bytes are needed.
fn is_reply(reader: &mut Reader<'_>, is_stream: bool) -> Option<bool> {
    if is_stream && !is_mark(reader.u32()?, 24) {
        return Some(false);
    }
    reader.u32()?;
    for expected in [1, 0] {
        if reader.u32()? != expected {
            return Some(false);
        }
    }
    reader.u32()?;
    rpc::opaque(reader)?;
    Some(reader.u32()? == 0)
}
