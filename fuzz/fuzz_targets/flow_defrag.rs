//! IP reassembly under a program of fragments.
//!
//! The first byte chooses the policy (modulo 7) and, by its top bit, whether IPv6 overlaps drop. Then one operation after
//! another: a byte `vttiikkk` (IP version, tenant, identification, kind), and what the kind takes:
//! - kinds 0-4, a fragment: two bytes as in the IPv4 header (more fragments in bit 13, offset in 13 bits), one byte of
//!   length in units of 8, one byte `sssssooo` (seconds since the last, bytes taken off the length);
//! - kind 5: time passes by the next byte in seconds, and losses are reported;
//! - kind 6: the next byte says how many of the following are a frame;
//! - kind 7: the same, but what is said of the frame is made of its own bytes, not parsed.
//!
//! Every fragment of an identification is cut from the same bytes, so however fragments overlap, what completes must
//! be those bytes.

#![no_main]

use flow::defrag::{Config, Count, Defrag, DropReason, Outcome, Policy};
use libfuzzer_sys::fuzz_target;
use wire::{Addr, Fragment, L3, NTuple, Packet, ParseOptions, TenantId, Vlans};

const CHUNK_COST: usize = 3072;
const TENANTS: u16 = 4;
const PROTOCOL: u8 = 253;
/// Keeps the datagrams whose payload is known apart: no parsed frame has as many tags.
const KNOWN_VLANS: u8 = 9;

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = usize::from(self.byte()?).min(self.0.len());
        let (bytes, rest) = self.0.split_at(len);
        self.0 = rest;
        Some(bytes)
    }
}

/// What was held and not yet heard of again, by tenant.
type Held = [Count; TENANTS as usize];

fn payload_byte(id: u32, at: u32) -> u8 {
    (at.wrapping_mul(31) >> 3) as u8 ^ at as u8 ^ (id as u8) << 5
}

fn fragment_frame(frame: &mut Vec<u8>, ip_version: u8, id: u32, fragment: Fragment, len: u32) -> Packet {
    frame.clear();
    let header_len = if ip_version == 4 { 20 } else { 48 };
    frame.resize(header_len, 0);
    if ip_version == 4 {
        frame[0] = 0x45;
        frame[9] = PROTOCOL;
    } else {
        frame[0] = 0x60;
        frame[6] = 44;
        frame[40] = PROTOCOL;
    }
    frame.extend((fragment.offset..fragment.offset + len).map(|at| payload_byte(id, at)));
    Packet {
        tuple: NTuple { protocol: PROTOCOL, ip_version, ..NTuple::default() },
        vlans: Vlans { vids: [0; 2], count: KNOWN_VLANS },
        l3: if ip_version == 4 { L3::Ipv4 } else { L3::Ipv6 },
        l4_offset: header_len as u16,
        payload_offset: header_len as u16,
        payload_len: len as u16,
        fragment: Some(fragment),
        ..Packet::default()
    }
}

/// A packet that says of its frame whatever its bytes are.
fn wild(frame: &[u8]) -> Packet {
    let at = |index: usize| frame.get(index).copied().unwrap_or(0);
    let word = |index: usize| u16::from_be_bytes([at(index) & 1, at(index + 1)]);
    Packet {
        tuple: NTuple { src: Addr([at(0) & 1; 16]), ..NTuple::default() },
        l3: [L3::Ipv4, L3::Ipv6, L3::Arp, L3::Other][usize::from(at(1) & 3)],
        l3_offset: word(2),
        l4_offset: word(4),
        payload_offset: word(4),
        payload_len: word(6),
        fragment: Some(Fragment {
            id: u32::from(at(8) & 3),
            offset: u32::from_be_bytes([0, at(9) & 3, at(10), at(11)]),
            more: at(12) & 1 == 1,
        }),
        ..Packet::default()
    }
}

/// Checks a datagram's own lengths and, where it is known, its payload.
fn check_datagram(bytes: &[u8], l3: L3, known: Option<u32>) {
    let header_len = if l3 == L3::Ipv4 {
        assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), bytes.len());
        assert_eq!(bytes[6..8], [0, 0], "still a fragment");
        usize::from(bytes[0] & 15) * 4
    } else {
        assert_eq!(usize::from(u16::from_be_bytes([bytes[4], bytes[5]])) + 40, bytes.len());
        40
    };
    assert!(bytes.len() > header_len);
    if let Some(id) = known {
        for (at, byte) in bytes[header_len..].iter().enumerate() {
            assert_eq!(*byte, payload_byte(id, at as u32), "payload byte {at}");
        }
    }
}

fn run(data: &[u8]) -> Option<()> {
    let mut input = Input(data);
    let first = input.byte()?;
    let config = Config {
        trackers_max: 8,
        trackers_per_tenant_max: 4,
        fragments_per_datagram_max: 64,
        bytes_max: 60 * CHUNK_COST,
        bytes_per_tenant_max: 40 * CHUNK_COST,
        ipv6_overlap_drops: first & 0x80 != 0,
        ..Config::default()
    };
    let (trackers_max, bytes_max) = (config.trackers_max as usize, config.bytes_max);
    let mut defrag = Defrag::new(config).expect("limits that fit");
    for tenant in 0..TENANTS {
        defrag.set_policy(TenantId(tenant), Policy::ALL[usize::from(first & 0x7f) % Policy::ALL.len()]);
    }
    let mut held = Held::default();
    let mut now_ns = 0;
    let mut frame = Vec::new();
    while let Some(operation) = input.byte() {
        let ip_version = if operation & 0x80 == 0 { 4 } else { 6 };
        let tenant = TenantId(u16::from(operation >> 5 & 3));
        let id = u32::from(operation >> 3 & 3);
        let mut known = None;
        let packet = match operation & 7 {
            0..=4 => {
                let [high, low, units, rest] = [input.byte()?, input.byte()?, input.byte()?, input.byte()?];
                now_ns += u64::from(rest >> 3) * 1_000_000_000;
                let offset = u32::from(u16::from_be_bytes([high & 0x1f, low])) * 8;
                let fragment = Fragment { id, offset, more: high & 0x20 != 0 };
                known = Some(id);
                let len = (u32::from(units) * 8).saturating_sub(u32::from(rest & 7));
                fragment_frame(&mut frame, ip_version, id, fragment, len)
            }
            5 => {
                now_ns += u64::from(input.byte()?) * 1_000_000_000;
                Packet::default()
            }
            kind => {
                frame.clear();
                frame.extend_from_slice(input.bytes()?);
                if kind == 7 {
                    wild(&frame)
                } else {
                    Packet::parse_ethernet(&frame, &ParseOptions::default()).unwrap_or_default()
                }
            }
        };
        let mine = &mut held[usize::from(tenant.0)];
        match defrag.push(&frame, &packet, tenant, now_ns) {
            Outcome::NotFragment => assert!(packet.fragment.is_none()),
            Outcome::Held => {
                mine.packets += 1;
                mine.bytes += frame.len() as u64;
            }
            Outcome::Complete(datagram) => {
                assert!(datagram.bytes.len() <= 40 + 65_535);
                mine.packets = mine.packets + 1 - datagram.frames.packets;
                mine.bytes = mine.bytes + frame.len() as u64 - datagram.frames.bytes;
                check_datagram(datagram.bytes, packet.l3, known);
                if let Ok(whole) = Packet::parse_ip(datagram.bytes, &ParseOptions::default())
                    && whole.fragment.is_some()
                {
                    let (bytes, frames) = (datagram.bytes.to_vec(), datagram.frames);
                    nested(&mut defrag, bytes, whole, frames, tenant, now_ns, mine);
                }
            }
            Outcome::Dropped(reason) => {
                assert!(!matches!(reason, DropReason::Timeout | DropReason::Shutdown), "{reason:?}");
            }
        }
        assert!(defrag.trackers() <= trackers_max);
        assert!(defrag.bytes_held() <= bytes_max);
        if operation & 7 == 5 {
            defrag.expire(now_ns, |lost| subtract(&mut held, lost));
            check_ledger(&defrag, Some(&held));
        }
        check_ledger(&defrag, None);
    }
    defrag.drain(|lost| subtract(&mut held, lost));
    assert_eq!(held, Held::default());
    assert_eq!((defrag.trackers(), defrag.bytes_held()), (0, 0));
    check_ledger(&defrag, Some(&held));
    Some(())
}

/// A datagram that is a fragment itself goes in again.
fn nested(
    defrag: &mut Defrag,
    mut bytes: Vec<u8>,
    mut packet: Packet,
    mut frames: Count,
    tenant: TenantId,
    now_ns: u64,
    held: &mut Count,
) {
    loop {
        match defrag.push_reassembled(&bytes, &packet, frames, tenant, now_ns) {
            Outcome::NotFragment => panic!("it was one"),
            Outcome::Dropped(_) => return,
            Outcome::Held => {
                held.packets += frames.packets;
                held.bytes += frames.bytes;
                return;
            }
            Outcome::Complete(datagram) => {
                held.packets = held.packets + frames.packets - datagram.frames.packets;
                held.bytes = held.bytes + frames.bytes - datagram.frames.bytes;
                frames = datagram.frames;
                bytes = datagram.bytes.to_vec();
            }
        }
        match Packet::parse_ip(&bytes, &ParseOptions::default()) {
            Ok(whole) if whole.fragment.is_some() => packet = whole,
            _ => return,
        }
    }
}

fn subtract(held: &mut Held, lost: flow::defrag::Lost) {
    let mine = &mut held[usize::from(lost.tenant.0)];
    assert!(lost.datagrams > 0 && lost.frames.packets >= lost.datagrams);
    mine.packets -= lost.frames.packets;
    mine.bytes -= lost.frames.bytes;
}

fn check_ledger(defrag: &Defrag, held: Option<&Held>) {
    for tenant in 0..TENANTS {
        let stats = defrag.stats(TenantId(tenant));
        for of in [|count: &Count| count.packets, |count: &Count| count.bytes] {
            let dropped: u64 = stats.dropped.iter().map(of).sum();
            assert_eq!(of(&stats.received), of(&stats.completed) + of(&stats.held) + dropped);
        }
        if let Some(held) = held {
            assert_eq!(stats.held, held[usize::from(tenant)]);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    run(data);
});
