//! The API from outside: who may what at every path, and what comes of requests that make no sense.

mod abuse;
mod http;
mod roles;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::daemon::{Daemon, configure, silent_port};
use http::send;

/// Operators, by name and role, each with a token that reads `token-of-NAME`; those with a dash in their role work for
/// the tenant behind it.
const OPERATORS: [(&str, &str); 5] = [
    ("chief", "headquarters"),
    ("ann", "tenant-east"),
    ("bob", "tenant-west"),
    ("audit", "viewer"),
    ("eve", "viewer-east"),
];

/// An appliance with two tenants, each with rules and steering, and a policy.
struct Appliance {
    daemon: Daemon,
    folder: tempfile::TempDir,
}

fn digest(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

impl Appliance {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let operators = OPERATORS.map(|(name, role)| {
            let (role, tenant) = role.split_once('-').unwrap_or((role, ""));
            let tenant = if tenant.is_empty() { String::new() } else { format!("tenant = \"{tenant}\"\n") };
            let digest = digest(&format!("token-of-{name}"));
            format!(
                "[[operator]]\nname = \"{name}\"\nrole = \"{role}\"\n{tenant}token_sha256 = \"{digest}\"\n"
            )
        });
        let tenants = [("east", 101), ("west", 202)]
            .map(|(name, vlan)| format!("[[tenant]]\nname = \"{name}\"\nvlans = [{vlan}]\n"));
        configure(folder.path(), &[&tenants.concat(), &*operators.concat(), &silent_port()].concat());
        let appliance = Self { daemon: Daemon::start(folder.path()), folder };
        for tenant in ["east", "west"] {
            let file =
                json!({"name": format!("{tenant}.rules"), "text": "alert ip any any -> any any (sid:1;)"});
            appliance.must("PUT", &format!("/tenants/{tenant}/rules"), &json!({"files": [file]}));
            let rule = json!({"name": format!("{tenant}s"), "tenant": tenant, "verdict": "shunt", "source": "10.0.0.1"});
            appliance.must("POST", "/steering", &rule);
        }
        let rule = json!({"name": "over-west", "tenant": "west", "verdict": "drop", "source": "10.0.0.2"});
        appliance.must("POST", "/policy/steering", &rule);
        let file = json!({"name": "hq.rules", "text": "alert ip any any -> any any (sid:2;)"});
        appliance.must("PUT", "/policy/rules", &json!({"files": [file]}));
        appliance
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("run/forebay.sock")
    }

    /// A change by headquarters, who is known by being root.
    fn must(&self, method: &str, path: &str, body: &Value) {
        let answer = send(&self.socket(), None, method, path, Some(body.to_string().as_bytes()));
        assert_eq!(answer.status, 200, "{method} {path}: {answer:?}");
    }

    /// The generation that runs, and the file.
    fn state(&self) -> (Value, String) {
        let text = std::fs::read_to_string(Path::new(self.folder.path()).join("forebay.toml")).unwrap();
        (self.daemon.status()["generation"].clone(), text)
    }
}
