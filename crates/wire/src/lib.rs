//! Packet views and n-tuple extraction.
//!
//! In: the bytes of one frame, from anything that implements [`PacketBuf`]. Out: a [`Packet`], which is offsets into
//! those bytes and the n-tuple, or a [`Malformed`] reason. Nothing here allocates, panics on input, or links DPDK: the
//! driver implements [`PacketBuf`], so parsers and their tests need no EAL.

#![forbid(unsafe_code)]
#![allow(clippy::trivially_copy_pass_by_ref, reason = "`ParseOptions` is configuration, which grows")]

pub mod buffer;
pub mod checksum;
pub mod icmp;
pub mod malformed;
pub mod oddity;
pub mod packet;
mod parse;
pub mod protocol;
pub mod tuple;

pub use buffer::PacketBuf;
pub use malformed::Malformed;
pub use oddity::{Oddities, Oddity};
pub use packet::{Encapsulation, Fragment, Icmp, IcmpError, L3, L4, Packet, ParseOptions, Tcp, Vlans};
pub use tuple::{Addr, NTuple, TenantId};
