//! A shard: one lock, and the only code that changes index, rings and wheel together.
//!
//! Readers use a shard's index, which lies beside the other shards' (`Engine::indexes`), without the lock. Everything else happens in [`LockedShard`], which
//! exists only while the lock is held. Nothing of the user's runs under it.
//!
//! An entry's life: *filled* (nobody can reach it) → *published* here (index, ring, wheel) →
//! *unlinked* here, marked retired, logged if an L0 holds a copy → in limbo → *free*.
//!
//! Lock order: shard → (change log | limbo | size class → page pool). Never two shards.

use crate::claims::Claims;
use crate::clock::Expiry;
use crate::common::Common;
use crate::epoch::ReaderSlot;
use crate::expiry::{Due, Wheel};
use crate::fault;
use crate::hash::KeyHash;
use crate::heap::{self, OutOfMemory};
use crate::index::{Doomed, Index, NeedsRoom, Place, Retired, Step};
use crate::limbo::Pending;
use crate::limits::SHARD_OVERHEAD_BYTES;
use crate::lock::{Guard, Lock};
use crate::memory::record::{Queue, Records};
use crate::memory::region::Loc;
use crate::policy::Random;
use crate::policy::objective::SizeMix;
use crate::policy::rings::Rings;
use crate::state::VERSION_MASK;
use crate::stats::WriteCounts;
use crate::sync::{CacheAligned, Ordering};
use std::collections::VecDeque;

/// Steps that `clear` reaps of what earlier calls left behind. An index that was cleared while it
/// was nearly empty has one, and its directory.
const REAPS_PER_CLEAR: usize = 8;
/// Entries that one step of reaping retires: each is a cold line or two, under the lock.
const ENTRIES_PER_REAP: usize = 64;

/// The policy is told the cache's size once in this many writes of a shard, plus one; more often at the
/// beginning.
const SIZES_MASK: u64 = 255;

/// See the module's documentation.
pub(crate) struct Shard {
    state: Lock<ShardState>,
}

const _: () = assert!(
    // There, locks are larger.
    cfg!(shuttle)
        || size_of::<CacheAligned<Shard>>() + Wheel::BYTES + Index::BYTES_MIN + Claims::SHARD_BYTES
            <= SHARD_OVERHEAD_BYTES
);

/// What the lock guards.
pub(crate) struct ShardState {
    pub(crate) rings: Rings,
    pub(crate) wheel: Wheel,
    pub(crate) counts: WriteCounts,
    pub(crate) random: Random,
    pub(crate) sizes: SizeMix,
    pub(crate) pending: Pending,
    /// Indexes that `clear` took out of use, whose entries are not retired yet.
    pub(crate) doomed: VecDeque<Doomed>,
    pub(crate) last_version: u32,
    /// Entries that the hands passed over in this batch of evictions.
    pub(crate) hand_steps: usize,
    /// The next record of so many bytes that is removed leaves its slot to the writer (see `reuse`), as
    /// `in_hand.coming`. Zero: none does.
    pub(crate) reuse_bytes: u64,
    /// When the record that will be there expires.
    pub(crate) reuse_expiry: Expiry,
    /// What the limit was told that this shard holds.
    reported: u64,
    pub(crate) in_hand: InHand,
}

/// The records that the change in progress moves in or out of the index, for `repair`: of these it is
/// not sure who has them. Set before the first step, taken back after the last.
#[derive(Clone, Copy)]
pub(crate) struct InHand {
    /// Filled, on its way into the index; or a slot that was taken from the index' last record to be filled.
    pub(crate) coming: Loc,
    /// On its way from the index to `pending`.
    pub(crate) going: Loc,
    /// Whether `coming` is a copy of `going`, whose chunks go with it.
    pub(crate) is_move: bool,
}

impl InHand {
    pub(crate) const NOTHING: Self = Self {
        coming: Loc::NONE,
        going: Loc::NONE,
        is_move: false,
    };
}

/// A thread panicked while it held the lock, and the shard can't be repaired for want of room or memory.
#[derive(Debug)]
pub(crate) struct Poisoned;

/// Under which condition a record is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Always,
    IfAbsent,
    IfPresent,
    IfVersion(u64),
}

/// Why an entry is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Deleted,
    Evicted,
    Refused,
    Expired,
}

impl Shard {
    pub(crate) fn new(seed: u64, now: u64) -> Result<Self, OutOfMemory> {
        Ok(Self {
            state: Lock::new(ShardState {
                rings: Rings::new(),
                wheel: Wheel::new(now)?,
                counts: WriteCounts::default(),
                random: Random::new(seed),
                sizes: SizeMix::default(),
                pending: Pending::default(),
                doomed: VecDeque::new(),
                last_version: 0,
                hand_steps: 0,
                reuse_bytes: 0,
                reuse_expiry: Expiry::NEVER,
                reported: 0,
                in_hand: InHand::NOTHING,
            }),
        })
    }

    /// `index` is this shard's.
    #[inline(always)]
    pub(crate) fn lock<'a>(
        &'a self,
        common: &'a Common,
        index: &'a Index,
    ) -> Result<LockedShard<'a>, Poisoned> {
        let locked = self.lock_as_it_is(common, index);
        if self.state.is_poisoned() {
            return self.take_over(locked);
        }
        Ok(locked)
    }

    /// As [`Self::lock`]; nothing if the shard needs repair.
    #[inline(always)]
    pub(crate) fn lock_sound<'a>(
        &'a self,
        common: &'a Common,
        index: &'a Index,
    ) -> Option<LockedShard<'a>> {
        let locked = self.lock_as_it_is(common, index);
        (!self.state.is_poisoned()).then_some(locked)
    }

    #[inline(always)]
    fn lock_as_it_is<'a>(&'a self, common: &'a Common, index: &'a Index) -> LockedShard<'a> {
        LockedShard {
            common,
            index,
            state: self.state.lock(),
        }
    }

    /// Waits for whoever holds the lock. What a writer that died left behind stays for the next one who locks.
    pub(crate) fn pass_through(&self) {
        drop(self.state.lock());
    }

    /// Between two holds of one who works off much: see [`Lock::let_others_in`].
    pub(crate) fn let_others_in(&self) {
        self.state.let_others_in();
    }

    /// The lock of a writer that died: repairs what it left behind.
    #[cold]
    fn take_over<'a>(&self, mut locked: LockedShard<'a>) -> Result<LockedShard<'a>, Poisoned> {
        locked.repair().map_err(|_: NeedsRoom| Poisoned)?;
        self.state.clear_poison();
        Ok(locked)
    }

    /// Whether the next one who locks this shard has to repair it.
    #[cfg(feature = "fault")]
    pub(crate) fn is_poisoned(&self) -> bool {
        self.state.is_poisoned()
    }
}

/// A shard whose lock is held.
pub(crate) struct LockedShard<'a> {
    pub(crate) common: &'a Common,
    pub(crate) index: &'a Index,
    pub(crate) state: Guard<'a, ShardState>,
}

impl LockedShard<'_> {
    /// Lets the lock go, in place.
    #[inline(always)]
    pub(crate) fn unlock(self) {
        self.state.unlock();
    }

    pub(crate) fn records(&self) -> &Records {
        self.common.allocator.records()
    }

    /// The record of a key, expired or not.
    pub(crate) fn find(&self, hash: KeyHash, key: &[u8]) -> Option<Loc> {
        let place = self.index.place_of_key(&self.common.allocator, hash, key);
        place.map(|place| place.loc)
    }

    /// Whether an indexed record has not expired.
    pub(crate) fn is_live(&self, loc: Loc, now: u64) -> bool {
        !self.records().header(loc).expiry().is_past(now)
    }

    /// The record of a key that has not expired.
    pub(crate) fn find_live(&self, hash: KeyHash, key: &[u8], now: u64) -> Option<Loc> {
        self.find(hash, key).filter(|loc| self.is_live(*loc, now))
    }

    /// Whether a condition holds, given the record of the key, expired or not.
    pub(crate) fn holds(&self, condition: Condition, existing: Option<Loc>, now: u64) -> bool {
        let live = existing.filter(|loc| self.is_live(*loc, now));
        match condition {
            Condition::Always => true,
            Condition::IfAbsent => live.is_none(),
            Condition::IfPresent => live.is_some(),
            Condition::IfVersion(version) => {
                live.is_some_and(|loc| self.version_of(loc) == version)
            }
        }
    }

    /// Publishes a filled record if the condition holds; otherwise it remains the caller's. With
    /// [`NeedsRoom`] nothing has changed either.
    pub(crate) fn publish(
        &mut self,
        hash: KeyHash,
        key: &[u8],
        new: Loc,
        condition: Condition,
        now: u64,
        own: &ReaderSlot,
    ) -> Result<bool, NeedsRoom> {
        let existing = self.index.place_of_key(&self.common.allocator, hash, key);
        if !self.holds(condition, existing.map(|place| place.loc), now) {
            return Ok(false);
        }
        let version = self.state.last_version.wrapping_add(1) & VERSION_MASK;
        self.records().set_version(new, version);
        Wheel::leave_out(self.records(), new);
        fault::point();
        own.expect_overwrite(existing.is_some_and(|old| self.records().are_alike(old.loc, new)));
        match existing {
            Some(old) => self.supersede(key, old, new),
            None => {
                if self.common.bound.is_some() {
                    self.make_place(new, now);
                }
                self.add(hash, new)?;
            }
        }
        fault::point();
        self.state.last_version = version;
        self.state.counts.sets += 1;
        fault::point();
        self.file(new, now);
        fault::point();
        Ok(true)
    }

    /// Versions of one key never repeat within 2^30 writes to its shard.
    fn version_of(&self, loc: Loc) -> u64 {
        self.records().header(loc).version() as u64
    }

    fn add(&mut self, hash: KeyHash, new: Loc) -> Result<(), NeedsRoom> {
        let charge = self.records().charge(new);
        self.add_charged(hash, new, charge)
    }

    /// Adds a record of a key that has none.
    #[inline(always)]
    pub(crate) fn add_charged(
        &mut self,
        hash: KeyHash,
        new: Loc,
        charge: u64,
    ) -> Result<(), NeedsRoom> {
        let (common, index) = (self.common, self.index);
        let retired = self.state.pending.index();
        index.insert(&common.allocator, &common.hasher, hash, new, retired)?;
        fault::point();
        let records = common.allocator.records();
        self.state.rings.push(records, Queue::Window, new, charge);
        fault::point();
        self.settle_window(charge);
        Ok(())
    }

    /// Evicts from this shard what has to go so that a new record keeps to the limit. If the shard has
    /// too little, the engine evicts elsewhere afterwards.
    #[cold]
    fn make_place(&mut self, new: Loc, now: u64) {
        self.report();
        let charge = self.records().charge(new);
        let excess = self
            .common
            .bound
            .as_ref()
            .map_or(0, |bound| bound.excess(charge));
        if excess > 0 {
            let freed = self.evict(excess, now);
            self.common.turnover.note(freed, &self.common.sketch);
        }
    }

    /// Now and then: how many entries the cache has, and their charges, judged by this shard.
    #[inline(always)]
    pub(crate) fn sizes_if_due(&self) -> Option<(u64, u64)> {
        let sets = self.state.counts.sets;
        if sets & SIZES_MASK == 0 {
            return Some(self.sizes());
        }
        (sets <= SIZES_MASK)
            .then(|| self.sizes_at_first(sets))
            .flatten()
    }

    #[cold]
    fn sizes_at_first(&self, sets: u64) -> Option<(u64, u64)> {
        sets.is_power_of_two().then(|| self.sizes())
    }

    #[cold]
    fn sizes(&self) -> (u64, u64) {
        let (rings, shard_bits) = (&self.state.rings, self.common.layout.shard_bits);
        (
            rings.entries() << shard_bits,
            rings.total_bytes() << shard_bits,
        )
    }

    /// Tells the limit, if there is one, what this shard holds now.
    #[inline]
    pub(crate) fn report(&mut self) {
        if let Some(bound) = &self.common.bound {
            let state = &mut *self.state;
            let holds = state.rings.total_bytes();
            bound.report(state.reported, holds);
            state.reported = holds;
        }
    }

    fn supersede(&mut self, key: &[u8], place: Place, new: Loc) {
        let common = self.common;
        let records = common.allocator.records();
        let old = place.loc;
        self.state.in_hand.going = old;
        self.index.replace_at(&common.allocator, place, new);
        fault::point();
        // An overwrite is a use: the new record inherits the old one's standing and a hit.
        records.header(new).set_hits(records.header(old).hits());
        records.header(new).raise_hits();
        let (old_bytes, new_bytes) = (records.charge(old), records.charge(new));
        let occupied = records.occupied(old);
        if let Some(queue) = records.header(old).queue() {
            self.state
                .rings
                .replace(records, queue, (old, old_bytes), (new, new_bytes));
        }
        fault::point();
        self.state.wheel.unlink(records, old);
        fault::point();
        if records.header(old).retire() {
            fault::point();
            common.changes.append(key);
        }
        fault::point();
        self.state
            .pending
            .push(&common.allocator, old, occupied, false);
        self.state.in_hand.going = Loc::NONE;
    }

    #[inline]
    pub(crate) fn file(&mut self, loc: Loc, now: u64) {
        let records = self.common.allocator.records();
        if let Some(tick) = records.header(loc).expiry().tick(now) {
            self.state.wheel.file(records, loc, tick);
        }
    }

    /// Removes a live record; returns its charge.
    pub(crate) fn remove(&mut self, hash: KeyHash, loc: Loc, reason: Reason) -> u64 {
        self.remove_here(hash, loc, reason)
    }

    /// As [`Self::remove`], where it is worth to be compiled in place.
    #[inline(always)]
    pub(crate) fn remove_here(&mut self, hash: KeyHash, loc: Loc, reason: Reason) -> u64 {
        let common = self.common;
        let records = common.allocator.records();
        self.state.in_hand.going = loc;
        let removed = self.index.remove(
            &common.allocator,
            &common.hasher,
            hash,
            loc,
            self.state.pending.index(),
        );
        debug_assert!(removed);
        fault::point();
        let occupied = records.occupied(loc);
        let bytes = records.charge_of(loc, occupied);
        if let Some(queue) = records.header(loc).queue() {
            self.state.rings.unlink(records, queue, loc, bytes);
        }
        fault::point();
        let is_reused = occupied == self.state.reuse_bytes;
        if !is_reused || !self.may_stay_filed(loc, reason) {
            self.state.wheel.unlink(records, loc);
        }
        fault::point();
        let was_watched = if is_reused {
            records.header(loc).retire_unseen()
        } else {
            records.header(loc).retire()
        };
        if was_watched {
            fault::point();
            self.log_change(loc);
        }
        fault::point();
        if is_reused {
            self.state.reuse_bytes = 0;
            // At once: it is never on both ways.
            self.state.in_hand = InHand {
                coming: loc,
                ..InHand::NOTHING
            };
        } else {
            self.state
                .pending
                .push(&common.allocator, loc, occupied, false);
            self.state.in_hand.going = Loc::NONE;
        }
        fault::point();
        let counts = &mut self.state.counts;
        match reason {
            Reason::Deleted => counts.deletes += 1,
            Reason::Evicted => counts.evictions += 1,
            Reason::Refused => counts.rejections += 1,
            Reason::Expired => counts.expirations += 1,
        }
        bytes
    }

    /// Whether the wheel may keep a record whose slot is reused: it comes up no later than the record that will be there
    /// expires, and is filed for that one then. Where all live equally long that saves each insert two moves; when the
    /// time comes there is one. (What the wheel has just brought up must not come up again.)
    #[inline(always)]
    fn may_stay_filed(&self, loc: Loc, reason: Reason) -> bool {
        let expiry = self.records().header(loc).expiry();
        reason != Reason::Expired && self.state.reuse_expiry.is_no_earlier_than(expiry)
    }

    /// Tells every L0 to drop its copy of a record, which is live or was removed just now.
    pub(crate) fn log_change(&self, loc: Loc) {
        let changes = &self.common.changes;
        // SAFETY: the shard's lock is held and the record is not freed yet.
        let logged = unsafe { self.records().with_key(loc, |key| changes.append(key)) };
        // Where there is no memory to put the key together, every L0 drops all it has.
        logged.unwrap_or_else(|_: OutOfMemory| changes.lap_all());
    }

    /// The hash of a live record's key.
    pub(crate) fn hash_of(&self, loc: Loc) -> KeyHash {
        self.hash_of_here(loc)
    }

    /// As [`Self::hash_of`], where it is worth to be compiled in place.
    #[inline(always)]
    pub(crate) fn hash_of_here(&self, loc: Loc) -> KeyHash {
        // SAFETY: the shard's lock is held and the record is live in it.
        unsafe { self.records().hash_of(loc, &self.common.hasher) }
    }

    /// Changes when a live record expires. False where only a copy of the record can express it.
    pub(crate) fn touch(&mut self, loc: Loc, key: &[u8], expiry: Expiry, now: u64) -> bool {
        let header = self.common.allocator.records().header(loc);
        let Some(is_shorter) = self.renew_expiry(loc, expiry, now) else {
            return false;
        };
        fault::point();
        if is_shorter && header.take_watched() {
            self.common.changes.append(key);
        }
        true
    }

    /// Changes when a live record expires, and files it anew if that is earlier than before; whether it
    /// is. `None` where only a copy of the record can express it.
    pub(crate) fn renew_expiry(&mut self, loc: Loc, expiry: Expiry, now: u64) -> Option<bool> {
        let records = self.common.allocator.records();
        let header = records.header(loc);
        let before = header.expiry();
        if !header.set_expiry(expiry) {
            return None;
        }
        let is_shorter = expiry != before && expiry.remaining_ms(now) < before.remaining_ms(now);
        if is_shorter || !Wheel::is_filed(records, loc) {
            fault::point();
            self.state.wheel.unlink(records, loc);
            fault::point();
            self.file(loc, now);
        }
        Some(is_shorter)
    }

    /// Removes at most `limit` entries that have expired, or re-files them. True if there may be more.
    pub(crate) fn expire(&mut self, now: u64, limit: usize) -> bool {
        let records = self.common.allocator.records();
        for _ in 0..limit {
            let Due::Record(loc) = self.state.wheel.next_due(now) else {
                return false;
            };
            self.look_ahead_of_expiry(loc);
            if records.header(loc).expiry().is_past(now) {
                self.remove(self.hash_of(loc), loc, Reason::Expired);
            } else {
                self.state.wheel.unlink(records, loc);
                fault::point();
                self.file(loc, now);
            }
        }
        true
    }

    /// Asks for the lines that removing the records behind `loc` in the wheel will read: the next
    /// one's record was asked for the last time, so its key can be hashed now.
    fn look_ahead_of_expiry(&self, loc: Loc) {
        let records = self.records();
        let Some(next) = Wheel::next(records, loc) else {
            return;
        };
        // SAFETY: the shard's lock is held.
        unsafe {
            self.index
                .prefetch(&self.common.allocator, self.hash_of(next))
        };
        if let Some(after) = Wheel::next(records, next) {
            records.region().prefetch(after);
        }
    }

    /// Takes everything out of the index at once. The entries' memory is given back by
    /// [`Self::reap`].
    pub(crate) fn clear(&mut self, now: u64) -> Result<(), NeedsRoom> {
        // What earlier calls left: so much that it can't pile up faster than it is reaped, and so
        // little that this takes no time.
        for _ in 0..REAPS_PER_CLEAR {
            if !self.reap() {
                break;
            }
        }
        // So that the old directory is at no time in nobody's hands: readers still use it.
        let doomed = &mut self.state.doomed;
        doomed.try_reserve(1).map_err(|_| OutOfMemory {
            bytes: size_of::<Doomed>(),
        })?;
        let made = self.state.pending.index();
        let directory = self.index.clear(&self.common.allocator, made)?;
        self.state.doomed.push_back(Doomed::new(directory));
        self.common.doomed.fetch_add(1, Ordering::Relaxed);
        fault::point();
        self.state.rings = Rings::new();
        self.report();
        fault::point();
        self.state.wheel.clear(now);
        fault::point();
        // Before the lock is let go: who writes a key anew from now on finds no old record, and so
        // would tell no L0 of it. An L0 that drains this reads the shard again and finds it empty.
        self.common.changes.lap_all();
        Ok(())
    }

    /// Retires some of what `clear` left behind. True if it did.
    pub(crate) fn reap(&mut self) -> bool {
        let common = self.common;
        let state = &mut *self.state;
        let Some(doomed) = state.doomed.front_mut() else {
            return false;
        };
        let pending = &mut state.pending;
        // For what is noted at the end of a segment, or of all. Without it: another time.
        if heap::reserve(pending.index(), 1).is_err() {
            return false;
        }
        let step = doomed.step(&common.allocator, ENTRIES_PER_REAP, |loc| {
            // Nobody is told one by one: `clear` lapses every L0.
            let records = common.allocator.records();
            records.header(loc).retire();
            fault::point();
            pending.push(&common.allocator, loc, records.occupied(loc), false);
        });
        match step {
            Step::Part => {}
            Step::Segment(segment) => {
                fault::point();
                pending.index().push(Retired::Segment(segment));
                fault::point();
                doomed.advance();
            }
            Step::End => {
                fault::point();
                // Room was made: the directory is at no time in nobody's hands.
                let done = state.doomed.pop_front().map(Doomed::into_directory);
                pending.index().extend(done.map(Retired::Directory));
                common.doomed.fetch_sub(1, Ordering::Relaxed);
            }
        }
        fault::point();
        true
    }

    /// Moves a live record to another slot of its class, or evicts it if there is none.
    pub(crate) fn relocate(&mut self, hash: KeyHash, from: Loc) {
        let common = self.common;
        let records = common.allocator.records();
        // SAFETY: the shard's lock is held.
        let is_live =
            unsafe { self.index.find(&common.allocator, hash, |loc| loc == from) }.is_some();
        if !is_live {
            return;
        }
        let class = common.allocator.class_of(from);
        let Some(to) = common
            .allocator
            .allocate(class, crate::memory::allocator::Purpose::WithinClass)
        else {
            self.remove(hash, from, Reason::Evicted);
            return;
        };
        self.state.in_hand = InHand {
            coming: to,
            going: from,
            is_move: true,
        };
        fault::point();
        // SAFETY: `to` was just allocated with the class of `from`, which is live in this shard.
        unsafe { records.relocate(from, to) };
        fault::point();
        self.index.replace(&common.allocator, hash, from, to);
        fault::point();
        // A copy occupies what the original did.
        let (bytes, occupied) = (records.charge(from), records.occupied(from));
        if let Some(queue) = records.header(from).queue() {
            self.state
                .rings
                .replace(records, queue, (from, bytes), (to, bytes));
        }
        fault::point();
        self.state.wheel.replace(records, from, to);
        fault::point();
        if records.header(from).retire() {
            // An L0's copy is as good as before; the new record must know of it.
            records.header(to).watch();
        }
        fault::point();
        self.state
            .pending
            .push(&common.allocator, from, occupied, true);
        self.state.in_hand = InHand::NOTHING;
        fault::point();
    }

    /// Evicts the live record that a chunk belongs to, if there is one.
    pub(crate) fn evict_owner_of(&mut self, hash: KeyHash, chunk: Loc) {
        let common = self.common;
        let records = common.allocator.records();
        // SAFETY: the shard's lock is held.
        let owner = unsafe {
            self.index.find(&common.allocator, hash, |loc| {
                records.chunks(loc).any(|own| own == chunk)
            })
        };
        if let Some(owner) = owner {
            self.remove(hash, owner, Reason::Evicted);
        }
    }

    /// Hands the unlinked records over if there are many (or any, with `all`).
    pub(crate) fn hand_over(&mut self, all: bool) {
        self.report();
        if all || self.common.limbo.is_full(&self.state.pending) {
            self.common
                .limbo
                .add(&self.common.epoch, &mut self.state.pending);
        }
    }

    /// Checks every invariant of this shard; returns its live records, chunks and index segments.
    pub(crate) fn validate(&self, shard: usize) -> Result<crate::limbo::Census, String> {
        let records = self.common.allocator.records();
        let mut chunks = 0;
        let (entries, segments) = self.index.validate(&self.common.allocator, |loc| {
            // SAFETY: the shard's lock is held and the record is live in it.
            let hash = unsafe { records.with_key(loc, |key| self.common.hasher.hash(key)) };
            let hash = hash.map_err(|refused| format!("{refused:?}"))?;
            if hash != self.hash_of(loc) {
                return Err(format!("the chunks of {loc:?} have another hash"));
            }
            if hash.shard(self.common.layout.shard_bits) != shard {
                return Err(format!("{loc:?} is of another shard than {shard}"));
            }
            if records.header(loc).queue().is_none() {
                return Err(format!("{loc:?} is indexed but in no ring"));
            }
            chunks += records.chunks(loc).count();
            Ok(hash)
        })?;
        self.state.rings.validate(records)?;
        let filed = self.state.wheel.validate(records)?;
        if self.state.rings.entries() != entries as u64 || filed > entries as u64 {
            return Err(format!(
                "{entries} indexed, {} in rings, {filed} in the wheel",
                self.state.rings.entries()
            ));
        }
        let live = crate::limbo::Census {
            records: entries,
            chunks,
            blocks: segments,
        };
        Ok(live.plus(crate::limbo::Census::of(
            &self.common.allocator,
            &self.state.pending,
        )))
    }

    /// Whether `clear` left something that is not retired yet.
    pub(crate) fn has_doomed(&self) -> bool {
        !self.state.doomed.is_empty()
    }
}
