//! The flow key: who talks to whom, without a direction.

use bytemuck::{Pod, Zeroable};
use wire::{Addr, NTuple, TenantId, Vlans};

/// Which way a packet goes with respect to the canonical order of its [`FlowKey`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Orientation {
    /// From the key's first endpoint to its second.
    #[default]
    Forward,
    /// From the key's second endpoint to its first.
    Reverse,
}

impl Orientation {
    /// The other way.
    #[inline]
    #[must_use]
    pub const fn flipped(self) -> Self {
        match self {
            Self::Forward => Self::Reverse,
            Self::Reverse => Self::Forward,
        }
    }
}

/// The direction-free identity of a flow: both endpoints in canonical (ascending) order, protocol, IP version, VLAN
/// tags and tenant. 44 bytes.
///
/// The endpoint with the smaller (address, port) is the first one, so both directions of a conversation give equal
/// keys. VLAN tags and tenant are part of the identity: equal addresses in two VLANs are two flows. An IP fragment has
/// no ports in its n-tuple and is keyed without them until its datagram is reassembled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Pod, Zeroable)]
#[repr(C)]
pub struct FlowKey {
    first: [u8; 16],
    second: [u8; 16],
    first_port: u16,
    second_port: u16,
    vids: [u16; 2],
    tenant: u16,
    protocol: u8,
    /// IP version in the low four bits, number of VLAN tags above.
    version_and_tags: u8,
}

impl FlowKey {
    /// The key of a packet, and which way the packet goes.
    #[inline]
    pub fn new(tuple: &NTuple, vlans: &Vlans, tenant: TenantId) -> (Self, Orientation) {
        let source = (u128::from_be_bytes(tuple.src.0), tuple.src_port);
        let destination = (u128::from_be_bytes(tuple.dst.0), tuple.dst_port);
        let (orientation, first, second, first_port, second_port) = if source <= destination {
            (Orientation::Forward, tuple.src.0, tuple.dst.0, tuple.src_port, tuple.dst_port)
        } else {
            (Orientation::Reverse, tuple.dst.0, tuple.src.0, tuple.dst_port, tuple.src_port)
        };
        let key = Self {
            first,
            second,
            first_port,
            second_port,
            vids: vlans.vids,
            tenant: tenant.0,
            protocol: tuple.protocol,
            version_and_tags: (tuple.ip_version & 0x0f) | (vlans.count << 4),
        };
        (key, orientation)
    }

    /// The n-tuple of a packet of this flow that goes `orientation`.
    #[inline]
    pub fn tuple(&self, orientation: Orientation) -> NTuple {
        let forward = NTuple {
            src: Addr(self.first),
            dst: Addr(self.second),
            src_port: self.first_port,
            dst_port: self.second_port,
            protocol: self.protocol,
            ip_version: self.version_and_tags & 0x0f,
        };
        match orientation {
            Orientation::Forward => forward,
            Orientation::Reverse => forward.reversed(),
        }
    }

    /// The VLAN tags.
    #[inline]
    pub fn vlans(&self) -> Vlans {
        Vlans { vids: self.vids, count: self.version_and_tags >> 4 }
    }

    /// The tenant.
    #[inline]
    pub const fn tenant(&self) -> TenantId {
        TenantId(self.tenant)
    }

    /// IP protocol number.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        self.protocol
    }

    /// The keyed hash of this key; equal for both directions. See [`HashSeed`].
    #[inline]
    pub fn hash(&self, seed: &HashSeed) -> u64 {
        seed.hash(self.words())
    }

    /// Equality without branches: the two keys are nearly always equal when this is asked.
    #[inline]
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let (left, right) = (self.words(), other.words());
        let mut difference = 0;
        for (a, b) in left.iter().zip(&right) {
            difference |= a ^ b;
        }
        difference == 0
    }

    #[inline]
    fn words(&self) -> [u64; 6] {
        let (first, second) = (u128::from_ne_bytes(self.first), u128::from_ne_bytes(self.second));
        let ports_and_vlans = u64::from(self.first_port)
            | u64::from(self.second_port) << 16
            | u64::from(self.vids[0]) << 32
            | u64::from(self.vids[1]) << 48;
        let rest =
            u64::from(self.tenant) | u64::from(self.protocol) << 16 | u64::from(self.version_and_tags) << 24;
        [first as u64, (first >> 64) as u64, second as u64, (second >> 64) as u64, ports_and_vlans, rest]
    }
}

/// The secret of the keyed flow hash, expanded from 64 random bits.
///
/// The hash is NH (Black et al., UMAC, CRYPTO 1999) over the key's six words, folded by one more keyed multiplication.
/// NH makes two different keys collide with a chance of 2^-64 for a random secret, so somebody who does not know the
/// secret cannot choose addresses and ports that pile up in one bucket. It is not a cryptographic MAC: hashes must
/// not be shown to the outside.
///
/// Which bits serve what: the high 32 choose the table's bucket, the low 16 are the tag in it.
#[derive(Clone)]
pub struct HashSeed([u64; 8]);

impl HashSeed {
    /// Expands `seed`. Draw it at random when live; keep it fixed where runs must be compared bit by bit.
    pub fn new(seed: u64) -> Self {
        // SplitMix64 (Steele, Lea, Flood 2014): consecutive outputs are as good as independent for this use.
        let mut state = seed;
        Self(std::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        }))
    }

    #[inline]
    fn hash(&self, words: [u64; 6]) -> u64 {
        let [k0, k1, k2, k3, k4, k5, k6, k7] = self.0;
        let [w0, w1, w2, w3, w4, w5] = words;
        let product = |a: u64, b: u64| u128::from(a).wrapping_mul(u128::from(b));
        let nh = product(w0.wrapping_add(k0), w1.wrapping_add(k1))
            .wrapping_add(product(w2.wrapping_add(k2), w3.wrapping_add(k3)))
            .wrapping_add(product(w4.wrapping_add(k4), w5.wrapping_add(k5)));
        let folded = product(nh as u64 ^ k6, (nh >> 64) as u64 ^ k7);
        folded as u64 ^ (folded >> 64) as u64
    }
}

impl std::fmt::Debug for HashSeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashSeed(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tuple(n: u32, port: u16) -> NTuple {
        NTuple {
            src: Addr::v4(n.to_be_bytes()),
            dst: Addr::v4([10, 0, 0, 1]),
            src_port: port,
            dst_port: 80,
            protocol: 6,
            ip_version: 4,
        }
    }

    fn any_tuple() -> impl Strategy<Value = NTuple> {
        // Small ranges on purpose, so that equal addresses with different ports and the reverse are common.
        (0_u8..3, 0_u8..3, 0_u16..3, 0_u16..3, prop::sample::select(vec![1_u8, 6, 17]), any::<bool>())
            .prop_map(|(a, b, src_port, dst_port, protocol, v6)| {
                let addr = |n: u8| if v6 { Addr([n; 16]) } else { Addr::v4([192, 0, 2, n]) };
                NTuple {
                    src: addr(a),
                    dst: addr(b),
                    src_port,
                    dst_port,
                    protocol,
                    ip_version: if v6 { 6 } else { 4 },
                }
            })
    }

    #[test]
    fn sizes() {
        assert_eq!(size_of::<FlowKey>(), 44);
    }

    #[test]
    fn tags_tenant_and_version_are_identity() {
        let t = tuple(1, 2);
        let base = FlowKey::new(&t, &Vlans::default(), TenantId(0)).0;
        let other = [
            FlowKey::new(&t, &Vlans { vids: [0, 0], count: 1 }, TenantId(0)).0,
            FlowKey::new(&t, &Vlans { vids: [5, 0], count: 1 }, TenantId(0)).0,
            FlowKey::new(&t, &Vlans { vids: [0, 5], count: 2 }, TenantId(0)).0,
            FlowKey::new(&t, &Vlans::default(), TenantId(1)).0,
            FlowKey::new(&NTuple { ip_version: 6, ..t }, &Vlans::default(), TenantId(0)).0,
            FlowKey::new(&NTuple { protocol: 17, ..t }, &Vlans::default(), TenantId(0)).0,
        ];
        let seed = HashSeed::new(1);
        for key in other {
            assert!(!base.same_as(&key));
            assert_ne!(base, key);
            assert_ne!(base.hash(&seed), key.hash(&seed));
        }
    }

    #[test]
    fn seed_changes_the_hash() {
        let key = FlowKey::new(&tuple(1, 2), &Vlans::default(), TenantId(0)).0;
        assert_ne!(key.hash(&HashSeed::new(1)), key.hash(&HashSeed::new(2)));
        assert_eq!(key.hash(&HashSeed::new(1)), key.hash(&HashSeed::new(1)));
    }

    /// Sequential addresses and ports, as a scan makes them, spread evenly in every range of bits that is used.
    #[test]
    fn sequential_keys_spread_evenly() {
        let seed = HashSeed::new(42);
        let mut high = vec![0_u32; 1024];
        let mut low = vec![0_u32; 1024];
        for n in 0..65_536_u32 {
            let t = tuple(0x0a01_0000 + (n >> 4), (n & 15) as u16);
            let hash = FlowKey::new(&t, &Vlans::default(), TenantId(0)).0.hash(&seed);
            high[(hash >> 54) as usize] += 1;
            low[(hash & 1023) as usize] += 1;
        }
        for bins in [&high, &low] {
            // 64 expected in each; chi-squared with 1023 degrees of freedom stays under 1,250 but once in a million.
            let chi: f64 = bins.iter().map(|&n| (f64::from(n) - 64.0).powi(2) / 64.0).sum();
            assert!(chi < 1_250.0, "chi-squared {chi}");
        }
    }

    proptest! {
        #[test]
        fn both_directions_agree(t in any_tuple(), vid in 0_u16..3, tenant in 0_u16..3) {
            let vlans = Vlans { vids: [vid, 0], count: u8::from(vid > 0) };
            let (key, orientation) = FlowKey::new(&t, &vlans, TenantId(tenant));
            let (back, other) = FlowKey::new(&t.reversed(), &vlans, TenantId(tenant));
            prop_assert_eq!(key, back);
            prop_assert!(key.same_as(&back));
            let seed = HashSeed::new(7);
            prop_assert_eq!(key.hash(&seed), back.hash(&seed));
            prop_assert_eq!(key.tuple(orientation), t);
            prop_assert_eq!(key.tuple(other), t.reversed());
            prop_assert_eq!(key.vlans(), vlans);
            prop_assert_eq!(key.tenant(), TenantId(tenant));
            if t != t.reversed() {
                prop_assert_ne!(orientation, other);
            }
        }

        #[test]
        fn same_as_is_equality(a in any_tuple(), b in any_tuple()) {
            let (a, _) = FlowKey::new(&a, &Vlans::default(), TenantId(0));
            let (b, _) = FlowKey::new(&b, &Vlans::default(), TenantId(0));
            prop_assert_eq!(a == b, a.same_as(&b));
        }
    }
}
