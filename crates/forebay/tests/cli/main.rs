//! The command line through the built binary: exit codes, the lines on standard error, and what is left on disk.

#![allow(clippy::unwrap_used)]

mod host;
mod keyword_list;
mod keywords;
mod place;
mod rule_effects;
mod rules;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use place::{Place, TENANTS, datagram, names, pcap, text, trace};

#[test]
fn usage_errors_have_exit_code_2() {
    let place = Place::new();
    for arguments in [
        &[][..],
        &["replay"],
        &["replay", "a.pcap", "--loops", "0"],
        &["replay", "a.pcap", "--workers", "65"],
        &["replay", "a.pcap", "--no-such-flag"],
        &["frobnicate"],
        &["config", "check"],
        &["rules", "check"],
        &["rules", "check", "x.rules", "--var", "HOME_NET"],
        &["rules", "explain", "x.rules", "one"],
        &["completion", "tcsh-is-no-shell-here"],
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("Usage: forebay") || text(&output.stderr).contains("--help"));
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn help_shows_examples_and_the_version_is_told() {
    let place = Place::new();
    for (arguments, expected) in [
        (&["--help"][..], "Exit codes:"),
        (&["replay", "--help"], "forebay replay trace.pcap"),
        (&["config", "check", "--help"], "forebay config check /etc/forebay/forebay.toml"),
        (&["--version"], concat!("forebay ", env!("CARGO_PKG_VERSION"))),
    ] {
        let output = place.run(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains(expected), "{arguments:?}: {}", text(&output.stdout));
        assert!(!text(&output.stdout).contains(" man "), "a hidden command shows");
    }
}

#[test]
fn completions_and_man_pages_name_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&place.run(&["completion", shell]).stdout);
        for word in ["replay", "accept-truncated", "config", "rules", "explain"] {
            assert!(script.contains(word), "{shell} {word}");
        }
    }
    assert_eq!(place.run(&["man", "pages/man1"]).status.code(), Some(0));
    let pages = [
        "alerts",
        "completion",
        "config-check",
        "config-diff",
        "config-history",
        "config-reload",
        "config-replace",
        "config-rollback",
        "config-show",
        "config",
        "host-check",
        "host-plan",
        "host",
        "policy-load",
        "policy-show",
        "policy-steer",
        "policy-unload",
        "policy",
        "replay",
        "rules-check",
        "rules-explain",
        "rules-list",
        "rules-load",
        "rules-profile",
        "rules-unload",
        "rules",
        "status",
        "steer-add",
        "steer-list",
        "steer-remove",
        "steer-test",
        "steer",
        "tenant-add",
        "tenant-list",
        "tenant-remove",
        "tenant-set",
        "tenant-show",
        "tenant",
        "token",
        "vlan-assign",
        "vlan-list",
        "vlan-release",
        "vlan",
        "",
    ];
    let pages =
        pages.map(|page| if page.is_empty() { "forebay.1".to_owned() } else { format!("forebay-{page}.1") });
    assert_eq!(names(&place.path("pages/man1")), pages);
    let page = fs::read_to_string(place.path("pages/man1/forebay-replay.1")).unwrap();
    assert!(page.contains("\\-\\-accept\\-truncated") && page.contains("eve.json.part"), "{page}");
    place.file("occupied", "");
    place.refused(
        &["man", "occupied"],
        &["forebay: occupied: cannot write man pages: File exists (os error 17); give a folder you may write to"],
    );
}

#[test]
fn a_configuration_is_checked() {
    let place = Place::new();
    place
        .file("good.toml", TENANTS)
        .file("bad.toml", "[dataplane]\nworkers = 0\n\n[[tenant]]\nnam = \"a\"\n");
    let output = place.run(&["config", "check", "good.toml"]);
    assert_eq!(
        (text(&output.stdout).as_str(), output.status.code()),
        ("good.toml: no problems: 2 tenants, 0 ports, 5 pipelines, 1 steering rule, 0 tool ports\n", Some(0))
    );
    let problems = [
        "forebay: bad.toml:2:11: `workers` is 0; give a whole number from 1 to 64",
        "forebay: bad.toml:4:1: [[tenant]] has no `name`; add `name = …` to it",
        "forebay: bad.toml:5:1: [[tenant]] has no field `nam`; did you mean `name`?",
    ];
    place.refused(&["config", "check", "bad.toml"], &problems);
    place.refused(
        &["config", "check", "none.toml"],
        &["forebay: none.toml: cannot be read: No such file or directory (os error 2); check the path and its permissions"],
    );

    let json = |file: &str, code: i32| {
        let output = place.run(&["config", "check", file, "--json"]);
        assert_eq!(output.status.code(), Some(code));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let good = json("good.toml", 0);
    assert_eq!((&good["ok"], &good["config"]["dataplane"]["flows_max"]), (&true.into(), &262_144.into()));
    let bad = json("bad.toml", 1);
    assert_eq!(
        (&bad["ok"], &bad["problems"][0]["line"], &bad["problems"][0]["column"]),
        (&false.into(), &2.into(), &11.into())
    );
}

#[test]
fn a_warning_is_no_refusal() {
    let place = Place::new();
    place.file("idle.toml", "[[tenant]]\nname = \"idle\"\n");
    let output = place.run(&["config", "check", "idle.toml"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stderr),
        "forebay: warning: idle.toml:2:8: tenant `idle` has no VLAN and no port, so it gets no traffic; give it `vlans` \
         or an access port\n"
    );
}

#[test]
fn captures_that_cannot_be_replayed_are_refused_in_one_line() {
    let place = Place::new();
    let whole = trace();
    place
        .file("empty.pcap", "")
        .file("text.pcap", "hello, world\n")
        .file("cut.pcap", &whole[..whole.len() - 3])
        .file("good.pcap", &whole);
    let mut wireless = whole.clone();
    wireless[20] = 105;
    place.file("wireless.pcap", wireless);
    let start = whole.len() - 50 - 16;
    for (capture, line) in [
        ("none.pcap", "none.pcap: cannot be read: No such file or directory (os error 2); check the path and its permissions".to_owned()),
        ("empty.pcap", "empty.pcap: the file is empty; was the capture stopped before its first packet?".to_owned()),
        ("text.pcap", "text.pcap: not a pcap or pcapng capture; give a file that tcpdump, dumpcap or Wireshark wrote".to_owned()),
        (
            "cut.pcap",
            format!("cut.pcap: cut short in packet 6, at byte {start}; copy it again, or add --accept-truncated: 5 whole packets come before that"),
        ),
        (
            "wireless.pcap",
            "wireless.pcap: its link type is 802.11 (105), not Ethernet; capture on an Ethernet interface, or convert it with `tcprewrite --dlt=enet`".to_owned(),
        ),
        (".", ".: not a regular file; save the capture in a file first".to_owned()),
    ] {
        place.refused(&["replay", "good.pcap", capture], &[&format!("forebay: {line}")]);
    }
}

#[test]
fn what_else_is_wrong_is_told_before_anything_is_written() {
    let place = Place::new();
    place
        .file("t.pcap", trace())
        .file("bad.toml", "[dataplane\n")
        .file("x.rules", "# none\nalert x\n")
        .file("occupied", "");
    place.refused(
        &["replay", "t.pcap", "--rules", "none.rules"],
        &["forebay: none.rules: cannot be read: No such file or directory (os error 2); check the path and its permissions"],
    );
    let output = place.run(&["replay", "t.pcap", "--rules", "x.rules"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr.starts_with(
            "forebay: x.rules: none of its 1 rules can be used; is this a rule file? The first: x.rules:2:"
        ),
        "{stderr}"
    );
    place.refused(
        &["replay", "t.pcap", "--config", "bad.toml"],
        &["forebay: bad.toml:1:11: unclosed table, expected `]`; correct the TOML syntax here"],
    );
    place.refused(
        &["replay", "t.pcap", "--out", "occupied"],
        &["forebay: occupied: not a folder; give --out another name"],
    );
}

#[test]
fn an_engine_that_cannot_start_leaves_nothing() {
    let place = Place::new();
    place
        .file("t.pcap", trace())
        .file("huge.toml", "[dataplane]\nhugepages = \"on\"\nmemory_mib = 1_000_000\n");
    let output = place.run(&["replay", "t.pcap", "--config", "huge.toml", "--out", "a/b"]);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.starts_with("forebay: huge.toml: not enough free 2 MiB huge pages"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert_eq!(names(place.0.path()), ["huge.toml", "t.pcap"]);
}

fn events(place: &Place, out: &str) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(place.path(out).join("eve.json")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn flows(place: &Place, out: &str) -> Vec<serde_json::Value> {
    events(place, out).into_iter().filter(|event| event["event_type"] == "flow").collect()
}

#[test]
fn a_replay_without_configuration_is_one_tenants() {
    let place = Place::new();
    place.file("t,comma.pcap", trace());
    let output = place.run(&["replay", "t,comma.pcap", "--json"]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(text(&output.stdout).lines().count(), 1);
    assert_eq!((&summary["packets"], &summary["bytes"]), (&6.into(), &300.into()));
    assert_eq!(summary["tenants"][0]["name"], "default");
    assert_eq!(summary["tenants"][0]["packets"], 6);
    assert_eq!(summary["tenants"][0]["not_inspected"], serde_json::json!({"non_ip": 1}));
    assert_eq!(summary["flows"], flows(&place, "forebay-out").len());
    assert_eq!(names(&place.path("forebay-out")), ["eve.json"]);
}

#[test]
fn a_configuration_divides_the_traffic() {
    let place = Place::new();
    place.file("t.pcap", trace()).file("f.toml", TENANTS);
    let output = place.run(&["replay", "t.pcap", "--config", "f.toml", "--out", "o", "--json"]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let tenants = summary["tenants"].as_array().unwrap();
    let packets: Vec<_> =
        tenants.iter().map(|tenant| (tenant["name"].as_str().unwrap(), &tenant["packets"])).collect();
    assert_eq!(packets, [("bank-east", &3.into()), ("bank-west", &2.into())]);
    assert_eq!(tenants[0]["not_inspected"], serde_json::json!({"non_ip": 1}));
    assert_eq!(tenants[1]["not_inspected"], serde_json::json!({"headers_only": 1, "shunt": 1}));

    let mut verdicts: Vec<_> = flows(&place, "o")
        .iter()
        .map(|flow| format!("{} {} {}", flow["tenant"], flow["src_ip"], flow["verdict"]).replace('"', ""))
        .collect();
    verdicts.sort();
    assert_eq!(
        verdicts,
        [
            "bank-east 10.0.0.1 pipeline:full",
            "bank-west 10.0.0.1 pipeline:default",
            "bank-west 10.0.0.2 shunt",
        ]
    );
}

#[test]
fn the_summary_for_people_says_the_same() {
    let place = Place::new();
    place.file("t.pcap", trace()).file("f.toml", TENANTS);
    let output = place.run(&["replay", "t.pcap", "--config", "f.toml"]);
    let stdout = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{stdout}{}", text(&output.stderr));
    assert!(!stdout.contains('\u{1b}'), "no colours into a pipe");
    for part in [
        "6 packets",
        "bank-east",
        "(no tenant)",
        "every packet accounted for: 6 packets in",
        "forebay-out/eve.json",
    ] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
}

#[test]
fn loops_and_workers_change_how_often_and_not_what() {
    let place = Place::new();
    place.file("t.pcap", trace()).file("f.toml", TENANTS);
    let run = |out: &str, more: &[&str]| {
        let arguments = [&["replay", "t.pcap", "--config", "f.toml", "--out", out, "--json"], more].concat();
        let output = place.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let once = run("once", &[]);
    let thrice = run("thrice", &["--loops", "3"]);
    for field in ["packets", "bytes", "flows"] {
        assert_eq!(thrice[field].as_u64(), once[field].as_u64().map(|number| 3 * number), "{field}");
    }
    run("again", &[]);
    let eve = |out: &str| fs::read(place.path(out).join("eve.json")).unwrap();
    assert_eq!(eve("once"), eve("again"), "the same replay gives the same bytes");
    run("two", &["--workers", "2"]);
    let sorted = |out: &str| {
        let mut flows: Vec<String> = flows(&place, out).iter().map(ToString::to_string).collect();
        flows.sort();
        flows
    };
    assert_eq!(sorted("once"), sorted("two"));
}

#[test]
fn a_truncated_capture_is_replayed_when_asked_for() {
    let place = Place::new();
    let whole = trace();
    place.file("cut.pcap", &whole[..whole.len() - 3]);
    let output = place.run(&["replay", "cut.pcap", "--accept-truncated", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).starts_with("forebay: warning: cut.pcap: cut short in packet 6"));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["packets"], 5);
}

#[test]
fn a_capture_without_packets_is_a_short_replay() {
    let place = Place::new();
    place.file("none.pcap", pcap(&[]));
    let output = place.run(&["replay", "none.pcap", "--json"]);
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["packets"], 0);
    assert!(flows(&place, "forebay-out").is_empty());
}

/// Packets and bytes of a little-endian capture, counted without any of the product's code.
fn count(bytes: &[u8]) -> (u64, u64) {
    let (mut packets, mut total, mut at) = (0, 0, 24);
    while at < bytes.len() {
        let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        (packets, total, at) = (packets + 1, total + len as u64, at + 16 + len);
    }
    (packets, total)
}

#[test]
fn a_real_capture_is_counted_exactly() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora");
    let corpora = std::env::var_os("FOREBAY_CORPORA").map_or_else(|| PathBuf::from(beside), PathBuf::from);
    let Ok(bytes) = fs::read(corpora.join("pcap/enterprise.pcap")) else {
        eprintln!("SKIPPED: no pcap/enterprise.pcap at {}; set FOREBAY_CORPORA", corpora.display());
        return;
    };
    let (packets, total) = count(&bytes);
    assert!(packets > 100_000);
    let place = Place::new();
    std::os::unix::fs::symlink(corpora.join("pcap/enterprise.pcap"), place.path("e.pcap")).unwrap();
    let summary = |out: &str, more: &[&str]| {
        let output = place.run(&[&["replay", "e.pcap", "--json", "--out", out], more].concat());
        assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    place.file("light.toml", "[[pipeline]]\nname = \"default\"\n");
    let light = summary("light", &["--config", "light.toml"]);
    let reasons = light["tenants"][0]["not_inspected"].as_object().unwrap();
    assert_eq!(reasons.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), packets);
    let once = summary("a", &[]);
    assert_eq!((once["packets"].as_u64(), once["bytes"].as_u64()), (Some(packets), Some(total)));
    assert_eq!(once["flows"].as_u64().unwrap(), flows(&place, "a").len() as u64);

    summary("b", &[]);
    let eve = |out: &str| fs::read(place.path(out).join("eve.json")).unwrap();
    assert!(eve("a") == eve("b"), "the same replay gives the same bytes");
    summary("c", &["--workers", "2"]);
    let sorted = |out: &str| {
        let mut lines: Vec<String> = text(&eve(out)).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert!(sorted("a") == sorted("c"), "two workers find the same flows");
}

/// A capture that takes long enough to replay for something to happen meanwhile.
fn long(place: &Place) {
    let frames: Vec<Vec<u8>> = (0..200).map(|host| datagram(101, host, false)).collect();
    place.file("long.pcap", pcap(&frames));
}

#[test]
fn an_interrupted_replay_keeps_its_part() {
    let place = Place::new();
    long(&place);
    let mut child =
        place.command(&["replay", "long.pcap", "--loops", "1000000"]).stderr(Stdio::piped()).spawn().unwrap();
    let part = place.path("forebay-out/eve.json.part");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while fs::metadata(&part).map_or(0, |metadata| metadata.len()) == 0 {
        assert!(std::time::Instant::now() < deadline, "no events in a minute");
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(
        stderr.starts_with("forebay: interrupted after ") && stderr.ends_with("forebay-out/eve.json.part\n"),
        "{stderr}"
    );
    assert_eq!(names(&place.path("forebay-out")), ["eve.json.part"]);
    let lines = fs::read_to_string(part).unwrap();
    assert!(
        lines.ends_with('\n')
            && lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok())
    );
}

#[test]
fn a_capture_that_shrinks_under_way_is_noticed() {
    let place = Place::new();
    long(&place);
    let child =
        place.command(&["replay", "long.pcap", "--loops", "1000000"]).stderr(Stdio::piped()).spawn().unwrap();
    let part = place.path("forebay-out/eve.json.part");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while fs::metadata(&part).map_or(0, |metadata| metadata.len()) == 0 {
        assert!(std::time::Instant::now() < deadline, "no events in a minute");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    fs::File::options().write(true).open(place.path("long.pcap")).unwrap().set_len(24 + 16 + 30).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        text(&output.stderr),
        "forebay: long.pcap: it was changed while it was replayed; replay a copy that nobody writes to\n"
    );
    assert_eq!(names(place.0.path()), ["long.pcap"]);
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let place = Place::new();
    place.file("t.pcap", trace());
    fs::create_dir(place.path("o")).unwrap();
    // Opening it works, writing to it never does.
    std::os::unix::fs::symlink("/dev/full", place.path("o/eve.json.part")).unwrap();
    let output = place.run(&["replay", "t.pcap", "--out", "o"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.contains("cannot write o/eve.json.part: No space left on device"), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(names(&place.path("o")).is_empty());
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let place = Place::new();
    let mut child =
        place.command(&["completion", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)));
}
