//! Classic pcap, as draft-ietf-opsawg-pcap describes it: little-endian, nanosecond timestamps, Ethernet.

use std::io::{self, Write};

/// Longest frame a written capture declares, in bytes.
pub const SNAPLEN: u32 = 65_535;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const LINKTYPE_ETHERNET: u32 = 1;

/// Writes a nanosecond pcap to any [`Write`].
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    to: W,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(mut to: W) -> io::Result<Self> {
        let mut header = [0; 24];
        let fields = [MAGIC_NANOSECONDS, 2 | 4 << 16, 0, 0, SNAPLEN, LINKTYPE_ETHERNET];
        for (slot, field) in header.chunks_exact_mut(4).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        to.write_all(&header)?;
        Ok(Self { to })
    }

    /// Appends one frame seen `at_ns` nanoseconds after 1970-01-01 UTC. Frames are written whole.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write(&mut self, at_ns: u64, frame: &[u8]) -> io::Result<()> {
        let length = frame.len() as u32;
        let fields = [(at_ns / 1_000_000_000) as u32, (at_ns % 1_000_000_000) as u32, length, length];
        let mut header = [0; 16];
        for (slot, field) in header.chunks_exact_mut(4).zip(fields) {
            slot.copy_from_slice(&field.to_le_bytes());
        }
        self.to.write_all(&header)?;
        self.to.write_all(frame)
    }

    /// Gives the underlying writer back.
    pub fn into_inner(self) -> W {
        self.to
    }
}
