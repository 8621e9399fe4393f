//! Names of the events of SMTP.

use crate::mime::oddity;

macro_rules! events {
    ($($name:ident = $text:literal,)*) => {
        $(pub(super) const $name: &str = concat!("smtp.", $text);)*
        /// Every event that this parser can raise.
        pub(crate) const EVENTS: &[&str] = &[
            $($name,)*
            oddity::MALFORMED,
            oddity::BASE64,
            oddity::HEADER_NAME,
            oddity::HEADER_VALUE,
            oddity::QUOTED,
            oddity::LINE,
            oddity::ENCODED_LINE,
            oddity::BOUNDARY,
            oddity::FILE_NAME,
        ];
    };
}

events! {
    INVALID_REPLY = "invalid_reply",
    UNMATCHED_REPLY = "unable_to_match_reply_with_request",
    LONG_COMMAND = "max_command_line_len_exceeded",
    LONG_REPLY = "max_reply_line_len_exceeded",
    PIPELINED = "invalid_pipelined_sequence",
    BDAT_LEN = "bdat_chunk_len_exceeded",
    NO_WELCOME = "no_server_welcome_message",
    TLS_REJECTED = "tls_rejected",
    DATA_REJECTED = "data_command_rejected",
    DUPLICATE_FIELDS = "duplicate_fields",
    UNPARSABLE = "unparsable_content",
}
