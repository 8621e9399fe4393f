//! What each request of the API comes to: who may make it, and the edit that it is.

use std::path::PathBuf;

use api::{Change, LoadRules, NewTenant, Refusal, RefusalKind, SteeringRule, TenantChange, VlanAssignment};

use super::{Accept, Manager, Runner, State};
use crate::access::{Who, no_tenant};
use crate::config::{self, FILE_BYTES_MAX, VlanRange};
use crate::edit::Edit;
use crate::store::rule_file_name;

/// Rule files that one layer may have.
const RULE_FILES_MAX: usize = 256;

impl<R: Runner> Manager<R> {
    /// Adds a tenant.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was changed. So it is with every request here.
    pub fn add_tenant(&self, who: &Who, new: NewTenant, dry_run: bool) -> Result<Change, Refusal> {
        who.be_headquarters("add tenants")?;
        self.apply(&who.name, &Edit::AddTenant(new), dry_run)
    }

    /// Removes a tenant.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn remove_tenant(&self, who: &Who, name: &str, dry_run: bool) -> Result<Change, Refusal> {
        who.see(name)?;
        who.be_headquarters("remove tenants")?;
        self.apply(&who.name, &Edit::RemoveTenant(name.to_owned()), dry_run)
    }

    /// Changes a tenant's settings. Its share and its caps are headquarters' to give.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn set_tenant(
        &self,
        who: &Who,
        name: &str,
        change: TenantChange,
        dry_run: bool,
    ) -> Result<Change, Refusal> {
        who.change(name)?;
        if change.weight.is_some() || change.flows_max.is_some() {
            who.be_headquarters("change the share and the caps of tenants")?;
        }
        self.change(&who.name, dry_run, |_, store| {
            let thresholds = match change.thresholds.as_deref() {
                None => None,
                Some("") => Some(None),
                Some(text) => Some(Some(kept(store.keep_file("threshold.config", text.as_bytes()))?)),
            };
            Ok((Edit::SetTenant { name: name.to_owned(), change, thresholds }, Accept::All))
        })
    }

    /// Gives VLANs to a tenant.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn assign_vlans(
        &self,
        who: &Who,
        vlans: &str,
        to: &VlanAssignment,
        dry_run: bool,
    ) -> Result<Change, Refusal> {
        who.be_headquarters("assign VLANs")?;
        let edit = Edit::AssignVlans { tenant: to.tenant.clone(), vlans: vlan_range(vlans)? };
        self.apply(&who.name, &edit, dry_run)
    }

    /// Takes VLANs from whoever has them.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn release_vlans(&self, who: &Who, vlans: &str, dry_run: bool) -> Result<Change, Refusal> {
        who.be_headquarters("release VLANs")?;
        self.apply(&who.name, &Edit::ReleaseVlans(vlan_range(vlans)?), dry_run)
    }

    /// Adds a steering rule: to the policy, or behind it. A tenant's operator steers the tenant's own flows.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn add_steering(
        &self,
        who: &Who,
        policy: bool,
        mut rule: SteeringRule,
        dry_run: bool,
    ) -> Result<Change, Refusal> {
        if policy {
            who.be_headquarters("change the policy")?;
        }
        if let Some(own) = who.tenant() {
            rule.tenant.get_or_insert_with(|| own.to_owned());
        }
        match &rule.tenant {
            Some(tenant) => who.change(tenant)?,
            None => who.be_headquarters("steer the flows of every tenant")?,
        }
        self.change(&who.name, dry_run, |state, _| {
            if let (Some(own), Some(vlan)) = (who.tenant(), &rule.vlan) {
                has_vlans(state, own, vlan)?;
            }
            Ok((Edit::AddSteering { policy, rule: rule.clone() }, Accept::All))
        })
    }

    /// Removes a steering rule: the one for this tenant, or the only one of that name that the asker may see.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn remove_steering(
        &self,
        who: &Who,
        name: &str,
        tenant: Option<&str>,
        dry_run: bool,
    ) -> Result<Change, Refusal> {
        self.change(&who.name, dry_run, |state, _| {
            let config = &state.checked.config;
            let owner = |rule: &config::Rule| {
                let owner = rule.tenant.and_then(|tenant| config.tenants.get(tenant));
                owner.map(|owner| owner.name.to_string())
            };
            let of_name = config.rules.iter().filter(|rule| rule.name.as_str() == name);
            let seen = of_name.map(|rule| (rule.policy, owner(rule))).filter(|(_, owner)| {
                owner.as_deref().is_none_or(|owner| who.may_see(owner))
                    && (tenant.is_none() || owner.as_deref() == tenant)
            });
            let mut seen: Vec<(bool, Option<String>)> = seen.collect();
            if let Some(own) =
                seen.iter().position(|(_, owner)| owner.is_some() && owner.as_deref() == who.tenant())
            {
                seen = vec![seen.swap_remove(own)];
            }
            let (policy, owner) = match seen.as_slice() {
                [] => {
                    let message =
                        format!("there is no steering rule `{name}`; `forebay steer list` shows them");
                    return Err(Refusal::new(RefusalKind::NotFound, message));
                }
                [one] => one.clone(),
                several => {
                    let owners: Vec<&str> =
                        several.iter().map(|(_, owner)| owner.as_deref().unwrap_or("all tenants")).collect();
                    let message = format!(
                        "there are steering rules `{name}` for {}; say which: --tenant NAME",
                        owners.join(", ")
                    );
                    return Err(Refusal::new(RefusalKind::Conflict, message));
                }
            };
            if policy {
                who.be_headquarters("change the policy")?;
            }
            match &owner {
                Some(owner) => who.change(owner)?,
                None => who.be_headquarters("change the steering of every tenant")?,
            }
            Ok((Edit::RemoveSteering { name: name.to_owned(), tenant: owner }, Accept::All))
        })
    }

    /// Loads rule files, of a tenant or, without one, of the policy.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn load_rules(
        &self,
        who: &Who,
        tenant: Option<&str>,
        load: &LoadRules,
        dry_run: bool,
    ) -> Result<Change, Refusal> {
        may_change_rules(who, tenant)?;
        if load.files.is_empty() {
            return Err(Refusal::new(RefusalKind::BadRequest, "no rule file was sent; name at least one"));
        }
        self.change(&who.name, dry_run, |state, store| {
            let mut sent: Vec<PathBuf> = Vec::new();
            for file in &load.files {
                if file.name.is_empty()
                    || file.name.contains(['/', '\\'])
                    || file.name.contains(char::is_control)
                {
                    let message = format!(
                        "the file name `{}` cannot be used; give one without folders",
                        file.name.escape_debug()
                    );
                    return Err(Refusal::new(RefusalKind::BadRequest, message));
                }
                let path = kept(store.keep_file(&file.name, file.text.as_bytes()))?;
                let name = rule_file_name(&path);
                if sent.iter().any(|known| rule_file_name(known) == name) {
                    let message = format!("two of the files are called {name}; rename one of them");
                    return Err(Refusal::new(RefusalKind::BadRequest, message));
                }
                sent.push(path);
            }
            let names: Vec<String> = sent.iter().map(|path| rule_file_name(path)).collect();
            let mut files = if load.append { rule_files(state, tenant)? } else { Vec::new() };
            files.retain(|path| !names.contains(&rule_file_name(path)));
            files.append(&mut sent);
            if files.len() > RULE_FILES_MAX {
                let message = format!("{} rule files are more than {RULE_FILES_MAX}; join some", files.len());
                return Err(Refusal::new(RefusalKind::BadRequest, message));
            }
            let accept = if load.partial { Accept::All } else { Accept::AllBut(names) };
            Ok((Edit::SetRules { tenant: tenant.map(str::to_owned), files: Some(files) }, accept))
        })
    }

    /// Takes rule files away from a tenant or the policy, by name; without names, all of them. A tenant then has none, or
    /// with `inherit` those of `[inspection]`.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn unload_rules(
        &self,
        who: &Who,
        tenant: Option<&str>,
        names: &[String],
        inherit: bool,
        dry_run: bool,
    ) -> Result<Change, Refusal> {
        may_change_rules(who, tenant)?;
        self.change(&who.name, dry_run, |state, _| {
            let mut files = rule_files(state, tenant)?;
            for name in names {
                let before = files.len();
                files.retain(|path| rule_file_name(path) != *name);
                if files.len() == before {
                    let message = format!("there is no rule file `{name}`; `forebay rules list` shows them");
                    return Err(Refusal::new(RefusalKind::NotFound, message));
                }
            }
            let files = match (names, inherit) {
                ([], true) => None,
                ([], false) => Some(Vec::new()),
                _ => Some(files),
            };
            Ok((Edit::SetRules { tenant: tenant.map(str::to_owned), files }, Accept::All))
        })
    }

    /// Puts another configuration in the place of this one.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn replace_config(&self, who: &Who, text: String, dry_run: bool) -> Result<Change, Refusal> {
        who.be_headquarters("replace the configuration")?;
        if text.len() as u64 > FILE_BYTES_MAX {
            let message = format!("the configuration is larger than {FILE_BYTES_MAX} bytes");
            return Err(Refusal::new(RefusalKind::TooLarge, message));
        }
        let edit = Edit::Replace { text, what: "the whole configuration replaced".to_owned() };
        self.apply(&who.name, &edit, dry_run)
    }

    /// Goes back to a generation.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn rollback(&self, who: &Who, number: u32, dry_run: bool) -> Result<Change, Refusal> {
        who.be_headquarters("go back to another generation")?;
        self.change(&who.name, dry_run, |_, store| {
            let text = store.generation(number).map_err(|error| super::of_store(&error))?.text;
            Ok((Edit::Replace { text, what: format!("back to generation {number}") }, Accept::All))
        })
    }

    /// Reads the configuration file, and rule files that have changed, again.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn reload_config(&self, who: &Who, dry_run: bool) -> Result<Change, Refusal> {
        who.be_headquarters("reload the configuration")?;
        self.reload(&who.name, dry_run)
    }
}

fn may_change_rules(who: &Who, tenant: Option<&str>) -> Result<(), Refusal> {
    match tenant {
        Some(tenant) => who.change(tenant),
        None => who.be_headquarters("change the policy"),
    }
}

/// The rule files of a tenant, or of the policy.
fn rule_files(state: &State, tenant: Option<&str>) -> Result<Vec<PathBuf>, Refusal> {
    let config = &state.checked.config;
    let Some(name) = tenant else { return Ok(config.policy.rules.files.clone()) };
    let tenant = config.tenants.iter().find(|tenant| tenant.name.as_str() == name);
    let files = tenant.map(|tenant| tenant.inspection.rules.files.clone());
    files.ok_or_else(|| no_tenant(name))
}

/// Refuses VLANs that are not the tenant's, in words that do not tell whether they are another's.
fn has_vlans(state: &State, tenant: &str, vlans: &str) -> Result<(), Refusal> {
    let range = vlan_range(vlans)?;
    let tenants = &state.checked.config.tenants;
    let of = |is_own: bool| tenants.iter().filter(move |other| (other.name.as_str() == tenant) == is_own);
    let has = |of: &config::Tenant, vlan: u16| of.vlans.iter().any(|range| range.iter().contains(&vlan));
    let is_own = |vlan: u16| {
        of(true).any(|own| has(own, vlan) || own.any_vlan && !of(false).any(|other| has(other, vlan)))
    };
    if range.iter().all(is_own) {
        return Ok(());
    }
    let message = format!("VLAN {vlans} is not {tenant}'s; `forebay vlan list` shows which are");
    Err(Refusal::new(RefusalKind::Conflict, message))
}

fn vlan_range(text: &str) -> Result<VlanRange, Refusal> {
    let refusal =
        |error| Refusal::new(RefusalKind::BadRequest, format!("the VLAN is `{text}`; give {error}"));
    text.parse().map_err(|error: crate::config::ValueError| refusal(error))
}

fn kept(path: Result<PathBuf, crate::store::StoreError>) -> Result<PathBuf, Refusal> {
    path.map_err(|error| super::of_store(&error))
}
