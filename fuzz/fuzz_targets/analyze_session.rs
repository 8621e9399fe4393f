//! Any protocol: the first byte chooses the transport and the server's port.

#![no_main]

#[path = "analyze/drive.rs"]
mod drive;

libfuzzer_sys::fuzz_target!(|input: &[u8]| drive::drive_any(input));
