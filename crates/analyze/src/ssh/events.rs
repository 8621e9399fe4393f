//! Names of the events of SSH.

pub(super) const INVALID_BANNER: &str = "ssh.invalid_banner";
pub(super) const LONG_BANNER: &str = "ssh.long_banner";
pub(super) const INVALID_RECORD: &str = "ssh.invalid_record";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[INVALID_BANNER, LONG_BANNER, INVALID_RECORD];
