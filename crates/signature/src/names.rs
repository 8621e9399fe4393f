//! Names of flowbits and their kin as numbers, the same for every generation of every tenant's rules.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Gives each name a number; shared by all that compile rules for one engine.
#[derive(Debug, Default)]
pub struct Names(Mutex<HashMap<String, u32>>);

impl Names {
    /// The number of `name`, a new one if it was never asked for.
    pub fn number(&self, name: &str) -> u32 {
        // A thread that panicked while holding the lock has left a whole map: insertion is its only change.
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = names.len() as u32;
        *names.entry(name.to_owned()).or_insert(next)
    }
}
