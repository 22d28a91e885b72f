//! Giving pages from sizes that have too many slots to sizes that have too few.
//!
//! When a class has free slots for everything that one of its pages holds, the least used of its
//! pages is *emptied*: its live records are moved to the class' other pages, and the page returns to
//! the pool when readers have let go of its slots. Moving costs nothing in hit ratio, as
//! evicting "what is left in the coldest page" would. Chunks of long records are not moved: their
//! records are evicted, at most a page's worth.

use crate::engine::Engine;
use crate::epoch::ReaderSlot;
use crate::fault;
use crate::memory::allocator::Emptying;
use crate::memory::classes::Use;
use crate::memory::region::Loc;
use crate::sync::MutexGuard;
use std::sync::TryLockError;

/// A page that is not empty after this many passes is put back to use: something in it is being
/// filled or read for long.
const PASSES_MAX: u32 = 8;
/// After this many tries of one write the page with the most free slots will do, whatever is left in
/// it: until one of many sizes has a page's worth free, megabytes would have to be evicted.
const PATIENCE: u32 = 4;
/// Slots that one call moves, so that no write takes long; what it can't wait for it evicts.
const SLOTS_PER_CALL: usize = 64;
/// Bytes of slots that one call moves, but at least one slot.
const BYTES_PER_CALL: usize = 64 * 1024;

impl Engine {
    /// Works on emptying one page, at the caller's `attempt`; true if that may have made room, or will
    /// soon. Its slots come back through limbo. The later passes over a page mostly wait for readers, and
    /// must not keep the caller from making room otherwise: what is left may be what `clear` took out of
    /// the index, which has to be reaped first.
    pub(crate) fn empty_a_page(&self, own: &ReaderSlot, attempt: u32) -> bool {
        let Some(mut current) = self.lock_emptying() else {
            // Another thread is at it.
            return false;
        };
        let allocator = &self.common.allocator;
        let Some(mut emptying) = current.take().or_else(|| self.choose_page(attempt)) else {
            return false;
        };
        // Here, too, while it is worked on: so it is not forgotten if something fails.
        *current = Some(emptying);
        fault::point();
        let classes = &allocator.records().classes;
        let slots = (BYTES_PER_CALL / classes.slot_bytes(emptying.class)).clamp(1, SLOTS_PER_CALL);
        let mut done = 0;
        for slot in allocator
            .slots_of(emptying.page, emptying.class)
            .skip(emptying.next)
            .take(slots)
        {
            done += 1;
            fault::point();
            match classes.use_of(emptying.class) {
                Use::Record => self.relocate(slot, own),
                Use::Chunk => self.evict_owner_of(slot),
                Use::Index => unreachable!("pages of the index are never chosen"),
            }
        }
        if done == slots {
            // Not at the end of the page yet, or just there: the next call will see. In the first
            // pass the caller shall come back instead of evicting: it has moved what it paid for.
            emptying.next += done;
            *current = Some(emptying);
            return emptying.passes == 0;
        }
        emptying.next = 0;
        emptying.passes += 1;
        self.hand_over_all(0..self.shards.len());
        // All that was moved, or the page is not empty yet and the caller would evict instead.
        for _ in 0..=classes.slots_per_page(emptying.class) / SLOTS_PER_CALL {
            if !self.common.collect(Some(own)) {
                break;
            }
        }
        let give_up = emptying.passes >= PASSES_MAX;
        fault::point();
        let ended = allocator.end_emptying(emptying.page, emptying.class, give_up);
        fault::point();
        *current = (!ended).then_some(emptying);
        emptying.passes == 1 || ended && !give_up
    }

    /// The right to empty pages, unless another thread has it. If that died, its page is found again.
    pub(crate) fn lock_emptying(&self) -> Option<MutexGuard<'_, Option<Emptying>>> {
        match self.emptying.try_lock() {
            Ok(current) => Some(current),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(poisoned)) => {
                let mut current = poisoned.into_inner();
                *current = self.common.allocator.page_being_emptied();
                self.emptying.clear_poison();
                Some(current)
            }
        }
    }

    fn choose_page(&self, attempt: u32) -> Option<Emptying> {
        let class = self.common.allocator.sparse_class(attempt > PATIENCE)?;
        self.common.allocator.begin_emptying(class)
    }

    /// Moves the record in a slot, if there is a live one. What is in a shard that can't be repaired now
    /// stays.
    fn relocate(&self, slot: Loc, own: &ReaderSlot) {
        let hash = {
            // Pinned before the slot is looked at: a record that is live then can't be freed while
            // its key is read.
            let _pin = self.common.epoch.pin(own);
            if self.records().header(slot).queue().is_none() {
                return;
            }
            // SAFETY: pinned since before the record was found live.
            unsafe { self.records().hash_of(slot, &self.common.hasher) }
        };
        if let Ok(mut locked) = self.lock(self.shard_index(hash)) {
            locked.relocate(hash, slot);
        }
    }

    fn evict_owner_of(&self, chunk: Loc) {
        let hash = self.records().hash_of_chunk(chunk);
        if let Ok(mut locked) = self.lock(self.shard_index(hash)) {
            locked.evict_owner_of(hash, chunk);
        }
    }
}
