//! The record layer: cutting a stream into records and giving out their contents as they come.

/// What one step has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Content<'a> {
    /// A record begins, of this version.
    Begins {
        version: u16,
    },
    /// The next bytes of handshake messages.
    Handshake(&'a [u8]),
    /// A whole heartbeat record, or the part of it that is here.
    Heartbeat(&'a [u8]),
    ChangeCipher,
    /// Encrypted data.
    Data,
    /// Bytes that say nothing: of alerts, and the rest of what is not read.
    Other,
    /// An SSL 2 message, without its length.
    Ssl2(&'a [u8]),
    BadVersion,
    BadType,
    /// A record of no bytes.
    Empty,
}

const HEADER_BYTES: usize = 5;

/// One direction's place in the record layer.
#[derive(Default, Debug)]
pub(super) struct Records {
    /// The first bytes of a header that is not whole.
    header: [u8; HEADER_BYTES],
    header_len: usize,
    /// The record in hand, and how many of its bytes are still to come.
    kind: u8,
    remaining: usize,
    /// Whether a record of the SSL 3 kind was seen.
    modern: bool,
    /// The handshake message in hand.
    message: Vec<u8>,
}

impl Records {
    /// The handshake message that is being put together.
    pub(super) const fn message_mut(&mut self) -> &mut Vec<u8> {
        &mut self.message
    }

    /// Reads on: what was found, if anything, and the bytes behind it.
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> (Option<Content<'a>>, &'a [u8]) {
        if bytes.is_empty() {
            return (None, bytes);
        }
        if self.remaining > 0 {
            return self.body(bytes);
        }
        let want = HEADER_BYTES - self.header_len;
        let (taken, rest) = bytes.split_at(want.min(bytes.len()));
        if let Some(room) = self.header.get_mut(self.header_len..self.header_len + taken.len()) {
            room.copy_from_slice(taken);
        }
        self.header_len += taken.len();
        let [kind, high, low, ..] = self.header;
        if !self.modern && self.header_len >= 3 && !(20..=24).contains(&kind) && kind & 0x80 != 0 {
            return self.ssl2(bytes);
        }
        if self.header_len < HEADER_BYTES {
            return (None, rest);
        }
        self.header_len = 0;
        let version = u16::from_be_bytes([high, low]);
        let [.., len_high, len_low] = self.header;
        self.kind = kind;
        self.remaining = usize::from(u16::from_be_bytes([len_high, len_low]));
        let content = if !matches!(version, 0x0300..=0x0304) {
            Content::BadVersion
        } else if !(20..=24).contains(&kind) {
            Content::BadType
        } else if self.remaining == 0 {
            Content::Empty
        } else {
            self.modern = true;
            Content::Begins { version }
        };
        (Some(content), rest)
    }

    fn body<'a>(&mut self, bytes: &'a [u8]) -> (Option<Content<'a>>, &'a [u8]) {
        let (taken, rest) = bytes.split_at(self.remaining.min(bytes.len()));
        self.remaining -= taken.len();
        let content = match self.kind {
            20 => Content::ChangeCipher,
            22 => Content::Handshake(taken),
            23 => Content::Data,
            24 => Content::Heartbeat(taken),
            _ => Content::Other,
        };
        (Some(content), rest)
    }

    /// An SSL 2 message that begins in `bytes`; only what is there of it is looked at, the rest is passed over.
    fn ssl2<'a>(&mut self, bytes: &'a [u8]) -> (Option<Content<'a>>, &'a [u8]) {
        let [high, low, ..] = self.header;
        let len = usize::from(u16::from_be_bytes([high & 0x7f, low]));
        self.header_len = 0;
        self.kind = 0;
        let body = bytes.get(2..).unwrap_or_default();
        let (taken, rest) = body.split_at(len.min(body.len()));
        self.remaining = len - taken.len();
        (Some(Content::Ssl2(taken)), rest)
    }
}
