//! From a file or a text to a checked configuration.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::inspection::check_files;
use super::problem::Problems;
use super::{Config, Document, LoadError, Problem, check, decode, warn};

/// Largest file that is read, in bytes: 100,000 steering rules are about 20 MB.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// A file that passed every check.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// What it means.
    pub config: Config,
    /// What it says, with every default filled in.
    pub document: Document,
    /// What is allowed and probably not meant, in file order.
    pub warnings: Vec<Problem>,
}

/// Reads and checks a configuration file.
///
/// # Errors
///
/// See [`LoadError`].
pub fn load(path: &Path) -> Result<Checked, LoadError> {
    let text = read(path)?;
    parse_in(&text, path.parent().unwrap_or(Path::new("")))
        .map_err(|problems| LoadError::Refused { path: path.to_owned(), problems })
}

/// Reads the text of a configuration file.
///
/// # Errors
///
/// See [`LoadError`].
pub fn read(path: &Path) -> Result<String, LoadError> {
    let read_error = |source| LoadError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(read_error)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(read_error)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(LoadError::TooLarge { path: path.to_owned(), limit_bytes: FILE_BYTES_MAX });
    }
    String::from_utf8(bytes).map_err(|error| {
        let problems = vec![not_text(error.as_bytes(), error.utf8_error().valid_up_to())];
        LoadError::Refused { path: path.to_owned(), problems }
    })
}

/// Checks the text of a configuration file that stands in `folder`, and whether the files that it names can be read.
///
/// # Errors
///
/// Every problem that was found, in file order; at least one.
pub fn parse_in(text: &str, folder: &Path) -> Result<Checked, Vec<Problem>> {
    parse(text).and_then(|checked| beside(checked, text, folder))
}

/// Looks for the files that the configuration names, from the folder that it stands in.
fn beside(mut checked: Checked, text: &str, folder: &Path) -> Result<Checked, Vec<Problem>> {
    let mut problems = Problems::new(text);
    check_files(&checked.document, folder, &mut problems);
    if !problems.is_empty() {
        return Err(problems.into_sorted());
    }
    checked.config.rebase(folder);
    Ok(checked)
}

/// Checks the text of a configuration file. Files that it names are not looked for, and their paths stay as they are.
///
/// # Errors
///
/// Every problem that was found, in file order; at least one.
pub fn parse(text: &str) -> Result<Checked, Vec<Problem>> {
    let mut problems = Problems::new(text);
    let Some(document) = decode::decode(text, &mut problems) else { return Err(problems.into_sorted()) };
    let config = check::check(&document, &mut problems);
    if !problems.is_empty() {
        return Err(problems.into_sorted());
    }
    let mut warnings = Problems::new(text);
    warn::warn(&document, &config, &mut warnings);
    Ok(Checked { config, document, warnings: warnings.into_sorted() })
}

fn not_text(bytes: &[u8], valid_bytes: usize) -> Problem {
    let before = bytes.get(..valid_bytes).unwrap_or_default();
    let text = String::from_utf8_lossy(before);
    let mut problems = Problems::new(&text);
    problems.add(&(text.len()..text.len()), "this byte is not UTF-8 text", "save the file as UTF-8");
    problems.into_sorted().remove(0)
}
