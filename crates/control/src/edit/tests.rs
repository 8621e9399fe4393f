use std::path::PathBuf;

use api::{NewTenant, Refusal, RefusalKind, SteeringRule, TenantChange, Variables};

use super::Edit;
use crate::config;

const FILE: &str = r#"# Who watches whom.
[dataplane]
workers = 2 # both sockets

# The east.
[[tenant]]
name = "bank-east"
vlans = [101, "110-119"]   # branches
default_verdict = "pipeline full"

[tenant.stream]
midstream = true

[[tenant]]
name = "bank-west"
weight = 20 # pays more

[[operator]]
name = "west-ops"
role = "tenant"
tenant = "bank-west"
user = "west"

[[steer]]
name = "backup"
tenant = "bank-west"
verdict = "shunt"
"#;

/// The text that an edit makes, which must be a configuration.
fn applied(text: &str, edit: &Edit) -> (String, String) {
    let edited = edit.apply(text).unwrap_or_else(|refusal| panic!("{refusal}"));
    config::parse(&edited.text).unwrap_or_else(|problems| panic!("{problems:?}\n{}", edited.text));
    (edited.text, edited.what)
}

fn refused(text: &str, edit: &Edit) -> Refusal {
    edit.apply(text).unwrap_err()
}

/// The lines that an edit takes out (`-`) and puts in (`+`).
fn difference(before: &str, after: &str) -> String {
    let lines = similar::TextDiff::from_lines(before, after);
    let changed = lines.iter_all_changes().filter(|line| line.tag() != similar::ChangeTag::Equal);
    changed.flat_map(|line| [line.tag().to_string(), line.value().to_owned()]).collect()
}

fn new(name: &str, vlans: &[&str]) -> Edit {
    let vlans = vlans.iter().map(|&vlan| vlan.to_owned()).collect();
    Edit::AddTenant(NewTenant { name: name.to_owned(), vlans, ..NewTenant::default() })
}

fn assign(tenant: &str, vlans: &str) -> Edit {
    Edit::AssignVlans { tenant: tenant.to_owned(), vlans: vlans.parse().unwrap() }
}

#[test]
fn a_tenant_comes_and_the_rest_stays_as_it_was_written() {
    let (text, what) = applied(FILE, &new("bank-north", &["200", "201", "210-219"]));
    assert_eq!(what, "tenant bank-north added");
    let expected = "+[[tenant]]\n+name = \"bank-north\"\n+vlans = [\"200-201\", \"210-219\"]\n\
                    +default_verdict = \"pipeline full\"\n+\n";
    assert_eq!(difference(FILE, &text), expected);
    let (text, _) = applied("", &new("first", &[]));
    assert_eq!(config::parse(&text).unwrap().config.tenants.len(), 1);
    // A list that is written in one line.
    let (text, _) = applied("tenant = [{ name = \"a\", vlans = [7] }]\n", &new("b", &["8"]));
    assert_eq!(config::parse(&text).unwrap().config.tenants.len(), 2);
}

#[test]
fn what_another_has_is_not_given_away() {
    let refusal = refused(FILE, &new("bank-north", &["115"]));
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    assert_eq!(
        refusal.problems,
        ["VLAN 115 belongs to bank-east; release it first: forebay vlan release 115"]
    );
    let refusal = refused(FILE, &assign("bank-west", "100-102"));
    assert_eq!(
        refusal.problems,
        ["VLAN 101 belongs to bank-east; release it first: forebay vlan release 101"]
    );
    let port = format!(
        "[[port]]\nname = \"p\"\ndevice = \"net_null0\"\nmode = \"access\"\ntenant = \"bank-west\"\nvlan = 300\n{FILE}"
    );
    let refusal = refused(&port, &assign("bank-east", "300"));
    assert!(refusal.problems[0].starts_with("VLAN 300 belongs to bank-west, by port p;"), "{refusal}");
    let refusal = refused(&port, &Edit::RemoveTenant("bank-west".to_owned()));
    assert_eq!(refusal.kind, RefusalKind::Conflict);
    let refusal = refused(FILE, &new("bank-east", &[]));
    assert!(refusal.problems[0].starts_with("there is a tenant `bank-east` already;"), "{refusal}");
    for (name, vlan) in [("Bank", "1"), ("b", "4095"), ("b", "0"), ("b", "9-3"), ("b", "x")] {
        assert_eq!(refused(FILE, &new(name, &[vlan])).kind, RefusalKind::BadRequest, "{name} {vlan}");
    }
}

#[test]
fn vlans_are_assigned_and_released_one_by_one_and_in_ranges() {
    let (text, what) = applied(FILE, &assign("bank-east", "120-121"));
    assert_eq!(what, "VLAN 120-121 to bank-east");
    let change = "-vlans = [101, \"110-119\"]   # branches\n+vlans = [101, \"110-121\"]   # branches\n";
    assert_eq!(difference(FILE, &text), change);
    let release = |vlans: &str| Edit::ReleaseVlans(vlans.parse().unwrap());
    let (text, what) = applied(FILE, &release("112-113"));
    assert_eq!(what, "VLAN 112-113 from bank-east");
    assert!(text.contains("vlans = [101, \"110-111\", \"114-119\"]   # branches"), "{text}");
    let (text, _) = applied(&text, &assign("bank-west", "113"));
    assert_eq!(config::parse(&text).unwrap().config.tenants[1].vlans[0].first, 113);
    assert_eq!(refused(FILE, &release("500")).kind, RefusalKind::NotFound);
    assert_eq!(refused(FILE, &assign("bank-weast", "500")).kind, RefusalKind::NotFound);
}

#[test]
fn a_tenant_goes_with_what_is_its_own() {
    let (text, what) = applied(FILE, &Edit::RemoveTenant("bank-west".to_owned()));
    assert_eq!(what, "tenant bank-west removed, with steering rule backup, operator west-ops");
    let config = config::parse(&text).unwrap().config;
    assert_eq!((config.tenants.len(), config.rules.len(), config.operators.len()), (1, 0, 0));
    assert!(text.contains("# The east.") && text.contains("midstream = true"));
    let (text, _) = applied(&text, &Edit::RemoveTenant("bank-east".to_owned()));
    assert_eq!(config::parse(&text).unwrap().config.tenants.len(), 0);
    let refusal = refused(FILE, &Edit::RemoveTenant("bank-wets".to_owned()));
    assert_eq!(refusal.problems, ["there is no tenant `bank-wets`; did you mean `bank-west`?"]);
}

#[test]
fn settings_change_in_place() {
    let variables = Variables {
        addresses: [("HOME_NET".to_owned(), Some("[10.0.0.0/8]".to_owned()))].into(),
        ports: [("HTTP_PORTS".to_owned(), Some("[80,8080]".to_owned()))].into(),
    };
    let change = TenantChange { weight: Some(30), variables, ..TenantChange::default() };
    let thresholds = Some(Some(PathBuf::from("/var/lib/forebay/files/t.config")));
    let edit = Edit::SetTenant { name: "bank-west".to_owned(), change, thresholds };
    let (text, what) = applied(FILE, &edit);
    assert_eq!(what, "weight, variables, thresholds of tenant bank-west");
    assert!(text.contains("weight = 30 # pays more"), "{text}");
    let west = &config::parse(&text).unwrap().config.tenants[1];
    assert_eq!((west.weight, west.inspection.rules.addresses["HOME_NET"].as_str()), (30, "[10.0.0.0/8]"));
    assert_eq!(west.inspection.rules.thresholds, Some(PathBuf::from("/var/lib/forebay/files/t.config")));
    let variables = Variables { addresses: [("HOME_NET".to_owned(), None)].into(), ..Variables::default() };
    let change = TenantChange { variables, ..TenantChange::default() };
    let edit = Edit::SetTenant { name: "bank-west".to_owned(), change, thresholds: Some(None) };
    let west = config::parse(&applied(&text, &edit).0).unwrap().config.tenants.remove(1);
    assert!(!west.inspection.rules.addresses.contains_key("HOME_NET"));
    assert_eq!(west.inspection.rules.thresholds, None);
    let nothing =
        Edit::SetTenant { name: "bank-west".to_owned(), change: TenantChange::default(), thresholds: None };
    assert_eq!(refused(FILE, &nothing).kind, RefusalKind::BadRequest);
}

#[test]
fn steering_rules_come_and_go_in_both_layers() {
    let rule = SteeringRule {
        name: "dns".to_owned(),
        priority: Some(5),
        tenant: Some("bank-east".to_owned()),
        vlan: Some("110-112".to_owned()),
        protocol: Some("udp".to_owned()),
        destination: Some("10.0.0.53".to_owned()),
        destination_ports: Some("53".to_owned()),
        direction: Some("either".to_owned()),
        verdict: "pipeline dns-only".to_owned(),
        ..SteeringRule::default()
    };
    for policy in [false, true] {
        let (text, _) = applied(FILE, &Edit::AddSteering { policy, rule: rule.clone() });
        let config = config::parse(&text).unwrap().config;
        let added = config.rules.iter().find(|rule| rule.name.as_str() == "dns").unwrap();
        assert_eq!((added.policy, added.protocol), (policy, Some(17)));
        assert_eq!(added.destination_ports, Some(53..=53));
        let twice = refused(&text, &Edit::AddSteering { policy: !policy, rule: rule.clone() });
        assert_eq!(twice.kind, RefusalKind::Conflict);
        let (text, _) =
            applied(&text, &Edit::RemoveSteering { name: "dns".to_owned(), tenant: rule.tenant.clone() });
        assert_eq!(config::parse(&text).unwrap(), config::parse(FILE).unwrap());
    }
    assert_eq!(
        refused(FILE, &Edit::RemoveSteering { name: "dns".to_owned(), tenant: None }).kind,
        RefusalKind::NotFound
    );
    let wrong = [
        SteeringRule { verdict: "explode".to_owned(), ..rule.clone() },
        SteeringRule { source: Some("10.0.0.1/8".to_owned()), ..rule.clone() },
        SteeringRule { destination_ports: Some("70000".to_owned()), ..rule.clone() },
        SteeringRule { name: "x y".to_owned(), ..rule },
    ];
    for rule in wrong {
        let refusal = refused(FILE, &Edit::AddSteering { policy: false, rule });
        assert_eq!(refusal.kind, RefusalKind::BadRequest, "{refusal}");
    }
}

#[test]
fn rule_files_are_named_and_taken_away() {
    let files =
        Some(vec![PathBuf::from("/s/a-0123456789abcdef0123456789abcdef.rules"), PathBuf::from("/s/b.rules")]);
    let of = |tenant: Option<&str>, files| Edit::SetRules { tenant: tenant.map(str::to_owned), files };
    let (text, what) = applied(FILE, &of(Some("bank-east"), files.clone()));
    assert_eq!(what, "rules of bank-east: a.rules, b.rules");
    assert_eq!(Some(config::parse(&text).unwrap().config.tenants[0].inspection.rules.files.clone()), files);
    let (text, _) = applied(&text, &of(Some("bank-east"), None));
    assert_eq!(text, FILE);
    let (text, what) = applied(FILE, &of(None, files.clone()));
    assert_eq!(what, "rules of the policy: a.rules, b.rules");
    assert_eq!(Some(config::parse(&text).unwrap().config.policy.rules.files), files);
}
