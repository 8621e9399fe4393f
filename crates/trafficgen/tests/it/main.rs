//! What trafficgen promises, checked from outside: with `etherparse`, with an independent reader of captures, and with
//! Suricata where it is installed.

// Clippy knows test functions, but not their helpers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod capture;
mod cli;
mod common;
mod live;
mod mix;
mod replay;
mod rewrite;
mod send;
mod suricata;
mod trace;
