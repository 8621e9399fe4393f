//! What each request of the API comes to: who may make it, and the edit that it is.

use std::path::PathBuf;

use api::{Change, LoadRules, NewTenant, Refusal, RefusalKind, SteeringRule, TenantChange, VlanAssignment};

use super::{Accept, Manager, Runner, State};
use crate::access::Who;
use crate::config::{FILE_BYTES_MAX, VlanRange};
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
        self.apply(&who.name, &Edit::AddSteering { policy, rule }, dry_run)
    }

    /// Removes a steering rule.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn remove_steering(&self, who: &Who, name: &str, dry_run: bool) -> Result<Change, Refusal> {
        self.change(&who.name, dry_run, |state, _| {
            let config = &state.checked.config;
            if let Some(rule) = config.rules.iter().find(|rule| rule.name.as_str() == name) {
                let owner = rule.tenant.and_then(|tenant| config.tenants.get(tenant));
                if rule.policy {
                    who.be_headquarters("change the policy")?;
                }
                match owner {
                    Some(owner) if who.may_see(owner.name.as_str()) => who.change(owner.name.as_str())?,
                    Some(_) => {
                        let message = format!("there is no steering rule `{name}`");
                        return Err(Refusal::new(RefusalKind::NotFound, message));
                    }
                    None => who.be_headquarters("change the steering of every tenant")?,
                }
            } else if !who.may_see_all() {
                let message = format!("there is no steering rule `{name}`");
                return Err(Refusal::new(RefusalKind::NotFound, message));
            }
            Ok((Edit::RemoveSteering(name.to_owned()), Accept::All))
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
    files.ok_or_else(|| Refusal::new(RefusalKind::NotFound, format!("there is no tenant `{name}`")))
}

fn vlan_range(text: &str) -> Result<VlanRange, Refusal> {
    let refusal =
        |error| Refusal::new(RefusalKind::BadRequest, format!("the VLAN is `{text}`; give {error}"));
    text.parse().map_err(|error: crate::config::ValueError| refusal(error))
}

fn kept(path: Result<PathBuf, crate::store::StoreError>) -> Result<PathBuf, Refusal> {
    path.map_err(|error| super::of_store(&error))
}
