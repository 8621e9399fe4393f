//! Configurations as people write them: every bad one with the exact lines it gets, every good one with its meaning.

#![allow(clippy::unwrap_used, clippy::format_collect)]

use std::fs;
use std::path::{Path, PathBuf};

use control::config::{self, Checked, Config, Device, Direction, Document, Inspector, Tenancy, Verdict};

fn golden(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(folder)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(golden(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    found.sort();
    found
}

/// With `FOREBAY_BLESS=1` the expected files are written anew; read the difference before committing it.
#[test]
fn every_bad_file_gets_the_expected_lines() {
    let bless = std::env::var_os("FOREBAY_BLESS").is_some();
    let cases = files("bad");
    assert!(cases.len() >= 15, "{} cases", cases.len());
    for path in cases {
        let error = config::load(&path).expect_err(&path.display().to_string());
        let prefix = format!("{}/", golden("bad").display());
        let printed = error.to_string().replace(&prefix, "") + "\n";
        let expected = path.with_extension("expected");
        if bless {
            fs::write(&expected, &printed).unwrap();
        }
        let wanted = fs::read_to_string(&expected).unwrap_or_default();
        assert_eq!(printed, wanted, "{}", path.display());
    }
}

#[test]
fn good_files_load_and_survive_being_written_back() {
    for path in files("good") {
        config::load(&path).unwrap_or_else(|error| panic!("{error}"));
        // As text, so that paths stay as they are written.
        let text = fs::read_to_string(&path).unwrap();
        let Checked { config, document, .. } = config::parse(&text).unwrap();
        let written = toml::to_string(&document).unwrap();
        let again = config::parse(&written).unwrap_or_else(|problems| {
            panic!("{}: {problems:?}\n{written}", path.display());
        });
        assert_eq!(config, again.config, "{written}");
        assert_eq!(document, again.document);
    }
}

#[test]
fn every_field_arrives() {
    let Checked { config, warnings, .. } = config::load(&golden("good").join("everything.toml")).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!((config.dataplane.workers.get(), config.dataplane.tenants_max.get()), (2, 16));
    assert_eq!(config.events.queue_records.get(), 4096);
    assert_eq!((config.events.community_id, config.events.community_id_seed.get()), (false, 9));
    assert_eq!(config.dataplane.hash_seed.map(config::Whole::get), Some(7));
    assert_eq!(config.timeouts.tcp.closed_s.get(), 5);
    assert_eq!((config.timeouts.udp.new_s.get(), config.timeouts.udp.established_s.get()), (11, 300));
    assert_eq!((config.timeouts.icmp.new_s.get(), config.timeouts.icmp.established_s.get()), (30, 12));
    assert_eq!(config.timeouts.other.new_s.get(), 13);
    let defrag = &config.defrag;
    assert_eq!((defrag.trackers_max.get(), defrag.trackers_per_tenant()), (100, 50));
    assert_eq!((defrag.bytes_max.get(), defrag.bytes_per_tenant()), (1 << 20, 1 << 18));
    assert!(defrag.ipv6_overlap_drops);
    assert_eq!(config.tunnels.depth_max.get(), 2);

    let ports: Vec<_> = config.ports.iter().map(|p| (p.device.clone(), p.tenancy)).collect();
    assert_eq!(
        ports,
        [
            (Device::Pci("0000:3b:02.1".to_owned()), Tenancy::Access { tenant: 0, vlan: 140 }),
            (Device::Vdev("net_af_packet0,iface=veth0".to_owned()), Tenancy::Trunk),
        ]
    );
    let [east, rest] = config.tenants.as_slice() else { panic!("two tenants") };
    assert_eq!((east.weight, east.flows_max, east.any_vlan), (20, 1000, false));
    assert_eq!(east.vlans.iter().map(ToString::to_string).collect::<Vec<_>>(), ["101", "110-119"]);
    assert_eq!(east.default_verdict, Verdict::Pipeline(0));
    assert_eq!((rest.weight, rest.flows_max, rest.any_vlan), (10, 65_536, true));
    assert_eq!(rest.default_verdict, Verdict::Pipeline(1), "the file's own `default`");
    let pipelines: Vec<&str> = config.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
    assert_eq!(pipelines, ["light", "default", "full", "dns-only", "headers"]);
    assert_eq!(config.pipelines[0].inspectors, [Inspector::Checksum, Inspector::Ids]);
    assert_eq!(config.pipelines[2].inspectors.len(), Inspector::all().count());

    assert_eq!(config.events.file, "eve.json");
    let policy = &config.policy.rules;
    assert_eq!(policy.files, [golden("good").join("rules/one.rules")]);
    assert_eq!(policy.classification, Some(golden("good").join("rules/other.config")));
    assert_eq!(policy.addresses["HOME_NET"], "10.0.0.0/8");
    assert_eq!(policy.thresholds, Some(golden("good").join("policy.thresholds")));
    assert_eq!(
        (config.api.socket.as_str(), config.api.group.as_deref()),
        ("run/forebay.sock", Some("netops"))
    );
    assert_eq!(config.api.listen.as_ref().map(|at| at.get_ref().0), Some("127.0.0.1:9443".parse().unwrap()));
    let [chief, east_ops] = config.operators.as_slice() else { panic!("two operators") };
    assert_eq!(
        (chief.role, chief.token_sha256),
        (config::Role::Headquarters, Some(config::Digest([0xab; 32])))
    );
    assert_eq!(chief.certificate.as_deref(), Some("chief.example"));
    assert_eq!((east_ops.role, east_ops.user.as_deref()), (config::Role::Tenant, Some("east")));
    assert_eq!(east_ops.tenant.as_ref().map(config::Name::as_str), Some("bank-east"));

    let names: Vec<&str> = config.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["canary", "backup", "gre", "late"], "the policy's, then by priority");
    assert!(config.rules[0].policy);
    let backup = &config.rules[1];
    assert!(!backup.policy);
    assert_eq!(backup.tenant, Some(0));
    assert_eq!(backup.vlan, Some(110..=112));
    assert_eq!(backup.protocol, Some(6));
    assert_eq!(backup.source, Some("10.1.0.0/16".parse().unwrap()));
    assert_eq!(backup.destination, Some("10.2.0.9/32".parse().unwrap()));
    assert_eq!((&backup.source_ports, &backup.destination_ports), (&Some(1024..=65_535), &Some(873..=873)));
    assert_eq!((backup.direction, backup.verdict), (Direction::Either, Verdict::Shunt));
    assert_eq!((config.rules[2].protocol, config.rules[2].verdict), (Some(47), Verdict::Drop));
    assert_eq!(config.rules[3].verdict, Verdict::Tool(0));
}

#[test]
fn an_empty_file_is_the_empty_configuration() {
    let Checked { config, document, warnings } = config::parse("").unwrap();
    assert!(warnings.is_empty());
    assert_eq!(config, Config::empty());
    assert_eq!(document, Document::default());
    assert_eq!((document.defrag.trackers_per_tenant(), document.defrag.bytes_per_tenant()), (2048, 8 << 20));
    let replayed = config.with_default_tenant(&document);
    let [tenant] = replayed.tenants.as_slice() else { panic!("one tenant") };
    assert_eq!((tenant.name.as_str(), tenant.any_vlan), ("default", true));
    assert_eq!(tenant.default_verdict, Verdict::Pipeline(1));
    assert_eq!(
        (replayed.pipelines[0].name.as_str(), replayed.pipelines[1].name.as_str()),
        ("default", "full")
    );
    assert_eq!(replayed.clone().with_default_tenant(&document), replayed);
    let own = config::parse("[[pipeline]]\nname = \"default\"\ninspectors = [\"dns\"]\n").unwrap();
    let replayed = own.config.with_default_tenant(&own.document);
    assert_eq!(replayed.tenants[0].default_verdict, Verdict::Pipeline(0), "the file's own `default`");
}

#[test]
fn a_tenant_has_what_it_says_and_else_what_all_have() {
    let path = golden("good").join("everything.toml");
    let Checked { config, .. } = config::load(&path).unwrap();
    let folder = golden("good");
    let [east, rest] = config.tenants.as_slice() else { panic!("two tenants") };
    let files = |names: &[&str]| names.iter().map(|name| folder.join("rules").join(name)).collect::<Vec<_>>();
    assert_eq!(rest.inspection, config.inspection);
    assert_eq!(rest.inspection.rules.files, files(&["one.rules", "two.rules"]));
    assert_eq!(east.inspection.rules.files, files(&["one.rules"]));
    assert_eq!(east.inspection.rules.classification, Some(folder.join("rules/other.config")));
    assert_eq!(config.cache.folder, Some(folder.join("cache")));
    let addresses = |inspection: &config::Inspection, name: &str| inspection.rules.addresses[name].clone();
    assert_eq!(addresses(&rest.inspection, "HOME_NET"), "[10.0.0.0/8,192.168.0.0/16]");
    assert_eq!(addresses(&east.inspection, "HOME_NET"), "10.5.0.0/16");
    assert_eq!(addresses(&east.inspection, "DNS_SERVERS"), "[10.0.0.1,10.0.0.2]");
    assert_eq!(east.inspection.rules.ports["HTTP_PORTS"], "[80,8000:8010]");
    assert_eq!((east.inspection.stream.midstream, rest.inspection.stream.midstream), (false, true));
    assert_eq!(east.inspection.stream.depth_bytes.get(), 1000);
    assert_eq!((east.inspection.alerts.packet, rest.inspection.alerts.packet), (false, true));
    assert!(east.inspection.protocols.disabled.is_empty());
    let lzma = |tenant: &config::Tenant| tenant.inspection.protocols.http.lzma;
    assert_eq!((lzma(east), lzma(rest)), (false, true));
    let own = config.clone().with_rules(&["a.rules".into()]);
    assert!(own.tenants.iter().all(|tenant| tenant.inspection.rules.files == [Path::new("a.rules")]));
}

#[test]
fn files_that_are_not_there_are_named_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = folder.join("f.toml");
    fs::write(&file, "[inspection]\nrules = [\"none.rules\", \".\"]\n").unwrap();
    let error = config::load(&file).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    let place = |column: u32, name: &str| {
        format!("{}:2:{column}: rule file `{}` cannot be read: ", file.display(), folder.join(name).display())
    };
    assert_eq!(lines.len(), 2, "{error}");
    assert!(lines[0].starts_with(&place(10, "none.rules")) && lines[0].contains("No such file"), "{error}");
    assert!(lines[1].starts_with(&place(24, ".")) && lines[1].contains("it is a folder"), "{error}");
}

#[test]
fn what_is_allowed_and_probably_not_meant_is_a_warning() {
    let text = "\
[[tenant]]
name = \"east\"

[[tenant]]
name = \"west\"
vlans = [7]
rules = [\"west.rules\"]

[[steer]]
name = \"narrow\"
protocol = \"tcp\"
destination_ports = 53
verdict = \"drop\"

[[steer]]
name = \"wide\"
priority = 5
destination_ports = 53
verdict = \"shunt\"
";
    let warnings = config::parse(text).unwrap().warnings;
    let lines: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "2:8: tenant `east` has no VLAN and no port, so it gets no traffic; give it `vlans` or an access port",
            "7:10: tenant `west` has rules, and no flow of it goes through a pipeline with the inspector `ids`; give it \
             `default_verdict = \"pipeline full\"`, or steer flows into a pipeline with `ids`",
            "10:8: steering rule `narrow` never decides: `wide` on line 16 comes first and matches all it matches; \
             remove it, or give it a lower priority number",
        ]
    );
}

#[test]
fn a_missing_file_and_a_directory_are_named() {
    let missing = config::load(Path::new("no/such/forebay.toml")).unwrap_err().to_string();
    assert!(missing.starts_with("no/such/forebay.toml: cannot be read: No such file"), "{missing}");
    let directory = config::load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err().to_string();
    assert!(directory.contains("Is a directory"), "{directory}");
}

#[test]
fn problems_are_many_but_not_endless() {
    let text: String = (0..1000).map(|n| format!("[[tenant]]\nname = \"A{n}\"\n")).collect();
    let problems = config::parse(&text).unwrap_err();
    assert_eq!(problems.len(), 50);
    assert!(problems.iter().enumerate().all(|(n, problem)| problem.line == 2 * n + 2), "{problems:?}");
}

#[test]
fn deep_nesting_is_refused_not_overflowed() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{b=".repeat(100_000)),
        format!("{}c = 1", "a.".repeat(100_000)),
        format!("[{}c]", "a.".repeat(100_000)),
        format!("{}1{}", "a=[".repeat(100_000), "]".repeat(100_000)),
    ] {
        assert!(!config::parse(&text).unwrap_err().is_empty());
    }
}

mod any_text {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn never_panics_and_points_into_the_file(text in "(\\[{1,2}(tenant|port|steer|dataplane|timeouts\\.tcp|x)\\]{1,2}\n|(name|vlans|workers|new_s|verdict|any_vlan|device) = (\"[a-z 0-9-]{0,9}\"|[0-9]{1,4}|true|\\[[0-9, ]{0,9}\\])\n|[\\PC\n]{0,9}){0,12}") {
            if let Err(problems) = control::config::parse(&text) {
                prop_assert!(!problems.is_empty());
                for problem in problems {
                    prop_assert!(problem.line <= text.matches('\n').count() + 1);
                    prop_assert!(!problem.message.is_empty() && !problem.message.contains('\n'));
                }
            }
        }
    }
}
