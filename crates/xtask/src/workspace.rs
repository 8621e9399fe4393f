//! The workspace's crates and their direct dependencies, as `cargo metadata` tells them.

use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// Where a crate stands: `[package.metadata.forebay] layer` in its manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layer {
    /// `layer = N`: part of the product; may depend on lower numbers only.
    Numbered(u64),
    /// `layer = "dev"`: for tests, benches and the repository itself; never in the product.
    Dev,
}

/// What a dependency is needed for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Needed {
    /// `[dependencies]` or `[build-dependencies]`.
    ToBuild,
    /// `[dev-dependencies]`.
    ToTest,
}

/// One direct dependency.
#[derive(Clone, Debug)]
pub struct Dependency {
    /// The package's name.
    pub name: String,
    /// What for.
    pub needed: Needed,
    /// Whether it is fetched from a registry; else it is a crate of this workspace.
    pub third_party: bool,
}

/// One crate of the workspace.
#[derive(Clone, Debug)]
pub struct Crate {
    /// The package's name.
    pub name: String,
    /// Its folder relative to the repository, with `/` between parts.
    pub folder: String,
    /// Its declared layer; `None` when missing or neither a number nor `"dev"`.
    pub layer: Option<Layer>,
    /// Direct dependencies, in the manifest's order.
    pub dependencies: Vec<Dependency>,
    /// Root files of its libraries and binaries, relative to the repository.
    pub roots: Vec<String>,
}

/// The workspace.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The repository's folder.
    pub root: PathBuf,
    /// Its crates.
    pub crates: Vec<Crate>,
}

impl Workspace {
    /// Asks cargo for the workspace that `directory` is in; needs no network.
    ///
    /// # Errors
    /// When there is no workspace, or a manifest in it is broken.
    pub fn read(directory: &Path) -> Result<Self, cargo_metadata::Error> {
        let metadata = MetadataCommand::new().current_dir(directory).no_deps().exec()?;
        let root = metadata.workspace_root.into_std_path_buf();
        let crates = metadata.packages.iter().map(|package| read_crate(package, &root)).collect();
        Ok(Self { root, crates })
    }
}

fn read_crate(package: &Package, root: &Path) -> Crate {
    let dependencies = package.dependencies.iter().map(|dependency| Dependency {
        name: dependency.name.clone(),
        needed: if dependency.kind == DependencyKind::Development { Needed::ToTest } else { Needed::ToBuild },
        third_party: dependency.path.is_none(),
    });
    let roots = package.targets.iter().filter(|target| target.is_lib() || target.is_bin());
    Crate {
        name: package.name.to_string(),
        folder: relative(package.manifest_path.parent().map_or(Path::new(""), AsRef::as_ref), root),
        layer: read_layer(package),
        dependencies: dependencies.collect(),
        roots: roots.map(|target| relative(target.src_path.as_std_path(), root)).collect(),
    }
}

fn read_layer(package: &Package) -> Option<Layer> {
    let value = package.metadata.get("forebay")?.get("layer")?;
    match value.as_str() {
        Some("dev") => Some(Layer::Dev),
        Some(_) => None,
        None => value.as_u64().map(Layer::Numbered),
    }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned()
}
