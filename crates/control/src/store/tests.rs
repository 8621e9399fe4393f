use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{GENERATIONS_MAX, Generation, Store, StoreError, rule_file_name};

fn generation(number: u32, text: &str) -> Generation {
    Generation {
        number,
        at_us: 1,
        who: "alice".to_owned(),
        what: format!("change {number}"),
        text: text.to_owned(),
    }
}

/// A configuration file with text `one`, and a store that knows it as generation 1.
fn begun() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("forebay.toml");
    fs::write(&config, "one").unwrap();
    let mut store = Store::open(&folder.path().join("state"), &config).unwrap();
    assert_eq!(store.next_number(), 1);
    store.record(generation(1, "one")).unwrap();
    (folder, store)
}

fn reopen(folder: &Path) -> Store {
    Store::open(&folder.join("state"), &folder.join("forebay.toml")).unwrap()
}

fn numbers(store: &Store) -> Vec<u32> {
    store.entries().iter().map(|entry| entry.number).collect()
}

#[test]
fn a_generation_replaces_the_file_and_is_kept() {
    let (folder, mut store) = begun();
    let config = folder.path().join("forebay.toml");
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    store.commit(generation(2, "two")).unwrap();
    assert_eq!(fs::read_to_string(&config).unwrap(), "two");
    assert_eq!(fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o600);
    drop(store);
    let store = reopen(folder.path());
    assert_eq!(numbers(&store), [1, 2]);
    assert_eq!(store.generation(1).unwrap(), generation(1, "one"));
    assert!(matches!(store.generation(7), Err(StoreError::NoGeneration { number: 7 })));
    assert_eq!(store.next_number(), 3);
}

#[test]
fn a_crash_leaves_the_old_text_or_the_new_one_and_a_history_that_agrees() {
    // Before the file was replaced: the change has not happened.
    let (folder, store) = begun();
    store.begin(&generation(2, "two")).unwrap();
    drop(store);
    let store = reopen(folder.path());
    assert_eq!(numbers(&store), [1]);
    assert_eq!(store.next_number(), 2);
    drop(store);

    // After it was replaced: it has.
    let (folder, store) = begun();
    store.begin(&generation(2, "two")).unwrap();
    fs::write(folder.path().join("forebay.toml"), "two").unwrap();
    drop(store);
    let store = reopen(folder.path());
    assert_eq!(numbers(&store), [1, 2]);
    assert_eq!(store.generation(2).unwrap().text, "two");
    drop(store);

    // Leftovers of files that were being written are gone, and are nobody's generation.
    let parts = ["state/generations/pending.json.part", "state/files/x-00.rules.part"];
    for part in parts {
        fs::write(folder.path().join(part), "{\"num").unwrap();
    }
    fs::write(folder.path().join("state/generations/pending.json"), "{\"num").unwrap();
    let store = reopen(folder.path());
    assert_eq!(numbers(&store), [1, 2]);
    assert!(parts.iter().all(|part| !folder.path().join(part).exists()));
}

#[test]
fn one_daemon_has_it_at_a_time() {
    let (folder, store) = begun();
    let second = Store::open(&folder.path().join("state"), &folder.path().join("forebay.toml"));
    assert!(matches!(second, Err(StoreError::InUse { .. })));
    drop(store);
    reopen(folder.path());
}

#[test]
fn old_generations_are_forgotten_and_files_with_them() {
    let (_folder, mut store) = begun();
    let kept = store.keep_file("local.rules", b"alert ip any any -> any any (sid:1;)").unwrap();
    let other = store.keep_file("../../etc/other file", b"x").unwrap();
    assert_eq!(rule_file_name(&kept), "local.rules");
    assert_eq!(rule_file_name(&other), "other_file.rules");
    assert_eq!(other.parent(), Some(store.files().as_path()));
    assert_eq!(store.keep_file("local.rules", b"alert ip any any -> any any (sid:1;)").unwrap(), kept);
    let text = format!("rules = [\"{}\"]", kept.display());
    store.commit(generation(2, &text)).unwrap();
    store.forget_files("");
    assert!(kept.exists() && !other.exists());
    for number in 3..=GENERATIONS_MAX as u32 + 2 {
        store.commit(generation(number, "none")).unwrap();
    }
    assert_eq!(store.entries().len(), GENERATIONS_MAX);
    assert!(matches!(store.generation(2), Err(StoreError::NoGeneration { .. })));
    store.forget_files(&text);
    assert!(kept.exists(), "what runs names it");
    store.forget_files("");
    assert!(!kept.exists());
}

#[test]
fn names_that_people_gave_stay_as_they_are() {
    assert_eq!(rule_file_name(Path::new("/etc/forebay/rules/emerging-all.rules")), "emerging-all.rules");
    assert_eq!(rule_file_name(Path::new("rules/x-0123.rules")), "x-0123.rules");
}
