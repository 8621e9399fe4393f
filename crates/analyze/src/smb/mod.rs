//! SMB of both generations (MS-CIFS, MS-SMB, MS-SMB2) behind session service messages (RFC 1002, section 4.3).
//!
//! In: the messages of both directions. Out: a transaction for each command, and one for each transfer of a file, with
//! its contents; `smb` and `fileinfo` records; DCE/RPC calls through pipes. Where a message should begin and does not,
//! the next one is looked for. Encrypted and compressed messages are passed over.

mod auth;
mod eve;
pub(crate) mod events;
pub(crate) mod fields;
mod names;
mod smb1;
mod smb2;
mod state;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::VecDeque;

use app::Direction;

use crate::analyzer::{Analyzer, Context, Outcome, Start};
use state::{Chunk, State};
use transaction::SmbTransaction;

/// Length of what stands before each message.
const FRAME_BYTES: usize = 4;

/// Type of a frame with a message, of those that open a session, and of one that keeps it alive.
const MESSAGE: u8 = 0;
const SESSION: std::ops::RangeInclusive<u8> = 0x81..=0x84;
const KEEP_ALIVE: u8 = 0x85;

/// One direction.
#[derive(Default)]
struct Way {
    /// The beginning of a frame that is not whole.
    partial: Vec<u8>,
    /// File data that goes on in what comes next.
    chunk: Option<Chunk>,
    /// Bytes that are passed over after that.
    skip: u64,
    /// Whether the beginning of a message is looked for.
    lost: bool,
}

/// The parser of one flow.
pub(crate) struct Smb {
    state: State,
    ways: [Way; 2],
    closed: [bool; 2],
}

/// What a frame's beginning is.
enum Frame {
    /// More bytes are needed.
    Unsure,
    /// A message of so many bytes.
    Message(usize),
    /// Something else of so many bytes, frame included.
    Other(usize),
    /// No frame.
    Garbage,
}

fn is_magic(bytes: &[u8]) -> bool {
    matches!(bytes, [0xfc..=0xff, b'S', b'M', b'B', ..])
}

fn frame(bytes: &[u8]) -> Frame {
    let Some((&[kind, a, b, c], after)) = bytes.split_first_chunk::<FRAME_BYTES>() else {
        return Frame::Unsure;
    };
    let len = u32::from_be_bytes([0, a, b, c]) as usize;
    match kind {
        MESSAGE if len == 0 => Frame::Other(FRAME_BYTES),
        MESSAGE if after.len() < FRAME_BYTES => Frame::Unsure,
        MESSAGE if is_magic(after) => Frame::Message(len),
        KEEP_ALIVE => Frame::Other(FRAME_BYTES + len),
        _ if SESSION.contains(&kind) => Frame::Other(FRAME_BYTES + len),
        _ => Frame::Garbage,
    }
}

/// Where a frame with a message begins, if one does.
fn find_frame(bytes: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(bytes, b"SMB")
        .filter_map(|at| at.checked_sub(1 + FRAME_BYTES))
        .find(|&at| matches!(bytes.get(at..).map(frame), Some(Frame::Message(len)) if len >= 32))
}

impl Smb {
    fn way(&mut self, direction: Direction) -> &mut Way {
        let [to_server, to_client] = &mut self.ways;
        if direction == Direction::ToServer { to_server } else { to_client }
    }

    /// One message of `len` bytes, as far as it is there.
    fn message(
        &mut self,
        context: &mut Context<'_>,
        direction: Direction,
        bytes: &[u8],
        len: usize,
    ) -> Option<Chunk> {
        match bytes.first() {
            Some(0xfe) => smb2::message(&mut self.state, context, direction, bytes, len),
            Some(0xff) => smb1::message(&mut self.state, context, direction, bytes, len),
            _ => None,
        }
    }

    /// Reads what stands at the beginning; how many bytes it was, `None` if more are needed.
    fn next(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Option<usize> {
        let way = self.way(direction);
        if let Some(chunk) = way.chunk.take() {
            let taken = usize::try_from(chunk.left).unwrap_or(usize::MAX).min(bytes.len());
            let data = bytes.get(..taken).unwrap_or_default();
            self.way(direction).chunk = self.state.chunk_data(chunk, data);
            return Some(taken);
        }
        if way.skip > 0 {
            let taken = usize::try_from(way.skip).unwrap_or(usize::MAX).min(bytes.len());
            way.skip -= taken as u64;
            return Some(taken);
        }
        if way.lost {
            return match find_frame(bytes) {
                Some(at) => {
                    way.lost = false;
                    Some(at)
                }
                // The beginning of one may be at the end.
                None if bytes.len() >= 2 * FRAME_BYTES => Some(bytes.len() + 1 - 2 * FRAME_BYTES),
                None => None,
            };
        }
        match frame(bytes) {
            Frame::Unsure => None,
            Frame::Garbage => {
                way.lost = true;
                Some(1)
            }
            Frame::Other(len) => {
                way.skip = len as u64;
                Some(0)
            }
            Frame::Message(len) => {
                let after = bytes.get(FRAME_BYTES..).unwrap_or_default();
                let there = after.get(..len).unwrap_or(after);
                let streams = match there.first() {
                    Some(0xfe) => smb2::streams(there),
                    _ => smb1::streams(there),
                };
                if there.len() < len && !streams && there.len() < context.limits.message_bytes_max {
                    return None;
                }
                let chunk = self.message(context, direction, there, len);
                let rest = (len - there.len()) as u64;
                let way = self.way(direction);
                way.chunk =
                    chunk.filter(|_| rest > 0).map(|chunk| Chunk { left: chunk.left.min(rest), ..chunk });
                way.skip = rest - way.chunk.map_or(0, |chunk| chunk.left);
                Some(FRAME_BYTES + there.len())
            }
        }
    }
}

impl Analyzer for Smb {
    type Tx = SmbTransaction;

    fn new(_: &Start<'_>) -> Self {
        Self { state: State::default(), ways: [Way::default(), Way::default()], closed: [false; 2] }
    }

    fn data(&mut self, context: &mut Context<'_>, direction: Direction, bytes: &[u8]) -> Outcome {
        let mut partial = std::mem::take(&mut self.way(direction).partial);
        let whole;
        let mut rest = if partial.is_empty() {
            bytes
        } else {
            partial.extend_from_slice(bytes);
            whole = partial;
            &whole
        };
        while !rest.is_empty() {
            let Some(taken) = self.next(context, direction, rest) else {
                self.way(direction).partial = rest.to_vec();
                break;
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        Outcome::Continue
    }

    fn gap(&mut self, _: &mut Context<'_>, direction: Direction, len: u64) -> Outcome {
        let mut len = len;
        if let Some(chunk) = self.way(direction).chunk.take() {
            let missing = len.min(chunk.left);
            len -= missing;
            self.way(direction).chunk = self.state.chunk_gap(chunk, missing);
        }
        let way = self.way(direction);
        let skipped = len.min(way.skip);
        way.skip -= skipped;
        if len > skipped || !way.partial.is_empty() {
            way.partial = Vec::new();
            way.lost = true;
        }
        Outcome::Continue
    }

    fn close(&mut self, context: &mut Context<'_>, direction: Direction) {
        self.way(direction).partial = Vec::new();
        if let Some(closed) = self.closed.get_mut(direction.index()) {
            *closed = true;
        }
        if self.closed == [true; 2] {
            self.state.finish(context);
        }
    }

    fn transactions(&mut self) -> &mut VecDeque<Self::Tx> {
        &mut self.state.transactions
    }
}

/// Whether bytes are a message behind its frame: on SMB's ports as soon as they can be.
pub(crate) fn probe(question: &crate::detect::Question<'_>) -> crate::detect::Probe {
    use crate::detect::Probe;
    match question.bytes {
        [0, _, _, _, 0xfc..=0xff, b'S', b'M', b'B', ..] => Probe::Certain,
        [0] | [0, _] | [0, _, _] | [0, _, _, _] if question.is_on(&question.config.ports.smb) => {
            Probe::Unsure
        }
        [0, _, _, _, 0xfc..=0xff, rest @ ..] if b"SMB".starts_with(rest) => Probe::Unsure,
        _ => Probe::NotForUs,
    }
}
