//! Any protocol: the first byte chooses the transport and the server's port.

#![no_main]

#[path = "analyze/drive.rs"]
mod drive;

use analyze::Transport;
use libfuzzer_sys::fuzz_target;

const PORTS: [u16; 16] = [80, 443, 53, 25, 21, 22, 445, 139, 69, 67, 123, 88, 161, 500, 8080, 40_001];

fuzz_target!(|input: &[u8]| {
    let Some((&first, rest)) = input.split_first() else { return };
    let transport = if first & 0x80 == 0 { Transport::Tcp } else { Transport::Udp };
    let port = PORTS[usize::from(first & 0xf)];
    drive::drive(transport, (40_000, port), rest);
});
