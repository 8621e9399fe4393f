//! DCE/RPC (C706).
//!
//! In: units of a connection, alone or in the pipes of SMB. Out: calls with their stub data, and the interfaces that
//! were bound.

pub(crate) mod pdu;
