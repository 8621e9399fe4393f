//! Privileges, which only DPDK's start needs: huge pages, devices, capabilities of raw sockets.

use std::path::Path;

use nix::unistd::{Gid, Uid, User, chown, initgroups, setgid, setuid};

/// Why the daemon did not go on as another user.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PrivilegeError {
    /// There is no such user.
    #[error("there is no user `{0}`; make one with `useradd --system {0}`, or give another --user")]
    NoUser(String),
    /// The system did not let it.
    #[error("cannot go on as {user}: {error}; start as root, or without --user")]
    System {
        /// The user.
        user: String,
        /// What the system said.
        error: nix::Error,
    },
}

/// A user to go on as.
pub(crate) struct Account {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Account {
    /// The user called `name`.
    pub(crate) fn named(name: &str) -> Result<Self, PrivilegeError> {
        let user = User::from_name(name)
            .map_err(|error| PrivilegeError::System { user: name.to_owned(), error })?
            .ok_or_else(|| PrivilegeError::NoUser(name.to_owned()))?;
        Ok(Self { name: user.name, uid: user.uid, gid: user.gid })
    }

    /// Gives the user a folder or file that the daemon will write.
    pub(crate) fn give(&self, path: &Path) -> Result<(), PrivilegeError> {
        chown(path, Some(self.uid), Some(self.gid)).map_err(|error| self.failed(error))
    }

    /// Goes on as this user, on every thread and for good.
    pub(crate) fn become_it(&self) -> Result<(), PrivilegeError> {
        let name = std::ffi::CString::new(self.name.clone()).map_err(|_| self.failed(nix::Error::EINVAL))?;
        initgroups(&name, self.gid).map_err(|error| self.failed(error))?;
        setgid(self.gid).map_err(|error| self.failed(error))?;
        setuid(self.uid).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: nix::Error) -> PrivilegeError {
        PrivilegeError::System { user: self.name.clone(), error }
    }
}
