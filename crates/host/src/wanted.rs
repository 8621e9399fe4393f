//! The state that the configuration asks of the machine.
//!
//! In: a [`Request`], which the control plane fills from the configuration, and the [`Inventory`]. Out: the [`Wanted`]
//! state, or every reason why this machine cannot have it; the machine is then left alone altogether.

use serde::Serialize;

use crate::inventory::{Card, Inventory};
use crate::pci::Address;

/// What the configuration says of ports and memory.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Request {
    /// Polling workers, each with a core of its own.
    pub workers: usize,
    /// Memory in huge pages, in MiB; 0 when there is to be none.
    pub hugepages_mib: u64,
    /// Ports that are PCI functions.
    pub ports: Vec<PortRequest>,
    /// Take a card that carries an address of the machine.
    pub force: bool,
}

/// A port that is a PCI function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortRequest {
    /// The port's name.
    pub name: String,
    /// Where its function is.
    pub address: Address,
    /// The tenant and the port VLAN of an access port; `None` for a trunk.
    pub access: Option<(String, u16)>,
}

/// The wanted state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Wanted {
    /// Virtual functions, by card and index.
    pub functions: Vec<WantedFunction>,
    /// Pages of 2 MiB, by NUMA node.
    pub hugepages: Vec<(u32, u64)>,
    /// Cores for workers, which the scheduler is to be kept from.
    pub isolated: Vec<u32>,
}

/// A virtual function as it should be: trusted, without spoof check, its link as the physical port's, and bound to
/// vfio-pci.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct WantedFunction {
    /// The port that it is for.
    pub port: String,
    /// Its tenant; `None`: that is told by the tag of each frame.
    pub tenant: Option<String>,
    /// Its card, as an index into [`Inventory::cards`].
    pub card: usize,
    /// Which one of the card's.
    pub index: u16,
    /// Where it is.
    pub address: Address,
    /// The port VLAN; 0: none.
    pub vlan: u16,
}

/// Why a machine cannot have what is wanted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RefusedError {
    /// No card.
    #[error(
        "the configuration has {ports} ports that are PCI functions, and this machine has no card with SR-IOV; enable \
         SR-IOV in the firmware setup, or look with `lspci` whether the card is there"
    )]
    NoCard {
        /// Ports.
        ports: usize,
    },
    /// The card itself.
    #[error(
        "port {port} is {address}, the card itself ({interface}); give it one of the card's virtual functions, the \
         first of which is {first}"
    )]
    PhysicalFunction {
        /// The port.
        port: String,
        /// Where it is.
        address: Address,
        /// The card's interface.
        interface: String,
        /// The first virtual function.
        first: String,
    },
    /// No card has such a function.
    #[error(
        "port {port} is {address}, which no card of this machine can have as a virtual function; {possible}"
    )]
    NoSuchFunction {
        /// The port.
        port: String,
        /// Where it should be.
        address: Address,
        /// What there could be.
        possible: String,
    },
    /// Two ports, one function.
    #[error("ports {first} and {second} are both {address}; give each a function of its own")]
    Twice {
        /// One port.
        first: String,
        /// The other.
        second: String,
        /// The function.
        address: Address,
    },
    /// A driver that nobody has tried.
    #[error(
        "{interface} ({vendor:04x}:{device:04x}, driver {driver}) is a card of a kind that Forebay does not set up; it \
         knows Intel's i40e (X710, XL710, XXV710) and igb (82576)"
    )]
    UnknownCard {
        /// The card's interface.
        interface: String,
        /// PCI vendor.
        vendor: u16,
        /// PCI device.
        device: u16,
        /// Its driver.
        driver: String,
    },
    /// The way to the machine.
    #[error(
        "{interface} carries {addresses}, by which this machine is reached; use another card, or say --force if that \
         may be lost"
    )]
    Management {
        /// The card's interface.
        interface: String,
        /// Addresses.
        addresses: String,
    },
    /// Too few cores.
    #[error(
        "{workers} workers need a core each beside the first, and this machine has {cores}; set workers = {fit}"
    )]
    Cores {
        /// Workers.
        workers: usize,
        /// Cores.
        cores: usize,
        /// How many workers would fit.
        fit: usize,
    },
}

/// Physical functions that this is written for: Intel's drivers, whose virtual functions have a PMD in DPDK.
pub(crate) fn is_known(card: &Card) -> bool {
    const INTEL: u16 = 0x8086;
    card.vendor == INTEL && matches!(card.driver.as_deref(), Some("i40e" | "igb"))
}

/// What the machine should be like.
///
/// # Errors
///
/// Every reason why it cannot be.
pub fn derive(request: &Request, inventory: &Inventory) -> Result<Wanted, Vec<RefusedError>> {
    let mut refused = Vec::new();
    let mut functions: Vec<WantedFunction> = Vec::new();
    if inventory.cards.is_empty() && !request.ports.is_empty() {
        return Err(vec![RefusedError::NoCard { ports: request.ports.len() }]);
    }
    for port in &request.ports {
        let other = functions.iter().find(|function| function.address == port.address);
        if let Some(other) = other {
            refused.push(RefusedError::Twice {
                first: other.port.clone(),
                second: port.name.clone(),
                address: port.address,
            });
            continue;
        }
        match place(port, &inventory.cards) {
            Ok((card, index)) => functions.push(WantedFunction {
                port: port.name.clone(),
                tenant: port.access.as_ref().map(|(tenant, _)| tenant.clone()),
                card,
                index,
                address: port.address,
                vlan: port.access.as_ref().map_or(0, |(_, vlan)| *vlan),
            }),
            Err(error) => refused.push(error),
        }
    }
    functions.sort_by_key(|function| (function.card, function.index));
    let mut used: Vec<usize> = functions.iter().map(|function| function.card).collect();
    used.dedup();
    for card in used.iter().filter_map(|card| inventory.cards.get(*card)) {
        refused.extend(refusal_of(card, request.force));
    }
    // Memory and cores are wanted where the first card is: workers read what it writes.
    let node =
        used.first().and_then(|card| inventory.cards.get(*card)).and_then(|card| card.numa_node).unwrap_or(0);
    let isolated = match cores(inventory, node, request.workers) {
        Ok(isolated) => isolated,
        Err(error) => {
            refused.push(error);
            Vec::new()
        }
    };
    if !refused.is_empty() {
        return Err(refused);
    }
    let pages = request.hugepages_mib.div_ceil(2);
    Ok(Wanted { functions, hugepages: (pages > 0).then_some((node, pages)).into_iter().collect(), isolated })
}

fn place(port: &PortRequest, cards: &[Card]) -> Result<(usize, u16), RefusedError> {
    for (number, card) in cards.iter().enumerate() {
        if card.address == port.address {
            return Err(RefusedError::PhysicalFunction {
                port: port.name.clone(),
                address: port.address,
                interface: card.name(),
                first: card.function_address(0).map_or_else(|| "none".to_owned(), |first| first.to_string()),
            });
        }
        if let Some(index) = card.index_of(port.address) {
            return Ok((number, index));
        }
    }
    let ranges: Vec<String> = cards.iter().map(range).collect();
    Err(RefusedError::NoSuchFunction {
        port: port.name.clone(),
        address: port.address,
        possible: ranges.join("; "),
    })
}

fn range(card: &Card) -> String {
    let first = card.function_address(0);
    let last = card.functions_max.checked_sub(1).and_then(|last| card.function_address(last));
    match (first, last) {
        (Some(first), Some(last)) => {
            format!("{} can have {}, from {first} to {last}", card.name(), card.functions_max)
        }
        _ => format!("{} can have none", card.name()),
    }
}

fn refusal_of(card: &Card, force: bool) -> Option<RefusedError> {
    if !is_known(card) {
        return Some(RefusedError::UnknownCard {
            interface: card.name(),
            vendor: card.vendor,
            device: card.device,
            driver: card.driver.clone().unwrap_or_else(|| "none".to_owned()),
        });
    }
    if card.addresses.is_empty() || force {
        return None;
    }
    let addresses: Vec<String> = card.addresses.iter().map(ToString::to_string).collect();
    Some(RefusedError::Management { interface: card.name(), addresses: addresses.join(", ") })
}

/// One hyperthread of each of `workers` cores: of `node` as long as it has some, those that are isolated already
/// first, and never of the core that the machine itself starts on.
fn cores(inventory: &Inventory, node: u32, workers: usize) -> Result<Vec<u32>, RefusedError> {
    let cpus = &inventory.machine.cpus;
    let mut first_threads: Vec<_> = cpus
        .iter()
        .filter(|cpu| cpu.number != 0 && cpu.siblings.iter().all(|sibling| *sibling > cpu.number))
        .collect();
    if first_threads.len() < workers {
        return Err(RefusedError::Cores {
            workers,
            cores: first_threads.len() + 1,
            fit: first_threads.len().max(1),
        });
    }
    first_threads.sort_by_key(|cpu| (cpu.node != node, !cpu.isolated, cpu.number));
    let mut chosen: Vec<u32> = first_threads.iter().take(workers).map(|cpu| cpu.number).collect();
    chosen.sort_unstable();
    Ok(chosen)
}
