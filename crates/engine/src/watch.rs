//! The flags byte of a record: where an L0 that takes a copy and a writer that supersedes the record
//! meet.
//!
//! Both use read-modify-write operations on the same byte, so one comes first: either the reader's
//! mark, then the writer sees it and must log the change; or the writer's, then the reader sees that
//! the record is retired and must not keep its copy.
//!
//! ```text
//! bit 7..4: kind of the value   bit 3: retired   bit 2: watched
//! ```

use crate::sync::{AtomicU8, Ordering};

const WATCHED: u8 = 1 << 2;
const RETIRED: u8 = 1 << 3;
const KIND_SHIFT: u32 = 4;

/// See the module's documentation.
#[repr(transparent)]
pub(crate) struct WatchFlags(AtomicU8);

impl WatchFlags {
    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(0))
    }

    /// For a slot that nobody else can reach: neither watched nor retired.
    pub(crate) fn reset(&self, kind: u8) {
        self.0.store(kind << KIND_SHIFT, Ordering::Relaxed);
    }

    /// Another kind, for a record that nobody else can look at now. True if an L0 holds a copy, which must be told; the
    /// mark is taken off.
    pub(crate) fn renew(&self, kind: u8) -> bool {
        // Relaxed, no read-modify-write: nobody is there to race with.
        let was_watched = self.0.load(Ordering::Relaxed) & WATCHED != 0;
        self.reset(kind);
        was_watched
    }

    pub(crate) fn kind(&self) -> u8 {
        self.0.load(Ordering::Relaxed) >> KIND_SHIFT
    }

    /// An L0 wants to keep a copy. False if the record has been superseded: don't keep it.
    #[inline]
    pub(crate) fn watch(&self) -> bool {
        // Saves the locked instruction for the threads after the first. Acquire, as below.
        let seen = self.0.load(Ordering::Acquire);
        if seen & (WATCHED | RETIRED) != 0 {
            return seen & RETIRED == 0;
        }
        // AcqRel: partner of the operation in `retire`.
        self.0.fetch_or(WATCHED, Ordering::AcqRel) & RETIRED == 0
    }

    /// Whether an L0 may hold a copy: a hint.
    pub(crate) fn is_watched(&self) -> bool {
        self.0.load(Ordering::Relaxed) & WATCHED != 0
    }

    /// The record has been unlinked. True if an L0 holds a copy, which must be told.
    pub(crate) fn retire(&self) -> bool {
        // AcqRel: partner of the operation in `watch`.
        self.0.fetch_or(RETIRED, Ordering::AcqRel) & WATCHED != 0
    }

    /// As [`Self::retire`], for a record that nobody else can look at now.
    pub(crate) fn retire_unseen(&self) -> bool {
        // Relaxed, no read-modify-write: nobody is there to race with.
        let flags = self.0.load(Ordering::Relaxed);
        self.0.store(flags | RETIRED, Ordering::Relaxed);
        flags & WATCHED != 0
    }

    /// The life of a record has been cut short, or eviction wants to hear of its reads again: true if an
    /// L0 holds a copy, which must be told. The mark is taken off; whoever reads it again sets it anew.
    pub(crate) fn take_watched(&self) -> bool {
        // AcqRel: partner of the operation in `watch`.
        self.0.fetch_and(!WATCHED, Ordering::AcqRel) & WATCHED != 0
    }
}
