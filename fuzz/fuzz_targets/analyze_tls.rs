//! TLS: behind a beginning that names it, whatever the fuzzer says.

#![no_main]

#[path = "analyze/drive.rs"]
mod drive;

use analyze::Transport;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut stream = vec![3, 22, 3, 1];
    stream.extend_from_slice(input);
    drive::drive(Transport::Tcp, (40_000, 443), &stream);
});
