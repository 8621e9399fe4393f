//! FTP data connections: a file each.
//!
//! In: a connection that was announced ([`crate::Expectation`]). Out: the file, a `fileinfo` and an `ftp_data` record at its end,
//! and the command that asked for it, for rules.

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use event::json::{bytes, literal};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::files::Files;
use crate::{Events, Record, Transaction, View};

/// The parser of one flow.
pub(crate) struct FtpData {
    transactions: VecDeque<FtpDataTransaction>,
}

/// The transfer.
#[derive(Debug)]
pub(crate) struct FtpDataTransaction {
    /// `RETR` or `STOR`; empty if the connection was not announced.
    command: Vec<u8>,
    /// Which way the file goes: what comes the other way is none of it.
    direction: Option<Direction>,
    files: Files,
    done: [bool; 2],
    logged: bool,
}

impl Analyzer for FtpData {
    type Tx = FtpDataTransaction;

    fn new(start: &Start<'_>) -> Self {
        let announced = start.expectation.map_or(&[][..], |expectation| &expectation.command);
        let split = memchr::memchr(b' ', announced).unwrap_or(announced.len());
        let (command, name) = announced.split_at(split);
        let mut files = Files::default();
        files.open(name.trim_ascii(), Some(start.config.limits.files));
        let command = command.to_vec();
        let transaction =
            FtpDataTransaction { command, direction: None, files, done: [false; 2], logged: false };
        Self { transactions: VecDeque::from([transaction]) }
    }

    fn data(&mut self, _: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        if let Some(transaction) = self.transactions.front_mut()
            && *transaction.direction.get_or_insert(direction) == direction
        {
            transaction.files.append(bytes);
        }
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, direction: Direction, len: u64) -> Outcome {
        if let Some(transaction) = self.transactions.front_mut()
            && *transaction.direction.get_or_insert(direction) == direction
        {
            transaction.files.gap(len);
        }
        Outcome::Continue
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        let Some(transaction) = self.transactions.front_mut() else { return };
        if let Some(done) = transaction.done.get_mut(direction.index()) {
            *done = true;
        }
        if transaction.direction.is_none_or(|own| own == direction) {
            transaction.files.close();
        }
        if transaction.done == [true; 2] && !std::mem::replace(&mut transaction.logged, true) && context.log {
            let way = transaction.direction.unwrap_or_default();
            for file in transaction.files.iter_mut() {
                if file.size > 0 && file.take_finished() {
                    let mut members = Vec::with_capacity(128);
                    file.write_info(&mut members, 0);
                    context.records.push(Record {
                        event_type: "fileinfo",
                        direction: way,
                        tx_id: None,
                        members,
                    });
                }
            }
            let mut members = Vec::with_capacity(96);
            transaction.context(&mut members);
            context.records.push(Record { event_type: "ftp_data", direction: way, tx_id: Some(0), members });
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

impl Transaction for FtpDataTransaction {
    fn id(&self) -> u64 {
        0
    }

    fn stage(&self, direction: Direction) -> Stage {
        match (self.done.get(direction.index()), self.direction) {
            (Some(true), _) => Stage::Complete,
            (_, Some(own)) if own == direction => Stage::Body,
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
        match (buffer, index) {
            (Buffer::FtpdataCommand, 0) => Some(View::whole(&self.command)),
            (Buffer::FileData, _) if self.direction == Some(direction) => self.files.view(index),
            (Buffer::FileName, _) if self.direction == Some(direction) => {
                self.files.name(index).map(View::whole)
            }
            _ => None,
        }
    }

    fn inspected(&mut self, direction: Direction) {
        if self.direction == Some(direction) {
            self.files.inspected();
        }
    }

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn events(&self, _: Direction) -> Events<'_> {
        &[]
    }

    fn context(&self, members: &mut Vec<u8>) {
        literal(members, r#""ftp_data":{"#);
        if let Some(name) = self.files.name(0).filter(|name| !name.is_empty()) {
            literal(members, r#""filename":"#);
            bytes(members, name);
            literal(members, ",");
        }
        literal(members, r#""command":"#);
        bytes(members, &self.command);
        literal(members, "}");
    }
}
