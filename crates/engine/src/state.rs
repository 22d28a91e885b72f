//! The state word of a record: its version, and which ring it is in.
//!
//! Written before publication, then by the holder of the shard's lock alone, so that plain stores will do. The
//! compactor reads it without the lock: what is in a ring it may look at, if it was pinned before.
//!
//! ```text
//! bit 31..30: ring (0 = none)   bit 29..0: version
//! ```

use crate::sync::{AtomicU32, Ordering};

const RING_SHIFT: u32 = 30;
/// The largest version.
pub(crate) const VERSION_MASK: u32 = (1 << RING_SHIFT) - 1;

/// See the module's documentation.
#[repr(transparent)]
pub(crate) struct State(AtomicU32);

impl State {
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// In no ring, with a version of at most [`VERSION_MASK`]. For a record that nobody else can reach.
    pub(crate) fn reset(&self, version: u32) {
        debug_assert!(version <= VERSION_MASK);
        self.0.store(version, Ordering::Relaxed);
    }

    /// Another version in the same ring. Under the shard's lock.
    pub(crate) fn set_version(&self, version: u32) {
        debug_assert!(version <= VERSION_MASK);
        let ring = self.0.load(Ordering::Relaxed) & !VERSION_MASK;
        // Release: as in `set_ring`.
        self.0.store(ring | version, Ordering::Release);
    }

    pub(crate) fn version(&self) -> u32 {
        self.0.load(Ordering::Relaxed) & VERSION_MASK
    }

    /// The ring, 1 to 3, or 0 for none.
    #[inline]
    pub(crate) fn ring(&self) -> u32 {
        // Acquire: partner of the release in `set_ring`: whoever finds a record by walking its page
        // sees its contents.
        self.0.load(Ordering::Acquire) >> RING_SHIFT
    }

    /// Under the shard's lock.
    #[inline]
    pub(crate) fn set_ring(&self, ring: u32) {
        self.0
            .store(self.version() | ring << RING_SHIFT, Ordering::Release);
    }
}
