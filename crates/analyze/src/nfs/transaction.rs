//! One call with its reply, or the transfer of one file: what rules see of it.

use app::{Buffer, Direction, Stage};
use event::json::{literal, number, number_after, string};

use super::body::{Kind, kind};
use super::names;
use super::rpc::Credentials;
use crate::files::transfer::Transfer;
use crate::{Events, FileFacts, Record, Transaction, View};

/// A name as a string; what of it is not UTF-8 is replaced, as in the reference.
fn lossy(to: &mut Vec<u8>, name: &[u8]) {
    string(to, &String::from_utf8_lossy(name));
}

/// A file's chunks, one way.
#[derive(Debug)]
pub(super) struct FileTransfer {
    /// Towards the server for writes.
    pub direction: Direction,
    /// From the first chunk on.
    pub transfer: Option<Transfer>,
    /// As records count them.
    pub chunks: u64,
    /// The call of the chunk behind which nothing more comes.
    pub last: Option<u32>,
    pub closed: bool,
}

/// One transaction.
#[derive(Debug)]
pub(crate) struct NfsTransaction {
    pub(super) id: u64,
    pub(super) xid: u32,
    pub(super) version: u32,
    /// In version 4 the operation that the compound is for.
    pub(super) procedure: u32,
    pub(super) credentials: Credentials,
    pub(super) name: Vec<u8>,
    pub(super) new_name: Option<Vec<u8>>,
    pub(super) handle: Vec<u8>,
    pub(super) denied: bool,
    pub(super) status: u32,
    pub(super) file: Option<Box<FileTransfer>>,
    pub(super) done: bool,
    pub(super) events: Vec<&'static str>,
}

impl NfsTransaction {
    /// Raises an event, once.
    pub(super) fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    /// Whether it is the open transfer of a file this way.
    pub(super) fn transfers(&self, handle: &[u8], direction: Direction) -> bool {
        !self.done
            && self.handle == handle
            && self.file.as_ref().is_some_and(|file| !file.closed && file.direction == direction)
    }

    /// Nothing more belongs to it: its records are written, as of a packet that goes `direction`.
    pub(super) fn finish(&mut self, direction: Direction, log: bool, records: &mut Vec<Record>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        if let Some(file) = &mut self.file
            && !std::mem::replace(&mut file.closed, true)
            && let Some(transfer) = &mut file.transfer
        {
            transfer.release();
            // Version 2 puts on disk what it writes: no end is ever told.
            if self.version == 2 && file.direction == Direction::ToServer {
                transfer.close();
            } else {
                transfer.truncate();
            }
        }
        // Attributes are asked for so often that the reference does not record it.
        if !log || self.version < 4 && self.procedure == 1 {
            return;
        }
        let mut members = Vec::with_capacity(320);
        self.write(&mut members);
        records.push(Record { event_type: "nfs", direction, tx_id: None, members: members.clone() });
        literal(&mut members, ",\"app_proto\":\"nfs\",");
        let id = self.id;
        let Some(file) = &mut self.file else { return };
        let direction = file.direction;
        for file in file.transfer.iter_mut().flat_map(|transfer| transfer.files.iter_mut()) {
            if file.take_finished() {
                let mut members = members.clone();
                file.write_info(&mut members, id);
                records.push(Record { event_type: "fileinfo", direction, tx_id: None, members });
            }
        }
    }

    fn transfer(&self, direction: Direction) -> Option<&Transfer> {
        self.file.as_ref().filter(|file| file.direction == direction)?.transfer.as_ref()
    }

    fn write_call(&self, to: &mut Vec<u8>) {
        number_after(to, "\"rpc\":{\"xid\":", u64::from(self.xid));
        let status = if self.denied { "DENIED" } else { "ACCEPTED" };
        for part in [",\"status\":\"", status, "\",\"auth_type\":\""] {
            literal(to, part);
        }
        match &self.credentials {
            Credentials::Unix { machine, user, group } => {
                literal(to, "UNIX\",\"creds\":{\"machine_name\":");
                lossy(to, machine);
                number_after(to, ",\"uid\":", u64::from(*user));
                number_after(to, ",\"gid\":", u64::from(*group));
                to.push(b'}');
            }
            Credentials::Other(flavour) => {
                match names::flavour(*flavour) {
                    Some(name) => literal(to, name),
                    None => number(to, u64::from(*flavour)),
                }
                to.push(b'"');
            }
        }
        to.push(b'}');
    }

    /// Appends `"rpc":{…},"nfs":{…}`.
    fn write(&self, to: &mut Vec<u8>) {
        self.write_call(to);
        number_after(to, ",\"nfs\":{\"version\":", u64::from(self.version));
        literal(to, ",\"procedure\":\"");
        match names::procedure(self.version, self.procedure) {
            Some(name) => literal(to, name),
            None => number(to, u64::from(self.procedure)),
        }
        literal(to, "\",\"filename\":");
        lossy(to, &self.name);
        if !self.handle.is_empty() {
            let mut sum = flate2::Crc::new();
            sum.update(&self.handle);
            literal(to, &format!(",\"hhash\":\"{:x}\"", sum.sum()));
        }
        number_after(to, ",\"id\":", self.id.saturating_add(1));
        literal(to, if self.file.is_some() { ",\"file_tx\":true" } else { ",\"file_tx\":false" });
        literal(to, ",\"type\":\"response\",\"status\":\"");
        match names::status(self.status) {
            Some(name) => literal(to, name),
            None => number(to, u64::from(self.status)),
        }
        to.push(b'"');
        if let (2 | 3, Some(file)) = (self.version, &self.file) {
            let is_read = kind(self.version, self.procedure) == Kind::Read;
            literal(to, if is_read { ",\"read\":" } else { ",\"write\":" });
            let last = if file.last.is_some() { "true" } else { "false" };
            for part in ["{\"first\":true,\"last\":", last] {
                literal(to, part);
            }
            number_after(to, ",\"last_xid\":", u64::from(file.last.unwrap_or_default()));
            number_after(to, ",\"chunks\":", file.chunks);
            to.push(b'}');
        }
        if let Some(new_name) = &self.new_name {
            literal(to, ",\"rename\":{\"from\":");
            lossy(to, &self.name);
            literal(to, ",\"to\":");
            lossy(to, new_name);
            to.push(b'}');
        }
        to.push(b'}');
    }
}

impl Transaction for NfsTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn stage(&self, direction: Direction) -> Stage {
        match &self.file {
            Some(file) if !self.done => {
                if file.direction == direction {
                    Stage::Body
                } else {
                    Stage::Begun
                }
            }
            None if !self.done && direction == Direction::ToClient => Stage::Waiting,
            _ => Stage::Complete,
        }
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        _: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        let files = &self.transfer(direction)?.files;
        match buffer {
            Buffer::FileData => files.view(index),
            Buffer::FileName => files.name(index).map(View::whole),
            _ => None,
        }
    }

    fn inspected(&mut self, direction: Direction) {
        if let Some(file) = &mut self.file
            && file.direction == direction
            && let Some(transfer) = &mut file.transfer
        {
            transfer.files.inspected();
        }
    }

    /// Of the request alone, as in the reference.
    fn number(&self, direction: Direction, field: &str, index: usize) -> Option<u64> {
        if direction == Direction::ToClient || index > 0 {
            return None;
        }
        match field {
            "nfs.version" => Some(u64::from(self.version)),
            "nfs_procedure" => Some(u64::from(self.procedure)),
            _ => None,
        }
    }

    fn file(&self, direction: Direction, index: usize) -> Option<FileFacts<'_>> {
        self.transfer(direction)?.files.facts(index)
    }

    /// Both ways the same: rules of either look for what the other raises.
    fn events(&self, _: Direction) -> Events<'_> {
        &self.events
    }

    fn context(&self, members: &mut Vec<u8>) {
        self.write(members);
        let files = self.file.as_ref().and_then(|file| file.transfer.as_ref());
        let mut separator = ",\"files\":[";
        for file in files.iter().flat_map(|transfer| transfer.files.iter()) {
            literal(members, separator);
            file.write_object(members, self.id);
            separator = ",";
        }
        if separator == "," {
            members.push(b']');
        }
    }
}
