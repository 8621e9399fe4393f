//! Rules and settings of tenants, from the configuration to what the dataplane inspects by.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use app::Protocol;
use control::config::{self, Config, Document, RuleCache, RuleSource};
use control::inspection::inspections;
use control::rules::{Loader, RulesError};
use flow::stream::OverlapPolicy;

fn everything() -> Config {
    config::load(&rules("../everything.toml")).unwrap().config
}

fn rules(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/good/rules").join(name)
}

fn loader() -> Loader {
    Loader::new(&RuleCache { folder: None, mib_max: 0 })
}

fn source(files: &[PathBuf]) -> RuleSource {
    RuleSource { files: files.to_vec(), ..RuleSource::default() }
}

#[test]
fn every_setting_arrives() {
    let inspections = inspections(&everything(), &mut loader()).unwrap();
    let [east, rest] = inspections.tenants.as_slice() else { panic!("two tenants") };
    let stream = rest.stream;
    assert_eq!((stream.inline, stream.midstream, stream.async_oneside), (true, true, true));
    assert_eq!((stream.policy, stream.depth_bytes), (OverlapPolicy::OldLinux, 1000));
    assert_eq!((stream.segments_max, stream.bytes_max), (1001, 10_020));
    assert_eq!((stream.raw_chunk_bytes, stream.raw_overlap_bytes), (1004, 1005));
    assert_eq!(
        (rest.stream_bytes_max, rest.verify_checksums, rest.signature.alerts_max),
        (3 << 20, false, 100)
    );
    let alert = rest.alert;
    assert_eq!((alert.payload, alert.payload_printable, alert.payload_bytes_max), (true, true, 1006));
    assert_eq!((alert.packet, alert.metadata), (true, false));
    let forwarded = rest.forwarded.as_ref().unwrap();
    assert_eq!((forwarded.header.as_str(), forwarded.overwrite, forwarded.reverse), ("Client", true, false));
    assert_eq!(rest.midstream_policy, dataplane::ExceptionPolicy::PassFlow);
    assert_eq!(rest.encrypted, dataplane::Encrypted::Full);
    let analyze = &rest.analyze;
    assert!(!analyze.enabled.has(Protocol::Smb) && analyze.enabled.has(Protocol::Modbus));
    assert_eq!((analyze.limits.transactions_max, analyze.limits.http.transactions), (1008, 2010));
    let (request, response) = (analyze.limits.http.request_body, analyze.limits.http.response_body);
    assert_eq!((request.content, request.inspect_min, request.inspect_window), (2001, 2002, 2003));
    assert_eq!((response.content, response.inspect_min, response.inspect_window), (2004, 2005, 2006));
    let decompress = analyze.limits.http.decompress;
    assert_eq!((decompress.layers, decompress.lzma), (7, true));
    assert_eq!((decompress.lzma_memory, decompress.bomb_bytes), (20_080, 20_090));
    assert!(analyze.limits.http.double_decode_path && analyze.limits.http.double_decode_query);
    let files = analyze.limits.files;
    assert_eq!((files.content, files.inspect_min, files.inspect_window), (3001, 3002, 3003));
    assert!(
        analyze.ports.dns_tcp.has(1053) && analyze.ports.dns_tcp.has(2054) && !analyze.ports.dns_tcp.has(53)
    );
    assert!(!east.stream.midstream && !east.alert.packet && !east.analyze.limits.http.decompress.lzma);
    assert!(east.own.is_some() && rest.own.is_some());
}

/// A file that says nothing changes nothing.
#[test]
fn defaults_agree_with_those_of_the_crates_below() {
    let plain = Config::empty().with_default_tenant(&Document::default());
    let inspections = inspections(&plain, &mut loader()).unwrap();
    let [tenant] = inspections.tenants.as_slice() else { panic!("one tenant") };
    let default = dataplane::TenantInspection::default();
    assert_eq!((tenant.stream, tenant.stream_bytes_max), (default.stream, default.stream_bytes_max));
    assert_eq!((tenant.alert, tenant.signature), (default.alert, default.signature));
    assert_eq!(tenant.verify_checksums, default.verify_checksums);
    assert_eq!((&tenant.forwarded, tenant.midstream_policy), (&default.forwarded, default.midstream_policy));
    assert_eq!(tenant.analyze, default.analyze);
    assert_eq!(tenant.encrypted, default.encrypted);
    assert!(tenant.own.is_none() && tenant.policy.is_none() && inspections.rules.is_empty());
}

#[test]
fn every_rule_is_accounted_for() {
    let files = [rules("one.rules"), rules("two.rules")];
    let source = RuleSource { classification: Some(rules("classification.config")), ..source(&files) };
    let loaded = loader().load(&source).unwrap();
    let mut sids: Vec<u32> = loaded.set.rules().iter().map(|rule| rule.rule.meta.sid).collect();
    sids.sort_unstable();
    assert_eq!((sids, loaded.disabled, loaded.skipped.len()), (vec![1, 2], 1, 0));
    let shown: Vec<String> = loaded
        .refused
        .iter()
        .map(|refused| {
            refused.to_string().replace(&format!("{}/", rules("").parent().unwrap().display()), "")
        })
        .map(|line| line.replace("rules/", ""))
        .collect();
    assert_eq!(
        shown,
        [
            "two.rules:2:1: sid 1: sid: one.rules:2 has the same number and is used; give one of them another number or \
             a higher rev",
            "two.rules:3:52: sid 4: contents: unknown keyword",
        ]
    );
}

#[test]
fn the_same_rules_are_loaded_once() {
    let mut loader = loader();
    let source = source(&[rules("two.rules")]);
    let first = loader.load(&source).unwrap();
    assert!(Arc::ptr_eq(&first, &loader.load(&source).unwrap()));
    let mut other = source.clone();
    other.addresses.insert("HOME_NET".to_owned(), "10.0.0.0/8".to_owned());
    assert!(!Arc::ptr_eq(&first, &loader.load(&other).unwrap()), "other variables make other rules");
    // The last few are kept for who goes back to them.
    let unused = Arc::downgrade(&first);
    drop(first);
    loader.forget_unused();
    assert!(Arc::ptr_eq(&loader.load(&source).unwrap(), &unused.upgrade().unwrap()));
    for net in ["10.1.0.0/16", "10.2.0.0/16"] {
        other.addresses.insert("HOME_NET".to_owned(), net.to_owned());
        loader.load(&other).unwrap();
    }
    loader.forget_unused();
    assert!(unused.upgrade().is_none());

    // A file that has changed is read again, one that was only touched is the same rules.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.rules");
    let rule = |sid: u32| format!("alert tcp any any -> any any (content:\"x\"; sid:{sid};)\n");
    fs::write(&file, rule(1)).unwrap();
    let own = self::source(std::slice::from_ref(&file));
    let first = loader.load(&own).unwrap();
    fs::write(&file, rule(1)).unwrap();
    assert!(Arc::ptr_eq(&first, &loader.load(&own).unwrap()));
    fs::write(&file, rule(1) + &rule(2)).unwrap();
    assert_eq!(loader.load(&own).unwrap().count(), 2);

    let mut config = everything();
    config.tenants[0].inspection = config.tenants[1].inspection.clone();
    let shared = inspections(&config, &mut loader).unwrap();
    let set = |tenant: usize| &shared.tenants[tenant].own.as_ref().unwrap().rules;
    assert!(Arc::ptr_eq(set(0), set(1)));
    assert_eq!((shared.rules.len(), shared.rules_loaded(), shared.rules_refused()), (2, 3, 2));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |name: &str, text: &str| {
        fs::write(folder.join(name), text).unwrap();
        folder.join(name)
    };
    let bad = write("bad.rules", "alert nothing\nalert tcp any any -> any any (content:\"x\";)\n");
    let none = write("none.rules", "# nothing\n");
    let classes = write("classes", "config classification: a,b\n");
    let error = |source: &RuleSource| loader().load(source).map(|loaded| loaded.count()).unwrap_err();
    let shown = error(&source(&[rules("two.rules"), bad.clone()])).to_string();
    assert!(shown.starts_with(&format!("{}: none of its 2 rules can be used", bad.display())), "{shown}");
    let missing = folder.join("missing.rules");
    let shown = error(&source(std::slice::from_ref(&missing))).to_string();
    assert!(shown.starts_with(&format!("{}: cannot be read: No such file", missing.display())), "{shown}");
    let wrong = RuleSource { classification: Some(classes.clone()), ..source(&[]) };
    assert_eq!(
        error(&wrong).to_string(),
        format!("{}: line 1: expected 'config classification: name,description,priority'", classes.display())
    );
    assert_eq!(loader().load(&source(&[none])).unwrap().count(), 0);
    let mut loop_ = source(&[]);
    loop_.addresses.insert("A".to_owned(), "$A".to_owned());
    assert!(matches!(error(&loop_), RulesError::Variable(_)));
}

#[test]
fn compiled_rules_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let cache = RuleCache { folder: Some(folder.join("made")), mib_max: 1 };
    for _ in 0..2 {
        assert_eq!(Loader::new(&cache).load(&source(&[rules("two.rules")])).unwrap().count(), 2);
        assert!(fs::read_dir(folder.join("made")).unwrap().count() > 0);
    }
}
