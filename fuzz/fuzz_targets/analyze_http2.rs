//! HTTP/2: any bytes each way behind a beginning that tells the protocol, in any pieces, with gaps.

#![no_main]

#[path = "common/analyze_session.rs"]
mod analyze_session;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    analyze_session::run(data, [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\x04\0\0\0\0\0"]);
});
