//! File length: a source file that has grown too long wants a split.

use crate::Finding;
use crate::tree::{File, Tree};

/// The most lines a source file may have. The house rule is about 500; this is where it stops being a matter of taste.
pub const LINES_MAX: usize = 700;

const SOURCES: &[&str] = &["rs", "c", "h", "py", "sh"];

/// Finds source files and scripts of more than [`LINES_MAX`] lines.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let long = tree.files.iter().filter(|file| is_source(file)).filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > LINES_MAX).then(|| Finding {
            check: "length",
            place: file.path.clone(),
            problem: format!("has {lines} lines, more than {LINES_MAX}; split it by what its parts are for"),
        })
    });
    long.collect()
}

fn is_source(file: &File) -> bool {
    SOURCES.contains(&file.extension()) || file.text.starts_with("#!")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_source_file_over_the_limit_is_found() {
        let long = "x\n".repeat(LINES_MAX + 1);
        let just_right = "x\n".repeat(LINES_MAX);
        let script = format!("#!/bin/sh\n{long}");
        let tree = Tree::from_pairs(&[
            ("a/long.rs", &long),
            ("a/just_right.rs", &just_right),
            ("data.json", &long),
            ("scripts/long", &script),
        ]);
        let places: Vec<String> = check(&tree).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["a/long.rs", "scripts/long"]);
    }
}
