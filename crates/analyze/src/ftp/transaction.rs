//! What rules see of an FTP command and its reply.

use app::{Buffer, Direction, Stage};

use super::endpoint::Mode;
use super::{REPLIES_MAX, log};
use crate::{Events, Transaction, View};

/// A command with its reply, or a reply alone.
#[derive(Debug)]
pub(crate) struct FtpTransaction {
    id: u64,
    command: Option<&'static str>,
    pub(super) argument: Vec<u8>,
    pub(super) argument_cut: bool,
    /// Codes and texts of the reply's lines.
    pub(super) replies: Vec<(Option<[u8; 3]>, Vec<u8>)>,
    pub(super) reply_cut: bool,
    /// The data connection that it announces.
    pub(super) announced: Option<(Mode, u16)>,
    done: bool,
    pub(super) logged: bool,
    events: Vec<&'static str>,
}

impl FtpTransaction {
    pub(super) const fn new(id: u64) -> Self {
        Self {
            id,
            command: None,
            argument: Vec::new(),
            argument_cut: false,
            replies: Vec::new(),
            reply_cut: false,
            announced: None,
            done: false,
            logged: false,
            events: Vec::new(),
        }
    }

    pub(super) fn set_command(&mut self, command: &'static str, argument: &[u8], cut: bool) {
        self.command = Some(command);
        self.argument = argument.to_vec();
        self.argument_cut = cut;
    }

    pub(super) const fn command(&self) -> Option<&'static str> {
        self.command
    }

    pub(super) const fn is_done(&self) -> bool {
        self.done
    }

    /// Nothing more comes.
    pub(super) const fn finish(&mut self) {
        self.done = true;
    }

    /// A line of its reply: it is over unless the line says that it goes on (RFC 959, section 4.2.1: a first digit of 1).
    pub(super) fn add_reply(&mut self, line: &[u8], cut: bool) {
        let code = line.first_chunk::<3>().copied().filter(|code| code.iter().all(u8::is_ascii_digit));
        let text = match code {
            Some(_) => line.get(4..).unwrap_or_default(),
            None => line,
        };
        self.done |= code.is_none_or(|[first, ..]| first != b'1');
        self.reply_cut |= cut;
        if self.replies.len() < REPLIES_MAX {
            self.replies.push((code, text.to_vec()));
        }
    }

    /// Raises an event, once.
    pub(super) fn raise(&mut self, event: &'static str) {
        if !self.events.contains(&event) {
            self.events.push(event);
        }
    }
}

impl Transaction for FtpTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn stage(&self, direction: Direction) -> Stage {
        match (self.done, direction) {
            (true, _) => Stage::Complete,
            (false, Direction::ToServer) => Stage::Line,
            (false, Direction::ToClient) => Stage::Waiting,
        }
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        _: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        match (direction, buffer, index) {
            (Direction::ToServer, Buffer::FtpCommand, 0) => {
                self.command.map(|command| View::whole(command.as_bytes()))
            }
            _ => None,
        }
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    /// Both ways the same: rules of either look for what the other raises.
    fn events(&self, _: Direction) -> Events<'_> {
        &self.events
    }

    fn context(&self, members: &mut Vec<u8>) {
        log::write(members, self);
    }
}
