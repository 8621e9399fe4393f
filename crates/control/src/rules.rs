//! Rule files to compiled rules, and an account of every rule that is in them.
//!
//! In: a [`RuleSource`] (files, variables, classes). Out: [`Loaded`]. Tenants with the same rules, variables and classes
//! share one: what is compiled is found by a digest of what it was made from. A rule that is refused does not stop the
//! others; a file of which every rule is refused is probably no rule file, and is an error.

mod lookups;
mod side_files;
mod stamp;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use ::rules::ir::Rule;
use ::rules::{Classes, Duplicate, Environment, EnvironmentError, Position, Refusal};
use sha2::{Digest, Sha256};
use signature::{BuildError, Cache, Names, Refused, RuleSet, Setup, StateError};

use crate::config::{RuleCache, RuleSource};
use side_files::SideFiles;
pub(crate) use side_files::read as read_bounded;
use stamp::Stamp;

/// Largest rule file that is read, in bytes; the largest rule sets that are sold are a tenth of it.
pub const RULE_FILE_BYTES_MAX: u64 = 512 << 20;

/// What a rule file, or several, came to.
#[derive(Debug)]
pub struct Loaded {
    /// The rules, compiled.
    pub set: Arc<RuleSet>,
    /// Those that are not among them, in the order of the files.
    pub refused: Vec<RefusedRule>,
    /// Those that say themselves that they are not for this version.
    pub skipped: Vec<RefusedRule>,
    /// Those that are commented out.
    pub disabled: u64,
    /// Files that rules name.
    side_files: SideFiles,
}

impl Loaded {
    /// How many rules are in the set.
    pub fn count(&self) -> usize {
        self.set.rules().len()
    }
}

/// A rule that was not taken: where, which, why.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct RefusedRule {
    /// The file's place among those that were given.
    order: u32,
    /// Line of the fault, from 1.
    pub line: u32,
    /// Column of the fault in bytes, from 1.
    pub column: u32,
    /// The file.
    pub file: PathBuf,
    /// The rule's number, as far as it can be made out.
    pub sid: Option<u32>,
    /// The keyword at fault, if it is one.
    pub keyword: Option<String>,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl fmt::Display for RefusedRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file.display(), self.line, self.column)?;
        if let Some(sid) = self.sid {
            write!(f, "sid {sid}: ")?;
        }
        if let Some(keyword) = &self.keyword {
            write!(f, "{keyword}: ")?;
        }
        f.write_str(&self.reason)
    }
}

/// Why rules were not loaded at all.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A file cannot be read.
    #[error("{}: cannot be read: {source}; check the path and its permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is larger than any rule set.
    #[error("{}: larger than {RULE_FILE_BYTES_MAX} bytes; is this a rule file?", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A classification file.
    #[error("{}: {source}", path.display())]
    Classification {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: EnvironmentError,
    },
    /// A database of countries or a file about reputation.
    #[error("{}: {problem}; correct it or take it out of [inspection.data]", path.display())]
    Lookup {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A variable.
    #[error("{0}; correct it among the variables of the configuration")]
    Variable(EnvironmentError),
    /// Of a file that has rules, not one can be used.
    #[error("{}: none of its {refused} rules can be used; is this a rule file? The first: {first}", path.display())]
    NoneUsable {
        /// The file.
        path: PathBuf,
        /// Rules in it.
        refused: usize,
        /// The first of them.
        first: Box<RefusedRule>,
    },
    /// A set of data that is kept between runs.
    #[error(transparent)]
    Dataset(#[from] StateError),
    /// The rules cannot be compiled as a whole.
    #[error("rules cannot be compiled: {0}")]
    Compile(#[from] BuildError),
}

impl RulesError {
    /// The same with files called by other names.
    pub(crate) fn with_files_called(mut self, name: impl Fn(&Path) -> PathBuf) -> Self {
        match &mut self {
            Self::Read { path, .. }
            | Self::TooLarge { path }
            | Self::Classification { path, .. }
            | Self::Lookup { path, .. } => *path = name(path),
            Self::NoneUsable { path, first, .. } => {
                *path = name(path);
                first.file = name(&first.file);
            }
            Self::Variable(_) | Self::Dataset(_) | Self::Compile(_) => {}
        }
        self
    }
}

/// Loads rules, each set once. Lives as long as its engine: names in rules keep their meaning from generation to
/// generation.
#[derive(Debug)]
pub struct Loader {
    cache: Option<Cache>,
    names: Names,
    known: HashMap<[u8; 32], Weak<Loaded>>,
    /// By where they came from, with what the files looked like then: rules that nobody has touched are not read again.
    sources: HashMap<RuleSource, (Vec<Stamp>, Weak<Loaded>)>,
    /// Those that were loaded last, for who goes back to them.
    recent: VecDeque<Arc<Loaded>>,
}

/// Rule sets that are kept although nobody uses them.
const RECENT_MAX: usize = 2;

impl Loader {
    /// A loader that keeps compiled rules where `cache` says.
    pub fn new(cache: &RuleCache) -> Self {
        let folder = cache.folder.clone().or_else(cache_folder).filter(|_| cache.mib_max > 0);
        Self {
            cache: folder.map(|folder| Cache::new(folder, cache.mib_max << 20)),
            names: Names::default(),
            known: HashMap::new(),
            sources: HashMap::new(),
            recent: VecDeque::new(),
        }
    }

    /// Loads rules, or gives those that were loaded from the same text before.
    ///
    /// # Errors
    ///
    /// See [`RulesError`]. Rules that are refused one by one are in [`Loaded::refused`] instead.
    pub fn load(&mut self, source: &RuleSource) -> Result<Arc<Loaded>, RulesError> {
        // Looked at before reading: what changes meanwhile is seen next time.
        let stamps: Vec<Stamp> = source.paths().map(Stamp::of).collect();
        if let Some((known, loaded)) = self.sources.get(source)
            && let Some(loaded) = loaded.upgrade()
            && *known == stamps
            && loaded.side_files.are_as_read()
        {
            return Ok(loaded);
        }
        let loaded = self.load_text(source)?;
        self.sources.insert(source.clone(), (stamps, Arc::downgrade(&loaded)));
        self.recent.retain(|known| !Arc::ptr_eq(known, &loaded));
        self.recent.push_back(Arc::clone(&loaded));
        Ok(loaded)
    }

    fn load_text(&mut self, source: &RuleSource) -> Result<Arc<Loaded>, RulesError> {
        let texts = source.files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
        let classes = match &source.classification {
            None => None,
            Some(path) => Some((path, read(path)?)),
        };
        let lookups = lookups::Texts::read(source)?;
        let key = digest(source, &texts, classes.as_ref().map(|(_, text)| text.as_slice()), &lookups);
        // Files that rules name may have changed since.
        let known = self.known.get(&key).and_then(Weak::upgrade);
        if let Some(loaded) = known.filter(|loaded| loaded.side_files.are_as_read()) {
            return Ok(loaded);
        }
        let classes = match classes {
            None => Classes::default(),
            Some((path, text)) => Classes::parse(&String::from_utf8_lossy(&text))
                .map_err(|source| RulesError::Classification { path: path.clone(), source })?,
        };
        let environment = source.environment(classes).map_err(RulesError::Variable)?;
        let loaded = Arc::new(self.compile(source, &texts, &environment, lookups)?);
        self.known.insert(key, Arc::downgrade(&loaded));
        Ok(loaded)
    }

    /// Forgets rules that nobody uses any more, but for the last few.
    pub fn forget_unused(&mut self) {
        let surplus = self.recent.len().saturating_sub(RECENT_MAX);
        self.recent.drain(..surplus);
        self.known.retain(|_, loaded| loaded.strong_count() > 0);
        self.sources.retain(|_, (_, loaded)| loaded.strong_count() > 0);
    }

    fn compile(
        &self,
        source: &RuleSource,
        texts: &[Vec<u8>],
        environment: &Environment,
        lookups: lookups::Texts,
    ) -> Result<Loaded, RulesError> {
        let lookups = lookups.parse(source, environment)?;
        let files = source.files.as_slice();
        let (mut refused_rules, mut skipped) = (Vec::new(), Vec::new());
        let mut parsed_rules: Vec<Rule> = Vec::new();
        let mut disabled = 0;
        let mut good_in_file = Vec::with_capacity(files.len());
        for (number, text) in (0..).zip(texts) {
            let parsed = ::rules::parse_file(text, number, environment);
            good_in_file.push(parsed.rules.len());
            parsed_rules.extend(parsed.rules);
            refused_rules.extend(parsed.refused.into_iter().map(|refusal| of_refusal(files, refusal)));
            skipped.extend(parsed.skipped.into_iter().map(|refusal| of_refusal(files, refusal)));
            refused_rules.extend(parsed.duplicates.iter().map(|duplicate| of_duplicate(files, duplicate)));
            disabled += u64::from(parsed.disabled);
        }
        let duplicates = ::rules::drop_duplicates(&mut parsed_rules);
        ::rules::apply_thresholds(&lookups.thresholds, &mut parsed_rules);
        refused_rules.extend(duplicates.iter().map(|duplicate| of_duplicate(files, duplicate)));
        let side_files = RefCell::new(SideFiles::default());
        let read = |position: Position, path: &str| side_files.borrow_mut().read(files, position, path);
        let setup = Setup {
            cache: self.cache.as_ref(),
            files: Some(&read),
            states: source.dataset_folder.is_some(),
            countries: lookups.countries.as_ref(),
            reputations: lookups.reputations.as_ref(),
            ..Setup::new(&self.names)
        };
        let compiled = RuleSet::compile(parsed_rules, &setup)?;
        for Refused { rule, reason } in compiled.refused {
            if let Some(good) = good_in_file.get_mut(rule.position.file as usize) {
                *good -= 1;
            }
            let reason = reason.to_string();
            refused_rules.push(refused(files, rule.position, Some(rule.meta.sid), None, reason));
        }
        refused_rules.sort_unstable();
        skipped.sort_unstable();
        for ((path, good), number) in files.iter().zip(good_in_file).zip(0..) {
            let mut of_file = refused_rules.iter().filter(|refused| refused.order == number);
            if let Some(first) = of_file.next().filter(|_| good == 0) {
                let (path, refused) = (path.clone(), 1 + of_file.count());
                return Err(RulesError::NoneUsable { path, refused, first: Box::new(first.clone()) });
            }
        }
        Ok(Loaded {
            set: Arc::new(compiled.set),
            refused: refused_rules,
            skipped,
            disabled,
            side_files: side_files.into_inner(),
        })
    }
}

/// A rule that was not taken.
fn refused(
    files: &[PathBuf],
    position: Position,
    sid: Option<u32>,
    keyword: Option<String>,
    reason: String,
) -> RefusedRule {
    RefusedRule {
        order: position.file,
        line: position.line,
        column: position.column,
        file: files.get(position.file as usize).cloned().unwrap_or_default(),
        sid,
        keyword,
        reason,
    }
}

fn of_refusal(files: &[PathBuf], refusal: Refusal) -> RefusedRule {
    refused(files, refusal.position, refusal.sid, refusal.keyword, refusal.reason.to_string())
}

fn of_duplicate(files: &[PathBuf], duplicate: &Duplicate) -> RefusedRule {
    let kept = files.get(duplicate.kept.file as usize).map_or(Path::new(""), PathBuf::as_path);
    let reason = format!(
        "{}:{} has the same number and is used; give one of them another number or a higher rev",
        kept.display(),
        duplicate.kept.line
    );
    refused(files, duplicate.dropped, Some(duplicate.sid), Some("sid".to_owned()), reason)
}

fn read(path: &Path) -> Result<Vec<u8>, RulesError> {
    let error = |source| RulesError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).map_err(error)?.take(RULE_FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(error)?;
    if text.len() as u64 > RULE_FILE_BYTES_MAX {
        return Err(RulesError::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

/// A digest of everything that compiled rules depend on. Names of files are among it, because messages name them.
fn digest(
    source: &RuleSource,
    texts: &[Vec<u8>],
    classes: Option<&[u8]>,
    lookups: &lookups::Texts,
) -> [u8; 32] {
    let mut digest = Sha256::new();
    let mut part = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    };
    part(&(texts.len() as u64).to_le_bytes());
    for (path, text) in source.files.iter().zip(texts) {
        part(path.as_os_str().as_encoded_bytes());
        part(text);
    }
    part(&[u8::from(classes.is_some()), u8::from(source.dataset_folder.is_some())]);
    part(classes.unwrap_or_default());
    for variables in [&source.addresses, &source.ports] {
        part(&(variables.len() as u64).to_le_bytes());
        for (name, group) in variables {
            part(name.as_bytes());
            part(group.as_bytes());
        }
    }
    lookups.parts().for_each(&mut part);
    digest.finalize().into()
}

/// The folder for what can be made again: the system's for root, else the user's.
fn cache_folder() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    if std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        return Some(PathBuf::from("/var/cache/forebay"));
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("forebay"))
}
