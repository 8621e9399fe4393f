//! Layers: a crate depends only on crates of a lower layer.

use crate::Finding;
use crate::workspace::{Crate, Layer, Needed};

const CHECK: &str = "layers";

/// Finds crates without a layer, and dependencies that point upward, sideways, or from the product to a dev crate.
///
/// A dev-dependency may reach any dev crate, and any lower crate. A dev crate may depend on anything.
pub fn check(crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for from in crates {
        let Some(layer) = from.layer else {
            findings.push(finding(
                from,
                "has no layer; add `layer = N` or `layer = \"dev\"` under [package.metadata.forebay]"
                    .to_owned(),
            ));
            continue;
        };
        let Layer::Numbered(number) = layer else { continue };
        for dependency in &from.dependencies {
            let target = crates.iter().find(|candidate| candidate.name == dependency.name);
            let Some(Some(target)) = target.map(|target| target.layer) else { continue };
            if let Some(wrong) = judge(number, target, dependency.needed) {
                findings.push(finding(from, format!("depends on {}: {wrong}", dependency.name)));
            }
        }
    }
    findings
}

/// What is wrong with a dependency of a crate in layer `from` on a crate in layer `to`.
fn judge(from: u64, to: Layer, needed: Needed) -> Option<String> {
    match (to, needed) {
        (Layer::Dev, Needed::ToBuild) => {
            Some("a dev crate is for tests only; make it a dev-dependency".to_owned())
        }
        (Layer::Numbered(to), _) if to == from => {
            Some(format!("both are in layer {from}; move what they share to a lower layer"))
        }
        (Layer::Numbered(to), _) if to > from => {
            Some(format!("layer {to} is above layer {from}; turn the dependency round or pass a trait down"))
        }
        (Layer::Dev | Layer::Numbered(_), _) => None,
    }
}

fn finding(from: &Crate, problem: String) -> Finding {
    Finding { check: CHECK, place: from.name.clone(), problem }
}
