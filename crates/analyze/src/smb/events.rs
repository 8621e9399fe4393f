//! Events of SMB.

pub(super) const MALFORMED: &str = "smb.malformed_data";
pub(super) const MALFORMED_NTLMSSP: &str = "smb.malformed_ntlmssp_request";
pub(super) const DIALECTS: &str = "smb.negotiate_malformed_dialects";
pub(super) const OVERLAP: &str = "smb.file_overlap";
pub(super) const RESPONSE_TO_SERVER: &str = "smb.response_to_server";
pub(super) const REQUEST_TO_CLIENT: &str = "smb.request_to_client";
pub(super) const READ_REQUEST_TOO_LARGE: &str = "smb.read_request_too_large";
pub(super) const READ_RESPONSE_TOO_LARGE: &str = "smb.read_response_too_large";
pub(super) const WRITE_REQUEST_TOO_LARGE: &str = "smb.write_request_too_large";
pub(super) const READ_QUEUE_SIZE: &str = "smb.read_queue_size_exceeded";
pub(super) const READ_QUEUE_COUNT: &str = "smb.read_queue_cnt_exceeded";
pub(super) const WRITE_QUEUE_SIZE: &str = "smb.write_queue_size_exceeded";
pub(super) const WRITE_QUEUE_COUNT: &str = "smb.write_queue_cnt_exceeded";
pub(super) const TOO_MANY: &str = "smb.too_many_transactions";

/// Every event that can be raised.
pub(crate) const EVENTS: &[&str] = &[
    MALFORMED,
    MALFORMED_NTLMSSP,
    DIALECTS,
    OVERLAP,
    RESPONSE_TO_SERVER,
    REQUEST_TO_CLIENT,
    READ_REQUEST_TOO_LARGE,
    READ_RESPONSE_TOO_LARGE,
    WRITE_REQUEST_TOO_LARGE,
    READ_QUEUE_SIZE,
    READ_QUEUE_COUNT,
    WRITE_QUEUE_SIZE,
    WRITE_QUEUE_COUNT,
    TOO_MANY,
];
