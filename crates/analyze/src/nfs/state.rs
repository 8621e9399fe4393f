//! What one flow remembers between messages, and how its transactions begin, are answered and end.

use std::collections::VecDeque;

use app::Direction;

use super::body::{self, Action, Kind, Request};
use super::events;
use super::memory::Memory;
use super::rpc::{Call, Data, Protection, Reply, Verdict};
use super::transaction::{FileTransfer, NfsTransaction};
use super::v4::{self, Step};
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

    /// A call; `whole` says that it is all there. `Some` if it ends in file data of which more is to come.
    pub(super) fn call(&mut self, context: &mut Context<'_>, call: &Call<'_>, whole: bool) -> Option<Chunk> {
        // Other programs may be spoken with on the same connection.
        if call.program != PROGRAM || !(2..=4).contains(&call.version) {
            return None;
        }
        let mut pending = Pending {
            version: call.version,
            procedure: call.procedure,
            protection: call.protection,
            id: None,
            names: Vec::new(),
            reads: Vec::new(),
        };
        let arguments = call.protection.open(call.body);
        let chunk = match (call.version, arguments) {
            (4, Some(arguments)) if call.procedure == 1 => {
                self.compound(context, call, &mut pending, arguments, whole)
            }
            (4, _) => None,
            _ => self.plain(context, call, &mut pending, arguments, whole),
        };
        self.calls.insert(call.xid, pending);
        chunk
    }

    /// A call of version 2 or 3.
    fn plain(
        &mut self,
        context: &mut Context<'_>,
        call: &Call<'_>,
        pending: &mut Pending,
        arguments: Option<&[u8]>,
        whole: bool,
    ) -> Option<Chunk> {
        let (version, procedure) = (call.version, call.procedure);
        let read = arguments.map(|arguments| body::request(version, procedure, arguments));
        let is_broken = whole && matches!(read, Some(None));
        let Request { handle, name, new_name, action } = read.flatten().unwrap_or_default();
        match action {
            Action::Read { offset } => {
                let id = self.file(context, call, (procedure, handle, Direction::ToClient));
                pending.id = Some(id);
                pending.reads.push((id, offset));
            }
            Action::Write { offset, last, data } => {
                let id = self.file(context, call, (procedure, handle, Direction::ToServer));
                pending.id = Some(id);
                return self.write(context, (id, call.xid), offset, last, data);
            }
            Action::Commit => self.committed(context, handle, call.xid),
            Action::None if body::kind(version, procedure) == Kind::Commit => {}
            Action::None => {
                let own = if name.is_empty() { self.names.get(handle).cloned() } else { None };
                let own = own.unwrap_or_else(|| name_of(name));
                let id = self.open(context, call, procedure, (own, handle));
                pending.id = Some(id);
                pending.names.push(name_of(name));
                if let Some(transaction) = self.by_id(id) {
                    transaction.new_name = new_name.map(name_of);
                }
            }
        }
        if is_broken {
            self.raise(events::MALFORMED);
        }
        None
    }

    fn write(
        &mut self,
        context: &mut Context<'_>,
        (id, xid): (u64, u32),
        offset: u64,
        last: bool,
        data: Data<'_>,
    ) -> Option<Chunk> {
        let chunk = Chunk { id, left: data.len, last: last.then_some(xid), direction: Direction::ToServer };
        self.begin_chunk(context, chunk, offset, data.bytes)
    }

    /// A compound of version 4.
    fn compound(
        &mut self,
        context: &mut Context<'_>,
        call: &Call<'_>,
        pending: &mut Pending,
        arguments: &[u8],
        whole: bool,
    ) -> Option<Chunk> {
        let compound = v4::compound(arguments);
        if let Some(main) = compound.main {
            pending.id = Some(self.open(context, call, main.operation, (name_of(main.name), main.handle)));
        }
        pending.names = compound.asked.iter().map(|name| name_of(name)).collect();
        let mut chunk = None;
        for step in compound.steps {
            match step {
                // Of a file that was opened in the same compound the handle is not known yet.
                Step::Read { handle: [], .. }
                | Step::Write { handle: [], .. }
                | Step::Commit { handle: [] }
                | Step::Close { handle: [] } => {}
                Step::Read { handle, offset } => {
                    let id = self.file(context, call, (v4::READ, handle, Direction::ToClient));
                    pending.id.get_or_insert(id);
                    pending.reads.push((id, offset));
                }
                Step::Write { handle, offset, last, data } => {
                    let id = self.file(context, call, (v4::WRITE, handle, Direction::ToServer));
                    pending.id.get_or_insert(id);
                    chunk = self.write(context, (id, call.xid), offset, last, data);
                }
                Step::Commit { handle } | Step::Close { handle } => self.committed(context, handle, call.xid),
            }
        }
        if compound.cut && whole {
            self.raise(events::MALFORMED);
        }
        chunk
    }

    /// A reply, in a packet of which records go `direction`; `Some` if it ends in file data of which more is to come.
    pub(super) fn reply(
        &mut self,
        context: &mut Context<'_>,
        reply: &Reply<'_>,
        direction: Direction,
        whole: bool,
    ) -> Option<Chunk> {
        let pending = self.calls.take(&reply.xid)?;
        let results = (reply.verdict == Verdict::Success).then(|| pending.protection.open(reply.body));
        let chunk = match results.flatten() {
            Some(results) if pending.version == 4 => {
                self.compound_results(context, &pending, (reply.xid, direction), results, whole)
            }
            Some(results) => self.results(context, &pending, (reply.xid, direction), results, whole),
            None => None,
        };
        if let Some(transaction) = pending.id.and_then(|id| self.by_id(id)) {
            transaction.denied |= reply.verdict == Verdict::Denied;
        }
        if let Some(transaction) = pending.id.and_then(|id| self.by_id(id))
            && transaction.file.is_none()
        {
            transaction.finish(direction, context.log, context.records);
        }
        chunk
    }

    fn set_status(&mut self, pending: &Pending, status: u32) {
        if let Some(transaction) = pending.id.and_then(|id| self.by_id(id))
            && status != 0
        {
            transaction.status = status;
        }
    }

    /// Data of a file that was read.
    fn read(
        &mut self,
        context: &mut Context<'_>,
        (id, offset): (u64, u64),
        (xid, direction): (u32, Direction),
        (end, data): (bool, Data<'_>),
    ) -> Option<Chunk> {
        if let Some(transaction) = self.by_id(id)
            && let Some(file) = &mut transaction.file
        {
            file.chunks += 1;
        }
        let chunk = Chunk { id, left: data.len, last: end.then_some(xid), direction };
        self.begin_chunk(context, chunk, offset, data.bytes)
    }

    fn results(
        &mut self,
        context: &mut Context<'_>,
        pending: &Pending,
        told: (u32, Direction),
        results: &[u8],
        whole: bool,
    ) -> Option<Chunk> {
        let read = pending.reads.first().copied();
        let offset = read.map_or(0, |(_, offset)| offset);
        let Some(response) = body::response(pending.version, pending.procedure, offset, results) else {
            if whole {
                match pending.id.and_then(|id| self.by_id(id)) {
                    Some(transaction) => transaction.raise(events::MALFORMED),
                    None => self.raise(events::MALFORMED),
                }
            }
            return None;
        };
        self.set_status(pending, response.status);
        if let (Some(handle), Some(name)) = (response.handle, pending.names.first()) {
            self.names.insert(handle.to_vec(), name.clone());
            if body::kind(pending.version, pending.procedure) == Kind::Lookup
                && let Some(transaction) = pending.id.and_then(|id| self.by_id(id))
            {
                transaction.handle = handle.to_vec();
            }
        }
        for (name, handle) in response.entries {
            self.names.insert(handle.to_vec(), name_of(name));
        }
        self.read(context, read?, told, response.read?)
    }

    fn compound_results(
        &mut self,
        context: &mut Context<'_>,
        pending: &Pending,
        told: (u32, Direction),
        results: &[u8],
        whole: bool,
    ) -> Option<Chunk> {
        let results = v4::results(results);
        self.set_status(pending, results.status);
        for (handle, name) in results.handles.iter().zip(&pending.names) {
            if !name.is_empty() {
                self.names.insert(handle.to_vec(), name.clone());
            }
        }
        let mut chunk = None;
        for (&read, data) in pending.reads.iter().zip(results.reads) {
            chunk = self.read(context, read, told, data);
        }
        if results.cut && whole {
            self.raise(events::MALFORMED);
        }
        chunk
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, context: &mut Context<'_>) {
        for transaction in &mut self.transactions {
            transaction.finish(Direction::ToServer, context.log, context.records);
        }
    }
}
