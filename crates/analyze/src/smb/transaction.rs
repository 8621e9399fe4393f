//! One command with its response, or the transfer of one file: what rules see of it.

use std::borrow::Cow;

use app::{Buffer, Direction, Stage};

use super::auth::{Kerberos, Ntlmssp};
use super::names;
use crate::dcerpc::pdu::Call;
use crate::files::transfer::Transfer;
use crate::{DceCall, Events, FileFacts, Record, Transaction, View};

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Status {
    /// MS-ERREF 2.3.
    Nt(u32),
    /// Class and code, MS-CIFS 2.2.2.4.
    Dos(u8, u16),
}

/// What client and server speak.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) enum Dialect {
    #[default]
    Unknown,
    /// One that the client offered by name.
    Smb1(Vec<u8>),
    Smb2(u16),
}

impl Dialect {
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Unknown => "unknown".into(),
            Self::Smb1(name) => String::from_utf8_lossy(name),
            Self::Smb2(number) => match names::dialect(*number) {
                Some(name) => name.into(),
                None => format!("({number:#06x})").into(),
            },
        }
    }
}

/// What both ways agree upon.
#[derive(Default, Debug)]
pub(super) struct Negotiation {
    pub dialects: Vec<Vec<u8>>,
    pub client_guid: Option<Vec<u8>>,
    pub server_guid: Vec<u8>,
    /// Longest read and write, in bytes, as SMB2 has them.
    pub sizes: Option<(u32, u32)>,
}

/// Who logs on.
#[derive(Default, Debug)]
pub(super) struct Setup {
    pub ntlmssp: Option<Ntlmssp>,
    pub kerberos: Option<Kerberos>,
    /// Operating system and LAN manager of client and server, which only SMB1 tells.
    pub request: Option<(Vec<u8>, Vec<u8>)>,
    pub response: Option<(Vec<u8>, Vec<u8>)>,
}

/// What is connected to.
#[derive(Default, Debug)]
pub(super) struct Tree {
    pub share: Vec<u8>,
    pub is_pipe: bool,
    /// SMB2's kind of share.
    pub kind: u8,
    /// What SMB1 asked for, and got.
    pub service: Option<(Vec<u8>, Vec<u8>)>,
}

/// A file that is opened.
#[derive(Default, Debug)]
pub(super) struct Create {
    pub name: Vec<u8>,
    pub directory: bool,
    pub delete_on_close: bool,
    pub disposition: u32,
    /// Created, accessed, modified, changed: seconds since 1970.
    pub times: [u64; 4],
    pub size: u64,
    pub guid: Vec<u8>,
}

/// A file's chunks, one way.
#[derive(Debug)]
pub(super) struct FileTransfer {
    pub guid: Vec<u8>,
    pub name: Vec<u8>,
    pub share: Vec<u8>,
    /// Towards the server for writes.
    pub direction: Direction,
    pub transfer: Transfer,
    pub closed: bool,
}

/// What a command is about.
#[derive(Debug)]
pub(super) enum Detail {
    None,
    Negotiation(Box<Negotiation>),
    Setup(Box<Setup>),
    Tree(Box<Tree>),
    Create(Box<Create>),
    File(Box<FileTransfer>),
    /// A control code.
    Control(u32),
    Call(Box<Call>),
    /// A file that is marked, or not, to go when it is closed.
    Disposition {
        name: Vec<u8>,
        guid: Vec<u8>,
        delete: bool,
    },
    Rename {
        from: Vec<u8>,
        to: Vec<u8>,
        guid: Vec<u8>,
    },
}

/// One transaction.
#[derive(Debug)]
pub(crate) struct SmbTransaction {
    pub(super) id: u64,
    /// The flow's dialect, as last known.
    pub(super) dialect: Dialect,
    /// 1 or 2.
    pub(super) version: u8,
    pub(super) command: u16,
    pub(super) message: u64,
    pub(super) session: u64,
    pub(super) tree: u32,
    pub(super) status: Option<Status>,
    pub(super) request_done: bool,
    pub(super) response_done: bool,
    pub(super) detail: Detail,
    pub(super) events: Vec<&'static str>,
    pub(super) logged: bool,
}

impl SmbTransaction {
    /// Raises an event, once.
    pub(super) fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    pub(super) const fn is_done(&self) -> bool {
        self.request_done && self.response_done
    }

    /// Nothing more belongs to it: its records are written.
    pub(super) fn finish(&mut self, dialect: &Dialect, log: bool, records: &mut Vec<Record>) {
        self.request_done = true;
        self.response_done = true;
        if let Detail::File(file) = &mut self.detail
            && !file.closed
        {
            file.closed = true;
            file.transfer.truncate();
        }
        if std::mem::replace(&mut self.logged, true) || !log {
            return;
        }
        let mut members = Vec::with_capacity(512);
        self.dialect = dialect.clone();
        self.write(&mut members);
        records.push(Record {
            event_type: "smb",
            direction: Direction::ToServer,
            tx_id: None,
            members: members.clone(),
        });
        members.extend_from_slice(b",\"app_proto\":\"smb\",");
        let id = self.id;
        if let Detail::File(transfer) = &mut self.detail {
            for file in transfer.transfer.files.iter_mut() {
                if file.take_finished() {
                    let mut members = members.clone();
                    file.write_info(&mut members, id);
                    records.push(Record {
                        event_type: "fileinfo",
                        direction: transfer.direction,
                        tx_id: None,
                        members,
                    });
                }
            }
        }
    }

    fn transfer(&self, direction: Direction) -> Option<&FileTransfer> {
        match &self.detail {
            Detail::File(file) if file.direction == direction => Some(file),
            _ => None,
        }
    }
}

impl Transaction for SmbTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn stage(&self, direction: Direction) -> Stage {
        let done = match direction {
            Direction::ToServer => self.request_done,
            Direction::ToClient => self.response_done,
        };
        match &self.detail {
            // Whether it is a pipe is known from the answer.
            Detail::Tree(_) if !self.response_done => Stage::Begun,
            Detail::File(file) if !file.closed && file.direction == direction => Stage::Body,
            Detail::File(file) if !file.closed => Stage::Begun,
            _ if done => Stage::Complete,
            _ if direction == Direction::ToClient && self.status.is_none() => Stage::Waiting,
            _ => Stage::Begun,
        }
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        _: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        let bytes = match (buffer, &self.detail) {
            (Buffer::FileData, _) => return self.transfer(direction)?.transfer.files.view(index),
            (Buffer::FileName, _) => self.transfer(direction)?.transfer.files.name(index)?,
            _ if index > 0 => return None,
            (Buffer::SmbShare, Detail::Tree(tree)) if !tree.is_pipe => &tree.share,
            (Buffer::SmbNamedPipe, Detail::Tree(tree)) if tree.is_pipe => &tree.share,
            (Buffer::SmbNtlmsspUser, Detail::Setup(setup)) => &setup.ntlmssp.as_ref()?.user,
            (Buffer::SmbNtlmsspDomain, Detail::Setup(setup)) => &setup.ntlmssp.as_ref()?.domain,
            (Buffer::DceStubData, Detail::Call(call)) => call.stub(direction.index())?,
            _ => return None,
        };
        Some(View::whole(bytes))
    }

    fn inspected(&mut self, direction: Direction) {
        if let Detail::File(file) = &mut self.detail
            && file.direction == direction
        {
            file.transfer.files.inspected();
        }
    }

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn file(&self, direction: Direction, index: usize) -> Option<FileFacts<'_>> {
        self.transfer(direction)?.transfer.files.facts(index)
    }

    /// Both ways the same: rules of either look for what the other raises.
    fn events(&self, _: Direction) -> Events<'_> {
        &self.events
    }

    fn dce(&self) -> Option<DceCall<'_>> {
        match &self.detail {
            Detail::Call(call) => Some(call.view(false)),
            _ => None,
        }
    }

    fn context(&self, members: &mut Vec<u8>) {
        self.write(members);
        self.write_files(members);
    }
}
