//! Links: what the documentation points to exists.

use crate::Finding;
use crate::tree::{File, Tree};

const CHECK: &str = "links";

/// Finds relative links in Markdown that lead nowhere, and mentions of `docs/….md` or `docs/….toml` in any text file
/// (a comment that names a decision record, say) that name no file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        if file.extension() == "md" {
            findings.extend(dead_links(file, tree));
        }
        findings.extend(dead_mentions(file, tree));
    }
    findings
}

fn dead_links(file: &File, tree: &Tree) -> Vec<Finding> {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    let mut in_code = false;
    for (number, line) in file.lines() {
        if line.trim_start().starts_with("```") {
            in_code = !in_code;
        }
        if in_code {
            continue;
        }
        for target in targets(line) {
            let path = target.split('#').next().unwrap_or("");
            if path.is_empty() || path.contains("://") || path.starts_with("mailto:") {
                continue;
            }
            if !resolve(folder, path).is_some_and(|path| path.is_empty() || tree.contains(&path)) {
                findings.push(finding(file, number, format!("links to {path}, which does not exist")));
            }
        }
    }
    findings
}

/// The targets of `[text](target)` and `[name]: target` in one line.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
    let reference =
        line.trim_start().strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, to)| to.trim());
    inline.chain(reference).collect()
}

/// `path` as seen from `folder`, without `.` and `..`; `None` when it leaves the repository.
fn resolve(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn dead_mentions(file: &File, tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in file.lines() {
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || "_-./".contains(c)));
        for word in words.map(|word| word.trim_end_matches('.')) {
            let extension = word.rsplit_once('.').map_or("", |(_, extension)| extension);
            let named = word.starts_with("docs/") && matches!(extension, "md" | "toml");
            if named && !word.contains("NNNN") && !tree.contains(word) {
                findings.push(finding(file, number, format!("names {word}, which does not exist")));
            }
        }
    }
    findings
}

fn finding(file: &File, line: usize, problem: String) -> Finding {
    Finding { check: CHECK, place: format!("{}:{line}", file.path), problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::from_pairs(files))
            .into_iter()
            .map(|finding| format!("{} {}", finding.place, finding.problem))
            .collect()
    }

    #[test]
    fn links_that_lead_somewhere_are_fine() {
        let map = "See [adr](adr/0001-a.md#why), [up](../README.md), [folder](adr/), [self](#here),\n\
                   [web](https://example.com/x).\n[ref]: ../README.md\n```\n[code](nowhere.md)\n```\n";
        let files =
            [("guide/map.md", map), ("guide/adr/0001-a.md", ""), ("README.md", "[map](guide/map.md)")];
        assert_eq!(problems(&files), Vec::<String>::new());
    }

    #[test]
    fn dead_links_are_found_with_their_line() {
        let map = "fine\n[a](adr/0009-gone.md) and [b](../../outside.md)\n[r]: gone.md\n";
        assert_eq!(
            problems(&[("guide/map.md", map)]),
            [
                "guide/map.md:2 links to adr/0009-gone.md, which does not exist",
                "guide/map.md:2 links to ../../outside.md, which does not exist",
                "guide/map.md:3 links to gone.md, which does not exist",
            ]
        );
    }

    #[test]
    fn a_comment_that_names_a_missing_record_is_found() {
        // Put together here, so that this file does not itself name one.
        let gone = ["docs", "adr", "0009-gone.md"].join("/");
        let text = format!("//! See `{gone}`.\n//! As docs/adr/NNNN-title.md says.\n");
        let found = problems(&[("crates/a/src/lib.rs", &text)]);
        assert_eq!(found, [format!("crates/a/src/lib.rs:1 names {gone}, which does not exist")]);
    }
}
