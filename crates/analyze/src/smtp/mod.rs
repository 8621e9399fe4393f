//! SMTP (RFC 5321, with RFC 2920 pipelining, RFC 3030 `BDAT` and RFC 3207 `STARTTLS`).
//!
//! In: the lines of both directions. Out: a transaction for each mail, with its attachments as files, `smtp` and
//! `fileinfo` records, and the change to TLS. Commands wait in a queue for their replies; the queue, a line and a
//! transaction's lists are bounded.

pub(crate) mod events;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::VecDeque;

use app::{Direction, Protocol};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::files::Files;
use crate::mime::Message;
use transaction::SmtpTransaction;

/// Longest line that is read whole, in bytes.
const LINE_MAX: usize = 4096;

/// Commands that wait for a reply.
const COMMANDS_MAX: usize = 1_024;

/// Replies that there are (RFC 5321, section 4.2.3, and extensions).
const REPLIES: &[u16] = &[
    211, 214, 220, 221, 235, 250, 251, 252, 334, 354, 401, 402, 421, 435, 450, 451, 452, 454, 455, 500, 501,
    502, 503, 504, 511, 521, 522, 525, 530, 534, 535, 538, 541, 543, 550, 551, 552, 553, 554, 555,
];

/// Whether a client speaks SMTP.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if question.direction == Direction::ToClient {
        return Probe::NotForUs;
    }
    let starts = |command: &[u8]| {
        let len = command.len().min(question.bytes.len());
        question.bytes.iter().zip(command).all(|(byte, letter)| byte.eq_ignore_ascii_case(letter))
            && (question.bytes.len() >= 4 || len < 4)
    };
    if ![&b"EHLO"[..], b"HELO", b"QUIT"].into_iter().any(starts) {
        Probe::NotForUs
    } else if question.bytes.len() < 4 {
        Probe::Unsure
    } else {
        Probe::Certain
    }
}

/// A command, as far as its reply matters.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Command {
    StartTls,
    Data,
    Reset,
    Other,
}

/// What the client sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Commands,
    /// A mail, up to a line with a dot.
    Data,
    /// A chunk of a mail, of which so many bytes are to come.
    Chunk(u64),
}

/// One direction's line in hand.
#[derive(Default, Debug)]
struct Line {
    bytes: Vec<u8>,
    /// It was too long, and its rest is passed over.
    skipping: bool,
}

/// The parser of one flow.
pub(crate) struct Smtp {
    transactions: VecDeque<SmtpTransaction>,
    next_id: u64,
    lines: [Line; 2],
    mode: Mode,
    commands: VecDeque<Command>,
    helo: Option<Vec<u8>>,
    pipelining: bool,
    seen_reply: bool,
    multiline: bool,
    closed: [bool; 2],
}

fn starts(line: &[u8], command: &[u8]) -> bool {
    line.get(..command.len()).is_some_and(|start| start.eq_ignore_ascii_case(command))
}

/// What follows a command and the character behind it, up to a space.
fn parameter(line: &[u8], command_len: usize) -> Vec<u8> {
    let rest = line.get(command_len + 1..).unwrap_or_default().trim_ascii_start();
    rest.split(|&byte| byte == b' ').next().unwrap_or_default().to_vec()
}

impl Smtp {
    fn line_mut(&mut self, direction: Direction) -> &mut Line {
        let [to_server, to_client] = &mut self.lines;
        if direction == Direction::ToServer { to_server } else { to_client }
    }

    /// The transaction that goes on, if one does.
    fn current(&mut self) -> Option<&mut SmtpTransaction> {
        self.transactions.back_mut()
    }

    fn raise(&mut self, event: &'static str) {
        if let Some(transaction) = self.current() {
            transaction.raise(event);
        }
    }

    /// The last transaction is over.
    fn complete(&mut self, context: &mut Context<'_>) {
        *context.flush_raw = [true; 2];
        if let Some(transaction) = self.transactions.back_mut() {
            transaction.end(context.log, context.records);
        }
    }

    /// A command begins a transaction if none goes on.
    fn open(&mut self, context: &mut Context<'_>) {
        if self.transactions.back().is_some_and(|transaction| !transaction.done) {
            return;
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        let transaction = SmtpTransaction::new(self.next_id, self.helo.clone(), Files::default());
        self.transactions.push_back(transaction);
        self.next_id += 1;
    }

    fn expect_reply(&mut self, command: Command) {
        if matches!(self.commands.back(), Some(Command::StartTls | Command::Data)) && !self.pipelining {
            self.raise(events::PIPELINED);
        }
        if self.commands.len() < COMMANDS_MAX {
            self.commands.push_back(command);
        }
    }

    /// A whole line of the client.
    fn request(&mut self, context: &mut Context<'_>, line: &[u8]) {
        if self.mode == Mode::Data {
            self.mail_line(context, line);
            return;
        }
        // A connection that only ends or begins anew after a mail is no further transaction.
        let no_mail = starts(line, b"rset") || starts(line, b"quit");
        if !no_mail || self.transactions.is_empty() {
            self.open(context);
        }
        if !self.seen_reply {
            self.raise(events::NO_WELCOME);
        }
        let mut command = Command::Other;
        if starts(line, b"starttls") {
            command = Command::StartTls;
        } else if starts(line, b"data") {
            command = Command::Data;
            self.begin_mail(context);
        } else if starts(line, b"bdat") {
            self.chunk(line);
        } else if starts(line, b"helo") || starts(line, b"ehlo") {
            if self.helo.is_some() {
                self.raise(events::DUPLICATE_FIELDS);
            } else {
                let helo = Some(parameter(line, 4));
                self.helo.clone_from(&helo);
                if let Some(transaction) = self.current() {
                    transaction.helo = helo;
                }
            }
        } else if starts(line, b"mail from") {
            let from = parameter(line, 9);
            if let Some(transaction) = self.current() {
                if transaction.from.is_some() {
                    transaction.raise(events::DUPLICATE_FIELDS);
                } else {
                    transaction.from = Some(from);
                }
            }
        } else if starts(line, b"rcpt to") {
            let recipient = parameter(line, 7);
            if let Some(transaction) = self.current() {
                transaction.recipient(recipient);
            }
        } else if starts(line, b"rset") {
            command = Command::Reset;
        }
        self.expect_reply(command);
    }

    fn begin_mail(&mut self, context: &Context<'_>) {
        let window = context.limits.files;
        let Some(transaction) = self.current() else { return };
        if transaction.message.is_some() {
            // The one before was not accepted; the reference reads none in this transaction any more.
            transaction.raise(events::UNPARSABLE);
            transaction.unparsable = true;
            return;
        }
        transaction.message = Some(Message::new(window));
        if self.pipelining {
            self.mode = Mode::Data;
        }
    }

    /// `BDAT`, a length, and `LAST` if it is the last.
    fn chunk(&mut self, line: &[u8]) {
        let number = parameter(line, 4);
        let len = std::str::from_utf8(&number).ok().and_then(|number| number.trim().parse::<u32>().ok());
        let Some(len) = len else {
            self.raise(events::BDAT_LEN);
            return;
        };
        self.mode = if len == 0 { Mode::Commands } else { Mode::Chunk(u64::from(len)) };
    }

    /// A whole line of a mail.
    fn mail_line(&mut self, context: &mut Context<'_>, line: &[u8]) {
        if line == b"." {
            self.mode = Mode::Commands;
            if let Some(transaction) = self.current() {
                transaction.finish_mail();
            }
            self.complete(context);
            self.expect_reply(Command::Other);
            return;
        }
        // A dot before a dot only guards it (RFC 5321, section 4.5.2).
        let line = if line.starts_with(b"..") { line.get(1..).unwrap_or_default() } else { line };
        if let Some(transaction) = self.current() {
            transaction.mail_line(line, true);
        }
    }

    /// A whole line of the server. Whether TLS follows.
    fn reply(&mut self, context: &mut Context<'_>, line: &[u8]) -> bool {
        let code =
            line.get(..3).and_then(|code| std::str::from_utf8(code).ok()).and_then(|code| code.parse().ok());
        self.multiline = line.get(3) == Some(&b'-');
        let Some(code) = code.filter(|code| REPLIES.contains(code)) else {
            self.raise(events::INVALID_REPLY);
            return false;
        };
        if code == 250 && line.get(4..).is_some_and(|word| word.eq_ignore_ascii_case(b"pipelining")) {
            self.pipelining = true;
        }
        let Some(&command) = self.commands.front() else {
            if self.seen_reply {
                self.raise(events::UNMATCHED_REPLY);
            } else if code != 220 {
                self.raise(events::INVALID_REPLY);
            }
            self.seen_reply |= !self.multiline;
            return false;
        };
        self.seen_reply = true;
        if !self.multiline {
            self.commands.pop_front();
        }
        match (command, code) {
            (Command::StartTls, 220) => {
                self.complete(context);
                return true;
            }
            (Command::StartTls, _) => self.raise(events::TLS_REJECTED),
            (Command::Data, 354) => self.mode = Mode::Data,
            (Command::Data, _) => {
                self.raise(events::DATA_REJECTED);
                if self.mode == Mode::Data {
                    self.mode = Mode::Commands;
                }
            }
            (Command::Reset, 250) => self.complete(context),
            _ => {}
        }
        false
    }

    /// What is in hand of a line is too long.
    fn long_line(&mut self, context: &mut Context<'_>, direction: Direction, line: &[u8]) -> bool {
        let line = line.get(..LINE_MAX).unwrap_or(line);
        if direction == Direction::ToClient {
            self.raise(events::LONG_REPLY);
            return self.reply(context, line);
        }
        if self.mode == Mode::Data {
            if let Some(transaction) = self.current() {
                transaction.mail_line(line, false);
            }
        } else {
            self.request(context, line);
            self.raise(events::LONG_COMMAND);
        }
        false
    }
}

impl Analyzer for Smtp {
    type Tx = SmtpTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self {
            transactions: VecDeque::new(),
            next_id: 0,
            lines: [Line::default(), Line::default()],
            mode: Mode::Commands,
            commands: VecDeque::new(),
            helo: None,
            pipelining: false,
            seen_reply: false,
            multiline: false,
            closed: [false; 2],
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut left = bytes;
        while !left.is_empty() {
            if let (Direction::ToServer, Mode::Chunk(len)) = (direction, self.mode) {
                let taken = usize::try_from(len).unwrap_or(usize::MAX).min(left.len());
                left = left.get(taken..).unwrap_or_default();
                let rest = len - taken as u64;
                self.mode = if rest == 0 { Mode::Commands } else { Mode::Chunk(rest) };
                continue;
            }
            let end = memchr::memchr(b'\n', left);
            let mut line = std::mem::take(self.line_mut(direction));
            // A mail's long line goes on in pieces; another's rest is passed over.
            let piece = end.unwrap_or(left.len()).min(LINE_MAX + 1 - line.bytes.len());
            if !line.skipping {
                line.bytes.extend_from_slice(left.get(..piece).unwrap_or_default());
            }
            let consumed = if line.skipping { end.unwrap_or(left.len()) } else { piece };
            let at_end = end == Some(consumed);
            left = left.get(consumed + usize::from(at_end)..).unwrap_or_default();
            let mut starts_tls = false;
            if at_end {
                if !line.skipping {
                    let text = line.bytes.strip_suffix(b"\r").unwrap_or(&line.bytes);
                    match direction {
                        Direction::ToServer => self.request(context, text),
                        Direction::ToClient => starts_tls = self.reply(context, text),
                    }
                }
                line.bytes.clear();
                line.skipping = false;
            } else if line.bytes.len() > LINE_MAX {
                let in_mail = direction == Direction::ToServer && self.mode == Mode::Data;
                starts_tls = self.long_line(context, direction, &line.bytes);
                line.bytes.drain(..if in_mail { LINE_MAX } else { line.bytes.len() });
                line.skipping = !in_mail;
            }
            *self.line_mut(direction) = line;
            if starts_tls {
                return Outcome::Change(Protocol::Tls, bytes.len() - left.len());
            }
        }
        Outcome::Continue
    }

    /// What commands and replies behind a gap belong to cannot be told; the reference stops there too.
    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        Outcome::Failed
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        if let Some(closed) = self.closed.get_mut(direction.index()) {
            *closed = true;
        }
        if self.closed == [true; 2] {
            for transaction in &mut self.transactions {
                transaction.end(context.log, context.records);
            }
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}
