//! SMB1 messages (MS-CIFS, MS-SMB).

use app::Direction;

use super::fields::{part, seconds, text_at, u16_at, u32_at, u64_at};
use super::state::{Chunk, Header, Piece, Share, State};
use super::transaction::{Create, Detail, Dialect, Negotiation, Setup, Status, Tree};
use super::{auth, events};
use crate::analyzer::Context;

/// Header of every message.
const HEADER_BYTES: usize = 32;

const CLOSE: u16 = 0x04;
const WRITE: u16 = 0x0b;
const TRANS: u16 = 0x25;
const WRITE_AND_CLOSE: u16 = 0x2c;
const READ_ANDX: u16 = 0x2e;
const WRITE_ANDX: u16 = 0x2f;
const TRANS2: u16 = 0x32;
const NEGOTIATE: u16 = 0x72;
const SESSION_SETUP_ANDX: u16 = 0x73;
const TREE_CONNECT_ANDX: u16 = 0x75;
const NT_CREATE_ANDX: u16 = 0xa2;

/// Dialects that are kept of a client's list.
const DIALECTS_MAX: usize = 64;

/// A message that lacks a part.
struct Unreadable;

/// One message in hand.
struct Message<'a> {
    direction: Direction,
    header: Header,
    unicode: bool,
    words: &'a [u8],
    /// What follows the words, up to the end.
    data: &'a [u8],
    /// Where that begins in the message.
    data_at: usize,
    /// From its header on, as far as it is there.
    bytes: &'a [u8],
    /// Its length.
    len: usize,
}

fn header(bytes: &[u8]) -> Option<(Header, bool)> {
    let flags2 = u16_at(bytes, 10)?;
    let (&command, &flags, &class) = (bytes.get(4)?, bytes.get(9)?, bytes.get(5)?);
    let status = if flags2 & 0x4000 == 0 {
        Status::Dos(class, u16_at(bytes, 7)?)
    } else {
        Status::Nt(u32_at(bytes, 5)?)
    };
    let process = u64::from(u16_at(bytes, 26)?);
    let header = Header {
        version: 1,
        command: u16::from(command),
        message: process << 16 | u64::from(u16_at(bytes, 30)?),
        session: u64::from(u16_at(bytes, 28)?),
        tree: u32::from(u16_at(bytes, 24)?),
        status,
    };
    Some((header, flags & 0x80 != 0))
}

/// Whether a message that is not whole carries file data and can be read up to there.
pub(super) fn streams(bytes: &[u8]) -> bool {
    let words = bytes.get(HEADER_BYTES).map_or(0, |&words| usize::from(words));
    header(bytes).is_some_and(|(header, is_response)| match (header.command, is_response) {
        (READ_ANDX, true) | (WRITE_ANDX, false) => words >= 12 && bytes.len() > HEADER_BYTES + 3 + words * 2,
        _ => false,
    })
}

/// One message of `len` bytes, as far as it is there. `Some` if file data is to come.
pub(super) fn message(
    state: &mut State,
    context: &mut Context<'_>,
    direction: Direction,
    bytes: &[u8],
    len: usize,
) -> Option<Chunk> {
    let (header, is_response) = header(bytes)?;
    match (is_response, direction) {
        (true, Direction::ToServer) => {
            state.raise(events::RESPONSE_TO_SERVER);
            return None;
        }
        (false, Direction::ToClient) => {
            state.raise(events::REQUEST_TO_CLIENT);
            return None;
        }
        _ => {}
    }
    let words = bytes.get(HEADER_BYTES).map_or(0, |&count| usize::from(count) * 2);
    let data_at = HEADER_BYTES + 3 + words;
    let Some(words) = part(bytes, HEADER_BYTES + 1, words) else {
        state.malformed(context, &header, is_response);
        return None;
    };
    let unicode = u16_at(bytes, 10).is_some_and(|flags| flags & 0x8000 != 0);
    let data = bytes.get(data_at..).unwrap_or_default();
    let message = Message { direction, header, unicode, words, data, data_at, bytes, len };
    if is_response { message.response(state, context) } else { message.request(state, context) }
}

impl<'a> Message<'a> {
    /// Where a text begins: on an even place, if it is of two-byte characters.
    fn aligned(&self, at: usize) -> usize {
        at + usize::from(self.unicode && !(self.data_at + at).is_multiple_of(2))
    }

    fn guid(&self, at: usize) -> Option<&'a [u8]> {
        part(self.words, at, 2)
    }

    fn count(&self) -> usize {
        self.words.len() / 2
    }

    fn in_pipe(&self, state: &State, guid: Option<&[u8]>) -> bool {
        state.is_pipe((0, self.header.tree), guid)
    }

    fn share<'s>(&self, state: &'s State) -> Option<&'s Share> {
        state.shares.get(&(0, self.header.tree))
    }

    fn request(&self, state: &mut State, context: &mut Context<'_>) -> Option<Chunk> {
        let mut raised = None;
        let detail = match self.header.command {
            WRITE | WRITE_ANDX | WRITE_AND_CLOSE => {
                return self.write(state, context).unwrap_or_else(|Unreadable| {
                    state.malformed(context, &self.header, false);
                    None
                });
            }
            READ_ANDX => {
                let read = self.guid(4).zip(u32_at(self.words, 6));
                let high = u32_at(self.words, 20).unwrap_or_default();
                if let Some((guid, offset)) = read {
                    let offset = u64::from(high) << 32 | u64::from(offset);
                    state.reads.insert(self.header.message, (guid.to_vec(), offset));
                } else {
                    state.malformed(context, &self.header, false);
                }
                return None;
            }
            TRANS | TRANS2 => {
                if let Some(data) = self.pipe_data(22, 24) {
                    state.pipe_request(context, &self.header, data);
                }
                return None;
            }
            NEGOTIATE => Some(self.negotiate(&mut raised)),
            SESSION_SETUP_ANDX => self.setup(&mut raised),
            TREE_CONNECT_ANDX => self.tree_connect(),
            NT_CREATE_ANDX => self.create(),
            CLOSE => {
                let guid = self.guid(0);
                if let Some(guid) = guid {
                    state.close_file(context, guid, None);
                    state.names.take(&guid.to_vec());
                }
                guid.map(|_| Detail::None)
            }
            _ => Some(Detail::None),
        };
        match detail {
            Some(detail) => {
                let mut header = self.header;
                if header.command == NEGOTIATE {
                    // There is no tree yet; clients write all ones.
                    header.tree = 0;
                }
                let transaction = state.open(context, &header, detail)?;
                if let Some(event) = raised {
                    transaction.raise(event);
                }
            }
            None => state.malformed(context, &self.header, false),
        }
        None
    }

    fn negotiate(&self, raised: &mut Option<&'static str>) -> Detail {
        let mut dialects = Vec::new();
        let mut at = 0;
        while at < self.data.len() && dialects.len() < DIALECTS_MAX {
            if self.data.get(at) != Some(&2) {
                *raised = Some(events::DIALECTS);
                break;
            }
            let (dialect, next) = text_at(self.data, at + 1, false);
            if dialect.is_empty() {
                *raised = Some(events::DIALECTS);
            }
            dialects.push(dialect);
            at = next;
        }
        Detail::Negotiation(Box::new(Negotiation { dialects, ..Negotiation::default() }))
    }

    fn setup(&self, raised: &mut Option<&'static str>) -> Option<Detail> {
        let mut setup = Setup::default();
        let passwords = if self.count() >= 13 {
            usize::from(u16_at(self.words, 14)?) + usize::from(u16_at(self.words, 16)?)
        } else {
            usize::from(u16_at(self.words, 14)?)
        };
        let mut at = self.aligned(passwords);
        if self.count() == 12 {
            match auth::read(self.data.get(..passwords)?) {
                auth::Found::Nothing => {}
                auth::Found::Malformed => *raised = Some(events::MALFORMED_NTLMSSP),
                auth::Found::Ntlmssp(ntlmssp) => setup.ntlmssp = Some(ntlmssp),
                auth::Found::Kerberos(kerberos) => setup.kerberos = Some(kerberos),
            }
        } else {
            // Account and domain.
            at = text_at(self.data, at, self.unicode).1;
            at = text_at(self.data, at, self.unicode).1;
        }
        setup.request = Some(self.native(at));
        Some(Detail::Setup(Box::new(setup)))
    }

    /// Operating system and LAN manager.
    fn native(&self, at: usize) -> (Vec<u8>, Vec<u8>) {
        let (system, next) = text_at(self.data, at, self.unicode);
        let (manager, _) = text_at(self.data, next, self.unicode);
        (system, manager)
    }

    fn tree_connect(&self) -> Option<Detail> {
        let password = usize::from(u16_at(self.words, 6)?);
        let (mut share, next) = text_at(self.data, self.aligned(password), self.unicode);
        // The reference leaves out the first backslash.
        if share.len() > 1 {
            share.remove(0);
        }
        let (service, _) = text_at(self.data, next, false);
        let tree = Tree { share, service: Some((service, Vec::new())), ..Tree::default() };
        Some(Detail::Tree(Box::new(tree)))
    }

    fn create(&self) -> Option<Detail> {
        let len = usize::from(u16_at(self.words, 5)?);
        let options = u32_at(self.words, 39)?;
        let at = self.aligned(0);
        let name = self.data.get(at..).unwrap_or_default();
        let (name, _) = text_at(name.get(..len).unwrap_or(name), 0, self.unicode);
        Some(Detail::Create(Box::new(Create {
            name,
            directory: options & 1 != 0,
            delete_on_close: options & 0x1000 != 0,
            disposition: u32_at(self.words, 35)?,
            ..Create::default()
        })))
    }

    /// The data of a transaction over a pipe; places of its count and its offset are given.
    fn pipe_data(&self, count: usize, offset: usize) -> Option<&'a [u8]> {
        let (count, offset) = (u16_at(self.words, count)?, u16_at(self.words, offset)?);
        part(self.bytes, usize::from(offset), usize::from(count)).filter(|data| !data.is_empty())
    }

    /// File data at `at` of the message: what is there, and how much there is.
    fn file_data(&self, at: usize, len: usize) -> (&'a [u8], u64) {
        let len = len.min(self.len.saturating_sub(at));
        let there = self.bytes.get(at..).unwrap_or_default();
        (there.get(..len).unwrap_or(there), len as u64)
    }

    /// Of a write: file, offset, where its data stands in the message, and how much there is.
    fn write_place(&self) -> Option<(&'a [u8], u64, usize, usize)> {
        Some(match self.header.command {
            WRITE_ANDX => {
                let low = u32_at(self.words, 6)?;
                let high = if self.count() >= 14 { u32_at(self.words, 24)? } else { 0 };
                let len = usize::from(u16_at(self.words, 18)?) << 16 | usize::from(u16_at(self.words, 20)?);
                let at = usize::from(u16_at(self.words, 22)?);
                (self.guid(4)?, u64::from(high) << 32 | u64::from(low), at, len)
            }
            command => {
                let before = if command == WRITE { 3 } else { 1 };
                let len = usize::from(u16_at(self.words, 2)?);
                (self.guid(0)?, u64::from(u32_at(self.words, 4)?), self.data_at + before, len)
            }
        })
    }

    fn write(&self, state: &mut State, context: &mut Context<'_>) -> Result<Option<Chunk>, Unreadable> {
        let place = self.write_place().ok_or(Unreadable)?;
        let (guid, offset, at, len) = place;
        let (bytes, len) = self.file_data(at, len);
        if self.in_pipe(state, Some(guid)) {
            state.pipe_request(context, &self.header, bytes);
            return Ok(None);
        }
        let name = state.names.get(&guid.to_vec()).cloned().unwrap_or_else(|| b"<unknown>".to_vec());
        let share = self.share(state).map(|share| share.name.clone()).unwrap_or_default();
        let piece = Piece { guid, name: &name, share: &share, offset, bytes, len };
        // Transfers of SMB1 name neither session nor tree in the reference.
        let header = Header { session: 0, tree: 0, ..self.header };
        let chunk = state.file_chunk(context, self.direction, &header, &piece);
        if self.header.command == WRITE_AND_CLOSE {
            state.close_file(context, guid, None);
        }
        Ok(chunk)
    }

    fn response(&self, state: &mut State, context: &mut Context<'_>) -> Option<Chunk> {
        if self.header.command == READ_ANDX {
            return self.read_response(state, context);
        }
        let at = state.request_of(&self.header)?;
        if matches!(self.header.command, TRANS | TRANS2) {
            let data = self.pipe_data(12, 14).unwrap_or_default();
            state.pipe_response(context, &self.header, Some(at), data);
            return None;
        }
        let is_call = state.transactions.get(at).is_some_and(|tx| matches!(tx.detail, Detail::Call(_)));
        if is_call {
            if let Some(transaction) = state.transactions.get_mut(at) {
                transaction.status = Some(self.header.status);
            }
        } else if self.detail(state, at) {
            state.complete(context, at, &self.header);
        } else {
            state.malformed(context, &self.header, true);
        }
        None
    }

    /// Adds what a response says; `false` if it cannot be read.
    fn detail(&self, state: &mut State, at: usize) -> bool {
        let State { transactions, names, shares, dialect, .. } = state;
        let Some(transaction) = transactions.get_mut(at) else { return true };
        match &mut transaction.detail {
            Detail::Negotiation(negotiation) => {
                let Some(number) = u16_at(self.words, 0) else { return false };
                if let Some(name) = negotiation.dialects.get(usize::from(number)) {
                    *dialect = Dialect::Smb1(name.clone());
                }
                negotiation.server_guid = self.data.get(..16).unwrap_or_default().to_vec();
            }
            Detail::Setup(setup) => {
                transaction.session = self.header.session;
                let blob = if self.count() >= 4 { u16_at(self.words, 6).map_or(0, usize::from) } else { 0 };
                if self.count() >= 3 {
                    setup.response = Some(self.native(self.aligned(blob)));
                }
            }
            Detail::Tree(tree) => {
                transaction.tree = self.header.tree;
                if !self.header.succeeded() {
                    return true;
                }
                let (service, _) = text_at(self.data, 0, false);
                tree.is_pipe = service == b"IPC";
                if let Some((_, response)) = &mut tree.service {
                    *response = service;
                }
                let share = Share { name: tree.share.clone(), is_pipe: tree.is_pipe };
                shares.insert((0, self.header.tree), share);
            }
            Detail::Create(create) if self.header.succeeded() => {
                let times = [11, 19, 27, 35].map(|at| u64_at(self.words, at));
                let (Some(guid), Some(size)) = (self.guid(5), u64_at(self.words, 47)) else { return false };
                create.times = times.map(|time| time.map_or(0, seconds));
                create.size = size;
                create.guid = guid.to_vec();
                names.insert(guid.to_vec(), create.name.clone());
            }
            _ => {}
        }
        true
    }

    fn read_response(&self, state: &mut State, context: &mut Context<'_>) -> Option<Chunk> {
        let known = state.reads.take(&self.header.message);
        if !self.header.has_data() {
            return None;
        }
        let place = u16_at(self.words, 10).zip(u16_at(self.words, 12));
        let Some((len, at)) = place else {
            state.malformed(context, &self.header, true);
            return None;
        };
        let high = u16_at(self.words, 14).unwrap_or_default();
        let (bytes, len) = self.file_data(usize::from(at), usize::from(high) << 16 | usize::from(len));
        if self.in_pipe(state, known.as_ref().map(|(guid, _)| guid.as_slice())) {
            state.pipe_response(context, &self.header, None, bytes);
            return None;
        }
        let (guid, offset) = known?;
        let name = state.names.get(&guid).cloned().unwrap_or_else(|| b"<unknown>".to_vec());
        let share = self.share(state).map(|share| share.name.clone()).unwrap_or_default();
        let piece = Piece { guid: &guid, name: &name, share: &share, offset, bytes, len };
        let header = Header { session: 0, tree: 0, ..self.header };
        state.file_chunk(context, self.direction, &header, &piece)
    }
}
