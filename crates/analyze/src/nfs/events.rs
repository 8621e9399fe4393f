//! Events of NFS.

pub(crate) const MALFORMED: &str = "nfs.malformed_data";
pub(crate) const TOO_MANY: &str = "nfs.too_many_transactions";

/// Every event that this parser can raise.
pub(crate) const EVENTS: &[&str] = &[MALFORMED, TOO_MANY];
