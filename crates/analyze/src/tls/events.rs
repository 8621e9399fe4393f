//! Names of the events of TLS.

macro_rules! events {
    ($($name:ident = $text:literal,)*) => {
        $(pub(super) const $name: &str = concat!("tls.", $text);)*
        /// Every event that this parser can raise.
        pub(crate) const EVENTS: &[&str] = &[$($name),*];
    };
}

events! {
    RECORD_TYPE = "invalid_record_type",
    RECORD_VERSION = "invalid_record_version",
    HEADER = "invalid_tls_header",
    SSLV2_HEADER = "invalid_sslv2_header",
    HANDSHAKE_LENGTH = "handshake_invalid_length",
    HANDSHAKE = "invalid_handshake_message",
    SSL_RECORD = "invalid_ssl_record",
    TOO_MANY_RECORDS = "too_many_records_in_packet",
    HEARTBEAT = "heartbeat_message",
    HEARTBEAT_INVALID = "invalid_heartbeat_message",
    HEARTBEAT_OVERFLOW = "overflow_heartbeat_message",
    HEARTBEAT_LEAK = "dataleak_heartbeat_mismatch",
    SNI_LENGTH = "invalid_sni_length",
    SNI_TYPE = "invalid_sni_type",
    SNI_MULTIPLE = "multiple_sni_extensions",
    CERTIFICATE = "invalid_certificate",
    CERTIFICATE_LENGTH = "certificate_invalid_length",
    CERTIFICATE_VERSION = "certificate_invalid_version",
    CERTIFICATE_SERIAL = "certificate_invalid_serial",
    CERTIFICATE_ALGORITHM = "certificate_invalid_algorithmidentifier",
    CERTIFICATE_NAME = "certificate_invalid_x509name",
    CERTIFICATE_DATE = "certificate_invalid_date",
    CERTIFICATE_EXTENSIONS = "certificate_invalid_extensions",
    CERTIFICATE_DER = "certificate_invalid_der",
    CERTIFICATE_SUBJECT = "certificate_invalid_subject",
    CERTIFICATE_ISSUER = "certificate_invalid_issuer",
}
