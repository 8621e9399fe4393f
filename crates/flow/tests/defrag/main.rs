//! IP reassembly against published tables, slow oracles, its limits and real captures.

// Helper functions are test code too; clippy knows only those marked as tests.
#![allow(clippy::unwrap_used)]

mod build;
mod captures;
mod headers;
mod limits;
mod oracle;
mod policies;
mod properties;
