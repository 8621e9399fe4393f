//! The 802.1Q tag that says whose frame it is.

/// `EtherTypes` of VLAN tags: 802.1Q, 802.1ad, and what 802.1ad was before it had one.
const TAG_TYPES: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// Both MAC addresses.
const ADDRESSES_LEN: usize = 12;
const TAG_LEN: usize = 4;

/// Consecutive VLANs, one for each tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VlanRange {
    /// The first.
    pub first: u16,
    /// How many; at least 1.
    pub count: u16,
}

impl VlanRange {
    /// The VLAN of loop or replica `number`: round and round.
    pub fn at(&self, number: u64) -> u16 {
        self.first + (number % u64::from(self.count.max(1))) as u16
    }
}

/// Both parts of a frame without its VLAN tags: the MAC addresses, and everything from the `EtherType` on. `None` when the
/// frame is too short for an Ethernet header.
pub fn without_tags(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    let (addresses, mut rest) = frame.split_at_checked(ADDRESSES_LEN)?;
    loop {
        let (ethertype, _) = rest.split_first_chunk::<2>()?;
        if !TAG_TYPES.contains(&u16::from_be_bytes(*ethertype)) {
            return Some((addresses, rest));
        }
        rest = rest.get(TAG_LEN..)?;
    }
}

/// Appends `frame` to `to` with one 802.1Q tag in place of those it has, or with none; false, and nothing appended,
/// when it is too short for an Ethernet header.
pub fn put_tag(frame: &[u8], vlan: Option<u16>, to: &mut Vec<u8>) -> bool {
    let Some((addresses, rest)) = without_tags(frame) else { return false };
    to.extend_from_slice(addresses);
    if let Some(vlan) = vlan {
        let [high, low] = vlan.to_be_bytes();
        to.extend_from_slice(&[0x81, 0, high, low]);
    }
    to.extend_from_slice(rest);
    true
}

/// Changes the VLAN number of a frame whose first tag [`put_tag`] wrote.
pub fn set_vlan(frame: &mut [u8], vlan: u16) {
    if let Some(slot) = frame.get_mut(ADDRESSES_LEN + 2..ADDRESSES_LEN + TAG_LEN) {
        slot.copy_from_slice(&vlan.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_replaced() {
        let mut plain = vec![1; 12];
        plain.extend_from_slice(&[0x08, 0x00, 0x45]);
        let mut double = vec![1; 12];
        double.extend_from_slice(&[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 0x08, 0x00, 0x45]);
        for frame in [&plain, &double] {
            let mut untagged = Vec::new();
            assert!(put_tag(frame, None, &mut untagged));
            assert_eq!(untagged, plain);
            let mut tagged = Vec::new();
            assert!(put_tag(frame, Some(101), &mut tagged));
            assert_eq!(tagged[12..], [0x81, 0, 0, 101, 0x08, 0x00, 0x45]);
            set_vlan(&mut tagged, 102);
            assert_eq!(tagged[12..], [0x81, 0, 0, 102, 0x08, 0x00, 0x45]);
        }
        for short in [0, 11, 13] {
            let mut to = Vec::new();
            assert!(!put_tag(&plain[..short], Some(1), &mut to) && to.is_empty());
        }
    }

    #[test]
    fn vlans_go_round() {
        let range = VlanRange { first: 100, count: 3 };
        assert_eq!([0, 1, 2, 3, 7].map(|number| range.at(number)), [100, 101, 102, 100, 101]);
    }
}
