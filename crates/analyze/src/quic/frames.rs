//! What Initial packets carry: CRYPTO frames with a TLS hello, or Google's CHLO.

use super::header::varint;
use crate::reader::Reader;

/// Pieces of the crypto stream, put together.
#[derive(Default, Debug)]
pub(super) struct Crypto {
    pieces: Vec<(u64, Vec<u8>)>,
    bytes: usize,
}

/// The crypto stream is longer than is kept.
pub(super) struct TooLong;

impl Crypto {
    fn add(&mut self, offset: u64, bytes: &[u8], bytes_max: usize) -> Result<(), TooLong> {
        if self.bytes + bytes.len() > bytes_max || offset > bytes_max as u64 {
            return Err(TooLong);
        }
        self.bytes += bytes.len();
        let at = self.pieces.partition_point(|(from, _)| *from <= offset);
        self.pieces.insert(at, (offset, bytes.to_vec()));
        Ok(())
    }

    /// What is there from the beginning without a gap.
    pub(super) fn start(&self) -> Vec<u8> {
        let mut start: Vec<u8> = Vec::with_capacity(self.bytes);
        for (offset, bytes) in &self.pieces {
            let have = start.len() as u64;
            let Some(known) = have.checked_sub(*offset) else { break };
            start.extend_from_slice(bytes.get(known as usize..).unwrap_or_default());
        }
        start
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// What was found in frames.
pub(super) enum Found {
    Nothing,
    /// A whole handshake message: its number and body.
    Message(u8, Vec<u8>),
    /// A client's hello of Google's QUIC.
    Chlo(Chlo),
}

/// Why frames could not be read.
pub(super) enum FrameError {
    Malformed,
    TooLong,
}

/// Google's client hello: tags with values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Chlo {
    pub tags: Vec<[u8; 4]>,
    pub sni: Option<Vec<u8>>,
    pub user_agent: Option<Vec<u8>>,
}

impl Chlo {
    /// Reads a CHLO wherever it begins in `bytes`: what is before it depends on the version, and is not looked at.
    pub(super) fn find(bytes: &[u8]) -> Option<Self> {
        let at = memchr::memmem::find(bytes, b"CHLO")?;
        let mut reader = Reader(bytes.get(at + 4..)?);
        let count = usize::from(reader.u16()?.swap_bytes());
        reader.u16()?;
        let mut table = Reader(reader.take(count * 8)?);
        let values = reader.0;
        let mut chlo = Self::default();
        let mut from = 0;
        for _ in 0..count {
            let tag = *table.take(4)?.first_chunk::<4>()?;
            let end = table.u32()?.swap_bytes() as usize;
            let value = values.get(from..end)?;
            from = end;
            match &tag {
                b"SNI\0" => chlo.sni = Some(value.to_vec()),
                b"UAID" => chlo.user_agent = Some(value.to_vec()),
                _ => {}
            }
            chlo.tags.push(tag);
        }
        Some(chlo)
    }

    /// The CYU string (<https://engineering.salesforce.com/gquic-protocol-analysis-and-fingerprinting-in-zeek-a4178855d75f/>):
    /// version and tags.
    pub(super) fn cyu(&self, version: u32) -> String {
        let [_, _, tens, ones] = version.to_be_bytes();
        let tags = self.tags.iter().map(|tag| {
            let text = tag.split(|&byte| byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(text).into_owned()
        });
        format!("{}{},{}", char::from(tens), char::from(ones), tags.collect::<Vec<_>>().join("-"))
    }
}

/// Reads the frames of an opened packet.
pub(super) fn read(frames: &[u8], crypto: &mut Crypto, bytes_max: usize) -> Result<Found, FrameError> {
    let mut reader = Reader(frames);
    while let Some(&kind) = reader.0.first() {
        frame(kind, &mut reader, crypto, bytes_max)?;
    }
    let start = crypto.start();
    let mut message = Reader(&start);
    if start.starts_with(b"CHLO") {
        return Ok(Chlo::find(&start).map_or(Found::Nothing, Found::Chlo));
    }
    let (Some(kind), Some(body)) = (message.u8(), message.counted24()) else { return Ok(Found::Nothing) };
    let body = body.0.to_vec();
    crypto.clear();
    Ok(Found::Message(kind, body))
}

fn frame(kind: u8, reader: &mut Reader<'_>, crypto: &mut Crypto, bytes_max: usize) -> Result<(), FrameError> {
    let skip = |reader: &mut Reader<'_>, count: u64| -> Option<()> {
        for _ in 0..count {
            varint(reader)?;
        }
        Some(())
    };
    reader.u8();
    let read = match kind {
        // PADDING, PING.
        0 | 1 => Some(()),
        // ACK: largest, delay, count, first range, then pairs, and with 3 three counts more.
        2 | 3 => (|| {
            skip(reader, 2)?;
            let ranges = varint(reader)?;
            skip(reader, 1)?;
            for _ in 0..ranges {
                skip(reader, 2)?;
            }
            skip(reader, if kind == 3 { 3 } else { 0 })
        })(),
        // CRYPTO.
        6 => {
            let piece = varint(reader)
                .zip(varint(reader))
                .and_then(|(offset, len)| Some((offset, reader.take(usize::try_from(len).ok()?)?)));
            match piece {
                Some((offset, bytes)) => {
                    crypto.add(offset, bytes, bytes_max).map(Some).map_err(|TooLong| FrameError::TooLong)?
                }
                None => None,
            }
        }
        // CONNECTION_CLOSE: code, frame type, reason.
        0x1c | 0x1d => (|| {
            skip(reader, if kind == 0x1c { 2 } else { 1 })?;
            let len = varint(reader)?;
            reader.take(usize::try_from(len).ok()?).map(|_| ())
        })(),
        // A stream frame of Google's QUIC carries its CHLO; the rest is not for Initial packets.
        _ => {
            if let Some(at) = memchr::memmem::find(reader.0, b"CHLO") {
                let chlo = reader.0.get(at..).unwrap_or_default();
                crypto.add(0, chlo, bytes_max).map_err(|TooLong| FrameError::TooLong)?;
                reader.0 = &[];
                Some(())
            } else {
                None
            }
        }
    };
    read.ok_or(FrameError::Malformed)
}
