//! An FTP control connection whose client has said who it is.

#![no_main]

#[path = "analyze/drive.rs"]
mod drive;

use analyze::Transport;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut connection = vec![8];
    connection.extend_from_slice(b"USER me\n");
    connection.extend_from_slice(input);
    drive::drive(Transport::Tcp, (40_000, 21), &connection);
});
