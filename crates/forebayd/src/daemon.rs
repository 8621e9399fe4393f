//! The daemon from start to end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use control::config::Config;
use control::engine::{engine_config, generation};
use control::manager::{Manager, Start, State};
use control::store::Store;
use dataplane::{Engine, Mode};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;
use sink::{EventThread, FileSink, Notice, OpenMode, Options, Overflow, Recent};

use crate::cli::Cli;
use crate::privileges::Account;
use crate::runner::EngineRunner;
use crate::server::{App, Server};
use crate::{log, privileges};

/// How often signals and workers are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Why the daemon did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    #[error(transparent)]
    Store(#[from] control::store::StoreError),
    #[error(transparent)]
    Start(#[from] control::manager::StartError),
    #[error(transparent)]
    Device(#[from] control::engine::DeviceError),
    #[error(transparent)]
    Engine(#[from] dataplane::EngineError),
    #[error(transparent)]
    Events(#[from] sink::OpenError),
    #[error(transparent)]
    EventThread(#[from] sink::SpawnError),
    #[error(transparent)]
    EventsEnded(#[from] sink::FinishError),
    #[error(transparent)]
    Server(#[from] crate::server::ServerError),
    #[error(transparent)]
    Privileges(#[from] privileges::PrivilegeError),
    #[error(transparent)]
    Datasets(#[from] control::datasets::KeepError),
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
    #[error("the system has no random numbers: {0}")]
    Random(getrandom::Error),
    #[error("a worker has ended by itself, which is a defect; please report the lines above")]
    WorkerEnded,
    #[error("{0} packet buffers did not come back, which is a defect; please report it")]
    Leak(u32),
}

/// Runs until a signal ends it.
pub(crate) fn run(arguments: &Cli) -> Result<(), DaemonError> {
    let begun = Instant::now();
    // Before any thread starts, so that each leaves them to this one.
    let mut signals = Signals::new([SIGHUP, SIGUSR1, SIGTERM, SIGINT]).map_err(DaemonError::Signals)?;
    let account = arguments.user.as_deref().map(Account::named).transpose()?;
    let start = Start::new(Store::open(&arguments.state, &arguments.config)?)?;
    report(&start.state, start.problem.as_deref());
    let config = &start.state.checked.config;

    let folder = arguments.config.parent().unwrap_or(Path::new(""));
    let event_file = folder.join(&config.events.file);
    let sink = FileSink::open(&event_file, OpenMode::Append)?;
    let options = Options { batches_max: batches_max(config), ..Options::new(Overflow::Drop) };
    let recent = Arc::new(Recent::new(config.dataplane.tenants_max.get() as usize));
    let warn = |notice: Notice| log::warn(&notice.to_string());
    let events = EventThread::spawn_noting(sink, options, Some(Arc::clone(&recent)), warn)?;
    let random = getrandom::u64().map_err(DaemonError::Random)?;
    let sizes = engine_config(config, Mode::Live, random)?;
    let first = |eal: &_| {
        let state = &start.state;
        generation(config, &state.inspections, Some(&state.numbering), state.number, eal)
    };
    let engine = Engine::start(&sizes, first, || events.producer())?;

    let api = config.api.clone();
    let manager = Arc::new(Manager::new(start, EngineRunner::new(engine, Arc::clone(&recent))));
    let app = App::new(Arc::clone(&manager), events.loss_counters(), recent);
    let server = Server::bind(&api, folder)?;
    if let Some(account) = &account {
        for path in written(arguments, &event_file, server.socket()) {
            account.give(&path)?;
        }
        account.become_it()?;
    }
    let server = server.serve(app)?;
    let state = manager.state();
    log::info(&format!(
        "generation {} runs: {} tenants, {} ports, {} rules; API at {}; started in {:.2} s",
        state.number,
        state.checked.config.tenants.len(),
        state.checked.config.ports.len(),
        state.inspections.rules_loaded(),
        api.socket,
        begun.elapsed().as_secs_f64(),
    ));
    drop(state);
    tell(&[NotifyState::Ready]);

    let ended = watch(&manager, &mut signals, &events.reopen());
    tell(&[NotifyState::Stopping]);
    server.stop();
    let outcome = manager.runner().finish()?;
    manager.keep_datasets()?;
    let up = now_us().saturating_sub(manager.started_us());
    let stats = outcome.snapshot.stats(now_us(), up / 1_000_000);
    let mut last = events.producer();
    last.push(event::Event::Stats(Box::new(stats)));
    drop(last);
    let totals = events.finish()?;
    log::info(&format!(
        "ended: {} packets received, {} events written, {} lost",
        outcome.snapshot.received.packets,
        totals.events_written,
        totals.events_lost.total(),
    ));
    ended?;
    if outcome.mbufs_missing > 0 {
        return Err(DaemonError::Leak(outcome.mbufs_missing));
    }
    Ok(())
}

/// Meets signals, and looks whether the workers are well, until it is to end.
fn watch(
    manager: &Manager<EngineRunner>,
    signals: &mut Signals,
    reopen: &sink::Reopen,
) -> Result<(), DaemonError> {
    let watchdog = sd_notify::watchdog_enabled().map(|within| within / 2);
    let mut told = Instant::now();
    loop {
        for signal in signals.pending() {
            match signal {
                SIGHUP => reload(manager),
                SIGUSR1 => reopen.request(),
                _ => return Ok(()),
            }
        }
        if manager.runner().has_ended() {
            return Err(DaemonError::WorkerEnded);
        }
        if let Some(interval) = watchdog
            && told.elapsed() >= interval
            && manager.runner().is_alive()
        {
            tell(&[NotifyState::Watchdog]);
            told = Instant::now();
        }
        std::thread::sleep(LOOK);
    }
}

fn reload(manager: &Manager<EngineRunner>) {
    let now = NotifyState::monotonic_usec_now().ok();
    tell(&[Some(NotifyState::Reloading), now].into_iter().flatten().collect::<Vec<_>>());
    match manager.reload("SIGHUP", false) {
        Ok(change) => log::info(&format!("generation {} runs: {}", change.generation, change.what)),
        Err(refusal) => log::error(&format!("{refusal}\nthe configuration that ran before runs on")),
    }
    tell(&[NotifyState::Ready]);
}

/// Tells systemd, if it wants to know.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        log::warn(&format!("systemd cannot be told: {error}"));
    }
}

/// What an operator should know of the configuration that is started with.
fn report(state: &State, problem: Option<&str>) {
    if let Some(problem) = problem {
        log::error(problem);
    }
    for warning in &state.checked.warnings {
        log::warn(&warning.to_string());
    }
    let refused = state.inspections.rules_refused();
    if refused > 0 {
        log::warn(&format!("{refused} rules cannot be used; `forebay rules list` shows which and why"));
    }
}

/// What the daemon writes while it runs.
fn written(arguments: &Cli, events: &Path, socket: &Path) -> Vec<PathBuf> {
    let state = &arguments.state;
    let mut paths = vec![
        state.clone(),
        state.join("lock"),
        state.join("generations"),
        state.join("files"),
        events.to_owned(),
        arguments.config.clone(),
        socket.to_owned(),
    ];
    // The configuration is replaced by a file that is written beside it.
    paths.extend(
        arguments.config.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned),
    );
    paths.extend(events.parent().filter(|folder| !folder.as_os_str().is_empty()).map(Path::to_owned));
    paths
}

/// Batches of events that hold as many as the configuration lets wait.
fn batches_max(config: &Config) -> usize {
    let records = config.events.queue_records.get() as usize;
    records.div_ceil(Options::new(Overflow::Drop).batch_events)
}

fn now_us() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_micros() as u64)
}
