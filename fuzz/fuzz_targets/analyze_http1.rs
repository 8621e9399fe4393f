//! HTTP/1: any bytes each way behind a beginning that tells the protocol, in any pieces, with gaps.

#![no_main]

#[path = "common/analyze_session.rs"]
mod analyze_session;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    analyze_session::run(data, [b"POST /a HTTP/1.1\r\n", b"HTTP/1.1 "]);
});
