//! The machine underneath: SR-IOV functions, huge pages, vfio, cores.
//!
//! In: a [`sys::Root`] (sysfs and procfs), [`links::Links`] (what only netlink tells) and a [`wanted::Request`] that
//! the control plane fills from the configuration. Out: an [`inventory::Inventory`], the [`wanted::Wanted`] state, a
//! [`plan::Plan`] of the steps between the two, and the findings of [`check`]. Nothing here changes the machine.

#![forbid(unsafe_code)]

pub mod check;
pub mod inventory;
pub mod links;
pub mod pci;
pub mod plan;
pub mod sys;
pub mod wanted;
