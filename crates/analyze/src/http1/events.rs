//! Names of the events of HTTP/1 transactions.

macro_rules! events {
    ($($name:ident = $text:literal,)*) => {
        $(pub(crate) const $name: &str = concat!("http.", $text);)*
        /// Every event that this parser can raise.
        pub(crate) const EVENTS: &[&str] = &[$($name),*];
    };
}

events! {
    GZIP_FAILED = "gzip_decompression_failed",
    REQUEST_MISSING_COLON = "request_field_missing_colon",
    RESPONSE_MISSING_COLON = "response_field_missing_colon",
    REQUEST_CHUNK_LEN = "invalid_request_chunk_len",
    RESPONSE_CHUNK_LEN = "invalid_response_chunk_len",
    REQUEST_TRANSFER_ENCODING = "invalid_transfer_encoding_value_in_request",
    REQUEST_CONTENT_LENGTH = "invalid_content_length_field_in_request",
    RESPONSE_CONTENT_LENGTH = "invalid_content_length_field_in_response",
    CONTINUE_ALREADY_SEEN = "100_continue_already_seen",
    UNMATCHED_RESPONSE = "unable_to_match_response_to_request",
    REQUEST_HEADER_INVALID = "request_header_invalid",
    RESPONSE_HEADER_INVALID = "response_header_invalid",
    MISSING_HOST = "missing_host_header",
    AMBIGUOUS_HOST = "host_header_ambiguous",
    REQUEST_FOLDING = "invalid_request_field_folding",
    RESPONSE_FOLDING = "invalid_response_field_folding",
    REQUEST_TOO_LONG = "request_field_too_long",
    RESPONSE_TOO_LONG = "response_field_too_long",
    MULTIPART_NO_FILE = "multipart_no_filedata",
    MULTIPART_HEADER = "multipart_invalid_header",
    MULTIPART_ERROR = "multipart_generic_error",
    URI_HOST_INVALID = "request_uri_host_invalid",
    HEADER_HOST_INVALID = "request_header_host_invalid",
    METHOD_DELIMITER = "method_delim_non_compliant",
    URI_DELIMITER = "uri_delim_non_compliant",
    LEADING_SPACE = "request_line_leading_whitespace",
    TOO_MANY_ENCODINGS = "too_many_encoding_layers",
    ABNORMAL_ENCODING = "abnormal_ce_header",
    AUTH_UNRECOGNIZED = "request_auth_unrecognized",
    BYTE_RANGES = "response_multipart_byteranges",
    RESPONSE_TRANSFER_ENCODING = "response_abnormal_transfer_encoding",
    RESPONSE_CHUNKED_OLD = "response_chunked_old_proto",
    RESPONSE_PROTOCOL = "response_invalid_protocol",
    RESPONSE_STATUS = "response_invalid_status",
    REQUEST_LINE_INCOMPLETE = "request_line_incomplete",
    DOUBLE_ENCODED = "double_encoded_uri",
    REQUEST_LINE_INVALID = "request_line_invalid",
    REQUEST_BODY_UNEXPECTED = "request_body_unexpected",
    LZMA_MEMORY = "lzma_memlimit_reached",
    REQUEST_LENGTHS = "duplicate_content_length_field_in_request",
    RESPONSE_LENGTHS = "duplicate_content_length_field_in_response",
    BOMB = "compression_bomb",
    TOO_MANY_WARNINGS = "too_many_warnings",
    RANGE_INVALID = "range_invalid",
    FILE_NAME_TOO_LONG = "file_name_too_long",
    FAILED_PROTOCOL_CHANGE = "failed_protocol_change",
    REQUEST_CHUNK_EXTENSION = "request_chunk_extension",
    REQUEST_TOO_MANY_HEADERS = "request_too_many_headers",
    RESPONSE_TOO_MANY_HEADERS = "response_too_many_headers",
}
