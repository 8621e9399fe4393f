//! Which addresses a capture uses, and blocks of free ones of the same kind.
//!
//! The capture's addresses of a class, sorted, are numbered 0 to n-1. A block is n free addresses in a row; loop k+1
//! takes block k, and address number i becomes the block's i-th.

use std::collections::BTreeSet;

use wire::NTuple;

use super::Rewriter;
use super::edit::{self, HeaderEdit};

/// Private and public of each IP version.
pub(super) const CLASSES: usize = 4;

/// Inclusive range of addresses as numbers.
type Range = (u128, u128);

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u128 {
    u32::from_be_bytes([a, b, c, d]) as u128
}

const PRIVATE_V4: [Range; 3] = [
    (v4(10, 0, 0, 0), v4(10, 255, 255, 255)),
    (v4(172, 16, 0, 0), v4(172, 31, 255, 255)),
    (v4(192, 168, 0, 0), v4(192, 168, 255, 255)),
];
/// Not routed on the internet either (RFC 6598, RFC 1122, RFC 3927); replaced by private ones.
const LOCAL_V4: [Range; 3] = [
    (v4(100, 64, 0, 0), v4(100, 127, 255, 255)),
    (v4(127, 0, 0, 0), v4(127, 255, 255, 255)),
    (v4(169, 254, 0, 0), v4(169, 254, 255, 255)),
];
/// Unicast without [`PRIVATE_V4`] and [`LOCAL_V4`].
const PUBLIC_V4: [Range; 7] = [
    (v4(1, 0, 0, 0), v4(9, 255, 255, 255)),
    (v4(11, 0, 0, 0), v4(100, 63, 255, 255)),
    (v4(100, 128, 0, 0), v4(126, 255, 255, 255)),
    (v4(128, 0, 0, 0), v4(169, 253, 255, 255)),
    (v4(169, 255, 0, 0), v4(172, 15, 255, 255)),
    (v4(172, 32, 0, 0), v4(192, 167, 255, 255)),
    (v4(192, 169, 0, 0), v4(223, 255, 255, 255)),
];
/// Unique local addresses that are assigned locally (RFC 4193).
const PRIVATE_V6: [Range; 1] = [(0xfd << 120, (0xfe << 120) - 1)];
/// Global unicast (RFC 4291).
const PUBLIC_V6: [Range; 1] = [(0x2000 << 112, (0x4000 << 112) - 1)];
const MULTICAST_V6_FIRST: u128 = 0xff << 120;

/// Where the new addresses of each class come from.
const POOLS: [&[Range]; CLASSES] = [&PRIVATE_V4, &PUBLIC_V4, &PRIVATE_V6, &PUBLIC_V6];

fn within(ranges: &[Range], address: u128) -> bool {
    ranges.iter().any(|&(first, last)| (first..=last).contains(&address))
}

/// The class of an address; `None` for one that stays.
fn class(ip_version: u8, address: u128) -> Option<usize> {
    if ip_version == 4 {
        return if within(&PUBLIC_V4, address) {
            Some(1)
        } else if within(&PRIVATE_V4, address) || within(&LOCAL_V4, address) {
            Some(0)
        } else {
            None
        };
    }
    if address == 0 || address >= MULTICAST_V6_FIRST {
        None
    } else if within(&PUBLIC_V6, address) {
        Some(3)
    } else {
        Some(2)
    }
}

/// An address as a number: 32 bits of it for IPv4.
pub(super) fn number(ip_version: u8, address: wire::Addr) -> u128 {
    if ip_version == 4 {
        u128::from(u32::from_be_bytes(address.v4_octets()))
    } else {
        u128::from_be_bytes(address.0)
    }
}

/// Collects the addresses of a capture.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    addresses: [BTreeSet<u128>; CLASSES],
}

impl Survey {
    /// Takes note of the addresses in a frame that begins with an Ethernet header.
    pub fn note(&mut self, frame: &[u8]) {
        edit::each_header(frame, |tuple, _| self.note_tuple(tuple));
    }

    fn note_tuple(&mut self, tuple: &NTuple) {
        for address in [tuple.src, tuple.dst] {
            let address = number(tuple.ip_version, address);
            if let Some(addresses) =
                class(tuple.ip_version, address).and_then(|at| self.addresses.get_mut(at))
            {
                addresses.insert(address);
            }
        }
    }

    /// How many different addresses there are.
    pub fn len(&self) -> usize {
        self.addresses.iter().map(BTreeSet::len).sum()
    }

    /// Whether no frame had an address that can be rewritten.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Finds the free addresses.
    pub fn finish(self) -> Rewriter {
        let mut pools = POOLS.iter();
        let spaces = self.addresses.map(|addresses| {
            ClassSpace::new(addresses.into_iter().collect(), pools.next().copied().unwrap_or(&[]))
        });
        Rewriter { spaces }
    }
}

/// A run of free blocks.
#[derive(Clone, Copy, Debug)]
struct Run {
    first_block: u128,
    first_address: u128,
}

/// The addresses of one class.
#[derive(Clone, Debug)]
pub(super) struct ClassSpace {
    /// Sorted; the place of an address is its number.
    addresses: Vec<u128>,
    runs: Vec<Run>,
    blocks: u128,
}

impl ClassSpace {
    fn new(addresses: Vec<u128>, pool: &[Range]) -> Self {
        let size = addresses.len() as u128;
        if size == 0 {
            return Self { addresses, runs: Vec::new(), blocks: u128::MAX };
        }
        let (mut runs, mut blocks) = (Vec::new(), 0);
        let mut free = |from: u128, until: u128| {
            let count = until.saturating_sub(from) / size;
            if count > 0 {
                runs.push(Run { first_block: blocks, first_address: from });
                blocks += count;
            }
        };
        for &(first, last) in pool {
            let mut from = first;
            let begin = addresses.partition_point(|&address| address < first);
            for &used in addresses.get(begin..).unwrap_or_default() {
                if used > last {
                    break;
                }
                free(from, used);
                from = used + 1;
            }
            free(from, last + 1);
        }
        Self { addresses, runs, blocks }
    }

    pub(super) const fn blocks(&self) -> u128 {
        self.blocks
    }

    /// The first address of a block; 0 when the class has no addresses to replace.
    pub(super) fn base(&self, block: u128) -> u128 {
        let after = self.runs.partition_point(|run| run.first_block <= block);
        let run = after.checked_sub(1).and_then(|at| self.runs.get(at));
        run.map_or(0, |run| run.first_address + (block - run.first_block) * self.addresses.len() as u128)
    }

    fn index(&self, address: u128) -> Option<u32> {
        self.addresses.binary_search(&address).ok().and_then(|index| u32::try_from(index).ok())
    }
}

/// An address by class and number: what a loop's base is added to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place {
    pub(super) class: u8,
    pub(super) index: u32,
}

impl Rewriter {
    /// Plans a frame: appends an edit for each of its IP headers, outermost first, and returns how many. None for
    /// a frame that is not IP or does not parse, and for headers with no address of the surveyed ones.
    pub fn plan(&self, frame: &[u8], edits: &mut Vec<HeaderEdit>) -> usize {
        let before = edits.len();
        edit::each_header(frame, |tuple, header| {
            let (src, dst) = (self.place(tuple, tuple.src), self.place(tuple, tuple.dst));
            edits.push(HeaderEdit { src, dst, header });
        });
        edits.len() - before
    }

    fn place(&self, tuple: &NTuple, address: wire::Addr) -> Option<Place> {
        let address = number(tuple.ip_version, address);
        let class = class(tuple.ip_version, address)?;
        let index = self.spaces.get(class)?.index(address)?;
        Some(Place { class: class as u8, index })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_follow_the_registries() {
        let of = |text: &str| {
            let ip: std::net::IpAddr = text.parse().unwrap();
            let version = if ip.is_ipv4() { 4 } else { 6 };
            class(version, number(version, ip.into()))
        };
        for private in ["10.0.0.0", "172.31.255.255", "192.168.0.1", "127.0.0.1", "169.254.3.4", "100.64.0.1"]
        {
            assert_eq!(of(private), Some(0), "{private}");
        }
        for public in
            ["1.1.1.1", "9.255.255.255", "172.32.0.0", "100.128.0.0", "223.255.255.255", "203.0.113.9"]
        {
            assert_eq!(of(public), Some(1), "{public}");
        }
        for private in ["fd00::1", "fe80::1", "::1", "::ffff:1.2.3.4"] {
            assert_eq!(of(private), Some(2), "{private}");
        }
        assert_eq!(of("2001:db8::1"), Some(3));
        for fixed in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"] {
            assert_eq!(of(fixed), None, "{fixed}");
        }
    }

    #[test]
    fn blocks_are_free_and_apart() {
        let pool = [(100, 119), (200, 209)];
        let space = ClassSpace::new(vec![5, 103, 110], &pool);
        // Free: 100-102, 104-109, 111-119, 200-209; in threes: 1 + 2 + 3 + 3.
        assert_eq!(space.blocks(), 9);
        let mut seen: BTreeSet<u128> = space.addresses.iter().copied().collect();
        for block in 0..space.blocks() {
            for address in space.base(block)..space.base(block) + 3 {
                assert!(within(&pool, address) && seen.insert(address), "{address} in block {block}");
            }
        }
    }
}
