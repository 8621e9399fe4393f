//! Real rule sets: exactly what Suricata 7.0.10 loads is loaded.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use rules::{Classes, Environment, Parsed, RefusalReason, parse_file};

fn corpora() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora");
    let folder = env::var_os("FOREBAY_CORPORA").map_or_else(|| PathBuf::from(default), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no corpora in {}; set FOREBAY_CORPORA", folder.display());
    None
}

fn parse(path: &Path, environment: &Environment) -> Parsed {
    let text = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    parse_file(&text, 0, environment)
}

#[test]
fn emerging_threats_loads_as_in_the_reference() {
    let Some(corpora) = corpora() else { return };
    let parsed = parse(&corpora.join("rules/et-open-2021-08.rules"), &Environment::default());
    // The three that Suricata 7.0.10 refuses: a sticky buffer without a condition.
    let refused: Vec<_> = parsed.refused.iter().filter_map(|refusal| refusal.sid).collect();
    assert_eq!(refused, [2_023_146, 2_014_302, 2_025_232], "{:?}", parsed.refused);
    assert_eq!((parsed.rules.len(), parsed.skipped.len(), parsed.duplicates.len()), (15_425, 0, 0));
    assert!(parsed.disabled > 8_000, "{}", parsed.disabled);
    for rule in &parsed.rules {
        assert!(!rule.meta.category.is_empty(), "{}", rule.meta.sid);
        assert!(rule.groups.iter().all(|group| !group.conditions.is_empty()), "{}", rule.meta.sid);
    }
}

#[test]
fn the_rules_of_the_golden_tests_load() {
    let Some(corpora) = corpora() else { return };
    // Events that only other versions of Suricata have; 7.0.10 passes over these rules, too.
    let unknown = [
        "dns.not_a_request",
        "dns.not_a_response",
        "http.request_line_missing_protocol",
        "tls.certificate_invalid_string",
        "tls.certificate_missing_element",
        "tls.certificate_unknown_element",
    ];
    let environment = Environment::default();
    let mut loaded = 0;
    let mut seen = BTreeSet::new();
    for entry in fs::read_dir(corpora.join("suricata-verify")).unwrap() {
        let path = entry.unwrap().path().join("test.rules");
        if !path.exists() {
            continue;
        }
        let parsed = parse(&path, &environment);
        loaded += parsed.rules.len();
        for refusal in &parsed.refused {
            let RefusalReason::Invalid { value, .. } = &refusal.reason else {
                panic!("{}: {refusal}", path.display())
            };
            assert_eq!(refusal.keyword.as_deref(), Some("app-layer-event"), "{}: {refusal}", path.display());
            assert!(unknown.contains(&value.as_str()), "{}: {refusal}", path.display());
            seen.insert(value.clone());
        }
    }
    assert!(loaded > 480, "{loaded}");
    assert!(!seen.is_empty());
}

#[test]
fn the_default_classes_are_those_of_the_usual_file() {
    let Some(corpora) = corpora() else { return };
    let text = fs::read_to_string(corpora.join("rules/classification.config")).unwrap();
    assert_eq!(Classes::parse(&text).unwrap(), Classes::default());
}
