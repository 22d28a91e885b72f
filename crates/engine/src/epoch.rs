//! Epoch reclamation: when may memory that readers could still be looking at be used again?
//!
//! A reader *pins* (announces the global epoch in its own slot), reads, and *unpins*. A writer that
//! has unlinked something stamps it with the current epoch and, after the epoch has been advanced
//! past that stamp, frees it once no slot announces the stamp or an older epoch.
//!
//! The store that announces a pin must be ordered before the reader's loads. A full fence there
//! would cost every read about 8 ns, so the fence is moved to the rare side: on Linux the reclaimer
//! calls `membarrier(2)`, on Windows `FlushProcessWriteBuffers`, which makes every running thread of
//! the process execute a barrier; readers only need a compiler fence. Where neither exists (macOS,
//! old kernels, model checks) readers pay the fence.
//!
//! Invariants:
//! 1. The epoch only grows, and only in [`Epoch::advance`].
//! 2. A stamp is taken after the unlinking store, under the same lock (the caller's limbo lock)
//!    that `advance` is called under. So a reader that announces an epoch greater than a stamp
//!    loaded it from an advance that happened after the unlinking, and can't find the object.
//! 3. A reader whose announcement is not yet visible to `advance`'s scan executes the barrier
//!    before its loads, so these see the unlinking.
//!
//! What is freed, and how, is the caller's business: this module only answers "which stamps".

use crate::sync::{AtomicU64, CacheAligned, Mutex, Ordering, compiler_fence, fence, lock};
#[cfg(loom)]
use loom::sync::Arc;
#[cfg(not(loom))]
use std::sync::Arc;

/// A slot's value while its reader is not pinned. Epochs start at 1.
const QUIESCENT: u64 = 0;

/// One reader's announcement, on cache lines of its own.
pub(crate) struct ReaderSlot {
    announced: CacheAligned<AtomicU64>,
}

/// The global epoch and the registry of reader slots.
pub(crate) struct Epoch {
    global: CacheAligned<AtomicU64>,
    slots: Mutex<Vec<Arc<ReaderSlot>>>,
    barrier: Barrier,
}

/// Which side pays for the ordering of a pin against a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Barrier {
    /// The reclaimer issues a process-wide barrier; readers a compiler fence.
    Asymmetric,
    /// Both sides issue a sequentially consistent fence.
    Plain,
}

impl Epoch {
    pub(crate) fn new() -> Self {
        let barrier = if process_barrier::register() {
            Barrier::Asymmetric
        } else {
            Barrier::Plain
        };
        Self {
            global: CacheAligned(AtomicU64::new(1)),
            slots: Mutex::new(Vec::new()),
            barrier,
        }
    }

    pub(crate) fn register(&self) -> Arc<ReaderSlot> {
        let slot = Arc::new(ReaderSlot {
            announced: CacheAligned(AtomicU64::new(QUIESCENT)),
        });
        lock(&self.slots).push(Arc::clone(&slot));
        slot
    }

    pub(crate) fn unregister(&self, slot: &Arc<ReaderSlot>) {
        lock(&self.slots).retain(|other| !Arc::ptr_eq(other, slot));
    }

    /// Announces that `slot`'s reader is looking at shared memory until the guard is dropped.
    /// Nested pins of one slot are free and last as long as the outermost.
    #[inline(always)]
    pub(crate) fn pin<'a>(&'a self, slot: &'a ReaderSlot) -> Pin<'a> {
        let announced = &slot.announced.0;
        // Only this reader writes its slot, so a relaxed load sees its own last store.
        if announced.load(Ordering::Relaxed) != QUIESCENT {
            return Pin { slot: None };
        }
        // Acquire: pairs with the release increment in `advance` (invariant 2).
        let epoch = self.global.0.load(Ordering::Acquire);
        // Release: a later scan that reads this announcement must also see that the reads of the
        // pin before it are over (they precede this store in program order).
        announced.store(epoch, Ordering::Release);
        match self.barrier {
            // Pairs with the process-wide barrier in `advance` (invariant 3).
            Barrier::Asymmetric => compiler_fence(),
            // Pairs with the fence in `advance` (invariant 3).
            Barrier::Plain => fence(Ordering::SeqCst),
        }
        Pin { slot: Some(slot) }
    }

    /// The stamp for what has just been unlinked. Call it under the lock that `advance` is called
    /// under.
    pub(crate) fn stamp(&self) -> u64 {
        self.global.0.load(Ordering::Relaxed)
    }

    /// Advances the epoch and returns the smallest epoch that a reader may still be pinned in:
    /// everything with a smaller stamp may be freed. `own` is the calling thread's slot, if it has
    /// one and is not pinned: when it is the only one there is no reader to wait for.
    pub(crate) fn advance(&self, own: Option<&ReaderSlot>) -> u64 {
        let slots = lock(&self.slots);
        // Release: pairs with the acquire load in `pin` (invariant 2).
        let epoch = self.global.0.fetch_add(1, Ordering::AcqRel) + 1;
        let is_own = |slot: &Arc<ReaderSlot>| {
            own.is_some_and(|own| {
                std::ptr::eq(own, &**slot) && slot.announced.0.load(Ordering::Relaxed) == QUIESCENT
            })
        };
        // A reader that registers from now on does so after taking the lock that we hold, and so
        // sees what was unlinked before: with no other slot there is nothing to wait for.
        if slots.iter().all(is_own) {
            return epoch;
        }
        match self.barrier {
            Barrier::Asymmetric => process_barrier::issue(),
            Barrier::Plain => fence(Ordering::SeqCst),
        }
        // Acquire: pairs with the release stores of `pin` and `unpin`: the reads of a pin that the
        // scan finds ended happen before whatever the caller frees.
        slots
            .iter()
            .map(|slot| slot.announced.0.load(Ordering::Acquire))
            .filter(|announced| *announced != QUIESCENT)
            .fold(epoch, u64::min)
    }
}

/// A pinned reader; unpins when dropped.
pub(crate) struct Pin<'a> {
    slot: Option<&'a ReaderSlot>,
}

impl Drop for Pin<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(slot) = self.slot {
            // Release: the pinned reads happen before a scan that sees this store.
            slot.announced.0.store(QUIESCENT, Ordering::Release);
        }
    }
}

/// The process-wide barrier of the platform.
#[cfg(all(target_os = "linux", not(loom), not(nearcache_plain_fence), not(miri)))]
mod process_barrier {
    use std::sync::OnceLock;

    // From <linux/membarrier.h>; libc has no constants for them on every target we build for.
    const PRIVATE_EXPEDITED: libc::c_long = 1 << 3;
    const REGISTER_PRIVATE_EXPEDITED: libc::c_long = 1 << 4;

    fn membarrier(command: libc::c_long) -> libc::c_long {
        // SAFETY: membarrier takes three integers and touches no memory of ours.
        unsafe {
            libc::syscall(
                libc::SYS_membarrier,
                command,
                0 as libc::c_long,
                0 as libc::c_long,
            )
        }
    }

    /// Whether this process may issue the barrier. Registration is once per process.
    pub(super) fn register() -> bool {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        *REGISTERED.get_or_init(|| membarrier(REGISTER_PRIVATE_EXPEDITED) == 0)
    }

    pub(super) fn issue() {
        let result = membarrier(PRIVATE_EXPEDITED);
        // A registered process is never refused; going on without the barrier would be unsound.
        assert_eq!(result, 0, "membarrier was refused after its registration");
    }
}

#[cfg(all(windows, not(loom), not(nearcache_plain_fence)))]
mod process_barrier {
    pub(super) fn register() -> bool {
        true
    }

    pub(super) fn issue() {
        // SAFETY: takes no argument and touches no memory of ours.
        unsafe { windows_sys::Win32::System::Threading::FlushProcessWriteBuffers() }
    }
}

#[cfg(any(
    loom,
    nearcache_plain_fence,
    miri,
    not(any(target_os = "linux", windows))
))]
mod process_barrier {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn issue() {
        unreachable!("the plain barrier never asks for a process-wide one")
    }
}
