//! Putting a new record where the one lay that has to go for it.
//!
//! What is evicted has to wait for readers before its slot can be used again, and goes from shard to limbo
//! to size class meanwhile. Where only one handle exists there are no readers to wait for: an insert into a
//! full cache then chooses a victim under the lock that it takes anyway, and fills the victim's slot.
//! The invariants are those of `overwrite`.
//!
//! Every so many such inserts it is looked whether room should be made in another way (`room`): pages of
//! other sizes to be emptied, memory that waits, a shard that has much more than this one.

use crate::common::Common;
use crate::engine::{Engine, Terms};
use crate::epoch::ReaderSlot;
use crate::error::Error;
use crate::eviction::Ahead;
use crate::expiry::Wheel;
use crate::fault;
use crate::index::Index;
use crate::limit::{Unit, weight_of};
use crate::memory::classes::Class;
use crate::memory::record::NewRecord;
use crate::memory::region::Loc;
use crate::newcomers::Replaced;
use crate::room::BATCH_SLOTS_MAX;
use crate::shard::{Condition, LockedShard, Poisoned};
use crate::state::VERSION_MASK;
use crate::sync::Ordering;

/// Inserts of a handle between two looks at what else could give room: as many as a batch evicts.
const REUSES_PER_LOOK: u8 = 128;
/// A shard evicts for its own inserts as long as another one, chosen at random at every look, has not more than it
/// by this part of its bytes...
const IMBALANCE_SHARE: u64 = 16;
/// ... and so many slots.
const IMBALANCE_SLOTS: u64 = 8;
/// Entries of other sizes, about, that may go before one of the right size.
const VICTIMS_PER_REUSE: usize = 8;

impl Engine {
    /// Stores a short value in the slot of an entry that has to go for it, if the cache is full and nobody could be reading. False
    /// if the key's entry is as before.
    #[inline(always)]
    pub(crate) fn store_in_reused(
        &self,
        new: &NewRecord<'_>,
        terms: Terms,
        shard: usize,
        now: u64,
        own: &ReaderSlot,
    ) -> Result<bool, Error> {
        let Some(slot) = self.records().short_slot(new) else {
            return Ok(false);
        };
        self.store_in_slot_of_another::<false>(new, terms, shard, now, own, slot)
    }

    /// As [`Self::store_in_reused`], for a long record, if it is one: it takes slot and chunks of one that has as many. Asked
    /// apart, so that short ones needn't pay for it.
    pub(crate) fn store_long_in_reused(
        &self,
        new: &NewRecord<'_>,
        terms: Terms,
        shard: usize,
        own: &ReaderSlot,
    ) -> Result<bool, Error> {
        let records = self.records();
        if records.short_slot(new).is_some() {
            return Ok(false);
        }
        let now = self.common.clock.now();
        let (class, occupied) = records.long_slot(new.key.len() + new.value.len());
        let chunk = records.classes.chunk();
        // Of whichever there is none.
        let missing = if self.common.allocator.is_exhausted(chunk) {
            chunk
        } else {
            class
        };
        self.store_in_slot_of_another::<true>(new, terms, shard, now, own, (missing, occupied))
    }

    /// As [`Self::store_in_reused`], for a record that will occupy so many bytes, and needs a slot of a class. Either short, or long.
    #[inline(always)]
    fn store_in_slot_of_another<const LONG: bool>(
        &self,
        new: &NewRecord<'_>,
        terms: Terms,
        shard: usize,
        now: u64,
        own: &ReaderSlot,
        (class, slot_bytes): (Class, usize),
    ) -> Result<bool, Error> {
        let allocator = &self.common.allocator;
        let is_out_of_memory = allocator.is_exhausted(class);
        let is_full = is_out_of_memory || self.common.excess(new) > 0;
        // A hint: it is asked again under the lock.
        let may_reuse = is_full && self.common.epoch.has_one_reader();
        // Conditions are asked where there is more time.
        if !may_reuse || terms.condition() != Condition::Always {
            return Ok(false);
        }
        // Where it is a limit that is reached, memory need not be looked for.
        if is_out_of_memory && !own.take_reuse() && !self.allow_reuses(class, shard, own)? {
            return Ok(false);
        }
        self.reuse::<LONG>((new, terms), slot_bytes as u64, shard, now, own)
    }

    #[inline(always)]
    fn reuse<const LONG: bool>(
        &self,
        (new, terms): (&NewRecord<'_>, Terms),
        slot_bytes: u64,
        shard: usize,
        now: u64,
        own: &ReaderSlot,
    ) -> Result<bool, Error> {
        // A shard that needs repair gets it from whoever locks it in the ordinary way.
        let Some(mut locked) = self.lock_sound(shard) else {
            return Ok(false);
        };
        // Under the lock, and not before: invariant 2 of `overwrite`.
        let is_alone = self.common.epoch.is_only_reader(own);
        let is_attended = self.common.attention.is_needed();
        // What is refused here is refused once more, elsewhere.
        let stored = is_alone
            && self.allows(new.hash, terms, is_attended)
            && locked.reuse::<LONG>(new, slot_bytes, now, own);
        if stored && is_attended && matches!(terms, Terms::On(_)) {
            self.tell_dependents(new.hash);
        }
        let leaves_memory = !locked.state.pending.is_empty();
        if leaves_memory {
            locked.hand_over(true);
        }
        let sizes = locked.sizes_if_due();
        locked.unlock();
        if leaves_memory {
            // At once: nobody has to be waited for, and the next insert may be one of that size.
            self.common.collect(Some(own));
        }
        if let Some((entries, charges)) = sizes {
            self.common.set_entries(entries, charges);
        }
        if let Some(bound) = &self.common.bound {
            self.evict_beyond(bound, shard)?;
        }
        Ok(stored)
    }

    /// Unless room should be made in another way than by evicting from this shard, allows some more inserts to do so.
    #[cold]
    fn allow_reuses(&self, class: Class, shard: usize, own: &ReaderSlot) -> Result<bool, Error> {
        if self.has_other_room(class) {
            return Ok(false);
        }
        if let Some(other) = self.shard_that_has_to_give(shard, class)? {
            let slot_bytes = self.records().classes.slot_bytes(class) as u64;
            // From that one, and not from another one by chance: else shards that are many and small take turns at being
            // too large. One that needs repair has nothing to give now.
            let _ = self.evict_batch_from(other, slot_bytes, BATCH_SLOTS_MAX);
            self.common.collect(Some(own));
            return Ok(false);
        }
        own.allow_reuses(REUSES_PER_LOOK - 1);
        Ok(true)
    }

    /// Whether there is, or soon will be, room that nothing live has to go for.
    fn has_other_room(&self, class: Class) -> bool {
        let common = &self.common;
        let slot_bytes = common.allocator.records().classes.slot_bytes(class) as u64;
        // Relaxed: a hint.
        common.doomed.load(Ordering::Relaxed) > 0
            || common.limbo.bytes() >= slot_bytes
            || common.allocator.sparse_class(false).is_some()
            || self.could_borrow(class)
            || self.lock_emptying().is_none_or(|page| page.is_some())
    }

    /// Another shard, chosen at random, if that has so much more than this one that it has to give. One lock at a time.
    fn shard_that_has_to_give(
        &self,
        shard: usize,
        class: Class,
    ) -> Result<Option<usize>, Poisoned> {
        let some = match self.common.layout.unit {
            Unit::Bytes => IMBALANCE_SLOTS * self.records().classes.slot_bytes(class) as u64,
            Unit::Entries => IMBALANCE_SLOTS,
            // Unknown.
            Unit::Weight => 0,
        };
        let (bytes, other) = self.rival(shard)?;
        let enough = bytes + bytes / IMBALANCE_SHARE + some;
        let has_to_give = other != shard && self.holds_more(other, enough);
        Ok(has_to_give.then_some(other))
    }
}

impl Common {
    /// How much is beyond the limit, if there is one, with a new record.
    #[inline(always)]
    fn excess(&self, new: &NewRecord<'_>) -> u64 {
        match &self.bound {
            Some(bound) => bound.excess(match self.layout.unit {
                Unit::Weight => weight_of(new.value),
                Unit::Entries | Unit::Bytes => 1,
            }),
            None => 0,
        }
    }
}

impl LockedShard<'_> {
    /// Stores a value over the key's old one, or in the slot of an entry that has to go. False if neither could be
    /// done; what has gone by then makes room all the same. Nobody may be reading this shard's records.
    #[inline(always)]
    fn reuse<const LONG: bool>(
        &mut self,
        new: &NewRecord<'_>,
        slot_bytes: u64,
        now: u64,
        own: &ReaderSlot,
    ) -> bool {
        let common = self.common;
        // The line arrives while it is looked ahead.
        let home = self.index.home(&common.allocator, new.hash);
        home.prefetch();
        let ahead = self.look_ahead();
        // Rather that than a live entry. And where sizes are mixed the next to go is hardly ever of the right one.
        if !self.state.pending.is_empty() || self.state.sizes.is_mixed() {
            return false;
        }
        let place = Index::place_of_rare_key_at(home, &common.allocator, new.key);
        if let Some(old) = place {
            let is_done = self.overwrite_found(old.loc, *new, now);
            own.expect_overwrite(is_done);
            return is_done;
        }
        match self.replace_unread::<LONG>(new, home, slot_bytes, &ahead, now) {
            Replaced::Nothing => self.reuse_of_victim::<LONG>(*new, slot_bytes, ahead, now),
            Replaced::One => true,
            Replaced::NeedsIndex => false,
        }
    }

    /// As [`Self::reuse`], where the key has no entry.
    #[inline(never)]
    fn reuse_of_victim<const LONG: bool>(
        &mut self,
        new: NewRecord<'_>,
        slot_bytes: u64,
        ahead: Ahead,
        now: u64,
    ) -> bool {
        let (common, new) = (self.common, &new);
        let Some(slot) = self.evict_for(new, slot_bytes, ahead, now) else {
            return false;
        };
        let records = common.allocator.records();
        // SAFETY: that record occupied as much, so it has as many chunks as this one needs, and its slot holds this one. It is
        // in no ring any more, nobody can be reading it, as the caller vouches, and neither slot nor chunks were freed.
        unsafe { records.refill::<LONG>(slot, new, slot_bytes as usize, 0) };
        fault::point();
        let is_stored = self.publish_reused(slot, slot_bytes, new, now);
        self.state.in_hand.coming = Loc::NONE;
        fault::point();
        is_stored
    }

    /// Stores a value over the key's old one, if that has not expired and the new one fits.
    #[inline(never)]
    fn overwrite_found(&mut self, loc: Loc, new: NewRecord<'_>, now: u64) -> bool {
        self.is_live(loc, now) && self.overwrite_at(loc, &new, now)
    }

    /// Evicts for a new record: the slot of one that occupied as many bytes as it will, if there was one among those who
    /// went. The shard knows of it as `in_hand.coming`.
    #[inline(always)]
    fn evict_for(
        &mut self,
        new: &NewRecord<'_>,
        slot_bytes: u64,
        ahead: Ahead,
        now: u64,
    ) -> Option<Loc> {
        let common = self.common;
        // One entry of about this size, in the unit that eviction counts in.
        let one = match common.layout.unit {
            Unit::Bytes => slot_bytes,
            Unit::Entries | Unit::Weight => 1,
        };
        let wanted = one.max(common.excess(new));
        self.state.reuse_bytes = slot_bytes;
        self.state.reuse_expiry = new.expiry;
        fault::point();
        let mut freed = self.evict_as(ahead, wanted, now);
        // Where a number of entries is the limit, one that has gone is enough, whatever its size: there is memory.
        if self.state.in_hand.coming.is_none() && common.layout.unit == Unit::Bytes {
            freed += self.evict_more(wanted, now);
        }
        self.state.reuse_bytes = 0;
        common.turnover.note(freed, &common.sketch);
        let slot = self.state.in_hand.coming;
        (!slot.is_none()).then_some(slot)
    }

    /// Evicts until an entry of the size that is wanted was among them, or there were too many. The others' slots wait for
    /// inserts of their sizes.
    #[cold]
    fn evict_more(&mut self, wanted: u64, now: u64) -> u64 {
        let mut sum = 0;
        for _ in 1..VICTIMS_PER_REUSE {
            let freed = self.evict(wanted, now);
            sum += freed;
            if freed == 0 || !self.state.in_hand.coming.is_none() {
                break;
            }
        }
        sum
    }

    /// Publishes a record in a slot that was reused. False if the index has no room: then the slot is retired.
    #[inline(always)]
    fn publish_reused(
        &mut self,
        slot: Loc,
        slot_bytes: u64,
        new: &NewRecord<'_>,
        now: u64,
    ) -> bool {
        let common = self.common;
        let records = common.allocator.records();
        let version = self.state.last_version.wrapping_add(1) & VERSION_MASK;
        records.set_version(slot, version);
        let charge = records.charge_of(slot, slot_bytes);
        if self.add_charged(new.hash, slot, charge).is_err() {
            self.state.wheel.unlink(records, slot);
            records.header(slot).retire();
            self.state
                .pending
                .push(&common.allocator, slot, slot_bytes, false);
            return false;
        }
        fault::point();
        self.state.last_version = version;
        self.state.counts.sets += 1;
        fault::point();
        if !Wheel::is_filed(records, slot) {
            self.file(slot, now);
        }
        fault::point();
        self.report();
        true
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::{Cache, Claim, Clock, Config, Drained, Handle, Limit, ManualClock, Ttl};
    use std::collections::BTreeSet;
    use std::ops::Range;
    use std::sync::Arc;

    const HOUR: Ttl = Ttl::Millis(3_600_000);

    fn cache(config: Config) -> (Cache, Handle, ManualClock) {
        let (clock, manual) = Clock::manual();
        let cache = Cache::new(Config {
            clock,
            seed: Some(1),
            shards: Some(1),
            ..config
        })
        .unwrap();
        let handle = cache.handle();
        (cache, handle, manual)
    }

    fn small() -> (Cache, Handle, ManualClock) {
        cache(Config::new(256 << 10))
    }

    fn set(handle: &Handle, keys: Range<u64>, len: usize, ttl: Ttl) {
        for key in keys {
            let value = vec![key as u8; len];
            handle.set(&key.to_le_bytes(), &value, 0, ttl).unwrap();
        }
    }

    /// Where the keys' records lie, as far as they have any; their values are what was written.
    fn places(handle: &Handle, keys: Range<u64>) -> BTreeSet<usize> {
        let place = |key: u64| {
            handle.peek(&key.to_le_bytes(), |value| {
                let bytes = value.as_contiguous().expect("short");
                assert!(bytes.iter().all(|byte| *byte == key as u8));
                bytes.as_ptr().addr()
            })
        };
        keys.filter_map(place).collect()
    }

    #[test]
    fn new_entries_of_the_only_handle_lie_where_those_lay_that_went() {
        let (cache, handle, _) = small();
        set(&handle, 0..4_000, 100, HOUR);
        let (before, stats) = (places(&handle, 0..4_000), cache.stats());
        set(&handle, 4_000..4_500, 100, HOUR);
        let after = cache.stats();
        assert!(places(&handle, 0..4_500) == before);
        assert_eq!(after.evictions, stats.evictions + 500);
        assert_eq!(after.memory_used, stats.memory_used);
        assert_eq!((after.memory_retired, after.sets), (0, 4_500));
        cache.validate().unwrap();
    }

    fn set_long(handle: &Handle, keys: Range<u64>, len: usize) {
        for key in keys {
            let value: Vec<u8> = (0..len).map(|at| (at as u64 ^ key) as u8).collect();
            handle.set(&key.to_le_bytes(), &value, 0, HOUR).unwrap();
        }
    }

    fn long_ones(handle: &Handle, keys: Range<u64>, len: usize) -> usize {
        let mut out = vec![0; len];
        let is_right = |key: &u64, out: &mut [u8]| {
            let found = handle.peek(&key.to_le_bytes(), |value| value.copy_to(out));
            let bytes = (0..len).map(|at| (at as u64 ^ key) as u8);
            found.is_some() && {
                assert!(bytes.eq(out.iter().copied()), "{key}");
                true
            }
        };
        keys.filter(|key| is_right(key, &mut out)).count()
    }

    #[test]
    fn long_entries_take_slots_and_chunks_of_those_that_went() {
        const LEN: usize = 3_000;
        let (cache, handle, _) = small();
        set_long(&handle, 0..200, LEN);
        let stats = cache.stats();
        assert!(stats.evictions > 100);
        set_long(&handle, 200..400, LEN);
        let after = cache.stats();
        assert_eq!(after.entries, stats.entries);
        assert_eq!(after.evictions, stats.evictions + 200);
        assert_eq!(after.memory_used, stats.memory_used);
        assert_eq!((after.memory_retired, after.sets), (0, 400));
        assert_eq!(long_ones(&handle, 0..400, LEN) as u64, after.entries);
        cache.validate().unwrap();
    }

    /// Of other lengths, but with as many chunks or one more or less, and with times to live that the wheel has to sort.
    #[test]
    fn long_entries_of_other_lengths_are_whole() {
        let (cache, handle, clock) = small();
        for key in 0..3_000u64 {
            let spread = if key % 16 == 0 { 1_200 } else { 24 };
            let len = 2_000 + (key * 37 % spread) as usize;
            let value = vec![key as u8; len];
            let ttl = Ttl::Millis(100 + key * 61 % 5_000);
            handle.set(&key.to_le_bytes(), &value, 0, ttl).unwrap();
            clock.advance_ms(1);
            let mut out = vec![0; len];
            for old in [key, key.saturating_sub(7)] {
                let found = handle.peek(&old.to_le_bytes(), |value| {
                    out.resize(value.len(), 0);
                    value.copy_to(&mut out);
                });
                assert!(found.is_none() || out.iter().all(|byte| *byte == old as u8));
            }
            if key % 100 == 0 {
                cache.validate().unwrap();
            }
        }
        clock.advance_ms(10_000);
        cache.maintain();
        assert_eq!(cache.stats().entries, 0);
        cache.validate().unwrap();
    }

    /// Writes new entries while a value is being read; whether there is room for them is of no concern here.
    fn write_under_a_reader(reader: &Handle, key: u64, writer: &Handle) {
        reader.peek(&key.to_le_bytes(), |value| {
            for new in 0..16 {
                let name = (10_000 + 16 * key + new).to_le_bytes();
                let _ = writer.set(&name, &[0xEE; 100], 0, HOUR);
            }
            let bytes = value.as_contiguous().unwrap();
            assert!(bytes.iter().all(|byte| *byte == key as u8));
        });
    }

    #[test]
    fn what_is_being_read_stays_as_it_is() {
        let (cache, handle, _) = small();
        set(&handle, 0..4_000, 100, HOUR);
        (0..4_000).for_each(|key| write_under_a_reader(&handle, key, &handle));
        set(&handle, 0..4_000, 100, HOUR);
        let reader = cache.handle();
        (0..4_000).for_each(|key| write_under_a_reader(&reader, key, &handle));
        cache.validate().unwrap();
    }

    #[test]
    fn sizes_that_are_nearly_alike_take_each_others_slots_in_the_end() {
        let (cache, handle, _) = cache(Config::new(4 << 20));
        for key in 0..100_000 {
            set(&handle, key..key + 1, 90 + (key * 7 % 24) as usize, HOUR);
        }
        let stats = cache.stats();
        assert!(stats.memory_used > stats.memory_max - stats.memory_max / 16);
        cache.validate().unwrap();
    }

    #[test]
    fn a_key_that_is_there_is_written_over_and_nothing_goes() {
        let (cache, handle, _) = small();
        set(&handle, 0..4_000, 100, HOUR);
        let before = cache.stats();
        for key in 0..4_000u64 {
            if handle.contains(&key.to_le_bytes()) {
                set(&handle, key..key + 1, 100, HOUR);
            }
        }
        let after = cache.stats();
        assert_eq!(after.evictions, before.evictions);
        assert_eq!(after.entries, before.entries);
        cache.validate().unwrap();
    }

    #[test]
    fn what_has_expired_goes_first_and_new_entries_expire() {
        let (cache, handle, clock) = small();
        set(&handle, 0..4_000, 100, HOUR);
        set(&handle, 4_000..4_050, 100, Ttl::Millis(100));
        clock.advance_ms(1_000);
        let before = cache.stats();
        set(&handle, 5_000..5_020, 100, Ttl::Millis(100));
        let after = cache.stats();
        assert_eq!(after.evictions, before.evictions);
        assert_eq!(after.expirations, before.expirations + 20);
        clock.advance_ms(1_000);
        assert!(!handle.contains(&5_019u64.to_le_bytes()));
        cache.maintain();
        assert!(cache.len() < before.entries);
        cache.validate().unwrap();
    }

    #[test]
    fn each_expires_at_its_own_time_whatever_lay_in_its_slot() {
        // At 30 s entries come into the slots of such as live until 60 s. How many of them are there at 41, 61 and 92 s?
        for (ttl_ms, are_there) in [
            (10_000, [false; 3]),
            (60_000, [true, true, false]),
            (90_000, [true; 3]),
        ] {
            let (cache, handle, clock) = small();
            set(&handle, 0..4_000, 100, Ttl::Millis(60_000));
            clock.advance_ms(30_000);
            set(&handle, 4_000..5_000, 100, Ttl::Millis(ttl_ms));
            let new = places(&handle, 4_000..5_000).len() as u64;
            let mut old = cache.len() - new;
            assert!(new > 10 && old > 10);
            for (passed_ms, are_there) in [11_000, 20_000, 31_000].into_iter().zip(are_there) {
                clock.advance_ms(passed_ms);
                cache.maintain();
                old = if passed_ms < 20_000 { old } else { 0 };
                assert_eq!(
                    cache.len(),
                    old + if are_there { new } else { 0 },
                    "{ttl_ms}"
                );
                cache.validate().unwrap();
            }
        }
    }

    #[test]
    fn several_that_have_expired_go_for_one_that_weighs_as_much() {
        let (cache, handle, clock) = cache(Config {
            limit: Some(Limit::Weight(1_000)),
            ..Config::new(4 << 20)
        });
        let weighed = |key: u64, weight: u8, ttl: Ttl| {
            let mut value = [0; 100];
            value[0] = weight;
            handle.set(&key.to_le_bytes(), &value, 0, ttl).unwrap();
        };
        (0..2_000).for_each(|key| weighed(key, 1, Ttl::Millis(100)));
        // Nothing waits for a reader then.
        cache.maintain();
        clock.advance_ms(1_000);
        weighed(2_000, 10, HOUR);
        assert_eq!((cache.len(), cache.stats().expirations), (991, 10));
        cache.validate().unwrap();
        cache.maintain();
        assert_eq!(cache.len(), 1);
    }

    #[test]
    fn what_the_wheel_brings_up_too_early_lives_on_while_new_entries_come() {
        let (cache, handle, clock) = small();
        set(&handle, 0..4_000, 100, Ttl::Millis(60_000));
        for key in 0..4_000u64 {
            handle.touch(&key.to_le_bytes(), HOUR).unwrap();
        }
        clock.advance_ms(61_000);
        let before = cache.stats();
        set(&handle, 4_000..4_100, 100, HOUR);
        let after = cache.stats();
        assert_eq!(after.evictions, before.evictions + 100);
        assert_eq!((after.entries, after.expirations), (before.entries, 0));
        cache.validate().unwrap();
    }

    #[test]
    fn an_l0_learns_of_what_went() {
        let (_cache, handle, clock) = small();
        set(&handle, 0..3_900, 100, HOUR);
        set(&handle, 4_000..4_050, 100, Ttl::Millis(100));
        let mut watched = BTreeSet::new();
        for key in (4_000..4_050u64).chain(4_000..4_050).chain(4_000..4_050) {
            if handle.get_watched(&key.to_le_bytes(), |value| value.watched()) == Some(true) {
                watched.insert(key);
            }
        }
        assert!(watched.len() > 10);
        handle.drain_changes(|_| ());
        clock.advance_ms(1_000);
        set(&handle, 5_000..5_050, 100, HOUR);
        let mut told = BTreeSet::new();
        let drained = handle.drain_changes(|key| {
            told.insert(u64::from_le_bytes(key.try_into().unwrap()));
        });
        assert!(matches!(drained, Drained::Keys { .. }));
        assert!(watched.is_subset(&told));
    }

    #[test]
    fn a_limit_is_kept_by_the_same_means() {
        let (cache, handle, _) = cache(Config {
            limit: Some(Limit::Entries(1_000)),
            ..Config::new(4 << 20)
        });
        set(&handle, 0..2_000, 100, HOUR);
        let (before, used) = (places(&handle, 0..2_000), cache.stats().memory_used);
        set(&handle, 2_000..2_300, 100, HOUR);
        assert_eq!((cache.len(), cache.stats().memory_used), (1_000, used));
        let others = places(&handle, 0..2_300).difference(&before).count();
        // The slot of what went when the limit was reached first.
        assert!(others <= 1, "{others} of 300");
        cache.validate().unwrap();
    }

    #[test]
    fn one_goes_for_one_of_another_size_where_entries_are_counted() {
        let (cache, handle, _) = cache(Config {
            limit: Some(Limit::Entries(1_000)),
            ..Config::new(4 << 20)
        });
        set(&handle, 0..2_000, 100, HOUR);
        for key in 2_000..3_000u64 {
            set(&handle, key..key + 1, 160, HOUR);
            assert_eq!(cache.len(), 1_000);
        }
        assert_eq!(cache.stats().evictions, 2_000);
        cache.validate().unwrap();
    }

    #[test]
    fn one_goes_for_one_where_memory_is_full_before_the_limit_is_reached() {
        for limit in [Limit::Entries(100_000), Limit::Weight(100_000)] {
            let (cache, handle, _) = cache(Config {
                limit: Some(limit),
                ..Config::new(256 << 10)
            });
            let weighed = |keys: Range<u64>| {
                for key in keys {
                    let mut value = [0; 100];
                    value[0] = 1;
                    handle.set(&key.to_le_bytes(), &value, 0, HOUR).unwrap();
                }
            };
            weighed(0..4_000);
            let before = cache.stats();
            weighed(4_000..4_200);
            let after = cache.stats();
            assert_eq!(after.evictions, before.evictions + 200, "{limit:?}");
            assert_eq!(after.memory_used, before.memory_used, "{limit:?}");
            cache.validate().unwrap();
        }
    }

    #[test]
    fn claims_are_superseded_and_kept_to() {
        let (cache, handle, _) = small();
        set(&handle, 0..4_000, 100, HOUR);
        let claimed = |key: u64| match handle.claim(&key.to_le_bytes(), 1_000).unwrap() {
            Claim::Owned(token) => token,
            Claim::Held { .. } => panic!("nobody else loads"),
        };
        let [written, loaded] = [5_000u64, 5_001].map(|key| (key, claimed(key)));
        let load = |(key, token): (u64, u64)| {
            let value = [key as u8; 100];
            handle.set_claimed(&key.to_le_bytes(), token, &value, 0, HOUR)
        };
        set(&handle, written.0..written.0 + 1, 100, HOUR);
        let evictions = cache.stats().evictions;
        assert_eq!(load(written), Ok(false));
        assert_eq!(load(loaded), Ok(true));
        assert_eq!(places(&handle, 5_000..5_002).len(), 2);
        assert!(cache.stats().evictions > evictions);
        cache.validate().unwrap();
    }

    #[test]
    fn what_depends_on_the_key_is_invalid_afterwards() {
        let (_cache, handle, _) = small();
        set(&handle, 0..4_000, 100, HOUR);
        let key = 5_000u64.to_le_bytes();
        let stamp = handle.stamp();
        handle.depend([&key[..]]).unwrap();
        assert!(handle.dependencies_are_current([&key[..]], stamp));
        set(&handle, 5_000..5_001, 100, HOUR);
        assert!(!handle.dependencies_are_current([&key[..]], stamp));
    }

    #[test]
    fn where_shards_differ_much_the_fuller_one_gives() {
        let (clock, _manual) = Clock::manual();
        let engine = Engine::new(&Config {
            clock,
            seed: Some(1),
            shards: Some(2),
            ..Config::new(1 << 20)
        });
        let engine = Arc::new(engine.unwrap());
        let handle = Handle::new(Arc::clone(&engine)).unwrap();
        let is_of_first = |key: &u64| {
            let hash = engine.common.hasher.hash(&key.to_le_bytes());
            engine.shard_index(hash) == 0
        };
        let entries = |shard| engine.lock(shard).unwrap().state.rings.entries();
        for key in (0..20_000).filter(is_of_first) {
            set(&handle, key..key + 1, 100, HOUR);
        }
        assert_eq!(entries(1), 0);
        for key in (20_000..60_000).filter(|key| !is_of_first(key)) {
            set(&handle, key..key + 1, 100, HOUR);
        }
        let entries = [entries(0), entries(1)];
        assert!(entries[1] * 10 > entries[0] * 9, "{entries:?}");
    }
}
