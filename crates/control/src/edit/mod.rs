//! Changes to the configuration's text that leave everything else of it as a person wrote it: order, comments, blank
//! lines.
//!
//! In: the text that runs and one [`Edit`]. Out: another text and what was done, in one clause. Whether the result is a
//! configuration at all is for [`config::parse`](crate::config::parse) to say; here only what would be clearer said of
//! the change than of the file is refused. Rooms: `tables` (finding and making tables), `tenant`, `vlan`, `steering`.

mod steering;
mod tables;
mod tenant;
#[cfg(test)]
mod tests;
pub(crate) mod vlan;

use std::path::PathBuf;

use api::{NewTenant, Refusal, RefusalKind, SteeringRule, TenantChange};
use toml_edit::DocumentMut;

use crate::config::VlanRange;

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Edit {
    /// A tenant comes.
    AddTenant(NewTenant),
    /// A tenant goes, and with it its steering rules and its operators.
    RemoveTenant(String),
    /// Some of a tenant's settings.
    SetTenant {
        /// The tenant.
        name: String,
        /// What is to be changed.
        change: TenantChange,
        /// Its file of thresholds, if that is to be changed; `None` in it takes it away.
        thresholds: Option<Option<PathBuf>>,
    },
    /// VLANs become a tenant's.
    AssignVlans {
        /// The tenant.
        tenant: String,
        /// One VLAN or a range.
        vlans: VlanRange,
    },
    /// VLANs become nobody's.
    ReleaseVlans(VlanRange),
    /// A steering rule comes.
    AddSteering {
        /// It is the policy's.
        policy: bool,
        /// The rule.
        rule: SteeringRule,
    },
    /// A steering rule goes.
    RemoveSteering {
        /// Its name.
        name: String,
        /// The tenant that it is for, if it is for one.
        tenant: Option<String>,
    },
    /// Rule files in the place of those that are there.
    SetRules {
        /// The tenant; `None`: the policy's.
        tenant: Option<String>,
        /// The files; `None`: those of `[inspection]`.
        files: Option<Vec<PathBuf>>,
    },
    /// Another text altogether.
    Replace {
        /// The text.
        text: String,
        /// What it is.
        what: String,
    },
}

/// A text that an edit made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// What was done, in one clause.
    pub what: String,
}

impl Edit {
    /// Carries the edit out on `text`, which must be a valid configuration.
    ///
    /// # Errors
    ///
    /// [`Refusal`] when it names what is not there, or what is another's.
    pub fn apply(&self, text: &str) -> Result<Edited, Refusal> {
        if let Self::Replace { text, what } = self {
            return Ok(Edited { text: text.clone(), what: what.clone() });
        }
        let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| {
            Refusal::new(
                RefusalKind::Failed,
                format!("the configuration cannot be read: {}", error.message()),
            )
        })?;
        let what = match self {
            Self::AddTenant(new) => tenant::add(&mut document, new)?,
            Self::RemoveTenant(name) => tenant::remove(&mut document, name)?,
            Self::SetTenant { name, change, thresholds } => {
                tenant::set_settings(&mut document, name, change, thresholds.as_ref())?
            }
            Self::AssignVlans { tenant, vlans } => vlan::assign(&mut document, tenant, *vlans)?,
            Self::ReleaseVlans(vlans) => vlan::release(&mut document, *vlans)?,
            Self::AddSteering { policy, rule } => steering::add(&mut document, *policy, rule)?,
            Self::RemoveSteering { name, tenant } => {
                steering::remove(&mut document, name, tenant.as_deref())?
            }
            Self::SetRules { tenant, files } => {
                tenant::set_rules(&mut document, tenant.as_deref(), files.as_deref())?
            }
            Self::Replace { .. } => String::new(),
        };
        Ok(Edited { text: document.to_string(), what })
    }
}

/// Something that is not there.
fn not_found(kind: &str, name: &str, known: &[String]) -> Refusal {
    let near = crate::config::closest(name, known.iter().map(String::as_str));
    let remedy = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "there is none at all yet".to_owned(),
        None => format!("there are {}", listed(known)),
    };
    Refusal::new(RefusalKind::NotFound, format!("there is no {kind} `{name}`; {remedy}"))
}

/// A value that cannot be what it should.
fn bad(field: &str, value: &str, error: &crate::config::ValueError) -> Refusal {
    /// Characters of a value that tell what it was.
    const SHOWN_MAX: usize = 80;
    let shown: String = value.chars().take(SHOWN_MAX).collect();
    let rest = if shown.len() < value.len() { "…" } else { "" };
    Refusal::new(RefusalKind::BadRequest, format!("{field} is `{shown}{rest}`; give {error}"))
}

/// As many names as a person reads.
fn listed(names: &[String]) -> String {
    const SHOWN_MAX: usize = 10;
    let mut text = names.iter().take(SHOWN_MAX).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN_MAX {
        text = format!("{text} and {} more", names.len() - SHOWN_MAX);
    }
    text
}
