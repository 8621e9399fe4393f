//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use control::access::Who;
use nix::unistd::{Uid, User};

use super::App;
use super::answer::No;
use api::{Refusal, RefusalKind};

/// Who is at the other end of a connection, as the system says.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    uid: u32,
    name: Option<String>,
}

impl Peer {
    /// A user of this system.
    pub(super) fn user(uid: u32) -> Self {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        Self { uid, name: user.map(|user| user.name) }
    }

    fn who(&self, app: &App) -> Result<Who, Refusal> {
        let config = app.manager.state();
        let name = self.name.clone().unwrap_or_else(|| format!("user {}", self.uid));
        if let Some(operator) = Who::by_user(&config.checked.config, self.uid, self.name.as_deref()) {
            return Ok(operator);
        }
        if self.uid == 0 || Uid::from_raw(self.uid) == Uid::effective() {
            return Ok(Who::headquarters(name));
        }
        let message = format!(
            "{name} is no operator; headquarters makes one with [[operator]] in the configuration: user = \"{name}\""
        );
        Err(Refusal::new(RefusalKind::Unauthenticated, message))
    }
}

/// The asker of a request, known before anything else is looked at.
pub(super) struct Asker(pub(super) Who);

impl FromRequestParts<App> for Asker {
    type Rejection = No;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, No> {
        let peer = parts.extensions.get::<Option<Peer>>().cloned().flatten();
        let unknown = || Refusal::new(RefusalKind::Unauthenticated, "the system does not say who you are");
        let peer = peer.ok_or_else(unknown)?;
        Ok(Self(peer.who(app)?))
    }
}
