//! Epoch reclamation: when may memory that readers could still be looking at be used again?
//!
//! A reader *pins* (announces the global epoch in its own slot), reads, and *unpins*. A writer that
//! has unlinked something stamps it with the current epoch and, after the epoch has been advanced
//! past that stamp, frees it once no slot announces the stamp or an older epoch.
//!
//! The store that announces a pin must be ordered before the reader's loads. Readers come by millions of times for
//! each time of the reclaimer, so it is the reclaimer that pays for that ([`Barrier`]).
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

use crate::barrier::Barrier;
use crate::fault;
use crate::heap::{self, OutOfMemory, Shared};
use crate::sync::{AtomicU8, AtomicU32, AtomicU64, CacheAligned, Mutex, Ordering, lock};

/// A slot's value while its reader is not pinned. Epochs start at 1.
const QUIESCENT: u64 = 0;

/// One reader's announcement, on cache lines of its own.
#[repr(align(128))]
pub(crate) struct ReaderSlot {
    announced: AtomicU64,
    /// 1 if the owner's last write found a record that it could have written over. A hint, the owner's
    /// alone.
    expects_overwrite: AtomicU8,
    /// See [`Self::take_reuse`]. The owner's alone.
    reuses_left: AtomicU8,
}

impl ReaderSlot {
    /// Whether the owner may put one more record in the slot of another (see `reuse`) before it looks for other room.
    #[inline(always)]
    pub(crate) fn take_reuse(&self) -> bool {
        let left = self.reuses_left.load(Ordering::Relaxed);
        self.reuses_left
            .store(left.saturating_sub(1), Ordering::Relaxed);
        left > 0
    }

    pub(crate) fn allow_reuses(&self, count: u8) {
        self.reuses_left.store(count, Ordering::Relaxed);
    }

    pub(crate) fn expects_overwrite(&self) -> bool {
        self.expects_overwrite.load(Ordering::Relaxed) != 0
    }

    pub(crate) fn expect_overwrite(&self, expected: bool) {
        self.expects_overwrite
            .store(u8::from(expected), Ordering::Relaxed);
    }
}

/// The global epoch and the registry of reader slots.
pub(crate) struct Epoch {
    global: CacheAligned<AtomicU64>,
    slots: Mutex<Vec<Shared<ReaderSlot>>>,
    /// How many slots there are.
    readers: AtomicU32,
    barrier: Barrier,
}

impl Epoch {
    pub(crate) fn new() -> Self {
        Self {
            global: CacheAligned(AtomicU64::new(1)),
            slots: Mutex::new(Vec::new()),
            readers: AtomicU32::new(0),
            barrier: Barrier::of_system(),
        }
    }

    pub(crate) fn register(&self) -> Result<Shared<ReaderSlot>, OutOfMemory> {
        let slot = Shared::new(ReaderSlot {
            announced: AtomicU64::new(QUIESCENT),
            expects_overwrite: AtomicU8::new(0),
            reuses_left: AtomicU8::new(0),
        })?;
        let mut slots = lock(&self.slots);
        heap::reserve(&mut slots, 1)?;
        slots.push(slot.clone());
        // Relaxed: who registers passes through every shard's lock before it reads, which is what
        // tells the writers (see `is_only_reader`).
        self.readers.fetch_add(1, Ordering::Relaxed);
        Ok(slot)
    }

    pub(crate) fn unregister(&self, slot: &Shared<ReaderSlot>) {
        let mut slots = lock(&self.slots);
        slots.retain(|other| !other.is_same(slot));
        // Release: partner of the acquire in `is_only_reader`: all that this reader has read happens
        // before what the last one writes over it.
        self.readers.fetch_sub(1, Ordering::Release);
    }

    /// Whether `own` is the only reader there is, and not pinned. Under a shard's lock that stays true, for the records
    /// of that shard, until the lock is let go: whoever registers passes through every shard's lock
    /// before it reads.
    #[inline]
    pub(crate) fn is_only_reader(&self, own: &ReaderSlot) -> bool {
        // Acquire: partner of the release in `unregister`.
        self.readers.load(Ordering::Acquire) == 1
            && own.announced.load(Ordering::Relaxed) == QUIESCENT
    }

    /// Announces that `slot`'s reader is looking at shared memory until the guard is dropped.
    /// Nested pins of one slot are free and last as long as the outermost.
    #[inline(always)]
    pub(crate) fn pin<'a>(&'a self, slot: &'a ReaderSlot) -> Pin<'a> {
        let announced = &slot.announced;
        // Only this reader writes its slot, so a relaxed load sees its own last store.
        if announced.load(Ordering::Relaxed) != QUIESCENT {
            return Pin { slot: None };
        }
        // Acquire: pairs with the release increment in `advance` (invariant 2).
        let epoch = self.global.0.load(Ordering::Acquire);
        // Release: a later scan that reads this announcement must also see that the reads of the
        // pin before it are over (they precede this store in program order).
        announced.store(epoch, Ordering::Release);
        // Pairs with the heavy side in `advance` (invariant 3).
        self.barrier.light();
        Pin { slot: Some(slot) }
    }

    /// Whether there is only one reader. A hint: another may be registering.
    #[inline(always)]
    pub(crate) fn has_one_reader(&self) -> bool {
        self.readers.load(Ordering::Relaxed) == 1
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
        fault::point();
        // Release: pairs with the acquire load in `pin` (invariant 2).
        let epoch = self.global.0.fetch_add(1, Ordering::AcqRel) + 1;
        let is_own = |slot: &Shared<ReaderSlot>| {
            own.is_some_and(|own| {
                std::ptr::eq(own, &**slot) && slot.announced.load(Ordering::Relaxed) == QUIESCENT
            })
        };
        fault::point();
        // The sanitizers' self-test: readers are not waited for, which they must notice.
        if cfg!(nearcache_free_at_once) {
            return epoch;
        }
        // A reader that registers from now on does so after taking the lock that we hold, and so
        // sees what was unlinked before: with no other slot there is nothing to wait for.
        if slots.iter().all(is_own) {
            return epoch;
        }
        // Pairs with the light side in `pin` (invariant 3).
        self.barrier.heavy();
        // Acquire: pairs with the release stores of `pin` and `unpin`: the reads of a pin that the
        // scan finds ended happen before whatever the caller frees.
        slots
            .iter()
            .map(|slot| slot.announced.load(Ordering::Acquire))
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
            slot.announced.store(QUIESCENT, Ordering::Release);
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod litmus;

/// What is modelled is the plain barrier: the checker knows nothing of process-wide ones. Objects are
/// cells that the checker watches: a read that is not ordered before the freeing fails the model.
#[cfg(all(test, loom))]
mod models {
    use super::*;
    use crate::sync::{Arc, AtomicU32};
    use loom::cell::UnsafeCell;
    use loom::thread;

    const LIVE: u32 = 7;

    /// A link to one of two objects, of which the first is replaced and freed.
    struct World {
        epoch: Epoch,
        link: AtomicU32,
        objects: [UnsafeCell<u32>; 2],
        /// Stamps of what has been unlinked: the limbo and its lock.
        limbo: Mutex<Option<u64>>,
    }

    // SAFETY: the objects are what the models are about; the checker finds every unordered access.
    unsafe impl Sync for World {}
    // SAFETY: as above.
    unsafe impl Send for World {}

    impl World {
        fn new() -> Arc<Self> {
            Arc::new(Self {
                epoch: Epoch::new(),
                link: AtomicU32::new(0),
                objects: [UnsafeCell::new(LIVE), UnsafeCell::new(LIVE)],
                limbo: Mutex::new(None),
            })
        }

        fn read(&self, slot: &ReaderSlot) {
            let _pin = self.epoch.pin(slot);
            let at = self.link.load(Ordering::Acquire);
            // SAFETY: what the model is to show.
            let seen = self.objects[at as usize].with(|object| unsafe { *object });
            assert_eq!(seen, LIVE, "a pinned reader saw freed memory");
        }

        fn unlink(&self) {
            self.link.store(1, Ordering::Release);
            let mut limbo = lock(&self.limbo);
            *limbo = Some(self.epoch.stamp());
        }

        /// Whether it could free what was unlinked.
        fn collect(&self, own: Option<&ReaderSlot>) -> bool {
            let mut limbo = lock(&self.limbo);
            let Some(stamp) = *limbo else {
                return false;
            };
            let may_free = stamp < self.epoch.advance(own);
            if may_free {
                *limbo = None;
                // SAFETY: what the model is to show.
                self.objects[0].with_mut(|object| unsafe { *object = 0 });
            }
            may_free
        }
    }

    #[test]
    fn loom_a_pinned_reader_never_sees_what_was_freed() {
        loom::model(|| {
            let world = World::new();
            let slot = world.epoch.register().unwrap();
            let reader = {
                let world = Arc::clone(&world);
                thread::spawn(move || world.read(&slot))
            };
            world.unlink();
            world.collect(None);
            world.collect(None);
            reader.join().unwrap();
            assert!(
                lock(&world.limbo).is_none() || world.collect(None),
                "nobody reads any more"
            );
        });
    }

    #[test]
    fn loom_a_reader_that_pins_again_is_waited_for_again() {
        loom::model(|| {
            let world = World::new();
            let slot = world.epoch.register().unwrap();
            let reader = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    world.read(&slot);
                    world.read(&slot);
                })
            };
            world.unlink();
            world.collect(None);
            reader.join().unwrap();
        });
    }

    /// The one that unlinks is not the one that frees, as in the engine.
    #[test]
    fn loom_another_thread_may_free() {
        loom::model(|| {
            let world = World::new();
            let slot = world.epoch.register().unwrap();
            let reader = {
                let world = Arc::clone(&world);
                thread::spawn(move || world.read(&slot))
            };
            let writer = {
                let world = Arc::clone(&world);
                thread::spawn(move || world.unlink())
            };
            world.collect(None);
            reader.join().unwrap();
            writer.join().unwrap();
        });
    }

    /// With no slot but its own the collector waits for nobody: whoever registers later must see the
    /// unlinking, and whoever registered before must be waited for.
    #[test]
    fn loom_a_reader_may_register_while_the_only_other_one_frees() {
        loom::model(|| {
            let world = World::new();
            let own = world.epoch.register().unwrap();
            let reader = {
                let world = Arc::clone(&world);
                thread::spawn(move || {
                    let slot = world.epoch.register().unwrap();
                    world.read(&slot);
                    world.epoch.unregister(&slot);
                })
            };
            world.unlink();
            world.collect(Some(&own));
            reader.join().unwrap();
        });
    }
}
