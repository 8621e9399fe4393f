//! Hashes of files, for rules that ask for them.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Which hashes of files are computed: those that rules ask for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Hashes {
    /// MD5.
    pub md5: bool,
    /// SHA-1.
    pub sha1: bool,
    /// SHA-256.
    pub sha256: bool,
}

/// The hashes of a whole file, as far as they were asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Digests {
    /// MD5.
    pub md5: Option<[u8; 16]>,
    /// SHA-1.
    pub sha1: Option<[u8; 20]>,
    /// SHA-256.
    pub sha256: Option<[u8; 32]>,
}

/// Hashes that grow with a file.
#[derive(Clone, Debug)]
pub(super) struct Hasher {
    md5: Option<Md5>,
    sha1: Option<Sha1>,
    sha256: Option<Sha256>,
}

impl Hasher {
    /// Nothing, if nothing is asked for.
    pub(super) fn new(hashes: Hashes) -> Option<Box<Self>> {
        (hashes != Hashes::default()).then(|| {
            Box::new(Self {
                md5: hashes.md5.then(Md5::new),
                sha1: hashes.sha1.then(Sha1::new),
                sha256: hashes.sha256.then(Sha256::new),
            })
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.md5 {
            hash.update(bytes);
        }
        if let Some(hash) = &mut self.sha1 {
            hash.update(bytes);
        }
        if let Some(hash) = &mut self.sha256 {
            hash.update(bytes);
        }
    }

    pub(super) fn finish(self) -> Digests {
        Digests {
            md5: self.md5.map(|hash| hash.finalize().into()),
            sha1: self.sha1.map(|hash| hash.finalize().into()),
            sha256: self.sha256.map(|hash| hash.finalize().into()),
        }
    }
}

impl Digests {
    /// Appends `,"md5":"…"` and its kin.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        let mut member = |name: &str, digest: Option<&[u8]>| {
            if let Some(digest) = digest {
                event::json::literal(to, name);
                for byte in digest {
                    for nibble in [byte >> 4, byte & 15] {
                        to.extend(char::from_digit(u32::from(nibble), 16).map(|digit| digit as u8));
                    }
                }
                to.push(b'"');
            }
        };
        member(r#","md5":""#, self.md5.as_ref().map(|digest| &digest[..]));
        member(r#","sha1":""#, self.sha1.as_ref().map(|digest| &digest[..]));
        member(r#","sha256":""#, self.sha256.as_ref().map(|digest| &digest[..]));
    }
}
