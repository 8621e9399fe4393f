//! What both versions write alike.

use event::json::{hex, literal, number_after, string};

use super::{Header, names1};

/// `"ike":{…}` of one message.
#[derive(Debug)]
pub(super) struct Members {
    bytes: Vec<u8>,
    /// Where an alert names the exchange.
    verbose_at: usize,
    exchange: Option<&'static str>,
}

impl Members {
    /// As a record has them.
    pub(super) fn record(&self) -> &[u8] {
        &self.bytes
    }

    /// Appends them as an alert has them.
    pub(super) fn alert(&self, to: &mut Vec<u8>) {
        let (before, after) = self.bytes.split_at_checked(self.verbose_at).unwrap_or((&self.bytes, &[]));
        to.extend_from_slice(before);
        if let Some(name) = self.exchange {
            literal(to, r#","exchange_type_verbose":"#);
            string(to, name);
        }
        to.extend_from_slice(after);
    }

    /// The beginning, which every message has; [`Members::rest`] follows.
    pub(super) fn begin(header: &Header) -> Self {
        let mut bytes = Vec::with_capacity(512);
        let to = &mut bytes;
        number_after(to, r#""ike":{"version_major":"#, u64::from(header.major));
        number_after(to, r#","version_minor":"#, u64::from(header.minor));
        literal(to, r#","init_spi":""#);
        to.extend_from_slice(&identifier(header.initiator));
        literal(to, r#"","resp_spi":""#);
        to.extend_from_slice(&identifier(header.responder));
        number_after(to, r#"","message_id":"#, u64::from(header.message));
        number_after(to, r#","exchange_type":"#, u64::from(header.exchange));
        let exchange = if header.major == 1 { names1::exchange(header.exchange) } else { None };
        Self { verbose_at: bytes.len(), bytes, exchange }
    }

    /// Where the rest is to be appended.
    pub(super) const fn rest(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }
}

/// The identifier of a side, in hexadecimal.
pub(super) fn identifier(bytes: [u8; 8]) -> [u8; 16] {
    let mut text = [0; 16];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&hex(byte));
    }
    text
}

/// Appends bytes in hexadecimal.
pub(super) fn hexadecimal(to: &mut Vec<u8>, bytes: &[u8]) {
    for &byte in bytes {
        to.extend_from_slice(&hex(byte));
    }
}
