//! QUIC (RFC 9000, RFC 9001, RFC 9369, drafts from 23 on) and Google's QUIC before it.
//!
//! In: datagrams. Out: a transaction for each packet that has a version, until its sender's hello was seen: from then on
//! there is nothing more to learn. Initial packets are opened and their hello read.

mod crypto;
mod frames;
mod header;
mod log;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use app::{Buffer, Direction, Stage};
use crypto::Keys;
use frames::{Chlo, Crypto, Found, FrameError};
use header::{Header, Kind};

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::tls::hello::{Hello, md5_hex};
use crate::{Events, Record, Transaction, View};

const FAILED_DECRYPT: &str = "quic.failed_decrypt";
const ERROR_ON_DATA: &str = "quic.error_on_data";
const CRYPTO_TOO_LONG: &str = "quic.crypto_frag_too_long";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[FAILED_DECRYPT, ERROR_ON_DATA, CRYPTO_TOO_LONG];

/// Packets of one datagram that are read.
const COALESCED_MAX: usize = 16;

/// Whether a datagram is QUIC: on its ports, all that can be read as a packet's header, as in the reference.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if question.is_on(&question.config.ports.quic) && Header::read(question.bytes).is_some() {
        Probe::Certain
    } else {
        Probe::NotForUs
    }
}

/// The parser of one flow.
pub(crate) struct Quic {
    transactions: VecDeque<QuicTransaction>,
    next_id: u64,
    keys: Option<Keys>,
    crypto: [Crypto; 2],
    /// Whether the hellos of client and server were read.
    hellos: [bool; 2],
}

/// A packet.
#[derive(Default, Debug)]
pub(crate) struct QuicTransaction {
    id: u64,
    from_client: bool,
    version: String,
    sni: Option<Vec<u8>>,
    user_agent: Option<Vec<u8>>,
    cyu: Option<String>,
    ja3: Option<String>,
    ja4: Option<String>,
    hello: Option<Hello>,
    events: Vec<&'static str>,
}

impl Analyzer for Quic {
    type Tx = QuicTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self {
            transactions: VecDeque::new(),
            next_id: 0,
            keys: None,
            crypto: <[Crypto; 2]>::default(),
            hellos: [false; 2],
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut rest = bytes;
        for _ in 0..COALESCED_MAX {
            let Some(header) = Header::read(rest) else { break };
            if header.kind == Kind::Short || self.hellos.get(direction.index()) == Some(&true) {
                break;
            }
            self.packet(context, direction, rest, &header);
            rest = rest.get(header.end..).unwrap_or_default();
        }
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, _: Direction, _: u64) -> Outcome {
        Outcome::Continue
    }

    fn close(&mut self, _: &mut Context<'_>, direction: Direction) {
        if let Some(crypto) = self.crypto.get_mut(direction.index()) {
            crypto.clear();
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

impl Quic {
    fn packet(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8], header: &Header<'_>) {
        let from_client = direction == Direction::ToServer;
        let mut transaction = QuicTransaction {
            id: self.next_id,
            from_client,
            version: log::version(header.version),
            ..QuicTransaction::default()
        };
        self.next_id += 1;
        match header.kind {
            Kind::Initial if crypto::is_known(header.version) => {
                match self.open(from_client, bytes, header) {
                    Some(frames) => {
                        self.frames(context, direction, (header.version, &frames), &mut transaction);
                    }
                    None => transaction.events.push(FAILED_DECRYPT),
                }
            }
            Kind::Plain => {
                if crypto::is_known(header.version) {
                    transaction.events.push(FAILED_DECRYPT);
                } else if matches!(header.version, header::Q039 | header::Q043 | header::Q046) {
                    let chlo = bytes.get(header.number_at..).filter(|_| from_client).and_then(Chlo::find);
                    if let Some(chlo) = chlo {
                        transaction.take_chlo(chlo, header.version);
                    }
                }
            }
            // A new connection begins, with keys of its own.
            Kind::Retry => {
                self.keys = None;
                self.hellos = [false; 2];
            }
            _ => {}
        }
        if context.log {
            let mut members = Vec::with_capacity(256);
            log::write(&mut members, &transaction);
            context.records.push(Record { event_type: "quic", direction, tx_id: None, members });
        }
        if let Some(flush) = context.flush_raw.get_mut(direction.index()) {
            *flush = true;
        }
        if self.transactions.len() >= context.limits.transactions_max {
            self.transactions.pop_front();
        }
        self.transactions.push_back(transaction);
    }

    /// Opens an Initial packet, with the connection's keys or, if the client begins anew, with those it begins with.
    fn open(&mut self, from_client: bool, bytes: &[u8], header: &Header<'_>) -> Option<Vec<u8>> {
        if let Some(frames) = self.keys.as_ref().and_then(|keys| keys.open(from_client, bytes, header)) {
            return Some(frames);
        }
        if !from_client {
            return None;
        }
        let keys = Keys::new(header.version, header.destination)?;
        let frames = keys.open(from_client, bytes, header)?;
        self.keys = Some(keys);
        if let Some(crypto) = self.crypto.first_mut() {
            crypto.clear();
        }
        Some(frames)
    }

    fn frames(
        &mut self,
        context: &Context<'_>,
        direction: Direction,
        (version, bytes): (u32, &[u8]),
        transaction: &mut QuicTransaction,
    ) {
        let Some(crypto) = self.crypto.get_mut(direction.index()) else { return };
        let is_google = version == header::Q050;
        let (kind, body) = match frames::read(bytes, crypto, context.limits.quic_crypto_bytes_max) {
            Ok(Found::Message(kind, body)) => (kind, body),
            Ok(Found::Chlo(chlo)) => {
                crypto.clear();
                return transaction.take_hello_of_google(chlo);
            }
            Ok(Found::Nothing) => return,
            // Frames of Google's are others; only its hello is looked for.
            Err(FrameError::Malformed) if is_google => return,
            Err(FrameError::Malformed) => return transaction.events.push(ERROR_ON_DATA),
            Err(FrameError::TooLong) => return transaction.events.push(CRYPTO_TOO_LONG),
        };
        let hello = match (kind, direction) {
            (1, Direction::ToServer) => Hello::client(&body),
            (2, Direction::ToClient) => Hello::server(&body),
            _ => return,
        };
        let Some(hello) = hello else { return transaction.events.push(ERROR_ON_DATA) };
        if let Some(seen) = self.hellos.get_mut(direction.index()) {
            *seen = true;
        }
        if direction == Direction::ToServer {
            transaction.sni.clone_from(&hello.sni);
            transaction.ja3 = Some(hello.ja3());
            transaction.ja4 = context.config.ja4.then(|| hello.ja4('q'));
        } else {
            transaction.ja3 = Some(hello.ja3s());
        }
        transaction.hello = Some(hello);
    }
}

impl QuicTransaction {
    fn take_hello_of_google(&mut self, chlo: Chlo) {
        self.sni = chlo.sni;
        self.user_agent = chlo.user_agent;
    }

    fn take_chlo(&mut self, chlo: Chlo, version: u32) {
        if matches!(version, header::Q043 | header::Q046) {
            self.cyu = Some(chlo.cyu(version));
        }
        self.take_hello_of_google(chlo);
    }

    const fn direction(&self) -> Direction {
        if self.from_client { Direction::ToServer } else { Direction::ToClient }
    }
}

impl Transaction for QuicTransaction {
    fn id(&self) -> u64 {
        self.id
    }

    fn one_way(&self) -> Option<Direction> {
        Some(self.direction())
    }

    fn stage(&self, direction: Direction) -> Stage {
        if direction == self.direction() { Stage::Complete } else { Stage::Waiting }
    }

    fn buffer<'a>(
        &'a self,
        direction: Direction,
        buffer: Buffer,
        index: usize,
        scratch: &'a mut Vec<u8>,
    ) -> Option<View<'a>> {
        if direction != self.direction() || index > 0 {
            return None;
        }
        let mut hash = |text: &str| {
            scratch.clear();
            scratch.extend_from_slice(md5_hex(text).as_bytes());
        };
        let bytes = match (buffer, direction) {
            (Buffer::QuicVersion, _) => self.version.as_bytes(),
            (Buffer::QuicSni | Buffer::TlsSni, Direction::ToServer) => self.sni.as_deref()?,
            (Buffer::QuicUa, Direction::ToServer) => self.user_agent.as_deref()?,
            (Buffer::QuicCyuString, _) => self.cyu.as_ref()?.as_bytes(),
            (Buffer::Ja3String, Direction::ToServer) | (Buffer::Ja3sString, Direction::ToClient) => {
                self.ja3.as_ref()?.as_bytes()
            }
            (Buffer::Ja4Hash, Direction::ToServer) => self.ja4.as_ref()?.as_bytes(),
            (Buffer::QuicCyuHash, _) => {
                hash(self.cyu.as_ref()?);
                scratch.as_slice()
            }
            (Buffer::Ja3Hash, Direction::ToServer) | (Buffer::Ja3sHash, Direction::ToClient) => {
                hash(self.ja3.as_ref()?);
                scratch.as_slice()
            }
            _ => return None,
        };
        Some(View::whole(bytes))
    }

    fn inspected(&mut self, _: Direction) {}

    fn number(&self, _: Direction, _: &str, _: usize) -> Option<u64> {
        None
    }

    fn events(&self, direction: Direction) -> Events<'_> {
        if direction == self.direction() { &self.events } else { &[] }
    }

    fn context(&self, members: &mut Vec<u8>) {
        log::write(members, self);
    }
}
