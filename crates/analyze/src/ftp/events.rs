//! Names of the events of FTP.

pub(super) const REQUEST_TOO_LONG: &str = "ftp.request_command_too_long";
pub(super) const RESPONSE_TOO_LONG: &str = "ftp.response_command_too_long";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[REQUEST_TOO_LONG, RESPONSE_TOO_LONG];
