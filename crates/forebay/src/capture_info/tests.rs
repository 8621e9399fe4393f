//! Captures made byte by byte, whole, cut at every place, and wrong.

use std::fs;
use std::path::PathBuf;

use super::{CaptureInfo, Damage, DamageKind, scan};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("a.pcap");
        fs::write(&path, bytes).unwrap();
        path
    }

    fn scan(&self, bytes: &[u8]) -> Result<CaptureInfo, String> {
        let path = self.file(bytes);
        scan(&path, |_| {}).map_err(|error| error.to_string().replace(&path.display().to_string(), "F"))
    }
}

#[derive(Clone, Copy)]
struct Order(bool);

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.0 { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.0 { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

fn pcap(
    order: Order,
    magic: u32,
    snap: u32,
    link: u32,
    extra: usize,
    packets: &[(u32, u32, u32, u32)],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in [magic, 0x0004_0002, 0, 0, snap, link] {
        bytes.extend(order.u32(value));
    }
    for (seconds, fraction, captured, on_wire) in packets {
        for value in [*seconds, *fraction, *captured, *on_wire] {
            bytes.extend(order.u32(value));
        }
        bytes.resize(bytes.len() + extra + *captured as usize, 0xaa);
    }
    bytes
}

const MICRO: u32 = 0xa1b2_c3d4;
const NANO: u32 = 0xa1b2_3c4d;
const THREE: [(u32, u32, u32, u32); 3] = [(10, 5, 60, 60), (9, 7, 100, 1500), (11, 0, 0, 0)];

#[test]
fn classic_captures_of_every_kind_are_counted() {
    let folder = Folder::new();
    for order in [Order(false), Order(true)] {
        for (magic, extra, scale) in [(MICRO, 0, 1000), (NANO, 0, 1), (0xa1b2_cd34, 8, 1000)] {
            let info = folder.scan(&pcap(order, magic, 65_535, 1, extra, &THREE)).unwrap();
            let expected = CaptureInfo {
                tcp_sample: (0, 0),
                packets: 3,
                bytes: 160,
                snapped_packets: 1,
                times_ns: Some((9_000_000_000 + 7 * scale, 11_000_000_000)),
                frame_bytes_max: 100,
                damage: None,
            };
            assert_eq!(info, expected);
        }
    }
}

#[test]
fn a_capture_without_packets_is_a_capture() {
    let info = Folder::new().scan(&pcap(Order(false), MICRO, 0, 1, 0, &[])).unwrap();
    assert_eq!(info, CaptureInfo::default());
}

#[test]
fn more_than_the_snapshot_length_is_not_counted() {
    let info = Folder::new().scan(&pcap(Order(false), MICRO, 80, 1, 0, &THREE)).unwrap();
    assert_eq!((info.bytes, info.frame_bytes_max), (140, 80));
}

#[test]
fn a_classic_capture_cut_anywhere_says_where() {
    let folder = Folder::new();
    let whole = pcap(Order(false), MICRO, 0, 1, 0, &THREE);
    // Where each record starts, and the end.
    let starts = [24, 24 + 76, 24 + 76 + 116, whole.len()];
    for len in 1..whole.len() {
        let result = folder.scan(&whole[..len]);
        if len < 24 {
            assert_eq!(
                result.unwrap_err(),
                format!("F: cut short in the file header, at byte {len}; copy or capture it again")
            );
            continue;
        }
        let info = result.unwrap();
        let complete = starts.iter().skip(1).filter(|end| **end <= len).count();
        assert_eq!(info.packets, complete as u64, "at {len}");
        let expected = (!starts.contains(&len)).then(|| Damage {
            packet: complete as u64 + 1,
            offset: starts[complete] as u64,
            kind: DamageKind::Cut,
        });
        assert_eq!(info.damage, expected, "at {len}");
    }
}

#[test]
fn a_length_that_cannot_be_is_damage() {
    let mut bytes = pcap(Order(false), MICRO, 0, 1, 0, &THREE);
    bytes[24 + 76 + 8..24 + 76 + 12].copy_from_slice(&u32::MAX.to_le_bytes());
    let info = Folder::new().scan(&bytes).unwrap();
    assert_eq!(info.packets, 1);
    let damage = info.damage.unwrap().to_string();
    assert_eq!(damage, "damaged at packet 2, at byte 100: its length is more than any Ethernet frame's");
}

#[test]
fn what_is_no_capture_is_refused_with_a_reason() {
    let folder = Folder::new();
    for (bytes, expected) in [
        (&b""[..], "F: the file is empty; was the capture stopped before its first packet?"),
        (b"\xd4\xc3", "F: cut short in the file header, at byte 2; copy or capture it again"),
        (
            b"GET / HTTP/1.1\r\n",
            "F: not a pcap or pcapng capture; give a file that tcpdump, dumpcap or Wireshark wrote",
        ),
        (
            b"\x1f\x8b\x08\x00...",
            "F: not a pcap or pcapng capture; it is compressed with gzip: unpack it with `gunzip` first",
        ),
        (
            b"\x0a\x0d\x0d\x0a\x1c\0\0\0\x55\x55\x55\x55\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "F: not a pcap or pcapng capture; give a file that tcpdump, dumpcap or Wireshark wrote",
        ),
    ] {
        assert_eq!(folder.scan(bytes).unwrap_err(), expected);
    }
    let cooked = folder.scan(&pcap(Order(false), MICRO, 0, 113, 0, &[])).unwrap_err();
    assert_eq!(
        cooked,
        "F: its link type is Linux cooked capture (113), not Ethernet; capture on an Ethernet interface, or convert it \
         with `tcprewrite --dlt=enet`"
    );
    let missing = scan(&folder.0.path().join("none.pcap"), |_| {}).unwrap_err().to_string();
    assert!(missing.contains("none.pcap: cannot be read: No such file"), "{missing}");
    let directory = scan(folder.0.path(), |_| {}).unwrap_err().to_string();
    assert!(directory.ends_with("not a regular file; save the capture in a file first"), "{directory}");
}

/// Blocks of a pcapng in one byte order.
struct Blocks {
    order: Order,
    bytes: Vec<u8>,
}

impl Blocks {
    fn new(order: Order) -> Self {
        let mut blocks = Self { order, bytes: Vec::new() };
        blocks.section();
        blocks
    }

    fn section(&mut self) -> &mut Self {
        let mark = self.order.u32(0x1a2b_3c4d);
        let version = [self.order.u16(1), self.order.u16(0)].concat();
        self.block(0x0a0d_0d0a, &[&mark[..], &version, &[0xff; 8]].concat())
    }

    fn block(&mut self, kind: u32, body: &[u8]) -> &mut Self {
        let padded = body.len().next_multiple_of(4);
        let total = self.order.u32(padded as u32 + 12);
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(total);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(total);
        self
    }

    fn interface(&mut self, link: u16, snap: u32, options: &[(u16, &[u8])]) -> &mut Self {
        let mut body = [&self.order.u16(link)[..], &[0, 0], &self.order.u32(snap)].concat();
        for (code, value) in options {
            body.extend(self.order.u16(*code));
            body.extend(self.order.u16(value.len() as u16));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        self.block(1, &body)
    }

    fn packet(&mut self, kind: u32, interface: u32, ticks: u64, captured: u32, on_wire: u32) -> &mut Self {
        let number = if kind == 2 {
            [self.order.u16(interface as u16), self.order.u16(7)].concat()
        } else {
            self.order.u32(interface).to_vec()
        };
        let mut body = number;
        for value in [(ticks >> 32) as u32, ticks as u32, captured, on_wire] {
            body.extend(self.order.u32(value));
        }
        body.resize(body.len() + captured as usize, 0xaa);
        self.block(kind, &body)
    }
}

#[test]
fn pcapng_blocks_of_every_kind_are_counted() {
    let folder = Folder::new();
    for order in [Order(false), Order(true)] {
        let offset = if order.0 { 5_i64.to_be_bytes() } else { 5_i64.to_le_bytes() };
        let mut blocks = Blocks::new(order);
        blocks
            .interface(1, 1000, &[(2, b"eth0"), (0, b"")])
            .interface(1, 1000, &[(9, &[9]), (14, &offset)])
            .block(5, b"statistics..")
            .packet(6, 0, 2_000_000, 61, 61)
            .packet(2, 1, 8_000_000_123, 1200, 1500);
        let mut simple = order.u32(70).to_vec();
        simple.resize(4 + 72, 0);
        blocks.section().interface(1, 1000, &[]).block(3, &simple).packet(6, 0, 3_000_000, 40, 40);
        let info = folder.scan(&blocks.bytes).unwrap();
        let expected = CaptureInfo {
            tcp_sample: (0, 0),
            packets: 4,
            bytes: 61 + 1000 + 70 + 40,
            snapped_packets: 1,
            times_ns: Some((0, 13_000_000_123)),
            frame_bytes_max: 1000,
            damage: None,
        };
        assert_eq!(info, expected);
    }
}

#[test]
fn a_pcapng_cut_anywhere_says_where() {
    let folder = Folder::new();
    let mut blocks = Blocks::new(Order(false));
    let mut ends = vec![blocks.bytes.len()];
    blocks.interface(1, 0, &[(9, &[6])]);
    ends.push(blocks.bytes.len());
    for _ in 0..2 {
        blocks.packet(6, 0, 1, 33, 33);
        ends.push(blocks.bytes.len());
    }
    for len in ends[0]..blocks.bytes.len() {
        let info = folder.scan(&blocks.bytes[..len]).unwrap();
        let whole = ends.iter().filter(|end| **end <= len).count();
        let packets = whole.saturating_sub(2) as u64;
        assert_eq!(info.packets, packets, "at {len}");
        let expected = (!ends.contains(&len)).then(|| Damage {
            packet: packets + 1,
            offset: ends[whole - 1] as u64,
            kind: DamageKind::Cut,
        });
        assert_eq!(info.damage, expected, "at {len}");
    }
    assert!(folder.scan(&blocks.bytes[..20]).unwrap_err().contains("cut short in the file header"));
}

#[test]
fn pcapng_that_libpcap_does_not_read_is_refused() {
    let folder = Folder::new();
    let mut blocks = Blocks::new(Order(false));
    blocks.interface(1, 100, &[]).interface(1, 200, &[]);
    assert_eq!(
        folder.scan(&blocks.bytes).unwrap_err(),
        "F: its interfaces differ in snapshot length, which DPDK's reader does not take; convert it with `editcap -F pcap`"
    );
    let mut blocks = Blocks::new(Order(false));
    blocks.interface(105, 0, &[]);
    assert!(folder.scan(&blocks.bytes).unwrap_err().contains("its link type is 802.11 (105), not Ethernet"));
}

#[test]
fn pcapng_damage_is_named() {
    let folder = Folder::new();
    let damage = |change: &dyn Fn(&mut Vec<u8>, usize)| {
        let mut blocks = Blocks::new(Order(false));
        blocks.interface(1, 0, &[]);
        let start = blocks.bytes.len();
        blocks.packet(6, 0, 1, 33, 33);
        change(&mut blocks.bytes, start);
        let info = folder.scan(&blocks.bytes).unwrap();
        assert_eq!(info.packets, 0);
        info.damage.unwrap().to_string()
    };
    let put = |at: usize, value: u32| {
        move |bytes: &mut Vec<u8>, start: usize| {
            bytes[start + at..start + at + 4].copy_from_slice(&value.to_le_bytes());
        }
    };
    assert!(damage(&put(4, 11)).ends_with("its block length cannot be right"));
    assert!(damage(&put(4, 0xffff_fff0)).ends_with("its block length cannot be right"));
    assert!(damage(&put(4, 16)).ends_with("its block is too short for a packet"));
    assert!(damage(&put(8, 1)).ends_with("it is of an interface that was not described"));
    assert!(damage(&put(20, 1000)).ends_with("its length is more than its block's"));
    assert!(damage(&|bytes, _| *bytes.last_mut().unwrap() = 1).ends_with("its two block lengths differ"));
}

#[test]
fn random_bytes_after_a_good_start_never_panic() {
    let folder = Folder::new();
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as u8
    };
    for round in 0..400 {
        let mut bytes = if round % 2 == 0 {
            pcap(Order(false), MICRO, 0, 1, 0, &THREE)
        } else {
            let mut blocks = Blocks::new(Order(round % 4 == 1));
            blocks.interface(1, 0, &[(9, &[6])]).packet(6, 0, 1, 33, 33);
            blocks.bytes
        };
        for _ in 0..4 {
            let at = (usize::from(next()) << 8 | usize::from(next())) % bytes.len();
            bytes[at] = next();
        }
        bytes.extend((0..next()).map(|_| next()));
        drop(folder.scan(&bytes));
    }
}

/// A TCP segment without data, its checksum right or not.
fn segment(checksum_right: bool) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
    let (pseudo_header, segment) = (&frame[26..], [0, 6, 0, 20]);
    let words = pseudo_header.chunks(2).chain(segment.chunks(2));
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16 ^ u16::from(!checksum_right);
    frame[50..52].copy_from_slice(&checksum.to_be_bytes());
    frame
}

#[test]
fn a_capture_from_before_checksums_were_filled_in_is_noticed() {
    for (packets, wrong, has_none) in
        [(1000, 0, false), (1000, 99, false), (1000, 100, true), (2000, 100, true), (999, 999, false)]
    {
        let mut bytes: Vec<u8> = [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1]
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        for number in 0..packets {
            let frame = segment(number >= wrong);
            for word in [1, 2, frame.len() as u32, frame.len() as u32] {
                bytes.extend(word.to_le_bytes());
            }
            bytes.extend(frame);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        let info = scan(file.path(), |_| {}).unwrap();
        assert_eq!(info.tcp_sample, (packets.min(1000), wrong), "{packets} {wrong}");
        assert_eq!(info.has_no_checksums(), has_none, "{packets} {wrong}");
    }
}
