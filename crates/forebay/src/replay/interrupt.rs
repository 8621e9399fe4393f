//! Ctrl-C and a polite kill: a replay ends in order, and says how far it came.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Whether somebody wants the replay to end. A second signal ends the process at once.
pub(super) struct Interrupt {
    asked: Arc<AtomicBool>,
    handlers: Vec<SigId>,
}

impl Interrupt {
    pub(super) fn listen() -> std::io::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        let mut handlers = Vec::new();
        for signal in [SIGINT, SIGTERM] {
            // Handlers run in this order: the first finds the flag set only if this is the second signal.
            handlers.push(signal_hook::flag::register_conditional_default(signal, Arc::clone(&asked))?);
            handlers.push(signal_hook::flag::register(signal, Arc::clone(&asked))?);
        }
        Ok(Self { asked, handlers })
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        for handler in self.handlers.drain(..) {
            signal_hook::low_level::unregister(handler);
        }
    }
}
