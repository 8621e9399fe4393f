//! The rules that people have, compiled.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::time::Instant;

use signature::{Cache, Names, RuleSet, Setup};

fn corpora() -> Option<PathBuf> {
    let folder = std::env::var_os("FOREBAY_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpora")),
        PathBuf::from,
    );
    folder.is_dir().then_some(folder)
}

#[test]
fn emerging_threats_compile_whole_and_come_back_from_the_cache() {
    let Some(corpora) = corpora() else {
        eprintln!("SKIPPED: the corpora are not here");
        return;
    };
    let text = std::fs::read(corpora.join("rules/et-open-2021-08.rules")).unwrap();
    let parsed = rules::parse_file(&text, 0, &rules::Environment::default());
    assert_eq!(parsed.rules.len(), 15_425);
    let folder = tempfile::tempdir().unwrap();
    let mut took = Vec::new();
    for expected in [false, true] {
        let cache = Cache::new(folder.path(), 1 << 30);
        let start = Instant::now();
        let compiled = RuleSet::compile(
            parsed.rules.clone(),
            &Setup { cache: Some(&cache), ..Setup::new(&Names::default()) },
        )
        .unwrap();
        took.push(start.elapsed());
        for refused in &compiled.refused {
            eprintln!("sid {}: {}", refused.rule.meta.sid, refused.reason);
        }
        assert!(compiled.refused.is_empty(), "{} refused", compiled.refused.len());
        let (hits, misses) = cache.hits_and_misses();
        assert_eq!((hits > 0, misses == 0), (expected, expected));
        let bytes = compiled.set.database_bytes();
        assert!(bytes < 64 << 20, "the databases take {bytes} bytes");
        let without = compiled.set.rules().iter().filter(|rule| rule.chosen.is_none()).count();
        eprintln!("{bytes} bytes, {without} rules without a fast pattern, {:?}", took.last());
    }
}
