//! `PostgreSQL` (its protocol 3.0).
//!
//! In: a stream. Out: a transaction and a `pgsql` record for each thing that the client asks for up to what completes the
//! answer: TLS, the beginning, each step of the authentication, each simple query, the cancelling of another, the end.
//! Queries by the extended protocol (parse, bind, execute) and copied data are followed and not told of. After the server
//! has agreed to TLS the stream is TLS's.

mod message;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::VecDeque;

use app::{Direction, Protocol};
use event::json::{bytes, literal, number_after};
use message::{OF_CLIENT, OF_SERVER, Opening, Piece, Typed, opening, text, typed};
pub(crate) use transaction::PgsqlTransaction;
use transaction::{Response, entry};

use crate::Record;
use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::reader::Reader;

/// Longest message that a probe believes in, in bytes.
const PROBED_BYTES_MAX: u32 = 1 << 24;

/// Whether bytes are `PostgreSQL`: on its port, a message that the side can send.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if !question.is_on(&question.config.ports.pgsql) {
        return Probe::NotForUs;
    }
    let known = match question.direction {
        Direction::ToServer => match opening(question.bytes) {
            Piece::Whole(..) => return Probe::Certain,
            Piece::Partial if question.bytes.first() == Some(&0) => return Probe::Unsure,
            _ => OF_CLIENT,
        },
        // To a question for encryption one letter is the answer.
        Direction::ToClient if matches!(question.bytes, b"N" | b"S" | b"G") => return Probe::Certain,
        Direction::ToClient => OF_SERVER,
    };
    let mut reader = Reader(question.bytes);
    match (reader.u8(), reader.u32()) {
        (Some(kind), Some(4..PROBED_BYTES_MAX)) if known.contains(&kind) => Probe::Certain,
        (Some(kind), None) if known.contains(&kind) => Probe::Unsure,
        _ => Probe::NotForUs,
    }
}

/// What the server wants the client to prove itself with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Proof {
    /// A password, or what else is one message that says nothing to others.
    Password,
    /// The first message of SASL (RFC 4422).
    Sasl,
    /// One that follows it.
    SaslResponse,
}

/// The parser of one flow.
pub(crate) struct Pgsql {
    /// What is not whole yet.
    partial: [Vec<u8>; 2],
    /// Bytes of rows that are passed over.
    skipped: [usize; 2],
    /// The client's next message may be one that opens the connection.
    opening: bool,
    /// The client wants encryption, by TLS or not, and the answer is one letter.
    encrypting: Option<bool>,
    proof: Proof,
    transactions: VecDeque<PgsqlTransaction>,
    next: u64,
}

/// What a message led to.
enum Step {
    Next,
    /// TLS follows.
    Tls,
    /// It is none.
    Broken,
}

impl Analyzer for Pgsql {
    type Tx = PgsqlTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self {
            partial: [Vec::new(), Vec::new()],
            skipped: [0, 0],
            opening: true,
            encrypting: None,
            proof: Proof::Password,
            transactions: VecDeque::new(),
            next: 0,
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let way = direction.index();
        let skip = self.skipped.get(way).copied().unwrap_or_default().min(bytes.len());
        let fresh = bytes.get(skip..).unwrap_or_default();
        let mut partial = self.partial.get_mut(way).map(std::mem::take).unwrap_or_default();
        let before = partial.len();
        partial.extend_from_slice(fresh);
        let mut at = 0;
        while let Some(stream) = partial.get(at..).filter(|stream| !stream.is_empty()) {
            let (step, len) = match self.read(context, direction, stream) {
                Piece::Whole(step, len) => (step, len),
                Piece::Partial => break,
                Piece::No => return Outcome::Failed,
            };
            at = at.saturating_add(len);
            match step {
                Step::Next => {}
                Step::Tls => {
                    let used = at.saturating_sub(before).saturating_add(skip);
                    return Outcome::Change(Protocol::Tls, used.min(bytes.len()));
                }
                Step::Broken => return Outcome::Failed,
            }
        }
        let over = at.saturating_sub(partial.len());
        partial.drain(..at.min(partial.len()));
        if partial.len() > context.limits.message_bytes_max {
            return Outcome::Failed;
        }
        if let (Some(place), Some(skipped)) = (self.partial.get_mut(way), self.skipped.get_mut(way)) {
            *place = partial;
            *skipped = skipped.saturating_sub(skip).saturating_add(over);
        }
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, direction: Direction, len: u64) -> Outcome {
        // Where the next message begins is only known within a row.
        let skipped = self.skipped.get_mut(direction.index());
        match (skipped, usize::try_from(len)) {
            (Some(skipped), Ok(len)) if len <= *skipped => {
                *skipped -= len;
                Outcome::Continue
            }
            _ => Outcome::Failed,
        }
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        if direction == Direction::ToServer {
            return;
        }
        let open = self.transactions.iter_mut().filter(|transaction| !transaction.done);
        open.for_each(|transaction| finish(transaction, context));
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.transactions
    }
}

/// Nothing more belongs to a transaction: it is told of.
fn finish(transaction: &mut PgsqlTransaction, context: &mut Context<'_>) {
    transaction.done = true;
    if !context.log || transaction.silent {
        return;
    }
    let mut members = Vec::with_capacity(256);
    transaction.write(&mut members);
    let record = Record { event_type: "pgsql", direction: Direction::ToServer, tx_id: None, members };
    context.records.push(record);
}

impl Pgsql {
    /// Reads the message that a stream begins with.
    fn read(&mut self, context: &mut Context<'_>, direction: Direction, stream: &[u8]) -> Piece<Step> {
        if direction == Direction::ToServer {
            if self.opening {
                match opening(stream) {
                    Piece::Whole(message, len) => {
                        self.opened(context, &message);
                        return Piece::Whole(Step::Next, len);
                    }
                    Piece::Partial if stream.first() == Some(&0) => return Piece::Partial,
                    _ => self.opening = false,
                }
            }
            return match typed(stream, OF_CLIENT) {
                Piece::Whole((message, _), len) => Piece::Whole(self.asked(context, message), len),
                Piece::Partial => Piece::Partial,
                Piece::No => Piece::No,
            };
        }
        if let (Some(tls), Some(letter @ (b'S' | b'N' | b'G'))) = (self.encrypting, stream.first()) {
            self.encrypting = None;
            let accepted = *letter != b'N';
            self.answer(|response| response.ssl_accepted = Some(accepted));
            self.complete(context);
            let step = match (accepted, tls) {
                (true, true) => Step::Tls,
                (true, false) => Step::Broken,
                _ => Step::Next,
            };
            return Piece::Whole(step, 1);
        }
        match typed(stream, OF_SERVER) {
            Piece::Whole((message, body_len), len) => {
                Piece::Whole(self.answered(context, message, body_len), len)
            }
            Piece::Partial => Piece::Partial,
            Piece::No => Piece::No,
        }
    }

    fn opened(&mut self, context: &mut Context<'_>, message: &Opening<'_>) {
        let mut request = Vec::new();
        match *message {
            Opening::Encrypt { tls } => {
                self.encrypting = Some(tls);
                literal(
                    &mut request,
                    if tls { r#""message":"SSL Request""# } else { r#""message":"GSSENC Request""# },
                );
            }
            Opening::Cancel { process, secret } => {
                self.opening = false;
                number_after(&mut request, r#""message":"cancel_request","process_id":"#, u64::from(process));
                number_after(&mut request, r#","secret_key":"#, u64::from(secret));
            }
            Opening::Startup(parameters) => {
                self.opening = false;
                startup(&mut request, parameters);
            }
        }
        let last = matches!(message, Opening::Cancel { .. });
        self.ask(context, request, last);
    }

    /// A request; `last`: it gets no answer.
    fn ask(&mut self, context: &mut Context<'_>, request: Vec<u8>, last: bool) {
        self.push(
            context,
            PgsqlTransaction {
                id: self.next,
                request,
                response: Response::default(),
                done: false,
                silent: false,
            },
        );
        context.flush_raw[0] = true;
        if last && let Some(transaction) = self.transactions.back_mut() {
            finish(transaction, context);
        }
    }

    fn push(&mut self, context: &mut Context<'_>, transaction: PgsqlTransaction) {
        self.next = self.next.saturating_add(1);
        if self.transactions.len() >= context.limits.transactions_max
            && let Some(mut oldest) = self.transactions.pop_front()
            && !oldest.done
        {
            finish(&mut oldest, context);
        }
        self.transactions.push_back(transaction);
    }

    /// A message of the client, after the beginning.
    fn asked(&mut self, context: &mut Context<'_>, message: Typed<'_>) -> Step {
        let mut body = Reader(message.body);
        let mut request = Vec::new();
        match message.kind {
            b'Q' => {
                let query = text(&mut body).unwrap_or(message.body);
                literal(&mut request, r#""simple_query":"#);
                bytes(&mut request, query);
            }
            b'X' => {
                literal(&mut request, r#""message":"termination_message""#);
                self.ask(context, request, true);
                return Step::Next;
            }
            b'p' => {
                if !self.proof(&mut request, body) {
                    return Step::Broken;
                }
            }
            // What ends a round of the extended protocol is answered by the server being ready.
            b'S' | b'F' => {
                let transaction = PgsqlTransaction {
                    id: self.next,
                    request,
                    response: Response::default(),
                    done: false,
                    silent: true,
                };
                self.push(context, transaction);
                return Step::Next;
            }
            _ => return Step::Next,
        }
        self.ask(context, request, false);
        Step::Next
    }

    /// What the client proves itself with; no password is told of. `false` if it is not as it must be.
    fn proof(&mut self, request: &mut Vec<u8>, mut body: Reader<'_>) -> bool {
        match self.proof {
            Proof::Password => true,
            Proof::Sasl => {
                let (Some(mechanism), Some(len)) = (text(&mut body), body.u32()) else { return false };
                literal(request, r#""sasl_authentication_mechanism":"#);
                bytes(
                    request,
                    match mechanism {
                        b"SCRAM-SHA-256" => b"scram_SHA256",
                        b"SCRAM-SHA-256-PLUS" => b"scram_SHA256_plus",
                        other => other,
                    },
                );
                // All ones: there is none.
                if let Some(parameter) = body.take(len as usize) {
                    literal(request, r#","sasl_param":"#);
                    bytes(request, parameter);
                }
                true
            }
            Proof::SaslResponse => {
                literal(request, r#""sasl_response":"#);
                bytes(request, body.0);
                true
            }
        }
    }

    /// Notes something of the answer to the oldest request that is not answered yet.
    fn answer(&mut self, note: impl FnOnce(&mut Response)) {
        if let Some(transaction) = self.transactions.iter_mut().find(|transaction| !transaction.done) {
            transaction.response.any = true;
            note(&mut transaction.response);
        }
    }

    /// That answer is complete.
    fn complete(&mut self, context: &mut Context<'_>) {
        if let Some(transaction) = self.transactions.iter_mut().find(|transaction| !transaction.done) {
            finish(transaction, context);
        }
    }

    /// A message of the server.
    fn answered(&mut self, context: &mut Context<'_>, message: Typed<'_>, body_len: u32) -> Step {
        let mut body = Reader(message.body);
        match message.kind {
            b'R' => return self.authentication(context, body),
            b'S' => {
                if let (Some(name), Some(value)) = (text(&mut body), text(&mut body)) {
                    self.answer(|response| response.parameter(message::parameter(name), value));
                }
            }
            b'K' => {
                let (Some(process), Some(secret)) = (body.u32(), body.u32()) else { return Step::Broken };
                self.answer(|response| response.key = Some((process, secret)));
            }
            b'T' => {
                let Some(count) = body.u16() else { return Step::Broken };
                self.answer(|response| response.field_count = Some(count));
            }
            b'D' => {
                let Some(columns) = body.u16() else { return Step::Broken };
                // Each column has a length before it.
                let size = u64::from(body_len).saturating_sub(2 + 4 * u64::from(columns));
                self.answer(|response| {
                    response.data_rows = response.data_rows.saturating_add(1);
                    response.data_size = response.data_size.saturating_add(size);
                });
            }
            b'C' => {
                let command = text(&mut body).unwrap_or(message.body);
                self.answer(|response| response.completed = Some(command.to_vec()));
            }
            b'E' => {
                let mut fields = Vec::new();
                while let Some(letter) = body.u8().filter(|letter| *letter != 0) {
                    let Some(value) = text(&mut body) else { break };
                    if fields.iter().all(|(other, _)| *other != letter) {
                        fields.push((letter, value.to_vec()));
                    }
                }
                self.answer(|response| response.error = fields);
            }
            b'Z' => self.complete(context),
            _ => {}
        }
        Step::Next
    }

    /// What the server says of the client's proof; a question for more completes the answer.
    fn authentication(&mut self, context: &mut Context<'_>, mut body: Reader<'_>) -> Step {
        let Some(kind) = body.u32() else { return Step::Broken };
        let (message, proof) = match kind {
            0 => ("authentication_ok", None),
            2 => ("authentication_kerb5", Some(Proof::Password)),
            3 => ("authentication_cleartext_password", Some(Proof::Password)),
            5 => {
                let Some(salt) = body.take(4) else { return Step::Broken };
                self.answer(|response| response.salt = Some(salt.to_vec()));
                self.proof = Proof::Password;
                self.complete(context);
                return Step::Next;
            }
            6 => ("authentication_scm_credential", Some(Proof::Password)),
            7 => ("authentication_gss", Some(Proof::Password)),
            8 => ("authentication_gss_continue", Some(Proof::Password)),
            9 => ("authentication_sspi", Some(Proof::Password)),
            10 => ("authentication_sasl", Some(Proof::Sasl)),
            11 => ("authentication_sasl_continue", Some(Proof::SaslResponse)),
            12 => {
                self.answer(|response| response.sasl_final = Some(body.0.to_vec()));
                return Step::Next;
            }
            _ => return Step::Broken,
        };
        self.answer(|response| response.message = Some(message));
        if let Some(proof) = proof {
            self.proof = proof;
            self.complete(context);
        }
        Step::Next
    }
}

/// Appends what a client begins with.
fn startup(to: &mut Vec<u8>, parameters: &[u8]) {
    let mut reader = Reader(parameters);
    let (mut user, mut others) = (None, Vec::new());
    while let Some(name) = text(&mut reader).filter(|name| !name.is_empty()) {
        let Some(value) = text(&mut reader) else { break };
        if name == b"user" {
            user = Some(value);
        } else {
            entry(&mut others, message::parameter(name), value);
        }
    }
    literal(to, r#""protocol_version":"3.0","startup_parameters":{"#);
    if let Some(user) = user {
        literal(to, r#""user":"#);
        bytes(to, user);
    }
    if !others.is_empty() {
        literal(
            to,
            if user.is_some() { r#","optional_parameters":["# } else { r#""optional_parameters":["# },
        );
        to.extend_from_slice(&others);
        to.push(b']');
    }
    to.push(b'}');
}
