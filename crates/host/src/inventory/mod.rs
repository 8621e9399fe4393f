//! What the machine has.
//!
//! In: a [`Root`] and [`Links`]. Out: an [`Inventory`]: its SR-IOV cards (`card`) and what of the machine itself
//! matters to polling workers (`machine`). Nothing is judged here, and nothing is changed.

mod card;
mod machine;

use serde::Serialize;

pub use card::{Card, Function, PcieLink};
pub use machine::{Cpu, HugePages, Machine};

use crate::links::{Links, LinksError};
use crate::sys::{Root, SysError};

/// What the machine has.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Inventory {
    /// Physical functions that can have virtual ones, by address.
    pub cards: Vec<Card>,
    /// The machine itself.
    pub machine: Machine,
}

/// Why there is no inventory.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// A file of sysfs or procfs.
    #[error(transparent)]
    Sys(#[from] SysError),
    /// Netlink.
    #[error(transparent)]
    Links(#[from] LinksError),
}

/// Looks at the machine.
///
/// # Errors
///
/// See [`InventoryError`]. What is absent is no error.
pub fn take(root: &Root, links: &impl Links) -> Result<Inventory, InventoryError> {
    Ok(Inventory { cards: card::all(root, &links.links()?)?, machine: machine::read(root)? })
}
