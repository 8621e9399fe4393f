//! The whole appliance: `forebayd` on devices of its own, changed by `forebay` while traffic runs.
//!
//! Heavy forms of these tests are the same with larger numbers: see docs/benchmarks.md.

#![allow(clippy::unwrap_used)]

mod api;
mod crash;
mod daemon;
mod reloads;
mod scale;
mod story;
mod traffic;
