//! DPDK devices as the file names them.

use std::fmt;
use std::str::FromStr;

use super::suggest::closest;
use super::value::{ValueError, form, text_serde};

/// The software drivers of DPDK 22.11 and 24.11 that make an ethdev from a device string.
const VDEV_DRIVERS: [&str; 13] = [
    "net_af_packet",
    "net_af_xdp",
    "net_bonding",
    "net_failsafe",
    "net_memif",
    "net_null",
    "net_pcap",
    "net_ring",
    "net_tap",
    "net_tun",
    "net_vdev_netvsc",
    "net_vhost",
    "net_virtio_user",
];

/// A DPDK device: a PCI address, or a vdev's driver, number and arguments.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Device {
    /// A PCI function, as `DDDD:BB:DD.F` in lower case.
    Pci(String),
    /// A vdev string such as `net_af_packet0,iface=veth0`.
    Vdev(String),
}

const DEVICE_WANTED: &str =
    "a PCI address such as \"0000:3b:02.0\" or a vdev such as \"net_af_packet0,iface=veth0\"";

impl Device {
    /// As EAL wants it after `-a` or `--vdev`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pci(text) | Self::Vdev(text) => text,
        }
    }

    /// What makes two device strings the same device: the PCI address, or the vdev's name without its arguments.
    #[must_use]
    pub fn id(&self) -> &str {
        let text = self.as_str();
        text.split_once(',').map_or(text, |(id, _)| id)
    }
}

impl FromStr for Device {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.bytes().any(|b| b.is_ascii_control() || b.is_ascii_whitespace()) {
            return Err(form(DEVICE_WANTED));
        }
        if let Some(address) = pci_address(text) {
            return Ok(Self::Pci(address));
        }
        let id = text.split_once(',').map_or(text, |(id, _)| id);
        let driver = id.trim_end_matches(|c: char| c.is_ascii_digit());
        if VDEV_DRIVERS.contains(&driver) {
            return Ok(Self::Vdev(text.to_owned()));
        }
        if !driver.starts_with("net_") {
            return Err(form(DEVICE_WANTED));
        }
        let instead = closest(driver, VDEV_DRIVERS).map_or_else(
            || format!("the vdev drivers are {}", VDEV_DRIVERS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        Err(ValueError::Sentence(format!("DPDK has no vdev driver `{driver}`; {instead}")))
    }
}

/// `[DDDD:]BB:DD.F` in hexadecimal, with the domain added and in lower case.
fn pci_address(text: &str) -> Option<String> {
    let (bus_part, function) = text.rsplit_once('.')?;
    let parts: Vec<&str> = bus_part.split(':').collect();
    let (domain, bus, device) = match parts.as_slice() {
        [domain, bus, device] => (*domain, *bus, *device),
        [bus, device] => ("0000", *bus, *device),
        _ => return None,
    };
    let hex = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|b| b.is_ascii_hexdigit());
    let device_ok = hex(device, 2) && u8::from_str_radix(device, 16).is_ok_and(|number| number < 32);
    let function_ok = function.len() == 1 && function.bytes().all(|b| (b'0'..=b'7').contains(&b));
    if !hex(domain, 4) || !hex(bus, 2) || !device_ok || !function_ok {
        return None;
    }
    Some(format!("{domain}:{bus}:{device}.{function}").to_ascii_lowercase())
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

text_serde!(Device, numbers: false, DEVICE_WANTED);
