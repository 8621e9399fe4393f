//! An SSH connection whose server has sent its banner.

#![no_main]

#[path = "analyze/drive.rs"]
mod drive;

use analyze::Transport;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut connection = vec![0x80 | 11];
    connection.extend_from_slice(b"SSH-2.0-x\r\n");
    connection.extend_from_slice(input);
    drive::drive(Transport::Tcp, (40_000, 22), &connection);
});
