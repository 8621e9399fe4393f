//! Frames out of a pcap or pcapng file, one at a time.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, Linktype, PcapBlockOwned, PcapError, create_reader};

/// Bytes of a file held at a time, hence the largest block that can be read.
const WINDOW_BYTES: usize = 1 << 20;

/// Why a capture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("cannot open {path}: {source}; check the name and its permissions")]
    Open {
        /// The capture.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system failed while the file was read.
    #[error("cannot read {path}: the system reported an error after {frames} frames; check the disk")]
    Read {
        /// The capture.
        path: PathBuf,
        /// Frames read before that.
        frames: u64,
    },
    /// It begins like neither pcap nor pcapng.
    #[error("{path} is neither a pcap nor a pcapng file; give a capture, uncompressed")]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// The file ends inside a record.
    #[error(
        "{path} ends in the middle of a record after {frames} frames; copy it again, or cut it to whole records with \
         `editcap {path} FIXED.pcap`"
    )]
    Truncated {
        /// The capture.
        path: PathBuf,
        /// Whole frames before the cut.
        frames: u64,
    },
    /// A record contradicts the format, or is larger than any frame.
    #[error("{path} is damaged: record {record} is not valid; capture it again")]
    Damaged {
        /// The capture.
        path: PathBuf,
        /// Number of the record, counted from 1.
        record: u64,
    },
    /// Its frames do not begin with an Ethernet header.
    #[error("{path} has link type {linktype}, not Ethernet (1); capture on an Ethernet interface")]
    NotEthernet {
        /// The capture.
        path: PathBuf,
        /// The number in its header.
        linktype: i32,
    },
    /// No frame in it.
    #[error("{path} contains no frames; give a capture with traffic in it")]
    Empty {
        /// The capture.
        path: PathBuf,
    },
    /// Preloading would take more memory than allowed.
    #[error(
        "{path} needs more than the {limit_bytes} bytes of memory allowed; use a smaller capture or raise \
         --memory-limit"
    )]
    TooLarge {
        /// The capture.
        path: PathBuf,
        /// The limit that was given, in bytes.
        limit_bytes: u64,
    },
}

/// One captured frame; its bytes live until the next is read.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Nanoseconds since 1970-01-01 UTC.
    pub at_ns: u64,
    /// The captured bytes, from the destination MAC address on, without FCS.
    pub bytes: &'a [u8],
    /// Length on the wire in bytes; more than `bytes` when the capture was cut by a snapshot length.
    pub wire_len: u32,
}

/// What a pcapng interface block says about its packets' timestamps.
#[derive(Clone, Copy)]
struct Interface {
    ticks_per_second: u64,
    offset_s: i64,
}

/// Reads a capture front to back in constant memory.
pub struct CaptureReader {
    path: PathBuf,
    reader: Box<dyn PcapReaderIterator + Send>,
    /// Bytes of the block handed out last, released on the next call: the frame borrows them until then.
    pending: usize,
    frames: u64,
    records: u64,
    /// Classic pcap: nanoseconds of one unit of the fraction field.
    fraction_ns: u64,
    /// pcapng: the byte order of the section being read.
    big_endian: Option<bool>,
    interfaces: Vec<Interface>,
}

impl std::fmt::Debug for CaptureReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CaptureReader")
            .field("path", &self.path)
            .field("frames", &self.frames)
            .finish_non_exhaustive()
    }
}

/// What one block of the file meant, without borrowing it.
enum Step {
    /// A frame: its timestamp, lengths in bytes.
    Frame { at_ns: u64, captured_len: usize, wire_len: u32 },
    /// Any block that carries no frame.
    Other,
}

/// Reads until the buffer is full or the file ends: a probe of the first bytes must not see a short read.
struct Full<R>(R);

impl<R: Read> Read for Full<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.0.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl CaptureReader {
    /// Opens a capture and checks its first bytes.
    ///
    /// # Errors
    /// [`CaptureError::Open`], [`CaptureError::Format`], [`CaptureError::Empty`], [`CaptureError::Truncated`],
    /// [`CaptureError::Read`].
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        let path = path.to_owned();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(source) => return Err(CaptureError::Open { path, source }),
        };
        match create_reader(WINDOW_BYTES, Full(file)) {
            Ok(reader) => Ok(Self {
                path,
                reader,
                pending: 0,
                frames: 0,
                records: 0,
                fraction_ns: 1000,
                big_endian: None,
                interfaces: Vec::new(),
            }),
            Err(PcapError::Eof) => Err(CaptureError::Empty { path }),
            Err(PcapError::ReadError) => Err(CaptureError::Read { path, frames: 0 }),
            Err(PcapError::Incomplete(_) | PcapError::UnexpectedEof) => {
                Err(CaptureError::Truncated { path, frames: 0 })
            }
            Err(_) => Err(CaptureError::Format { path }),
        }
    }

    /// The next frame, or `None` after the last.
    ///
    /// # Errors
    /// [`CaptureError::Truncated`], [`CaptureError::Damaged`], [`CaptureError::NotEthernet`],
    /// [`CaptureError::Read`]; [`CaptureError::Empty`] when the file ends before its first frame.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, CaptureError> {
        let (at_ns, captured_len, wire_len) = loop {
            self.reader.consume(std::mem::take(&mut self.pending));
            match self.step()? {
                None if self.frames == 0 => return Err(CaptureError::Empty { path: self.path.clone() }),
                None => return Ok(None),
                Some(Step::Other) => {}
                Some(Step::Frame { at_ns, captured_len, wire_len }) => break (at_ns, captured_len, wire_len),
            }
        };
        self.frames += 1;
        // The block was parsed once for its fields and is still at the front of the window; parsing it again is the
        // price for not holding a borrow through the loop above.
        let bytes = match self.reader.next() {
            Ok((_, PcapBlockOwned::Legacy(block))) => block.data,
            Ok((_, PcapBlockOwned::NG(Block::EnhancedPacket(block)))) => block.data,
            Ok((_, PcapBlockOwned::NG(Block::SimplePacket(block)))) => block.data,
            _ => &[],
        };
        let Some(bytes) = bytes.get(..captured_len) else {
            return Err(CaptureError::Damaged { path: self.path.clone(), record: self.records });
        };
        Ok(Some(Frame { at_ns, bytes, wire_len }))
    }

    /// Parses the block at the front of the window, reading more of the file when it is not whole yet.
    fn step(&mut self) -> Result<Option<Step>, CaptureError> {
        loop {
            if self.is_impossible_block() {
                return Err(CaptureError::Damaged { path: self.path.clone(), record: self.records + 1 });
            }
            match self.reader.next() {
                Ok((length, block)) => {
                    self.pending = length;
                    self.records += 1;
                    let record = self.records;
                    let step = match block {
                        PcapBlockOwned::LegacyHeader(header) => {
                            ethernet(header.network, &self.path)?;
                            self.fraction_ns = if header.is_nanosecond_precision() { 1 } else { 1000 };
                            // The file header is no record.
                            self.records -= 1;
                            Step::Other
                        }
                        PcapBlockOwned::Legacy(block) => Step::Frame {
                            at_ns: u64::from(block.ts_sec) * 1_000_000_000
                                + u64::from(block.ts_usec) * self.fraction_ns,
                            captured_len: block.caplen as usize,
                            wire_len: block.origlen.max(block.caplen),
                        },
                        PcapBlockOwned::NG(Block::SectionHeader(header)) => {
                            self.big_endian = Some(header.big_endian());
                            self.interfaces.clear();
                            Step::Other
                        }
                        PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                            ethernet(block.linktype, &self.path)?;
                            let Some(ticks_per_second) = ticks_per_second(block.if_tsresol) else {
                                return Err(CaptureError::Damaged { path: self.path.clone(), record });
                            };
                            self.interfaces.push(Interface { ticks_per_second, offset_s: block.ts_offset() });
                            Step::Other
                        }
                        PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                            let Some(interface) = self.interfaces.get(block.if_id as usize) else {
                                return Err(CaptureError::Damaged { path: self.path.clone(), record });
                            };
                            let ticks = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                            Step::Frame {
                                at_ns: interface.at_ns(ticks),
                                captured_len: block.caplen as usize,
                                wire_len: block.origlen.max(block.caplen),
                            }
                        }
                        // A simple packet has no timestamp; it is taken as seen at the epoch.
                        PcapBlockOwned::NG(Block::SimplePacket(block)) => Step::Frame {
                            at_ns: 0,
                            captured_len: block.data.len().min(block.origlen as usize),
                            wire_len: block.origlen,
                        },
                        PcapBlockOwned::NG(_) => Step::Other,
                    };
                    return Ok(Some(step));
                }
                Err(PcapError::Eof) => return Ok(None),
                Err(PcapError::Incomplete(_)) => {}
                Err(PcapError::UnexpectedEof) => {
                    return Err(CaptureError::Truncated { path: self.path.clone(), frames: self.frames });
                }
                Err(PcapError::ReadError) => {
                    return Err(CaptureError::Read { path: self.path.clone(), frames: self.frames });
                }
                Err(_) => {
                    let record = self.records + 1;
                    return Err(CaptureError::Damaged { path: self.path.clone(), record });
                }
            }
            if self.reader.refill().is_err() {
                return Err(CaptureError::Read { path: self.path.clone(), frames: self.frames });
            }
        }
    }

    /// Whether a pcapng block says that it is shorter than its type and its two lengths: `pcap-parser` subtracts those
    /// from the length of a process information block without asking.
    fn is_impossible_block(&self) -> bool {
        let (Some(big_endian), Some([_, _, _, _, length @ ..])) =
            (self.big_endian, self.reader.data().first_chunk::<8>())
        else {
            return false;
        };
        let length = if big_endian { u32::from_be_bytes(*length) } else { u32::from_le_bytes(*length) };
        length < 12
    }

    /// The file being read.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Interface {
    fn at_ns(self, ticks: u64) -> u64 {
        let ns = u128::from(ticks) * 1_000_000_000 / u128::from(self.ticks_per_second);
        let ns =
            i128::try_from(ns).unwrap_or(i128::MAX).saturating_add(i128::from(self.offset_s) * 1_000_000_000);
        u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
    }
}

/// Decodes `if_tsresol`: the high bit says whether the rest is a negative power of 2 or of 10.
fn ticks_per_second(if_tsresol: u8) -> Option<u64> {
    let exponent = u32::from(if_tsresol & 0x7f);
    if if_tsresol & 0x80 == 0 { 10_u64.checked_pow(exponent) } else { 1_u64.checked_shl(exponent) }
}

fn ethernet(linktype: Linktype, path: &Path) -> Result<(), CaptureError> {
    if linktype == Linktype::ETHERNET {
        return Ok(());
    }
    Err(CaptureError::NotEthernet { path: path.to_owned(), linktype: linktype.0 })
}
