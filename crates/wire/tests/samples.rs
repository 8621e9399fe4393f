//! Every sample frame, whole, cut anywhere, and with any byte changed; and the frames that a fuzzer once broke it with.

mod common;

use std::path::Path;

use common::{frames, invariants};
use wire::{Malformed, Packet, ParseOptions};

#[test]
fn a_sample_parses_to_its_innermost_packet() {
    let options = ParseOptions::default();
    for (name, frame) in frames::samples() {
        let packet = Packet::parse_ethernet(&frame, &options).unwrap_or_else(|why| panic!("{name}: {why}"));
        packet.innermost(&frame, &options).unwrap_or_else(|why| panic!("{name}: {why}"));
        invariants::check_ethernet(&frame);
    }
}

#[test]
fn a_cut_frame_is_malformed_or_what_its_length_fields_allow() {
    let options = ParseOptions::default();
    let mut malformed = 0;
    for (name, frame) in frames::samples() {
        let whole = Packet::parse_ethernet(&frame, &options).expect("samples parse");
        for len in 0..frame.len() {
            let cut = &frame[..len];
            invariants::check_ethernet(cut);
            match Packet::parse_ethernet(cut, &options) {
                // Only padding may be missing, or bytes of a payload that has no length field.
                Ok(packet) => assert_eq!(
                    (packet.tuple, packet.payload_offset),
                    (whole.tuple, whole.payload_offset),
                    "{name} cut to {len}"
                ),
                Err(_) => malformed += 1,
            }
        }
    }
    assert!(malformed > 1000, "only {malformed} cut frames were refused");
}

#[test]
fn a_changed_byte_breaks_nothing() {
    for (_, mut frame) in frames::samples() {
        for at in 12..frame.len().min(120) {
            let original = frame[at];
            for value in [0, 1, 0x04, 0x0f, 0x45, 0x60, 0x7f, 0x80, 0xff, original ^ 0x40, original ^ 0x01] {
                frame[at] = value;
                invariants::check_ethernet(&frame);
                invariants::check_ip(&frame[14..]);
            }
            frame[at] = original;
        }
    }
}

#[test]
fn every_byte_string_in_front_of_nothing_is_handled() {
    for len in 0..64 {
        for byte in [0, 0x45, 0x60, 0x88, 0xff] {
            invariants::check_ethernet(&vec![byte; len]);
            invariants::check_ip(&vec![byte; len]);
        }
    }
}

#[test]
fn a_frame_longer_than_offsets_reach_is_refused() {
    let options = ParseOptions::default();
    let mut frame = frames::ethernet(0x0800, &frames::ipv4(17, &frames::udp(1, 2, b"x")));
    frame.resize(65_535, 0);
    assert!(Packet::parse_ethernet(&frame, &options).is_ok());
    frame.push(0);
    assert_eq!(Packet::parse_ethernet(&frame, &options), Err(Malformed::FrameTooLong));
    assert_eq!(Packet::parse_ip(&frame, &options), Err(Malformed::FrameTooLong));
    let arp = [&frames::ethernet(0x0806, &frames::arp())[..], &vec![0; 65_535]].concat();
    assert_eq!(Packet::parse_ethernet(&arp, &options), Err(Malformed::FrameTooLong));
}

#[test]
fn a_packet_stays_small() {
    assert!(size_of::<Packet>() <= 96, "{} bytes", size_of::<Packet>());
    assert!(size_of::<Result<Packet, Malformed>>() <= 96);
}

/// The fuzzer's seeds, and inputs that once failed.
#[test]
fn fuzz_inputs_are_handled() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut inputs = 0;
    for (folder, check) in [
        ("fuzz/seeds/wire_parse", invariants::check_ethernet as fn(&[u8])),
        ("fuzz/seeds/wire_ip", invariants::check_ip),
        ("crates/wire/tests/regressions/wire_parse", invariants::check_ethernet),
        ("crates/wire/tests/regressions/wire_ip", invariants::check_ip),
    ] {
        let Ok(entries) = std::fs::read_dir(repository.join(folder)) else { continue };
        for entry in entries {
            check(&std::fs::read(entry.expect("a readable folder").path()).expect("a readable file"));
            inputs += 1;
        }
    }
    assert!(inputs >= 20, "only {inputs} inputs; are the seeds where this looks for them?");
}
