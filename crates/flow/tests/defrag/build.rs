//! Fragments, datagrams and captures for the tests.

use std::path::PathBuf;

use flow::defrag::{Config, Defrag, DropReason, Lost, Outcome, Policy};
use wire::{Packet, ParseOptions, TenantId};

/// A protocol number without transport header (RFC 3692), so that any bytes are a payload.
pub(crate) const PROTOCOL: u8 = 253;
pub(crate) const ETHERNET: usize = 14;
pub(crate) const SECOND_NS: u64 = 1_000_000_000;

/// One fragment to send.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub(crate) offset: u32,
    pub(crate) more: bool,
    pub(crate) payload: Vec<u8>,
}

impl Piece {
    pub(crate) fn new(offset: u32, more: bool, payload: impl Into<Vec<u8>>) -> Self {
        Self { offset, more, payload: payload.into() }
    }

    pub(crate) fn end(&self) -> u32 {
        self.offset + self.payload.len() as u32
    }
}

/// What stands around a fragment.
#[derive(Clone, Debug)]
pub(crate) struct Around {
    pub(crate) ip_version: u8,
    pub(crate) id: u32,
    pub(crate) src: u8,
    pub(crate) vlan: Option<u16>,
    pub(crate) protocol: u8,
    pub(crate) ttl: u8,
    /// IPv4 options, a multiple of 4 bytes, or IPv6 extension headers in front of the fragment header.
    pub(crate) between: Vec<u8>,
    /// The IPv6 header's next header.
    pub(crate) first_next: u8,
}

pub(crate) fn around(ip_version: u8) -> Around {
    Around {
        ip_version,
        id: 7,
        src: 1,
        vlan: None,
        protocol: PROTOCOL,
        ttl: 64,
        between: Vec::new(),
        first_next: 44,
    }
}

pub(crate) fn checksum(header: &[u8]) -> u16 {
    let mut sum: u32 = header
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

impl Around {
    /// The frame of a fragment.
    pub(crate) fn frame(&self, piece: &Piece) -> Vec<u8> {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        if let Some(vlan) = self.vlan {
            frame.extend([0x81, 0]);
            frame.extend(vlan.to_be_bytes());
        }
        let more = u16::from(piece.more);
        if self.ip_version == 4 {
            let header_len = 20 + self.between.len();
            let mut header = vec![0x40 | (header_len / 4) as u8, 0];
            header.extend(((header_len + piece.payload.len()) as u16).to_be_bytes());
            header.extend((self.id as u16).to_be_bytes());
            header.extend((more << 13 | (piece.offset / 8) as u16).to_be_bytes());
            header.extend([self.ttl, self.protocol, 0, 0, 10, 0, 0, self.src, 10, 0, 0, 2]);
            header.extend(&self.between);
            let checksum = checksum(&header);
            header[10..12].copy_from_slice(&checksum.to_be_bytes());
            frame.extend([8, 0]);
            frame.extend(header);
        } else {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(((self.between.len() + 8 + piece.payload.len()) as u16).to_be_bytes());
            frame.extend([self.first_next, self.ttl]);
            frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, self.src]);
            frame.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
            frame.extend(&self.between);
            frame.extend([self.protocol, 0]);
            frame.extend((piece.offset as u16 | more).to_be_bytes());
            frame.extend(self.id.to_be_bytes());
        }
        frame.extend(&piece.payload);
        frame
    }

    /// The packet that the fragments of `payload` were cut from.
    pub(crate) fn datagram(&self, payload: &[u8]) -> Vec<u8> {
        let whole = Piece::new(0, false, payload);
        let mut frame = self.frame(&whole);
        frame.drain(..ETHERNET + if self.vlan.is_some() { 4 } else { 0 });
        if self.ip_version == 6 {
            // Without the fragment header.
            let at = 40 + self.between.len();
            frame.drain(at..at + 8);
            let payload_len = (self.between.len() + payload.len()) as u16;
            frame[4..6].copy_from_slice(&payload_len.to_be_bytes());
            match self.between.len() {
                0 => frame[6] = self.protocol,
                // The tests' extension headers are all of the first kind in one header.
                _ => frame[40] = self.protocol,
            }
        }
        frame
    }
}

/// A small reassembly that a test can fill.
pub(crate) fn defrag(policy: Policy) -> Defrag {
    with(policy, |_| {})
}

pub(crate) fn with(policy: Policy, change: impl FnOnce(&mut Config)) -> Defrag {
    let mut config = Config {
        trackers_max: 64,
        trackers_per_tenant_max: 32,
        bytes_max: 1 << 20,
        bytes_per_tenant_max: 1 << 19,
        ..Config::default()
    };
    change(&mut config);
    let mut defrag = Defrag::new(config).unwrap();
    for tenant in 0..4 {
        defrag.set_policy(TenantId(tenant), policy);
    }
    defrag
}

pub(crate) fn parse(frame: &[u8]) -> Packet {
    Packet::parse_ethernet(frame, &ParseOptions::default()).unwrap()
}

/// What came of a frame, owned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Got {
    NotFragment,
    Held,
    Complete(Vec<u8>, u64, u64),
    Dropped(DropReason),
}

impl From<Outcome<'_>> for Got {
    fn from(outcome: Outcome<'_>) -> Self {
        match outcome {
            Outcome::NotFragment => Self::NotFragment,
            Outcome::Held => Self::Held,
            Outcome::Complete(datagram) => {
                Self::Complete(datagram.bytes.to_vec(), datagram.frames.packets, datagram.frames.bytes)
            }
            Outcome::Dropped(reason) => Self::Dropped(reason),
        }
    }
}

pub(crate) fn push(defrag: &mut Defrag, around: &Around, piece: &Piece, now_ns: u64) -> Got {
    push_of(defrag, TenantId(0), around, piece, now_ns)
}

pub(crate) fn push_of(
    defrag: &mut Defrag,
    tenant: TenantId,
    around: &Around,
    piece: &Piece,
    now_ns: u64,
) -> Got {
    let frame = around.frame(piece);
    let got = defrag.push(&frame, &packet_of(around, piece, &frame), tenant, now_ns).into();
    balanced(defrag);
    got
}

/// As the frame parses, or, where the parser refuses what reassembly must withstand too, as it would.
fn packet_of(around: &Around, piece: &Piece, frame: &[u8]) -> Packet {
    if let Ok(packet) = Packet::parse_ethernet(frame, &ParseOptions::default())
        && packet.fragment.is_some()
    {
        return packet;
    }
    let well_formed = around.frame(&Piece::new(8, true, vec![0; 8]));
    let mut packet = parse(&well_formed);
    packet.fragment = Some(wire::Fragment { id: around.id, offset: piece.offset, more: piece.more });
    packet.payload_len = piece.payload.len() as u16;
    packet
}

/// Received = completed + held + dropped, in packets and bytes, of every tenant.
pub(crate) fn balanced(defrag: &Defrag) {
    for tenant in 0..8 {
        let stats = defrag.stats(TenantId(tenant));
        let sum = |of: fn(&flow::defrag::Count) -> u64| {
            of(&stats.completed) + of(&stats.held) + stats.dropped.iter().map(of).sum::<u64>()
        };
        assert_eq!(stats.received.packets, sum(|count| count.packets), "{stats:?}");
        assert_eq!(stats.received.bytes, sum(|count| count.bytes), "{stats:?}");
    }
}

pub(crate) fn lost(defrag: &mut Defrag, now_ns: u64) -> Vec<Lost> {
    let mut all = Vec::new();
    defrag.expire(now_ns, |lost| all.push(lost));
    all
}

pub(crate) fn drained(defrag: &mut Defrag) -> Vec<Lost> {
    let mut all = Vec::new();
    defrag.drain(|lost| all.push(lost));
    assert_eq!((defrag.trackers(), defrag.bytes_held()), (0, 0));
    all
}

/// The directory of real captures, if there is one.
pub(crate) fn corpora() -> Option<PathBuf> {
    let path = std::env::var_os("FOREBAY_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora")),
        PathBuf::from,
    );
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: no captures at {}; set FOREBAY_CORPORA", path.display());
    None
}
