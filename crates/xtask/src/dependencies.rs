//! Third-party crates: each one is explained.

use std::collections::BTreeMap;

use crate::Finding;
use crate::tree::Tree;
use crate::workspace::Crate;

const PAGE: &str = "docs/dependencies.md";

/// Finds direct third-party dependencies that `docs/dependencies.md` does not name in a table row of their own, and
/// rows there for crates that nobody uses any more.
pub fn check(crates: &[Crate], tree: &Tree) -> Vec<Finding> {
    let mut used: BTreeMap<&str, &str> = BTreeMap::new();
    for member in crates {
        for dependency in member.dependencies.iter().filter(|dependency| dependency.third_party) {
            used.entry(&dependency.name).or_insert(&member.name);
        }
    }
    let explained: Vec<&str> = tree.text_of(PAGE).map(rows).unwrap_or_default();
    let missing = used.iter().filter(|(name, _)| !explained.contains(name)).map(|(name, user)| Finding {
        check: "dependencies",
        place: (*user).to_owned(),
        problem: format!("uses {name}, which {PAGE} does not explain; add a row that says why"),
    });
    let unused = explained.iter().filter(|name| !used.contains_key(*name)).map(|name| Finding {
        check: "dependencies",
        place: PAGE.to_owned(),
        problem: format!("explains {name}, which no crate uses; delete its row"),
    });
    missing.chain(unused).collect()
}

/// The crate names in backticks that open the rows of the page's tables.
fn rows(page: &str) -> Vec<&str> {
    page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{Dependency, Needed};

    fn member(dependency: &str, third_party: bool) -> Crate {
        let dependency = Dependency { name: dependency.to_owned(), needed: Needed::ToBuild, third_party };
        Crate {
            name: "forebay-a".to_owned(),
            folder: "crates/a".to_owned(),
            layer: None,
            dependencies: vec![dependency],
            roots: Vec::new(),
        }
    }

    #[test]
    fn an_unexplained_and_an_unused_crate_are_found() {
        let tree = Tree::from_pairs(&[(
            PAGE,
            "| crate | why |\n|---|---|\n| `toml` | the file |\n| `rand` | x |\n",
        )]);
        let crates = [member("toml", true), member("serde", true), member("forebay-wire", false)];
        let problems: Vec<String> =
            check(&crates, &tree).into_iter().map(|finding| finding.problem).collect();
        assert_eq!(
            problems,
            [
                format!("uses serde, which {PAGE} does not explain; add a row that says why"),
                "explains rand, which no crate uses; delete its row".to_owned(),
            ]
        );
    }

    #[test]
    fn without_the_page_nothing_is_explained() {
        assert_eq!(check(&[member("toml", true)], &Tree::default()).len(), 1);
    }
}
