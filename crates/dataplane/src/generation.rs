//! Generations: one immutable compiled configuration, and how workers come to run it.
//!
//! The control side [`publish`](Publisher::publish)es; each worker looks at one atomic number at its burst boundaries
//! and only when that has changed takes a lock, once. The worker sends the generation it has left back, so that its
//! memory is freed on the control side and never on the hot path.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

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
    /// By [`TenantId`].
    pub tenants: Vec<Tenant>,
    /// For trunk ports.
    pub vlans: VlanMap,
    /// By `PipelineId`.
    pub pipelines: Vec<Pipeline>,
    /// Names of tool ports, by `ToolId`.
    pub tools: Vec<String>,
    /// The steering rules.
    pub classifier: Classifier,
}

impl Generation {
    /// Whether the pipeline has inspectors: if not, its packets are counted and need go no further.
    #[inline]
    pub fn inspects(&self, pipeline: PipelineId) -> bool {
        self.pipelines.get(usize::from(pipeline.0)).is_some_and(|pipeline| !pipeline.inspectors.is_empty())
    }
}

/// Hands generations to workers.
#[derive(Debug)]
pub struct Publisher {
    current: Arc<Current>,
    retired: Receiver<Arc<Generation>>,
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
        (Self { current, retired }, subscribers)
    }

    /// Makes `next` the generation that workers run from their next burst on.
    pub fn publish(&self, next: Generation) {
        let number = u64::from(next.number);
        *self.current.generation.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        self.current.number.store(number, Ordering::Release);
    }

    /// Frees the generations that workers have left; returns how many handles came back.
    pub fn collect(&self) -> usize {
        self.retired.try_iter().count()
    }
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

    /// Moves on to the newest generation.
    pub fn advance(&mut self) {
        let newest = Arc::clone(&self.current.generation.lock().unwrap_or_else(PoisonError::into_inner));
        let left = std::mem::replace(&mut self.running, newest);
        // If the publisher is gone there is nobody to free it elsewhere, and no traffic to disturb either.
        drop(self.retired.send(left));
    }
}
