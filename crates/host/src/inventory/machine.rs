//! The machine itself: IOMMU, huge pages, cores.

use serde::Serialize;

use crate::sys::{Root, SysError, list};

/// What of the machine matters to polling workers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Machine {
    /// The kernel's command line, word by word.
    pub command_line: Vec<String>,
    /// IOMMU groups; none means that no IOMMU is in use.
    pub iommu_groups: usize,
    /// Whether the vfio-pci driver is there.
    pub vfio_pci: bool,
    /// Huge pages of 2 MiB, by NUMA node.
    pub hugepages: Vec<HugePages>,
    /// CPUs that are online.
    pub cpus: Vec<Cpu>,
    /// Whether irqbalance runs.
    pub irqbalance: bool,
}

/// The huge pages of a NUMA node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct HugePages {
    /// The node.
    pub node: u32,
    /// Pages of 2 MiB.
    pub pages: u64,
    /// Of those, how many nobody uses.
    pub free: u64,
}

/// A CPU as the scheduler counts them: a core, or one of a core's hyperthreads.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Cpu {
    /// Its number.
    pub number: u32,
    /// Its NUMA node.
    pub node: u32,
    /// Whether the scheduler is kept from it.
    pub isolated: bool,
    /// The other hyperthreads of its core.
    pub siblings: Vec<u32>,
    /// Its frequency governor; `None`: the machine, or its hypervisor, does not let one choose.
    pub governor: Option<String>,
}

impl Machine {
    /// The value of a parameter on the kernel's command line, the last if it is there several times; `""` for one
    /// without a value.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.command_line.iter().rev().find_map(|word| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key == name).then_some(value)
        })
    }
}

pub(super) fn read(root: &Root) -> Result<Machine, SysError> {
    let text = |path: &str| Ok::<_, SysError>(root.text(path)?.unwrap_or_default());
    let mut nodes = Vec::new();
    for name in root.names("sys/devices/system/node")? {
        if let Some(node) = name.strip_prefix("node").and_then(|number| number.parse::<u32>().ok()) {
            nodes.push((node, list(&text(&format!("sys/devices/system/node/{name}/cpulist"))?)));
        }
    }
    let mut hugepages = Vec::new();
    for (node, _) in &nodes {
        let folder = format!("sys/devices/system/node/node{node}/hugepages/hugepages-2048kB");
        if let Some(pages) = root.number(&format!("{folder}/nr_hugepages"))? {
            let free = root.number(&format!("{folder}/free_hugepages"))?.unwrap_or(0);
            hugepages.push(HugePages { node: *node, pages, free });
        }
    }
    let isolated = list(&text("sys/devices/system/cpu/isolated")?);
    let mut cpus = Vec::new();
    for number in list(&text("sys/devices/system/cpu/online")?) {
        let folder = format!("sys/devices/system/cpu/cpu{number}");
        let mut siblings = list(&text(&format!("{folder}/topology/thread_siblings_list"))?);
        siblings.retain(|sibling| *sibling != number);
        cpus.push(Cpu {
            number,
            node: nodes.iter().find(|(_, cpus)| cpus.contains(&number)).map_or(0, |(node, _)| *node),
            isolated: isolated.contains(&number),
            siblings,
            governor: root.text(&format!("{folder}/cpufreq/scaling_governor"))?,
        });
    }
    Ok(Machine {
        command_line: text("proc/cmdline")?.split_whitespace().map(str::to_owned).collect(),
        iommu_groups: root.names("sys/kernel/iommu_groups")?.len(),
        vfio_pci: root.has("sys/bus/pci/drivers/vfio-pci"),
        hugepages,
        cpus,
        irqbalance: runs(root, "irqbalance")?,
    })
}

/// Whether a process of this name runs.
fn runs(root: &Root, command: &str) -> Result<bool, SysError> {
    for name in root.names("proc")? {
        if name.bytes().all(|byte| byte.is_ascii_digit())
            // A process that ends while we look has no name any more.
            && root.text(&format!("proc/{name}/comm")).ok().flatten().as_deref() == Some(command)
        {
            return Ok(true);
        }
    }
    Ok(false)
}
