//! What the tests of several crates share: a small EAL, and a pool that checks itself.
//!
//! DPDK starts once in a process, so a test that needs it runs in a process of its own: `cargo nextest` does that.

#![forbid(unsafe_code)]
#![allow(clippy::expect_used, clippy::missing_panics_doc)]

pub mod link;

use std::ops::Deref;
use std::path::PathBuf;

use dpdk::{Eal, EalConfig, HugePages, Lcore, Mempool, MempoolConfig, Private};

/// Starts an EAL with `lcores` lcores besides the main one, on ordinary pages, in 256 MiB.
pub fn eal(lcores: usize) -> (Eal, Vec<Lcore>) {
    let config = EalConfig { lcores, memory_mib: 256, huge_pages: HugePages::Off, pci: false };
    Eal::start(&config).expect("a test process starts its EAL once")
}

/// A test's own pool: when the test ends, every buffer must be back in it.
#[derive(Debug)]
pub struct OwnPool<M: Private = ()>(Mempool<M>);

/// Makes a pool of `mbufs` buffers for one test.
pub fn pool<M: Private>(eal: &Eal, mbufs: u32) -> OwnPool<M> {
    let config = MempoolConfig { mbufs, cache_mbufs: 0, ..MempoolConfig::default() };
    OwnPool(Mempool::new(eal, &config).expect("a small pool fits in the test's memory"))
}

impl<M: Private> Deref for OwnPool<M> {
    type Target = Mempool<M>;

    fn deref(&self) -> &Mempool<M> {
        &self.0
    }
}

impl<M: Private> Drop for OwnPool<M> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.0.available(), self.0.size(), "an mbuf leaked or was freed twice");
        }
    }
}

/// A program of this workspace, which must have been built: it stands beside the test's own folder.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    let folder = test.parent().and_then(std::path::Path::parent).expect("tests stand in target/PROFILE/deps");
    let program = folder.join(name);
    assert!(program.exists(), "{} is not built; run `cargo build --workspace --bins`", program.display());
    program
}

/// The folder of real captures and rules: `FOREBAY_CORPORA`, else `../shared/corpora` beside the repository.
///
/// `None`, with a line that starts with `SKIPPED`, when it is not there.
pub fn corpora() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora");
    let path = std::env::var_os("FOREBAY_CORPORA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: no corpora at {}; set FOREBAY_CORPORA", path.display());
    None
}
