//! Who may see and change what.
//!
//! In: how somebody is known (a user of the system, a token, a certificate) and the configuration. Out: [`Who`], which
//! answers what they may do. A tenant's operator is told of another tenant's things as if they were not there.

use api::{Refusal, RefusalKind};
use sha2::{Digest as _, Sha256};

use crate::config::{Config, Digest, Operator, Role};

/// Somebody who asks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Who {
    /// What the history calls them.
    pub name: String,
    role: Role,
    tenant: Option<String>,
}

impl Who {
    /// Somebody of headquarters, who may do everything.
    pub fn headquarters(name: impl Into<String>) -> Self {
        Self { name: name.into(), role: Role::Headquarters, tenant: None }
    }

    fn operator(operator: &Operator) -> Self {
        Self {
            name: operator.name.to_string(),
            role: operator.role,
            tenant: operator.tenant.as_ref().map(ToString::to_string),
        }
    }

    /// The operator who is this user of the system, by number and, if it has one, by name.
    pub fn by_user(config: &Config, uid: u32, name: Option<&str>) -> Option<Self> {
        let number = uid.to_string();
        let is_user = |user: &str| user == number || Some(user) == name;
        let mut operators = config.operators.iter();
        operators.find(|operator| operator.user.as_deref().is_some_and(is_user)).map(Self::operator)
    }

    /// The operator whose token this is.
    pub fn by_token(config: &Config, token: &str) -> Option<Self> {
        // A digest is compared, so how long that takes tells nothing about the token.
        let digest = Some(Digest(Sha256::digest(token.as_bytes()).into()));
        config.operators.iter().find(|operator| operator.token_sha256 == digest).map(Self::operator)
    }

    /// The operator whose certificate has this common name.
    pub fn by_certificate(config: &Config, name: &str) -> Option<Self> {
        let mut operators = config.operators.iter();
        operators.find(|operator| operator.certificate.as_deref() == Some(name)).map(Self::operator)
    }

    /// The one tenant that they work for.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Whether they may see this tenant's things.
    pub fn may_see(&self, tenant: &str) -> bool {
        self.tenant.as_deref().is_none_or(|own| own == tenant)
    }

    /// Whether they may see what concerns all tenants.
    pub fn may_see_all(&self) -> bool {
        self.tenant.is_none()
    }

    /// Whether they are of headquarters.
    pub fn is_headquarters(&self) -> bool {
        self.role == Role::Headquarters
    }

    /// Refuses who may not see what concerns all tenants.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::Forbidden`].
    pub fn see_all(&self, what: &str) -> Result<(), Refusal> {
        if self.may_see_all() {
            return Ok(());
        }
        let tenant = self.tenant.as_deref().unwrap_or_default();
        Err(self.forbidden(&format!("{what} concerns other tenants than {tenant}")))
    }

    /// Refuses who is not of headquarters.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::Forbidden`].
    pub fn be_headquarters(&self, what: &str) -> Result<(), Refusal> {
        if self.is_headquarters() {
            return Ok(());
        }
        Err(self.forbidden(&format!("only headquarters may {what}")))
    }

    /// Refuses who may not see this tenant, as if it were not there.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::NotFound`].
    pub fn see(&self, tenant: &str) -> Result<(), Refusal> {
        if self.may_see(tenant) {
            return Ok(());
        }
        Err(no_tenant(tenant))
    }

    /// Refuses who may not change this tenant's rules and steering.
    ///
    /// # Errors
    ///
    /// [`RefusalKind::NotFound`] if they may not even see it, [`RefusalKind::Forbidden`] if they may only see.
    pub fn change(&self, tenant: &str) -> Result<(), Refusal> {
        self.see(tenant)?;
        match self.role {
            Role::Headquarters | Role::Tenant => Ok(()),
            Role::Viewer => Err(self.forbidden("a viewer changes nothing")),
        }
    }

    fn forbidden(&self, why: &str) -> Refusal {
        let message = format!("{why}; you are known as {} with the role {}", self.name, self.role);
        Refusal::new(RefusalKind::Forbidden, message)
    }
}

/// There is no such tenant, or the asker may not know of it: told in the same words.
pub(crate) fn no_tenant(name: &str) -> Refusal {
    let message = format!("there is no tenant `{name}`; `forebay tenant list` shows them");
    Refusal::new(RefusalKind::NotFound, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        let digest = Digest(Sha256::digest(b"s3cret").into());
        let text = format!(
            "[[tenant]]\nname = \"east\"\n[[tenant]]\nname = \"west\"\n\
             [[operator]]\nname = \"chief\"\nrole = \"headquarters\"\nuser = \"1001\"\n\
             [[operator]]\nname = \"east-ops\"\nrole = \"tenant\"\ntenant = \"east\"\ntoken_sha256 = \"{digest}\"\n\
             [[operator]]\nname = \"audit\"\nrole = \"viewer\"\ncertificate = \"audit.example\"\n"
        );
        crate::config::parse(&text).unwrap().config
    }

    #[test]
    fn operators_are_known_by_user_token_and_certificate() {
        let config = config();
        let name = |who: Option<Who>| who.map(|who| who.name);
        assert_eq!(name(Who::by_user(&config, 1001, None)).as_deref(), Some("chief"));
        assert_eq!(name(Who::by_user(&config, 1002, Some("root"))), None);
        assert_eq!(name(Who::by_token(&config, "s3cret")).as_deref(), Some("east-ops"));
        assert_eq!(name(Who::by_token(&config, "S3cret")), None);
        assert_eq!(name(Who::by_token(&config, "")), None);
        assert_eq!(name(Who::by_certificate(&config, "audit.example")).as_deref(), Some("audit"));
        assert_eq!(name(Who::by_certificate(&config, "")), None);
    }

    #[test]
    fn a_role_is_what_it_says() {
        let config = config();
        let east = Who::by_token(&config, "s3cret").unwrap();
        assert!(east.see("east").is_ok() && east.change("east").is_ok());
        assert_eq!(east.see("west").unwrap_err().kind, RefusalKind::NotFound);
        assert_eq!(east.change("west").unwrap_err().kind, RefusalKind::NotFound);
        assert_eq!(east.see_all("the history").unwrap_err().kind, RefusalKind::Forbidden);
        assert_eq!(east.be_headquarters("add tenants").unwrap_err().kind, RefusalKind::Forbidden);
        let audit = Who::by_certificate(&config, "audit.example").unwrap();
        assert!(audit.see("west").is_ok() && audit.see_all("x").is_ok());
        assert_eq!(audit.change("west").unwrap_err().kind, RefusalKind::Forbidden);
        let chief = Who::headquarters("root");
        assert!(chief.change("west").is_ok() && chief.be_headquarters("x").is_ok());
    }
}
