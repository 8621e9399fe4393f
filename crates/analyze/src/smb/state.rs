//! What one flow remembers between messages, and how its transactions begin, are answered and end.

use std::collections::VecDeque;

use app::Direction;

use super::events;
use super::transaction::{Detail, Dialect, FileTransfer, SmbTransaction, Status};
use crate::analyzer::Context;
use crate::dcerpc::pdu::{Bindings, Call, Pdu};
use crate::files::transfer::{Refused, Transfer};

/// Files, trees and reads that are remembered of one flow.
const REMEMBERED_MAX: usize = 1_024;

/// Services that are reached through pipes of their name.
const SERVICES: &[&[u8]] =
    &[b"srvsvc", b"wkssvc", b"svcctl", b"lsarpc", b"samr", b"atsvc", b"spoolss", b"netlogon"];

/// The latest of what was told, by key.
#[derive(Debug)]
pub(super) struct Recent<K, V>(VecDeque<(K, V)>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<K: PartialEq, V> Recent<K, V> {
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.take(&key);
        if self.0.len() >= REMEMBERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back((key, value));
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.0.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    pub(super) fn take(&mut self, key: &K) -> Option<V> {
        let at = self.0.iter().rposition(|(known, _)| known == key)?;
        self.0.remove(at).map(|(_, value)| value)
    }
}

/// A message's header, of either version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub version: u8,
    pub command: u16,
    /// What pairs a response with its request.
    pub message: u64,
    pub session: u64,
    pub tree: u32,
    pub status: Status,
}

impl Header {
    pub(super) fn succeeded(&self) -> bool {
        matches!(self.status, Status::Nt(0) | Status::Dos(0, 0))
    }

    /// With more data than fits: what came is good.
    pub(super) fn has_data(&self) -> bool {
        self.succeeded() || self.status == Status::Nt(0x8000_0005)
    }
}

/// A share that was connected to.
#[derive(Clone, Debug)]
pub(super) struct Share {
    pub name: Vec<u8>,
    pub is_pipe: bool,
}

/// File data that comes in pieces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    /// Number of the transaction.
    pub id: u64,
    /// Bytes to come.
    pub left: u64,
}

/// A chunk of a file, as far as it is there.
pub(super) struct Piece<'a> {
    pub guid: &'a [u8],
    pub name: &'a [u8],
    pub share: &'a [u8],
    pub offset: u64,
    pub bytes: &'a [u8],
    /// Its length.
    pub len: u64,
}

/// What one flow remembers.
#[derive(Default)]
pub(super) struct State {
    pub transactions: VecDeque<SmbTransaction>,
    next_id: u64,
    pub dialect: Dialect,
    /// Names of open files.
    pub names: Recent<Vec<u8>, Vec<u8>>,
    /// By session and tree.
    pub shares: Recent<(u64, u32), Share>,
    /// By message: file and offset.
    pub reads: Recent<u64, (Vec<u8>, u64)>,
    /// Longest read and write, in bytes; 0: not known.
    pub sizes: (u32, u32),
    bindings: Bindings,
    too_many: bool,
}

impl State {
    /// A transaction begins.
    pub(super) fn open(
        &mut self,
        context: &mut Context<'_>,
        header: &Header,
        detail: Detail,
    ) -> Option<&mut SmbTransaction> {
        if self.transactions.len() >= context.limits.transactions_max
            && let Some(mut oldest) = self.transactions.pop_front()
        {
            oldest.finish(&self.dialect, context.log, context.records);
            self.too_many = true;
        }
        let mut transaction = SmbTransaction {
            id: self.next_id,
            dialect: self.dialect.clone(),
            version: header.version,
            command: header.command,
            message: header.message,
            session: header.session,
            tree: header.tree,
            status: None,
            request_done: true,
            response_done: false,
            detail,
            events: Vec::new(),
            logged: false,
        };
        if std::mem::take(&mut self.too_many) {
            transaction.raise(events::TOO_MANY);
        }
        self.next_id += 1;
        self.transactions.push_back(transaction);
        self.transactions.back_mut()
    }

    /// Whether what is read and written goes through a pipe: its share is one, or, where the share was not seen, the
    /// file's name is that of a service.
    pub(super) fn is_pipe(&self, share: (u64, u32), guid: Option<&[u8]>) -> bool {
        match self.shares.get(&share) {
            Some(share) => share.is_pipe,
            None => guid
                .and_then(|guid| self.names.get(&guid.to_vec()))
                .is_some_and(|name| SERVICES.iter().any(|service| name.ends_with(service))),
        }
    }

    /// An event of the transaction in hand; where there is none it stands by itself.
    pub(super) fn raise(&mut self, event: &'static str) {
        if let Some(transaction) = self.transactions.back_mut() {
            transaction.raise(event);
        }
    }

    /// A message that cannot be read.
    pub(super) fn malformed(&mut self, context: &mut Context<'_>, header: &Header, is_response: bool) {
        match self.request_of(header).filter(|_| is_response) {
            Some(at) => {
                if let Some(transaction) = self.transactions.get_mut(at) {
                    transaction.raise(events::MALFORMED);
                }
                self.complete(context, at, header);
            }
            None => {
                if let Some(transaction) = self.open(context, header, Detail::None) {
                    transaction.raise(events::MALFORMED);
                }
            }
        }
    }

    /// Place of the transaction that a response answers.
    pub(super) fn request_of(&self, header: &Header) -> Option<usize> {
        self.transactions.iter().rposition(|transaction| {
            !transaction.response_done
                && transaction.version == header.version
                && transaction.command == header.command
                && transaction.message == header.message
                && !matches!(transaction.detail, Detail::File(_))
        })
    }

    /// A response came.
    pub(super) fn complete(&mut self, context: &mut Context<'_>, at: usize, header: &Header) {
        let Self { transactions, dialect, .. } = self;
        if let Some(transaction) = transactions.get_mut(at) {
            transaction.status = Some(header.status);
            transaction.finish(dialect, context.log, context.records);
        }
    }

    fn by_id(&mut self, id: u64) -> Option<&mut SmbTransaction> {
        let at = self.transactions.binary_search_by_key(&id, |transaction| transaction.id).ok()?;
        self.transactions.get_mut(at)
    }

    fn transfer(&mut self, id: u64) -> Option<&mut FileTransfer> {
        match &mut self.by_id(id)?.detail {
            Detail::File(file) if !file.closed => Some(file),
            _ => None,
        }
    }

    /// A chunk of a file; `Some` if some of it is still to come.
    pub(super) fn file_chunk(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        header: &Header,
        piece: &Piece<'_>,
    ) -> Option<Chunk> {
        let known = self.transactions.iter().rposition(|transaction| match &transaction.detail {
            Detail::File(file) => !file.closed && file.direction == direction && file.guid == piece.guid,
            _ => false,
        });
        let transaction = if let Some(at) = known {
            self.transactions.get_mut(at)
        } else {
            let limits = context.limits.files;
            let file = FileTransfer {
                guid: piece.guid.to_vec(),
                name: piece.name.to_vec(),
                share: piece.share.to_vec(),
                direction,
                transfer: Transfer::new(piece.name, limits),
                closed: false,
            };
            self.open(context, header, Detail::File(Box::new(file)))
        }?;
        let mut raised = None;
        let id = transaction.id;
        if let Detail::File(file) = &mut transaction.detail {
            let to_server = direction == Direction::ToServer;
            if piece.offset < file.transfer.tracked() {
                raised = Some(events::OVERLAP);
            }
            match (file.transfer.begin(piece.offset), to_server) {
                (Ok(()), _) => {}
                (Err(Refused::Count), true) => raised = Some(events::WRITE_QUEUE_COUNT),
                (Err(Refused::Count), false) => raised = Some(events::READ_QUEUE_COUNT),
                (Err(Refused::Size), true) => raised = Some(events::WRITE_QUEUE_SIZE),
                (Err(Refused::Size), false) => raised = Some(events::READ_QUEUE_SIZE),
            }
        }
        if let Some(event) = raised {
            transaction.raise(event);
        }
        let chunk = Chunk { id, left: piece.len };
        self.chunk_data(chunk, piece.bytes)
    }

    /// The next bytes of a chunk; `Some` if more are to come.
    pub(super) fn chunk_data(&mut self, chunk: Chunk, bytes: &[u8]) -> Option<Chunk> {
        let left = chunk.left.saturating_sub(bytes.len() as u64);
        if let Some(file) = self.transfer(chunk.id) {
            file.transfer.append(bytes);
            if left == 0 {
                file.transfer.end();
            }
        }
        (left > 0).then_some(Chunk { left, ..chunk })
    }

    /// `len` bytes of a chunk were never seen.
    pub(super) fn chunk_gap(&mut self, chunk: Chunk, len: u64) -> Option<Chunk> {
        let left = chunk.left.saturating_sub(len);
        if let Some(file) = self.transfer(chunk.id) {
            file.transfer.gap(len);
            if left == 0 {
                file.transfer.end();
            }
        }
        (left > 0).then_some(Chunk { left, ..chunk })
    }

    /// A file is closed: its transfers are over.
    pub(super) fn close_file(&mut self, context: &mut Context<'_>, guid: &[u8], status: Option<Status>) {
        let Self { transactions, dialect, .. } = self;
        for transaction in transactions {
            if let Detail::File(file) = &mut transaction.detail
                && !file.closed
                && file.guid == guid
            {
                file.closed = true;
                file.transfer.close();
                transaction.status = status;
                transaction.finish(dialect, context.log, context.records);
            }
        }
    }

    /// DCE/RPC that the client sends into a pipe; `false` if it is something else.
    pub(super) fn pipe_request(&mut self, context: &mut Context<'_>, header: &Header, bytes: &[u8]) -> bool {
        let Some(pdu) = Pdu::read(bytes) else { return false };
        let mut bindings = std::mem::take(&mut self.bindings);
        let known = if pdu.is_first() { None } else { self.call_of(pdu.call_id, false) };
        let at = known.or_else(|| {
            self.open(context, header, Detail::Call(Box::default()))?;
            self.transactions.len().checked_sub(1)
        });
        if let Some(transaction) = at.and_then(|at| self.transactions.get_mut(at))
            && let Detail::Call(call) = &mut transaction.detail
        {
            call.requested(&pdu, &mut bindings);
            // A later fragment's answer carries its own number.
            transaction.message = header.message;
            transaction.request_done = pdu.is_last();
        }
        self.bindings = bindings;
        true
    }

    fn call_of(&self, call_id: u32, whole: bool) -> Option<usize> {
        self.transactions.iter().rposition(|transaction| match &transaction.detail {
            Detail::Call(call) => {
                call.number == call_id && !transaction.response_done && transaction.request_done == whole
            }
            _ => false,
        })
    }

    /// DCE/RPC that the server answers: of the transaction at a place, or of the one with the same call.
    pub(super) fn pipe_response(
        &mut self,
        context: &mut Context<'_>,
        header: &Header,
        at: Option<usize>,
        bytes: &[u8],
    ) {
        let mut bindings = std::mem::take(&mut self.bindings);
        let pdu = Pdu::read(bytes);
        let found = at.or_else(|| self.call_of(pdu.as_ref()?.call_id, true));
        let Self { transactions, dialect, .. } = self;
        if let Some(transaction) = found.and_then(|at| transactions.get_mut(at))
            && let Detail::Call(call) = &mut transaction.detail
        {
            if let Some(pdu) = &pdu {
                call.answered(pdu, &mut bindings);
            }
            if at.is_some() || transaction.status.is_none() {
                transaction.status = Some(header.status);
            }
            if transaction.request_done && pdu.is_none_or(|_| is_answered(call)) {
                transaction.finish(dialect, context.log, context.records);
            }
        }
        self.bindings = bindings;
    }

    /// Nothing more comes.
    pub(super) fn finish(&mut self, context: &mut Context<'_>) {
        let Self { transactions, dialect, .. } = self;
        for transaction in transactions {
            if !transaction.is_done() {
                transaction.finish(dialect, context.log, context.records);
            }
        }
    }
}

/// Whether the last fragment of an answer came.
fn is_answered(call: &Call) -> bool {
    let [_, answered] = call.done;
    answered
}
