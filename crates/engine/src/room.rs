//! Making room: what happens when a new record finds no free slot.
//!
//! In order: if a size has a page's worth of free slots, empty one of its pages; otherwise evict a
//! batch by policy, from the record's own shard or a fuller one; take back what readers have finished
//! with. Nothing here holds a lock while it takes another shard's. A shard that can't be repaired now has
//! nothing to give, and is passed over: only its own writers are told.

use crate::engine::Engine;
use crate::epoch::ReaderSlot;
use crate::error::Error;
use crate::limit::{Bound, Unit};
use crate::limits::SMALL;
use crate::memory::allocator::Purpose;
use crate::memory::classes::{Class, Use};
use crate::memory::region::Loc;
use crate::shard::{LockedShard, Poisoned};
use crate::sync::{Ordering, thread};
use std::time::Duration;

/// A batch evicts up to this many slots' worth at once, so that the epoch is advanced once for all
/// of them...
pub(crate) const BATCH_SLOTS_MAX: u64 = 32;
/// ... but no more than this part of the cache's entries, so that small caches stay full...
const BATCH_ENTRIES_SHARE: u64 = 256;
/// ... and no more than this many bytes, so that no write takes long.
const BATCH_BYTES_MAX: u64 = 256 * 1024;
/// With fewer pages than this a record may take a slot of up to twice its size.
const PAGES_FEW: usize = 192;
/// Elsewhere it may take one that is larger by this part: about two classes.
const BORROW_SHARE: usize = 4;
/// Steps of retiring what `clear` left behind that one try makes.
const REAPS_PER_ATTEMPT: usize = 8;
/// While readers hold enough of what was evicted, a writer evicts more only every so many tries.
const WAITS_PER_EVICTION: u32 = if SMALL { 4 } else { 64 };
/// Tries before the thread gives its processor away to the readers that it waits for.
const EAGER_ATTEMPTS: u32 = 16;
/// Tries before it sleeps between them.
const YIELDING_ATTEMPTS: u32 = 256;
/// Tries before the write is refused: by then readers have stood still for half a second.
const ATTEMPTS_MAX: u32 = if SMALL { YIELDING_ATTEMPTS } else { 5_000 };
const SLEEP: Duration = Duration::from_micros(100);

impl Engine {
    /// A free slot for a new record; evicts if it must.
    #[inline]
    pub(crate) fn allocate(
        &self,
        class: Class,
        shard: usize,
        own: &ReaderSlot,
    ) -> Result<Loc, Error> {
        match self.common.allocator.allocate(class, Purpose::Entry) {
            Some(loc) => Ok(loc),
            None => self.allocate_by_evicting(class, shard, own),
        }
    }

    #[cold]
    fn allocate_by_evicting(
        &self,
        class: Class,
        shard: usize,
        own: &ReaderSlot,
    ) -> Result<Loc, Error> {
        let slot_bytes = self.records().classes.slot_bytes(class) as u64;
        for attempt in 1..=ATTEMPTS_MAX {
            // What others have given back, or a page that was emptied.
            if let Some(loc) = self.common.allocator.allocate(class, Purpose::Entry) {
                return Ok(loc);
            }
            if let Some(loc) = self.borrow_larger_slot(class) {
                return Ok(loc);
            }
            self.make_some_room(slot_bytes, shard, attempt, own)?;
        }
        Err(Error::NoRoom {
            bytes: slot_bytes as usize,
        })
    }

    /// A free slot of a somewhat larger class. Every class in use has some that nobody asks for: up to
    /// a page's worth, a page that is partly used. Together that is a good part of a budget when sizes
    /// are mixed; a slot that is a little too large wastes less. From a whole page's worth on the slots
    /// are left for compaction, which can do better.
    fn borrow_larger_slot(&self, class: Class) -> Option<Loc> {
        self.larger_classes(class)
            .find_map(|larger| self.common.allocator.allocate(larger, Purpose::WithinClass))
    }

    /// Whether [`Self::borrow_larger_slot`] would find one. A hint.
    pub(crate) fn could_borrow(&self, class: Class) -> bool {
        self.larger_classes(class)
            .any(|larger| self.common.allocator.has_free_slots(larger))
    }

    /// The classes that a new record of a class may borrow from.
    fn larger_classes(&self, class: Class) -> impl Iterator<Item = Class> + '_ {
        let classes = &self.records().classes;
        // Where pages are few, a page is too much to wait for until it is empty.
        let pages_are_few = self.common.layout.page_count < PAGES_FEW;
        let bytes = classes.slot_bytes(class);
        let bytes_max = if pages_are_few {
            bytes * 2
        } else {
            bytes + bytes / BORROW_SHARE
        };
        let is_record = move |class: &Class| classes.use_of(*class) == Use::Record;
        (class.0 + 1..)
            .map(Class)
            // Chunks and blocks borrow nothing.
            .take_while(move |larger| {
                is_record(&class) && is_record(larger) && classes.slot_bytes(*larger) <= bytes_max
            })
            .filter(move |larger| pages_are_few || self.common.allocator.has_stray_slots(*larger))
    }

    /// The index of a shard has no room to grow: frees a page for it.
    #[cold]
    pub(crate) fn make_room_for_index(&self, shard: usize, own: &ReaderSlot) -> Result<(), Error> {
        let bytes = self.common.layout.page_bytes as u64;
        for attempt in 1..=ATTEMPTS_MAX {
            // One more than an entry would need: the reserve that the index may take.
            if self.common.allocator.pages_for_entries() > 0 {
                return Ok(());
            }
            self.make_some_room(bytes, shard, attempt, own)?;
        }
        Err(Error::NoRoom {
            bytes: bytes as usize,
        })
    }

    fn make_some_room(
        &self,
        slot_bytes: u64,
        shard: usize,
        attempt: u32,
        own: &ReaderSlot,
    ) -> Result<(), Error> {
        // Free slots of other sizes come before live entries.
        if self.empty_a_page(own, attempt) {
            return Ok(());
        }
        let common = &self.common;
        self.reap_some();
        self.hand_over_all(if attempt == 1 {
            shard..shard + 1
        } else {
            0..self.shards.len()
        });
        common.collect(Some(own));
        // A reader still holds memory that would do: what is evicted now could not be used before it
        // lets go either. Not for ever, in case what waits is of no use to this writer.
        if common.limbo.bytes() >= slot_bytes && !attempt.is_multiple_of(WAITS_PER_EVICTION) {
            give_way(attempt);
            return Ok(());
        }
        // A page's worth is a batch already.
        let is_page = slot_bytes >= common.layout.page_bytes as u64;
        let slots_max = if is_page { 1 } else { BATCH_SLOTS_MAX };
        self.evict_batch(slot_bytes, slots_max, shard)?;
        common.collect(Some(own));
        Ok(())
    }

    /// Retires some of what `clear` left behind, if it did: dead entries go before live ones.
    fn reap_some(&self) {
        // Relaxed: a hint; what is missed now is reaped at the next try.
        if self.common.doomed.load(Ordering::Relaxed) == 0 {
            return;
        }
        let mut left = REAPS_PER_ATTEMPT;
        for shard in 0..self.shards.len() {
            let Ok(mut locked) = self.lock(shard) else {
                continue;
            };
            while left > 0 && locked.reap() {
                left -= 1;
            }
            locked.hand_over(true);
            if left == 0 {
                return;
            }
        }
    }

    /// Evicts some slots' worth from a shard, or from another one if that has more.
    fn evict_batch(&self, slot_bytes: u64, slots_max: u64, shard: usize) -> Result<(), Error> {
        let from = self.fuller_shard(shard)?;
        match self.evict_batch_from(from, slot_bytes, slots_max) {
            // In between somebody died there.
            Err(Poisoned) if from != shard => Ok(()),
            evicted => Ok(evicted?),
        }
    }

    /// Evicts some slots' worth from a shard; from the next one that has something, if that has nothing.
    pub(crate) fn evict_batch_from(
        &self,
        from: usize,
        slot_bytes: u64,
        slots_max: u64,
    ) -> Result<(), Poisoned> {
        let mut locked = self.lock(from)?;
        let entries = locked.state.rings.entries() << self.common.layout.shard_bits;
        let slots = (entries / BATCH_ENTRIES_SHARE).clamp(1, slots_max);
        let wanted = match self.common.layout.unit {
            Unit::Bytes => (slots * slot_bytes).min(BATCH_BYTES_MAX).max(slot_bytes),
            Unit::Entries => slots,
            // How many bytes go with a weight is unknown: one entry at a time.
            Unit::Weight => 1,
        };
        let freed = locked.evict(wanted, self.common.clock.now());
        locked.hand_over(true);
        drop(locked);
        self.common.turnover.note(freed, &self.common.sketch);
        if freed == 0 {
            self.evict_anywhere(from, slot_bytes);
        }
        Ok(())
    }

    /// Evicts what is beyond the limit: an entry was replaced by a heavier one, or a new one's shard
    /// had too little to give.
    pub(crate) fn evict_beyond(&self, bound: &Bound, shard: usize) -> Result<(), Error> {
        for _ in 0..=self.shards.len() {
            let excess = bound.excess(0);
            if excess == 0 {
                break;
            }
            let from = self.fuller_shard(shard)?;
            let mut locked = self.lock(from)?;
            let freed = locked.evict(excess, self.common.clock.now());
            locked.hand_over(true);
            drop(locked);
            if freed == 0 {
                self.evict_anywhere(from, excess);
            }
        }
        Ok(())
    }

    /// A shard, or a random other one if that has more. One lock at a time.
    fn fuller_shard(&self, shard: usize) -> Result<usize, Error> {
        let (bytes, other) = self.rival(shard)?;
        let other_has_more = other != shard && self.holds_more(other, bytes);
        Ok(if other_has_more { other } else { shard })
    }

    /// What a shard's entries are charged, and another shard, chosen at random, to be compared with it. The same if it is
    /// the only one.
    pub(crate) fn rival(&self, shard: usize) -> Result<(u64, usize), Poisoned> {
        let mut locked = self.lock(shard)?;
        let shards = self.shards.len();
        let distance = match shards {
            1 => 0,
            _ => 1 + locked.state.random.next() as usize % (shards - 1),
        };
        Ok((
            locked.state.rings.total_bytes(),
            (shard + distance) % shards,
        ))
    }

    /// Whether a shard's entries are charged more than so much.
    pub(crate) fn holds_more(&self, shard: usize, charges: u64) -> bool {
        let has_more = |locked: LockedShard<'_>| locked.state.rings.total_bytes() > charges;
        self.lock(shard).is_ok_and(has_more)
    }

    /// The chosen shard was empty: goes through the others until one gives something.
    fn evict_anywhere(&self, start: usize, wanted: u64) {
        for distance in 1..self.shards.len() {
            let Ok(mut locked) = self.lock((start + distance) % self.shards.len()) else {
                continue;
            };
            let freed = locked.evict(wanted, self.common.clock.now());
            locked.hand_over(true);
            if freed > 0 {
                break;
            }
        }
    }

    pub(crate) fn hand_over_all(&self, shards: std::ops::Range<usize>) {
        for shard in shards {
            if let Ok(mut locked) = self.lock(shard) {
                locked.hand_over(true);
            }
        }
    }
}

/// Lets a reader go on that is in the way: it may be running, or have lost its processor.
fn give_way(attempt: u32) {
    if cfg!(shuttle) {
        // In a chosen schedule nobody goes on unless this thread says that it waits.
        return thread::yield_now();
    }
    if attempt > YIELDING_ATTEMPTS {
        thread::sleep(SLEEP);
    } else if attempt > EAGER_ATTEMPTS {
        thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}
