//! What one flow remembers between messages, and how its transactions begin, are answered and end.

mod exchange;

use std::collections::VecDeque;

use app::Direction;

use super::body::{self, Kind};
use super::events;
use super::memory::Memory;
use super::rpc::{Call, Message, Protection, Verdict};
use super::transaction::{FileTransfer, NfsTransaction};
use crate::analyzer::Context;
use crate::files::transfer::Transfer;

/// The program that is NFS.
pub(super) const PROGRAM: u32 = 100_003;

/// Longest name that is kept, in bytes.
const NAME_BYTES_MAX: usize = 1024;

/// Greatest place in a file that there can be.
const OFFSET_MAX: u64 = i64::MAX as u64;

/// File data that goes on in what comes next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    /// Number of the transaction.
    id: u64,
    /// Bytes to come.
    pub left: u64,
    /// The call or reply that it is of, if nothing of the file is behind it.
    last: Option<u32>,
    /// Which way it goes.
    direction: Direction,
}

impl Chunk {
    /// The part of it that is at most so long.
    pub(super) fn within(self, len: u64) -> Self {
        Self { left: self.left.min(len), ..self }
    }
}

/// A call that was not answered yet.
#[derive(Debug)]
struct Pending {
    version: u32,
    procedure: u32,
    protection: Protection,
    /// Number of its transaction.
    id: Option<u64>,
    /// Names of the files of which the reply may tell the handles.
    names: Vec<Vec<u8>>,
    /// Number of the file's transaction, and where in the file the data lies.
    reads: Vec<(u64, u64)>,
}

/// What one flow remembers.
#[derive(Default)]
pub(super) struct State {
    pub transactions: VecDeque<NfsTransaction>,
    next_id: u64,
    /// By the call's number.
    calls: Memory<u32, Pending>,
    /// Names of files, by their handle.
    names: Memory<Vec<u8>, Vec<u8>>,
    /// Up to where files were transferred that may go on, by handle, for each direction.
    ends: [Memory<Vec<u8>, u64>; 2],
    too_many: bool,
}

fn name_of(bytes: &[u8]) -> Vec<u8> {
    bytes.get(..NAME_BYTES_MAX).unwrap_or(bytes).to_vec()
}

impl State {
    /// Whether a call with this number waits for its reply.
    pub(super) fn awaits(&self, xid: u32) -> bool {
        self.calls.get(&xid).is_some()
    }

    fn open(
        &mut self,
        context: &mut Context<'_>,
        call: &Call<'_>,
        procedure: u32,
        (name, handle): (Vec<u8>, &[u8]),
    ) -> u64 {
        if self.transactions.len() >= context.limits.transactions_max
            && let Some(mut oldest) = self.transactions.pop_front()
        {
            oldest.finish(Direction::ToServer, context.log, context.records);
            self.too_many = true;
        }
        let id = self.next_id;
        self.next_id += 1;
        let mut transaction = NfsTransaction {
            id,
            xid: call.xid,
            version: call.version,
            procedure,
            credentials: call.credentials.clone(),
            name,
            new_name: None,
            handle: handle.to_vec(),
            denied: false,
            status: 0,
            file: None,
            done: false,
            events: Vec::new(),
        };
        if std::mem::take(&mut self.too_many) {
            transaction.raise(events::TOO_MANY);
        }
        self.transactions.push_back(transaction);
        id
    }

    fn by_id(&mut self, id: u64) -> Option<&mut NfsTransaction> {
        let at = self.transactions.binary_search_by_key(&id, |transaction| transaction.id).ok()?;
        self.transactions.get_mut(at)
    }

    /// An event of the transaction in hand; where there is none nobody could see it.
    pub(super) fn raise(&mut self, event: &'static str) {
        if let Some(transaction) = self.transactions.back_mut() {
            transaction.raise(event);
        }
    }

    /// The transfer of a file: the open one, or a new one.
    fn file(
        &mut self,
        context: &mut Context<'_>,
        call: &Call<'_>,
        (procedure, handle, direction): (u32, &[u8], Direction),
    ) -> u64 {
        let known = self.transactions.iter_mut().rev().find(|known| known.transfers(handle, direction));
        if let Some(transaction) = known {
            if let Some(file) = &mut transaction.file
                && direction == Direction::ToServer
            {
                file.chunks += 1;
            }
            return transaction.id;
        }
        let name = self.names.get(handle).cloned().unwrap_or_default();
        let id = self.open(context, call, procedure, (name, handle));
        if let Some(transaction) = self.by_id(id) {
            let file = FileTransfer { direction, transfer: None, chunks: 0, last: None, closed: false };
            transaction.file = Some(Box::new(file));
        }
        id
    }

    /// A chunk of a file begins; `Some` if some of it is still to come.
    fn begin_chunk(
        &mut self,
        context: &mut Context<'_>,
        chunk: Chunk,
        offset: u64,
        bytes: &[u8],
    ) -> Option<Chunk> {
        if offset > OFFSET_MAX {
            return None;
        }
        let Self { transactions, ends, .. } = self;
        let at = transactions.binary_search_by_key(&chunk.id, |transaction| transaction.id).ok()?;
        let transaction = transactions.get_mut(at)?;
        let file = transaction.file.as_mut().filter(|file| !file.closed)?;
        if file.transfer.is_none() {
            let end = ends.get(file.direction.index()).and_then(|ends| ends.get(&transaction.handle));
            let start = end.copied().filter(|&end| end == offset).unwrap_or_default();
            file.transfer = Some(Transfer::starting_at(start, &transaction.name, context.limits.files));
        }
        if let Some(transfer) = &mut file.transfer {
            // What has no room is let go: the file has a gap then.
            let _ = transfer.begin(offset);
        }
        self.chunk_data(context, chunk, bytes)
    }

    /// The next bytes of a chunk; `Some` if more are to come.
    pub(super) fn chunk_data(
        &mut self,
        context: &mut Context<'_>,
        chunk: Chunk,
        bytes: &[u8],
    ) -> Option<Chunk> {
        if let Some(transfer) = self.transfer(chunk.id) {
            transfer.append(bytes);
        }
        self.chunk_done(context, chunk, bytes.len() as u64)
    }

    /// The same of a chunk that began in an earlier packet: what a packet has of it counts as a chunk, as in the reference.
    pub(super) fn more_data(
        &mut self,
        context: &mut Context<'_>,
        chunk: Chunk,
        bytes: &[u8],
    ) -> Option<Chunk> {
        if let Some(file) = self.by_id(chunk.id).and_then(|transaction| transaction.file.as_mut()) {
            file.chunks += 1;
        }
        self.chunk_data(context, chunk, bytes)
    }

    /// Whether what is there of a message says already which file the rest of it belongs to.
    pub(super) fn ends_in_data(&self, message: &Message<'_>) -> bool {
        match message {
            Message::Call(call) => {
                call.program == PROGRAM
                    && body::kind(call.version, call.procedure) == Kind::Write
                    && call
                        .protection
                        .open(call.body)
                        .and_then(|body| body::request(call.version, call.procedure, body))
                        .is_some()
            }
            Message::Reply(reply) => self
                .calls
                .get(&reply.xid)
                .filter(|call| {
                    reply.verdict == Verdict::Success
                        && body::kind(call.version, call.procedure) == Kind::Read
                })
                .and_then(|call| {
                    let results = call.protection.open(reply.body)?;
                    body::response(call.version, call.procedure, 0, results)?.read
                })
                .is_some(),
        }
    }

    /// `len` bytes of a chunk were never seen.
    pub(super) fn chunk_gap(&mut self, context: &mut Context<'_>, chunk: Chunk, len: u64) -> Option<Chunk> {
        if let Some(transfer) = self.transfer(chunk.id) {
            transfer.gap(len);
        }
        self.chunk_done(context, chunk, len)
    }

    fn transfer(&mut self, id: u64) -> Option<&mut Transfer> {
        self.by_id(id)?.file.as_mut().filter(|file| !file.closed)?.transfer.as_mut()
    }

    fn chunk_done(&mut self, context: &mut Context<'_>, chunk: Chunk, len: u64) -> Option<Chunk> {
        let left = chunk.left.saturating_sub(len);
        if left > 0 {
            return Some(Chunk { left, ..chunk });
        }
        if let Some(transfer) = self.transfer(chunk.id) {
            transfer.end();
        }
        if let Some(xid) = chunk.last {
            self.close(context, chunk.id, xid, chunk.direction);
        }
        None
    }

    /// A file's transfer is over, as the call or reply of this number says.
    fn close(&mut self, context: &mut Context<'_>, id: u64, xid: u32, direction: Direction) {
        let Self { transactions, ends, .. } = self;
        let Ok(at) = transactions.binary_search_by_key(&id, |transaction| transaction.id) else { return };
        let Some(transaction) = transactions.get_mut(at) else { return };
        if let Some(file) = transaction.file.as_mut().filter(|file| !file.closed) {
            file.closed = true;
            file.last = Some(xid);
            if let Some(transfer) = &mut file.transfer {
                transfer.release();
                transfer.close();
                if let Some(ends) = ends.get_mut(file.direction.index()) {
                    ends.insert(transaction.handle.clone(), transfer.tracked());
                }
            }
        }
        transaction.finish(direction, context.log, context.records);
    }

    /// What was written to a file is put on disk, or the file is closed.
    fn committed(&mut self, context: &mut Context<'_>, handle: &[u8], xid: u32) {
        let way = Direction::ToServer;
        let known = self.transactions.iter_mut().rev().find(|known| known.transfers(handle, way));
        if let Some(transaction) = known {
            if let Some(file) = &mut transaction.file {
                file.chunks += 1;
            }
            let id = transaction.id;
            self.close(context, id, xid, way);
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, context: &mut Context<'_>) {
        for transaction in &mut self.transactions {
            transaction.finish(Direction::ToServer, context.log, context.records);
        }
    }
}
