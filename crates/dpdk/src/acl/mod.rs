//! Packet classification by many rules at once (`rte_acl`).
//!
//! In: rules, each a value per field ([`AclRule`]), and an [`AclLayout`] that says what the fields are. Out: a built
//! [`AclContext`] that any number of threads may ask which rule of the highest priority matches a key. A context's
//! life is in its type: `Configuring` takes rules, [`build`](AclContext::build) turns it into `Built`, which can
//! only be asked; a build that fails gives the original back.
//!
//! A key is the fields side by side in network byte order: the first field is one byte, at offset 0, and has the first
//! four bytes to itself; the others follow from offset 4, grouped into whole words of four bytes (this is how the
//! library walks a key).

mod context;
mod layout;

pub use context::{AclContext, AclError, Built, Configuring};
pub use layout::{AclField, AclKey, AclLayout, AclRule, AclValue, LayoutError};
