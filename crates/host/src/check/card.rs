//! A card: its driver and firmware, its link, its place in the machine.

use super::{Finding, Outcome};
use crate::inventory::{Card, Inventory};
use crate::wanted::Wanted;

pub(super) fn check(card: &Card, inventory: &Inventory, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = vec![firmware(card), up(card)];
    findings.push(pcie(card));
    findings.extend(extended_tags(card));
    findings.extend(numa(card, inventory, wanted));
    findings
}

fn firmware(card: &Card) -> Finding {
    let driver = card.driver.as_deref().unwrap_or("none");
    Finding::not(
        Outcome::Unknown,
        "firmware",
        card.name(),
        format!("the driver is {driver}; sysfs does not show the firmware's version"),
        format!(
            "compare `ethtool -i {}` with the versions in the release notes of DPDK's driver",
            card.name()
        ),
    )
}

fn up(card: &Card) -> Finding {
    let name = card.name();
    if !card.up {
        return Finding::not(
            Outcome::Bad,
            "link",
            &name,
            "the card's interface is down, and then none of its virtual functions receives anything",
            format!("run `ip link set {name} up`"),
        );
    }
    match card.speed_mbps {
        Some(speed) => Finding::good("link", name, format!("up at {speed} Mbit/s")),
        None => Finding::not(
            Outcome::Bad,
            "link",
            name,
            "the interface is up and has no link",
            "look at the cable, the optics and the other end",
        ),
    }
}

fn pcie(card: &Card) -> Finding {
    let name = card.name();
    let (Some(pcie), Some(speed)) = (card.pcie, card.speed_mbps) else {
        return Finding::not(
            Outcome::Unknown,
            "pcie",
            name,
            "without a link, its rate cannot be set against that of PCIe",
            "bring the link up and check again",
        );
    };
    let text = format!(
        "PCIe at {} GT/s on {} lanes carries {} Mbit/s before headers, the port {speed}",
        pcie.gigatransfers,
        pcie.lanes,
        pcie.rate_mbps()
    );
    let below = card
        .pcie_max
        .filter(|most| most.rate_mbps() > pcie.rate_mbps())
        .map(|most| format!("{} GT/s on {} lanes", most.gigatransfers, most.lanes));
    // Headers and completions of small packets take about a third of what is left after line coding.
    let enough = u64::from(pcie.rate_mbps()) * 2 >= u64::from(speed) * 3;
    match (enough, below) {
        (true, None) => Finding::good("pcie", name, text),
        (true, Some(below)) => Finding::not(
            Outcome::Slow,
            "pcie",
            name,
            format!("{text}; that is enough for this port, but the card could have {below}"),
            "put the card into a slot that has this speed and as many lanes",
        ),
        (false, _) => Finding::not(
            Outcome::Bad,
            "pcie",
            name,
            format!("{text}; at line rate frames will be lost in the card"),
            "put the card into a slot with more lanes or a higher speed, and look at the firmware's slot settings",
        ),
    }
}

fn extended_tags(card: &Card) -> Option<Finding> {
    // Only 40G needs so many reads in flight; slower cards do not tell the difference.
    if card.speed_mbps.is_none_or(|speed| speed < 40_000) {
        return None;
    }
    Some(match card.extended_tags {
        Some(true) => Finding::good("extended_tags", card.name(), "on"),
        Some(false) => Finding::not(
            Outcome::Slow,
            "extended_tags",
            card.name(),
            "off: the card can have 32 reads in flight, too few for 40 Gbit/s of small frames",
            "enable extended tags in the firmware setup (PCIe settings of the slot)",
        ),
        None => Finding::not(
            Outcome::Unknown,
            "extended_tags",
            card.name(),
            "the card's PCIe settings cannot be read",
            "run this as root",
        ),
    })
}

fn numa(card: &Card, inventory: &Inventory, wanted: &Wanted) -> Option<Finding> {
    let node = card.numa_node?;
    let far: Vec<String> = inventory
        .machine
        .cpus
        .iter()
        .filter(|cpu| wanted.isolated.contains(&cpu.number) && cpu.node != node)
        .map(|cpu| cpu.number.to_string())
        .collect();
    if far.is_empty() {
        return Some(Finding::good("numa", card.name(), format!("on node {node}, as all workers are")));
    }
    Some(Finding::not(
        Outcome::Slow,
        "numa",
        card.name(),
        format!(
            "on node {node}, and worker cores {} are not: every frame crosses between sockets",
            far.join(",")
        ),
        format!("configure no more workers than node {node} has cores, or move the card to another slot"),
    ))
}
