//! HTTP/2 (RFC 9113).
//!
//! In: both streams of a connection. Out: a transaction per stream, and one per frame that concerns the connection as
//! a whole, with the `http.*` buffers filled from pseudo headers and headers, data frames as files (decoded), EVE
//! records `http` and `fileinfo`. Data frames are passed through as they come; of other frames at most
//! [`FRAME_LIMIT`] bytes are kept, of a header block what the limits allow.

mod eve;
pub(crate) mod events;
mod hpack;
mod tables;
#[cfg(test)]
mod tests;
mod transaction;

pub(crate) use transaction::Http2Transaction;

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use crate::detect::{Probe, Question};
use crate::files::decompress::{Decompressor, Encoding};
use crate::http1::parse_content_range;
use crate::{Record, Transaction};
use app::{Direction, Stage};
use hpack::{Broken, Decoder};
use std::collections::VecDeque;

/// Numeric keywords that this parser answers.
pub(crate) const NUMBERS: &[&str] = &[
    "http2.frametype",
    "http2.errorcode",
    "http2.priority",
    "http2.window",
    "http2.size_update",
    "http2.settings.header_table_size",
    "http2.settings.enable_push",
    "http2.settings.max_concurrent_streams",
    "http2.settings.initial_window_size",
    "http2.settings.max_frame_size",
    "http2.settings.max_header_list_size",
];

/// What a client begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// How much is kept of a frame that is not data, in bytes.
const FRAME_LIMIT: usize = 16_384;
/// Most settings of one frame that are kept.
const SETTINGS_KEPT: usize = 64;
/// Most header fields of one direction of a stream that are kept.
const FIELDS_KEPT: usize = 1_024;

mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const PRIORITY: u8 = 2;
    pub(super) const RESET: u8 = 3;
    pub(super) const SETTINGS: u8 = 4;
    pub(super) const PUSH_PROMISE: u8 = 5;
    pub(super) const PING: u8 = 6;
    pub(super) const GO_AWAY: u8 = 7;
    pub(super) const WINDOW_UPDATE: u8 = 8;
    pub(super) const CONTINUATION: u8 = 9;
}

/// Flags of frames.
mod flag {
    pub(super) const ACK: u8 = 1;
    pub(super) const END_STREAM: u8 = 1;
    pub(super) const END_HEADERS: u8 = 4;
    pub(super) const PADDED: u8 = 8;
    pub(super) const PRIORITY: u8 = 32;
}

/// A frame's header.
#[derive(Clone, Copy, Default, Debug)]
struct Frame {
    len: usize,
    kind: u8,
    flags: u8,
    stream: u32,
}

impl Frame {
    fn read(bytes: [u8; 9]) -> (Self, bool) {
        let [l0, l1, l2, kind, flags, stream @ ..] = bytes;
        let stream = u32::from_be_bytes(stream);
        let len = usize::from(l0) << 16 | usize::from(l1) << 8 | usize::from(l2);
        (Self { len, kind, flags, stream: stream & 0x7fff_ffff }, stream >> 31 == 1)
    }

    const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }
}

/// A frame that is being received.
#[derive(Clone, Copy, Debug)]
struct Open {
    frame: Frame,
    /// Bytes of it that are missing.
    left: usize,
    /// Padding at its end; only of data frames whose first byte has come.
    padding: Option<usize>,
}

/// One direction of the connection.
#[derive(Debug)]
struct Way {
    decoder: Decoder,
    /// A frame header, or the contents of a frame that is not data.
    buffer: Vec<u8>,
    open: Option<Open>,
    /// The header block that is being put together, and its stream.
    block: Vec<u8>,
    block_stream: u32,
    block_ends_stream: bool,
    /// The preface was read, or none is to come.
    begun: bool,
}

impl Way {
    fn new(cap: usize, begun: bool) -> Self {
        Self {
            decoder: Decoder::new(cap),
            buffer: Vec::new(),
            open: None,
            block: Vec::new(),
            block_stream: 0,
            block_ends_stream: false,
            begun,
        }
    }
}

/// The parser of one connection.
#[derive(Debug)]
pub(crate) struct Http2 {
    transactions: VecDeque<Http2Transaction>,
    next_id: u64,
    ways: [Way; 2],
    failed: bool,
}

/// Looks for the client's preface, or the server's settings.
pub(crate) fn probe(question: &Question<'_>) -> Probe {
    if question.direction == Direction::ToServer {
        return question.begins_with(PREFACE);
    }
    let Some(header) = question.bytes.first_chunk::<9>() else {
        let plausible = question.bytes.first() == Some(&0)
            && question.bytes.get(3).is_none_or(|&kind| kind == kind::SETTINGS);
        return if plausible { Probe::Unsure } else { Probe::NotForUs };
    };
    let (frame, reserved) = Frame::read(*header);
    let is_settings = frame.kind == kind::SETTINGS
        && !reserved
        && frame.stream == 0
        && frame.flags & !flag::ACK == 0
        && frame.len <= FRAME_LIMIT
        && frame.len.is_multiple_of(6);
    if is_settings { Probe::Certain } else { Probe::NotForUs }
}

impl Http2 {
    fn way(&mut self, direction: Direction) -> &mut Way {
        let [to_server, to_client] = &mut self.ways;
        if direction == Direction::ToServer { to_server } else { to_client }
    }

    fn find(&mut self, stream: u32) -> Option<&mut Http2Transaction> {
        self.transactions
            .iter_mut()
            .rev()
            .find(|transaction| transaction.stream == stream && transaction.alone.is_none())
    }

    /// The transaction that a frame belongs to.
    fn transaction_of(
        &mut self,
        context: &Context<'_>,
        direction: Direction,
        frame: Frame,
    ) -> Option<&mut Http2Transaction> {
        if frame.stream == 0 || self.find(frame.stream).is_none() {
            if self.transactions.len() >= context.limits.http.transactions {
                if let Some(last) = self.transactions.back_mut() {
                    last.raise(direction, events::TOO_MANY_STREAMS);
                }
                return None;
            }
            let alone = (frame.stream == 0).then_some(direction);
            let id = self.next_id;
            self.next_id += 1;
            self.transactions.push_back(Http2Transaction::new(id, frame.stream, alone));
            return self.transactions.back_mut();
        }
        self.find(frame.stream)
    }

    fn raise_last(&mut self, context: &Context<'_>, direction: Direction, frame: Frame, event: &'static str) {
        if let Some(transaction) = self.transaction_of(context, direction, frame) {
            transaction.raise(direction, event);
            if transaction.alone.is_some() {
                transaction.advance(direction, Stage::Complete);
            }
        }
    }

    /// Takes the preface; `false` if there is none.
    fn take_preface(&mut self, context: &Context<'_>, rest: &mut &[u8]) -> bool {
        let way = self.way(Direction::ToServer);
        let wanted = PREFACE.len() - way.buffer.len();
        let taken = wanted.min(rest.len());
        way.buffer.extend_from_slice(rest.get(..taken).unwrap_or_default());
        *rest = rest.get(taken..).unwrap_or_default();
        if !PREFACE.starts_with(&way.buffer) {
            way.begun = true;
            way.buffer.clear();
            self.raise_last(context, Direction::ToServer, Frame::default(), events::CLIENT_MAGIC);
            return false;
        }
        if way.buffer.len() == PREFACE.len() {
            way.begun = true;
            way.buffer.clear();
        }
        true
    }

    /// Takes bytes of `rest`; `false` if it wants more.
    fn step(&mut self, context: &mut Context<'_>, direction: Direction, rest: &mut &[u8]) -> bool {
        if rest.is_empty() {
            return false;
        }
        if direction == Direction::ToServer && !self.way(direction).begun {
            if !self.take_preface(context, rest) {
                self.failed = true;
            }
            return !self.failed;
        }
        let way = self.way(direction);
        let Some(mut open) = way.open else {
            let taken = (9 - way.buffer.len().min(9)).min(rest.len());
            way.buffer.extend_from_slice(rest.get(..taken).unwrap_or_default());
            *rest = rest.get(taken..).unwrap_or_default();
            let Some(&header) = way.buffer.first_chunk::<9>() else { return false };
            way.buffer.clear();
            let (frame, reserved) = Frame::read(header);
            if reserved || frame.kind > kind::CONTINUATION {
                self.raise_last(context, direction, frame, events::FRAME_HEADER);
                // A frame of unknown kind is skipped, as peers skip it; a reserved bit is not HTTP/2.
                if reserved {
                    self.failed = true;
                    return false;
                }
            }
            let open = Open { frame, left: frame.len, padding: None };
            self.way(direction).open = Some(open);
            self.frame_begins(context, direction, frame);
            if frame.len == 0 {
                self.frame_ends(context, direction, frame);
            }
            return true;
        };
        let taken = open.left.min(rest.len());
        let (piece, after) = rest.split_at(taken);
        *rest = after;
        open.left -= taken;
        if open.frame.kind == kind::DATA {
            let mut piece = piece;
            if open.frame.has(flag::PADDED) && open.padding.is_none() {
                open.padding = piece.first().map(|&len| usize::from(len));
                piece = piece.get(1..).unwrap_or_default();
            }
            let padding = open.padding.unwrap_or(0).saturating_sub(open.left).min(piece.len());
            let data = piece.get(..piece.len() - padding).unwrap_or_default();
            way.open = Some(open);
            self.stream_data(context, direction, open.frame.stream, data);
        } else {
            let room = FRAME_LIMIT.saturating_sub(way.buffer.len());
            way.buffer.extend_from_slice(piece.get(..room.min(piece.len())).unwrap_or_default());
            way.open = Some(open);
        }
        if open.left == 0 {
            self.frame_ends(context, direction, open.frame);
        }
        true
    }

    fn frame_begins(&mut self, context: &Context<'_>, direction: Direction, frame: Frame) {
        if frame.kind != kind::DATA && frame.len > FRAME_LIMIT {
            self.raise_last(context, direction, frame, events::LONG_FRAME);
        }
    }

    /// The body's next bytes.
    fn stream_data(&mut self, context: &mut Context<'_>, direction: Direction, stream: u32, bytes: &[u8]) {
        let limits = context.limits;
        let Some(transaction) = self.find(stream) else { return };
        transaction.advance(direction, Stage::Body);
        if !transaction.side(direction).has_body {
            begin_body(transaction, direction, limits);
        }
        let side = transaction.side_mut(direction);
        let mut broken = false;
        if let Some(decoder) = &mut side.decoder {
            let files = &mut side.files;
            broken = decoder
                .push(bytes, &mut |piece| {
                    files.append(piece);
                    true
                })
                .is_err();
        } else {
            side.files.append(bytes);
        }
        if broken {
            transaction.raise(direction, events::DECOMPRESSION);
        }
    }

    fn frame_ends(&mut self, context: &mut Context<'_>, direction: Direction, frame: Frame) {
        let way = self.way(direction);
        way.open = None;
        let contents = std::mem::take(&mut way.buffer);
        self.frame(context, direction, frame, &contents);
        // The allocation is kept for the next frame.
        let way = self.way(direction);
        way.buffer = contents;
        way.buffer.clear();
    }

    /// A frame is whole; data frames without their data.
    fn frame(&mut self, context: &mut Context<'_>, direction: Direction, frame: Frame, contents: &[u8]) {
        if frame.kind == kind::SETTINGS && frame.has(flag::ACK) {
            return;
        }
        if frame.kind > kind::CONTINUATION {
            return;
        }
        let Some(transaction) = self.transaction_of(context, direction, frame) else { return };
        transaction.note_frame(direction, frame.kind);
        match frame.kind {
            kind::HEADERS | kind::PUSH_PROMISE => {
                if transaction.is_complete() {
                    transaction.raise(direction, events::STREAM_REUSE);
                }
                let mut block = contents;
                let mut padding = 0;
                if frame.has(flag::PADDED) {
                    padding = block.first().copied().map_or(0, usize::from);
                    block = block.get(1..).unwrap_or_default();
                }
                if frame.kind == kind::PUSH_PROMISE {
                    block = block.get(4..).unwrap_or_default();
                } else if frame.has(flag::PRIORITY) {
                    transaction.side_mut(direction).priority = block.get(4).copied();
                    block = block.get(5..).unwrap_or_default();
                }
                if padding > block.len() {
                    transaction.raise(direction, events::FRAME_DATA);
                    return;
                }
                let block = block.get(..block.len() - padding).unwrap_or_default();
                let ends = frame.kind == kind::HEADERS && frame.has(flag::END_STREAM);
                let way = self.way(direction);
                way.block.clear();
                way.block_stream = frame.stream;
                way.block_ends_stream = ends;
                self.header_block(context, direction, frame, block);
            }
            kind::CONTINUATION => {
                if self.way(direction).block_stream == frame.stream {
                    self.header_block(context, direction, frame, contents);
                } else {
                    self.raise_last(context, direction, frame, events::FRAME_DATA);
                }
            }
            kind::DATA if frame.has(flag::END_STREAM) => self.end_stream(context, direction, frame.stream),
            kind::PRIORITY => match contents.get(4) {
                Some(&weight) if contents.len() == 5 => {
                    transaction.side_mut(direction).priority = Some(weight);
                }
                _ => transaction.raise(direction, events::FRAME_LENGTH),
            },
            kind::RESET => {
                match contents.first_chunk::<4>() {
                    Some(code) if contents.len() == 4 => {
                        transaction.side_mut(direction).error = Some(u32::from_be_bytes(*code));
                    }
                    _ => transaction.raise(direction, events::FRAME_LENGTH),
                }
                for direction in Direction::BOTH {
                    self.end_stream(context, direction, frame.stream);
                }
            }
            kind::SETTINGS => {
                if !contents.len().is_multiple_of(6) {
                    transaction.raise(direction, events::FRAME_LENGTH);
                }
                let mut settings = Vec::new();
                for setting in contents.chunks_exact(6).take(SETTINGS_KEPT) {
                    if let [i0, i1, value @ ..] = setting
                        && let Some(value) = value.first_chunk::<4>()
                    {
                        settings.push((u16::from_be_bytes([*i0, *i1]), u32::from_be_bytes(*value)));
                    }
                }
                transaction.side_mut(direction).settings = settings;
            }
            kind::GO_AWAY => match contents.get(4..).and_then(|rest| rest.first_chunk::<4>()) {
                Some(code) => transaction.side_mut(direction).error = Some(u32::from_be_bytes(*code)),
                None => transaction.raise(direction, events::FRAME_LENGTH),
            },
            kind::WINDOW_UPDATE => match contents.first_chunk::<4>() {
                Some(window) if contents.len() == 4 => {
                    transaction.side_mut(direction).window = Some(u32::from_be_bytes(*window) & 0x7fff_ffff);
                }
                _ => transaction.raise(direction, events::FRAME_LENGTH),
            },
            kind::PING if contents.len() != 8 => transaction.raise(direction, events::FRAME_LENGTH),
            _ => {}
        }
        if frame.stream == 0
            && let Some(transaction) = self.transactions.back_mut()
            && transaction.alone.is_some()
        {
            transaction.advance(direction, Stage::Complete);
            let id = transaction.id();
            self.log(context, id);
        }
    }

    /// More of a header block, and with the last of it, its fields.
    fn header_block(&mut self, context: &mut Context<'_>, direction: Direction, frame: Frame, bytes: &[u8]) {
        let limit = context.limits.http.header_block;
        let way = self.way(direction);
        let too_long = way.block.len() + bytes.len() > limit;
        if too_long {
            way.block = Vec::new();
            way.block_stream = 0;
            self.raise_last(context, direction, frame, events::REASSEMBLY_LIMIT);
            return;
        }
        if !frame.has(flag::END_HEADERS) {
            way.block.extend_from_slice(bytes);
            return;
        }
        let mut fields = Vec::new();
        let result = if way.block.is_empty() {
            way.decoder.decode(bytes, &mut fields)
        } else {
            way.block.extend_from_slice(bytes);
            let block = std::mem::take(&mut way.block);
            way.decoder.decode(&block, &mut fields)
        };
        let ends = std::mem::take(&mut way.block_ends_stream);
        way.block_stream = 0;
        let Some(transaction) = self.find(frame.stream) else { return };
        match result {
            Ok(()) => {}
            Err(Broken::Overflow) => transaction.raise(direction, events::INTEGER_OVERFLOW),
            Err(Broken::Invalid) => transaction.raise(direction, events::HEADER),
        }
        let side = transaction.side_mut(direction);
        let room = FIELDS_KEPT.saturating_sub(side.fields.len());
        let all = fields.len() <= room;
        side.fields.extend(fields.into_iter().take(room));
        if !all {
            transaction.raise(direction, events::EXTRA_HEADER_DATA);
        }
        transaction.advance(direction, Stage::Headers);
        if direction == Direction::ToServer {
            transaction.check_host();
        }
        if ends {
            self.end_stream(context, direction, frame.stream);
        }
    }

    /// Nothing more comes in this direction of a stream.
    fn end_stream(&mut self, context: &mut Context<'_>, direction: Direction, stream: u32) {
        let Some(transaction) = self.find(stream) else { return };
        finish(transaction, direction, false);
        context.flush_raw[direction.index()] = true;
        let id = transaction.id();
        if context.log {
            transaction.log_files(direction, context.records);
        }
        self.log(context, id);
    }

    /// Writes the record of a transaction that is complete.
    fn log(&mut self, context: &mut Context<'_>, id: u64) {
        let Ok(at) = self.transactions.binary_search_by_key(&id, Transaction::id) else { return };
        let Some(transaction) = self.transactions.get_mut(at) else { return };
        if !transaction.is_complete() || std::mem::replace(&mut transaction.logged, true) {
            return;
        }
        if context.log && transaction.is_worth_a_record() {
            let mut members = Vec::with_capacity(1024);
            transaction.write_context(&mut members);
            let direction = Direction::ToServer;
            context.records.push(Record { event_type: "http", direction, tx_id: Some(id), members });
        }
    }
}

/// The body of a stream begins: a file without a name.
fn begin_body(transaction: &mut Http2Transaction, direction: Direction, limits: &crate::Limits) {
    let side = transaction.side_mut(direction);
    side.has_body = true;
    let encoding = side.value(b"content-encoding").and_then(|value| match value.trim_ascii() {
        b"gzip" | b"x-gzip" => Some(Encoding::Gzip),
        b"deflate" => Some(Encoding::Deflate),
        b"br" => Some(Encoding::Brotli),
        _ => None,
    });
    side.decoder = encoding.and_then(|encoding| Decompressor::new(&[encoding], &limits.http.decompress));
    let mut invalid = false;
    let mut range = None;
    if let Some(value) = side.value(b"content-range") {
        let parsed = parse_content_range(value);
        range = parsed.and_then(|parsed| parsed.range);
        invalid = parsed.is_none() || range.is_some_and(|(start, end)| start > end);
    }
    side.files.open(b"", Some(limits.files));
    if let Some(file) = side.files.current() {
        file.range = range.filter(|_| !invalid);
    }
    if invalid {
        transaction.raise(direction, events::RANGE);
    }
}

fn finish(transaction: &mut Http2Transaction, direction: Direction, cut: bool) {
    let side = transaction.side_mut(direction);
    if side.stage == Stage::Complete {
        return;
    }
    if let Some(mut decoder) = side.decoder.take() {
        let files = &mut side.files;
        decoder.finish(&mut |piece| {
            files.append(piece);
            true
        });
    }
    if cut {
        side.files.truncate();
    } else {
        side.files.close();
    }
    side.stage = Stage::Complete;
}

impl Analyzer for Http2 {
    type Tx = Http2Transaction;

    fn new(start: &Start<'_>) -> Self {
        let cap = start.config.limits.http.hpack_table;
        Self {
            transactions: VecDeque::new(),
            next_id: 0,
            ways: [Way::new(cap, false), Way::new(cap, true)],
            failed: false,
        }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut rest = bytes;
        while !self.failed && self.step(context, direction, &mut rest) {}
        if self.failed {
            for direction in Direction::BOTH {
                self.close(context, direction);
            }
            return Outcome::Failed;
        }
        Outcome::Continue
    }

    fn gap(&mut self, context: &mut Context<'_>, direction: Direction, len: u64) -> Outcome {
        let way = self.way(direction);
        if let Some(open) = &mut way.open
            && open.frame.kind == kind::DATA
            && len <= open.left as u64
        {
            open.left -= len as usize;
            let (frame, left) = (open.frame, open.left);
            if let Some(transaction) = self.find(frame.stream) {
                let side = transaction.side_mut(direction);
                side.decoder = None;
                side.files.gap(len);
            }
            if left == 0 {
                self.frame_ends(context, direction, frame);
            }
            return Outcome::Continue;
        }
        self.failed = true;
        for direction in Direction::BOTH {
            self.close(context, direction);
        }
        Outcome::Failed
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        let ids: Vec<u64> = self.transactions.iter().map(Transaction::id).collect();
        for id in ids {
            let Ok(at) = self.transactions.binary_search_by_key(&id, Transaction::id) else { continue };
            let Some(transaction) = self.transactions.get_mut(at) else { continue };
            if transaction.alone.is_some_and(|alone| alone != direction) {
                continue;
            }
            finish(transaction, direction, true);
            if context.log {
                transaction.log_files(direction, context.records);
            }
            self.log(context, id);
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Http2Transaction> {
        &mut self.transactions
    }
}
