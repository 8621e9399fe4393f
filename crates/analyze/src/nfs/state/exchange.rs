//! What calls ask for and replies tell, carried out.

use app::Direction;

use super::super::body::{self, Action, Kind, Request};
use super::super::events;
use super::super::rpc::{Call, Data, Reply, Verdict};
use super::super::v4::{self, Step};
use super::{Chunk, PROGRAM, Pending, State, name_of};
use crate::analyzer::Context;

impl State {
    /// A call; `whole` says that it is all there. `Some` if it ends in file data of which more is to come.
    pub(in crate::nfs) fn call(
        &mut self,
        context: &mut Context<'_>,
        call: &Call<'_>,
        whole: bool,
    ) -> Option<Chunk> {
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
    pub(in crate::nfs) fn reply(
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
}
