//! What the tests of this crate share: frames made by hand, a capture reader, and what holds of every packet.
#![allow(dead_code, unreachable_pub, reason = "each test binary uses a part of it")]
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

pub mod capture;
pub mod frames;
pub mod invariants;
pub mod oracle;
