//! Any bytes as an IP packet without link layer, as a reassembled datagram is.
#![no_main]

#[path = "../../crates/wire/tests/common/invariants.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::check_ip(bytes));
