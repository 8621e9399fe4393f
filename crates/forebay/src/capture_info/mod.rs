//! What is in a capture, before it is replayed.
//!
//! In: the path of a pcap or pcapng file. Out: a [`CaptureInfo`], by reading the record headers once, front to back; or
//! why the file cannot be replayed. Replay needs the number of packets to know when a capture is done, and a person
//! wants to hear that a capture is cut short before the work begins, not after.

mod pcap;
mod pcapng;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use source::{End, Source};
use wire::{L4, Packet, ParseOptions, checksum};

/// What a scan found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct CaptureInfo {
    /// Whole packets.
    pub(crate) packets: u64,
    /// Bytes of those packets that are in the file.
    pub(crate) bytes: u64,
    /// Packets of which the file has fewer bytes than there were on the wire (a snapshot length at capture time).
    pub(crate) snapped_packets: u64,
    /// Earliest and latest timestamp, in nanoseconds since the Unix epoch; absent without packets.
    pub(crate) times_ns: Option<(u64, u64)>,
    /// The longest packet, in bytes that are in the file.
    pub(crate) frame_bytes_max: u32,
    /// TCP segments among the first [`SAMPLE_PACKETS`], and how many of them have a wrong checksum.
    pub(crate) tcp_sample: (u32, u32),
    /// Where the file stops making sense, if it does; the packets before that place are whole.
    pub(crate) damage: Option<Damage>,
}

/// Where and how a file stops making sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Damage {
    /// Number of the packet at fault, from 1.
    pub(crate) packet: u64,
    /// Byte offset of its record in the file.
    pub(crate) offset: u64,
    /// What is wrong with it.
    pub(crate) kind: DamageKind,
}

/// What is wrong with a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum DamageKind {
    /// The file ends inside it.
    Cut,
    /// Its header says something that no capture program writes.
    Implausible(&'static str),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            DamageKind::Cut => write!(f, "cut short in packet {}, at byte {}", self.packet, self.offset),
            DamageKind::Implausible(what) => {
                write!(f, "damaged at packet {}, at byte {}: {what}", self.packet, self.offset)
            }
        }
    }
}

/// Why a file cannot be replayed at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    /// The file cannot be opened or read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A pipe, a directory or a device: replay reads a capture twice.
    #[error("{}: not a regular file; save the capture in a file first", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// No byte in it.
    #[error("{}: the file is empty; was the capture stopped before its first packet?", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file starts with something else.
    #[error("{}: not a pcap or pcapng capture; {hint}", path.display())]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// What it is instead, or what to do.
        hint: &'static str,
    },
    /// The file ends before its first packet could begin.
    #[error("{}: cut short in the file header, at byte {offset}; copy or capture it again", path.display())]
    NoHeader {
        /// The file.
        path: PathBuf,
        /// Length of the file in bytes.
        offset: u64,
    },
    /// Frames of something other than Ethernet.
    #[error(
        "{}: its link type is {}, not Ethernet; capture on an Ethernet interface, or convert it with \
         `tcprewrite --dlt=enet`", path.display(), link_type_name(*link_type)
    )]
    LinkType {
        /// The file.
        path: PathBuf,
        /// The `LINKTYPE_` value.
        link_type: u32,
    },
    /// A pcapng whose interfaces differ in what libpcap wants to be the same.
    #[error(
        "{}: its interfaces differ in {what}, which DPDK's reader does not take; convert it with `editcap -F pcap`",
        path.display()
    )]
    MixedInterfaces {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: &'static str,
    },
}

/// `LINKTYPE_ETHERNET` of the tcpdump group's registry.
const ETHERNET: u32 = 1;

/// The most bytes of one packet that libpcap reads of an Ethernet capture.
const FRAME_BYTES_MAX: u32 = 262_144;

/// Packets whose checksums are looked at; those of a shorter capture are taken as they are.
pub(crate) const SAMPLE_PACKETS: u64 = 1000;

/// A link type in words, with its `LINKTYPE_` value.
pub(crate) fn link_type_name(link_type: u32) -> String {
    let name = match link_type {
        0 => "BSD loopback",
        9 => "PPP",
        12 | 14 | 101 => "raw IP",
        105 => "802.11",
        108 => "OpenBSD loopback",
        113 => "Linux cooked capture",
        127 => "802.11 with radiotap",
        228 => "raw IPv4",
        229 => "raw IPv6",
        276 => "Linux cooked capture v2",
        other => return format!("number {other}"),
    };
    format!("{name} ({link_type})")
}

/// Reads every record header of a capture. `read_bytes` is told, now and then, how far the scan is.
///
/// # Errors
///
/// See [`CaptureError`]. A file that goes wrong after its header is not an error but [`CaptureInfo::damage`].
pub(crate) fn scan(path: &Path, mut read_bytes: impl FnMut(u64)) -> Result<CaptureInfo, CaptureError> {
    let mut source = Source::open(path, &mut read_bytes)?;
    if source.len_bytes() == 0 {
        return Err(CaptureError::Empty { path: path.to_owned() });
    }
    let magic = match source.array::<4>() {
        Ok(magic) => magic,
        Err(end) => return Err(before_header(end, &source)),
    };
    if let Some(format) = pcap::Format::of(magic) {
        pcap::scan(&mut source, format)
    } else if magic == pcapng::SECTION_HEADER {
        pcapng::scan(&mut source)
    } else {
        Err(CaptureError::NotACapture { path: path.to_owned(), hint: hint(magic) })
    }
}

/// What else a file may be that people keep captures in.
fn hint(magic: [u8; 4]) -> &'static str {
    match magic {
        [0x1f, 0x8b, ..] => "it is compressed with gzip: unpack it with `gunzip` first",
        [0x28, 0xb5, 0x2f, 0xfd] => "it is compressed with zstd: unpack it with `unzstd` first",
        [0xfd, b'7', b'z', b'X'] => "it is compressed with xz: unpack it with `unxz` first",
        [b'B', b'Z', b'h', _] => "it is compressed with bzip2: unpack it with `bunzip2` first",
        [b'P', b'K', 3, 4] => "it is a zip archive: unpack it with `unzip` first",
        [b's', b'n', b'o', b'o'] => "it is a snoop capture: convert it with `editcap -F pcap`",
        _ => "give a file that tcpdump, dumpcap or Wireshark wrote",
    }
}

/// An end before the first record, where nothing can be replayed.
fn before_header(end: End, source: &Source<'_>) -> CaptureError {
    match end {
        End::File => CaptureError::NoHeader { path: source.path().to_owned(), offset: source.len_bytes() },
        End::Error(error) => CaptureError::Read { path: source.path().to_owned(), source: error },
    }
}

impl CaptureInfo {
    /// Whether the capture was taken where the NIC had yet to fill in checksums: a tenth of the first segments, or more,
    /// have a wrong one.
    pub(crate) fn has_no_checksums(&self) -> bool {
        let (segments, wrong) = self.tcp_sample;
        self.packets >= SAMPLE_PACKETS && wrong > 0 && wrong >= segments / 10
    }

    /// Passes over the bytes of a packet, and looks into those of the first ones.
    fn data(&mut self, source: &mut Source<'_>, captured: u32) -> Result<(), End> {
        if self.packets >= SAMPLE_PACKETS {
            return source.skip(u64::from(captured));
        }
        let mut frame = Vec::new();
        source.bytes(captured, &mut frame)?;
        let packet = Packet::parse_ethernet(&frame, &ParseOptions::default());
        if let Some(packet) = packet.ok().filter(|packet| packet.l4 == L4::Tcp) {
            let wrong = packet.verify_transport_checksum(&frame) == checksum::Verdict::Wrong;
            self.tcp_sample.0 += 1;
            self.tcp_sample.1 += u32::from(wrong);
        }
        Ok(())
    }

    /// Counts a packet of which the file has `captured` of `on_wire` bytes.
    fn count(&mut self, captured: u32, on_wire: u32, time_ns: u64) {
        self.packets += 1;
        self.bytes += u64::from(captured);
        self.snapped_packets += u64::from(captured < on_wire);
        self.frame_bytes_max = self.frame_bytes_max.max(captured);
        let (first, last) = self.times_ns.unwrap_or((time_ns, time_ns));
        self.times_ns = Some((first.min(time_ns), last.max(time_ns)));
    }

    /// Ends the scan at a record that starts at `offset` and is not whole.
    fn cut(mut self, offset: u64) -> Self {
        self.damage = Some(Damage { packet: self.packets + 1, offset, kind: DamageKind::Cut });
        self
    }

    /// Ends the scan at a record that starts at `offset` and cannot be right.
    fn implausible(mut self, offset: u64, what: &'static str) -> Self {
        self.damage = Some(Damage { packet: self.packets + 1, offset, kind: DamageKind::Implausible(what) });
        self
    }
}
