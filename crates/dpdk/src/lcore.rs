//! Poll-mode threads: one pinned EAL lcore runs one closure at a time.

use std::any::Any;
use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use crate::eal::Eal;
use crate::strerror;

/// An idle lcore. Launching consumes it; joining gives it back.
#[derive(Debug)]
pub struct Lcore {
    id: u32,
    /// Keeps the EAL, and with it this lcore's thread, alive.
    _eal: Eal,
}

/// A running closure. Dropping the handle waits for the closure to end, as a scoped thread would.
#[derive(Debug)]
pub struct LcoreHandle<T> {
    lcore: Option<Lcore>,
    id: u32,
    /// Behind a lock so that a handle can be shared with threads that ask whether it is finished.
    result: Mutex<Receiver<std::thread::Result<T>>>,
}

/// Why a lcore did not run its closure to the end.
#[derive(Debug, thiserror::Error)]
pub enum LcoreError {
    /// DPDK did not take the closure.
    #[error("DPDK did not start lcore {lcore}: {reason}")]
    Launch {
        /// The lcore's number.
        lcore: u32,
        /// DPDK's error.
        reason: String,
    },
    /// The closure panicked: a bug, reported with its message.
    #[error("lcore {lcore} stopped on an internal error: {message}")]
    Panicked {
        /// The lcore's number.
        lcore: u32,
        /// The panic's message.
        message: String,
    },
}

impl Lcore {
    pub(crate) fn new(id: u32, eal: Eal) -> Self {
        Self { id, _eal: eal }
    }

    /// The EAL's number of this lcore; the main lcore is 0.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Runs `work` on this lcore.
    ///
    /// # Errors
    ///
    /// [`LcoreError::Launch`] if DPDK refuses; `work` is dropped.
    pub fn launch<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<LcoreHandle<T>, LcoreError> {
        let (sender, result): (SyncSender<std::thread::Result<T>>, _) = sync_channel(1);
        let job: Job = Box::new(move || {
            // A failed send means that the handle was dropped: nobody waits for the result.
            drop(sender.send(catch_unwind(AssertUnwindSafe(work))));
        });
        let argument = Box::into_raw(Box::new(job));
        // SAFETY: `trampoline` takes exactly this box back, once, and does not unwind. This lcore is idle: `self` is
        // the only token for it, and a handle gives it back only after rte_eal_wait_lcore.
        let code = unsafe { dpdk_sys::rte_eal_remote_launch(Some(trampoline), argument.cast(), self.id) };
        if code != 0 {
            // SAFETY: DPDK did not take the argument, so the box is still ours.
            drop(unsafe { Box::from_raw(argument) });
            return Err(LcoreError::Launch { lcore: self.id, reason: strerror(code) });
        }
        Ok(LcoreHandle { id: self.id, lcore: Some(self), result: Mutex::new(result) })
    }
}

impl<T> LcoreHandle<T> {
    /// Waits for the closure's result and gives the lcore back.
    ///
    /// # Errors
    ///
    /// [`LcoreError::Panicked`] if the closure panicked.
    pub fn join(mut self) -> Result<(T, Lcore), LcoreError> {
        let result = self.result.get_mut().unwrap_or_else(PoisonError::into_inner).recv();
        let id = self.id;
        let panicked = |message| LcoreError::Panicked { lcore: id, message };
        match (result, self.wait()) {
            (Ok(Ok(value)), Some(lcore)) => Ok((value, lcore)),
            (Ok(Err(payload)), _) => Err(panicked(panic_message(payload.as_ref()))),
            _ => Err(panicked("it ended without a result".into())),
        }
    }

    /// Whether [`join`](Self::join) would return without waiting.
    pub fn is_finished(&self) -> bool {
        // SAFETY: reads the state of a lcore that exists.
        unsafe { dpdk_sys::fb_lcore_is_running(self.id) == 0 }
    }

    /// Waits until the lcore is idle; gives its token back the first time.
    fn wait(&mut self) -> Option<Lcore> {
        let lcore = self.lcore.take()?;
        // SAFETY: the lcore exists (the token says so), and only the thread that holds the token waits for it.
        unsafe { dpdk_sys::rte_eal_wait_lcore(lcore.id) };
        Some(lcore)
    }
}

impl<T> Drop for LcoreHandle<T> {
    fn drop(&mut self) {
        self.wait();
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// Entered by DPDK on the lcore's thread.
unsafe extern "C" fn trampoline(argument: *mut c_void) -> c_int {
    // SAFETY: `launch` made this pointer from a Box<Job> and gave it away.
    let job = unsafe { Box::from_raw(argument.cast::<Job>()) };
    job();
    0
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "unknown".into())
}
