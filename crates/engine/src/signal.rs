//! The words through which a cache speaks to its L0s without being asked.

use crate::sync::{AtomicU32, Ordering};

/// One cache line of shared memory that tells an L0 whether anything it holds may have changed or
/// expired. It lives in an allocation of its own, so that it may be mapped into JavaScript as an external
/// buffer that outlives the cache.
#[repr(C, align(64))]
pub struct Signal {
    /// Moves whenever the change log does: the low 32 bits of its sequence.
    pub changes: AtomicU32,
    /// The low 32 bits of the current tick.
    pub now: AtomicU32,
    unused: [AtomicU32; 14],
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Signal>() == 64 && std::mem::offset_of!(Signal, now) == 4);

impl Signal {
    pub(crate) fn new() -> Self {
        Self {
            changes: AtomicU32::new(0),
            now: AtomicU32::new(0),
            unused: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    /// Tells the L0s the time. Before the cache itself learns of it: what an L0 still serves must not
    /// have expired in the cache.
    pub(crate) fn move_clock(&self, tick: u64) {
        // Release: an L0 that sees this time also sees what happened before it.
        self.now.store(tick as u32, Ordering::Release);
    }
}
