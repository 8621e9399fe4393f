//! DNS over UDP and TCP.

#![no_main]

#[path = "analyze/drive.rs"]
mod drive;

use analyze::Transport;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    drive::drive(Transport::Udp, (40_000, 53), input);
    drive::drive(Transport::Tcp, (40_000, 53), input);
});
