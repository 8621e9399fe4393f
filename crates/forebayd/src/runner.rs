//! The dataplane as the control side sees it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use control::engine::generation;
use control::manager::{Runner, State};
use dataplane::{Engine, EngineError, Generation, Outcome, Snapshot};
use sink::Recent;

/// An engine that runs until it is taken.
pub(crate) struct EngineRunner {
    engine: RwLock<Option<Engine>>,
    /// Cycles of each worker when they were looked at last.
    beats: Mutex<Vec<u64>>,
    /// Alerts of the tenants that are there.
    recent: Arc<Recent>,
}

impl EngineRunner {
    pub(crate) fn new(engine: Engine, recent: Arc<Recent>) -> Self {
        Self { engine: RwLock::new(Some(engine)), beats: Mutex::default(), recent }
    }

    /// Asks the engine, while there is one.
    fn with<T>(&self, ask: impl FnOnce(&Engine) -> T) -> Option<T> {
        self.engine.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(ask)
    }

    /// All counters.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.with(Engine::snapshot).unwrap_or_default()
    }

    /// Every worker.
    pub(crate) fn workers(&self) -> Vec<dataplane::WorkerView> {
        self.with(Engine::workers).unwrap_or_default()
    }

    /// Whether every worker has counted cycles since this was asked last.
    pub(crate) fn is_alive(&self) -> bool {
        let now: Vec<u64> = self.workers().iter().map(|worker| worker.cycles).collect();
        let mut before = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let alive =
            before.len() != now.len() || now.iter().zip(before.iter()).all(|(now, before)| now != before);
        *before = now;
        alive
    }

    /// Generations in memory.
    pub(crate) fn generations_held(&self) -> u32 {
        self.with(Engine::generations_alive).unwrap_or_default() as u32
    }

    /// Counters of the receiving ports.
    pub(crate) fn ports(&self) -> Vec<(String, dataplane::PortStats)> {
        self.with(Engine::port_stats).unwrap_or_default()
    }

    /// Whether every worker has ended, which none does by itself when live.
    pub(crate) fn has_ended(&self) -> bool {
        self.with(Engine::is_finished).unwrap_or(true)
    }

    /// Ends the workers: what has been received is inspected, and records of all flows are written.
    pub(crate) fn finish(&self) -> Result<Outcome, EngineError> {
        let engine = self.engine.write().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut engine) = engine else { return Ok(Outcome::default()) };
        engine.stop();
        engine.finish()
    }
}

impl Runner for EngineRunner {
    type Compiled = Generation;

    fn compile(&self, next: &State) -> Result<Generation, String> {
        let compiled = self.with(|engine| {
            let (config, numbering) = (&next.checked.config, Some(&next.numbering));
            generation(config, &next.inspections, numbering, next.number, engine.eal())
                .map_err(|error| error.to_string())
        });
        compiled.unwrap_or_else(|| Err("the daemon is ending".to_owned()))
    }

    fn publish(&self, compiled: Generation) {
        let names: HashSet<String> =
            compiled.tenants.iter().flatten().map(|tenant| tenant.name.to_string()).collect();
        self.with(|engine| engine.publish(compiled));
        self.recent.keep(|tenant| names.contains(tenant));
    }

    fn in_effect(&self) -> u32 {
        self.with(Engine::generation_in_effect).unwrap_or(0)
    }

    fn collect(&self) {
        self.with(Engine::collect_generations);
    }
}
