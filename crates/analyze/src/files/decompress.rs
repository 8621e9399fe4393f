//! Undoing content encodings: gzip, deflate (raw or zlib), lzma and brotli, one over the other.
//!
//! In: encoded bytes as they come, and a place for what comes out. Out: decoded bytes, at most as many as the caller
//! still wants, and what went wrong ([`Trouble`]). Forgiving, as browsers are: a checksum is not looked at, a wrong
//! header is skipped, data that cannot be decoded at all is passed on as it is.

#[cfg(test)]
#[path = "decompress_tests.rs"]
mod tests;

use flate2::{Crc, Decompress, FlushDecompress, Status};
use std::io::Write;

/// A content encoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Encoding {
    /// RFC 1952.
    Gzip,
    /// RFC 1951, or RFC 1950 as the name `deflate` truly means.
    Deflate,
    /// LZMA alone format (`.lzma`).
    Lzma,
    /// RFC 7932.
    Brotli,
}

/// What went wrong while decoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    /// The data is not what the encoding's name says; it is passed on undecoded.
    Broken,
    /// More came out, for what went in, than honest data gives; the rest is not decoded.
    Bomb,
    /// The decoder wants more memory than it may have.
    Memory,
}

/// Caps on decoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DecompressLimits {
    /// How many encodings one over the other are undone; 0: none.
    pub layers: u32,
    /// Whether LZMA is decoded.
    pub lzma: bool,
    /// Most memory of an LZMA dictionary, in bytes.
    pub lzma_memory: usize,
    /// What came out may be 2,048 times what went in only up to this many bytes.
    pub bomb_bytes: u64,
}

impl Default for DecompressLimits {
    fn default() -> Self {
        Self { layers: 2, lzma: false, lzma_memory: 1 << 20, bomb_bytes: 1 << 20 }
    }
}

/// Only LZMA reaches this ratio honestly.
const BOMB_RATIO: u64 = 2_048;

/// How much is decoded at a time, in bytes.
const PIECE: usize = 8_192;

/// Several encodings, outermost first.
pub(crate) struct Decompressor {
    layers: Vec<Layer>,
    taken: u64,
    given: u64,
    bomb_bytes: u64,
    stopped: bool,
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Decompressor").field("layers", &self.layers.len()).finish_non_exhaustive()
    }
}

impl Decompressor {
    /// `encodings` in the order in which they were laid on, as a header names them; `None` if there is none.
    pub(crate) fn new(encodings: &[Encoding], limits: &DecompressLimits) -> Option<Self> {
        if encodings.is_empty() {
            return None;
        }
        let layers = encodings.iter().rev().map(|&encoding| Layer::new(encoding, limits)).collect();
        Some(Self { layers, taken: 0, given: 0, bomb_bytes: limits.bomb_bytes, stopped: false })
    }

    /// Decodes `bytes` into `sink`, which is called with each piece and says whether it wants more.
    pub(crate) fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> bool) -> Result<(), Trouble> {
        if self.stopped {
            return Ok(());
        }
        self.taken += bytes.len() as u64;
        let (taken, bomb_bytes) = (self.taken, self.bomb_bytes);
        let mut given = self.given;
        let mut bomb = false;
        let mut wants = true;
        let mut trouble = None;
        run(&mut self.layers, bytes, &mut trouble, &mut |piece| {
            given += piece.len() as u64;
            bomb = given > bomb_bytes && given > taken.saturating_mul(BOMB_RATIO);
            wants = sink(piece);
            wants && !bomb
        });
        self.given = given;
        if bomb {
            self.stopped = true;
            return Err(Trouble::Bomb);
        }
        self.stopped = !wants;
        trouble.map_or(Ok(()), Err)
    }

    /// Nothing more comes: what the decoders still hold is given to `sink`.
    pub(crate) fn finish(&mut self, sink: &mut dyn FnMut(&[u8]) -> bool) {
        if self.stopped {
            return;
        }
        self.stopped = true;
        let mut trouble = None;
        while !self.layers.is_empty() {
            let mut rest = Vec::new();
            let mut layer = self.layers.remove(0);
            layer.finish(&mut rest);
            run(&mut self.layers, &rest, &mut trouble, sink);
        }
    }
}

/// Pushes `bytes` through the first of `layers` and what comes out through the others. Says whether more is wanted.
fn run(
    layers: &mut [Layer],
    bytes: &[u8],
    trouble: &mut Option<Trouble>,
    sink: &mut dyn FnMut(&[u8]) -> bool,
) -> bool {
    match layers.split_first_mut() {
        None => bytes.is_empty() || sink(bytes),
        Some((layer, inner)) => {
            let mut found = None;
            let wants = layer.push(bytes, &mut found, &mut |piece| run(inner, piece, trouble, sink));
            if found.is_some() {
                *trouble = found;
            }
            wants
        }
    }
}

/// One decoder.
struct Layer {
    encoding: Encoding,
    decoder: Decoder,
    restarts: u8,
    /// Bytes at the beginning that a restart needs again.
    first: bool,
}

enum Decoder {
    Inflate(Box<Inflate>),
    Lzma(Box<lzma_rs::decompress::Stream<Vec<u8>>>),
    Brotli(Box<brotli_decompressor::DecompressorWriter<Vec<u8>>>),
    /// What comes is passed on.
    Plain,
    /// What comes is dropped.
    Nothing,
}

/// Deflate data, with the header and the trailer that gzip lays around it.
struct Inflate {
    header: Option<GzipHeader>,
    engine: Decompress,
    /// Checksum of what came out, if there is one to compare it with.
    checksum: Option<Crc>,
    /// What came of checksum and size behind the data.
    trailer: Trailer,
    delivered: bool,
    ended: bool,
}

/// At most eight bytes.
#[derive(Default)]
struct Trailer {
    bytes: [u8; 8],
    len: usize,
}

impl Inflate {
    /// What stands behind the data; tells whether it is there and wrong.
    fn check_trailer(&mut self, rest: &[u8]) -> bool {
        let Some(checksum) = &self.checksum else { return false };
        for &byte in rest {
            if let Some(place) = self.trailer.bytes.get_mut(self.trailer.len) {
                *place = byte;
                self.trailer.len += 1;
            }
        }
        if self.trailer.len < 8 {
            return false;
        }
        let expected = u64::from(checksum.sum()) | (self.engine.total_out() & 0xffff_ffff) << 32;
        let wrong = u64::from_le_bytes(self.trailer.bytes) != expected;
        self.checksum = None;
        wrong
    }
}

impl Layer {
    fn new(encoding: Encoding, limits: &DecompressLimits) -> Self {
        let decoder = match encoding {
            Encoding::Gzip => inflate(Some(GzipHeader::default()), false),
            Encoding::Deflate => inflate(None, false),
            Encoding::Lzma if limits.lzma => {
                let options = lzma_rs::decompress::Options {
                    memlimit: Some(limits.lzma_memory),
                    allow_incomplete: true,
                    ..Default::default()
                };
                Decoder::Lzma(Box::new(lzma_rs::decompress::Stream::new_with_options(&options, Vec::new())))
            }
            Encoding::Lzma => Decoder::Plain,
            Encoding::Brotli => {
                Decoder::Brotli(Box::new(brotli_decompressor::DecompressorWriter::new(Vec::new(), PIECE)))
            }
        };
        Self { encoding, decoder, restarts: 0, first: true }
    }

    /// Says whether more is wanted.
    fn push(
        &mut self,
        bytes: &[u8],
        trouble: &mut Option<Trouble>,
        sink: &mut dyn FnMut(&[u8]) -> bool,
    ) -> bool {
        let first = std::mem::replace(&mut self.first, false);
        match &mut self.decoder {
            Decoder::Plain => bytes.is_empty() || sink(bytes),
            Decoder::Nothing => true,
            Decoder::Inflate(_) => self.push_inflate(bytes, first, trouble, sink),
            Decoder::Lzma(stream) => {
                let mut wants = true;
                // In pieces, so that what comes out is looked at before more goes in.
                for piece in bytes.chunks(PIECE) {
                    let result = stream.write_all(piece);
                    if let Some(output) = stream.get_output_mut() {
                        wants = output.is_empty() || sink(output);
                        output.clear();
                    }
                    if let Err(error) = result {
                        let memory = error.to_string().contains("memory limit");
                        *trouble = Some(if memory { Trouble::Memory } else { Trouble::Broken });
                        self.decoder = Decoder::Nothing;
                        return wants;
                    }
                    if !wants {
                        break;
                    }
                }
                wants
            }
            Decoder::Brotli(writer) => {
                let mut wants = true;
                for piece in bytes.chunks(PIECE / 16) {
                    let result = writer.write_all(piece);
                    let output = writer.get_mut();
                    wants = output.is_empty() || sink(output);
                    output.clear();
                    if result.is_err() {
                        *trouble = Some(Trouble::Broken);
                        self.decoder = Decoder::Nothing;
                        return wants;
                    }
                    if !wants {
                        break;
                    }
                }
                wants
            }
        }
    }

    fn push_inflate(
        &mut self,
        bytes: &[u8],
        first: bool,
        trouble: &mut Option<Trouble>,
        sink: &mut dyn FnMut(&[u8]) -> bool,
    ) -> bool {
        let mut output = [0; PIECE];
        'restart: loop {
            let Decoder::Inflate(state) = &mut self.decoder else { return true };
            if state.ended {
                if state.check_trailer(bytes) {
                    *trouble = Some(Trouble::Broken);
                }
                return true;
            }
            let mut rest = bytes;
            if let Some(gzip) = &mut state.header {
                match gzip.skip(rest) {
                    Skipped::Whole(len) => rest = rest.get(len..).unwrap_or_default(),
                    Skipped::More => return true,
                    Skipped::NotGzip => {
                        if self.restart(trouble) {
                            continue 'restart;
                        }
                        return sink(bytes);
                    }
                }
                state.header = None;
            }
            loop {
                let (before_in, before_out) = (state.engine.total_in(), state.engine.total_out());
                let result = state.engine.decompress(rest, &mut output, FlushDecompress::None);
                let taken = (state.engine.total_in() - before_in) as usize;
                let given = (state.engine.total_out() - before_out) as usize;
                let piece = output.get(..given).unwrap_or_default();
                // What came out of a piece that then broke is not trusted.
                let wants = if result.is_ok() && given > 0 {
                    state.delivered = true;
                    if let Some(checksum) = &mut state.checksum {
                        checksum.update(piece);
                    }
                    sink(piece)
                } else {
                    true
                };
                match result {
                    Ok(Status::StreamEnd) => {
                        state.ended = true;
                        if state.check_trailer(rest.get(taken..).unwrap_or_default()) {
                            *trouble = Some(Trouble::Broken);
                        }
                        return wants;
                    }
                    Ok(_) if !wants => return false,
                    Ok(_) => {
                        rest = rest.get(taken..).unwrap_or_default();
                        // Output that filled its place may have more behind it, even without input.
                        if (rest.is_empty() && given < PIECE) || (taken == 0 && given == 0) {
                            return true;
                        }
                    }
                    Err(_) => {
                        if first && !state.delivered && self.restart(trouble) {
                            continue 'restart;
                        }
                        *trouble = Some(Trouble::Broken);
                        self.decoder = Decoder::Plain;
                        return wants && sink(bytes);
                    }
                }
            }
        }
    }

    /// Prepares another way to read the same stream; `false` if there is none, and it is passed on undecoded.
    fn restart(&mut self, trouble: &mut Option<Trouble>) -> bool {
        self.restarts += 1;
        self.decoder = match (self.encoding, self.restarts) {
            // `deflate` that is zlib, `gzip` that is zlib or nothing but deflate.
            (Encoding::Deflate | Encoding::Gzip, 1) => inflate(None, true),
            (Encoding::Deflate, 2) => inflate(Some(GzipHeader::default()), false),
            (Encoding::Gzip, 2) => inflate(None, false),
            _ => Decoder::Plain,
        };
        if matches!(self.decoder, Decoder::Plain) {
            *trouble = Some(Trouble::Broken);
            return false;
        }
        true
    }

    fn finish(&mut self, rest: &mut Vec<u8>) {
        match std::mem::replace(&mut self.decoder, Decoder::Nothing) {
            Decoder::Lzma(stream) => {
                if let Ok(output) = stream.finish() {
                    *rest = output;
                }
            }
            Decoder::Brotli(mut writer) => {
                // What is there is there, whether the stream ended well or not.
                let _ = writer.flush();
                rest.append(writer.get_mut());
            }
            Decoder::Inflate(_) | Decoder::Plain | Decoder::Nothing => {}
        }
    }
}

fn inflate(header: Option<GzipHeader>, zlib: bool) -> Decoder {
    let checksum = header.is_some().then(Crc::new);
    let engine = Decompress::new(zlib);
    Decoder::Inflate(Box::new(Inflate {
        header,
        engine,
        checksum,
        trailer: Trailer::default(),
        delivered: false,
        ended: false,
    }))
}

/// What became of the bytes given to [`GzipHeader::skip`].
enum Skipped {
    /// The header ends before this position.
    Whole(usize),
    /// It goes on in the next bytes.
    More,
    /// It is none.
    NotGzip,
}

/// A gzip header, which is skipped (RFC 1952, section 2.3).
#[derive(Clone, Default, Debug)]
struct GzipHeader {
    /// Bytes seen so far.
    seen: usize,
    flags: u8,
    /// Length of the extra field, while that is read.
    extra: usize,
    part: Part,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
enum Part {
    #[default]
    Fixed,
    ExtraLow,
    ExtraHigh,
    Extra,
    Name,
    Comment,
    Crc(u8),
    End,
}

impl GzipHeader {
    const CRC: u8 = 2;
    const EXTRA: u8 = 4;
    const NAME: u8 = 8;
    const COMMENT: u8 = 16;

    /// The part that follows `done`, by the flags.
    fn next(&self, done: Part) -> Part {
        let has = |flag| self.flags & flag != 0;
        match done {
            Part::Fixed if has(Self::EXTRA) => Part::ExtraLow,
            Part::Fixed | Part::Extra if has(Self::NAME) => Part::Name,
            Part::Fixed | Part::Extra | Part::Name if has(Self::COMMENT) => Part::Comment,
            Part::Fixed | Part::Extra | Part::Name | Part::Comment if has(Self::CRC) => Part::Crc(2),
            _ => Part::End,
        }
    }

    fn skip(&mut self, bytes: &[u8]) -> Skipped {
        for (position, &byte) in bytes.iter().enumerate() {
            if self.part == Part::End {
                return Skipped::Whole(position);
            }
            match self.part {
                Part::Fixed => {
                    let right = matches!((self.seen, byte), (0, 0x1f) | (1, 0x8b) | (2, 8) | (3.., _));
                    if !right {
                        return Skipped::NotGzip;
                    }
                    if self.seen == 3 {
                        self.flags = byte;
                    }
                    self.seen += 1;
                    if self.seen == 10 {
                        self.part = self.next(Part::Fixed);
                    }
                }
                Part::ExtraLow => {
                    self.extra = usize::from(byte);
                    self.part = Part::ExtraHigh;
                }
                Part::ExtraHigh => {
                    self.extra |= usize::from(byte) << 8;
                    self.part = if self.extra == 0 { self.next(Part::Extra) } else { Part::Extra };
                }
                Part::Extra => {
                    self.extra -= 1;
                    if self.extra == 0 {
                        self.part = self.next(Part::Extra);
                    }
                }
                Part::Name | Part::Comment => {
                    if byte == 0 {
                        self.part = self.next(self.part);
                    }
                }
                Part::Crc(left) => self.part = if left > 1 { Part::Crc(left - 1) } else { Part::End },
                Part::End => {}
            }
        }
        if self.part == Part::End { Skipped::Whole(bytes.len()) } else { Skipped::More }
    }
}
