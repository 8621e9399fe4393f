//! Caps on HTTP.

use crate::WindowLimits;
use crate::files::decompress::DecompressLimits;

/// Caps on HTTP/1 and HTTP/2; the defaults are the reference's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpLimits {
    /// How request bodies are looked into.
    pub request_body: WindowLimits,
    /// How response bodies are looked into.
    pub response_body: WindowLimits,
    /// How contents of uploaded files are looked into.
    pub upload: WindowLimits,
    /// How bodies are decoded.
    pub decompress: DecompressLimits,
    /// Longest line of a head, in bytes.
    pub field: usize,
    /// Most header fields of a message.
    pub headers: usize,
    /// Most transactions that are open in one flow, and most streams of an HTTP/2 connection.
    pub transactions: usize,
    /// Largest HPACK table that a peer may ask for, in bytes.
    pub hpack_table: usize,
    /// Largest block of HTTP/2 header frames with their continuations, in bytes.
    pub header_block: usize,
    /// Whether a path is percent-decoded once more.
    pub double_decode_path: bool,
    /// Whether a query is percent-decoded once more.
    pub double_decode_query: bool,
}

impl Default for HttpLimits {
    fn default() -> Self {
        let window = |content, inspect_min, inspect_window| WindowLimits {
            content,
            inspect_min,
            inspect_window,
            ..WindowLimits::default()
        };
        Self {
            request_body: window(102_400, 32_768, 4_096),
            response_body: window(102_400, 40_960, 16_384),
            upload: WindowLimits::default(),
            decompress: DecompressLimits::default(),
            field: 18_000,
            headers: 1_024,
            transactions: 512,
            hpack_table: 65_536,
            header_block: 102_400,
            double_decode_path: false,
            double_decode_query: false,
        }
    }
}
