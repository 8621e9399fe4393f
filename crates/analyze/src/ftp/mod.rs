//! FTP (RFC 959): commands with their replies, and the data connections that they announce (RFC 2428 for the extended
//! forms). [`data`] reads those.
//!
//! In: both directions of a control connection. Out: a transaction and an `ftp` record for each command or reply without
//! one; an [`Expectation`] for each transfer of a file; a change to TLS after `AUTH TLS` (RFC 4217). Of each direction one
//! line is held.

pub(crate) mod data;
mod endpoint;
pub(crate) mod events;
mod line;
mod log;
mod transaction;

use std::collections::VecDeque;

use app::{Direction, Protocol};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::{Expectation, Record, Transaction};
use endpoint::Mode;
use line::Line;
use transaction::FtpTransaction;

/// Lines of replies that one transaction keeps.
const REPLIES_MAX: usize = 64;

/// Commands that are known by name (RFC 959, RFC 2428, RFC 3659 and older ones): those of the reference, as it shows
/// them when it is given each. What follows another is a transaction without a name.
const COMMANDS: &[&str] = &[
    "ABOR", "ACCT", "ALLO", "APPE", "AUTH TLS", "CDUP", "CHMOD", "CWD", "DELE", "EPRT", "EPSV", "HELP",
    "IDLE", "LIST", "MAIL", "MDTM", "MKD", "MLFL", "MODE", "MRCP", "MRSQ", "MSAM", "MSND", "MSOM", "NLST",
    "NOOP", "PASS", "PASV", "PORT", "PWD", "QUIT", "REIN", "REST", "RETR", "RMD", "RNFR", "RNTO", "SITE",
    "SIZE", "SMNT", "STAT", "STOR", "STOU", "STRU", "SYST", "TYPE", "UMASK", "USER",
];

/// A client that says who it is or where it waits, or a server that greets as FTP servers do. On the ports of mail the
/// greeting says nothing.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    let starts: &[&[u8]] = match question.direction {
        Direction::ToServer => &[b"USER ", b"PASS ", b"PORT "],
        Direction::ToClient if question.is_on(&question.config.ports.smtp) => &[],
        Direction::ToClient => &[b"220 ("],
    };
    let mut answer = Probe::NotForUs;
    for start in starts {
        let len = start.len().min(question.bytes.len());
        let same = question
            .bytes
            .get(..len)
            .zip(start.get(..len))
            .is_some_and(|(bytes, start)| bytes.eq_ignore_ascii_case(start));
        match (same, len == start.len()) {
            (true, true) => return Probe::Certain,
            (true, false) => answer = Probe::Unsure,
            _ => {}
        }
    }
    answer
}

/// The parser of one flow.
pub(crate) struct Ftp {
    transactions: VecDeque<FtpTransaction>,
    next_id: u64,
    lines: [Line; 2],
    /// Where the next transfer goes.
    announced: Option<(Mode, u16)>,
    closed: [bool; 2],
}

impl Analyzer for Ftp {
    type Tx = FtpTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self {
            transactions: VecDeque::new(),
            next_id: 0,
            lines: [Line::default(), Line::default()],
            announced: None,
            closed: [false; 2],
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut left = bytes;
        let mut outcome = Outcome::Continue;
        // Lines that come together are of one reply, whatever they say.
        let mut answered = None;
        while !left.is_empty() && outcome == Outcome::Continue {
            let Some(line) = self.lines.get_mut(direction.index()) else { return Outcome::Failed };
            let used = line.feed(left);
            left = left.get(used..).unwrap_or_default();
            let Some((text, too_long)) = line.take() else { continue };
            match direction {
                Direction::ToServer => {
                    if !self.command(context, &text, too_long) {
                        outcome = Outcome::Failed;
                    }
                }
                Direction::ToClient => {
                    if self.reply(context, &text, too_long, &mut answered) {
                        outcome = Outcome::Change(Protocol::Tls, bytes.len() - left.len());
                    }
                }
            }
        }
        self.log(context);
        outcome
    }

    fn gap(&mut self, _: &mut Context<'_>, direction: Direction, _: u64) -> Outcome {
        // Lines begin anew somewhere behind it.
        if let Some(line) = self.lines.get_mut(direction.index()) {
            line.lose();
        }
        Outcome::Continue
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        if let Some(closed) = self.closed.get_mut(direction.index()) {
            *closed = true;
        }
        if self.closed == [true; 2] {
            self.transactions.iter_mut().for_each(FtpTransaction::finish);
            self.log(context);
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

impl Ftp {
    fn begin(&mut self, context: &Context<'_>) -> Option<&mut FtpTransaction> {
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(FtpTransaction::new(self.next_id));
        self.next_id += 1;
        self.transactions.back_mut()
    }

    /// Takes a command; `false` when it transfers a file and nobody has said where to: this is another protocol that has
    /// commands of these names (POP3), and what follows are no replies.
    fn command(&mut self, context: &mut Context<'_>, line: &[u8], too_long: bool) -> bool {
        let text = line.trim_ascii();
        let is = |name: &&&str| {
            text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
                && text.get(name.len()).is_none_or(u8::is_ascii_whitespace)
        };
        // Another command is answered, too, and its reply stands alone.
        let Some(name) = COMMANDS.iter().find(is) else { return true };
        let argument = text.get(name.len()..).unwrap_or_default().trim_ascii_start();
        let announced = match *name {
            "PORT" => endpoint::port(argument).map(|port| (Mode::Active, port)),
            "EPRT" => endpoint::extended(argument).map(|port| (Mode::Active, port)),
            _ => None,
        };
        self.announced = announced.or(self.announced);
        let transfers = matches!(*name, "RETR" | "STOR");
        let transfer = self.announced.filter(|_| transfers);
        let Some(transaction) = self.begin(context) else { return false };
        transaction.set_command(name, argument, too_long);
        transaction.announced = announced;
        if too_long {
            transaction.raise(events::REQUEST_TOO_LONG);
        }
        if let Some((mode, port)) = transfer {
            self.announced = None;
            context.expectations.push(Expectation {
                opened: if mode == Mode::Active { Direction::ToClient } else { Direction::ToServer },
                port,
                protocol: Protocol::FtpData,
                command: [name.as_bytes(), b" ", argument].concat(),
            });
        }
        transfer.is_some() == transfers
    }

    /// Takes a line of a reply; `true` when the connection goes over to TLS. `answered` is the transaction that the lines
    /// before it were of, if they came with it.
    fn reply(
        &mut self,
        context: &Context<'_>,
        line: &[u8],
        too_long: bool,
        answered: &mut Option<u64>,
    ) -> bool {
        let open = self.transactions.iter().position(|transaction| !transaction.is_done());
        let last = || {
            let id = (*answered)?;
            self.transactions.iter().position(|transaction| transaction.id() == id)
        };
        let place = open.or_else(last).unwrap_or_else(|| {
            self.begin(context);
            self.transactions.len().saturating_sub(1)
        });
        let Some(transaction) = self.transactions.get_mut(place) else { return false };
        *answered = Some(transaction.id());
        if too_long {
            transaction.raise(events::RESPONSE_TOO_LONG);
        }
        transaction.add_reply(line, too_long);
        let port = match transaction.command() {
            Some("PASV") if line.starts_with(b"227") => endpoint::passive(line),
            Some("EPSV") if line.starts_with(b"229") => endpoint::extended_passive(line),
            _ => None,
        };
        if let Some(port) = port {
            transaction.announced = Some((Mode::Passive, port));
            self.announced = transaction.announced;
        }
        transaction.command() == Some("AUTH TLS") && line.starts_with(b"234")
    }

    /// Writes what is over and was not written.
    fn log(&mut self, context: &mut Context<'_>) {
        for transaction in &mut self.transactions {
            if transaction.is_done() && !std::mem::replace(&mut transaction.logged, true) && context.log {
                let mut members = Vec::with_capacity(160);
                log::write(&mut members, transaction);
                context.records.push(Record {
                    event_type: "ftp",
                    direction: Direction::ToServer,
                    tx_id: Some(transaction.id()),
                    members,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;
