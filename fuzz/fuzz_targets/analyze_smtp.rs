//! A mail connection whose server has greeted and takes pipelined commands.

#![no_main]

#[path = "analyze/drive.rs"]
mod drive;

use analyze::Transport;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut connection = vec![0x80 | 7];
    connection.extend_from_slice(b"220 mx\r");
    connection.extend_from_slice(b"\x81\n\x09EHLO me\r\n");
    connection.extend_from_slice(b"\x90250 PIPELINING\r\n");
    connection.extend_from_slice(input);
    drive::drive(Transport::Tcp, (40_000, 25), &connection);
});
