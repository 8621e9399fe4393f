//! Instructions per packet of the straight-line parse paths, to be counted where clocks are noisy:
//!
//! ```text
//! cargo build --release -p forebay-wire --example instructions
//! valgrind --tool=callgrind --callgrind-out-file=/dev/null target/release/examples/instructions SHAPE ROUNDS
//! ```
//!
//! `SHAPE` is one of those printed without arguments. The difference between the totals of two numbers of rounds,
//! divided by the difference in packets (32 a round), is the cost of one packet, loop and store of the result included.

use std::hint::black_box;

use wire::{Packet, ParseOptions};

const BURST: usize = 32;

/// As a worker does it: a burst of frames into an array of packets. Returns how many parsed.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "so it reaches a worker")]
#[inline(never)]
fn parse_burst(frames: &[&[u8]; BURST], packets: &mut [Packet; BURST], options: &ParseOptions) -> u32 {
    let mut parsed = 0;
    for (frame, packet) in frames.iter().zip(packets) {
        parsed += u32::from(packet.assign_ethernet(frame, options).is_ok());
    }
    parsed
}

/// The shape's frame: an Ethernet header, `tags` VLAN tags, and the IP packet made of the given parts.
fn frame(tags: usize, ethertype: [u8; 2], network: &[u8], transport: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    for vid in 0..tags {
        frame.extend([0x81, 0x00, 0x00, 100 + vid as u8]);
    }
    frame.extend(ethertype);
    frame.extend(network);
    frame.extend(transport);
    frame
}

fn shape(name: &str) -> Option<Vec<u8>> {
    let udp = [0x30, 0x39, 0x00, 0x35, 0, 12, 0, 0, 1, 2, 3, 4];
    let mut tcp = [0_u8; 32];
    tcp[1] = 80;
    tcp[3] = 81;
    tcp[12] = 0x50;
    let v4 = |protocol: u8, len: usize| {
        let total = [0, 20 + len as u8];
        [&[0x45, 0][..], &total, &[0, 1, 0x40, 0, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]].concat()
    };
    let v6 = |next: u8, len: usize| {
        [&[0x60, 0, 0, 0, 0, len as u8, next, 64][..], &[0x20; 16], &[0x21; 16]].concat()
    };
    let (ipv4, ipv6) = ([0x08, 0x00], [0x86, 0xdd]);
    Some(match name {
        "ipv4-udp" => frame(0, ipv4, &v4(17, udp.len()), &udp),
        "ipv4-tcp" => frame(0, ipv4, &v4(6, tcp.len()), &tcp),
        "vlan-ipv4-udp" => frame(1, ipv4, &v4(17, udp.len()), &udp),
        "vlan-ipv4-tcp" => frame(1, ipv4, &v4(6, tcp.len()), &tcp),
        "ipv6-udp" => frame(0, ipv6, &v6(17, udp.len()), &udp),
        "ipv6-tcp" => frame(0, ipv6, &v6(6, tcp.len()), &tcp),
        "vlan-ipv6-tcp" => frame(1, ipv6, &v6(6, tcp.len()), &tcp),
        "qinq-ipv4-tcp" => frame(2, ipv4, &v4(6, tcp.len()), &tcp),
        _ => return None,
    })
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let frame = arguments.next().as_deref().and_then(shape);
    let rounds = arguments.next().and_then(|rounds| rounds.parse::<u32>().ok());
    let (Some(frame), Some(rounds)) = (frame, rounds) else {
        eprintln!(
            "usage: instructions ipv4-udp|ipv4-tcp|vlan-ipv4-udp|vlan-ipv4-tcp|ipv6-udp|ipv6-tcp|vlan-ipv6-tcp|\
             qinq-ipv4-tcp ROUNDS"
        );
        std::process::exit(2);
    };
    let options = ParseOptions::default();
    let mut packets = [Packet::default(); BURST];
    let mut parsed = 0;
    for _ in 0..rounds {
        parsed += parse_burst(black_box(&[&frame[..]; BURST]), black_box(&mut packets), black_box(&options));
    }
    println!("{parsed} packets parsed, the last of {} bytes of payload", packets[BURST - 1].payload_len);
}
