//! How a tenant is inspected, once what it does not say is taken from `[inspection]`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use rules::{Classes, Environment, EnvironmentError};
use toml::Spanned;

use super::problem::Problems;
use super::schema::{self, Alerts, Data, Document, Protocols, Stream, Variables};
use super::value::Variable;

/// How a tenant's traffic is inspected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inspection {
    /// Its rules.
    pub rules: RuleSource,
    /// What its rules ask beside the traffic, as written.
    pub data: Data,
    /// How its TCP connections are followed.
    pub stream: Stream,
    /// What its alerts carry.
    pub alerts: Alerts,
    /// Its application protocols.
    pub protocols: Protocols,
    /// Bits and counters that its rules may keep of hosts.
    pub host_entries_max: usize,
    /// Whether the cost of each rule is noted; no file says so.
    pub profile: bool,
    /// Link type of the captures that its frames come from, if it is not Ethernet.
    pub link_type: Option<u32>,
}

/// Where rules come from, and what they are read with.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RuleSource {
    /// Rule files, in their order.
    pub files: Vec<PathBuf>,
    /// A classification.config; the usual classes if there is none.
    pub classification: Option<PathBuf>,
    /// Variables for addresses on top of the usual ones, by name without `$`.
    pub addresses: BTreeMap<String, String>,
    /// Variables for ports on top of the usual ones.
    pub ports: BTreeMap<String, String>,
    /// Folder in which sets of data are kept between runs, each tenant's in one of its own.
    pub dataset_folder: Option<PathBuf>,
    /// Database of countries.
    pub geoip_database: Option<PathBuf>,
    /// Categories of reputation.
    pub reputation_categories: Option<PathBuf>,
    /// How often rules may speak: a `threshold.config`.
    pub thresholds: Option<PathBuf>,
    /// Reputation of addresses.
    pub reputation_files: Vec<PathBuf>,
}

/// Where compiled rules are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuleCache {
    /// The folder; the user's cache folder if there is none.
    pub folder: Option<PathBuf>,
    /// What it may take, in MiB; 0: nothing is kept.
    pub mib_max: u64,
}

impl RuleCache {
    pub(super) fn new(written: &schema::Inspection) -> Self {
        Self { folder: written.cache.as_ref().map(PathBuf::from), mib_max: written.cache_mib_max.get() }
    }
}

impl Inspection {
    /// What `[inspection]` says.
    pub(super) fn new(written: &schema::Inspection) -> Self {
        Self {
            rules: RuleSource {
                files: paths(&written.rules),
                classification: written.classification.as_ref().map(|path| PathBuf::from(path.get_ref())),
                addresses: groups(&written.variables.addresses),
                ports: groups(&written.variables.ports),
                ..RuleSource::default()
            }
            .with(&written.data),
            data: written.data.clone(),
            stream: written.stream.clone(),
            alerts: written.alerts.clone(),
            protocols: written.protocols.clone(),
            host_entries_max: written.host_entries_max.get() as usize,
            profile: false,
            link_type: None,
        }
    }

    /// The rules of headquarters' policy. Its variables are its own: a tenant that misstates its network must not
    /// weaken them.
    pub(super) fn of_policy(&self, policy: &schema::Policy) -> RuleSource {
        let mut rules = RuleSource { files: paths(&policy.rules), ..self.rules.clone() };
        if let Some(path) = &policy.classification {
            rules.classification = Some(PathBuf::from(path.get_ref()));
        }
        rules.addresses.extend(groups(&policy.variables.addresses));
        rules.ports.extend(groups(&policy.variables.ports));
        rules.with(&policy.data.over(&self.data))
    }

    /// What a tenant says, on top of these.
    pub(super) fn of_tenant(&self, tenant: &schema::Tenant) -> Self {
        let mut own = self.clone();
        if let Some(files) = &tenant.rules {
            own.rules.files = paths(files);
        }
        if let Some(path) = &tenant.classification {
            own.rules.classification = Some(PathBuf::from(path.get_ref()));
        }
        own.rules.addresses.extend(groups(&tenant.variables.addresses));
        own.rules.ports.extend(groups(&tenant.variables.ports));
        own.data = tenant.data.over(&self.data);
        own.rules = own.rules.with(&own.data);
        own.stream = tenant.stream.over(&self.stream);
        own.alerts = tenant.alerts.over(&self.alerts);
        own.protocols = tenant.protocols.over(&self.protocols);
        own
    }
}

impl RuleSource {
    /// Every file that is read with the rules.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        let single =
            [&self.classification, &self.geoip_database, &self.reputation_categories, &self.thresholds];
        let many = self.files.iter().chain(&self.reputation_files);
        single.into_iter().flatten().chain(many).map(PathBuf::as_path)
    }

    /// With what these say.
    fn with(mut self, data: &Data) -> Self {
        self.dataset_folder = named(&data.dataset_folder);
        self.geoip_database = named(&data.geoip_database);
        self.reputation_categories = named(&data.reputation_categories);
        self.thresholds = named(&data.thresholds);
        self.reputation_files = data.reputation_files.iter().map(PathBuf::from).collect();
        self
    }

    /// Takes relative paths as below `folder`.
    pub(super) fn rebase(&mut self, folder: &Path) {
        let single = [
            &mut self.classification,
            &mut self.dataset_folder,
            &mut self.geoip_database,
            &mut self.reputation_categories,
            &mut self.thresholds,
        ];
        let single = single.into_iter().flatten();
        for path in self.files.iter_mut().chain(&mut self.reputation_files).chain(single) {
            *path = folder.join(&*path);
        }
    }

    /// The variables, with these classes.
    ///
    /// # Errors
    ///
    /// A variable is no list of addresses or ports.
    pub fn environment(&self, classes: Classes) -> Result<Environment, EnvironmentError> {
        let pairs = |map| {
            BTreeMap::iter(map).map(|(name, group): (&String, &String)| (name.as_str(), group.as_str()))
        };
        Environment::new(pairs(&self.addresses), pairs(&self.ports), classes)
    }
}

/// A path, if there is one.
fn named(text: &str) -> Option<PathBuf> {
    (!text.is_empty()).then(|| PathBuf::from(text))
}

fn paths(written: &[Spanned<String>]) -> Vec<PathBuf> {
    written.iter().map(|path| PathBuf::from(path.get_ref())).collect()
}

fn groups(written: &BTreeMap<String, Spanned<Variable>>) -> BTreeMap<String, String> {
    written.iter().map(|(name, group)| (name.clone(), group.get_ref().0.clone())).collect()
}

/// Longest name of a variable, in characters.
const VARIABLE_CHARS_MAX: usize = 64;

/// Checks the variables of `[inspection]` and of every tenant.
pub(super) fn check_variables(document: &Document, default: &Inspection, problems: &mut Problems<'_>) {
    names(&document.inspection.variables, problems);
    resolve(&default.rules, &[&document.inspection.variables], problems);
    if !document.policy.variables.is_empty() {
        names(&document.policy.variables, problems);
        let written = [&document.policy.variables, &document.inspection.variables];
        resolve(&default.of_policy(&document.policy), &written, problems);
    }
    for tenant in document.tenant.iter().filter(|tenant| !tenant.variables.is_empty()) {
        names(&tenant.variables, problems);
        let rules = default.of_tenant(tenant).rules;
        resolve(&rules, &[&tenant.variables, &document.inspection.variables], problems);
    }
}

fn names(variables: &Variables, problems: &mut Problems<'_>) {
    for (name, group) in variables.addresses.iter().chain(&variables.ports) {
        let alphabet = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if name.is_empty() || !alphabet || name.len() > VARIABLE_CHARS_MAX {
            problems.add(
                &group.span(),
                format!("`{name}` is no name of a variable"),
                format!("write A-Z, 0-9 and _, at most {VARIABLE_CHARS_MAX} characters, without the $"),
            );
        }
    }
}

fn resolve(rules: &RuleSource, written: &[&Variables], problems: &mut Problems<'_>) {
    let Err(error) = rules.environment(Classes::default()) else { return };
    problems.add(
        &place(&error, written),
        error.to_string(),
        "write a group as rules have it, such as \"[10.0.0.0/8,!10.1.0.0/16]\" or \"[80,8000:8100]\"",
    );
}

/// Where the variable at fault stands. One that is not written is at fault for what it names, so the first that is
/// written is as good a place as any.
fn place(error: &EnvironmentError, written: &[&Variables]) -> Range<usize> {
    let EnvironmentError::Variable { kind, name, .. } = error else { return 0..0 };
    let maps = || {
        written
            .iter()
            .map(|variables| if *kind == "address" { &variables.addresses } else { &variables.ports })
    };
    let group = maps().find_map(|map| map.get(name)).or_else(|| maps().find_map(|map| map.values().next()));
    group.map_or(0..0, Spanned::span)
}

/// Looks whether the files that are named can be read, as seen from `folder`.
pub(super) fn check_files(document: &Document, folder: &Path, problems: &mut Problems<'_>) {
    let own = document.tenant.iter().flat_map(|tenant| {
        let rules = tenant.rules.iter().flatten().map(|path| ("rule file", path));
        rules.chain(tenant.classification.iter().map(|path| ("classification file", path)))
    });
    let (inspection, policy) = (&document.inspection, &document.policy);
    let shared = inspection.rules.iter().chain(&policy.rules).map(|path| ("rule file", path));
    let classes = inspection.classification.iter().chain(&policy.classification);
    let shared = shared.chain(classes.map(|path| ("classification file", path)));
    for (kind, path) in shared.chain(own) {
        let file = folder.join(path.get_ref());
        let readable = std::fs::File::open(&file).and_then(|file| file.metadata());
        let fault = match readable {
            Ok(metadata) if metadata.is_dir() => "it is a folder".to_owned(),
            Ok(_) => continue,
            Err(error) => error.to_string(),
        };
        problems.add(
            &path.span(),
            format!("{kind} `{}` cannot be read: {fault}", file.display()),
            "correct the path; it is taken from the folder of this file",
        );
    }
}
