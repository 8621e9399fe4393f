//! A reader of pcap files, and where the shared captures are.

use std::path::{Path, PathBuf};

/// A capture in memory.
pub struct Capture {
    bytes: Vec<u8>,
    big_endian: bool,
    /// Link type: 1 is Ethernet.
    pub link_type: u32,
}

impl Capture {
    /// Reads a classic pcap file, of micro- or nanoseconds, of either byte order.
    ///
    /// # Panics
    /// When the file is not one.
    pub fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let magic = bytes.get(..4).expect("a pcap file has a header");
        let big_endian = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => true,
            [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => false,
            other => panic!("{}: not a pcap file: it starts with {other:02x?}", path.display()),
        };
        let mut capture = Self { bytes, big_endian, link_type: 0 };
        capture.link_type = capture.u32_at(20) & 0x0fff_ffff;
        capture
    }

    fn u32_at(&self, at: usize) -> u32 {
        let bytes = *self.bytes[at..].first_chunk().expect("four bytes");
        if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    }

    /// The packets, in order; a cut-off last one is left out.
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = 24;
        std::iter::from_fn(move || {
            if at + 16 > self.bytes.len() {
                return None;
            }
            let len = self.u32_at(at + 8) as usize;
            let packet = self.bytes.get(at + 16..at + 16 + len)?;
            at += 16 + len;
            Some(packet)
        })
    }
}

/// The folder of shared captures; says on stderr that the test is skipped when there is none.
pub fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("FOREBAY_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora")),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no captures at {}; FOREBAY_CORPORA names another folder", folder.display());
    None
}

/// The Ethernet link type.
pub const ETHERNET: &[u32] = &[1];
/// The link types of IP packets without link layer: of either version, IPv4, IPv6.
pub const RAW_IP: &[u32] = &[101, 228, 229];

/// The shared folder's golden captures and its `enterprise.pcap`, those of the given link types.
pub fn captures(corpora: &Path, link_types: &[u32]) -> Vec<(PathBuf, Capture)> {
    let mut paths: Vec<_> = std::fs::read_dir(corpora.join("suricata-verify"))
        .expect("the folder of golden tests")
        .map(|entry| entry.expect("a readable folder").path().join("input.pcap"))
        .collect();
    paths.push(corpora.join("pcap/enterprise.pcap"));
    paths.sort();
    let captures = paths.into_iter().map(|path| (path.clone(), Capture::read(&path)));
    captures.filter(|(_, capture)| link_types.contains(&capture.link_type)).collect()
}
