//! What is wrong with a machine, and what to do about it.
//!
//! In: [`Inventory`] and [`Wanted`]. Out: a [`Finding`] for each thing that was looked at: it is well, it is not and
//! then how to put it right, or it cannot be told from here and then by what it is. The traps are those that cost
//! operators days: a function that is not trusted is told "success" when it asks for promiscuous mode.

mod card;
mod function;
mod machine;

use serde::Serialize;

use crate::inventory::Inventory;
use crate::wanted::{Wanted, WantedFunction};

/// One thing that was looked at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// What was looked at; scripts may rely on it.
    pub name: &'static str,
    /// Of what: a card, a virtual function, or the machine.
    pub subject: String,
    /// How it is.
    pub outcome: Outcome,
    /// What was found, as a sentence.
    pub text: String,
    /// What to do about it; empty when nothing is to be done.
    pub remedy: String,
}

/// How a thing is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Good,
    /// It works, and worse than it could.
    Slow,
    /// It does not work, or tenants would see what is not theirs.
    Bad,
    /// It cannot be told from here.
    Unknown,
}

impl Finding {
    pub(crate) fn good(name: &'static str, subject: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            name,
            subject: subject.into(),
            outcome: Outcome::Good,
            text: text.into(),
            remedy: String::new(),
        }
    }

    /// Of something that is not as it should be.
    pub(crate) fn not(
        outcome: Outcome,
        name: &'static str,
        subject: impl Into<String>,
        text: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { name, subject: subject.into(), outcome, text: text.into(), remedy: remedy.into() }
    }
}

/// Looks at everything that matters to what is wanted.
pub fn all(inventory: &Inventory, wanted: &Wanted) -> Vec<Finding> {
    let mut findings = machine::check(inventory, wanted);
    for (number, card) in inventory.cards.iter().enumerate() {
        let functions: Vec<&WantedFunction> =
            wanted.functions.iter().filter(|function| function.card == number).collect();
        if functions.is_empty() {
            continue;
        }
        findings.extend(card::check(card, inventory, wanted));
        for function in functions {
            findings.extend(function::check(card, function));
        }
    }
    findings
}
