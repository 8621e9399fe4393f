//! Traffic for Forebay: traces made from a seed, mixes of captures, and replay with new addresses in every loop.
//!
//! In: a seed, or a capture (pcap, pcapng). Out: a capture with its ground truth, or frames for a port to send.
//!
//! Rooms: [`trace`] makes multi-tenant traces (with the private rooms `protocols`, what is said, and `session`, how it
//! becomes packets); [`pcap`] reads and writes captures; [`rewrite`] gives frames new addresses; [`replay`] walks through
//! a capture in memory, loop by loop, at a given pace; [`send`](mod@send) puts that on a DPDK port; [`mix`](mod@mix)
//! interleaves replicas of a capture; [`cli`] is the command line.

#![forbid(unsafe_code)]

pub mod cli;
pub mod mix;
pub mod pcap;
mod protocols;
pub mod replay;
pub mod rewrite;
pub mod send;
mod session;
pub mod trace;
