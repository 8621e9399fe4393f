//! One mail, or what a connection says without sending one: what rules and records see of it.

use app::{Buffer, Direction, Stage};
use event::json;

use crate::files::Files;
use crate::mime::Message;
use crate::{Events, FileFacts, Record, Transaction, View};

/// Recipients that are kept.
const RECIPIENTS_MAX: usize = 1_024;

/// One transaction.
#[derive(Debug)]
pub(crate) struct SmtpTransaction {
    pub(super) id: u64,
    pub(super) helo: Option<Vec<u8>>,
    pub(super) from: Option<Vec<u8>>,
    recipients: Vec<Vec<u8>>,
    pub(super) message: Option<Message>,
    /// It has begun more than one mail, and what follows is not read.
    pub(super) unparsable: bool,
    pub(super) files: Files,
    pub(super) done: bool,
    logged: bool,
    events: Vec<&'static str>,
}

impl SmtpTransaction {
    pub(super) const fn new(id: u64, helo: Option<Vec<u8>>, files: Files) -> Self {
        Self {
            id,
            helo,
            from: None,
            recipients: Vec::new(),
            message: None,
            unparsable: false,
            files,
            done: false,
            logged: false,
            events: Vec::new(),
        }
    }

    /// Raises an event, once.
    pub(super) fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }

    pub(super) fn recipient(&mut self, address: Vec<u8>) {
        if self.recipients.len() < RECIPIENTS_MAX {
            self.recipients.push(address);
        }
    }

    /// A line of the mail, or a piece of it.
    pub(super) fn mail_line(&mut self, line: &[u8], whole: bool) {
        if let Some(message) = self.message.as_mut().filter(|_| !self.unparsable) {
            message.line(line, whole, &mut self.files);
        }
        self.take_oddities();
    }

    pub(super) fn take_oddities(&mut self) {
        while let Some(event) = self.message.as_mut().and_then(Message::take_oddity) {
            self.raise(event);
        }
    }

    /// The mail came to its end.
    pub(super) fn finish_mail(&mut self) {
        if let Some(message) = self.message.as_mut().filter(|_| !self.unparsable) {
            message.finish(&mut self.files);
        }
        self.take_oddities();
    }

    /// Nothing more belongs to it; its records are written.
    pub(super) fn end(&mut self, log: bool, records: &mut Vec<Record>) {
        self.done = true;
        self.files.truncate();
        if !log || std::mem::replace(&mut self.logged, true) {
            return;
        }
        let mut members = Vec::with_capacity(256);
        self.write_mail(&mut members);
        let mut record = |event_type, members| {
            records.push(Record {
                event_type,
                direction: Direction::ToServer,
                tx_id: Some(self.id),
                members,
            });
        };
        record("smtp", members.clone());
        members.push(b',');
        for file in self.files.iter_mut() {
            if file.take_finished() && file.size > 0 {
                let mut members = members.clone();
                file.write_info(&mut members, self.id);
                record("fileinfo", members);
            }
        }
    }

    fn write_mail(&self, to: &mut Vec<u8>) {
        json::literal(to, r#""smtp":{"#);
        if let Some(helo) = &self.helo {
            json::literal(to, r#""helo":"#);
            json::bytes(to, helo);
            to.push(b',');
        }
        if let Some(from) = &self.from {
            json::literal(to, r#""mail_from":"#);
            json::bytes(to, from);
            to.push(b',');
        }
        let mut separator = r#""rcpt_to":["#;
        for recipient in &self.recipients {
            json::literal(to, separator);
            json::bytes(to, recipient);
            separator = ",";
        }
        if !self.recipients.is_empty() {
            to.push(b']');
        } else if to.last() == Some(&b',') {
            to.pop();
        }
        to.push(b'}');
        if let Some(message) = &self.message {
            to.push(b',');
            message.write_email(to);
        }
    }
}

impl Transaction for SmtpTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn stage(&self, direction: Direction) -> Stage {
        match (self.done, direction, &self.message) {
            (true, ..) => Stage::Complete,
            (false, Direction::ToServer, Some(_)) => Stage::Body,
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
        match (direction, buffer) {
            (Direction::ToServer, Buffer::FileData) => self.files.view(index),
            (Direction::ToServer, Buffer::FileName) => self.files.name(index).map(View::whole),
            _ => None,
        }
    }

    fn inspected(&mut self, direction: Direction) {
        if direction == Direction::ToServer {
            self.files.inspected();
        }
    }

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn file(&self, direction: Direction, index: usize) -> Option<FileFacts<'_>> {
        self.files.facts(index).filter(|_| direction == Direction::ToServer)
    }

    /// Both ways the same: rules of either look for what the other raises.
    fn events(&self, _: Direction) -> Events<'_> {
        &self.events
    }

    fn context(&self, members: &mut Vec<u8>) {
        self.write_mail(members);
        let mut separator = r#","files":["#;
        for file in self.files.iter() {
            json::literal(members, separator);
            file.write_object(members, self.id);
            separator = ",";
        }
        if separator == "," {
            members.push(b']');
        }
    }
}
