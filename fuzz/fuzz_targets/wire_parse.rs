//! Any bytes as an Ethernet frame: parsing, every tunnel inside, quoted packets, checksums.
#![no_main]

#[path = "../../crates/wire/tests/common/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|frame: &[u8]| invariants::check_ethernet(frame));
