//! The golden tests of the reference's own verification suite, as far as the corpus has them: a capture, rules, settings,
//! and how many alerts with which fields there must be.
//!
//! `docs/suricata-verify.md` lists those that are known to fail, with the cause. A test that fails and is not in the list
//! fails the run, and so does one that is in the list and passes, so that the list stays true.
//!
//! `FOREBAY_VERIFY=NAME` runs one test, and prints what was expected and every alert.

#![allow(clippy::unwrap_used)]

mod expected;
mod settings;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longest that one replay may take; most take a tenth of a second.
const TIME_MAX: Duration = Duration::from_secs(60);

/// What became of one test: nothing, or why it failed.
type Verdict = Result<(), String>;

fn run(test: &Path, show: bool) -> Verdict {
    let read = |name: &str| fs::read_to_string(test.join(name)).unwrap_or_default();
    let expected: Value = serde_json::from_str(&read("expected.json")).map_err(|error| error.to_string())?;
    let place = tempfile::tempdir().unwrap();
    let yaml = (expected["suricata_yaml"] == true).then(|| read("suricata.yaml"));
    let config = settings::config(&expected["options"], yaml.as_deref(), &test.join("test.rules"))?;
    let (file, out) = (place.path().join("forebay.toml"), place.path().join("out"));
    fs::write(&file, &config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    command.arg("replay").arg(test.join("input.pcap")).arg("--config").arg(&file).arg("--out").arg(&out);
    // As the reference, which reads a damaged capture up to where the damage begins.
    command.args(["--json", "--accept-truncated"]).env("XDG_CACHE_HOME", place.path()).stdin(Stdio::null());
    let log = fs::File::create(place.path().join("log")).unwrap();
    let mut child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > TIME_MAX {
            child.kill().unwrap();
            child.wait().unwrap();
            return Err(format!("was not done in {} s", TIME_MAX.as_secs()));
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let log = fs::read_to_string(place.path().join("log")).unwrap();
    if show {
        println!("{config}\n{log}");
    }
    if !status.success() {
        let end = log.lines().last().unwrap_or_default().to_owned();
        return Err(format!("{status}: {end}"));
    }
    let events: Vec<Value> = fs::read_to_string(out.join("eve.json"))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| format!("no JSON: {error}: {line}")))
        .collect::<Result<_, _>>()?;
    if show {
        events.iter().filter(|event| event["event_type"] == "alert").for_each(|event| println!("{event}"));
    }
    let mut wrong: Vec<String> = Vec::new();
    for check in expected["alerts"].as_array().into_iter().flatten() {
        let found = events.iter().filter(|event| expected::matches(event, &check["match"])).count() as u64;
        if show || Some(found) != check["count"].as_u64() {
            let line = format!("{} of {}", found, check["count"]);
            let differs = if Some(found) == check["count"].as_u64() { "" } else { "wrong: " };
            if show {
                println!("{differs}{line} {}", check["match"]);
            }
            if !differs.is_empty() {
                let near = expected::nearest(&events, &check["match"]);
                wrong.push(format!("{line} alerts of {}{near}", expected::name(&check["match"])));
            }
        }
    }
    // A refused rule explains a missing alert.
    if let Some(refused) = log.lines().find(|line| line.contains("not loaded")).filter(|_| !wrong.is_empty())
    {
        wrong.push(refused.to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// The known failures with their causes: rows of the page's table that begin with a name in backquotes.
fn known() -> BTreeMap<String, String> {
    let page = include_str!("../../../../docs/suricata-verify.md");
    page.lines()
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
            Some((name.to_owned(), rest.trim_end_matches(" |").to_owned()))
        })
        .collect()
}

/// Runs all tests, a few at a time; verdicts by name.
fn run_all(tests: &[PathBuf]) -> BTreeMap<String, Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(BTreeMap::new());
    let at_once = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = test.file_name().unwrap().to_str().unwrap().to_owned();
                    let verdict = run(test, false);
                    verdicts.lock().unwrap().insert(name, verdict);
                }
            });
        }
    });
    verdicts.into_inner().unwrap()
}

#[test]
fn the_verification_suite_of_the_reference() {
    let Some(corpora) = testkit::corpora() else { return };
    let folder = corpora.join("suricata-verify");
    let Ok(entries) = fs::read_dir(&folder) else {
        eprintln!("SKIPPED: no suricata-verify at {}", corpora.display());
        return;
    };
    let mut tests: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    tests.sort();
    if let Ok(name) = std::env::var("FOREBAY_VERIFY") {
        run(&folder.join(name), true).unwrap_or_else(|wrong| panic!("{wrong}"));
        return;
    }
    let verdicts = run_all(&tests);
    let known = known();
    let mut problems: Vec<String> = Vec::new();
    for (name, verdict) in &verdicts {
        match (verdict, known.get(name)) {
            (Err(wrong), None) => problems.push(format!("{name}: {wrong}")),
            (Ok(()), Some(_)) => {
                problems.push(format!("{name}: passes; take it out of docs/suricata-verify.md"));
            }
            _ => {}
        }
    }
    for name in known.keys().filter(|name| !verdicts.contains_key(*name)) {
        problems.push(format!("{name}: docs/suricata-verify.md names it, and there is no such test"));
    }
    for (kind, is_evader) in [("http-evader", true), ("others", false)] {
        let of_kind = verdicts.iter().filter(|(name, _)| name.starts_with("http-evader") == is_evader);
        let (passed, all) =
            of_kind.fold((0, 0), |(passed, all), (_, v)| (passed + usize::from(v.is_ok()), all + 1));
        println!("{kind}: {passed} of {all} pass ({:.1} %)", 100.0 * passed as f64 / f64::from(all.max(1)));
    }
    assert!(problems.is_empty(), "{} surprises:\n{}", problems.len(), problems.join("\n"));
}
