//! Machines made of `fixtures/`, and what is asked of them.

#![allow(clippy::unwrap_used, reason = "a test that cannot make its machine has failed")]

use std::collections::BTreeMap;
use std::path::Path;

use host::inventory::{self, Inventory};
use host::links::{Link, LinkState, Links, LinksError, VfLink};
use host::sys::Root;
use host::wanted::{PortRequest, Request};

pub(crate) struct Fixture {
    folder: tempfile::TempDir,
    links: BTreeMap<String, Link>,
}

impl Links for &Fixture {
    fn links(&self) -> Result<BTreeMap<String, Link>, LinksError> {
        Ok(self.links.clone())
    }
}

impl Fixture {
    pub(crate) fn new(name: &str) -> Self {
        let list = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.tree"));
        let fixture = Self { folder: tempfile::tempdir().unwrap(), links: BTreeMap::new() };
        for line in std::fs::read_to_string(list).unwrap().lines() {
            if let Some((path, target)) = line.split_once(" -> ") {
                std::os::unix::fs::symlink(target, fixture.place(path)).unwrap();
            } else {
                let (path, text) = line.split_once(" =").unwrap();
                fixture.file(path, text);
            }
        }
        fixture
    }

    fn place(&self, path: &str) -> std::path::PathBuf {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(crate) fn file(&self, path: &str, text: &str) {
        std::fs::write(self.place(path), format!("{}\n", text.trim())).unwrap();
    }

    #[allow(dead_code, reason = "each test program uses a part")]
    pub(crate) fn bytes(&self, path: &str, bytes: &[u8]) {
        std::fs::write(self.place(path), bytes).unwrap();
    }

    pub(crate) fn with_functions(mut self, interface: &str, functions: &[VfLink]) -> Self {
        self.links.entry(interface.to_owned()).or_default().functions = functions.to_vec();
        self
    }

    #[allow(dead_code, reason = "each test program uses a part")]
    pub(crate) fn address(&mut self, interface: &str, address: &str) {
        self.links.entry(interface.to_owned()).or_default().addresses.push(address.parse().unwrap());
    }

    pub(crate) fn inventory(&self) -> Inventory {
        inventory::take(&Root::new(self.folder.path()), &self).unwrap()
    }
}

/// A virtual function as it should be.
pub(crate) fn function(index: u16, vlan: u16) -> VfLink {
    VfLink {
        index,
        mac: [2, 0, 0, 0, 0, index as u8],
        vlan,
        trusted: Some(true),
        spoof_check: Some(false),
        link_state: Some(LinkState::Auto),
    }
}

pub(crate) fn port(tenant: &str, address: &str, vlan: u16) -> PortRequest {
    PortRequest {
        name: tenant.to_owned(),
        address: address.parse().unwrap(),
        access: Some((tenant.to_owned(), vlan)),
    }
}

pub(crate) fn request(workers: usize, hugepages_mib: u64, ports: &[PortRequest]) -> Request {
    Request { workers, hugepages_mib, ports: ports.to_vec(), force: false }
}
