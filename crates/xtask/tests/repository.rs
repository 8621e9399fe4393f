//! Every repository check, on this repository and, through git, on a made-up one.

use std::path::Path;
use std::process::Command;

use xtask::check_repository;
use xtask::tree::{Tree, TreeError};

#[test]
fn this_repository_keeps_its_promises() {
    let findings = check_repository(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("the checks run");
    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(list.is_empty(), "\n{}", list.join("\n"));
}

#[test]
fn the_tree_holds_what_git_would_track() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &str, bytes: &[u8]| std::fs::write(folder.path().join(path), bytes).expect("a file");
    write(".gitignore", b"/ignored\n");
    write("ignored", b"x");
    write("text", b"one\ntwo\n");
    write("bytes", b"\xff\xfe\x00");
    let made = Command::new("git").args(["init", "-q"]).current_dir(folder.path()).status().expect("git");
    assert!(made.success());

    let tree = Tree::read(folder.path()).expect("a tree");
    assert_eq!(tree.paths, [".gitignore", "bytes", "text"]);
    assert_eq!(tree.text_of("text"), Some("one\ntwo\n"));
    assert_eq!(tree.text_of("bytes"), None);
}

#[test]
fn outside_a_clone_the_error_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = Tree::read(folder.path()).expect_err("not a work tree");
    assert!(matches!(&error, TreeError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("run this in a clone"), "{error}");
}
