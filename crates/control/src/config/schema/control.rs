//! `[policy]`, `[api]` and `[[operator]]`: who lays rules over whom, and who may change what.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::inspection::{OwnData, Variables, is_default};
use super::{Name, Steer};
use crate::config::value::{Digest, ListenAddress, Role};

/// `[policy]`: what headquarters lays over every tenant. It comes before anything of a tenant, and no tenant can change
/// it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Rule files.
    pub rules: Vec<Spanned<String>>,
    /// A classification.config in place of that of `[inspection]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classification: Option<Spanned<String>>,
    /// `[policy.variables]`, on top of `[inspection.variables]`.
    #[serde(skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    /// `[policy.data]`.
    #[serde(skip_serializing_if = "is_default")]
    pub data: OwnData,
    /// `[[policy.steer]]`: steering rules that are asked before every `[[steer]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steer: Vec<Steer>,
}

/// `[api]`: where the daemon listens for commands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// The Unix socket.
    pub socket: String,
    /// The group whose members may connect to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Where it listens for TLS as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<Spanned<ListenAddress>>,
    /// The server's certificates, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// Its key, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Authorities whose client certificates are accepted, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<String>,
}

/// Where the socket is if nothing else is said.
pub const SOCKET: &str = "/run/forebay/forebay.sock";

impl Default for Api {
    fn default() -> Self {
        Self {
            socket: SOCKET.to_owned(),
            group: None,
            listen: None,
            certificate: None,
            key: None,
            client_ca: None,
        }
    }
}

/// `[[operator]]`: who may use the API, and for what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// What the operator is called in the history.
    pub name: Spanned<Name>,
    /// What the operator may do.
    pub role: Role,
    /// The one tenant that the operator works for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Spanned<Name>>,
    /// The user who connects to the socket, by name or number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Spanned<String>>,
    /// SHA-256 of the token that a client sends, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_sha256: Option<Spanned<Digest>>,
    /// Common name in the subject of the client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<Spanned<String>>,
}
