//! `unsafe` stays in the crates that are there for it, and every other crate forbids it.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::Finding;
use crate::tree::{File, Tree};
use crate::workspace::Crate;

const CHECK: &str = "unsafe";

/// The folders in which `unsafe` may stand: the bindings, the safe layer over them, and the Hyperscan edge.
pub const UNSAFE_FOLDERS: &[&str] = &["crates/dpdk-sys", "crates/dpdk", "crates/signature"];

/// Finds `unsafe` outside [`UNSAFE_FOLDERS`], and libraries and binaries outside them that do not forbid it.
///
/// The attribute covers a library's or a binary's modules; the search for the word covers what it does not reach:
/// tests, benches, build scripts and fuzz targets.
pub fn check(crates: &[Crate], tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.extension() == "rs" && !may_be_unsafe(&file.path)) {
        findings.extend(check_file(file));
    }
    for root in crates.iter().filter(|member| !may_be_unsafe(&member.folder)).flat_map(|member| &member.roots)
    {
        let tokens = tree.text_of(root).and_then(|text| TokenStream::from_str(text).ok());
        if !tokens.is_some_and(forbids_unsafe_code) {
            let problem = "add `#![forbid(unsafe_code)]` under the module comment".to_owned();
            findings.push(Finding { check: CHECK, place: root.clone(), problem });
        }
    }
    findings
}

fn may_be_unsafe(path: &str) -> bool {
    UNSAFE_FOLDERS
        .iter()
        .any(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

fn check_file(file: &File) -> Vec<Finding> {
    let Ok(tokens) = TokenStream::from_str(&file.text) else {
        let problem = "is not Rust that can be read; fix its brackets and quotes".to_owned();
        return vec![Finding { check: CHECK, place: file.path.clone(), problem }];
    };
    let mut lines = Vec::new();
    find_unsafe(tokens, &mut lines);
    let finding = |line| Finding {
        check: CHECK,
        place: format!("{}:{line}", file.path),
        problem: format!("`unsafe` belongs in {}; offer a safe function there", UNSAFE_FOLDERS.join(", ")),
    };
    lines.into_iter().map(finding).collect()
}

fn find_unsafe(tokens: TokenStream, lines: &mut Vec<usize>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => find_unsafe(group.stream(), lines),
            TokenTree::Ident(word) if word == "unsafe" => lines.push(word.span().start().line),
            _ => {}
        }
    }
}

/// Whether the file has the inner attribute `#![forbid(… unsafe_code …)]` at its top level.
fn forbids_unsafe_code(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    tokens.windows(3).any(|window| match window {
        [TokenTree::Punct(hash), TokenTree::Punct(bang), TokenTree::Group(attribute)] => {
            hash.as_char() == '#'
                && bang.as_char() == '!'
                && attribute.delimiter() == Delimiter::Bracket
                && is_forbid_unsafe(attribute.stream())
        }
        _ => false,
    })
}

fn is_forbid_unsafe(attribute: TokenStream) -> bool {
    let mut tokens = attribute.into_iter();
    let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(lints))) = (tokens.next(), tokens.next()) else {
        return false;
    };
    name == "forbid"
        && lints
            .stream()
            .into_iter()
            .any(|token| matches!(token, TokenTree::Ident(lint) if lint == "unsafe_code"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(folder: &str) -> Crate {
        Crate {
            name: folder.to_owned(),
            folder: folder.to_owned(),
            layer: None,
            dependencies: Vec::new(),
            roots: vec![format!("{folder}/src/lib.rs")],
        }
    }

    fn places(crates: &[Crate], files: &[(&str, &str)]) -> Vec<String> {
        check(crates, &Tree::from_pairs(files)).into_iter().map(|finding| finding.place).collect()
    }

    const FORBIDS: &str = "//! A room.\n#![forbid(unsafe_code)]\npub mod a;\n";

    #[test]
    fn a_crate_that_forbids_unsafe_and_has_none_is_fine() {
        assert!(places(&[member("crates/wire")], &[("crates/wire/src/lib.rs", FORBIDS)]).is_empty());
    }

    #[test]
    fn a_root_without_the_attribute_is_found() {
        for text in [
            "pub mod a;",
            "// #![forbid(unsafe_code)]",
            "#![deny(unsafe_code)]",
            "#[forbid(unsafe_code)] mod a {}",
        ] {
            let found = places(&[member("crates/wire")], &[("crates/wire/src/lib.rs", text)]);
            assert_eq!(found, ["crates/wire/src/lib.rs"], "{text}");
        }
    }

    #[test]
    fn the_word_is_found_at_its_line_in_code_only() {
        let text = "// unsafe\nconst A: &str = \"unsafe\";\nfn f() {\n    unsafe { g() }\n}\n";
        assert_eq!(places(&[], &[("crates/wire/tests/t.rs", text)]), ["crates/wire/tests/t.rs:4"]);
    }

    #[test]
    fn the_crates_made_for_it_may_be_unsafe_but_not_their_namesakes() {
        let text = "unsafe fn f() {}";
        let files = [("crates/dpdk/src/lib.rs", text), ("crates/dpdk-extra/src/lib.rs", text)];
        assert_eq!(places(&[member("crates/dpdk")], &files), ["crates/dpdk-extra/src/lib.rs:1"]);
    }

    #[test]
    fn a_file_that_is_not_rust_is_found() {
        assert_eq!(places(&[], &[("crates/wire/src/a.rs", "fn f( {")]), ["crates/wire/src/a.rs"]);
    }
}
