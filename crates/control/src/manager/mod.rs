//! Changes while it runs: from a request to what every worker does, or a refusal and nothing changed.
//!
//! In: an [`Edit`] and who asks. Out: a [`Change`]. The steps of a change, of which each can still say no until the third:
//!
//! 1. the text is edited and checked, rules are loaded, all of it beside what runs;
//! 2. the [`Runner`] compiles what needs its memory;
//! 3. the [`Store`] keeps it: from here on it is what the next start runs;
//! 4. the runner's workers move on to it, and what they have left is freed.
//!
//! One change is made at a time; who only looks reads [`State`] and waits for nobody. Rooms: `prepare` (step 1),
//! `requests` (what each request of the API comes to), `views` (answers to who looks).

mod prepare;
mod requests;
#[cfg(test)]
mod tests;
mod views;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use api::{Change, Refusal, RefusalKind};

use crate::config::Checked;
use crate::edit::Edit;
use crate::inspection::Inspections;
use crate::numbering::Numbering;
use crate::rules::Loader;
use crate::store::{BY_HAND, Generation, Store, StoreError};

/// How long a change waits until every worker has moved on; a worker that takes longer is broken.
const EFFECT_MAX: Duration = Duration::from_secs(10);

/// How often it looks.
const EFFECT_LOOK: Duration = Duration::from_micros(200);

/// What a configuration runs on.
pub trait Runner: Send + Sync {
    /// A configuration in its memory.
    type Compiled;

    /// Compiles what needs its memory; what runs is not touched.
    ///
    /// # Errors
    ///
    /// What is wrong; what to do.
    fn compile(&self, next: &State) -> Result<Self::Compiled, String>;

    /// Makes it what is run.
    fn publish(&self, compiled: Self::Compiled);

    /// The generation that everything runs at least.
    fn in_effect(&self) -> u32;

    /// Frees what nothing runs any more.
    fn collect(&self);
}

/// A configuration that was accepted, and all that was made of it. Never changed; replaced as a whole.
#[derive(Debug)]
pub struct State {
    /// Number of its generation.
    pub number: u32,
    /// The file's text.
    pub text: String,
    /// What it says.
    pub checked: Checked,
    /// What tenants inspect by.
    pub inspections: Inspections,
    /// Which place in the dataplane each tenant and pipeline has.
    pub numbering: Numbering,
}

/// Why nothing can be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The configuration file is refused, and there is no generation that could run instead.
    #[error("{0}")]
    Refused(String),
}

/// What a manager begins with.
#[derive(Debug)]
pub struct Start {
    store: Store,
    loader: Loader,
    /// The first configuration.
    pub state: State,
    /// What is not as it should be: the file was refused, and an older generation runs.
    pub problem: Option<String>,
}

/// The configuration that runs, and the way to another one.
#[derive(Debug)]
pub struct Manager<R> {
    changing: Mutex<Changing>,
    state: RwLock<Arc<State>>,
    runner: R,
    /// What the daemon was started with; some of it cannot change while it runs.
    started: toml::Table,
    started_us: u64,
}

/// What only one change at a time may have.
#[derive(Debug)]
struct Changing {
    store: Store,
    loader: Loader,
    problem: Option<String>,
}

impl Start {
    /// Finds what to run: the configuration file, or if that is refused the newest generation that is not.
    ///
    /// # Errors
    ///
    /// [`StartError`] when nothing can be run.
    pub fn new(mut store: Store) -> Result<Self, StartError> {
        let loaded = prepare::read(store.config()).map_err(|error| error.to_string());
        let mut loader = None;
        let mut first = |text: String, number| -> Result<State, String> {
            let checked = prepare::check(&text, store.config())
                .map_err(|problems| prepare::lines(store.config(), &problems))?;
            let loader = loader.get_or_insert_with(|| Loader::new(&checked.config.cache));
            prepare::first(text, checked, number, loader)
        };
        let newest = store.entries().last().map(|entry| entry.number);
        let newest_text = |store: &Store| newest.and_then(|number| store.generation(number).ok());
        let known = newest_text(&store);
        let next = store.next_number();
        let refused = match loaded.and_then(|text| {
            let number = match &known {
                Some(known) if known.text == text => known.number,
                _ => next,
            };
            first(text, number)
        }) {
            Ok(state) => {
                if state.number == next {
                    let what = if newest.is_none() { "the first configuration" } else { "edited by hand" };
                    store.record(generation(&state, BY_HAND, what.to_owned()))?;
                }
                let loader = loader.unwrap_or_else(|| Loader::new(&state.checked.config.cache));
                return Ok(Self { store, loader, state, problem: None });
            }
            Err(refused) => refused,
        };
        for number in store.entries().iter().rev().map(|entry| entry.number).collect::<Vec<_>>() {
            let Ok(generation) = store.generation(number) else { continue };
            let Ok(state) = first(generation.text, number) else { continue };
            let problem = format!(
                "{refused}\nso generation {number} runs instead; correct the file and run `forebay config reload`"
            );
            let loader = loader.unwrap_or_else(|| Loader::new(&state.checked.config.cache));
            return Ok(Self { store, loader, state, problem: Some(problem) });
        }
        Err(StartError::Refused(refused))
    }
}

impl<R: Runner> Manager<R> {
    /// Manages what `runner` has been started with.
    pub fn new(start: Start, runner: R) -> Self {
        let Start { store, loader, state, problem } = start;
        store.forget_files(&state.text);
        Self {
            started: prepare::as_table(&state.checked.document),
            changing: Mutex::new(Changing { store, loader, problem }),
            state: RwLock::new(Arc::new(state)),
            runner,
            started_us: now_us(),
        }
    }

    /// The configuration that runs.
    pub fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it runs on.
    pub fn runner(&self) -> &R {
        &self.runner
    }

    /// When it was started, in microseconds since 1970.
    pub fn started_us(&self) -> u64 {
        self.started_us
    }

    /// Writes the sets of data that rules have learned, as far as they are to be kept.
    ///
    /// # Errors
    ///
    /// The first file that cannot be written.
    pub fn keep_datasets(&self) -> Result<(), crate::datasets::KeepError> {
        let state = self.state();
        crate::datasets::keep(&state.checked.config, &state.inspections)
    }

    /// Makes a change; with `dry_run` everything is done but to make it.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; nothing was changed.
    pub fn apply(&self, who: &str, edit: &Edit, dry_run: bool) -> Result<Change, Refusal> {
        self.change(who, dry_run, |_, _| Ok((edit.clone(), Accept::All)))
    }

    /// Makes the change that `edit` makes of what runs.
    fn change(
        &self,
        who: &str,
        dry_run: bool,
        edit: impl FnOnce(&State, &Store) -> Result<(Edit, Accept), Refusal>,
    ) -> Result<Change, Refusal> {
        let begun = Instant::now();
        let mut changing = self.changing();
        let state = self.state();
        changing.check_not_edited(&state)?;
        let edited = edit(&state, &changing.store);
        drop(state);
        let done = edited.and_then(|(edit, accept)| {
            self.make(&mut changing, &Request { who, edit: &edit, accept, dry_run, begun })
        });
        if dry_run || done.is_err() {
            // Files that were sent and come to nothing do not stay.
            changing.store.forget_files(&self.state().text);
        }
        done
    }

    /// Takes the configuration file as it is now, and rule files that have changed.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; what ran goes on running.
    pub fn reload(&self, who: &str, dry_run: bool) -> Result<Change, Refusal> {
        let begun = Instant::now();
        let mut changing = self.changing();
        let text = prepare::read(changing.store.config())
            .map_err(|error| Refusal::new(RefusalKind::Conflict, error.to_string()))?;
        let edited = text != self.state().text;
        let what = if edited { "the file was read again" } else { "rule files were read again" };
        let edit = Edit::Replace { text, what: what.to_owned() };
        let done =
            self.make(&mut changing, &Request { who, edit: &edit, accept: Accept::All, dry_run, begun });
        if !dry_run {
            changing.problem = done.as_ref().err().map(|refusal| {
                format!("{refusal}\nso the last good generation runs on; correct it and reload again")
            });
        }
        done
    }

    fn make(&self, changing: &mut Changing, request: &Request<'_>) -> Result<Change, Refusal> {
        let Request { who, edit, ref accept, dry_run, begun } = *request;
        let state = self.state();
        let edited = edit.apply(&state.text)?;
        let number = changing.store.next_number();
        // What rules have learned so far is what those that come after them begin with.
        self.keep_datasets().map_err(|error| Refusal::new(RefusalKind::Failed, error.to_string()))?;
        let whole = matches!(edit, Edit::Replace { .. });
        let next =
            prepare::next(&state, edited.text, number, &mut changing.loader, changing.store.config(), whole)?;
        let mut change = Change {
            generation: state.number,
            what: edited.what,
            dry_run,
            diff: prepare::diff(&state.text, &next.text, 0),
            warnings: prepare::warnings(&state, &next, whole),
            refused_rules: prepare::refused_since(&state, &next),
            at_next_start: prepare::at_next_start(&self.started, &next.checked.document),
            effect_ms: None,
        };
        accept.check(&change.refused_rules)?;
        if next.text == state.text && next.inspections.are(&state.inspections) {
            "nothing changed".clone_into(&mut change.what);
            return Ok(change);
        }
        let failed = |message: String| Refusal::new(RefusalKind::Conflict, message);
        let compiled = self.runner.compile(&next).map_err(failed)?;
        if dry_run {
            changing.loader.forget_unused();
            return Ok(change);
        }
        let kept = generation(&next, who, change.what.clone());
        let kept = if next.text == state.text || whole && changing.file_says(&next.text) {
            changing.store.record(kept)
        } else {
            changing.store.commit(kept)
        };
        kept.map_err(|error| of_store(&error))?;
        changing.problem = None;
        self.runner.publish(compiled);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        change.generation = number;
        let waited = Instant::now();
        while self.runner.in_effect() < number && waited.elapsed() < EFFECT_MAX {
            std::thread::sleep(EFFECT_LOOK);
        }
        change.effect_ms = (self.runner.in_effect() >= number).then(|| begun.elapsed().as_secs_f64() * 1e3);
        // Held until here, so that no worker frees what it leaves.
        drop(state);
        self.runner.collect();
        changing.loader.forget_unused();
        Ok(change)
    }

    fn changing(&self) -> MutexGuard<'_, Changing> {
        // A change that panicked has published nothing that the store does not know.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A change that is asked for.
struct Request<'a> {
    who: &'a str,
    edit: &'a Edit,
    accept: Accept,
    dry_run: bool,
    begun: Instant,
}

/// Which rules may be left out because they cannot be used.
enum Accept {
    /// Any.
    All,
    /// Any but those of the files of these names.
    AllBut(Vec<String>),
}

impl Accept {
    fn check(&self, refused: &[api::RefusedRule]) -> Result<(), Refusal> {
        /// As many as a person reads.
        const SHOWN_MAX: usize = 20;
        let Self::AllBut(files) = self else { return Ok(()) };
        let theirs: Vec<_> = refused.iter().filter(|rule| files.contains(&rule.file)).collect();
        if theirs.is_empty() {
            return Ok(());
        }
        let mut problems: Vec<String> = theirs.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
        let more = theirs.len().saturating_sub(SHOWN_MAX);
        let more = if more > 0 { format!("and {more} more; ") } else { String::new() };
        problems.push(format!("{more}nothing was loaded; correct them, or load the others with --partial"));
        Err(Refusal { kind: RefusalKind::Conflict, problems })
    }
}

impl Changing {
    /// Refuses to write over what somebody has written into the file since it was read.
    fn check_not_edited(&self, state: &State) -> Result<(), Refusal> {
        if self.problem.is_none() && self.file_says(&state.text) {
            return Ok(());
        }
        let message = format!(
            "{} was edited since generation {} was made of it; run `forebay config reload` first, so that the edit is \
             not lost",
            self.store.config().display(),
            state.number
        );
        Err(Refusal::new(RefusalKind::Conflict, message))
    }

    fn file_says(&self, text: &str) -> bool {
        prepare::read(self.store.config()).is_ok_and(|written| written == text)
    }
}

fn generation(state: &State, who: &str, what: String) -> Generation {
    Generation { number: state.number, at_us: now_us(), who: who.to_owned(), what, text: state.text.clone() }
}

fn of_store(error: &StoreError) -> Refusal {
    let kind = match error {
        StoreError::NoGeneration { .. } => RefusalKind::NotFound,
        _ => RefusalKind::Failed,
    };
    Refusal::new(kind, error.to_string())
}

fn now_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_micros() as u64)
}
