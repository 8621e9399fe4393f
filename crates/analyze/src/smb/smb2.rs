//! SMB2 and SMB3 messages (MS-SMB2).

use app::Direction;

use super::fields::{narrow, part, seconds, u16_at, u32_at, u64_at};
use super::state::{Chunk, Header, Piece, Share, State};
use super::transaction::{Create, Detail, Dialect, Negotiation, Setup, Status, Tree};
use super::{auth, events, names};
use crate::analyzer::Context;

/// Header of every message.
const HEADER_BYTES: usize = 64;

const NEGOTIATE: u16 = 0;
const SESSION_SETUP: u16 = 1;
const TREE_CONNECT: u16 = 3;
const TREE_DISCONNECT: u16 = 4;
const CREATE: u16 = 5;
const CLOSE: u16 = 6;
const READ: u16 = 8;
const WRITE: u16 = 9;
const IOCTL: u16 = 11;
const GET_INFO: u16 = 16;
const SET_INFO: u16 = 17;

const IS_RESPONSE: u32 = 1;
const IS_ASYNCHRONOUS: u32 = 2;
const PENDING: Status = Status::Nt(0x103);
const PIPE_TRANSCEIVE: u32 = 0x0011_c017;
const SUCCESS: Status = Status::Nt(0);

/// Dialects that are kept of a client's list.
const DIALECTS_MAX: usize = 64;

fn header(bytes: &[u8]) -> Option<(Header, bool)> {
    let flags = u32_at(bytes, 16)?;
    let header = Header {
        version: 2,
        command: u16_at(bytes, 12)?,
        message: u64_at(bytes, 24)?,
        session: u64_at(bytes, 40)?,
        tree: if flags & IS_ASYNCHRONOUS == 0 { u32_at(bytes, 36)? } else { 0 },
        status: Status::Nt(u32_at(bytes, 8)?),
    };
    (bytes.len() >= HEADER_BYTES).then_some((header, flags & IS_RESPONSE != 0))
}

/// Whether a message that is not whole carries file data and can be read up to there.
pub(super) fn streams(bytes: &[u8]) -> bool {
    let alone = u32_at(bytes, 20) == Some(0);
    alone
        && header(bytes).is_some_and(|(header, is_response)| match (header.command, is_response) {
            (READ, true) => bytes.len() >= HEADER_BYTES + 16,
            (WRITE, false) => bytes.len() >= HEADER_BYTES + 48,
            _ => false,
        })
}

/// One message, or several that are chained, of `len` bytes altogether, as far as they are there. `Some` if file data
/// is to come.
pub(super) fn message(
    state: &mut State,
    context: &mut Context<'_>,
    direction: Direction,
    bytes: &[u8],
    len: usize,
) -> Option<Chunk> {
    let mut rest = bytes;
    let mut chunk = None;
    loop {
        let (header, is_response) = header(rest)?;
        let next = u32_at(rest, 20)? as usize;
        let one = if next >= HEADER_BYTES { rest.get(..next).unwrap_or(rest) } else { rest };
        // Only the last can go on.
        let one_len = if one.len() < rest.len() { one.len() } else { len - (bytes.len() - rest.len()) };
        let turn = Turn { direction, header, bytes: one, len: one_len };
        match (is_response, direction) {
            (false, Direction::ToServer) => chunk = turn.request(state, context),
            (true, Direction::ToClient) => chunk = turn.response(state, context),
            (true, Direction::ToServer) => state.raise(events::RESPONSE_TO_SERVER),
            (false, Direction::ToClient) => state.raise(events::REQUEST_TO_CLIENT),
        }
        rest = match rest.get(next..) {
            Some(after) if next >= HEADER_BYTES && !after.is_empty() => after,
            _ => return chunk,
        };
    }
}

/// What a request brings.
enum Told {
    /// A transaction about this.
    Open(Detail),
    /// Nothing that is not known already.
    Nothing,
}

/// One message in hand.
struct Turn<'a> {
    direction: Direction,
    header: Header,
    /// From its header on, as far as it is there.
    bytes: &'a [u8],
    /// Its length.
    len: usize,
}

impl<'a> Turn<'a> {
    fn u16(&self, at: usize) -> Option<u16> {
        u16_at(self.bytes, HEADER_BYTES + at)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        u32_at(self.bytes, HEADER_BYTES + at)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        u64_at(self.bytes, HEADER_BYTES + at)
    }

    fn guid(&self, at: usize) -> Option<&'a [u8]> {
        part(self.bytes, HEADER_BYTES + at, 16)
    }

    /// What a pair of offset and length at a place says.
    fn referred(&self, at: usize) -> Option<&'a [u8]> {
        part(self.bytes, usize::from(self.u16(at)?), usize::from(self.u16(at + 2)?))
    }

    fn share<'s>(&self, state: &'s State) -> Option<&'s Share> {
        state.shares.get(&(self.header.session, self.header.tree))
    }

    fn in_pipe(&self, state: &State, guid: Option<&[u8]>) -> bool {
        state.is_pipe((self.header.session, self.header.tree), guid)
    }

    fn request(&self, state: &mut State, context: &mut Context<'_>) -> Option<Chunk> {
        match self.header.command {
            WRITE => return self.write(state, context),
            READ => {
                self.read(state, context);
                return None;
            }
            GET_INFO => return None,
            _ => {}
        }
        let mut raised = None;
        let detail = match self.header.command {
            NEGOTIATE => self.negotiate(&mut raised).map(Told::Open),
            SESSION_SETUP => self.setup(&mut raised).map(Told::Open),
            TREE_CONNECT => self.tree_connect().map(Told::Open),
            CREATE => self.create().map(Told::Open),
            SET_INFO => self.set_info(state),
            IOCTL => self.control(state, context),
            CLOSE => {
                let guid = self.guid(8);
                if let Some(guid) = guid {
                    state.close_file(context, guid, Some(SUCCESS));
                    state.names.take(&guid.to_vec());
                }
                guid.map(|_| Told::Open(Detail::None))
            }
            _ => Some(Told::Open(Detail::None)),
        };
        match detail {
            Some(Told::Open(detail)) => {
                let transaction = state.open(context, &self.header, detail)?;
                if let Some(event) = raised {
                    transaction.raise(event);
                }
            }
            Some(Told::Nothing) => {}
            None => state.malformed(context, &self.header, false),
        }
        None
    }

    fn negotiate(&self, raised: &mut Option<&'static str>) -> Option<Detail> {
        let count = usize::from(self.u16(2)?);
        let guid = self.guid(12)?.to_vec();
        let dialects: Vec<_> = (0..count.min(DIALECTS_MAX))
            .map_while(|number| self.u16(36 + number * 2))
            .map(|dialect| match names::dialect(dialect) {
                Some(name) => name.as_bytes().to_vec(),
                None => format!("({dialect:#06x})").into_bytes(),
            })
            .collect();
        if dialects.len() < count.min(DIALECTS_MAX) {
            *raised = Some(events::DIALECTS);
        }
        let negotiation = Negotiation { dialects, client_guid: Some(guid), ..Negotiation::default() };
        Some(Detail::Negotiation(Box::new(negotiation)))
    }

    fn setup(&self, raised: &mut Option<&'static str>) -> Option<Detail> {
        let mut setup = Setup::default();
        match auth::read(self.referred(12)?) {
            auth::Found::Nothing => {}
            auth::Found::Malformed => *raised = Some(events::MALFORMED_NTLMSSP),
            auth::Found::Ntlmssp(ntlmssp) => setup.ntlmssp = Some(ntlmssp),
            auth::Found::Kerberos(kerberos) => setup.kerberos = Some(kerberos),
        }
        Some(Detail::Setup(Box::new(setup)))
    }

    fn tree_connect(&self) -> Option<Detail> {
        let share = narrow(self.referred(4)?);
        Some(Detail::Tree(Box::new(Tree { share, ..Tree::default() })))
    }

    fn create(&self) -> Option<Detail> {
        let options = self.u32(40)?;
        let name = if self.u16(46)? == 0 { Vec::new() } else { narrow(self.referred(44)?) };
        Some(Detail::Create(Box::new(Create {
            name,
            directory: options & 1 != 0,
            delete_on_close: options & 0x1000 != 0,
            disposition: self.u32(36)?,
            ..Create::default()
        })))
    }

    fn set_info(&self, state: &State) -> Option<Told> {
        let class = self.u16(2)?;
        let data = part(self.bytes, usize::from(self.u16(8)?), self.u32(4)? as usize)?;
        let guid = self.guid(16)?.to_vec();
        let name = state.names.get(&guid).cloned().unwrap_or_else(|| b"<unknown>".to_vec());
        Some(match class {
            // FileRenameInformation.
            0x0a01 => {
                let to = narrow(part(data, 20, u32_at(data, 16)? as usize)?);
                Told::Open(Detail::Rename { from: name, to, guid })
            }
            // FileDispositionInformation.
            0x0d01 => Told::Open(Detail::Disposition { name, guid, delete: *data.first()? != 0 }),
            _ => Told::Nothing,
        })
    }

    fn control(&self, state: &mut State, context: &mut Context<'_>) -> Option<Told> {
        let code = self.u32(4)?;
        if code == PIPE_TRANSCEIVE && self.in_pipe(state, self.guid(8)) {
            let input = part(self.bytes, self.u32(24)? as usize, self.u32(28)? as usize)?;
            if state.pipe_request(context, &self.header, input) {
                return Some(Told::Nothing);
            }
        }
        Some(Told::Open(Detail::Control(code)))
    }

    fn read(&self, state: &mut State, context: &mut Context<'_>) {
        let (Some(len), Some(offset), Some(guid)) = (self.u32(4), self.u64(8), self.guid(16)) else {
            state.malformed(context, &self.header, false);
            return;
        };
        let (max, _) = state.sizes;
        if max != 0 && len > max {
            state.raise(events::READ_REQUEST_TOO_LARGE);
        }
        state.reads.insert(self.header.message, (guid.to_vec(), offset));
    }

    /// File data at `offset` of the message: what is there, and how much there is.
    fn data(&self, offset: usize, len: u32) -> (&'a [u8], u64) {
        let len = (len as usize).min(self.len.saturating_sub(offset));
        let there = self.bytes.get(offset..).unwrap_or_default();
        (there.get(..len).unwrap_or(there), len as u64)
    }

    fn write(&self, state: &mut State, context: &mut Context<'_>) -> Option<Chunk> {
        let (Some(place), Some(len), Some(offset), Some(guid)) =
            (self.u16(2), self.u32(4), self.u64(8), self.guid(16))
        else {
            state.malformed(context, &self.header, false);
            return None;
        };
        let (_, max) = state.sizes;
        if max != 0 && len > max {
            state.raise(events::WRITE_REQUEST_TOO_LARGE);
        }
        let (bytes, len) = self.data(usize::from(place), len);
        if self.in_pipe(state, Some(guid)) {
            state.pipe_request(context, &self.header, bytes);
            return None;
        }
        let name = state.names.get(&guid.to_vec()).cloned().unwrap_or_default();
        let piece = Piece { guid, name: &name, share: b"", offset, bytes, len };
        state.file_chunk(context, self.direction, &self.header, &piece)
    }

    fn response(&self, state: &mut State, context: &mut Context<'_>) -> Option<Chunk> {
        if self.header.command == READ {
            return self.read_response(state, context);
        }
        let at = if self.header.command == NEGOTIATE {
            self.negotiate_response(state)
        } else {
            state.request_of(&self.header)
        }?;
        if self.header.status == PENDING {
            if let Some(transaction) = state.transactions.get_mut(at) {
                transaction.status = Some(PENDING);
            }
            return None;
        }
        if !self.detail(state, context, at) {
            state.malformed(context, &self.header, true);
        } else if matches!(state.transactions.get(at).map(|tx| &tx.detail), Some(Detail::Call(_))) {
            if let Some(transaction) = state.transactions.get_mut(at) {
                transaction.status = Some(self.header.status);
            }
        } else {
            state.complete(context, at, &self.header);
        }
        None
    }

    /// The transaction that it answers, which may be one of SMB1.
    fn negotiate_response(&self, state: &mut State) -> Option<usize> {
        let at = state.transactions.iter().rposition(|transaction| {
            matches!(transaction.detail, Detail::Negotiation(_)) && !transaction.response_done
        });
        if self.header.succeeded()
            && let (Some(dialect), Some(guid)) = (self.u16(4), self.guid(8))
            && let (Some(read), Some(write)) = (self.u32(32), self.u32(36))
        {
            state.dialect = Dialect::Smb2(dialect);
            state.sizes = (read, write);
            let transaction = state.transactions.get_mut(at?)?;
            if let Detail::Negotiation(negotiation) = &mut transaction.detail {
                negotiation.server_guid = guid.to_vec();
                negotiation.sizes = Some((read, write));
            }
        }
        at
    }

    /// Adds what a response says; `false` if it cannot be read.
    fn detail(&self, state: &mut State, context: &mut Context<'_>, at: usize) -> bool {
        let State { transactions, names, shares, .. } = state;
        let Some(transaction) = transactions.get_mut(at) else { return true };
        if self.header.command == SESSION_SETUP {
            transaction.session = self.header.session;
        }
        if self.header.command == TREE_DISCONNECT {
            shares.take(&(transaction.session, transaction.tree));
        }
        if !self.header.has_data() {
            return true;
        }
        match &mut transaction.detail {
            Detail::Tree(tree) => {
                let Some(&kind) = self.bytes.get(HEADER_BYTES + 2) else { return false };
                tree.kind = kind;
                tree.is_pipe = kind == 2;
                transaction.tree = self.header.tree;
                let share = Share { name: tree.share.clone(), is_pipe: tree.is_pipe };
                shares.insert((self.header.session, self.header.tree), share);
            }
            Detail::Create(create) => {
                let times = [self.u64(8), self.u64(16), self.u64(24), self.u64(32)];
                let (Some(size), Some(guid)) = (self.u64(48), self.guid(64)) else { return false };
                create.times = times.map(|time| time.map_or(0, seconds));
                create.size = size;
                create.guid = guid.to_vec();
                names.insert(guid.to_vec(), create.name.clone());
            }
            Detail::Call(_) if self.header.command == IOCTL => {
                let output = self
                    .u32(32)
                    .zip(self.u32(36))
                    .and_then(|(offset, len)| part(self.bytes, offset as usize, len as usize));
                let Some(output) = output else { return false };
                state.pipe_response(context, &self.header, Some(at), output);
            }
            _ => {}
        }
        true
    }

    fn read_response(&self, state: &mut State, context: &mut Context<'_>) -> Option<Chunk> {
        if self.header.status == PENDING {
            return None;
        }
        let known = state.reads.take(&self.header.message);
        if !self.header.has_data() {
            return None;
        }
        let (Some(&place), Some(len)) = (self.bytes.get(HEADER_BYTES + 2), self.u32(4)) else {
            state.malformed(context, &self.header, true);
            return None;
        };
        let (max, _) = state.sizes;
        if max != 0 && len > max {
            state.raise(events::READ_RESPONSE_TOO_LARGE);
        }
        let (bytes, len) = self.data(usize::from(place), len);
        if self.in_pipe(state, known.as_ref().map(|(guid, _)| guid.as_slice())) {
            state.pipe_response(context, &self.header, None, bytes);
            return None;
        }
        let (guid, offset) = known?;
        let name = state.names.get(&guid).cloned().unwrap_or_else(|| b"<unknown>".to_vec());
        let share = self.share(state).map(|share| share.name.clone()).unwrap_or_default();
        let piece = Piece { guid: &guid, name: &name, share: &share, offset, bytes, len };
        state.file_chunk(context, self.direction, &self.header, &piece)
    }
}
