//! Sets of data that are kept between runs: each tenant's in a folder of its own.
//!
//! In: the folder, and files as rules name them. Out: what is in them before a run, and what is to be in them after it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::inspection::Inspections;
use crate::rules::read_bounded;

/// A set that could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("{}: the dataset cannot be written: {source}; make room or correct the permissions", path.display())]
pub struct KeepError {
    /// The file.
    path: PathBuf,
    /// What the system said.
    source: io::Error,
}

/// What the file of a tenant's set holds; `None`: there is none yet.
pub(crate) fn read(folder: &Path, tenant: &str, file: &str) -> io::Result<Option<Vec<u8>>> {
    match read_bounded(&folder.join(tenant).join(file)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the sets that are kept between runs. A file is replaced whole or not at all.
///
/// # Errors
///
/// The first file that cannot be written; those before it are.
pub fn keep(config: &Config, inspections: &Inspections) -> Result<(), KeepError> {
    for (tenant, inspection) in config.tenants.iter().zip(&inspections.tenants) {
        let name = tenant.name.as_str();
        let own = (&tenant.inspection.rules, name.to_owned(), &inspection.own);
        let policy = (&config.policy.rules, of_policy(name), &inspection.policy);
        for (source, of_tenant, layer) in [own, policy] {
            let (Some(folder), Some(layer)) = (&source.dataset_folder, layer) else { continue };
            for (file, text) in layer.hosts.datasets().states() {
                let path = folder.join(&of_tenant).join(file);
                write(&path, &text).map_err(|source| KeepError { path, source })?;
            }
        }
    }
    Ok(())
}

/// The folder of what the policy's rules keep of a tenant; no tenant can have its name.
pub(crate) fn of_policy(tenant: &str) -> String {
    format!("{tenant}.policy")
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    fs::write(&part, text)?;
    fs::rename(&part, path)
}
