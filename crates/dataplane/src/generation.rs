//! Generations: one immutable compiled configuration, and how workers come to run it.
//!
//! The control side [`publish`](Publisher::publish)es; each worker looks at one atomic number at its burst boundaries
//! and only when that has changed takes a lock, once. The worker sends the generation it has left back, so that its
//! memory is freed on the control side and never on the hot path.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use classify::{Classifier, PipelineId, Verdict};
use crossbeam_channel::{Receiver, Sender};
use wire::{TenantId, Vlans};

use crate::inspection::TenantInspection;
use crate::pipeline::Pipeline;

/// One tenant, as compiled.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Its name.
    pub name: Arc<str>,
    /// Tells it from every other tenant that ever had its row; below `u64::MAX`. When it changes the row begins anew.
    pub identity: u64,
    /// Its share of a worker's cycles relative to the others (at least 1).
    pub weight: u32,
    /// The most flows it may have in one worker's table.
    pub flows_max: u32,
    /// What a flow gets that no steering rule decides.
    pub default_verdict: Verdict,
    /// How its pipelines inspect.
    pub inspection: Arc<TenantInspection>,
}

/// Which tenant a VLAN belongs to, for trunk ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VlanMap {
    /// By VLAN identifier; 0 is for untagged frames.
    tenants: Box<[u16]>,
}

/// Number of VLAN identifiers (12 bits).
const VIDS: usize = 4096;
/// The entry of a VLAN that nobody owns.
const NOBODY: u16 = u16::MAX;

impl Default for VlanMap {
    fn default() -> Self {
        Self { tenants: vec![NOBODY; VIDS].into() }
    }
}

impl VlanMap {
    /// Gives `vid` (0 for untagged frames) to `tenant`. A number above 4,095 is nobody's.
    pub fn assign(&mut self, vid: u16, tenant: TenantId) {
        if let Some(entry) = self.tenants.get_mut(usize::from(vid)) {
            *entry = tenant.0;
        }
    }

    /// Gives every VLAN that nobody owns, and untagged frames, to `tenant`.
    pub fn assign_rest(&mut self, tenant: TenantId) {
        for entry in self.tenants.iter_mut().filter(|entry| **entry == NOBODY) {
            *entry = tenant.0;
        }
    }

    /// Whose frame this is, by its outermost tag.
    #[inline]
    pub fn tenant(&self, vlans: Vlans) -> Option<TenantId> {
        let vid = if vlans.count == 0 { 0 } else { vlans.vids[0] };
        self.tenants.get(usize::from(vid)).copied().filter(|tenant| *tenant != NOBODY).map(TenantId)
    }
}

/// One immutable compiled configuration.
#[derive(Debug)]
pub struct Generation {
    /// Counts up from 1.
    pub number: u32,
    /// By [`TenantId`]; `None`: nobody has the row. A tenant keeps its row from generation to generation.
    pub tenants: Vec<Option<Tenant>>,
    /// For trunk ports.
    pub vlans: VlanMap,
    /// By `PipelineId`; `None`: the pipeline is no more. A number is never given to another pipeline while the engine
    /// runs, because flows remember it.
    pub pipelines: Vec<Option<Pipeline>>,
    /// Names of tool ports, by `ToolId`.
    pub tools: Vec<String>,
    /// The steering rules.
    pub classifier: Classifier,
}

impl Generation {
    /// Whether the pipeline has inspectors: if not, its packets are counted and need go no further.
    #[inline]
    pub fn inspects(&self, pipeline: PipelineId) -> bool {
        let pipeline = self.pipelines.get(usize::from(pipeline.0)).and_then(Option::as_ref);
        pipeline.is_some_and(|pipeline| !pipeline.inspectors.is_empty())
    }

    /// Whether somebody has this row.
    #[inline]
    pub fn is_tenant(&self, tenant: TenantId) -> bool {
        self.tenants.get(usize::from(tenant.0)).is_some_and(Option::is_some)
    }
}

/// Hands generations to workers.
#[derive(Debug)]
pub struct Publisher {
    current: Arc<Current>,
    retired: Receiver<Arc<Generation>>,
    /// Every generation whose memory is not known to be freed.
    known: Mutex<Vec<Weak<Generation>>>,
}

#[derive(Debug)]
struct Current {
    number: AtomicU64,
    generation: Mutex<Arc<Generation>>,
}

/// A worker's view: what it runs, and where to look for the next.
#[derive(Debug)]
pub struct Subscriber {
    current: Arc<Current>,
    retired: Sender<Arc<Generation>>,
    running: Arc<Generation>,
}

impl Publisher {
    /// Starts with `first`, for `workers` workers.
    pub fn new(first: Generation, workers: usize) -> (Self, Vec<Subscriber>) {
        let first = Arc::new(first);
        let current = Arc::new(Current {
            number: AtomicU64::new(u64::from(first.number)),
            generation: Mutex::new(Arc::clone(&first)),
        });
        let (sender, retired) = crossbeam_channel::unbounded();
        let subscribers = (0..workers)
            .map(|_| Subscriber {
                current: Arc::clone(&current),
                retired: sender.clone(),
                running: Arc::clone(&first),
            })
            .collect();
        let known = Mutex::new(vec![Arc::downgrade(&first)]);
        (Self { current, retired, known }, subscribers)
    }

    /// Makes `next` the generation that workers run from their next burst on. Its number must be another than that of
    /// the one before. A generation that no worker has come to is skipped, and freed here.
    pub fn publish(&self, next: Generation) {
        let next = Arc::new(next);
        lock(&self.known).push(Arc::downgrade(&next));
        let before = {
            let mut current = lock(&self.current.generation);
            // Under the lock, so that number and generation belong together however many publish at once.
            self.current.number.store(u64::from(next.number), Ordering::Release);
            std::mem::replace(&mut *current, next)
        };
        drop(before);
    }

    /// The generation that was published last.
    pub fn newest(&self) -> Arc<Generation> {
        Arc::clone(&lock(&self.current.generation))
    }

    /// How many generations are in memory: 1 when all workers run the newest and the rest are
    /// [`collect`](Self::collect)ed.
    pub fn alive(&self) -> usize {
        let mut known = lock(&self.known);
        known.retain(|generation| generation.strong_count() > 0);
        known.len()
    }

    /// Frees the generations that workers have left; returns how many handles came back.
    pub fn collect(&self) -> usize {
        let count = self.retired.try_iter().count();
        lock(&self.known).retain(|generation| generation.strong_count() > 0);
        count
    }
}

/// A thread that panicked while it held one of these locks has left a whole value.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Subscriber {
    /// What this worker runs.
    #[inline(always)]
    pub fn running(&self) -> &Generation {
        &self.running
    }

    /// Whether a newer generation waits. One atomic load.
    #[inline(always)]
    pub fn is_stale(&self) -> bool {
        self.current.number.load(Ordering::Acquire) != u64::from(self.running.number)
    }

    /// Moves on to the newest generation, which `adopt` takes over, and gives the other back: only then, so that what
    /// the worker let go of it is freed with it on the control side.
    pub fn advance(&mut self, adopt: impl FnOnce(&Generation)) {
        let newest = Arc::clone(&lock(&self.current.generation));
        adopt(&newest);
        let left = std::mem::replace(&mut self.running, newest);
        // If the publisher is gone there is nobody to free it elsewhere, and no traffic to disturb either.
        drop(self.retired.send(left));
    }
}
