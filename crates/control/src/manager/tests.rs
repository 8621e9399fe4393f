//! The manager on a runner that only notes what it is told.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use api::{
    Change, LoadRules, NewTenant, Refusal, RefusalKind, RuleFileText, SteeringRule, SteeringTest,
    TenantChange,
};

use super::{Manager, Runner, Start, StartError, State};
use crate::access::Who;
use crate::config::Role;
use crate::edit::Edit;
use crate::store::Store;

/// Notes which generations were published; refuses what has a tenant called `too-much`.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<u32>>);

impl Runner for Notes {
    type Compiled = u32;

    fn compile(&self, next: &State) -> Result<u32, String> {
        let too_much = next.checked.config.tenants.iter().any(|tenant| tenant.name.as_str() == "too-much");
        if too_much { Err("no memory for this; lower it".to_owned()) } else { Ok(next.number) }
    }

    fn publish(&self, compiled: u32) {
        self.0.lock().unwrap().push(compiled);
    }

    fn in_effect(&self) -> u32 {
        self.0.lock().unwrap().last().copied().unwrap_or(0)
    }

    fn collect(&self) {}
}

const FILE: &str = "# Ours.\n[inspection]\ncache_mib_max = 0\n[[tenant]]\nname = \"east\"\nvlans = [101]\n\
    [[tenant]]\nname = \"west\"\nvlans = [102]\n";

struct House {
    folder: tempfile::TempDir,
    manager: Manager<Notes>,
}

fn start(folder: &std::path::Path) -> Result<Start, StartError> {
    Start::new(Store::open(&folder.join("state"), &folder.join("forebay.toml"))?)
}

impl House {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("forebay.toml"), text).unwrap();
        let manager = Manager::new(start(folder.path()).unwrap(), Notes::default());
        Self { folder, manager }
    }

    fn restarted(self) -> Self {
        let Self { folder, manager } = self;
        drop(manager);
        let manager = Manager::new(start(folder.path()).unwrap(), Notes::default());
        Self { folder, manager }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("forebay.toml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    fn add(&self, name: &str) -> Result<Change, Refusal> {
        let new = NewTenant { name: name.to_owned(), ..NewTenant::default() };
        self.manager.add_tenant(&chief(), new, false)
    }

    fn published(&self) -> Vec<u32> {
        self.manager.runner().0.lock().unwrap().clone()
    }
}

fn chief() -> Who {
    Who::headquarters("chief")
}

/// An operator of `east`, and one who looks at everything.
fn others() -> (Who, Who) {
    let text = "[[tenant]]\nname = \"east\"\n[[operator]]\nname = \"o\"\nrole = \"tenant\"\ntenant = \"east\"\nuser = \"1\"\n\
                [[operator]]\nname = \"v\"\nrole = \"viewer\"\nuser = \"2\"\n";
    let config = crate::config::parse(text).unwrap().config;
    assert_eq!(config.operators[0].role, Role::Tenant);
    (Who::by_user(&config, 1, None).unwrap(), Who::by_user(&config, 2, None).unwrap())
}

fn rules(name: &str, text: &str) -> LoadRules {
    let file = RuleFileText { name: name.to_owned(), text: text.to_owned() };
    LoadRules { files: vec![file], ..LoadRules::default() }
}

fn rule(sid: u32) -> String {
    format!("alert tcp any any -> any any (msg:\"x\"; content:\"x{sid}\"; sid:{sid};)\n")
}

#[test]
fn a_change_is_written_kept_and_published() {
    let house = House::new(FILE);
    assert_eq!(house.manager.state().number, 1);
    let change = house.add("north").unwrap();
    assert_eq!((change.generation, change.dry_run, change.what.as_str()), (2, false, "tenant north added"));
    assert!(change.effect_ms.is_some() && change.diff.contains("+name = \"north\""), "{change:?}");
    assert_eq!(house.published(), [2]);
    assert!(house.text().starts_with("# Ours.") && house.text().contains("north"));
    let house = house.restarted();
    let history = house.manager.generations(&chief()).unwrap().generations;
    let told: Vec<_> =
        history.iter().map(|entry| (entry.number, entry.who.as_str(), entry.running)).collect();
    assert_eq!(told, [(2, "chief", true), (1, "file", false)]);
    assert_eq!(house.manager.tenants(&chief()).tenants.len(), 3);
}

#[test]
fn a_trial_changes_nothing() {
    let house = House::new(FILE);
    let new = NewTenant { name: "north".to_owned(), ..NewTenant::default() };
    let change = house.manager.add_tenant(&chief(), new, true).unwrap();
    assert!(change.dry_run && change.generation == 1 && change.diff.contains("north"));
    assert_eq!((house.text().as_str(), house.published().len()), (FILE, 0));
    assert_eq!(house.manager.generations(&chief()).unwrap().generations.len(), 1);
}

#[test]
fn what_is_refused_at_any_step_changes_nothing() {
    let house = House::new(FILE);
    assert_eq!(house.add("east").unwrap_err().kind, RefusalKind::Conflict);
    let refusal = house.add("too-much").unwrap_err();
    assert_eq!(refusal.problems, ["no memory for this; lower it"]);
    let missing =
        Edit::SetRules { tenant: Some("east".to_owned()), files: Some(vec!["/nowhere/x.rules".into()]) };
    let refusal = house.manager.apply("chief", &missing, false).unwrap_err();
    assert!(refusal.problems[0].starts_with("rule file `/nowhere/x.rules` cannot be read"), "{refusal}");
    let worse =
        house.manager.replace_config(&chief(), "[dataplane]\nworker = 1\n".to_owned(), false).unwrap_err();
    assert_eq!(worse.problems, ["2:1: [dataplane] has no field `worker`; did you mean `workers`?"]);
    assert_eq!((house.text().as_str(), house.published().len()), (FILE, 0));
    // The same change again is none.
    house.add("north").unwrap();
    let text = house.text();
    let same = house.manager.replace_config(&chief(), text, false).unwrap();
    assert_eq!((same.what.as_str(), same.generation), ("nothing changed", 2));
}

#[test]
fn an_edit_by_hand_is_not_written_over() {
    let house = House::new(FILE);
    let edited = FILE.replace("[102]", "[102, 103]");
    fs::write(house.file(), &edited).unwrap();
    let refusal = house.add("north").unwrap_err();
    assert!(refusal.problems[0].contains("was edited since generation 1"), "{refusal}");
    assert_eq!(house.manager.reload("chief", true).unwrap().generation, 1);
    let change = house.manager.reload("chief", false).unwrap();
    assert_eq!((change.generation, change.what.as_str()), (2, "the file was read again"));
    assert_eq!(house.text(), edited);
    house.add("north").unwrap();

    fs::write(house.file(), "[[tenant]]\nname = \"EAST\"\n").unwrap();
    assert!(house.manager.reload("chief", false).is_err());
    assert!(house.manager.problem().unwrap().contains("the last good generation runs on"));
    assert_eq!(house.manager.state().number, 3);
    assert_eq!(house.manager.tenants(&chief()).tenants.len(), 3);
    // A start finds the same: the newest good generation runs, and says why.
    let house = house.restarted();
    assert_eq!(house.manager.state().number, 3);
    assert!(house.manager.problem().unwrap().contains("so generation 3 runs instead"));
    assert!(house.add("south").is_err(), "the file would be lost");
    let change = house.manager.rollback(&chief(), 3, false);
    assert!(change.is_err(), "so would it be by this");
    fs::write(house.file(), FILE).unwrap();
    assert_eq!(house.manager.reload("chief", false).unwrap().generation, 4);
    assert_eq!(house.manager.problem(), None);
}

#[test]
fn rules_are_loaded_listed_and_gone_back_from() {
    let house = House::new(FILE);
    let east = Some("east");
    let load = |load: &LoadRules| house.manager.load_rules(&chief(), east, load, false);
    let listed = || {
        let set = house.manager.rules(&chief(), east).unwrap();
        (set.files.iter().map(|file| file.name.clone()).collect::<Vec<_>>(), set.loaded, set.refused.len())
    };
    load(&rules("a.rules", &rule(1))).unwrap();
    assert_eq!(listed(), (vec!["a.rules".to_owned()], 1, 0));
    let more = LoadRules { append: true, ..rules("b.rules", &(rule(2) + &rule(3))) };
    load(&more).unwrap();
    assert_eq!(listed(), (vec!["a.rules".to_owned(), "b.rules".to_owned()], 3, 0));
    let newer = LoadRules { append: true, ..rules("a.rules", &rule(4)) };
    load(&newer).unwrap();
    assert_eq!(listed().0, ["b.rules", "a.rules"]);

    let broken = rules("a.rules", &(rule(5) + "alert tcp any any -> any any (contents:\"x\"; sid:6;)\n"));
    let refusal = load(&broken).unwrap_err();
    assert_eq!(refusal.problems.len(), 2);
    assert_eq!(refusal.problems[0], "a.rules:2:31: sid 6: contents: unknown keyword");
    assert!(refusal.problems[1].contains("nothing was loaded"), "{refusal}");
    assert_eq!(listed().1, 3, "the last good generation");
    let change = load(&LoadRules { partial: true, ..broken }).unwrap();
    assert_eq!(change.refused_rules.len(), 1);
    assert_eq!(listed(), (vec!["a.rules".to_owned()], 1, 1));

    house.manager.rollback(&chief(), 3, false).unwrap();
    assert_eq!(listed(), (vec!["a.rules".to_owned(), "b.rules".to_owned()], 3, 0));
    let unload = |names: &[String]| house.manager.unload_rules(&chief(), east, names, false, false);
    assert_eq!(unload(&["c.rules".to_owned()]).unwrap_err().kind, RefusalKind::NotFound);
    unload(&["a.rules".to_owned()]).unwrap();
    assert_eq!(listed().1, 2);
    unload(&[]).unwrap();
    assert_eq!(listed(), (Vec::new(), 0, 0));
    let twice =
        LoadRules { files: vec![RuleFileText::default(), RuleFileText::default()], ..LoadRules::default() };
    assert_eq!(load(&twice).unwrap_err().kind, RefusalKind::BadRequest);
}

#[test]
fn a_tenants_change_leaves_what_the_others_have() {
    let house = House::new(FILE);
    house.manager.load_rules(&chief(), Some("east"), &rules("a.rules", &rule(1)), false).unwrap();
    let before = house.manager.state();
    house.manager.load_rules(&chief(), Some("west"), &rules("a.rules", &rule(2)), false).unwrap();
    let after = house.manager.state();
    let same = |tenant: usize| {
        std::sync::Arc::ptr_eq(&before.inspections.tenants[tenant], &after.inspections.tenants[tenant])
    };
    assert!(same(0) && !same(1));
    house.manager.remove_tenant(&chief(), "east", false).unwrap();
    let last = house.manager.state();
    assert!(std::sync::Arc::ptr_eq(&last.inspections.tenants[0], &after.inspections.tenants[1]));
    let west = "west".parse().unwrap();
    assert_eq!(last.numbering.tenant(&west), before.numbering.tenant(&west));
}

#[test]
fn everybody_sees_and_changes_what_their_role_lets_them() {
    let house = House::new(FILE);
    let manager = &house.manager;
    let (east, viewer) = others();
    assert_eq!(manager.tenants(&east).tenants.len(), 1);
    assert_eq!(manager.tenants(&viewer).tenants.len(), 2);
    assert_eq!(manager.tenant(&east, "west").unwrap_err().kind, RefusalKind::NotFound);
    assert_eq!(manager.vlans(&east).vlans.len(), 1);
    let change = TenantChange { default_verdict: Some("shunt".to_owned()), ..TenantChange::default() };
    manager.set_tenant(&east, "east", change.clone(), false).unwrap();
    assert_eq!(
        manager.set_tenant(&east, "west", change.clone(), false).unwrap_err().kind,
        RefusalKind::NotFound
    );
    assert_eq!(manager.set_tenant(&viewer, "west", change, false).unwrap_err().kind, RefusalKind::Forbidden);
    let share = TenantChange { weight: Some(100), ..TenantChange::default() };
    assert_eq!(manager.set_tenant(&east, "east", share, false).unwrap_err().kind, RefusalKind::Forbidden);

    let steer = |name: &str, tenant: Option<&str>| SteeringRule {
        name: name.to_owned(),
        tenant: tenant.map(str::to_owned),
        verdict: "shunt".to_owned(),
        ..SteeringRule::default()
    };
    manager.add_steering(&east, false, steer("own", None), false).unwrap();
    assert_eq!(manager.steering(&east).rules[0].tenant.as_deref(), Some("east"));
    for (policy, tenant) in [(true, Some("east")), (false, Some("west"))] {
        let refusal = manager.add_steering(&east, policy, steer("other", tenant), false).unwrap_err();
        assert!([RefusalKind::Forbidden, RefusalKind::NotFound].contains(&refusal.kind), "{refusal}");
    }
    manager.add_steering(&chief(), true, steer("hq", Some("east")), false).unwrap();
    manager.add_steering(&chief(), false, steer("wests", Some("west")), false).unwrap();
    assert_eq!(manager.steering(&east).policy.len(), 1);
    assert_eq!(manager.steering(&east).rules.len(), 1);
    assert_eq!(manager.remove_steering(&east, "hq", None, false).unwrap_err().kind, RefusalKind::Forbidden);
    assert_eq!(manager.remove_steering(&east, "wests", None, false).unwrap_err().kind, RefusalKind::NotFound);
    assert_eq!(
        manager.remove_steering(&east, "nothing", None, false).unwrap_err().kind,
        RefusalKind::NotFound
    );
    // What one tenant calls its rules is not taken for another.
    manager.add_steering(&east, false, steer("wests", None), false).unwrap();
    let several = manager.remove_steering(&chief(), "wests", None, false).unwrap_err();
    assert!(several.to_string().contains("for west, east; say which: --tenant NAME"), "{several}");
    manager.remove_steering(&east, "wests", None, false).unwrap();
    manager.remove_steering(&chief(), "wests", Some("west"), false).unwrap();
    manager.remove_steering(&east, "own", None, false).unwrap();

    let load = rules("a.rules", &rule(1));
    manager.load_rules(&east, Some("east"), &load, false).unwrap();
    assert_eq!(
        manager.load_rules(&east, Some("west"), &load, false).unwrap_err().kind,
        RefusalKind::NotFound
    );
    assert_eq!(manager.load_rules(&east, None, &load, false).unwrap_err().kind, RefusalKind::Forbidden);
    assert_eq!(manager.rules(&east, None).unwrap_err().kind, RefusalKind::Forbidden);
    assert_eq!(manager.rules(&east, Some("west")).unwrap_err().kind, RefusalKind::NotFound);
    for who in [&east, &viewer] {
        assert!(manager.add_tenant(who, NewTenant::default(), false).is_err());
        assert!(manager.remove_tenant(who, "east", false).is_err());
        assert!(manager.release_vlans(who, "101", false).is_err());
        assert!(manager.config(who, None).is_err() && manager.diff(who, 1, 2).is_err());
        assert!(manager.replace_config(who, String::new(), false).is_err());
        assert!(manager.rollback(who, 1, false).is_err() && manager.reload_config(who, false).is_err());
    }
    assert!(manager.generations(&east).is_err() && manager.generations(&viewer).is_ok());
}

#[test]
fn a_test_of_steering_tells_which_rule_decides_and_why() {
    let house = House::new(&format!(
        "{FILE}[[policy.steer]]\nname = \"canary\"\ndestination = \"10.9.0.1\"\nverdict = \"pipeline full\"\n\
         [[steer]]\nname = \"wests\"\ntenant = \"west\"\nverdict = \"drop\"\n\
         [[steer]]\nname = \"dns\"\nprotocol = \"udp\"\ndestination_ports = 53\nverdict = \"pipeline dns-only\"\n"
    ));
    let test = |source: &str, destination: &str, protocol: &str| SteeringTest {
        tenant: "east".to_owned(),
        protocol: Some(protocol.to_owned()),
        source: source.to_owned(),
        destination: destination.to_owned(),
        vlan: None,
    };
    let ask = |test: &SteeringTest| house.manager.test_steering(&chief(), test);
    let dns = ask(&test("10.0.0.5:1234", "8.8.8.8:53", "udp")).unwrap();
    assert_eq!((dns.verdict.as_str(), dns.rule.as_deref()), ("pipeline dns-only", Some("dns")));
    let steps: Vec<_> = dns.steps.iter().map(|step| (step.rule.as_str(), step.mismatch.as_deref())).collect();
    assert_eq!(steps, [("canary", Some("destination")), ("dns", None)]);
    let web = ask(&test("10.0.0.5:1234", "8.8.8.8:443", "tcp")).unwrap();
    assert_eq!((web.verdict.as_str(), web.rule), ("pipeline default", None));
    assert_eq!(ask(&test("10.0.0.5", "10.9.0.1", "icmp")).unwrap().rule.as_deref(), Some("canary"));
    for (source, destination, protocol) in [
        ("10.0.0.5", "8.8.8.8:53", "udp"),
        ("10.0.0.5:1", "8.8.8.8:53", "icmp"),
        ("x", "8.8.8.8:53", "udp"),
        ("10.0.0.5:1", "[::1]:53", "udp"),
        ("10.0.0.5:1", "8.8.8.8:53", "300"),
    ] {
        let refusal = ask(&test(source, destination, protocol)).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::BadRequest, "{refusal}");
    }
    let vlan = SteeringTest { vlan: Some(4095), ..test("10.0.0.5:1", "8.8.8.8:53", "udp") };
    assert_eq!(ask(&vlan).unwrap_err().kind, RefusalKind::BadRequest);
    let (east, _) = others();
    let foreign = SteeringTest { tenant: "west".to_owned(), ..test("10.0.0.5:1", "8.8.8.8:53", "udp") };
    assert_eq!(house.manager.test_steering(&east, &foreign).unwrap_err().kind, RefusalKind::NotFound);
}

#[test]
fn settings_that_need_a_start_are_named() {
    let house = House::new(FILE);
    let text = format!("[dataplane]\nworkers = 2\n{FILE}");
    let change = house.manager.replace_config(&chief(), text, false).unwrap();
    assert_eq!(change.at_next_start, ["dataplane.workers"]);
    assert_eq!(house.manager.at_next_start(), ["dataplane.workers"]);
    let house = house.restarted();
    assert!(house.manager.at_next_start().is_empty());
}

#[test]
fn nothing_runs_where_nothing_can() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("forebay.toml"), "x").unwrap();
    assert!(matches!(start(folder.path()), Err(StartError::Refused(_))));
}
