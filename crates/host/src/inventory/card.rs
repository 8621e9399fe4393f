//! SR-IOV cards: physical functions, and the virtual functions that they have.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::links::{Link, VfLink};
use crate::pci::Address;
use crate::sys::{Root, SysError};

const DEVICES: &str = "sys/bus/pci/devices";

/// A physical function that can have virtual ones. Files and attributes are those of the kernel's
/// `Documentation/ABI/testing/sysfs-bus-pci`.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Card {
    /// Where it is.
    pub address: Address,
    /// PCI vendor, 0x8086 for Intel.
    pub vendor: u16,
    /// PCI device, 0x1572 for an X710 with SFP+.
    pub device: u16,
    /// The driver that is bound to it.
    pub driver: Option<String>,
    /// Its network interface.
    pub interface: Option<String>,
    /// Whether that interface is set up.
    pub up: bool,
    /// The rate of its link in Mbit/s; `None` while there is no link.
    pub speed_mbps: Option<u32>,
    /// Addresses on the interface, and on what is stacked on it: bridges, bonds, VLANs.
    pub addresses: Vec<IpAddr>,
    /// The NUMA node that it hangs on.
    pub numa_node: Option<u32>,
    /// The PCIe link as it runs.
    pub pcie: Option<PcieLink>,
    /// The PCIe link that the card could have.
    pub pcie_max: Option<PcieLink>,
    /// Whether extended tags are enabled in its PCIe device control; `None`: only root can read that.
    pub extended_tags: Option<bool>,
    /// The most virtual functions it can have.
    pub functions_max: u16,
    /// Routing ID of the first virtual function, relative to the card's.
    pub function_offset: u16,
    /// From one virtual function's routing ID to the next one's.
    pub function_stride: u16,
    /// The virtual functions that it has, in order.
    pub functions: Vec<Function>,
}

/// A virtual function.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Function {
    /// Where it is.
    pub address: Address,
    /// The driver that is bound to it.
    pub driver: Option<String>,
    /// Its IOMMU group; `None` without an IOMMU.
    pub iommu_group: Option<u32>,
    /// How many other devices are in that group.
    pub group_others: usize,
    /// What its card's driver says of it.
    pub link: Option<VfLink>,
}

/// Speed and width of a PCIe link.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct PcieLink {
    /// Gigatransfers per second and lane.
    pub gigatransfers: f32,
    /// Lanes.
    pub lanes: u32,
}

impl PcieLink {
    /// What it carries in one direction, in Mbit/s, after line coding (8b/10b up to 5 GT/s, then 128b/130b) and
    /// before packet headers.
    pub fn rate_mbps(self) -> u32 {
        let coding = if self.gigatransfers > 5.0 { 128.0 / 130.0 } else { 0.8 };
        (self.gigatransfers * 1000.0 * coding) as u32 * self.lanes
    }
}

impl Card {
    /// What people call it: its interface, or else its address.
    pub fn name(&self) -> String {
        self.interface.clone().unwrap_or_else(|| self.address.to_string())
    }

    /// Where its virtual function `index` is or would be.
    pub fn function_address(&self, index: u16) -> Option<Address> {
        self.address.virtual_function(self.function_offset, self.function_stride, index)
    }

    /// Which of its virtual functions, there or not yet, is at an address.
    pub fn index_of(&self, address: Address) -> Option<u16> {
        (0..self.functions_max).find(|index| self.function_address(*index) == Some(address))
    }
}

/// Every card of the machine, in the order of addresses.
pub(super) fn all(root: &Root, links: &BTreeMap<String, Link>) -> Result<Vec<Card>, SysError> {
    let mut cards = Vec::new();
    for name in root.names(DEVICES)? {
        let device = format!("{DEVICES}/{name}");
        let Ok(address) = name.parse() else { continue };
        if let Some(functions_max) = root.number(&format!("{device}/sriov_totalvfs"))? {
            cards.push(read(root, links, address, &device, functions_max)?);
        }
    }
    cards.sort_by_key(|card| card.address);
    Ok(cards)
}

fn read(
    root: &Root,
    links: &BTreeMap<String, Link>,
    address: Address,
    device: &str,
    functions_max: u16,
) -> Result<Card, SysError> {
    let file = |name: &str| format!("{device}/{name}");
    let interface = root.names(&file("net"))?.into_iter().next();
    let mut up = false;
    let mut speed_mbps = None;
    if let Some(interface) = &interface {
        const IFF_UP: u32 = 1;
        let net = format!("sys/class/net/{interface}");
        let flags = root.text(&format!("{net}/flags"))?.unwrap_or_default();
        let flags = u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap_or(0);
        up = flags & IFF_UP != 0;
        // A port without a link says -1 there, which is no number of this kind.
        speed_mbps = root.number(&format!("{net}/speed"))?.filter(|speed| *speed > 0);
    }
    let known = interface.as_ref().and_then(|interface| links.get(interface));
    let addresses = match &interface {
        Some(interface) => stacked(root, interface)?
            .iter()
            .filter_map(|name| links.get(name))
            .flat_map(|link| link.addresses.iter().copied())
            .collect(),
        None => Vec::new(),
    };
    Ok(Card {
        address,
        vendor: root.id(&file("vendor"))?.unwrap_or(0),
        device: root.id(&file("device"))?.unwrap_or(0),
        driver: root.link(&file("driver")),
        interface: interface.clone(),
        up,
        speed_mbps,
        addresses,
        numa_node: root.number(&file("numa_node"))?,
        pcie: pcie_link(root, device, "current")?,
        pcie_max: pcie_link(root, device, "max")?,
        extended_tags: root.bytes(&file("config"))?.and_then(|config| extended_tags(&config)),
        functions_max,
        function_offset: root.number(&file("sriov_offset"))?.unwrap_or(0),
        function_stride: root.number(&file("sriov_stride"))?.unwrap_or(0),
        functions: functions(root, device, known)?,
    })
}

fn functions(root: &Root, device: &str, known: Option<&Link>) -> Result<Vec<Function>, SysError> {
    let count: u16 = root.number(&format!("{device}/sriov_numvfs"))?.unwrap_or(0);
    let mut functions = Vec::new();
    for index in 0..count {
        let name = root.link(&format!("{device}/virtfn{index}"));
        // One that vanishes while we look has no address any more.
        let Some(address) = name.and_then(|name| name.parse::<Address>().ok()) else { break };
        let own = format!("{DEVICES}/{address}");
        let iommu_group = root.link(&format!("{own}/iommu_group")).and_then(|group| group.parse().ok());
        let members = root.names(&format!("{own}/iommu_group/devices"))?;
        functions.push(Function {
            address,
            driver: root.link(&format!("{own}/driver")),
            iommu_group,
            group_others: members.len().saturating_sub(1),
            link: known.and_then(|link| link.functions.iter().find(|vf| vf.index == index).cloned()),
        });
    }
    Ok(functions)
}

fn pcie_link(root: &Root, device: &str, which: &str) -> Result<Option<PcieLink>, SysError> {
    let speed = root.text(&format!("{device}/{which}_link_speed"))?;
    let lanes = root.number(&format!("{device}/{which}_link_width"))?;
    // "8.0 GT/s PCIe"; "Unknown" when the link is down.
    let gigatransfers = speed.and_then(|speed| speed.split(' ').next()?.parse::<f32>().ok());
    Ok(gigatransfers.zip(lanes).map(|(gigatransfers, lanes)| PcieLink { gigatransfers, lanes }))
}

/// An interface and everything that is stacked on it.
fn stacked(root: &Root, interface: &str) -> Result<BTreeSet<String>, SysError> {
    let mut found = BTreeSet::new();
    let mut open = vec![interface.to_owned()];
    while let Some(name) = open.pop() {
        if !found.insert(name.clone()) {
            continue;
        }
        for entry in root.names(&format!("sys/class/net/{name}"))? {
            if let Some(upper) = entry.strip_prefix("upper_") {
                open.push(upper.to_owned());
            }
        }
    }
    Ok(found)
}

/// Bit 8 of the PCIe capability's device control (PCI Express Base Specification, 7.5.3.4), from configuration space.
fn extended_tags(config: &[u8]) -> Option<bool> {
    const CAPABILITIES: usize = 0x34;
    const PCI_EXPRESS: u8 = 0x10;
    let mut at = usize::from(*config.get(CAPABILITIES)?);
    // Capabilities are at least four bytes each and lie in the first 256, so a longer chain is a circle.
    for _ in 0..64 {
        if at < 0x40 {
            return None;
        }
        if *config.get(at)? == PCI_EXPRESS {
            return Some(config.get(at + 9)? & 1 != 0);
        }
        at = usize::from(*config.get(at + 1)?);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_tags_are_found_behind_other_capabilities() {
        let mut config = vec![0; 256];
        config[0x34] = 0x40;
        config[0x40] = 0x01;
        config[0x41] = 0x70;
        config[0x70] = 0x10;
        assert_eq!(extended_tags(&config), Some(false));
        config[0x79] = 1;
        assert_eq!(extended_tags(&config), Some(true));
        config[0x70] = 0x05;
        config[0x71] = 0x40;
        assert_eq!(extended_tags(&config), None, "a circle ends");
        assert_eq!(extended_tags(&config[..64]), None, "what an ordinary user may read");
    }

    #[test]
    fn rates_of_pcie_links() {
        assert_eq!(PcieLink { gigatransfers: 8.0, lanes: 8 }.rate_mbps(), 63_008);
        assert_eq!(PcieLink { gigatransfers: 2.5, lanes: 4 }.rate_mbps(), 8_000);
    }
}
