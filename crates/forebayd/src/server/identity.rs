//! Who asks: by a token if one is sent, else by what the connection tells.

use api::{Refusal, RefusalKind};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use control::access::Who;
use control::config::Config;
use nix::unistd::{Uid, User};

use super::App;
use super::answer::No;

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(super) enum Peer {
    /// A user of this system, as the system says.
    User {
        /// The user's number.
        uid: u32,
        /// Its name, if it has one.
        name: Option<String>,
    },
    /// The owner of a client certificate with this common name.
    Certificate(String),
}

impl Peer {
    /// A user of this system.
    pub(super) fn user(uid: u32) -> Self {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        Self::User { uid, name: user.map(|user| user.name) }
    }

    /// The owner of a certificate that was verified.
    pub(super) fn certificate(name: String) -> Self {
        Self::Certificate(name)
    }

    fn who(self, config: &Config) -> Result<Who, Refusal> {
        let unknown = |message| Refusal::new(RefusalKind::Unauthenticated, message);
        match self {
            Self::User { uid, name } => {
                if let Some(operator) = Who::by_user(config, uid, name.as_deref()) {
                    return Ok(operator);
                }
                let name = name.unwrap_or_else(|| uid.to_string());
                if uid == 0 || Uid::from_raw(uid) == Uid::effective() {
                    return Ok(Who::headquarters(name));
                }
                Err(unknown(format!(
                    "user {name} is no operator; headquarters makes one with [[operator]] in the configuration: \
                     user = \"{name}\""
                )))
            }
            Self::Certificate(name) => Who::by_certificate(config, &name).ok_or_else(|| {
                unknown(format!(
                    "{name} is no operator; headquarters makes one with [[operator]] in the configuration: \
                     certificate = \"{name}\""
                ))
            }),
        }
    }
}

/// The asker of a request, known before anything else of it is looked at.
pub(super) struct Asker(pub(super) Who);

impl FromRequestParts<App> for Asker {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, No> {
        let state = app.manager.state();
        let config = &state.checked.config;
        if let Some(authorization) = parts.headers.get(header::AUTHORIZATION) {
            let token = authorization.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
            let who = token.and_then(|token| Who::by_token(config, token.trim()));
            return who.map(Self).ok_or_else(|| {
                No(Refusal::new(
                    RefusalKind::Unauthenticated,
                    "this token is nobody's; headquarters makes one: forebay token",
                ))
            });
        }
        let peer = parts.extensions.get::<Option<Peer>>().cloned().flatten().ok_or_else(|| {
            let message = "nothing says who you are; send a token: authorization: Bearer TOKEN";
            No(Refusal::new(RefusalKind::Unauthenticated, message))
        })?;
        Ok(Self(peer.who(config)?))
    }
}
