//! Names of procedures and of statuses, as EVE records have them.

/// Procedures of version 2 (RFC 1094, section 2.2), from 0.
const VERSION_2: [&str; 18] = [
    "NULL",
    "GETATTR",
    "SETATTR",
    "ROOT",
    "LOOKUP",
    "READLINK",
    "READ",
    "WRITECACHE",
    "WRITE",
    "CREATE",
    "REMOVE",
    "RENAME",
    "LINK",
    "SYMLINK",
    "MKDIR",
    "RMDIR",
    "READDIR",
    "STATFS",
];

/// Procedures of version 3 (RFC 1813, section 3), from 0.
const VERSION_3: [&str; 22] = [
    "NULL",
    "GETATTR",
    "SETATTR",
    "LOOKUP",
    "ACCESS",
    "READLINK",
    "READ",
    "WRITE",
    "CREATE",
    "MKDIR",
    "SYMLINK",
    "MKNOD",
    "REMOVE",
    "RMDIR",
    "RENAME",
    "LINK",
    "READDIR",
    "READDIRPLUS",
    "FSSTAT",
    "FSINFO",
    "PATHCONF",
    "COMMIT",
];

/// How many procedures a version has.
pub(super) const fn procedures(version: u32) -> u32 {
    match version {
        2 => VERSION_2.len() as u32,
        3 => VERSION_3.len() as u32,
        4 => 2,
        _ => 0,
    }
}

/// The name of a procedure, or in version 4 of the operation that a compound is for (RFC 7530, section 16).
pub(super) fn procedure(version: u32, procedure: u32) -> Option<&'static str> {
    let at = procedure as usize;
    match (version, procedure) {
        (2, _) => VERSION_2.get(at).copied(),
        (3, _) => VERSION_3.get(at).copied(),
        (4, super::v4::READ) => Some("READ"),
        (4, super::v4::WRITE) => Some("WRITE"),
        (4, super::v4::CREATE) => Some("CREATE"),
        (4, super::v4::REMOVE) => Some("REMOVE"),
        _ => None,
    }
}

/// The name of a status (RFC 1813, section 2.6); those that only version 4 has stay numbers, as in the reference.
pub(super) const fn status(status: u32) -> Option<&'static str> {
    Some(match status {
        0 => "OK",
        1 => "ERR_PERM",
        2 => "ERR_NOENT",
        5 => "ERR_IO",
        6 => "ERR_NXIO",
        13 => "ERR_ACCES",
        17 => "ERR_EXIST",
        18 => "ERR_XDEV",
        19 => "ERR_NODEV",
        20 => "ERR_NOTDIR",
        21 => "ERR_ISDIR",
        22 => "ERR_INVAL",
        27 => "ERR_FBIG",
        28 => "ERR_NOSPC",
        30 => "ERR_ROFS",
        31 => "ERR_MLINK",
        63 => "ERR_NAMETOOLONG",
        66 => "ERR_NOTEMPTY",
        69 => "ERR_DQUOT",
        70 => "ERR_STALE",
        71 => "ERR_REMOTE",
        10_001 => "ERR_BADHANDLE",
        10_002 => "ERR_NOT_SYNC",
        10_003 => "ERR_BAD_COOKIE",
        10_004 => "ERR_NOTSUPP",
        10_005 => "ERR_TOOSMALL",
        10_006 => "ERR_SERVERFAULT",
        10_007 => "ERR_BADTYPE",
        10_008 => "ERR_JUKEBOX",
        _ => return None,
    })
}

/// The name of a flavour of credentials (RFC 5531, section 8.2).
pub(super) const fn flavour(flavour: u32) -> Option<&'static str> {
    Some(match flavour {
        0 => "NULL",
        1 => "UNIX",
        2 => "SHORT",
        3 => "DH",
        6 => "GSS",
        _ => return None,
    })
}
