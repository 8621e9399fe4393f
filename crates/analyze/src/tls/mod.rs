//! TLS and SSL (RFC 8446, RFC 5246, RFC 6101).
//!
//! In: the stream of records. Out: one transaction for the connection, with what the hellos and certificates say, and a
//! `tls` record when the handshake is over. Encrypted data is not read: with the first of it the parser is done.
//!
//! Records are read as they come; only handshake messages are put together, up to [`crate::Limits::tls_message_bytes_max`].

mod certificate;
mod events;
pub(crate) mod hello;
mod log;
mod record;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::VecDeque;

use app::{Direction, Protocol, Stage};
use certificate::Certificate;
use hello::Hello;
use record::{Content, Records};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;
use crate::{Config, Record, Transaction};

pub(crate) use events::EVENTS;

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] = &[
    "tls.version",
    "ssl_version",
    "ssl_state",
    "tls.cert_chain_len",
    "tls_cert_notbefore",
    "tls_cert_notafter",
    "tls_cert_expired",
    "tls_cert_valid",
];

/// Certificates of one side that are kept.
const CERTIFICATES_MAX: usize = 16;
/// Records of one piece of data after which something is wrong.
const RECORDS_MAX: usize = 255;

/// Whether bytes are TLS: a handshake record, or from the server also an alert or data; SSL 2 hellos carry their version.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    let bytes = question.bytes;
    let kinds: &[u8] = match question.direction {
        Direction::ToServer => &[22],
        Direction::ToClient => &[21, 22, 23],
    };
    let record = match bytes {
        [kind, rest @ ..] if kinds.contains(kind) => match rest {
            [3, 0..=3, ..] => Probe::Certain,
            [] | [3] => Probe::Unsure,
            _ => Probe::NotForUs,
        },
        _ => Probe::NotForUs,
    };
    if record != Probe::NotForUs {
        return record;
    }
    // SSL 2: two bytes of length, the message's number, the version.
    match (question.direction, bytes) {
        (Direction::ToServer, [_, _, 1, 3, 0..=3, ..] | [_, _, 1, 0, 2, ..]) => Probe::Certain,
        (Direction::ToClient, [_, _, _, _, _, 0, 2, ..]) if bytes.starts_with(&[0x80]) => Probe::Certain,
        (_, [0x80, _, 1, ..]) if question.is_on(&question.config.ports.tls) => Probe::Certain,
        _ => Probe::NotForUs,
    }
}

/// What is known of one side.
#[derive(Default, Debug)]
struct Side {
    hello: Option<Hello>,
    /// Of the hello, or of the records before it; 0: not seen.
    version: u16,
    certificate: Option<Certificate>,
    /// DER, the side's own first.
    chain: Vec<Vec<u8>>,
    /// What it sends is encrypted from now on.
    cipher_changed: bool,
    key_exchanged: bool,
    stage: Stage,
    events: Vec<&'static str>,
}

/// What is known of the connection.
#[derive(Default, Debug)]
struct Facts {
    client: Side,
    server: Side,
    ja3: Option<String>,
    ja3s: Option<String>,
    ja4: Option<String>,
    /// When what is read came, in seconds since the epoch.
    now_s: i64,
}

impl Facts {
    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::ToServer => &self.client,
            Direction::ToClient => &self.server,
        }
    }

    fn side_mut(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::ToServer => &mut self.client,
            Direction::ToClient => &mut self.server,
        }
    }

    fn sni(&self) -> Option<&[u8]> {
        self.client.hello.as_ref()?.sni.as_deref()
    }

    /// Whether an earlier session seems to go on: the client asked for it, and the server sent no certificate.
    fn resumed(&self) -> bool {
        let (Some(client), Some(server)) = (&self.client.hello, &self.server.hello) else { return false };
        let asked = client.ticket || !client.session_id.is_empty();
        asked && self.server.certificate.is_none() && server.versions.iter().all(|&version| version < 0x0304)
    }

    fn raise(&mut self, direction: Direction, event: &'static str) {
        let events = &mut self.side_mut(direction).events;
        if !events.contains(&event) {
            events.push(event);
        }
    }

    /// A side has come so far; it never goes back.
    fn reach(&mut self, direction: Direction, stage: Stage) {
        let side = self.side_mut(direction);
        side.stage = side.stage.max(stage);
    }
}

/// The parser of one flow.
pub(crate) struct Tls {
    records: [Records; 2],
    transactions: VecDeque<TlsTransaction>,
    original: Option<Protocol>,
    logged: bool,
}

/// The connection.
#[derive(Default, Debug)]
pub(crate) struct TlsTransaction {
    facts: Facts,
}

impl Analyzer for Tls {
    type Tx = TlsTransaction;

    fn new(start: &Start<'_>) -> Self {
        Self {
            records: <[Records; 2]>::default(),
            transactions: VecDeque::from([TlsTransaction::default()]),
            original: start.original,
            logged: false,
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let Some(facts) = self.transactions.front_mut().map(|transaction| &mut transaction.facts) else {
            return Outcome::Done;
        };
        let Some(records) = self.records.get_mut(direction.index()) else { return Outcome::Failed };
        facts.reach(direction, Stage::Begun);
        let mut rest = bytes;
        let mut outcome = Outcome::Continue;
        for count in 0.. {
            if count > RECORDS_MAX {
                facts.raise(direction, events::TOO_MANY_RECORDS);
                outcome = Outcome::Failed;
                break;
            }
            let (content, after) = records.next(rest);
            rest = after;
            let Some(content) = content else { break };
            outcome = match take(facts, records, context, direction, content) {
                Step::Next => Outcome::Continue,
                Step::Encrypted => Outcome::Encrypted,
                Step::Broken(event) => {
                    facts.raise(direction, event);
                    Outcome::Failed
                }
            };
            if outcome != Outcome::Continue {
                break;
            }
        }
        if outcome == Outcome::Encrypted {
            for direction in Direction::BOTH {
                facts.reach(direction, Stage::Complete);
            }
            self.log(context);
        }
        if let Some(flush) = context.flush_raw.get_mut(direction.index()) {
            *flush = true;
        }
        outcome
    }

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        // Records have no mark to find the next by.
        Outcome::Failed
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        let mut over = true;
        if let Some(transaction) = self.transactions.front_mut() {
            transaction.facts.reach(direction, Stage::Complete);
            over = Direction::BOTH.into_iter().all(|way| transaction.stage(way) == Stage::Complete);
        }
        if let Some(records) = self.records.get_mut(direction.index()) {
            *records = Records::default();
        }
        if over {
            self.log(context);
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

impl Tls {
    /// Writes the connection's record, once.
    fn log(&mut self, context: &mut Context<'_>) {
        let Some(transaction) = self.transactions.front().filter(|_| context.log && !self.logged) else {
            return;
        };
        self.logged = true;
        let mut members = Vec::with_capacity(512);
        log::write(&mut members, &transaction.facts, self.original.map(Protocol::as_str));
        context.records.push(Record {
            event_type: "tls",
            direction: Direction::ToServer,
            tx_id: None,
            members,
        });
    }
}

/// What comes of a piece of a record.
enum Step {
    Next,
    /// Everything that is of use was seen.
    Encrypted,
    /// It cannot be read on; an event.
    Broken(&'static str),
}

fn take(
    facts: &mut Facts,
    records: &mut Records,
    context: &Context<'_>,
    direction: Direction,
    content: Content<'_>,
) -> Step {
    match content {
        Content::BadVersion => Step::Broken(events::RECORD_VERSION),
        Content::BadType => Step::Broken(events::RECORD_TYPE),
        Content::Empty => Step::Broken(events::HEADER),
        Content::Ssl2(body) => ssl2(facts, direction, body),
        Content::Begins { version } => {
            let side = facts.side_mut(direction);
            if side.hello.is_none() {
                side.version = version;
            }
            Step::Next
        }
        Content::ChangeCipher => {
            facts.side_mut(direction).cipher_changed = true;
            Step::Next
        }
        Content::Data => {
            // Early data of TLS 1.3 comes before the server has spoken.
            let early = facts
                .client
                .hello
                .as_ref()
                .is_some_and(|hello| hello.extensions.contains(&hello::extension::EARLY_DATA));
            if early && facts.server.hello.is_none() { Step::Next } else { Step::Encrypted }
        }
        Content::Heartbeat(bytes) => heartbeat(facts, direction, bytes),
        Content::Handshake(_) if facts.side(direction).cipher_changed => Step::Next,
        Content::Handshake(bytes) => {
            let message = records.message_mut();
            if message.len() + bytes.len() > context.limits.tls_message_bytes_max {
                return Step::Broken(events::HANDSHAKE_LENGTH);
            }
            message.extend_from_slice(bytes);
            let message = std::mem::take(message);
            let mut reader = Reader(&message);
            let mut step = Step::Next;
            while let Some(kind) = reader.0.first().copied() {
                let mut body = Reader(reader.0.get(1..).unwrap_or_default());
                let Some(content) = body.counted24() else { break };
                reader = body;
                facts.now_s = i64::try_from(context.time_us / 1_000_000).unwrap_or(i64::MAX);
                if let Err(event) = handshake(facts, context.config, direction, kind, content.0) {
                    step = Step::Broken(event);
                    break;
                }
            }
            records.message_mut().extend_from_slice(reader.0);
            step
        }
        Content::Other => Step::Next,
    }
}

/// Takes one handshake message; the name of an event if it cannot be read.
fn handshake(
    facts: &mut Facts,
    config: &Config,
    direction: Direction,
    kind: u8,
    body: &[u8],
) -> Result<(), &'static str> {
    match (kind, direction) {
        (1, Direction::ToServer) => {
            let hello = Hello::client(body).ok_or(events::HANDSHAKE)?;
            for (is, event) in [
                (hello.faults.sni_length, events::SNI_LENGTH),
                (hello.faults.sni_type, events::SNI_TYPE),
                (hello.faults.sni_multiple, events::SNI_MULTIPLE),
            ] {
                if is {
                    facts.raise(direction, event);
                }
            }
            if config.ja3 {
                facts.ja3 = Some(hello.ja3());
            }
            if config.ja4 {
                facts.ja4 = Some(hello.ja4('t'));
            }
            let preferred = hello.versions.iter().copied().find(|&version| is_version(version));
            facts.client.version = preferred.unwrap_or(hello.legacy_version);
            facts.client.hello = Some(hello);
            facts.reach(direction, Stage::Line);
        }
        (2, Direction::ToClient) => {
            let hello = Hello::server(body).ok_or(events::HANDSHAKE)?;
            if config.ja3 {
                facts.ja3s = Some(hello.ja3s());
            }
            facts.server.version = hello.versions.first().copied().unwrap_or(hello.legacy_version);
            facts.server.hello = Some(hello);
            facts.reach(direction, Stage::Line);
        }
        (11, _) => certificates(facts, direction, body),
        (12, Direction::ToClient) | (16, Direction::ToServer) => {
            facts.side_mut(direction).key_exchanged = true;
            facts.reach(direction, Stage::Headers);
        }
        (14, Direction::ToClient) => facts.reach(direction, Stage::Headers),
        (0 | 4 | 13 | 15 | 20 | 21 | 22 | 23 | 67, _) => {}
        _ => facts.raise(direction, events::HANDSHAKE),
    }
    Ok(())
}

fn certificates(facts: &mut Facts, direction: Direction, body: &[u8]) {
    let Some(mut list) = Reader(body).counted24() else {
        return facts.raise(direction, events::CERTIFICATE);
    };
    let seen_s = facts.now_s;
    while let Some(der) = list.counted24() {
        let side = facts.side_mut(direction);
        if side.chain.len() >= CERTIFICATES_MAX {
            break;
        }
        side.chain.push(der.0.to_vec());
        if side.chain.len() > 1 {
            continue;
        }
        match Certificate::read(der.0, seen_s) {
            Ok(certificate) => {
                let names = [
                    (certificate.subject.contains('\0'), events::CERTIFICATE_SUBJECT),
                    (certificate.issuer.contains('\0'), events::CERTIFICATE_ISSUER),
                ];
                side.certificate = Some(certificate);
                names
                    .into_iter()
                    .filter(|(bad, _)| *bad)
                    .for_each(|(_, event)| facts.raise(direction, event));
            }
            Err(event) => {
                // The reference has both: the message is invalid because the certificate is.
                facts.raise(direction, events::HANDSHAKE);
                facts.raise(direction, event);
            }
        }
    }
    if !list.is_empty() {
        facts.raise(direction, events::CERTIFICATE);
    }
    facts.reach(direction, Stage::Headers);
}

/// An SSL 2 message: its number, and of a hello the version.
fn ssl2(facts: &mut Facts, direction: Direction, body: &[u8]) -> Step {
    match (direction, body) {
        (Direction::ToServer, [1, high, low, ..]) => {
            facts.client.version = u16::from_be_bytes([*high, *low]);
            facts.reach(direction, Stage::Line);
            Step::Next
        }
        (Direction::ToClient, [4, _, _, high, low, ..]) => {
            facts.server.version = u16::from_be_bytes([*high, *low]);
            facts.reach(direction, Stage::Line);
            Step::Next
        }
        (_, [0..=8, ..]) => Step::Encrypted,
        _ => Step::Broken(events::SSLV2_HEADER),
    }
}

/// A heartbeat (RFC 6520): one that says it carries more than it does asks the other side for its memory.
fn heartbeat(facts: &mut Facts, direction: Direction, bytes: &[u8]) -> Step {
    let encrypted = facts.side(direction).cipher_changed;
    if encrypted {
        return Step::Next;
    }
    facts.raise(direction, events::HEARTBEAT);
    match bytes {
        [1 | 2, high, low, rest @ ..] => {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            // 16 bytes of padding follow what is carried.
            if len + 16 > rest.len() {
                let event = if direction == Direction::ToServer {
                    events::HEARTBEAT_OVERFLOW
                } else {
                    events::HEARTBEAT_LEAK
                };
                facts.raise(direction, event);
            }
        }
        _ => facts.raise(direction, events::HEARTBEAT_INVALID),
    }
    Step::Next
}

/// Whether a number is a version of TLS, and not one that keeps servers tolerant.
const fn is_version(version: u16) -> bool {
    matches!(version, 0x0300..=0x0304 | 0x7f00..=0x7fff | 0xfb00..=0xfbff)
}
