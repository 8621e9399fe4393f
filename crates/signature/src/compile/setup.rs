//! What rules are compiled with beside their own text: names, the cache, and the files that they speak of.

use std::io;
use std::sync::Arc;

use rules::Position;

use crate::cache::Cache;
use crate::lookup::{Countries, Reputations};
use crate::names::Names;
use crate::verify::CompileError;

/// Reads a file that the rule at a position names, relative to the file that the rule stands in.
pub type ReadFile<'a> = dyn Fn(Position, &str) -> io::Result<Vec<u8>> + 'a;

/// What rules are compiled with.
#[derive(Clone, Copy)]
pub struct Setup<'a> {
    /// Numbers of flowbits and their kin.
    pub names: &'a Names,
    /// Where databases are kept; `None`: nowhere.
    pub cache: Option<&'a Cache>,
    /// How files are read that rules name; `None`: rules that name any are refused.
    pub files: Option<&'a ReadFile<'a>>,
    /// Whether there is a place where sets of data are kept between runs; if not, rules that want that are refused.
    pub states: bool,
    /// Countries of addresses; `None`: rules that ask for them are refused.
    pub countries: Option<&'a Arc<Countries>>,
    /// Reputation of addresses; `None`: rules that ask for it are refused.
    pub reputations: Option<&'a Arc<Reputations>>,
}

impl<'a> Setup<'a> {
    /// With nothing beside the rules.
    pub const fn new(names: &'a Names) -> Self {
        Self { names, cache: None, files: None, states: false, countries: None, reputations: None }
    }

    /// The contents of a file that a rule names.
    pub(crate) fn read(&self, position: Position, path: &str) -> Result<Vec<u8>, CompileError> {
        let fault = |problem: String| CompileError::File { path: path.to_owned(), problem };
        let read = self.files.ok_or_else(|| fault("no files can be read here".to_owned()))?;
        read(position, path).map_err(|error| fault(format!("cannot be read: {error}")))
    }
}

impl std::fmt::Debug for Setup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("cache", &self.cache).finish_non_exhaustive()
    }
}
