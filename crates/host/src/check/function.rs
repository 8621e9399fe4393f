//! A virtual function: whether it gets its tenant's frames, all of them and no others.

use super::{Finding, Outcome};
use crate::inventory::{Card, Function};
use crate::links::{LinkState, VfLink};
use crate::plan::VFIO_PCI;
use crate::wanted::WantedFunction;

pub(super) fn check(card: &Card, wanted: &WantedFunction) -> Vec<Finding> {
    let subject = format!("{} VF {} ({})", card.name(), wanted.index, wanted.port);
    let Some(function) = card.functions.get(usize::from(wanted.index)) else {
        return vec![Finding::not(
            Outcome::Bad,
            "function",
            subject,
            format!("it is not there: {} has {} virtual functions", card.name(), card.functions.len()),
            "run `forebay host plan` for the steps that make it",
        )];
    };
    let mut findings = vec![driver(&subject, function), group(&subject, function)];
    match &function.link {
        Some(link) => findings.extend([
            vlan(&subject, card, wanted, link),
            trust(&subject, card, wanted, link),
            spoof_check(&subject, card, wanted, link),
            link_state(&subject, card, wanted, link),
        ]),
        None => findings.push(Finding::not(
            Outcome::Unknown,
            "attributes",
            &subject,
            "the card's driver tells nothing of its VLAN and trust",
            format!("compare `ip link show {}`; an up-to-date driver tells", card.name()),
        )),
    }
    // What the hardware does shows only in frames: these are for a running daemon.
    findings.push(Finding::not(
        Outcome::Unknown,
        "promiscuous",
        subject,
        "whether promiscuous mode has effect, and how many queues with a symmetric hash there are, shows only while \
         forebayd receives",
        "send a frame of the VLAN to an address that nobody has, and see it counted in `forebay status`",
    ));
    findings
}

fn driver(subject: &str, function: &Function) -> Finding {
    match function.driver.as_deref() {
        Some(VFIO_PCI) => Finding::good("driver", subject, "bound to vfio-pci"),
        driver => Finding::not(
            Outcome::Bad,
            "driver",
            subject,
            format!("bound to {}, so DPDK cannot have it", driver.unwrap_or("no driver")),
            "run `forebay host plan` for the step that binds it to vfio-pci",
        ),
    }
}

fn group(subject: &str, function: &Function) -> Finding {
    match (function.iommu_group, function.group_others) {
        (None, _) => Finding::not(
            Outcome::Bad,
            "iommu_group",
            subject,
            "it is in no IOMMU group",
            "switch the IOMMU on: intel_iommu=on iommu=pt on the kernel's command line",
        ),
        (Some(group), 0) => Finding::good("iommu_group", subject, format!("alone in group {group}")),
        (Some(group), others) => Finding::not(
            Outcome::Bad,
            "iommu_group",
            subject,
            format!(
                "shares IOMMU group {group} with {others} other devices, which vfio hands out only together"
            ),
            "put the card into a slot behind a PCIe port with ACS, or enable ACS in the firmware setup",
        ),
    }
}

fn vlan(subject: &str, card: &Card, wanted: &WantedFunction, link: &VfLink) -> Finding {
    let remedy = format!("run `ip link set {} vf {} vlan {}`", card.name(), wanted.index, wanted.vlan);
    match (link.vlan, wanted.vlan) {
        (have, want) if have == want && want == 0 => {
            Finding::good("port_vlan", subject, "none, as a trunk port wants it")
        }
        (have, want) if have == want => Finding::good("port_vlan", subject, format!("{have}")),
        (0, want) => Finding::not(
            Outcome::Bad,
            "port_vlan",
            subject,
            format!(
                "none, and {want} is wanted: the function may see frames of every VLAN, those of others too"
            ),
            remedy,
        ),
        (have, 0) => Finding::not(
            Outcome::Bad,
            "port_vlan",
            subject,
            format!("{have}, and a trunk port must have none: only that VLAN would arrive, without its tag"),
            remedy,
        ),
        (have, want) => Finding::not(
            Outcome::Bad,
            "port_vlan",
            subject,
            format!("{have}, and {want} is wanted: the tenant would be shown another's frames"),
            remedy,
        ),
    }
}

fn trust(subject: &str, card: &Card, wanted: &WantedFunction, link: &VfLink) -> Finding {
    let remedy = format!("run `ip link set {} vf {} trust on`", card.name(), wanted.index);
    match link.trusted {
        Some(true) => Finding::good("trust", subject, "trusted"),
        Some(false) => Finding::not(
            Outcome::Bad,
            "trust",
            subject,
            "not trusted: promiscuous mode is answered with success and has no effect, so only frames to its own \
             address arrive",
            remedy,
        ),
        None => Finding::not(Outcome::Unknown, "trust", subject, "the driver does not tell", remedy),
    }
}

fn spoof_check(subject: &str, card: &Card, wanted: &WantedFunction, link: &VfLink) -> Finding {
    match link.spoof_check {
        Some(true) => Finding::not(
            Outcome::Bad,
            "spoof_check",
            subject,
            "on: frames that are handed to a tool carry other addresses than the function's and would be dropped",
            format!("run `ip link set {} vf {} spoofchk off`", card.name(), wanted.index),
        ),
        Some(false) => Finding::good("spoof_check", subject, "off"),
        None => Finding::not(Outcome::Unknown, "spoof_check", subject, "the driver does not tell", ""),
    }
}

fn link_state(subject: &str, card: &Card, wanted: &WantedFunction, link: &VfLink) -> Finding {
    let remedy = format!("run `ip link set {} vf {} state auto`", card.name(), wanted.index);
    match link.link_state {
        Some(LinkState::Auto) => Finding::good("link_state", subject, "that of the port"),
        Some(LinkState::Disable) => Finding::not(
            Outcome::Bad,
            "link_state",
            subject,
            "the function is told that its link is down and receives nothing",
            remedy,
        ),
        Some(LinkState::Enable) => Finding::not(
            Outcome::Slow,
            "link_state",
            subject,
            "the function is told that its link is up also while the port has none, so a lost cable goes unnoticed",
            remedy,
        ),
        None => Finding::not(Outcome::Unknown, "link_state", subject, "the driver does not tell", ""),
    }
}
