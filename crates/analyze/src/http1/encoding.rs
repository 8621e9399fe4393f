//! `Content-Encoding`: what is laid over a body.

use super::message::contains;
use super::{Http1Transaction, events};
use crate::DecompressLimits;
use crate::files::decompress::{Decompressor, Encoding, Trouble};
use app::Direction;

/// Sets up the decoding of a body, as its message's `Content-Encoding` says.
pub(super) fn set_up(transaction: &mut Http1Transaction, direction: Direction, limits: &DecompressLimits) {
    if limits.layers == 0 {
        return;
    }
    let Some(value) = transaction.message(direction).value_past_nul(b"content-encoding") else { return };
    let plain: Vec<u8> =
        value.iter().copied().filter(|&byte| byte != 0).map(|byte| byte.to_ascii_lowercase()).collect();
    let mut encodings = Vec::new();
    let mut raised: Vec<&'static str> = Vec::new();
    match plain.as_slice() {
        b"gzip" | b"x-gzip" => encodings.push(Encoding::Gzip),
        b"deflate" | b"x-deflate" => encodings.push(Encoding::Deflate),
        b"lzma" => encodings.push(Encoding::Lzma),
        b"inflate" | b"none" => {}
        _ => {
            let words = value.split(|&byte| byte == b',' || byte == b' ').filter(|word| !word.is_empty());
            for (number, word) in words.enumerate() {
                if number >= limits.layers as usize {
                    raised.push(events::TOO_MANY_ENCODINGS);
                    break;
                }
                if contains(word, b"gzip") {
                    if word != b"gzip" && word != b"x-gzip" {
                        raised.push(events::ABNORMAL_ENCODING);
                    }
                    encodings.push(Encoding::Gzip);
                } else if contains(word, b"deflate") {
                    if word != b"deflate" && word != b"x-deflate" {
                        raised.push(events::ABNORMAL_ENCODING);
                    }
                    encodings.push(Encoding::Deflate);
                } else if word == b"lzma" {
                    encodings.push(Encoding::Lzma);
                } else if word != b"inflate" && word != b"none" {
                    raised.push(events::ABNORMAL_ENCODING);
                }
            }
        }
    }
    transaction.message_mut(direction).decoder = Decompressor::new(&encodings, limits).map(Box::new);
    for event in raised {
        transaction.raise(event);
    }
}

/// The event that tells of a trouble.
pub(super) const fn event_of(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Broken => events::GZIP_FAILED,
        Trouble::Bomb => events::BOMB,
        Trouble::Memory => events::LZMA_MEMORY,
    }
}
