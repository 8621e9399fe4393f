//! Every path with every role: what is allowed, what is refused, and that a refusal tells nothing of another tenant.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::http::{Answer, send};
use super::{Appliance, OPERATORS};

/// A path of the `OpenAPI` document.
struct Case {
    method: &'static str,
    /// As the document has it.
    path: &'static str,
    /// What its parts and parameters are here; changes are tried only.
    with: &'static str,
    body: Value,
    /// What each operator gets, in the order of [`OPERATORS`].
    gets: [u16; OPERATORS.len()],
}

const EVERYBODY: [u16; 5] = [200; 5];
/// Headquarters alone.
const CHIEF: [u16; 5] = [200, 403, 403, 403, 403];
/// Who sees all tenants.
const OVERSEERS: [u16; 5] = [200, 403, 403, 200, 403];
/// Who sees the tenant `east`; to others it is not there.
const SEES_EAST: [u16; 5] = [200, 200, 404, 200, 200];
/// Who changes the tenant `east`.
const CHANGES_EAST: [u16; 5] = [200, 200, 404, 403, 403];

fn cases(configuration: &str) -> Vec<Case> {
    let case = |method, path, with, body, gets| Case { method, path, with, body, gets };
    let files = json!({"files": [{"name": "new.rules", "text": "alert ip any any -> any any (sid:9;)"}]});
    let steer = json!({"name": "new", "tenant": "east", "verdict": "drop"});
    let test =
        json!({"tenant": "east", "source": "10.0.0.1:1", "destination": "10.0.0.2:2", "protocol": "tcp"});
    let variable = json!({"variables": {"addresses": {"HOME_NET": "10.0.0.0/8"}}});
    let dry = "?dry_run=true";
    vec![
        case("get", "/alerts", "", Value::Null, EVERYBODY),
        case("get", "/config", "", Value::Null, CHIEF),
        case("put", "/config", dry, json!({"text": configuration}), CHIEF),
        case("post", "/config/reload", dry, Value::Null, CHIEF),
        case("get", "/generations", "", Value::Null, OVERSEERS),
        case("get", "/generations/{generation}", "1", Value::Null, CHIEF),
        case("get", "/generations/{generation}/diff/{other}", "1 2", Value::Null, CHIEF),
        case("post", "/generations/{generation}/rollback", "1 ?dry_run=true", Value::Null, CHIEF),
        case("get", "/openapi.json", "", Value::Null, EVERYBODY),
        case("get", "/policy/rules", "", Value::Null, OVERSEERS),
        case("put", "/policy/rules", dry, files.clone(), CHIEF),
        case("delete", "/policy/rules", dry, Value::Null, CHIEF),
        case("post", "/policy/steering", dry, steer.clone(), CHIEF),
        case("get", "/status", "", Value::Null, EVERYBODY),
        case("get", "/steering", "", Value::Null, EVERYBODY),
        case("post", "/steering", dry, steer, CHANGES_EAST),
        case("post", "/steering/test", "", test, SEES_EAST),
        case("delete", "/steering/{rule}", "easts ?dry_run=true", Value::Null, CHANGES_EAST),
        case("get", "/tenants", "", Value::Null, EVERYBODY),
        case("post", "/tenants", dry, json!({"name": "new"}), CHIEF),
        case("get", "/tenants/{tenant}", "east", Value::Null, SEES_EAST),
        case("patch", "/tenants/{tenant}", "east ?dry_run=true", variable, CHANGES_EAST),
        case("delete", "/tenants/{tenant}", "east ?dry_run=true", Value::Null, [200, 403, 404, 403, 403]),
        case("get", "/tenants/{tenant}/rules", "east", Value::Null, SEES_EAST),
        case("put", "/tenants/{tenant}/rules", "east ?dry_run=true", files, CHANGES_EAST),
        case("delete", "/tenants/{tenant}/rules", "east ?dry_run=true", Value::Null, CHANGES_EAST),
        case("get", "/vlans", "", Value::Null, EVERYBODY),
        case("put", "/vlans/{vlans}", "300 ?dry_run=true", json!({"tenant": "east"}), CHIEF),
        case("delete", "/vlans/{vlans}", "101 ?dry_run=true", Value::Null, CHIEF),
    ]
}

impl Case {
    /// Its path with all parts, where `east` may be another tenant.
    fn path(&self, tenant: &str) -> String {
        let mut path = self.path.to_owned();
        for part in self.with.split(' ') {
            if let (Some(from), Some(to), false) = (path.find('{'), path.find('}'), part.starts_with('?')) {
                path.replace_range(from..=to, part);
            } else {
                path += part;
            }
        }
        path.replace("east", tenant)
    }

    fn send(&self, appliance: &Appliance, token: &str, tenant: &str) -> Answer {
        let body = self.body.to_string().replace("\"east\"", &format!("\"{tenant}\""));
        let body = (!self.body.is_null()).then_some(body.as_bytes());
        send(&appliance.socket(), Some(token), &self.method.to_uppercase(), &self.path(tenant), body)
    }
}

#[test]
fn every_path_knows_every_role() {
    let appliance = Appliance::start();
    let before = appliance.state();
    let cases = cases(&before.1);
    for case in &cases {
        for ((name, _), expected) in OPERATORS.iter().zip(case.gets) {
            let answer = case.send(&appliance, &format!("token-of-{name}"), "east");
            assert_eq!(answer.status, expected, "{} {} as {name}: {answer:?}", case.method, case.path);
            if !["ann", "eve"].contains(name) || case.path == "/openapi.json" {
                continue;
            }
            // Nothing of the other tenant shows: not its name, its VLAN, its rules or steering, nor headquarters' about it.
            for secret in ["west", "202"] {
                assert!(!answer.body.contains(secret), "{} {} as {name}: {answer:?}", case.method, case.path);
            }
        }
        let nobody = case.send(&appliance, "token-of-nobody", "east");
        let expected = if case.path == "/openapi.json" { 200 } else { 401 };
        assert_eq!(nobody.status, expected, "{} {}: {nobody:?}", case.method, case.path);
    }
    assert_eq!(appliance.state(), before, "nothing was changed");

    // Each path of the document is among them.
    let document = send(&appliance.socket(), None, "GET", "/openapi.json", None).json();
    let listed = |(path, methods): (&String, &Value)| {
        let methods: Vec<String> = methods.as_object().unwrap().keys().cloned().collect();
        methods.into_iter().map(|method| (method, path.clone())).collect::<Vec<_>>()
    };
    let documented: BTreeSet<(String, String)> =
        document["paths"].as_object().unwrap().iter().flat_map(listed).collect();
    let tried = cases.iter().map(|case| (case.method.to_owned(), case.path.to_owned()));
    assert_eq!(tried.collect::<BTreeSet<_>>(), documented);
}

#[test]
fn another_tenant_is_as_one_that_is_not_there() {
    let appliance = Appliance::start();
    let (_, configuration) = appliance.state();
    for case in cases(&configuration) {
        if !case.path("east").contains("east") && !case.body.to_string().contains("\"east\"") {
            continue;
        }
        let [west, none] = ["west", "nine"].map(|tenant| {
            let answer = case.send(&appliance, "token-of-ann", tenant);
            (answer.status, answer.body.replace(tenant, "TENANT"))
        });
        assert_eq!(west, none, "{} {}", case.method, case.path);
        assert!([403, 404].contains(&west.0), "{} {}: {west:?}", case.method, case.path);
    }
    // Whose a VLAN is that is not one's own is not told either.
    let [west, none] = ["202", "203"].map(|vlan| {
        let rule = json!({"name": "n", "verdict": "shunt", "vlan": vlan}).to_string();
        let answer =
            send(&appliance.socket(), Some("token-of-ann"), "POST", "/steering", Some(rule.as_bytes()));
        (answer.status, answer.body.replace(vlan, "VLAN"))
    });
    assert_eq!(west, none);
    // A name that another tenant uses is free.
    let rule = json!({"name": "wests", "verdict": "shunt", "source": "10.0.0.9"}).to_string();
    let answer = send(&appliance.socket(), Some("token-of-ann"), "POST", "/steering", Some(rule.as_bytes()));
    assert_eq!((answer.status, answer.body.contains("west of")), (200, false), "{answer:?}");
    // What somebody of a tenant did shows in the history of headquarters, under their name.
    let history = send(&appliance.socket(), Some("token-of-chief"), "GET", "/generations", None).json();
    assert_eq!(history["generations"][0]["who"], "ann");
}
