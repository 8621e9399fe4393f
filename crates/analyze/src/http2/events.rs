//! Names of the events of HTTP/2 transactions.

macro_rules! events {
    ($($name:ident = $text:literal,)*) => {
        $(pub(crate) const $name: &str = concat!("http2.", $text);)*
        /// Every event that this parser can raise.
        pub(crate) const EVENTS: &[&str] = &[$($name),*];
    };
}

events! {
    FRAME_HEADER = "invalid_frame_header",
    CLIENT_MAGIC = "invalid_client_magic",
    FRAME_DATA = "invalid_frame_data",
    HEADER = "invalid_header",
    FRAME_LENGTH = "invalid_frame_length",
    EXTRA_HEADER_DATA = "extra_header_data",
    LONG_FRAME = "long_frame_data",
    STREAM_REUSE = "stream_id_reuse",
    DECOMPRESSION = "failed_decompression",
    RANGE = "invalid_range",
    INTEGER_OVERFLOW = "header_integer_overflow",
    TOO_MANY_STREAMS = "too_many_streams",
    HOST_MISMATCH = "authority_host_mismatch",
    USER_INFO = "userinfo_in_uri",
    REASSEMBLY_LIMIT = "reassembly_limit_reached",
}
