//! HTTP/1 (RFC 9112) and 0.9, read as loosely as clients and servers do, so that nothing slips through that they
//! understand: the behaviour is libhtp's with its personality `IDS`.
//!
//! In: both streams of a flow. Out: transactions, each a request with its response, with the `http.*` buffers, bodies
//! decoded ([`encoding`]) and uploads taken apart ([`multipart`]); EVE records `http` and `fileinfo`; a wish to go on as
//! another protocol after `CONNECT` or `Upgrade`. Heads are kept as sent, with spans over them, so that a transaction
//! costs few allocations; bodies beyond their limit cost nothing but counting.

mod body;
mod encoding;
mod eve;
pub(crate) mod events;
mod limits;
mod message;
mod multipart;
mod request;
mod response;
#[cfg(test)]
mod tests;
mod transaction;
mod uri;

pub(crate) use eve::parse_content_range;
pub use limits::HttpLimits;
pub(crate) use transaction::Http1Transaction;

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::{Record, Transaction};
use app::{Direction, Protocol, Stage};
use request::RequestState;
use response::ResponseState;
use std::collections::VecDeque;

/// How many oddities of one flow are put up with.
const WARNING_LIMIT: u32 = 512;

/// The parser of one flow.
#[derive(Debug)]
pub(crate) struct Http1 {
    transactions: VecDeque<Http1Transaction>,
    /// Number of the transaction that the next request without one gets.
    next_id: u64,
    request_id: u64,
    response_id: u64,
    request: RequestState,
    response: ResponseState,
    /// The beginning of a line that was read ahead; at most the field limit.
    request_buffer: Vec<u8>,
    response_buffer: Vec<u8>,
    /// The response's last byte was a carriage return that may end a line.
    response_cr: bool,
    warnings: u32,
    /// What follows, once it is no longer HTTP/1.
    change: Option<Change>,
}

/// What a flow goes on as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Change {
    /// Something that nobody here reads.
    Opaque,
    /// From this many bytes before the end of what was given, anything.
    Anything(usize),
    /// From this many bytes before the end of what was given, that protocol.
    To(Protocol, usize),
}

impl Http1 {
    fn position(&self, id: u64) -> Option<usize> {
        let first = self.transactions.front()?.id();
        let guess = usize::try_from(id.checked_sub(first)?).ok()?;
        if self.transactions.get(guess).is_some_and(|transaction| transaction.id() == id) {
            return Some(guess);
        }
        self.transactions.binary_search_by_key(&id, Transaction::id).ok()
    }

    fn request_tx(&mut self) -> Option<&mut Http1Transaction> {
        let position = self.position(self.request_id)?;
        self.transactions.get_mut(position)
    }

    fn response_tx(&mut self) -> Option<&mut Http1Transaction> {
        let position = self.position(self.response_id)?;
        self.transactions.get_mut(position)
    }

    /// Makes sure that transaction `id` is there; `false` if there are too many.
    fn open_transaction(&mut self, context: &Context<'_>, id: u64) -> bool {
        if id >= self.next_id {
            if self.transactions.len() >= context.limits.http.transactions {
                return false;
            }
            self.transactions.push_back(Http1Transaction::new(id, &context.limits.http));
            self.next_id = id + 1;
        }
        self.position(id).is_some()
    }

    /// Whether the flow is so odd that it is given up; then it is.
    fn too_many_warnings(&mut self) -> bool {
        if self.warnings <= WARNING_LIMIT {
            return false;
        }
        if let Some(transaction) = self.transactions.back_mut() {
            transaction.raise(events::TOO_MANY_WARNINGS);
        }
        self.request = RequestState::Failed;
        self.response = ResponseState::Failed;
        true
    }

    /// The answer to a `CONNECT` has come.
    fn connect_answered(&mut self, context: &mut Context<'_>, accepted: bool) {
        if self.request != RequestState::WaitForAnswer {
            return;
        }
        self.request = RequestState::Finalize;
        let held = std::mem::take(&mut self.request_buffer);
        let id = self.request_id;
        self.request_complete(context);
        if accepted {
            // What comes next belongs to the tunnel.
            self.request_id = id;
            self.request = RequestState::Probe;
        }
        if !held.is_empty() {
            self.request_data(context, &held, false);
        }
    }

    /// The last `left` bytes given, and all that follows, lie in a tunnel.
    fn tunnel(&mut self, left: usize) {
        self.request = RequestState::Tunnel;
        self.response = ResponseState::Tunnel;
        self.change = Some(Change::Anything(left));
    }

    /// `101 Switching Protocols`: `left` bytes behind it are of the new protocol.
    fn switch_protocol(&mut self, context: &mut Context<'_>, http2: bool, left: usize) {
        self.response_complete(context);
        self.response = ResponseState::Tunnel;
        self.request = RequestState::Tunnel;
        self.change = Some(if http2 { Change::To(Protocol::Http2, left) } else { Change::Opaque });
    }

    /// Writes the records of files that have ended.
    fn log_files(&mut self, context: &mut Context<'_>, direction: Direction) {
        if !context.log {
            return;
        }
        let id = if direction == Direction::ToServer { self.request_id } else { self.response_id };
        let Some(transaction) = self.position(id).and_then(|at| self.transactions.get_mut(at)) else {
            return;
        };
        transaction.log_files(direction, context.records);
    }

    /// Writes the record of a transaction that is complete.
    fn log_transaction(&mut self, context: &mut Context<'_>, id: u64) {
        let Some(transaction) = self.position(id).and_then(|at| self.transactions.get_mut(at)) else {
            return;
        };
        if !transaction.is_complete() || std::mem::replace(&mut transaction.logged, true) || !context.log {
            return;
        }
        let mut members = Vec::with_capacity(384);
        transaction.write_context(&mut members);
        context.records.push(Record {
            event_type: "http",
            direction: Direction::ToServer,
            tx_id: Some(id),
            members,
        });
    }

    fn outcome(&mut self, context: &mut Context<'_>, direction: Direction, len: usize) -> Outcome {
        if let Some(change) = self.change.take() {
            return match change {
                Change::Opaque => Outcome::Done,
                Change::Anything(left) => Outcome::Detect(len.saturating_sub(left)),
                Change::To(protocol, left) => Outcome::Change(protocol, len.saturating_sub(left)),
            };
        }
        let failed = match direction {
            Direction::ToServer => self.request == RequestState::Failed,
            Direction::ToClient => self.response == ResponseState::Failed,
        };
        if !failed {
            return Outcome::Continue;
        }
        for direction in Direction::BOTH {
            self.end(context, direction);
        }
        Outcome::Failed
    }

    /// `len` bytes from the client were never seen. Where they are not of a body of known length, the reading goes on
    /// behind them as if they had not been sent: the next line that makes sense is found soon enough.
    fn request_gap(&mut self, context: &mut Context<'_>, len: u64) {
        match self.request {
            RequestState::Body(left) => {
                if let Some(transaction) = self.request_tx() {
                    transaction.request.skip_body(len.min(left));
                }
                self.request =
                    if len < left { RequestState::Body(left - len) } else { RequestState::Finalize };
            }
            RequestState::Finalize => self.request_complete(context),
            _ => {}
        }
    }

    /// As [`Http1::request_gap`], for bytes from the server.
    fn response_gap(&mut self, context: &mut Context<'_>, len: u64) {
        let (skipped, next) = match self.response {
            ResponseState::Body(left) if len < left => (len, ResponseState::Body(left - len)),
            ResponseState::Body(left) => (left, ResponseState::Finalize),
            ResponseState::BodyToEnd => (len, ResponseState::BodyToEnd),
            ResponseState::Finalize => return self.response_complete(context),
            _ => return,
        };
        if let Some(transaction) = self.response_tx() {
            transaction.response.skip_body(skipped);
        }
        self.response = next;
    }

    /// Nothing more is read this way: every message is as complete as it will be.
    fn end(&mut self, context: &mut Context<'_>, direction: Direction) {
        let ids: Vec<u64> = self.transactions.iter().map(Transaction::id).collect();
        for id in ids {
            let Some(transaction) = self.position(id).and_then(|at| self.transactions.get_mut(at)) else {
                continue;
            };
            let message = transaction.message_mut(direction);
            if message.stage == Stage::Complete {
                continue;
            }
            message.body.close();
            message.files.truncate();
            message.decoder = None;
            message.stage = Stage::Complete;
            if context.log {
                transaction.log_files(direction, context.records);
            }
            self.log_transaction(context, id);
        }
    }
}

impl Analyzer for Http1 {
    type Tx = Http1Transaction;

    fn new(_start: &Start<'_>) -> Self {
        Self {
            transactions: VecDeque::new(),
            next_id: 0,
            request_id: 0,
            response_id: 0,
            request: RequestState::Idle,
            response: ResponseState::Idle,
            request_buffer: Vec::new(),
            response_buffer: Vec::new(),
            response_cr: false,
            warnings: 0,
            change: None,
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        match direction {
            Direction::ToServer => self.request_data(context, bytes, false),
            Direction::ToClient
                if self.request == RequestState::Probe && self.response == ResponseState::Idle =>
            {
                // The server speaks first in the tunnel.
                self.tunnel(bytes.len());
            }
            Direction::ToClient => self.response_data(context, bytes, false),
        }
        self.outcome(context, direction, bytes.len())
    }

    fn gap(&mut self, context: &mut Context<'_>, direction: Direction, len: u64) -> Outcome {
        match direction {
            Direction::ToServer => self.request_gap(context, len),
            Direction::ToClient => self.response_gap(context, len),
        }
        self.outcome(context, direction, 0)
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        match direction {
            Direction::ToServer => self.request_data(context, &[], true),
            Direction::ToClient => self.response_data(context, &[], true),
        }
        self.end(context, direction);
    }

    fn transactions(&mut self) -> &mut VecDeque<Http1Transaction> {
        &mut self.transactions
    }
}

/// Methods that begin a flow of HTTP for certain.
const METHODS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"HEAD ",
    b"PUT ",
    b"DELETE ",
    b"OPTIONS ",
    b"CONNECT ",
    b"TRACE ",
    b"PATCH ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"LOCK ",
    b"UNLOCK ",
    b"VERSION-CONTROL ",
    b"CHECKOUT ",
    b"UNCHECKOUT ",
    b"CHECKIN ",
    b"UPDATE ",
    b"LABEL ",
    b"REPORT ",
    b"MKWORKSPACE ",
    b"MKACTIVITY ",
    b"BASELINE-CONTROL ",
    b"MERGE ",
    b"GET\t",
    b"POST\t",
    b"HEAD\t",
];

/// Looks for a method or a status line. Whoever sends a status line is the server.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    match question.direction {
        Direction::ToServer if is_status_line(question.bytes) == Probe::Certain => Probe::Reversed,
        Direction::ToServer => begins_with_method(question.bytes),
        Direction::ToClient if begins_with_method(question.bytes) == Probe::Certain => Probe::Reversed,
        Direction::ToClient => is_status_line(question.bytes),
    }
}

fn begins_with_method(bytes: &[u8]) -> Probe {
    // Lines before the request line, and spaces, are skipped as servers skip them.
    let start = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count().min(8);
    let bytes = bytes.get(start..).unwrap_or_default();
    let mut answer = Probe::NotForUs;
    for method in METHODS {
        if bytes.starts_with(method) {
            return Probe::Certain;
        }
        if method.starts_with(bytes) {
            answer = Probe::Unsure;
        }
    }
    answer
}

fn is_status_line(bytes: &[u8]) -> Probe {
    const START: &[u8] = b"HTTP/";
    let len = bytes.len().min(START.len());
    match bytes.get(..len).zip(START.get(..len)).is_some_and(|(is, wanted)| is.eq_ignore_ascii_case(wanted)) {
        true if len == START.len() => Probe::Certain,
        true => Probe::Unsure,
        false => Probe::NotForUs,
    }
}
