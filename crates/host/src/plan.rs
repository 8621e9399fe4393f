//! The steps from what the machine has to what is wanted of it.
//!
//! In: [`Inventory`] and [`Wanted`]. Out: a [`Plan`]: steps in the order in which they can be done, each with what it
//! changes, where, and how it is undone. A machine that has everything gets an empty plan.

use std::fmt;

use serde::Serialize;

use crate::inventory::{Card, Function, Inventory};
use crate::links::{LinkState, VfLink};
use crate::pci::Address;
use crate::wanted::{Wanted, WantedFunction};

/// The driver that hands a function to user space.
pub const VFIO_PCI: &str = "vfio-pci";

/// What is to be done, in this order.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Step {
    /// Whether it adds something or changes it.
    pub kind: Kind,
    /// What changes, in words.
    pub text: String,
    /// The file or attribute that says how it is now.
    pub reads: String,
    /// The shell command that does the same by hand.
    pub command: String,
    /// What leads back to how it was.
    pub undo: String,
    /// Whether it takes hold only when the machine starts again.
    pub reboot: bool,
}

/// What a step does to what was there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// There was nothing.
    Add,
    /// There was something else.
    Change,
}

impl fmt::Display for Plan {
    /// A line for each step, after it the command and the way back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            let sign = match step.kind {
                Kind::Add => '+',
                Kind::Change => '~',
            };
            let reboot = if step.reboot { " (after the next start of the machine)" } else { "" };
            writeln!(f, "{sign} {}{reboot}\n      {}\n      undo: {}", step.text, step.command, step.undo)?;
        }
        Ok(())
    }
}

/// What lies between a machine and what is wanted of it.
pub fn between(inventory: &Inventory, wanted: &Wanted) -> Plan {
    let mut steps = Vec::new();
    steps.extend(kernel_parameters(inventory, wanted));
    if !wanted.functions.is_empty() && !inventory.machine.vfio_pci {
        steps.push(Step {
            kind: Kind::Add,
            text: "load the module vfio-pci".to_owned(),
            reads: "/sys/bus/pci/drivers/vfio-pci".to_owned(),
            command: "modprobe vfio-pci".to_owned(),
            undo: "modprobe -r vfio-pci".to_owned(),
            reboot: false,
        });
    }
    steps.extend(hugepages(inventory, wanted));
    for (number, card) in inventory.cards.iter().enumerate() {
        let functions: Vec<&WantedFunction> =
            wanted.functions.iter().filter(|function| function.card == number).collect();
        if let Some(last) = functions.last() {
            steps_of_card(card, &functions, usize::from(last.index) + 1, &mut steps);
        }
    }
    Plan { steps }
}

fn kernel_parameters(inventory: &Inventory, wanted: &Wanted) -> Option<Step> {
    let machine = &inventory.machine;
    let mut missing = Vec::new();
    if !wanted.functions.is_empty() && machine.iommu_groups == 0 {
        // AMD's IOMMU is on unless the firmware hides it; Intel's wants to be asked.
        missing.extend(["intel_iommu=on".to_owned(), "iommu=pt".to_owned()]);
    }
    let is_isolated = |number: &u32| machine.cpus.iter().any(|cpu| cpu.number == *number && cpu.isolated);
    if !wanted.isolated.iter().all(is_isolated) {
        let cores: Vec<String> = wanted.isolated.iter().map(ToString::to_string).collect();
        let cores = cores.join(",");
        missing.extend([
            format!("isolcpus={cores}"),
            format!("nohz_full={cores}"),
            format!("rcu_nocbs={cores}"),
        ]);
    }
    missing.retain(|word| {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        machine.parameter(key) != Some(value)
    });
    if missing.is_empty() {
        return None;
    }
    let missing = missing.join(" ");
    Some(Step {
        kind: Kind::Add,
        text: format!("start the kernel with {missing}"),
        reads: "/proc/cmdline, /sys/kernel/iommu_groups, /sys/devices/system/cpu/isolated".to_owned(),
        command: format!(
            "echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX {missing}\"' > /etc/default/grub.d/forebay.cfg && \
             update-grub"
        ),
        undo: "rm /etc/default/grub.d/forebay.cfg && update-grub".to_owned(),
        reboot: true,
    })
}

fn hugepages(inventory: &Inventory, wanted: &Wanted) -> Vec<Step> {
    let steps = wanted.hugepages.iter().filter_map(|(node, pages)| {
        let now = inventory.machine.hugepages.iter().find(|have| have.node == *node);
        let now = now.map_or(0, |have| have.pages);
        let file = format!("/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/nr_hugepages");
        (now < *pages).then(|| Step {
            kind: if now == 0 { Kind::Add } else { Kind::Change },
            text: format!("huge pages of 2 MiB on NUMA node {node}: {now} -> {pages}"),
            reads: file.clone(),
            command: format!("echo {pages} > {file}"),
            undo: format!("echo {now} > {file}"),
            reboot: false,
        })
    });
    steps.collect()
}

fn steps_of_card(card: &Card, wanted: &[&WantedFunction], count: usize, steps: &mut Vec<Step>) {
    let file = format!("/sys/bus/pci/devices/{}/sriov_numvfs", card.address);
    let name = card.name();
    let now = card.functions.len();
    // The kernel refuses to go from some functions to others: all of them go first, and what was set with them.
    let made_anew = now < count;
    if made_anew {
        let first = if now == 0 { String::new() } else { format!("echo 0 > {file} && ") };
        steps.push(Step {
            kind: if now == 0 { Kind::Add } else { Kind::Change },
            text: if now == 0 {
                format!("{name}: virtual functions: none -> {count}")
            } else {
                format!("{name}: virtual functions: {now} -> {count}; those that are there are made anew")
            },
            reads: file.clone(),
            command: format!("{first}echo {count} > {file}"),
            undo: if now == 0 {
                format!("echo 0 > {file}")
            } else {
                format!("echo 0 > {file} && echo {now} > {file}")
            },
            reboot: false,
        });
    }
    if !card.up {
        steps.push(Step {
            kind: Kind::Change,
            text: format!("{name}: down -> up"),
            reads: format!("/sys/class/net/{name}/flags"),
            command: format!("ip link set {name} up"),
            undo: format!("ip link set {name} down"),
            reboot: false,
        });
    }
    for function in wanted {
        let have = card.functions.get(usize::from(function.index)).filter(|_| !made_anew);
        steps_of_function(&name, function, have, steps);
    }
}

fn steps_of_function(card: &str, wanted: &WantedFunction, have: Option<&Function>, steps: &mut Vec<Step>) {
    let index = wanted.index;
    let whose = wanted.tenant.as_deref().unwrap_or("every tenant by tag");
    let now = have.and_then(|have| have.link.clone()).unwrap_or_default();
    let mut set = |what: &str, from: String, to: String| {
        if from == to {
            return;
        }
        let undo = format!("ip link set {card} vf {index} {what} {from}");
        steps.push(Step {
            kind: Kind::Change,
            text: format!("{card} VF {index} ({whose}): {what}: {from} -> {to}"),
            reads: format!("netlink: IFLA_VFINFO_LIST of {card}"),
            command: format!("ip link set {card} vf {index} {what} {to}"),
            undo,
            reboot: false,
        });
    };
    let mac = if now.mac == VfLink::default().mac { wanted.address.own_mac() } else { now.mac };
    set("mac", mac_text(now.mac), mac_text(mac));
    set("vlan", now.vlan.to_string(), wanted.vlan.to_string());
    set("spoofchk", on_off(now.spoof_check.unwrap_or(true)), on_off(false));
    set("state", state(now.link_state.unwrap_or(LinkState::Auto)), state(LinkState::Auto));
    set("trust", on_off(now.trusted.unwrap_or(false)), on_off(true));
    let driver = have.and_then(|have| have.driver.as_deref());
    if driver != Some(VFIO_PCI) {
        steps.push(bind(card, wanted.address, index, driver));
    }
}

fn bind(card: &str, address: Address, index: u16, driver: Option<&str>) -> Step {
    let device = format!("/sys/bus/pci/devices/{address}");
    let rebind = |driver: &str| {
        format!(
            "echo {driver} > {device}/driver_override; echo {address} > {device}/driver/unbind; echo {address} > \
             /sys/bus/pci/drivers_probe"
        )
    };
    Step {
        kind: Kind::Change,
        text: format!("{card} VF {index} ({address}): driver: {} -> {VFIO_PCI}", driver.unwrap_or("none")),
        reads: format!("{device}/driver"),
        command: rebind(VFIO_PCI),
        // An empty line takes the override away, and the kernel chooses again.
        undo: rebind(""),
        reboot: false,
    }
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn state(state: LinkState) -> String {
    match state {
        LinkState::Auto => "auto",
        LinkState::Enable => "enable",
        LinkState::Disable => "disable",
    }
    .to_owned()
}
