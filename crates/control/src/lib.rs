//! Desired state: the configuration file, its schema and its validation, and what it means to the dataplane.
//!
//! In: the text of `forebay.toml`, which people and the API write. Out: a checked [`config::Config`], or a list of
//! problems with line, column and what to do; compiled rules ([`rules`]) and what each tenant inspects by
//! ([`inspection`]); and, through [`engine`], what the dataplane starts from.

#![forbid(unsafe_code)]

pub mod access;
pub mod config;
pub mod datasets;
pub mod edit;
pub mod engine;
pub mod inspection;
pub mod manager;
pub mod numbering;
pub mod rules;
pub mod store;
