//! PCI addresses, and where SR-IOV puts virtual functions.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A PCI function: its domain, and the routing ID of 8 bits bus, 5 bits device and 3 bits function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Address {
    domain: u32,
    routing_id: u16,
}

/// A text that is no PCI address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no PCI address; write it as 0000:3b:02.0")]
pub struct AddressError(String);

impl Address {
    /// The address of virtual function `index` of this physical function, by the offset and stride of its SR-IOV
    /// capability (PCI Express Base Specification, 9.2.1.2); `None` beyond the last routing ID.
    pub fn virtual_function(self, offset: u16, stride: u16, index: u16) -> Option<Self> {
        let distance = u32::from(offset) + u32::from(stride) * u32::from(index);
        let routing_id = u16::try_from(u32::from(self.routing_id).checked_add(distance)?).ok()?;
        Some(Self { routing_id, ..self })
    }

    /// A locally administered MAC address that is the same for this function at every start, in a domain below 256.
    pub fn own_mac(self) -> [u8; 6] {
        let [high, low] = self.routing_id.to_be_bytes();
        [0x02, 0xfb, 0x00, self.domain as u8, high, low]
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let parsed = || {
            let (rest, function) = text.rsplit_once('.')?;
            let mut parts = rest.rsplit(':');
            let device = u16::from_str_radix(parts.next()?, 16).ok().filter(|device| *device < 32)?;
            let bus = u16::from_str_radix(parts.next()?, 16).ok().filter(|bus| *bus < 256)?;
            let domain = parts.next().map_or(Some(0), |domain| u32::from_str_radix(domain, 16).ok())?;
            let function = function.parse::<u16>().ok().filter(|function| *function < 8)?;
            parts.next().is_none().then_some(Self { domain, routing_id: bus << 8 | device << 3 | function })
        };
        parsed().ok_or_else(|| AddressError(text.to_owned()))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.routing_id;
        write!(f, "{:04x}:{:02x}:{:02x}.{}", self.domain, id >> 8, id >> 3 & 31, id & 7)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        for text in ["0000:3b:02.0", "0001:ff:1f.7", "10000:01:00.0"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("3b:02.0".parse::<Address>().unwrap().to_string(), "0000:3b:02.0");
        for text in ["", "3b:02", "3b:20.0", "100:02.0", "3b:02.8", "0:0:3b:02.0", "x:02.0"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn virtual_functions_follow_offset_and_stride() {
        let pf: Address = "0000:3b:00.1".parse().unwrap();
        assert_eq!(pf.virtual_function(0x10, 1, 0).unwrap().to_string(), "0000:3b:02.1");
        // The 82576 of the lab puts every second function of the next bus to one port.
        let igb: Address = "0000:01:00.0".parse().unwrap();
        assert_eq!(igb.virtual_function(384, 2, 2).unwrap().to_string(), "0000:02:10.4");
        assert_eq!("0000:ff:1f.0".parse::<Address>().unwrap().virtual_function(16, 1, 0), None);
    }
}
