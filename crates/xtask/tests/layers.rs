//! The layer check refuses made-up graphs that are wrong, and accepts this workspace.

#![allow(clippy::expect_used)]

use std::path::Path;

use xtask::layers::check;
use xtask::workspace::{Crate, Dependency, Layer, Needed, Workspace};

fn member(name: &str, layer: Option<Layer>, dependencies: &[(&str, Needed)]) -> Crate {
    let dependency =
        |&(name, needed): &(&str, Needed)| Dependency { name: name.to_owned(), needed, third_party: false };
    Crate {
        name: name.to_owned(),
        folder: format!("crates/{name}"),
        layer,
        dependencies: dependencies.iter().map(dependency).collect(),
        roots: Vec::new(),
    }
}

fn numbered(name: &str, layer: u64, dependencies: &[(&str, Needed)]) -> Crate {
    member(name, Some(Layer::Numbered(layer)), dependencies)
}

fn dev(name: &str, dependencies: &[(&str, Needed)]) -> Crate {
    member(name, Some(Layer::Dev), dependencies)
}

/// The one finding that `crates` must give.
fn only_finding(crates: &[Crate]) -> String {
    let findings = check(crates);
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn downward_dependencies_and_dev_dependencies_are_fine() {
    let crates = [
        numbered("wire", 0, &[("testkit", Needed::ToTest), ("serde", Needed::ToBuild)]),
        numbered("flow", 1, &[("wire", Needed::ToBuild), ("wire", Needed::ToTest)]),
        numbered("dataplane", 3, &[("flow", Needed::ToBuild), ("wire", Needed::ToBuild)]),
        dev("testkit", &[("dataplane", Needed::ToBuild), ("trafficgen", Needed::ToBuild)]),
        dev("trafficgen", &[]),
    ];
    assert_eq!(check(&crates), []);
}

#[test]
fn an_upward_dependency_is_refused() {
    let crates = [numbered("wire", 0, &[("flow", Needed::ToBuild)]), numbered("flow", 1, &[])];
    let finding = only_finding(&crates);
    assert!(finding.starts_with("layers: wire: depends on flow: layer 1 is above layer 0"), "{finding}");
}

#[test]
fn a_sideways_dependency_is_refused() {
    let crates = [numbered("flow", 1, &[]), numbered("dpdk", 1, &[("flow", Needed::ToBuild)])];
    let finding = only_finding(&crates);
    assert!(finding.starts_with("layers: dpdk: depends on flow: both are in layer 1"), "{finding}");
}

#[test]
fn a_test_may_not_reach_upward_or_sideways_either() {
    for (from, to) in [(0, 1), (1, 1)] {
        let crates = [numbered("a", from, &[("b", Needed::ToTest)]), numbered("b", to, &[])];
        assert!(only_finding(&crates).starts_with("layers: a: depends on b: "));
    }
}

#[test]
fn a_crate_without_a_layer_is_refused() {
    let finding =
        only_finding(&[member("stray", None, &[("wire", Needed::ToBuild)]), numbered("wire", 0, &[])]);
    assert!(finding.starts_with("layers: stray: has no layer"), "{finding}");
}

#[test]
fn the_product_may_not_be_built_on_a_dev_crate() {
    let crates = [numbered("dataplane", 3, &[("trafficgen", Needed::ToBuild)]), dev("trafficgen", &[])];
    let finding = only_finding(&crates);
    assert!(finding.contains("make it a dev-dependency"), "{finding}");
}

#[test]
fn every_wrong_dependency_of_a_crate_is_found() {
    let crates = [
        numbered("a", 1, &[("b", Needed::ToBuild), ("c", Needed::ToBuild), ("d", Needed::ToBuild)]),
        numbered("b", 1, &[]),
        numbered("c", 2, &[]),
        numbered("d", 0, &[]),
    ];
    assert_eq!(check(&crates).len(), 2);
}

#[test]
fn layers_are_read_from_manifests() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n");
    let manifests = [
        ("low", "layer = 0", "[dependencies]\nhigh = { path = \"../high\" }\n"),
        ("high", "layer = 1", "[dev-dependencies]\ntools = { path = \"../tools\" }\n"),
        ("tools", "layer = \"dev\"", "[build-dependencies]\nlow = { path = \"../low\" }\n"),
        ("wrong", "layer = \"middle\"", ""),
    ];
    for (name, layer, dependencies) in manifests {
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
             [package.metadata.forebay]\n{layer}\n{dependencies}"
        );
        write(folder.path(), &format!("crates/{name}/Cargo.toml"), &manifest);
        write(folder.path(), &format!("crates/{name}/src/lib.rs"), "");
    }

    let workspace = Workspace::read(folder.path()).expect("a workspace");
    let mut findings: Vec<String> = check(&workspace.crates).iter().map(ToString::to_string).collect();
    findings.sort();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings.iter().any(|finding| finding.starts_with("layers: low: depends on high")));
    assert!(findings.iter().any(|finding| finding.starts_with("layers: wrong: has no layer")));
}

#[test]
fn this_workspace_depends_only_downward() {
    let workspace = Workspace::read(Path::new(env!("CARGO_MANIFEST_DIR"))).expect("this workspace");
    assert!(workspace.crates.iter().any(|member| member.name == "forebay-xtask"), "{workspace:?}");
    assert_eq!(check(&workspace.crates), []);
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}
