//! Signatures of tenants and of the policy.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose rules these are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Headquarters', over every tenant.
    Policy,
    /// A tenant's own.
    Tenant,
}

/// Rule files to load.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoadRules {
    /// The files, in their order.
    pub files: Vec<RuleFileText>,
    /// They come after the files that are there, of which those of the same name are replaced; otherwise in the place of
    /// all.
    #[serde(default)]
    pub append: bool,
    /// Rules of these files that cannot be used are left out; otherwise one of them refuses all.
    #[serde(default)]
    pub partial: bool,
}

/// A rule file's text.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleFileText {
    /// Its name, without folders.
    pub name: String,
    /// Its rules, in Suricata's language.
    pub text: String,
}

/// The rules of a tenant or of the policy.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RuleSet {
    /// The files, in their order.
    pub files: Vec<RuleFile>,
    /// They are those that every tenant has which has none of its own.
    pub shared: bool,
    /// Rules in use.
    pub loaded: u64,
    /// Rules that are not used, each with its reason.
    pub refused: Vec<RefusedRule>,
}

/// A rule file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RuleFile {
    /// The name it was loaded by.
    pub name: String,
    /// Where the daemon reads it.
    pub path: String,
}

/// A rule that is not used.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct RefusedRule {
    /// Its number, as far as it can be made out.
    pub sid: Option<u32>,
    /// The file.
    pub file: String,
    /// Line of the fault, from 1.
    pub line: u32,
    /// Column of the fault in bytes, from 1.
    pub column: u32,
    /// The keyword at fault, if it is one.
    pub keyword: Option<String>,
    /// What is wrong; what to do.
    pub reason: String,
}

impl std::fmt::Display for RefusedRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if let Some(sid) = self.sid {
            write!(f, "sid {sid}: ")?;
        }
        if let Some(keyword) = &self.keyword {
            write!(f, "{keyword}: ")?;
        }
        f.write_str(&self.reason)
    }
}
