//! `forebay rules`, and replays with rules.

use std::fs;
use std::path::Path;

use super::place::{Place, TENANTS, datagram, pcap, text, trace};

const RULES: &str = r#"# Two good rules, one of them without a word of its own, and three that are not.
alert udp $HOME_NET any -> any 53 (msg:"asks for data"; content:"DATA"; nocase; classtype:bad-unknown; reference:url,example.com; sid:1; rev:3;)
alert udp any 53 -> any any (msg:"any answer"; sid:2;)
alert udp any any -> any any (msg:"no such keyword"; contents:"x"; sid:3;)
alert udp any any -> any any (msg:"no such variable"; sid:4; content:"x"; byte_test:1,=,1,nowhere;)
# alert udp any any -> any any (msg:"switched off"; sid:5;)
alert udp any any -> any any (msg:"again"; sid:2;)
"#;

#[test]
fn rules_are_checked() {
    let place = Place::new();
    place.file("some.rules", RULES).file("good.rules", RULES.lines().take(3).collect::<Vec<_>>().join("\n"));
    let good = place.run(&["rules", "check", "good.rules"]);
    assert_eq!((text(&good.stderr).as_str(), good.status.code()), ("", Some(0)));
    assert_eq!(text(&good.stdout), "2 rules loaded, 0 refused\n");

    let some = place.run(&["rules", "check", "some.rules"]);
    assert_eq!(
        (text(&some.stdout).as_str(), some.status.code()),
        ("2 rules loaded, 3 refused, 1 disabled\n", Some(1))
    );
    let lines: Vec<String> = text(&some.stderr).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines[0].starts_with("forebay: some.rules:4:54: sid 3: contents: "), "{lines:?}");
    assert!(
        lines[1].starts_with("forebay: some.rules:5:") && lines[1].contains("sid 4: byte_test: "),
        "{lines:?}"
    );
    assert!(
        lines[2].starts_with("forebay: some.rules:7:1: sid 2: sid: some.rules:3 has the same number"),
        "{lines:?}"
    );

    let json = place.run(&["rules", "check", "some.rules", "--json"]);
    assert_eq!(json.status.code(), Some(1));
    let answer: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&answer["loaded"], &answer["disabled"]), (&2.into(), &1.into()));
    let failed: Vec<_> =
        answer["failed"].as_array().unwrap().iter().map(|rule| (&rule["sid"], &rule["line"])).collect();
    assert_eq!(failed, [(&3.into(), &4.into()), (&4.into(), &5.into()), (&2.into(), &7.into())]);
    assert!(
        answer["failed"]
            .as_array()
            .unwrap()
            .iter()
            .all(|rule| rule["reason"].as_str().is_some_and(|r| !r.is_empty()))
    );

    place.refused(
        &["rules", "check", "none.rules"],
        &["forebay: none.rules: cannot be read: No such file or directory (os error 2); check the path and its permissions"],
    );
    place.file("classes", "config classification: other,Other,1\n");
    let other = place.run(&["rules", "check", "good.rules", "--classification", "classes", "--json"]);
    let answer: serde_json::Value = serde_json::from_slice(&other.stdout).unwrap();
    assert_eq!(answer["loaded"].as_u64().unwrap() + answer["failed"].as_array().unwrap().len() as u64, 2);
}

/// With `FOREBAY_BLESS=1` the expected texts are written anew; read the difference before committing it.
#[test]
fn rules_are_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/explain");
    let rules = fs::read_to_string(folder.join("test.rules")).unwrap();
    let place = Place::new();
    place.file("test.rules", &rules).file("some.rules", RULES);
    for sid in ["1", "2", "3", "4", "5"] {
        let output = place.run(&["rules", "explain", "test.rules", sid, "--var", "HOME_NET=10.0.0.0/8"]);
        assert_eq!((text(&output.stderr).as_str(), output.status.code()), ("", Some(0)), "{sid}");
        let path = folder.join(format!("{sid}.txt"));
        if std::env::var_os("FOREBAY_BLESS").is_some() {
            fs::write(&path, &output.stdout).unwrap();
        }
        assert_eq!(text(&output.stdout), fs::read_to_string(&path).unwrap_or_default(), "{sid}");
    }
    place.refused(
        &["rules", "explain", "some.rules", "5"],
        &["forebay: some.rules: it has no rule 5 that is not commented out"],
    );
    let output = place.run(&["rules", "explain", "some.rules", "3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).starts_with("forebay: some.rules:4:54: sid 3: contents: "));
}

#[test]
fn a_replay_with_rules_tells_of_rules_and_alerts() {
    let place = Place::new();
    place.file("t.pcap", trace()).file("some.rules", RULES).file(
        "f.toml",
        format!("{TENANTS}\n[inspection]\nrules = [\"some.rules\"]\ncache = \"cache\"\n")
            .replace("\"checksum\"", "\"ids\""),
    );
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        let output = command.env("XDG_CACHE_HOME", place.path("user-cache")).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(
            text(&output.stderr).starts_with("forebay: warning: 3 of 5 rules are not loaded"),
            "{}",
            text(&output.stderr)
        );
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let alone = run(&["replay", "t.pcap", "--rules", "some.rules", "--json", "--out", "a"]);
    assert_eq!((&alone["rules"]["loaded"], &alone["rules"]["failed"]), (&2.into(), &3.into()));
    assert!(alone["rules_load_seconds"].as_f64().unwrap() > 0.0);
    // Four questions and one answer; the third tenant's too.
    assert_eq!((&alone["alerts"], &alone["tenants"][0]["alerts"]), (&5.into(), &5.into()));
    let alerts = |out: &str| {
        let events = fs::read_to_string(place.path(out).join("eve.json")).unwrap();
        events.lines().filter(|line| line.contains("\"event_type\":\"alert\"")).count()
    };
    assert_eq!(alerts("a"), 5);
    let divided = run(&["replay", "t.pcap", "--config", "f.toml", "--json", "--out", "b"]);
    let of_tenants: Vec<_> =
        divided["tenants"].as_array().unwrap().iter().map(|tenant| tenant["alerts"].clone()).collect();
    assert_eq!(
        (of_tenants, alerts("b")),
        (vec![2.into(), 0.into()], 2),
        "only bank-east's flows go through `ids`"
    );
    assert!(
        fs::read_dir(place.path("cache")).unwrap().count() > 0,
        "compiled rules are kept beside the configuration"
    );
}

#[test]
fn a_capture_of_another_link_type_is_replayed_with_ethernet_headers() {
    let place = Place::new();
    let mut raw = pcap(&[datagram(0, 1, false)[14..].to_vec(), datagram(0, 1, true)[14..].to_vec()]);
    raw[20] = 101;
    place.file("raw.pcap", raw);
    let output = place.run(&["replay", "raw.pcap", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stderr),
        "forebay: warning: raw.pcap: its link type is raw IP (101); packets are replayed with Ethernet headers, which \
         count among their bytes\n"
    );
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&summary["packets"], &summary["bytes"], &summary["flows"]),
        (&2.into(), &92.into(), &1.into())
    );
}
