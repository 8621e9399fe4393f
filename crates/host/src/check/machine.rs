//! The machine: IOMMU, vfio, huge pages, and the cores that workers poll on.

use super::{Finding, Outcome};
use crate::inventory::{Cpu, Inventory};
use crate::wanted::Wanted;

const SUBJECT: &str = "machine";

pub(super) fn check(inventory: &Inventory, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !wanted.functions.is_empty() {
        findings.push(iommu(inventory));
        findings.push(vfio(inventory));
    }
    findings.extend(wanted.hugepages.iter().map(|(node, pages)| hugepages(inventory, *node, *pages)));
    if !wanted.isolated.is_empty() {
        findings.push(isolated(inventory, wanted));
        findings.extend(governor(inventory, wanted));
        findings.push(siblings(inventory, wanted));
        findings.push(irqbalance(inventory));
    }
    findings
}

fn iommu(inventory: &Inventory) -> Finding {
    let groups = inventory.machine.iommu_groups;
    if groups > 0 {
        return Finding::good("iommu", SUBJECT, format!("in use, with {groups} groups"));
    }
    Finding::not(
        Outcome::Bad,
        "iommu",
        SUBJECT,
        "no IOMMU is in use, so vfio-pci cannot hand a function to user space",
        "enable VT-d or AMD-Vi in the firmware setup and start the kernel with intel_iommu=on iommu=pt",
    )
}

fn vfio(inventory: &Inventory) -> Finding {
    if inventory.machine.vfio_pci {
        return Finding::good("vfio", SUBJECT, "the driver vfio-pci is loaded");
    }
    Finding::not(
        Outcome::Bad,
        "vfio",
        SUBJECT,
        "the driver vfio-pci is not loaded",
        "run `modprobe vfio-pci`; if there is no such module, install the distribution's full kernel package",
    )
}

fn hugepages(inventory: &Inventory, node: u32, pages: u64) -> Finding {
    let subject = format!("NUMA node {node}");
    let have = inventory.machine.hugepages.iter().find(|have| have.node == node);
    let (now, free) = have.map_or((0, 0), |have| (have.pages, have.free));
    let file = format!("/sys/devices/system/node/node{node}/hugepages/hugepages-2048kB/nr_hugepages");
    if now < pages {
        return Finding::not(
            Outcome::Bad,
            "hugepages",
            subject,
            format!("{now} huge pages of 2 MiB, and {pages} are wanted"),
            format!("run `echo {pages} > {file}` early after a start, before memory is in pieces"),
        );
    }
    Finding::good("hugepages", subject, format!("{now} huge pages of 2 MiB, {free} of them free"))
}

/// The CPUs of workers.
fn workers<'a>(inventory: &'a Inventory, wanted: &'a Wanted) -> impl Iterator<Item = &'a Cpu> {
    inventory.machine.cpus.iter().filter(|cpu| wanted.isolated.contains(&cpu.number))
}

fn numbers<'a>(cpus: impl Iterator<Item = &'a Cpu>) -> String {
    cpus.map(|cpu| cpu.number.to_string()).collect::<Vec<_>>().join(",")
}

fn isolated(inventory: &Inventory, wanted: &Wanted) -> Finding {
    let open = numbers(workers(inventory, wanted).filter(|cpu| !cpu.isolated));
    let all = numbers(workers(inventory, wanted));
    if open.is_empty() {
        return Finding::good("isolated_cores", SUBJECT, format!("the scheduler keeps off cores {all}"));
    }
    Finding::not(
        Outcome::Slow,
        "isolated_cores",
        SUBJECT,
        format!("the scheduler may put other work on worker cores {open}"),
        format!("start the kernel with isolcpus={all} nohz_full={all} rcu_nocbs={all}"),
    )
}

fn governor(inventory: &Inventory, wanted: &Wanted) -> Option<Finding> {
    let mut known = workers(inventory, wanted).filter(|cpu| cpu.governor.is_some()).peekable();
    // A hypervisor, or firmware that keeps the choice to itself, offers no governor to judge.
    known.peek()?;
    let slow = numbers(known.filter(|cpu| cpu.governor.as_deref() != Some("performance")));
    if slow.is_empty() {
        return Some(Finding::good("governor", SUBJECT, "worker cores run with the governor performance"));
    }
    Some(Finding::not(
        Outcome::Slow,
        "governor",
        SUBJECT,
        format!("worker cores {slow} lower their frequency when they think that nothing is to be done"),
        "run `cpupower frequency-set -g performance`",
    ))
}

fn siblings(inventory: &Inventory, wanted: &Wanted) -> Finding {
    let shared: Vec<u32> = workers(inventory, wanted)
        .flat_map(|cpu| cpu.siblings.iter().copied())
        .filter(|sibling| inventory.machine.cpus.iter().any(|cpu| cpu.number == *sibling && !cpu.isolated))
        .collect();
    if shared.is_empty() {
        return Finding::good("hyperthreads", SUBJECT, "no worker shares its core with other work");
    }
    let list = shared.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    Finding::not(
        Outcome::Slow,
        "hyperthreads",
        SUBJECT,
        format!("CPUs {list} are hyperthreads of workers' cores, and the scheduler puts work on them"),
        format!(
            "take them off line (`echo 0 > /sys/devices/system/cpu/cpuN/online`) or add {list} to isolcpus"
        ),
    )
}

fn irqbalance(inventory: &Inventory) -> Finding {
    if !inventory.machine.irqbalance {
        return Finding::good("irqbalance", SUBJECT, "irqbalance does not run");
    }
    Finding::not(
        Outcome::Slow,
        "irqbalance",
        SUBJECT,
        "irqbalance runs; unless it is told not to, it moves interrupts to worker cores",
        "set IRQBALANCE_BANNED_CPULIST in /etc/default/irqbalance to the worker cores and restart it",
    )
}
